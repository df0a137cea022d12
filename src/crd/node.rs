//! One node of a structural schema: what the CRD prints and what the validator reads. Which fields there are is left
//! to [`super::fields`].

use serde_json::{Map, Value, json};

use crate::crd::pattern::Pattern;
use crate::yaml::Step;

/// The type of a node, with what only that type has.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Named fields; all others are pruned.
    Object(Vec<Field>),
    /// Any keys, each value of the one schema.
    Map(Box<Node>),
    /// A list of the one schema.
    Array(Box<Node>),
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Anything, kept as it is (`x-kubernetes-preserve-unknown-fields`).
    Any,
}

/// A named field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// Whether the object must have it.
    pub required: bool,
    /// Its schema.
    pub node: Node,
}

/// A node of the schema. Nothing of the AgentRuntime is nullable.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// For `kubectl explain`; our own words.
    pub description: &'static str,
    /// Its type.
    pub shape: Shape,
    /// `format`; the API server checks it on status only, which it takes from the operator alone.
    pub format: Option<&'static str>,
    /// Allowed values; empty for any.
    pub values: &'static [&'static str],
    /// Filled in when the field is absent or null.
    pub default: Option<&'static str>,
    /// What a text must match.
    pub pattern: Option<&'static Pattern>,
    /// Least length in characters.
    pub min_length: Option<usize>,
    /// Greatest length in characters.
    pub max_length: Option<usize>,
    /// Least number of items.
    pub min_items: Option<usize>,
    /// Greatest number of items, or of entries of a map.
    pub max_items: Option<usize>,
    /// Least value.
    pub minimum: Option<i32>,
    /// Greatest value.
    pub maximum: Option<i32>,
    /// Rules in CEL over the node as `self`.
    pub rules: Vec<Rule>,
}

/// A rule in CEL (`x-kubernetes-validations`), and the same in Rust.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What must be true.
    pub expression: String,
    /// What the server says where it is not.
    pub message: String,
    /// Steps from the node to what breaks the rule; `None` if it holds.
    pub broken: fn(&Value) -> Option<Vec<Step>>,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        (&self.expression, &self.message) == (&other.expression, &other.message)
    }
}

impl Node {
    /// A node of a type without constraints.
    pub fn new(shape: Shape, description: &'static str) -> Self {
        Self {
            description,
            shape,
            format: None,
            values: &[],
            default: None,
            pattern: None,
            min_length: None,
            max_length: None,
            min_items: None,
            max_items: None,
            minimum: None,
            maximum: None,
            rules: Vec::new(),
        }
    }

    /// Its fields, when it is an object with named ones.
    pub fn fields(&self) -> &[Field] {
        match &self.shape {
            Shape::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The schema of a key: a named field's, or the one of all values of a map.
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.shape {
            Shape::Object(fields) => fields.iter().find(|field| field.name == key).map(|field| &field.node),
            Shape::Map(values) => Some(values),
            _ => None,
        }
    }

    /// As OpenAPI v3, keys in alphabetical order as the controller generator writes them.
    pub fn to_value(&self) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        let is_map = matches!(self.shape, Shape::Map(_));
        if let Shape::Map(values) = &self.shape {
            put("additionalProperties", values.to_value());
        }
        if let Some(value) = self.default {
            put("default", json!(value));
        }
        if !self.description.is_empty() {
            put("description", json!(self.description));
        }
        if !self.values.is_empty() {
            put("enum", json!(self.values));
        }
        if let Some(format) = self.format {
            put("format", json!(format));
        }
        if let Shape::Array(items) = &self.shape {
            put("items", items.to_value());
        }
        if let Some(items) = self.max_items {
            put(if is_map { "maxProperties" } else { "maxItems" }, json!(items));
        }
        if let Some(length) = self.max_length {
            put("maxLength", json!(length));
        }
        if let Some(maximum) = self.maximum {
            put("maximum", json!(maximum));
        }
        if let Some(items) = self.min_items {
            put(if is_map { "minProperties" } else { "minItems" }, json!(items));
        }
        if let Some(length) = self.min_length {
            put("minLength", json!(length));
        }
        if let Some(minimum) = self.minimum {
            put("minimum", json!(minimum));
        }
        if let Some(pattern) = self.pattern {
            put("pattern", json!(pattern.text));
        }
        if let Shape::Object(fields) = &self.shape {
            if !fields.is_empty() {
                let properties: Map<String, Value> =
                    fields.iter().map(|field| (field.name.to_owned(), field.node.to_value())).collect();
                put("properties", Value::Object(properties));
            }
            let required: Vec<&str> =
                fields.iter().filter(|field| field.required).map(|field| field.name).collect();
            if !required.is_empty() {
                put("required", json!(required));
            }
        }
        match type_word(&self.shape) {
            Some(word) => put("type", json!(word)),
            None => put("x-kubernetes-preserve-unknown-fields", json!(true)),
        }
        if !self.rules.is_empty() {
            let rules: Vec<Value> = self
                .rules
                .iter()
                .map(|rule| json!({"message": rule.message, "rule": rule.expression}))
                .collect();
            put("x-kubernetes-validations", Value::Array(rules));
        }
        Value::Object(out)
    }
}

/// The schema's word for a type; none for anything.
pub fn type_word(shape: &Shape) -> Option<&'static str> {
    match shape {
        Shape::Object(_) | Shape::Map(_) => Some("object"),
        Shape::Array(_) => Some("array"),
        Shape::String => Some("string"),
        Shape::Integer => Some("integer"),
        Shape::Number => Some("number"),
        Shape::Boolean => Some("boolean"),
        Shape::Any => None,
    }
}
