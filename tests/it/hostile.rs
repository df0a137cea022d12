//! Inputs that a careful author would not write: nothing of theirs is lost, and what cannot be planned says where.

use serde_json::{Value, json};

use crate::scenario::{Scenario, edited, labelled};

const CONTAINER: &str = "workload|spec|template|spec|containers|0";

/// A render that takes a hand-written volume out costs its author an afternoon.
#[test]
fn an_image_volume_that_nothing_records_is_kept_and_reported() {
    let own = json!({"name": "skill-own", "image": {"reference": "own:1"}});
    let volumes = "workload|spec|template|spec|volumes|-";
    let scenario = Scenario::configured().stale().set(volumes, own.clone());
    let ours = scenario.safe();
    let kept = Scenario::configured().set(volumes, own).before().clone();
    assert_eq!(ours.workload, kept);
    assert!(
        ours.warnings[0].starts_with("image volume skill-own and its mounts are kept"),
        "{:?}",
        ours.warnings
    );
    // Hash and annotation together are how an operator leaves a workload.
    let recorded =
        scenario.set("workload|metadata|annotations|kagenti.io/skills", json!(r#"["own","a","b"]"#)).safe();
    assert_eq!(recorded.workload, Scenario::configured().before().clone());
    assert_eq!(recorded.warnings, [""; 0]);
}

#[test]
fn skill_folders_keep_the_users_order_and_a_value_from_elsewhere_is_refused() {
    let path = format!("{CONTAINER}|env");
    let folders =
        |value: Value| Scenario::configured().set(&path, json!([{"name": "SKILL_FOLDERS", "value": value}]));
    let scenario = folders(json!("/mine, /app/skills/b")).skill_folders(true);
    let ours = scenario.safe();
    let wanted = "/mine, /app/skills/b,/app/skills/a";
    let path_in_workload = "spec|template|spec|containers|0|env|0|value";
    assert_eq!(ours.workload, edited(scenario.before(), &[(path_in_workload, json!(wanted))]));
    let elsewhere = Scenario::configured().set(
        &path,
        json!([{"name": "SKILL_FOLDERS", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}}]),
    );
    let refused = elsewhere.clone().skill_folders(true).safe();
    assert_eq!(&refused.workload, elsewhere.before());
    assert!(refused.problems[0].contains("valueFrom"), "{:?}", refused.problems);
    assert_eq!(&elsewhere.safe().workload, elsewhere.before(), "who does not ask for it gets no error");
}

#[test]
fn fields_of_a_wrong_type_are_refused_and_never_overwritten() {
    for (path, value) in [
        ("workload|metadata|labels", json!("x")),
        ("workload|metadata|annotations", json!([1])),
        ("workload|spec|template|metadata|annotations", json!(7)),
        ("workload|spec|template|spec|volumes", json!({"a": 1})),
        ("workload|spec|template|spec|containers", json!("agent")),
        ("workload|spec|template|spec|initContainers", json!({"a": 1})),
        ("workload|spec|template|spec|containers|0|volumeMounts", json!(true)),
    ] {
        let scenario = Scenario::configured().set(path, value).set("agentRuntime|spec|type", json!("tool"));
        let ours = scenario.safe();
        assert_eq!(&ours.workload, scenario.before(), "{path}");
        assert!(
            ours.problems.iter().any(|problem| problem.starts_with("must be ")),
            "{path}: {:?}",
            ours.problems
        );
    }
}

#[test]
fn absent_null_and_empty_maps_on_the_way_are_made() {
    for path in [
        "workload|metadata|labels",
        "workload|spec|template|metadata",
        "workload|spec|template|metadata|labels",
    ] {
        for value in [Value::Null, json!({})] {
            let scenario = Scenario::vector("skills-volumes/no-skills").set(path, value);
            let ours = scenario.safe();
            assert_eq!(ours.workload, labelled(scenario.before(), &ours.hash, ""), "{path}");
        }
    }
}

/// Both operators of today take an AgentRuntime with no skills, or an empty list, differently from one that is silent.
#[test]
fn an_observed_workload_is_left_by_silence_and_emptied_by_an_empty_list() {
    let rendered = Scenario::vector("skills-volumes/one-skill").under("head").record().safe();
    assert!(rendered.workload.to_string().contains("skill-a"));
    let again =
        Scenario::vector("skills-volumes/no-skills").under("head").record().with_workload(&rendered.workload);
    assert_eq!(again.safe().workload, rendered.workload);
    let emptied = again.set("agentRuntime|spec|skills", json!([])).safe();
    assert_eq!(&emptied.workload, Scenario::vector("skills-volumes/one-skill").before());
}

/// Quadratic work would take minutes here, and the controller with it.
#[test]
fn ten_thousand_volumes_and_mounts_are_planned_at_once() {
    let name = |number: usize| {
        if number.is_multiple_of(2) { format!("skill-{number}") } else { format!("v{number}") }
    };
    let volumes: Vec<Value> =
        (0..10_000).map(|number| json!({"name": name(number), "emptyDir": {}})).collect();
    let mounts: Vec<Value> = (0..10_000)
        .map(|number| json!({"name": name(number), "mountPath": format!("/m/{number}")}))
        .collect();
    let scenario = Scenario::vector("skills-volumes/one-skill")
        .set("workload|spec|template|spec|volumes", json!(volumes))
        .set(&format!("{CONTAINER}|volumeMounts"), json!(mounts));
    let ours = scenario.safe();
    let pod = &ours.workload["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"].as_array().map(Vec::len), Some(10_001));
    assert_eq!(pod["containers"][0]["volumeMounts"].as_array().map(Vec::len), Some(10_001));
    assert_eq!(ours.warnings.len(), 5_000);
}

/// Selectors that all take all workloads would make as many mounts as lists and workloads together: half a million here.
#[test]
fn lists_that_all_take_every_workload_are_refused_with_what_to_do() {
    let count = 700;
    let mut text = String::new();
    for at in 0..count {
        text += &format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: w{at}}}\n\
             spec: {{template: {{metadata: {{labels: {{app: w}}}}, spec: {{containers: [{{name: a, image: x}}]}}}}}}\n---\n\
             apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: b{at:03}}}\n\
             spec: {{selector: {{matchLabels: {{app: w}}}}, skills: [{{name: s{at}, image: 'r.io/s:{at}', mountPath: /s/{at}}}]}}\n---\n"
        );
    }
    let said = crate::program::fed(&["plan", "-f", "-"], &text);
    let help = "(narrow the selectors of its SkillBindings, or put several skills into one image)";
    let errors: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(said.code, 3);
    assert_eq!(
        errors,
        [format!(
            "error: -:9:51: document 2: SkillBinding default/b000: spec.skills: 700 lists have 700 skills for one workload, and it gets \
             at most 200 {help}"
        )]
    );
    // As many as fit are planned.
    let few: String = text.split("---\n").take(400).collect::<Vec<_>>().join("---\n");
    let said = crate::program::fed(&["plan", "-o", "json", "-f", "-"], few);
    let plan: serde_json::Value = serde_json::from_str(&said.stdout).expect("a plan");
    assert_eq!((said.code, plan["runtimes"][0]["skills"].as_array().map(Vec::len)), (0, Some(200)));
}
