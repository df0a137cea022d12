//! Every object of a text, with its place: text in, documents and the objects in them out. For verbs that look at all
//! objects as they stand; what a plan is about comes from the library's stream.

use crate::api::error::InputError;
use crate::api::object::Origin;
use crate::manifest::stream::Source;
use crate::manifest::typed_list;
use crate::yaml::node::NodeId;
use crate::yaml::{self, Document, DocumentSlice, Step, SyntaxError, path};
use serde_json::{Value, json};

/// One document, read whole.
pub struct Parsed<'t> {
    /// File and number of the document.
    origin: Origin,
    slice: DocumentSlice,
    document: Document<'t>,
    value: Value,
}

/// One object of a document.
pub struct Object<'p> {
    parsed: &'p Parsed<'p>,
    /// Steps from the document's root.
    path: Vec<Step>,
    /// The object.
    pub value: &'p Value,
}

/// Reads all documents. All that cannot be read are reported.
pub fn documents(source: &Source) -> Result<Vec<Parsed<'_>>, Vec<InputError>> {
    read_all(source, |text| Some(read(text)))
}

/// Reads the documents with objects of these kinds. Those of the kinds that cannot be read are reported; what cannot be read of
/// others, also alongside it in a list, is left out.
pub fn documents_with<'t>(source: &'t Source, kinds: &[&str]) -> Result<Vec<Parsed<'t>>, Vec<InputError>> {
    read_all(source, |text| {
        kinds.iter().any(|kind| text.contains(kind)).then(|| {
            let document = Document::parse(text)?;
            let mut value = of_kind(&document, 0, kinds, false)?;
            typed_list::complete(&mut value);
            Ok((value, document))
        })
    })
}

/// The value of a node; where it cannot be read, what can be of a list, and null for an object of other kinds. `given`:
/// an item of a list has the kind by the list's.
fn of_kind(document: &Document<'_>, id: NodeId, kinds: &[&str], given: bool) -> Result<Value, SyntaxError> {
    let error = match document.node_value(id) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let entry = |key: &str| document.child(id, &Step::from(key));
    let text = |key: &str| entry(key).and_then(|id| document.node_value(id).ok()).unwrap_or_default();
    let own = text("kind");
    match (own.as_str(), entry("items")) {
        (Some(list), Some(items)) if list.ends_with("List") => {
            let given = list.strip_suffix("List").is_some_and(|kind| kinds.contains(&kind));
            let items: Result<Vec<Value>, SyntaxError> =
                document.tree.children(items).map(|item| of_kind(document, item, kinds, given)).collect();
            Ok(json!({"apiVersion": text("apiVersion"), "kind": own, "items": items?}))
        }
        (Some(own), _) if !kinds.contains(&own) => Ok(Value::Null),
        (None, _) if !given => Ok(Value::Null),
        _ => Err(error),
    }
}

fn read_all<'t>(
    source: &'t Source,
    mut read: impl FnMut(&'t str) -> Option<Result<(Value, Document<'t>), SyntaxError>>,
) -> Result<Vec<Parsed<'t>>, Vec<InputError>> {
    let mut out = Vec::new();
    let mut errors = Vec::new();
    for (index, slice) in yaml::split(&source.text).into_iter().enumerate() {
        let Some(read) = read(slice.text(&source.text)) else { continue };
        let origin = Origin { file: source.name.clone(), document: index + 1, line: slice.line };
        match read {
            Ok((value, document)) => out.push(Parsed { origin, slice, document, value }),
            Err(error) => errors.push(syntax(origin, &slice, error)),
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// The documents that can be read; others are left out.
pub fn readable(source: &Source) -> Vec<Parsed<'_>> {
    readable_where(source, |_| true)
}

/// The same of those alone whose text is of interest.
pub fn readable_where(source: &Source, is_wanted: impl Fn(&str) -> bool) -> Vec<Parsed<'_>> {
    let mut out = Vec::new();
    for (index, slice) in yaml::split(&source.text).into_iter().enumerate() {
        let origin = Origin { file: source.name.clone(), document: index + 1, line: slice.line };
        let text = slice.text(&source.text);
        if is_wanted(text)
            && let Ok((value, document)) = read(text)
        {
            out.push(Parsed { origin, slice, document, value });
        }
    }
    out
}

fn read(text: &str) -> Result<(Value, Document<'_>), SyntaxError> {
    let document = Document::parse(text)?;
    let mut value = document.to_value()?;
    typed_list::complete(&mut value);
    Ok((value, document))
}

pub(super) fn syntax(origin: Origin, slice: &DocumentSlice, error: SyntaxError) -> InputError {
    let (line, column) = slice.place(error.line, error.column);
    InputError { origin: Origin { line, ..origin }, column, message: error.message, ..InputError::default() }
}

impl Parsed<'_> {
    /// The objects in it: those of a List or ResourceList, or the document itself; none in an empty one.
    pub fn objects(&self) -> Vec<Object<'_>> {
        let mut out = Vec::new();
        self.collect(&self.value, Vec::new(), &mut out);
        out
    }

    fn collect<'p>(&'p self, value: &'p Value, path: Vec<Step>, out: &mut Vec<Object<'p>>) {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        match value.get("items") {
            Some(Value::Array(items)) if kind.ends_with("List") => {
                for (index, item) in items.iter().enumerate() {
                    let mut path = path.clone();
                    path.extend([Step::from("items"), Step::from(index)]);
                    self.collect(item, path, out);
                }
            }
            _ if value.is_null() => {}
            _ => out.push(Object { parsed: self, path, value }),
        }
    }

    /// The value of the document.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Its number in the file, from 1.
    pub fn number(&self) -> usize {
        self.origin.document
    }

    /// Line and column of a place, or of what it is missing in.
    pub fn place_at(&self, path: &[Step]) -> (usize, usize) {
        let (line, column) = self.document.position(self.document.deepest(path).0);
        self.slice.place(line, column)
    }
}

impl Object<'_> {
    /// Line and column of a field, or of what it is missing in; of the object itself for no steps.
    pub fn place(&self, field: &[Step]) -> (usize, usize) {
        let whole: Vec<Step> = self.path.iter().chain(field).cloned().collect();
        self.parsed.place_at(&whole)
    }

    /// An error about a field of it, at its place; about the object itself for no steps.
    pub fn error(&self, at: &[Step], message: impl Into<String>, help: impl Into<String>) -> InputError {
        let (line, column) = self.place(at);
        InputError {
            origin: Origin { line, ..self.parsed.origin.clone() },
            column,
            field: if at.is_empty() { String::new() } else { path::display(at).to_string() },
            message: message.into(),
            help: help.into(),
            ..InputError::default()
        }
    }

    /// Where the object stands.
    pub fn origin(&self) -> Origin {
        Origin { line: self.place(&[]).0, ..self.parsed.origin.clone() }
    }

    /// Its document, and where that stands in the file.
    #[cfg(feature = "skill")]
    pub(crate) fn document(&self) -> (&DocumentSlice, &Document<'_>) {
        (&self.parsed.slice, &self.parsed.document)
    }

    /// Whether it is an item of a list.
    #[cfg(feature = "skill")]
    pub(crate) fn is_in_list(&self) -> bool {
        !self.path.is_empty()
    }
}
