//! The quirks of configuration, admission and the cluster, Q1 to Q3, Q8, Q13 to Q16 and Q22 to Q25 of
//! docs/compatibility.md, as far as the library decides them.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::gates::FeatureGates;
use kubectl_skills::manifest::render::{Planned, Settings, plan_all};
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::validate::webhook::{Operation, Rivals, Targets, verdict};
use serde_json::{Value, json};

use crate::scenario::{Scenario, edited, labelled};
use crate::vectors::cases;

fn config_map(name: &str, label: bool, data: Value) -> Value {
    let labels = if label { json!({"kagenti.io/defaults": "true"}) } else { json!({}) };
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
           "metadata": {"name": name, "namespace": "team1", "labels": labels}})
}

fn authbridge() -> Value {
    config_map("authbridge-runtime-config", false, json!({"config.yaml": "mode: lite"}))
}

/// Q1: an edit of the ConfigMap would roll nothing, and nobody would know why.
#[test]
fn q1_exact_does_not_hash_what_the_cache_hides() {
    let plain = Scenario::configured().operator();
    let hidden = Scenario::configured().object(authbridge()).cached().operator();
    assert_eq!((&hidden.hash, hidden.warnings), (&plain.hash, Vec::new()));
    assert_ne!(Scenario::configured().object(authbridge()).operator().hash, plain.hash, "full view");
}

#[test]
fn q1_safe_hashes_the_same_and_says_so() {
    let ours = Scenario::configured().object(authbridge()).cached().safe();
    assert_eq!(ours.hash, Scenario::configured().operator().hash);
    assert_eq!(ours.quirks(), ["Q1"]);
    let full = Scenario::configured().object(authbridge());
    assert_eq!(full.safe().hash, full.operator().hash);
    assert_eq!(full.safe().quirks(), [""; 0]);
}

/// Q2: the cached list comes in random order; by name is the one order that a second run repeats.
#[test]
fn q2_exact_takes_the_first_by_name() {
    let scenario = Scenario::vector("status/two-ns-defaults-warning");
    assert_eq!(scenario.operator().condition("ConfigResolved").0, "True");
    assert!(scenario.operator().events.to_string().contains("ConfigWarning"));
}

#[test]
fn q2_safe_takes_the_same_in_any_order_and_warns() {
    let a = config_map("a", true, json!({"log": "a"}));
    let b = config_map("b", true, json!({"log": "b"}));
    let one = Scenario::configured().object(a.clone()).object(b.clone()).safe();
    let other = Scenario::configured().object(b).object(a.clone()).safe();
    assert_eq!((&one.hash, &one.warnings), (&other.hash, &other.warnings));
    assert_eq!(one.hash, Scenario::configured().object(a).safe().hash);
    assert_eq!(one.quirks(), ["Q2"]);
}

/// Q3: what cannot be read is no value. The operator takes it for one; a plan cannot be asked for without the answer.
#[test]
fn q3_a_map_that_is_not_read_is_another_hash_in_both_modes() {
    let with = Scenario::configured().object(config_map("a", true, json!({"log": "a"})));
    let without = Scenario::configured();
    assert_ne!(with.operator().hash, without.operator().hash);
    assert_eq!(with.safe().hash, with.operator().hash);
    assert_eq!(without.safe().hash, without.operator().hash);
}

/// Q8: the gate that is opened last mounts nothing, since the hash was stamped before.
#[test]
fn q8_exact_never_mounts_after_the_hash_was_stamped() {
    let scenario = Scenario::vector("already-configured/gate-turned-on-after-hash-stamped");
    let theirs = scenario.operator();
    assert_eq!(&theirs.workload, scenario.before());
    assert_eq!(theirs.condition("SkillsMounted").0, "True");
    let closed = Scenario::configured().gate(false);
    assert_eq!(&closed.operator().workload, closed.before());
    assert_eq!(closed.operator().condition("SkillsMounted").0, "False");
}

#[test]
fn q8_safe_mounts_and_warns_of_what_stays_when_the_gate_closes() {
    let ours = Scenario::vector("already-configured/gate-turned-on-after-hash-stamped").safe();
    assert_eq!(ours.workload["spec"], Scenario::configured().before()["spec"]);
    let closed = Scenario::configured().gate(false);
    let ours = closed.safe();
    assert_eq!(ours.workload, edited(closed.before(), &[("metadata|annotations", json!(null))]));
    assert!(ours.quirks().contains(&"Q8"), "{:?}", ours.warnings);
    assert!(
        ours.warnings.iter().any(|text| text.contains("skill-a, skill-b stays mounted")),
        "{:?}",
        ours.warnings
    );
}

/// Q13: Helm installs have no webhook, so what it would refuse reaches the pod.
#[test]
fn q13_exact_writes_one_volume_twice() {
    let theirs = Scenario::vector("skills-volumes/duplicate-skill-names-unvalidated").operator();
    let volumes = &theirs.workload["spec"]["template"]["spec"]["volumes"];
    assert_eq!(volumes[0]["name"], volumes[1]["name"]);
}

#[test]
fn q13_safe_refuses_without_any_webhook() {
    for (vector, problem) in [
        (
            "skills-volumes/duplicate-skill-names-unvalidated",
            "skill a is there twice, and a pod takes a volume once",
        ),
        (
            "skills-volumes/empty-name-skill",
            "the volume of skill \"\" would be called \"skill-\", which is no volume name",
        ),
        ("labels-annotations/skills-annotation-html-name", "the volume of skill \"<&>\" would be called"),
    ] {
        let scenario = Scenario::vector(vector);
        let ours = scenario.safe();
        assert_eq!(&ours.workload, scenario.before(), "{vector}");
        assert!(ours.problems[0].starts_with(problem), "{vector}: {:?}", ours.problems);
    }
}

fn mounted_at(path: &str) -> Scenario {
    Scenario::vector("skills-volumes/one-skill").set("agentRuntime|spec|skills|0|mountPath", json!(path))
}

/// Q14: the denylist is of texts; what it lets through can break the container all the same.
#[test]
fn q14_exact_says_nothing() {
    for path in ["//proc", "/run/secrets/kubernetes.io", "/process"] {
        assert_eq!(mounted_at(path).operator().warnings, [""; 0], "{path}");
    }
}

#[test]
fn q14_safe_mounts_the_same_and_warns_by_path_segment() {
    for (path, quirks) in
        [("//proc", vec!["Q14"]), ("/run/secrets/kubernetes.io", vec!["Q14"]), ("/process", vec![])]
    {
        let ours = mounted_at(path).safe();
        assert_eq!(ours.workload, mounted_at(path).operator().workload, "{path}");
        assert_eq!(ours.quirks(), quirks, "{path}");
    }
    let merged = Profile::by_name("pr332-merged").expect("a profile");
    for case in cases("validate").iter().filter(|case| std::ptr::eq(case.profile, merged)) {
        let refused = case.name == "validate/path-process-false-positive";
        if refused || case.name == "validate/path-run-secrets-bypass" {
            assert_eq!(case.output["allowed"], !refused, "{}", case.name);
        }
    }
}

fn planned(documents: &[&Value], exact: bool) -> Planned {
    let text: Vec<String> = documents.iter().map(ToString::to_string).collect();
    let sources = [Source { name: "all.json".into(), text: text.join("\n") }];
    let stream = Stream::read(&sources, "default").expect("readable documents");
    let mut settings = Settings::new(Profile::by_name("pr332-merged").expect("a profile"));
    settings.options.exact = exact;
    plan_all(&stream, &settings)
}

fn id(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "agent.kagenti.dev/v1alpha1".into(),
        kind: "AgentRuntime".into(),
        namespace: "team1".into(),
        name: name.into(),
    }
}

fn rival(scenario: &Scenario) -> Value {
    edited(
        scenario.runtime(),
        &[
            ("metadata|name", json!("rival")),
            ("spec|targetRef|apiVersion", json!("apps/v1beta1")),
            ("spec|skills", json!([{"name": "z", "image": "z:1", "mountPath": "/z"}])),
        ],
    )
}

/// Q15: two AgentRuntimes write one workload in turn, and its pods roll without end.
#[test]
fn q15_exact_lets_the_last_one_win() {
    let scenario = Scenario::configured();
    let rival = rival(&scenario);
    let planned = planned(&[scenario.runtime(), &rival, scenario.before()], true);
    assert_eq!(planned.errors, []);
    let last = planned.plans[1].plan.desired().expect("a write").clone();
    assert_eq!(last["metadata"]["annotations"], json!({"kagenti.io/skills": r#"["z"]"#}));
    let spec = AgentRuntimeSpec::from_object(&rival).expect("a spec");
    let own = AgentRuntimeSpec::from_object(scenario.runtime()).expect("a spec");
    let targets = Targets::new([("weather".to_owned(), own.target_ref)]);
    let id = id("rival");
    let pr332 = Profile::by_name("pr332").expect("a profile");
    assert!(verdict(pr332, Operation::Create, &id, &spec, Rivals::Known(&targets)).allowed(), "another text");
}

#[test]
fn q15_safe_refuses_both_by_name() {
    let scenario = Scenario::configured();
    let rival = rival(&scenario);
    let planned = planned(&[scenario.runtime(), &rival, scenario.before()], false);
    let reported: Vec<String> = planned.errors.iter().map(|error| error.message.clone()).collect();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(
        reported[0].starts_with("Deployment weather is also the target of AgentRuntime rival ("),
        "{reported:?}"
    );
    assert!(
        reported[1].starts_with("Deployment weather is also the target of AgentRuntime weather ("),
        "{reported:?}"
    );
    assert!(planned.plans.iter().all(|one| one.plan.desired().is_none()));
}

/// Q16: the operator's webhook judges the update that takes the finalizer off. What ours does instead is asked for with
/// `Extra::pass_deleting` (its own tests); a plan lets go either way.
#[test]
fn q16_an_object_that_is_refused_is_let_go_by_both_plans() {
    let going =
        mounted_at("/proc").set("agentRuntime|metadata|deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let spec = AgentRuntimeSpec::from_object(going.runtime()).expect("a spec");
    let merged = Profile::by_name("pr332-merged").expect("a profile");
    let id = id("weather");
    assert!(!verdict(merged, Operation::Update, &id, &spec, Rivals::Unknown).allowed());
    for outcome in [going.operator(), going.safe()] {
        assert_eq!((outcome.problems, outcome.status), (Vec::new(), json!({})));
    }
}

/// Q22: a workload that is no target any more keeps its skills, and nobody says so.
#[test]
fn q22_exact_leaves_the_old_workload_in_silence() {
    let scenario = Scenario::configured();
    let old = edited(scenario.before(), &[("metadata|name", json!("old"))]);
    let planned = planned(&[scenario.runtime(), scenario.before(), &old], true);
    assert_eq!((planned.errors, planned.warnings), (Vec::new(), Vec::new()));
}

#[test]
fn q22_safe_leaves_it_and_warns() {
    let scenario = Scenario::configured();
    let old = edited(scenario.before(), &[("metadata|name", json!("old"))]);
    let planned = planned(&[scenario.runtime(), scenario.before(), &old], false);
    assert_eq!(planned.errors, []);
    let reported: Vec<(&str, &str)> =
        planned.warnings.iter().map(|(id, warning)| (id.name.as_str(), warning.quirk)).collect();
    assert_eq!(reported, [("old", "Q22")]);
}

fn ready_before() -> Scenario {
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "reason": "Before", "message": "before"});
    Scenario::vector("status/target-missing")
        .set("agentRuntime|status|conditions", json!([condition("Ready"), condition("SkillsMounted")]))
}

/// Q23: an agent without a workload would be ready.
#[test]
fn q23_exact_keeps_ready_from_before() {
    let theirs = ready_before().operator();
    assert_eq!(theirs.condition("Ready"), ("True", "before"));
    assert_eq!(theirs.condition("SkillsMounted"), ("True", "before"));
    assert_eq!(theirs.status["phase"], "Error");
}

#[test]
fn q23_safe_says_that_it_is_not() {
    let ours = ready_before().safe();
    let message = "apps/v1/Deployment weather not found in namespace team1";
    assert_eq!(ours.condition("TargetResolved"), ("False", message));
    assert_eq!(ours.condition("Ready"), ("False", message));
    assert_eq!(ours.condition("SkillsMounted"), ("", ""));
    let refused = Scenario::vector("skills-volumes/long-name-58").set(
        "agentRuntime|status|conditions",
        json!([{"type": "SkillsMounted", "status": "True", "reason": "Before", "message": "before"}]),
    );
    assert_eq!(refused.safe().condition("SkillsMounted"), ("", ""));
}

/// Q24: the file says off everywhere and two gates are on. Both are read as the operator reads them: they are its own.
#[test]
fn q24_all_gates_false_are_the_defaults_in_both_modes() {
    let case = cases("gates")
        .into_iter()
        .find(|case| case.name == "gates-file/explicit-all-false")
        .expect("a vector");
    let gates = FeatureGates::load(case.profile, case.input["featureGatesFile"].as_str()).expect("a file");
    assert_eq!(case.output["featureGates"]["globalEnabled"], true);
    assert_eq!(case.output["featureGates"]["skillImageVolumes"], false);
    assert!(!gates.skills(case.profile));
    let off = Scenario::vector("gate/all-false-file");
    assert_eq!(off.safe().workload, off.operator().workload);
    assert_eq!(off.safe().workload, labelled(off.before(), &off.safe().hash, ""));
}

/// An AgentRuntime that is deleted while its Sandbox is down to be restarted.
fn going_in_a_restart() -> Scenario {
    Scenario::vector("deletion/sandbox")
        .set("workload|spec|replicas", json!(0))
        .set("workload|metadata|annotations|kagenti.io/restart-pending", json!("true"))
        .set("workload|metadata|annotations|agents.x-k8s.io/pod-name", json!("weather-1"))
}

/// Q25: the agent stays down until somebody wonders why.
#[test]
fn q25_exact_leaves_the_sandbox_down() {
    let theirs = going_in_a_restart().operator();
    assert_eq!(theirs.workload["spec"]["replicas"], 0);
    assert_eq!(theirs.workload["metadata"]["annotations"]["kagenti.io/restart-pending"], "true");
}

#[test]
fn q25_safe_brings_it_up() {
    let before = Scenario::vector("deletion/sandbox").set("workload|spec|replicas", json!(1));
    assert_eq!(going_in_a_restart().safe().workload, before.safe().workload);
    assert_eq!(before.safe().workload["spec"]["replicas"], 1);
}
