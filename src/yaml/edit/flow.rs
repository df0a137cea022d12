//! Writes changes in flow style, in one line or over lines, YAML or JSON. What changes comes from `walk`.

use serde_json::Value;

use super::list_diff::Step as Move;
use super::mapping::{Added, Entry};
use super::style::unit_end;
use super::walk::Slot;
use super::{EditError, EditSession, comments, lines};
use crate::yaml::emit::{self, FlowLayout, Lines};
use crate::yaml::node::{NodeId, NodeKind};

impl<'e> EditSession<'e> {
    /// Adds entries to a flow mapping and removes others.
    pub(super) fn flow_mapping(
        &mut self,
        id: NodeId,
        entries: &[Entry<'e>],
        gone: &[usize],
        added: &[Added<'e>],
    ) -> Result<(), EditError> {
        for at in gone {
            self.colon(entries[*at].key, true)?;
        }
        let mut moves: Vec<Move> = Vec::new();
        let (mut kept, mut next) = (0, added.iter().enumerate().peekable());
        for at in 0..entries.len() {
            while let Some((new, _)) = next.next_if(|(_, added)| added.before == Some(at)) {
                moves.push(Move::Insert(new));
            }
            if gone.binary_search(&at).is_ok() {
                moves.push(Move::Remove(at));
            } else {
                moves.push(Move::Keep(at, kept));
                kept += 1;
            }
        }
        moves.extend(next.map(|(new, _)| Move::Insert(new)));
        let (layout, indent) = self.inner_layout(id);
        let texts: Vec<String> = added
            .iter()
            .map(|Added { name, value, .. }| {
                let mut text = String::new();
                emit::flow_entry(&mut text, name, value, &indent, layout.as_layout());
                text
            })
            .collect();
        self.flow_moves(id, &moves, &texts)
    }

    /// Carries out the moves in a flow sequence.
    pub(super) fn flow_sequence(
        &mut self,
        id: NodeId,
        items: &[NodeId],
        moves: &[Move],
        want: &'e [Value],
    ) -> Result<(), EditError> {
        for step in moves {
            if let Move::Change(old, new) = step {
                self.change_item(id, items[*old], *new, &want[*new])?;
            }
        }
        let (layout, indent) = self.inner_layout(id);
        let mut texts = vec![String::new(); want.len()];
        for step in moves {
            if let Move::Insert(new) = step {
                emit::flow(&mut texts[*new], &want[*new], &indent, layout.as_layout());
            }
        }
        self.flow_moves(id, moves, &texts)
    }

    /// Carries out insertions (`texts` by new index) and removals. Some old entry stays, or a new one comes.
    fn flow_moves(&mut self, id: NodeId, moves: &[Move], texts: &[String]) -> Result<(), EditError> {
        if moves.iter().all(|step| matches!(step, Move::Keep(..) | Move::Change(..))) {
            return Ok(());
        }
        let node = self.document.tree.node(id);
        if !self.text[node.start as usize..].starts_with(['[', '{']) {
            return Err(self.refuse(
                id,
                "the entry is written without braces in a list".to_owned(),
                "write it as `{key: value}`".to_owned(),
            ));
        }
        let units = self.units(id);
        let close = node.end as usize - 1;
        if moves.iter().all(|step| matches!(step, Move::Remove(_))) {
            let kept = self.comments_in_brackets(id);
            self.splice(node.start as usize + 1, close, kept);
            return Ok(());
        }
        let over_lines = self.text[node.start as usize..units[0].0].contains('\n');
        let indent = lines::indent(self.text, units[0].0);
        let eol = lines::eol(self.text, lines::start_of_line(self.text, units[0].0));
        let comma =
            if over_lines { format!(",{eol}{indent}") } else { self.flow_layout(id).comma.to_owned() };

        // Between two entries that stay, the first that come take the places of those that go.
        let mut at = 0;
        let mut next = 0;
        while at < moves.len() {
            match moves[at] {
                Move::Keep(old, _) | Move::Change(old, _) => {
                    next = old + 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let (mut going, mut coming) = (Vec::new(), Vec::new());
            while let Some(step) = moves.get(at) {
                match step {
                    Move::Remove(old) => going.push(*old),
                    Move::Insert(new) => coming.push(texts[*new].as_str()),
                    _ => break,
                }
                at += 1;
            }
            let replaced = going.len().min(coming.len());
            for (old, text) in going.iter().zip(&coming) {
                self.splice(units[*old].0, units[*old].1, *text);
            }
            let after = next + replaced;
            next += going.len();
            if let (Some(first), Some(last)) = (going.get(replaced), going.last()) {
                self.remove_units(id, &units, *first, *last, over_lines, close);
            } else if replaced < coming.len() {
                self.insert_units(&units, after, &coming[replaced..], over_lines, &comma, close);
            }
        }
        Ok(())
    }

    /// Inserts entries before the old entry `before`, or after the last.
    fn insert_units(
        &mut self,
        units: &[(usize, usize)],
        before: usize,
        texts: &[&str],
        over_lines: bool,
        comma: &str,
        close: usize,
    ) {
        let joined = texts.join(comma);
        if let Some((start, _)) = units.get(before) {
            self.splice(*start, *start, format!("{joined}{comma}"));
            return;
        }
        let end = units[units.len() - 1].1;
        let trailing = lines::comma(self.text, end);
        if !over_lines {
            match trailing {
                // `[a, ]`: what stands between comma and bracket stays there.
                Some(at) => self.splice(at + 1, at + 1, format!("{}{joined},", &comma[1..])),
                // Go refuses `a:,`.
                None if self.text[..end].ends_with(':') => self.splice(end, end, format!(" {comma}{joined}")),
                None => self.splice(end, end, format!("{comma}{joined}")),
            }
            return;
        }
        let after = trailing.map_or(end, |at| at + 1);
        let here = lines::skip_blanks(self.text, after);
        let at = if here < close && self.text.as_bytes()[here] == b'#' {
            lines::end_of_line(self.text, here)
        } else {
            after
        };
        let lead = &comma[1..];
        match trailing {
            Some(_) => self.splice(at, at, format!("{lead}{joined},")),
            None => {
                self.splice(end, end, ",");
                self.splice(at, at, format!("{lead}{joined}"));
            }
        }
    }

    /// Removes the entries from `first` to `last`; some other stays.
    fn remove_units(
        &mut self,
        id: NodeId,
        units: &[(usize, usize)],
        first: usize,
        last: usize,
        over_lines: bool,
        close: usize,
    ) {
        let text = self.text;
        let (start, end) = (units[first].0, units[last].1);
        let own_lines = over_lines && lines::is_first_on_line(text, start);
        let mut kept = String::new();
        for unit in self.document.tree.children(id).filter(|unit| {
            let node = self.document.tree.node(*unit);
            node.filled && (start..end).contains(&(node.start as usize))
        }) {
            kept.push_str(&self.comments_in_brackets(unit));
        }
        if !kept.is_empty() {
            // The comments take the entries' place, and any comma stays or goes with them.
            match (units.get(last + 1), lines::comma(text, end)) {
                (None, None) => {
                    let before = first.checked_sub(1).map(|at| units[at].1);
                    match before.and_then(|before| Some((before, lines::comma(text, before)?))) {
                        Some((before, comma)) if text[comma + 1..start].trim_matches(' ').is_empty() => {
                            self.splice(before, end, kept);
                        }
                        Some((_, comma)) => {
                            self.splice(comma, comma + 1, "");
                            self.splice(start, end, kept);
                        }
                        None => self.splice(start, end, kept),
                    }
                }
                (_, comma) => {
                    let stop = comma.map_or(end, |at| lines::skip_blanks(text, at + 1));
                    self.splice(start, stop, kept);
                }
            }
            return;
        }
        if let Some((next, _)) = units.get(last + 1) {
            let comma = lines::comma(text, end).map_or(end, |at| at + 1);
            if own_lines && lines::is_end_of_content(text, comma) {
                self.splice(lines::start_of_line(text, start), lines::next_line(text, comma), "");
            } else if text[comma..*next].contains('#') {
                self.splice(start, comma, "");
            } else {
                self.splice(start, *next, "");
            }
            return;
        }
        let before = units[first - 1].1;
        let trailing = lines::comma(text, end);
        if !own_lines {
            self.splice(before, end, "");
            return;
        }
        if trailing.is_none()
            && let Some(at) = lines::comma(text, before)
        {
            self.splice(at, at + 1, "");
        }
        let line = lines::start_of_line(text, start);
        let after = trailing.map_or(end, |at| at + 1);
        let here = lines::skip_blanks(text, after);
        let stop = if here < close && text.as_bytes()[here] == b'#' {
            lines::end_of_line(text, here)
        } else {
            after
        };
        self.splice(line - lines::break_before(text, line), stop, "");
    }

    /// The comments between a flow collection's brackets, each with its line break and the indent of the closing bracket.
    pub(super) fn comments_in_brackets(&self, id: NodeId) -> String {
        let node = self.document.tree.node(id);
        let (mut comments, mut out) = (Vec::new(), String::new());
        if matches!(node.kind, NodeKind::Scalar(_) | NodeKind::Alias) {
            return out;
        }
        comments::in_brackets(self.text, &self.document.tree, id, &mut comments);
        let indent = lines::indent(self.text, node.end as usize - 1);
        for comment in comments {
            let eol = lines::eol(self.text, lines::next_line(self.text, comment.end));
            out.push_str(&format!(" {}{eol}{indent}", self.text[comment.clone()].trim_end()));
        }
        out
    }

    /// Where the entries of a flow collection begin and end.
    pub(super) fn units(&self, id: NodeId) -> Vec<(usize, usize)> {
        let tree = &self.document.tree;
        let is_map = matches!(tree.node(id).kind, NodeKind::Mapping { .. });
        let unit =
            |first: NodeId| (tree.node(first).props as usize, unit_end(self.text, tree, is_map, first));
        if is_map {
            tree.entries(id).map(|(key, _)| unit(key)).collect()
        } else {
            tree.children(id).map(unit).collect()
        }
    }

    /// Spacing and quotes of a flow collection.
    fn flow_layout(&self, id: NodeId) -> FlowLayout<'static> {
        self.style().flow(self.text, &self.document.tree, id, self.scalars(&[id]))
    }

    /// Layout for new entries of a flow collection, and the indent of its entries' lines.
    fn inner_layout(&self, id: NodeId) -> (OwnedLayout, String) {
        let layout = self.flow_layout(id);
        let node = self.document.tree.node(id);
        let Some(first) = self.document.tree.children(id).next() else {
            return (OwnedLayout::new(layout), String::new());
        };
        let start = self.document.tree.node(first).props as usize;
        let indent = lines::indent(self.text, start).to_owned();
        let mut owned = OwnedLayout::new(layout);
        if self.text[node.start as usize..start].contains('\n') && self.spreads(id) {
            let outer = lines::indent(self.text, node.start as usize);
            let unit = indent.strip_prefix(outer).filter(|unit| !unit.is_empty());
            owned.unit = Some(unit.or(self.style().unit.as_deref()).unwrap_or("  ").to_owned());
            owned.eol = lines::eol(self.text, lines::start_of_line(self.text, start));
        }
        // Padding is a habit of braces or of brackets; what is new inside follows the one that is seen.
        let pad = owned.layout.pad_map || owned.layout.pad_seq;
        owned.layout.pad_map |= pad;
        (owned, indent)
    }

    /// Whether collections inside of a flow collection over lines go over lines, too: as its last child that is a
    /// collection does; without one, as the document's root does.
    fn spreads(&self, id: NodeId) -> bool {
        let tree = &self.document.tree;
        let mut answer = None;
        for child in tree.children(id) {
            let node = tree.node(child);
            let is_flow =
                matches!(node.kind, NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true });
            if is_flow && node.filled {
                answer = Some(self.text[node.start as usize..node.end as usize].contains('\n'));
            }
        }
        answer.unwrap_or_else(|| self.style().unit.is_some())
    }

    /// Writes a whole value in place of the node `id`.
    pub(super) fn flow_value(&self, text: &mut String, id: NodeId, want: &Value, slot: Slot) {
        let (layout, indent) = self.layout_at(id, slot);
        emit::flow(text, want, &indent, layout.as_layout());
    }

    /// Writes the entries of a value in place of the node `id`, without brackets, on one line.
    pub(super) fn flow_inside(&self, text: &mut String, id: NodeId, want: &Value, slot: Slot) {
        let (mut layout, indent) = self.layout_at(id, slot);
        layout.unit = None;
        layout.layout.pad_map = false;
        layout.layout.pad_seq = false;
        let mut whole = String::new();
        emit::flow(&mut whole, want, &indent, layout.as_layout());
        text.push_str(&whole[1..whole.len() - 1]);
    }

    /// Writes a value as its neighbour `near`, a flow collection, is written.
    pub(super) fn flow_like(&self, text: &mut String, near: NodeId, want: &Value) {
        let (mut layout, indent) = self.inner_layout(near);
        let node = self.document.tree.node(near);
        let start = self
            .document
            .tree
            .children(near)
            .next()
            .map_or(node.end as usize, |first| self.document.tree.node(first).props as usize);
        if self.text[node.start as usize..start].contains('\n') {
            let outer = lines::indent(self.text, node.start as usize);
            let unit = indent.strip_prefix(outer).filter(|unit| !unit.is_empty()).unwrap_or("  ").to_owned();
            layout.unit = Some(unit);
            layout.eol = lines::eol(self.text, lines::start_of_line(self.text, start));
            emit::flow(text, want, outer, layout.as_layout());
            return;
        }
        emit::flow(text, want, "", layout.as_layout());
    }

    /// Layout for a value that stands where the node `id` stands.
    fn layout_at(&self, id: NodeId, slot: Slot) -> (OwnedLayout, String) {
        let around = match slot {
            Slot::Entry { map, .. } => map,
            Slot::Item { seq } => seq,
            Slot::Root => id,
        };
        let indent = lines::indent(self.text, self.document.tree.node(id).start as usize).to_owned();
        let is_flow = matches!(
            self.document.tree.node(around).kind,
            NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true }
        );
        if is_flow {
            let (layout, _) = self.inner_layout(around);
            return (layout, indent);
        }
        (OwnedLayout::new(self.flow_layout(around)), indent)
    }
}

/// A layout that owns its indent unit.
struct OwnedLayout {
    layout: FlowLayout<'static>,
    unit: Option<String>,
    eol: &'static str,
}

impl OwnedLayout {
    fn new(layout: FlowLayout<'static>) -> OwnedLayout {
        OwnedLayout { layout, unit: None, eol: "\n" }
    }

    fn as_layout(&self) -> FlowLayout<'_> {
        FlowLayout { lines: self.unit.as_deref().map(|unit| Lines { unit, eol: self.eol }), ..self.layout }
    }
}
