//! What differs between two objects: trees in, a list of single changes out, for people and for `plan -o json`.
//! Carrying them out is left to `yaml::edit` and to server-side apply, which compare for themselves.

use std::collections::HashMap;

use serde_json::Value;

use crate::yaml::Step;
use crate::yaml::path::display;

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// It was not there.
    Add,
    /// It is no longer there.
    Remove,
    /// It has another value.
    Replace,
}

impl Op {
    /// The word of JSON patch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Field path such as `spec.template.spec.volumes[2]`. An index counts in the list in which the item is: the new
    /// one, or for what was removed the old one.
    pub path: String,
    /// What happened.
    pub op: Op,
    /// The value before; none for what was added.
    pub from: Option<Value>,
    /// The value after; none for what was removed.
    pub to: Option<Value>,
}

/// Fields by which the items of a Kubernetes list are identified, in the order in which they are tried.
const IDENTITIES: [&str; 2] = ["name", "mountPath"];

/// All changes from `before` to `after`, in the order of `after`, what was removed after its siblings. Items of lists
/// whose items all have a name of their own are matched by it, others by position.
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut out = Vec::new();
    compare(before, after, &mut Vec::new(), &mut out);
    out
}

fn compare(before: &Value, after: &Value, path: &mut Vec<Step>, out: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                path.push(Step::key(key));
                match old.get(key) {
                    Some(was) => compare(was, value, path, out),
                    None => out.push(change(path, Op::Add, None, Some(value))),
                }
                path.pop();
            }
            for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                path.push(Step::key(key));
                out.push(change(path, Op::Remove, Some(value), None));
                path.pop();
            }
        }
        (Value::Array(old), Value::Array(new)) => lists(old, new, path, out),
        _ if before == after => {}
        _ => out.push(change(path, Op::Replace, Some(before), Some(after))),
    }
}

fn lists(old: &[Value], new: &[Value], path: &mut Vec<Step>, out: &mut Vec<Change>) {
    let matched = Matched::of(old, new);
    for (index, item) in new.iter().enumerate() {
        path.push(Step::Index(index));
        let partner = match &matched {
            Some(matched) => matched.in_old(item),
            None => (index < old.len()).then_some(index),
        };
        match partner {
            Some(was) => compare(&old[was], item, path, out),
            None => out.push(change(path, Op::Add, None, Some(item))),
        }
        path.pop();
    }
    for (index, item) in old.iter().enumerate() {
        let stays = matched.as_ref().map_or(index < new.len(), |matched| matched.in_new(item).is_some());
        if !stays {
            path.push(Step::Index(index));
            out.push(change(path, Op::Remove, Some(item), None));
            path.pop();
        }
    }
}

/// Two lists whose items a field tells apart: each item of either has it as a text of its own.
pub(crate) struct Matched<'v> {
    /// The field.
    pub key: &'static str,
    old: HashMap<&'v str, usize>,
    new: HashMap<&'v str, usize>,
}

impl<'v> Matched<'v> {
    /// Looks at both lists once; `None` if no field tells all items apart.
    pub(crate) fn of(old: &'v [Value], new: &'v [Value]) -> Option<Self> {
        IDENTITIES
            .into_iter()
            .find_map(|key| Some(Self { key, old: places(old, key)?, new: places(new, key)? }))
    }

    /// Where the item with the identity of this one is before.
    pub(crate) fn in_old(&self, item: &Value) -> Option<usize> {
        self.old.get(item.get(self.key)?.as_str()?).copied()
    }

    /// The same after.
    pub(crate) fn in_new(&self, item: &Value) -> Option<usize> {
        self.new.get(item.get(self.key)?.as_str()?).copied()
    }
}

fn places<'v>(list: &'v [Value], key: &str) -> Option<HashMap<&'v str, usize>> {
    let mut places = HashMap::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        if places.insert(item.get(key)?.as_str()?, index).is_some() {
            return None;
        }
    }
    Some(places)
}

fn change(path: &[Step], op: Op, from: Option<&Value>, to: Option<&Value>) -> Change {
    Change { path: display(path).to_string(), op, from: from.cloned(), to: to.cloned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A reader of a plan must see that one volume came, not that every volume after it changed.
    #[test]
    fn items_are_matched_by_name() {
        let before = json!({"a": 1, "volumes": [{"name": "x", "emptyDir": {}}, {"name": "y"}], "gone": null});
        let after =
            json!({"a": 2, "volumes": [{"name": "new"}, {"name": "x", "emptyDir": {"medium": "Memory"}}]});
        let reported = |path: &str, op, from, to| Change { path: path.into(), op, from, to };
        assert_eq!(
            changes(&before, &after),
            [
                reported("a", Op::Replace, Some(json!(1)), Some(json!(2))),
                reported("volumes[0]", Op::Add, None, Some(json!({"name": "new"}))),
                reported("volumes[1].emptyDir.medium", Op::Add, None, Some(json!("Memory"))),
                reported("volumes[1]", Op::Remove, Some(json!({"name": "y"})), None),
                reported("gone", Op::Remove, Some(json!(null)), None),
            ]
        );
    }

    /// A list of an exported chart has thousands of items; to look for each in all others would take minutes.
    #[test]
    fn sixty_thousand_items_are_matched_at_once() {
        let item = |at: usize, more: bool| {
            let mut item = json!({"name": format!("c{at}")});
            if more {
                item["volumeMounts"] = json!([{"name": "skill-a", "mountPath": "/a"}]);
            }
            item
        };
        let count = 60_000;
        let before = json!({"containers": (0..count).map(|at| item(at, false)).collect::<Vec<_>>()});
        // The last one goes, the first one is changed, one comes in front.
        let mut after = vec![json!({"name": "new"})];
        after.extend((0..count - 1).map(|at| item(at, at == 0)));
        let reported = |path: String, op, from, to| Change { path, op, from, to };
        assert_eq!(
            changes(&before, &json!({"containers": after})),
            [
                reported("containers[0]".into(), Op::Add, None, Some(json!({"name": "new"}))),
                reported(
                    "containers[1].volumeMounts".into(),
                    Op::Add,
                    None,
                    Some(json!([{"name": "skill-a", "mountPath": "/a"}]))
                ),
                reported(
                    format!("containers[{}]", count - 1),
                    Op::Remove,
                    Some(item(count - 1, false)),
                    None
                ),
            ]
        );
    }

    #[test]
    fn lists_without_names_are_matched_by_position() {
        let reported = changes(&json!([1, [2], {"name": "a"}]), &json!([1, [3]]));
        assert_eq!(reported.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["[1][0]", "[2]"]);
        assert_eq!(changes(&json!({"a": []}), &json!({"a": []})), []);
    }
}
