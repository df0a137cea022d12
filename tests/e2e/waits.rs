//! `apply --wait`: until what was asked for is so, whoever wrote it, and for the full time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::objects::{deployment, path_of, runtime};
use crate::server::Server;

/// A second run after one that was killed, or after the operator's, must not hand traffic to agents that are not there yet.
#[test]
fn a_workload_that_is_unchanged_is_waited_for_as_well() {
    let namespace = "waits-unchanged";
    let server = Server::with_gate_on(namespace);
    for object in [
        deployment(namespace, "web"),
        runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]),
    ] {
        server.create(&path_of(&object), &object);
    }
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    // Without nodes its pod never becomes ready.
    let started = Instant::now();
    let said = server.skills(&["apply", "-n", namespace, "--wait=3s"]);
    let took = started.elapsed();
    assert_eq!((said.code, said.stdout.as_str()), (4, "deployment.apps/web unchanged\n"), "{}", said.stderr);
    assert!(said.stderr.contains("not done after 3s"), "{}", said.stderr);
    assert!(took >= Duration::from_secs(3), "it gave up after {took:?}");
    // With nothing to run the rollout is done, and so is the wait.
    server.merge(&deployment(namespace, "web"), "kubectl", &json!({"spec": {"replicas": 0}}));
    let said = server.skills(&["apply", "-n", namespace, "--wait=60s"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "deployment.apps/web unchanged\n"), "{}", said.stderr);
}
