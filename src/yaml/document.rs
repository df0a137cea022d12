//! One YAML document: its text with the position tree. What scalars mean is left to `resolve`, editing to `edit`.

use super::error::{SyntaxError, place};
use super::fast;
use super::json;
use super::node::{NodeId, NodeKind, Tree};
use super::path::Step;
use super::reader::{self, TagDirectives, is_ordinary};

/// One document's text and its position tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<'t> {
    /// The text the tree's offsets point into.
    pub text: &'t str,
    /// What stands where.
    pub tree: Tree,
    /// The whole document is JSON; its strings have escapes YAML does not have.
    pub(super) json: bool,
    /// Whether there may be aliases and merge keys in it: what stands at a place may be written elsewhere.
    pub(crate) may_alias: bool,
    /// Whether the quick reader (`fast`) has read it.
    pub(super) quick: bool,
    /// The `%TAG` directives in front of it.
    pub(super) directives: TagDirectives<'t>,
}

impl<'t> Document<'t> {
    /// Reads one document's text, as of [`super::split()`]. Of a text with several the first is read.
    ///
    /// # Errors
    /// Everything that the YAML reader of Kubernetes refuses; nesting deeper than 255; more than 4 GiB.
    pub fn parse(text: &'t str) -> Result<Self, SyntaxError> {
        Self::parse_into(text, Tree::default())
    }

    /// Like [`Document::parse`], with the memory of a tree no longer needed (`document.tree` of the last one).
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_into(text: &'t str, mut tree: Tree) -> Result<Self, SyntaxError> {
        if u32::try_from(text.len()).is_err() {
            return Err(SyntaxError::at("", 0, "the document is larger than 4 GiB; split it into several"));
        }
        if json::looks_like_json(text) && json::parse(text, &mut tree) {
            let directives = Vec::new();
            return Ok(Self { text, tree, json: true, may_alias: false, quick: false, directives });
        }
        let quick = is_ordinary(text) && fast::parse(text, &mut tree);
        let directives = if quick { Vec::new() } else { reader::read(text, &mut tree)? };
        Ok(Self { text, tree, json: false, may_alias: may_alias(text), quick, directives })
    }

    /// Like [`Document::parse`], by the port of Go's reader alone: what the quick reader is held and measured against.
    ///
    /// # Errors
    /// As [`Document::parse`], without its limit.
    #[cfg(feature = "internals")]
    pub fn parse_thoroughly(text: &'t str) -> Result<Self, SyntaxError> {
        let mut tree = Tree::default();
        let directives = reader::read(text, &mut tree)?;
        Ok(Self { text, tree, json: false, may_alias: may_alias(text), quick: false, directives })
    }

    /// Reads the lines of one item of a block sequence, from its dash to before the next one, as the quick reader would
    /// within its document. Node 0 is then a sequence of that item alone. `None` if that reader is not sure.
    pub(super) fn parse_item(text: &'t str, mut tree: Tree) -> Option<Self> {
        let read = is_ordinary(text) && fast::parse_item(text, &mut tree);
        let directives = Vec::new();
        read.then(|| Self { text, tree, json: false, may_alias: may_alias(text), quick: true, directives })
    }

    /// Line and column (in characters) of a node's content, both from 1, counted from the start of the slice.
    pub fn position(&self, id: NodeId) -> (usize, usize) {
        place(self.text, self.tree.node(id).start as usize)
    }

    /// Line and column (in characters) of a byte offset, both from 1, counted from the start of the slice.
    pub fn position_of(&self, offset: usize) -> (usize, usize) {
        place(self.text, offset)
    }

    /// The node a path leads to from the root; of duplicate keys the last, as Kubernetes reads them.
    /// Aliases and merge keys are not followed: what they bring stands elsewhere.
    pub fn find(&self, path: &[Step]) -> Option<NodeId> {
        let (id, steps) = self.deepest(path);
        (steps == path.len()).then_some(id)
    }

    /// The deepest node on the way along a path, and how many steps lead to it. For messages about what is absent.
    pub fn deepest(&self, path: &[Step]) -> (NodeId, usize) {
        let mut id = 0;
        for (done, step) in path.iter().enumerate() {
            match self.child(id, step) {
                Some(child) => id = child,
                None => return (id, done),
            }
        }
        (id, path.len())
    }

    /// One step down from a node; see [`Document::find`].
    pub fn child(&self, id: NodeId, step: &Step) -> Option<NodeId> {
        match (self.tree.node(id).kind, step) {
            (NodeKind::Mapping { .. }, Step::Key(key)) => self.entry(id, key),
            (NodeKind::Sequence { .. }, Step::Index(index)) => self.tree.children(id).nth(*index),
            _ => None,
        }
    }

    /// The value of a key; `None` if the node is no mapping.
    pub(crate) fn entry(&self, id: NodeId, key: &str) -> Option<NodeId> {
        if !matches!(self.tree.node(id).kind, NodeKind::Mapping { .. }) {
            return None;
        }
        self.tree.entries(id).filter(|(own, _)| self.key_is(*own, key)).last().map(|(_, value)| value)
    }

    fn key_is(&self, id: NodeId, key: &str) -> bool {
        matches!(self.tree.node(id).kind, NodeKind::Scalar(_))
            && self.key_text(id).is_ok_and(|text| text == key)
    }

    /// The bytes of a node's content, properties excluded.
    pub fn source(&self, id: NodeId) -> &'t str {
        let node = self.tree.node(id);
        &self.text[node.start as usize..node.end as usize]
    }
}

fn may_alias(text: &str) -> bool {
    memchr::memchr(b'*', text.as_bytes()).is_some()
}
