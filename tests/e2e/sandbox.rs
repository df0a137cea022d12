//! A Sandbox restarts through `spec.replicas`, which its owner has set as well.

use serde_json::{Value, json};

use crate::coexist::owned;
use crate::objects::{gates_on, path_of, sandbox};
use crate::server::Server;

/// The user's manifest sets the replicas; a restart that stops at that, or leaves the field to us, is of no use to anybody.
#[test]
fn a_sandbox_restarts_and_its_replicas_stay_the_users() {
    for (namespace, server_side) in [("sandbox-client", false), ("sandbox-server", true)] {
        let server = Server::with_gate_on(namespace);
        let manifest = sandbox(namespace, "box");
        let flags: &[&str] =
            if server_side { &["apply", "--server-side", "-f", "-"] } else { &["apply", "-f", "-"] };
        let manager = if server_side { "kubectl" } else { "kubectl-client-side-apply" };
        server.kubectl(flags, &manifest.to_string());
        let runtime = json!({
            "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": "box", "namespace": namespace},
            "spec": {"type": "agent", "targetRef": {"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "name": "box"}}
        });
        server.create(&path_of(&runtime), &runtime);
        let path = format!("{}/box", path_of(&manifest));
        let first = server.skills(&["apply", "-n", namespace, "-vv"]);
        assert_eq!(
            (first.code, first.stdout.as_str()),
            (0, "sandbox.agents.x-k8s.io/box serverside-applied\n"),
            "{}",
            first.stderr
        );
        let users = owned(&server.get(&path), manager);
        // Nothing ran with another configuration before, so nothing is restarted.
        assert_eq!(server.get(&path)["metadata"]["generation"], 2, "{}", first.stderr);
        server
            .kubectl(&["annotate", "sandbox", "box", "-n", namespace, "agents.x-k8s.io/pod-name=box-1"], "");
        server.merge(&runtime, "kubectl", &json!({"spec": {"type": "tool"}}));
        // The end of it, not the way: nobody wants to read that his agent goes to zero replicas.
        let diff = server.skills(&["diff", "-n", namespace]);
        assert_eq!(diff.code, 1, "{}", diff.stderr);
        assert!(diff.stdout.contains("+        kagenti.io/type: tool"), "{}", diff.stdout);
        assert!(!diff.stdout.contains("replicas: 0") && !diff.stdout.contains("pending"), "{}", diff.stdout);
        let said = server.skills(&["apply", "-n", namespace]);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, "sandbox.agents.x-k8s.io/box serverside-applied\n"),
            "{}",
            said.stderr
        );
        let after = server.get(&path);
        assert_eq!(after["spec"]["replicas"], 1);
        assert_eq!(after["spec"]["podTemplate"]["metadata"]["labels"]["kagenti.io/type"], "tool");
        // Down and up: the template with the first, then the replicas.
        assert_eq!(after["metadata"]["generation"], 4);
        let annotations = after["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
        let left: Vec<&String> =
            annotations.keys().filter(|key| !key.starts_with("kubectl.kubernetes.io/")).collect();
        assert_eq!(left, Vec::<&String>::new());
        assert_eq!(owned(&after, manager), users, "the replicas are not the user's any more");
        let ours = owned(&after, "skills.kagenti.dev");
        assert!(!ours.iter().any(|field| field.contains("replicas")), "{ours:?}");
        server.kubectl(flags, &manifest.to_string());
        let unchanged: Value = server.get(&path);
        assert_eq!(unchanged["metadata"]["generation"], 4, "the user's apply changed something");
        let again = server.skills(&["apply", "-n", namespace]);
        assert_eq!(again.stdout, "sandbox.agents.x-k8s.io/box unchanged\n", "{}", again.stderr);
    }
}

/// The agent would be down for nothing: skills are never mounted into a Sandbox.
#[test]
fn a_changed_skill_restarts_no_sandbox_and_diff_shows_where_a_restart_ends() {
    let namespace = "sandbox-skills";
    let server = Server::with_gate_on(namespace);
    let manifest = sandbox(namespace, "box");
    server.kubectl(&["apply", "--server-side", "-f", "-"], &manifest.to_string());
    let skills = |tag: &str| json!([{"name": "a", "image": format!("x/a:{tag}"), "mountPath": "/skills/a"}]);
    let runtime = json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": "box", "namespace": namespace},
        "spec": {"type": "agent", "skills": skills("1"),
            "targetRef": {"apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "name": "box"}}
    });
    server.create(&path_of(&runtime), &runtime);
    let path = format!("{}/box", path_of(&manifest));
    let apply = || {
        let said = server.skills(&["apply", "-n", namespace]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        said
    };
    apply();
    let first = server.get(&path);
    let hash = "/spec/podTemplate/metadata/annotations/kagenti.io~1config-hash";
    let kept = "/metadata/annotations/skills.kagenti.dev~1restart-hash";
    server.merge(&runtime, "kubectl", &json!({"spec": {"skills": skills("2")}}));
    let said = apply();
    assert!(
        said.stderr.contains("the Sandbox is not restarted") && said.stderr.contains("[Q29]"),
        "{}",
        said.stderr
    );
    let second = server.get(&path);
    assert_ne!(second.pointer(hash), first.pointer(hash));
    let pod = |object: &Value| {
        object.pointer(kept).and_then(|text| text.as_str()?.split_once('/')).map(|(_, pod)| pod.to_owned())
    };
    assert!(pod(&first).is_some() && pod(&first) == pod(&second), "{second}");
    // Its template alone, in one write: it never went to no replica.
    assert_eq!(
        second["metadata"]["generation"].as_u64(),
        first["metadata"]["generation"].as_u64().map(|before| before + 1)
    );
    let unchanged = "sandbox.agents.x-k8s.io/box unchanged\n";
    assert_eq!(apply().stdout, unchanged);

    // Between the phases of a restart, with a change that came in the middle.
    let between =
        json!({"metadata": {"annotations": {"kagenti.io/restart-pending": "true"}}, "spec": {"replicas": 0}});
    server.merge(&manifest, "skills.kagenti.dev", &between);
    server.merge(&runtime, "kubectl", &json!({"spec": {"type": "tool"}}));
    let diff = server.skills(&["diff", "-n", namespace]);
    assert_eq!(diff.code, 1, "{}", diff.stderr);
    for line in [
        "-  replicas: 0",
        "+  replicas: 1",
        "+        kagenti.io/type: tool",
        "-    kagenti.io/restart-pending: \"true\"",
    ] {
        assert!(diff.stdout.lines().any(|found| found == line), "{line}\n{}", diff.stdout);
    }
    apply();
    let after = server.get(&path);
    assert_eq!(after["spec"]["replicas"], 1);
    assert_eq!(after.pointer("/metadata/annotations/kagenti.io~1restart-pending"), None);
    assert_eq!(after["spec"]["podTemplate"]["metadata"]["labels"]["kagenti.io/type"], "tool");
    assert_eq!(apply().stdout, unchanged);
    assert_eq!(server.skills(&["apply", "-n", namespace, "--remove"]).code, 0);
    assert_eq!(server.get(&path).pointer(kept), None);
}

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Sandboxes as agent-sandbox has them from v1beta1 on (its `api/v1beta1/sandbox_types.go`): `operatingMode` in the place of
/// `replicas`, and nothing kept that the schema does not name.
fn crd(version: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "sandboxes.agents.x-k8s.io"},
        "spec": {"group": "agents.x-k8s.io", "scope": "Namespaced",
            "names": {"kind": "Sandbox", "listKind": "SandboxList", "plural": "sandboxes", "singular": "sandbox"},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "operatingMode": {"type": "string", "enum": ["Running", "Suspended"], "default": "Running"},
                    "podTemplate": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}}]}
    })
}

/// Takes the CRD up, and waits until its version is served.
fn serve(server: &Server, version: &str) {
    let path = format!("{CRDS}/sandboxes.agents.x-k8s.io");
    server.request("DELETE", &path, None);
    let gone = || server.request("GET", &path, None).0 == 404;
    let until = |what: &dyn Fn() -> bool| {
        for _ in 0..300 {
            if what() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the CRD of {version} is not taken up");
    };
    until(&gone);
    server.create(CRDS, &crd(version));
    let group_version = format!("agents.x-k8s.io/{version}");
    until(&|| {
        let (code, group) = server.request("GET", "/apis/agents.x-k8s.io", None);
        let listed = server.request("GET", &format!("/apis/{group_version}/sandboxes"), None).0 == 200;
        code == 200 && group["versions"][0]["groupVersion"] == group_version && listed
    });
}

/// "Not found, create the workload" sends its reader the wrong way when the workload is there, in another version.
#[test]
fn sandboxes_of_a_newer_version_are_written_and_an_unknown_one_is_named() {
    let namespace = "sandbox-beta";
    let server = Server::start(crate::server::CURRENT, &[]);
    for name in [namespace, "kagenti-system"] {
        server.namespace(name);
    }
    server.create(&path_of(&gates_on()), &gates_on());
    serve(&server, "v1beta1");
    let mut object = sandbox(namespace, "box");
    object["apiVersion"] = json!("agents.x-k8s.io/v1beta1");
    object["spec"].as_object_mut().expect("a spec").remove("replicas");
    let path = format!("/apis/agents.x-k8s.io/v1beta1/namespaces/{namespace}/sandboxes");
    server.create(&path, &object);
    let runtime = json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": "box", "namespace": namespace},
        "spec": {"type": "agent", "targetRef": {"apiVersion": "agents.x-k8s.io/v1beta1", "kind": "Sandbox", "name": "box"}}
    });
    server.create(&path_of(&runtime), &runtime);
    let path = format!("{path}/box");
    let written = "sandbox.agents.x-k8s.io/box serverside-applied\n";
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!((said.code, said.stdout.as_str()), (0, written), "{}", said.stderr);
    let stored = server.get(&path);
    assert_eq!(stored["spec"]["podTemplate"]["metadata"]["labels"]["kagenti.io/type"], "agent", "{stored}");
    assert_eq!(stored["spec"]["operatingMode"], "Running");
    // A change of its configuration restarts it, by the field that there is.
    server.merge(&runtime, "kubectl", &json!({"spec": {"type": "tool"}}));
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!((said.code, said.stdout.as_str()), (0, written), "{}", said.stderr);
    let stored = server.get(&path);
    assert_eq!(stored["spec"]["podTemplate"]["metadata"]["labels"]["kagenti.io/type"], "tool", "{stored}");
    assert_eq!(stored["spec"]["operatingMode"], "Running", "it is left suspended");
    assert_eq!(stored["spec"].get("replicas"), None);
    assert_eq!(server.skills(&["apply", "-n", namespace]).stdout, "sandbox.agents.x-k8s.io/box unchanged\n");
    let said = server.skills(&["apply", "-n", namespace, "--remove"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, written), "{}", said.stderr);

    serve(&server, "v7");
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(
        said.stderr.contains("the cluster serves Sandboxes only as agents.x-k8s.io/v7")
            && said.stderr.contains("agents.x-k8s.io/v1beta1 are supported"),
        "{}",
        said.stderr
    );
}
