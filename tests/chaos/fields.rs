//! What is ours in a workload and what is not: every version that a replica made differs from the one before in our
//! fields alone, and nobody else owns less than before of what is theirs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::history::{History, Kind};

#[derive(Debug, Default)]
pub struct Report {
    /// Versions made by replicas that were compared.
    pub compared: usize,
    pub wrong: Vec<String>,
}

pub fn check(history: &History, replicas: &[&str]) -> Report {
    let mut report = Report::default();
    for (name, versions) in history.by_name() {
        if !matches!(name.0, Kind::Workload(_) | Kind::Runtime) {
            continue;
        }
        for pair in versions.windows(2) {
            let [before, after] = pair else { continue };
            let ours = history.author(after).is_some_and(|author| replicas.contains(&author.user.as_str()));
            let (Some(old), Some(new)) = (&before.object, &after.object) else { continue };
            if !ours {
                continue;
            }
            report.compared += 1;
            let view = match name.0 {
                Kind::Runtime => runtime_of_its_owner,
                _ => workload_of_its_owner,
            };
            let (theirs, still) = (view(old), view(new));
            if theirs != still {
                report.wrong.push(format!("revision {}: {name:?}: {theirs}\nbecame {still}", after.revision));
            }
            let (theirs, still) = (owned_by_others(old), owned_by_others(new));
            if theirs != still {
                let differs: Vec<_> = theirs.symmetric_difference(&still).collect();
                report
                    .wrong
                    .push(format!("revision {}: {name:?}: owners changed: {differs:?}", after.revision));
            }
        }
    }
    report
}

fn template(workload: &Value) -> &'static str {
    if workload["kind"] == "Sandbox" { "podTemplate" } else { "template" }
}

pub fn hash_of(workload: &Value) -> String {
    let at = format!("/spec/{}/metadata/annotations/kagenti.io~1config-hash", template(workload));
    workload.pointer(&at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Skill volumes with their images and where the agent has them.
pub fn skills_of(workload: &Value) -> Vec<Value> {
    let pod = format!("/spec/{}/spec", template(workload));
    let list =
        |at: &str| workload.pointer(&format!("{pod}{at}")).and_then(Value::as_array).into_iter().flatten();
    list("/volumes")
        .filter(|volume| is_skill(volume))
        .map(|volume| {
            let mount = list("/containers/0/volumeMounts").find(|mount| mount["name"] == volume["name"]);
            json!({"name": volume["name"], "image": volume["image"]["reference"],
                "path": mount.map(|mount| mount["mountPath"].clone())})
        })
        .collect()
}

fn is_skill(item: &Value) -> bool {
    item["name"].as_str().is_some_and(|name| name.starts_with("skill-"))
}

/// A workload without what is ours.
pub fn workload_of_its_owner(workload: &Value) -> Value {
    let mut object = workload.clone();
    let template = template(workload);
    drop_keys(&mut object, "", &["status"]);
    drop_keys(&mut object, "/metadata", &["resourceVersion", "generation", "managedFields"]);
    drop_keys(&mut object, "/metadata/labels", &["kagenti.io/type", "app.kubernetes.io/managed-by"]);
    drop_keys(
        &mut object,
        "/metadata/annotations",
        &[
            "kagenti.io/skills",
            "kagenti.io/restart-pending",
            "skills.kagenti.dev/restart-hash",
            "agents.x-k8s.io/pod-name",
        ],
    );
    if workload["kind"] == "Sandbox" {
        // Down and up again, in a restart.
        drop_keys(&mut object, "/spec", &["replicas"]);
    }
    drop_keys(&mut object, &format!("/spec/{template}/metadata/labels"), &["kagenti.io/type"]);
    drop_keys(&mut object, &format!("/spec/{template}/metadata/annotations"), &["kagenti.io/config-hash"]);
    let pod = format!("/spec/{template}/spec");
    drop_items(&mut object, &format!("{pod}/volumes"), is_skill);
    for list in ["containers", "initContainers"] {
        let count = object.pointer(&format!("{pod}/{list}")).and_then(Value::as_array).map_or(0, Vec::len);
        for index in 0..count {
            let container = format!("{pod}/{list}/{index}");
            drop_items(&mut object, &format!("{container}/volumeMounts"), is_skill);
            drop_items(&mut object, &format!("{container}/env"), |item| item["name"] == "SKILL_FOLDERS");
        }
    }
    without_empty(object)
}

/// An AgentRuntime without status and finalizers.
fn runtime_of_its_owner(runtime: &Value) -> Value {
    let mut object = runtime.clone();
    drop_keys(&mut object, "", &["status"]);
    drop_keys(&mut object, "/metadata", &["resourceVersion", "generation", "managedFields", "finalizers"]);
    object
}

fn drop_keys(object: &mut Value, at: &str, keys: &[&str]) {
    if let Some(Value::Object(map)) = object.pointer_mut(at) {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

fn drop_items(object: &mut Value, at: &str, drop: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(list)) = object.pointer_mut(at) {
        list.retain(|item| !drop(item));
    }
}

/// Maps and lists that hold nothing are not there.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map = map.into_iter().map(|(key, value)| (key, without_empty(value)));
            Value::Object(
                map.filter(|(key, value)| !is_empty(value) || key == "emptyDir").collect::<Map<_, _>>(),
            )
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_empty).collect()),
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Who owns what, but for us and what is ours.
fn owned_by_others(object: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    for entry in entries.into_iter().flatten().filter(|entry| entry["manager"] != "skills.kagenti.dev") {
        let at = format!("{} {}", entry["manager"], entry["operation"]);
        flatten(&entry["fieldsV1"], &at, &mut out);
    }
    // Lists of a Sandbox have no keys: who changes an item writes the list.
    let whole = ["f:volumes", "f:containers", "f:initContainers", "f:replicas"];
    let sandbox = object["kind"] == "Sandbox";
    out.retain(|path| {
        let ours = [
            "skill-",
            "kagenti.io/",
            "app.kubernetes.io/managed-by",
            "SKILL_FOLDERS",
            "agents.x-k8s.io/pod-name",
        ];
        let is_ours = ours.iter().any(|ours| path.contains(ours));
        let is_list = sandbox && whole.iter().any(|list| path.ends_with(list));
        !is_ours && !is_list
    });
    out
}

fn flatten(fields: &Value, at: &str, out: &mut BTreeSet<String>) {
    for (key, below) in fields.as_object().into_iter().flatten() {
        let path = format!("{at}/{key}");
        if below.as_object().is_some_and(Map::is_empty) {
            // That a map or list is there at all is nobody's in particular.
            if key != "." {
                out.insert(path);
            }
        } else {
            flatten(below, &path, out);
        }
    }
}

#[test]
fn a_foreign_field_that_changes_is_found_and_ours_is_not() {
    use crate::history::Author;
    let workload = |image: &str, hash: &str, owner: &str| {
        json!({"kind": "Deployment",
            "metadata": {"name": "a", "managedFields": [
                {"manager": owner, "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:image": {}}}}}},
                {"manager": "skills.kagenti.dev", "operation": "Apply", "fieldsV1": {"f:metadata": {}}},
            ]},
            "spec": {"template": {
                "metadata": {"annotations": {"kagenti.io/config-hash": hash}},
                "spec": {"containers": [{"name": "agent", "image": image}], "volumes": [{"name": format!("skill-{hash}")}]}}}})
    };
    let wrong = |after: Value| {
        let name = (Kind::Workload("Deployment"), "team0".to_owned(), "a".to_owned());
        let by = |user: &str| Author {
            user: user.to_owned(),
            agent: String::new(),
            received: jiff::Timestamp::UNIX_EPOCH,
        };
        let story = vec![
            (name.clone(), Some(workload("x:1", "1", "owner")), by("admin")),
            (name, Some(after), by("writer")),
        ];
        check(&History::reported(story), &["writer"]).wrong.len()
    };
    assert_eq!(wrong(workload("x:1", "2", "owner")), 0);
    assert_eq!(wrong(workload("x:2", "2", "owner")), 1);
    assert_eq!(wrong(workload("x:1", "2", "another")), 1);
}
