//! `status` and `plan` have one idea of what is wanted: a workload has findings exactly when the plan changes it.

#![allow(clippy::expect_used, reason = "a test stops at bad data")]

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::object::{ConfigMap, Object, Origin};
use kubectl_skills::api::profile::{PROFILES, Profile};
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::status_report::{Report, report};
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Action, Options};
use serde_json::{Value, json};

/// A moment of a cluster.
struct Moment {
    profile: &'static Profile,
    gate: bool,
    restarts: bool,
    runtimes: Vec<Value>,
    workload: Value,
}

/// What plan and status say of the first AgentRuntime.
struct Said {
    action: Action,
    changes: Vec<String>,
    after: Value,
    report: Report,
}

impl Moment {
    fn look(&self) -> Said {
        let key = live::target(&self.runtimes[0]);
        let workloads = BTreeMap::from([(key, self.workload.clone())]);
        let selected = BTreeSet::from([Object(&self.runtimes[0]).key()]);
        let inventory = Inventory::without_bindings(&self.runtimes, &selected, &workloads, &[]);
        let options = Options { gate: self.gate, restarts: self.restarts, ..Options::new(self.profile) };
        // Defaults of the namespace, so that the hash of a deleted AgentRuntime is not that of nothing.
        let map = json!({"metadata": {"name": "defaults", "namespace": "n",
            "labels": {self.profile.names.defaults_label: "true"}}, "data": {"LOG": "debug"}});
        let maps = vec![ConfigMap::from_value(&map, Origin::default()).expect("a ConfigMap")];
        let session = Session::new(options, ConfigView::Full, maps);
        let planned = live::plan(&inventory, &session).remove(0);
        let plan = planned.plan.expect("a plan");
        let report = report(
            &self.runtimes[0],
            Some(&self.workload),
            Some(&plan),
            None,
            self.profile.names,
            Kinds::default(),
        );
        let changes = plan.changes(&self.workload).iter().map(|change| change.path.clone()).collect();
        let after = plan.desired().unwrap_or(&self.workload).clone();
        Said { action: plan.action, changes, after, report }
    }

    /// Looks, and holds the two against each other.
    fn agree(&self, when: &str) -> Said {
        let said = self.look();
        let findings = said.report.findings();
        let context = || format!("{when}: {} {findings:?} {:?}", self.profile.name, said.changes);
        assert_ne!(said.action, Action::Error, "{}", context());
        assert_eq!(findings.is_empty(), said.changes.is_empty(), "{}", context());
        said
    }
}

fn runtime(profile: &Profile, kind: &str, name: &str, created: &str) -> Value {
    let api = if kind == "Sandbox" { "agents.x-k8s.io/v1alpha1" } else { "apps/v1" };
    json!({"apiVersion": format!("{}/v1alpha1", profile.names.group), "kind": "AgentRuntime",
        "metadata": {"namespace": "n", "name": name, "creationTimestamp": created, "finalizers": [profile.names.finalizer]},
        "spec": {"type": "agent", "targetRef": {"apiVersion": api, "kind": kind, "name": "w"},
            "skills": [{"name": "a", "image": "q.io/a:1", "mountPath": "/skills/a"}]}})
}

fn workload(kind: &str) -> Value {
    let pod = json!({"metadata": {"labels": {"app": "w"}},
        "spec": {"containers": [{"name": "agent", "image": "q.io/agent:1"}]}});
    if kind == "Sandbox" {
        return json!({"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": kind,
            "metadata": {"namespace": "n", "name": "w"}, "spec": {"replicas": 1, "podTemplate": pod}});
    }
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"namespace": "n", "name": "w"},
        "spec": {"selector": {"matchLabels": {"app": "w"}}, "template": pod}})
}

fn deleted(mut runtime: Value) -> Value {
    runtime["metadata"]["deletionTimestamp"] = json!("2026-01-03T00:00:00Z");
    runtime
}

fn moments() -> impl Iterator<Item = Moment> {
    PROFILES.iter().flat_map(|profile| {
        ["Deployment", "StatefulSet", "Sandbox"].into_iter().flat_map(move |kind| {
            [(true, true), (true, false), (false, true)].map(|(gate, restarts)| Moment {
                profile,
                gate,
                restarts,
                runtimes: vec![runtime(profile, kind, "a", "2026-01-01T00:00:00Z")],
                workload: workload(kind),
            })
        })
    })
}

/// A whole life: before the first write, after it, with another image, while it is deleted, and when that is done.
#[test]
fn they_agree_from_the_first_write_to_the_last() {
    let mut looks = 0;
    for mut moment in moments() {
        for round in 0..3 {
            moment.workload = moment.agree(&format!("written {round} times")).after;
            looks += 1;
        }
        let settled = moment.agree("at rest");
        assert_eq!(settled.changes, [""; 0], "{}", moment.profile.name);
        moment.runtimes[0]["spec"]["skills"][0]["image"] = json!("q.io/a:2");
        for round in 0..3 {
            moment.workload = moment.agree(&format!("another image, written {round} times")).after;
        }
        let mut going = Moment { runtimes: vec![deleted(moment.runtimes[0].clone())], ..moment };
        let said = going.agree("being deleted");
        assert_eq!(said.report.listed, [], "{}: skills of what is deleted", going.profile.name);
        going.workload = said.after;
        let said = going.agree("deleted");
        assert_eq!((said.report.listed, said.changes), (Vec::new(), Vec::new()));
        assert!(said.report.hash_wanted.is_empty() || said.report.hash_wanted == said.report.hash_found);
        looks += 6;
    }
    println!("status and plan: {looks} looks, {} profiles", PROFILES.len());
}

/// Its workload is another's now: nothing of it is wanted of whoever is being deleted, and nothing is amiss.
#[test]
fn who_is_deleted_and_has_an_heir_wants_nothing() {
    for mut moment in moments() {
        let kind = moment.workload["kind"].as_str().expect("a kind").to_owned();
        moment.workload = moment.agree("before").after;
        let heir = runtime(moment.profile, &kind, "b", "2026-01-02T00:00:00Z");
        moment.runtimes = vec![deleted(moment.runtimes[0].clone()), heir];
        let said = moment.agree("with an heir");
        assert_eq!(said.action, Action::Skipped);
        assert_eq!((said.report.listed.len(), said.report.hash_wanted.as_str()), (0, ""));
    }
}

/// Names of skills that others mount, such as those of ConfigMaps, are no fault of the annotation.
#[test]
fn a_name_that_the_plan_keeps_is_no_finding() {
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    let mut moment = Moment {
        profile,
        gate: true,
        restarts: true,
        runtimes: vec![runtime(profile, "Deployment", "a", "2026-01-01T00:00:00Z")],
        workload: workload("Deployment"),
    };
    moment.workload["metadata"]["annotations"] = json!({profile.names.skills: r#"["notes"]"#});
    moment.workload = moment.agree("before").after;
    let said = moment.agree("after");
    assert_eq!(said.report.annotated, Some(Ok(vec!["notes".to_owned(), "a".to_owned()])));
    assert_eq!(said.report.findings(), [""; 0]);
}

/// What is refused leaves nothing to be wanted but the spec, and of a deleted one not even that.
#[test]
fn a_refused_plan_wants_the_spec_until_it_is_deleted() {
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    let mut broken = workload("Deployment");
    broken["spec"]["template"]["spec"]["volumes"] = json!({"a": 1});
    let mut moment = Moment {
        profile,
        gate: true,
        restarts: true,
        runtimes: vec![runtime(profile, "Deployment", "a", "2026-01-01T00:00:00Z")],
        workload: broken,
    };
    let said = moment.look();
    assert_eq!((said.action, said.report.listed.len()), (Action::Error, 1));
    moment.runtimes[0] = deleted(moment.runtimes[0].clone());
    let said = moment.look();
    assert_eq!((said.action, said.report.listed.len()), (Action::Error, 0));
}
