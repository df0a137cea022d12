//! Reviews of new pods: the patch that a running webhook answers with, what it answers while it knows nothing, and how long it
//! takes over thousands of SkillBindings. Times are printed, not asserted: they depend on the machine. `INJECT_SECONDS`
//! (`make inject-load`) says how long 500 pods a second are sent; a moment by default.

use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::client::Client;
use crate::program::Program;
use crate::protocol::JSON;
use crate::server::{Answer, Server};

const PATH: &str = "/inject-pods";
/// Pods a second.
const RATE: u32 = 500;
const BINDINGS: usize = 5000;
const NAMESPACES: usize = 50;

pub fn binding(number: usize) -> Value {
    let skill = |name: &str| json!({"name": name, "image": format!("ghcr.io/acme/{name}:1"), "mountPath": format!("/skills/{name}")});
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": format!("b{number}"), "namespace": format!("n{}", number % NAMESPACES), "resourceVersion": "1"},
        "spec": {"delivery": "Pod", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": format!("w{number}")},
                 "skills": [skill("pdf"), skill("ocr")]},
    })
}

/// A scripted API server with SkillBindings and nothing else; `silent`: their list never comes to an end.
fn api_server(bindings: Vec<Value>, silent: bool) -> Server {
    Server::start(move |request| {
        if request.path != "/apis/skills.kagenti.dev/v1alpha1/skillbindings" {
            return Answer::Json(
                404,
                json!({"kind": "Status", "apiVersion": "v1", "code": 404, "message": request.path}),
            );
        }
        if !request.query.contains("watch=") {
            return Answer::Json(
                500,
                json!({"kind": "Status", "apiVersion": "v1", "code": 500, "message": "not asked for"}),
            );
        }
        let added = bindings.iter().map(|object| json!({"type": "ADDED", "object": object}));
        let end = json!({"type": "BOOKMARK", "object": {"kind": "SkillBinding", "metadata": {
            "resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"}}}});
        Answer::Watch(added.chain((!silent).then_some(end)).collect(), true)
    })
}

pub struct Running {
    pub program: Program,
    pub authority: Authority,
    _directory: tempfile::TempDir,
    _server: Server,
}

pub fn running(bindings: Vec<Value>, silent: bool, more: &[&str]) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(directory.path(), 0);
    let server = api_server(bindings, silent);
    let more = [&["--profile", "rossoctl", "--inject"], more].concat();
    let program = Program::start(&server.address, directory.path(), &more);
    Running { program, authority, _directory: directory, _server: server }
}

pub fn review(number: usize) -> Vec<u8> {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "5e9a", "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": format!("n{}", number % NAMESPACES),
            "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {
                "generateName": format!("w{number}-5d4-"), "labels": {"app": "w", "pod-template-hash": "5d4"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("w{number}-5d4"), "controller": true}]},
                "spec": {"containers": [{"name": "agent", "image": "i:1", "env": [{"name": "PORT", "value": "80"}]}]}},
        },
    })
    .to_string()
    .into_bytes()
}

fn patch(response: &Value) -> Value {
    let text = response["patch"].as_str().unwrap_or_else(|| panic!("no patch: {response}"));
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// A pod that comes without its skills while the webhook starts is one that nobody finds again.
#[test]
fn a_pod_is_patched_once_everything_is_known_and_fails_before() {
    let early = running(vec![binding(1)], true, &[]);
    let mut client = Client::connect(&early.program.address, &early.authority.der);
    let answer = client.request("POST", PATH, JSON, &review(1));
    assert_eq!((answer.code, answer.body.as_str()), (503, "the SkillBindings have not been listed yet\n"));
    assert_eq!(early.program.get("/readyz").0, 503);

    let running = running((0..3).map(binding).collect(), false, &[]);
    running.program.until("/readyz", 200);
    let mut client = Client::connect(&running.program.address, &running.authority.der);
    let response = client.request("POST", PATH, JSON, &review(1)).json()["response"].take();
    assert_eq!((&response["allowed"], &response["uid"]), (&json!(true), &json!("5e9a")));
    let mount = |name: &str| json!({"name": format!("skill-{name}"), "mountPath": format!("/skills/{name}"), "readOnly": true});
    let volume = |name: &str| json!({"name": format!("skill-{name}"), "image": {"reference": format!("ghcr.io/acme/{name}:1")}});
    assert_eq!(
        patch(&response),
        json!([
            {"op": "add", "path": "/spec/containers/0/volumeMounts", "value": [mount("pdf"), mount("ocr")]},
            {"op": "add", "path": "/spec/containers/0/env",
             "value": [{"name": "PORT", "value": "80"}, {"name": "SKILL_FOLDERS", "value": "/skills/pdf,/skills/ocr"}]},
            {"op": "add", "path": "/spec/volumes", "value": [volume("pdf"), volume("ocr")]},
            {"op": "add", "path": "/metadata/annotations", "value": {}},
            {"op": "add", "path": "/metadata/annotations/skills.kagenti.dev~1injected", "value": "b1/pdf,b1/ocr"},
            {"op": "add", "path": "/metadata/labels/skills.kagenti.dev~1injected", "value": "true"},
        ])
    );
    let response = client.request("POST", PATH, JSON, &review(7)).json()["response"].take();
    assert_eq!(response, json!({"uid": "5e9a", "allowed": true}), "a pod that nobody binds");
    let answer = client.request("POST", PATH, JSON, b"{}");
    assert_eq!(
        (answer.code, answer.body.as_str()),
        (400, "the body is not an AdmissionReview of admission.k8s.io/v1\n")
    );
    let metrics = running.program.get("/metrics").1;
    for line in ["injected\"} 1", "untargeted\"} 1", "unknown\"} 0"] {
        assert!(
            metrics.contains(&format!("kubectl_skills_webhook_injections_total{{outcome=\"{line}")),
            "{line} in {metrics}"
        );
    }
}

/// Every answer is right, however many are wanted; what they take is printed.
#[test]
fn five_hundred_pods_a_second_over_thousands_of_bindings() {
    let seconds = std::env::var("INJECT_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0.4_f64);
    let running = running((0..BINDINGS).map(binding).collect(), false, &[]);
    running.program.until("/readyz", 200);
    let begun = Instant::now();
    let total = (seconds * f64::from(RATE)) as u32;
    let connections = 4_u32;
    let took = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for connection in 0..connections {
            let (address, authority, took) = (&running.program.address, &running.authority.der, &took);
            scope.spawn(move || {
                let mut client = Client::connect(address, authority);
                for number in (connection..total).step_by(connections as usize) {
                    let due = begun + Duration::from_secs(1) * number / RATE;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let of = (number as usize * 37) % BINDINGS;
                    let body = review(of);
                    // From when it was due: who comes late waits, too.
                    let sent = Instant::now();
                    let answer = client.request("POST", PATH, JSON, &body);
                    took.lock().expect("a list").push(sent.elapsed());
                    let response = answer.json()["response"].take();
                    assert_eq!(patch(&response)[4]["value"], json!(format!("b{of}/pdf,b{of}/ocr")));
                }
            });
        }
    });
    let mut took = took.into_inner().expect("a list");
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    println!(
        "{} pods in {:.1} s over {BINDINGS} SkillBindings: median {:?}, 99 % {:?}, longest {:?}; {} KiB at most",
        took.len(),
        begun.elapsed().as_secs_f64(),
        at(50),
        at(99),
        at(100),
        running.program.peak_memory(),
    );
}
