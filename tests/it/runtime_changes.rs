//! A variable that a render has written for `spec.runtime` goes with its reason, from files and from clusters; what the
//! author wrote stays.

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
use kubectl_skills::plan::session::Session;
use kubectl_skills::plan::{Options, of_nobody};
use serde_json::{Value, json};

use crate::program::skills;

const PDF: &str = "{name: pdf, image: 'acme/pdf:1', mountPath: /skills/pdf}";

fn workload(env: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: weather\nspec:\n  template:\n    spec:\n      containers:\n      \
         - name: agent\n        image: i:1\n{env}"
    )
}

fn binding(name: &str, target: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {{name: {name}}}\nspec:\n{spec}  \
         targetRef: {{apiVersion: apps/v1, kind: Deployment, name: {target}}}\n  skills: [{PDF}]\n"
    )
}

/// The workload's document after a render of it and `first` in place, and one of it and `then`.
fn after(env: &str, first: &str, then: &str, more: &[&str]) -> String {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let path = file.path().to_str().expect("a path");
    let mut text = workload(env);
    for (objects, more) in [(first, &[][..]), (then, more)] {
        std::fs::write(path, format!("{text}{objects}")).expect("a file");
        let said = skills(&[&["render", "-i", "-f", path], more].concat());
        let rendered = std::fs::read_to_string(path).expect("the file");
        assert_eq!(said.code, 0, "{rendered}: {said:?}");
        let again = skills(&[&["render", "-i", "-f", path], more].concat());
        assert_eq!((again.code, std::fs::read_to_string(path).expect("the file")), (0, rendered.clone()));
        text = rendered.split("---\n").next().expect("a document").to_owned();
    }
    text
}

const KAGENT: &str = "        env:\n        - name: KAGENT_SKILLS_FOLDER\n          value: /skills\n";
const OWN: &str = "        env:\n        - name: SKILL_FOLDERS\n          value: /skills/pdf,/opt\n";

/// An agent that is led to a folder that is gone finds nothing there, or what somebody else mounts.
#[test]
fn in_files_the_variable_of_an_earlier_runtime_goes() {
    let kagent = binding("b", "weather", "  runtime: kagent\n");
    for (what, then, more) in [
        ("no binding", String::new(), &["--remove"][..]),
        ("pods", binding("b", "weather", "  runtime: kagent\n  delivery: Pod\n"), &[]),
        ("pods, and no runtime", binding("b", "weather", "  delivery: Pod\n"), &[]),
        (
            "another workload",
            binding("b", "other", "  runtime: kagent\n")
                + "---\n"
                + &workload("").replace("weather", "other"),
            &["--remove"],
        ),
        ("the binding goes", kagent.clone(), &["--remove"]),
        ("the binding goes without its runtime", binding("b", "weather", ""), &["--remove"]),
    ] {
        for env in ["", KAGENT] {
            assert_eq!(after(env, &kagent, &then, more), workload(env), "{what}");
        }
    }
    // With skills in it still.
    for spec in ["", "  runtime: kagenti\n", "  runtime: claude\n  home: /root\n", "  runtime: docsclaw\n"] {
        for (name, env) in [("b", ""), ("b", KAGENT), ("another", ""), ("another", KAGENT)] {
            let then = binding(name, "weather", spec);
            // As if it had never been another.
            assert_eq!(after(env, &kagent, &then, &[]), after(env, &then, &then, &[]), "{spec}{env}");
            // And back.
            let back = after("", &then, &kagent, &[]);
            assert_eq!(back, after("", &kagent, &kagent, &[]), "{spec}");
        }
        let led = binding("b", "weather", spec);
        let text = after(OWN, &led, &kagent, &[]);
        assert!(text.contains(OWN) && text.contains("KAGENT_SKILLS_FOLDER"), "{text}");
    }
}

/// We, where lists do not merge.
const WHOLE: &str = "kubectl-skills lists";

/// What a cluster says of who wrote the variable.
fn managed(variable: &str, managers: &[&str]) -> Value {
    let of = |manager: &&str| {
        let env = json!({format!("k:{{\"name\":\"{variable}\"}}"): {".": {}, "f:name": {}, "f:value": {}}});
        let volumes = json!({"k:{\"name\":\"skill-pdf\"}": {".": {}, "f:name": {}, "f:image": {}}});
        let mounts = json!({"k:{\"mountPath\":\"/skills/pdf\"}": {".": {}, "f:name": {}, "f:mountPath": {}}});
        let mut agent = json!({"f:env": env});
        let mut pod = json!({});
        if *manager == "kubectl-skills" {
            agent["f:volumeMounts"] = mounts;
            pod["f:volumes"] = volumes;
        }
        pod["f:containers"] = json!({"k:{\"name\":\"agent\"}": agent});
        if *manager == WHOLE {
            // The lists of a CRD that does not say how they merge.
            pod = json!({"f:containers": {}, "f:volumes": {}});
        }
        let manager = manager.trim_end_matches(" lists");
        json!({"manager": manager, "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": pod}}}})
    };
    managers.iter().map(of).collect()
}

/// The variables of the workload after a run over what an earlier one left, by who wrote them.
fn variables(variable: Value, managers: &[&str], object: &Value, remove: bool) -> Value {
    let name = variable["name"].as_str().expect("a name").to_owned();
    let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "n", "name": "weather", "annotations": {"kagenti.io/skills": "[\"pdf\"]"},
            "managedFields": managed(&name, managers)},
        "spec": {"template": {"spec": {
            "containers": [{"name": "agent", "image": "i",
                "env": [{"name": "MINE", "value": "x"}, variable],
                "volumeMounts": [{"name": "skill-pdf", "mountPath": "/skills/pdf", "readOnly": true}]}],
            "volumes": [{"name": "skill-pdf", "image": {"reference": "acme/pdf:1", "pullPolicy": "IfNotPresent"}}]}}}});
    let workloads =
        BTreeMap::from([(("Deployment".to_owned(), "n".to_owned(), "weather".to_owned()), workload.clone())]);
    let bindings = std::slice::from_ref(object);
    let selected: BTreeSet<(String, String)> = [Object(object).key()].into();
    let none = BTreeSet::new();
    let inventory = Inventory {
        runtimes: &[],
        selected: &none,
        bindings,
        selected_bindings: &selected,
        workloads: &workloads,
        pods: &[],
    };
    let options = Options { remove, ..Options::new(Profile::by_name("head").expect("a profile")) };
    let session = Session::new(options, ConfigView::Full, Vec::new());
    let [planned] = live::plan(&inventory, &session).try_into().expect("one plan");
    assert_eq!(planned.errors, []);
    let plan = planned.plan.expect("a plan");
    plan.desired()
        .unwrap_or(&workload)
        .pointer("/spec/template/spec/containers/0/env")
        .cloned()
        .expect("variables")
}

#[test]
fn on_a_cluster_the_variable_of_an_earlier_runtime_goes() {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"});
    let of = |more: Value| {
        let mut object = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
            "metadata": {"namespace": "n", "name": "b"},
            "spec": {"targetRef": target, "skills": [{"name": "pdf", "image": "acme/pdf:1", "mountPath": "/skills/pdf"}]}});
        for (key, value) in more.as_object().expect("fields") {
            object["spec"][key] = value.clone();
        }
        object
    };
    let mut deleted = of(json!({"runtime": "kagent"}));
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let nobody = of_nobody(
        &Object(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "n", "name": "weather"}}))
        .reference(),
    );
    let mine = json!({"name": "MINE", "value": "x"});
    let kagent = json!({"name": "KAGENT_SKILLS_FOLDER", "value": "/skills"});
    let folders = |value: &str| json!({"name": "SKILL_FOLDERS", "value": value});
    for (object, remove, left) in [
        (of(json!({})), false, vec![folders("/skills/pdf")]),
        (of(json!({"runtime": "claude", "home": "/root"})), false, vec![]),
        (of(json!({"delivery": "Pod"})), false, vec![]),
        (of(json!({"delivery": "Pod", "runtime": "kagent"})), false, vec![]),
        (of(json!({"runtime": "kagent"})), true, vec![]),
        (of(json!({})), true, vec![]),
        (deleted, false, vec![]),
        (nobody, true, vec![]),
    ] {
        let all = |first: &[&Value]| -> Value { first.iter().copied().chain(&left).cloned().collect() };
        let after = |managers: &[&str]| variables(kagent.clone(), managers, &object, remove);
        assert_eq!(after(&["kubectl-skills"]), all(&[&mine]), "{object}");
        assert_eq!(
            after(&["kubectl-skills", "argocd"]),
            all(&[&mine, &kagent]),
            "its author states it as well: {object}"
        );
        assert_eq!(after(&["argocd"]), all(&[&mine, &kagent]), "{object}");
        // There nobody says who wrote it, and only without any skill it is nobody's.
        let stays = !remove
            && object["metadata"].get("deletionTimestamp").is_none()
            && object["spec"]["delivery"] != "Pod";
        let whole = if stays { all(&[&mine, &kagent]) } else { all(&[&mine]) };
        assert_eq!(after(&[WHOLE]), whole, "{object}");
    }
    let object = of(json!({"runtime": "kagent"}));
    let after = |value: &str, managers: &[&str]| variables(folders(value), managers, &object, false);
    assert_eq!(after("/skills/pdf", &["kubectl-skills"]), json!([mine, kagent]));
    assert_eq!(after("/opt,/skills/pdf", &["kubectl-skills"]), json!([mine, folders("/opt"), kagent]));
    assert_eq!(after("/skills/pdf", &["argocd"]), json!([mine, folders("/skills/pdf"), kagent]));
}
