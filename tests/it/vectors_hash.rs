//! Config hashes of all nine profiles against the operator's: the bytes that are hashed, the hash, the defaults-only
//! pair, and the warnings. And the feature gates, wherever a case has them.

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::{ConfigMap, Origin};
use kubectl_skills::config::gates::FeatureGates;
use kubectl_skills::config::hash::{ConfigHash, hash_input};
use kubectl_skills::config::layers::{ConfigView, resolve};
use serde_json::{Value, json};

use crate::vectors::{Case, Tally, cases};

/// A user whose hash differs sees the operator roll the workload, or never agree with what is in Git.
#[test]
fn hashes_are_the_operators() {
    let mut tally = Tally::new();
    for case in cases("hash") {
        let outcome = ours(&case).and_then(|ours| compare(&ours, &case.output));
        tally.outcome(&case, outcome);
    }
    tally.finish();
}

/// What the operator computes in passing while it reconciles: the same inputs with workloads and gates around them. Under
/// injected faults the vectors give what a read without faults would.
#[test]
fn hashes_within_reconciles_are_the_operators() {
    let mut tally = Tally::new();
    for case in cases("reconcile") {
        let outcome = ours(&case).and_then(|mut ours| {
            // A reconcile's case has no `error` of the hash alone.
            ours["error"] = case.output["error"].clone();
            compare(&ours, &case.output)
        });
        tally.outcome(&case, outcome);
    }
    tally.finish();
}

/// A gate read differently would mount skills where the operator does not, or the other way round.
#[test]
fn gates_are_the_operators() {
    let mut tally = Tally::new();
    for (op, error) in [("gates", "error"), ("reconcile", "featureGatesError")] {
        for case in cases(op) {
            let loaded = FeatureGates::load(case.profile, case.input["featureGatesFile"].as_str());
            let error_text =
                loaded.as_ref().err().map(|error| format!("parsing feature gates file <PATH>: {error}"));
            // After an error the operator keeps what it had: at the start the compiled defaults.
            let gates = loaded.unwrap_or_else(|_| FeatureGates::defaults(case.profile)).to_map();
            let outcome = if json!(error_text) != case.output[error] {
                Err(format!("operator {}, ours {error_text:?}", case.output[error]))
            } else if json!(gates) != case.output["featureGates"] {
                Err(format!("operator {}, ours {gates:?}", case.output["featureGates"]))
            } else {
                Ok(())
            };
            tally.outcome(&case, outcome);
        }
    }
    tally.finish();
}

/// The output of a hash case, in the words of the vectors.
fn ours(case: &Case) -> Result<Value, String> {
    let runtime = &case.input["agentRuntime"];
    let spec = AgentRuntimeSpec::from_object(runtime).map_err(|errors| format!("{errors:?}"))?;
    let mut maps = Vec::new();
    // In a reconcile the operator first copies its templates, and hashes what it then finds.
    let created = case.output["createdConfigMaps"].as_array().into_iter().flatten();
    for object in case.input["objects"].as_array().into_iter().flatten().chain(created) {
        if object["kind"] == "ConfigMap" {
            maps.push(ConfigMap::from_value(object, Origin::default())?);
        }
    }
    let view = match case.input["configMapView"].as_str() {
        None => ConfigView::Full,
        Some("operatorCache") => ConfigView::Cache,
        Some(other) => return Err(format!("unknown configMapView {other}")),
    };
    let namespace = runtime["metadata"]["namespace"].as_str().unwrap_or_default();
    let config = resolve(case.profile, &maps, namespace, view);
    let input = hash_input(case.profile, Some(&spec), &config);
    let defaults_only = hash_input(case.profile, None, &config);
    let warnings = match config.warnings() {
        [] => Value::Null,
        warnings => json!(warnings),
    };
    Ok(json!({
        "configHash": ConfigHash::of(&input).as_str(),
        "hashInputJSON": input,
        "defaultsOnlyHash": ConfigHash::of(&defaults_only).as_str(),
        "defaultsOnlyHashInputJSON": defaults_only,
        "warnings": warnings,
        "error": null,
    }))
}

/// Every field of ours that the vector has; a hash case without its hash would prove nothing.
fn compare(ours: &Value, theirs: &Value) -> Result<(), String> {
    for field in
        ["hashInputJSON", "configHash", "defaultsOnlyHashInputJSON", "defaultsOnlyHash", "warnings", "error"]
    {
        match theirs.get(field) {
            // Profiles whose operator removes the hash on deletion have no defaults-only hash.
            None if field.starts_with("defaultsOnly") => {}
            Some(Value::String(none)) if none.is_empty() && field.starts_with("defaultsOnly") => {}
            None => return Err(format!("the vector has no {field}")),
            Some(wanted) if *wanted == ours[field] => {}
            Some(wanted) => return Err(format!("{field}: operator {wanted}, ours {}", ours[field])),
        }
    }
    Ok(())
}
