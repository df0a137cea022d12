//! Kinds that `--pod-template-path` names, and one of the table whose lists do not merge: nothing of theirs is lost.

use std::path::Path;

use serde_json::{Value, json};

use super::process::{Controller, eventually, until_condition};
use crate::server::{CURRENT, Server};

const KINDS: [&str; 4] = [
    "--pod-template-path",
    "AgentFlow.example.com=spec.template",
    "--pod-template-path",
    "AgentRun.example.com=spec.run",
];

fn server() -> Server {
    let file =
        |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_str().expect("a path").to_owned();
    let crds = [
        "deploy/crd/skillbindings.yaml",
        "tests/e2e/fixtures/agentflows.yaml",
        "tests/e2e/fixtures/agentruns.yaml",
    ];
    let more: Vec<String> = crds.iter().flat_map(|crd| ["--crd".to_owned(), file(crd)]).collect();
    let server = Server::start(CURRENT, &more.iter().map(String::as_str).collect::<Vec<_>>());
    server.kubectl(&["apply", "-f", &file("tests/e2e/fixtures/more_kinds.yaml")], "");
    server.kubectl(&["wait", "--for=condition=established", "crd/rollouts.argoproj.io"], "");
    server
}

/// An agent with a sidecar, as its owner's manifest states them.
fn manifest(api_version: &str, kind: &str, key: &str) -> Value {
    let template = json!({
        "metadata": {"labels": {"app": "flow"}},
        "spec": {
            "containers": [
                {"name": "agent", "image": "quay.io/example/agent:1", "env": [{"name": "PORT", "value": "8000"}],
                 "volumeMounts": [{"name": "cache", "mountPath": "/cache"}]},
                {"name": "proxy", "image": "quay.io/example/proxy:1", "args": ["--fast"]},
            ],
            "volumes": [{"name": "cache", "emptyDir": {}}],
        },
    });
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "flow", "namespace": "team1"},
        "spec": {key: template}})
}

/// Its pod with the skill.
fn delivered(manifest: &Value, key: &str, image: &str) -> Value {
    let mut pod = manifest["spec"][key]["spec"].clone();
    let push = |list: &mut Value, item| list.as_array_mut().expect("a list").push(item);
    push(
        &mut pod["volumes"],
        json!({"name": "skill-pdf", "image": {"reference": image, "pullPolicy": "IfNotPresent"}}),
    );
    let agent = &mut pod["containers"][0];
    push(
        &mut agent["volumeMounts"],
        json!({"name": "skill-pdf", "mountPath": "/skills/pdf", "readOnly": true}),
    );
    push(&mut agent["env"], json!({"name": "SKILL_FOLDERS", "value": "/skills/pdf"}));
    pod
}

/// A list whose items do not merge belongs to who states it: of a container that only has its skill stated, image and
/// arguments would be gone, and the sidecar altogether.
#[test]
fn kinds_whose_lists_may_not_merge_keep_all_that_is_theirs() {
    let server = server();
    server.namespace("team1");
    let kinds = [
        ("example.com/v1", "AgentFlow", "agentflows", "template"),
        ("example.com/v1", "AgentRun", "agentruns", "run"),
        ("argoproj.io/v1alpha1", "Rollout", "rollouts", "template"),
    ];
    let controller = Controller::start(&server, &[&KINDS[..], &["--profile", "rossoctl"]].concat());
    for (api_version, kind, plural, key) in kinds {
        let manifest = manifest(api_version, kind, key);
        let path = format!("/apis/{api_version}/namespaces/team1/{plural}/flow");
        let pod = || server.get(&path)["spec"][key]["spec"].clone();
        let apply = || server.kubectl(&["apply", "-f", "-"], &manifest.to_string());
        apply();
        let target = json!({"apiVersion": api_version, "kind": kind, "name": "flow"});
        let name = kind.to_lowercase();
        let binding = |image: &str| {
            json!({
                "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
                "metadata": {"name": name, "namespace": "team1"},
                "spec": {"targetRef": target, "skills": [{"name": "pdf", "image": image, "mountPath": "/skills/pdf"}]},
            })
        };
        let bind = |image: &str| {
            server.kubectl(&["apply", "--server-side", "-f", "-"], &binding(image).to_string());
        };
        let until = |what: &str, wanted: &Value| {
            eventually(&format!("{kind}: {what}"), || (pod() == *wanted).then_some(()));
        };
        bind("i:1");
        until("the skill", &delivered(&manifest, key, "i:1"));
        until_condition(&server, &binding("i:1"), "Ready", "True Delivered");
        bind("i:2");
        until("another image", &delivered(&manifest, key, "i:2"));
        // The owner states its lists again.
        apply();
        until("the skill after its owner's apply", &delivered(&manifest, key, "i:2"));
        let path = format!("/apis/skills.kagenti.dev/v1alpha1/namespaces/team1/skillbindings/{name}");
        assert_eq!(server.request("DELETE", &path, None).0, 200);
        until("nothing of ours", &manifest["spec"][key]["spec"]);
    }
    assert_eq!(controller.end().0, Some(0));

    let said = server.skills(&["controller", "--pod-template-path", "Nothing.example.com=spec.template"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert_eq!(
        said.stderr.lines().last(),
        Some(
            "error: controller: --pod-template-path Nothing.example.com: the cluster does not serve that kind; install its CRD \
             before the controller starts, or leave the kind out"
        )
    );
}
