//! A value and its schema in, the API server's messages out. Pruning and defaulting come before, in
//! [`super::schema`].
//!
//! Source: k8s.io/kube-openapi `pkg/validation/validate` as of k8s.io/apiextensions-apiserver v0.37.2, and that module's
//! `pkg/apiserver/validation`, which rewords the results. Formats are not checked: only the status has any.

use std::fmt;

use serde_json::Value;

use crate::api::object::entry;
use crate::crd::node::{Node, Shape, type_word};

use crate::go::quote::go_quote;
use crate::go::value::go_value;
use crate::yaml::Step;

use super::schema::SchemaError;

/// Where a value stands; written out only where something is wrong with it.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn steps(self) -> Vec<Step> {
        match self {
            Self::Root => Vec::new(),
            Self::Key(parent, key) => [parent.steps(), vec![Step::from(key)]].concat(),
            Self::Index(parent, index) => [parent.steps(), vec![Step::from(index)]].concat(),
        }
    }

    fn error(self, reason: impl Into<String>) -> SchemaError {
        SchemaError { path: self.steps(), field: self.to_string(), reason: reason.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Appends a message for each rule that the value breaks, its parts too.
pub(super) fn validate(node: &Node, value: &Value, path: Path<'_>, errors: &mut Vec<SchemaError>) {
    let found = found_word(value);
    if let Some(wanted) = type_word(&node.shape).filter(|wanted| !is_of_type(value, wanted)) {
        errors.push(path.error(format!(
            "Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\""
        )));
    }
    match value {
        Value::String(text) => errors.extend(text_error(node, text, path)),
        Value::Number(_) => errors.extend(number_error(node, value, path)),
        Value::Array(items) => array_errors(node, items, path, errors),
        _ => {}
    }
    if !node.values.is_empty() && !value.as_str().is_some_and(|text| node.values.contains(&text)) {
        let values: Vec<String> = node.values.iter().map(|value| go_quote(value)).collect();
        errors.push(path.error(format!(
            "Unsupported value: {}: supported values: {}",
            go_value(value),
            values.join(", ")
        )));
    }
    if let Value::Object(map) = value {
        if let (Shape::Map(_), Some(max)) = (&node.shape, node.max_items.filter(|max| map.len() > *max)) {
            errors.push(path.error(format!("Too many: {}: must have at most {max} items", map.len())));
        }
        for (key, value) in map {
            if let Some(child) = node.child(key) {
                validate(child, value, Path::Key(&path, key), errors);
            }
        }
        for field in node.fields().iter().filter(|field| field.required && entry(map, field.name).is_none()) {
            errors.push(Path::Key(&path, field.name).error("Required value"));
        }
    }
}

/// Appends a message for each rule in CEL that the value breaks, its parts too. The schema comes first: what it refuses outright
/// keeps the API server from evaluating any ([`is_evaluated`]).
pub(super) fn validate_rules(node: &Node, value: &Value, path: Path<'_>, errors: &mut Vec<SchemaError>) {
    for rule in &node.rules {
        if let Some(way) = (rule.broken)(value) {
            // Scalars are quoted, objects and lists are not.
            let shown = value.as_str().map_or_else(String::new, |text| format!("{}: ", go_quote(text)));
            let error = path.error(format!("Invalid value: {shown}{}", rule.message));
            errors.push(SchemaError { path: [error.path, way].concat(), ..error });
        }
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let Some(child) = node.child(key) {
                    validate_rules(child, value, Path::Key(&path, key), errors);
                }
            }
        }
        Value::Array(items) => {
            if let Shape::Array(child) = &node.shape {
                for (index, item) in items.iter().enumerate() {
                    validate_rules(child, item, Path::Index(&path, index), errors);
                }
            }
        }
        _ => {}
    }
}

/// Whether the API server evaluates rules in CEL after these errors of the schema.
pub(super) fn is_evaluated(errors: &[SchemaError]) -> bool {
    const BLOCKING: [&str; 4] = ["Required value", "Unsupported value", "Too long", "Too many"];
    !errors.iter().any(|error| {
        BLOCKING.iter().any(|word| error.reason.starts_with(word))
            || error.reason.contains("in body must be of type")
    })
}

fn found_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        // Go reads a number without fraction and exponent that fits 64 bits as an integer, any other as a float.
        Value::Number(number) if number.as_i64().is_some() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_of_type(value: &Value, wanted: &str) -> bool {
    match (found_word(value), wanted) {
        ("integer", "number") => true,
        ("number", "integer") => value.as_f64().is_some_and(|float| float.fract() == 0.0),
        (found, wanted) => found == wanted,
    }
}

/// The first of length and pattern that fails.
fn text_error(node: &Node, text: &str, path: Path<'_>) -> Option<SchemaError> {
    let length = text.chars().count();
    if let Some(max) = node.max_length.filter(|max| length > *max) {
        // Characters are counted, yet the message speaks of bytes.
        let unit = if max == 1 { "byte" } else { "bytes" };
        return Some(path.error(format!("Too long: may not be more than {max} {unit}")));
    }
    if let Some(min) = node.min_length.filter(|min| length < *min) {
        let quoted = go_quote(text);
        return Some(
            path.error(format!(
                "Invalid value: {quoted}: {path} in body should be at least {min} chars long"
            )),
        );
    }
    node.pattern.filter(|pattern| !(pattern.matches)(text)).map(|pattern| {
        let quoted = go_quote(text);
        path.error(format!("Invalid value: {quoted}: {path} in body should match '{}'", pattern.text))
    })
}

fn number_error(node: &Node, value: &Value, path: Path<'_>) -> Option<SchemaError> {
    let number = value.as_f64()?;
    let broken = if let Some(max) = node.maximum.filter(|max| number > f64::from(*max)) {
        format!("less than or equal to {max}")
    } else {
        let min = node.minimum.filter(|min| number < f64::from(*min))?;
        format!("greater than or equal to {min}")
    };
    Some(path.error(format!("Invalid value: {}: {path} in body should be {broken}", go_value(value))))
}

fn array_errors(node: &Node, items: &[Value], path: Path<'_>, errors: &mut Vec<SchemaError>) {
    if let Shape::Array(child) = &node.shape {
        for (index, item) in items.iter().enumerate() {
            validate(child, item, Path::Index(&path, index), errors);
        }
    }
    if let Some(min) = node.min_items.filter(|min| items.len() < *min) {
        let count = items.len();
        errors.push(
            path.error(format!("Invalid value: {count}: {path} in body should have at least {min} items")),
        );
    }
    if let Some(max) = node.max_items.filter(|max| items.len() > *max) {
        let unit = if max == 1 { "item" } else { "items" };
        errors.push(path.error(format!("Too many: {}: must have at most {max} {unit}", items.len())));
    }
}

#[cfg(all(test, feature = "internals"))]
mod tests {
    use serde_json::json;

    use super::*;

    /// In the words that the server has for a SkillBinding (`tests/e2e/skill_binding.rs`).
    #[test]
    fn lists_and_maps_are_counted() {
        let labels: serde_json::Map<String, Value> =
            (0..21).map(|key| (format!("k{key}"), json!("v"))).collect();
        let object = json!({"spec": {"skills": [], "selector": {"matchLabels": labels}}});
        let mut errors = Vec::new();
        validate(&crate::crd::skill_binding::schema(), &object, Path::Root, &mut errors);
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "spec.skills: Invalid value: 0: spec.skills in body should have at least 1 items",
                "spec.selector.matchLabels: Too many: 21: must have at most 20 items",
            ]
        );
    }
}
