//! Which dialect a cluster's CRD speaks: its OpenAPI schema in, a profile and the reason out.
//!
//! Fields by commit: the CRD manifests of the upstream repository (operator-spec.md section 0). Dialects that share a
//! CRD do not differ in it; the one that lived longer is taken.

use serde_json::Value;

use crate::api::names::{KAGENTI, ROSSOCTL};
use crate::api::profile::Profile;

/// A profile and what it was known by.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// The profile.
    pub profile: &'static Profile,
    /// Why, as a phrase: `the CRD has spec.skills and spec.trace`.
    pub reason: String,
}

/// Detects the profile from an API group and the schema of AgentRuntime (`{"properties": {"spec": ...}}`).
/// None for a group that is not the operator's.
pub fn detect(group: &str, schema: &Value) -> Option<Detected> {
    let has = |path: &[&str]| {
        let mut at = schema;
        for key in path {
            match at.get("properties").and_then(|properties| properties.get(key)) {
                Some(next) => at = next,
                None => return false,
            }
        }
        true
    };
    let (name, reason) = if group == ROSSOCTL.group {
        ("rossoctl", format!("the API group is {group}"))
    } else if group != KAGENTI.group {
        return None;
    } else if has(&["spec", "skills"]) {
        if has(&["spec", "trace"]) {
            ("pr332-merged", "the CRD has spec.skills and spec.trace".to_owned())
        } else {
            ("no-trace", "the CRD has spec.skills and no spec.trace".to_owned())
        }
    } else if has(&["spec", "tlsBridgeMode"]) {
        if has(&["spec", "identity"]) {
            ("spiffe-helper", "the CRD has spec.tlsBridgeMode and spec.identity".to_owned())
        } else {
            ("head", "the CRD has spec.tlsBridgeMode and no spec.identity".to_owned())
        }
    } else if has(&["status", "linkedSkills"]) && !has(&["status", "card", "cardHash"]) {
        ("no-skills", "the CRD has status.linkedSkills and no spec.skills".to_owned())
    } else {
        ("two-layer", "the CRD has neither spec.skills nor spec.tlsBridgeMode".to_owned())
    };
    Some(Detected { profile: Profile::by_name(name)?, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(spec: &[&str], status: &[&str], card: &[&str]) -> Value {
        let properties = |names: &[&str]| -> Value {
            Value::Object(names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect())
        };
        let mut status = properties(status);
        status["card"] = json!({"properties": properties(card)});
        json!({"properties": {"spec": {"properties": properties(spec)}, "status": {"properties": status}}})
    }

    /// A wrong dialect means a wrong hash: every agent of the cluster would be rolled.
    #[test]
    fn each_published_crd_is_known() {
        let old = ["authBridgeMode", "identity", "mtlsMode", "targetRef", "type"];
        let with = |more: &[&'static str]| [&old[..], more].concat();
        for (spec, status, card, expected) in [
            (with(&["skills", "trace"]), &["phase"][..], "cardId", "pr332-merged"),
            (with(&["skills"]), &["phase"], "cardId", "no-trace"),
            (with(&[]), &["phase", "linkedSkills"], "cardId", "no-skills"),
            (with(&[]), &["phase", "linkedSkills"], "cardHash", "two-layer"),
            (with(&["tlsBridgeMode"]), &["linkedSkills"], "cardHash", "spiffe-helper"),
            (vec!["tlsBridgeMode", "type"], &["linkedSkills"], "cardHash", "head"),
        ] {
            let detected = detect("agent.kagenti.dev", &schema(&spec, status, &[card]));
            assert_eq!(detected.map(|found| found.profile.name), Some(expected), "{spec:?}");
        }
        assert_eq!(
            detect("agent.rossoctl.dev", &json!({})).map(|found| found.profile.name),
            Some("rossoctl")
        );
        assert_eq!(detect("example.com", &json!({})), None);
    }
}
