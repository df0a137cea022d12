//! Reads and writes fields of untyped objects: maps on the way are made where they are absent or null, and a field of
//! another type is an error, never overwritten.

use serde_json::{Map, Value};

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

/// The texts in a list; nothing where it is none.
pub(super) fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The value along a path of keys.
pub(super) fn find<'v>(object: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(object, |at, key| at.get(key))
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
        let found = crate::agent_runtime::type_name(at);
        let Value::Object(map) = at else { return Err(wrong(&keys[..done], "an object", found)) };
        at = map.entry((*key).to_owned()).or_insert(Value::Null);
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
    }
    let found = crate::agent_runtime::type_name(at);
    match at {
        Value::Object(map) => Ok(map),
        _ => Err(wrong(keys, "an object", found)),
    }
}

fn wrong(keys: &[&str], wanted: &str, found: &str) -> WrongType {
    WrongType { path: path(keys), message: format!("must be {wanted}, found {found}") }
}

/// The items of a list field; none where it is absent or null.
pub(super) fn items<'v>(
    map: &'v Map<String, Value>,
    key: &str,
    parent: &[Step],
) -> Result<&'v [Value], WrongType> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => {
            let mut path = parent.to_vec();
            path.push(Step::from(key));
            let found = crate::agent_runtime::type_name(other);
            Err(WrongType { path, message: format!("must be a list, found {found}") })
        }
    }
}

/// Sets a list, or takes the field away where the list is empty and was not there or null before. An empty list that
/// its author wrote stays when nothing was in it and nothing comes into it. Returns whether anything changes.
pub(super) fn set_items(map: &mut Map<String, Value>, key: &str, items: Vec<Value>) -> bool {
    let same = match map.get(key) {
        None | Some(Value::Null) => items.is_empty(),
        Some(Value::Array(old)) => *old == items,
        Some(_) => false,
    };
    if same {
        return false;
    }
    if items.is_empty() {
        map.shift_remove(key);
    } else {
        map.insert(key.to_owned(), Value::Array(items));
    }
    true
}

/// Removes an entry of the map along a path, and the maps around it that this empties.
pub(super) fn remove_entry(object: &mut Value, keys: &[&str], key: &str) -> Option<Value> {
    let mut at = &mut *object;
    for step in keys {
        at = at.get_mut(*step)?;
    }
    let removed = at.as_object_mut()?.shift_remove(key)?;
    for depth in (1..=keys.len()).rev() {
        if !find(object, &keys[..depth]).is_some_and(|value| value.as_object().is_some_and(Map::is_empty)) {
            break;
        }
        remove_empty_map(object, &keys[..depth]);
    }
    Some(removed)
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
