//! Alongside the user's own tools: `kubectl apply` of the original manifest, client-side and server-side, and others' fields.

use serde_json::{Value, json};

use crate::objects::{deployment, gates_on, path_of, runtime};
use crate::server::Server;

const WEB: &str = "web";

fn set_up(namespace: &str) -> &'static Server {
    let server = Server::shared();
    server.namespace(namespace);
    server.request(
        "POST",
        "/api/v1/namespaces",
        Some(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kagenti-system"}})),
    );
    server.request("POST", &path_of(&gates_on()), Some(&gates_on()));
    let skills = [("a", "quay.io/example/a:1", "/skills/a"), ("b", "quay.io/example/b:1", "/skills/b")];
    let object = runtime(namespace, WEB, &skills);
    server.create(&path_of(&object), &object);
    server
}

fn live(server: &Server, namespace: &str) -> Value {
    server.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{WEB}"))
}

fn volumes(object: &Value) -> Vec<&str> {
    let list = object.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|volume| volume["name"].as_str()).collect()
}

/// Field paths of one manager, flattened.
pub fn owned(object: &Value, manager: &str) -> Vec<String> {
    let mut out = Vec::new();
    for entry in object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten() {
        if entry["manager"] == manager && entry.get("subresource").is_none() {
            flatten(&entry["fieldsV1"], "", &mut out);
        }
    }
    out.sort();
    out
}

fn flatten(fields: &Value, at: &str, out: &mut Vec<String>) {
    for (key, below) in fields.as_object().into_iter().flatten() {
        let path = format!("{at}/{key}");
        if below.as_object().is_some_and(serde_json::Map::is_empty) {
            out.push(path)
        } else {
            flatten(below, &path, out)
        }
    }
}

/// A plugin that takes a user's fields, or loses its own at the user's next deploy, is worse than none.
#[test]
fn the_users_own_apply_and_ours_leave_each_other_alone() {
    for (namespace, server_side) in [("coexist-client", false), ("coexist-server", true)] {
        let server = set_up(namespace);
        let manifest = deployment(namespace, WEB).to_string();
        let flags: &[&str] =
            if server_side { &["apply", "--server-side", "-f", "-"] } else { &["apply", "-f", "-"] };
        server.kubectl(flags, &manifest);
        let manager = if server_side { "kubectl" } else { "kubectl-client-side-apply" };
        let users = owned(&live(server, namespace), manager);
        assert!(!users.is_empty());
        let said = server.skills(&["apply", "-n", namespace]);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, "deployment.apps/web serverside-applied\n"),
            "{}",
            said.stderr
        );
        let applied = live(server, namespace);
        assert_eq!(volumes(&applied), ["cache", "skill-a", "skill-b"]);
        assert_eq!(owned(&applied, manager), users, "ours took fields of the user");
        let ours = owned(&applied, "skills.kagenti.dev");
        server.kubectl(flags, &manifest);
        let after = live(server, namespace);
        assert_eq!(volumes(&after), ["cache", "skill-a", "skill-b"]);
        assert_eq!(owned(&after, "skills.kagenti.dev"), ours, "the user's apply took fields of ours");
        assert_eq!(
            after["metadata"]["generation"], applied["metadata"]["generation"],
            "the user's apply changed something"
        );
        // The other way of applying takes the user's fields over from the first; ours must outlive that as well.
        server.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifest);
        assert_eq!(volumes(&live(server, namespace)), ["cache", "skill-a", "skill-b"]);
        let again = server.skills(&["apply", "-n", namespace]);
        assert_eq!(again.stdout, "deployment.apps/web unchanged\n", "{}", again.stderr);
        let diff = server.skills(&["diff", "-n", namespace]);
        assert_eq!((diff.code, diff.stdout.as_str()), (0, ""), "{}", diff.stderr);
    }
}

/// Fields that we held and no longer want go; everything of ours goes with --remove, and the user's manifest is left.
#[test]
fn what_is_no_longer_wanted_goes() {
    let namespace = "coexist-remove";
    let server = set_up(namespace);
    server.kubectl(&["apply", "-f", "-"], &deployment(namespace, WEB).to_string());
    let spec = |object: &Value| object["spec"]["template"]["spec"].clone();
    let original = spec(&live(server, namespace));
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let fewer =
        json!({"spec": {"skills": [{"name": "b", "image": "quay.io/example/b", "mountPath": "/skills/b"}]}});
    server.merge(&runtime(namespace, WEB, &[]), "kubectl", &fewer);
    let diff = server.skills(&["diff", "-n", namespace]);
    assert_eq!(diff.code, 1, "{diff:?}");
    assert!(diff.stdout.contains("\n-          reference: quay.io/example/a:1\n"), "{}", diff.stdout);
    assert!(!diff.stdout.contains("generation") && !diff.stdout.contains("managedFields"), "{}", diff.stdout);
    assert_eq!(server.skills(&["apply", "-n", namespace]).code, 0);
    let changed = live(server, namespace);
    assert_eq!(volumes(&changed), ["cache", "skill-b"]);
    // The tag is latest now: the pull policy of the tag before would never pull it again.
    assert_eq!(
        changed["spec"]["template"]["spec"]["volumes"][1]["image"],
        json!({"reference": "quay.io/example/b", "pullPolicy": "Always"})
    );
    let said = server.skills(&["apply", "-n", namespace, "--remove"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let removed = live(server, namespace);
    assert_eq!(spec(&removed), original);
    assert_eq!(owned(&removed, "skills.kagenti.dev"), Vec::<String>::new());
}

/// What the operator's update wrote is taken over without a flag; what anybody else wrote is not.
#[test]
fn the_operators_fields_are_adopted_and_others_are_not() {
    let namespace = "coexist-adopt";
    let server = set_up(namespace);
    server.kubectl(&["apply", "-f", "-"], &deployment(namespace, WEB).to_string());
    let written_by = |manager: &str, image: &str| {
        let mut object = live(server, namespace);
        // The controllers write the status all the time. `kubectl replace` fills the version in and so may be too late;
        // the API takes an object without one.
        object["metadata"].as_object_mut().expect("metadata").remove("resourceVersion");
        let pod = &mut object["spec"]["template"]["spec"];
        pod["volumes"] = json!([{"name": "cache", "emptyDir": {}}, {"name": "skill-a", "image": {"reference": image}},
            {"name": "skill-old", "image": {"reference": "quay.io/example/old:1"}}]);
        pod["containers"][0]["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"},
            {"name": "skill-a", "mountPath": "/skills/a", "readOnly": true}, {"name": "skill-old", "mountPath": "/skills/old", "readOnly": true}]);
        object["metadata"]["annotations"]["kagenti.io/skills"] = json!("[\"a\",\"old\"]");
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{WEB}?fieldManager={manager}");
        // Without a version the server tries again by itself, but not for ever.
        let put = || server.request("PUT", &path, Some(&object));
        let (code, answer) =
            (0..10).map(|_| put()).find(|(code, _)| *code != 409).expect("an end of conflicts");
        assert_eq!(code, 200, "{answer}");
    };
    written_by("manager", "quay.io/example/a:0");
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(volumes(&live(server, namespace)), ["cache", "skill-a", "skill-b"]);
    written_by("helm", "quay.io/example/a:9");
    let before = live(server, namespace);
    let said = server.skills(&["apply", "-n", namespace]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(
        said.stderr.contains("is owned by helm") && said.stderr.contains("--force-conflicts"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains(r#".spec.template.spec.volumes[name="skill-a"].image.reference"#),
        "{}",
        said.stderr
    );
    assert_eq!(
        live(server, namespace)["metadata"]["generation"],
        before["metadata"]["generation"],
        "something was written"
    );
    let said = server.skills(&["apply", "-n", namespace, "--force-conflicts"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    // Forced is what we want; what helm has alongside it is helm's, whatever it is called.
    assert_eq!(volumes(&live(server, namespace)), ["cache", "skill-a", "skill-old", "skill-b"]);
}
