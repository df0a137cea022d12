//! API servers that go away, and rights that are missing.

use std::time::Duration;

use super::process::{Controller, defaults, eventually, hash, images, live, merge, put, until_condition};
use crate::objects::{deployment, runtime};
use crate::server::{CURRENT, Server};
use serde_json::json;

const SKILLS: [(&str, &str, &str); 1] = [("pdf", "quay.io/example/pdf:1", "/skills/pdf")];

/// A server that comes back empty-handed for a moment must roll nobody.
#[test]
fn a_restarted_api_server_rolls_nothing_and_is_followed_again() {
    // A server that is asked to end waits for its watches for as long as a request may take: a minute, by default.
    let server = Server::start(CURRENT, &["--", "--request-timeout=3s"]);
    server.namespace("kagenti-system");
    server.namespace("team1");
    put(&server, &defaults("team1", "info"));
    let (agent, workload) = (runtime("team1", "weather", &SKILLS), deployment("team1", "weather"));
    put(&server, &workload);
    put(&server, &agent);
    let controller = Controller::start(&server, &["--feature-gates", "skillImageVolumes=true"]);
    until_condition(&server, &agent, "Ready", "True Configured");
    let before = live(&server, &workload);
    for _ in 0..2 {
        server.restart_api_server("TERM");
        eventually("the watches", || (controller.metric("synced") == 1.0).then_some(()));
        std::thread::sleep(Duration::from_secs(3));
        let after = live(&server, &workload);
        assert_eq!(
            (hash(&after), &after["metadata"]["generation"]),
            (hash(&before), &before["metadata"]["generation"])
        );
    }
    assert!(controller.said("a watch broke") > 0, "nothing was noticed");
    merge(&server, &defaults("team1", ""), "kubectl", &json!({"data": {"LOG": "debug"}}));
    eventually("the changed default", || (hash(&live(&server, &workload)) != hash(&before)).then_some(()));
    assert_eq!(images(&live(&server, &workload)), ["quay.io/example/pdf:1"]);
}

/// Rights that are missing are said, and nothing is planned over what could not be read.
#[test]
fn without_the_right_to_list_nothing_is_planned() {
    let (server, namespace) = (Server::shared(), "ctl-forbidden");
    server.namespace(namespace);
    let (agent, workload) = (runtime(namespace, "weather", &SKILLS), deployment(namespace, "weather"));
    put(server, &workload);
    put(server, &agent);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "all-but-configmaps", "namespace": namespace},
        "rules": [{"apiGroups": ["agent.kagenti.dev", "apps", "agents.x-k8s.io"], "resources": ["*"], "verbs": ["*"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "all-but-configmaps", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all-but-configmaps"},
        "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}]});
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    server.create(&format!("{rbac}/roles"), &role);
    server.create(&format!("{rbac}/rolebindings"), &binding);
    let controller = Controller::of_with(server, namespace, &["--user", "nobody"], &[]);
    eventually("a refusal", || {
        let reported = |line: &serde_json::Value| {
            let error = line["error"].as_str().unwrap_or_default();
            error.contains("configmaps") && error.contains("forbidden")
        };
        controller.log().iter().any(reported).then_some(())
    });
    std::thread::sleep(Duration::from_secs(3));
    // To list and watch ConfigMaps here and in the operator's namespace, and pods; to create and patch events.
    assert_eq!(controller.metric("rights_missing"), 8.0);
    assert_eq!(controller.said("a right is missing"), 8);
    assert_eq!(controller.page("/readyz").0, "503");
    assert_eq!(controller.page("/healthz").0, "200");
    assert_eq!(images(&live(server, &workload)), [""; 0]);
    assert_eq!(live(server, &agent).get("status"), None);
}
