//! The containers' mounts of skill volumes: existing ones and skills in, the new list out.
//!
//! Source: operator-spec.md section 6 ("Mounts"). Without `exact`: a mount that somebody changed by hand stays (Q11), mounts
//! that would dangle in other containers go (Q6), and a list that holds the right mounts in another order is left as it
//! is, for an order means nothing and a change of it rolls every pod.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::image_volumes::{name_of, volume_name};
use crate::api::agent_runtime::Skill;
use crate::api::names::SKILL_VOLUME_PREFIX;

/// The mounts of the agent container as they should be.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mounts {
    /// The new list.
    pub list: Vec<Value>,
    /// Volumes and paths of mounts that are not ours: what a skill's path may not meet.
    pub others: Vec<(String, String)>,
    /// Paths of mounts that were changed by hand and stay.
    pub kept_changes: Vec<String>,
    /// Paths of mounts of ours that go.
    pub dropped_paths: Vec<String>,
}

fn path_of(mount: &Value) -> &str {
    mount.get("mountPath").and_then(Value::as_str).unwrap_or_default()
}

fn fresh(skill: &Skill) -> Value {
    let mut mount = Map::with_capacity(3);
    mount.insert("name".into(), volume_name(skill).into());
    mount.insert("mountPath".into(), skill.mount_path.as_str().into());
    mount.insert("readOnly".into(), true.into());
    Value::Object(mount)
}

/// The operator's code: every mount with the prefix goes, one for each skill is appended.
pub(super) fn exact(existing: &[Value], skills: &[Skill]) -> Vec<Value> {
    let kept = existing.iter().filter(|mount| !name_of(mount).starts_with(SKILL_VOLUME_PREFIX));
    kept.cloned().chain(skills.iter().map(fresh)).collect()
}

/// The mounts of the agent container. `foreign` are names of volumes with our prefix that are not ours.
pub(super) fn safe(existing: &[Value], skills: &[Skill], foreign: &[String]) -> Mounts {
    let foreign: HashSet<&str> = foreign.iter().map(String::as_str).collect();
    let mut out = Mounts::default();
    let volumes: Vec<String> = skills.iter().map(volume_name).collect();
    // For each skill the mount that serves it, if there is one at its path already.
    let mut serving: Vec<Option<Value>> = vec![None; skills.len()];
    // Skills that have such a mount: another mount of theirs is no stale one but somebody's second (Q11).
    let served: Vec<bool> = skills
        .iter()
        .zip(&volumes)
        .map(|(skill, volume)| {
            existing.iter().any(|mount| name_of(mount) == volume && path_of(mount) == skill.mount_path)
        })
        .collect();
    for mount in existing {
        let (name, path) = (name_of(mount), path_of(mount));
        if !name.starts_with(SKILL_VOLUME_PREFIX) || foreign.contains(name) {
            out.others.push((name.to_owned(), path.to_owned()));
            out.list.push(mount.clone());
            continue;
        }
        let skill = volumes.iter().position(|volume| volume == name);
        if let Some(index) =
            skill.filter(|index| skills[*index].mount_path == path && serving[*index].is_none())
        {
            serving[index] = Some(read_only(mount));
            if !is_plain(mount) {
                out.kept_changes.push(path.to_owned());
            }
        } else if skill
            .is_some_and(|index| !is_plain(mount) || (served[index] && skills[index].mount_path != path))
        {
            out.others.push((name.to_owned(), path.to_owned()));
            out.kept_changes.push(path.to_owned());
            out.list.push(mount.clone());
        } else {
            out.dropped_paths.push(path.to_owned());
        }
    }
    out.list.extend(skills.iter().zip(serving).map(|(skill, mount)| mount.unwrap_or_else(|| fresh(skill))));
    if same_set(existing, &out.list) {
        out.list = existing.to_vec();
    }
    out
}

/// Whether a mount is as we write it; anything else about it somebody added.
fn is_plain(mount: &Value) -> bool {
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

/// Paths at which these volumes are mounted.
pub(super) fn paths_of(existing: &[Value], volumes: &HashSet<String>) -> Vec<String> {
    let of_them = existing.iter().filter(|mount| volumes.contains(name_of(mount)));
    of_them.map(|mount| path_of(mount).to_owned()).collect()
}

/// Mounts of other containers without those of volumes that go; none where all may stay.
pub(super) fn without_dangling(existing: &[Value], dropped: &HashSet<String>) -> Option<Vec<Value>> {
    let dangles = |mount: &&Value| dropped.contains(name_of(mount));
    existing
        .iter()
        .any(|mount| dangles(&mount))
        .then(|| existing.iter().filter(|mount| !dangles(mount)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn skill(name: &str, path: &str) -> Skill {
        Skill { name: name.into(), image: "i".into(), mount_path: path.into(), pull_policy: String::new() }
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
        let out = safe(&existing, &[skill("a", "/a"), skill("b", "/b")], &["skill-0".to_owned()]);
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
                kept_changes: vec!["/a".into(), "/second".into()],
                dropped_paths: vec!["/b-before".into(), "/old".into()],
            }
        );
        assert_eq!(
            safe(&out.list, &[skill("a", "/a"), skill("b", "/b")], &["skill-0".to_owned()]).list,
            out.list
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
        assert_eq!(safe(&existing, &[skill("a", "/a"), skill("b", "/b")], &[]).list, existing);
    }
}
