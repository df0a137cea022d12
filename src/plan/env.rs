//! `SKILL_FOLDERS` of the agent container: the user's paths stay in front, ours follow, none twice.
//!
//! Agents split the value at commas and strip blanks (ecosystem.md section 1). A value that comes from elsewhere
//! (`valueFrom`) cannot be extended and is refused.

use foldhash::{HashSet, HashSetExt as _};
use serde_json::{Value, json};

use super::fields::is_set;
use crate::api::names::SKILL_FOLDERS;

/// Why the variable cannot be set.
pub(super) const NOT_A_VALUE: &str =
    "the value of SKILL_FOLDERS comes from elsewhere (valueFrom), so no paths can be added to it";

/// The paths of a value.
pub(crate) fn paths(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|path| !path.is_empty())
}

/// The index of the variable that counts: the last one.
pub(crate) fn position(env: &[Value]) -> Option<usize> {
    env.iter().rposition(|variable| variable.get("name").and_then(Value::as_str) == Some(SKILL_FOLDERS))
}

/// Adds `wanted` and takes `stale` out. Returns the new list, or `None` if nothing changes.
///
/// # Errors
/// Index of a variable whose value is not written there.
pub(super) fn merge(env: &[Value], wanted: &[&str], stale: &[String]) -> Result<Option<Vec<Value>>, usize> {
    let Some(index) = position(env) else {
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut out = env.to_vec();
        out.push(json!({"name": SKILL_FOLDERS, "value": unique(wanted.iter().copied()).join(",")}));
        return Ok(Some(out));
    };
    if is_set(env[index].get("valueFrom")) {
        return if wanted.is_empty() { Ok(None) } else { Err(index) };
    }
    let before = env[index].get("value").and_then(Value::as_str).unwrap_or_default();
    // The break at the end of a block scalar stays at its end.
    let (before, end) = before.split_at(before.trim_end_matches('\n').len());
    let (is_stale, all): (HashSet<&str>, HashSet<&str>) =
        (stale.iter().map(String::as_str).collect(), wanted.iter().copied().collect());
    // The author's blanks and repetitions stay.
    let mut after: Vec<&str> = before
        .split(',')
        .filter(|path| all.contains(path.trim()) || !is_stale.contains(path.trim()))
        .collect();
    let there: HashSet<&str> = after.iter().map(|path| path.trim()).collect();
    let missing: Vec<&str> =
        unique(wanted.iter().copied()).into_iter().filter(|path| !there.contains(path)).collect();
    if missing.is_empty() && after.len() == before.split(',').count() {
        return Ok(None);
    }
    if after.iter().all(|path| path.trim().is_empty()) {
        after.clear();
    }
    after.extend(missing);
    let mut out = env.to_vec();
    if after.is_empty() {
        out.remove(index);
    } else {
        out[index]["value"] = (after.join(",") + end).into();
    }
    Ok(Some(out))
}

/// The value, where the variable is there with one.
pub(super) fn value(env: &[Value]) -> Option<&str> {
    env.get(position(env)?)?.get("value")?.as_str()
}

/// What the variable has as its value, whatever that is; an empty object where it has none. None without the variable, or
/// where the value comes from elsewhere.
pub(super) fn any_value(env: &[Value]) -> Option<Value> {
    let variable = &env[position(env)?];
    (!is_set(variable.get("valueFrom"))).then(|| variable.get("value").cloned().unwrap_or_else(|| json!({})))
}

/// The list with the variable as [`any_value`] read it.
pub(super) fn with_value(env: &[Value], value: &Value) -> Vec<Value> {
    let mut out = env.to_vec();
    let index = position(env).unwrap_or_else(|| {
        out.push(json!({"name": SKILL_FOLDERS}));
        out.len() - 1
    });
    match (value, &mut out[index]) {
        (Value::Object(_), Value::Object(variable)) => drop(variable.shift_remove("value")),
        (value, variable) => variable["value"] = value.clone(),
    }
    out
}

/// Whether the value ends with these paths in this order: the form in which we leave them.
pub(super) fn ends_with(env: &[Value], ours: &[String]) -> bool {
    let Some(index) = position(env) else { return false };
    let value = env[index].get("value").and_then(Value::as_str).unwrap_or_default();
    let all: Vec<&str> = paths(value).collect();
    !ours.is_empty()
        && all.len() >= ours.len()
        && all[all.len() - ours.len()..].iter().zip(ours).all(|(a, b)| a == b)
}

/// Each of these once, in order.
pub(crate) fn unique<'p>(all: impl Iterator<Item = &'p str>) -> Vec<&'p str> {
    let mut seen = HashSet::new();
    all.filter(|path| seen.insert(*path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(value: Option<&str>, wanted: &[&str], stale: &[&str]) -> Option<String> {
        let env: Vec<Value> =
            value.map(|value| json!({"name": SKILL_FOLDERS, "value": value})).into_iter().collect();
        let stale: Vec<String> = stale.iter().map(|path| (*path).to_owned()).collect();
        let out = merge(&env, wanted, &stale).expect("a value");
        out.map(|env| env.first().map_or("", |first| first["value"].as_str().unwrap_or("?")).to_owned())
    }

    /// An agent that loses a path loses its skills; one that gets it twice reads them twice.
    #[test]
    fn the_users_paths_stay_first_and_none_comes_twice() {
        assert_eq!(merged(None, &["/a", "/b"], &[]).as_deref(), Some("/a,/b"));
        assert_eq!(merged(None, &[], &[]), None);
        assert_eq!(merged(Some("/mine, /a"), &["/a", "/b"], &[]).as_deref(), Some("/mine, /a,/b"));
        assert_eq!(
            merged(Some("/b , /a"), &["/a", "/b"], &[]),
            None,
            "nothing is missing: the text stays as it is"
        );
        assert_eq!(merged(Some("/mine,/old"), &["/a"], &["/old"]).as_deref(), Some("/mine,/a"));
        assert_eq!(merged(Some("/old"), &[], &["/old"]).as_deref(), Some(""));
        assert_eq!(merged(Some(""), &["/a"], &[]).as_deref(), Some("/a"));
        assert_eq!(merged(Some("/mine\n"), &["/a"], &[]).as_deref(), Some("/mine,/a\n"));
        assert_eq!(merged(Some("/mine,/a\n"), &[], &["/a"]).as_deref(), Some("/mine\n"));
    }

    #[test]
    fn a_value_from_elsewhere_is_refused_only_where_it_would_change() {
        let env =
            [json!({"name": "X"}), json!({"name": SKILL_FOLDERS, "valueFrom": {"configMapKeyRef": {}}})];
        assert_eq!(merge(&env, &["/a"], &[]), Err(1));
        assert_eq!(merge(&env, &[], &["/a".to_owned()]), Ok(None));
    }
}
