//! Moves skills of ConfigMaps, as kagenti's backend mounts them, to images: a stream and an image for each ConfigMap in,
//! workloads without these volumes and mounts and lists with the images out. What is in the ConfigMaps, and whether the images
//! hold the same, is left to `pack`; files are read and written by the binary.
//!
//! What a mount says and a list cannot, and every skill for which nobody has decided, is refused with its place. The paths
//! stay, and so do `SKILL_FOLDERS`, the annotation and the ConfigMaps themselves.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::To;
use super::gone::{self, Gone};
use super::pod::{self, Found, Source};
use super::references::{self, OfList};
use crate::api::error::InputError;
use crate::api::object::ObjectRef;
use crate::api::workload::{Kinds, WorkloadKind};
use crate::manifest::kustomization::{Generated, Kustomizations};
use crate::manifest::render::{Collector, Desired, Edited};
use crate::manifest::skill_maps;
use crate::manifest::stream::{self, Item, Lead, Stream};
use crate::skill::config_map;
use crate::validate::preflight::normalized;
use crate::yaml::{Splice, Step};

mod lists;
mod readers;

/// What was decided about a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The image that holds its files.
    Image(String),
    /// It stays as it is.
    Keep,
}

/// Decisions by name of the ConfigMap, or by `namespace/name`, which counts before it.
pub type Choices = BTreeMap<String, Choice>;

/// One skill that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Whose pods have it.
    pub workload: ObjectRef,
    /// In whose list it is now.
    pub to: ObjectRef,
    /// The ConfigMap.
    pub config_map: String,
    /// The image.
    pub image: String,
}

/// What was moved.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    /// The files.
    pub edited: Edited,
    /// In the order of the workloads.
    pub moves: Vec<Move>,
    /// What somebody must decide: places of patches and of other objects that speak of what has moved.
    pub decide: Vec<InputError>,
    /// What differs in the pods from then on, and what stays.
    pub remarks: Vec<InputError>,
    /// ConfigMaps of the decisions that no workload of the input mounts.
    pub unused: Vec<String>,
}

/// Moves every ConfigMap for which an image is given. `kustomize`: the kustomizations around, and the files that they name.
///
/// # Errors
/// Every skill without a decision, and everything that a list cannot say; nothing is moved then.
pub fn to_images(
    stream: &Stream<'_>,
    default_namespace: &str,
    kinds: Kinds,
    to: To,
    choices: &Choices,
    kustomize: &[stream::Source],
) -> Result<Moved, Vec<InputError>> {
    let files = Kustomizations::read(kustomize);
    let mut all = Migration {
        stream,
        generated: files.generated(),
        gone: Vec::new(),
        to,
        choices,
        maps: maps(stream, default_namespace)?,
        used: BTreeSet::new(),
        lists: BTreeMap::new(),
        out: Moved::default(),
        errors: Vec::new(),
    };
    let mut collector = Collector::new(stream);
    // The SkillBindings that were not there.
    let mut added = Vec::new();
    for (index, item) in stream.workloads.iter().enumerate() {
        let Some(kind) = kinds.of(&item.id) else { continue };
        let object = match stream.object(item) {
            Ok(object) => object,
            Err(error) => {
                all.errors.push(error);
                continue;
            }
        };
        if let Some(workload) = all.workload(item, kind, object, &mut added) {
            collector.workload(Some(index), Some(Desired::anywhere(Cow::Owned(workload))));
        }
    }
    let mut joined = Vec::new();
    for (lead, list) in std::mem::take(&mut all.lists) {
        joined.extend(match lead {
            Lead::Binding(index) => Some((stream.bindings[index].id.clone(), OfList::Longer)),
            Lead::Runtime(index) => Some((stream.runtimes[index].id.clone(), OfList::Longer)),
            Lead::Workload(_) => None,
        });
        collector.lead(lead, Some(Desired::anywhere(Cow::Owned(list))));
    }
    let mut edited = match collector.finish() {
        Ok(edited) => edited,
        Err(errors) => {
            all.errors.extend(errors);
            Edited::default()
        }
    };
    if !all.errors.is_empty() {
        return Err(all.errors);
    }
    let has_new = !added.is_empty();
    for (source, splice) in added {
        edited.add(source, splice);
    }
    let patches = files.patches();
    all.out.decide.extend(gone::of_workloads(&patches, &all.gone));
    all.out.decide.extend(references::of_lists(&files, &patches, &joined));
    if has_new {
        all.out.decide.extend(references::of_names(&files));
    }
    all.out.decide.extend(all.lists_that_stay());
    all.out.decide.extend(all.readers(default_namespace));
    all.out.remarks.extend(references::lost_comments(stream.sources(), &edited));
    let unused = choices.keys().filter(|name| !all.used.contains(*name)).cloned().collect();
    Ok(Moved { edited, unused, ..all.out })
}

/// ConfigMaps with skills, by namespace and name: the keys that are not the paths of their files.
type Maps = BTreeMap<(String, String), Vec<(String, String)>>;

fn maps(stream: &Stream<'_>, default_namespace: &str) -> Result<Maps, Vec<InputError>> {
    let mut out = Maps::new();
    let errors = skill_maps::each(stream.sources(), default_namespace, |id, object| {
        out.insert((id.namespace, id.name), config_map::moved_keys(object.value));
    });
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

struct Migration<'p, 's> {
    stream: &'p Stream<'s>,
    /// ConfigMaps that kustomizations make.
    generated: Vec<Generated>,
    gone: Vec<Gone>,
    to: To,
    choices: &'p Choices,
    maps: Maps,
    used: BTreeSet<String>,
    /// The lists that are in the input already, as they become.
    lists: BTreeMap<Lead, Value>,
    out: Moved,
    errors: Vec<InputError>,
}

impl Migration<'_, '_> {
    fn refuse(&mut self, item: &Item, path: &[Step], message: impl Into<String>, help: &str) {
        self.errors.push(self.stream.error(item, path, message, help));
    }

    /// A workload without the skills that move; `None` if none does.
    fn workload(
        &mut self,
        item: &Item,
        kind: WorkloadKind,
        mut object: Value,
        added: &mut Vec<(usize, Splice)>,
    ) -> Option<Value> {
        let found = self.found(item, kind, &object);
        if found.is_empty() {
            return None;
        }
        let errors = self.errors.len();
        let mut skills = Vec::new();
        for (one, image) in &found {
            skills.extend(self.skill(item, kind, one, image));
        }
        let moved: Vec<usize> = found.iter().map(|(one, _)| one.volume).collect();
        for (one, _) in &found {
            if let Source::Fetched(fetching) = one.source
                && let Some((at, volume)) = pod::fills_another(kind, &object, fetching, &moved)
            {
                let message = format!(
                    "{}: the init container that fetches it fills volume {volume} as well, which stays",
                    one.name
                );
                let help = format!("move what is in {volume}, too, or --keep {}", one.name);
                self.refuse(item, &at, message, &help);
            }
        }
        let containers: BTreeSet<usize> = found.iter().filter_map(|(one, _)| one.container()).collect();
        if containers.len() > 1 {
            let message = "skills are mounted into several containers, and a list is of one";
            self.refuse(
                item,
                &pod::steps(kind, &["containers"]),
                message,
                "keep those of one container with --keep, or mount them into one",
            );
        }
        if self.errors.len() > errors {
            return None;
        }
        let container = pod::container(kind, &object, containers.first().copied()?)?;
        let to = self.list(item, &object, skills, container, added)?;
        for (one, image) in &found {
            self.remarks(item, kind, one);
            self.out.moves.push(Move {
                workload: item.id.clone(),
                to: to.clone(),
                config_map: one.name.clone(),
                image: image.clone(),
            });
        }
        let nested = pod::nested(kind, &object, found.iter().map(|(one, _)| one));
        for (at, name, path) in nested {
            let message = format!("{name}: {path} is mounted within its folder, and an image is read-only");
            let help = "put that folder into the image, or mount it elsewhere: the container does not start without it";
            self.out.decide.push(self.stream.error(item, &at, message, help));
        }
        self.gone.push(Gone {
            workload: item.id.clone(),
            volumes: found.iter().map(|(one, _)| one.volume_name.clone()).collect(),
            maps: found.iter().map(|(one, _)| one.name.clone()).collect(),
            paths: found
                .iter()
                .flat_map(|(one, _)| &one.mounts)
                .map(|mount| normalized(&mount.path).to_string())
                .collect(),
            fetched: found.iter().any(|(one, _)| matches!(one.source, Source::Fetched(_))),
        });
        pod::take_out(kind, &mut object, found.iter().map(|(one, _)| one));
        Some(object)
    }

    /// The skills of a workload that move, each with its image. One without a decision is an error.
    fn found(&mut self, item: &Item, kind: WorkloadKind, object: &Value) -> Vec<(Found, String)> {
        let mut out = Vec::new();
        for one in pod::found(kind, object) {
            let namespaced = format!("{}/{}", item.id.namespace, one.name);
            let keys = [&namespaced, &one.name];
            let mut given = keys.into_iter().filter_map(|key| self.choices.get_key_value(key)).peekable();
            if let Some(&(_, choice)) = given.peek() {
                // The other one is about it as well, and counts less.
                self.used.extend(given.map(|(key, _)| key.clone()));
                match choice {
                    Choice::Keep => {}
                    Choice::Image(image) => out.push((one, image.clone())),
                }
                continue;
            }
            let is_known = self.maps.contains_key(&(item.id.namespace.clone(), one.name.clone()));
            let made = self.generated.iter().find(|made| made.is_skill && made.name == one.name);
            if is_known || made.is_some() || one.looks_like_skill {
                let what = match (one.source, made) {
                    (Source::Fetched(_), _) => "the skill that an init container fetches".to_owned(),
                    (_, Some(made)) => {
                        format!("a ConfigMap with a skill, which configMapGenerator makes at {}", made.origin)
                    }
                    _ if is_known => "a ConfigMap with a skill".to_owned(),
                    _ => "a ConfigMap that is mounted as skills are".to_owned(),
                };
                let message = format!("{}: {what}, and it is not decided what becomes of it", one.name);
                let help = format!("give its image with --image {}=IMAGE, or --keep {}", one.name, one.name);
                self.refuse(item, &pod::steps_of_volume(kind, one.volume), message, &help);
            }
        }
        out
    }

    /// The item of a list that says what a mount does.
    fn skill(&mut self, item: &Item, kind: WorkloadKind, one: &Found, image: &str) -> Option<Value> {
        let at = pod::steps_of_volume(kind, one.volume);
        let before = self.errors.len();
        let cannot = "and an image is mounted as a whole";
        let keep = format!("mount all of it, or --keep {}", one.name);
        if let Source::Projected = one.source {
            let message = format!("{}: is a source of a projected volume, {cannot}", one.name);
            self.refuse(item, &at, message, &keep);
        }
        if one.fetched_by_several {
            let message = format!("{}: several init containers fill its volume", one.name);
            self.refuse(item, &at, message, &format!("fetch it with one, or --keep {}", one.name));
        }
        if one.picks_keys {
            self.refuse(item, &at, format!("{}: the volume picks keys, {cannot}", one.name), &keep);
        }
        for mount in one.mounts.iter().filter(|mount| mount.in_part) {
            self.refuse(item, &mount.at(kind), format!("{}: mounts a part of it, {cannot}", one.name), &keep);
        }
        match one.mounts.as_slice() {
            [mount] if mount.list == "containers" => {}
            [] => {
                let message =
                    format!("{}: nothing mounts the volume, so there is no path for the skill", one.name);
                let help = format!("remove the volume, or --keep {}", one.name);
                self.refuse(item, &at, message, &help);
            }
            [mount] => {
                let message = format!("{}: is mounted into a container of {}", one.name, mount.list);
                self.refuse(item, &mount.at(kind), message, &format!("--keep {}", one.name));
            }
            several => {
                let second = several[1].at(kind);
                let message =
                    format!("{}: is mounted in {} places, and a skill is in one", one.name, several.len());
                self.refuse(item, &second, message, &format!("mount it once, or --keep {}", one.name));
            }
        }
        let mount = one.mounts.first()?;
        if let Some(key) = &mount.unknown {
            let message = format!("{}: {key} of its mount would be lost", one.name);
            self.refuse(item, &mount.at(kind), message, &format!("remove it, or --keep {}", one.name));
        }
        (self.errors.len() == before)
            .then(|| json!({"name": one.name, "image": image, "mountPath": mount.path}))
    }

    /// Says what is another in the pods from then on.
    fn remarks(&mut self, item: &Item, kind: WorkloadKind, one: &Found) {
        let at = pod::steps_of_volume(kind, one.volume);
        let mut said = Vec::new();
        if one.optional {
            said.push(format!(
                "{}: was optional, and a pod does not start without an image that its list names",
                one.name
            ));
        }
        if one.mode {
            said.push(format!("{}: had a defaultMode; files of an image have their own modes", one.name));
        }
        if matches!(one.source, Source::Fetched(_)) && one.mounts.iter().any(|mount| mount.writable) {
            said.push(format!(
                "{}: the agent could write into its folder, and an image is read-only",
                one.name
            ));
        }
        if let Some(keys) = self.maps.get(&(item.id.namespace.clone(), one.name.clone()))
            && !keys.is_empty()
        {
            let keys: Vec<String> = keys.iter().map(|(key, path)| format!("{key} is {path}")).collect();
            said.push(format!(
                "{}: the agent saw flat names, and sees paths now: {}",
                one.name,
                keys.join(", ")
            ));
        }
        for message in said {
            self.out.remarks.push(self.stream.error(item, &at, message, ""));
        }
    }
}
