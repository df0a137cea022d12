//! Fields of an object that the API server drops because the CRD does not know them: schemas and an object in, findings
//! out. Refusing is left to [`super::schema`].

use serde_json::Value;

use super::findings::{Finding, rules};
use super::metadata;
use super::schema::items_of;
use crate::api::nearest::{is_slip_of, nearest};
use crate::crd::node::{Node, Shape};
use crate::yaml::Step;
use crate::yaml::path::display;

/// The fields that none of the schemas knows, in the order of the object. The status is the server's.
pub fn unknown_fields(schemas: &[&Node], object: &Value) -> Vec<Finding> {
    let mut out = Vec::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        let at = At { above: None, step: Key(key) };
        match key.as_str() {
            "status" => {}
            "metadata" => {
                for key in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
                    if !metadata::FIELDS.contains(&key.as_str()) {
                        out.push(unknown_of(
                            &metadata::FIELDS,
                            key,
                            &At { above: Some(&at), step: Key(key) },
                        ));
                    }
                }
            }
            _ => field(schemas, key, value, &at, &mut out),
        }
    }
    out
}

/// A place, as what it is in; most places have nothing to be said of, and are never written out.
struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Part<'a>,
}

enum Part<'a> {
    Key(&'a str),
    Index(usize),
}
use Part::{Index, Key};

impl At<'_> {
    fn steps(&self) -> Vec<Step> {
        let mut steps = self.above.map_or_else(Vec::new, At::steps);
        steps.push(match self.step {
            Key(key) => key.into(),
            Index(index) => index.into(),
        });
        steps
    }
}

fn field(schemas: &[&Node], key: &str, value: &Value, at: &At<'_>, out: &mut Vec<Finding>) {
    let mut known = schemas.iter().filter_map(|schema| schema.child(key));
    // Hardly ever is there more than one schema.
    match (known.next(), known.next()) {
        (None, _) => {
            let fields = schemas.iter().flat_map(|schema| schema.fields());
            out.push(unknown_of(&fields.map(|field| field.name).collect::<Vec<_>>(), key, at));
        }
        (Some(one), None) => walk(&[one], value, at, out),
        (Some(one), Some(two)) => {
            let all: Vec<&Node> = [one, two].into_iter().chain(known).collect();
            walk(&all, value, at, out);
        }
    }
}

fn walk(schemas: &[&Node], value: &Value, above: &At<'_>, out: &mut Vec<Finding>) {
    if schemas.is_empty() || schemas.iter().any(|schema| schema.shape == Shape::Any) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                field(schemas, key, value, &At { above: Some(above), step: Key(key) }, out);
            }
        }
        Value::Array(items) => {
            let of_items: Vec<&Node> = schemas.iter().filter_map(|schema| items_of(Some(schema))).collect();
            for (index, item) in items.iter().enumerate() {
                walk(&of_items, item, &At { above: Some(above), step: Index(index) }, out);
            }
        }
        _ => {}
    }
}

/// A field that is none of those known.
fn unknown_of(names: &[&str], key: &str, at: &At<'_>) -> Finding {
    let path = at.steps();
    let names = names.iter().copied();
    let meant = nearest(key, names).filter(|name| is_slip_of(key, name));
    let question = meant.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let field = display(&path).to_string();
    let elsewhere = if field == "spec.targetRef.namespace" {
        ", and the workload is looked for in the namespace of this object"
    } else {
        ""
    };
    let message = format!("unknown field {field:?}: the API server drops it{elsewhere}{question}");
    Finding::new(&rules::UNKNOWN_FIELD, path, message)
}
