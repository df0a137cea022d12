//! `.kubectl-skills.yaml`: defaults of flags that a folder of manifests always needs. A text in, values of flags or every
//! defect of it out. Which file is read, and what a flag of the command line changes, is left to `defaults`.
//!
//! [`KEYS`] is the only list of keys: the reader and the table in docs/cli.md come from it.

use std::path::Path;

use kubectl_skills::api::agent_runtime::type_name;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::nearest::nearest;
use kubectl_skills::api::object::Origin;
use kubectl_skills::api::profile::PROFILES;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::yaml::duplicates::is_there_already;
use kubectl_skills::yaml::node::NodeId;
use kubectl_skills::yaml::{self, Document, DocumentSlice, Step, SyntaxError};
use serde_json::Value;

use crate::planning::CLUSTER;
use crate::source::exclude_pattern;

pub mod schema;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text that is not empty.
    Text,
    /// Texts that are not empty, or one alone.
    Texts,
    /// One of these words.
    OneOf(fn() -> Vec<&'static str>),
    /// `true` or `false`.
    Flag,
    /// A map of names and `true` or `false`.
    Gates,
    /// A file; counted from the folder of the configuration file.
    File,
    /// Files or the word `cluster`; counted from the folder of the configuration file.
    FilesOrCluster,
    /// Patterns as in .gitignore.
    Patterns,
    /// Kinds of workload with the way to their pod template.
    PodTemplatePaths,
}

/// A key, which is named as its flag is.
#[derive(Debug)]
pub struct Key {
    /// The key; the flag is `--` and it.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What a value looks like, for the documentation.
    pub example: &'static str,
}

const fn key(name: &'static str, kind: Kind, example: &'static str) -> Key {
    Key { name, kind, example }
}

/// All keys. No flag that chooses a cluster or a user is among them: a folder from elsewhere must not.
pub const KEYS: [Key; 19] = [
    key("profile", Kind::OneOf(profiles), "head"),
    key("namespace", Kind::Text, "team1"),
    key("config-from", Kind::FilesOrCluster, "[operator/config.yaml]"),
    key("container", Kind::Text, "agent"),
    key("exclude", Kind::Patterns, "['values*.yaml', old/]"),
    key("allow-none", Kind::Flag, "true"),
    key("recursive", Kind::Flag, "true"),
    key("exact", Kind::Flag, "true"),
    key("skill-folders", Kind::Flag, "false"),
    key("feature-gates", Kind::Gates, "{skillImageVolumes: true}"),
    key("feature-gates-file", Kind::File, "operator/gates.yaml"),
    key("config-view", Kind::OneOf(views), "full"),
    key("locked", Kind::File, "skills.lock"),
    key("policy", Kind::File, "policy.yaml"),
    key("delivery", Kind::OneOf(deliveries), "init"),
    key("init-image", Kind::Text, "registry.example.com/kubectl-skills:v0.1.0"),
    key("pull-secret", Kind::Texts, "[registry-login]"),
    key("kube-version", Kind::Text, "\"1.33\""),
    key("pod-template-path", Kind::PodTemplatePaths, "[Workflow.example.com=spec.template]"),
];

fn profiles() -> Vec<&'static str> {
    std::iter::once("auto").chain(PROFILES.iter().map(|profile| profile.name)).collect()
}

fn views() -> Vec<&'static str> {
    vec!["operator", "full"]
}

/// The words of `--delivery`.
pub fn deliveries() -> Vec<&'static str> {
    vec!["image", "configmap", "init", "auto"]
}

/// A key that a file sets, and what its flag would be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub name: &'static str,
    /// Values of the flag.
    pub values: Vec<String>,
}

/// Reads the text of a file of that name; paths in it are counted from `folder`.
pub fn read(name: &str, folder: &Path, text: &str) -> Result<Vec<Setting>, Vec<InputError>> {
    let slices = yaml::split(text);
    let slice = match slices.as_slice() {
        [] => return Ok(Vec::new()),
        [only] => *only,
        [_, second, ..] => {
            let origin = Origin { file: name.to_owned(), document: 0, line: second.line };
            let message = "a second document: the configuration is one".into();
            return Err(vec![InputError { origin, message, ..InputError::default() }]);
        }
    };
    let syntax = |error: SyntaxError| {
        let (line, column) = slice.place(error.line, error.column);
        let origin = Origin { file: name.to_owned(), document: 0, line };
        vec![InputError { origin, column, message: error.message, ..InputError::default() }]
    };
    let document = Document::parse(slice.text(text)).map_err(syntax)?;
    let value = document.to_value().map_err(syntax)?;
    let mut reader = Reader { name, folder, slice, document: &document, errors: Vec::new(), out: Vec::new() };
    // Of two policies or locks the last would count, and a reader of the file may have seen the first.
    for (at, key) in document.duplicate_keys() {
        let (message, help) = is_there_already(&key);
        reader.refuse(at, "", message, help);
    }
    match &value {
        Value::Null => {}
        Value::Object(map) if reader.errors.is_empty() => {
            for (id, place) in document.tree.entries(0) {
                // Both were read for the map.
                let Ok(key) = document.key_text(id) else { continue };
                if let Some(value) = map.get(key.as_ref()) {
                    reader.entry(&key, id, value, place);
                }
            }
        }
        Value::Object(_) => {}
        other => reader.refuse(0, "", format!("must be keys and values, found {}", type_name(other)), ""),
    }
    if reader.errors.is_empty() { Ok(reader.out) } else { Err(reader.errors) }
}

struct Reader<'a> {
    name: &'a str,
    folder: &'a Path,
    slice: DocumentSlice,
    document: &'a Document<'a>,
    errors: Vec<InputError>,
    out: Vec<Setting>,
}

impl Reader<'_> {
    fn refuse(&mut self, at: NodeId, field: &str, message: impl Into<String>, help: impl Into<String>) {
        let (line, column) = self.document.position(at);
        let (line, column) = self.slice.place(line, column);
        self.errors.push(InputError {
            origin: Origin { file: self.name.to_owned(), document: 0, line },
            column,
            field: field.to_owned(),
            message: message.into(),
            help: help.into(),
            ..InputError::default()
        });
    }

    fn entry(&mut self, name: &str, at: NodeId, value: &Value, place: NodeId) {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            return self.refuse(at, name, "unknown key", did_you_mean(name, &known));
        };
        if value.is_null() {
            // A policy or a lock that is commented out would be none.
            if matches!(key.kind, Kind::File) {
                self.refuse(at, name, "has no value", "name a file, or leave the key out");
            }
            return;
        }
        let before = self.errors.len();
        let values = match key.kind {
            Kind::Text => self.text(name, place, value).into_iter().collect(),
            Kind::Texts => self.texts(name, place, value).into_iter().map(|(text, _)| text).collect(),
            Kind::OneOf(known) => self.one_of(name, place, value, &known()),
            Kind::Flag => self.flag(name, place, value).into_iter().collect(),
            Kind::Gates => self.gates(name, place, value),
            Kind::File => self.text(name, place, value).map(|path| self.file(&path)).into_iter().collect(),
            Kind::FilesOrCluster => {
                let all = self.texts(name, place, value);
                all.into_iter()
                    .map(|(text, _)| if text == CLUSTER { text } else { self.file(&text) })
                    .collect()
            }
            Kind::Patterns => self.checked(name, place, value, exclude_pattern),
            Kind::PodTemplatePaths => self.checked(name, place, value, Kinds::check),
        };
        if self.errors.len() == before {
            self.out.push(Setting { name: key.name, values });
        }
    }

    fn file(&self, path: &str) -> String {
        self.folder.join(path).display().to_string()
    }

    fn text(&mut self, name: &str, at: NodeId, value: &Value) -> Option<String> {
        match value {
            Value::String(text) if !text.trim().is_empty() => return Some(text.clone()),
            Value::String(_) => self.refuse(at, name, "must not be empty", "leave it out for the default"),
            Value::Array(_) | Value::Object(_) => {
                self.refuse(at, name, format!("must be a string, found {}", type_name(value)), "");
            }
            other => {
                self.refuse(at, name, format!("must be a string, found {}", type_name(other)), "quote it")
            }
        }
        None
    }

    /// A list of texts, or one alone.
    fn texts(&mut self, name: &str, at: NodeId, value: &Value) -> Vec<(String, NodeId)> {
        let Value::Array(items) = value else {
            return self.text(name, at, value).map(|text| (text, at)).into_iter().collect();
        };
        let places: Vec<NodeId> = self.document.tree.children(at).collect();
        let mut out = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = places.get(index).copied().unwrap_or(at);
            out.extend(self.text(&format!("{name}[{index}]"), at, item).map(|text| (text, at)));
        }
        out
    }

    fn one_of(&mut self, name: &str, at: NodeId, value: &Value, known: &[&str]) -> Vec<String> {
        let Some(text) = self.text(name, at, value) else { return Vec::new() };
        if !known.contains(&text.as_str()) {
            self.refuse(at, name, format!("unknown value {text:?}"), did_you_mean(&text, known));
        }
        vec![text]
    }

    fn flag(&mut self, name: &str, at: NodeId, value: &Value) -> Option<String> {
        match value {
            Value::Bool(flag) => return Some(flag.to_string()),
            Value::String(text) if text == "true" || text == "false" => {
                self.refuse(at, name, "must be true or false, found a string", "remove the quotes");
            }
            other => {
                self.refuse(at, name, format!("must be true or false, found {}", type_name(other)), "");
            }
        }
        None
    }

    fn gates(&mut self, name: &str, at: NodeId, value: &Value) -> Vec<String> {
        let Value::Object(map) = value else {
            let message = format!("must be gates with true or false, found {}", type_name(value));
            self.refuse(at, name, message, "write {NAME: true}");
            return Vec::new();
        };
        let mut gates = Vec::new();
        for (gate, value) in map {
            let at = self.document.child(at, &Step::from(gate.as_str())).unwrap_or(at);
            let flag = self.flag(&format!("{name}.{gate}"), at, value);
            gates.extend(flag.map(|flag| format!("{gate}={flag}")));
        }
        if gates.is_empty() { Vec::new() } else { vec![gates.join(",")] }
    }

    /// Texts that are each held to a rule.
    fn checked(
        &mut self,
        name: &str,
        at: NodeId,
        value: &Value,
        check: fn(&str) -> Result<(), String>,
    ) -> Vec<String> {
        let mut out = Vec::new();
        for (text, at) in self.texts(name, at, value) {
            match check(&text) {
                Ok(()) => out.push(text),
                Err(why) => self.refuse(at, name, format!("{text:?}: {why}"), ""),
            }
        }
        out
    }
}

fn did_you_mean(word: &str, known: &[&str]) -> String {
    let nearest = nearest(word, known.iter().copied()).unwrap_or_default();
    format!("did you mean {nearest}? known are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(text: &str) -> String {
        match read("a/.kubectl-skills.yaml", Path::new("a"), text) {
            Ok(settings) => settings.iter().map(|one| format!("{}={:?}\n", one.name, one.values)).collect(),
            Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
        }
    }

    /// Every key with the example that the documentation gives.
    #[test]
    fn the_documented_examples_are_read() {
        let text: String = KEYS.iter().map(|key| format!("{}: {}\n", key.name, key.example)).collect();
        assert_eq!(
            reported(&text),
            "profile=[\"head\"]\nnamespace=[\"team1\"]\nconfig-from=[\"a/operator/config.yaml\"]\ncontainer=[\"agent\"]\n\
             exclude=[\"values*.yaml\", \"old/\"]\nallow-none=[\"true\"]\nrecursive=[\"true\"]\nexact=[\"true\"]\n\
             skill-folders=[\"false\"]\nfeature-gates=[\"skillImageVolumes=true\"]\n\
             feature-gates-file=[\"a/operator/gates.yaml\"]\nconfig-view=[\"full\"]\nlocked=[\"a/skills.lock\"]\n\
             policy=[\"a/policy.yaml\"]\ndelivery=[\"init\"]\ninit-image=[\"registry.example.com/kubectl-skills:v0.1.0\"]\n\
             pull-secret=[\"registry-login\"]\nkube-version=[\"1.33\"]\n\
             pod-template-path=[\"Workflow.example.com=spec.template\"]\n"
        );
        assert_eq!(reported("# nothing yet\n"), "");
        assert_eq!(reported("{}\n"), "");
        assert_eq!(
            reported("config-from: cluster\nexclude: old\n"),
            "config-from=[\"cluster\"]\nexclude=[\"old\"]\n"
        );
        assert_eq!(reported("config-from: /etc/config.yaml\n"), "config-from=[\"/etc/config.yaml\"]\n");
        assert_eq!(reported("namespace:\nprofile: ~\n"), "");
    }

    /// The second of two policies would count where the first is read, and one without a file would ask for nothing.
    #[test]
    fn a_policy_is_named_once() {
        assert_eq!(
            reported("policy: strict.yaml\nfeature-gates: {a: true, a: false}\npolicy: lax.yaml\n"),
            "a/.kubectl-skills.yaml:3:1: the key \"policy\" is there already (remove one of the two)\n\
             a/.kubectl-skills.yaml:2:26: the key \"a\" is there already (remove one of the two)\n"
        );
        assert_eq!(
            reported("policy:\nlocked: ~\n"),
            "a/.kubectl-skills.yaml:1:1: policy: has no value (name a file, or leave the key out)\n\
             a/.kubectl-skills.yaml:2:1: locked: has no value (name a file, or leave the key out)\n"
        );
    }

    /// A key that were passed over would render something else than its author believes.
    #[test]
    fn every_defect_is_reported_with_its_place() {
        let keys = "profile, namespace, config-from, container, exclude, allow-none, recursive, exact, skill-folders, \
                    feature-gates, feature-gates-file, config-view, locked, policy, delivery, init-image, pull-secret, kube-version, \
                    pod-template-path";
        let text = "profil: head\nallow-none: \"true\"\nnamespace: [a]\ncontainer: 7\nconfig-from: [a.yaml, 1]\n\
                    feature-gates: {a: 'on'}\nexclude: ['a[']\nprofile: heads\nexact: 1\nconfig-view: ''\n\
                    pod-template-path: [W.g=a.b, W=a.b]\n";
        assert_eq!(
            reported(text),
            format!(
                "a/.kubectl-skills.yaml:1:1: profil: unknown key (did you mean profile? known are {keys})\n\
                 a/.kubectl-skills.yaml:2:13: allow-none: must be true or false, found a string (remove the quotes)\n\
                 a/.kubectl-skills.yaml:3:12: namespace: must be a string, found array\n\
                 a/.kubectl-skills.yaml:4:12: container: must be a string, found integer (quote it)\n\
                 a/.kubectl-skills.yaml:5:23: config-from[1]: must be a string, found integer (quote it)\n\
                 a/.kubectl-skills.yaml:6:20: feature-gates.a: must be true or false, found string\n\
                 a/.kubectl-skills.yaml:7:11: exclude: \"a[\": unclosed character class; missing ']'\n\
                 a/.kubectl-skills.yaml:8:10: profile: unknown value \"heads\" (did you mean head? known are auto, pr332, \
                 pr332-merged, no-trace, no-skills, two-layer, identity-removed, spiffe-helper, head, rossoctl)\n\
                 a/.kubectl-skills.yaml:9:8: exact: must be true or false, found integer\n\
                 a/.kubectl-skills.yaml:10:14: config-view: must not be empty (leave it out for the default)\n\
                 a/.kubectl-skills.yaml:11:30: pod-template-path: \"W=a.b\": the kind has no group; write KIND.GROUP=path, \
                 such as Workflow.example.com=spec.template\n"
            )
        );
        assert_eq!(reported("- a\n"), "a/.kubectl-skills.yaml:1:1: must be keys and values, found array\n");
        assert_eq!(
            reported("profile: head\n---\nexact: true\n"),
            "a/.kubectl-skills.yaml:2: a second document: the configuration is one\n"
        );
    }
}
