//! From creation to deletion, and what people do in between.

use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Controller, condition, events, eventually, images, live, merge, put, until_condition};
use crate::coexist::owned;
use crate::objects::{deployment, one, runtime, sandbox};
use crate::proxy::{Proxy, Seen};
use crate::server::Server;

const SKILLS: [(&str, &str, &str); 2] =
    [("pdf", "quay.io/example/pdf:1", "/skills/pdf"), ("web", "quay.io/example/web:1", "/skills/web")];

fn versions(server: &Server, objects: &[&Value]) -> Vec<Value> {
    objects.iter().map(|object| live(server, object)["metadata"]["resourceVersion"].clone()).collect()
}

/// A controller that is killed between its event and the status has sent the event once, and its successor adds nothing; sent
/// after the status, 44 of 800 were lost.
#[test]
fn an_event_outlives_a_controller_that_is_killed_before_the_status() {
    let (server, namespace) = (Server::shared(), "ctl-killed");
    server.namespace(namespace);
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &workload);
    put(server, &agent);
    let reported = "Normal Configured Applied config to Deployment weather";
    let refused = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503, "reason": "ServiceUnavailable",
        "message": "not now"});
    let status = |seen: &Seen| seen.method == "PATCH" && seen.path.ends_with("/agentruntimes/weather/status");
    let proxy = Proxy::start(server, Box::new(move |seen| status(seen).then(|| (503, refused.clone()))));
    let mut first = Controller::of_with(server, namespace, &["--server", &proxy.address], &[]);
    eventually("a status", || proxy.seen().iter().any(|seen| seen.faulty).then_some(()));
    first.kill();
    assert_eq!(condition(server, &agent, "Ready"), "", "the status was written");
    assert_eq!(events(server, &agent), [reported]);

    let _second = Controller::of(server, namespace);
    until_condition(server, &agent, "Ready", "True Configured");
    assert_eq!(events(server, &agent), [reported]);
}

#[test]
fn skills_are_mounted_drift_is_healed_and_nothing_is_left_behind() {
    let (server, namespace) = (Server::shared(), "ctl-life");
    server.namespace(namespace);
    let controller = Controller::of(server, namespace);
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &agent);
    until_condition(server, &agent, "TargetResolved", "False TargetNotFound");
    assert_eq!(condition(server, &agent, "Ready"), "False TargetNotFound");

    put(server, &workload);
    until_condition(server, &agent, "Ready", "True Configured");
    assert_eq!(condition(server, &agent, "SkillsMounted"), "True SkillsApplied");
    assert_eq!(images(&live(server, &workload)), ["quay.io/example/pdf:1", "quay.io/example/web:1"]);
    assert_eq!(live(server, &agent)["status"]["phase"], "Active");
    let mut said =
        eventually("both events", || Some(events(server, &agent)).filter(|events| events.len() == 2));
    // Two of one second come in any order.
    said.sort_by_key(|event| !event.starts_with("Warning"));
    assert_eq!(
        said,
        [
            "Warning TargetNotFound apps/v1/Deployment weather not found in namespace ctl-life",
            "Normal Configured Applied config to Deployment weather"
        ]
    );
    assert_eq!(controller.metric("writes_total{what=\"workload\"}"), 1.0);
    assert_eq!(controller.metric("writes_total{what=\"finalizer\"}"), 1.0);
    let statuses = controller.metric("writes_total{what=\"status\"}");
    assert!((2.0..=3.0).contains(&statuses), "one for each state, one for the pod: {statuses}");

    // The pod counts once it is there; then, at rest, nothing is written.
    eventually("the pod", || (live(server, &agent)["status"]["configuredPods"] == 1).then_some(()));
    let before = versions(server, &[&agent]);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(versions(server, &[&agent]), before);

    // Someone takes a volume away and changes the other.
    let volumes = json!([{"op": "replace", "path": "/spec/template/spec/volumes/1/image/reference", "value": "evil:1"}]);
    server.kubectl(
        &[
            "patch",
            "deployment",
            "weather",
            "-n",
            namespace,
            "--type=json",
            "--field-manager=kubectl-edit",
            "-p",
            &volumes.to_string(),
        ],
        "",
    );
    eventually("the image to be brought back", || {
        (images(&live(server, &workload)) == ["quay.io/example/pdf:1", "quay.io/example/web:1"]).then_some(())
    });
    eventually("drift to be counted", || (controller.metric("drift_healed_total") == 1.0).then_some(()));

    // The user's own fields are nobody's business.
    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "quay.io/example/agent:2"}]);
    server.kubectl(
        &["patch", "deployment", "weather", "-n", namespace, "--type=json", "-p", &image.to_string()],
        "",
    );

    // One skill less, another image.
    merge(
        server,
        &agent,
        "kubectl",
        &json!({"spec": {"skills": [{"name": "pdf", "image": "quay.io/example/pdf:2", "mountPath": "/skills/pdf"}]}}),
    );
    eventually("the new image", || {
        (images(&live(server, &workload)) == ["quay.io/example/pdf:2"]).then_some(())
    });
    assert_eq!(
        live(server, &workload)["spec"]["template"]["spec"]["containers"][0]["image"],
        "quay.io/example/agent:2"
    );

    server.kubectl(&["delete", "agentruntime", "weather", "-n", namespace, "--timeout=30s"], "");
    assert_eq!(server.request("GET", &one(&agent), None).0, 404);
    let after = live(server, &workload);
    assert_eq!(images(&after), [""; 0]);
    assert_eq!(after["metadata"]["annotations"].get("kagenti.io/skills"), None);
    assert_eq!(after["spec"]["template"]["spec"]["volumes"], json!([{"name": "cache", "emptyDir": {}}]));
    let (code, _) = controller.end();
    assert_eq!(code, Some(0));
}

/// The operator lets the younger one overwrite the older (Q15); here the first keeps the workload.
#[test]
fn of_two_that_point_at_one_workload_the_first_keeps_it() {
    let (server, namespace) = (Server::shared(), "ctl-rivals");
    server.namespace(namespace);
    let controller = Controller::of(server, namespace);
    let workload = deployment(namespace, "weather");
    let first = runtime(namespace, "weather", &[("a", "quay.io/example/a:1", "/a")]);
    let mut second = runtime(namespace, "another", &[("b", "quay.io/example/b:1", "/b")]);
    second["spec"]["targetRef"]["name"] = "weather".into();
    put(server, &workload);
    put(server, &first);
    until_condition(server, &first, "Ready", "True Configured");
    // Their age is printed in seconds.
    std::thread::sleep(Duration::from_millis(1100));
    put(server, &second);
    until_condition(server, &second, "TargetResolved", "False TargetAmbiguous");
    assert_eq!(images(&live(server, &workload)), ["quay.io/example/a:1"]);

    server.kubectl(&["delete", "agentruntime", "weather", "-n", namespace, "--timeout=30s"], "");
    until_condition(server, &second, "Ready", "True Configured");
    assert_eq!(images(&live(server, &workload)), ["quay.io/example/b:1"]);
    drop(controller);
}

#[test]
fn a_dry_run_writes_nothing() {
    let (server, namespace) = (Server::shared(), "ctl-dry");
    server.namespace(namespace);
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &agent);
    let controller = Controller::of_with(server, namespace, &["--dry-run"], &[]);
    put(server, &workload);
    eventually("a report", || (controller.said("would write the workload") > 0).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(images(&live(server, &workload)), [""; 0]);
    let agent = live(server, &agent);
    assert_eq!((agent.get("status"), agent["metadata"].get("finalizers")), (None, None));
}

/// The Sandbox's own manifest sets its replicas: the loop borrows them for the restart and does not keep them.
#[test]
fn a_sandbox_restarts_though_its_replicas_are_the_users() {
    let (server, namespace) = (Server::shared(), "ctl-sandbox");
    server.namespace(namespace);
    let _controller = Controller::of(server, namespace);
    let manifest = sandbox(namespace, "box");
    server.kubectl(&["apply", "--server-side", "-f", "-"], &manifest.to_string());
    let mut agent = runtime(namespace, "box", &[]);
    agent["spec"]["targetRef"] =
        json!({"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "name": "box"});
    put(server, &agent);
    until_condition(server, &agent, "Ready", "True Configured");
    merge(server, &agent, "kubectl", &json!({"spec": {"type": "tool"}}));
    let after = eventually("the restart", || {
        let object = live(server, &manifest);
        let template = object.pointer("/spec/podTemplate/metadata/labels/kagenti.io~1type");
        let ours = owned(&object, "skills.kagenti.dev").iter().any(|field| field.contains("replicas"));
        // Created, configured; the new hash, down, up: before that it looks as it will in the end.
        let done = object["metadata"]["generation"].as_i64() >= Some(5);
        (done && template == Some(&"tool".into()) && object["spec"]["replicas"] == 1 && !ours)
            .then_some(object)
    });
    assert_eq!(after["metadata"]["generation"], 5, "{after}");
    server.kubectl(&["apply", "--server-side", "-f", "-"], &manifest.to_string());
    assert_eq!(live(server, &manifest)["metadata"]["generation"], 5);
}
