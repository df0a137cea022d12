//! Every vector of ops `validate` and `schema` asked of the running webhook: the operator's verdict, message and code.

use kubectl_skills::api::profile::{PROFILES, Profile};
use kubectl_skills::install::webhook_registration;
use kubectl_skills::validate::admission_review::{Extra, Review};
use kubectl_skills::validate::webhook::Rivals;
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::client::Client;
use crate::program::Program;
use crate::server::{Answer, Server};
use crate::vectors::{Case, Tally, cases};

/// A namespace of its own for each case, so that one list holds the rivals of all.
fn moved(case: usize, namespace: &str) -> String {
    format!("case-{case}-{namespace}")
}

fn move_object(object: &Value, case: usize) -> Value {
    let mut object = object.clone();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    object["metadata"]["namespace"] = json!(moved(case, namespace));
    object
}

pub fn review(profile: &Profile, operation: &str, object: &Value) -> Vec<u8> {
    let object = if operation == "DELETE" { (Value::Null, object) } else { (object.clone(), &Value::Null) };
    let named = if object.0.is_null() { object.1 } else { &object.0 };
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "5e9a", "operation": operation,
            "kind": {"group": profile.names.group, "version": "v1alpha1", "kind": "AgentRuntime"},
            "namespace": named["metadata"]["namespace"], "name": named["metadata"]["name"],
            "object": object.0, "oldObject": object.1,
        },
    })
    .to_string()
    .into_bytes()
}

/// The scripted API server: a watch that begins with the objects and in which nothing happens. `broken`: it fails, and so
/// does a list.
pub fn api_server(objects: Vec<Value>, broken: bool) -> Server {
    Server::start(move |request| {
        if !request.path.ends_with("/agentruntimes") {
            Answer::Json(
                404,
                json!({"kind": "Status", "apiVersion": "v1", "code": 404, "message": request.path}),
            )
        } else if broken {
            Answer::Json(
                500,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500,
                    "reason": "InternalError", "message": "injected"}),
            )
        } else if request.query.contains("watch=") {
            let added = objects.iter().map(|object| json!({"type": "ADDED", "object": object}));
            let end = json!({"type": "BOOKMARK", "object": {"kind": "AgentRuntime", "metadata": {
                "resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"}}}});
            Answer::Watch(added.chain([end]).collect(), true)
        } else {
            Answer::Json(
                200,
                json!({"kind": "AgentRuntimeList", "apiVersion": "agent.kagenti.dev/v1alpha1",
                    "metadata": {"resourceVersion": "7"}, "items": objects}),
            )
        }
    })
}

fn without_rivals(case: &Case) -> bool {
    let fails = case.input["faults"].as_array().is_some_and(|faults| {
        faults.iter().any(|fault| fault["verb"] == "list" && fault["kind"] == "AgentRuntime")
    });
    fails || case.input["noReader"] == true
}

fn ask(client: &mut Client, case: &Case, number: usize) -> Result<(), String> {
    let object = move_object(&case.input["agentRuntime"], number);
    let namespace = case.input["agentRuntime"]["metadata"]["namespace"].as_str().unwrap_or_default();
    for (key, operation) in [("create", "CREATE"), ("update", "UPDATE"), ("delete", "DELETE")] {
        let Some(expected) = case.output.get(key) else { continue };
        let path = webhook_registration::path(case.profile);
        let answer =
            client.request("POST", &path, "application/json", &review(case.profile, operation, &object));
        let mut response = json!({"uid": "5e9a", "allowed": expected["allowed"]});
        if let Some(message) = expected["message"].as_str() {
            let message = message.replace(
                &format!("in namespace {namespace}: "),
                &format!("in namespace {}: ", moved(number, namespace)),
            );
            response["status"] = json!({"code": 403, "message": message, "reason": "Forbidden"});
        }
        let wanted =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
        if answer.code != 200 || answer.json() != wanted {
            return Err(format!("{key}: {answer:?}, the operator {expected}"));
        }
    }
    Ok(())
}

/// One process and one connection for all cases of a profile; a second process for those whose list fails.
#[test]
fn every_validate_vector_over_tls() {
    let mut tally = Tally::new();
    let all: Vec<(usize, Case)> = cases("validate").into_iter().enumerate().collect();
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(directory.path(), 0);
    for profile in PROFILES.iter().filter(|profile| all.iter().any(|(_, case)| case.profile == *profile)) {
        for broken in [false, true] {
            let these: Vec<&(usize, Case)> = all
                .iter()
                .filter(|(_, case)| case.profile == profile && without_rivals(case) == broken)
                .collect();
            let rivals = these.iter().flat_map(|(number, case)| {
                let objects = case.input["objects"].as_array().into_iter().flatten();
                objects
                    .filter(|object| object["kind"] == "AgentRuntime")
                    .map(|object| move_object(object, *number))
            });
            let server = api_server(rivals.collect(), broken);
            let program = Program::start(&server.address, directory.path(), &["--profile", profile.name]);
            program.until("/readyz", if broken { 503 } else { 200 });
            let mut client = Client::connect(&program.address, &authority.der);
            for (number, case) in these {
                tally.outcome(case, ask(&mut client, case, *number));
            }
            let metrics = program.get("/metrics").1;
            assert!(metrics.contains("kubectl_skills_webhook_connections_total "), "{metrics}");
        }
    }
    tally.finish();
}

/// What the schema lets through, in the form in which the API server stores it, gets the verdict that the library gives
/// and the `validate` vectors hold to the operator's. What the schema refuses never comes here.
#[test]
fn every_schema_vector_that_reaches_the_webhook() {
    let mut tally = Tally::new();
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    authority.renew(directory.path(), 0);
    let server = api_server(Vec::new(), false);
    let program = Program::start(&server.address, directory.path(), &["--profile", "pr332"]);
    program.until("/readyz", 200);
    let mut client = Client::connect(&program.address, &authority.der);
    let mut refused = Vec::new();
    for case in cases("schema") {
        if case.output["allowed"] != true {
            tally.apart(&case, "refused by the schema before the webhook is asked");
            continue;
        }
        let stored = &case.output["stored"];
        let body = review(case.profile, "CREATE", stored);
        let answer =
            client.request("POST", &webhook_registration::path(case.profile), "application/json", &body);
        let wanted = Review::read(case.profile, &body)
            .map(|review| review.reply(&review.judge(case.profile, Rivals::Unknown, Extra::default())));
        if answer.json()["response"]["allowed"] == false {
            refused.push(case.name.clone());
        }
        let held = answer.code == 200 && Ok(answer.json()) == wanted;
        tally.outcome(&case, if held { Ok(()) } else { Err(format!("{answer:?}")) });
    }
    tally.finish();
    assert_eq!(refused, ["schema/skills-dup-names-accepted-by-schema"]);
}
