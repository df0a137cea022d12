//! Reads and writes fields of untyped objects: maps on the way are made where they are absent or null, and a field of
//! another type is an error, never overwritten.

use serde_json::{Map, Value};

use crate::api::object::{child, entry, entry_mut};
use crate::yaml::Step;

/// A field on the way that is not the map or list it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongType {
    pub path: Vec<Step>,
    pub message: String,
}

/// A path of keys.
pub(super) fn path(keys: &[&str]) -> Vec<Step> {
    keys.iter().map(|key| Step::from(*key)).collect()
}

/// Whether a field is there and not null.
pub(super) fn is_set(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null())
}

/// The value along a path of keys.
pub(super) fn find<'v>(object: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(object, |at, key| child(at, key))
}

/// The text along a path of keys; empty where there is none.
pub(super) fn text<'v>(object: &'v Value, keys: &[&str]) -> &'v str {
    find(object, keys).and_then(Value::as_str).unwrap_or_default()
}

/// The map along a path of keys, made where it is absent or null.
pub(super) fn map_mut<'v>(
    object: &'v mut Value,
    keys: &[&str],
) -> Result<&'v mut Map<String, Value>, WrongType> {
    let mut at = object;
    for (done, key) in keys.iter().enumerate() {
        let found = crate::api::agent_runtime::type_name(at);
        let Value::Object(map) = at else { return Err(wrong(&keys[..done], "an object", found)) };
        if *key == "metadata" && entry(map, key).is_none() {
            // Where people write it and look for it.
            let place = map.keys().position(|key| key == "spec").unwrap_or(map.len());
            map.shift_insert(place, (*key).to_owned(), Value::Null);
        }
        if entry(map, key).is_none_or(Value::is_null) {
            map.insert((*key).to_owned(), Value::Object(Map::new()));
        }
        // There by now.
        let Some(next) = entry_mut(map, key) else {
            return Err(wrong(&keys[..=done], "an object", "nothing"));
        };
        at = next;
    }
    let found = crate::api::agent_runtime::type_name(at);
    match at {
        Value::Object(map) => Ok(map),
        _ => Err(wrong(keys, "an object", found)),
    }
}

/// A field that is not what it should be.
pub(super) fn wrong(keys: &[&str], wanted: &str, found: &str) -> WrongType {
    WrongType { path: path(keys), message: format!("must be {wanted}, found {found}") }
}

/// Where a map stands, as a chain to its root: made a path only if something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'p> {
    Keys(&'p [&'static str]),
    Key(&'p At<'p>, &'static str),
    Index(&'p At<'p>, usize),
}

impl At<'_> {
    /// The steps from the root.
    pub(super) fn steps(&self) -> Vec<Step> {
        match self {
            Self::Keys(keys) => path(keys),
            Self::Key(parent, key) => [parent.steps(), vec![Step::from(*key)]].concat(),
            Self::Index(parent, index) => [parent.steps(), vec![Step::from(*index)]].concat(),
        }
    }
}

/// The items of a list field; `None` if it is absent or null.
pub(super) fn items<'v>(
    map: &'v Map<String, Value>,
    key: &'static str,
    parent: At<'_>,
) -> Result<&'v [Value], WrongType> {
    match entry(map, key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => {
            let found = crate::api::agent_runtime::type_name(other);
            Err(WrongType {
                path: At::Key(&parent, key).steps(),
                message: format!("must be a list, found {found}"),
            })
        }
    }
}

/// Removes the map along a path if it is empty.
pub(super) fn remove_empty_map(object: &mut Value, keys: &[&str]) {
    let Some((last, parents)) = keys.split_last() else { return };
    let mut at = object;
    for step in parents {
        match at.get_mut(*step) {
            Some(next) => at = next,
            None => return,
        }
    }
    if let Some(map) = at.as_object_mut()
        && map.get(*last).is_some_and(|value| value.as_object().is_some_and(Map::is_empty))
    {
        map.shift_remove(*last);
    }
}
