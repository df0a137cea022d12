//! Every `reconcile` vector that the API server takes, against a real one: `apply --exact` leaves the workload that the
//! operator left, and a second `apply` and `diff` find nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::objects::path_of;
use crate::server::{CURRENT, Server};

/// What became of a case.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Same,
    /// The operator's own update is refused by this server, and ours with it.
    BothRefused,
    /// AgentRuntime or workload cannot be created in the first place.
    NotAccepted(String),
    Different(String),
}

#[test]
fn apply_leaves_what_the_operator_leaves() {
    let sandboxes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/sandboxes.yaml");
    let server = Server::start(CURRENT, &["--crd", sandboxes.to_str().expect("a path")]);
    server.namespace("kagenti-system");
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let mut different = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        let name = case["name"].as_str().expect("a name");
        // Failing clients cannot be had from a real server.
        if case.pointer("/input/faults").is_some() || case.pointer("/input/workload").is_none() {
            continue;
        }
        let outcome = run(&server, case, &format!("v{number}"));
        *tally
            .entry(match &outcome {
                Outcome::Same => "same",
                Outcome::BothRefused => "refused on both sides",
                Outcome::NotAccepted(_) => "not accepted",
                Outcome::Different(_) => "different",
            })
            .or_default() += 1;
        match outcome {
            Outcome::Different(why) => different.push(format!("{name}: {why}")),
            Outcome::NotAccepted(why) => *refusals.entry(why).or_default() += 1,
            Outcome::Same | Outcome::BothRefused => {}
        }
    }
    println!("reconcile vectors on {CURRENT}: {tally:?}; not accepted: {refusals:#?}");
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert!(tally["same"] > 110, "too few cases: {tally:?}");
}

pub fn cases() -> Vec<Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors/pr332");
    let mut files: Vec<_> =
        std::fs::read_dir(dir).expect("vectors").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut out = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "jsonl")) {
        for line in std::fs::read_to_string(file).expect("a file").lines() {
            let case: Value = serde_json::from_str(line).expect("a case");
            if case["op"] == "reconcile" {
                out.push(case);
            }
        }
    }
    out
}

fn run(server: &Server, case: &Value, namespace: &str) -> Outcome {
    server.namespace(namespace);
    let input = &case["input"];
    let mut system = Vec::new();
    let mut refused = None;
    for object in
        input["objects"].as_array().into_iter().flatten().filter(|object| object["kind"] == "ConfigMap")
    {
        let object = moved(object, namespace);
        let path = path_of(&object);
        let (code, answer) = server.request("POST", &path, Some(&object));
        if code == 201 && object["metadata"]["namespace"] == "kagenti-system" {
            system.push(format!("{path}/{}", object["metadata"]["name"].as_str().expect("a name")));
        }
        // Some vectors have keys that no API server takes, or ConfigMaps of namespaces that are nobody's here.
        if code != 201 && code != 404 {
            refused = Some(why("ConfigMap", &answer));
        }
    }
    let outcome = match refused {
        None => apply(server, case, namespace),
        Some(why) => Outcome::NotAccepted(why),
    };
    for path in system {
        server.request("DELETE", &path, None);
    }
    outcome
}

/// The kind that was refused, and the field.
fn why(kind: &str, answer: &Value) -> String {
    let field = answer.pointer("/details/causes/0/field").and_then(Value::as_str);
    format!("{kind} {}", field.or(answer["message"].as_str()).unwrap_or_default())
}

fn apply(server: &Server, case: &Value, namespace: &str) -> Outcome {
    let input = &case["input"];
    let workload = moved(&input["workload"], namespace);
    let runtime = moved(&input["agentRuntime"], namespace);
    for object in [&workload, &runtime] {
        let (code, answer) = server.request("POST", &path_of(object), Some(object));
        if code != 201 {
            return Outcome::NotAccepted(why(object["kind"].as_str().unwrap_or_default(), &answer));
        }
    }
    let name = runtime["metadata"]["name"].as_str().expect("a name");
    if input.pointer("/agentRuntime/metadata/deletionTimestamp").is_some() {
        server.request("DELETE", &format!("{}/{name}", path_of(&runtime)), None);
    }
    let live = format!("{}/{}", path_of(&workload), workload["metadata"]["name"].as_str().expect("a name"));
    let before = stored(server, &live);
    let gates = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(gates.path(), input["featureGatesFile"].as_str().unwrap_or_default())
        .expect("a writable file");
    let view = if input["configMapView"] == "operatorCache" { "cache" } else { "full" };
    let args = |verb| {
        let mut args = vec![
            verb,
            "-n",
            runtime["metadata"]["namespace"].as_str().expect("a namespace"),
            name,
            "--profile",
            "pr332",
            "--exact",
            "--config-view",
            view,
        ];
        args.extend(["--feature-gates-file", gates.path().to_str().expect("a path")]);
        if verb == "apply" {
            args.push("--force-conflicts");
        }
        args
    };
    let said = server.skills(&args("apply"));
    let after = stored(server, &live);
    if !case["output"]["featureGatesError"].is_null() {
        // The operator would not even start with such a gates file.
        return if said.code == 3 && before == after {
            Outcome::BothRefused
        } else {
            Outcome::Different(format!("{said:?}"))
        };
    }
    let mut expected = moved(last_workload(case), namespace);
    expected["metadata"]["name"] = json!("expected");
    let (code, wanted) =
        server.request("POST", &format!("{}?dryRun=All", path_of(&workload)), Some(&expected));
    if code != 201 {
        return match (said.code, before == after) {
            (3 | 4, true) => Outcome::BothRefused,
            (code, same) => Outcome::Different(format!(
                "exit code {code}, unchanged: {same}, but the server refuses the operator's: {wanted}"
            )),
        };
    }
    let wanted = normalized(wanted);
    if after != wanted {
        return Outcome::Different(format!(
            "exit code {}: {}\n  stored {after}\n  wanted {wanted}",
            said.code,
            said.stderr.trim()
        ));
    }
    let again = server.skills(&args("apply"));
    if said.code == 0 && (again.code != 0 || again.stdout.contains("applied")) {
        return Outcome::Different(format!("a second apply says {again:?}"));
    }
    let diff = server.skills(&args("diff"));
    if said.code == 0 && (diff.code != 0 || !diff.stdout.is_empty()) {
        return Outcome::Different(format!("diff says {diff:?}"));
    }
    Outcome::Same
}

/// The workload as the operator left it in the end.
pub fn last_workload(case: &Value) -> &Value {
    let output = &case["output"];
    let later = output["subsequent"].as_array().into_iter().flatten().rev().map(|run| &run["workload"]);
    later
        .chain([&output["workload"], &case["input"]["workload"]])
        .find(|workload| workload.is_object())
        .expect("a workload")
}

pub fn moved(object: &Value, namespace: &str) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in
        ["resourceVersion", "uid", "generation", "creationTimestamp", "deletionTimestamp", "managedFields"]
    {
        metadata.remove(field);
    }
    if metadata["namespace"] == "team1" {
        metadata.insert("namespace".into(), namespace.into());
    }
    object.as_object_mut().expect("an object").remove("status");
    object
}

pub fn stored(server: &Server, path: &str) -> Value {
    normalized(server.get(path))
}

/// Without what the server adds to any object, keyed lists in the order of their keys: their order means nothing.
pub fn normalized(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in
        ["resourceVersion", "uid", "generation", "creationTimestamp", "managedFields", "name", "namespace"]
    {
        metadata.remove(field);
    }
    metadata.retain(|_, value| value != &json!({}));
    object.as_object_mut().expect("an object").remove("status");
    if let Some(Value::Object(pod)) = object.pointer_mut("/spec/template/spec") {
        sort(pod.get_mut("volumes"), "name");
        for container in pod.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            sort(container.get_mut("volumeMounts"), "mountPath");
        }
    }
    object
}

fn sort(list: Option<&mut Value>, key: &str) {
    if let Some(Value::Array(items)) = list {
        items.sort_by_key(|item| item[key].as_str().unwrap_or_default().to_owned());
    }
}
