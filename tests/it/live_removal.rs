//! `apply --remove` with names: what was not named keeps what it has in the workload.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Options, RecordMode};
use serde_json::{Value, json};

fn workload() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "w"},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "main", "image": "i"}]}}}})
}

fn spec(skill: &str) -> Value {
    json!({"skills": [{"name": skill, "image": format!("a/{skill}:1"), "mountPath": format!("/skills/{skill}")}]})
}

fn binding(name: &str, target: (&str, Value), skill: &str) -> Value {
    let mut object = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"namespace": "n", "name": name}, "spec": spec(skill)});
    object["spec"][target.0] = target.1;
    object
}

fn target() -> (&'static str, Value) {
    ("targetRef", json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}))
}

fn selector() -> (&'static str, Value) {
    ("selector", json!({"matchLabels": {"a": "b"}}))
}

/// The workload with everything in it, after `apply --remove` with these names.
fn after_removal(profile: &str, runtimes: &[Value], bindings: &[Value], names: &[&str]) -> Value {
    let profile = Profile::by_name(profile).expect("a profile");
    let keys = |objects: &[Value], names: &[&str]| -> BTreeSet<(String, String)> {
        objects.iter().map(|one| Object(one).key()).filter(|key| names.contains(&key.1.as_str())).collect()
    };
    let all: Vec<&str> = runtimes.iter().chain(bindings).map(|one| Object(one).name()).collect();
    let mut workload = workload();
    for (remove, names) in [(false, all.as_slice()), (true, names)] {
        let key = ("Deployment".to_owned(), "n".to_owned(), "w".to_owned());
        let workloads = BTreeMap::from([(key, workload.clone())]);
        let (selected, selected_bindings) = (keys(runtimes, names), keys(bindings, names));
        let inventory = Inventory {
            runtimes,
            selected: &selected,
            bindings,
            selected_bindings: &selected_bindings,
            workloads: &workloads,
            pods: &[],
        };
        // The record stands in for the managedFields of a cluster.
        let options = Options { remove, record: RecordMode::Always, ..Options::new(profile) };
        let session = Session::new(options, ConfigView::Full, Vec::new());
        let [planned] = live::plan(&inventory, &session).try_into().expect("one plan");
        assert_eq!(planned.errors, [], "{names:?}");
        workload = planned.plan.expect("a plan").desired().cloned().expect("a change");
    }
    workload
}

/// What skills a workload has, by volume, by mount and by variable.
fn skills_of(workload: &Value) -> Value {
    let names = |pointer: &str| -> Value {
        let items = workload.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        items.map(|item| item["name"].clone()).collect()
    };
    json!({"volumes": names("/spec/template/spec/volumes"),
        "mounts": names("/spec/template/spec/containers/0/volumeMounts"),
        "folders": workload.pointer("/spec/template/spec/containers/0/env/0/value")})
}

/// Whoever removes one of two sets of skills would lose both, without a word.
#[test]
fn other_skill_bindings_keep_what_they_have() {
    let bindings = [binding("one", target(), "pdf"), binding("two", selector(), "tax")];
    let after = |names: &[&str]| after_removal("head", &[], &bindings, names);
    let only = |name: &str| json!({"volumes": [format!("skill-{name}")], "mounts": [format!("skill-{name}")], "folders": format!("/skills/{name}")});
    assert_eq!(skills_of(&after(&["one"])), only("tax"));
    assert_eq!(skills_of(&after(&["two"])), only("pdf"));
    assert_eq!(after(&["one", "two"]), workload());
}

#[test]
fn an_agent_runtime_and_its_skill_bindings_go_each_by_itself() {
    let mut runtime = json!({"apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime",
        "metadata": {"namespace": "n", "name": "run"}, "spec": spec("own")});
    runtime["spec"]["type"] = "agent".into();
    runtime["spec"]["targetRef"] = target().1;
    let bindings = [binding("one", target(), "pdf"), binding("two", selector(), "tax")];
    let after = |names: &[&str]| after_removal("pr332-merged", &[runtime.clone()], &bindings, names);
    let volumes = |names: &[&str]| skills_of(&after(names))["volumes"].clone();
    assert_eq!(volumes(&["run"]), json!(["skill-pdf", "skill-tax"]));
    assert_eq!(volumes(&["one"]), json!(["skill-own", "skill-tax"]));
    assert_eq!(volumes(&["run", "one"]), json!(["skill-tax"]));
    assert_eq!(volumes(&["one", "two"]), json!(["skill-own"]));
    assert_eq!(volumes(&["run", "one", "two"]), json!([]));
    let label = |names: &[&str]| after(names).pointer("/metadata/labels").is_some();
    assert_eq!((label(&["one"]), label(&["run"])), (true, false));
}

/// On a cluster managedFields say whose a volume is: a record goes with the last of what it names, and is the way back as long as
/// somebody else has that.
#[test]
fn a_record_goes_with_the_last_of_what_it_names() {
    let removed = |volumes: Value, manager: &str| {
        let mut workload = workload();
        workload["metadata"]["annotations"] =
            json!({"skills.kagenti.dev/record": "{\"skills\":[\"a\"],\"container\":\"main\"}"});
        workload["metadata"]["managedFields"] = json!([
            {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:volumes": {
                "k:{\"name\":\"skill-a\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}}},
            {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {
                "f:skills.kagenti.dev/record": {}}}}},
        ]);
        workload["spec"]["template"]["spec"]["volumes"] = volumes;
        let list = [binding("one", target(), "a")];
        let workloads =
            BTreeMap::from([(("Deployment".to_owned(), "n".to_owned(), "w".to_owned()), workload)]);
        let (none, selected) = (BTreeSet::new(), BTreeSet::from([("n".to_owned(), "one".to_owned())]));
        let inventory = Inventory {
            runtimes: &[],
            selected: &none,
            bindings: &list,
            selected_bindings: &selected,
            workloads: &workloads,
            pods: &[],
        };
        let profile = Profile::by_name("rossoctl").expect("a profile");
        let session =
            Session::new(Options { remove: true, ..Options::new(profile) }, ConfigView::Full, Vec::new());
        let [planned] = live::plan(&inventory, &session).try_into().expect("one plan");
        let desired = planned.plan.expect("a plan").desired().cloned();
        desired.map(|desired| {
            let record = desired.pointer("/metadata/annotations/skills.kagenti.dev~1record").cloned();
            (record, desired.pointer("/spec/template/spec/volumes").cloned().unwrap_or_else(|| json!([])))
        })
    };
    let volume = json!([{"name": "skill-a", "image": {"reference": "a/a:1"}}]);
    assert_eq!(removed(volume.clone(), "skills.kagenti.dev"), Some((None, json!([]))));
    assert_eq!(removed(json!([]), "skills.kagenti.dev"), Some((None, json!([]))), "an earlier run left it");
    assert_eq!(removed(volume, "kustomize-controller"), None);
}
