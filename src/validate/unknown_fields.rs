//! Fields of an object that the API server drops because the CRD does not know them: schemas and an object in, findings
//! out. Refusing is left to [`super::schema`].

use serde_json::Value;

use super::findings::{Finding, rules};
use super::metadata;
use super::schema::items_of;
use crate::api::nearest::{is_slip_of, nearest};
use crate::api::object::field as field_of;
use crate::crd::node::{Node, Shape};
use crate::yaml::Step;
use crate::yaml::path::{display, value_at};

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
    let meant = meant(key, names);
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

/// The field that a word may stand for: one or two letters off, or with a word in front or after it.
fn meant<'n>(key: &str, names: &[&'n str]) -> Option<&'n str> {
    let slip = nearest(key, names.iter().copied()).filter(|name| is_slip_of(key, name));
    let key = key.to_lowercase();
    let within = || {
        let is_within = |name: &&&str| {
            name.len() >= 4 && key.contains(name.trim_end_matches('s').to_lowercase().as_str())
        };
        names.iter().filter(is_within).max_by_key(|name| name.len()).copied()
    };
    slip.or_else(within)
}

/// The field that holds the only skills of an AgentRuntime, where the API server drops it: nothing would ever be mounted.
/// `unknown`: what [`unknown_fields`] says of the object.
pub fn list_astray<'f>(object: &Value, unknown: &'f [Finding]) -> Option<&'f Finding> {
    if field_of(object, "/spec/skills").is_some_and(|skills| !skills.is_null()) {
        return None;
    }
    unknown.iter().find(|finding| {
        let value = value_at(object, &finding.path);
        let named = matches!(finding.path.last(), Some(Step::Key(key)) if meant(key, &["skills"]).is_some());
        value.and_then(Value::as_array).is_some_and(|items| {
            !items.is_empty() && (named || items.iter().all(|item| item.get("image").is_some()))
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_known_by_what_it_is_made_of() {
        let names = ["type", "targetRef", "skills", "authBridgeMode"];
        for (word, expected) in [
            ("skils", Some("skills")),
            ("agentSkills", Some("skills")),
            ("skillImages", Some("skills")),
            ("agentType", Some("type")),
            ("Target_Ref", Some("targetRef")),
            ("image", None),
        ] {
            assert_eq!(meant(word, &names), expected, "{word}");
        }
    }

    /// An agent that has its skills elsewhere, or none, is in order.
    #[test]
    fn only_a_list_that_nobody_reads_is_astray() {
        let list = json!([{"name": "a", "image": "r.io/a:1", "mountPath": "/a"}]);
        let astray = |object: Value, path: &str| {
            let path = crate::yaml::path::parse(path).unwrap();
            list_astray(&object, &[Finding::new(&rules::UNKNOWN_FIELD, path, "")]).is_some()
        };
        assert!(astray(json!({"spec": {"agentSkills": list}}), "spec.agentSkills"));
        assert!(astray(json!({"spec": {"skils": ["a"]}}), "spec.skils"));
        assert!(astray(json!({"spec": {}, "mounts": list}), "mounts"));
        assert!(!astray(json!({"spec": {"skills": [], "skils": list}}), "spec.skils"));
        assert!(!astray(json!({"spec": {"owners": ["me"]}}), "spec.owners"));
        assert!(!astray(json!({"spec": {"skils": []}}), "spec.skils"));
    }
}
