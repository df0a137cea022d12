//! Differences between objects for people: two trees in, a unified diff out, or the program of KUBECTL_EXTERNAL_DIFF.
//! What is compared with what is left to the verbs.

use std::path::Path;
use std::process::Command;

use owo_colors::OwoColorize as _;
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

use kubectl_skills::api::object::{Object, ObjectRef};
use kubectl_skills::plan::change_set::{Change, changes};
use kubectl_skills::yaml::emit;

use crate::exit::{Failure, Outcome};
use crate::printable;
use crate::sink;
use crate::sink::Report;

/// Where `kubectl apply` remembers what it applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// One object before and after.
#[derive(Debug)]
pub struct Pair {
    /// The object.
    pub id: ObjectRef,
    /// Before.
    pub before: Value,
    /// After.
    pub after: Value,
}

impl Pair {
    /// A pair of the states of one object.
    pub fn new(before: &Value, after: &Value, show_managed_fields: bool) -> Self {
        let id = Object(after).reference();
        Self { id, before: shown(before, show_managed_fields), after: shown(after, show_managed_fields) }
    }

    /// A pair of objects from files, where the namespace may stand elsewhere.
    pub fn of(id: &ObjectRef, before: &Value, after: &Value) -> Self {
        Self { id: id.clone(), ..Self::new(before, after, true) }
    }

    /// Name of the object as a file, as `kubectl diff` has it: `apps.v1.Deployment.team1.weather`.
    fn file_name(&self) -> String {
        let ObjectRef { api_version, kind, namespace, name } = &self.id;
        let name = [api_version.replace('/', ".").as_str(), kind, namespace, name].join(".");
        // A name in a file can be anything, a path among it.
        printable::line(&name.replace(['/', '\\', '\0'], "_")).into_owned()
    }

    /// Whether there is anything to see.
    pub fn differs(&self) -> bool {
        self.before != self.after
    }
}

/// An object without what every write changes and nobody decided on, its keys in order.
fn shown(object: &Value, show_managed_fields: bool) -> Value {
    let mut object = sorted(object);
    // Controllers write it between one look and the next, and no plan is about it.
    if let Value::Object(fields) = &mut object {
        fields.shift_remove("status");
    }
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        for field in ["generation", "resourceVersion"] {
            metadata.shift_remove(field);
        }
        if !show_managed_fields {
            metadata.shift_remove("managedFields");
            // The same for client-side apply; the server keeps it up to date when 'kubectl' applies server-side.
            if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
                annotations.shift_remove(LAST_APPLIED);
                if annotations.is_empty() {
                    metadata.shift_remove("annotations");
                }
            }
        }
    }
    object
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&map[key]))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A value as YAML, laid out as kubectl prints it; nothing for an object that is not there.
pub fn yaml(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    emit::document(value)
}

/// Shows the pairs that differ: by the program of KUBECTL_EXTERNAL_DIFF where that is set, else as one unified diff.
pub fn show(pairs: &[Pair], labels: (&str, &str)) -> Result<Outcome, Failure> {
    let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.differs()).collect();
    if pairs.is_empty() {
        return Ok(Outcome::Done);
    }
    match std::env::var("KUBECTL_EXTERNAL_DIFF") {
        Ok(program) if !program.trim().is_empty() => external(&program, &pairs, labels),
        _ => {
            let text: String = pairs.iter().map(|pair| unified(pair, labels)).collect();
            sink::styled(&text)?;
            Ok(Outcome::Found)
        }
    }
}

/// The pairs that differ as `diff -o json` and `-o yaml` print them.
pub fn show_object(format: Report, pairs: &[Pair]) -> Result<Outcome, Failure> {
    let objects: Vec<Value> = pairs.iter().filter(|pair| pair.differs()).map(object_json).collect();
    let outcome = if objects.is_empty() { Outcome::Done } else { Outcome::Found };
    let diff = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Diff", "objects": objects});
    sink::object(format, &diff)?;
    Ok(outcome)
}

fn object_json(pair: &Pair) -> Value {
    let ObjectRef { api_version, kind, namespace, name } = &pair.id;
    let changes: Vec<Value> = changes(&pair.before, &pair.after).iter().map(change_json).collect();
    json!({"apiVersion": api_version, "kind": kind, "namespace": namespace, "name": name, "changes": changes})
}

fn change_json(change: &Change) -> Value {
    json!({"path": change.path, "op": change.op.name(), "from": change.from, "to": change.to})
}

fn unified(pair: &Pair, (before, after): (&str, &str)) -> String {
    let (old, new) = (yaml(&pair.before), yaml(&pair.after));
    let (old, new) = (printable::lines(&old), printable::lines(&new));
    let diff = TextDiff::from_lines(&*old, &*new);
    let mut out = format!(
        "{}\n{}\n",
        format!("--- {before}/{}", pair.file_name()).bold(),
        format!("+++ {after}/{}", pair.file_name()).bold()
    );
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out.push_str(&format!("{}\n", hunk.header().to_string().cyan()));
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            match change.tag() {
                ChangeTag::Delete => out.push_str(&format!("{}\n", format!("-{line}").red())),
                ChangeTag::Insert => out.push_str(&format!("{}\n", format!("+{line}").green())),
                ChangeTag::Equal => out.push_str(&format!(" {line}\n")),
            }
        }
    }
    out
}

/// Runs an external program on two directories with a file for each object. Its arguments come after the directories, as
/// kubectl has it, but all of them: kubectl drops those with other characters than letters, digits, `-` and `=`.
fn external(program: &str, pairs: &[&Pair], (before, after): (&str, &str)) -> Result<Outcome, Failure> {
    let failed = |error| Failure::Io("temporary directory for KUBECTL_EXTERNAL_DIFF".into(), error);
    let directory = |label: &str| {
        tempfile::Builder::new().prefix(&format!("{}-", label.to_uppercase())).tempdir().map_err(failed)
    };
    let (old, new) = (directory(before)?, directory(after)?);
    for pair in pairs {
        write(old.path(), pair, &pair.before)?;
        write(new.path(), pair, &pair.after)?;
    }
    let mut words = program.split_whitespace();
    let name = words.next().unwrap_or_default();
    let status = Command::new(name)
        .args([old.path(), new.path()])
        .args(words)
        .status()
        .map_err(|error| Failure::Io(format!("KUBECTL_EXTERNAL_DIFF={program}"), error))?;
    match status.code() {
        Some(0) => Ok(Outcome::Done),
        Some(1) => Ok(Outcome::Found),
        _ => Err(Failure::Io(
            format!("KUBECTL_EXTERNAL_DIFF={program}"),
            std::io::Error::other(format!("it failed ({status})")),
        )),
    }
}

fn write(dir: &Path, pair: &Pair, value: &Value) -> Result<(), Failure> {
    let path = dir.join(pair.file_name());
    std::fs::write(&path, yaml(value)).map_err(|error| Failure::Io(path.display().to_string(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pair() -> Pair {
        let object = |generation: u32, image: &str| {
            json!({"kind": "Deployment", "apiVersion": "apps/v1",
                "metadata": {"name": "web", "namespace": "team1", "generation": generation, "managedFields": [generation]},
                "spec": {"image": image}})
        };
        Pair::new(&object(1, "a:1"), &object(2, "a:2"), false)
    }

    /// Generation and managedFields change with every write: shown, they bury the one line that matters.
    #[test]
    fn only_what_was_decided_is_shown() {
        let text = anstream::adapter::strip_str(&unified(&pair(), ("live", "planned"))).to_string();
        assert_eq!(
            text,
            "--- live/apps.v1.Deployment.team1.web\n+++ planned/apps.v1.Deployment.team1.web\n@@ -4,4 +4,4 @@\n   name: web\n   \
             namespace: team1\n spec:\n-  image: a:1\n+  image: a:2\n"
        );
    }

    /// One line of a thousand characters that repeats the object, and changes with it.
    #[test]
    fn what_kubectl_remembers_is_hidden_with_managed_fields() {
        let object =
            |applied: &str| json!({"metadata": {"name": "web", "annotations": {LAST_APPLIED: applied}}});
        assert!(!Pair::new(&object("a"), &object("b"), false).differs());
        assert!(!Pair::new(&json!({"metadata": {"name": "web"}}), &object("b"), false).differs());
        assert!(Pair::new(&object("a"), &object("b"), true).differs());
    }

    #[test]
    fn the_same_object_differs_in_nothing() {
        let object = json!({"metadata": {"name": "web"}, "spec": {"b": 1, "a": 2}});
        let other = json!({"spec": {"a": 2, "b": 1}, "metadata": {"name": "web", "generation": 7}, "status": {"replicas": 1}});
        assert!(!Pair::new(&object, &other, false).differs());
    }
}
