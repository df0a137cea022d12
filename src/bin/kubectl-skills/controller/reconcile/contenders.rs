//! Who else writes what we write into a workload.

use std::collections::BTreeSet;

use kubectl_skills::live::apply_configuration::{FieldPath, removed_fields};
use kubectl_skills::live::field_ownership::owners;
use serde_json::Value;

use crate::cluster::apply::FIELD_MANAGER;

/// Managers other than us that own what differs from what we want.
pub(super) fn contenders(live: &Value, seen: &Value, desired: &Value, ours: &[FieldPath]) -> String {
    let changed = ours.iter().filter(|path| path.find(seen) != path.find(desired));
    let removed = removed_fields(seen, desired);
    let mut who: BTreeSet<String> = BTreeSet::new();
    for path in changed.chain(&removed) {
        // What was taken away has no owner any more; whoever did it owns the list around it.
        let mut path = path.clone();
        loop {
            let found: Vec<String> = owners(live, &path)
                .into_iter()
                .map(|owner| owner.manager)
                .filter(|manager| manager != FIELD_MANAGER && manager != "kube-controller-manager")
                .collect();
            if !found.is_empty() || path.0.len() <= 2 {
                who.extend(found);
                break;
            }
            path.0.pop();
        }
    }
    who.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_writes_back_is_found_also_when_our_field_is_gone() {
        let managed = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": fields});
        let live = json!({"metadata": {"managedFields": [
            managed("skills.kagenti.dev", json!({"f:metadata": {"f:labels": {"f:a": {}}}})),
            managed("argocd", json!({"f:spec": {"f:template": {"f:spec": {"f:volumes": {}}}}})),
            managed("helm", json!({"f:metadata": {"f:labels": {"f:b": {}}}})),
        ]}});
        let volume = FieldPath::fields(["spec", "template", "spec", "volumes"]).item("name", "skill-a");
        let desired = json!({"spec": {"template": {"spec": {"volumes": [{"name": "skill-a"}]}}}});
        let seen = json!({"spec": {"template": {"spec": {"volumes": []}}}});
        assert_eq!(contenders(&live, &seen, &desired, std::slice::from_ref(&volume)), "argocd");
        assert_eq!(contenders(&live, &desired, &desired, &[volume]), "");
    }
}
