//! JSON6902 operations: a value before and after in, operations that turn one into the other out, in the order in which
//! they must be applied.

use crate::yaml::path::pointer_key;
use serde_json::{Value, json};

use crate::plan::change_set::Matched;

/// The operations from `before` to `after`.
pub(super) fn operations(before: &Value, after: &Value) -> Vec<Value> {
    let mut out = Vec::new();
    compare(before, after, "", &mut out);
    out
}

fn compare(before: &Value, after: &Value, path: &str, out: &mut Vec<Value>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                let path = below(path, key);
                match old.get(key) {
                    Some(was) => compare(was, value, &path, out),
                    None => {
                        // An addition would replace what has come there since, unseen. Absent is null to this test.
                        out.push(json!({"op": "test", "path": path, "value": null}));
                        out.push(json!({"op": "add", "path": path, "value": value}));
                    }
                }
            }
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                let path = below(path, key);
                out.push(json!({"op": "test", "path": path, "value": old[key]}));
                out.push(json!({"op": "remove", "path": path}));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            if !lists(old, new, path, out) {
                replace(before, after, path, out);
            }
        }
        _ => replace(before, after, path, out),
    }
}

fn replace(before: &Value, after: &Value, path: &str, out: &mut Vec<Value>) {
    out.push(json!({"op": "test", "path": path, "value": before}));
    out.push(json!({"op": "replace", "path": path, "value": after}));
}

/// Changes items in place, takes out those that go, puts in those that come. False if that cannot be said so: items
/// without an identity of their own, or in another order.
fn lists(old: &[Value], new: &[Value], path: &str, out: &mut Vec<Value>) -> bool {
    let Some(matched) = Matched::of(old, new) else { return false };
    let identity = matched.key;
    let stay: Vec<usize> = new.iter().filter_map(|item| matched.in_old(item)).collect();
    if !stay.is_sorted() {
        return false;
    }
    let test = |index: usize, item: &Value| json!({"op": "test", "path": format!("{path}/{index}/{identity}"), "value": item[identity]});
    // First with the indices of old, from the end where items go.
    for (index, item) in old.iter().enumerate() {
        if let Some(at) = matched.in_new(item)
            && new[at] != *item
        {
            out.push(test(index, item));
            compare(item, &new[at], &format!("{path}/{index}"), out);
        }
    }
    for (index, item) in old.iter().enumerate().rev() {
        if matched.in_new(item).is_none() {
            out.push(test(index, item));
            out.push(json!({"op": "remove", "path": format!("{path}/{index}")}));
        }
    }
    let mut length = stay.len();
    for (index, item) in new.iter().enumerate() {
        if matched.in_old(item).is_none() {
            // After all others an item may come also when others have come before it.
            let at = if index == length { "-".to_owned() } else { index.to_string() };
            out.push(json!({"op": "add", "path": format!("{path}/{at}"), "value": item}));
            length += 1;
        }
    }
    true
}

/// A pointer one key deeper.
fn below(path: &str, key: &str) -> String {
    format!("{path}/{}", pointer_key(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The operations as RFC 6902 has them; a failed test is an error.
    fn apply(mut value: Value, operations: &[Value]) -> Result<Value, String> {
        for operation in operations {
            let path = operation["path"].as_str().unwrap();
            let (parent, last) = path.rsplit_once('/').unwrap_or(("", ""));
            let last = last.replace("~1", "/").replace("~0", "~");
            if operation["op"] == "test" {
                if value.pointer(path).unwrap_or(&Value::Null) != &operation["value"] {
                    return Err(format!("{operation} of {value}"));
                }
                continue;
            }
            if path.is_empty() {
                value = operation["value"].clone();
                continue;
            }
            let missing = || format!("{operation}: no such place");
            match (value.pointer_mut(parent).ok_or_else(missing)?, operation["op"].as_str().unwrap()) {
                (Value::Object(map), "remove") => drop(map.shift_remove(&last).ok_or_else(missing)?),
                (Value::Object(map), "add") => drop(map.insert(last, operation["value"].clone())),
                (Value::Object(map), _) => {
                    *map.get_mut(&last).ok_or_else(missing)? = operation["value"].clone()
                }
                (Value::Array(list), op) => {
                    let index = if last == "-" { list.len() } else { last.parse().unwrap() };
                    match op {
                        "remove" => drop(list.remove(index)),
                        "add" => list.insert(index, operation["value"].clone()),
                        _ => list[index] = operation["value"].clone(),
                    }
                }
                _ => return Err(missing()),
            }
        }
        Ok(value)
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Bool(true)),
            (0..3).prop_map(Value::from),
            "[a-c]{0,1}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let named = (prop::sample::select(vec!["a", "b", "c", "d"]), inner.clone())
                .prop_map(|(name, value)| json!({"name": name, "value": value}));
            prop_oneof![
                prop::collection::vec(named, 0..4).prop_map(Value::Array),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::btree_map("[a-c~/]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// A patch that does something else than `render` would be found out in the cluster at the earliest.
        #[test]
        fn operations_make_the_one_into_the_other(before in any_value(), after in any_value()) {
            let operations = operations(&before, &after);
            prop_assert_eq!(apply(before.clone(), &operations), Ok(after.clone()), "{:?}", operations);
            prop_assert_eq!(operations.is_empty(), before == after);
        }
    }

    fn containers(names: &[&str]) -> Value {
        Value::Array(names.iter().map(|name| json!({"name": name})).collect())
    }

    /// Someone put a container in front since: the patch must not mount into that one.
    #[test]
    fn a_patch_fails_where_the_manifest_has_changed() {
        let mut after = json!({"containers": containers(&["agent", "side"])});
        after["containers"][0]["volumeMounts"] = json!([{"name": "skill-a", "mountPath": "/a"}]);
        let operations = operations(&json!({"containers": containers(&["agent", "side"])}), &after);
        let moved = json!({"containers": containers(&["new", "agent", "side"])});
        assert!(apply(moved, &operations).is_err());
        // Mounts came up where there were none: they must not be lost.
        let mut mounted = json!({"containers": containers(&["agent", "side"])});
        mounted["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        assert!(apply(mounted, &operations).is_err());
    }

    /// To look for each item in all others would take minutes.
    #[test]
    fn sixty_thousand_items_are_patched_at_once() {
        let mounts = |from: usize, to: usize| {
            let mounts = (from..to).map(|at| json!({"name": "data", "mountPath": format!("/m{at}")}));
            Value::Array(mounts.collect())
        };
        assert_eq!(
            operations(&mounts(0, 60_000), &mounts(1, 60_001)),
            [
                json!({"op": "test", "path": "/0/mountPath", "value": "/m0"}),
                json!({"op": "remove", "path": "/0"}),
                json!({"op": "add", "path": "/-", "value": {"name": "data", "mountPath": "/m60000"}}),
            ]
        );
    }

    #[test]
    fn items_come_and_go_one_by_one() {
        let of = |before: &[&str], after: &[&str]| operations(&containers(before), &containers(after));
        assert_eq!(of(&["a"], &["a", "b"]), [json!({"op": "add", "path": "/-", "value": {"name": "b"}})]);
        assert_eq!(
            of(&["a", "b"], &["b", "c"]),
            [
                json!({"op": "test", "path": "/0/name", "value": "a"}),
                json!({"op": "remove", "path": "/0"}),
                json!({"op": "add", "path": "/-", "value": {"name": "c"}}),
            ]
        );
        // Another order can only be written whole.
        assert_eq!(of(&["a", "b"], &["b", "a"])[1]["op"], "replace");
    }
}
