//! Fills empty collections so that they can be emptied again, and puts them back: a node and a value in, splices out.
//!
//! In block style the token that stood there is kept as a comment, so that filling only inserts:
//!
//! ```text
//! volumes: []  # none        volumes: # []  # none          volumes:          volumes: #
//!                      <=>   - name: a                               <=>      - name: a
//! ```
//!
//! In flow style no comment fits; there the number of spaces behind the opening bracket, with none before the closing
//! one, tells what stood there (see `FLOW_MARKS`). Kubernetes reads absent, null and empty alike, so putting back is right whichever is wanted.

use serde_json::Value;

use super::walk::Slot;
use super::{EditError, EditSession, lines};
use crate::yaml::emit;
use crate::yaml::node::{Node, NodeId, NodeKind, ScalarStyle};
use crate::yaml::path::Step;

/// What stands for an empty collection, as text.
const TOKENS: [&str; 8] = ["[]", "{}", "[ ]", "{ }", "null", "Null", "NULL", "~"];

/// In flow style: what stood there, by the number of spaces behind the opening bracket (1 and 5: the empty collection
/// of the same and of the other kind; 6 and 9: with a space inside, which at 6 stands before the closing bracket).
const FLOW_MARKS: [&str; 9] = ["", "null", "~", "", "", "", "Null", "NULL", ""];
const SAME_KIND: usize = 1;
const NOTHING: usize = 4;
const OTHER_KIND: usize = 5;
const PADDED: usize = 6;
const OTHER_PADDED: usize = 9;

/// What a mark tells: bytes that the fill added, and what stood there.
struct Mark {
    start: usize,
    end: usize,
    meant: Value,
}

/// What a token means.
fn meaning(token: &str) -> Value {
    match token.as_bytes().first() {
        Some(b'[') => Value::Array(Vec::new()),
        Some(b'{') => Value::Object(serde_json::Map::new()),
        _ => Value::Null,
    }
}

impl<'e> EditSession<'e> {
    /// Fills an empty node (an empty scalar, null, `[]` or `{}`) with a collection that is not empty; other nodes are
    /// exchanged.
    pub(super) fn fill(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        let node = *self.document.tree.node(id);
        let token = &self.text[node.start as usize..node.end as usize];
        let empty = token.is_empty() || TOKENS.contains(&token);
        if super::walk::is_empty(want) || !(want.is_array() || want.is_object()) {
            return self.exchange(id, want, slot);
        }
        self.touch(id)?;
        self.fits(id, want)?;
        let same_kind = matches!(
            (node.kind, want),
            (NodeKind::Mapping { .. }, Value::Object(_)) | (NodeKind::Sequence { .. }, Value::Array(_))
        );
        if same_kind && !empty || empty && self.is_flow(slot) {
            return self.fill_flow(id, node, token, same_kind, want, slot);
        }
        match slot {
            Slot::Entry { map, key } if empty => self.fill_block(map, key, node, token, want),
            _ => self.exchange(id, want, slot),
        }
    }

    fn fill_block(
        &mut self,
        map: NodeId,
        key: NodeId,
        node: Node,
        token: &str,
        want: &Value,
    ) -> Result<(), EditError> {
        let colon = self.colon(key, false)?;
        let start = node.start as usize;
        if token.is_empty() {
            let behind = start.max(colon + 1);
            let next = lines::skip_blanks(self.text, behind);
            if self.text.as_bytes().get(next) == Some(&b'#') {
                self.splice(next, next, "# ");
            } else {
                self.splice(behind, behind, " #");
            }
            self.insert_below(map, behind, want);
        } else {
            self.splice(start, start, "# ");
            self.insert_below(map, node.end as usize, want);
        }
        Ok(())
    }

    fn fill_flow(
        &mut self,
        id: NodeId,
        node: Node,
        token: &str,
        same_kind: bool,
        want: &Value,
        slot: Slot,
    ) -> Result<(), EditError> {
        let (start, end) = (node.start as usize, node.end as usize);
        if same_kind {
            // What stands between the brackets (nothing, blanks, a comment) stays behind the new entries.
            let open = start + 1;
            let spaces = if self.text[..end - 1].ends_with(' ') { PADDED } else { SAME_KIND };
            let mut text = " ".repeat(spaces);
            self.flow_inside(&mut text, id, want, slot, end - open == 1);
            self.splice(open, open, text);
            return Ok(());
        }
        let spaces = match token {
            "" => NOTHING,
            "~" => 3,
            "Null" => 7,
            "NULL" => 8,
            "[ ]" | "{ }" => OTHER_PADDED,
            "[]" | "{}" => OTHER_KIND,
            _ => 2,
        };
        let brackets = if want.is_array() { ('[', ']') } else { ('{', '}') };
        let mut text = String::new();
        if token.is_empty() {
            if let Slot::Entry { key, .. } = slot {
                self.colon(key, true)?;
            }
            text.push(' ');
        }
        text.push(brackets.0);
        text.extend(std::iter::repeat_n(' ', spaces));
        self.flow_inside(&mut text, id, want, slot, true);
        text.push(brackets.1);
        let at = match (token.is_empty(), slot) {
            (true, Slot::Entry { key, .. }) => start.max(self.colon(key, true)? + 1),
            _ => start,
        };
        self.splice(at, at.max(end), text);
        Ok(())
    }

    /// Puts a filled collection back to what stood there, if a mark tells it. `steps` is its path.
    pub(super) fn restore(
        &mut self,
        key: NodeId,
        value: NodeId,
        steps: Vec<Step>,
    ) -> Result<bool, EditError> {
        let node = *self.document.tree.node(value);
        let meant = match node.kind {
            NodeKind::Mapping { flow: false } | NodeKind::Sequence { flow: false } => {
                self.restore_block(key, value, node)?
            }
            NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true } => {
                self.restore_flow(value, node)?
            }
            _ => None,
        };
        let Some(meant) = meant else { return Ok(false) };
        self.restored.push((steps, meant));
        Ok(true)
    }

    /// Whether something in a mapping, or in the mappings in it, can be put back.
    pub(super) fn has_restorable(&self, id: NodeId) -> bool {
        let tree = &self.document.tree;
        if !matches!(tree.node(id).kind, NodeKind::Mapping { .. }) {
            return false;
        }
        tree.entries(id).any(|(key, value)| {
            let node = *tree.node(value);
            let marked = match node.kind {
                NodeKind::Mapping { flow: false } | NodeKind::Sequence { flow: false } => {
                    self.mark(key, node).is_some()
                }
                NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true } => {
                    self.flow_mark(node).is_some()
                }
                _ => false,
            };
            marked || self.has_restorable(value)
        })
    }

    fn restore_block(&mut self, key: NodeId, value: NodeId, node: Node) -> Result<Option<Value>, EditError> {
        let Some(mark) = self.mark(key, node) else { return Ok(None) };
        self.touch_all(value)?;
        self.splice(mark.start, mark.end, "");
        let start = lines::start_of_line(self.text, node.start as usize);
        self.splice(start, lines::next_line(self.text, node.end as usize), "");
        Ok(Some(mark.meant))
    }

    /// The mark behind a key's colon, or on the line below it.
    fn mark(&self, key: NodeId, node: Node) -> Option<Mark> {
        let mut at = lines::colon(self.text, self.document.tree.node(key).end as usize, false)? + 1;
        let first_line = lines::end_of_line(self.text, at);
        if (node.props as usize) < first_line && node.props < node.start {
            // Behind the anchor and tag.
            let props = self.text[node.props as usize..node.start as usize].split(['#', '\n']).next()?;
            at = node.props as usize + props.trim_end().len();
        }
        let comment = lines::skip_blanks(self.text, at);
        if comment == first_line {
            let comment = lines::skip_blanks(self.text, lines::next_line(self.text, first_line));
            return self.mark_at(comment).filter(|mark| {
                mark.end > mark.start && self.text[mark.end..].starts_with(['[', '{', 'n', 'N', '~'])
            });
        }
        self.mark_at(comment)
    }

    fn mark_at(&self, at: usize) -> Option<Mark> {
        let comment = self.text.get(at..lines::end_of_line(self.text, at))?;
        let behind = comment.strip_prefix('#')?;
        if behind.trim_end_matches([' ', '\t']).is_empty() {
            // ` #` was added behind an empty value.
            let start = at.checked_sub(1).filter(|before| self.text.as_bytes()[*before] == b' ')?;
            return Some(Mark { start, end: at + 1, meant: Value::Null });
        }
        let rest = behind.strip_prefix(' ')?;
        let end = at + 2;
        if rest.starts_with('#') {
            return Some(Mark { start: at, end, meant: Value::Null });
        }
        TOKENS.iter().find_map(|token| {
            let behind = rest.strip_prefix(token)?;
            let bare = behind.trim_start_matches([' ', '\t']);
            (bare.is_empty() || (bare.starts_with('#') && bare.len() < behind.len())).then(|| Mark {
                start: at,
                end,
                meant: meaning(token),
            })
        })
    }

    /// The number of spaces that mark a filled flow collection, and whether it goes over lines.
    fn flow_mark(&self, node: Node) -> Option<(usize, bool)> {
        let whole = &self.text[node.start as usize..node.end as usize];
        if !node.filled || !whole.starts_with(['[', '{']) {
            return None;
        }
        let inside = &whole[1..whole.len() - 1];
        let spaces = inside.len() - inside.trim_start_matches(' ').len();
        let over_lines = inside[spaces..].starts_with(['\n', '\r']);
        // Spaces on both sides are the author's way to write braces, but for the many of a mark.
        let padded = inside.ends_with(' ') && !over_lines;
        ((1..=FLOW_MARKS.len()).contains(&spaces) && padded == (spaces == PADDED))
            .then_some((spaces, over_lines))
    }

    fn restore_flow(&mut self, value: NodeId, node: Node) -> Result<Option<Value>, EditError> {
        let (start, end) = (node.start as usize, node.end as usize);
        let open = start + 1;
        let Some((spaces, over_lines)) = self.flow_mark(node) else { return Ok(None) };
        self.touch_all(value)?;
        let is_map = matches!(node.kind, NodeKind::Mapping { .. });
        if spaces == SAME_KIND || spaces == PADDED {
            let units = self.units(value);
            let last = units.last().map_or(open, |unit| unit.1);
            let last = lines::comma(self.text, last).map_or(last, |comma| comma + 1);
            // Over lines the break and indent before the closing bracket were added too.
            self.splice(open, if over_lines { end - 1 } else { last }, "");
            return Ok(Some(meaning(if is_map { "{" } else { "[" })));
        }
        let token = match (spaces, is_map) {
            (OTHER_KIND, true) => "[]",
            (OTHER_KIND, false) => "{}",
            (OTHER_PADDED, true) => "[ ]",
            (OTHER_PADDED, false) => "{ }",
            _ => FLOW_MARKS[spaces - 1],
        };
        // The space that was put before a value where there was none.
        let from = if spaces == NOTHING && self.text[..start].ends_with(": ") { start - 1 } else { start };
        self.splice(from, end, token);
        Ok(Some(meaning(token)))
    }

    /// Replaces a node by a value of another kind.
    pub(super) fn exchange(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        self.touch_all(id)?;
        self.fits(id, want)?;
        let node = *self.document.tree.node(id);
        let (start, end) = (node.start as usize, node.end as usize);
        if slot == Slot::Root {
            return Err(self.refuse(
                id,
                "the whole document would have to become something else".to_owned(),
                "write it anew".to_owned(),
            ));
        }
        let scalars = self.scalars(&[id]);
        if self.is_flow(slot)
            || matches!(node.kind, NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true })
        {
            let mut text = String::new();
            self.flow_value(&mut text, id, want, slot);
            self.splice(start, end, text);
            return Ok(());
        }
        let lines_below = matches!(node.kind, NodeKind::Mapping { .. } | NodeKind::Sequence { .. });
        let filled = !super::walk::is_empty(want) && (want.is_array() || want.is_object());
        match slot {
            Slot::Entry { map, key } => {
                self.colon(key, false)?;
                if lines_below {
                    let from = lines::start_of_line(self.text, start);
                    if filled {
                        let below = lines::next_line(self.text, end);
                        self.splice(from, below, "");
                        self.insert_below(map, end, want);
                    } else {
                        let mut text = " ".to_owned();
                        emit::scalar(&mut text, want, scalars, false);
                        let at = self.behind_colon(key, node)?;
                        self.splice(at, at, text);
                        self.splice(from, lines::next_line(self.text, end), "");
                    }
                } else {
                    let stop = if is_block_scalar(node) { lines::before_breaks(self.text, end) } else { end };
                    if lines::is_first_on_line(self.text, start) && lines::is_end_of_line(self.text, stop) {
                        let line = lines::start_of_line(self.text, start);
                        self.splice(line, lines::next_line(self.text, end), "");
                    } else if lines::is_first_on_line(self.text, start) {
                        // A comment behind it stays, as a line of its own.
                        self.splice(start, lines::skip_blanks(self.text, stop), "");
                    } else {
                        let from = self.text[..start].trim_end_matches([' ', '\t']).len();
                        self.splice(from, stop, "");
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
            Some(tag) => Err(self.refuse(
                id,
                format!("the value has the tag {tag}, which may not fit another value"),
                format!("remove {tag}"),
            )),
            None => Ok(()),
        }
    }
}

/// `|` or `>`.
pub(super) fn is_block_scalar(node: Node) -> bool {
    matches!(node.kind, NodeKind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded))
}
