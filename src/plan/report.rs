//! Plans as `plan -o json` prints them (cli.md): plans in, one object out. Tables for people are left to the binary.

use serde_json::{Value, json};

use crate::plan::change_set::Change;
use crate::plan::{RuntimePlan, Warning};

/// The object of `plan -o json`. `warnings` are those that belong to no runtime.
pub fn plan_object<'p>(
    profile: &str,
    plans: impl IntoIterator<Item = (&'p RuntimePlan, &'p [Change])>,
    warnings: &[Warning],
) -> Value {
    let runtimes: Vec<Value> = plans.into_iter().map(|(plan, changes)| runtime(plan, changes)).collect();
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "Plan", "profile": profile, "runtimes": runtimes,
        "warnings": texts(warnings),
    })
}

fn runtime(plan: &RuntimePlan, changes: &[Change]) -> Value {
    let skills: Vec<Value> = plan
        .skills
        .iter()
        .map(|planned| {
            json!({"name": planned.skill.name, "image": planned.skill.image, "mountPath": planned.skill.mount_path,
                   "pullPolicy": planned.skill.pull_policy, "subPath": planned.skill.sub_path, "volume": planned.volume,
                   "delivery": planned.delivered.name()})
        })
        .collect();
    let mut conditions: Vec<_> = plan.status.iter().flat_map(|status| &status.set).collect();
    conditions.sort_by_key(|condition| condition.kind);
    let conditions: Vec<Value> = conditions
        .into_iter()
        .map(|c| json!({"type": c.kind, "status": c.status_text(), "reason": c.reason, "message": c.message}))
        .collect();
    let events: Vec<Value> = plan
        .events
        .iter()
        .map(|event| json!({"type": event.type_text(), "reason": event.reason, "message": event.message}))
        .collect();
    let changes: Vec<Value> = changes
        .iter()
        .map(|change| json!({"path": change.path, "op": change.op.name(), "from": change.from, "to": change.to}))
        .collect();
    json!({
        "kind": plan.id.kind, "namespace": plan.id.namespace, "name": plan.id.name, "added": plan.added,
        "target": {"apiVersion": plan.target.api_version, "kind": plan.target.kind, "name": plan.target.name},
        "action": plan.action.name(), "reason": plan.reason, "configHash": plan.config_hash, "hashInput": plan.hash_input,
        "skills": skills, "container": plan.container, "conditions": conditions, "events": events, "requeueAfterSeconds": plan.requeue_after_secs,
        "changes": changes, "warnings": texts(&plan.warnings),
    })
}

fn texts(warnings: &[Warning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}
