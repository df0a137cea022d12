//! The `reconcile` vectors of `pr332` with injected API faults, which the library's tests set apart: the running
//! controller behind a proxy that answers the very fault of the vector. Workload, status, events and the next attempt are
//! the operator's, but for the deviations of docs/compatibility.md, each with a test of what is done instead.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Controller, condition, eventually, put, until_condition};
use super::vectors::{Scene, Wanted};
use crate::objects::path_of;
use crate::proxy::{Fault, Proxy, Seen};
use crate::server::{CURRENT, Server};
use crate::vectors::{cases, moved};

/// All of them, by what is held.
const AS_THE_OPERATOR: [&str; 5] = [
    "status/update-forbidden",
    "status/update-conflict-once",
    "sandbox/update-fails-in-phase1",
    "deletion/update-forbidden",
    "deletion/update-conflict-once",
];
const OTHERWISE: [&str; 3] =
    ["status/update-invalid", "status/get-workload-internal-error", "configmap-templates/create-forbidden"];

/// The fault of a vector, as the API server would answer it; none once `over`.
fn fault(case: &Value, over: &Arc<AtomicBool>) -> Fault {
    let fault = case["input"]["faults"][0].clone();
    let text = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
    let (verb, kind, error) = (text("verb"), text("kind"), text("error"));
    let plural = format!("{}s", kind.to_lowercase());
    let name = case["input"]["workload"]["metadata"]["name"].as_str().unwrap_or_default();
    let said = match text("message").as_str() {
        "" => "injected".to_owned(),
        message => message.to_owned(),
    };
    // In the words of Kubernetes' own library, which the vectors were made with.
    let (code, message) = match error.as_str() {
        "Forbidden" => (403, format!("{plural} \"{name}\" is forbidden: {said}")),
        "Conflict" => (409, format!("Operation cannot be fulfilled on {plural} \"{name}\": {said}")),
        "InternalError" => (500, format!("Internal error occurred: {said}")),
        other => panic!("no answer for {other}"),
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": error,
        "message": message});
    // Resources of the API, not of the vectors, which say `sandboxs`.
    let resource = if kind == "Sandbox" { "/sandboxes".to_owned() } else { format!("/{plural}") };
    let once = fault["times"] == 1;
    let (spent, over) = (AtomicBool::new(false), Arc::clone(over));
    Box::new(move |request: &Seen| {
        let about = match verb.as_str() {
            // What the operator updates is patched here.
            "update" => request.method == "PATCH" || request.method == "PUT",
            "create" => request.method == "POST",
            "get" => request.method == "GET",
            other => panic!("no requests for {other}"),
        };
        let meant = about && request.path.contains(&resource) && !over.load(Ordering::Relaxed);
        // Once is for a write: what was tried before it by dry run is no attempt of the operator's.
        let due = || !once || (request.writes() && !spent.swap(true, Ordering::Relaxed));
        (meant && due()).then(|| (code, status.clone()))
    })
}

/// A case on stage, with the proxy in front of it and the controller behind it.
struct Play {
    scene: Scene,
    proxy: Proxy,
    over: Arc<AtomicBool>,
}

impl Play {
    fn new(server: &Server, case: &Value, namespace: &str) -> Self {
        server.namespace(namespace);
        for object in case.pointer("/input/objects").and_then(Value::as_array).into_iter().flatten() {
            put(server, &moved(object, namespace));
        }
        let scene = Scene::set(server, case, namespace).expect("a case that the API server takes");
        let over = Arc::default();
        let proxy = Proxy::start(server, fault(case, &over));
        Self { scene, proxy, over }
    }

    fn start(&self, server: &Server) -> Controller {
        Controller::start(server, &[&["--server", &self.proxy.address][..], &self.scene.arguments()].concat())
    }

    /// Moments at which the fault was met.
    fn faults(&self) -> Vec<Instant> {
        self.proxy.seen().iter().filter(|seen| seen.faulty).map(|seen| seen.at).collect()
    }

    /// Waits for so many of them; the pauses in between.
    fn pauses(&self, count: usize) -> Vec<Duration> {
        let met = eventually("more attempts", || Some(self.faults()).filter(|met| met.len() >= count));
        met.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

fn case_of(name: &str) -> Value {
    cases().into_iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("no case {name}"))
}

#[test]
fn what_the_api_server_refuses_comes_out_as_in_the_vectors() {
    let all: BTreeSet<String> = cases()
        .iter()
        .filter(|case| case.pointer("/input/faults").is_some())
        .map(|case| case["name"].as_str().expect("a name").to_owned())
        .collect();
    let held = AS_THE_OPERATOR.iter().chain(&OTHERWISE).map(|name| (*name).to_owned());
    assert_eq!(all, held.collect(), "each vector with faults has a test here");
    let sandboxes =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/sandboxes.yaml");
    let server = Server::start(CURRENT, &["--crd", sandboxes.to_str().expect("a path")]);
    server.namespace("kagenti-system");
    // The waits of one are the others' time.
    std::thread::scope(|scope| {
        for (number, name) in AS_THE_OPERATOR.iter().enumerate() {
            let server = &server;
            scope.spawn(move || as_the_operator(server, name, &format!("fault-{number}")));
        }
        scope.spawn(|| a_failure_that_stays_is_told_and_tried_again_soon(&server, "fault-stays"));
        scope.spawn(|| a_list_that_fails_is_no_missing_workload(&server, "fault-list"));
        scope.spawn(|| a_read_that_fails_is_no_missing_workload(&server, "fault-read"));
    });
    // Its ConfigMaps are in the hash of every namespace.
    configmaps_are_not_copied(&server, "fault-maps");
    println!(
        "vectors with API faults: {} as the operator, {} otherwise, as documented",
        AS_THE_OPERATOR.len(),
        OTHERWISE.len()
    );
}

fn as_the_operator(server: &Server, name: &str, namespace: &str) {
    let case = case_of(name);
    let play = Play::new(server, &case, namespace);
    let controller = play.start(server);
    eventually("the fault", || (!play.faults().is_empty()).then_some(()));
    play.scene.settles(server).unwrap_or_else(|why| panic!("{name}: {why}"));
    if case["input"]["faults"][0]["times"] == 1 {
        assert_eq!(play.faults().len(), 1, "{name}");
        return;
    }
    match case["output"]["requeueAfterSeconds"].as_u64() {
        // The operator's error is tried again by its queue, with a wait that doubles.
        Some(0) => {
            let pauses = play.pauses(5);
            assert!(!case["output"]["error"].is_null(), "{name}");
            assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{name}: {pauses:?}");
            assert!(pauses[0] < Duration::from_secs(2), "{name}: {pauses:?}");
        }
        Some(seconds) => {
            // Its own status may come back to it before the answer that it was stored: then it looks once more.
            let first = play.faults().len();
            assert!(first <= 2, "{name}: {first} attempts");
            let pause = *play.pauses(first + 1).last().expect("a pause");
            let wanted = Duration::from_secs(seconds);
            assert!((wanted..wanted + Duration::from_secs(5)).contains(&pause), "{name}: {pause:?}");
        }
        None => panic!("{name}: no requeue"),
    }
    play.scene.settles(server).unwrap_or_else(|why| panic!("{name}, later: {why}"));
    drop(controller);
}

/// The operator writes the same status at once and waits for 30 s; a server in trouble is nobody's state until it stays.
fn a_failure_that_stays_is_told_and_tried_again_soon(server: &Server, namespace: &str) {
    let case = case_of("status/update-invalid");
    let play = Play::new(server, &case, namespace);
    let _controller = play.start(server);
    eventually("two attempts", || (play.faults().len() >= 2).then_some(()));
    assert_eq!(condition(server, &play.scene.runtime, "Ready"), "", "reported before it stayed");
    play.scene.settles(server).unwrap_or_else(|why| panic!("{why}"));
    let pauses = play.pauses(6);
    assert!(pauses.iter().all(|pause| *pause < Duration::from_secs(20)), "{pauses:?}");
    play.over.store(true, Ordering::Relaxed);
    until_condition(server, &play.scene.runtime, "Ready", "True Configured");
}

/// The operator says that there is no such workload. Here nothing is planned from half a snapshot.
fn a_list_that_fails_is_no_missing_workload(server: &Server, namespace: &str) {
    let mut play = Play::new(server, &case_of("status/get-workload-internal-error"), namespace);
    play.scene.wanted.status = json!([]);
    play.scene.wanted.events = BTreeSet::new();
    let controller = play.start(server);
    eventually("the fault", || (play.faults().len() >= 3).then_some(()));
    play.scene.settles(server).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(controller.page("/readyz").0, "503");
    assert!(controller.log().iter().any(|line| {
        line["error"].as_str().is_some_and(|error| error.contains("Internal error occurred: injected"))
    }));
    play.over.store(true, Ordering::Relaxed);
    until_condition(server, &play.scene.runtime, "Ready", "True Configured");
}

/// The same where the watch works, and the look at the whole workload before the first write fails.
fn a_read_that_fails_is_no_missing_workload(server: &Server, namespace: &str) {
    let case = case_of("status/get-workload-internal-error");
    let mut play = Play::new(server, &case, namespace);
    let all = fault(&case, &play.over);
    let single = format!("/namespaces/{namespace}/deployments/");
    play.proxy =
        Proxy::start(server, Box::new(move |seen| all(seen).filter(|_| seen.path.contains(&single))));
    let _controller = play.start(server);
    eventually("two attempts", || (play.faults().len() >= 2).then_some(()));
    assert_eq!(condition(server, &play.scene.runtime, "TargetResolved"), "");
    until_condition(server, &play.scene.runtime, "Ready", "False ConfigApplyError");
    assert_eq!(condition(server, &play.scene.runtime, "TargetResolved"), "True TargetFound");
    assert!(play.proxy.seen().iter().all(|seen| !(seen.writes() && seen.path.contains("/deployments"))));
    play.over.store(true, Ordering::Relaxed);
    until_condition(server, &play.scene.runtime, "Ready", "True Configured");
}

/// The operator copies ConfigMaps into the namespace, and hashes without them where it may not. Here none is copied, and
/// the hash is that of a namespace that has them: the case comes out as the one without the fault.
fn configmaps_are_not_copied(server: &Server, namespace: &str) {
    let case = case_of("configmap-templates/create-forbidden");
    let twin = case_of("configmap-templates/all-copied");
    let mut input = case["input"].clone();
    input.as_object_mut().expect("an input").remove("faults");
    assert_eq!(input, twin["input"]);
    let mut play = Play::new(server, &case, namespace);
    let workload = play.scene.workload.clone();
    play.scene.wanted = Wanted::of(server, &twin, namespace, workload.as_ref()).expect("an end");
    let _controller = play.start(server);
    play.scene.settles(server).unwrap_or_else(|why| panic!("{why}"));
    let maps = format!("{}/", path_of(&json!({"kind": "ConfigMap", "metadata": {"namespace": namespace}})));
    let maps = maps.trim_end_matches('/');
    assert!(play.proxy.seen().iter().all(|seen| seen.method == "GET" || !seen.path.starts_with(maps)));
    assert!(play.faults().is_empty());
}
