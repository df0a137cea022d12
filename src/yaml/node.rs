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

/// Index into [`Tree::nodes`].
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

/// The tree of one document. Node 0 is the root; an empty document has an empty scalar there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Nodes; parents come before their children.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Returns a node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// The first child of a node, or [`NONE`].
    pub fn first_child(&self, id: NodeId) -> NodeId {
        if self.node(id).filled { id + 1 } else { NONE }
    }

    /// Iterates over the children of a node: items, or keys and values in turn.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut next = self.first_child(id);
        std::iter::from_fn(move || {
            let id = next;
            if id == NONE {
                return None;
            }
            next = self.node(id).next;
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
            let value = self.node(key).next;
            next = self.node(value).next;
            Some((key, value))
        })
    }
}
