//! The objects that a stream does not keep and rules look at: ConfigMaps with skills or cards, Secrets with logins,
//! ServiceAccounts, Nodes. Everything else is left unread.

use std::collections::HashMap;

use memchr::memmem::Finder;
use serde_json::Value;

use super::Finding;
use super::rule::Rule;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::manifest::stream::Source;
use crate::manifest::typed_list;
use crate::yaml::split::Documents;
use crate::yaml::{Document, DocumentSlice, Step, path};

/// The ending of the names of ConfigMaps with unsigned cards.
pub const CARD: &str = "-card-unsigned";

/// An object with its place.
pub(super) struct Other<'s> {
    pub id: ObjectRef,
    pub value: Value,
    steps: Vec<Step>,
    read: std::rc::Rc<Read<'s>>,
}

/// A document that was read.
struct Read<'s> {
    source: usize,
    file: String,
    number: usize,
    slice: DocumentSlice,
    document: Document<'s>,
}

/// All of them, by kind, namespace and name.
#[derive(Default)]
pub(super) struct Others<'s> {
    pub all: Vec<Other<'s>>,
    by_id: HashMap<(String, String, String), usize>,
}

const NODE: &str = "Node";
/// A kind, and a word without which an object of it does not matter.
const WANTED: [(&str, &[&str]); 4] = [
    ("ConfigMap", &[CARD, "io/type", "io/file-paths"]),
    ("Secret", &["dockerconfigjson"]),
    ("ServiceAccount", &["imagePullSecrets"]),
    (NODE, &["containerRuntimeVersion"]),
];

impl<'s> Others<'s> {
    /// Reads those of all files. What cannot be read is left out: the stream reports it where it matters.
    pub(super) fn read(sources: &'s [Source], default_namespace: &str) -> Self {
        let mut out = Self::default();
        let kinds: Vec<(Finder<'_>, Vec<Finder<'_>>)> = WANTED
            .iter()
            .map(|(kind, words)| (Finder::new(kind), words.iter().map(Finder::new).collect()))
            .collect();
        for (source, Source { name, text }) in sources.iter().enumerate() {
            let holds = |text: &str| {
                kinds.iter().any(|(kind, words)| {
                    kind.find(text.as_bytes()).is_some()
                        && words.iter().any(|word| word.find(text.as_bytes()).is_some())
                })
            };
            if !holds(text) {
                continue;
            }
            for (index, slice) in Documents::of(text).enumerate() {
                let part = slice.text(text);
                if !holds(part) {
                    continue;
                }
                let Ok(document) = Document::parse(part) else { continue };
                let Ok(mut value) = document.to_value() else { continue };
                typed_list::complete(&mut value);
                let read =
                    std::rc::Rc::new(Read { source, file: name.clone(), number: index + 1, slice, document });
                out.collect(value, Vec::new(), &read, default_namespace);
            }
        }
        out
    }

    fn collect(&mut self, value: Value, steps: Vec<Step>, read: &std::rc::Rc<Read<'s>>, namespace: &str) {
        let object = Object(&value);
        if object.kind().ends_with("List") {
            let Some(items) = value.get("items").and_then(Value::as_array) else { return };
            for (index, item) in items.iter().enumerate() {
                let mut steps = steps.clone();
                steps.extend([Step::from("items"), Step::from(index)]);
                self.collect(item.clone(), steps, read, namespace);
            }
            return;
        }
        if object.api_version() != "v1" || !WANTED.iter().any(|(kind, _)| *kind == object.kind()) {
            return;
        }
        // A Node has no namespace.
        let id = object.reference_in(if object.kind() == NODE { "" } else { namespace });
        let key = (id.kind.clone(), id.namespace.clone(), id.name.clone());
        self.by_id.insert(key, self.all.len());
        self.all.push(Other { id, value, steps, read: read.clone() });
    }

    /// The object of that kind and name.
    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Other<'s>> {
        if self.all.is_empty() {
            return None;
        }
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.by_id.get(&key).map(|index| &self.all[*index])
    }
}

impl<'s> Other<'s> {
    /// A finding about a field of it.
    pub(super) fn finding(
        &self,
        rule: &'static Rule,
        field: &[Step],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        let whole: Vec<Step> = self.steps.iter().chain(field).cloned().collect();
        let Read { source, file, number, slice, document } = &*self.read;
        let (line, column) = document.position(document.deepest(&whole).0);
        let (line, column) = slice.place(line, column);
        Finding {
            rule,
            level: rule.level,
            source: Some(*source),
            origin: Origin { file: file.clone(), document: *number, line },
            column,
            object: Some(self.id.clone()),
            field: if field.is_empty() { String::new() } else { path::display(field).to_string() },
            message: message.into(),
            help: help.into(),
            fix: None,
        }
    }

    /// Source, place and text of its document.
    pub(super) fn document(&self) -> (usize, &DocumentSlice, &Document<'s>) {
        (self.read.source, &self.read.slice, &self.read.document)
    }

    /// Whether it is an item of a list.
    pub(super) fn is_in_list(&self) -> bool {
        !self.steps.is_empty()
    }
}
