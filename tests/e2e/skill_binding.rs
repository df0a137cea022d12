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

fn numbered(count: usize) -> Value {
    let skill = |number| json!({"name": format!("s{number}"), "image": "i:1", "mountPath": format!("/{}{number}", "p".repeat(1020))});
    with(&json!({"skills": (0..count).map(skill).collect::<Vec<_>>()}))
}

fn selector(selector: &Value) -> Value {
    with(&json!({"targetRef": null, "selector": selector}))
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

/// A rule that is written wrong lets everything pass, or nothing: only the server's own answer shows it.
#[test]
fn objects_are_taken_or_refused_in_the_servers_words() {
    let one = |name: &str| json!({"name": name, "image": "i:1"});
    let at = |name: &str, path: &str| json!({"name": name, "image": "i:1", "mountPath": path});
    let target = |version: &str, kind: &str| json!({"delivery": "Pod", "targetRef": {"apiVersion": version, "kind": kind, "name": "web"}});
    let taken = [
        with(&json!({})),
        with(&json!({"container": "agent", "delivery": "Pod", "rollout": "Manual"})),
        selector(&json!({"matchLabels": {"app": "web"}})),
        selector(&json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]})),
        selector(&json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]})),
        with(&json!({"runtime": "kagenti", "skills": [one("a"), one("b")]})),
        with(&json!({"runtime": "claude", "home": "/root", "skills": [one("a"), at("b", "/b")]})),
        with(&json!({"runtime": "claude", "skills": [at("a", "/root/.claude/skills/a")]})),
        with(&json!({"runtime": "claude", "home": "/", "skills": [one("a")]})),
        with(&json!({"runtime": "docsclaw", "skills": [at("a", "/a,b")]})),
        skill(&json!({"subPath": "docs/pdf", "pullPolicy": "Always"})),
        skill(&json!({"name": "a".repeat(57)})),
        with(&target("serving.knative.dev/v1", "Service")),
        with(&target("argoproj.io/v1alpha1", "Rollout")),
        with(&target("batch/v1", "CronJob")),
        with(&target("agents.x-k8s.io/v1alpha1", "Sandbox")),
        with(&json!({"targetRef": {"apiVersion": "example.com/v1", "kind": "Flow", "name": "web"}})),
        numbered(20),
    ];
    for spec in &taken {
        assert_eq!(verdict(spec), "", "{spec}");
    }
    let unique_paths =
        "spec: Invalid value: mount paths of skills must be unique, also those that runtime gives";
    let in_the_way = "spec: Invalid value: SKILL_FOLDERS cannot name such a mountPath: its paths are separated by commas, \
                      without blanks around them";
    let no_owner = "spec: Invalid value: delivery Pod: pods of this kind cannot be identified; target one of \
                    Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Sandbox, Rollout, Service, or use selector";
    let values = "spec.selector.matchExpressions[0]: Invalid value: In and NotIn need values; Exists and DoesNotExist take \
                  none";
    let refused = [
        (
            with(&json!({"targetRef": null})),
            "spec: Invalid value: exactly one of targetRef and selector is needed",
        ),
        (
            with(&json!({"selector": {"matchLabels": {"a": "b"}}})),
            "spec: Invalid value: exactly one of targetRef and selector is needed",
        ),
        (
            selector(&json!({})),
            "spec.selector: Invalid value: an empty selector would select every pod of the namespace",
        ),
        (
            selector(&json!({"matchLabels": {}, "matchExpressions": []})),
            "spec.selector: Invalid value: an empty selector would select every pod of the namespace",
        ),
        (selector(&json!({"matchExpressions": [{"key": "a", "operator": "In"}]})), values),
        (
            selector(&json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]})),
            values,
        ),
        (
            selector(&json!({"matchExpressions": [{"key": "a", "operator": "Near"}]})),
            "spec.selector.matchExpressions[0].operator: Unsupported value: \"Near\": supported values: \"In\", \"NotIn\", \
             \"Exists\", \"DoesNotExist\"",
        ),
        (with(&json!({"skills": null})), "spec.skills: Required value"),
        (
            with(&json!({"skills": []})),
            "spec.skills: Invalid value: 0: spec.skills in body should have at least 1 items",
        ),
        (numbered(21), "spec.skills: Too many: 21: must have at most 20 items"),
        (
            skill(&json!({"mountPath": null})),
            "spec: Invalid value: mountPath may be left out only where runtime says where the agent looks",
        ),
        (
            with(&json!({"runtime": "claude", "skills": [one("a")]})),
            "spec: Invalid value: this runtime looks below the home folder: home is needed, or a mountPath for each skill",
        ),
        (
            with(&json!({"skills": [at("a", "/a"), at("a", "/b")]})),
            "spec: Invalid value: names of skills must be unique",
        ),
        (with(&json!({"skills": [at("a", "/a"), at("b", "/a")]})), unique_paths),
        (with(&json!({"runtime": "kagenti", "skills": [one("a"), at("b", "/app/skills/a")]})), unique_paths),
        (
            with(
                &json!({"runtime": "agents", "home": "/h", "skills": [one("a"), at("b", "/h/.agents/skills/a")]}),
            ),
            unique_paths,
        ),
        (with(&json!({"skills": [at("a", "/a,b")]})), in_the_way),
        (with(&json!({"runtime": "kagenti", "skills": [at("a", "/a ")]})), in_the_way),
        (with(&target("example.com/v1", "Flow")), no_owner),
        (with(&target("v1", "Service")), no_owner),
        (
            skill(&json!({"mountPath": "/a/../b"})),
            "spec.skills[0].mountPath: Invalid value: \"/a/../b\": must not contain path traversal (..)",
        ),
        (
            skill(&json!({"mountPath": "/proc/x"})),
            "spec.skills[0].mountPath: Invalid value: \"/proc/x\": must not overlap a protected path: /proc, /sys, /dev, /var/run/secrets",
        ),
        (
            skill(&json!({"mountPath": "//./"})),
            "spec.skills[0].mountPath: Invalid value: \"//./\": must not be the root of the container's file system",
        ),
        (
            skill(&json!({"image": "https://ghcr.io/acme/pdf:1"})),
            "spec.skills[0].image: Invalid value: \"https://ghcr.io/acme/pdf:1\": is no image reference; write it as \
             registry/name:tag or registry/name@sha256:digest, in lower case and without a scheme",
        ),
        (
            skill(&json!({"mountPath": "a"})),
            "spec.skills[0].mountPath: Invalid value: \"a\": spec.skills[0].mountPath in body should match '^/.*'",
        ),
        (
            skill(&json!({"subPath": "/a"})),
            "spec.skills[0].subPath: Invalid value: \"/a\": must be a relative path without ..",
        ),
        (
            skill(&json!({"subPath": "a/.."})),
            "spec.skills[0].subPath: Invalid value: \"a/..\": must be a relative path without ..",
        ),
        (
            skill(&json!({"name": "a".repeat(58)})),
            "spec.skills[0].name: Too long: may not be more than 57 bytes",
        ),
        (
            skill(&json!({"name": "a.b"})),
            "spec.skills[0].name: Invalid value: \"a.b\": spec.skills[0].name in body should match \
             '^[a-z0-9]([a-z0-9\\-]*[a-z0-9])?$'",
        ),
        (
            skill(&json!({"image": ""})),
            "spec.skills[0].image: Invalid value: \"\": spec.skills[0].image in body should be at least 1 chars long",
        ),
        (
            skill(&json!({"pullPolicy": "Sometimes"})),
            "spec.skills[0].pullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \
             \"IfNotPresent\"",
        ),
        (
            with(&json!({"runtime": "emacs"})),
            "spec.runtime: Unsupported value: \"emacs\": supported values: \"agents\", \"claude\", \"cursor\", \"docsclaw\", \
             \"kagent\", \"kagenti\", \"openclaw\", \"opencode\", \"windsurf\"",
        ),
        (
            with(&json!({"home": "/a/../b"})),
            "spec.home: Invalid value: \"/a/../b\": must not contain . or ..",
        ),
        (
            with(&json!({"home": "root"})),
            "spec.home: Invalid value: \"root\": spec.home in body should match '^/([^/,:\\s]+(/[^/,:\\s]+)*)?$'",
        ),
        (
            with(&json!({"delivery": "Mail"})),
            "spec.delivery: Unsupported value: \"Mail\": supported values: \"Workload\", \"Pod\"",
        ),
        (
            with(&json!({"rollout": "Now"})),
            "spec.rollout: Unsupported value: \"Now\": supported values: \"Auto\", \"Manual\"",
        ),
        (
            with(&json!({"targetRef": {"apiVersion": "apps", "kind": "Deployment", "name": "web"}})),
            "spec.targetRef.apiVersion: Invalid value: \"apps\": spec.targetRef.apiVersion in body should match \
             '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?v[0-9][a-z0-9]*$'",
        ),
    ];
    let differing: Vec<String> = refused
        .iter()
        .map(|(spec, wanted)| (spec, *wanted, verdict(spec)))
        .filter(|(_, wanted, found)| found != wanted)
        .map(|(spec, wanted, found)| format!("{spec:.200}\n  wanted {wanted}\n  found  {found}"))
        .collect();
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), refused.len(), differing.join("\n"));
    println!("{} taken, {} refused", taken.len(), refused.len());
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
