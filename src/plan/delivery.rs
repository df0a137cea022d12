//! How each skill gets into the pod of a workload: what was asked for and a skill in; its volume, what fills that, and why so
//! out. What becomes of the lists of the pod is left to `image_volumes` and `init_containers`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::agent_runtime::Skill;
use crate::api::error::InputError;

/// By namespace and name of a skill.
pub type BySkill<T> = BTreeMap<(String, String), T>;

/// Which way is asked for, where that is not by image volumes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub enum Way {
    /// A ConfigMap of the input; a skill without one is refused.
    ConfigMap,
    /// An init container that fetches the files of the image.
    Init,
    /// An image volume where clusters have them, else a ConfigMap where the input has one that holds the skill, else an init
    /// container.
    #[default]
    Auto,
}

/// How the skills of workloads are delivered, where that is not by image volumes alone.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Delivery {
    /// Which way.
    pub way: Way,
    /// The `configMap` of a volume that shows the skill at its paths.
    pub maps: BySkill<Value>,
    /// What keeps other ConfigMaps from being mounted.
    pub unusable: BySkill<Vec<InputError>>,
    /// Why the clusters have image volumes, in words, as far as that is known: [`Way::Auto`] takes them then.
    pub image_volumes: Option<String>,
    /// What fetches images.
    pub init: Init,
}

/// The init containers that fetch images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct Init {
    /// The image that they run, whose entry point is this program.
    pub image: String,
    /// Names of pull secrets; none given: those of the pod.
    pub pull_secrets: Vec<String>,
}

/// How a skill is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub enum Delivered {
    /// By an image volume.
    #[default]
    Image,
    /// From a ConfigMap.
    ConfigMap,
    /// By an init container.
    Init,
}

impl Delivered {
    /// The word of the flag `--delivery`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::ConfigMap => "configmap",
            Self::Init => "init",
        }
    }
}

/// What the volume of a skill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled<'d> {
    /// An image.
    Image,
    /// A ConfigMap: its `configMap`.
    Map(&'d Value),
    /// An empty folder that an init container fills.
    Init,
    /// As it is, by what a render has left; never an image.
    Standing(Delivered),
}

impl Filled<'_> {
    pub(super) fn delivered(self) -> Delivered {
        match self {
            Self::Image => Delivered::Image,
            Self::Map(_) => Delivered::ConfigMap,
            Self::Init => Delivered::Init,
            Self::Standing(delivered) => delivered,
        }
    }
}

/// Why a skill cannot be delivered as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Impossible {
    /// The field of the skill that it is about.
    pub field: &'static str,
    pub message: String,
    pub help: String,
}

impl Delivery {
    /// What fills the volume of a skill, and why that; empty where it was asked for.
    pub(super) fn of(&self, namespace: &str, skill: &Skill) -> Result<(Filled<'_>, String), Impossible> {
        let key = || (namespace.to_owned(), skill.name.clone());
        match (self.way, &self.image_volumes) {
            (Way::Init, _) => Ok((Filled::Init, String::new())),
            (Way::Auto, Some(why)) => Ok((Filled::Image, why.clone())),
            (Way::Auto, None) => Ok(match self.map(&key(), skill) {
                Ok(map) => (Filled::Map(map), "the input has its ConfigMap".to_owned()),
                Err(why) => (Filled::Init, why.message),
            }),
            (Way::ConfigMap, _) => {
                let key = key();
                if self.unusable.contains_key(&key) {
                    // What is wrong with the ConfigMap is said once, with its place, by who has read it.
                    return Ok((Filled::Image, String::new()));
                }
                self.map(&key, skill).map(|map| (Filled::Map(map), String::new()))
            }
        }
    }

    fn map(&self, key: &(String, String), skill: &Skill) -> Result<&Value, Impossible> {
        let (namespace, name) = key;
        if let Some(first) = self.unusable.get(key).and_then(|problems| problems.first()) {
            let message = format!("its ConfigMap cannot be mounted: {first}");
            return Err(Impossible { field: "name", message, help: String::new() });
        }
        let Some(map) = self.maps.get(key) else {
            let message = format!("the input has no ConfigMap {name} with the files of skill {name}");
            let help = format!(
                "pack its folder: kubectl skills pack {name} --config-map {name} -n {namespace}; or --delivery auto, or init"
            );
            return Err(Impossible { field: "name", message, help });
        };
        let within = skill.sub_path.as_str();
        if !within.is_empty() && !shows(map, within) {
            let message =
                format!("ConfigMap {name} has no file at or below {within}, the subPath of the skill");
            let help = "correct the subPath, or the ConfigMap".to_owned();
            return Err(Impossible { field: "subPath", message, help });
        }
        Ok(map)
    }
}

/// Whether a volume shows a file at a path or below it.
fn shows(map: &Value, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let shown = map.get("items").and_then(Value::as_array).into_iter().flatten();
    shown
        .filter_map(|item| item.get("path")?.as_str())
        .any(|file| file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn skill(name: &str, sub_path: &str) -> Skill {
        Skill { name: name.into(), image: "i".into(), sub_path: sub_path.into(), ..Skill::default() }
    }

    /// A cluster that has no image volumes never starts a pod with one: whatever is missing, auto ends with what works.
    #[test]
    fn auto_takes_the_first_way_that_works_and_says_why() {
        let map = json!({"name": "tax", "items": [{"key": "a", "path": "docs/a.md"}]});
        let key = |name: &str| ("shop".to_owned(), name.to_owned());
        let broken = InputError { message: "its path leads out".into(), ..InputError::default() };
        let mut delivery = Delivery {
            way: Way::Auto,
            maps: [(key("tax"), map.clone())].into(),
            unusable: [(key("broken"), vec![broken])].into(),
            ..Delivery::default()
        };
        let of = |delivery: &Delivery, name: &str, sub_path: &str| {
            let (filled, why) = delivery.of("shop", &skill(name, sub_path)).expect("a way");
            (filled.delivered(), why)
        };
        for (name, sub_path, delivered, why) in [
            ("tax", "", Delivered::ConfigMap, "the input has its ConfigMap"),
            ("tax", "docs/", Delivered::ConfigMap, "the input has its ConfigMap"),
            (
                "tax",
                "doc",
                Delivered::Init,
                "ConfigMap tax has no file at or below doc, the subPath of the skill",
            ),
            ("pdf", "", Delivered::Init, "the input has no ConfigMap pdf with the files of skill pdf"),
            ("broken", "", Delivered::Init, "its ConfigMap cannot be mounted: its path leads out"),
        ] {
            assert_eq!(of(&delivery, name, sub_path), (delivered, why.to_owned()), "{name} {sub_path}");
        }
        delivery.image_volumes = Some("Kubernetes 1.36 has them".into());
        assert_eq!(of(&delivery, "tax", ""), (Delivered::Image, "Kubernetes 1.36 has them".to_owned()));
        delivery.way = Way::ConfigMap;
        assert!(delivery.of("shop", &skill("pdf", "")).is_err());
        assert!(delivery.of("other", &skill("tax", "")).is_err(), "of another namespace");
    }
}
