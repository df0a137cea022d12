//! Proves one edited item of a block list by parsing its own lines only. Where that is not enough, `verify` proves the whole document.
//!
//! The quick reader is stateless across items: if the edited lines parse to their end as one item, the reader reaches
//! the next line as before and reads the unchanged rest as before.

use super::parents::Parents;
use super::verify::{Wanted, joined, judged};
use super::{Buffers, EditError, Splice, apply_into, lines};
use crate::yaml::document::Document;
use crate::yaml::node::{NONE, NodeId, NodeKind};

/// First byte of an item's lines, and one after the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    start: usize,
    end: usize,
    /// Where its content begins: what stands before is not edited with it.
    content: usize,
}

/// The lines of an item; `None` if its document or its place allows no proof by itself.
pub(super) fn lines_of(document: &Document<'_>, parents: &Parents, node: NodeId) -> Option<Lines> {
    let (text, tree) = (document.text, &document.tree);
    if !document.quick || document.may_alias || !text.ends_with('\n') || text.starts_with('\u{feff}') {
        return None;
    }
    let item = tree.node(node);
    let list = parents.of(tree, node);
    let is_block = |id: NodeId| {
        matches!(tree.node(id).kind, NodeKind::Sequence { flow: false } | NodeKind::Mapping { flow: false })
    };
    if list == NONE || !matches!(tree.node(list).kind, NodeKind::Sequence { .. }) || !is_block(node) {
        return None;
    }
    let mut around = list;
    while around != NONE {
        if !is_block(around) {
            return None;
        }
        around = parents.of(tree, around);
    }
    // `- kind: ...`, the dash on the item's own first line and nothing else before it.
    let first = |at: usize| {
        let start = lines::start_of_line(text, at);
        (text[start..at].trim_matches(' ') == "-").then_some(start)
    };
    let content = item.props as usize;
    let end = match item.next {
        NONE => lines::next_line(text, item.end as usize),
        next => first(tree.node(next).props as usize)?,
    };
    Some(Lines { start: first(content)?, end, content })
}

/// The splices in order, once the item's lines with them have been read again and mean what is wanted.
pub(super) fn proven(
    document: &Document<'_>,
    lines: Lines,
    splices: Vec<Splice>,
    wanted: &Wanted<'_>,
    buffers: &mut Buffers,
) -> Result<Option<Vec<Splice>>, EditError> {
    let splices = joined(document, splices)?;
    if splices.iter().any(|splice| splice.start < lines.content || lines.end < splice.end) {
        return Ok(None);
    }
    let Buffers { text: edited, tree } = buffers;
    apply_into(document.text, lines.start..lines.end, &splices, edited);
    let Some(after) = Document::parse_item(edited, std::mem::take(tree)) else { return Ok(None) };
    let holds = match after.tree.first_child(0) {
        NONE => Ok(false),
        item => wanted.is_met(document, &after, item),
    };
    *tree = after.tree;
    judged(document, splices, holds).map(Some)
}
