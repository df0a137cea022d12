//! The position tree of one document: what stands where. No scalar is copied or resolved here.
//!
//! All offsets are bytes from the start of the document's text slice.

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Without quotes; may span lines.
    Plain,
    /// `'...'`.
    SingleQuoted,
    /// `"..."`.
    DoubleQuoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A scalar. An empty value (`key:`) is a plain scalar with `start == end`, right after the indicator that
    /// announces it (`:` or `-`), or after its properties.
    Scalar(ScalarStyle),
    /// A mapping; its children alternate key, value.
    Mapping {
        /// `{...}`.
        flow: bool,
    },
    /// A sequence; its children are the items.
    Sequence {
        /// `[...]`.
        flow: bool,
    },
    /// `*name`.
    Alias,
}

/// Number of a node in its [`Tree`].
pub type NodeId = u32;

/// No node.
pub const NONE: NodeId = u32::MAX;

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// First byte of its properties (anchor, tag) if it has any, else [`Node::start`].
    pub props: u32,
    /// First byte of the content. Block mapping: of its first key (or that key's properties, or `?`). Block sequence: of its first `-`.
    /// Block scalar: of `|` or `>`. Flow collection: of its bracket. Quoted scalar: of its quote.
    pub start: u32,
    /// One after the last byte of the content. Block collection: the `end` of its last child (not of comments after
    /// it). Block scalar: after its last content line's break (all that belongs to it by chomping included).
    /// Flow collection and quoted scalar: after the closing bracket or quote.
    pub end: u32,
    /// It has children. The first is the node after it.
    pub filled: bool,
    /// Next sibling, or [`NONE`].
    pub next: NodeId,
}

/// A node as the tree keeps it: a document has millions, and with both of its texts as many again while an edit is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    start: u32,
    pub(super) end: u32,
    pub(super) next: NodeId,
    /// From the lowest bit: number of the kind, whether it is filled, and bytes from its properties to its start.
    rest: u32,
}

/// The kinds by their numbers.
const KINDS: [NodeKind; 16] = {
    let mut kinds = [NodeKind::Alias; 16];
    kinds[0] = NodeKind::Scalar(ScalarStyle::Plain);
    kinds[1] = NodeKind::Scalar(ScalarStyle::SingleQuoted);
    kinds[2] = NodeKind::Scalar(ScalarStyle::DoubleQuoted);
    kinds[3] = NodeKind::Scalar(ScalarStyle::Literal);
    kinds[4] = NodeKind::Scalar(ScalarStyle::Folded);
    kinds[5] = NodeKind::Mapping { flow: false };
    kinds[6] = NodeKind::Mapping { flow: true };
    kinds[7] = NodeKind::Sequence { flow: false };
    kinds[8] = NodeKind::Sequence { flow: true };
    kinds
};
const ALIAS: u32 = 9;
const KIND_BITS: u32 = 4;
const FILLED: u32 = 1 << KIND_BITS;
const GAP_BIT: u32 = KIND_BITS + 1;

impl Stored {
    /// A node without properties and without children.
    pub(super) fn new(kind: NodeKind, start: u32, end: u32) -> Self {
        let rest = match kind {
            NodeKind::Scalar(ScalarStyle::Plain) => 0,
            NodeKind::Scalar(ScalarStyle::SingleQuoted) => 1,
            NodeKind::Scalar(ScalarStyle::DoubleQuoted) => 2,
            NodeKind::Scalar(ScalarStyle::Literal) => 3,
            NodeKind::Scalar(ScalarStyle::Folded) => 4,
            NodeKind::Mapping { flow } => 5 + flow as u32,
            NodeKind::Sequence { flow } => 7 + flow as u32,
            NodeKind::Alias => ALIAS,
        };
        Self { start, end, next: NONE, rest }
    }

    /// Says where its properties begin. Returns false if that is too far away: 128 MB of comments stand between.
    #[must_use]
    pub(super) fn set_props(&mut self, props: u32) -> bool {
        let gap = self.start - props;
        let fits = gap < 1 << (u32::BITS - GAP_BIT);
        if fits {
            self.rest = (self.rest & ((1 << GAP_BIT) - 1)) | (gap << GAP_BIT);
        }
        fits
    }

    /// It has children.
    pub(super) fn fill(&mut self) {
        self.rest |= FILLED;
    }

    fn is_filled(self) -> bool {
        self.rest & FILLED != 0
    }

    pub(super) fn node(self) -> Node {
        let Self { start, end, next, rest } = self;
        let kind = KINDS[(rest & (FILLED - 1)) as usize];
        Node { kind, props: start - (rest >> GAP_BIT), start, end, filled: self.is_filled(), next }
    }
}

/// The tree of one document. Node 0 is the root; an empty document has an empty scalar there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Parents come before their children.
    pub(super) nodes: Vec<Stored>,
}

impl Tree {
    /// Forgets all nodes and makes room for as many.
    pub(super) fn reserve(&mut self, nodes: usize) {
        self.nodes.clear();
        self.nodes.reserve(nodes);
    }

    /// Returns a node.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id as usize].node()
    }

    /// Returns a node; `None` if there is none of that number.
    pub fn get(&self, id: NodeId) -> Option<Node> {
        self.nodes.get(id as usize).map(|stored| stored.node())
    }

    /// All nodes, in order: parents come before their children.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + ExactSizeIterator + '_ {
        self.nodes.iter().map(|stored| stored.node())
    }

    /// The first child of a node, or [`NONE`].
    pub fn first_child(&self, id: NodeId) -> NodeId {
        if self.nodes[id as usize].is_filled() { id + 1 } else { NONE }
    }

    /// Iterates over the children of a node: items, or keys and values in turn.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.first_child(id);
        std::iter::from_fn(move || {
            let id = next;
            if id == NONE {
                return None;
            }
            next = self.nodes[id as usize].next;
            Some(id)
        })
    }

    /// Iterates over the entries of a mapping as (key, value).
    pub fn entries(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let mut next = self.first_child(id);
        std::iter::from_fn(move || {
            let key = next;
            if key == NONE {
                return None;
            }
            let value = self.nodes[key as usize].next;
            next = self.nodes[value as usize].next;
            Some((key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest's memory is mostly nodes.
    #[test]
    fn a_node_takes_16_bytes_and_says_all_that_it_was_made_of() {
        assert_eq!(size_of::<Stored>(), 16);
        for kind in KINDS {
            for (props, filled) in [(100, false), (100, true), (7, false), (7, true)] {
                let mut stored = Stored::new(kind, 100, 200);
                assert!(stored.set_props(props));
                if filled {
                    stored.fill();
                }
                assert_eq!(stored.node(), Node { kind, props, start: 100, end: 200, filled, next: NONE });
            }
        }
        let mut far = Stored::new(NodeKind::Alias, u32::MAX, u32::MAX);
        let most = (1 << 27) - 1;
        assert!(!far.set_props(u32::MAX - most - 1) && far.set_props(u32::MAX - most));
        assert_eq!(far.node().props, u32::MAX - most);
    }
}
