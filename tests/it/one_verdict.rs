//! The same objects through files, live objects, `plan -f`, `validate` and the webhook: one verdict each. The cases stand
//! in `testdata/one_verdict.json`; the controller's decision is held to them in its own unit tests.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at bad data"
)]

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::plan::Options;
use kubectl_skills::plan::session::Session;
use kubectl_skills::validate::admission_review::{Extra, Review};
use kubectl_skills::validate::webhook::{Rivals, Targets};
use serde_json::{Value, json};

use crate::program::{fed, skills};

const PROFILE: &str = "pr332-merged";

fn profile() -> &'static Profile {
    Profile::by_name(PROFILE).expect("a profile")
}

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../../testdata/one_verdict.json")).expect("the cases")
}

fn workload() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "w"},
        "spec": {"template": {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "agent"}]}}}})
}

fn runtimes(case: &Value) -> &[Value] {
    case["runtimes"].as_array().map(Vec::as_slice).expect("runtimes")
}

/// Verdicts by name, and all warnings.
type Verdicts = (BTreeMap<String, String>, Vec<String>);

fn check(face: &str, case: &Value, (verdicts, warnings): Verdicts, word: impl Fn(&str) -> String) {
    let wanted: BTreeMap<String, String> = case["verdicts"]
        .as_object()
        .expect("verdicts")
        .iter()
        .map(|(name, verdict)| (name.clone(), word(verdict.as_str().unwrap_or_default())))
        .collect();
    assert_eq!(verdicts, wanted, "{face}: {}", case["why"]);
    for warning in case["warnings"].as_array().expect("warnings").iter().filter_map(Value::as_str) {
        assert!(warnings.iter().any(|text| text.contains(warning)), "{face}: {}: {warnings:?}", case["why"]);
    }
    // Next to a refusal a face may add advice; what all accept must be silent in all.
    let refused = wanted.values().any(|verdict| verdict == "refused");
    if case["warnings"] == json!([]) && !refused {
        assert_eq!(warnings, [""; 0], "{face}: {}", case["why"]);
    }
}

fn text(case: &Value) -> String {
    runtimes(case).iter().chain([&workload()]).map(|object| format!("---\n{object}\n")).collect()
}

fn action(word: &str) -> String {
    if word == "error" { "refused".to_owned() } else { word.to_owned() }
}

/// CI that is green for what a cluster refuses, or the other way round, is worse than none.
#[test]
fn files_and_the_program_say_what_the_case_says() {
    for case in cases() {
        let said = fed(
            &[
                "plan",
                "-f",
                "-",
                "-o",
                "json",
                "--profile",
                PROFILE,
                "--feature-gates",
                "skillImageVolumes=true",
            ],
            text(&case),
        );
        let plan = said.json();
        let planned = plan["runtimes"].as_array().expect("plans");
        let verdicts = planned
            .iter()
            .map(|one| {
                (
                    one["name"].as_str().unwrap_or_default().to_owned(),
                    action(one["action"].as_str().unwrap_or_default()),
                )
            })
            .collect();
        let texts = planned.iter().flat_map(|one| one["warnings"].as_array().into_iter().flatten());
        let warnings = texts.filter_map(Value::as_str).map(str::to_owned).collect();
        check("plan -f", &case, (verdicts, warnings), str::to_owned);
        let refused =
            case["verdicts"].as_object().is_some_and(|all| all.values().any(|one| one == "refused"));
        assert_eq!(said.code == 3, refused, "{}: {said:?}", case["why"]);
        // A hash is of the AgentRuntime alone, and as little use where that is refused.
        let args = ["hash", "-f", "-", "--profile", PROFILE, "--feature-gates", "skillImageVolumes=true"];
        let hash = fed(&args, text(&case));
        let errors = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.starts_with("error: "));
            lines.filter(|line| line.contains(": AgentRuntime ")).map(str::to_owned).collect()
        };
        let expected = errors(&said.stderr);
        assert_eq!(
            (hash.code == 3, errors(&hash.stderr)),
            (!expected.is_empty(), expected),
            "{}",
            case["why"]
        );
    }
}

#[test]
fn live_objects_get_what_files_get() {
    for case in cases() {
        let runtimes = runtimes(&case);
        let selected: BTreeSet<_> = runtimes.iter().map(|runtime| Object(runtime).key()).collect();
        let key = ("Deployment".to_owned(), "n".to_owned(), "w".to_owned());
        let workloads = BTreeMap::from([(key, workload())]);
        let inventory = Inventory::without_bindings(runtimes, &selected, &workloads, &[]);
        let session = Session::new(Options::new(profile()), ConfigView::Full, Vec::new());
        let mut warnings = Vec::new();
        let verdicts = live::plan(&inventory, &session)
            .into_iter()
            .map(|live| {
                let plan = live.plan.expect("a plan");
                assert_eq!(live.errors.is_empty(), plan.problems().is_empty());
                assert!(live.errors.is_empty() || plan.updates().is_empty(), "a refused plan writes");
                warnings.extend(plan.warnings.iter().map(ToString::to_string));
                (live.id.name, action(plan.action.name()))
            })
            .collect();
        check("live", &case, (verdicts, warnings), str::to_owned);
    }
}

/// To be accepted is all that `validate` and the webhook can say.
fn accepted(verdict: &str) -> String {
    if verdict == "refused" { "refused" } else { "accepted" }.to_owned()
}

#[test]
fn validate_refuses_what_plans_refuse() {
    for case in cases() {
        let report = fed(&["validate", "-f", "-", "-o", "json", "--profile", PROFILE], text(&case)).json();
        let objects = report["objects"].as_array().expect("objects");
        let verdicts = objects
            .iter()
            .map(|one| {
                let word = if one["allowed"] == true { "accepted" } else { "refused" };
                (one["name"].as_str().unwrap_or_default().to_owned(), word.to_owned())
            })
            .collect();
        let all = objects.iter().flat_map(|one| one["warnings"].as_array().into_iter().flatten());
        let warnings = all.filter_map(|one| one["message"].as_str()).map(str::to_owned).collect();
        check("validate", &case, (verdicts, warnings), accepted);
    }
}

#[test]
fn the_strict_webhook_refuses_what_plans_refuse() {
    for case in cases().into_iter().filter(|case| case["webhook"] == true) {
        let known =
            runtimes(&case).iter().filter(|runtime| !Object(runtime).is_being_deleted()).map(|runtime| {
                let spec = AgentRuntimeSpec::from_object(runtime).expect("a spec");
                (Object(runtime).name().to_owned(), spec.target_ref)
            });
        let targets = Targets::new(known);
        let mut warnings = Vec::new();
        let verdicts = runtimes(&case)
            .iter()
            .map(|runtime| {
                let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                    "uid": "u", "operation": "UPDATE", "namespace": "n", "object": runtime,
                    "kind": {"group": "agent.kagenti.dev", "version": "v1alpha1", "kind": "AgentRuntime"}}});
                let review = Review::read(profile(), review.to_string().as_bytes()).expect("a review");
                let extra = Extra { strict: true, pass_deleting: true };
                let answer = review.judge(profile(), Rivals::Known(&targets), extra);
                warnings.extend(answer.warnings);
                let word = if answer.allowed { "accepted" } else { "refused" };
                (Object(runtime).name().to_owned(), word.to_owned())
            })
            .collect();
        check("webhook", &case, (verdicts, warnings), accepted);
    }
}

/// C3: the same broken file had three texts. The controller resolves through the same `GateSource`.
#[test]
fn a_broken_gates_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gates.yaml");
    std::fs::write(&path, "skillImageVolumes: 1\n").expect("a file");
    let path = path.to_str().expect("UTF-8");
    let case = &cases()[0];
    let input = folder.path().join("in.yaml");
    std::fs::write(&input, text(case)).expect("a file");
    let input = input.to_str().expect("UTF-8");
    let wanted = format!(
        "parsing feature gates file {path}: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go \
         struct field FeatureGates.skillImageVolumes of type bool"
    );
    for verb in ["plan", "render", "hash"] {
        let said = skills(&[verb, "-f", input, "--profile", PROFILE, "--feature-gates-file", path]);
        assert!(said.stderr.contains(&wanted), "{verb}: {said:?}");
        assert_eq!(said.code, 3, "{verb}");
    }
}
