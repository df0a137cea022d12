//! One YAML document: text with its position tree. In: the text of one slice of `split`; out: nodes, places, and
//! through `resolve` the values. Editing is left to `edit`.

use std::fmt;

use super::fast;
use super::granit;
use super::json;
use super::node::{NodeId, NodeKind, Tree};
use super::path::Step;
use super::split::count_breaks;

/// Why a text is not YAML, or not YAML that Kubernetes can read. Places count from the start of the slice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SyntaxError {
    /// What is wrong and, where that can be said, how to mend it.
    pub message: String,
    /// Line in the slice, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl SyntaxError {
    pub(super) fn new(message: impl Into<String>, line: usize, column: usize) -> Self {
        Self { message: message.into(), line, column }
    }

    pub(super) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(text, offset);
        Self::new(message, line, column)
    }
}

/// Line and column (in characters) of a byte offset, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let mut offset = offset.min(bytes.len());
    // The column counts whole characters.
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let mut line = 1 + count_breaks(&bytes[..offset]);
    let mut from = memchr::memrchr2(b'\n', b'\r', &bytes[..offset]).map_or(0, |at| at + 1);
    // Between the two bytes of CRLF one is still on the line they end.
    if offset > 0 && bytes[offset - 1] == b'\r' && bytes.get(offset) == Some(&b'\n') {
        line -= 1;
        from = memchr::memrchr2(b'\n', b'\r', &bytes[..offset - 1]).map_or(0, |at| at + 1);
    }
    (line, 1 + text[from..offset].chars().count())
}

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
}

impl<'t> Document<'t> {
    /// Reads one document's text, as of [`super::split()`].
    ///
    /// # Errors
    /// A syntax error; nesting deeper than 255; a second document in the text; characters YAML forbids; more than 4 GiB.
    pub fn parse(text: &'t str) -> Result<Self, SyntaxError> {
        Self::parse_into(text, Tree::default())
    }

    /// Like [`Document::parse`], with the memory of a tree no longer needed (`document.tree` of the last one).
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_into(text: &'t str, mut tree: Tree) -> Result<Self, SyntaxError> {
        if u32::try_from(text.len()).is_err() {
            return Err(SyntaxError::new("the document is larger than 4 GiB; split it into several", 1, 1));
        }
        if json::looks_like_json(text) && json::parse(text, &mut tree) {
            return Ok(Self { text, tree, json: true, may_alias: false, quick: false });
        }
        check_characters(text)?;
        let quick = fast::parse(text, &mut tree);
        if !quick {
            granit::parse(text, &mut tree)?;
        }
        Ok(Self { text, tree, json: false, may_alias: may_alias(text), quick })
    }

    /// Reads the lines of one item of a block sequence, from its dash to before the next one, as the quick reader would
    /// within its document. Node 0 is then a sequence of that item alone. None where that reader is not sure.
    pub(super) fn parse_item(text: &'t str, mut tree: Tree) -> Option<Self> {
        let read = check_characters(text).is_ok() && fast::parse_item(text, &mut tree);
        read.then(|| Self { text, tree, json: false, may_alias: may_alias(text), quick: true })
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

    /// The value of a key; none where the node is no mapping.
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

/// Refuses the characters that Kubernetes' reader refuses or reads as line breaks where YAML 1.2 does not.
///
/// In JSON, line and paragraph separators are ordinary characters.
pub(super) fn check_characters(text: &str) -> Result<(), SyntaxError> {
    // Everything else below is fine, or a byte behind one of these.
    let suspicious =
        |b: u8| (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r') | matches!(b, 0x7f | 0xc2 | 0xe2 | 0xef);
    // Without an early exit inside of a chunk the compiler compares many bytes at once.
    if !text.as_bytes().chunks(256).any(|chunk| chunk.iter().fold(false, |found, b| found | suspicious(*b))) {
        return Ok(());
    }
    for (offset, c) in text.char_indices() {
        let message = match c {
            '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' => continue,
            '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => continue,
            '\u{85}' | '\u{2028}' | '\u{2029}' => format!(
                "U+{:04X} is a line break to the YAML reader of Kubernetes; write it as \"{}\" in double quotes",
                c as u32,
                match c {
                    '\u{85}' => "\\N",
                    '\u{2028}' => "\\L",
                    _ => "\\P",
                }
            ),
            _ => format!(
                "the character U+{:04X} is not allowed in YAML; remove it or write it as an escape in double quotes",
                c as u32
            ),
        };
        return Err(SyntaxError::at(text, offset, message));
    }
    Ok(())
}
