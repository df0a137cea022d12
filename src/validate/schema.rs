//! An AgentRuntime or SkillBinding as its author wrote it in, what the API server makes of its creation out: verdict, messages, pruned
//! fields, and the object as it would be stored. The webhook's rules are left to [`super::webhook`].
//!
//! The steps and their order are those of k8s.io/apiextensions-apiserver v0.37.2: decode the metadata, prune unknown
//! fields, drop nulls, fill in defaults, drop the status, then validate. Source: `pkg/apiserver/customresource_handler.go`,
//! `pkg/apiserver/schema/{pruning,defaulting}`, `pkg/registry/customresource`; vectors `schema/*`.
//!
//! Not judged: what the server sets itself (generation, uid, times), owner references, managed fields and the syntax of
//! times in the metadata.

use std::fmt;

use serde_json::{Map, Value};

use crate::api::names::{AGENT_RUNTIME, SKILL_BINDING, SKILLS_GROUP, VERSION};
use crate::api::profile::Profile;
use crate::crd::fields::agent_runtime;
use crate::crd::node::{Node, Shape};
use crate::crd::skill_binding;

use super::findings::{Finding, rules};
use super::metadata;
use super::schema_rules::{self, Path};
use super::unknown_fields::unknown_fields;
use crate::go::quote::go_quote;
use crate::go::value::json_type_name;
use crate::yaml::Step;

/// A message of the API server, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// The field; empty if the object could not be decoded.
    pub path: Vec<Step>,
    /// The field as the server spells it.
    pub field: String,
    /// The rest of the message.
    pub reason: String,
}

impl SchemaError {
    fn whole(reason: String) -> Self {
        Self { path: Vec::new(), field: String::new(), reason }
    }

    /// The same as a finding.
    pub fn finding(&self) -> Finding {
        Finding::new(&rules::SCHEMA, self.path.clone(), self.reason.as_str())
    }
}

/// The whole message, to the byte.
impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

/// What the API server answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SchemaReport {
    /// Whether the object is accepted.
    pub allowed: bool,
    /// The server's messages, sorted; its own order of several is not stable.
    pub errors: Vec<SchemaError>,
    /// Fields that the server does not know and drops, sorted, such as `spec.skills[0].subPath`.
    pub pruned_paths: Vec<String>,
    /// The object after pruning and defaulting, without status; null when it could not be decoded.
    pub stored: Value,
}

/// Answers for the API server about one CRD; made once, used for any number of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Validator {
    root: Node,
    kind: &'static str,
    api_version: String,
}

impl Validator {
    /// The validator of the profile's CRD.
    pub fn new(profile: &Profile) -> Self {
        Self {
            root: agent_runtime(profile),
            kind: AGENT_RUNTIME,
            api_version: format!("{}/{VERSION}", profile.names.group),
        }
    }

    /// The validator of SkillBindings.
    pub fn of_skill_bindings() -> Self {
        Self {
            root: skill_binding::schema(),
            kind: SKILL_BINDING,
            api_version: format!("{SKILLS_GROUP}/{VERSION}"),
        }
    }

    /// The fields that the server does not know, nor that of another CRD, and drops.
    pub fn unknown_fields(&self, other: Option<&Self>, object: &Value) -> Vec<Finding> {
        let schemas: Vec<&Node> = [self].into_iter().chain(other).map(|one| &one.root).collect();
        unknown_fields(&schemas, object)
    }

    /// What a `POST` of the object would be answered. The namespace may be absent: the request names it.
    pub fn create(&self, object: &Value) -> SchemaReport {
        let Value::Object(map) = object else {
            return SchemaReport {
                errors: vec![SchemaError::whole(format!(
                    "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                    json_type_name(object)
                ))],
                ..SchemaReport::default()
            };
        };
        let mut stored = map.clone();
        let decoded = match metadata::decode(map.get("metadata")) {
            Ok(decoded) => decoded,
            Err(message) => {
                return SchemaReport { errors: vec![SchemaError::whole(message)], ..SchemaReport::default() };
            }
        };
        let mut pruned_paths = decoded.unknown_paths;
        prune_root(&mut stored, &self.root, &mut pruned_paths);
        drop_nulls(&mut stored, &self.root);
        if map.contains_key("metadata") {
            stored.insert("metadata".to_owned(), Value::Object(decoded.metadata.clone()));
        }
        fill_defaults(&mut stored, &self.root);
        // A user cannot set the status; `shift_remove` keeps the order of the other fields.
        stored.shift_remove("status");
        let mut errors = self.type_errors(&stored);
        if errors.is_empty() {
            errors.extend(metadata::errors(&decoded.metadata));
            let value = Value::Object(std::mem::take(&mut stored));
            let mut schema = Vec::new();
            schema_rules::validate(&self.root, &value, Path::Root, &mut schema);
            if schema_rules::is_evaluated(&schema) {
                schema_rules::validate_rules(&self.root, &value, Path::Root, &mut schema);
            }
            errors.append(&mut schema);
            if let Value::Object(map) = value {
                stored = map;
            }
        }
        errors.sort_by_cached_key(ToString::to_string);
        // The server tells equal messages once.
        errors.dedup();
        pruned_paths.sort_unstable();
        SchemaReport { allowed: errors.is_empty(), errors, pruned_paths, stored: Value::Object(stored) }
    }

    /// Whether [`Validator::create`] has nothing to say against the object, found out without a copy of it. False means
    /// that it has to be asked.
    pub fn certainly_accepts(&self, object: &Value) -> bool {
        let Value::Object(map) = object else { return false };
        let metadata = map.get("metadata").and_then(Value::as_object);
        // Nothing that is decoded, pruned, dropped or filled in changes what these rules say, but nulls and absent
        // fields with a default: those break a rule here, and are looked at again there.
        let mut errors = self.type_errors(map);
        if errors.is_empty() {
            schema_rules::validate(&self.root, object, Path::Root, &mut errors);
            schema_rules::validate_rules(&self.root, object, Path::Root, &mut errors);
        }
        errors.is_empty() && metadata.is_some_and(metadata::is_in_order)
    }

    fn type_errors(&self, object: &Map<String, Value>) -> Vec<SchemaError> {
        let mut errors = Vec::new();
        for (key, wanted) in [("kind", self.kind), ("apiVersion", self.api_version.as_str())] {
            let found = object.get(key).and_then(Value::as_str).unwrap_or_default();
            if found != wanted {
                errors.push(SchemaError {
                    path: vec![key.into()],
                    field: key.to_owned(),
                    reason: format!("Invalid value: {}: must be {wanted}", go_quote(found)),
                });
            }
        }
        errors
    }
}

const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

fn prune_root(object: &mut Map<String, Value>, root: &Node, paths: &mut Vec<String>) {
    object.retain(|key, value| {
        if META_FIELDS.contains(&key.as_str()) {
            return true;
        }
        keep(key, value, Some(root), "", paths)
    });
}

/// Prunes below a key; false when the key itself is unknown.
fn keep(
    key: &str,
    value: &mut Value,
    parent: Option<&Node>,
    parent_path: &str,
    paths: &mut Vec<String>,
) -> bool {
    let path = if parent_path.is_empty() { key.to_owned() } else { format!("{parent_path}.{key}") };
    match parent.and_then(|node| node.child(key)) {
        Some(node) => {
            prune(value, Some(node), &path, paths);
            true
        }
        None => {
            paths.push(path);
            false
        }
    }
}

/// Where the schema knows nothing (an object in place of a text, say), every key is unknown.
fn prune(value: &mut Value, node: Option<&Node>, path: &str, paths: &mut Vec<String>) {
    if node.is_some_and(|node| node.shape == Shape::Any) {
        return;
    }
    match value {
        Value::Object(map) => map.retain(|key, value| keep(key, value, node, path, paths)),
        Value::Array(items) => {
            let node = items_of(node);
            for (index, item) in items.iter_mut().enumerate() {
                prune(item, node, &format!("{path}[{index}]"), paths);
            }
        }
        _ => {}
    }
}

pub(super) fn items_of(node: Option<&Node>) -> Option<&Node> {
    match node.map(|node| &node.shape) {
        Some(Shape::Array(items)) => Some(items),
        _ => None,
    }
}

/// No field is nullable: a null counts as absent, unless a default replaces it. Nulls in lists stay, and are refused.
fn drop_nulls(object: &mut Map<String, Value>, node: &Node) {
    object.retain(|key, value| match node.child(key) {
        None => true,
        Some(child) if value.is_null() => child.default.is_some(),
        Some(child) => {
            drop_nulls_below(value, child);
            true
        }
    });
}

fn drop_nulls_below(value: &mut Value, node: &Node) {
    match (value, &node.shape) {
        (Value::Object(map), _) => drop_nulls(map, node),
        (Value::Array(items), Shape::Array(child)) => {
            items.iter_mut().for_each(|item| drop_nulls_below(item, child));
        }
        _ => {}
    }
}

fn fill_defaults(object: &mut Map<String, Value>, node: &Node) {
    for field in node.fields() {
        let absent = object.get(field.name).is_none_or(Value::is_null);
        if let (Some(default), true) = (field.node.default, absent) {
            object.insert(field.name.to_owned(), Value::from(default));
        }
    }
    for (key, value) in object.iter_mut() {
        let Some(child) = node.child(key) else { continue };
        match (value, &child.shape) {
            (Value::Object(map), _) => fill_defaults(map, child),
            (Value::Array(items), Shape::Array(child)) => {
                for item in items {
                    if let Value::Object(map) = item {
                        fill_defaults(map, child);
                    }
                }
            }
            _ => {}
        }
    }
}
