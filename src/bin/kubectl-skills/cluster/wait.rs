//! Follows the rollout of a workload until it is done, cannot be done, or takes too long. Reads only.
//!
//! Rules: `kubectl rollout status` (kubectl v0.37.2, `pkg/polymorphichelpers/rollout_status.go`) for the kinds that it knows; Argo's
//! phase for a Rollout; the condition Ready for a Sandbox, a Knative Service and kinds of the command line. A kind that says
//! neither is done at once, as `kstatus` has it.

use std::time::{Duration, Instant};

use kubectl_skills::api::object::Object;
use serde_json::Value;

use super::error::{ClusterError, Failure};
use super::paths::Resource;
use super::requests::Requests;

const SANDBOX_GROUP: &str = "agents.x-k8s.io";
const KNATIVE_GROUP: &str = "serving.knative.dev";

/// Where a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// All replicas are new and available.
    Done,
    /// Not yet, and what is waited for.
    Waiting(String),
    /// It will not get there by itself.
    Failed(String),
}

/// Waits for a rollout. `progress` is called whenever what is waited for changes.
pub async fn rollout(
    requests: &Requests,
    resource: Resource,
    namespace: &str,
    name: &str,
    limit: Option<Duration>,
    mut progress: impl FnMut(&str),
) -> Result<(), ClusterError> {
    let started = Instant::now();
    let path = resource.object(namespace, name);
    let what = format!("wait for {} {namespace}/{name}", resource.plural);
    let mut pause = Duration::from_millis(500);
    let mut last = String::new();
    loop {
        let Some(object) = requests.get(&path, &what).await? else {
            return Err(ClusterError::new(Failure::NotFound, format!("{what}: it was deleted")));
        };
        match rollout_of(&object) {
            Rollout::Done => return Ok(()),
            Rollout::Failed(why) => {
                return Err(ClusterError::new(Failure::Other, format!("{what}: {why}"))
                    .help(format!("see 'kubectl describe {} {name} -n {namespace}'", resource.plural)));
            }
            Rollout::Waiting(why) => {
                if why != last {
                    progress(&why);
                    last = why;
                }
            }
        }
        let left = limit.map(|limit| limit.saturating_sub(started.elapsed()));
        if let Some(limit) = limit
            && left.is_some_and(|left| left.is_zero())
        {
            return Err(ClusterError::new(
                Failure::TimedOut,
                format!("{what}: not done after {}s: {last}", limit.as_secs_f64()),
            )
            .help("the workload is written and goes on rolling out; give more time with --wait=DURATION"));
        }
        // The last look comes when the time is over, not before.
        tokio::time::sleep(left.map_or(pause, |left| left.min(pause))).await;
        pause = (pause * 2).min(Duration::from_secs(4));
    }
}

/// Judges a workload by its status.
pub fn rollout_of(object: &Value) -> Rollout {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let status = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    let (kind, group) = (Object(object).kind(), Object(object).group());
    let wanted = number("/spec/replicas").unwrap_or(1);
    match (kind, group) {
        ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet", "apps") => {}
        // No pod is made anew: the next ones are new anyway.
        ("CronJob" | "Job", "batch") => return Rollout::Done,
        ("Rollout", "argoproj.io") => return argo_of(object),
        _ => return by_condition(object),
    }
    if status("observedGeneration") < number("/metadata/generation").unwrap_or(0) {
        return Rollout::Waiting("the controller has not seen the change yet".into());
    }
    let updated = status("updatedReplicas");
    if kind == "Deployment" {
        let progressing = object
            .pointer("/status/conditions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|condition| condition.get("type").and_then(Value::as_str) == Some("Progressing"));
        if progressing.and_then(|condition| condition.get("reason")?.as_str())
            == Some("ProgressDeadlineExceeded")
        {
            return Rollout::Failed("it exceeded its progress deadline".into());
        }
        return if updated < wanted {
            Rollout::Waiting(format!("{updated} of {wanted} replicas are updated"))
        } else if status("replicas") > updated {
            Rollout::Waiting(format!("{} old replicas are still running", status("replicas") - updated))
        } else if status("availableReplicas") < updated {
            Rollout::Waiting(format!(
                "{} of {updated} updated replicas are available",
                status("availableReplicas")
            ))
        } else {
            Rollout::Done
        };
    }
    // Its pods stay as they are until somebody deletes them, as those of a Job do.
    if kind == "ReplicaSet" {
        return Rollout::Done;
    }
    if object.pointer("/spec/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete") {
        return Rollout::Failed(
            "its update strategy is OnDelete: delete its pods one by one to roll it out".into(),
        );
    }
    if kind == "DaemonSet" {
        let (updated, wanted) = (status("updatedNumberScheduled"), status("desiredNumberScheduled"));
        return if updated < wanted {
            Rollout::Waiting(format!("{updated} of {wanted} pods are updated"))
        } else if status("numberAvailable") < wanted {
            Rollout::Waiting(format!("{} of {wanted} pods are available", status("numberAvailable")))
        } else {
            Rollout::Done
        };
    }
    let partition = number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if status("readyReplicas") < wanted {
        Rollout::Waiting(format!("{} of {wanted} replicas are ready", status("readyReplicas")))
    } else if partition > 0 {
        if updated < wanted - partition {
            Rollout::Waiting(format!(
                "{updated} of {} replicas beyond the partition are updated",
                wanted - partition
            ))
        } else {
            Rollout::Done
        }
    } else if object.pointer("/status/updateRevision") != object.pointer("/status/currentRevision") {
        Rollout::Waiting(format!("{updated} of {wanted} replicas are updated"))
    } else {
        Rollout::Done
    }
}

/// An Argo Rollout by its phase. One that is paused goes on by itself or by somebody's leave: nobody says which.
fn argo_of(object: &Value) -> Rollout {
    let text = |pointer: &str| Object(object).str(pointer);
    let seen = match object.pointer("/status/observedGeneration") {
        Some(Value::String(seen)) => seen.parse().ok(),
        other => other.and_then(Value::as_i64),
    };
    if seen < object.pointer("/metadata/generation").and_then(Value::as_i64) {
        return Rollout::Waiting("the controller has not seen the change yet".into());
    }
    let message = text("/status/message");
    let why = if message.is_empty() { String::new() } else { format!(": {message}") };
    match text("/status/phase") {
        "Healthy" => Rollout::Done,
        "Degraded" => Rollout::Failed(format!("it is degraded{why}")),
        "" => Rollout::Waiting("its controller has said nothing yet".into()),
        phase => Rollout::Waiting(format!("it is {}{why}", phase.to_lowercase())),
    }
}

/// What has a condition Ready is where it should be when that is True of the generation that is there; what is to run no pod is
/// so at once. Only a Sandbox always has one, and only a Knative Service does not recover from False.
fn by_condition(object: &Value) -> Rollout {
    let (kind, group) = (Object(object).kind(), Object(object).group());
    let is_sandbox = kind == "Sandbox" && group == SANDBOX_GROUP;
    let stopped = object.pointer("/spec/replicas").and_then(Value::as_i64) == Some(0)
        || object.pointer("/spec/operatingMode").and_then(Value::as_str) == Some("Suspended");
    if is_sandbox && stopped {
        return Rollout::Done;
    }
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).map(str::to_owned);
    let ready =
        conditions.into_iter().flatten().find(|one| text(one, "type").is_some_and(|kind| kind == "Ready"));
    let now = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let is_old = |seen: Option<&Value>| {
        let seen = seen.and_then(Value::as_i64);
        seen.is_some_and(|seen| now.is_some_and(|now| seen < now))
    };
    let of_condition = ready.and_then(|ready| ready.get("observedGeneration"));
    if is_old(of_condition) || is_old(object.pointer("/status/observedGeneration")) {
        return Rollout::Waiting("the controller has not seen the change yet".into());
    }
    let Some(ready) = ready else {
        return if is_sandbox || group == KNATIVE_GROUP {
            Rollout::Waiting("its controller has not said that it is ready".into())
        } else {
            Rollout::Done
        };
    };
    let why = text(ready, "message").or_else(|| text(ready, "reason")).filter(|why| !why.is_empty());
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    match text(ready, "status").as_deref() {
        Some("True") => Rollout::Done,
        Some("False") if group == KNATIVE_GROUP => Rollout::Failed(format!("it is not ready{why}")),
        _ if is_sandbox => Rollout::Waiting("its pod is not ready".into()),
        _ => Rollout::Waiting(format!("it is not ready{why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `apply --wait` that returns too early hands traffic to agents without their skills.
    #[test]
    fn rollouts_are_judged_as_kubectl_judges_them() {
        let deployment = |status: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status});
        let waiting = |text: &str| Rollout::Waiting(text.into());
        for (status, expected) in [
            (json!({"observedGeneration": 1}), waiting("the controller has not seen the change yet")),
            (json!({"observedGeneration": 2, "updatedReplicas": 1}), waiting("1 of 3 replicas are updated")),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 4}),
                waiting("1 old replicas are still running"),
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 2}),
                waiting("2 of 3 updated replicas are available"),
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}),
                Rollout::Done,
            ),
            (
                json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}),
                Rollout::Failed("it exceeded its progress deadline".into()),
            ),
        ] {
            assert_eq!(rollout_of(&deployment(status)), expected);
        }
        let set = |strategy: Value, status: Value| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 2, "updateStrategy": strategy}, "status": status});
        let revisions = |current: &str, updated: i64| json!({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": updated, "currentRevision": current, "updateRevision": "b"});
        assert_eq!(rollout_of(&set(json!({}), revisions("a", 1))), waiting("1 of 2 replicas are updated"));
        assert_eq!(rollout_of(&set(json!({}), revisions("b", 2))), Rollout::Done);
        assert_eq!(
            rollout_of(&set(json!({"rollingUpdate": {"partition": 1}}), revisions("a", 1))),
            Rollout::Done
        );
        assert!(matches!(
            rollout_of(&set(json!({"type": "OnDelete"}), revisions("a", 0))),
            Rollout::Failed(_)
        ));
    }

    /// A CronJob has no rollout, and a DaemonSet says by numbers of its own how far it is.
    #[test]
    fn kinds_without_replicas_do_not_wait_for_ever() {
        let daemons = |status: Value| json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"generation": 2}, "spec": {}, "status": status});
        let waiting = |text: &str| Rollout::Waiting(text.into());
        let seen = |updated: i64, available: i64| json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": available});
        for (object, expected) in [
            (
                json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"generation": 2}, "spec": {}}),
                Rollout::Done,
            ),
            (
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generation": 2}, "spec": {}}),
                Rollout::Done,
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"generation": 2}, "status": {"observedGeneration": 2}}),
                Rollout::Done,
            ),
            (
                daemons(json!({"observedGeneration": 1})),
                waiting("the controller has not seen the change yet"),
            ),
            (daemons(seen(1, 3)), waiting("1 of 3 pods are updated")),
            (daemons(seen(3, 2)), waiting("2 of 3 pods are available")),
            (daemons(seen(3, 3)), Rollout::Done),
        ] {
            assert_eq!(rollout_of(&object), expected, "{object}");
        }
        let mut by_hand = daemons(seen(0, 3));
        by_hand["spec"] = json!({"updateStrategy": {"type": "OnDelete"}});
        assert!(matches!(rollout_of(&by_hand), Rollout::Failed(_)));
    }

    /// Kinds that kubectl knows no rollout of: each by what its own controller says, and none for ever.
    #[test]
    fn other_kinds_are_judged_by_what_their_controllers_say() {
        let waiting = |text: &str| Rollout::Waiting(text.into());
        let failed = |text: &str| Rollout::Failed(text.into());
        let not_seen = || waiting("the controller has not seen the change yet");
        let of = |version: &str, kind: &str, status: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"generation": 2}, "spec": {}, "status": status});
        let rollout = |status| of("argoproj.io/v1alpha1", "Rollout", status);
        let service = |status| of("serving.knative.dev/v1", "Service", status);
        let custom = |status| of("example.com/v1", "Flow", status);
        let ready = |status: &str, seen: i64| json!({"observedGeneration": seen, "conditions": [{"type": "Ready", "status": status, "message": "no image"}]});
        for (object, expected) in [
            (rollout(json!({})), not_seen()),
            (rollout(json!({"observedGeneration": "1", "phase": "Healthy"})), not_seen()),
            (rollout(json!({"observedGeneration": "2"})), waiting("its controller has said nothing yet")),
            (rollout(json!({"observedGeneration": "2", "phase": "Healthy"})), Rollout::Done),
            (
                rollout(json!({"observedGeneration": "2", "phase": "Paused", "message": "CanaryPauseStep"})),
                waiting("it is paused: CanaryPauseStep"),
            ),
            (
                rollout(json!({"observedGeneration": "2", "phase": "Degraded", "message": "deadline"})),
                failed("it is degraded: deadline"),
            ),
            (service(json!({})), waiting("its controller has not said that it is ready")),
            (service(ready("True", 1)), not_seen()),
            (service(ready("True", 2)), Rollout::Done),
            (service(ready("Unknown", 2)), waiting("it is not ready: no image")),
            (service(ready("False", 2)), failed("it is not ready: no image")),
            (custom(json!({})), Rollout::Done),
            (custom(Value::Null), Rollout::Done),
            (custom(json!({"observedGeneration": 1})), not_seen()),
            (custom(ready("True", 2)), Rollout::Done),
            (custom(ready("False", 2)), waiting("it is not ready: no image")),
            // Of the same name, and somebody else's.
            (of("example.com/v1", "Deployment", json!({})), Rollout::Done),
        ] {
            assert_eq!(rollout_of(&object), expected, "{object}");
        }
    }
}
