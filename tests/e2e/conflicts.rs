//! Fields that somebody else holds: what a conflict says, that its advice works with the field managers that there are,
//! and that what is none of ours stops nothing.

use serde_json::{Value, json};

use crate::controller::process::{Controller, until_condition};
use crate::objects::{deployment, path_of, runtime};
use crate::server::Server;

const ANNOTATION: &str = "kagenti.io/skills";

/// How somebody writes his manifests.
struct Manager {
    /// Field manager.
    name: &'static str,
    /// Flags of kubectl that write as it does.
    flags: &'static [&'static str],
    /// What the advice calls its manifest.
    manifest: &'static str,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        name: "kubectl-client-side-apply",
        flags: &["apply"],
        manifest: "the manifest that 'kubectl apply' applies",
    },
    Manager {
        name: "kubectl",
        flags: &["apply", "--server-side"],
        manifest: "the manifest that 'kubectl apply --server-side' applies",
    },
    // Helm 4, and Helm 3, which patches.
    Manager {
        name: "helm",
        flags: &["apply", "--server-side", "--field-manager=helm"],
        manifest: "the Helm chart",
    },
    Manager { name: "helm", flags: &["apply", "--field-manager=helm"], manifest: "the Helm chart" },
    Manager {
        name: "argocd-controller",
        flags: &["apply", "--server-side", "--field-manager=argocd-controller"],
        manifest: "the manifest that Argo CD applies",
    },
];

/// A skill of a ConfigMap is named in the manifest; the image skill alongside it must not cost it, nor start a fight.
#[test]
fn the_advice_of_a_conflict_works_with_every_manager() {
    for (number, manager) in MANAGERS.iter().enumerate() {
        let namespace = format!("conflicts-{number}");
        let namespace = namespace.as_str();
        let server = Server::with_gate_on(namespace);
        let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
        server.create(&path_of(&agent), &agent);
        let mut manifest = deployment(namespace, "web");
        manifest["metadata"]["annotations"] = json!({ANNOTATION: "[\"notes\"]"});
        let deploy =
            |manifest: &Value| server.kubectl(&[manager.flags, &["-f", "-"]].concat(), &manifest.to_string());
        deploy(&manifest);
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
        let annotation = || server.get(&path)["metadata"]["annotations"][ANNOTATION].clone();

        let diff = server.skills(&["diff", "-n", namespace]);
        assert_eq!(diff.code, 1, "{}: {}", manager.name, diff.stderr);
        assert!(diff.stdout.contains("reference: quay.io/example/a:1"), "{}", diff.stdout);
        assert!(diff.stderr.contains("'apply' would be refused"), "{}", diff.stderr);
        assert!(!diff.stderr.contains("\\n"), "one line, without the escape of a break: {}", diff.stderr);

        let said = server.skills(&["apply", "-n", namespace]);
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}: {}", manager.name, said.stderr);
        let before = format!(
            ".metadata.annotations.{ANNOTATION} is owned by {}: '[\"notes\"]' is there, '",
            manager.name
        );
        let rest = said.stderr.split_once(&before).unwrap_or_else(|| panic!("{}", said.stderr)).1;
        let wanted = rest.split_once("' is wanted").expect("a value").0;
        assert!(said.stderr.contains(manager.manifest), "{}", said.stderr);
        assert_eq!(annotation(), "[\"notes\"]");
        let names: Vec<String> = serde_json::from_str(wanted).expect("a JSON list");
        assert!(names.contains(&"a".to_owned()), "{wanted}");

        // As advised: the wanted value goes into the manifest.
        manifest["metadata"]["annotations"][ANNOTATION] = json!(wanted);
        deploy(&manifest);
        let said = server.skills(&["apply", "-n", namespace]);
        assert_eq!(said.code, 0, "{}: {}", manager.name, said.stderr);
        for _ in 0..2 {
            deploy(&manifest);
            assert_eq!(annotation(), wanted, "{}", manager.name);
            let again = server.skills(&["apply", "-n", namespace]);
            assert_eq!(again.stdout, "deployment.apps/web unchanged\n", "{}: {}", manager.name, again.stderr);
        }
        let volumes = server.get(&path)["spec"]["template"]["spec"]["volumes"].clone();
        assert_eq!(volumes[1]["name"], "skill-a", "{volumes}");
    }
}

/// The server takes names that a list has twice, with a warning; a patch of our fields alone is fine alongside them.
#[test]
fn what_its_owner_has_twice_stops_nothing() {
    let namespace = "conflicts-twice";
    let server = Server::with_gate_on(namespace);
    let mut workload = deployment(namespace, "web");
    let container = &mut workload["spec"]["template"]["spec"]["containers"][0];
    container["env"] =
        json!([{"name": "PORT", "value": "1"}, {"name": "X", "value": "1"}, {"name": "PORT", "value": "2"}]);
    container["ports"] = json!([{"containerPort": 80}, {"containerPort": 80}]);
    let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
    for object in [&workload, &agent] {
        server.create(&path_of(object), object);
    }
    let diff = server.skills(&["diff", "-n", namespace]);
    assert_eq!(diff.code, 1, "{}", diff.stderr);
    assert!(!diff.stdout.contains("PORT"), "{}", diff.stdout);
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{}",
        said.stderr
    );
    let stored = server.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"));
    let after = &stored["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(after["env"], workload["spec"]["template"]["spec"]["containers"][0]["env"]);
    assert_eq!(after["ports"].as_array().map(Vec::len), Some(2));
    assert_eq!(after["volumeMounts"][1]["mountPath"], "/skills/a");
    assert_eq!(server.skills(&["apply", "-n", namespace]).stdout, "deployment.apps/web unchanged\n");
    let said = server.skills(&["apply", "-n", namespace, "--remove"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    // Nor the controller.
    let _controller = Controller::of(server, namespace);
    until_condition(server, &agent, "Ready", "True Configured");
    let stored = server.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"));
    let after = &stored["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(after["env"], workload["spec"]["template"]["spec"]["containers"][0]["env"]);
    assert_eq!(after["volumeMounts"][1]["mountPath"], "/skills/a");
}

/// While the gate is off the operator rolls pods and mounts nothing; we do not, and say why.
#[test]
fn no_pod_rolls_for_nothing_while_the_gate_is_off() {
    let namespace = "conflicts-gate";
    let server = Server::with_gate_on(namespace);
    let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
    for object in [deployment(namespace, "web"), agent] {
        server.create(&path_of(&object), &object);
    }
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
    // A namespace without ConfigMaps stands for a cluster without an operator.
    let run = |args: &[&str]| {
        server.skills(&[args, &["-n", namespace, "--operator-namespace", "nowhere"]].concat())
    };
    let off = "the gate skillImageVolumes is off because there is no ConfigMap nowhere/kagenti-feature-gates";
    let said = run(&["apply"]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.stderr);
    assert!(said.stderr.contains(off) && said.stderr.contains("so nothing is written"), "{}", said.stderr);
    assert!(said.stderr.contains("--feature-gates=skillImageVolumes=true"), "{}", said.stderr);
    assert_eq!(server.get(&path)["metadata"]["generation"], 1, "a pod rolled");
    for verb in ["plan", "diff", "hash", "status"] {
        let said = run(&[verb]);
        assert!(said.stderr.contains(off), "{verb}: {}", said.stderr);
    }
    let plan = run(&["plan"]);
    assert!(
        plan.stdout.contains("the gate skillImageVolumes is off: no skill is to be mounted"),
        "{}",
        plan.stdout
    );
    // What the advice says works.
    let said = run(&["apply", "--feature-gates=skillImageVolumes=true"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web serverside-applied\n"),
        "{}",
        said.stderr
    );
}
