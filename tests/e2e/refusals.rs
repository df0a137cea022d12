//! Users whom the server does not know or does not let: what is printed for them, and that nothing is done by halves.

use crate::objects::{deployment, gates_on, path_of, runtime};
use crate::server::Server;

fn set_up(namespace: &str) -> &'static Server {
    let server = Server::shared();
    server.namespace(namespace);
    server.request("POST", "/api/v1/namespaces", Some(&serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kagenti-system"}})));
    server.request("POST", &path_of(&gates_on()), Some(&gates_on()));
    for object in [
        deployment(namespace, "web"),
        runtime(namespace, "web", &[("a", "quay.io/example/a:1", "/skills/a")]),
    ] {
        server.create(&path_of(&object), &object);
    }
    server
}

fn grant(server: &Server, namespace: &str, user: &str, rules: serde_json::Value) {
    grant_to(server, namespace, user, &rules);
}

/// Grants rights in a namespace to a user.
pub fn grant_to(server: &Server, namespace: &str, user: &str, rules: &serde_json::Value) {
    let base = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    let role = serde_json::json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": user}, "rules": rules});
    server.create(&format!("{base}/roles"), &role);
    let binding = serde_json::json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": user},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}});
    server.create(&format!("{base}/rolebindings"), &binding);
}

#[test]
fn expired_credentials_are_told_from_missing_rights() {
    let namespace = "refusals-login";
    let server = set_up(namespace);
    let said = server.skills(&["apply", "-n", namespace, "--user", "expired"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""));
    assert!(said.stderr.contains("not logged in") && said.stderr.contains("log in again"), "{}", said.stderr);
    let said = server.skills(&["apply", "-n", namespace, "--user", "nobody"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""));
    assert!(said.stderr.contains("User \"nobody\" cannot"), "{}", said.stderr);
    let said = server.skills(&["status", "-n", namespace, "--as", "nobody"]);
    assert_eq!(said.code, 4, "impersonation was not asked for: {said:?}");
    assert!(said.stderr.contains("User \"nobody\" cannot"), "{}", said.stderr);
}

/// The operator takes a list that it may not read for an empty one, and every agent gets another hash.
#[test]
fn a_forbidden_list_is_no_empty_list() {
    let namespace = "refusals-list";
    let server = set_up(namespace);
    let rules = serde_json::json!([
        {"apiGroups": ["agent.kagenti.dev"], "resources": ["agentruntimes"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
    ]);
    grant(server, namespace, "viewer", rules);
    let before = server.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"));
    let said = server.skills(&["apply", "-n", namespace, "--user", "viewer"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("configmaps") && said.stderr.contains("--config-from"), "{}", said.stderr);
    assert_eq!(
        server.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"))["metadata"]["generation"],
        before["metadata"]["generation"]
    );
    let doctor = server.skills(&["doctor", "-n", namespace, "--user", "viewer"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.stdout.contains("no; needed for the config hash"), "{}", doctor.stdout);
}

/// Who may read but not write sees the difference by asking for no merge, and reads why apply fails.
#[test]
fn who_may_not_write_is_told_at_the_dry_run() {
    let namespace = "refusals-write";
    let server = set_up(namespace);
    let rules = serde_json::json!([
        {"apiGroups": ["agent.kagenti.dev"], "resources": ["agentruntimes"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
    ]);
    grant(server, namespace, "writer", rules.clone());
    let system = serde_json::json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]);
    grant(server, "kagenti-system", "writer", system);
    let said = server.skills(&["apply", "-n", namespace, "--user", "writer"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("cannot patch resource \"deployments\""), "{}", said.stderr);
    let said = server.skills(&["status", "-n", namespace, "--user", "writer"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
}
