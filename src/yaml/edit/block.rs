//! Writes changes in block style: scalars in place, entries by whole lines; `block_sequence` has the items. What changes
//! comes from `walk`.

use std::ops::Range;

use serde_json::Value;

use super::mapping::{Added, Entry};
use super::replace::is_block_scalar;
use super::walk::{Slot, is_filled};
use super::{EditError, EditSession, Splice, comments, lines};
use crate::yaml::emit::{self, BlockLayout, Scalars};
use crate::yaml::node::{Node, NodeId, NodeKind, ScalarStyle};

/// What stays of an entry that is removed.
pub(super) struct Kept {
    comments: Vec<Range<usize>>,
    /// A block scalar ends above: comments that stay deeper than the entry stood would become its text.
    is_below_text: bool,
}

impl<'e> EditSession<'e> {
    /// Replaces a scalar, or fills an empty one.
    pub(super) fn scalar(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        if is_filled(want) {
            return self.fill(id, want, slot);
        }
        self.touch(id)?;
        self.fits(id, want)?;
        let flow = self.is_flow(slot);
        let (start, end) = (node.start as usize, node.end as usize);
        if let Some((_, text)) = self.spelling.as_ref().filter(|(value, _)| value == want)
            && start < end
            && !is_block_scalar(node)
        {
            let bare = self.text[..start].trim_end_matches([' ', '\t']).len();
            let from = if text.is_empty() { bare } else { start };
            let text = text.clone();
            self.splice(from, end, text);
            return Ok(());
        }
        if start == end {
            let at = match slot {
                Slot::Entry { key, .. } => start.max(self.colon(key, flow)? + 1),
                _ => start,
            };
            let mut text = " ".to_owned();
            emit::scalar(&mut text, want, self.scalars(&self.around(slot)), flow);
            self.splice(at, at, text);
            return Ok(());
        }
        if let Value::String(new) = want
            && let Some(splice) = self.at_its_end(id, node, new, flow)
        {
            self.splice(splice.start, splice.end, splice.text);
            return Ok(());
        }
        if is_block_scalar(node) {
            return self.block_scalar(id, node, want, slot);
        }
        let mut text = String::new();
        match (want, node.kind) {
            (Value::String(s), NodeKind::Scalar(ScalarStyle::SingleQuoted)) if emit::single_is_safe(s) => {
                emit::single_quoted(&mut text, s);
            }
            (Value::String(s), NodeKind::Scalar(ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted)) => {
                emit::double_quoted(&mut text, s);
            }
            // A plain text stays plain, so that the one before can come back as it was: also with a colon in flow, where none
            // is written anew.
            (Value::String(s), NodeKind::Scalar(ScalarStyle::Plain))
                if emit::plain_is_safe(s, flow && s.contains(' '))
                    && matches!(self.document.node_value(id), Ok(Value::String(_))) =>
            {
                text.push_str(s);
            }
            (Value::String(_), _) => {
                let scalars = self.scalars(&self.around(slot));
                emit::scalar(&mut text, want, Scalars { always: self.style().json, ..scalars }, flow);
            }
            _ => {
                emit::scalar(&mut text, want, Scalars::default(), flow);
            }
        }
        self.splice(start, end, text);
        Ok(())
    }

    /// A text that goes on, ends earlier, or ends otherwise: only its end changes, and how its author wrote the rest stays, over several lines too.
    /// None where that takes more than plain characters.
    fn at_its_end(&self, id: NodeId, node: Node, new: &str, flow: bool) -> Option<Splice> {
        let NodeKind::Scalar(style) = node.kind else { return None };
        let Ok(Value::String(old)) = self.document.node_value(id) else { return None };
        let (start, end) = (node.start as usize, node.end as usize);
        let (mut old, mut new) = (old.as_str(), new);
        let at = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => end.checked_sub(1)?,
            ScalarStyle::Plain if !flow && emit::plain_may_stay(new) => end,
            ScalarStyle::Folded => {
                let header = &self.text[start..lines::end_of_line(self.text, start)];
                match header.split_once([' ', '\t']).map_or(header, |(indicator, _)| indicator) {
                    ">-" => {}
                    ">" => (old, new) = (old.strip_suffix('\n')?, new.strip_suffix('\n')?),
                    _ => return None,
                }
                let stop = lines::before_breaks(self.text, end);
                // Without a break the header is all there is.
                (stop > start + header.len()).then_some(stop)?
            }
            _ => return None,
        };
        let is_plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-+@,".contains(&byte))
        };
        if old.is_empty() || new.is_empty() || old.contains('\n') || new.contains('\n') {
            return None;
        }
        let same = old.char_indices().zip(new.chars()).take_while(|((_, one), other)| one == other);
        let same = same.last().map_or(0, |((at, one), _)| at + one.len_utf8());
        let (less, more) = (&old[same..], &new[same..]);
        if [less, more].iter().any(|part| !part.is_empty() && !is_plain(part)) {
            return None;
        }
        let before = self.text[start..at].strip_suffix(less)?;
        // What is left must end where its author could have ended it.
        let ends = if more.is_empty() { &[' ', '\t', '\n', '\\'][..] } else { &['\\'] };
        (less.is_empty() || !before.ends_with(ends)).then(|| Splice {
            start: at - less.len(),
            end: at,
            text: more.to_owned(),
        })
    }

    /// The comment after `|` or `>`, as a line of its own or as it is; empty where there is none.
    pub(super) fn header_comment(&self, node: Node, as_line: bool) -> String {
        let start = node.start as usize;
        let header = &self.text[start..lines::end_of_line(self.text, start)];
        match header.split_once([' ', '\t']).map(|(_, comment)| comment.trim()) {
            Some(comment) if is_block_scalar(node) && !comment.is_empty() => {
                let line = lines::next_line(self.text, start);
                let (indent, eol) = if as_line {
                    (lines::indent(self.text, start), lines::eol(self.text, line))
                } else {
                    ("", "")
                };
                format!("{indent}{comment}{eol}")
            }
            _ => String::new(),
        }
    }

    /// Replaces a block scalar: by lines of the same style where the new text permits, else by a quoted string.
    fn block_scalar(&mut self, id: NodeId, node: Node, want: &Value, slot: Slot) -> Result<(), EditError> {
        let (start, end) = (node.start as usize, node.end as usize);
        let first_line = lines::end_of_line(self.text, start);
        let header = &self.text[start..first_line];
        let (indicator, comment) = header.split_at(header.find([' ', '\t']).unwrap_or(header.len()));
        let stop = lines::before_breaks(self.text, end).max(first_line);
        let body = lines::next_line(self.text, first_line);
        let breaks = end.saturating_sub(stop);
        if let Value::String(new) = want
            && node.kind == NodeKind::Scalar(ScalarStyle::Literal)
            && body < stop
            && breaks > 0
            && let Some(content) = literal(new, indicator, breaks <= lines::break_before(self.text, end))
        {
            let indent = first_indent(self.text, body).to_owned();
            let eol = lines::eol(self.text, body);
            let mut text = String::new();
            for (at, line) in content.split('\n').enumerate() {
                if at > 0 {
                    text.push_str(eol);
                }
                if !line.is_empty() {
                    text.push_str(&indent);
                    text.push_str(line);
                }
            }
            self.splice(body, stop, text);
            return Ok(());
        }
        let mut text = String::new();
        match want {
            Value::String(s) => emit::double_quoted(&mut text, s),
            _ => {
                emit::scalar(&mut text, want, self.scalars(&[id]), false);
            }
        }
        if let Slot::Entry { key, .. } = slot
            && lines::is_first_on_line(self.text, node.props as usize)
            && lines::column(self.text, start)
                <= lines::column(self.text, self.document.tree.node(key).props as usize)
        {
            // No further in than its key, which nothing else may be.
            if node.props < node.start {
                let message = "the value stands no further in than its key, with a tag or an anchor";
                return Err(self.refuse(id, message.to_owned(), "write it after its key".to_owned()));
            }
            let colon = self.colon(key, false)? + 1;
            self.splice(colon, colon, format!(" {text}"));
            let kept = self.header_comment(node, true);
            self.splice(lines::start_of_line(self.text, start), lines::next_line(self.text, end), kept);
            return Ok(());
        }
        text.push_str(comment.trim_end());
        self.splice(start, stop, text);
        Ok(())
    }

    /// Adds entries to a block mapping and removes others.
    pub(super) fn block_mapping(
        &mut self,
        id: NodeId,
        entries: &[Entry<'e>],
        gone: &[usize],
        added: &[Added<'e>],
        slot: Slot,
    ) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        for at in gone {
            self.colon(entries[*at].key, false)?;
        }
        let Some(last) = entries.last() else { return Ok(()) };
        let end = self.entry_end(last);
        if gone.len() == entries.len() {
            if added.is_empty() {
                return self.empty_block(id, slot, "{}");
            }
            let (text, _) = self.block_entries(id, entries, added, end);
            self.splice(node.start as usize, lines::before_breaks(self.text, end), text);
            return Ok(());
        }
        let spans: Vec<(usize, usize)> = entries
            .iter()
            .map(|entry| (self.document.tree.node(entry.key).props as usize, self.entry_end(entry)))
            .collect();
        let kept: Vec<Kept> = gone.iter().map(|at| self.kept_of(entries, *at, gone)).collect();
        self.remove_lines(&spans, gone, &kept);
        // Where the first entries of `- a: 1` are removed, what follows moves up; nothing can be put between then.
        let moves_up = gone.first() == Some(&0) && !lines::is_first_on_line(self.text, spans[0].0);
        for group in added.chunk_by(|one, next| one.before == next.before) {
            let before = group[0].before.filter(|at| !moves_up && gone.binary_search(at).is_err());
            match before.and_then(|at| self.place_before(entries, &spans, at, slot)) {
                Some(at) => self.insert_entries_before(id, entries, group, at),
                None if self.is_unended(end) && gone.last() != Some(&(entries.len() - 1)) => {
                    // A break after it would become part of the block scalar that ends the text: the new entries go before.
                    self.colon(last.key, false)?;
                    let at = self.document.tree.node(last.key).props as usize;
                    self.insert_entries_before(id, entries, group, at);
                }
                None => {
                    let (text, _) = self.block_entries(id, entries, group, end);
                    self.insert_lines(end, lines::column(self.text, node.start as usize), &text);
                }
            }
        }
        Ok(())
    }

    /// The text of new entries of a block mapping, without the first one's indent, and the line break used.
    fn block_entries(
        &self,
        id: NodeId,
        entries: &[Entry<'e>],
        added: &[Added<'e>],
        at: usize,
    ) -> (String, &'e str) {
        let column = lines::column(self.text, self.document.tree.node(id).start as usize);
        let layout = self.child_layout(id, entries.iter().map(|entry| entry.value), &[id], at);
        let mut text = String::with_capacity(128);
        for (index, Added { name, value, .. }) in added.iter().enumerate() {
            if index > 0 {
                text.push_str(layout.eol);
                text.extend(std::iter::repeat_n(' ', column));
            }
            emit::block_entry(&mut text, name, value, column, layout);
        }
        (text, layout.eol)
    }

    /// Where new entries go that come before the entry `at`: above the comments just above it. `None` if its key is
    /// written after `? `.
    fn place_before(
        &self,
        entries: &[Entry<'e>],
        spans: &[(usize, usize)],
        at: usize,
        slot: Slot,
    ) -> Option<usize> {
        let key = spans[at].0;
        lines::colon(self.text, self.document.tree.node(entries[at].key).end as usize, false)?;
        if !lines::is_first_on_line(self.text, key) {
            return Some(key);
        }
        let indent = lines::indent(self.text, key);
        let mut place = lines::start_of_line(self.text, key);
        // The comment at the head of a document is not about its first key alone.
        let lowest = match at.checked_sub(1) {
            Some(previous) => lines::next_line(self.text, spans[previous].1),
            None if slot == Slot::Root => place,
            None => 0,
        };
        while place > lowest {
            let above = lines::start_of_line(self.text, place - lines::break_before(self.text, place));
            if above == place
                || self.text[above..].strip_prefix(indent).is_none_or(|rest| !rest.starts_with('#'))
            {
                break;
            }
            place = above;
        }
        Some(place)
    }

    /// Inserts entries at the start of a line, or before a key that is not the first in its line.
    fn insert_entries_before(&mut self, id: NodeId, entries: &[Entry<'e>], added: &[Added<'e>], at: usize) {
        let column = lines::column(self.text, self.document.tree.node(id).start as usize);
        let (body, eol) = self.block_entries(id, entries, added, at);
        let indent = " ".repeat(column);
        let text = match lines::column(self.text, at) {
            0 => format!("{indent}{body}{eol}"),
            _ => format!("{body}{eol}{indent}"),
        };
        self.splice(at, at, text);
    }

    /// The comments that stay when the entry `at` is removed.
    fn kept_of(&self, entries: &[Entry<'_>], at: usize, gone: &[usize]) -> Kept {
        let (tree, entry) = (&self.document.tree, &entries[at]);
        let comments = comments::of_entry(self.text, tree, tree.node(entry.key).end as usize, entry.value);
        let above = || (0..at).rev().find(|at| gone.binary_search(at).is_err());
        let is_below_text = !comments.is_empty()
            && above().is_some_and(|above| self.ends_in_block_scalar(entries[above].value));
        Kept { comments, is_below_text }
    }

    /// Whether the last line of a value is one of a block scalar, which takes deeper lines below it for its own.
    fn ends_in_block_scalar(&self, mut id: NodeId) -> bool {
        let tree = &self.document.tree;
        loop {
            let last = match tree.node(id).kind {
                NodeKind::Mapping { .. } => tree.entries(id).last().map(|(_, value)| value),
                NodeKind::Sequence { .. } => tree.children(id).last(),
                _ => return is_block_scalar(tree.node(id)),
            };
            let Some(last) = last else { return false };
            id = last;
        }
    }

    /// Removes entries or items with their lines. `spans` are all of them; at least one stays. `kept`: for each of `gone`
    /// the comments that stay.
    pub(super) fn remove_lines(&mut self, spans: &[(usize, usize)], gone: &[usize], kept: &[Kept]) {
        let mut at = 0;
        while at < gone.len() {
            let (first, first_at) = (gone[at], at);
            // A run of neighbours at the front of an inline collection goes in one piece.
            let mut last = first;
            while gone.get(at + 1) == Some(&(last + 1)) {
                last += 1;
                at += 1;
            }
            at += 1;
            let kept = kept.get(first_at..at).unwrap_or_default();
            if lines::is_first_on_line(self.text, spans[first].0) {
                for (index, (start, end)) in spans[first..=last].iter().enumerate() {
                    let indent = lines::indent(self.text, *start);
                    let comments = match kept.get(index) {
                        Some(Kept { comments, is_below_text: false }) => self.comment_lines(comments, indent),
                        Some(Kept { comments, .. }) => self.comments_at(comments, indent),
                        None => String::new(),
                    };
                    let line = lines::start_of_line(self.text, *start);
                    self.splice(line, lines::next_line(self.text, *end), comments);
                }
                continue;
            }
            // `- a: 1` where `a` is removed: what follows moves up to the dash, unless comments stand between.
            let (start, end) = (spans[first].0, spans[last].1);
            let Some((next, _)) = spans.get(last + 1) else { continue };
            let below = lines::next_line(self.text, end);
            let comments: Vec<_> = kept.iter().flat_map(|kept| kept.comments.iter().cloned()).collect();
            let comments = self.comment_lines(&comments, lines::indent(self.text, *next));
            if !comments.is_empty() || below <= *next && self.text[below..*next].contains('#') {
                let blanks = self.text[..start].trim_end_matches([' ', '\t']).len();
                self.splice(blanks, below, format!("{}{comments}", lines::eol(self.text, below)));
            } else {
                self.splice(start, *next, "");
            }
        }
    }

    /// After the colon of a key and the anchor of its value.
    pub(super) fn after_colon(&self, key: NodeId, value: Node) -> Result<usize, EditError> {
        let colon = self.colon(key, false)?;
        if value.props == value.start {
            return Ok(colon + 1);
        }
        let props = &self.text[value.props as usize..value.start as usize];
        let props = props.split(['\n', '#']).next().unwrap_or_default().trim_end();
        Ok(value.props as usize + props.len())
    }

    /// Where an entry ends.
    fn entry_end(&self, entry: &Entry<'_>) -> usize {
        let key = self.document.tree.node(entry.key).end as usize;
        let end = (self.document.tree.node(entry.value).end as usize).max(key);
        match lines::colon(self.text, key, false) {
            Some(colon) => end.max(colon + 1),
            None => end,
        }
    }

    /// The colon after a key; a key after `? ` is refused.
    pub(super) fn colon(&self, key: NodeId, flow: bool) -> Result<usize, EditError> {
        lines::colon(self.text, self.document.tree.node(key).end as usize, flow).ok_or_else(|| {
            self.refuse(
                key,
                "the key is written after `? ` or without a colon".to_owned(),
                "write it as `key: value`".to_owned(),
            )
        })
    }

    /// Writes a collection on the lines below the line where `end` is, as the value of a key of `map`.
    pub(super) fn insert_below(&mut self, map: NodeId, end: usize, want: &Value) {
        let start = self.document.tree.node(map).start as usize;
        let layout =
            self.child_layout(map, self.document.tree.entries(map).map(|(_, value)| value), &[map], end);
        let column =
            lines::column(self.text, start) + if want.is_array() { layout.offset } else { layout.step };
        let mut text = String::new();
        emit::block(&mut text, want, column, layout);
        self.insert_lines(end, column, &text);
    }

    /// Inserts lines after the line on which content ends at `end`.
    pub(super) fn insert_lines(&mut self, end: usize, column: usize, text: &str) {
        let at = lines::next_line(self.text, end);
        let eol = lines::eol(self.text, at);
        // Only a text without a final break has no line to go before.
        let (front, back) = if lines::break_before(self.text, at) > 0 { ("", eol) } else { (eol, "") };
        let mut added = String::with_capacity(column + text.len() + eol.len());
        added.push_str(front);
        added.extend(std::iter::repeat_n(' ', column));
        added.push_str(text);
        added.push_str(back);
        self.splice(at, at, added);
    }

    /// Whether a block scalar ends the text at `end` without a break, so that a break would change it.
    pub(super) fn is_unended(&self, end: usize) -> bool {
        end == self.text.len()
            && !self.text.ends_with('\n')
            && self.document.tree.nodes().any(|node| node.end as usize == end && is_block_scalar(node))
    }

    /// Keeps the value of the block scalar that ends the text at `end` without a break when one is added: `|` to `|-`.
    pub(super) fn end_block_scalar(&mut self, end: usize) {
        let Some(node) =
            self.document.tree.nodes().find(|node| node.end as usize == end && is_block_scalar(*node))
        else {
            return;
        };
        let start = node.start as usize;
        let indicator = &self.text[start..lines::end_of_line(self.text, start)];
        let indicator = &indicator[..indicator.find([' ', '\t']).unwrap_or(indicator.len())];
        if indicator.contains('-') {
            return;
        }
        let at = start + indicator.find('+').unwrap_or(indicator.len());
        // Several items may be added after it, and it may have been changed to something else.
        let done = |splice: &Splice| {
            (splice.start == at && splice.text == "-") || (splice.start..splice.end).contains(&start)
        };
        if self.splices.iter().any(done) {
            return;
        }
        self.splice(at, at + usize::from(indicator.contains('+')), "-");
    }

    /// Layout for new children of a block mapping: as its other children have it, else as the document.
    fn child_layout(
        &self,
        map: NodeId,
        values: impl Iterator<Item = NodeId>,
        near: &[NodeId],
        at: usize,
    ) -> BlockLayout<'e> {
        let mut layout = self.block_layout(near, at);
        let column = lines::column(self.text, self.document.tree.node(map).start as usize);
        let (mut step, mut offset) = (None, None);
        for value in values {
            let node = self.document.tree.node(value);
            let below = || lines::column(self.text, node.start as usize).checked_sub(column);
            match node.kind {
                NodeKind::Mapping { flow: false } => step = step.or_else(|| below().filter(|step| *step > 0)),
                NodeKind::Sequence { flow: false } => offset = offset.or_else(below),
                _ => {}
            }
        }
        layout.step = step.unwrap_or(layout.step);
        layout.offset = offset.unwrap_or(layout.offset);
        layout
    }

    /// Layout as the document has it, quotes as the neighbours have them, breaks as at `at`.
    pub(super) fn block_layout(&self, near: &[NodeId], at: usize) -> BlockLayout<'e> {
        let style = self.style();
        BlockLayout {
            step: style.step,
            offset: style.offset,
            dash: style.dash,
            eol: lines::eol(self.text, lines::next_line(self.text, at)),
            scalars: self.scalars(near),
        }
    }

    /// Quotes as the neighbours have them.
    pub(super) fn scalars(&self, near: &[NodeId]) -> Scalars {
        self.style().scalars(self.text, &self.document.tree, near)
    }

    /// The collection a slot belongs to.
    pub(super) fn around(&self, slot: Slot) -> Vec<NodeId> {
        match slot {
            Slot::Root => Vec::new(),
            Slot::Entry { map, .. } => vec![map],
            Slot::Item { seq } => vec![seq],
        }
    }

    /// Whether a slot is inside of a flow collection.
    pub(super) fn is_flow(&self, slot: Slot) -> bool {
        let around = match slot {
            Slot::Root => self.root,
            Slot::Entry { map, .. } => map,
            Slot::Item { seq } => seq,
        };
        matches!(
            self.document.tree.node(around).kind,
            NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true }
        )
    }
}

/// The indent of the first line that is not blank.
fn first_indent(text: &str, body: usize) -> &str {
    let first = body + (text[body..].len() - text[body..].trim_start().len());
    lines::indent(text, first)
}

/// The lines of a literal block scalar that means `new`, without the final break; none if it needs quotes.
fn literal(new: &str, indicator: &str, no_blanks_after: bool) -> Option<String> {
    let content = match indicator {
        "|" => new.strip_suffix('\n')?,
        "|-" => new,
        _ => return None,
    };
    let plain = no_blanks_after
        && !content.is_empty()
        && !content.ends_with('\n')
        && !content.starts_with([' ', '\t', '\n'])
        && content.split('\n').all(|line| {
            (line.is_empty() || !line.trim().is_empty()) && emit::single_is_safe(&line.replace('\t', " "))
        });
    plain.then(|| content.to_owned())
}
