//! The images of skills that manifests name, and other names for them: a stream in, references or splices of its files out.
//! Where images are, and whether they are there, is left to the binary.
//!
//! References stand in the lists of AgentRuntimes and SkillBindings, also in those of a functionConfig, and in the volumes of pods and
//! of workloads that were rendered.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::names::SKILL_VOLUME_PREFIX;
use crate::api::object::ObjectRef;
use crate::api::workload::Kinds;
use crate::manifest::function_config;
use crate::manifest::render::{Collector, Desired, Edited};
use crate::manifest::stream::{Item, Lead, Stream};
use crate::yaml::Step;
use crate::yaml::path::display;

/// A reference to a skill's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillImage {
    /// The object that names it.
    pub object: ObjectRef,
    /// Where in the object: `spec.skills[0].image`.
    pub field: String,
    /// The reference, as it is written.
    pub image: String,
    /// Name of the skill.
    pub skill: String,
    /// Its place, for what is wrong with it.
    pub place: InputError,
}

/// All references, in the order of the input.
///
/// # Errors
/// Objects that cannot be read.
pub fn skill_images(stream: &Stream<'_>, kinds: Kinds) -> Result<Vec<SkillImage>, Vec<InputError>> {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for item in stream.asking().chain(&stream.others).chain(&stream.workloads) {
        match stream.object(item) {
            Ok(mut object) => visit(&mut object, item, kinds, &mut |path, skill, image| {
                found.push(SkillImage {
                    object: item.id.clone(),
                    field: display(path).to_string(),
                    image: image.to_owned(),
                    skill: skill.to_owned(),
                    place: stream.error(item, path, "", ""),
                });
                None
            }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// The references of one object.
pub(in crate::manifest) fn images_of(mut object: Value, item: &Item, kinds: Kinds) -> Vec<String> {
    let mut found = Vec::new();
    visit(&mut object, item, kinds, &mut |_, _, image| {
        found.push(image.to_owned());
        None
    });
    found
}

/// Gives references other names, by those that are written; the rest of the text stays.
///
/// # Errors
/// What cannot be edited as it is written, with its place.
pub fn rename(
    stream: &Stream<'_>,
    kinds: Kinds,
    names: &BTreeMap<String, String>,
) -> Result<Edited, Vec<InputError>> {
    let mut collector = Collector::new(stream);
    let mut errors = Vec::new();
    let mut renamed = |item: &Item| match stream.object(item) {
        Ok(mut object) => {
            let mut changed = false;
            visit(&mut object, item, kinds, &mut |_, _, image| {
                let name = names.get(image).filter(|name| *name != image)?;
                changed = true;
                Some(name.clone())
            });
            changed.then(|| Desired::anywhere(Cow::Owned(object)))
        }
        Err(error) => {
            errors.push(error);
            None
        }
    };
    for (index, item) in stream.runtimes.iter().enumerate() {
        let desired = renamed(item);
        collector.lead(Lead::Runtime(index), desired);
    }
    for (index, item) in stream.bindings.iter().enumerate() {
        let desired = renamed(item);
        collector.lead(Lead::Binding(index), desired);
    }
    for item in &stream.others {
        if let Some(desired) = renamed(item) {
            collector.object(item, desired);
        }
    }
    for (index, item) in stream.workloads.iter().enumerate() {
        let desired = renamed(item);
        collector.workload(Some(index), desired);
    }
    collector.finish_with(errors)
}

/// Where a reference stands, the name of its skill and the reference in; what takes its place out.
type Call<'c> = dyn FnMut(&[Step], &str, &str) -> Option<String> + 'c;

/// Calls for each reference of an object; what comes back takes its place.
fn visit(object: &mut Value, item: &Item, kinds: Kinds, call: &mut Call<'_>) {
    let mut one = |path: &[Step], skill: &str, image: Option<&mut Value>| {
        if let Some(Value::String(image)) = image
            && !image.is_empty()
            && let Some(name) = call(path, skill, image)
        {
            *image = name;
        }
    };
    let mut listed = |object: &mut Value, at: &[Step]| {
        let skills = object.pointer_mut("/spec/skills").and_then(Value::as_array_mut);
        for (index, skill) in skills.into_iter().flatten().enumerate() {
            let path = [at, &["spec".into(), "skills".into(), index.into(), "image".into()]].concat();
            let name = skill.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            one(&path, &name, skill.get_mut("image"));
        }
    };
    listed(object, &[]);
    if item.id.kind == function_config::KIND {
        for list in ["agentRuntimes", "skillBindings"] {
            let objects = object.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
            for (index, object) in objects.into_iter().flatten().enumerate() {
                listed(object, &["spec".into(), list.into(), index.into()]);
            }
        }
        return;
    }
    let Some(keys) = kinds.pod_of(&item.id) else { return };
    let pod: Vec<Step> = keys.iter().map(|key| Step::from(*key)).collect();
    let pointer: String = keys.iter().map(|key| format!("/{key}")).collect();
    let Some(volumes) = object.pointer_mut(&(pointer + "/volumes")).and_then(Value::as_array_mut) else {
        return;
    };
    for (index, volume) in volumes.iter_mut().enumerate() {
        let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(skill) = name.strip_prefix(SKILL_VOLUME_PREFIX).map(str::to_owned) else { continue };
        let path = [&pod[..], &["volumes".into(), index.into(), "image".into(), "reference".into()]].concat();
        one(&path, &skill, volume.pointer_mut("/image/reference"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::stream::Source;

    const TEXT: &str = "\
# agents
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata: {name: weather}
spec:
  type: agent
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  skills:
  - {name: pdf, image: 'quay.io/acme/pdf:1', mountPath: /s/pdf}   # reads
  - name: csv
    image: quay.io/acme/csv:2
    mountPath: /s/csv
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: weather}
spec:
  template:
    spec:
      containers: [{name: agent, image: quay.io/acme/pdf:1}]
      volumes:
      - name: skill-pdf
        image: {reference: \"quay.io/acme/pdf:1\"}   # mounted
      - name: models
        image: {reference: quay.io/acme/pdf:1}
";

    /// A container's image or a volume of the author's is no skill, whatever it is called.
    #[test]
    fn only_references_to_skills_get_other_names() {
        let sources = [Source { name: "a.yaml".into(), text: TEXT.into() }];
        let stream = Stream::read(&sources, "default").expect("manifests");
        let found = skill_images(&stream, Kinds::default()).expect("references");
        let shown: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {} {}", one.object.kind, one.field, one.skill, one.image))
            .collect();
        assert_eq!(
            shown,
            [
                "AgentRuntime spec.skills[0].image pdf quay.io/acme/pdf:1",
                "AgentRuntime spec.skills[1].image csv quay.io/acme/csv:2",
                "Deployment spec.template.spec.volumes[0].image.reference pdf quay.io/acme/pdf:1",
            ]
        );
        let names = BTreeMap::from([("quay.io/acme/pdf:1".to_owned(), "reg.lan/acme/pdf:1".to_owned())]);
        let edited = rename(&stream, Kinds::default(), &names).expect("an edit");
        let after = edited.text(0, TEXT).expect("a change");
        let wanted = TEXT
            .replace("image: 'quay.io/acme/pdf:1'", "image: 'reg.lan/acme/pdf:1'")
            .replace("{reference: \"quay.io/acme/pdf:1\"}", "{reference: \"reg.lan/acme/pdf:1\"}");
        assert_eq!(after, wanted);
        assert!(!rename(&stream, Kinds::default(), &BTreeMap::new()).expect("no edit").is_changed(0));
    }
}
