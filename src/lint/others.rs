//! The objects that a stream does not keep and rules look at: ConfigMaps with skills or cards, Secrets with logins,
//! ServiceAccounts, Nodes. Everything else is left unread.

use std::collections::HashMap;

use memchr::memmem::Finder;
use serde_json::Value;

use super::Finding;
use super::rule::Rule;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::manifest::objects::{self, Parsed};
use crate::manifest::stream::Source;
use crate::yaml::{Document, DocumentSlice, Step, path};

/// The ending of the names of ConfigMaps with unsigned cards.
pub const CARD: &str = "-card-unsigned";

/// An object with its place.
pub(super) struct Other<'p> {
    pub id: ObjectRef,
    pub value: &'p Value,
    source: usize,
    object: objects::Object<'p>,
}

/// All of them, by kind, namespace and name.
#[derive(Default)]
pub(super) struct Others<'p> {
    pub all: Vec<Other<'p>>,
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

/// Documents with objects that matter, each with the index of its source. What cannot be read is left out: the stream reports it
/// where it matters.
pub(super) fn read(sources: &[Source]) -> Vec<(usize, Parsed<'_>)> {
    let kinds: Vec<(Finder<'_>, Vec<Finder<'_>>)> = WANTED
        .iter()
        .map(|(kind, words)| (Finder::new(kind), words.iter().map(Finder::new).collect()))
        .collect();
    let holds = |text: &str| {
        kinds.iter().any(|(kind, words)| {
            kind.find(text.as_bytes()).is_some()
                && words.iter().any(|word| word.find(text.as_bytes()).is_some())
        })
    };
    let of =
        |(index, source)| objects::readable_where(source, holds).into_iter().map(move |one| (index, one));
    sources.iter().enumerate().filter(|(_, source)| holds(&source.text)).flat_map(of).collect()
}

impl<'p> Others<'p> {
    /// Those of these documents.
    pub(super) fn of(documents: &'p [(usize, Parsed<'_>)], default_namespace: &str) -> Self {
        let mut out = Self::default();
        for (source, parsed) in documents {
            for object in parsed.objects() {
                let value = Object(object.value);
                if value.api_version() != "v1" || !WANTED.iter().any(|(kind, _)| *kind == value.kind()) {
                    continue;
                }
                // A Node has no namespace.
                let id = value.reference_in(if value.kind() == NODE { "" } else { default_namespace });
                let key = (id.kind.clone(), id.namespace.clone(), id.name.clone());
                out.by_id.insert(key, out.all.len());
                out.all.push(Other { id, value: object.value, source: *source, object });
            }
        }
        out
    }

    /// The object of that kind and name.
    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Other<'p>> {
        if self.all.is_empty() {
            return None;
        }
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        self.by_id.get(&key).map(|index| &self.all[*index])
    }
}

impl<'p> Other<'p> {
    /// A finding about a field of it.
    pub(super) fn finding(
        &self,
        rule: &'static Rule,
        field: &[Step],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        let (line, column) = self.object.place(field);
        Finding {
            source: Some(self.source),
            origin: Origin { line, ..self.object.origin() },
            column,
            object: Some(self.id.clone()),
            field: if field.is_empty() { String::new() } else { path::display(field).to_string() },
            ..Finding::alone(rule, rule.level, message, help)
        }
    }

    /// Source, place and text of its document.
    pub(super) fn document(&self) -> (usize, &DocumentSlice, &Document<'_>) {
        let (slice, document) = self.object.document();
        (self.source, slice, document)
    }

    /// Whether it is an item of a list.
    pub(super) fn is_in_list(&self) -> bool {
        self.object.is_in_list()
    }
}
