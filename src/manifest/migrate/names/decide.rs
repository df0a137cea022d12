//! What a rename alone does not do, or would lose: the objects of a file in, each with its place out. What is renamed is left to
//! `names`.

use serde_json::Value;

use super::{Operator, renamed};
use crate::api::error::InputError;
use crate::api::names::AGENT_RUNTIME;
use crate::api::object::Object;
use crate::api::workload::{Kinds, WorkloadKind};
use crate::manifest::kustomization::is_kustomization;
use crate::manifest::objects;
use crate::manifest::stream::Source;
use crate::yaml::Step;

/// Versions of the configuration files of clusters on this machine.
const CLUSTERS: [&str; 2] = ["k3d.io/", "kind.x-k8s.io/"];

fn keys(keys: &[&str]) -> Vec<Step> {
    keys.iter().map(|key| Step::from(*key)).collect()
}

/// What somebody must decide about the objects of a file, and what would be lost.
pub(super) fn objects_of(
    source: &Source,
    to: Operator,
    decide: &mut Vec<InputError>,
    errors: &mut Vec<InputError>,
) {
    let names = to.other().names();
    for parsed in objects::readable(source) {
        for object in parsed.objects() {
            let said = Object(object.value);
            // Known by kind and name: the message says which field it is.
            let error = |path: &[Step], message: String, help: &str| InputError {
                object: Some(said.reference()),
                field: String::new(),
                ..object.error(path, message, help)
            };
            decide.extend(of_kustomization(source, &object, to));
            decide.extend(of_cluster(&object));
            if said.kind() == AGENT_RUNTIME && said.group() == names.group && to == Operator::Rossoctl {
                let skills = object.value.pointer("/spec/skills").and_then(Value::as_array);
                if skills.is_some_and(|skills| !skills.is_empty()) {
                    errors.push(error(
                        &keys(&["spec", "skills"]),
                        "lists skills, which no operator of the new names reads".to_owned(),
                        "move the list first: kubectl skills migrate",
                    ));
                }
            }
            if said.kind() == "CustomResourceDefinition" && said.str("/spec/group") == names.group {
                decide.push(error(
                    &keys(&["spec", "group"]),
                    "is the definition of the other operator under a new name".to_owned(),
                    "take the one that comes with the new operator, or print it with 'kubectl skills crd'",
                ));
            }
            let is_workload = Kinds::default()
                .find(said.kind(), said.group())
                .is_some_and(|kind| kind != WorkloadKind::Sandbox);
            let selector = object.value.pointer("/spec/selector");
            if is_workload && selector.is_some_and(|selector| has_name(selector, to)) {
                decide.push(error(
                    &keys(&["spec", "selector"]),
                    "selects by a label that is renamed, and a selector of a live object cannot be changed".to_owned(),
                    "delete the live object before the new one is applied, for which its agent is away, or select by another label",
                ));
            }
            if said.namespace() == to.other().namespace()
                || said.kind() == "Namespace" && said.name() == to.other().namespace()
            {
                decide.push(error(
                    &keys(&["metadata"]),
                    format!("moves to namespace {}", to.namespace()),
                    "the object in the old namespace stays until somebody deletes it",
                ));
            }
        }
    }
}

/// What a kustomization sets in the objects that it is built of.
fn of_kustomization(source: &Source, object: &objects::Object<'_>, to: Operator) -> Vec<InputError> {
    let mut out: Vec<InputError> = Vec::new();
    let value = object.value;
    if !is_kustomization(&source.name, value) {
        return out;
    }
    let old = to.other().namespace();
    if value.get("namespace").and_then(Value::as_str) == Some(old) {
        out.push(object.error(
            &keys(&["namespace"]),
            format!("moves what it builds to namespace {}", to.namespace()),
            "the objects in the old namespace stay until somebody deletes them",
        ));
    }
    let selects = "is written into selectors as well, and a selector of a live object cannot be changed";
    let help = "delete the live objects before the new ones are applied, or take the label out of the selectors first";
    if value.get("commonLabels").is_some_and(|labels| has_name(labels, to)) {
        out.push(object.error(&keys(&["commonLabels"]), format!("a label that is renamed {selects}"), help));
    }
    for (index, item) in value.get("labels").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let is_selector = item.get("includeSelectors") == Some(&Value::Bool(true));
        if is_selector && item.get("pairs").is_some_and(|pairs| has_name(pairs, to)) {
            let path = [Step::from("labels"), index.into()];
            out.push(object.error(&path, format!("a label that is renamed {selects}"), help));
        }
    }
    out
}

/// The configuration of a cluster on this machine: it is read when the cluster is made.
fn of_cluster(object: &objects::Object<'_>) -> Option<InputError> {
    let version = object.value.get("apiVersion").and_then(Value::as_str)?;
    CLUSTERS.iter().any(|start| version.starts_with(start)).then(|| {
        let message =
            "configures a local cluster and names the other operator: it is read when the cluster is made";
        let help =
            "look at its node labels, runtimes, files and chart values by hand, and make the cluster anew";
        object.error(&[], message, help)
    })
}

/// Whether a key or text in a value is renamed.
fn has_name(value: &Value, to: Operator) -> bool {
    match value {
        Value::Object(map) => {
            map.iter().any(|(key, value)| renamed(key, "", "", to).is_some() || has_name(value, to))
        }
        Value::Array(items) => items.iter().any(|item| has_name(item, to)),
        Value::String(text) => renamed(text, "", "", to).is_some(),
        _ => false,
    }
}
