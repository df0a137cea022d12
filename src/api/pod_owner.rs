//! Whose pod it is: a pod's metadata in, the workloads out that it may be of. Only what the pod itself shows is asked, so that
//! a pod which is being created needs no read: a workload that is the owner's owner is identified by the owner's name.
//!
//! Sources: Kubernetes 1.37.2 `pkg/controller/deployment/sync.go` (ReplicaSets are called after the Deployment and the hash
//! that their pods carry as a label), `pkg/controller/cronjob/utils.go` `getJobName` (after the CronJob and the minute);
//! argo-rollouts `rolloutreplicaset`; Knative `serving.ServiceLabelKey`.

use serde_json::Value;

use super::object::Object;
use super::workload::WorkloadKind;

/// A workload that a pod may be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name, or its beginning where [`Owner::is_cut`].
    pub name: String,
    /// The name was too long for its ReplicaSet, and only its beginning is known.
    pub is_cut: bool,
}

impl Owner {
    /// Whether a workload is it.
    pub fn is(&self, group: &str, kind: &str, name: &str) -> bool {
        let named = if self.is_cut { name.starts_with(&self.name) } else { name == self.name };
        named && self.kind == kind && self.group == group
    }
}

/// Labels of pods by which owners are identified.
pub const LABELS: [&str; 3] =
    ["pod-template-hash", "rollouts-pod-template-hash", "serving.knative.dev/service"];

/// Whether a pod has done its work, or failed: nothing of it runs any more.
pub fn has_ended(pod: &Value) -> bool {
    matches!(Object(pod).str("/status/phase"), "Succeeded" | "Failed")
}

/// Whether a pod may be of a workload.
pub fn is_of(pod: &Value, kind: WorkloadKind, name: &str) -> bool {
    owners(pod).iter().any(|owner| owner.is(kind.group(), kind.name(), name))
}

/// Longest name of an object.
const NAME_MAX: usize = 253;

/// The workloads that a pod may be of, the nearest first. A Job that somebody makes from a CronJob by hand has a name of its
/// own: its pods show nothing of the CronJob, and are not of it.
pub fn owners(pod: &Value) -> Vec<Owner> {
    let references = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let controller =
        references.into_iter().flatten().find(|one| one.get("controller") == Some(&Value::Bool(true)));
    let mut out = Vec::new();
    if let Some(controller) = controller {
        let (kind, name) = (Object(controller).kind(), Object(controller).str("/name"));
        let group = Object(controller).group();
        let owner = |group: &str, kind: &str, name: &str| Owner {
            group: group.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            is_cut: false,
        };
        out.push(owner(group, kind, name));
        if (group, kind) == ("apps", "ReplicaSet") {
            let of = [(LABELS[0], "apps", "Deployment"), (LABELS[1], "argoproj.io", "Rollout")];
            for (label, group, kind) in of {
                let hash = label_of(pod, label).filter(|hash| !hash.is_empty());
                let named = hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
                out.extend(
                    named.map(|named| Owner { is_cut: name.len() >= NAME_MAX, ..owner(group, kind, named) }),
                );
            }
        }
        if (group, kind) == ("batch", "Job")
            && let Some((named, minute)) = name.rsplit_once('-')
            && minute.len() >= 8
            && minute.bytes().all(|byte| byte.is_ascii_digit())
        {
            out.push(owner("batch", "CronJob", named));
        }
    }
    let service = label_of(pod, LABELS[2]).filter(|name| !name.is_empty());
    out.extend(service.map(|name| Owner {
        group: "serving.knative.dev".to_owned(),
        kind: "Service".to_owned(),
        name: name.to_owned(),
        is_cut: false,
    }));
    out
}

fn label_of<'p>(pod: &'p Value, key: &str) -> Option<&'p str> {
    Object(pod).label(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, api_version: &str, name: &str, labels: Value) -> Vec<String> {
        let pod = json!({"metadata": {"labels": labels, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "n"},
            {"apiVersion": api_version, "kind": kind, "name": name, "controller": true},
        ]}});
        owners(&pod)
            .iter()
            .map(|one| {
                format!("{}/{} {}{}", one.group, one.kind, one.name, if one.is_cut { "..." } else { "" })
            })
            .collect()
    }

    /// A pod that is taken for another workload's gets images that nobody meant for it.
    #[test]
    fn a_pod_is_known_by_its_owner_and_the_owners_name() {
        let hash = json!({"pod-template-hash": "5d4f"});
        assert_eq!(
            of("ReplicaSet", "apps/v1", "weather-5d4f", hash.clone()),
            ["apps/ReplicaSet weather-5d4f", "apps/Deployment weather"]
        );
        assert_eq!(
            of("ReplicaSet", "apps/v1", "weather-other", hash.clone()),
            ["apps/ReplicaSet weather-other"]
        );
        assert_eq!(of("ReplicaSet", "apps/v1", "weather5d4f", hash), ["apps/ReplicaSet weather5d4f"]);
        let long = format!("{}-5d4f", "w".repeat(248));
        let cut = of("ReplicaSet", "apps/v1", &long, json!({"pod-template-hash": "5d4f"}));
        assert!(cut[1].ends_with("..."), "{cut:?}");
        assert_eq!(
            of("ReplicaSet", "apps/v1", "web-7c", json!({"rollouts-pod-template-hash": "7c"})),
            ["apps/ReplicaSet web-7c", "argoproj.io/Rollout web"]
        );
        assert_eq!(
            of("Job", "batch/v1", "nightly-29398320", json!({})),
            ["batch/Job nightly-29398320", "batch/CronJob nightly"]
        );
        assert_eq!(of("Job", "batch/v1", "nightly-1", json!({})), ["batch/Job nightly-1"]);
        assert_eq!(of("Job", "batch/v1", "nightly-by-hand", json!({})), ["batch/Job nightly-by-hand"]);
        assert_eq!(of("StatefulSet", "apps/v1", "db", json!({})), ["apps/StatefulSet db"]);
        assert_eq!(
            of(
                "ReplicaSet",
                "apps/v1",
                "greet-00001-deployment-5d4f",
                json!({"pod-template-hash": "5d4f", "serving.knative.dev/service": "greet"})
            ),
            [
                "apps/ReplicaSet greet-00001-deployment-5d4f",
                "apps/Deployment greet-00001-deployment",
                "serving.knative.dev/Service greet"
            ]
        );
        assert!(owners(&json!({"metadata": {}})).is_empty());
    }
}
