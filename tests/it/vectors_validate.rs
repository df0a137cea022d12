//! The vectors of ops `validate` and `schema` through the public library: verdicts, messages, pruned fields and stored
//! objects of every profile.

use kubectl_skills::api::agent_runtime::{AgentRuntimeSpec, TargetRef};
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::validate::schema::Validator;
use kubectl_skills::validate::webhook::{Operation, Rivals, Targets, verdict};
use serde_json::{Value, json};

use crate::vectors::{Case, Tally, cases};

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn reference(runtime: &Value) -> ObjectRef {
    ObjectRef {
        api_version: text(runtime, "/apiVersion"),
        kind: text(runtime, "/kind"),
        namespace: text(runtime, "/metadata/namespace"),
        name: text(runtime, "/metadata/name"),
    }
}

fn spec(runtime: &Value) -> Result<AgentRuntimeSpec, String> {
    AgentRuntimeSpec::from_object(runtime).map_err(|errors| format!("not readable: {errors:?}"))
}

/// The other AgentRuntimes of the namespace; none known where the case lets the list fail or has no reader.
fn rivals(case: &Case, namespace: &str) -> Result<Option<Targets>, String> {
    let list_fails = case.input["faults"].as_array().is_some_and(|faults| {
        faults.iter().any(|fault| fault["verb"] == "list" && fault["kind"] == "AgentRuntime")
    });
    if list_fails || case.input["noReader"] == true {
        return Ok(None);
    }
    let mut found: Vec<(String, TargetRef)> = Vec::new();
    for object in case.input["objects"].as_array().into_iter().flatten() {
        if object["kind"] == "AgentRuntime" && text(object, "/metadata/namespace") == namespace {
            found.push((text(object, "/metadata/name"), spec(object)?.target_ref));
        }
    }
    Ok(Some(Targets::new(found)))
}

fn webhook_outcome(case: &Case) -> Result<(), String> {
    let runtime = &case.input["agentRuntime"];
    let reference = reference(runtime);
    let spec = spec(runtime)?;
    let targets = rivals(case, &reference.namespace)?;
    let rivals = targets.as_ref().map_or(Rivals::Unknown, Rivals::Known);
    let mut asked = 0;
    for (key, operation) in
        [("create", Operation::Create), ("update", Operation::Update), ("delete", Operation::Delete)]
    {
        let Some(expected) = case.output.get(key) else { continue };
        asked += 1;
        let verdict = verdict(case.profile, operation, &reference, &spec, rivals);
        let ours = json!({"allowed": verdict.allowed(), "message": verdict.message(), "warnings": null});
        if ours != *expected {
            return Err(format!("{key}: {ours}, the operator {expected}"));
        }
    }
    if asked == 0 { Err("no operation in the output".to_owned()) } else { Ok(()) }
}

/// Every verdict and message of the webhook; both faults that make it accept unseen rivals included.
#[test]
fn webhook_verdicts_are_the_operators() {
    let mut tally = Tally::new();
    for case in cases("validate") {
        tally.outcome(&case, webhook_outcome(&case));
    }
    tally.finish();
}

fn schema_outcome(case: &Case) -> Result<(), String> {
    let report = Validator::new(case.profile).create(&case.input["agentRuntime"]);
    let pruned = if report.pruned_paths.is_empty() { Value::Null } else { json!(report.pruned_paths) };
    let ours = json!({
        "allowed": report.allowed, "errors": report.errors.iter().map(ToString::to_string).collect::<Vec<_>>(), "prunedPaths": pruned, "stored": report.stored,
    });
    if ours == case.output { Ok(()) } else { Err(format!("{ours}, the API server {}", case.output)) }
}

#[test]
fn schema_reports_are_the_api_servers() {
    let mut tally = Tally::new();
    for case in cases("schema") {
        tally.outcome(&case, schema_outcome(&case));
    }
    tally.finish();
}

/// The set is not empty for the profiles that have it; a lost file would leave the rules of 613566c untested.
#[test]
fn both_profiles_of_the_webhook_have_cases() {
    let cases = cases("validate");
    for name in ["pr332", "pr332-merged"] {
        let count = cases.iter().filter(|case| Some(case.profile) == Profile::by_name(name)).count();
        assert!(count >= 130, "{name} has {count}");
    }
}
