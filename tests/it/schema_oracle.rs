//! The schema validator against answers of the API server's own packages on mutated AgentRuntimes
//! (`testdata/schema`, see its README.md).

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test prints its figures and stops at bad data"
)]

use std::path::Path;

use kubectl_skills::api::profile::Profile;
use kubectl_skills::validate::schema::Validator;
use serde_json::{Value, json};

#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn lines(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/schema").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

/// The server prints 1.0 as 1; a number is the same however it is written.
fn as_floats(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.as_f64()),
        Value::Array(items) => items.iter_mut().for_each(as_floats),
        Value::Object(map) => map.values_mut().for_each(as_floats),
        _ => {}
    }
}

/// A verdict, a message, a pruned field or a default that differs from the cluster's misleads who checks files in CI.
#[test]
fn mutated_runtimes_get_the_api_servers_answer() {
    let cases = lines("mutations.jsonl");
    let mut refused = 0;
    let mut differing = Vec::new();
    for case in &cases {
        let profile = case["profile"].as_str().and_then(Profile::by_name).expect("a known profile");
        let report = Validator::new(profile).create(&case["input"]);
        refused += usize::from(!report.allowed);
        let mut ours = json!({
            "allowed": report.allowed,
            "errors": report.errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "prunedPaths": report.pruned_paths,
            "stored": report.stored,
        });
        let mut server = case["output"].clone();
        as_floats(&mut ours);
        as_floats(&mut server);
        if ours != server {
            differing.push(format!(
                "{} {}\n  ours   {ours}\n  server {}",
                case["profile"], case["name"], case["output"]
            ));
        }
    }
    println!("{} mutations, {refused} refused", cases.len());
    assert!(cases.len() >= 300, "only {} cases", cases.len());
    // A mutator that breaks nothing, or everything alike, would prove little.
    assert!((100..cases.len() - 50).contains(&refused), "{refused} refused");
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing[..differing.len().min(10)].join("\n")
    );
}
