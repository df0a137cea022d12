//! Finds the comments that stay when an entry is removed: those around the items and entries of its value. A removed
//! scalar or list item takes its own comments along; `block` and `flow` write what stays.

use std::ops::Range;

use super::lines;
use crate::yaml::node::{Node, NodeId, NodeKind, Tree};

/// The comments in an entry whose key ends at `from`, in the order of the text, each from its `#` to the end of its line.
pub(super) fn of_entry(text: &str, tree: &Tree, from: usize, value: NodeId) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if memchr::memchr(b'#', &text.as_bytes()[from..lines::end_of_line(text, tree.node(value).end as usize)])
        .is_some()
    {
        collect(text, tree, from, value, &mut found);
    }
    found
}

fn collect(text: &str, tree: &Tree, from: usize, id: NodeId, found: &mut Vec<Range<usize>>) {
    let node = tree.node(id);
    match node.kind {
        NodeKind::Mapping { flow: false } => {
            scan(text, from..node.start as usize, found);
            let mut at = None;
            for (key, value) in tree.entries(id) {
                let key = tree.node(key);
                if let Some(at) = at {
                    scan(text, at..key.props as usize, found);
                }
                collect(text, tree, key.end as usize, value, found);
                at = Some(line_after(text, tree.node(value), key.end as usize));
            }
        }
        NodeKind::Sequence { flow: false } => {
            scan(text, from..node.start as usize, found);
            let mut at = node.start as usize;
            for item in tree.children(id) {
                // Up to the dash: what stands after it belongs to the item.
                scan(text, at..lines::skip_trivia(text, at), found);
                at = line_after(text, tree.node(item), at + 1);
            }
        }
        NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true } => {
            scan(text, from..node.start as usize, found);
            in_brackets(text, tree, id, found);
            scan(text, node.end as usize..lines::end_of_line(text, node.end as usize), found);
        }
        NodeKind::Scalar(_) | NodeKind::Alias => {}
    }
}

/// Comments between the brackets of a flow collection.
pub(super) fn in_brackets(text: &str, tree: &Tree, id: NodeId, found: &mut Vec<Range<usize>>) {
    let node = tree.node(id);
    let mut at = node.start as usize;
    for child in tree.children(id) {
        let child_node = tree.node(child);
        scan(text, at..child_node.start as usize, found);
        if matches!(child_node.kind, NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true }) {
            in_brackets(text, tree, child, found);
        }
        at = at.max(child_node.end as usize);
    }
    scan(text, at..node.end as usize, found);
}

/// Where the comments after an item or entry begin that are not its own: those on the lines below it.
fn line_after(text: &str, node: Node, at_least: usize) -> usize {
    lines::next_line(text, (node.end as usize).max(at_least))
}

/// Comments in a stretch that holds no scalar.
fn scan(text: &str, stretch: Range<usize>, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = stretch.start;
    while at < stretch.end {
        let Some(hash) = memchr::memchr(b'#', &bytes[at..stretch.end]).map(|hash| at + hash) else { return };
        // In `&a#b` it is a part of the anchor.
        if hash == 0 || bytes[hash - 1].is_ascii_whitespace() || b"[]{},'\"".contains(&bytes[hash - 1]) {
            let end = lines::end_of_line(text, hash);
            found.push(hash..end);
            at = end;
        } else {
            at = hash + 1;
        }
    }
}
