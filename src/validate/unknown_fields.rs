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
        let mut path = vec![key.as_str().into()];
        let known: Vec<&Node> = schemas.iter().filter_map(|schema| schema.child(key)).collect();
        match key.as_str() {
            "status" => {}
            "metadata" => {
                for key in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
                    if !metadata::FIELDS.contains(&key.as_str()) {
                        out.push(unknown_of(
                            &metadata::FIELDS,
                            key,
                            &["metadata".into(), key.as_str().into()],
                        ));
                    }
                }
            }
            _ if known.is_empty() => out.push(unknown(schemas, key, &path)),
            _ => walk(&known, value, &mut path, &mut out),
        }
    }
    out
}

fn walk(schemas: &[&Node], value: &Value, path: &mut Vec<Step>, out: &mut Vec<Finding>) {
    if schemas.is_empty() || schemas.iter().any(|schema| schema.shape == Shape::Any) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                path.push(key.as_str().into());
                let known: Vec<&Node> = schemas.iter().filter_map(|schema| schema.child(key)).collect();
                if known.is_empty() {
                    out.push(unknown(schemas, key, path));
                }
                walk(&known, value, path, out);
                path.pop();
            }
        }
        Value::Array(items) => {
            let of_items: Vec<&Node> = schemas.iter().filter_map(|schema| items_of(Some(schema))).collect();
            for (index, item) in items.iter().enumerate() {
                path.push(index.into());
                walk(&of_items, item, path, out);
                path.pop();
            }
        }
        _ => {}
    }
}

fn unknown(schemas: &[&Node], key: &str, path: &[Step]) -> Finding {
    let names: Vec<&str> =
        schemas.iter().flat_map(|schema| schema.fields()).map(|field| field.name).collect();
    unknown_of(&names, key, path)
}

/// A field that is none of those known.
fn unknown_of(names: &[&str], key: &str, path: &[Step]) -> Finding {
    let names = names.iter().copied();
    let meant = nearest(key, names).filter(|name| is_slip_of(key, name));
    let question = meant.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let field = display(path).to_string();
    let elsewhere = if field == "spec.targetRef.namespace" {
        ", and the workload is looked for in the namespace of this object"
    } else {
        ""
    };
    let message = format!("unknown field {field:?}: the API server drops it{elsewhere}{question}");
    Finding::new(&rules::UNKNOWN_FIELD, path.to_vec(), message)
}
