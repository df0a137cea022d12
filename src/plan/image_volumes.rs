//! The pod's volumes: existing ones and skills in, the new list out. Mounts of them are left to `mounts`.
//!
//! Source: operator-spec.md section 6 ("Volumes"). Without `exact` only what evidence says is ours is taken out, and what a
//! skill needs and is there already is adopted (Q4).

use foldhash::{HashMap, HashSet, HashSetExt as _};
use serde_json::{Map, Value, json};

use super::delivery::Filled;
use super::fields;
use super::ownership::{Evidence, Ownership};
use crate::api::agent_runtime::Skill;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::object::child;
use crate::api::pull_policy::default_pull_policy;

/// The volumes as they should be, and what became of the ones before.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Volumes {
    /// The new list.
    pub list: Vec<Value>,
    /// Names of volumes of ours that are taken out.
    pub dropped: HashSet<String>,
    /// Names of volumes of the author's that no skill needs any more, and that are as they were before us.
    pub restored: HashSet<String>,
    /// Image volumes with the name of a skill that the author had, as they were.
    pub adopted: Vec<Value>,
    /// Names of volumes with our prefix that are no image volumes, and stay.
    pub foreign: Vec<String>,
    /// Names of image volumes with our prefix that stay, since nothing says that they are ours.
    pub kept: Vec<String>,
    /// Skills (by index) whose volume meets one that is not ours, with the kind of that volume.
    pub collisions: Vec<(usize, String)>,
    /// Names of volumes that keep what somebody added to them.
    pub kept_changes: Vec<String>,
    /// Names of all in the new list that have our prefix.
    pub names: HashSet<String>,
}

impl Volumes {
    /// Whether a mount of the volume is to be taken out: the volume of ours is, or is not even there.
    pub(super) fn dangles(&self, volume: &str, own: &Ownership) -> bool {
        if self.dropped.contains(volume) {
            return true;
        }
        let Some(skill) = volume.strip_prefix(SKILL_VOLUME_PREFIX) else { return false };
        own.volume(skill).is_some() && !self.names.contains(volume)
    }
}

/// Name of the volume of a skill.
pub(super) fn volume_name(skill: &Skill) -> String {
    [SKILL_VOLUME_PREFIX, &skill.name].concat()
}

/// The name of a volume or of the volume of a mount.
pub(super) fn name_of(item: &Value) -> &str {
    child(item, "name").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a volume has the name and the shape of ours: our prefix, an image, nothing else. Whose it is, [`Ownership`] says.
pub(super) fn is_skill_image(volume: &Value) -> bool {
    name_of(volume).starts_with(SKILL_VOLUME_PREFIX)
        && fields::is_set(child(volume, "image"))
        && volume.as_object().is_some_and(|map| map.keys().all(|key| key == "name" || key == "image"))
}

/// Whether a volume is one by which we delivered a skill otherwise than by its image, from a ConfigMap or filled by an init
/// container: only the record says so. `filled`: names of volumes that init containers of ours fill.
fn is_delivered(volume: &Value, filled: &[&str], own: &Ownership) -> bool {
    let name = name_of(volume);
    let skill = name.strip_prefix(SKILL_VOLUME_PREFIX);
    let has = |source: &str| fields::is_set(child(volume, source));
    skill.is_some_and(|skill| own.volume(skill) == Some(Evidence::Record))
        && (has("configMap") || (has("emptyDir") && filled.contains(&name)))
        && volume.as_object().is_some_and(|map| map.len() == 2)
}

/// For each volume name the first skill that wants it.
pub(super) fn by_volume(skills: &[Skill]) -> HashMap<String, usize> {
    skills.iter().enumerate().rev().map(|(index, skill)| (volume_name(skill), index)).collect()
}

/// The operator's code: everything with the prefix is taken out or built anew.
pub(super) fn exact(existing: &[Value], skills: &[Skill]) -> Vec<Value> {
    let names: Vec<String> = skills.iter().map(volume_name).collect();
    // A Go map from name to skill: of duplicates the last.
    let wanted: HashMap<&str, usize> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut taken: HashSet<&str> = HashSet::new();
    let mut out = Vec::with_capacity(existing.len() + skills.len());
    for volume in existing {
        let name = name_of(volume);
        if !name.starts_with(SKILL_VOLUME_PREFIX) {
            out.push(volume.clone());
        } else if let Some(index) = wanted.get(name).filter(|_| taken.insert(name)) {
            out.push(fresh(&skills[*index]));
        }
    }
    let missing = skills.iter().zip(&names).filter(|(_, name)| !taken.contains(name.as_str()));
    out.extend(missing.map(|(skill, _)| fresh(skill)));
    out
}

/// The same, but what is not ours stays, and ours keep what the operator's rebuild would lose (Q11).
///
/// `ways`: what the volume of each skill is, by index; where there is none, an image. `filled`: names of volumes that init containers
/// of ours fill.
pub(super) fn safe(
    existing: &[Value],
    skills: &[Skill],
    own: &Ownership,
    ways: &[Filled<'_>],
    filled: &[&str],
) -> Volumes {
    let way = |index: usize| ways.get(index).copied().unwrap_or(Filled::Image);
    let fresh = |index: usize| {
        let skill = &skills[index];
        match way(index) {
            Filled::Image | Filled::Standing(_) => fresh(skill),
            Filled::Map(map) => json!({"name": volume_name(skill), "configMap": map}),
            Filled::Init => json!({"name": volume_name(skill), "emptyDir": {}}),
        }
    };
    let wanted = by_volume(skills);
    let mut taken: HashSet<&str> = HashSet::new();
    let mut out = Volumes::default();
    for volume in existing {
        let name = name_of(volume);
        let Some(skill) = name.strip_prefix(SKILL_VOLUME_PREFIX) else {
            out.list.push(volume.clone());
            continue;
        };
        let index = wanted.get(name).copied();
        if let Some(Filled::Standing(_)) = index.map(way) {
            taken.insert(name);
            out.list.push(volume.clone());
            continue;
        }
        let is_other = is_delivered(volume, filled, own);
        if !is_skill_image(volume) && !is_other {
            out.foreign.push(name.to_owned());
            out.collisions.extend(index.map(|index| (index, source_of(volume))));
            out.list.push(volume.clone());
        } else if let Some(index) = index.filter(|_| taken.insert(name)) {
            if own.volume(skill).is_none() && own.volume_before(name).is_none() {
                out.adopted.push(volume.clone());
            }
            let (updated, kept) = match way(index) {
                Filled::Image if !is_other => updated(volume, &skills[index]),
                // With the medium and the limit that somebody gave it.
                Filled::Init if child(volume, "emptyDir").is_some() => (volume.clone(), false),
                _ => (fresh(index), false),
            };
            out.list.push(updated);
            if kept {
                out.kept_changes.push(name.to_owned());
            }
        } else if own.volume(skill).is_some() {
            out.dropped.insert(name.to_owned());
        } else if let Some(before) = own.volume_before(name) {
            out.list.push(before.clone());
            out.restored.insert(name.to_owned());
        } else {
            out.kept.push(name.to_owned());
            out.list.push(volume.clone());
        }
    }
    // A skill whose name a volume of another kind has is refused; its own volume is not added to it.
    let foreign: HashSet<&str> = out.foreign.iter().map(String::as_str).collect();
    let missing = (0..skills.len()).filter(|index| {
        let name = volume_name(&skills[*index]);
        !taken.contains(name.as_str()) && !foreign.contains(name.as_str())
    });
    out.list.extend(missing.map(fresh));
    // A second copy that is taken out leaves the first one where it is.
    let names = out.list.iter().map(name_of).filter(|name| name.starts_with(SKILL_VOLUME_PREFIX));
    out.names = names.map(str::to_owned).collect();
    out.dropped.retain(|name| !out.names.contains(name));
    out
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
    use super::*;

    fn skill(name: &str, image: &str, policy: &str) -> Skill {
        Skill {
            name: name.into(),
            image: image.into(),
            mount_path: format!("/s/{name}"),
            pull_policy: policy.into(),
            ..Skill::default()
        }
    }

    /// A pod with these volumes, that an operator or an earlier version left with these names in its annotation.
    fn left(existing: &[Value], names: &str) -> Value {
        json!({
            "metadata": {"annotations": {"kagenti.io/skills": names}},
            "spec": {"template": {
                "metadata": {"annotations": {"kagenti.io/config-hash": "00"}},
                "spec": {"volumes": existing},
            }},
        })
    }

    /// A ConfigMap skill of kagenti's backend, or a volume written by hand, that disappears takes the agent's knowledge
    /// with it.
    #[test]
    fn volumes_that_are_not_ours_stay() {
        let existing = [
            json!({"name": "skill-0", "configMap": {"name": "x"}}),
            json!({"name": "cache", "emptyDir": {}}),
            json!({"name": "skill-old", "image": {"reference": "old"}}),
            json!({"name": "skill-a", "image": {"reference": "a:1", "pullPolicy": "IfNotPresent"}}),
            json!({"name": "skill-b", "emptyDir": {}}),
            json!({"name": "skill-own", "image": {"reference": "own:1"}}),
            json!({"name": "skill-c", "image": {"reference": "mine:1"}}),
        ];
        let skills = [skill("a", "a:latest", ""), skill("b", "b:1", ""), skill("c", "c:1", "Never")];
        let own = Ownership::for_tests(&left(&existing, r#"["old","a"]"#));
        let volumes = safe(&existing, &skills, &own, &[], &[]);
        assert_eq!(
            volumes,
            Volumes {
                list: vec![
                    existing[0].clone(),
                    existing[1].clone(),
                    json!({"name": "skill-a", "image": {"reference": "a:latest", "pullPolicy": "Always"}}),
                    existing[4].clone(),
                    existing[5].clone(),
                    json!({"name": "skill-c", "image": {"reference": "c:1", "pullPolicy": "Never"}}),
                ],
                dropped: ["skill-old".to_owned()].into_iter().collect(),
                adopted: vec![existing[6].clone()],
                foreign: vec!["skill-0".into(), "skill-b".into()],
                kept: vec!["skill-own".into()],
                collisions: vec![(1, "emptyDir".into())],
                names: ["0", "a", "b", "own", "c"].map(|name| format!("skill-{name}")).into_iter().collect(),
                ..Volumes::default()
            }
        );
        let untouched = Ownership::for_tests(&json!({"spec": {"template": {"spec": {"volumes": existing}}}}));
        assert_eq!(
            safe(&existing, &[], &untouched, &[], &[]).list,
            existing,
            "never rendered: nothing is ours"
        );
        assert_eq!(exact(&existing, &skills).len(), 4, "the operator drops or rebuilds all but cache");
    }

    #[test]
    fn a_pull_policy_set_by_hand_stays_and_a_default_follows_the_reference() {
        let policy = |before: &str, reference: &str, image: &str, wanted: &str| {
            let volume = json!({"name": "skill-a", "image": {"reference": reference, "pullPolicy": before}});
            let after = safe(
                std::slice::from_ref(&volume),
                &[skill("a", image, wanted)],
                &Ownership::for_tests(&json!({})),
                &[],
                &[],
            );
            (after.list[0]["image"]["pullPolicy"].clone(), after.kept_changes.len())
        };
        assert_eq!(policy("IfNotPresent", "a:1", "a:2", ""), (json!("IfNotPresent"), 0));
        assert_eq!(policy("Always", "a:latest", "a:2", ""), (json!("IfNotPresent"), 0));
        assert_eq!(policy("Never", "a:1", "a:latest", ""), (json!("Never"), 1));
        assert_eq!(policy("Never", "a:1", "a:1", "Always"), (json!("Always"), 0));
    }
}
