//! `lint --live`: the objects of a cluster, and the cluster.

use serde_json::json;

use crate::objects::{deployment, runtime};
use crate::server::Server;

/// What somebody wrote by hand into the cluster is found there, what a plan keeps in order is not, and nothing is written.
#[test]
fn objects_of_a_cluster_are_linted() {
    let namespace = "lint-live";
    let server = Server::with_gate_on(namespace);
    let mut sound = deployment(namespace, "sound");
    sound["spec"]["template"]["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/default-container": "agent"});
    let agent = runtime(namespace, "sound", &[("a", "quay.io/example/a:1", "/app/skills/a")]);
    let mut hand = deployment(namespace, "hand");
    hand["metadata"]["annotations"] = json!({"kagenti.io/skills": "[]"});
    let pod = &mut hand["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "skill-b", "image": {"reference": "quay.io/example/b"}}]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "skill-b", "mountPath": "/app/skills/b"}]);
    for object in [&sound, &agent, &hand] {
        server.kubectl(&["apply", "--server-side", "-f", "-"], &object.to_string());
    }
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let said = server.skills(&["lint", "--live", "-n", namespace, "-q", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
    let of = |rule: &str| -> Vec<&serde_json::Value> {
        report["findings"].as_array().into_iter().flatten().filter(|one| one["rule"] == rule).collect()
    };
    let objects: Vec<&str> = report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["object"]["name"].as_str())
        .collect();
    assert!(said.code == 1 && objects.iter().all(|name| *name == "hand"), "{report:#}");
    let hand = json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": "hand"});
    assert_eq!(
        of("annotation-misses"),
        [&json!({
            "rule": "annotation-misses", "severity": "warning", "file": "", "object": hand,
            "field": "metadata.annotations[kagenti.io/skills]", "message": "does not name b, which is mounted",
            "fixable": false,
        })]
    );
    assert_eq!(of("image-moves").len(), 1, "{report:#}");
    // A server without nodes and operator is no cluster that runs skills.
    assert!(!of("cluster-check").is_empty(), "{report:#}");
}
