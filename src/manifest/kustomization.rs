//! What a kustomization says, read and not built: its patches, each with its place and what it is about, and the ConfigMaps that
//! it makes. Building is left to kustomize; which files there are, to the binary.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::{ObjectRef, Origin};
use crate::manifest::kustomize_images::teaches;
use crate::manifest::objects::{self, Object, Parsed};
use crate::manifest::stream::Source;
use crate::yaml::{Step, path};

/// Names of the file, as kustomize knows them.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Fields with patches.
const PATCHES: [&str; 3] = ["patches", "patchesJson6902", "patchesStrategicMerge"];

/// Whether a document of a file of this name is a kustomization or a Component. Any file may be given: the name of the file says
/// so, or the document does.
pub fn is_kustomization(file: &str, value: &Value) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    NAMES.contains(&name)
        || value
            .get("apiVersion")
            .and_then(Value::as_str)
            .is_some_and(|version| version.starts_with("kustomize.config.k8s.io/"))
}

/// What a patch is about: kind and name as they are written; `None` where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: Option<String>,
    /// The name.
    pub name: Option<String>,
}

impl Target {
    fn of(value: &Value, name: &str) -> Self {
        let text = |pointer: &str| {
            let found = value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            found.map(str::to_owned)
        };
        Self { kind: text("/kind"), name: text(name) }
    }

    /// Whether it may be about an object. Kind and name of a target are patterns, and a name may have got a prefix or suffix.
    pub fn may_be(&self, kind: &str, name: &str) -> bool {
        let is_pattern = |text: &str| text.contains(|c: char| "\\*+?()|[]{}^$".contains(c));
        self.kind.as_deref().is_none_or(|own| own == kind || is_pattern(own))
            && self.name.as_deref().is_none_or(|own| own.contains(name) || is_pattern(own))
    }
}

/// A patch.
pub struct Patch<'k> {
    /// Of its file.
    pub origin: Origin,
    /// Its place there, as `patches[0].patch`; empty for a file of its own.
    pub field: String,
    /// What it is about. Several kustomizations may use one file.
    pub targets: Vec<Target>,
    /// What it says: an object in part, or the operations of a JSON patch.
    pub value: Cow<'k, Value>,
    /// Where its places are found.
    text: Text<'k>,
}

enum Text<'k> {
    /// A document of a file of its own.
    File(&'k Parsed<'k>),
    /// A text within a kustomization.
    Within {
        /// The text, and the number of the document.
        source: Source,
        document: usize,
        /// What comes before its first line in the file.
        lines_before: usize,
        /// The place of all of it, where its lines are not those of the file.
        at: Option<(usize, usize)>,
    },
}

impl Patch<'_> {
    /// The patch with its text, which is read once, when the first place is asked for.
    pub fn open(&self) -> Opened<'_> {
        Opened { patch: self, parsed: OnceCell::new() }
    }
}

/// A patch of which several places are asked for.
pub struct Opened<'p> {
    patch: &'p Patch<'p>,
    parsed: OnceCell<Vec<Parsed<'p>>>,
}

impl Opened<'_> {
    /// An error about one of its places.
    pub fn error(&self, at: &[Step], message: String, help: String) -> InputError {
        let Patch { origin, field, text, .. } = self.patch;
        let (line, column) = match text {
            Text::File(parsed) => parsed.place_at(at),
            Text::Within { at: Some(place), .. } => *place,
            Text::Within { source, document, lines_before, at: None } => {
                let parsed = self.parsed.get_or_init(|| objects::readable(source));
                let whole = parsed.iter().find(|one| one.number() == *document);
                // Within a text the column counts from its own margin.
                (whole.map_or(1, |one| one.place_at(at).0) + lines_before, 0)
            }
        };
        let within = path::display(at).to_string();
        let field = match (field.as_str(), at) {
            (own, []) => own.to_owned(),
            ("", _) => within,
            (own, _) => format!("{own}: {within}"),
        };
        InputError {
            origin: Origin { line, ..origin.clone() },
            column,
            field,
            message,
            help,
            ..InputError::default()
        }
    }
}

/// A ConfigMap that a kustomization makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Its name in the files.
    pub name: String,
    /// Whether it is a skill, by its label or by a file SKILL.md.
    pub is_skill: bool,
    /// Where it is made.
    pub origin: Origin,
}

/// What a kustomization is built of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Manifests, by their names.
    pub files: BTreeSet<String>,
    /// It and the kustomizations below it, by the indexes of their files.
    pub kustomizations: BTreeSet<usize>,
    /// What they name under `configurations`, as [`plain_path`].
    pub configurations: BTreeSet<String>,
    /// Whether all that it is built of is among the files.
    pub is_whole: bool,
}

/// The kustomizations of files, and the files that they name.
pub struct Kustomizations<'s> {
    sources: &'s [Source],
    parsed: Vec<(usize, Vec<Parsed<'s>>)>,
    /// Folders with a kustomization, and the index of its file.
    folders: HashMap<String, usize>,
}

impl<'s> Kustomizations<'s> {
    /// Reads them. A document that cannot be read says nothing; kustomize refuses it.
    pub fn read(sources: &'s [Source]) -> Self {
        let parsed = sources.iter().enumerate().map(|(index, source)| (index, objects::readable(source)));
        let folder = |(index, source): (usize, &Source)| {
            let path = plain_path(&source.name);
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            NAMES.contains(&name).then(|| (folder.to_owned(), index))
        };
        let folders = sources.iter().enumerate().filter_map(folder).collect();
        Self { sources, parsed: parsed.collect(), folders }
    }

    /// Each document of a kustomization, with its file.
    pub fn each(&self) -> impl Iterator<Item = (&'s Source, Object<'_>)> {
        (0..self.sources.len()).flat_map(|index| self.of(index))
    }

    /// Those of one file.
    pub fn of(&self, index: usize) -> impl Iterator<Item = (&'s Source, Object<'_>)> {
        let source = &self.sources[index];
        let objects = self.parsed[index].1.iter().flat_map(Parsed::objects);
        objects
            .filter(move |object| is_kustomization(&source.name, object.value))
            .map(move |object| (source, object))
    }

    /// The texts of a field with paths of files, and their places; those that name this file.
    pub fn naming(&self, field: &str, file: &str) -> Vec<InputError> {
        let mut out = Vec::new();
        for (source, object) in self.each() {
            for (index, item) in list(object.value, field).iter().enumerate() {
                if item.as_str().is_some_and(|path| relative_to(&source.name, path) == relative_to("", file))
                {
                    out.push(object.error(&[Step::from(field), index.into()], "", ""));
                }
            }
        }
        out
    }

    /// All patches: those that stand in a kustomization, and those in the files that one names.
    pub fn patches(&self) -> Vec<Patch<'_>> {
        let mut out = Vec::new();
        let mut files: Vec<(String, Option<Target>)> = Vec::new();
        for (source, object) in self.each() {
            for field in PATCHES {
                for (index, item) in list(object.value, field).iter().enumerate() {
                    let mut at = vec![Step::from(field), index.into()];
                    let target = item.get("target").map(|target| Target::of(target, "/name"));
                    if let Some(path) = item.get("path").and_then(Value::as_str) {
                        files.push((relative_to(&source.name, path), target.clone()));
                    }
                    let text = match item {
                        Value::String(text) if text.contains('\n') || text.contains('{') => text,
                        Value::String(path) => {
                            files.push((relative_to(&source.name, path), None));
                            continue;
                        }
                        _ => match item.get("patch").and_then(Value::as_str) {
                            Some(text) => {
                                at.push("patch".into());
                                text
                            }
                            None => continue,
                        },
                    };
                    out.extend(inline(source, &object, &at, text, target.as_ref()));
                }
            }
        }
        for (index, parsed) in &self.parsed {
            let source = &self.sources[*index];
            let own = relative_to("", &source.name);
            let named: Vec<&Option<Target>> =
                files.iter().filter(|(file, _)| *file == own).map(|(_, target)| target).collect();
            if named.is_empty() {
                continue;
            }
            for one in parsed {
                let origin = Origin { file: source.name.clone(), document: one.number(), line: 1 };
                let targets = named.iter().map(|target| target_of(target.as_ref(), one.value())).collect();
                let value = Cow::Borrowed(one.value());
                out.push(Patch { origin, field: String::new(), targets, value, text: Text::File(one) });
            }
        }
        out
    }

    /// The ConfigMaps that they make.
    pub fn generated(&self) -> Vec<Generated> {
        let mut out = Vec::new();
        for (_, object) in self.each() {
            let all = object.value.pointer("/generatorOptions/labels");
            for (index, item) in list(object.value, "configMapGenerator").iter().enumerate() {
                let Some(name) = item.get("name").and_then(Value::as_str) else { continue };
                let files = list(item, "files").iter().filter_map(Value::as_str);
                let is_skill = [all, item.pointer("/options/labels")].into_iter().flatten().any(is_labelled)
                    || files.into_iter().any(|file| file.rsplit(['/', '=']).any(|part| part == "SKILL.md"));
                let (line, _) = object.place(&["configMapGenerator".into(), index.into()]);
                let origin = Origin { line, ..object.origin() };
                out.push(Generated { name: name.to_owned(), is_skill, origin });
            }
        }
        out
    }

    /// What the kustomization of a file is built of, as far as it is among these files and `manifests`: names of further ones, by
    /// [`plain_path`].
    pub fn reach(&self, file: usize, manifests: &BTreeMap<String, &str>) -> Reach {
        let mut out = Reach { is_whole: true, ..Reach::default() };
        let mut left = vec![file];
        while let Some(own) = left.pop() {
            if !out.kustomizations.insert(own) {
                continue;
            }
            for (source, object) in self.of(own) {
                let paths = |field: &'static str| list(object.value, field).iter().filter_map(Value::as_str);
                out.configurations
                    .extend(paths("configurations").map(|path| relative_to(&source.name, path)));
                for path in ["resources", "bases", "components"].into_iter().flat_map(paths) {
                    let path = relative_to(&source.name, path);
                    match (self.folders.get(&path), manifests.get(&path)) {
                        (Some(inner), _) => left.push(*inner),
                        (None, Some(name)) => drop(out.files.insert((*name).to_owned())),
                        (None, None) => out.is_whole = false,
                    }
                }
                out.is_whole &=
                    ["generators", "helmCharts"].iter().all(|field| list(object.value, field).is_empty());
            }
        }
        out
    }

    /// Whether `images` reach the skills of a list by these configuration files; so it is taken of one that is not here.
    pub fn has_images_of(&self, configurations: &BTreeSet<String>, list: &ObjectRef) -> bool {
        let teaches = |one: &Parsed| teaches(one.value(), &list.api_version, &list.kind);
        configurations.iter().any(|name| {
            let found = self.parsed.iter().find(|(index, _)| plain_path(&self.sources[*index].name) == *name);
            found.is_none_or(|(_, parsed)| parsed.iter().any(teaches))
        })
    }

    /// Whether any of the files teaches kustomize a field of a kind, as `configurations` do.
    pub fn configures(&self, kind: &str) -> bool {
        let of = |value: &Value, field| {
            list(value, field).iter().any(|one| one.get("kind").and_then(Value::as_str) == Some(kind))
        };
        let values = self.parsed.iter().flat_map(|(_, parsed)| parsed).map(Parsed::value);
        values.into_iter().any(|value| of(value, "namePrefix") || of(value, "nameSuffix"))
    }
}

fn is_labelled(labels: &Value) -> bool {
    let mut labels = labels.as_object().into_iter().flatten();
    labels.any(|(key, value)| key.ends_with(".io/type") && value.as_str() == Some("skill"))
}

/// A target, or else what an object in part names; nothing for the operations of a JSON patch.
fn target_of(target: Option<&Target>, value: &Value) -> Target {
    target.cloned().unwrap_or_else(|| Target::of(value, "/metadata/name"))
}

/// The patches of a text within a kustomization.
fn inline<'k>(
    source: &Source,
    object: &Object<'_>,
    at: &[Step],
    text: &str,
    target: Option<&Target>,
) -> Vec<Patch<'k>> {
    let own = Source { name: source.name.clone(), text: text.to_owned() };
    let (line, column) = object.place(at);
    // A block scalar has its first line after the one in which it begins.
    let is_block = source.text.lines().nth(line - 1).is_some_and(|line| {
        let from = line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at);
        line[from..].starts_with('|')
    });
    let mut out = Vec::new();
    for one in &objects::readable(&own) {
        out.push(Patch {
            origin: object.origin(),
            field: path::display(at).to_string(),
            targets: vec![target_of(target, one.value())],
            value: Cow::Owned(one.value().clone()),
            text: Text::Within {
                source: own.clone(),
                document: one.number(),
                lines_before: line,
                at: (!is_block).then_some((line, column)),
            },
        });
    }
    out
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The path of a file without `.` and `a/..`.
pub fn plain_path(file: &str) -> String {
    relative_to("", file)
}

/// A path that stands in a file, from where the path of the file counts, without `.` and `a/..`.
fn relative_to(file: &str, path: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let root = if path.starts_with('/') || file.starts_with('/') { "/" } else { "" };
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_their_file() {
        for (file, path, expected) in [
            ("./o/prod/kustomization.yaml", "../../base/a.yaml", "base/a.yaml"),
            ("kustomization.yaml", "./a.yaml", "a.yaml"),
            ("", "./a/b.yaml", "a/b.yaml"),
            ("/r/o/kustomization.yaml", "../a.yaml", "/r/a.yaml"),
            ("../o/kustomization.yaml", "../a.yaml", "../a.yaml"),
            ("", "/r/a.yaml", "/r/a.yaml"),
        ] {
            assert_eq!(relative_to(file, path), expected, "{file} {path}");
        }
    }

    #[test]
    fn a_patch_is_about_what_its_target_says() {
        let of = |kind: Option<&str>, name: Option<&str>| Target {
            kind: kind.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        for (target, expected) in [
            (of(None, None), true),
            (of(Some("Deployment"), Some("clerk")), true),
            (of(Some("Deployment"), Some("st-clerk")), true),
            (of(Some("Deployment|StatefulSet"), Some(".*")), true),
            (of(Some("Service"), Some("clerk")), false),
            (of(Some("Deployment"), Some("other")), false),
        ] {
            assert_eq!(target.may_be("Deployment", "clerk"), expected, "{target:?}");
        }
    }
}
