//! Who owns a field, by `metadata.managedFields`: managers of a path out, and the list with a path moved to another
//! manager. Objects are read as values; when it is right to move ownership is left to the caller.
//!
//! Format: `FieldsV1` of k8s.io/apimachinery; the move is what client-go's `csaupgrade` does for `kubectl apply`.

use serde_json::{Map, Value, json};

use crate::apply_configuration::FieldPath;

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
    let is_ours = |entry: &Value| {
        is_main(entry) && owner(entry) == Owner { manager: manager.into(), operation: "Apply".into() }
    };
    let at = list.iter().position(is_ours).unwrap_or_else(|| {
        list.push(json!({
            "manager": manager, "operation": "Apply", "apiVersion": object.get("apiVersion").cloned().unwrap_or_default(),
            "fieldsType": "FieldsV1", "fieldsV1": {}
        }));
        list.len() - 1
    });
    for (keys, taken) in gained {
        if let Some(fields) = list[at].get_mut("fieldsV1") {
            put(fields, &keys, taken);
        }
    }
    Some(Value::Array(list))
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
