//! The definitions as upstream has them: fields and constraints by profile, and text that reads back as the value.

use serde_json::{Value, json};

use super::*;
use crate::api::profile::PROFILES;

fn schema(profile: &str) -> Value {
    let value = definition(Profile::by_name(profile).unwrap());
    value["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// A field too many would be kept where the cluster prunes it, one too few pruned where the cluster keeps it.
/// Read from the CRD manifests of the commits.
#[test]
fn spec_has_the_fields_of_the_profiles_commit() {
    let base = ["authBridgeMode", "identity", "mtlsMode", "targetRef", "type"];
    let with = |more: &[&'static str], without: &[&str]| {
        let mut fields: Vec<&str> = base.iter().chain(more).copied().collect();
        fields.retain(|field| !without.contains(field));
        fields.sort_unstable();
        fields
    };
    let bridge = ["egressEnforcement", "tlsBridgeMode"];
    for (profile, expected) in [
        ("pr332", with(&["skills", "trace"], &[])),
        ("pr332-merged", with(&["skills", "trace"], &[])),
        ("no-trace", with(&["skills"], &[])),
        ("no-skills", with(&[], &[])),
        ("two-layer", with(&[], &[])),
        ("identity-removed", with(&bridge, &["identity"])),
        ("spiffe-helper", with(&bridge, &[])),
        ("head", with(&bridge, &["identity"])),
        ("rossoctl", with(&bridge, &["identity"])),
    ] {
        assert_eq!(keys(&schema(profile)["properties"]["spec"]["properties"]), expected, "{profile}");
    }
}

#[test]
fn the_skills_of_pr332_merged_have_their_constraints() {
    let mut skills = schema("pr332-merged")["properties"]["spec"]["properties"]["skills"].clone();
    drop_descriptions(&mut skills);
    assert_eq!(
        skills,
        json!({
            "items": {
                "properties": {
                    "image": {"minLength": 1, "type": "string"},
                    "mountPath": {"minLength": 1, "pattern": "^/.*", "type": "string"},
                    "name": {"maxLength": 58, "minLength": 1, "pattern": "^[a-z0-9]([a-z0-9\\-]*[a-z0-9])?$",
                        "type": "string"},
                    "pullPolicy": {"enum": ["Always", "Never", "IfNotPresent"], "type": "string"},
                },
                "required": ["image", "mountPath", "name"],
                "type": "object",
            },
            "maxItems": 20,
            "type": "array",
        })
    );
}

/// Defaults change what the server stores; only the profiles from identity-removed on have any.
#[test]
fn the_tls_fields_have_their_defaults() {
    for profile in &PROFILES {
        let spec = schema(profile.name)["properties"]["spec"]["properties"].clone();
        let defaults = [&spec["mtlsMode"]["default"], &spec["tlsBridgeMode"]["default"]];
        let expected = if profile.crd.tls_bridge {
            [json!("permissive"), json!("disabled")]
        } else {
            [Value::Null, Value::Null]
        };
        assert_eq!(defaults.map(Clone::clone), expected, "{}", profile.name);
    }
}

#[test]
fn columns_follow_the_status_of_the_profile() {
    let names = |profile: &str| -> Vec<String> {
        let value = definition(Profile::by_name(profile).unwrap());
        let columns = value["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
        columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("pr332-merged"), ["Type", "Target", "Phase", "CardSynced", "Age"]);
    assert_eq!(names("two-layer"), ["Type", "Target", "Phase", "CardFetched", "Age"]);
    assert_eq!(names("head"), ["Type", "Target", "Ready", "Age"]);
}

#[test]
fn rossoctl_renames_the_group_alone() {
    let text_of = |profile| text(Profile::by_name(profile).unwrap());
    assert_eq!(text_of("rossoctl"), text_of("head").replace("agent.kagenti.dev", "agent.rossoctl.dev"));
    assert!(text_of("rossoctl").contains("name: agentruntimes.agent.rossoctl.dev\n"));
}

/// `kubectl apply -f -` of the printed text must install exactly the definition.
#[test]
fn the_text_reads_back_as_the_definition() {
    for profile in &PROFILES {
        let text = text(profile);
        let read: Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", profile.name));
        assert_eq!(read, definition(profile), "{}", profile.name);
    }
}

fn drop_descriptions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("description").is_some_and(Value::is_string) {
                map.remove("description");
            }
            map.values_mut().for_each(drop_descriptions);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_descriptions),
        _ => {}
    }
}
