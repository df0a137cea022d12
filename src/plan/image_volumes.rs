//! The pod's volumes: existing ones and skills in, the new list out. Mounts of them are left to `mounts`.
//!
//! Source: operator-spec.md section 6 ("Volumes"). Without `exact` only what we can prove to be ours is touched: a volume
//! with our prefix that is an image and nothing else (Q4).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::fields;
use crate::api::agent_runtime::Skill;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::pull_policy::default_pull_policy;

/// The volumes as they should be, and what became of the ones before.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Volumes {
    /// The new list.
    pub list: Vec<Value>,
    /// Names of volumes of ours that go.
    pub dropped: HashSet<String>,
    /// Names of volumes with our prefix that are not ours, and stay.
    pub foreign: Vec<String>,
    /// Names of the skills whose image volumes were there before.
    pub ours_before: HashSet<String>,
    /// Skills (by index) whose volume meets one that is not ours, with the kind of that volume.
    pub collisions: Vec<(usize, String)>,
    /// Names of volumes that keep what somebody added to them.
    pub kept_changes: Vec<String>,
}

/// Name of the volume of a skill.
pub(super) fn volume_name(skill: &Skill) -> String {
    [SKILL_VOLUME_PREFIX, &skill.name].concat()
}

/// The name of a volume or of the volume of a mount.
pub(super) fn name_of(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a volume is ours by name and shape: our prefix, an image, nothing else.
pub(super) fn is_ours(volume: &Value) -> bool {
    name_of(volume).starts_with(SKILL_VOLUME_PREFIX)
        && fields::is_set(volume.get("image"))
        && volume.as_object().is_some_and(|map| map.keys().all(|key| key == "name" || key == "image"))
}

/// The operator's code: everything with the prefix goes or is built anew.
pub(super) fn exact(existing: &[Value], skills: &[Skill]) -> Volumes {
    let names: Vec<String> = skills.iter().map(volume_name).collect();
    // A Go map from name to skill: of duplicates the last.
    let wanted = |name: &str| names.iter().rposition(|known| known == name);
    let mut taken: HashSet<String> = HashSet::new();
    let mut out = Volumes { ours_before: skills_before(existing), ..Volumes::default() };
    for volume in existing {
        let name = name_of(volume);
        if !name.starts_with(SKILL_VOLUME_PREFIX) {
            out.list.push(volume.clone());
        } else if let Some(index) = wanted(name).filter(|_| !taken.contains(name)) {
            out.list.push(fresh(&skills[index]));
            taken.insert(name.to_owned());
        } else {
            out.dropped.insert(name.to_owned());
        }
    }
    let missing = skills.iter().zip(&names).filter(|(_, name)| !taken.contains(*name));
    out.list.extend(missing.map(|(skill, _)| fresh(skill)));
    out
}

/// The same, but volumes that are not ours stay, and ours keep what the operator's rebuild would lose (Q11).
pub(super) fn safe(existing: &[Value], skills: &[Skill]) -> Volumes {
    let names: Vec<String> = skills.iter().map(volume_name).collect();
    let mut taken: HashSet<&str> = HashSet::new();
    let mut out = Volumes { ours_before: skills_before(existing), ..Volumes::default() };
    for volume in existing {
        let name = name_of(volume);
        let wanted = names.iter().position(|known| known == name);
        if !is_ours(volume) {
            if name.starts_with(SKILL_VOLUME_PREFIX) {
                out.foreign.push(name.to_owned());
            }
            if let Some(index) = wanted {
                out.collisions.push((index, source_of(volume)));
            }
            out.list.push(volume.clone());
        } else if let Some(index) = wanted.filter(|_| !taken.contains(name)) {
            let (updated, kept) = updated(volume, &skills[index]);
            out.list.push(updated);
            if kept {
                out.kept_changes.push(name.to_owned());
            }
            taken.insert(name);
        } else {
            out.dropped.insert(name.to_owned());
        }
    }
    let missing = skills.iter().zip(&names).filter(|(_, name)| !taken.contains(name.as_str()));
    out.list.extend(missing.map(|(skill, _)| fresh(skill)));
    // A second copy that goes leaves the first one where it is.
    for volume in &out.list {
        out.dropped.remove(name_of(volume));
    }
    out
}

/// Names of skills whose image volumes are there.
pub(super) fn skills_before(existing: &[Value]) -> HashSet<String> {
    let ours = existing.iter().filter(|volume| is_ours(volume));
    ours.filter_map(|volume| name_of(volume).strip_prefix(SKILL_VOLUME_PREFIX)).map(str::to_owned).collect()
}

/// What kind of volume it is, such as `configMap`.
fn source_of(volume: &Value) -> String {
    let keys = volume.as_object().into_iter().flat_map(Map::keys).filter(|key| *key != "name");
    let all: Vec<&str> = keys.map(String::as_str).collect();
    if all.is_empty() { "empty".to_owned() } else { all.join(" and ") }
}

fn fresh(skill: &Skill) -> Value {
    let mut image = Map::with_capacity(2);
    image.insert("reference".into(), skill.image.as_str().into());
    if !skill.pull_policy.is_empty() {
        image.insert("pullPolicy".into(), skill.pull_policy.as_str().into());
    }
    let mut volume = Map::with_capacity(2);
    volume.insert("name".into(), volume_name(skill).into());
    volume.insert("image".into(), image.into());
    Value::Object(volume)
}

/// An image volume with the skill's reference, and whether it keeps a pull policy that somebody set by hand.
fn updated(volume: &Value, skill: &Skill) -> (Value, bool) {
    let mut volume = volume.clone();
    let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut) else {
        return (fresh(skill), false);
    };
    let reference = image.get("reference").and_then(Value::as_str).unwrap_or_default().to_owned();
    let policy = image.get("pullPolicy").and_then(Value::as_str).unwrap_or_default().to_owned();
    if reference != skill.image {
        image.insert("reference".into(), skill.image.as_str().into());
    }
    let mut kept = false;
    if !skill.pull_policy.is_empty() {
        if policy != skill.pull_policy {
            image.insert("pullPolicy".into(), skill.pull_policy.as_str().into());
        }
    } else if !policy.is_empty() {
        if policy == default_pull_policy(&reference) {
            // The API server's default of the reference before (conventions.md section 6, "stale default").
            if default_pull_policy(&skill.image) != policy {
                image.insert("pullPolicy".into(), default_pull_policy(&skill.image).into());
            }
        } else {
            kept = true;
        }
    }
    (volume, kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn skill(name: &str, image: &str, policy: &str) -> Skill {
        Skill {
            name: name.into(),
            image: image.into(),
            mount_path: format!("/s/{name}"),
            pull_policy: policy.into(),
        }
    }

    /// A ConfigMap skill of kagenti's backend that disappears takes the agent's knowledge with it.
    #[test]
    fn volumes_that_are_not_ours_stay() {
        let existing = [
            json!({"name": "skill-0", "configMap": {"name": "x"}}),
            json!({"name": "cache", "emptyDir": {}}),
            json!({"name": "skill-old", "image": {"reference": "old"}}),
            json!({"name": "skill-a", "image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}}),
            json!({"name": "skill-b", "emptyDir": {}}),
        ];
        let skills = [skill("a", "a:latest", ""), skill("b", "b:1", ""), skill("c", "c:1", "Never")];
        let volumes = safe(&existing, &skills);
        assert_eq!(
            volumes,
            Volumes {
                list: vec![
                    existing[0].clone(),
                    existing[1].clone(),
                    json!({"name": "skill-a", "image": {"reference": "a:latest", "pullPolicy": "Always"}}),
                    existing[4].clone(),
                    json!({"name": "skill-b", "image": {"reference": "b:1"}}),
                    json!({"name": "skill-c", "image": {"reference": "c:1", "pullPolicy": "Never"}}),
                ],
                dropped: ["skill-old".to_owned()].into(),
                foreign: vec!["skill-0".into(), "skill-b".into()],
                ours_before: ["old".to_owned(), "a".to_owned()].into(),
                collisions: vec![(1, "emptyDir".into())],
                kept_changes: Vec::new(),
            }
        );
        assert_eq!(exact(&existing, &skills).list.len(), 4, "the operator drops or rebuilds all but cache");
    }

    #[test]
    fn a_pull_policy_set_by_hand_stays_and_a_default_follows_the_reference() {
        let policy = |before: &str, reference: &str, image: &str, wanted: &str| {
            let volume = json!({"name": "skill-a", "image": {"reference": reference, "pullPolicy": before}});
            let after = safe(std::slice::from_ref(&volume), &[skill("a", image, wanted)]);
            (after.list[0]["image"]["pullPolicy"].clone(), after.kept_changes.len())
        };
        assert_eq!(policy("IfNotPresent", "a:1", "a:2", ""), (json!("IfNotPresent"), 0));
        assert_eq!(policy("Always", "a:latest", "a:2", ""), (json!("IfNotPresent"), 0));
        assert_eq!(policy("Never", "a:1", "a:latest", ""), (json!("Never"), 1));
        assert_eq!(policy("Never", "a:1", "a:1", "Always"), (json!("Always"), 0));
    }
}
