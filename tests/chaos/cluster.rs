//! The cluster that is broken: a server that keeps its whole history, what is there from the start, and the rights that the
//! controller is shipped with.

use std::path::Path;

use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::rbac::{Grant, Task, objects as rights};
use serde_json::{Value, json};

use crate::server::{CURRENT, Server};
use crate::{defaults, inputs, objects};

pub fn start(audit: &Path) -> Server {
    let of_tests =
        |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path).display().to_string();
    Server::start(
        CURRENT,
        &[
            "--crd",
            &of_tests("e2e/fixtures/sandboxes.yaml"),
            "--",
            &format!("--audit-policy-file={}", of_tests("chaos/audit.yaml")),
            &format!("--audit-log-path={}", audit.display()),
            "--audit-log-maxsize=4000",
            // The history is read in the end, and as JSON.
            "--etcd-compaction-interval=0",
            "--storage-media-type=application/json",
        ],
    )
}

/// Namespaces, the first configuration, and the rights that the controller is shipped with for both replicas.
pub fn prepare(server: &Server, profile: &Profile, users: &[&str]) {
    server.namespace(inputs::SYSTEM);
    for number in 0..inputs::NAMESPACES {
        server.namespace(&format!("team{number}"));
    }
    for map in defaults::first() {
        server.create(&objects::path_of(&map), &map);
    }
    let mut items = rights(profile, &Grant::cluster(profile, &[Task::Loop, Task::Election]));
    let users: Vec<Value> = users
        .iter()
        .map(|user| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}))
        .collect();
    for item in items.iter_mut().filter(|item| item.get("subjects").is_some()) {
        item["subjects"] = Value::Array(users.clone());
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    server.kubectl(&["apply", "-f", "-"], &list.to_string());
}
