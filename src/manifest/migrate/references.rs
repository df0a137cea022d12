//! References to what moves: patches of kustomizations and other objects in, each place with what
//! to do about it out. None of it is edited: what a patch should be then is somebody's decision.

use std::collections::HashMap;

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::names::SKILL_BINDING;
use crate::api::object::{ObjectRef, Origin};
use crate::manifest::kustomization::{Kustomizations, Patch};
use crate::manifest::kustomize_configuration::COMMAND;
use crate::manifest::render::Edited;
use crate::manifest::stream::Source;
use crate::yaml::Step;

/// What happens to a list of skills.
#[derive(Debug, Clone)]
pub(super) enum OfList {
    /// It is in another object now, and its document is gone.
    Gone { to: ObjectRef },
    /// It is in another object now.
    Moved { to: ObjectRef },
    /// It has more skills now.
    Longer,
}

/// What patches and replacements say of lists that move. `patches`: those of `files`.
pub(super) fn of_lists(
    files: &Kustomizations<'_>,
    patches: &[Patch<'_>],
    lists: &[(ObjectRef, OfList)],
) -> Vec<InputError> {
    let replacements = replacements(files);
    let mut out = Vec::new();
    for (list, what) in lists {
        for patch in patches {
            if !patch.targets.iter().any(|one| one.may_be(&list.kind, &list.name)) {
                continue;
            }
            let places = match patch.value.as_array() {
                None => of_object(&patch.value, what),
                Some(operations) => of_operations(operations, what),
            };
            let patch = patch.open();
            for path in places {
                let (message, help) = match what {
                    OfList::Gone { to } => (
                        format!("the patch is about {list}, which is gone"),
                        format!(
                            "write it for {to}, or take it out: kustomize stops at a patch that matches nothing"
                        ),
                    ),
                    OfList::Moved { to } => (
                        format!("the patch states a list of {list}, which is in {to} now"),
                        format!("write it for {to}, or the skills are in two lists"),
                    ),
                    OfList::Longer => (
                        format!("the patch replaces the list of {list}, into which skills have moved"),
                        "add them in the patch as well: lists of custom resources are replaced as a whole"
                            .to_owned(),
                    ),
                };
                out.push(patch.error(&path, message, help));
            }
        }
        let kind = format!("\"{}\"", list.kind);
        for (_, place) in replacements.iter().filter(|(text, _)| text.contains(&kind)) {
            let message = format!("the replacement is about skills of a list that changes, as {list}");
            let help = "see whether it still means the same".to_owned();
            out.push(InputError { message, help, ..place.clone() });
        }
    }
    out
}

/// The places of an object in part that are about its list.
fn of_object(value: &Value, what: &OfList) -> Vec<Vec<Step>> {
    if let OfList::Gone { .. } = what {
        return vec![Vec::new()];
    }
    let is_stated = value.pointer("/spec/skills").is_some();
    if is_stated { vec![vec!["spec".into(), "skills".into()]] } else { Vec::new() }
}

/// The operations of a JSON patch that are about the list.
fn of_operations(operations: &[Value], what: &OfList) -> Vec<Vec<Step>> {
    let mut out = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let path = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
        let is_meant = match what {
            OfList::Gone { .. } => true,
            // What is added to it, or changed in it by its index, still means the same.
            OfList::Longer => path("path") == "/spec/skills",
            OfList::Moved { .. } => ["path", "from"]
                .iter()
                .any(|key| path(key).starts_with("/spec/skills") || path(key) == "/spec"),
        };
        if is_meant {
            out.push(vec![index.into()]);
        }
    }
    out
}

/// The replacements that write into or read a list, as text, each with its place.
fn replacements(files: &Kustomizations<'_>) -> Vec<(String, InputError)> {
    let mut out = Vec::new();
    for (_, object) in files.each() {
        let all = object.value.get("replacements").and_then(Value::as_array).into_iter().flatten();
        for (index, one) in all.enumerate() {
            let text = one.to_string();
            if text.contains("spec.skills") {
                out.push((text, object.error(&[Step::from("replacements"), index.into()], "", "")));
            }
        }
    }
    out
}

/// Prefixes and suffixes of kustomizations, for SkillBindings that are new: kustomize does not know that they name a workload.
pub(super) fn of_names(files: &Kustomizations<'_>) -> Vec<InputError> {
    if files.configures(SKILL_BINDING) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (_, object) in files.each() {
        for field in ["namePrefix", "nameSuffix"] {
            let is_set = object.value.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            if is_set {
                let message = format!(
                    "renames workloads, and kustomize does not change spec.targetRef.name of a {SKILL_BINDING}"
                );
                let help = format!(
                    "write the file that teaches it, '{COMMAND}', and name it under 'configurations:' of the base, see \
                     docs/migrate.md#prefixes"
                );
                out.push(object.error(&[Step::from(field)], message, help));
            }
        }
    }
    out
}

/// Entries of kustomizations that name files of which nothing is left.
pub(super) fn of_files<'f>(
    files: &Kustomizations<'_>,
    removed: impl Iterator<Item = &'f str>,
) -> Vec<InputError> {
    let mut out = Vec::new();
    for file in removed {
        for place in files.naming("resources", file) {
            out.push(InputError {
                message: format!("lists {file}, of which nothing is left"),
                help: "take the line out: kustomize stops at a file that is not there".to_owned(),
                ..place
            });
        }
    }
    out
}

/// Comments that go with the lines on which they stand.
pub(super) fn lost_comments(sources: &[Source], edited: &Edited) -> Vec<InputError> {
    let mut out = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let Some(after) = edited.text(index, &source.text) else { continue };
        // How often each is there still.
        let mut left: HashMap<&str, usize> = HashMap::new();
        for own in after.lines().filter_map(comment) {
            *left.entry(own).or_default() += 1;
        }
        for (line, text) in source.text.lines().enumerate() {
            let Some(own) = comment(text) else { continue };
            match left.get_mut(own).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => out.push(InputError {
                    origin: Origin { file: source.name.clone(), document: 1, line: line + 1 },
                    message: format!("the comment goes with what it is about: {own}"),
                    ..InputError::default()
                }),
            }
        }
    }
    out
}

/// The comment of a line, where it may be one.
fn comment(line: &str) -> Option<&str> {
    let own = line.trim();
    if own.starts_with('#') {
        return Some(own);
    }
    own.find(" #").map(|at| own[at + 1..].trim_end())
}
