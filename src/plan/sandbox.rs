//! What is different where the operator handles an object without Go structs: how it sets maps, when a Sandbox restarts, and
//! the two phases of that. The setters serve all kinds. Source: operator-spec.md section 7 and the last paragraph of section 6.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::fields::{WrongType, find, map_mut, remove_empty_map};
use super::{Action, Options, Runtime, RuntimePlan};
use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::api::names::{Names, RESTART_HASH};
use crate::api::object::Object;
use crate::api::workload::WorkloadKind;
use crate::config::hash::{ConfigHash, hash_input};
use crate::config::layers::ResolvedConfig;

/// Annotation by which a Sandbox keeps its pod.
const POD_NAME: &str = "agents.x-k8s.io/pod-name";

/// A map of strings as `NestedStringMap` reads it: `None` if it is absent, or where any value is no string (Q19).
fn string_map<'v>(object: &'v Value, keys: &[&str]) -> Option<&'v Map<String, Value>> {
    find(object, keys).and_then(Value::as_object).filter(|map| map.values().all(Value::is_string))
}

/// An entry of a map in the pod template's metadata; empty where there is none.
pub(super) fn template_entry(workload: &Value, map: &[&str], key: &str) -> String {
    let entry = string_map(workload, map).and_then(|map| map.get(key));
    entry.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Sets entries of a map, such as the labels of the pod template.
pub(super) fn set(workload: &mut Value, kind: WorkloadKind, keys: &[&str], entries: &[(&str, &str)]) {
    if !kind.is_typed() {
        // A field on the way that is no map makes `SetNestedStringMap` fail, and the error is dropped.
        let passable = (1..keys.len()).all(|end| find(workload, &keys[..end]).is_none_or(Value::is_object));
        if !passable {
            return;
        }
        if string_map(workload, keys).is_none() && find(workload, keys).is_some() {
            replace(workload, keys, Value::Object(Map::new()));
        }
    }
    if let Ok(map) = map_mut(workload, keys) {
        for (key, value) in entries {
            map.insert((*key).to_owned(), (*value).into());
        }
    }
}

fn replace(object: &mut Value, keys: &[&str], value: Value) {
    let Some((last, parents)) = keys.split_last() else { return };
    if let Ok(map) = map_mut(object, parents) {
        map.insert((*last).to_owned(), value);
    }
}

/// Sets the workload's annotation, or removes it. What is left of the map is written also when it is empty, but for
/// Go structs.
pub(super) fn set_or_remove_annotation(
    workload: &mut Value,
    kind: WorkloadKind,
    key: &str,
    value: Option<&str>,
) {
    let keys = ["metadata", "annotations"];
    match value {
        Some(value) => set(workload, kind, &keys, &[(key, value)]),
        None => {
            set(workload, kind, &keys, &[]);
            if let Ok(map) = map_mut(workload, &keys) {
                map.shift_remove(key);
            }
            if kind.is_typed() {
                remove_empty_map(workload, &keys);
            }
        }
    }
}

/// Removes an entry of a map on deletion: an absent map stays absent; one that is no map of strings goes as a whole.
pub(super) fn remove_on_deletion(workload: &mut Value, kind: WorkloadKind, keys: &[&str], key: &str) {
    if find(workload, keys).is_none_or(Value::is_null) {
        return;
    }
    if !kind.is_typed() && string_map(workload, keys).is_none() {
        let Some((last, parents)) = keys.split_last() else { return };
        if let Ok(map) = map_mut(workload, parents) {
            map.shift_remove(*last);
        }
        return;
    }
    if let Ok(map) = map_mut(workload, keys) {
        map.shift_remove(key);
    }
    if kind.is_typed() {
        remove_empty_map(workload, keys);
    }
}

/// Whether a Sandbox is between the phases of its restart.
pub(super) fn restart_is_pending(workload: &Value, names: &Names) -> bool {
    string_map(workload, &["metadata", "annotations"])
        .and_then(|map| map.get(names.restart_pending))
        .is_some_and(|value| value == "true")
}

/// The field below `spec` that runs a Sandbox, with its values for stopped and running: `v1beta1` has no replicas
/// (agent-sandbox `api/v1beta1/sandbox_types.go`, SandboxOperatingMode), and the operator knows only `v1alpha1`.
fn run_state(sandbox: &Value) -> (&'static str, Value, Value) {
    if Object(sandbox).api_version() == "agents.x-k8s.io/v1beta1" {
        ("operatingMode", "Suspended".into(), "Running".into())
    } else {
        ("replicas", 0.into(), 1.into())
    }
}

/// Whether a Sandbox is to run a pod.
pub(super) fn runs(sandbox: &Value) -> bool {
    let (field, stopped, _) = run_state(sandbox);
    find(sandbox, &["spec", field]) != Some(&stopped)
}

/// Remembers on a Sandbox which configuration its pod gets, and says whether that is another one than before. The config
/// hash covers skills as well, which an operator that mounts never mounts there. Without the annotation, and where the
/// config hash has changed since, its pod got all that the hash covers (Q29).
pub(super) fn pod_changes(
    draft: &mut Draft,
    runtime: &Runtime<'_>,
    config: &ResolvedConfig,
    options: &Options,
    (old_hash, new_hash): (&str, &str),
) -> Result<bool, WrongType> {
    let annotations = ["metadata", "annotations"];
    let digits = |hash: &str| hash.chars().take(12).collect::<String>();
    let spec = AgentRuntimeSpec { skills: Vec::new(), ..runtime.spec.clone() };
    let wanted = digits(ConfigHash::of(&hash_input(options.profile, Some(&spec), config)).as_str());
    let (old_hash, new_hash) = (digits(old_hash), digits(new_hash));
    let before = string_map(draft.value(), &annotations)
        .and_then(|map| map.get(RESTART_HASH)?.as_str()?.split_once('/'))
        .and_then(|(of, pod)| (of == old_hash).then(|| pod.to_owned()))
        .unwrap_or_else(|| old_hash.clone());
    if wanted == new_hash {
        draft.remove(&annotations, RESTART_HASH);
    } else {
        draft.set(&annotations, RESTART_HASH, format!("{new_hash}/{wanted}"))?;
    }
    Ok(before != wanted)
}

/// Phase 1: a second write, down to no replica. What the plan wants is in its last update already.
pub(super) fn begin_restart(plan: &mut RuntimePlan, names: &Names) {
    let Some(mut workload) = plan.desired().cloned() else { return };
    let (field, stopped, _) = run_state(&workload);
    replace(&mut workload, &["spec", field], stopped);
    set(
        &mut workload,
        WorkloadKind::Sandbox,
        &["metadata", "annotations"],
        &[(names.restart_pending, "true")],
    );
    plan.write(workload, None);
}

/// Both ends of a restart at once, for who goes before the second phase: nobody else would bring the Sandbox up (Q25).
pub(super) fn end_restart(draft: &mut Draft, names: &'static Names) -> Result<(), WrongType> {
    if !restart_is_pending(draft.value(), names) {
        return Ok(());
    }
    let annotations = ["metadata", "annotations"];
    draft.remove(&annotations, POD_NAME);
    draft.remove(&annotations, names.restart_pending);
    let (field, _, running) = run_state(draft.value());
    draft.set(&["spec"], field, running)
}

/// Phase 2: up again, and nothing else in that run.
pub(super) fn finish_restart(mut plan: RuntimePlan, mut after: Value, options: &Options) -> RuntimePlan {
    if let Ok(annotations) = map_mut(&mut after, &["metadata", "annotations"]) {
        annotations.shift_remove(POD_NAME);
        annotations.shift_remove(options.profile.names.restart_pending);
    }
    let (field, _, running) = run_state(&after);
    replace(&mut after, &["spec", field], running);
    let message = format!("Sandbox {} restarted via scale 0→1", plan.target.name);
    plan.event(false, "SandboxRestarted", message);
    plan.requeue_after_secs = 5;
    plan.action = Action::Configured;
    plan.reason = "the Sandbox is scaled up again after a change of its configuration".to_owned();
    plan.write(after, None);
    plan
}
