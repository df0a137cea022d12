//! AgentRuntimes that are being deleted and wait for somebody's finalizer: `status`, `plan` and `apply` of one mind.

use serde_json::{Value, json};

use crate::objects::{deployment, one, path_of, runtime, sandbox};
use crate::server::Server;

/// An agent that waits for another's finalizer once it is deleted.
fn waiting(namespace: &str, kind: &str) -> Value {
    let mut agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
    agent["metadata"]["finalizers"] = json!(["example.com/other"]);
    if kind == "Sandbox" {
        agent["spec"]["targetRef"] =
            json!({"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": kind, "name": "web"});
    }
    agent
}

/// Action of the plan, skills that status wants, and what it finds.
fn look(server: &Server, namespace: &str) -> (String, usize, Vec<String>) {
    let plan = server.skills(&["plan", "-n", namespace, "-o", "json"]);
    let status = server.skills(&["status", "-n", namespace, "-o", "json"]);
    assert_eq!((plan.code, status.code), (0, 0), "{}{}", plan.stderr, status.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).expect("JSON");
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    let item = &status["items"][0];
    let findings = item["findings"].as_array().expect("findings").iter();
    (
        plan["runtimes"][0]["action"].as_str().unwrap_or_default().to_owned(),
        item["wanted"].as_array().map_or(0, Vec::len),
        findings.filter_map(Value::as_str).map(str::to_owned).collect(),
    )
}

/// What `plan` takes out `status` must not call missing, nor the hash that is left a wrong one.
#[test]
fn status_and_plan_are_of_one_mind_until_the_end() {
    for (namespace, kind) in [("deleted-deployment", "Deployment"), ("deleted-sandbox", "Sandbox")] {
        let server = Server::with_gate_on(namespace);
        let workload =
            if kind == "Sandbox" { sandbox(namespace, "web") } else { deployment(namespace, "web") };
        let agent = waiting(namespace, kind);
        for object in [&workload, &agent] {
            server.create(&path_of(object), object);
        }
        let apply = || {
            let said = server.skills(&["apply", "-n", namespace]);
            assert_eq!(said.code, 0, "{kind}: {}", said.stderr);
        };
        let (action, wanted, findings) = look(server, namespace);
        // Into a Sandbox no skills are mounted.
        let skills = usize::from(kind == "Deployment");
        assert_eq!((action.as_str(), wanted, findings.is_empty()), ("configured", skills, false), "{kind}");
        apply();
        assert_eq!(look(server, namespace), ("unchanged".to_owned(), skills, Vec::new()), "{kind}");
        // A changed skill of a Sandbox is nobody's affair: neither verb wants anything.
        let other = json!({"spec": {"skills": [{"name": "a", "image": "quay.io/example/a:2", "mountPath": "/skills/a"}]}});
        server.merge(&agent, "kubectl", &other);
        let (action, _, findings) = look(server, namespace);
        assert_eq!(findings.is_empty(), action == "unchanged", "{kind}: {action} {findings:?}");
        apply();
        server.request("DELETE", &one(&agent), None);
        let (action, wanted, findings) = look(server, namespace);
        assert_eq!((action.as_str(), wanted, findings.is_empty()), ("removed", 0, false), "{kind}");
        apply();
        assert_eq!(look(server, namespace), ("unchanged".to_owned(), 0, Vec::new()), "{kind}");
    }
}

/// Nothing of ours is there, so nothing is written and no pod rolls.
#[test]
fn who_is_deleted_before_it_was_applied_leaves_no_trace() {
    let namespace = "deleted-early";
    let server = Server::with_gate_on(namespace);
    let (workload, agent) = (deployment(namespace, "web"), waiting(namespace, "Deployment"));
    for object in [&workload, &agent] {
        server.create(&path_of(object), object);
    }
    server.request("DELETE", &one(&agent), None);
    assert_eq!(look(server, namespace), ("unchanged".to_owned(), 0, Vec::new()));
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let after = server.get(&one(&workload));
    assert_eq!(after["metadata"]["generation"], 1);
    assert_eq!(after["spec"]["template"]["metadata"], json!({"labels": {"app": "web"}}));
}
