//! Whose pod it is: pods of real controllers, and pods as controllers that are not here make them.

use serde_json::{Value, json};

use super::{bind, by_label, container, dry_run, given, pod, server, until, until_seen};
use crate::server::Server;

/// A SkillBinding for a workload.
fn target(server: &Server, namespace: &str, name: &str, api_version: &str, kind: &str, workload: &str) {
    let mut spec =
        by_label("", &json!({"targetRef": {"apiVersion": api_version, "kind": kind, "name": workload}}));
    spec.as_object_mut().expect("a spec").remove("selector");
    bind(server, namespace, name, &spec);
}

fn template(app: &str, more: &Value) -> Value {
    let mut spec = json!({"containers": [container("agent", &json!({}))]});
    for (key, value) in more.as_object().expect("fields") {
        spec[key] = value.clone();
    }
    json!({"metadata": {"labels": {"app": app}}, "spec": spec})
}

/// A workload of each kind that has a controller here, by name.
fn workload(kind: &str, name: &str) -> (String, Value) {
    let (group, plural) = match kind {
        "Job" => ("batch/v1", "jobs"),
        "CronJob" => ("batch/v1", "cronjobs"),
        "Deployment" => ("apps/v1", "deployments"),
        "StatefulSet" => ("apps/v1", "statefulsets"),
        "DaemonSet" => ("apps/v1", "daemonsets"),
        _ => ("apps/v1", "replicasets"),
    };
    let selector = json!({"matchLabels": {"app": name}});
    let job = json!({"template": template(name, &json!({"restartPolicy": "Never"}))});
    let spec = match kind {
        "Job" => job,
        "DaemonSet" => {
            // The node of this test is never ready.
            let template = template(name, &json!({"tolerations": [{"operator": "Exists"}]}));
            json!({"selector": selector, "template": template})
        }
        "CronJob" => json!({"schedule": "* * * * *", "jobTemplate": {"spec": job}}),
        "StatefulSet" => {
            json!({"selector": selector, "serviceName": name, "template": template(name, &json!({}))})
        }
        _ => json!({"selector": selector, "template": template(name, &json!({}))}),
    };
    let object = json!({
        "apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "owners"}, "spec": spec,
    });
    (format!("/apis/{group}/namespaces/owners/{plural}"), object)
}

/// A name that only begins like a target's is another workload.
#[test]
fn pods_of_real_controllers_get_their_skills_and_those_of_neighbours_do_not() {
    let server = server();
    server.namespace("owners");
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}});
    server.create("/api/v1/nodes", &node);
    let kinds = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"];
    for kind in kinds {
        let group = if kind.ends_with("Job") { "batch/v1" } else { "apps/v1" };
        let name = kind.to_lowercase();
        target(server, "owners", &name, group, kind, &name);
    }
    until_seen(server);
    for kind in kinds {
        for name in [kind.to_lowercase(), format!("{}-2", kind.to_lowercase())] {
            let (path, object) = workload(kind, &name);
            server.create(&path, &object);
        }
    }
    let pods_of = |app: &str| -> Vec<Value> {
        let list = server.get(&format!("/api/v1/namespaces/owners/pods?labelSelector=app%3D{app}"));
        list["items"].as_array().cloned().unwrap_or_default()
    };
    for kind in kinds {
        for (app, wanted) in [
            (kind.to_lowercase(), vec!["skill-pdf at /skills/pdf".to_owned()]),
            (format!("{}-2", kind.to_lowercase()), Vec::new()),
        ] {
            until(&format!("a pod of {app}"), || !pods_of(&app).is_empty());
            for pod in pods_of(&app) {
                assert_eq!(given(&pod, 0).0, wanted, "{app}");
            }
        }
    }
    let deployment = server.get("/apis/apps/v1/namespaces/owners/deployments/deployment");
    assert_eq!(deployment["metadata"]["generation"], 1, "nothing was written into the workload");
    assert_eq!(deployment["spec"]["template"]["spec"].get("volumes"), None);
}

/// Kinds whose controllers are not here, and pods that only look like a workload's.
#[test]
fn a_pod_is_told_by_its_owner_and_labels() {
    let server = server();
    server.namespace("owned");
    let long = "a".repeat(250);
    for (name, version, kind, workload) in [
        ("deployment", "apps/v1", "Deployment", "web"),
        ("long", "apps/v1", "Deployment", long.as_str()),
        ("rollout", "argoproj.io/v1alpha1", "Rollout", "canary"),
        ("sandbox", "agents.x-k8s.io/v1alpha1", "Sandbox", "box"),
        ("service", "serving.knative.dev/v1", "Service", "site"),
        ("cron", "batch/v1", "CronJob", "night"),
        ("set", "apps/v1", "StatefulSet", "db"),
    ] {
        target(server, "owned", name, version, kind, workload);
    }
    until_seen(server);
    let owner = |version: &str, kind: &str, name: &str, controller: bool| json!([{"apiVersion": version, "kind": kind, "name": name, "uid": "1", "controller": controller}]);
    let replica_set = |name: &str| owner("apps/v1", "ReplicaSet", name, true);
    let job = |name: &str| owner("batch/v1", "Job", name, true);
    let hash = |hash: &str| json!({"pod-template-hash": hash});
    let none = json!({});
    let cases = [
        (true, hash("5d4"), replica_set("web-5d4")),
        (false, hash("5d4"), replica_set("web-2-5d4")),
        (false, hash("5d4"), replica_set("web-9aa")),
        (false, none.clone(), replica_set("web-5d4")),
        (false, none.clone(), replica_set("web-")),
        (false, hash("5d4"), owner("apps/v1", "ReplicaSet", "web-5d4", false)),
        (false, hash("5d4"), json!([])),
        (true, hash("5d4"), replica_set(&format!("{}-5d4", "a".repeat(249)))),
        (true, json!({"rollouts-pod-template-hash": "7f"}), replica_set("canary-7f")),
        (false, hash("7f"), replica_set("canary-7f")),
        (true, none.clone(), owner("agents.x-k8s.io/v1alpha1", "Sandbox", "box", true)),
        (true, none.clone(), owner("agents.x-k8s.io/v1", "Sandbox", "box", true)),
        (false, none.clone(), owner("example.com/v1", "Sandbox", "box", true)),
        (true, json!({"serving.knative.dev/service": "site"}), replica_set("site-00001-deployment-1")),
        (false, json!({"serving.knative.dev/service": "other"}), replica_set("site-00001-deployment-1")),
        (true, none.clone(), job("night-29400000")),
        (false, none.clone(), job("night-manual")),
        (false, none.clone(), job("night-2-29400000")),
        (false, none.clone(), owner("batch/v1", "CronJob", "night", true)),
        (true, none.clone(), owner("apps/v1", "StatefulSet", "db", true)),
        (false, none.clone(), owner("apps/v1", "DaemonSet", "db", true)),
    ];
    for (wanted, labels, owners) in cases {
        let mut pod = pod("owned", &labels, &json!({"containers": [container("agent", &json!({}))]}));
        pod["metadata"]["ownerReferences"] = owners;
        let (code, stored) = dry_run(server, &pod);
        assert_eq!(code, 201, "{stored}");
        assert_eq!(!given(&stored, 0).0.is_empty(), wanted, "{pod}");
    }
}
