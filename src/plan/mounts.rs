//! The containers' mounts of skill volumes: existing ones and skills in, the new list out.
//!
//! Source: operator-spec.md section 6 ("Mounts"). Without `exact`: a mount that somebody changed by hand stays (Q11), mounts
//! that would dangle in other containers go (Q6), and a list that holds the right mounts in another order is left as it
//! is, for an order means nothing and a change of it rolls every pod.

use foldhash::HashSet;
use serde_json::{Map, Value};

use super::image_volumes::{Volumes, by_volume, name_of, volume_name};
use super::ownership::Ownership;
use crate::api::agent_runtime::Skill;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::object::child;

/// The mounts of the agent container as they should be.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mounts {
    /// The new list.
    pub list: Vec<Value>,
    /// Volumes and paths of mounts that are not ours: what a skill's path may not meet.
    pub others: Vec<(String, String)>,
    /// The author's mounts of volumes that are adopted, as they were.
    pub adopted: Vec<Value>,
    /// Paths of mounts that were changed by hand and stay.
    pub kept_changes: Vec<String>,
    /// Paths of mounts of ours that are taken out.
    pub dropped_paths: Vec<String>,
    /// Paths of mounts that are the author's again.
    pub restored_paths: Vec<String>,
}

/// The path of a mount.
pub(super) fn path_of(mount: &Value) -> &str {
    child(mount, "mountPath").and_then(Value::as_str).unwrap_or_default()
}

fn fresh(skill: &Skill) -> Value {
    let mut mount = Map::with_capacity(4);
    mount.insert("name".into(), volume_name(skill).into());
    mount.insert("mountPath".into(), skill.mount_path.as_str().into());
    mount.insert("readOnly".into(), true.into());
    if !skill.sub_path.is_empty() {
        mount.insert("subPath".into(), skill.sub_path.as_str().into());
    }
    Value::Object(mount)
}

/// The operator's code: every mount with the prefix goes, one for each skill is appended.
pub(super) fn exact(existing: &[Value], skills: &[Skill]) -> Vec<Value> {
    let kept = existing.iter().filter(|mount| !name_of(mount).starts_with(SKILL_VOLUME_PREFIX));
    kept.cloned().chain(skills.iter().map(fresh)).collect()
}

/// The mounts of the agent container.
pub(super) fn safe(existing: &[Value], skills: &[Skill], volumes: &Volumes, own: &Ownership) -> Mounts {
    let mut out = Mounts::default();
    let wanted = by_volume(skills);
    let foreign: HashSet<&str> = volumes.foreign.iter().map(String::as_str).collect();
    let adopted: HashSet<&str> = volumes.adopted.iter().map(name_of).collect();
    // For each skill the mount that serves it, if there is one at its path already.
    let mut serving: Vec<Option<Value>> = vec![None; skills.len()];
    // Of those, the author's: they keep their place, so that they come back to it byte for byte.
    let mut in_place = vec![false; skills.len()];
    // Skills that have such a mount: another mount of theirs is no stale one but somebody's second (Q11).
    let mut served = vec![false; skills.len()];
    for mount in existing {
        if let Some(index) = wanted.get(name_of(mount)) {
            served[*index] |= skills[*index].mount_path == path_of(mount);
        }
    }
    for mount in existing {
        let (name, path) = (name_of(mount), path_of(mount));
        if volumes.dangles(name, own) {
            out.dropped_paths.push(path.to_owned());
            continue;
        }
        if volumes.restored.contains(name) {
            match own.mount_before(mount) {
                Some(before) => {
                    out.restored_paths.push(path.to_owned());
                    out.list.push(before.clone());
                }
                None => out.dropped_paths.push(path.to_owned()),
            }
            continue;
        }
        let Some(&index) = wanted.get(name).filter(|_| !foreign.contains(name)) else {
            out.others.push((name.to_owned(), path.to_owned()));
            out.list.push(mount.clone());
            continue;
        };
        if adopted.contains(name) {
            out.adopted.push(mount.clone());
        }
        let theirs = adopted.contains(name) || own.mount_before(mount).is_some();
        if skills[index].mount_path == path && serving[index].is_none() {
            let mut mount = read_only(mount);
            let plain = is_plain(&mount);
            if !skills[index].sub_path.is_empty() {
                mount["subPath"] = skills[index].sub_path.as_str().into();
            }
            if theirs {
                in_place[index] = true;
                out.list.push(mount.clone());
            }
            serving[index] = Some(mount);
            if !plain && skills[index].sub_path.is_empty() {
                out.kept_changes.push(path.to_owned());
            }
        } else if theirs || !is_plain(mount) || (served[index] && skills[index].mount_path != path) {
            out.others.push((name.to_owned(), path.to_owned()));
            out.kept_changes.push(path.to_owned());
            out.list.push(mount.clone());
        } else {
            out.dropped_paths.push(path.to_owned());
        }
    }
    let appended = skills.iter().zip(serving).zip(in_place).filter(|(_, in_place)| !in_place);
    out.list.extend(appended.map(|((skill, mount), _)| mount.unwrap_or_else(|| fresh(skill))));
    if same_set(existing, &out.list) {
        out.list = existing.to_vec();
    }
    out
}

/// Whether a mount is as we write it; anything else about it somebody added.
pub(super) fn is_plain(mount: &Value) -> bool {
    mount
        .as_object()
        .is_some_and(|map| map.keys().all(|key| matches!(key.as_str(), "name" | "mountPath" | "readOnly")))
        && mount.get("readOnly") == Some(&Value::Bool(true))
}

fn read_only(mount: &Value) -> Value {
    let mut mount = mount.clone();
    if mount.get("readOnly") != Some(&Value::Bool(true)) {
        mount["readOnly"] = Value::Bool(true);
    }
    mount
}

fn same_set(one: &[Value], other: &[Value]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // By name and path first: two lists of thousands are not compared each with each.
    let sorted = |list: &[Value]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|index| (name_of(&list[*index]), path_of(&list[*index])));
        order
    };
    sorted(one).into_iter().zip(sorted(other)).all(|(a, b)| one[a] == other[b])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn skill(name: &str, path: &str) -> Skill {
        Skill { name: name.into(), image: "i".into(), mount_path: path.into(), ..Skill::default() }
    }

    #[test]
    fn mounts_changed_by_hand_stay_and_stale_ones_go() {
        let existing = [
            json!({"name": "skill-0", "mountPath": "/cm"}),
            json!({"name": "skill-a", "mountPath": "/a", "subPath": "docs"}),
            json!({"name": "skill-a", "mountPath": "/second", "subPath": "x", "readOnly": true}),
            json!({"name": "skill-b", "mountPath": "/b-before", "readOnly": true}),
            json!({"name": "skill-old", "mountPath": "/old", "readOnly": true}),
        ];
        let own = Ownership::for_tests(&json!({
            "metadata": {"annotations": {"skills.kagenti.dev/record": r#"{"skills":["a","b","old"]}"#}},
        }));
        let volumes = Volumes {
            foreign: vec!["skill-0".into()],
            names: ["skill-0", "skill-a", "skill-b"].map(str::to_owned).into_iter().collect(),
            ..Volumes::default()
        };
        let out = safe(&existing, &[skill("a", "/a"), skill("b", "/b")], &volumes, &own);
        assert_eq!(
            out,
            Mounts {
                list: vec![
                    existing[0].clone(),
                    existing[2].clone(),
                    json!({"name": "skill-a", "mountPath": "/a", "subPath": "docs", "readOnly": true}),
                    json!({"name": "skill-b", "mountPath": "/b", "readOnly": true}),
                ],
                others: vec![("skill-0".into(), "/cm".into()), ("skill-a".into(), "/second".into())],
                adopted: Vec::new(),
                kept_changes: vec!["/a".into(), "/second".into()],
                dropped_paths: vec!["/b-before".into(), "/old".into()],
                restored_paths: Vec::new(),
            }
        );
        assert_eq!(safe(&out.list, &[skill("a", "/a"), skill("b", "/b")], &volumes, &own).list, out.list);
        let unknown = Ownership::for_tests(&json!({}));
        assert_eq!(
            safe(&existing, &[], &volumes, &unknown).list,
            existing,
            "a claim template called skill-*, or what nobody knows, stays"
        );
    }

    /// The operator would move them and roll every pod for it.
    #[test]
    fn an_order_that_means_nothing_is_left() {
        let existing = [
            json!({"name": "skill-b", "mountPath": "/b", "readOnly": true}),
            json!({"name": "cache", "mountPath": "/cache"}),
            json!({"name": "skill-a", "mountPath": "/a", "readOnly": true}),
        ];
        let own = Ownership::for_tests(&json!({}));
        let skills = [skill("a", "/a"), skill("b", "/b")];
        assert_eq!(safe(&existing, &skills, &Volumes::default(), &own).list, existing);
    }
}
