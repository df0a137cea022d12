//! Moves skills of ConfigMaps, as kagenti's backend mounts them, to images: a stream and an image for each ConfigMap in,
//! workloads without these volumes and mounts and lists with the images out. What is in the ConfigMaps, and whether the images
//! hold the same, is left to `pack`; files are read and written by the binary.
//!
//! What a mount says and a list cannot, and every skill for which nobody has decided, is refused with its place. The paths
//! stay, and so do `SKILL_FOLDERS`, the annotation and the ConfigMaps themselves.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::pod::{self, Found, Source};
use super::{SKILLS, To};
use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::api::error::InputError;
use crate::api::names::{ROSSOCTL, SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::object::ObjectRef;
use crate::api::skill_binding::is_for_pods;
use crate::api::workload::{Kinds, WorkloadKind};
use crate::manifest::render::{Collector, Desired, Edited};
use crate::manifest::skill_maps;
use crate::manifest::stream::{Item, Lead, Stream};
use crate::plan::session::check_binding;
use crate::skill::config_map;
use crate::validate::findings::Finding;
use crate::validate::preflight::{check_skill, normalized};
use crate::yaml::{Splice, Step, emit, path};

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
    /// What differs in the pods from then on, and what stays.
    pub remarks: Vec<InputError>,
    /// ConfigMaps of the decisions that no workload of the input mounts.
    pub unused: Vec<String>,
}

/// Moves every ConfigMap for which an image is given.
///
/// # Errors
/// Every skill without a decision, and everything that a list cannot say; nothing is moved then.
pub fn to_images(
    stream: &Stream<'_>,
    default_namespace: &str,
    kinds: Kinds,
    to: To,
    choices: &Choices,
) -> Result<Moved, Vec<InputError>> {
    let mut all = Migration {
        stream,
        to,
        choices,
        maps: maps(stream, default_namespace)?,
        used: BTreeSet::new(),
        lists: BTreeMap::new(),
        out: Moved::default(),
        errors: Vec::new(),
    };
    let mut collector = Collector::new(stream);
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
    for (lead, list) in std::mem::take(&mut all.lists) {
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
    for (source, splice) in added {
        edited.add(source, splice);
    }
    let unused = choices.keys().filter(|name| !all.used.contains(*name)).cloned().collect();
    Ok(Moved { edited, unused, ..all.out })
}

fn said_of(finding: &Finding) -> String {
    format!("{}: {}", path::display(&finding.path), finding.message)
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
        let to = self.list(item, kind, &object, skills, container, added)?;
        for (one, image) in &found {
            self.remarks(item, kind, one);
            self.out.moves.push(Move {
                workload: item.id.clone(),
                to: to.clone(),
                config_map: one.name.clone(),
                image: image.clone(),
            });
        }
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
            if is_known || one.looks_like_skill {
                let what = match one.source {
                    Source::Fetched(_) => "the skill that an init container fetches",
                    _ if is_known => "a ConfigMap with a skill",
                    _ => "a ConfigMap that is mounted as skills are",
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

    /// Adds skills to the list of a workload, which is made if there is none; whose list that is.
    fn list(
        &mut self,
        item: &Item,
        kind: WorkloadKind,
        object: &Value,
        skills: Vec<Value>,
        container: pod::Container<'_>,
        added: &mut Vec<(usize, Splice)>,
    ) -> Option<ObjectRef> {
        let stream = self.stream;
        // What pods get as they are created is not what their template mounts.
        let is_for_pods = |other: &Item| stream.object(other).is_ok_and(|list| is_for_pods(&list));
        let is_about = |other: &&Item| {
            other.id.namespace == item.id.namespace
                && other.target == (item.id.kind.clone(), item.id.name.clone())
                && !is_for_pods(other)
        };
        let (items, lead): (&[Item], fn(usize) -> Lead) = match self.to {
            To::SkillBinding => (&stream.bindings, Lead::Binding),
            To::AgentRuntime => (&stream.runtimes, Lead::Runtime),
        };
        let found: Vec<usize> = (0..items.len()).filter(|index| is_about(&&items[*index])).collect();
        match (self.to, found.as_slice()) {
            (_, [index]) => self.join(&items[*index], lead(*index), skills, container),
            (To::SkillBinding, []) => self.make(item, kind, object, skills, container, added),
            (_, several) => {
                let (what, help) = match self.to {
                    To::SkillBinding => {
                        ("SkillBindings", "name those of one with --image, and move the rest by hand")
                    }
                    To::AgentRuntime => {
                        ("AgentRuntimes", "give the manifest of one AgentRuntime as well, or leave --to out")
                    }
                };
                let message =
                    format!("{} {what} of the input point at it, and the skills need one", several.len());
                self.refuse(item, &[], message, help);
                None
            }
        }
    }

    fn join(
        &mut self,
        list: &Item,
        lead: Lead,
        skills: Vec<Value>,
        container: pod::Container<'_>,
    ) -> Option<ObjectRef> {
        let mut object = match self.lists.get(&lead) {
            Some(object) => object.clone(),
            None => match self.stream.object(list) {
                Ok(object) => object,
                Err(error) => {
                    self.errors.push(error);
                    return None;
                }
            },
        };
        let errors = self.errors.len();
        if self.to == To::AgentRuntime && list.id.group() == ROSSOCTL.group {
            let message = "no operator of this group reads spec.skills";
            self.refuse(
                list,
                &["apiVersion".into()],
                message,
                "leave --to out: a SkillBinding works with all of them",
            );
        }
        let own = match self.to {
            To::SkillBinding => {
                let named = object.pointer("/spec/container").and_then(Value::as_str);
                named.filter(|name| !name.is_empty())
            }
            // An AgentRuntime names none.
            To::AgentRuntime => None,
        };
        if container.differs_from(own) {
            let message =
                format!("its skills go into another container than {}, where these are", container.name);
            let help = match self.to {
                To::SkillBinding => "move them by hand, or mount them into that one",
                To::AgentRuntime => "leave --to out, or move them by hand",
            };
            self.refuse(list, &["spec".into()], message, help);
        }
        let names = |object: &Value| -> Vec<String> {
            let items = object.pointer("/spec/skills").and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|skill| skill.get("name")?.as_str().map(str::to_owned)).collect()
        };
        let listed = names(&object);
        let length = object.pointer("/spec/skills").and_then(Value::as_array).map_or(0, Vec::len);
        let skills_path: Vec<Step> = SKILLS.iter().map(|key| Step::from(*key)).collect();
        if object.pointer("/spec/skills").is_some_and(|skills| !skills.is_null() && !skills.is_array()) {
            self.refuse(list, &skills_path, "is no list", "write a list of skills, or remove it");
        }
        for skill in &skills {
            let name = skill["name"].as_str().unwrap_or_default();
            if listed.iter().any(|own| own == name) {
                let message = format!("lists {name} already, and its workload mounts the ConfigMap as well");
                self.refuse(list, &skills_path, message, "take one of them out by hand");
            }
        }
        if self.errors.len() > errors {
            return None;
        }
        if !object["spec"]["skills"].is_array() {
            object["spec"]["skills"] = json!([]);
        }
        if let Some(items) = object["spec"]["skills"].as_array_mut() {
            items.extend(skills);
        }
        let accepted = match self.to {
            To::SkillBinding => self.is_accepted(list, &object),
            To::AgentRuntime => self.are_accepted(list, &object, length),
        };
        if !accepted {
            return None;
        }
        self.lists.insert(lead, object);
        Some(list.id.clone())
    }

    /// Whether an operator would take the skills of an AgentRuntime from an index on.
    fn are_accepted(&mut self, item: &Item, runtime: &Value, from: usize) -> bool {
        // A field of a wrong type was there before.
        let skills = AgentRuntimeSpec::from_object(runtime).map(|spec| spec.skills).unwrap_or_default();
        let mut said = Vec::new();
        for (index, skill) in skills.iter().enumerate().skip(from) {
            let wrong = check_skill(index, skill).into_iter().filter(Finding::is_error);
            said.extend(wrong.map(|one| said_of(&one)));
            let path = normalized(&skill.mount_path);
            if let Some(other) = skills[..index]
                .iter()
                .find(|other| other.name == skill.name || normalized(&other.mount_path) == path)
            {
                let message = format!("{} has the name or the path of {}", skill.name, other.name);
                said.push(format!("spec.skills[{index}]: {message}"));
            }
        }
        self.would_be_refused(item, "list", &said)
    }

    /// Whether the API server would take a SkillBinding.
    fn is_accepted(&mut self, item: &Item, binding: &Value) -> bool {
        let wrong = check_binding(binding).into_iter().filter(Finding::is_error);
        let said: Vec<String> = wrong.map(|one| said_of(&one)).collect();
        self.would_be_refused(item, SKILL_BINDING, &said)
    }

    /// Refuses an item for what its list would be refused for; whether there is nothing.
    fn would_be_refused(&mut self, item: &Item, whose: &str, said: &[String]) -> bool {
        for message in said {
            let message = format!("its {whose} would be refused: {message}");
            self.refuse(item, &[], message, "correct the mount or the image, or --keep it");
        }
        said.is_empty()
    }

    /// Writes a SkillBinding after the document of its workload.
    fn make(
        &mut self,
        item: &Item,
        kind: WorkloadKind,
        object: &Value,
        skills: Vec<Value>,
        container: pod::Container<'_>,
        added: &mut Vec<(usize, Splice)>,
    ) -> Option<ObjectRef> {
        if item.origin.file.ends_with(".json") {
            let message = "is in a JSON file, and its SkillBinding needs a document of its own";
            self.refuse(item, &[], message, "convert it to YAML");
            return None;
        }
        let taken = |name: &str| {
            self.stream
                .bindings
                .iter()
                .any(|one| one.id.namespace == item.id.namespace && one.id.name == name)
                || self
                    .out
                    .moves
                    .iter()
                    .any(|one| one.to.namespace == item.id.namespace && one.to.name == name)
        };
        let lower = kind.name().to_ascii_lowercase();
        let name =
            [item.id.name.clone(), format!("{}-{lower}", item.id.name)].into_iter().find(|name| !taken(name));
        let Some(name) = name else {
            let message = format!("there is a {SKILL_BINDING} {} of another workload already", item.id.name);
            self.refuse(item, &["metadata".into(), "name".into()], message, "rename it");
            return None;
        };
        let mut metadata = json!({"name": name});
        if let Some(namespace) = object.pointer("/metadata/namespace") {
            metadata["namespace"] = namespace.clone();
        }
        let ObjectRef { api_version, kind, name: target, .. } = &item.id;
        let mut spec = json!({"targetRef": {"apiVersion": api_version, "kind": kind, "name": target}});
        if container.must_be_named {
            spec["container"] = container.name.into();
        }
        spec["skills"] = skills.into();
        let own_version = format!("{SKILLS_GROUP}/{VERSION}");
        let binding =
            json!({"apiVersion": own_version, "kind": SKILL_BINDING, "metadata": metadata, "spec": spec});
        if !self.is_accepted(item, &binding) {
            return None;
        }
        let (source, _) = self.stream.place(item.document());
        let end = self.stream.end(item.document());
        let text = &self.stream.sources()[source].text;
        let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut lines = if text[..end].ends_with('\n') { String::new() } else { "\n".to_owned() };
        lines += "---\n";
        lines += &emit::document(&binding);
        added.push((source, Splice { start: end, end, text: lines.replace('\n', eol) }));
        Some(ObjectRef {
            api_version: own_version,
            kind: SKILL_BINDING.to_owned(),
            namespace: item.id.namespace.clone(),
            name,
        })
    }
}
