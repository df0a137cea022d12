//! The pods of the cache, found by the workloads they belong to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kubectl_skills::api::object::Object;
use kubectl_skills::api::pod_owner::{Owner, owners};
use kubectl_skills::api::workload::Kinds;
use serde_json::Value;

use super::{Kept, Key, Target};

/// Pods with their skills, by their workloads.
#[derive(Debug, Default)]
pub(super) struct PodIndex {
    pub(super) kinds: Kinds,
    pods: BTreeMap<Key, Kept>,
    of: HashMap<Target, BTreeSet<Key>>,
}

impl PodIndex {
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Kept> {
        self.pods.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Kept)> {
        self.pods.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.pods.len()
    }

    pub(super) fn of(&self, target: &Target) -> Vec<Value> {
        let keys = self.of.get(target).into_iter().flatten();
        keys.filter_map(|key| self.pods.get(key)).map(Kept::value).collect()
    }

    /// Takes a pod in; the workloads that it may be of.
    pub(super) fn put(&mut self, key: &Key, object: &Value, kept: Kept) -> Vec<Target> {
        self.pods.insert(key.clone(), kept);
        let targets = workloads_of_pod(object, key.namespace(), self.kinds);
        for target in &targets {
            self.of.entry(target.clone()).or_default().insert(key.clone());
        }
        targets
    }

    pub(super) fn remove(&mut self, key: &Key) -> Vec<Target> {
        let Some(kept) = self.pods.remove(key) else { return Vec::new() };
        let targets = workloads_of_pod(&kept.value(), key.namespace(), self.kinds);
        for target in &targets {
            if let Some(pods) = self.of.get_mut(target) {
                pods.remove(key);
                if pods.is_empty() {
                    self.of.remove(target);
                }
            }
        }
        targets
    }
}

/// The workloads that a pod may be of. One whose name was cut is not found by it.
fn workloads_of_pod(pod: &Value, namespace: &str, kinds: Kinds) -> Vec<Target> {
    let whole = owners(pod).into_iter().filter(|owner| !owner.is_cut);
    let target =
        |owner: Owner| Some((kinds.find(&owner.kind, &owner.group)?, Key::new(namespace, &owner.name)));
    whole.filter_map(target).collect()
}

/// Names of the workloads that a pod may be of (operator-spec.md section 5, step 11).
pub(super) fn pod_owners(pod: &Value) -> Vec<String> {
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let names = owners.into_iter().flatten().filter_map(|owner| {
        let name = Object(owner).str("/name");
        match Object(owner).kind() {
            "ReplicaSet" => name.rsplit_once('-').map(|(base, _)| base.to_owned()),
            "StatefulSet" | "Sandbox" => Some(name.to_owned()),
            _ => None,
        }
    });
    names.collect()
}
