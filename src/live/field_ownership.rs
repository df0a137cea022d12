//! Who owns a field, by `metadata.managedFields`: managers of a path out, and the list with a path moved to another
//! manager. Objects are read as values; when it is right to move ownership is left to the caller.
//!
//! Format: `FieldsV1` of k8s.io/apimachinery; the move is what client-go's `csaupgrade` does for `kubectl apply`.

use serde_json::{Map, Value, json};

use crate::live::apply_configuration::{FieldPath, Step};

/// An owner of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Name of the manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
}

/// Managers that own a field or anything below it, in the order of the list. Those of a subresource do not count.
pub fn owners(object: &Value, path: &FieldPath) -> Vec<Owner> {
    let keys = path.managed_keys();
    entries(object)
        .iter()
        .filter(|entry| is_main(entry) && find(fields(entry), &keys).is_some())
        .map(owner)
        .collect()
}

/// The fields that a manager holds by apply, leaf by leaf: what it has to state again to keep them. Items of lists without
/// a single key, and of sets, are passed over; we never state such.
pub fn held(object: &Value, manager: &str) -> Vec<FieldPath> {
    let mut out = Vec::new();
    for entry in entries(object).iter().filter(|entry| is_main(entry)) {
        let found = owner(entry);
        if found.manager == manager && found.operation == "Apply" {
            leaves(fields(entry), &FieldPath::default(), &mut out);
        }
    }
    out
}

fn leaves(fields: &Value, at: &FieldPath, out: &mut Vec<FieldPath>) {
    for (key, below) in fields.as_object().into_iter().flatten() {
        let next = if let Some(name) = key.strip_prefix("f:") {
            at.clone().field(name)
        } else if let Some(Value::Object(keys)) =
            key.strip_prefix("k:").and_then(|keys| serde_json::from_str(keys).ok())
            && let Some(("name" | "mountPath", Value::String(value))) =
                keys.iter().next().filter(|_| keys.len() == 1).map(|(key, value)| (key.as_str(), value))
        {
            let key = if keys.contains_key("name") { "name" } else { "mountPath" };
            at.clone().item(key, value)
        } else {
            continue;
        };
        if below.as_object().is_some_and(Map::is_empty) {
            // The key of an item is stated with whatever else of the item is; alone it would hold the item for nothing.
            let is_key = matches!((at.0.last(), next.0.last()),
                (Some(Step::Item { key, .. }), Some(Step::Field(field))) if key == field);
            if !is_key {
                out.push(next);
            }
        } else {
            leaves(below, &next, out);
        }
    }
}

/// `managedFields` with the paths given to the Apply entry of `manager`, alongside whoever owns them: what nobody owns can
/// be taken away only by a manager that held it.
pub fn claim(object: &Value, paths: &[FieldPath], manager: &str) -> Value {
    let mut list = entries(object).to_vec();
    let at = own_entry(&mut list, object, manager);
    for path in paths {
        let leaf = match path.0.last() {
            Some(Step::Item { .. }) => json!({".": {}}),
            _ => json!({}),
        };
        if let Some(fields) = list[at].get_mut("fieldsV1") {
            put(fields, &path.managed_keys(), leaf);
        }
    }
    Value::Array(list)
}

/// `managedFields` with the paths taken from all managers that `from` approves of and given to the Apply entry of
/// `manager`. None when nothing moves. A path that `manager` itself holds already is still taken from the others.
pub fn transfer(
    object: &Value,
    paths: &[FieldPath],
    manager: &str,
    from: impl Fn(&Owner) -> bool,
) -> Option<Value> {
    let mut list = entries(object).to_vec();
    let mut gained: Vec<(Vec<String>, Value)> = Vec::new();
    for entry in list.iter_mut().filter(|entry| is_main(entry)) {
        let found = owner(entry);
        let own = found.manager == manager && found.operation == "Apply";
        if own || !from(&found) {
            continue;
        }
        for path in paths {
            let keys = path.managed_keys();
            if let Some(taken) = entry.get_mut("fieldsV1").and_then(|fields| take(fields, &keys)) {
                gained.push((keys, taken));
            }
        }
    }
    if gained.is_empty() {
        return None;
    }
    list.retain(|entry| fields(entry).as_object().is_none_or(|map| !map.is_empty()));
    let at = own_entry(&mut list, object, manager);
    for (keys, taken) in gained {
        if let Some(fields) = list[at].get_mut("fieldsV1") {
            put(fields, &keys, taken);
        }
    }
    Some(Value::Array(list))
}

/// `managedFields` with a path taken from the Apply entry of `manager` and given to those who owned it in `before`, where
/// its value is what it was then; else to nobody. None when `manager` does not hold it.
pub fn give_back(object: &Value, before: &Value, path: &FieldPath, manager: &str) -> Option<Value> {
    let keys = path.managed_keys();
    let own = Owner { manager: manager.into(), operation: "Apply".into() };
    let mut list = entries(object).to_vec();
    let entry = list.iter_mut().find(|entry| is_main(entry) && owner(entry) == own)?;
    take(entry.get_mut("fieldsV1")?, &keys)?;
    list.retain(|entry| fields(entry).as_object().is_none_or(|map| !map.is_empty()));
    let same = path.find(object) == path.find(before);
    for entry in entries(before).iter().filter(|entry| same && is_main(entry) && owner(entry) != own) {
        let Some(theirs) = find(fields(entry), &keys) else { continue };
        let found = list.iter().position(|other| is_main(other) && owner(other) == owner(entry));
        let at = found.unwrap_or_else(|| {
            let mut empty = entry.clone();
            empty["fieldsV1"] = json!({});
            list.push(empty);
            list.len() - 1
        });
        if let Some(fields) = list[at].get_mut("fieldsV1") {
            put(fields, &keys, theirs.clone());
        }
    }
    Some(Value::Array(list))
}

/// Position of the Apply entry of a manager, made where there is none.
fn own_entry(list: &mut Vec<Value>, object: &Value, manager: &str) -> usize {
    let own = Owner { manager: manager.into(), operation: "Apply".into() };
    list.iter().position(|entry| is_main(entry) && owner(entry) == own).unwrap_or_else(|| {
        list.push(json!({
            "manager": manager, "operation": "Apply", "apiVersion": object.get("apiVersion").cloned().unwrap_or_default(),
            "fieldsType": "FieldsV1", "fieldsV1": {}
        }));
        list.len() - 1
    })
}

fn entries(object: &Value) -> &[Value] {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn fields(entry: &Value) -> &Value {
    entry.get("fieldsV1").unwrap_or(&Value::Null)
}

/// Whether an entry is about the object itself, not about `status` or `scale`.
fn is_main(entry: &Value) -> bool {
    entry.get("subresource").and_then(Value::as_str).unwrap_or_default().is_empty()
}

fn owner(entry: &Value) -> Owner {
    let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Owner { manager: text("manager"), operation: text("operation") }
}

fn find<'v>(fields: &'v Value, keys: &[String]) -> Option<&'v Value> {
    keys.iter().try_fold(fields, |at, key| at.get(key))
}

/// Takes the subtree out, and the parents that are left empty.
fn take(fields: &mut Value, keys: &[String]) -> Option<Value> {
    let (first, rest) = keys.split_first()?;
    let map = fields.as_object_mut()?;
    if rest.is_empty() {
        return map.shift_remove(first);
    }
    let taken = take(map.get_mut(first)?, rest)?;
    if map.get(first).and_then(Value::as_object).is_some_and(Map::is_empty) {
        map.shift_remove(first);
    }
    Some(taken)
}

fn put(fields: &mut Value, keys: &[String], taken: Value) {
    let Value::Object(map) = fields else { return };
    match keys.split_first() {
        None => {
            if let Value::Object(more) = taken {
                for (key, value) in more {
                    put(fields, &[key], value);
                }
            }
        }
        Some((first, rest)) => {
            let slot = map.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            put(slot, rest, taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str) -> FieldPath {
        FieldPath::fields(["spec", "volumes"]).item("name", name)
    }

    fn object() -> Value {
        json!({"apiVersion": "apps/v1", "metadata": {"managedFields": [
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "manager", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:spec": {"f:volumes": {".": {}, "k:{\"name\":\"skill-a\"}": {".": {}, "f:name": {}},
                                                    "k:{\"name\":\"skill-b\"}": {".": {}, "f:name": {}}}}}},
            {"manager": "manager", "operation": "Update", "subresource": "status",
             "fieldsV1": {"f:spec": {"f:volumes": {"k:{\"name\":\"skill-a\"}": {}}}}}
        ]}})
    }

    /// Without the move, a volume that the operator wrote could never be removed by us.
    #[test]
    fn ownership_moves_and_nothing_else_does() {
        let object = object();
        let moved =
            transfer(&object, &[volume("skill-a")], "kubectl-skills", |owner| owner.manager == "manager");
        assert_eq!(
            moved,
            Some(json!([
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "manager", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:spec": {"f:volumes": {".": {}, "k:{\"name\":\"skill-b\"}": {".": {}, "f:name": {}}}}}},
                {"manager": "manager", "operation": "Update", "subresource": "status",
                 "fieldsV1": {"f:spec": {"f:volumes": {"k:{\"name\":\"skill-a\"}": {}}}}},
                {"manager": "kubectl-skills", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:spec": {"f:volumes": {"k:{\"name\":\"skill-a\"}": {".": {}, "f:name": {}}}}}}
            ]))
        );
    }

    #[test]
    fn nothing_moves_from_those_who_are_not_named() {
        assert_eq!(
            transfer(&object(), &[volume("skill-a")], "kubectl-skills", |owner| owner.manager == "kubectl"),
            None
        );
        assert_eq!(transfer(&json!({}), &[volume("skill-a")], "kubectl-skills", |_| true), None);
    }

    #[test]
    fn owners_are_found_by_path() {
        assert_eq!(
            owners(&object(), &volume("skill-b")),
            [Owner { manager: "manager".into(), operation: "Update".into() }]
        );
        assert_eq!(owners(&object(), &volume("skill-c")), []);
    }

    #[test]
    fn what_we_hold_is_known_leaf_by_leaf() {
        let object = json!({"metadata": {"managedFields": [{"manager": "kubectl-skills", "operation": "Apply", "fieldsV1": {
            "f:metadata": {"f:annotations": {"f:kagenti.io/skills": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"agent\"}": {".": {}, "f:name": {},
                "f:image": {}, "f:ports": {"k:{\"containerPort\":1,\"protocol\":\"TCP\"}": {"f:name": {}}},
                "f:volumeMounts": {"k:{\"mountPath\":\"/s\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}}}}}},
            {"manager": "kubectl-skills", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}});
        let held: Vec<String> = held(&object, "kubectl-skills").iter().map(ToString::to_string).collect();
        assert_eq!(
            held,
            [
                ".metadata.annotations.kagenti.io/skills",
                r#".spec.containers[name="agent"].image"#,
                r#".spec.containers[name="agent"].volumeMounts[mountPath="/s"].name"#,
            ]
        );
    }

    #[test]
    fn what_nobody_owns_can_be_claimed() {
        let object = json!({"apiVersion": "apps/v1", "metadata": {}});
        assert_eq!(
            claim(&object, &[volume("skill-a"), FieldPath::fields(["a", "b"])], "kubectl-skills"),
            json!([{"manager": "kubectl-skills", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:volumes": {"k:{\"name\":\"skill-a\"}": {".": {}}}}, "f:a": {"f:b": {}}}}])
        );
    }

    /// A Sandbox's replicas go down and up again under our name: the user's manifest must not conflict with that for ever.
    #[test]
    fn what_was_borrowed_goes_back_to_its_owners() {
        let replicas = FieldPath::fields(["spec", "replicas"]);
        let object = |replicas: u32, fields: Value| json!({"metadata": {"managedFields": fields}, "spec": {"replicas": replicas}});
        let theirs = json!({"manager": "kubectl", "operation": "Apply", "time": "t", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:a": {}}}});
        let before = object(1, json!([theirs]));
        let ours = json!({"manager": "kubectl-skills", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let less = json!({"manager": "kubectl", "operation": "Apply", "time": "t", "fieldsV1": {"f:spec": {"f:a": {}}}});
        let back = |object: &Value, before: &Value| give_back(object, before, &replicas, "kubectl-skills");
        assert_eq!(
            back(&object(1, json!([less, ours])), &before),
            Some(
                json!([{"manager": "kubectl", "operation": "Apply", "time": "t", "fieldsV1": {"f:spec": {"f:a": {}, "f:replicas": {}}}}])
            )
        );
        // An owner who owned nothing else has lost his entry.
        let only = json!({"manager": "kubectl", "operation": "Apply", "time": "t", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        assert_eq!(back(&object(1, json!([ours])), &object(1, json!([only]))), Some(json!([only])));
        // Where the value is another now, nobody has said it.
        assert_eq!(back(&object(2, json!([less, ours])), &before), Some(json!([less])));
        assert_eq!(back(&object(1, json!([theirs])), &before), None);
    }

    /// An entry left without fields makes the server refuse the object.
    #[test]
    fn an_entry_without_fields_goes() {
        let object = json!({"apiVersion": "v1", "metadata": {"managedFields": [
            {"manager": "kubectl-skills", "operation": "Apply", "fieldsV1": {"f:spec": {"f:a": {}}}},
            {"manager": "manager", "operation": "Update", "fieldsV1": {"f:spec": {"f:b": {}}}}]}});
        let moved = transfer(&object, &[FieldPath::fields(["spec", "b"])], "kubectl-skills", |_| true);
        assert_eq!(
            moved,
            Some(
                json!([{"manager": "kubectl-skills", "operation": "Apply", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}}}}])
            )
        );
    }
}
