//! A Sandbox restarts through `spec.replicas`, which its owner has set as well.

use serde_json::{Value, json};

use crate::coexist::owned;
use crate::objects::{gates_on, path_of, sandbox};
use crate::server::Server;

/// The user's manifest sets the replicas; a restart that stops at that, or leaves the field to us, is of no use to anybody.
#[test]
fn a_sandbox_restarts_and_its_replicas_stay_the_users() {
    for (namespace, server_side) in [("sandbox-client", false), ("sandbox-server", true)] {
        let server = Server::shared();
        server.namespace(namespace);
        let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kagenti-system"}});
        server.request("POST", "/api/v1/namespaces", Some(&system));
        server.request("POST", &path_of(&gates_on()), Some(&gates_on()));
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
        let first = server.skills(&["apply", "-n", namespace, "-v"]);
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
        let ours = owned(&after, "kubectl-skills");
        assert!(!ours.iter().any(|field| field.contains("replicas")), "{ours:?}");
        server.kubectl(flags, &manifest.to_string());
        let unchanged: Value = server.get(&path);
        assert_eq!(unchanged["metadata"]["generation"], 4, "the user's apply changed something");
        let again = server.skills(&["apply", "-n", namespace]);
        assert_eq!(again.stdout, "sandbox.agents.x-k8s.io/box unchanged\n", "{}", again.stderr);
    }
}
