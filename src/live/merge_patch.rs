//! JSON merge patches (RFC 7386): an object before and after in, the patch that makes the one of the other out. Sending it
//! is left to the binary.

use serde_json::{Map, Value};

/// What makes `after` of `before`; `None` if nothing has to change. Lists are replaced whole. A `before` that is absent
/// (null) is an empty object, as the field of an object that has none yet.
pub fn merge_patch(before: &Value, after: &Value) -> Option<Value> {
    let none = Value::Object(Map::new());
    let before = if before.is_null() && after.is_object() { &none } else { before };
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = new.iter().filter_map(|(key, value)| {
        let patch = match old.get(key) {
            Some(old) => merge_patch(old, value)?,
            None => value.clone(),
        };
        Some((key.clone(), patch))
    });
    let patch: Map<String, Value> = gone.chain(changed).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A dry run must show the planned object and not a mixture: what is gone has to be said.
    #[test]
    fn what_changes_and_what_goes_is_said() {
        let before = json!({"metadata": {"name": "a", "labels": {"x": "1", "y": "1"}},
            "spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}}], "replicas": 1}});
        let after = json!({"metadata": {"name": "a", "labels": {"x": "2"}, "annotations": {"z": "1"}},
            "spec": {"volumes": [{"name": "v", "image": {"reference": "i"}}], "replicas": 1}});
        assert_eq!(
            merge_patch(&before, &after),
            Some(json!({
                "metadata": {"labels": {"y": null, "x": "2"}, "annotations": {"z": "1"}},
                "spec": {"volumes": [{"name": "v", "image": {"reference": "i"}}]},
            }))
        );
        assert_eq!(merge_patch(&before, &before), None);
    }

    /// At rest nothing may be written: an equal status is no write. A field that left a nested object must not stay there.
    #[test]
    fn a_status_is_patched_only_where_it_is_new() {
        let old = json!({"phase": "Active", "configuredPods": 2, "conditions": [{"type": "Ready"}], "card": {"name": "x", "url": "u"}});
        assert_eq!(merge_patch(&Value::Null, &json!({})), None);
        let new = json!({"phase": "Error", "conditions": [{"type": "Ready"}], "card": {"name": "x"}});
        assert_eq!(
            merge_patch(&old, &new),
            Some(json!({"phase": "Error", "configuredPods": null, "card": {"url": null}}))
        );
    }
}
