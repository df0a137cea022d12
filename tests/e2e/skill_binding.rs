//! The SkillBinding CRD on a real API server: what it takes, what it refuses and in which words, and what it prints.

use serde_json::{Value, json};

use crate::inject_policy::server;
use crate::objects::skill_binding;

const PATH: &str = "/apis/skills.kagenti.dev/v1alpha1/namespaces/default/skillbindings";

/// What the server says of a spec: nothing where it takes it.
fn verdict(spec: &Value) -> String {
    let object = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": "it", "namespace": "default"}, "spec": spec,
    });
    let (code, answer) = server().request("POST", &format!("{PATH}?dryRun=All"), Some(&object));
    let message = answer["message"].as_str().unwrap_or_default();
    let prefix = "SkillBinding.skills.kagenti.dev \"it\" is invalid: ";
    if code == 201 {
        return String::new();
    }
    let message = message.strip_prefix(prefix).unwrap_or(message);
    // Where the schema is broken, the server says of the rules only that it has not looked.
    let not_looked = ", <nil>: Invalid value: null: some validation rules were not checked because the object was \
                      invalid; correct the existing errors to complete validation]";
    match message.strip_suffix(not_looked) {
        Some(rest) => rest.trim_start_matches('[').to_owned(),
        None => message.to_owned(),
    }
}

/// A sound spec with other fields; null takes one out.
fn with(changes: &Value) -> Value {
    let mut spec = json!({
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "skills": [{"name": "pdf", "image": "ghcr.io/acme/pdf:1", "mountPath": "/skills/pdf"}],
    });
    for (key, value) in changes.as_object().expect("changes") {
        if value.is_null() {
            spec.as_object_mut().expect("a spec").remove(key);
        } else {
            spec[key] = value.clone();
        }
    }
    spec
}

/// One skill with other fields.
fn skill(changes: &Value) -> Value {
    let mut skill = json!({"name": "pdf", "image": "ghcr.io/acme/pdf:1", "mountPath": "/skills/pdf"});
    for (key, value) in changes.as_object().expect("changes") {
        if value.is_null() {
            skill.as_object_mut().expect("a skill").remove(key);
        } else {
            skill[key] = value.clone();
        }
    }
    with(&json!({"skills": [skill]}))
}

fn selector(selector: &Value) -> Value {
    with(&json!({"targetRef": null, "selector": selector}))
}

fn numbered(count: usize) -> Value {
    let skill = |number| json!({"name": format!("s{number}"), "image": "i:1", "mountPath": format!("/{}{number}", "p".repeat(1020))});
    with(&json!({"skills": (0..count).map(skill).collect::<Vec<_>>()}))
}

/// The server's regular expression against what the kubelet's parser reads, as `render` has it: whatever that reads, the
/// CRD takes, and what it does not read is refused but for texts that are named.
#[test]
fn images_are_taken_that_the_kubelet_can_read() {
    let digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let long = format!("ghcr.io/{}", "a".repeat(300));
    let images = [
        "nginx",
        "nginx:latest",
        "quay.io:5000/a/b:v1.2",
        "localhost/a",
        "a__b/c-d--e",
        "UPPER/lower",
        "[fd00::1]:5000/a",
        &format!("quay.io/a/b:latest@sha256:{digest}"),
        &format!("quay.io/a/b@sha256:{digest}"),
        "quay.io/a/Upper",
        "Not A Valid Ref!!",
        " nginx",
        "nginx:",
        "a//b",
        "a:latest:latest",
        "quay.io/a/b:latest@sha256:12",
        "a_-b",
        "${IMAGE}",
        "oci://a/b:1",
        // Read by the regular expression alone.
        digest,
        &long,
    ];
    for image in images {
        let read = kubectl_skills::api::image_reference::parse(image).is_some();
        let taken = verdict(&skill(&json!({"image": image}))).is_empty();
        assert_eq!(taken, read || image == digest || image == long, "{image}");
    }
}

/// A rule that is written wrong lets everything pass, or nothing: only the server's own answer shows it. The same rows hold the
/// validator (`tests/it/skill_binding_rules.rs`).
#[test]
fn objects_are_taken_or_refused_in_the_servers_words() {
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../../testdata/skill_binding_rules.json")).expect("the rows");
    let mut differing: Vec<String> = rows
        .iter()
        .map(|row| (row, row["says"].as_str().unwrap_or_default(), verdict(&row["spec"])))
        // In no order that the server promises, where two rules are broken.
        .filter(|(row, wanted, found)| match row["also"].as_str() {
            Some(also) => !found.contains(wanted) || !found.contains(also),
            None => found != wanted,
        })
        .map(|(row, wanted, found)| (&row["spec"], wanted, found))
        .map(|(spec, wanted, found)| format!("{spec:.200}\n  wanted {wanted}\n  found  {found}"))
        .collect();
    // The longest paths: what the rules cost is bounded by them.
    differing.extend(Some(verdict(&numbered(20))).filter(|found| !found.is_empty()));
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), rows.len(), differing.join("\n"));
}

#[test]
fn it_is_listed_with_target_delivery_rollout_and_ready() {
    let server = server();
    server.namespace("skb-columns");
    let object = skill_binding("skb-columns", "web", &[("pdf", "i:1", "/skills/pdf")]);
    let path = "/apis/skills.kagenti.dev/v1alpha1/namespaces/skb-columns/skillbindings";
    server.create(path, &object);
    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "reason": "UpToDate", "message": "",
                        "lastTransitionTime": "2026-11-27T00:00:00Z"}],
        "workloads": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
                       "pods": {"desired": 2, "ready": 2, "upToDate": 1, "stale": 1, "without": 0}}],
        "skills": [{"name": "pdf", "image": "i:1", "digests": ["sha256:00"]}],
    }});
    let (code, answer) =
        server.send("PATCH", &format!("{path}/web/status"), "application/merge-patch+json", Some(&status));
    assert_eq!((code, &answer["status"]), (200, &status["status"]), "nothing of the status is pruned");
    let listed = server.kubectl(&["get", "skb", "-n", "skb-columns"], "").stdout;
    let cells: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["NAME", "TARGET", "DELIVERY", "ROLLOUT", "READY", "AGE"]);
    assert_eq!(cells[1][..5], ["web", "web", "Workload", "Auto", "True"]);
}

/// `missing: AgentFlow/flow does not exist`, of one that does, sends people looking in the wrong place; so does a target `/`.
#[test]
fn what_was_not_looked_for_is_not_said_to_be_missing() {
    let server = server();
    let namespace = "skb-unknown";
    server.namespace(namespace);
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fixtures/agentflows.yaml");
    server.kubectl(&["apply", "-f", fixture.to_str().expect("a path")], "");
    server.kubectl(&["wait", "--for=condition=established", "crd/agentflows.example.com"], "");
    let pod = json!({"containers": [{"name": "agent", "image": "quay.io/example/agent:1"}]});
    let flow = json!({"apiVersion": "example.com/v1", "kind": "AgentFlow", "metadata": {"name": "flow"},
        "spec": {"template": {"metadata": {"labels": {"app": "flow"}}, "spec": pod}}});
    server.create(&format!("/apis/example.com/v1/namespaces/{namespace}/agentflows"), &flow);
    let bind = |name: &str, spec: &Value| {
        let object = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec});
        server.create(
            &format!("/apis/skills.kagenti.dev/v1alpha1/namespaces/{namespace}/skillbindings"),
            &object,
        );
    };
    bind(
        "flow",
        &with(&json!({"targetRef": {"apiVersion": "example.com/v1", "kind": "AgentFlow", "name": "flow"}})),
    );
    bind("nobody", &selector(&json!({"matchLabels": {"app": "nobody"}})));
    let path = "--pod-template-path AgentFlow.example.com=spec.template";
    let status = server.skills(&["status", "-n", namespace]);
    let line =
        |name: &str| status.stdout.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    let (flow, nobody) = (line("skillbinding/flow"), line("skillbinding/nobody"));
    assert!(
        flow.contains("AgentFlow/flow") && flow.contains(" refused ") && flow.contains(path),
        "{status:?}"
    );
    let words = "no workload has pods with the labels that it selects";
    assert!(
        nobody.contains(" app=nobody ") && nobody.contains(" missing ") && nobody.contains(words),
        "{status:?}"
    );
    let said = server.skills(&["restart", "flow", "-n", namespace]);
    assert!(said.code == 0 && said.stdout.is_empty() && said.stderr.contains(path), "{said:?}");
    let said = server.skills(&["restart", "flow", "-n", namespace, "--pod-template-path", &path[20..]]);
    let words = "agentflow.example.com/flow left, since nobody knows whether its controller makes pods anew: 0 of 0 pods";
    assert!(said.code == 0 && said.stdout.starts_with(words), "{said:?}");
}
