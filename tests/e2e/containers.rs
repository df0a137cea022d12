//! Which container has the skills, where a pod has several and its owner deploys in between.

use serde_json::{Value, json};

use crate::objects::{deployment, path_of, runtime};
use crate::server::Server;

/// Names of the containers in order, each with the paths of its mounts.
fn containers(object: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|container| {
            let mounts = container["volumeMounts"].as_array();
            (
                text(container, "name"),
                mounts.into_iter().flatten().map(|mount| text(mount, "mountPath")).collect(),
            )
        })
        .collect()
}

fn all(mounts: [&[&str]; 3]) -> Vec<(String, Vec<String>)> {
    let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    ["agent", "proxy", "worker"].map(str::to_owned).into_iter().zip(mounts.map(own)).collect()
}

/// Pods whose first container changes run another program by `kubectl exec`; and a mount that stays in the old container
/// shows it skills that are not its own.
#[test]
fn another_container_gets_the_skills_and_the_order_stays() {
    for (namespace, server_side) in [("containers-client", false), ("containers-server", true)] {
        let server = Server::with_gate_on(namespace);
        let mut manifest = deployment(namespace, "web");
        let pod = &mut manifest["spec"]["template"]["spec"];
        let list = pod["containers"].as_array_mut().expect("containers");
        list.push(json!({"name": "worker", "image": "quay.io/example/worker:1"}));
        let agent = runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]);
        server.create(&path_of(&agent), &agent);
        let flags: &[&str] =
            if server_side { &["apply", "--server-side", "-f", "-"] } else { &["apply", "-f", "-"] };
        let deploy = || server.kubectl(flags, &manifest.to_string());
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
        let live = || containers(&server.get(&path));
        let apply = |more: &[&str]| {
            let said = server.skills(&[&["apply", "-n", namespace], more].concat());
            assert_eq!(said.code, 0, "{}", said.stderr);
            said.stdout
        };
        deploy();
        assert_eq!(apply(&[]), "deployment.apps/web serverside-applied\n");
        let first = all([&["/cache", "/skills/a"], &[], &[]]);
        assert_eq!(live(), first);
        deploy();
        assert_eq!(live(), first, "the owner's apply took a mount of ours");
        for (name, after) in [
            ("worker", all([&["/cache"], &[], &["/skills/a"]])),
            ("proxy", all([&["/cache"], &["/skills/a"], &[]])),
            ("agent", first.clone()),
        ] {
            let diff = server.skills(&["diff", "-n", namespace, "--container", name]);
            assert_eq!(diff.code, 1, "{}", diff.stderr);
            let moved = |line: &str| line.starts_with(['-', '+']) && line.contains("image: quay.io");
            assert!(!diff.stdout.lines().any(moved), "{}", diff.stdout);
            assert_eq!(apply(&["--container", name]), "deployment.apps/web serverside-applied\n");
            assert_eq!(live(), after, "{name}");
            deploy();
            assert_eq!(live(), after, "{name}: the owner's apply changed it");
            assert_eq!(apply(&["--container", name]), "deployment.apps/web unchanged\n");
        }
        apply(&["--remove"]);
        assert_eq!(live(), all([&["/cache"], &[], &[]]));
    }
}
