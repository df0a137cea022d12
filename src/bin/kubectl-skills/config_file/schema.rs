//! The JSON schema of `.kubectl-skills.yaml`, for editors: [`KEYS`] in, a schema out. Whether a file or a pattern is one is left
//! to the reader.

use kubectl_skills::skill::schemas::DIALECT;
use serde_json::{Map, Value, json};

use super::{KEYS, Kind};

/// JSON Schema (2020-12) of the configuration file.
pub fn schema() -> Value {
    let keys: Map<String, Value> = KEYS
        .iter()
        .map(|key| {
            let mut value = of(key.kind);
            value["description"] = format!("The flag --{}, such as {}", key.name, key.example).into();
            (key.name.to_owned(), value)
        })
        .collect();
    json!({
        "$schema": DIALECT,
        "title": ".kubectl-skills.yaml",
        "description": "Defaults of flags for the manifests of a folder",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": keys,
    })
}

/// A key without a value is left to its default, but for files: a policy that is commented out would be none.
fn of(kind: Kind) -> Value {
    let text = json!({"type": "string", "pattern": "\\S"});
    let texts = json!({"anyOf": [text, {"type": "array", "items": text}, {"type": "null"}]});
    match kind {
        Kind::Text => json!({"type": ["string", "null"], "pattern": "\\S"}),
        Kind::OneOf(known) => {
            let words = known().into_iter().map(Value::from).chain([Value::Null]);
            json!({"enum": words.collect::<Vec<_>>()})
        }
        Kind::Flag => json!({"type": ["boolean", "null"]}),
        Kind::Gates => json!({"type": ["object", "null"], "additionalProperties": {"type": "boolean"}}),
        Kind::File => text,
        Kind::Texts | Kind::FilesOrCluster | Kind::Patterns | Kind::PodTemplatePaths => texts,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kubectl_skills::yaml::Document;

    use super::super::{KEYS, read};
    use super::*;

    /// What an editor underlines is what the program refuses.
    #[test]
    fn the_schema_says_what_the_reader_says() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let all: String = KEYS.iter().map(|key| format!("{}: {}\n", key.name, key.example)).collect();
        let good =
            [all.as_str(), "{}", "namespace: ~", "exclude: old", "config-from: cluster", "exclude: []"];
        let bad = [
            "profil: head",
            "profile: heads",
            "namespace: [a]",
            "namespace: ' '",
            "container: 7",
            "allow-none: \"true\"",
            "exact: 1",
            "feature-gates: {a: 'on'}",
            "feature-gates: a=true",
            "config-from: [a.yaml, 1]",
            "policy: ~",
            "locked: [a]",
            "- a",
        ];
        for (texts, wanted) in [(&good[..], true), (&bad[..], false)] {
            for text in texts {
                let value = Document::parse(text).expect(text).to_value().expect(text);
                let read = read("c.yaml", Path::new(""), text);
                assert_eq!((validator.is_valid(&value), read.is_ok()), (wanted, wanted), "{text}: {read:?}");
            }
        }
    }
}
