//! Puts a value of another kind in a node's place: fills an empty collection, exchanges a scalar, empties a collection.
//! Comments stay. Which nodes to replace is left to `walk`.

use serde_json::Value;

use super::walk::{Slot, is_filled};
use super::{EditError, EditSession, comments, lines};
use crate::yaml::emit;
use crate::yaml::node::{Node, NodeId, NodeKind, ScalarStyle};

impl<'e> EditSession<'e> {
    /// Fills an empty node (an empty scalar, null, `[]` or `{}`) with a collection that is not empty; other values are
    /// exchanged.
    pub(super) fn fill(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        let (start, end) = (node.start as usize, node.end as usize);
        if !is_filled(want) {
            return self.exchange(id, want, slot);
        }
        self.touch_all(id)?;
        self.fits(id, want)?;
        let token = &self.text[start..end];
        if is_flow(node) && token.contains('#') {
            return self.fill_brackets(id, node, want, slot);
        }
        match slot {
            Slot::Entry { key, .. } if start == end && self.is_flow(slot) => {
                let at = start.max(self.colon(key, true)? + 1);
                let mut text = String::new();
                self.flow_value(&mut text, id, want, slot);
                match self.text.as_bytes().get(at..at + 2) {
                    // `{labels: }`: the blank is there already.
                    Some([b' ', next]) if *next != b'#' => self.splice(at + 1, at + 1, text),
                    _ => self.splice(at, at, format!(" {text}")),
                }
                Ok(())
            }
            Slot::Entry { map, key } if start == end => {
                let at = self.after_colon(key, node)?;
                self.insert_below(map, at, want);
                Ok(())
            }
            Slot::Root => {
                // After an anchor or a tag that has no value yet.
                let touches =
                    !self.text[..start].is_empty() && !self.text[..start].ends_with([' ', '\t', '\n', '\r']);
                let mut text = if touches { " ".to_owned() } else { String::new() };
                self.flow_value(&mut text, id, want, slot);
                self.splice(start, end, text);
                Ok(())
            }
            _ => self.exchange(id, want, slot),
        }
    }

    /// Fills `[]` or `{}` with comments between the brackets: the new entries go before them.
    fn fill_brackets(
        &mut self,
        id: NodeId,
        node: Node,
        want: &'e Value,
        slot: Slot,
    ) -> Result<(), EditError> {
        let (start, end) = (node.start as usize, node.end as usize);
        let mut text = String::new();
        self.flow_inside(&mut text, id, want, slot);
        if want.is_array() == matches!(node.kind, NodeKind::Sequence { .. }) {
            self.splice(start + 1, start + 1, text);
        } else {
            let [open, close] = if want.is_array() { ["[", "]"] } else { ["{", "}"] };
            self.splice(start, start + 1, format!("{open}{text}"));
            self.splice(end - 1, end, close);
        }
        Ok(())
    }

    /// Empties a collection in block style: `token` stands for it.
    pub(super) fn empty_block(&mut self, id: NodeId, slot: Slot, token: &str) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        match slot {
            Slot::Entry { key, .. } => {
                let at = self.after_colon(key, node)?;
                self.splice(at, at, format!(" {token}"));
                let start = lines::start_of_line(self.text, node.start as usize);
                let kept = comments::of_entry(self.text, &self.document.tree, node.start as usize, id);
                let kept = self.comment_lines(&kept, lines::indent(self.text, node.start as usize));
                self.splice(start, lines::next_line(self.text, node.end as usize), kept);
            }
            _ => self.splice(node.start as usize, lines::before_breaks(self.text, node.end as usize), token),
        }
        Ok(())
    }

    /// Comments as lines: those that have a line of their own as they are, others at `indent`.
    pub(super) fn comment_lines(&self, comments: &[std::ops::Range<usize>], indent: &str) -> String {
        let own = |comment: usize| {
            lines::is_first_on_line(self.text, comment).then(|| lines::indent(self.text, comment))
        };
        self.comments_each_at(comments, |comment| own(comment).unwrap_or(indent))
    }

    /// Comments as lines, all of them at `indent`.
    pub(super) fn comments_at(&self, comments: &[std::ops::Range<usize>], indent: &str) -> String {
        self.comments_each_at(comments, |_| indent)
    }

    fn comments_each_at<'i>(
        &self,
        comments: &[std::ops::Range<usize>],
        indent: impl Fn(usize) -> &'i str,
    ) -> String {
        let mut out = String::new();
        for comment in comments {
            out.push_str(indent(comment.start));
            out.push_str(self.text[comment.clone()].trim_end());
            out.push_str(lines::eol(self.text, lines::next_line(self.text, comment.end)));
        }
        out
    }

    /// Replaces a node by a value of another kind.
    pub(super) fn exchange(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        self.touch_all(id)?;
        self.fits(id, want)?;
        let node = self.document.tree.node(id);
        let (start, end) = (node.start as usize, node.end as usize);
        if slot == Slot::Root {
            return Err(self.refuse(
                id,
                "the whole document would have to become something else".to_owned(),
                "write it anew".to_owned(),
            ));
        }
        let scalars = self.scalars(&[id]);
        if self.is_flow(slot) || is_flow(node) && (node.filled || !is_filled(want)) {
            let mut text = String::new();
            self.flow_value(&mut text, id, want, slot);
            let kept = self.comments_in_brackets(id);
            match want {
                Value::Array(_) | Value::Object(_) if !kept.is_empty() => {
                    self.splice(start, start + 1, &text[..1]);
                    self.splice(start + 1, end - 1, format!("{}{kept}", &text[1..text.len() - 1]));
                    self.splice(end - 1, end, &text[text.len() - 1..]);
                }
                _ => self.splice(start, end, text + &kept),
            }
            return Ok(());
        }
        let lines_below =
            matches!(node.kind, NodeKind::Mapping { flow: false } | NodeKind::Sequence { flow: false });
        match slot {
            Slot::Entry { map, key } => {
                self.colon(key, false)?;
                if lines_below {
                    let from = lines::start_of_line(self.text, start);
                    if is_filled(want) {
                        let below = lines::next_line(self.text, end);
                        self.splice(from, below, "");
                        self.insert_below(map, end, want);
                    } else {
                        let mut token = String::new();
                        emit::scalar(&mut token, want, scalars, false);
                        return self.empty_block(id, slot, &token);
                    }
                } else {
                    let stop = if is_block_scalar(node) { lines::before_breaks(self.text, end) } else { end };
                    if lines::is_first_on_line(self.text, start) && lines::is_end_of_line(self.text, stop) {
                        let line = lines::start_of_line(self.text, start);
                        let kept = self.header_comment(node, true);
                        self.splice(line, lines::next_line(self.text, end), kept);
                    } else if lines::is_first_on_line(self.text, start) {
                        // A comment after it stays, as a line of its own.
                        self.splice(start, lines::skip_blanks(self.text, stop), "");
                    } else {
                        let from = self.text[..start].trim_end_matches([' ', '\t']).len();
                        let kept = self.header_comment(node, false);
                        self.splice(from, stop, if kept.is_empty() { kept } else { format!(" {kept}") });
                    }
                    self.insert_below(map, end, want);
                }
            }
            Slot::Item { .. } | Slot::Root => {
                let stop = if node.end > node.start { lines::before_breaks(self.text, end) } else { end };
                let layout = self.block_layout(&[id], start);
                let bare = start == end;
                let mut text = if bare { " ".to_owned() } else { String::new() };
                let column = lines::column(self.text, start) + usize::from(bare);
                emit::block(&mut text, want, column, layout);
                self.splice(start, stop, text);
            }
        }
        Ok(())
    }

    /// Refuses a value with keys that no reader takes, and a tag that forbids another value.
    pub(super) fn fits(&self, id: NodeId, want: &Value) -> Result<(), EditError> {
        self.writable(id, "", want)?;
        match self.document.tag(id) {
            Some("!!map") if want.is_object() => Ok(()),
            Some("!!seq") if want.is_array() => Ok(()),
            Some(tag) => Err(self.refuse(
                id,
                format!("the value has the tag {tag}, which may not fit another value"),
                format!("remove {tag}"),
            )),
            None => Ok(()),
        }
    }
}

/// Whether a node is a flow collection.
fn is_flow(node: Node) -> bool {
    matches!(node.kind, NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true })
}

/// `|` or `>`.
pub(super) fn is_block_scalar(node: Node) -> bool {
    matches!(node.kind, NodeKind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded))
}
