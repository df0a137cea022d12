//! The ways in which skills reach an agent, and whether they are there.

use std::collections::BTreeMap;

use kubectl_skills::api::names::ROLLOUT;
use serde_json::{Value, json};

use super::super::{dry_run, until};
use super::cases::{self, Case, Kind, Lane, NAMES, Way};
use super::fields::{self, Fields};
use crate::server::Server;

const MOUNTED: &str = "/skills/pdf";
const HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Delivers the image to all of them. Back come those that were refused, and for which fields.
pub(super) fn deliver(server: &Server, lane: Lane, cases: &[Case], image: &str) -> BTreeMap<String, Fields> {
    let bound = cases.iter().filter(|case| case.way != Way::Put).map(|case| binding(case, image));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": bound.collect::<Vec<_>>()});
    server.kubectl(&["apply", "--server-side", "-f", "-"], &list.to_string());
    let mut refused = apply(server, &cases::namespace(lane, Way::Apply), &[]);
    for (way, more) in [(Way::Forced, "--force-conflicts"), (Way::Named, "--field-manager=kubectl-mine")] {
        refused.extend(apply(server, &cases::namespace(lane, way), &[more]));
    }
    for case in cases.iter().filter(|case| case.way == Way::Put) {
        put(server, case, image);
    }
    for case in cases.iter().filter(|case| is_pod(case)) {
        if case.way == Way::Auto {
            until(&format!("the pod of {} to be made anew", case.name()), || runs_with(server, case, image));
            continue;
        }
        let live = server.get(&case.path());
        if case.way == Way::Restart && image.ends_with(":2") {
            let target = format!("{}/{}", case.plural(), case.name());
            server.kubectl(&["rollout", "restart", &target, "-n", &case.namespace()], "");
        }
        until(&format!("{} to get its skills", case.name()), || {
            lacking(server, case, &live, image).is_empty()
        });
    }
    refused
}

fn is_pod(case: &Case) -> bool {
    matches!(case.way, Way::Policy | Way::Webhook | Way::Restart | Way::Auto)
}

/// Whether the one pod that a workload has is there with the skill.
fn runs_with(server: &Server, case: &Case, image: &str) -> bool {
    let name = case.name();
    let list =
        server.get(&format!("/api/v1/namespaces/{}/pods?labelSelector=app%3D{name}", case.namespace()));
    let pods = list["items"].as_array().expect("a list");
    let volumes = pods.iter().flat_map(|pod| pod["spec"]["volumes"].as_array().into_iter().flatten());
    let images: Vec<&Value> = volumes.filter_map(|volume| volume.pointer("/image/reference")).collect();
    pods.len() == 1 && images == [image]
}

fn binding(case: &Case, image: &str) -> Value {
    let name = case.name();
    let delivery = if is_pod(case) { "Pod" } else { "Workload" };
    let rollout = if case.way == Way::Auto { "Auto" } else { "Manual" };
    let mut spec = json!({
        "delivery": delivery, "rollout": rollout,
        "skills": [{"name": "pdf", "image": image, "mountPath": MOUNTED}],
    });
    if case.kind == Kind::AgentFlow && is_pod(case) {
        spec["selector"] = json!({"matchLabels": {"app": name}});
    } else {
        let kind = format!("{:?}", case.kind);
        spec["targetRef"] = json!({"apiVersion": case.api_version(), "kind": kind, "name": name});
    }
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": name, "namespace": case.namespace()}, "spec": spec,
    })
}

/// Our own server-side apply; what it refuses, and which fields somebody else holds.
fn apply(server: &Server, namespace: &str, more: &[&str]) -> BTreeMap<String, Fields> {
    let args = ["apply", "-n", namespace, "--profile", "rossoctl", "-o", "json"];
    let path = ["--pod-template-path", "AgentFlow.example.com=spec.template"];
    let said = server.skills(&[&args[..], &path, more].concat());
    let result: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.stderr));
    let errors = result["errors"].as_array().expect("errors").iter();
    errors
        .map(|error| {
            let error = error.as_str().expect("text");
            let name = error.split(&format!("{namespace}/")).nth(1).and_then(|rest| rest.split(':').next());
            let name = name.unwrap_or_else(|| panic!("{error}")).to_owned();
            let mut parts: Vec<&str> = error.split(" is owned by ").collect();
            parts.pop();
            let paths = parts.into_iter().filter_map(|part| part.split_whitespace().last());
            (name, paths.map(fields::named).collect())
        })
        .inspect(|(name, fields): &(String, Fields)| assert!(!fields.is_empty(), "{name}: {}", said.stderr))
        .collect()
}

/// As the operator did: the whole object, read, changed and written back.
fn put(server: &Server, case: &Case, image: &str) {
    until("the object to be written", || {
        let mut live = server.get(&case.path());
        live["metadata"]["labels"][NAMES.type_label] = json!("agent");
        live["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!(NAMES.managed_by_value);
        live["metadata"]["annotations"][NAMES.skills] = json!("[\"pdf\"]");
        let template = case.template_mut(&mut live);
        template["metadata"]["labels"][NAMES.type_label] = json!("agent");
        template["metadata"]["annotations"][NAMES.config_hash] = json!(HASH);
        let volume =
            json!({"name": "skill-pdf", "image": {"reference": image, "pullPolicy": "IfNotPresent"}});
        let mount = json!({"name": "skill-pdf", "mountPath": MOUNTED, "readOnly": true});
        set(&mut template["spec"]["volumes"], volume);
        set(&mut template["spec"]["containers"][0]["volumeMounts"], mount);
        let (code, answer) =
            server.request("PUT", &format!("{}?fieldManager=manager", case.path()), Some(&live));
        assert!(matches!(code, 200 | 409), "{answer}");
        code == 200
    });
}

/// Sets the item of a name in a list.
fn set(list: &mut Value, item: Value) {
    let list = list.as_array_mut().expect("a list");
    list.retain(|other| other["name"] != item["name"]);
    list.push(item);
}

/// What of the skills is missing: in the workload, or in the pod that its controller would make.
pub(super) fn lacking(server: &Server, case: &Case, live: &Value, image: &str) -> Vec<&'static str> {
    let pod;
    let template = if is_pod(case) {
        let (code, stored) = dry_run(server, &case.pod(live));
        assert_eq!(code, 201, "{stored}");
        pod = stored;
        &pod
    } else {
        case.template(live)
    };
    let named = |list: &Value, name: &str| {
        list.as_array().into_iter().flatten().find(|item| item["name"] == name).cloned().unwrap_or_default()
    };
    let container = &template["spec"]["containers"][0];
    let volume = named(&template["spec"]["volumes"], "skill-pdf");
    let mut parts = vec![
        ("volumes", volume.pointer("/image/reference") == Some(&json!(image))),
        ("mounts", named(&container["volumeMounts"], "skill-pdf")["mountPath"] == MOUNTED),
    ];
    if case.way != Way::Put {
        parts.push(("variable", named(&container["env"], "SKILL_FOLDERS")["value"] == MOUNTED));
    }
    if !is_pod(case) {
        // The names of others that are there stay there.
        let names = live["metadata"]["annotations"][NAMES.skills].as_str();
        parts.push(("annotation", names.is_some_and(|names| names.contains("\"pdf\""))));
    }
    if case.way == Way::Auto {
        parts.push(("pod annotation", template["metadata"]["annotations"].get(ROLLOUT).is_some()));
    }
    if case.way == Way::Put {
        let labels = &live["metadata"]["labels"];
        let is_managed = labels["app.kubernetes.io/managed-by"] == NAMES.managed_by_value;
        parts.push(("label", is_managed && labels[NAMES.type_label] == "agent"));
        parts.push(("pod label", template["metadata"]["labels"][NAMES.type_label] == "agent"));
        parts.push(("pod annotation", template["metadata"]["annotations"][NAMES.config_hash] == HASH));
    }
    parts.into_iter().filter(|(_, there)| !there).map(|(part, _)| part).collect()
}

/// What the owner's deployment left of them.
pub(super) fn fate(server: &Server, case: &Case, live: &Value, image: &str) -> String {
    let lacking = lacking(server, case, live, image);
    let all = match case.way {
        Way::Put => 6,
        Way::Apply | Way::Named | Way::Forced | Way::Auto => 4,
        Way::Policy | Way::Webhook | Way::Restart => 3,
    };
    if lacking.is_empty() {
        "kept".to_owned()
    } else if lacking.len() == all {
        "gone".to_owned()
    } else {
        format!("gone: {}", fields::joined(&lacking.into_iter().map(str::to_owned).collect()))
    }
}
