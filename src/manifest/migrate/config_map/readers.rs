//! What of the input still speaks of ConfigMaps whose skills have moved, or does not go with where they are now: objects in,
//! places out. Kustomizations are left to `references`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Migration;
use crate::api::error::InputError;
use crate::api::names::ROSSOCTL;
use crate::api::object::Object;
use crate::manifest::migrate::gone::Gone;
use crate::manifest::migrate::{SKILLS, To};
use crate::manifest::objects;
use crate::yaml::{Step, path};

impl Migration<'_, '_> {
    /// Lists of AgentRuntimes, where skills have gone into SkillBindings: an operator that mounts the one takes out the other.
    pub(super) fn lists_that_stay(&self) -> Vec<InputError> {
        let mut out = Vec::new();
        if self.to == To::AgentRuntime || self.gone.is_empty() {
            return out;
        }
        for item in &self.stream.runtimes {
            let Ok(object) = self.stream.object(item) else { continue };
            let skills = object.pointer("/spec/skills").and_then(Value::as_array);
            if item.id.group() != ROSSOCTL.group && skills.is_some_and(|skills| !skills.is_empty()) {
                let at: Vec<Step> = SKILLS.iter().map(|key| Step::from(*key)).collect();
                let message = "is a list that its operator mounts, and it takes out what a SkillBinding adds";
                let help =
                    "move it as well, with 'kubectl skills migrate', or run this with --to AgentRuntime";
                out.push(self.stream.error(item, &at, message, help));
            }
        }
        out
    }

    /// Where the input still reads a ConfigMap whose skill has moved, by the namespace of its workload.
    pub(super) fn readers(&self, default_namespace: &str) -> Vec<InputError> {
        let mut maps: BTreeMap<&str, Gone> = BTreeMap::new();
        for one in &self.gone {
            let all =
                maps.entry(&one.workload.namespace).or_insert_with(|| Gone::of_maps(one.workload.clone()));
            all.maps.extend(one.maps.iter().cloned());
        }
        let mut out = Vec::new();
        let is_of_interest =
            |text: &str| maps.values().flat_map(|one| &one.maps).any(|map| text.contains(map.as_str()));
        for source in self.stream.sources() {
            for parsed in objects::readable_where(source, is_of_interest) {
                for object in parsed.objects() {
                    let id = Object(object.value).reference_in(default_namespace);
                    let Some(gone) = maps.get(id.namespace.as_str()) else { continue };
                    let own = self.gone.iter().find(|one| one.workload == id);
                    for one in gone.mentions(object.value, "") {
                        // The volume that has been taken out.
                        let volume = one.path.split_last().map_or(&[][..], |(_, volume)| volume);
                        let name = path::value_at(object.value, volume)
                            .and_then(|volume| volume.get("name")?.as_str());
                        if own.is_some_and(|own| name.is_some_and(|name| own.volumes.contains(name))) {
                            continue;
                        }
                        let said = format!("still {}", one.said);
                        out.push(InputError {
                            object: Some(id.clone()),
                            ..object.error(&one.path, said, "keep the ConfigMap as long as this is so")
                        });
                    }
                }
            }
        }
        out
    }
}
