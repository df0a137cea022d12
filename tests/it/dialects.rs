//! A workload whose rules become those of the other operator: the annotation by which the first one named its skills goes with them,
//! over files and over a cluster, and nothing of its author's does.

#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::collections::{BTreeMap, BTreeSet};

use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::live::{self, Inventory};
use kubectl_skills::plan::Options;
use kubectl_skills::plan::session::Session;
use serde_json::{Value, json};

use crate::program::{BINDING, Folder};

/// The lines of annotations of a workload with these, after `render -i` by the rules of each profile in turn.
fn rendered(annotations: &str, runs: &[&[&str]]) -> Vec<String> {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: weather\n  namespace: team1\n{annotations}spec:\n  template:\n    \
         spec:\n      containers:\n      - name: agent\n        image: agent:1\n"
    );
    let folder = Folder::with(&[("list.yaml", BINDING), ("workload.yaml", &text)]);
    for run in runs {
        let said = folder.skills(&[&["render", "-i", "-f", "."], *run].concat());
        assert_eq!(said.code, 0, "{said:?}");
    }
    let text = folder.read("workload.yaml");
    let lines = text.lines().skip(5).take_while(|line| *line != "spec:");
    lines.filter(|line| !line.contains("/record:")).map(|line| line.trim().to_owned()).collect()
}

/// The annotation of the first operator stayed for ever, and its tools went on to show skills of it.
#[test]
fn the_annotation_of_the_other_rules_goes_from_files() {
    let [head, rossoctl] = ["head", "rossoctl"].map(|name| ["--profile", name]);
    let ours = |key: &str| vec!["annotations:".to_owned(), format!("{key}: '[\"pdf\"]'")];
    assert_eq!(rendered("", &[&head]), ours("kagenti.io/skills"));
    assert_eq!(rendered("", &[&head, &rossoctl]), ours("rossoctl.io/skills"));
    assert_eq!(rendered("", &[&head, &rossoctl, &rossoctl, &head]), ours("kagenti.io/skills"));
    // Whatever the rules of the removal.
    for last in
        [&["--remove"][..], &["--remove", "--profile", "head"], &["--remove", "--profile", "rossoctl"]]
    {
        assert_eq!(rendered("", &[&head, &rossoctl, last]), [""; 0], "{last:?}");
    }
    // What its author had there is there again, as it was spelled.
    let author = "  annotations:\n    kagenti.io/skills: '[ \"triage\" ]'\n";
    let before = ["annotations:", "kagenti.io/skills: '[ \"triage\" ]'"];
    let both = [&before[..], &["rossoctl.io/skills: '[\"pdf\"]'"]].concat();
    assert_eq!(rendered(author, &[&head, &rossoctl]), both);
    assert_eq!(rendered(author, &[&head, &rossoctl, &["--remove"]]), before);
    // Also where it is a name of ours: kagenti's backend lists what it mounts itself.
    let author = "  annotations:\n    kagenti.io/skills: '[\"pdf\"]'\n";
    let both = [&ours("kagenti.io/skills")[..], &["rossoctl.io/skills: '[\"pdf\"]'".to_owned()]].concat();
    assert_eq!(rendered(author, &[&rossoctl, &rossoctl]), both);
    let remove = ["--remove", "--profile", "rossoctl"];
    assert_eq!(rendered(author, &[&rossoctl, &remove]), ours("kagenti.io/skills"));
}

/// The workload of a cluster after `apply` by a profile; `managers`: who states what of it.
fn applied(profile: &str, workload: &Value) -> (String, Option<Value>) {
    let binding = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"namespace": "n", "name": "tools"}, "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"},
            "skills": [{"name": "pdf", "image": "a/pdf:1", "mountPath": "/skills/pdf"}]}});
    let workloads =
        BTreeMap::from([(("Deployment".to_owned(), "n".to_owned(), "w".to_owned()), workload.clone())]);
    let selected = BTreeSet::from([Object(&binding).key()]);
    let bindings = [binding];
    let inventory = Inventory {
        runtimes: &[],
        selected: &BTreeSet::new(),
        bindings: &bindings,
        selected_bindings: &selected,
        workloads: &workloads,
        pods: &[],
    };
    let profile = Profile::by_name(profile).expect("a profile");
    let session = Session::new(Options::new(profile), ConfigView::Full, Vec::new());
    let [planned] = live::plan(&inventory, &session).try_into().expect("one plan");
    assert_eq!(planned.errors, []);
    let plan = planned.plan.expect("a plan");
    (plan.reason.clone(), plan.desired().cloned())
}

/// What `apply` wrote by the first rules is taken out by it; what anybody else states there is his, also an operator that still runs.
#[test]
fn the_annotation_of_the_other_rules_goes_from_a_cluster_where_we_alone_state_it() {
    let plain = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "w"},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "i"}]}}}});
    let (reason, written) = applied("head", &plain);
    assert_eq!(reason, "1 skill is to be mounted");
    let written = written.expect("a change");
    let stated_by = |manager: &str| {
        let mut workload = written.clone();
        let keys = |names: &str| json!({"f:metadata": {"f:annotations": {names: {}}}});
        let volume = json!({"f:spec": {"f:template": {"f:spec": {"f:volumes": {
            "k:{\"name\":\"skill-pdf\"}": {".": {}, "f:name": {}}}}}}});
        workload["metadata"]["managedFields"] = json!([
            {"manager": manager, "operation": "Apply", "fieldsV1": keys("f:kagenti.io/skills")},
            {"manager": "skills.kagenti.dev", "operation": "Apply", "fieldsV1": volume}]);
        workload
    };
    let annotations = |manager: &str| {
        let (reason, after) = applied("rossoctl", &stated_by(manager));
        (reason, after.map(|after| after["metadata"]["annotations"].clone()))
    };
    let comes = "the annotation rossoctl.io/skills is to be written";
    assert_eq!(
        annotations("skills.kagenti.dev"),
        (
            format!("{comes}, the annotation kagenti.io/skills is to be taken out"),
            Some(json!({"rossoctl.io/skills": "[\"pdf\"]"}))
        )
    );
    for other in ["manager", "kubectl-client-side-apply", "helm"] {
        let both = json!({"kagenti.io/skills": "[\"pdf\"]", "rossoctl.io/skills": "[\"pdf\"]"});
        assert_eq!(annotations(other), (comes.to_owned(), Some(both)), "{other}");
    }
}
