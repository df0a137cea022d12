//! Why a workload is written, in words: what is to be seen of skills in it before and after in, one line out, the same over files and
//! over a cluster. What of it changes is decided elsewhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fields::find;
use super::image_volumes::name_of;
use super::init_containers::standing;
use super::ownership::{Entry, volumes_of};
use crate::api::agent_location::{AGENT_LOCATIONS, AgentLocation};
use crate::api::names::{Names, RECORD, SKILL_FOLDERS, SKILL_VOLUME_PREFIX};
use crate::api::object::child;
use crate::api::workload::WorkloadKind;

/// What the labels of the operator are called.
const LABELS: &str = "labels";

/// What is to be seen of skills in a workload.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    /// What there is of each skill, by name.
    skills: BTreeMap<String, Shown>,
    /// What there is alongside, by what it is called.
    places: Vec<(String, Option<Value>)>,
}

/// A skill in a workload.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    /// Its volume.
    volume: Option<Value>,
    /// The image of the volume, or the one that an init container fetches into it.
    image: Option<String>,
    /// The mounts of the volume, each after the name of its container.
    mounts: Vec<(String, Value)>,
}

/// What becomes of a skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Comes,
    Image,
    Way,
    Path,
    Kept,
    Goes,
}

impl Shown {
    fn is_mounted(&self) -> bool {
        self.volume.is_some() && !self.mounts.is_empty()
    }

    /// How its files get there.
    fn source(&self) -> Option<&str> {
        self.volume.as_ref()?.as_object()?.keys().find(|key| *key != "name").map(String::as_str)
    }

    fn paths(&self) -> Vec<(&str, Option<&Value>, Option<&Value>)> {
        let all = self.mounts.iter();
        all.map(|(container, mount)| (container.as_str(), mount.get("mountPath"), mount.get("subPath")))
            .collect()
    }

    /// What becomes of it; `None` where all is as it was.
    fn turn(&self, after: &Self) -> Option<Turn> {
        match (self.is_mounted(), after.is_mounted()) {
            _ if self == after => None,
            (false, true) => Some(Turn::Comes),
            (_, false) => Some(Turn::Goes),
            _ if self.source() != after.source() => Some(Turn::Way),
            _ if self.image != after.image => Some(Turn::Image),
            _ if self.paths() != after.paths() => Some(Turn::Path),
            _ => Some(Turn::Kept),
        }
    }
}

impl Seen {
    /// Looks at a workload.
    pub(super) fn of(workload: &Value, kind: WorkloadKind, names: &'static Names) -> Self {
        let mut skills: BTreeMap<String, Shown> = BTreeMap::new();
        let pod = find(workload, kind.paths().pod);
        for (skill, volume) in volumes_of(workload, kind) {
            let image = volume.pointer("/image/reference").and_then(Value::as_str);
            let fetched = || standing(pod?, name_of(volume))?.1;
            let shown = skills.entry(skill.to_owned()).or_default();
            shown.image = image.or_else(fetched).map(str::to_owned);
            shown.volume = Some(volume.clone());
        }
        let containers = || pod.into_iter().flat_map(containers);
        for container in containers() {
            let mounts = container.get("volumeMounts").and_then(Value::as_array).into_iter().flatten();
            for mount in mounts {
                let Some(skill) = name_of(mount).strip_prefix(SKILL_VOLUME_PREFIX) else { continue };
                let shown = skills.entry(skill.to_owned()).or_default();
                // What an init container fills is not mounted yet.
                if name_of(container) != name_of(mount) {
                    shown.mounts.push((name_of(container).to_owned(), mount.clone()));
                }
            }
        }
        let mut places = Vec::new();
        for names in [names, names.others()] {
            let text = find(workload, &["metadata", "annotations", names.skills]).cloned();
            places.push((format!("the annotation {}", names.skills), text));
        }
        let roots = AGENT_LOCATIONS.iter().filter_map(AgentLocation::root_variable).map(|(name, _)| name);
        let mut variables: Vec<&str> = [SKILL_FOLDERS].into_iter().chain(roots).collect();
        variables.sort_unstable();
        variables.dedup();
        for variable in variables {
            let found = containers().flat_map(|container| {
                let env = container.get("env").and_then(Value::as_array).into_iter().flatten();
                env.filter(|one| name_of(one) == variable).cloned()
            });
            let found: Vec<Value> = found.collect();
            places.push((format!("the variable {variable}"), (!found.is_empty()).then(|| found.into())));
        }
        let entry = |entry: Entry| find(workload, entry.keys(kind))?.get(entry.key(names)).cloned();
        let labels = [Entry::Type, Entry::PodType, Entry::ManagedBy].map(entry);
        places.push((LABELS.to_owned(), labels.iter().any(Option::is_some).then(|| json!(labels))));
        places.push(("the config hash".to_owned(), entry(Entry::Hash)));
        let record = find(workload, &["metadata", "annotations", RECORD]).cloned();
        places.push(("the record".to_owned(), record));
        Self { skills, places }
    }

    /// What a workload that was so is written for, where it is so afterwards.
    pub(super) fn reason(&self, after: &Self) -> String {
        let none = Shown::default();
        let names =
            self.skills.keys().chain(after.skills.keys().filter(|name| !self.skills.contains_key(*name)));
        let mut turns: BTreeMap<Turn, usize> = BTreeMap::new();
        for name in names {
            let [before, after] = [self, after].map(|seen| seen.skills.get(name).unwrap_or(&none));
            if let Some(turn) = before.turn(after) {
                *turns.entry(turn).or_default() += 1;
            }
        }
        let said: Vec<String> = turns.into_iter().map(|(turn, count)| said(turn, count)).collect();
        if !said.is_empty() {
            return said.join(", ");
        }
        let pairs = self.places.iter().zip(&after.places);
        let changed = pairs.filter(|((_, before), (_, after))| before != after);
        let (written, taken): (Vec<_>, Vec<_>) = changed.partition(|(_, (_, after))| after.is_some());
        let phrase = |all: Vec<(&(String, _), _)>, verb: &str| {
            let all: Vec<&str> = all.iter().map(|((what, _), _)| what.as_str()).collect();
            let (last, rest) = all.split_last()?;
            Some(match rest {
                [] if *last != LABELS => format!("{last} is to be {verb}"),
                [] => format!("{last} are to be {verb}"),
                _ => format!("{} and {last} are to be {verb}", rest.join(", ")),
            })
        };
        let said = [phrase(written, "written"), phrase(taken, "taken out")];
        let said: Vec<String> = said.into_iter().flatten().collect();
        if said.is_empty() { "the workload is to be set right".to_owned() } else { said.join(", ") }
    }
}

/// Whether a workload has no volume and no mount by the name of a skill.
pub(super) fn is_bare(workload: &Value, kind: WorkloadKind) -> bool {
    let Some(pod) = find(workload, kind.paths().pod) else { return true };
    let has_skill = |holder: &Value, list: &str| {
        let mut all = child(holder, list).and_then(Value::as_array).into_iter().flatten();
        all.any(|one| name_of(one).starts_with(SKILL_VOLUME_PREFIX))
    };
    !has_skill(pod, "volumes") && !containers(pod).any(|container| has_skill(container, "volumeMounts"))
}

/// The containers in which mounts of skills may be.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"].into_iter().filter_map(|list| child(pod, list)?.as_array()).flatten()
}

/// What a workload that [`is_bare`] is written for, where it gets so many skills.
pub(super) fn all_come(skills: usize) -> String {
    said(Turn::Comes, skills)
}

fn said(turn: Turn, count: usize) -> String {
    let (one, many) = match turn {
        Turn::Comes => ("skill is to be mounted", "skills are to be mounted"),
        Turn::Image => ("skill gets another image", "skills get another image"),
        Turn::Way => ("skill is to be delivered in another way", "skills are to be delivered in another way"),
        Turn::Path => ("skill gets another path", "skills get another path"),
        Turn::Kept => ("skill is to be mounted as listed", "skills are to be mounted as listed"),
        Turn::Goes => ("skill is to be taken out", "skills are to be taken out"),
    };
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::{KAGENTI, ROSSOCTL};

    fn workload(skills: &[(&str, Value, &str)], annotations: Value) -> Value {
        let volumes = skills.iter().map(|(name, source, _)| {
            let mut volume = source.clone();
            volume["name"] = format!("skill-{name}").into();
            volume
        });
        let mounts =
            skills.iter().map(|(name, _, path)| json!({"name": format!("skill-{name}"), "mountPath": path}));
        json!({"kind": "Deployment", "metadata": {"annotations": annotations}, "spec": {"template": {"spec": {
            "volumes": volumes.collect::<Vec<_>>(),
            "containers": [{"name": "agent", "volumeMounts": mounts.collect::<Vec<_>>()}]}}}})
    }

    fn image(reference: &str) -> Value {
        json!({"image": {"reference": reference}})
    }

    /// Who reads that a skill is to be mounted looks for a skill that is not there yet: what changes is said.
    #[test]
    fn the_reason_says_what_changes() {
        let seen = |workload: &Value| Seen::of(workload, WorkloadKind::Deployment, &ROSSOCTL);
        let bare = |workload: &Value| is_bare(workload, WorkloadKind::Deployment);
        let reason = |before: &Value, after: &Value| seen(before).reason(&seen(after));
        let none = workload(&[], json!({}));
        let one = workload(&[("a", image("a:1"), "/a")], json!({}));
        let two = workload(&[("a", image("a:2"), "/a"), ("b", image("b:1"), "/b")], json!({}));
        assert_eq!(reason(&none, &one), "1 skill is to be mounted");
        assert_eq!(reason(&none, &two), "2 skills are to be mounted");
        assert_eq!((bare(&none), bare(&one)), (true, false));
        assert_eq!([all_come(1), all_come(2)], [reason(&none, &one), reason(&none, &two)]);
        assert_eq!(reason(&one, &two), "1 skill is to be mounted, 1 skill gets another image");
        assert_eq!(reason(&two, &one), "1 skill gets another image, 1 skill is to be taken out");
        let moved = workload(&[("a", image("a:1"), "/b")], json!({}));
        assert_eq!(reason(&one, &moved), "1 skill gets another path");
        let map = workload(&[("a", json!({"configMap": {"name": "a"}}), "/a")], json!({}));
        assert_eq!(reason(&one, &map), "1 skill is to be delivered in another way");
        let pulled = workload(
            &[("a", json!({"image": {"reference": "a:1", "pullPolicy": "Always"}}), "/a")],
            json!({}),
        );
        assert_eq!(reason(&one, &pulled), "1 skill is to be mounted as listed");
        let named = |key: &str| workload(&[("a", image("a:1"), "/a")], json!({key: "[\"a\"]"}));
        assert_eq!(
            reason(&one, &named(ROSSOCTL.skills)),
            "the annotation rossoctl.io/skills is to be written"
        );
        assert_eq!(
            reason(&named(KAGENTI.skills), &named(ROSSOCTL.skills)),
            "the annotation rossoctl.io/skills is to be written, the annotation kagenti.io/skills is to be taken out"
        );
        let both = workload(&[("a", image("a:1"), "/a")], json!({ROSSOCTL.skills: "[\"a\"]", RECORD: "{}"}));
        assert_eq!(reason(&one, &both), "the annotation rossoctl.io/skills and the record are to be written");
        let sidecar =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "agent", "image": "i"}]}}}});
        assert_eq!(reason(&none, &sidecar), "the workload is to be set right");
    }
}
