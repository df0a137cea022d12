//! Renders of files nobody wrote: random agents among random documents in random styles. `PROPTEST_CASES` sets how many.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Value, json};

use super::generated::{asking, joined, never_rendered, run, workload, workloads};
use super::*;
use crate::api::names::SKILL_BINDING;
use crate::api::workload::WorkloadKind;
use crate::manifest::stream::Source;
use crate::plan::RecordMode;
use crate::yaml::edit::generated::{Author, Dice, bare};
use crate::yaml::edit::tests::generated::config;
use crate::yaml::{Document, split};

const NAMES: [&str; 6] = ["weather", "planner", "a", "on", "1e3", "x-9"];

/// The documents of a file, each with how its author wrote it.
fn file(dice: &mut Dice<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let agents = 1 + dice.roll(3);
    for name in NAMES.iter().take(agents) {
        let kind = dice.pick(&[
            WorkloadKind::Deployment,
            WorkloadKind::Deployment,
            WorkloadKind::StatefulSet,
            WorkloadKind::Sandbox,
        ]);
        let pair = [workload(dice, kind, name), asking(dice, kind, name)];
        if dice.one_in(4) {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": pair});
            out.push(Author::write(dice, &list));
        } else {
            out.extend(pair.iter().map(|object| Author::write(dice, object)));
        }
        if dice.one_in(3) {
            let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"x": "y"}});
            out.push(Author::write(dice, &other));
        }
    }
    out
}

fn settings(dice: &mut Dice<'_>) -> Settings {
    let name = dice.pick(&["pr332-merged", "pr332", "no-trace"]);
    let mut settings = Settings::new(Profile::by_name(name).unwrap_or(&crate::api::profile::PROFILES[0]));
    settings.options.skill_folders = dice.pick(&[None, Some(true), Some(false)]);
    settings
}

/// What was planned, and what the plans make of each workload, by name.
fn planned(text: &str, settings: &Settings) -> Vec<(String, String, Option<Value>)> {
    let sources = [Source { name: "-".into(), text: text.into() }];
    let Ok(stream) = Stream::read(&sources, "default") else { return Vec::new() };
    let mut out: Vec<_> = plan_all(&stream, settings)
        .plans
        .into_iter()
        .map(|one| {
            (
                one.plan.id.name.clone(),
                one.plan.hash_input.clone(),
                one.plan.desired().cloned().or(one.before),
            )
        })
        .collect();
    out.sort_by(|one, other| one.0.cmp(&other.0));
    out
}

/// Whether the case was rendered, and not refused.
fn check(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let mut dice = Dice { bytes, at: 0 };
    let mut settings = settings(&mut dice);
    let documents = file(&mut dice);
    let text = joined(&documents);
    if text.contains(SKILL_BINDING) {
        // As -i has it: what a SkillBinding has written nothing else tells from its author's.
        settings.options.record = RecordMode::Always;
    }
    let once = match run(&text, &settings) {
        Ok(once) => once,
        Err(errors) => {
            // Refused, and for a reason that an author understands: never a defect of ours.
            for error in &errors {
                prop_assert!(!error.help.contains("defect"), "{error}\nin\n{text}");
                prop_assert!(error.origin.line > 0, "{error}\nin\n{text}");
            }
            return Ok(false);
        }
    };
    // What the text means is what the plan wanted.
    let meant = workloads(&once);
    for (name, _, desired) in planned(&text, &settings) {
        let wanted = desired.as_ref().map(bare);
        prop_assert_eq!(meant.get(&name), wanted.as_ref(), "{}\nof\n{}", name, text);
    }
    // A second run changes no byte.
    prop_assert_eq!(run(&once, &settings), Ok(once.clone()), "a second render of\n{}", once);
    // And everything can be taken back.
    let mut remove = settings.clone();
    remove.options.remove = true;
    let back = run(&once, &remove).map_err(|error| TestCaseError::fail(format!("{error:?}\n{once}")))?;
    prop_assert_eq!(workloads(&back), workloads(&text), "--remove of\n{}\ngave\n{}", once, back);
    // But for empty collections that were filled, to the byte.
    let has_empty = split(&text).iter().any(|slice| {
        let value = Document::parse(&text[slice.start..slice.end]).map(|document| document.to_value());
        matches!(value, Ok(Ok(value)) if bare(&value) != value)
    });
    if !has_empty {
        prop_assert_eq!(&back, &text, "--remove of\n{}", once);
    }
    // The order of documents means nothing, unless one ends in a block scalar that its missing line break cuts short.
    if documents.iter().any(|document| !document.ends_with('\n')) {
        return Ok(true);
    }
    let mut turned = documents;
    let by = dice.roll(turned.len().max(1));
    turned.rotate_left(by);
    turned.reverse();
    prop_assert_eq!(planned(&joined(&turned), &settings), planned(&text, &settings));
    Ok(true)
}

#[test]
fn a_render_means_the_plan_and_can_be_taken_back() {
    let (rendered, all) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config()).run(&prop::collection::vec(any::<u8>(), 0..500), |bytes| {
        all.set(all.get() + 1);
        rendered.set(rendered.get() + usize::from(check(&bytes)?));
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.err().map(|error| error.to_string()).unwrap_or_default());
    // Cases that are refused show little.
    assert!(rendered.get() * 4 > all.get() * 3, "{} of {} were rendered", rendered.get(), all.get());
}

/// A manifest that was never rendered loses nothing, whatever its things are called, and `--remove` gives it back.
#[test]
fn never_rendered_loses_nothing() {
    let (rendered, all) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config()).run(&prop::collection::vec(any::<u8>(), 0..500), |bytes| {
        all.set(all.get() + 1);
        rendered.set(rendered.get() + usize::from(never_rendered(&bytes).map_err(TestCaseError::fail)?));
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.err().map(|error| error.to_string()).unwrap_or_default());
    assert!(rendered.get() * 2 > all.get(), "{} of {} were rendered", rendered.get(), all.get());
}

/// With more places than an edit keeps to, what a plan does not look at would be taken out.
#[test]
fn a_pod_of_many_containers_keeps_all_that_no_plan_looks_at() {
    let container = |index: usize| {
        format!(
            "      - name: c{index}\n        image: i:{index}\n        resources: {{limits: {{cpu: {index}}}}}\n        \
             volumeMounts:\n        - name: skill-a\n          mountPath: /s\n        - name: own\n          mountPath: /own\n"
        )
    };
    for count in [2, 60, 70] {
        let containers: String = (0..count).map(container).collect();
        let text = format!(
            "apiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntime\nmetadata:\n  name: w\nspec:\n  type: agent\n  \
             targetRef: {{apiVersion: apps/v1, kind: Deployment, name: w}}\n  skills:\n  - name: a\n    image: r/a:1\n    \
             mountPath: /s\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: w\nspec:\n  template:\n    spec:\n      \
             containers:\n{containers}"
        );
        let mut settings = Settings::new(Profile::by_name("pr332-merged").unwrap());
        settings.options.record = RecordMode::Always;
        let once = run(&text, &settings).unwrap();
        settings.options.remove = true;
        let back = workloads(&run(&once, &settings).unwrap());
        let left = back["w"]["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        let wanted: Vec<Value> = (0..count)
            .map(|index| {
                json!({
                    "name": format!("c{index}"), "image": format!("i:{index}"), "resources": {"limits": {"cpu": index}},
                    "volumeMounts": [{"name": "own", "mountPath": "/own"}],
                })
            })
            .collect();
        assert_eq!(*left, wanted, "{count}");
    }
}

/// The agent's variable would be written twice if the agent's container were one of those that are read in part.
#[test]
fn an_agent_far_down_its_pod_is_planned_with_all_that_it_has() {
    let container = |index: usize| {
        format!(
            "      - name: c{index}\n        image: i:{index}\n        env:\n        - name: SKILL_FOLDERS\n          value: /of/{index}\n        \
             volumeMounts:\n        - name: own\n          mountPath: /own\n"
        )
    };
    let containers: String = (0..40).map(container).collect();
    for named in [None, Some(0), Some(15), Some(16), Some(39)] {
        let annotations = named.map_or(String::new(), |index| {
            format!("    metadata:\n      annotations:\n        kubectl.kubernetes.io/default-container: c{index}\n")
        });
        let text = format!(
            "apiVersion: agent.kagenti.dev/v1alpha1\nkind: AgentRuntime\nmetadata:\n  name: w\nspec:\n  type: agent\n  \
             targetRef: {{apiVersion: apps/v1, kind: Deployment, name: w}}\n  skills:\n  - name: a\n    image: r/a:1\n    \
             mountPath: /s\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: w\nspec:\n  template:\n{annotations}    \
             spec:\n      containers:\n{containers}"
        );
        let mut settings = Settings::new(Profile::by_name("pr332-merged").unwrap());
        settings.options.skill_folders = Some(true);
        let once = run(&text, &settings).unwrap();
        let agent = named.unwrap_or_default();
        let expected: Vec<Value> = (0..40)
            .map(|index| {
                let mut folders = format!("/of/{index}");
                let mut mounts = vec![json!({"name": "own", "mountPath": "/own"})];
                if index == agent {
                    folders.push_str(",/s");
                    mounts.push(json!({"name": "skill-a", "mountPath": "/s", "readOnly": true}));
                }
                json!({
                    "name": format!("c{index}"), "image": format!("i:{index}"), "volumeMounts": mounts,
                    "env": [{"name": "SKILL_FOLDERS", "value": folders}],
                })
            })
            .collect();
        let after = workloads(&once);
        assert_eq!(after["w"]["spec"]["template"]["spec"]["containers"], Value::Array(expected), "{named:?}");
        assert_eq!(run(&once, &settings), Ok(once.clone()));
    }
}
