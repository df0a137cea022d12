//! What has left workloads, and every place that still speaks of it: values and patches in, places with what to do out.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pod;
use crate::api::error::InputError;
use crate::api::object::ObjectRef;
use crate::manifest::kustomization::Patch;
use crate::validate::preflight::normalized;
use crate::yaml::Step;

/// Lists of a pod that a move shortens.
const LISTS: [&str; 2] = ["volumes", "volumeMounts"];
/// Where a container reads a ConfigMap as its environment.
const ENVIRONMENT: [&str; 2] = ["configMapKeyRef", "configMapRef"];

/// What has left a workload.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub workload: ObjectRef,
    /// Names of the volumes.
    pub volumes: BTreeSet<String>,
    /// The ConfigMaps.
    pub maps: BTreeSet<String>,
    /// The paths at which they were mounted.
    pub paths: BTreeSet<String>,
    /// Whether init containers have gone.
    pub fetched: bool,
}

/// A place in a value that speaks of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub path: Vec<Step>,
    /// What it says.
    pub said: String,
    /// Whether it only reads a ConfigMap, which stays.
    pub reads: bool,
}

impl Gone {
    /// ConfigMaps alone, of which there are none yet.
    pub(super) fn of_maps(workload: ObjectRef) -> Self {
        Self {
            workload,
            volumes: BTreeSet::new(),
            maps: BTreeSet::new(),
            paths: BTreeSet::new(),
            fetched: false,
        }
    }

    /// Places in a value that speak of it. `key`: of the list that the value is an item of, where it is one.
    pub(super) fn mentions(&self, value: &Value, key: &str) -> Vec<Mention> {
        let mut out = Vec::new();
        self.walk(value, key, &mut Vec::new(), &mut out);
        out
    }

    fn walk(&self, value: &Value, key: &str, at: &mut Vec<Step>, out: &mut Vec<Mention>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    at.push(index.into());
                    self.walk(item, key, at, out);
                    at.pop();
                }
            }
            Value::Object(map) => {
                let said = self.item(value, key);
                if let Some((said, reads)) = said {
                    return out.push(Mention { path: at.clone(), said, reads });
                }
                for (own, inner) in map {
                    at.push(own.as_str().into());
                    self.walk(inner, own, at, out);
                    at.pop();
                }
            }
            _ => {}
        }
    }

    fn item(&self, value: &Value, key: &str) -> Option<(String, bool)> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        if LISTS.contains(&key) && self.volumes.contains(name) {
            return Some((format!("states volume {name}, which is gone"), false));
        }
        if key == "volumeMounts" && self.paths.contains(normalized(text("mountPath")).as_ref() as &str) {
            return Some((format!("mounts something at {}, where a skill is", text("mountPath")), false));
        }
        if self.fetched && key == "initContainers" && name.starts_with(pod::FETCHED[1]) {
            return Some((format!("states init container {name}, which is gone"), false));
        }
        if key == "configMap" && self.maps.contains(name) {
            return Some((format!("mounts ConfigMap {name}"), false));
        }
        let reads = ENVIRONMENT.contains(&key) && self.maps.contains(name);
        reads.then(|| (format!("reads ConfigMap {name} as environment"), true))
    }

    /// What a patch says of it.
    fn of_patch(&self, patch: &Patch<'_>) -> Vec<InputError> {
        let is_about = patch.targets.iter().any(|one| one.may_be(&self.workload.kind, &self.workload.name));
        if !is_about {
            return Vec::new();
        }
        let places = patch.open();
        let decide = |path: &[Step], said: &str, reads: bool| {
            let help = if reads {
                "keep the ConfigMap as long as it is read".to_owned()
            } else {
                format!("take it out of the patch: the skills of {} are in a list now", self.workload)
            };
            places.error(path, format!("the patch {said}"), help)
        };
        let Some(operations) = patch.value.as_array() else {
            let found = self.mentions(&patch.value, "");
            return found.iter().map(|one| decide(&one.path, &one.said, one.reads)).collect();
        };
        let mut out = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            let steps = |key: &str| -> Vec<String> {
                let path = operation.get(key).and_then(Value::as_str).unwrap_or_default();
                path.split('/').map(str::to_owned).collect()
            };
            let is_list =
                |step: &String| LISTS.contains(&step.as_str()) || (self.fetched && step == "initContainers");
            let listed = [steps("path"), steps("from")].concat().into_iter().find(is_list);
            let at = [Step::from(index)];
            if let Some(list) = listed {
                out.push(places.error(
                    &at,
                    format!("the patch counts in or replaces {list}, in which something is gone"),
                    format!("see whether it still means the same in {}: an index is another one, and a list that is empty is not there", self.workload),
                ));
                continue;
            }
            let path = steps("path");
            let key = path.iter().rev().find(|step| *step != "-" && step.parse::<usize>().is_err());
            let value = operation.get("value").unwrap_or(&Value::Null);
            for one in self.mentions(value, key.map_or("", String::as_str)) {
                let at: Vec<Step> =
                    [index.into(), "value".into()].into_iter().chain(one.path.iter().cloned()).collect();
                out.push(decide(&at, &one.said, one.reads));
            }
        }
        out
    }
}

/// What patches say of volumes and mounts that are gone.
pub(super) fn of_workloads(patches: &[Patch<'_>], gone: &[Gone]) -> Vec<InputError> {
    let mut out: Vec<InputError> = Vec::new();
    for found in gone.iter().flat_map(|one| patches.iter().flat_map(|patch| one.of_patch(patch))) {
        // One place may speak of the workloads of several.
        let is_same = |other: &InputError| other.origin == found.origin && other.field == found.field;
        if !out.iter().any(is_same) {
            out.push(found);
        }
    }
    out
}
