//! Edits a document's text so that it means another value: a parsed document and the wanted value in, byte splices out.
//!
//! Only what must change changes: comments, quotes, key order, indents, breaks and blank lines stay. What cannot be
//! done so is refused with the field and line; nothing is ever reformatted. Every result is parsed again and compared
//! with what was wanted. Which fields to want is left to the plan.
//!
//! Files: `walk` and `mapping` compare tree and value, `list_diff` and `list_match` pair list items, `block` and `flow` write,
//! `replace` exchanges whole values, `comments` finds what stays when an entry is removed, `style` detects the document's
//! style, `aliases` finds aliased anchors, `dirty` knows which paths may differ, `parents` finds parents, `lines` finds lines
//! and columns, `verify` and `verify_item` prove the result.

mod aliases;
mod block;
mod block_sequence;
mod comments;
mod dirty;
mod flow;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod generated;
mod lines;
mod list_diff;
mod list_match;
mod mapping;
mod parents;
mod replace;
mod style;
mod tabs;
mod verify;
mod verify_item;
mod walk;

use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

use serde_json::Value;

use super::document::Document;
use super::node::NodeId;

/// A replacement of bytes; offsets into [`Document::text`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Splice {
    /// First byte replaced.
    pub start: usize,
    /// One after the last byte replaced; equals `start` for an insertion.
    pub end: usize,
    /// What comes there.
    pub text: String,
}

impl Splice {
    /// Of a document, in the text that it stands in.
    pub(crate) fn moved(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by, ..self }
    }
}

/// Why a document cannot be edited, in words by which its author can mend it.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct EditError {
    /// Field path such as `spec.template.spec.volumes`; empty for the whole document.
    pub path: String,
    /// Line from 1, relative to the document's slice.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
    /// What stands in the way, lower case, no final stop.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// The help of an error that is no fault of the document.
const DEFECT: &str =
    "this is a defect of kubectl-skills, nothing was changed; please report it with the manifest";

impl EditError {
    /// Whether the error is a defect of this module, found by its own check, and not a document that must be mended.
    pub fn is_defect(&self) -> bool {
        self.help == DEFECT
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, " ({})", self.help)?;
        }
        Ok(())
    }
}

/// Returns the fewest byte changes that make the document mean `desired`, sorted and not overlapping.
///
/// A new entry stands where `desired` has it. When an entry is removed, the comments around the items of its value stay.
///
/// # Errors
/// Refuses to change what an alias stands for, what is anchored and used elsewhere, what a merge key brings in and cannot be
/// overridden, duplicate keys, keys after `? `, scalars with an explicit tag; and reports a result that does not read back as wanted.
pub fn edit(document: &Document<'_>, desired: &Value) -> Result<Vec<Splice>, EditError> {
    edit_node(document, 0, desired)
}

/// Like [`edit`], for one node (an item of a List): only its bytes change, and only it is compared.
///
/// To change several nodes of one document use an [`Editor`]: the document is then parsed again only once.
///
/// # Errors
/// As [`edit`].
pub fn edit_node(document: &Document<'_>, node: NodeId, desired: &Value) -> Result<Vec<Splice>, EditError> {
    let mut editor = Editor::new(document);
    editor.set(node, desired)?;
    editor.finish()
}

/// Returns `text` with the splices carried out. They must be sorted and not overlap, as [`edit`] returns them.
pub fn apply(text: &str, splices: &[Splice]) -> String {
    let mut out = String::new();
    apply_into(text, 0..text.len(), splices, &mut out);
    out
}

/// Writes a part of `text` with the splices, all of them in that part, carried out.
fn apply_into(text: &str, part: Range<usize>, splices: &[Splice], out: &mut String) {
    let added: usize = splices.iter().map(|splice| splice.text.len()).sum();
    out.clear();
    out.reserve(part.len() + added);
    let mut at = part.start;
    for splice in splices {
        out.push_str(text.get(at..splice.start).unwrap_or_default());
        out.push_str(&splice.text);
        at = splice.end;
    }
    out.push_str(text.get(at..part.end).unwrap_or_default());
}

/// Memory that [`Editor::finish_in`] reuses from one document to the next.
#[derive(Debug, Default)]
pub struct Buffers {
    text: String,
    tree: super::node::Tree,
}

/// Whether an edit can keep to these places, so that nothing else of a wanted value is looked at.
pub(crate) fn can_keep_to(places: &[Vec<Place<'static>>]) -> bool {
    dirty::DirtyPaths::new(places).is_some()
}

/// Collects the changes of several nodes of one document.
pub struct Editor<'e, 't> {
    document: &'e Document<'t>,
    aliased: aliases::Aliased,
    parents: parents::Parents,
    lone_return: Option<usize>,
    splices: Vec<Splice>,
    wanted: Vec<verify::Wanted<'e>>,
    proven: Vec<NodeId>,
    spelling: Option<(Value, String)>,
}

impl<'e, 't> Editor<'e, 't> {
    /// Starts with no change.
    pub fn new(document: &'e Document<'t>) -> Editor<'e, 't> {
        let aliased = aliases::Aliased::find(document.text, &document.tree);
        Editor {
            document,
            aliased,
            parents: parents::Parents::default(),
            lone_return: lines::lone_return(document),
            splices: Vec::new(),
            wanted: Vec::new(),
            proven: Vec::new(),
            spelling: None,
        }
    }

    /// Writes a scalar that is to mean this value as this text, where it stood in plain style.
    pub fn spell(&mut self, spelling: Option<(Value, String)>) {
        self.spelling = spelling;
    }

    /// Makes a node mean `desired`. Nodes may be set in any order, each once, none inside another.
    ///
    /// # Errors
    /// As [`edit`], but for the comparison with the parsed result, which [`Editor::finish`] does.
    pub fn set(&mut self, node: NodeId, desired: &'e Value) -> Result<(), EditError> {
        self.set_at(node, desired, None)
    }

    /// The same for who knows where `desired` differs from what the node means: all else is not even looked at, and keeps
    /// its bytes. Each place is a path of at least one step; without places it may differ anywhere.
    ///
    /// # Errors
    /// As [`Editor::set`].
    pub fn set_at(
        &mut self,
        node: NodeId,
        desired: &'e Value,
        places: Option<&'e [Vec<Place<'static>>]>,
    ) -> Result<(), EditError> {
        let (splices, wanted) = self.splices_for(node, desired, places)?;
        self.splices.extend(splices);
        self.wanted.push(wanted);
        Ok(())
    }

    /// The raw splices of one node, and what it must mean then.
    fn splices_for<'v>(
        &self,
        node: NodeId,
        desired: &'v Value,
        places: Option<&'v [Vec<Place<'static>>]>,
    ) -> Result<(Vec<Splice>, verify::Wanted<'v>), EditError> {
        let dirty = places.and_then(dirty::DirtyPaths::new);
        let mut session = EditSession {
            document: self.document,
            text: self.document.text,
            root: node,
            style: OnceCell::new(),
            aliased: &self.aliased,
            parents: &self.parents,
            lone_return: self.lone_return,
            inside: None,
            dirty,
            spelling: self.spelling.clone(),
            path: Vec::new(),
            splices: Vec::new(),
        };
        session.root(desired)?;
        Ok((session.splices, verify::Wanted { node, desired, dirty }))
    }

    /// Edits one item of a block sequence and proves it by itself: the splices, or `None` if only the document as a whole
    /// can be proven. Thousands of items then cost no more than as many documents. Nothing of it is kept here.
    ///
    /// # Errors
    /// As [`Editor::set`] and [`Editor::finish`].
    pub fn item(
        &self,
        node: NodeId,
        desired: &Value,
        places: Option<&[Vec<Place<'static>>]>,
        buffers: &mut Buffers,
    ) -> Result<Option<Vec<Splice>>, EditError> {
        let Some(lines) = verify_item::lines_of(self.document, &self.parents, node) else { return Ok(None) };
        let (splices, wanted) = self.splices_for(node, desired, places)?;
        verify_item::proven(self.document, lines, splices, &wanted, buffers)
    }

    /// Takes the splices of an item that [`Editor::item`] has proven into the whole.
    pub fn take(&mut self, node: NodeId, splices: Vec<Splice>) {
        self.splices.extend(splices);
        self.proven.push(node);
    }

    /// Returns the splices, after the edited text has been parsed again and found to mean what was wanted.
    ///
    /// # Errors
    /// A result that does not mean what was wanted: a defect of this module, and nothing to write.
    pub fn finish(self) -> Result<Vec<Splice>, EditError> {
        self.finish_in(&mut Buffers::default())
    }

    /// The same, with the memory of the documents before.
    ///
    /// # Errors
    /// As [`Editor::finish`].
    pub fn finish_in(self, buffers: &mut Buffers) -> Result<Vec<Splice>, EditError> {
        verify::finish(self.document, self.splices, &self.wanted, &self.proven, buffers)
    }
}

/// One step down, like `path::Step`, but without memory of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'v> {
    /// The entry of a mapping with this key.
    Key(&'v str),
    /// The item of a sequence, from 0.
    Index(usize),
}

/// Walks over one edited node and notes the splices.
struct EditSession<'e> {
    document: &'e Document<'e>,
    text: &'e str,
    root: NodeId,
    style: OnceCell<style::Style>,
    aliased: &'e aliases::Aliased,
    parents: &'e parents::Parents,
    /// A line break that YAML knows and people's tools do not.
    lone_return: Option<usize>,
    /// The anchored node, used elsewhere too, that the place at work lies in.
    inside: Option<NodeId>,
    /// Where the wanted value may differ, below the place at work; none: anywhere.
    dirty: Option<dirty::DirtyPaths<'e>>,
    /// A value, and how it is written.
    spelling: Option<(Value, String)>,
    path: Vec<Place<'e>>,
    splices: Vec<Splice>,
}

#[cfg(test)]
pub(crate) mod tests;
