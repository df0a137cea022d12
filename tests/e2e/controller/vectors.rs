//! Every `reconcile` vector of `pr332` that the API server takes, through the running controller with `--exact`: workload,
//! conditions and events are the operator's, but for the deviations named here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Controller, events};
use crate::objects::{one, path_of};
use crate::server::{CURRENT, Server};
use crate::vectors::{cases, last_workload, moved, normalized, stored};

/// Cases at the same time. Those with ConfigMaps of the operator run alone.
const AT_ONCE: usize = 3;
/// How long a case may take to become what it should be.
const PATIENCE: Duration = Duration::from_secs(15);

/// Cases that come out otherwise, and why.
const DEVIATIONS: [(&str, &str); 2] = [
    ("status/card-discovery-no-service", "cards are not looked for: no condition CardSynced"),
    (
        "status/second-agentruntime-same-target",
        "the case runs one of the two, the controller both, the later one last (Q15)",
    ),
];

#[test]
fn the_running_controller_does_what_the_operator_does() {
    let sandboxes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/sandboxes.yaml");
    let server = Server::start(CURRENT, &["--crd", sandboxes.to_str().expect("a path")]);
    server.namespace("kagenti-system");
    let all: Vec<Value> =
        cases().into_iter().filter(|case| case.pointer("/input/faults").is_none()).collect();
    let next = AtomicUsize::new(0);
    let system = RwLock::new(());
    let results: Mutex<BTreeMap<String, Result<&str, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = all.get(number) else { break };
                    let name = case["name"].as_str().expect("a name");
                    let namespace = format!("case-{number}-of-vectors");
                    let result = if has_system_maps(case) {
                        let _alone = system.write().expect("a lock");
                        run(&server, case, &namespace)
                    } else {
                        let _shared = system.read().expect("a lock");
                        run(&server, case, &namespace)
                    };
                    results.lock().expect("a lock").insert(name.to_owned(), result);
                }
            });
        }
    });
    let results = results.into_inner().expect("results");
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut different = BTreeSet::new();
    for (name, result) in &results {
        *tally.entry(result.as_ref().map_or("different", |outcome| outcome)).or_default() += 1;
        if let Err(why) = result {
            println!("{name}: {why}");
            different.insert(name.as_str());
        }
    }
    println!("reconcile vectors through the controller on {CURRENT}: {tally:?}");
    let named: BTreeSet<&str> = DEVIATIONS.iter().map(|(name, _)| *name).collect();
    // Which of two that share a workload comes last is a matter of time: such a case may come out as the operator's.
    let unnamed: Vec<_> = different.difference(&named).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    assert!(tally["same"] > 120, "too few cases: {tally:?}");
}

fn has_system_maps(case: &Value) -> bool {
    let objects = case.pointer("/input/objects").and_then(Value::as_array);
    objects.into_iter().flatten().any(|object| object["metadata"]["namespace"] == "kagenti-system")
}

fn run(server: &Server, case: &Value, namespace: &str) -> Result<&'static str, String> {
    server.namespace(namespace);
    let mut shared = Vec::new();
    let mut accepted = true;
    for object in case.pointer("/input/objects").and_then(Value::as_array).into_iter().flatten() {
        let object = moved(object, namespace);
        let (code, _) = server.request("POST", &path_of(&object), Some(&object));
        if code == 201 && object["metadata"]["namespace"] == "kagenti-system" {
            shared.push(one(&object));
        }
        accepted &= code == 201;
    }
    let result = if accepted { drive(server, case, namespace) } else { Ok("not accepted") };
    for path in shared {
        server.request("DELETE", &path, None);
    }
    result
}

fn drive(server: &Server, case: &Value, namespace: &str) -> Result<&'static str, String> {
    let scene = match Scene::set(server, case, namespace) {
        Ok(scene) => scene,
        Err(why) => return Ok(why),
    };
    let controller = Controller::start(server, &scene.arguments());
    let result = scene.settles(server);
    drop(controller);
    result.map(|()| "same")
}

/// A case that the API server has taken: its AgentRuntime and workload, and what should become of them.
pub struct Scene {
    pub runtime: Value,
    pub workload: Option<Value>,
    pub namespace: String,
    gates: tempfile::NamedTempFile,
    pub wanted: Wanted,
}

/// The end of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub workload: Option<Value>,
    pub status: Value,
    pub events: BTreeSet<String>,
    pub gone: bool,
}

impl Scene {
    /// Puts the objects of a case in place; why not, where the API server or the operator would not have it.
    pub fn set(server: &Server, case: &Value, namespace: &str) -> Result<Self, &'static str> {
        let input = &case["input"];
        let runtime = moved(&input["agentRuntime"], namespace);
        let workload =
            input.get("workload").filter(|workload| workload.is_object()).map(|w| moved(w, namespace));
        if let Some(workload) = &workload
            && server.request("POST", &path_of(workload), Some(workload)).0 != 201
        {
            return Err("not accepted");
        }
        let (code, created) = server.request("POST", &path_of(&runtime), Some(&runtime));
        if code != 201 {
            return Err("not accepted");
        }
        let before = input
            .pointer("/agentRuntime/status")
            .filter(|status| status.as_object().is_some_and(|map| !map.is_empty()));
        if let Some(status) = before {
            let mut object = created;
            object["status"] = status.clone();
            if server.request("PUT", &format!("{}/status", one(&runtime)), Some(&object)).0 != 200 {
                return Err("not accepted");
            }
        }
        if input.pointer("/agentRuntime/metadata/deletionTimestamp").is_some() {
            server.request("DELETE", &one(&runtime), None);
        }
        let gates = tempfile::NamedTempFile::new().expect("a file");
        let text = input["featureGatesFile"].as_str().unwrap_or_default();
        std::fs::write(gates.path(), text).expect("a writable file");
        if !case["output"]["featureGatesError"].is_null() {
            // The operator would not start with such a file, and neither does the controller.
            return Err("no start");
        }
        let wanted = Wanted::of(server, case, namespace, workload.as_ref())?;
        Ok(Self { runtime, workload, namespace: namespace.to_owned(), gates, wanted })
    }

    /// How the controller is started for it.
    pub fn arguments(&self) -> Vec<&str> {
        vec![
            "--namespaces",
            self.runtime["metadata"]["namespace"].as_str().expect("a namespace"),
            "--exact",
            "--profile",
            "pr332",
            "--config-view",
            "full",
            "--feature-gates-path",
            self.gates.path().to_str().expect("a path"),
        ]
    }

    /// Whether all is as wanted now.
    pub fn look(&self, server: &Server) -> Result<(), String> {
        let Self { runtime, workload, namespace, wanted, .. } = self;
        let found = workload.as_ref().map(|workload| stored(server, &one(workload)));
        if found != wanted.workload {
            return Err(format!(
                "workload\n  stored {}\n  wanted {}",
                text_of(&found),
                text_of(&wanted.workload)
            ));
        }
        let (code, object) = server.request("GET", &one(runtime), None);
        if wanted.gone != (code == 404) {
            return Err(format!("the AgentRuntime: {code}, wanted it gone: {}", wanted.gone));
        }
        let found = status(object.get("status").unwrap_or(&Value::Null), namespace);
        if !wanted.gone && found != wanted.status {
            return Err(format!("status\n  stored {found}\n  wanted {}", wanted.status));
        }
        let found: BTreeSet<String> = events(server, runtime).into_iter().collect();
        if found != wanted.events {
            return Err(format!("events\n  seen   {found:?}\n  wanted {:?}", wanted.events));
        }
        Ok(())
    }

    /// Waits until all is as wanted, and sees that it stays so.
    pub fn settles(&self, server: &Server) -> Result<(), String> {
        let started = Instant::now();
        let mut result = self.look(server);
        while result.is_err() && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(200));
            result = self.look(server);
        }
        result?;
        std::thread::sleep(Duration::from_millis(700));
        self.look(server)
    }
}

impl Wanted {
    /// What the operator made of a case, after the server's defaulting; why not, where the server refuses that.
    pub fn of(
        server: &Server,
        case: &Value,
        namespace: &str,
        workload: Option<&Value>,
    ) -> Result<Self, &'static str> {
        let workload = match workload {
            None => None,
            Some(workload) => {
                let mut expected = moved(last_workload(case), namespace);
                expected["metadata"]["name"] = json!("expected");
                let (code, wanted) =
                    server.request("POST", &format!("{}?dryRun=All", path_of(workload)), Some(&expected));
                if code != 201 {
                    return Err("refused by the API server");
                }
                Some(normalized(wanted))
            }
        };
        Ok(Self {
            workload,
            status: status(last_status(case), namespace),
            events: event_set(case, namespace),
            gone: case["output"]["agentRuntimeGone"] == true,
        })
    }
}

fn text_of(object: &Option<Value>) -> String {
    object.as_ref().map_or("none".to_owned(), Value::to_string)
}

fn last_status(case: &Value) -> &Value {
    let output = &case["output"];
    let later =
        output["subsequent"].as_array().into_iter().flatten().rev().map(|run| &run["agentRuntimeStatus"]);
    later.chain([&output["agentRuntimeStatus"]]).find(|status| status.is_object()).unwrap_or(&Value::Null)
}

/// A status without times and generations, conditions by type, the namespace's own name taken out.
fn status(status: &Value, namespace: &str) -> Value {
    let mut status = status.clone();
    if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
        for condition in conditions.iter_mut() {
            let map = condition.as_object_mut().expect("a condition");
            map.remove("lastTransitionTime");
            map.remove("observedGeneration");
            let message = map["message"].as_str().unwrap_or_default().replace(namespace, "team1");
            map.insert("message".into(), message.into());
        }
        conditions.sort_by_key(|condition| condition["type"].as_str().unwrap_or_default().to_owned());
    }
    let mut sorted: Vec<(String, Value)> =
        status.as_object().cloned().unwrap_or_default().into_iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    let text: Vec<(String, String)> =
        sorted.into_iter().map(|(key, value)| (key, canonical(&value))).collect();
    json!(text)
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let items: Vec<String> =
                keys.iter().map(|key| format!("{key}:{}", canonical(&map[*key]))).collect();
            format!("{{{}}}", items.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The different events of all runs: the controller sends each once, the operator on every run.
fn event_set(case: &Value, namespace: &str) -> BTreeSet<String> {
    let output = &case["output"];
    let later = output["subsequent"].as_array().into_iter().flatten().map(|run| &run["events"]);
    [&output["events"]]
        .into_iter()
        .chain(later)
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .map(|event| event.replace("team1", namespace))
        .collect()
}
