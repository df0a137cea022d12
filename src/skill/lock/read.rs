//! Reads a lock: strict in what is known, so that no slip of the pen turns a check off; what is not known is passed over.

use serde_json::{Map, Value};

use super::peers::IMPORTED;
use super::{Attestation, Contained, Entry, Facts, KIND, Lock, Signed, Signer, Unsigned};
use crate::api::agent_runtime::type_name;
use crate::api::error::InputError;
use crate::api::image_reference;
use crate::api::names::{SKILLS_GROUP, VERSION};
use crate::api::object::Origin;
use crate::skill::oci::Digest;
use crate::yaml::duplicates::is_there_already;
use crate::yaml::node::NodeId;
use crate::yaml::path::display;
use crate::yaml::{self, Document, DocumentSlice, Step, SyntaxError};

/// What makes a lock that is right.
pub(super) const AGAIN: &str = "correct it, or get it back from Git; moved away, 'kubectl skills lock -f' on the manifests writes a new one";

impl Lock {
    /// Reads a file; one of comments alone is a lock without entries.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub fn read(text: &str, file: &str) -> Result<Self, Vec<InputError>> {
        let origin = |line| Origin { file: file.to_owned(), document: 0, line };
        let slice = match yaml::split(text).as_slice() {
            // A write that was cut off must not make every image a new one.
            [] if text.trim().is_empty() => {
                let message = "is empty; a lock without images has its kind at least".to_owned();
                let help = AGAIN.to_owned();
                return Err(vec![InputError { origin: origin(1), message, help, ..InputError::default() }]);
            }
            [] => return Ok(Self::default()),
            [only] => *only,
            [_, second, ..] => {
                let message = "a second document: a lock is one".to_owned();
                return Err(vec![InputError {
                    origin: origin(second.line),
                    message,
                    ..InputError::default()
                }]);
            }
        };
        let syntax = |error: SyntaxError| {
            let (line, column) = slice.place(error.line, error.column);
            vec![InputError { origin: origin(line), column, message: error.message, ..InputError::default() }]
        };
        let document = Document::parse(slice.text(text)).map_err(syntax)?;
        let value = document.to_value().map_err(syntax)?;
        let mut reader = Reader { document: &document, slice, file, errors: Vec::new() };
        reader.duplicates();
        let entries = reader.file(&value);
        let imported = reader.imported(&value);
        if reader.errors.is_empty() {
            Ok(Self { imported, ..Self::new(entries) })
        } else {
            Err(reader.errors)
        }
    }
}

struct Reader<'d> {
    document: &'d Document<'d>,
    slice: DocumentSlice,
    file: &'d str,
    errors: Vec<InputError>,
}

/// A mapping of the file and where it stands.
struct At<'v> {
    map: &'v Map<String, Value>,
    path: Vec<Step>,
}

impl At<'_> {
    fn below(&self, key: &str) -> Vec<Step> {
        let mut path = self.path.clone();
        path.push(key.into());
        path
    }
}

impl Reader<'_> {
    fn refuse_at(&mut self, at: NodeId, path: &[Step], message: impl Into<String>, help: &str) {
        let (line, column) = self.document.position(at);
        let (line, column) = self.slice.place(line, column);
        self.errors.push(InputError {
            origin: Origin { file: self.file.to_owned(), document: 0, line },
            column,
            field: if path.is_empty() { String::new() } else { display(path).to_string() },
            message: message.into(),
            help: help.to_owned(),
            ..InputError::default()
        });
    }

    fn refuse(&mut self, path: &[Step], message: impl Into<String>, help: &str) {
        self.refuse_at(self.document.deepest(path).0, path, message, help);
    }

    /// Kubernetes' reader takes the last of two; who looks at the file may have read the first.
    fn duplicates(&mut self) {
        for (at, key) in self.document.duplicate_keys() {
            let (message, help) = is_there_already(&key);
            self.refuse_at(at, &[], message, help);
        }
    }

    fn file(&mut self, value: &Value) -> Vec<Entry> {
        let Value::Object(map) = value else {
            self.refuse(&[], format!("must be a {KIND}, found {}", type_name(value)), AGAIN);
            return Vec::new();
        };
        let root = At { map, path: Vec::new() };
        for (key, wanted) in [("apiVersion", format!("{SKILLS_GROUP}/{VERSION}")), ("kind", KIND.to_owned())]
        {
            match map.get(key).and_then(Value::as_str) {
                Some(found) if found == wanted => {}
                Some(found) => self.refuse(
                    &root.below(key),
                    format!("{found:?} is not known"),
                    &format!("known is {wanted}"),
                ),
                None => self.refuse(&root.below(key), "is required", &format!("write {key}: {wanted}")),
            }
        }
        // The list under another name is no list, and every image would be a new one.
        let is_list = |(key, value): &(&String, &Value)| {
            matches!(value, Value::Array(items) if items.iter().any(|item| item.get("image").is_some()))
                && *key != "skills"
        };
        if !map.contains_key("skills")
            && let Some((key, _)) = map.iter().find(is_list)
        {
            self.refuse(&root.below(key), "is no list of a lock", "the list is called skills");
        }
        if !self.errors.is_empty() {
            return Vec::new();
        }
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        let mut lines = Lines::new(self);
        for (index, item) in self.list(&root, "skills").iter().enumerate() {
            let path = vec!["skills".into(), index.into()];
            let Some(at) = self.mapping(item, path) else { continue };
            let line = lines.of(self, index);
            let Some(entry) = self.entry(&at, line) else { continue };
            let Some(parts) = image_reference::parts(&entry.image) else {
                let message = format!("{:?} is no image reference", entry.image);
                self.refuse(&at.below("image"), message, "write HOST/REPOSITORY:TAG");
                continue;
            };
            if let Some(first) = seen.insert(parts.key(), line) {
                let message = format!("{} is there already, on line {first}", entry.image);
                self.refuse(&at.below("image"), message, "remove one of the two");
            }
            if parts.digest.is_some_and(|own| own != entry.digest.as_str()) {
                let message = "is another digest than that of its image";
                self.refuse(&at.below("digest"), message, AGAIN);
            }
            entries.push(entry);
        }
        entries
    }

    fn imported(&mut self, root: &Value) -> Map<String, Value> {
        match root.get(IMPORTED) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(map)) => map.clone(),
            Some(other) => {
                self.refuse(&[IMPORTED.into()], format!("must be a mapping, found {}", type_name(other)), "");
                Map::new()
            }
        }
    }

    fn mapping<'v>(&mut self, value: &'v Value, path: Vec<Step>) -> Option<At<'v>> {
        match value {
            Value::Object(map) => Some(At { map, path }),
            other => {
                self.refuse(&path, format!("must be a mapping, found {}", type_name(other)), "");
                None
            }
        }
    }

    /// None and null are a list without items.
    fn list<'v>(&mut self, at: &At<'v>, key: &str) -> &'v [Value] {
        match at.map.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.refuse(&at.below(key), format!("must be a list, found {}", type_name(other)), "");
                &[]
            }
        }
    }

    fn text(&mut self, at: &At<'_>, key: &str) -> Option<String> {
        match at.map.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other @ (Value::Array(_) | Value::Object(_))) => {
                self.refuse(&at.below(key), format!("must be a string, found {}", type_name(other)), "");
                None
            }
            Some(other) => {
                let message = format!("must be a string, found {}", type_name(other));
                self.refuse(&at.below(key), message, "quote it");
                None
            }
        }
    }

    fn required(&mut self, at: &At<'_>, key: &str) -> Option<String> {
        let errors = self.errors.len();
        let found = self.text(at, key).filter(|text| !text.is_empty());
        if found.is_none() && self.errors.len() == errors {
            self.refuse(&at.below(key), "is required", AGAIN);
        }
        found
    }

    fn texts(&mut self, at: &At<'_>, key: &str) -> Vec<String> {
        let mut out = Vec::new();
        for (index, item) in self.list(at, key).iter().enumerate() {
            match item {
                Value::String(text) => out.push(text.clone()),
                other => {
                    let mut path = at.below(key);
                    path.push(index.into());
                    self.refuse(&path, format!("must be a string, found {}", type_name(other)), "quote it");
                }
            }
        }
        out
    }

    fn number(&mut self, at: &At<'_>, key: &str) -> Option<u64> {
        match at.map.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) if number.is_u64() => number.as_u64(),
            Some(other) => {
                let found = if other.is_number() { other.to_string() } else { type_name(other).to_owned() };
                let message = format!("must be a whole number from 0 on, found {found}");
                self.refuse(&at.below(key), message, "");
                None
            }
        }
    }

    fn digest(&mut self, at: &At<'_>, key: &str, required: bool) -> Option<Digest> {
        let text = if required { self.required(at, key) } else { self.text(at, key) }?;
        Digest::parse(&text).map_err(|message| self.refuse(&at.below(key), message, AGAIN)).ok()
    }

    fn entry(&mut self, at: &At<'_>, line: usize) -> Option<Entry> {
        let (image, digest) = (self.required(at, "image"), self.digest(at, "digest", true));
        let content = self.digest(at, "content", false);
        let is_there = |key: &str| at.map.get(key).is_some_and(|value| !value.is_null());
        let facts = Facts {
            name: self.text(at, "name"),
            version: self.text(at, "version"),
            description: self.text(at, "description"),
            license: self.text(at, "license"),
            allowed_tools: is_there("allowedTools").then(|| self.texts(at, "allowedTools")),
            files: self.number(at, "files"),
            bytes: self.number(at, "bytes"),
            tokens: self.number(at, "tokens"),
            description_tokens: self.number(at, "descriptionTokens"),
            platforms: self.texts(at, "platforms"),
            different: self.texts(at, "different"),
            skills: self.each(at, "skills", Self::contained),
        };
        let signed = is_there("signed").then(|| self.each(at, "signed", Self::signed));
        let unsigned = match at.map.get("unsigned").filter(|value| !value.is_null()) {
            Some(value) => self.mapping(value, at.below("unsigned")).and_then(|at| self.unsigned(&at)),
            None => None,
        };
        let attestations = is_there("attestations").then(|| self.attestations(at));
        let (image, digest) = (image?, digest?);
        Some(Entry { image, digest, content, facts, signed, unsigned, attestations, line })
    }

    fn each<T>(&mut self, at: &At<'_>, key: &str, read: fn(&mut Self, &At<'_>) -> Option<T>) -> Vec<T> {
        let mut out = Vec::new();
        for (index, item) in self.list(at, key).iter().enumerate() {
            let mut path = at.below(key);
            path.push(index.into());
            let one = self.mapping(item, path).and_then(|at| read(self, &at));
            out.extend(one);
        }
        out
    }

    fn contained(&mut self, at: &At<'_>) -> Option<Contained> {
        let (folder, content) = (self.text(at, "folder"), self.digest(at, "content", true));
        let name = self.text(at, "name");
        Some(Contained { folder: folder.unwrap_or_default(), name, content: content? })
    }

    fn signed(&mut self, at: &At<'_>) -> Option<Signed> {
        let signer = match self.required(at, "by").as_deref() {
            Some("key") => self.required(at, "key").map(|fingerprint| Signer::Key { fingerprint }),
            Some("certificate") => {
                let (identity, issuer) = (self.required(at, "identity"), self.required(at, "issuer"));
                identity.zip(issuer).map(|(identity, issuer)| Signer::Certificate { identity, issuer })
            }
            Some(other) => {
                let message = format!("{other:?} is not known");
                self.refuse(&at.below("by"), message, "known are key and certificate");
                None
            }
            None => None,
        };
        let (format, of) = (self.required(at, "format"), self.required(at, "of"));
        let (digest, platform) = (self.digest(at, "digest", true), self.text(at, "platform"));
        let log = match at.map.get("log") {
            Some(Value::Bool(log)) => *log,
            None | Some(Value::Null) => false,
            Some(other) => {
                let message = format!("must be true or false, found {}", type_name(other));
                self.refuse(&at.below("log"), message, "");
                false
            }
        };
        Some(Signed { signer: signer?, format: format?, digest: digest?, of: of?, platform, log })
    }

    /// Each with who made it; of locks that were written before that was kept, the types alone.
    fn attestations(&mut self, at: &At<'_>) -> Vec<Attestation> {
        let mut out = Vec::new();
        for (index, item) in self.list(at, "attestations").iter().enumerate() {
            if let Value::String(kind) = item {
                out.push(Attestation { kind: kind.clone(), signed: None });
                continue;
            }
            let path = [at.below("attestations"), vec![index.into()]].concat();
            let Some(at) = self.mapping(item, path) else { continue };
            if let (Some(kind), Some(signed)) = (self.required(&at, "type"), self.signed(&at)) {
                out.push(Attestation { kind, signed: Some(signed) });
            }
        }
        out
    }

    fn unsigned(&mut self, at: &At<'_>) -> Option<Unsigned> {
        let (by, when) = (self.required(at, "by"), self.required(at, "at"));
        let reason = self.required(at, "reason");
        Some(Unsigned { by: by?, at: when?, reason: reason? })
    }
}

/// Lines of the items of `skills`, counted once from item to item.
struct Lines {
    items: Vec<NodeId>,
    offset: usize,
    line: usize,
}

impl Lines {
    fn new(reader: &Reader<'_>) -> Self {
        let list = reader.document.find(&["skills".into()]);
        let items = list.map(|list| reader.document.tree.children(list).collect()).unwrap_or_default();
        Self { items, offset: 0, line: reader.slice.line }
    }

    /// The line of an item; they are asked for in order.
    fn of(&mut self, reader: &Reader<'_>, index: usize) -> usize {
        let Some(item) = self.items.get(index) else { return 0 };
        let start = reader.document.tree.node(*item).start as usize;
        if let Some(between) = reader.document.text.as_bytes().get(self.offset..start) {
            self.line += memchr::memchr_iter(b'\n', between).count();
            self.offset = start;
        }
        self.line
    }
}
