//! What a run writes into an AgentRuntime's status: the plan of it, and the status that comes of it and the one before.
//! Sending it is left to the controller. Source: operator-spec.md section 5, "Conditions get".

use serde_json::{Map, Value, json};

use super::Condition;
use crate::api::profile::Profile;

/// The status that a run wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct StatusPlan {
    /// Conditions to be set, in the order in which new ones are appended.
    pub set: Vec<Condition>,
    /// Conditions to be removed.
    pub remove: Vec<&'static str>,
    /// `phase`, in profiles that have it.
    pub phase: Option<&'static str>,
    /// `configuredPods`; 0 is left out. None leaves it as it is.
    pub configured_pods: Option<u32>,
    /// `linkedSkills`; an empty list is left out. None leaves them as they are.
    pub linked_skills: Option<Vec<String>>,
    /// `card` is cleared.
    pub clear_card: bool,
    /// `observedGeneration` of the status itself is set (61df0a4 on).
    pub observed_generation: bool,
}

impl StatusPlan {
    /// A status with that phase, where the profile has phases.
    pub(super) fn in_phase(profile: &Profile, phase: &'static str) -> Self {
        Self {
            phase: profile.status_phase.then_some(phase),
            observed_generation: !profile.status_phase,
            ..Self::default()
        }
    }

    /// The status after this run. `old` is the status before (null for none), `generation` the AgentRuntime's;
    /// `now`, in RFC 3339, becomes `lastTransitionTime` of the conditions whose status flips, and is left out where none.
    pub fn apply(&self, old: &Value, generation: i64, now: Option<&str>) -> Value {
        let mut status = old.as_object().cloned().unwrap_or_default();
        let mut conditions = match status.shift_remove("conditions") {
            Some(Value::Array(conditions)) => conditions,
            _ => Vec::new(),
        };
        let is = |found: &Value, kind: &str| found.get("type").and_then(Value::as_str) == Some(kind);
        conditions.retain(|found| !self.remove.iter().any(|kind| is(found, kind)));
        for condition in &self.set {
            match conditions.iter_mut().find(|found| is(found, condition.kind)) {
                Some(found) => *found = merged(found, condition, generation, now),
                None => conditions.push(merged(&Value::Null, condition, generation, now)),
            }
        }
        if !conditions.is_empty() {
            status.insert("conditions".into(), Value::Array(conditions));
        }
        if let Some(phase) = self.phase {
            status.insert("phase".into(), phase.into());
        }
        if self.observed_generation && generation != 0 {
            status.insert("observedGeneration".into(), generation.into());
        }
        if self.clear_card {
            status.shift_remove("card");
        }
        set_or_drop(&mut status, "configuredPods", self.configured_pods.map(|pods| (pods == 0, json!(pods))));
        set_or_drop(
            &mut status,
            "linkedSkills",
            self.linked_skills.as_ref().map(|all| (all.is_empty(), json!(all))),
        );
        Value::Object(status)
    }
}

fn set_or_drop(status: &mut Map<String, Value>, key: &str, value: Option<(bool, Value)>) {
    match value {
        None => {}
        Some((true, _)) => {
            status.shift_remove(key);
        }
        Some((false, value)) => {
            status.insert(key.into(), value);
        }
    }
}

/// As `meta.SetStatusCondition`: the time moves only when the status does.
fn merged(old: &Value, condition: &Condition, generation: i64, now: Option<&str>) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), condition.kind.into());
    out.insert("status".into(), condition.status_text().into());
    // Go leaves a zero out.
    if generation != 0 {
        out.insert("observedGeneration".into(), generation.into());
    }
    let flips = old.get("status").and_then(Value::as_str) != Some(condition.status_text());
    let time = if flips { now.map(Value::from) } else { old.get("lastTransitionTime").cloned() };
    if let Some(time) = time {
        out.insert("lastTransitionTime".into(), time);
    }
    out.insert("reason".into(), condition.reason.into());
    out.insert("message".into(), condition.message.as_str().into());
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time that moves without reason is a write without reason, and every write wakes whoever watches.
    #[test]
    fn a_status_is_merged_as_the_operator_merges_it() {
        let ready =
            |status, message: &str| Condition { kind: "Ready", status, reason: "R", message: message.into() };
        let plan = StatusPlan {
            set: vec![ready(true, "new")],
            remove: vec!["SkillsMounted"],
            phase: Some("Active"),
            configured_pods: Some(2),
            linked_skills: Some(Vec::new()),
            clear_card: true,
            observed_generation: false,
        };
        let old = json!({
            "phase": "Error", "card": {"name": "x"}, "linkedSkills": ["a"], "foreign": 1,
            "conditions": [
                {"type": "SkillsMounted", "status": "True"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "t0", "reason": "old", "message": "old"},
                {"type": "Other", "status": "True"},
            ],
        });
        let after = plan.apply(&old, 3, Some("t1"));
        assert_eq!(
            after,
            json!({
                "phase": "Active", "foreign": 1, "configuredPods": 2,
                "conditions": [
                    {"type": "Ready", "status": "True", "observedGeneration": 3, "lastTransitionTime": "t0",
                     "reason": "R", "message": "new"},
                    {"type": "Other", "status": "True"},
                ],
            })
        );
        let flipped = StatusPlan { set: vec![ready(false, "down")], ..StatusPlan::default() };
        assert_eq!(
            flipped.apply(&after, 0, Some("t2"))["conditions"][0],
            json!({"type": "Ready", "status": "False", "lastTransitionTime": "t2", "reason": "R", "message": "down"})
        );
        assert_eq!(StatusPlan::default().apply(&Value::Null, 1, None), json!({}));
    }
}
