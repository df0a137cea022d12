//! One list of skills with other images, more skills or fewer: an object and what is to become of its list in; the object, or
//! splices of its file, out. Whose list is meant is left to who calls.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::error::InputError;
use crate::api::object::Object;
use crate::manifest::render::{Collector, Desired, Edited};
use crate::manifest::stream::{Lead, Stream};

/// What is to become of a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is in the list, and gets another image.
    Image {
        /// Its name.
        skill: String,
        /// The reference.
        image: String,
    },
    /// It is not in the list, and comes after all others.
    Add {
        /// Its name.
        skill: String,
        /// The reference.
        image: String,
        /// Where it is mounted; none where the list's runtime says so.
        mount_path: Option<String>,
    },
    /// It is in the list, and goes.
    Remove {
        /// Its name.
        skill: String,
    },
}

impl Change {
    /// The skill that it is about.
    pub fn skill(&self) -> &str {
        match self {
            Self::Image { skill, .. } | Self::Add { skill, .. } | Self::Remove { skill } => skill,
        }
    }
}

/// The image that a list has for a skill; `None` if the skill is not in it.
pub fn image_of<'v>(object: &'v Value, skill: &str) -> Option<&'v str> {
    Some(Object(skill_of(object, skill)?).str("/image"))
}

/// The item of a skill in a list.
pub fn skill_of<'v>(object: &'v Value, skill: &str) -> Option<&'v Value> {
    let skills = object.pointer("/spec/skills").and_then(Value::as_array)?;
    skills.iter().find(|one| Object(one).str("/name") == skill)
}

/// Whether a list is as a change would make it.
pub fn holds(object: &Value, change: &Change) -> bool {
    match change {
        Change::Image { skill, image } | Change::Add { skill, image, .. } => {
            image_of(object, skill) == Some(image)
        }
        Change::Remove { skill } => image_of(object, skill).is_none(),
    }
}

/// Names of the skills in a list, in its order.
pub fn names(object: &Value) -> Vec<&str> {
    let skills = object.pointer("/spec/skills").and_then(Value::as_array);
    skills.into_iter().flatten().map(|one| Object(one).str("/name")).collect()
}

/// The folder of a skill that is mounted under its own name.
fn folder(skill: &Value) -> Option<&str> {
    let path = skill.get("mountPath")?.as_str()?;
    path.strip_suffix(skill.get("name")?.as_str()?)?.strip_suffix('/')
}

/// The folder in which all skills of a list are mounted, each under its own name; `None` where there is none such.
pub fn common_folder(object: &Value) -> Option<&str> {
    let skills = object.pointer("/spec/skills").and_then(Value::as_array)?;
    let first = folder(skills.first()?)?;
    skills.iter().all(|skill| folder(skill) == Some(first)).then_some(first)
}

/// Changes the list of an object; all else of it stays.
pub fn apply(object: &mut Value, changes: &[Change]) {
    let Some(root) = object.as_object_mut() else { return };
    let spec = root.entry("spec").or_insert_with(|| json!({}));
    let Some(spec) = spec.as_object_mut() else { return };
    let list = spec.entry("skills").or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    let Some(list) = list.as_array_mut() else { return };
    for change in changes {
        let is_it = |one: &Value| Object(one).str("/name") == change.skill();
        match change {
            Change::Image { image, .. } => {
                if let Some(one) = list.iter_mut().find(|one| is_it(one)) {
                    one["image"] = json!(image);
                }
            }
            Change::Add { skill, image, mount_path } => {
                let mut one = Map::new();
                one.insert("name".into(), json!(skill));
                one.insert("image".into(), json!(image));
                one.extend(mount_path.as_ref().map(|path| ("mountPath".to_owned(), json!(path))));
                list.push(Value::Object(one));
            }
            Change::Remove { .. } => list.retain(|one| !is_it(one)),
        }
    }
}

/// Changes lists in their files, and no byte beyond them.
///
/// # Errors
/// Objects that cannot be read, and what cannot be edited as it is written, with its place.
pub fn set(stream: &Stream<'_>, changes: &BTreeMap<Lead, Vec<Change>>) -> Result<Edited, Vec<InputError>> {
    let mut collector = Collector::new(stream);
    let mut errors = Vec::new();
    for (lead, changes) in changes {
        match stream.object(stream.lead(*lead)) {
            Ok(mut object) => {
                apply(&mut object, changes);
                collector.lead(*lead, Some(Desired::anywhere(Cow::Owned(object))));
            }
            Err(error) => errors.push(error),
        }
    }
    collector.finish_with(errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::stream::Source;

    const TEXT: &str = "\
# of the search team
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: tools}
spec:
    targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    skills:
    # reads
    -   name: pdf
        image: 'quay.io/acme/pdf:1'   # pinned by hand
        mountPath: /s/pdf
    -   {name: csv, image: quay.io/acme/csv:2, mountPath: /s/csv}
---
kind: Other
a:   1
";

    fn edited(changes: Vec<Change>) -> String {
        let sources = [Source { name: "a.yaml".into(), text: TEXT.into() }];
        let stream = Stream::read(&sources, "default").expect("manifests");
        let edited = set(&stream, &BTreeMap::from([(Lead::Binding(0), changes)])).expect("an edit");
        edited.text(0, TEXT).unwrap_or_else(|| TEXT.to_owned())
    }

    fn image(skill: &str, image: &str) -> Change {
        Change::Image { skill: skill.into(), image: image.into() }
    }

    /// A diff of more than the line that was meant is not read, and a comment that goes is somebody's.
    #[test]
    fn only_the_bytes_of_a_reference_change() {
        assert_eq!(edited(vec![image("pdf", "quay.io/acme/pdf:2")]), TEXT.replace("pdf:1'", "pdf:2'"));
        assert_eq!(edited(vec![image("csv", "x/csv:3")]), TEXT.replace("quay.io/acme/csv:2", "x/csv:3"));
        assert_eq!(edited(vec![image("pdf", "quay.io/acme/pdf:1")]), TEXT);
    }

    #[test]
    fn a_skill_is_added_after_the_others_and_taken_out_alone() {
        let add = |mount_path: Option<&str>| Change::Add {
            skill: "xml".into(),
            image: "x/xml:1".into(),
            mount_path: mount_path.map(str::to_owned),
        };
        let object = |text: &str| {
            let sources = [Source { name: "a.yaml".into(), text: text.into() }];
            let stream = Stream::read(&sources, "default").expect("manifests");
            stream.object(&stream.bindings[0]).expect("an object")
        };
        let with = edited(vec![add(Some("/s/xml"))]);
        assert!(
            with.contains("# pinned by hand\n") && with.ends_with("---\nkind: Other\na:   1\n"),
            "{with}"
        );
        let wanted = json!({"name": "xml", "image": "x/xml:1", "mountPath": "/s/xml"});
        assert_eq!(object(&with)["spec"]["skills"][2], wanted);
        assert_eq!(common_folder(&object(&with)), Some("/s"));
        assert_eq!(
            object(&edited(vec![add(None)]))["spec"]["skills"][2],
            json!({"name": "xml", "image": "x/xml:1"})
        );
        let without = edited(vec![Change::Remove { skill: "csv".into() }]);
        let line = "    -   {name: csv, image: quay.io/acme/csv:2, mountPath: /s/csv}\n";
        assert_eq!(without, TEXT.replace(line, ""));
        assert_eq!(
            (names(&object(&without)), image_of(&object(TEXT), "csv")),
            (vec!["pdf"], Some("quay.io/acme/csv:2"))
        );
    }
}
