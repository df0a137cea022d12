//! The list that gets the skills of a workload: the workload and its skills in, a list that is longer or a new SkillBinding out.
//! What leaves the workload is left to `config_map`.

use serde_json::{Value, json};

use super::Migration;
use crate::api::agent_runtime::AgentRuntimeSpec;
use crate::api::names::{ROSSOCTL, SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::object::ObjectRef;
use crate::api::skill_binding::is_for_pods;
use crate::manifest::migrate::{AS_YAML, SKILLS, To, pod};
use crate::manifest::set_skills;
use crate::manifest::stream::{Item, Lead};
use crate::plan::session::check_binding;
use crate::validate::findings::Finding;
use crate::validate::preflight::{check_skill, normalized};
use crate::yaml::{Splice, Step, emit, path};

fn said_of(finding: &Finding) -> String {
    format!("{}: {}", path::display(&finding.path), finding.message)
}

impl Migration<'_, '_> {
    /// Adds skills to the list of a workload, which is made if there is none; whose list that is.
    pub(super) fn list(
        &mut self,
        item: &Item,
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
            (To::SkillBinding, []) => self.make(item, object, skills, container, added),
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
        let length = object.pointer("/spec/skills").and_then(Value::as_array).map_or(0, Vec::len);
        let skills_path: Vec<Step> = SKILLS.iter().map(|key| Step::from(*key)).collect();
        if object.pointer("/spec/skills").is_some_and(|skills| !skills.is_null() && !skills.is_array()) {
            self.refuse(list, &skills_path, "is no list", "write a list of skills, or remove it");
        }
        let listed = set_skills::names(&object);
        for skill in &skills {
            let name = skill["name"].as_str().unwrap_or_default();
            if listed.contains(&name) {
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
        object: &Value,
        skills: Vec<Value>,
        container: pod::Container<'_>,
        added: &mut Vec<(usize, Splice)>,
    ) -> Option<ObjectRef> {
        if item.origin.file.ends_with(".json") {
            let message = "is in a JSON file, and its SkillBinding needs a document of its own";
            self.refuse(item, &[], message, AS_YAML);
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
        let lower = item.id.kind.to_ascii_lowercase();
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
