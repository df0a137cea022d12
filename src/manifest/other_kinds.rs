//! Objects of kinds that nobody has named, and that have image volumes of skills: a stream in, each with its place and the
//! option that names its kind out. What is to be said of them is left to the verbs.

use memchr::memmem;
use serde_json::Value;

use crate::api::names::{AGENT_RUNTIME, KAGENTI, RECORD, ROSSOCTL, SKILL_BINDING, SKILL_VOLUME_PREFIX};
use crate::api::object::{Object, ObjectRef, Origin};
use crate::api::workload::Kinds;
use crate::manifest::function_config;
use crate::manifest::meant;
use crate::manifest::objects;
use crate::manifest::resource_list;
use crate::manifest::stream::Stream;

/// Such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherKind {
    /// Where it stands.
    pub origin: Origin,
    /// Its identity, in the namespace that it names.
    pub id: ObjectRef,
    /// Names of the skills.
    pub skills: Vec<String>,
    /// Whether a render has written them: its record, or the names of the skills, is there.
    pub is_rendered: bool,
    /// `--pod-template-path Workflow.example.com=spec.template`, where such an option can name it.
    pub option: Option<String>,
}

/// Kinds that are none of these: ours, and what holds other objects, which say their kinds themselves.
const KNOWN: [&str; 5] = [AGENT_RUNTIME, SKILL_BINDING, function_config::KIND, "List", resource_list::KIND];

/// Finds them.
pub fn with_skills(stream: &Stream<'_>, kinds: Kinds) -> Vec<OtherKind> {
    let mut out = Vec::new();
    let holds = |text: &str| memmem::find(text.as_bytes(), SKILL_VOLUME_PREFIX.as_bytes()).is_some();
    let names: Vec<&str> = kinds.all().map(|kind| kind.name()).chain(KNOWN).collect();
    // Most have a kind that is known; to read them a second time would take as long as the first.
    let is_other = |text: &str| meant::kinds(text).any(|kind| !names.contains(&kind)) && holds(text);
    for source in stream.sources().iter().filter(|source| holds(&source.text)) {
        for parsed in objects::readable_where(source, is_other) {
            for object in parsed.objects() {
                let id = Object(object.value).reference();
                let known = kinds.of(&id).is_some()
                    || id.kind == function_config::KIND
                    || (id.kind == "Pod" && id.api_version == "v1");
                if known || id.kind.is_empty() {
                    continue;
                }
                let Some((way, skills)) = pod(object.value, &mut Vec::new()) else { continue };
                let annotations = object.value.pointer("/metadata/annotations");
                let has = |key: &str| annotations.is_some_and(|all| all.get(key).is_some());
                let is_rendered = [RECORD, KAGENTI.skills, ROSSOCTL.skills].into_iter().any(has);
                let option = way
                    .strip_suffix(".spec")
                    .filter(|_| !id.group().is_empty())
                    .map(|template| format!("--pod-template-path {}.{}={template}", id.kind, id.group()));
                out.push(OtherKind { origin: object.origin(), id, skills, is_rendered, option });
            }
        }
    }
    out
}

/// The first pod in a value with volumes of skills: the way to it, and their names.
fn pod<'v>(value: &'v Value, way: &mut Vec<&'v str>) -> Option<(String, Vec<String>)> {
    let map = value.as_object()?;
    let volumes = map.get("volumes").and_then(Value::as_array);
    let skill = |volume: &Value| {
        volume.pointer("/image/reference")?;
        volume.get("name")?.as_str()?.strip_prefix(SKILL_VOLUME_PREFIX).map(str::to_owned)
    };
    let skills: Vec<String> = volumes.into_iter().flatten().filter_map(skill).collect();
    if !skills.is_empty() {
        return Some((way.join("."), skills));
    }
    map.iter().find_map(|(key, value)| {
        way.push(key);
        let found = pod(value, way);
        way.pop();
        found
    })
}
