//! A sample of the vectors through the program itself: what `render`, `hash`, `plan` and `validate` print is what the
//! operator did. `KUBECTL_SKILLS_VECTORS=all` takes every case, `KUBECTL_SKILLS_SEED` another sample.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test reads the environment, prints its figures and stops at bad data"
)]

use kubectl_skills::yaml::{Document, split};
use serde_json::{Value, json};

use crate::program::{Folder, Said, fed};
use crate::vectors::{Case, Tally, cases};

/// Cases of one op that are run where not all are asked for.
const SAMPLE: usize = 150;

/// The cases of one op, or so many of them that the test takes seconds; the same ones in every run.
fn sample(op: &str) -> Vec<Case> {
    let mut all = cases(op);
    if std::env::var("KUBECTL_SKILLS_VECTORS").is_ok_and(|which| which == "all") {
        return all;
    }
    let seed: u64 = std::env::var("KUBECTL_SKILLS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("a sample of {} {op} cases of {}, seed {seed}", SAMPLE.min(all.len()), all.len());
    let mut state = seed;
    let mut next = move || {
        // Numerical Recipes; the high bits are good enough to shuffle with.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    all.sort_by_cached_key(|case| (next(), case.name.clone()));
    all.truncate(SAMPLE);
    all
}

/// The objects of a case as a stream: documents, or for every other case one List.
fn stream(case: &Case, runtime: &Value, workload: &Value) -> String {
    let others = case.input["objects"].as_array().into_iter().flatten();
    // Other AgentRuntimes are the webhook's matter; a reconcile is about one.
    let wanted = |object: &&Value| {
        object["kind"] == "ConfigMap" || (object["kind"] == "AgentRuntime" && case.op == "validate")
    };
    let objects: Vec<&Value> = [runtime, workload]
        .into_iter()
        .filter(|object| !object.is_null())
        .chain(others.filter(wanted))
        .collect();
    if case.name.len().is_multiple_of(2) {
        json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
    } else {
        objects.iter().map(|object| format!("---\n{object:#}\n")).collect()
    }
}

/// Runs a verb over the case's stream by the rules of its operator.
fn run(case: &Case, verb: &[&str], stream: &str) -> Said {
    // Without a file the operator has its compiled gates, and after an error as well.
    let broken = case.output.get("featureGatesError").is_some_and(|error| !error.is_null());
    let gates = case.input["featureGatesFile"].as_str().filter(|_| !broken).unwrap_or_default();
    let folder = Folder::with(&[("gates.yaml", gates)]);
    let view = if case.input["configMapView"] == "operatorCache" { "operator" } else { "full" };
    let gates = folder.path("gates.yaml");
    let common = ["--profile", case.profile.name, "--config-view", view, "--feature-gates-file", &gates];
    fed(&[verb, &["-f", "-"], &common].concat(), stream)
}

/// The objects that a verb printed, by kind.
fn objects(text: &str) -> Vec<Value> {
    let mut out = Vec::new();
    for slice in split(text) {
        let value = Document::parse(slice.text(text)).and_then(|document| document.to_value()).expect("YAML");
        match value.get("items").and_then(Value::as_array) {
            Some(items) => out.extend(items.iter().cloned()),
            None => out.push(value),
        }
    }
    out
}

/// The operator's run that writes the workload: its first, or the second where the first only adds the finalizer.
fn working_run(case: &Case) -> &Value {
    let added = case.output["writes"].as_array().is_some_and(|writes| {
        matches!(writes.as_slice(), [only] if only["kind"] == "AgentRuntime" && only["verb"] == "update")
    });
    let first = &case.output;
    match first["subsequent"].get(0) {
        Some(second) if added && first["agentRuntimeGone"] != true => second,
        _ => first,
    }
}

/// Somebody who pipes manifests through `render --exact` gets the workload that the operator writes.
#[test]
fn render_prints_the_operators_workload() {
    let mut tally = Tally::new();
    for case in sample("reconcile") {
        match apart(&case) {
            Some(why) => tally.apart(&case, why),
            None => {
                let outcome = rendered(&case);
                tally.outcome(&case, outcome);
            }
        }
    }
    tally.finish();
}

/// What files cannot show.
fn apart(case: &Case) -> Option<&'static str> {
    let normalized = &case.output["inputNormalized"];
    if case.input.get("faults").is_some() {
        Some("injected API faults")
    } else if normalized["agentRuntime"].is_null() {
        Some("no AgentRuntime")
    } else {
        None
    }
}

fn rendered(case: &Case) -> Result<(), String> {
    let normalized = &case.output["inputNormalized"];
    let (runtime, before) = (&normalized["agentRuntime"], &normalized["workload"]);
    let stream = stream(case, runtime, before);
    let json = case.name.len().is_multiple_of(3);
    let said =
        run(case, if json { &["render", "--exact", "-o", "json"] } else { &["render", "--exact"] }, &stream);
    let theirs = working_run(case);
    let wanted = if theirs["workload"].is_null() { before } else { &theirs["workload"] };
    if said.code == 3 && said.stdout.is_empty() {
        // The operator says what is wrong in the status, and we on stderr.
        let message = theirs["agentRuntimeStatus"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|condition| condition["status"] == "False")
            .and_then(|condition| condition["message"].as_str());
        return match message {
            Some(message) if wanted == before && said.stderr.contains(message) => Ok(()),
            _ => Err(format!("refused: {}; the operator says {message:?}", said.stderr)),
        };
    }
    if said.code != 0 {
        return Err(format!("exit code {}: {}", said.code, said.stderr));
    }
    let printed = objects(&said.stdout);
    let ours = printed.get(1).filter(|_| !before.is_null()).unwrap_or(&Value::Null);
    if before.is_null() || ours == wanted { Ok(()) } else { Err(format!("{ours}\n  operator {wanted}")) }
}

/// `hash` computes what the operator does, from the AgentRuntime and the ConfigMaps alone.
#[test]
fn hash_prints_the_operators_hash() {
    let mut tally = Tally::new();
    for case in sample("hash") {
        if case.input["configMapView"] == "operatorCache" && !case.profile.cached_reader {
            tally.apart(&case, "this operator reads without a cache, and so does --config-view operator");
            continue;
        }
        let said = run(
            &case,
            &["hash", "--exact", "-o", "json"],
            &stream(&case, &case.input["agentRuntime"], &Value::Null),
        );
        let found = if said.code == 0 { said.json() } else { Value::Null };
        let first = &found["items"][0];
        let ours = json!({"configHash": first["configHash"], "hashInputJSON": first["hashInput"]});
        let theirs =
            json!({"configHash": case.output["configHash"], "hashInputJSON": case.output["hashInputJSON"]});
        let warned =
            case.output["warnings"].as_array().into_iter().flatten().all(|warning| {
                said.stderr.contains(&format!("warning: {}", warning.as_str().expect("a text")))
            });
        let outcome = if ours != theirs {
            Err(format!("{ours}, the operator {theirs}: {}", said.stderr))
        } else if !warned {
            Err(format!("not warned: {}", said.stderr))
        } else {
            Ok(())
        };
        tally.outcome(&case, outcome);
    }
    tally.finish();
}

/// `plan -o json` tells the hash, the conditions, the events and the pause that the operator has.
#[test]
fn plan_prints_what_the_operator_reports() {
    let mut tally = Tally::new();
    for case in sample("reconcile") {
        match apart(&case) {
            Some(why) => tally.apart(&case, why),
            None => {
                let outcome = planned(&case);
                tally.outcome(&case, outcome);
            }
        }
    }
    tally.finish();
}

fn planned(case: &Case) -> Result<(), String> {
    let normalized = &case.output["inputNormalized"];
    let stream = stream(case, &normalized["agentRuntime"], &normalized["workload"]);
    let said = run(case, &["plan", "--exact", "-o", "json"], &stream);
    if said.code != 0 && said.code != 3 {
        return Err(format!("exit code {}: {}", said.code, said.stderr));
    }
    let theirs = working_run(case);
    let found = said.json();
    let name = &normalized["agentRuntime"]["metadata"]["name"];
    let ours = found["runtimes"].as_array().into_iter().flatten().find(|runtime| runtime["name"] == *name);
    let ours = ours.ok_or("not planned")?;
    let events: Vec<String> = ours["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| {
            let text = |key: &str| event[key].as_str().expect("a text").to_owned();
            format!("{} {} {}", text("type"), text("reason"), text("message"))
        })
        .collect();
    let theirs_conditions =
        theirs["agentRuntimeStatus"]["conditions"].as_array().cloned().unwrap_or_default();
    for condition in ours["conditions"].as_array().into_iter().flatten() {
        let same = theirs_conditions.iter().any(|other| {
            ["type", "status", "reason", "message"].iter().all(|key| other[key] == condition[key])
        });
        if !same {
            return Err(format!("{condition} is none of {theirs_conditions:?}"));
        }
    }
    let ours = json!({"events": events, "requeueAfterSeconds": ours["requeueAfterSeconds"]});
    // Namespace and SPIRE are the cluster's: a plan over files knows neither.
    let of_mesh = |event: &&Value| {
        let event = event.as_str().unwrap_or_default();
        ["Normal IstioMeshEnrolled ", "Warning SPIREUnavailable "]
            .iter()
            .any(|reason| event.starts_with(reason))
    };
    let events: Vec<&Value> =
        theirs["events"].as_array().into_iter().flatten().filter(|event| !of_mesh(event)).collect();
    let theirs = json!({"events": events, "requeueAfterSeconds": theirs["requeueAfterSeconds"]});
    if ours == theirs { Ok(()) } else { Err(format!("{ours}\n  operator {theirs}")) }
}

/// What `validate` says of the judged AgentRuntime, in the order in which it is printed.
fn messages(said: &Said, case: &Case, by: &str) -> Result<Vec<String>, String> {
    if said.code > 1 {
        return Err(format!("exit code {}: {}", said.code, said.stderr));
    }
    // It stands first in the stream.
    let found = said.json();
    let first = found["objects"].get(0).ok_or_else(|| format!("{} is not judged", case.name))?;
    let findings = first["findings"].as_array().into_iter().flatten().filter(|one| one["by"] == by);
    Ok(findings.map(|one| one["message"].as_str().expect("a text").to_owned()).collect())
}

fn validated(case: &Case) -> Said {
    let stream = stream(case, &case.input["agentRuntime"], &Value::Null);
    fed(&["validate", "-o", "json", "--profile", case.profile.name, "-f", "-"], stream)
}

/// The webhook's words come out as a client of the API server reads them.
#[test]
fn validate_prints_the_webhooks_verdict() {
    let mut tally = Tally::new();
    for case in sample("validate") {
        if case.input.get("faults").is_some() || case.input["noReader"] == true {
            tally.apart(&case, "the webhook cannot list; files can always be read");
            continue;
        }
        let Some(created) = case.output.get("create") else {
            tally.apart(&case, "no creation");
            continue;
        };
        let wanted: Vec<String> = created["message"]
            .as_str()
            .map(|message| format!("admission webhook \"vagentruntime.kb.io\" denied the request: {message}"))
            .into_iter()
            .collect();
        let outcome = messages(&validated(&case), &case, "webhook").and_then(|ours| {
            if ours == wanted { Ok(()) } else { Err(format!("{ours:?}, the operator {wanted:?}")) }
        });
        tally.outcome(&case, outcome);
    }
    tally.finish();
}

/// The API server's words come out as they are.
#[test]
fn validate_prints_the_api_servers_errors() {
    let mut tally = Tally::new();
    for case in sample("schema") {
        if case.input["agentRuntime"]["kind"] != "AgentRuntime" {
            tally.apart(&case, "not known as an AgentRuntime in a file");
            continue;
        }
        let outcome = messages(&validated(&case), &case, "schema").and_then(|ours| {
            if json!(ours) == case.output["errors"] {
                Ok(())
            } else {
                Err(format!("{ours:?}, the API server {}", case.output["errors"]))
            }
        });
        tally.outcome(&case, outcome);
    }
    tally.finish();
}
