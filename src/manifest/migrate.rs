//! Moves lists of skills between AgentRuntimes and SkillBindings, in the text: a stream in, splices of its files out. Reading
//! and writing files is left to the binary.
//!
//! The list moves by its lines, so that what its author wrote about it comes along; its SkillBinding follows the AgentRuntime.
//! Back, the lines go into the AgentRuntime of the same target, and the SkillBinding's document goes. A list without lines of
//! its own, as in flow style, is written anew by the editor.

use serde_json::{Value, json};

use crate::api::agent_runtime::{AgentRuntimeSpec, FieldError};
use crate::api::error::InputError;
use crate::api::names::{SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::object::ObjectRef;
use crate::api::skill_binding::{Delivery, Rollout, SkillBindingSpec};
use crate::manifest::kustomization::Kustomizations;
use crate::manifest::render::Edited;
use crate::manifest::stream::{Item, Source, Stream};
use crate::plan::session::check_binding;
use crate::yaml::emit::{self, FlowLayout, Scalars};
use crate::yaml::node::NodeKind;
use crate::yaml::{self, Document, Splice, Step};
use references::OfList;

#[cfg(feature = "skill")]
pub mod config_map;
#[cfg(feature = "skill")]
mod gone;
mod list;
pub mod names;
#[cfg(feature = "skill")]
mod pod;
mod references;

/// Where the lists are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// In SkillBindings.
    SkillBinding,
    /// In AgentRuntimes.
    AgentRuntime,
}

/// What was moved.
#[derive(Debug, Clone, Default)]
pub struct Migrated {
    /// The files.
    pub edited: Edited,
    /// From whom to whom, and how many skills.
    pub moved: Vec<(ObjectRef, ObjectRef, usize)>,
    /// What somebody must decide: places of patches and kustomizations that speak of what has moved.
    pub decide: Vec<InputError>,
    /// Comments that are lost.
    pub remarks: Vec<InputError>,
}

/// What to do with a JSON file, which holds one object, where a second one is to come after it.
const AS_YAML: &str = "rename the file so that it ends in .yaml, for JSON is YAML as well, and run again";

/// Moves every list. `kustomize`: the kustomizations around, and the files that they name.
///
/// # Errors
/// All lists that cannot be moved, and why; nothing is moved then.
pub fn migrate(stream: &Stream<'_>, to: To, kustomize: &[Source]) -> Result<Migrated, Vec<InputError>> {
    let mut out = Migration {
        stream,
        splices: vec![Vec::new(); stream.sources().len()],
        moved: Vec::new(),
        errors: Vec::new(),
    };
    match to {
        To::SkillBinding => stream.runtimes.iter().for_each(|item| out.move_out(item)),
        To::AgentRuntime => stream.bindings.iter().for_each(|item| out.move_back(item)),
    }
    if !out.errors.is_empty() {
        return Err(out.errors);
    }
    for splices in &mut out.splices {
        splices.sort_by_key(|splice| splice.start);
    }
    let edited = Edited::of(out.splices);
    let files = Kustomizations::read(kustomize);
    let left = |(from, into, _): &(ObjectRef, ObjectRef, usize)| {
        let into = into.clone();
        let what = match to {
            To::SkillBinding => OfList::Moved { to: into },
            To::AgentRuntime => OfList::Gone { to: into },
        };
        (from.clone(), what)
    };
    let mut lists: Vec<_> = out.moved.iter().map(left).collect();
    if to == To::AgentRuntime {
        lists.extend(out.moved.iter().map(|(_, to, _)| (to.clone(), OfList::Longer)));
    }
    let mut decide = references::of_lists(&files, &files.patches(), &lists);
    if to == To::SkillBinding && !out.moved.is_empty() {
        decide.extend(references::of_names(&files));
    }
    let is_empty = |(index, source): &(usize, &Source)| {
        edited.text(*index, &source.text).is_some_and(|text| yaml::split(&text).is_empty())
    };
    let removed = stream.sources().iter().enumerate().filter(is_empty).map(|(_, source)| &*source.name);
    decide.extend(references::of_files(&files, removed));
    let remarks = references::lost_comments(stream.sources(), &edited);
    Ok(Migrated { edited, moved: out.moved, decide, remarks })
}

struct Migration<'p, 's> {
    stream: &'p Stream<'s>,
    splices: Vec<Vec<Splice>>,
    moved: Vec<(ObjectRef, ObjectRef, usize)>,
    errors: Vec<InputError>,
}

const SKILLS: [&str; 2] = ["spec", "skills"];

/// What a SkillBinding has, and metadata that a move keeps or that the server alone sets.
const OWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
const METADATA: [&str; 9] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
];
const SPEC: [&str; 8] =
    ["targetRef", "selector", "skills", "container", "runtime", "home", "delivery", "rollout"];

impl Migration<'_, '_> {
    fn refuse(&mut self, item: &Item, path: &[&str], message: impl Into<String>, help: &str) {
        let path: Vec<Step> = path.iter().map(|key| Step::from(*key)).collect();
        self.errors.push(self.stream.error(item, &path, message, help));
    }

    fn unreadable(&mut self, item: &Item, errors: Vec<FieldError>) {
        for error in errors {
            let path = yaml::path::parse(&error.field).unwrap_or_default();
            self.errors.push(self.stream.error(item, &path, error.message, "correct the field"));
        }
    }

    /// The object of a document of its own; an item of a list cannot become another document.
    fn object(&mut self, item: &Item) -> Option<Value> {
        match self.stream.object(item) {
            Err(error) => self.errors.push(error),
            Ok(_) if item.is_in_list() => {
                let message = "is an item of a list, and a list is moved between documents";
                let help = "write the items of the list as documents of their own, with --- between them, and run again";
                self.refuse(item, &[], message, help);
            }
            Ok(_) if item.origin.file.ends_with(".json") => {
                let message = "is in a JSON file, which holds one object";
                self.refuse(item, &[], message, AS_YAML);
            }
            Ok(object) => return Some(object),
        }
        None
    }

    fn move_out(&mut self, item: &Item) {
        let listed = self.stream.object(item).ok().and_then(|object| object.pointer("/spec/skills").cloned());
        if listed.is_none_or(|skills| skills.as_array().is_none_or(Vec::is_empty)) {
            return;
        }
        let Some(object) = self.object(item) else { return };
        let count = match AgentRuntimeSpec::from_object(&object) {
            Ok(spec) => spec.skills.len(),
            Err(errors) => {
                return self.unreadable(item, errors);
            }
        };
        if self
            .stream
            .bindings
            .iter()
            .any(|other| other.id.namespace == item.id.namespace && other.id.name == item.id.name)
        {
            let message = format!("there is a {SKILL_BINDING} {} already", item.id.name);
            return self.refuse(
                item,
                &["metadata", "name"],
                message,
                "merge the two lists by hand, or rename it",
            );
        }
        let api_version = format!("{SKILLS_GROUP}/{VERSION}");
        let mut metadata = json!({"name": object["metadata"]["name"]});
        if let Some(namespace) = object.pointer("/metadata/namespace") {
            metadata["namespace"] = namespace.clone();
        }
        let binding = json!({
            "apiVersion": api_version, "kind": SKILL_BINDING, "metadata": metadata,
            "spec": {"targetRef": object["spec"]["targetRef"], "skills": object["spec"]["skills"]},
        });
        // What the API server would refuse is refused here, at its place in the AgentRuntime.
        let id =
            ObjectRef { api_version: api_version.clone(), kind: SKILL_BINDING.to_owned(), ..item.id.clone() };
        let refused: Vec<InputError> = check_binding(&binding)
            .iter()
            .filter(|found| found.is_error())
            .map(|found| {
                let message = format!("a SkillBinding cannot say this: {}", found.message);
                self.stream.error(item, &found.path, message, "correct it in the AgentRuntime, and run again")
            })
            .collect();
        if !refused.is_empty() {
            return self.errors.extend(refused);
        }
        let mut runtime = object;
        if let Some(spec) = runtime.get_mut("spec").and_then(Value::as_object_mut) {
            spec.shift_remove("skills");
        }
        let document = self.stream.document(item.document());
        let (source, start) = self.stream.place(item.document());
        let end = self.stream.end(item.document());
        let text = &self.stream.sources()[source].text;
        let moved = lines_out(document, &runtime, &binding);
        let (own, copy) = match moved {
            Some((own, copy)) => (own + &text[start + document.text.len()..end], copy),
            // Not by lines: what is said within stays, and the list is written anew.
            None => match self.edit(item, document, &runtime) {
                Some(splices) => (yaml::apply(&text[start..end], &splices), emit::document(&binding)),
                None => return,
            },
        };
        let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut added = if own.ends_with('\n') { String::new() } else { eol.to_owned() };
        added += &format!("---{eol}");
        added += &if eol == "\n" { copy } else { copy.replace("\r\n", "\n").replace('\n', eol) };
        if end < text.len() && !added.ends_with('\n') {
            added += eol;
        }
        self.splices[source].push(Splice { start, end, text: own + &added });
        self.moved.push((item.id.clone(), id, count));
    }

    fn move_back(&mut self, item: &Item) {
        let Some(object) = self.object(item) else { return };
        let spec = match SkillBindingSpec::from_object(&object) {
            Ok(spec) => spec,
            Err(errors) => {
                return self.unreadable(item, errors);
            }
        };
        self.refuse_what_is_lost(item, &object, &spec);
        let same = |other: &&Item| other.id.namespace == item.id.namespace && other.target == item.target;
        let found: Vec<&Item> = self.stream.runtimes.iter().filter(same).collect();
        let [runtime] = found.as_slice() else {
            let (kind, name) = &item.target;
            if name.is_empty() {
                let message =
                    "the list is for what a selector takes, and an AgentRuntime points at one workload";
                return self.refuse(item, &["spec"], message, "give the SkillBinding a targetRef first");
            }
            let message = format!(
                "{} AgentRuntimes of the input point at {kind} {name}, and the list needs one",
                found.len()
            );
            return self.refuse(
                item,
                &["spec", "targetRef"],
                message,
                "give the manifest of one AgentRuntime as well",
            );
        };
        let Some(mut after) = self.object(runtime) else { return };
        self.refuse_lost_metadata(item, &object, runtime, &after);
        let own = after.pointer("/spec/skills").and_then(Value::as_array).cloned().unwrap_or_default();
        let moved = object.pointer("/spec/skills").and_then(Value::as_array).cloned().unwrap_or_default();
        let (source, start) = self.stream.place(item.document());
        let end = self.stream.end(item.document());
        let text = &self.stream.sources()[source].text;
        if self.moved.iter().any(|(_, to, _)| *to == runtime.id) {
            let message = format!("two lists go into AgentRuntime {}", runtime.id.name);
            return self.refuse(item, &SKILLS, message, "move one after the other");
        }
        let count = moved.len();
        after["spec"]["skills"] = own.into_iter().chain(moved).collect();
        let document = self.stream.document(runtime.document());
        let from = self.stream.document(item.document());
        let by_lines = lines_back(document, from, &after);
        let rest = match (&by_lines, list::find(from, SKILLS[1])) {
            (Some(_), Some(list)) => {
                let range = list.range();
                [&text[start..start + range.start], &text[start + range.end..end]].concat()
            }
            _ => text[start..end].to_owned(),
        };
        if rest.contains('#') {
            let message = "has comments, which would go with its document";
            return self.refuse(
                item,
                &[],
                message,
                "move them next to the AgentRuntime's list, and run again",
            );
        }
        let splices = match by_lines {
            Some(splice) => vec![splice],
            None => match self.edit(runtime, document, &after) {
                Some(splices) => splices,
                None => return,
            },
        };
        let (at, from) = self.stream.place(runtime.document());
        self.add(at, from, splices);
        let (start, end) = with_marker(text, start, end);
        self.splices[source].push(Splice { start, end, text: String::new() });
        self.moved.push((item.id.clone(), runtime.id.clone(), count));
    }

    /// Refuses what a SkillBinding says and an AgentRuntime cannot.
    fn refuse_what_is_lost(&mut self, item: &Item, object: &Value, spec: &SkillBindingSpec) {
        let cannot = [
            ("selector", spec.target_ref().is_none()),
            ("container", spec.container.is_some()),
            ("runtime", spec.runtime.is_some()),
            ("home", spec.home.is_some()),
            ("delivery", spec.delivery == Delivery::Pod),
            ("rollout", spec.rollout == Rollout::Manual),
        ];
        for (field, _) in cannot.into_iter().filter(|(_, is_set)| *is_set) {
            let message = "an AgentRuntime cannot say this";
            self.refuse(item, &["spec", field], message, "remove the field if the list can do without it");
        }
        if let Some(index) = spec.skills.iter().position(|skill| !skill.sub_path.is_empty()) {
            let path = [Step::from("spec"), "skills".into(), index.into(), "subPath".into()];
            let help = "mount the root of the image, or keep the SkillBinding";
            self.errors.push(self.stream.error(item, &path, "an AgentRuntime cannot say this", help));
        }
        let maps = [("", &OWN[..]), ("metadata", &METADATA), ("spec", &SPEC)];
        for (map, known) in maps {
            let of = if map.is_empty() { Some(object) } else { object.get(map) };
            let keys = of.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str());
            for key in keys.filter(|key| !known.contains(key)) {
                let path: Vec<&str> = [map, key].into_iter().filter(|step| !step.is_empty()).collect();
                let message = "is no field of a SkillBinding, and would go with its document";
                self.refuse(item, &path, message, "correct its name, or remove it");
            }
        }
    }

    /// Refuses labels and annotations that the AgentRuntime does not have.
    fn refuse_lost_metadata(&mut self, item: &Item, object: &Value, runtime: &Item, after: &Value) {
        for map in ["labels", "annotations"] {
            let of =
                |object: &Value| object.pointer(&format!("/metadata/{map}")).cloned().unwrap_or_default();
            let (theirs, own) = (of(after), of(object));
            let lost =
                own.as_object().into_iter().flatten().filter(|(key, value)| theirs.get(key) != Some(value));
            let lost: Vec<&str> = lost.map(|(key, _)| key.as_str()).collect();
            if !lost.is_empty() {
                let message = format!(
                    "AgentRuntime {} does not have these {map}: {}",
                    runtime.id.name,
                    lost.join(", ")
                );
                let help = "write them into the AgentRuntime as well, or remove them here";
                self.refuse(item, &["metadata", map], message, help);
            }
        }
    }

    fn edit(&mut self, item: &Item, document: &Document<'_>, desired: &Value) -> Option<Vec<Splice>> {
        match yaml::edit(document, desired) {
            Ok(splices) => Some(splices),
            Err(error) => {
                let placed = self.stream.error_at(item.document(), error.line, error.column, Some(&item.id));
                let (field, message, help) = (error.path, error.message, error.help);
                self.errors.push(InputError { field, message, help, ..placed });
                None
            }
        }
    }

    /// Splices of a document, which count from its start.
    fn add(&mut self, source: usize, start: usize, splices: Vec<Splice>) {
        self.splices[source].extend(splices.into_iter().map(|splice| splice.moved(start)));
    }
}

/// Where a document starts and ends with the marker in front of it; of the first document with the one after it.
fn with_marker(text: &str, start: usize, end: usize) -> (usize, usize) {
    let before = text[..start].rfind("---").filter(|marker| text[*marker + 3..start].trim().is_empty());
    let next = text[end..].starts_with("---").then(|| end + text[end..].find('\n').map_or(3, |at| at + 1));
    match (before, next) {
        (Some(marker), _) => (marker, end),
        (None, Some(next)) => (start, next),
        (None, None) => (start, end),
    }
}

/// The AgentRuntime's document without its list, and the document of the SkillBinding with it; `None` if the list has no lines
/// of its own, or the documents would not mean what they should.
fn lines_out(document: &Document<'_>, runtime: &Value, binding: &Value) -> Option<(String, String)> {
    let text = document.text;
    let list = list::find(document, SKILLS[1])?;
    let range = list.range();
    let own = [&text[..range.start], &text[range.end..]].concat();
    let step = " ".repeat(list.indent());
    let mut copy = format!("apiVersion: {}\nkind: {SKILL_BINDING}\n", binding["apiVersion"].as_str()?);
    copy += &metadata(document, &binding["metadata"], &step);
    copy += "spec:\n";
    let target = list::find(document, "targetRef").filter(|target| !target.entry().contains('#'));
    match target {
        Some(target) => copy += target.entry(),
        None => copy += &block("targetRef", &binding["spec"]["targetRef"], list.indent()),
    }
    if !copy.ends_with('\n') {
        copy.push('\n');
    }
    copy += list.lines();
    (means(&own, runtime) && means(&copy, binding)).then_some((own, copy))
}

/// Name and namespace, in flow style where they were.
fn metadata(document: &Document<'_>, metadata: &Value, step: &str) -> String {
    let own = document.entry(0, "metadata").map(|id| document.tree.node(id).kind);
    if own == Some(NodeKind::Mapping { flow: true }) {
        let mut out = "metadata: ".to_owned();
        let layout = FlowLayout {
            colon: ": ",
            comma: ", ",
            pad_map: false,
            pad_seq: false,
            scalars: Scalars::default(),
            lines: None,
        };
        emit::flow(&mut out, metadata, "", layout);
        return out + "\n";
    }
    block("metadata", metadata, 0).replace("\n  ", &format!("\n{step}"))
}

/// An entry at a column.
fn block(name: &str, value: &Value, column: usize) -> String {
    let lines = emit::document(&json!({name: value}));
    lines.split_inclusive('\n').map(|line| " ".repeat(column) + line).collect()
}

/// How the list of a SkillBinding goes into an AgentRuntime by its lines; `None` if these are not its own, or the document would
/// not mean what it should.
fn lines_back(document: &Document<'_>, binding: &Document<'_>, after: &Value) -> Option<Splice> {
    let text = document.text;
    let list = list::find(binding, SKILLS[1])?;
    let (at, mut added) = match list::find(document, SKILLS[1]) {
        Some(own) => (own.range().end, list.items_for(&own)?),
        None if document.entry(document.entry(0, SKILLS[0])?, SKILLS[1]).is_some() => return None,
        None => {
            let (at, indent) = list::end_of_spec(document)?;
            (at, list.at(indent))
        }
    };
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    added = added.replace("\r\n", "\n").replace('\n', eol);
    if !text[..at].ends_with('\n') {
        added = eol.to_owned() + added.trim_end_matches(['\r', '\n']);
    } else if !added.ends_with('\n') {
        added += eol;
    }
    let whole = [&text[..at], &added, &text[at..]].concat();
    means(&whole, after).then_some(Splice { start: at, end: at, text: added })
}

/// Whether a text means a value.
fn means(text: &str, value: &Value) -> bool {
    Document::parse(text).and_then(|document| document.to_value()).is_ok_and(|found| found == *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::stream::Source;

    fn moved(text: &str, to: To) -> Result<String, Vec<String>> {
        let sources = [Source { name: "a.yaml".into(), text: text.into() }];
        let stream = Stream::read(&sources, "default").expect("manifests");
        let migrated = migrate(&stream, to, &[]);
        let texts = |errors: Vec<InputError>| errors.iter().map(ToString::to_string).collect();
        migrated.map(|migrated| migrated.edited.chunks(0, text).collect()).map_err(texts)
    }

    const RUNTIME: &str = "\
# The weather agent
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata:
  name: weather
  labels: {team: a}
spec:
  type: agent
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: weather
  # What it knows
  skills:
    - name: pdf      # reads
      image: 'i:1'
      mountPath: /s/pdf
";

    /// A comment says why a skill is there; a move that drops it drops the reason, and one that stays is about nothing.
    #[test]
    fn a_list_moves_with_what_its_author_wrote_about_it() {
        let text = format!("{RUNTIME}---\nkind: Service\n");
        let after = moved(&text, To::SkillBinding).expect("a move");
        assert_eq!(
            after,
            "\
# The weather agent
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata:
  name: weather
  labels: {team: a}
spec:
  type: agent
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: weather
---
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata:
  name: weather
spec:
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: weather
  # What it knows
  skills:
    - name: pdf      # reads
      image: 'i:1'
      mountPath: /s/pdf
---
kind: Service
"
        );
        assert_eq!(
            moved(&after, To::SkillBinding).expect("nothing to move"),
            after,
            "a second run moves nothing"
        );
    }

    #[test]
    fn a_list_moves_back_and_what_cannot_be_said_is_refused() {
        let binding = |more: &str| {
            format!(
                "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: b}}\nspec:\n  targetRef: \
                 {{apiVersion: apps/v1, kind: Deployment, name: weather}}\n{more}  skills:\n  - {{name: csv, image: i, mountPath: /s/csv}}\n"
            )
        };
        let after = moved(&format!("{RUNTIME}---\n{}", binding("")), To::AgentRuntime).expect("a move");
        assert_eq!(after, format!("{RUNTIME}    - {{name: csv, image: i, mountPath: /s/csv}}\n"));
        let after = moved(&format!("{}---\n{RUNTIME}", binding("")), To::AgentRuntime).expect("a move");
        assert_eq!(after, format!("{RUNTIME}    - {{name: csv, image: i, mountPath: /s/csv}}\n"));
        let refused = |text: &str| moved(text, To::AgentRuntime).expect_err("a refusal").join("\n");
        assert!(refused(&binding("")).contains("0 AgentRuntimes of the input point at Deployment weather"));
        let both = refused(&format!("{RUNTIME}---\n{}", binding("  delivery: Pod\n  container: agent\n")));
        assert!(both.contains("spec.delivery") && both.contains("spec.container"), "{both}");
        assert!(
            refused(&format!("{RUNTIME}---\n{}", binding("  delivery: Workload  # why\n")))
                .contains("has comments")
        );
        let unknown = refused(&format!("{RUNTIME}---\n{}", binding("  foo: 1\n")));
        assert!(
            unknown.contains("spec.foo: is no field of a SkillBinding, and would go with its document"),
            "{unknown}"
        );
    }

    /// A comment that stands twice is about something else in one of its places, and one that is lost is lost for good.
    #[test]
    fn there_and_back_gives_the_same_bytes_and_no_comment_twice() {
        let list = "  # What it knows
  # and why
  skills:  # the list
    # the first
    - name: pdf      # reads
      image: 'i:1'
      mountPath: /s/pdf

    # between
    - name: csv
      # in an item
      image: \"i:2\"
      mountPath: /s/csv
    # the last
";
        let head = "\
# The weather agent
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata:
  # of whom
  name: weather
spec:
  # which
  type: agent  # t
  identity:  # who
    # of whom
    spiffe: {}

  targetRef:
    apiVersion: apps/v1  # apps
    kind: Deployment
    name: weather
";
        let comments = |text: &str| {
            let mut found: Vec<String> =
                text.lines().filter_map(|line| Some(line.split_once("# ")?.1.to_owned())).collect();
            found.sort();
            found
        };
        let flow = "  skills: [{name: pdf, image: i, mountPath: /s/pdf}]  # all\n";
        let level = list.replace("\n    ", "\n  ");
        let wide = format!("{head}{list}").replace("\n  ", "\n    ");
        for text in [
            format!("{head}{list}"),
            format!("{head}{level}"),
            format!("{head}{flow}"),
            format!("{head}{list}# the end\n"),
            format!("{head}{list}\n---\nkind: Service\n"),
            wide,
            format!("{head}{list}").replace('\n', "\r\n"),
            format!("{head}{list}").trim_end().to_owned(),
            format!("{head}{list}  # traced\n  trace: {{enabled: true}}  # yes\n"),
        ] {
            let there = moved(&text, To::SkillBinding).expect("a move");
            assert_eq!(comments(&there), comments(&text), "{there}");
            assert!(there.contains("kind: SkillBinding"), "{there}");
            let back = moved(&there, To::AgentRuntime).expect("a move");
            if text.contains("trace:") || !text.ends_with('\n') {
                assert_eq!(comments(&back), comments(&text), "{back}");
            } else {
                assert_eq!(back, text, "{there}");
            }
        }
    }

    /// Two lists become one, with what is said of each.
    #[test]
    fn items_join_those_of_another_list_with_their_comments() {
        let binding = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillBinding
metadata: {name: b}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: weather}
  # tables
  skills: # more
  - name: csv # c
    # why
    image: i
    mountPath: /s/csv
";
        let after = moved(&format!("{RUNTIME}---\n{binding}"), To::AgentRuntime).expect("a move");
        let items = "    # tables\n    # more\n    - name: csv # c\n      # why\n      image: i\n      mountPath: /s/csv\n";
        assert_eq!(after, format!("{RUNTIME}{items}"));
    }

    #[test]
    fn windows_line_ends_and_a_missing_last_one_stay() {
        let text = RUNTIME.replace('\n', "\r\n");
        let after = moved(&text, To::SkillBinding).expect("a move");
        assert!(!after.replace("\r\n", "").contains('\n'), "{after:?}");
        let text = RUNTIME.trim_end();
        let after = moved(text, To::SkillBinding).expect("a move");
        assert!(after.contains("\n---\napiVersion: skills.kagenti.dev"), "{after}");
    }
}
