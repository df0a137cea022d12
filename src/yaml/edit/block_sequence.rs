//! Writes changes into block sequences, item by item and by whole lines. What changes comes from `walk`.

use serde_json::Value;

use super::list_diff::Step as Move;
use super::walk::{Slot, is_filled};
use super::{EditError, EditSession, lines, style};
use crate::yaml::emit::{self, BlockLayout};
use crate::yaml::node::{Node, NodeId, NodeKind};

/// A block sequence as it stands.
struct Standing<'s> {
    id: NodeId,
    items: &'s [NodeId],
    /// Offsets of the dashes.
    dashes: Vec<usize>,
    /// From the dash to the end, of each item.
    spans: Vec<(usize, usize)>,
    /// Where the dashes stand.
    column: usize,
}

/// How far the moves of a sequence have been carried out.
struct Progress<'e> {
    /// The next old item that no step has passed.
    next: usize,
    gone: Vec<usize>,
    /// New items after one another look to the same neighbour: its number, the place, and what was learnt.
    learnt: Option<(usize, usize, BlockLayout<'e>)>,
}

impl<'e> EditSession<'e> {
    /// Carries out the moves in a block sequence.
    pub(super) fn block_sequence(
        &mut self,
        id: NodeId,
        items: &[NodeId],
        moves: &[Move],
        want: &'e [Value],
        whole: &'e Value,
        slot: Slot,
    ) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        if !moves.iter().any(|step| matches!(step, Move::Insert(_) | Move::Remove(_))) {
            for step in moves {
                if let Move::Change(old, new) = step {
                    self.change_item(id, items[*old], *new, &want[*new])?;
                }
            }
            return Ok(());
        }
        let seq = self.standing(id, node, items)?;
        let is_inline = !lines::is_first_on_line(self.text, seq.dashes[0]);
        let stays = moves.iter().any(|step| matches!(step, Move::Keep(..) | Move::Change(..)));
        if is_inline && !stays {
            return self.exchange_inline(&seq, node, whole, slot);
        }
        let mut done = Progress { next: 0, gone: Vec::new(), learnt: None };
        let mut moves = moves;
        if is_inline {
            let carried_out = self.exchange_first(&seq, moves, want, &mut done);
            moves = &moves[carried_out..];
        }
        for step in moves {
            match *step {
                Move::Keep(old, _) => done.next = old + 1,
                Move::Change(old, new) => {
                    self.change_item(id, items[old], new, &want[new])?;
                    done.next = old + 1;
                }
                Move::Remove(old) => {
                    done.gone.push(old);
                    done.next = old + 1;
                }
                Move::Insert(new) => self.insert_item(&seq, &want[new], &mut done),
            }
        }
        self.remove_lines(&seq.spans, &done.gone, &[]);
        Ok(())
    }

    fn standing<'s>(&self, id: NodeId, node: Node, items: &'s [NodeId]) -> Result<Standing<'s>, EditError> {
        let dashes = self.dashes(id, node, items)?;
        let end = |item: NodeId| self.document.tree.node(item).end as usize;
        let spans = dashes.iter().zip(items).map(|(dash, item)| (*dash, end(*item).max(dash + 1))).collect();
        let column = lines::column(self.text, node.start as usize);
        Ok(Standing { id, items, dashes, spans, column })
    }

    /// `- - a` where nothing stays: the whole sequence is written anew.
    fn exchange_inline(
        &mut self,
        seq: &Standing<'_>,
        node: Node,
        whole: &'e Value,
        slot: Slot,
    ) -> Result<(), EditError> {
        if whole.as_array().is_some_and(Vec::is_empty) {
            return self.empty_block(seq.id, slot, "[]");
        }
        let start = node.start as usize;
        let layout = self.item_layout(seq, seq.items.len() - 1, start);
        let mut text = String::new();
        emit::block(&mut text, whole, seq.column, layout);
        self.splice(start, lines::before_breaks(self.text, node.end as usize), text);
        Ok(())
    }

    /// `- - a` where `a` goes and another comes: the new one takes its place. Returns how many moves that were.
    fn exchange_first(
        &mut self,
        seq: &Standing<'_>,
        moves: &[Move],
        want: &'e [Value],
        done: &mut Progress<'e>,
    ) -> usize {
        let lead = moves.iter().take_while(|step| matches!(step, Move::Remove(_) | Move::Insert(_))).count();
        let going = moves[..lead].iter().filter(|step| matches!(step, Move::Remove(_))).count();
        let layout = self.item_layout(seq, 0, seq.dashes[0]);
        let mut text = String::new();
        for step in &moves[..lead] {
            if let Move::Insert(new) = step {
                if !text.is_empty() {
                    text.push_str(layout.eol);
                    text.extend(std::iter::repeat_n(' ', seq.column));
                }
                self.write_item(&mut text, &want[*new], seq.column, layout, (seq.items[0], seq.dashes[0]));
            }
        }
        if going == 0 || text.is_empty() {
            return 0;
        }
        let end = lines::before_breaks(self.text, seq.spans[going - 1].1);
        self.splice(seq.dashes[0], lines::end_of_line(self.text, end), text);
        done.next = going;
        lead
    }

    /// Writes a new item after the last one that was passed.
    fn insert_item(&mut self, seq: &Standing<'_>, item: &'e Value, done: &mut Progress<'e>) {
        let near = done.next.saturating_sub(1);
        let at = if done.next == 0 { seq.dashes[0] } else { seq.spans[near].1 };
        let layout = match done.learnt {
            Some((one, place, layout)) if (one, place) == (near, at) => layout,
            _ => self.item_layout(seq, near, at),
        };
        done.learnt = Some((near, at, layout));
        let mut text = String::with_capacity(128);
        self.write_item(&mut text, item, seq.column, layout, (seq.items[near], seq.dashes[near]));
        if done.next == 0 {
            text.push_str(layout.eol);
            text.extend(std::iter::repeat_n(' ', seq.column));
            self.splice(at, at, text);
            return;
        }
        if self.is_unended(at) && done.gone.last() != Some(&near) {
            self.end_block_scalar(at);
        }
        self.insert_lines(at, seq.column, &text);
    }

    /// Writes an item as its neighbour is written: flow or block, after the dash or below it.
    fn write_item(
        &self,
        text: &mut String,
        item: &Value,
        column: usize,
        layout: BlockLayout<'_>,
        near: (NodeId, usize),
    ) {
        let (neighbour, dash) = near;
        let node = self.document.tree.node(neighbour);
        let filled = is_filled(item);
        let after_dash = &self.text[dash + 1..(node.start as usize).max(dash + 1)];
        match node.kind {
            NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true } if filled => {
                text.push('-');
                text.extend(std::iter::repeat_n(' ', layout.dash - 1));
                self.flow_like(text, neighbour, item);
            }
            NodeKind::Mapping { .. } | NodeKind::Sequence { .. } if filled && after_dash.contains('\n') => {
                let below = lines::column(self.text, node.start as usize);
                text.push('-');
                text.push_str(layout.eol);
                text.extend(std::iter::repeat_n(' ', below));
                emit::block(text, item, below, layout);
            }
            _ => emit::block_item(text, item, column, layout),
        }
    }

    /// Offsets of the dashes.
    fn dashes(&self, id: NodeId, node: Node, items: &[NodeId]) -> Result<Vec<usize>, EditError> {
        let mut dashes = Vec::with_capacity(items.len());
        let mut at = node.start as usize;
        for item in items {
            at = lines::skip_trivia(self.text, at);
            if self.text.as_bytes().get(at) != Some(&b'-') {
                return Err(self.refuse(
                    id,
                    "the list is written in a way that is not understood".to_owned(),
                    String::new(),
                ));
            }
            dashes.push(at);
            at = (self.document.tree.node(*item).end as usize).max(at + 1);
        }
        Ok(dashes)
    }

    /// Layout for new items: the spaces after the dash and the quotes of the neighbour.
    fn item_layout(&self, seq: &Standing<'_>, near: usize, at: usize) -> BlockLayout<'e> {
        let mut layout = self.block_layout(&[seq.items[near], seq.id], at);
        let between = |index: usize| {
            let start = self.document.tree.node(seq.items[index]).props as usize;
            Some(style::dash_width(self.text, seq.dashes[index], start)).filter(|width| *width > 0)
        };
        layout.dash = between(near).or_else(|| between(0)).unwrap_or(layout.dash);
        layout
    }
}
