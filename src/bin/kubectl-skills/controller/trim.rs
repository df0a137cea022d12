//! Trims objects to the fields that plans read before they are cached; the rest would only cost memory. Writes are
//! server-side applies, so a field that is not cached is not touched either; if a plan removes something, the whole object
//! is read again first.

use kubectl_skills::api::agent_location::{AGENT_LOCATIONS, Discovery};
use kubectl_skills::api::names::{
    DEFAULT_CONTAINER, MANAGED_BY, Names, ROLLOUT, SKILL_FOLDERS, SKILL_VOLUME_PREFIX,
};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::workload::WorkloadKind;
use serde_json::{Map, Value, json};

use crate::cluster::apply::FIELD_MANAGER;
use crate::cluster::skills_of_pods;
use crate::cluster::snapshot::has_controller;
use crate::cluster::watch::Transform;

/// Name of the mark on kept workloads that are the operator itself.
pub const OPERATOR_MARK: &str = "kubectl-skills/operator";

/// How an object is trimmed.
#[derive(Debug, Clone, Copy)]
pub enum Trim {
    /// Of an AgentRuntime.
    Runtime,
    /// Of a workload other than a Sandbox.
    Workload(&'static Names, WorkloadKind),
    /// Of a Sandbox.
    Sandbox,
    /// Of a ConfigMap.
    ConfigMap,
    /// Of a pod's metadata.
    Pod(&'static Names),
    /// Of a pod: which skills it has.
    SkillsOfPod,
}

impl Transform for Trim {
    fn apply(&self, object: Value) -> Value {
        match *self {
            Self::Runtime => runtime(object),
            Self::Workload(names, kind) => workload(object, names, kind),
            Self::Sandbox => sandbox(object),
            Self::ConfigMap => config_map(object),
            Self::Pod(names) => pod_metadata(object, names),
            Self::SkillsOfPod => skills_of_pods::part(&object),
        }
    }
}

/// An AgentRuntime or SkillBinding: spec, status and the metadata that matter.
fn runtime(mut object: Value) -> Value {
    let Value::Object(map) = &mut object else { return object };
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        metadata.retain(|key, _| {
            matches!(
                key.as_str(),
                "name"
                    | "namespace"
                    | "uid"
                    | "resourceVersion"
                    | "generation"
                    | "creationTimestamp"
                    | "deletionTimestamp"
                    | "finalizers"
            )
        });
    }
    object
}

/// A workload: labels, annotations, volumes and mounts that a plan may read.
fn workload(object: Value, names: &Names, kind: WorkloadKind) -> Value {
    let mark = is_operator(&object, names);
    let has_controller = has_controller(&object);
    let Value::Object(mut map) = object else { return object };
    let mut out = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = map.get_mut(key) {
            out.insert(key.into(), value.take());
        }
    }
    let ours = own_fields(map.get("metadata"));
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        let mut kept = Map::new();
        move_keys(metadata, &mut kept, &["name", "namespace", "uid", "resourceVersion"]);
        if has_controller {
            kept.insert("ownerReferences".into(), json!([{"controller": true}]));
        }
        move_entries(metadata, &mut kept, "labels", &[names.type_label, MANAGED_BY]);
        move_entries(metadata, &mut kept, "annotations", &[names.skills]);
        if let Some(ours) = ours {
            kept.insert("managedFields".into(), Value::Array(vec![ours]));
        }
        out.insert("metadata".into(), Value::Object(kept));
    }
    let way = kind.paths().template;
    let template = way
        .split_first()
        .and_then(|(first, rest)| rest.iter().try_fold(map.get_mut(*first)?, |at, key| at.get_mut(*key)));
    if let Some(Value::Object(template)) = template {
        let mut kept = Map::new();
        if let Some(Value::Object(metadata)) = template.get_mut("metadata") {
            let mut inner = Map::new();
            // SkillBindings choose by any of them.
            move_keys(metadata, &mut inner, &["labels"]);
            let annotations = [names.config_hash, names.mtls_mode, ROLLOUT, DEFAULT_CONTAINER];
            move_entries(metadata, &mut inner, "annotations", &annotations);
            kept.insert("metadata".into(), Value::Object(inner));
        }
        if let Some(Value::Object(pod)) = template.get_mut("spec") {
            kept.insert("spec".into(), Value::Object(self::pod(pod)));
        }
        let whole = way.iter().rev().fold(Value::Object(kept), |inner, key| json!({*key: inner}));
        if let Value::Object(whole) = whole {
            out.extend(whole);
        }
    }
    if mark {
        out.insert(OPERATOR_MARK.into(), Value::Bool(true));
    }
    Value::Object(out)
}

/// Whether some runtime finds its skills by a variable.
fn leads_to_skills(variable: &str) -> bool {
    variable == SKILL_FOLDERS
        || AGENT_LOCATIONS.iter().any(|location| {
            matches!(location.discovery, Discovery::Folders(name) | Discovery::Root(name) if name == variable)
        })
}

fn pod(pod: &mut Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(Value::Array(volumes)) = pod.get_mut("volumes").map(Value::take) {
        let volumes = volumes.into_iter().map(|volume| {
            let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
            if name.starts_with(SKILL_VOLUME_PREFIX) { volume } else { json!({"name": name}) }
        });
        out.insert("volumes".into(), volumes.collect());
    }
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = pod.get_mut(list).map(Value::take) else { continue };
        let containers = containers.into_iter().map(|mut container| {
            if let Value::Object(map) = &mut container {
                map.retain(|key, value| match key.as_str() {
                    "name" | "volumeMounts" => true,
                    "env" => {
                        let Value::Array(items) = value else { return true };
                        items.retain(|item| {
                            item.get("name").and_then(Value::as_str).is_some_and(leads_to_skills)
                        });
                        !items.is_empty()
                    }
                    _ => false,
                });
            }
            container
        });
        out.insert(list.into(), containers.collect());
    }
    out
}

/// A Sandbox, which is written field by field as it is: all but its status and who manages what.
fn sandbox(mut object: Value) -> Value {
    let ours = own_fields(object.get("metadata"));
    if let Value::Object(map) = &mut object {
        map.shift_remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            for key in ["generation", "creationTimestamp", "managedFields"] {
                metadata.shift_remove(key);
            }
            if let Some(ours) = ours {
                metadata.insert("managedFields".into(), Value::Array(vec![ours]));
            }
        }
    }
    object
}

/// A ConfigMap: name, labels, data.
fn config_map(mut object: Value) -> Value {
    if let Value::Object(map) = &mut object {
        map.retain(|key, _| matches!(key.as_str(), "metadata" | "data"));
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata
                .retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "resourceVersion"));
        }
    }
    object
}

/// A pod: whose it is and of which type.
fn pod_metadata(mut object: Value, names: &Names) -> Value {
    if let Value::Object(map) = &mut object {
        map.retain(|key, _| key == "metadata");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            let mut kept = Map::new();
            move_keys(metadata, &mut kept, &["name", "namespace", "resourceVersion"]);
            move_entries(metadata, &mut kept, "labels", &[names.type_label]);
            if let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences").map(Value::take) {
                let owners = owners.iter().map(|owner| json!({"kind": owner["kind"], "name": owner["name"]}));
                kept.insert("ownerReferences".into(), owners.collect());
            }
            *metadata = kept;
        }
    }
    object
}

fn move_keys(from: &mut Map<String, Value>, to: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.get_mut(*key) {
            to.insert((*key).to_owned(), value.take());
        }
    }
}

/// The entries of a map that matter; the map stays, if only as an empty one, where it was.
fn move_entries(from: &mut Map<String, Value>, to: &mut Map<String, Value>, map: &str, keys: &[&str]) {
    if let Some(Value::Object(entries)) = from.get_mut(map) {
        let mut kept = Map::new();
        move_keys(entries, &mut kept, keys);
        to.insert(map.to_owned(), Value::Object(kept));
    }
}

/// What our manager holds by apply, without the time.
fn own_fields(metadata: Option<&Value>) -> Option<Value> {
    let entries = metadata?.get("managedFields")?.as_array()?;
    let own = entries.iter().find(|entry| {
        let is = |key: &str, value: &str| entry.get(key).and_then(Value::as_str) == Some(value);
        is("manager", FIELD_MANAGER) && is("operation", "Apply") && entry.get("subresource").is_none()
    })?;
    let mut own = own.clone();
    if let Value::Object(map) = &mut own {
        map.shift_remove("time");
    }
    Some(own)
}

/// Whether a workload is the operator's manager, and runs: in its namespace, by the label that its chart and its
/// manifests set or by the name of its image, with at least one replica wanted.
fn is_operator(object: &Value, names: &Names) -> bool {
    let workload = Object(object);
    if workload.namespace() != names.system_namespace {
        return false;
    }
    if object.pointer("/spec/replicas").and_then(Value::as_i64) == Some(0) {
        return false;
    }
    let manager = workload.label("control-plane") == Some("controller-manager");
    let app = workload.label("app.kubernetes.io/name").unwrap_or_default();
    let named = app == names.managed_by_value || app == names.chart_name;
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let image = containers.into_iter().flatten().any(|container| {
        let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
        let last = image.rsplit('/').next().unwrap_or_default();
        last.split([':', '@']).next().unwrap_or_default() == names.managed_by_value
    });
    (manager && named) || image
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubectl_skills::api::names::KAGENTI;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "weather", "namespace": "team1", "uid": "u", "resourceVersion": "7", "generation": 3,
                "labels": {"app": "weather", "kagenti.io/type": "agent"},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "managedFields": [
                    {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}},
                    {"manager": "skills.kagenti.dev", "operation": "Apply", "time": "t", "fieldsV1": {"f:metadata": {}}},
                ],
            },
            "spec": {"replicas": 1, "selector": {}, "template": {
                "metadata": {"labels": {"app": "weather"}},
                "spec": {
                    "volumes": [{"name": "cache", "emptyDir": {"medium": "Memory"}},
                                {"name": "skill-a", "image": {"reference": "a:1"}}],
                    "containers": [{"name": "agent", "image": "x", "env": [{"name": "A", "value": "1"}, {"name": "SKILL_FOLDERS", "value": "/s"}],
                                    "volumeMounts": [{"name": "cache", "mountPath": "/c"}]},
                                   {"name": "proxy", "image": "y", "env": [{"name": "A", "value": "1"}]}],
                    "securityContext": {"runAsNonRoot": true},
                },
            }},
            "status": {"readyReplicas": 1},
        })
    }

    #[test]
    fn of_a_workload_only_what_plans_read_is_kept() {
        assert_eq!(
            workload(deployment(), &KAGENTI, WorkloadKind::Deployment),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {
                    "name": "weather", "namespace": "team1", "uid": "u", "resourceVersion": "7",
                    "labels": {"kagenti.io/type": "agent"}, "annotations": {},
                    "managedFields": [{"manager": "skills.kagenti.dev", "operation": "Apply", "fieldsV1": {"f:metadata": {}}}],
                },
                "spec": {"template": {
                    "metadata": {"labels": {"app": "weather"}},
                    "spec": {
                        "volumes": [{"name": "cache"}, {"name": "skill-a", "image": {"reference": "a:1"}}],
                        "containers": [
                            {"name": "agent", "env": [{"name": "SKILL_FOLDERS", "value": "/s"}],
                             "volumeMounts": [{"name": "cache", "mountPath": "/c"}]},
                            {"name": "proxy"}],
                    },
                }},
            })
        );
    }

    /// Two writers of one workload is what has to be noticed before the first write.
    #[test]
    fn a_running_operator_is_known_by_label_or_image() {
        let mark =
            |object: Value| workload(object, &KAGENTI, WorkloadKind::Deployment).get(OPERATOR_MARK).is_some();
        let mut operator = deployment();
        operator["metadata"]["namespace"] = json!("kagenti-system");
        assert!(!mark(operator.clone()));
        operator["spec"]["template"]["spec"]["containers"][0]["image"] =
            json!("ghcr.io/kagenti/kagenti-operator/kagenti-operator:0.2@sha256:ab");
        assert!(mark(operator.clone()));
        operator["spec"]["replicas"] = json!(0);
        assert!(!mark(operator));
        let mut labelled = deployment();
        labelled["metadata"]["labels"] = json!({"control-plane": "controller-manager", "app.kubernetes.io/name": "kagenti-operator-chart"});
        assert!(!mark(labelled.clone()), "in any namespace");
        labelled["metadata"]["namespace"] = json!("kagenti-system");
        assert!(mark(labelled));
    }

    #[test]
    fn pods_shrink_to_their_owners() {
        let pod = json!({"kind": "PartialObjectMetadata", "metadata": {"name": "p", "namespace": "n", "uid": "u",
            "labels": {"kagenti.io/type": "agent", "x": "y"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "weather-1", "uid": "u"}]}});
        assert_eq!(
            pod_metadata(pod, &KAGENTI),
            json!({"metadata": {"name": "p", "namespace": "n", "labels": {"kagenti.io/type": "agent"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "weather-1"}]}})
        );
    }
}
