//! The JSON schema of `SkillsFunction`: the list of options in, a schema for editors and validators out.

use serde_json::{Map, Value, json};

use crate::api::names::{AGENT_RUNTIME, SKILL_BINDING};

use super::{API_VERSION, KIND, OPTIONS, OptionKind, VIEWS, profiles};

/// JSON Schema (2020-12) of a `SkillsFunction`.
pub fn schema() -> Value {
    let options: Map<String, Value> = OPTIONS
        .iter()
        .map(|option| (option.name.to_owned(), with_text(value(option.kind), option.text)))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": KIND,
        "description": "Options of the KRM function of kubectl-skills",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "metadata": {"type": "object"},
            "spec": {"type": ["object", "null"], "additionalProperties": false, "properties": options},
        },
    })
}

fn with_text(mut schema: Value, text: &str) -> Value {
    schema["description"] = text.into();
    schema
}

fn value(kind: OptionKind) -> Value {
    match kind {
        OptionKind::Flag(_) => json!({"type": "boolean"}),
        OptionKind::Text(_) => json!({"type": "string", "minLength": 1}),
        OptionKind::PodTemplatePaths => {
            json!({"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9]+\\.[^=]+=\\.?[A-Za-z0-9]+(\\.[A-Za-z0-9]+)+$"}})
        }
        OptionKind::Profile => json!({"enum": profiles().collect::<Vec<_>>()}),
        OptionKind::View => json!({"enum": VIEWS}),
        OptionKind::Gates => {
            json!({"oneOf": [{"type": "object", "additionalProperties": {"type": "boolean"}}, {"type": "string"}]})
        }
        OptionKind::ConfigMaps => objects("ConfigMap"),
        OptionKind::AgentRuntimes => objects(AGENT_RUNTIME),
        OptionKind::SkillBindings => objects(SKILL_BINDING),
    }
}

fn objects(kind: &str) -> Value {
    json!({"type": "array", "items": {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"const": kind},
            "metadata": {"type": "object", "required": ["name"]},
        },
    }})
}
