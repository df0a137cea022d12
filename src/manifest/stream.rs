//! Files as a stream of objects: texts in, what a plan is about out, each with its place. Every other document is left
//! unread, and its bytes are never touched. Planning and editing are left to `render`.
//!
//! Of an object only its place is kept, and of its document the position tree, which is about as large as the text. The
//! value is read when it is needed, so that ten thousand documents cost little more than their text.

mod look;

use std::borrow::Cow;

use foldhash::{HashSet, HashSetExt as _};
use serde_json::Value;

use crate::api::error::InputError;
use crate::api::names::{AGENT_RUNTIME, KAGENTI, ROSSOCTL, SKILL_BINDING, SKILLS_GROUP};
use crate::api::object::{ConfigMap, ObjectRef, Origin, group_of};
use crate::api::workload::{Kinds, WorkloadKind};
use crate::manifest::meant;
use crate::manifest::typed_list::ItemType;
use crate::plan::claims::WorkloadKey;
use crate::yaml::node::{NodeId, NodeKind, Tree};
use crate::yaml::parts::Interest;
use crate::yaml::prefilter::{Dull, WideFilter, dull};
use crate::yaml::split::Documents;
use crate::yaml::{Document, DocumentSlice, Step, SyntaxError};
use look::{Place, is_array_of_objects, is_labelled, is_read_by_name, names_binding, text_at};

/// Deepest nesting of lists in lists.
const MAX_LISTS: usize = 8;

/// A file. The caller has read it; its name is for messages.
///
/// ```
/// use kubectl_skills::Source;
///
/// let source = Source { name: "weather.yaml".into(), text: "kind: Deployment\n".into() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name for messages; `-` for standard input.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Who leads a plan, by its index in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub enum Lead {
    /// In [`Stream::runtimes`].
    Runtime(usize),
    /// In [`Stream::bindings`].
    Binding(usize),
    /// Nobody: its own record is the way back, in [`Stream::workloads`].
    Workload(usize),
}

/// An object in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its identity. The namespace is the one it will be in: the default where it names none.
    pub id: ObjectRef,
    /// Where it stands.
    pub origin: Origin,
    /// `spec.targetRef` of an AgentRuntime or SkillBinding, as kind and name.
    pub target: (String, String),
    document: usize,
    node: NodeId,
    path: Vec<Step>,
    /// Kind and apiVersion that its list gives it; `None` if it says them itself.
    from_list: Option<Box<ItemType>>,
}

impl Item {
    /// Index of its document among those that were read.
    pub fn document(&self) -> usize {
        self.document
    }

    /// The steps to it from the root of its document.
    #[cfg(feature = "internals")]
    pub(crate) fn path(&self) -> &[Step] {
        &self.path
    }

    /// Whether it is an item of a list.
    pub fn is_in_list(&self) -> bool {
        !self.path.is_empty()
    }

    /// The workload that an AgentRuntime points at.
    pub(crate) fn target_key(&self) -> WorkloadKey {
        (self.target.0.clone(), self.id.namespace.clone(), self.target.1.clone())
    }

    /// Kind and apiVersion that its list gives it; its text has neither.
    pub(crate) fn type_of_list(&self) -> Option<&ItemType> {
        self.from_list.as_deref()
    }

    /// Its node in the position tree of its document.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

/// A document that was read.
#[derive(Debug, Clone)]
struct Read<'s> {
    source: usize,
    /// Number in its file, from 1.
    number: usize,
    slice: DocumentSlice,
    document: Document<'s>,
}

/// Source, number in its file, and place of a document.
type At<'a> = (usize, usize, &'a DocumentSlice);

/// The objects of all files.
///
/// ```
/// use kubectl_skills::{Source, Stream};
///
/// let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: weather}}";
/// let sources = [Source { name: "weather.json".into(), text: text.into() }];
/// let stream = Stream::read(&sources, "team1").expect("manifests that can be read");
/// assert_eq!(stream.workloads[0].id.to_string(), "Deployment team1/weather");
/// assert_eq!(stream.object(&stream.workloads[0]).expect("a value")["metadata"]["name"], "weather");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stream<'s> {
    /// AgentRuntimes, in order.
    pub runtimes: Vec<Item>,
    /// SkillBindings, in order.
    pub bindings: Vec<Item>,
    /// Deployments, StatefulSets and Sandboxes, in order; where there are SkillBindings, or what a render has
    /// left, all kinds that SkillBindings can point at.
    pub workloads: Vec<Item>,
    /// What else names images of skills, in order, where it is asked for: pods, and configurations of our function, also that
    /// of a ResourceList.
    pub others: Vec<Item>,
    /// ConfigMaps that the operator reads, in order.
    pub maps: Vec<ConfigMap>,
    /// Objects of all kinds; a document that cannot matter is not read, and counts as one.
    pub objects: usize,
    sources: &'s [Source],
    documents: Vec<Read<'s>>,
    may_have_near_miss: bool,
}

impl<'s> Stream<'s> {
    /// Reads the files. Objects without a namespace are taken to be in `default_namespace`.
    ///
    /// # Errors
    /// All documents that are no YAML, and objects whose name or kind cannot be read.
    pub fn read(sources: &'s [Source], default_namespace: &str) -> Result<Self, Vec<InputError>> {
        Self::read_with(sources, default_namespace, Kinds::default())
    }

    /// The same, with further kinds of workload for SkillBindings.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub fn read_with(
        sources: &'s [Source],
        default_namespace: &str,
        kinds: Kinds,
    ) -> Result<Self, Vec<InputError>> {
        let has_word = sources.iter().any(|source| names_binding(&source.text));
        let stream = Self::read_kinds(sources, default_namespace, Some(kinds).filter(|_| has_word), false)?;
        if !has_word && !stream.bindings.is_empty() {
            // Its kind is written with an escape.
            return Self::read_kinds(sources, default_namespace, Some(kinds), false);
        }
        Ok(stream)
    }

    /// The same, with the workloads of all kinds even where no SkillBinding asks for any, and all else that names images of skills.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub fn read_all(
        sources: &'s [Source],
        default_namespace: &str,
        kinds: Kinds,
    ) -> Result<Self, Vec<InputError>> {
        Self::read_kinds(sources, default_namespace, Some(kinds), true)
    }

    /// `kinds`: those of SkillBindings; `None` if there is none, and the operator's kinds are enough.
    fn read_kinds(
        sources: &'s [Source],
        default_namespace: &str,
        kinds: Option<Kinds>,
        others: bool,
    ) -> Result<Self, Vec<InputError>> {
        let mut reader = Reader {
            stream: Stream { sources, ..Stream::default() },
            errors: Vec::new(),
            default_namespace,
            kinds,
            others,
            noticed: HashSet::new(),
            tree: Tree::default(),
        };
        let more = OTHERS.iter().map(|(kind, _)| *kind).filter(|_| others);
        let wide = kinds.map(|kinds| WideFilter::new(kinds.all().map(WorkloadKind::word).chain(more)));
        for (index, source) in sources.iter().enumerate() {
            for (number, slice) in Documents::of(&source.text).enumerate() {
                let text = slice.text(&source.text);
                let dull = dull(text).filter(|_| !wide.as_ref().is_some_and(|wide| wide.may_matter(text)));
                let Some(dull) = dull else {
                    reader.document(index, number + 1, slice);
                    continue;
                };
                reader.stream.objects += 1;
                match dull {
                    Dull::Kind(kind) => reader.notice(kind),
                    Dull::Json => meant::kinds(text).for_each(|kind| reader.notice(kind)),
                }
            }
        }
        if reader.errors.is_empty() { Ok(reader.stream) } else { Err(reader.errors) }
    }

    /// Whether an object's kind is ours, and yet it is none of them, or nearly ours.
    pub(super) fn may_have_near_miss(&self) -> bool {
        self.may_have_near_miss
    }

    /// Whether nothing in it asks for anything: no AgentRuntime and no SkillBinding.
    pub fn asks_nothing(&self) -> bool {
        self.runtimes.is_empty() && self.bindings.is_empty()
    }

    /// Who leads a plan.
    pub fn lead(&self, lead: Lead) -> &Item {
        match lead {
            Lead::Runtime(index) => &self.runtimes[index],
            Lead::Binding(index) => &self.bindings[index],
            Lead::Workload(index) => &self.workloads[index],
        }
    }

    /// The AgentRuntimes, then the SkillBindings.
    pub fn asking(&self) -> impl Iterator<Item = &Item> {
        self.runtimes.iter().chain(&self.bindings)
    }

    fn kept(&self) -> [usize; 4] {
        [&self.runtimes, &self.bindings, &self.workloads, &self.others].map(Vec::len)
    }

    /// The files.
    pub fn sources(&self) -> &'s [Source] {
        self.sources
    }

    /// The value of an object.
    ///
    /// # Errors
    /// What Kubernetes' reader would refuse in it.
    pub fn object(&self, item: &Item) -> Result<Value, InputError> {
        let value = self.document(item.document).node_value(item.node);
        self.completed(item, value)
    }

    /// The same without what is of no interest of the items of some lists; `None` if that is bound up with the rest.
    ///
    /// # Errors
    /// As [`Stream::object`].
    pub(crate) fn object_in_part(
        &self,
        item: &Item,
        interest: Interest<'_>,
    ) -> Result<Option<Value>, InputError> {
        let value = self.document(item.document).value_in_part(item.node, interest);
        value.transpose().map(|value| self.completed(item, value)).transpose()
    }

    /// The value of an object with what its list gives it, or an error with its place.
    fn completed(&self, item: &Item, value: Result<Value, SyntaxError>) -> Result<Value, InputError> {
        let Read { source, number, slice, .. } = &self.documents[item.document];
        let mut value =
            value.map_err(|error| self.syntax((*source, *number, slice), error, Some(&item.id)))?;
        if let Some(given) = &item.from_list {
            given.add_to(&mut value);
        }
        Ok(value)
    }

    /// A document that was read.
    pub(crate) fn document(&self, document: usize) -> &Document<'s> {
        &self.documents[document].document
    }

    /// The document that begins at this byte of a source, as it was read; none if it holds nothing of interest.
    pub(crate) fn list(&self, source: usize, start: usize) -> Option<&Document<'s>> {
        let found = self.documents.iter().find(|read| read.source == source && read.slice.start == start)?;
        Some(&found.document)
    }

    /// Source and first byte of a document.
    pub(crate) fn place(&self, document: usize) -> (usize, usize) {
        let found = &self.documents[document];
        (found.source, found.slice.start)
    }

    /// One after the last byte of a document.
    pub(crate) fn end(&self, document: usize) -> usize {
        self.documents[document].slice.end
    }

    /// An error about a field of an object, with the line and column of the field, or of what is nearest to it.
    pub fn error(
        &self,
        item: &Item,
        path: &[Step],
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> InputError {
        let Read { slice, document, .. } = &self.documents[item.document];
        let whole: Vec<Step> = item.path.iter().chain(path).cloned().collect();
        let (line, column) = document.position(document.deepest(&whole).0);
        let (line, column) = slice.place(line, column);
        InputError {
            origin: Origin { line, ..item.origin.clone() },
            column,
            object: Some(item.id.clone()),
            field: if path.is_empty() { String::new() } else { crate::yaml::path::display(path).to_string() },
            message: message.into(),
            help: help.into(),
            ..InputError::default()
        }
    }

    /// An error at a place in a document, counted from its start.
    pub(crate) fn error_at(
        &self,
        document: usize,
        line: usize,
        column: usize,
        object: Option<&ObjectRef>,
    ) -> InputError {
        let read = &self.documents[document];
        let at = (read.source, read.number, &read.slice);
        self.syntax(at, SyntaxError { message: String::new(), line, column }, object)
    }

    fn syntax(&self, at: At<'_>, error: SyntaxError, object: Option<&ObjectRef>) -> InputError {
        let (source, document, slice) = at;
        let (line, column) = slice.place(error.line, error.column);
        InputError {
            origin: Origin { file: self.sources[source].name.clone(), document, line },
            column,
            object: object.cloned(),
            message: error.message,
            ..InputError::default()
        }
    }
}

struct Reader<'s, 'n> {
    stream: Stream<'s>,
    errors: Vec<InputError>,
    default_namespace: &'n str,
    kinds: Option<Kinds>,
    others: bool,
    /// Kinds about as long as ours that were looked at.
    noticed: HashSet<String>,
    /// Memory of the last document's tree.
    tree: Tree,
}

/// Kind and apiVersion of what names images of skills and is neither a workload nor asks for any.
const OTHERS: [(&str, &str); 2] = [("SkillsFunction", "skills.kagenti.dev/v1alpha1"), ("Pod", "v1")];
/// The field of a ResourceList that holds one.
const FUNCTION_CONFIG: &str = "functionConfig";

/// Counts lines from where it last stood, since items of a list come in order.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, offset: usize) -> usize {
        if let Some(between) = self.text.as_bytes().get(self.at..offset) {
            self.line += memchr::memchr_iter(b'\n', between).count();
            self.at = offset;
        }
        self.line
    }
}

impl<'s> Reader<'s, '_> {
    fn document(&mut self, source: usize, number: usize, slice: DocumentSlice) {
        let text = slice.text(&self.stream.sources[source].text);
        let at = (source, number, &slice);
        let mut document = match Document::parse_into(text, std::mem::take(&mut self.tree)) {
            Ok(document) => document,
            Err(error) => {
                self.errors.push(self.stream.syntax(at, error, None));
                return;
            }
        };
        let mut lines = Lines { text, at: 0, line: slice.line };
        let objects = self.stream.kept();
        let index = self.stream.documents.len();
        if is_array_of_objects(&document) {
            self.errors.push(InputError {
                message: "the document is an array of objects, and Kubernetes reads one object a document"
                    .into(),
                help: ARRAY_HELP.into(),
                ..self.stream.syntax(at, SyntaxError { message: String::new(), line: 1, column: 1 }, None)
            });
            return;
        }
        if let Err(error) = self.object(&document, 0, index, at, (&mut Vec::new(), None), &mut lines) {
            self.errors.push(error);
            return;
        }
        if objects == self.stream.kept() {
            self.tree = document.tree;
        } else {
            // The copy has no room to grow, and the room of this tree serves the next document.
            let kept = document.tree.clone();
            self.tree = std::mem::replace(&mut document.tree, kept);
            self.stream.documents.push(Read { source, number, slice, document });
        }
    }

    /// Looks at the kind of an object that is none of ours: one like ours may have been meant.
    fn notice(&mut self, kind: &str) {
        if meant::is_as_long(kind) && !self.noticed.contains(kind) {
            self.noticed.insert(kind.to_owned());
            self.stream.may_have_near_miss |= meant::is_meant(kind);
        }
    }

    /// Reads an object, or the items of a list.
    fn object(
        &mut self,
        document: &Document<'s>,
        node: NodeId,
        index: usize,
        at: At<'_>,
        (path, list): (&mut Vec<Step>, Option<&ItemType>),
        lines: &mut Lines<'_>,
    ) -> Result<(), InputError> {
        let fail = |error: SyntaxError| self.stream.syntax(at, error, None);
        if !matches!(document.tree.node(node).kind, NodeKind::Mapping { .. } | NodeKind::Alias) {
            return Ok(());
        }
        let mut kind = text_at(document, node, &["kind"]).map_err(fail)?;
        let mut api_version = text_at(document, node, &["apiVersion"]).map_err(fail)?;
        let from_list = list.filter(|_| kind.is_empty() && api_version.is_empty()).cloned().map(Box::new);
        if let Some(given) = &from_list {
            kind = Cow::Owned(given.kind.clone());
            api_version = Cow::Owned(given.api_version.clone());
        }
        if (kind.ends_with("List"))
            && path.len() < 2 * MAX_LISTS
            && let Some(items) = document.entry(node, "items")
            && matches!(document.tree.node(items).kind, NodeKind::Sequence { .. })
        {
            let list = ItemType::of(&kind, &api_version);
            return self.items(document, (node, items), index, at, (path, list.as_ref()), lines);
        }
        // A list without items is no object.
        self.stream.objects += usize::from(!kind.ends_with("List"));
        let group = group_of(&api_version);
        let is_runtime = kind == AGENT_RUNTIME && (group == KAGENTI.group || group == ROSSOCTL.group);
        let is_binding = kind == SKILL_BINDING && group == SKILLS_GROUP;
        let is_workload = match self.kinds {
            Some(kinds) => kinds.find(&kind, group).is_some(),
            None => WorkloadKind::parse(&kind).is_some_and(|known| known.group() == group),
        };
        if !is_runtime && !is_binding {
            self.notice(&kind);
        }
        let is_map = kind == "ConfigMap" && api_version == "v1";
        let is_other = self.others && OTHERS.contains(&(kind.as_ref(), api_version.as_ref()));
        if !is_runtime && !is_binding && !is_workload && !is_map && !is_other {
            return Ok(());
        }
        let fail = |error: SyntaxError| self.stream.syntax(at, error, None);
        let metadata = Place::of(document, node, &["metadata"]);
        let namespace = match metadata.text("namespace").map_err(fail)? {
            namespace if namespace.is_empty() => self.default_namespace.to_owned(),
            namespace => namespace.into_owned(),
        };
        let id = ObjectRef {
            api_version: api_version.into_owned(),
            kind: kind.into_owned(),
            namespace,
            name: metadata.text("name").map_err(fail)?.into_owned(),
        };
        let line = lines.at(document.tree.node(node).start as usize);
        let origin = Origin { file: self.stream.sources[at.0].name.clone(), document: at.1, line };
        if is_map {
            return self.config_map(document, node, at, id, origin);
        }
        let target = if is_runtime || is_binding {
            let target = Place::of(document, node, &["spec", "targetRef"]);
            let part = |key| target.text(key).map(Cow::into_owned).map_err(fail);
            (part("kind")?, part("name")?)
        } else {
            Default::default()
        };
        let item = Item { id, origin, target, document: index, node, path: path.clone(), from_list };
        let list = match (is_runtime, is_binding, is_workload) {
            (true, ..) => &mut self.stream.runtimes,
            (_, true, _) => &mut self.stream.bindings,
            (.., true) => &mut self.stream.workloads,
            _ => &mut self.stream.others,
        };
        list.push(item);
        Ok(())
    }

    /// Reads the items of a list, and the configuration of a function alongside them.
    fn items(
        &mut self,
        document: &Document<'s>,
        (node, items): (NodeId, NodeId),
        index: usize,
        at: At<'_>,
        (path, list): (&mut Vec<Step>, Option<&ItemType>),
        lines: &mut Lines<'_>,
    ) -> Result<(), InputError> {
        path.push("items".into());
        for (position, item) in document.tree.children(items).enumerate() {
            path.push(position.into());
            let result = self.object(document, item, index, at, (path, list), lines);
            path.pop();
            result?;
        }
        path.pop();
        let Some(config) = document.entry(node, FUNCTION_CONFIG).filter(|_| self.others) else {
            return Ok(());
        };
        path.push(FUNCTION_CONFIG.into());
        let result = self.object(document, config, index, at, (path, None), lines);
        path.pop();
        result
    }

    fn config_map(
        &mut self,
        document: &Document<'s>,
        node: NodeId,
        at: At<'_>,
        id: ObjectRef,
        origin: Origin,
    ) -> Result<(), InputError> {
        let syntax = |error| self.stream.syntax(at, error, Some(&id));
        // Most ConfigMaps are nobody's here; only their names and labels are looked at.
        if !is_read_by_name(&id.name) && !is_labelled(document, node).map_err(syntax)? {
            return Ok(());
        }
        let value = document.node_value(node).map_err(syntax)?;
        match ConfigMap::from_value(&value, origin.clone()) {
            Ok(map) => {
                self.stream.maps.push(ConfigMap { namespace: id.namespace, ..map });
                Ok(())
            }
            Err(message) => Err(InputError { origin, object: Some(id), message, ..InputError::default() }),
        }
    }
}

const ARRAY_HELP: &str = "give them as the items of a List: jq '{apiVersion: \"v1\", kind: \"List\", items: .}' FILE | \
                          kubectl skills ... -f -";
