//! Gates files, sound and malformed, against what Go makes of them: `testdata/gates` says how the answers came about.

use std::path::Path;

use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::gates::FeatureGates;
use serde_json::Value;

/// An administrator who searches for the operator's error, or trusts us that a file loads, must not be misled.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its data")]
fn gates_files_load_or_fail_in_gos_words() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/gates/cases.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let profile = Profile::by_name("pr332-merged").unwrap();
    let (mut failed, mut total, mut errors) = (Vec::new(), 0, 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        total += 1;
        let ours = FeatureGates::load(profile, Some(text));
        let same = match (&ours, case["error"].as_str()) {
            (Err(error), Some(wanted)) => error.to_string() == wanted,
            (Ok(gates), None) => {
                // Go's answer is that of the decoder; the operator takes the defaults when every gate is false.
                let wanted = serde_json::from_value(case["gates"].clone()).unwrap();
                let all_false = case["gates"].as_object().unwrap().values().all(|on| on == false);
                let ours: serde_json::Map<_, _> =
                    gates.to_map().into_iter().map(|(name, on)| (name.to_owned(), on.into())).collect();
                all_false && *gates == FeatureGates::defaults(profile)
                    || Value::Object(ours) == Value::Object(wanted)
            }
            _ => false,
        };
        errors += usize::from(ours.is_err());
        if !same {
            failed.push(format!("{text:?}: Go {}, ours {ours:?}", case["error"]));
        }
    }
    assert!(total > 300 && errors > 200, "{total} cases, {errors} errors");
    assert!(failed.is_empty(), "{} of {total} differ:\n{}", failed.len(), failed.join("\n"));
}
