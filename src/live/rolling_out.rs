//! Whether a rollout of a workload is under way: the object with its status in, yes or no out. Pods that are not as new ones
//! are need nobody's hand then.

use serde_json::Value;

use super::status_report::condition;
use crate::api::object::Object;

/// Whether the controller of a workload is replacing its pods, as `kubectl rollout status` decides it. Not where it waits for
/// people, or has given up: a paused Deployment, pods that are replaced when they are deleted, a partition.
pub(super) fn is_rolling_out(workload: &Value) -> bool {
    let number = |pointer: &str| workload.pointer(pointer).and_then(Value::as_u64);
    let strategy = workload.pointer("/spec/updateStrategy");
    let strategy = |pointer: &str| strategy.and_then(|strategy| strategy.pointer(pointer));
    let waits = workload.pointer("/spec/paused").and_then(Value::as_bool) == Some(true)
        || strategy("/type").and_then(Value::as_str) == Some("OnDelete")
        || strategy("/rollingUpdate/partition").and_then(Value::as_u64) > Some(0)
        || condition(workload, "Progressing")
            .is_some_and(|condition| Object(condition).str("/status") == "False");
    let Some(observed) = number("/status/observedGeneration").filter(|_| !waits) else { return false };
    let or_none = |pointer: &str| number(pointer).unwrap_or_default();
    Some(observed) < number("/metadata/generation")
        || match Object(workload).kind() {
            "Deployment" | "StatefulSet" => {
                let updated = or_none("/status/updatedReplicas");
                updated < number("/spec/replicas").unwrap_or(1) || updated < or_none("/status/replicas")
            }
            "DaemonSet" => {
                or_none("/status/updatedNumberScheduled") < or_none("/status/desiredNumberScheduled")
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_is_told_by_what_its_controller_reports() {
        let rolls = |kind: &str, more: Value| {
            let mut workload = json!({"kind": kind, "metadata": {"generation": 2}, "spec": {"replicas": 3},
                "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3,
                           "desiredNumberScheduled": 3, "updatedNumberScheduled": 3}});
            for (pointer, value) in more.as_object().into_iter().flatten() {
                let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
                if let Some(parent) = workload.pointer_mut(parent) {
                    parent[key] = value.clone();
                }
            }
            is_rolling_out(&workload)
        };
        for kind in ["Deployment", "StatefulSet", "DaemonSet", "Sandbox"] {
            assert!(!rolls(kind, json!({})), "{kind}");
            assert!(rolls(kind, json!({"/status/observedGeneration": 1})), "{kind}");
            assert!(!rolls(kind, json!({"/status": {}})), "{kind}: nobody reports");
        }
        assert!(rolls("Deployment", json!({"/status/updatedReplicas": 1})));
        assert!(rolls("Deployment", json!({"/status/replicas": 4})), "an old pod is still there");
        assert!(rolls("StatefulSet", json!({"/status/updatedReplicas": 2})));
        assert!(rolls("DaemonSet", json!({"/status/updatedNumberScheduled": 2})));
        for waits in [
            json!({"/spec/paused": true}),
            json!({"/spec/updateStrategy": {"type": "OnDelete"}}),
            json!({"/spec/updateStrategy": {"rollingUpdate": {"partition": 2}}}),
            json!({"/status/conditions": [{"type": "Progressing", "status": "False"}]}),
        ] {
            let mut more = waits.clone();
            more["/status/updatedReplicas"] = json!(1);
            assert!(!rolls("Deployment", more), "{waits}");
        }
    }
}
