//! SkillBindings over files and over live objects: one plan, one verdict. The cases stand in `testdata/skill_bindings.json`,
//! in a short form that is spelled out here.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test writes files and stops at bad data"
)]

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::manifest::render::{Settings, plan_all};
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Options, RuntimePlan};
use serde_json::{Value, json};

use crate::program::{fed, skills};

fn api_version(kind: &str, profile: &Profile) -> String {
    match kind {
        "AgentRuntime" => format!("{}/v1alpha1", profile.names.group),
        "SkillBinding" => "skills.kagenti.dev/v1alpha1".to_owned(),
        "Job" | "CronJob" => "batch/v1".to_owned(),
        _ => "apps/v1".to_owned(),
    }
}

/// An object of a case as a cluster has it.
fn object(short: &Value, profile: &Profile) -> Value {
    let kind = short["kind"].as_str().expect("a kind");
    let mut out = json!({"apiVersion": api_version(kind, profile), "kind": kind,
        "metadata": {"namespace": "n", "name": short["name"], "creationTimestamp": "2026-01-01T00:00:00Z"}});
    if short["deleting"] == true {
        out["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    }
    let labels = short.get("labels").cloned().unwrap_or_else(|| json!({"app": "w"}));
    let template =
        json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "agent", "image": "i"}]}});
    out["spec"] = match kind {
        "CronJob" => json!({"jobTemplate": {"spec": {"template": template}}}),
        "AgentRuntime" | "SkillBinding" => short["spec"].clone(),
        _ => json!({"template": template}),
    };
    if kind == "AgentRuntime" {
        out["spec"]["type"] = "agent".into();
    }
    if let Some((kind, name)) = out["spec"]["targetRef"].as_str().and_then(|text| text.split_once('/')) {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        out["spec"]["targetRef"] =
            json!({"apiVersion": api_version(&kind, profile), "kind": kind, "name": name});
    }
    for skill in out.pointer_mut("/spec/skills").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = skill.as_str().map(str::to_owned) {
            *skill = json!({"name": name, "image": "i:1", "mountPath": format!("/s/{name}")});
        }
    }
    out
}

/// What came of a case: by workload, or by who leads where there is none, whose plan it is, the action and the skills.
#[derive(Debug, Default, PartialEq)]
struct Said {
    plans: BTreeMap<String, String>,
    errors: BTreeSet<String>,
}

impl Said {
    fn add(&mut self, plan: &RuntimePlan, has_workload: bool) {
        let at = if has_workload && plan.action != kubectl_skills::plan::Action::Skipped {
            format!("{}/{}", plan.target.kind, plan.target.name)
        } else {
            format!("{}/{}", plan.id.kind, plan.id.name)
        };
        let skills: Vec<&str> = plan.skills.iter().map(|one| one.skill.name.as_str()).collect();
        self.plans.insert(at, format!("{}: {} {}", plan.whose(), plan.action.name(), skills.join(",")));
    }
}

struct Case {
    why: String,
    objects: Vec<Value>,
    options: Options,
    wanted: Said,
    raw: Value,
}

fn cases() -> Vec<Case> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../testdata/skill_bindings.json")).expect("the cases");
    all.into_iter()
        .map(|raw| {
            let profile = Profile::by_name(raw["profile"].as_str().unwrap_or_default()).expect("a profile");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let plans = raw["plans"].as_object().into_iter().flatten();
            let errors = raw["errors"].as_array().into_iter().flatten();
            Case {
                why: text(&raw["why"]),
                objects: raw["objects"]
                    .as_array()
                    .expect("objects")
                    .iter()
                    .map(|one| object(one, profile))
                    .collect(),
                options: Options { exact: raw["exact"] == true, ..Options::new(profile) },
                wanted: Said {
                    plans: plans.map(|(at, said)| (at.clone(), text(said))).collect(),
                    errors: errors.map(text).collect(),
                },
                raw,
            }
        })
        .collect()
}

fn error(error: &kubectl_skills::api::error::InputError) -> String {
    let whose = error.object.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{whose}: {}: {}", error.field, error.message)
}

fn check(face: &str, case: &Case, mut said: Said) {
    if !case.wanted.errors.is_empty() {
        // What is refused has no plan that counts.
        said.plans.clear();
    }
    assert_eq!(said, case.wanted, "{face}: {}", case.why);
}

/// Two ways to read one list would mount different skills from Git and on the cluster.
#[test]
fn files_and_live_objects_get_one_plan() {
    for case in cases() {
        let text: String = case.objects.iter().map(|object| format!("---\n{object}\n")).collect();
        // In files nothing has a creation time, and an order of documents means nothing.
        for reversed in [false, true] {
            let mut documents: Vec<&str> = text.split_inclusive('\n').collect();
            if reversed {
                documents = documents.chunks(2).rev().flatten().copied().collect();
            }
            let sources = [Source { name: "-".into(), text: documents.concat() }];
            let stream = Stream::read(&sources, "n").expect("objects");
            let settings = Settings { options: case.options.clone(), ..Settings::new(case.options.profile) };
            let planned = plan_all(&stream, &settings);
            let mut said = Said::default();
            planned.plans.iter().for_each(|one| said.add(&one.plan, one.workload.is_some()));
            // Errors name files; who is first there depends on nothing but names.
            said.errors = planned.errors.iter().map(|one| strip_places(&error(one))).collect();
            check("files", &case, said);
        }
        let of_kind = |kind: &str| -> Vec<Value> {
            case.objects.iter().filter(|object| object["kind"] == kind).cloned().collect()
        };
        let (runtimes, bindings) = (of_kind("AgentRuntime"), of_kind("SkillBinding"));
        let keys = |all: &[Value]| all.iter().map(|one| Object(one).key()).collect::<BTreeSet<_>>();
        let workloads =
            case.objects.iter().filter(|one| one["kind"] != "SkillBinding" && one["kind"] != "AgentRuntime");
        let workloads: BTreeMap<_, _> = workloads
            .map(|one| {
                let id = Object(one).reference();
                ((id.kind, id.namespace, id.name), one.clone())
            })
            .collect();
        let (selected, selected_bindings) = (keys(&runtimes), keys(&bindings));
        let inventory = Inventory {
            bindings: &bindings,
            selected_bindings: &selected_bindings,
            ..Inventory::without_bindings(&runtimes, &selected, &workloads, &[])
        };
        let session = Session::new(case.options.clone(), ConfigView::default(), Vec::new());
        let mut said = Said::default();
        for live in live::plan(&inventory, &session) {
            said.errors.extend(live.errors.iter().map(error));
            if let Some(plan) = &live.plan {
                said.add(plan, live.workload.is_some());
                if let Some(wanted) = case.raw.get("mount") {
                    let pod =
                        plan.desired().and_then(|object| object.pointer("/spec/template/spec/containers/0"));
                    let pod = pod.expect("a container");
                    assert_eq!(
                        (&pod["volumeMounts"][0]["mountPath"], &pod["env"][0]),
                        (wanted, &case.raw["env"]),
                        "{}",
                        case.why
                    );
                }
            }
        }
        check("live", &case, said);
    }
}

/// The input of a case as a file of manifests.
fn manifests(case: &Case) -> String {
    case.objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// A list that `validate` lets through and `render` refuses, or the other way round, would be found on the cluster. Only a workload
/// that is not in the input may be elsewhere.
#[test]
fn validate_refuses_what_render_refuses() {
    let mut refused = 0;
    for case in cases() {
        let profile = case.options.profile.name;
        let said =
            fed(&["validate", "-n", "n", "--profile", profile, "-o", "json", "-f", "-"], manifests(&case));
        let wanted: BTreeSet<&String> =
            case.wanted.errors.iter().filter(|error| !error.contains(" not found in namespace ")).collect();
        let report = said.json();
        let of = |object: &Value| {
            let findings = object["findings"].as_array().into_iter().flatten();
            let name = object["name"].as_str().unwrap_or_default().to_owned();
            let kind = if name == "w" { "Deployment" } else { "SkillBinding" };
            let text = move |one: &Value| {
                let said = strip_places(one["message"].as_str().unwrap_or_default());
                let (message, help) = said.split_once(" (").expect("how to mend it");
                assert!(help.ends_with(')'), "{said}");
                format!("{kind} n/{name}: {message}")
            };
            findings.map(text).collect::<Vec<_>>()
        };
        let findings: Vec<String> = report["objects"].as_array().into_iter().flatten().flat_map(of).collect();
        assert_eq!(findings.iter().collect::<BTreeSet<_>>(), wanted, "{}: {report:#}", case.why);
        assert_eq!(said.code, i32::from(!wanted.is_empty()), "{}: {said:?}", case.why);
        refused += wanted.len();
    }
    assert_eq!(refused, 8);
}

/// The API server looks at the metadata of every object: what it refuses must not pass here.
#[test]
fn metadata_that_the_server_refuses_is_an_error() {
    let text = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\n\
                metadata: {name: My desk, labels: {a b: c}}\n\
                spec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: w}\n\
                \x20 skills: [{name: pdf, image: 'acme/pdf:1', mountPath: /pdf}]\n---\n\
                apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\n\
                spec: {template: {spec: {containers: [{name: a, image: b}]}}}\n";
    let fields = |said: &crate::program::Said| {
        let named = ["metadata.name: Invalid value: \"My desk\"", "metadata.labels: Invalid value: \"a b\""];
        named.map(|field| said.stdout.contains(field) || said.stderr.contains(field))
    };
    for verb in ["validate", "render"] {
        let said = fed(&[verb, "-f", "-"], text);
        assert_eq!(fields(&said), [true, true], "{verb}: {said:?}");
        assert_eq!(said.code, if verb == "validate" { 1 } else { 3 }, "{verb}");
    }
}

/// Rendered once is rendered; and what was rendered into a file is taken out again to the byte.
#[test]
fn the_program_renders_them_once_and_takes_them_back() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for case in cases() {
        let text = manifests(&case);
        let mut rules = vec!["-n", "n", "--profile", case.options.profile.name];
        rules.extend(case.options.exact.then_some("--exact"));
        let render = |text: &str| fed(&[&["render", "-f", "-"], &rules[..]].concat(), text);
        let once = render(&text);
        if !case.wanted.errors.is_empty() {
            assert_eq!((once.code, once.stdout.as_str()), (3, ""), "{}: {once:?}", case.why);
            let stderr = strip_places(&once.stderr);
            for error in &case.wanted.errors {
                assert!(stderr.contains(error.as_str()), "{}: {error} is not in {stderr}", case.why);
            }
            continue;
        }
        assert_eq!(once.code, 0, "{}: {once:?}", case.why);
        let again = render(&once.stdout);
        assert_eq!((again.code, &again.stdout), (0, &once.stdout), "{}", case.why);
        let file = dir.path().join("all.yaml");
        std::fs::write(&file, &text).expect("a writable directory");
        let in_place = |more: &[&str]| {
            let path = file.to_str().expect("a path");
            let said = skills(&[&["render", "-i", "-f", path], &rules[..], more].concat());
            assert_eq!(said.code, 0, "{}: {said:?}", case.why);
            std::fs::read_to_string(&file).expect("the file")
        };
        // An observer's AgentRuntime is printed without its list, and -i would lose it.
        let drops = case.options.profile.name == "head"
            && case
                .objects
                .iter()
                .any(|one| one["kind"] == "AgentRuntime" && one["spec"].get("skills").is_some());
        if drops {
            let path = file.to_str().expect("a path");
            let said = skills(&[&["render", "-i", "--drop-skills", "-f", path], &rules[..]].concat());
            // A record would name skills that no list has: the next render would take them out.
            let refused = said.code == 3
                && said.stderr.contains(": spec.skills: the CRD of profile head has no spec.skills");
            let done = said.code == 0 && in_place(&[]) == std::fs::read_to_string(&file).expect("the file");
            assert!(refused || done, "{}: {said:?}", case.why);
            if refused {
                assert_eq!(std::fs::read_to_string(&file).expect("the file"), text, "{}", case.why);
            }
            continue;
        }
        // Unlike what is printed, a file that is its own source bears a record of what is ours.
        in_place(&[]);
        // With --exact the operator's own deletion is done, which leaves labels and hash.
        if !case.options.exact {
            assert_eq!(in_place(&["--remove"]), text, "{}", case.why);
        }
    }
}

/// `(-:5)`, where a message of files names a place.
fn strip_places(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (-:") {
        out.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out + rest
}
