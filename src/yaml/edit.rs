//! Edits a document's text so that it means another value: a parsed document and the wanted value in, byte splices out.
//!
//! Only what must change changes: comments, quotes, key order, indents, breaks and blank lines stay. What cannot be
//! done so is refused with the field and line; nothing is ever reformatted. Every result is parsed again and compared
//! with what was wanted. Which fields to want is left to the plan.
//!
//! Files: `walk` compares tree and value, `align` pairs list items, `block` and `flow` write, `fill` fills and restores
//! empty collections, `habits` learns the document's style, `shared` finds anchors,
//! `parents` collections around nodes, `lines` knows lines and columns.

mod align;
mod block;
mod fill;
mod flow;
mod habits;
mod lines;
mod oracle;
mod parents;
mod shared;
mod walk;

use std::cell::OnceCell;
use std::fmt;

use serde_json::Value;

use super::document::Document;
use super::node::NodeId;
use super::path::Step;

/// A replacement of bytes; offsets into [`Document::text`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Splice {
    /// First byte replaced.
    pub start: usize,
    /// One behind the last byte replaced; equals `start` for an insertion.
    pub end: usize,
    /// What comes there.
    pub text: String,
}

/// Why a document cannot be edited, told so that its author can mend it.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
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
/// A collection that an earlier edit filled (see `fill`) and that `desired` lacks or has empty is put back as its author
/// wrote it (`volumes: []`); absent, null and empty are one to Kubernetes.
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
    let added: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut out = String::with_capacity(text.len() + added);
    let mut at = 0;
    for splice in splices {
        out.push_str(text.get(at..splice.start).unwrap_or_default());
        out.push_str(&splice.text);
        at = splice.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Collects the changes of several nodes of one document.
pub struct Editor<'e, 't> {
    document: &'e Document<'t>,
    shared: shared::Shared,
    parents: parents::Parents,
    lone_return: Option<usize>,
    splices: Vec<Splice>,
    wanted: Vec<oracle::Wanted<'e>>,
}

impl<'e, 't> Editor<'e, 't> {
    /// Starts with no change.
    pub fn new(document: &'e Document<'t>) -> Editor<'e, 't> {
        let shared = shared::Shared::find(document.text, &document.tree);
        Editor {
            document,
            shared,
            parents: parents::Parents::default(),
            lone_return: lines::lone_return(document.text),
            splices: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Makes a node mean `desired`. Nodes may be set in any order, each once, none inside another.
    ///
    /// # Errors
    /// As [`edit`], but for the comparison with the parsed result, which [`Editor::finish`] does.
    pub fn set(&mut self, node: NodeId, desired: &'e Value) -> Result<(), EditError> {
        let mut surgeon = Surgeon {
            document: self.document,
            text: self.document.text,
            root: node,
            habits: OnceCell::new(),
            shared: &self.shared,
            parents: &self.parents,
            lone_return: self.lone_return,
            inside: None,
            base: Vec::new(),
            path: Vec::new(),
            splices: std::mem::take(&mut self.splices),
            restored: Vec::new(),
        };
        surgeon.root(desired)?;
        self.splices = surgeon.splices;
        self.wanted.push(oracle::Wanted { node, desired, restored: surgeon.restored });
        Ok(())
    }

    /// Returns the splices, after the edited text has been parsed again and found to mean what was wanted.
    ///
    /// # Errors
    /// A result that does not mean what was wanted: a defect of this module, and nothing to write.
    pub fn finish(self) -> Result<Vec<Splice>, EditError> {
        oracle::finish(self.document, self.splices, &self.wanted)
    }
}

/// One step from the edited node to the place at work.
#[derive(Debug, Clone, Copy)]
enum Place<'v> {
    Key(&'v str),
    Index(usize),
}

/// Walks over one edited node and notes the splices.
struct Surgeon<'e> {
    document: &'e Document<'e>,
    text: &'e str,
    root: NodeId,
    habits: OnceCell<habits::Habits>,
    shared: &'e shared::Shared,
    parents: &'e parents::Parents,
    /// A line break that YAML knows and people's tools do not.
    lone_return: Option<usize>,
    /// The anchored node, used elsewhere too, that the place at work lies in.
    inside: Option<NodeId>,
    /// The path to where `path` begins; empty but below entries that go.
    base: Vec<Step>,
    path: Vec<Place<'e>>,
    splices: Vec<Splice>,
    /// Collections put back as their author wrote them, and what they then mean.
    restored: Vec<(Vec<Step>, Value)>,
}

#[cfg(test)]
pub(crate) mod tests;
