//! A profile in, its AgentRuntime CustomResourceDefinition out, as a value or as YAML text. The schema in it is the
//! one that [`crate::validate::schema`] validates against, so the two cannot drift. Installing it is left to callers.

use serde_json::{Value, json};

use crate::api::names::{AGENT_RUNTIME, VERSION};
use crate::api::profile::Profile;
#[cfg(feature = "internals")]
use crate::yaml::emit;

pub mod cel;
pub mod fields;
pub mod node;
pub mod pattern;
pub mod skill_binding;
mod status;

/// Plural of the resource in every profile.
pub const PLURAL: &str = "agentruntimes";

/// Name of the CustomResourceDefinition, such as `agentruntimes.agent.kagenti.dev`.
pub fn name(profile: &Profile) -> String {
    format!("{PLURAL}.{}", profile.names.group)
}

/// The CustomResourceDefinition of the profile (`apiextensions.k8s.io/v1`).
pub fn definition(profile: &Profile) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name(profile)},
        "spec": {
            "group": profile.names.group,
            "names": {
                "kind": AGENT_RUNTIME,
                "listKind": format!("{AGENT_RUNTIME}List"),
                "plural": PLURAL,
                "shortNames": ["art", "agentrt"],
                "singular": "agentruntime",
            },
            "scope": "Namespaced",
            "versions": [{
                "additionalPrinterColumns": columns(profile),
                "name": VERSION,
                "schema": {"openAPIV3Schema": fields::agent_runtime(profile).to_value()},
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
            }],
        },
    })
}

/// The definition as one YAML document, ending with a line feed.
#[cfg(feature = "internals")]
pub fn text(profile: &Profile) -> String {
    emit::document(&definition(profile))
}

fn columns(profile: &Profile) -> Vec<Value> {
    let text = |name: &str, path: &str| json!({"jsonPath": path, "name": name, "type": "string"});
    let condition = |kind: &str| format!(".status.conditions[?(@.type=='{kind}')].status");
    let mut columns = vec![text("Type", ".spec.type"), text("Target", ".spec.targetRef.name")];
    if profile.status_phase {
        columns.push(text("Phase", ".status.phase"));
        let kind = if profile.crd.card_fetched { "CardFetched" } else { "CardSynced" };
        columns.push(json!({"jsonPath": condition(kind), "name": kind, "priority": 1, "type": "string"}));
    } else {
        columns.push(text("Ready", &condition("Ready")));
    }
    columns.push(json!({"jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"}));
    columns
}

#[cfg(test)]
mod tests;
