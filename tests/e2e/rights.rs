//! The roles of docs/cluster.md are enough, and none of them is about Secrets.

use std::path::Path;

use serde_json::json;

use crate::objects::{deployment, path_of, runtime, sandbox};
use crate::server::Server;

/// The YAML after a heading of the page.
fn yaml_of(page: &str, heading: &str) -> String {
    let rest = page.split_once(heading).unwrap_or_else(|| panic!("no {heading:?}")).1;
    let block = rest.split_once("```yaml\n").expect("a block").1;
    block.split_once("```").expect("its end").0.to_owned()
}

/// An administrator copies these roles; a right that is missing there is found by a user in an incident.
#[test]
fn the_documented_roles_are_enough() {
    let namespace = "rights";
    let server = Server::with_gate_on(namespace);
    let mut restarted = runtime(namespace, "box", &[]);
    restarted["spec"]["targetRef"] =
        json!({"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "name": "box"});
    let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
    for object in [deployment(namespace, "web"), agent, sandbox(namespace, "box"), restarted.clone()] {
        server.create(&path_of(&object), &object);
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cluster.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let roles = yaml_of(&page, "## Rights")
        .replace("namespace: team1", &format!("namespace: {namespace}"))
        .replace("name: jane", "name: jane-of-rights");
    assert!(!roles.contains("secrets"), "{roles}");
    server.kubectl(&["apply", "-f", "-"], &roles);
    let jane = ["-n", namespace, "--as", "jane-of-rights"];
    let run = |args: &[&str], code: i32| {
        let said = server.skills(&[args, &jane].concat());
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        said
    };
    run(&["diff"], 1);
    run(&["apply", "--dry-run=server"], 0);
    run(&["apply"], 0);
    run(&["status", "-o", "wide"], 0);
    run(&["plan"], 0);
    run(&["hash"], 0);
    server.merge(&restarted, "kubectl", &json!({"spec": {"type": "tool"}}));
    run(&["apply"], 0);
    run(&["diff"], 0);
    run(&["apply", "--remove"], 0);
    let doctor = run(&["doctor"], 0);
    assert!(!doctor.stdout.contains("failed"), "{}", doctor.stdout);
}
