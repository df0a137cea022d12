//! Alongside other writers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Controller, condition, events, eventually, images, live, put, until_condition};
use crate::objects::{deployment, runtime};
use crate::server::{CURRENT, Server};

const SKILLS: [(&str, &str, &str); 1] = [("pdf", "quay.io/example/pdf:1", "/skills/pdf")];

/// Two programs that correct one another roll pods until a person stops one of them.
#[test]
fn a_program_that_writes_back_is_left_alone_and_named() {
    let (server, namespace) = (Server::shared(), "ctl-fight");
    server.namespace(namespace);
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &workload);
    put(server, &agent);
    let controller = Controller::of(server, namespace);
    until_condition(server, &agent, "Ready", "True Configured");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/weather?fieldManager=argocd&force=true");
            let theirs = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "weather"},
                "spec": {"template": {"spec": {"volumes": [{"name": "skill-pdf", "image": {"reference": "quay.io/theirs:1"}}]}}}});
            while !stop.load(Ordering::Relaxed) {
                if images(&live(server, &workload)) != ["quay.io/theirs:1"] {
                    server.apply(&path, &theirs);
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until_condition(server, &agent, "ControllerActive", "False FieldContested");
        }));
        let generation = || live(server, &workload)["metadata"]["generation"].clone();
        let before = generation();
        std::thread::sleep(Duration::from_secs(5));
        let after = generation();
        stop.store(true, Ordering::Relaxed);
        result.expect("a condition");
        assert_eq!(before, after, "the fight goes on");
    });
    let ready = live(server, &agent)["status"]["conditions"]
        .as_array()
        .and_then(|all| all.iter().find(|condition| condition["type"] == "Ready").cloned())
        .expect("Ready");
    assert_eq!(ready["reason"], "FieldContested");
    assert!(ready["message"].as_str().expect("a message").contains("written back by argocd;"), "{ready}");
    eventually("an event", || {
        events(server, &agent).iter().any(|event| event.starts_with("Warning FieldContested ")).then_some(())
    });
    drop(controller);
}

/// The operator of a profile that mounts writes the same fields.
#[test]
fn beside_a_running_operator_nothing_is_written() {
    let server = Server::start(CURRENT, &[]);
    server.namespace("kagenti-system");
    server.namespace("team1");
    let (agent, workload) = (runtime("team1", "weather", &SKILLS), deployment("team1", "weather"));
    let mut operator = deployment("kagenti-system", "controller-manager");
    operator["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!("ghcr.io/kagenti/kagenti-operator/kagenti-operator:0.2.0");
    put(&server, &operator);
    put(&server, &workload);
    put(&server, &agent);
    let controller = Controller::start(&server, &["--feature-gates", "skillImageVolumes=true"]);
    until_condition(&server, &agent, "ControllerActive", "False OperatorRunning");
    assert_eq!(images(&live(&server, &workload)), [""; 0]);
    assert_eq!(live(&server, &agent)["metadata"].get("finalizers"), None);
    eventually("a number", || (controller.metric("runtimes_contested") == 1.0).then_some(()));
    // It is scaled down: ours again.
    let down: Value = json!({"spec": {"replicas": 0}});
    super::process::merge(&server, &operator, "kubectl", &down);
    until_condition(&server, &agent, "Ready", "True Configured");
    assert_eq!(condition(&server, &agent, "ControllerActive"), "");
    assert_eq!(images(&live(&server, &workload)), ["quay.io/example/pdf:1"]);
}
