//! Whether everything is as planned when all faults are over: the library's own plans over what is there, and the objects
//! as their owners left them.

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::object::{ConfigMap, Origin};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::gates::GateSource;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::apply_configuration::{is_settled, missing};
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Finalizer, Options};
use serde_json::Value;

use crate::api::User;
use crate::fields::{skills_of, workload_of_its_owner};
use crate::inputs::{Agent, End};

const LISTS: [(&str, &str, &str); 3] = [
    ("Deployment", "apps/v1", "/apis/apps/v1/deployments"),
    ("StatefulSet", "apps/v1", "/apis/apps/v1/statefulsets"),
    ("Sandbox", "agents.x-k8s.io/v1alpha1", "/apis/agents.x-k8s.io/v1alpha1/sandboxes"),
];

/// What is not as it should be; empty when all is.
pub fn differences(
    user: &mut User,
    agents: &[Agent],
    ends: &[End],
    seed: u64,
    profile: &'static Profile,
) -> Vec<String> {
    let mut out = Vec::new();
    let runtimes = list(user, "/apis/agent.kagenti.dev/v1alpha1/agentruntimes", "", "AgentRuntime");
    let mut workloads = BTreeMap::new();
    for (kind, api_version, path) in LISTS {
        for object in list(user, path, api_version, kind) {
            let (namespace, name) = key(&object);
            workloads.insert((kind.to_owned(), namespace, name), object);
        }
    }
    let maps: Vec<ConfigMap> = list(user, "/api/v1/configmaps", "v1", "ConfigMap")
        .iter()
        .map(|map| ConfigMap::from_value(map, Origin::default()).expect("a ConfigMap"))
        .collect();
    let selected: BTreeSet<(String, String)> = runtimes.iter().map(key).collect();
    let gate = GateSource::default().resolve(profile, &maps).expect("gates").skills(profile);
    let options = Options { gate, restarts: true, finalizers: true, ..Options::new(profile) };
    let session = Session::new(options, ConfigView::Full, maps);
    let inventory = Inventory::without_bindings(&runtimes, &selected, &workloads, &[]);
    for planned in live::plan(&inventory, &session) {
        let id = format!("{}/{}", planned.id.namespace, planned.id.name);
        out.extend(planned.errors.iter().map(|error| format!("{id}: {error:?}")));
        if planned.runtime.pointer("/metadata/deletionTimestamp").is_some() {
            out.push(format!("{id}: its finalizer hangs"));
            continue;
        }
        let (Some(plan), Some(workload)) = (planned.plan, planned.workload) else {
            out.push(format!("{id}: there is no plan"));
            continue;
        };
        if plan.updates().iter().any(|update| !is_settled(workload, update)) {
            out.push(format!("{id}: {:?}", plan.changes(workload)));
        }
        if plan.finalizer != Finalizer::Keep {
            out.push(format!("{id}: no finalizer"));
        }
        let old = planned.runtime.get("status").cloned().unwrap_or_default();
        let generation = planned.runtime["metadata"]["generation"].as_i64().unwrap_or_default();
        let wanted = plan.status.map(|status| status.apply(&old, generation, None));
        if wanted.as_ref() != Some(&old) {
            out.push(format!("{id}: status {old}\nis to be {wanted:?}"));
        }
        if old.to_string().contains("ControllerActive") {
            out.push(format!("{id}: the controller keeps off: {old}"));
        }
    }
    for (agent, end) in agents.iter().zip(ends) {
        let id = format!("{}/{}", agent.namespace, agent.name);
        let at = |kind: &str| (kind.to_owned(), agent.namespace.clone(), agent.name.clone());
        let runtime =
            runtimes.iter().find(|runtime| key(runtime) == (agent.namespace.clone(), agent.name.clone()));
        match (runtime, end.runtime) {
            (Some(runtime), Some(version)) => {
                let wanted = agent.runtime(seed, version);
                out.extend(
                    missing(runtime, &wanted).map(|lacks| format!("{id}: the AgentRuntime lacks {lacks}")),
                );
            }
            (None, None) => {}
            (found, wanted) => out.push(format!("{id}: AgentRuntime {wanted:?}, found {found:?}")),
        }
        match (workloads.get(&at(agent.kind)), end.workload) {
            (Some(workload), Some(state)) => {
                let wanted = agent.workload(state);
                let theirs = workload_of_its_owner(workload);
                if agent.kind != "Sandbox" {
                    out.extend(
                        missing(&theirs, &wanted).map(|lacks| format!("{id}: the workload lacks {lacks}")),
                    );
                } else if workload["spec"]["replicas"] != 1 {
                    out.push(format!(
                        "{id}: the Sandbox is left at {} replicas",
                        workload["spec"]["replicas"]
                    ));
                }
                let ours = !skills_of(workload).is_empty()
                    || workload.to_string().contains("kagenti.io/restart-pending");
                if end.runtime.is_none() && ours {
                    out.push(format!("{id}: what is ours was left behind: {workload}"));
                }
            }
            (None, None) => {}
            (found, wanted) => out.push(format!("{id}: workload {wanted:?}, found {found:?}")),
        }
    }
    out
}

fn list(user: &mut User, path: &str, api_version: &str, kind: &str) -> Vec<Value> {
    let mut list = user.get(path).expect("a list");
    let Some(Value::Array(mut items)) = list.get_mut("items").map(Value::take) else {
        panic!("{path}: {list}")
    };
    for item in &mut items {
        // Items of built-in lists come without.
        if item.get("kind").is_none() {
            item["kind"] = kind.into();
            item["apiVersion"] = api_version.into();
        }
    }
    items
}

fn key(object: &Value) -> (String, String) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/metadata/namespace"), text("/metadata/name"))
}
