//! `outdated` on a cluster: what pods run, against what their references name now.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::Model;
use crate::server::{Answer, Request, Server};
use crate::{faulty, healthy, skills};

const OLD: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn pod(name: &str, image: &str, running: Option<&str>, created: &str) -> Value {
    let mount = json!({"name": "skill-pdf", "mountPath": "/skills/pdf"});
    let mut reported = mount.clone();
    if let Some(running) = running {
        reported["volumeStatus"] = json!({"image": {"imageRef": running}});
    }
    json!({
        "metadata": {
            "name": name, "namespace": "team1", "creationTimestamp": created,
            "labels": {"app": "weather", "pod-template-hash": "abc"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "weather-abc", "controller": true}],
        },
        "spec": {
            "containers": [{"name": "agent", "volumeMounts": [mount]}],
            "volumes": [{"name": "skill-pdf", "image": {"reference": image}}],
        },
        "status": {"phase": "Running", "containerStatuses": [{"name": "agent", "volumeMounts": [reported]}]},
    })
}

fn list(kind: &str, items: &[Value]) -> Value {
    json!({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
}

/// A cluster without an operator: a SkillBinding, its Deployment and these pods.
fn cluster(image: &str, pods: Vec<Value>) -> Server {
    let template = json!({"metadata": {"labels": {"app": "weather"}}, "spec": {"containers": [{"name": "agent", "image": "a:1"}]}});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "weather", "namespace": "team1", "uid": "d", "resourceVersion": "1"},
        "spec": {"selector": {"matchLabels": {"app": "weather"}}, "template": template},
    });
    let binding = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": "weather", "namespace": "team1", "uid": "b"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"},
            "skills": [{"name": "pdf", "image": image, "mountPath": "/skills/pdf"}],
        },
    });
    let resource = json!({"name": "skillbindings", "singularName": "skillbinding", "namespaced": true, "kind": "SkillBinding",
        "verbs": ["get", "list"]});
    Server::start(move |request: &Request| {
        let found = match request.path.as_str() {
            "/apis/skills.kagenti.dev/v1alpha1" => {
                json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "skills.kagenti.dev/v1alpha1", "resources": [resource]})
            }
            "/apis/skills.kagenti.dev/v1alpha1/namespaces/team1/skillbindings" => {
                list("SkillBindingList", std::slice::from_ref(&binding))
            }
            "/apis/apps/v1/namespaces/team1/deployments/weather" => deployment.clone(),
            "/api/v1/namespaces/team1/pods" => list("PodList", &pods),
            "/api/v1/namespaces/team1/configmaps" => list("ConfigMapList", &[]),
            _ => {
                let status =
                    json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"});
                return Answer::new(404, status.to_string()).with("Content-Type", "application/json");
            }
        };
        Answer::new(200, found.to_string()).with("Content-Type", "application/json")
    })
}

/// A tag that moved leaves pods on the image of before; a node that reports nothing leaves it open, unless the pod is older than
/// the image.
#[test]
fn pods_are_held_against_what_their_reference_names_now() {
    let model = Arc::new(Model::default());
    let registry = healthy(&model);
    let config = model.put_blob("acme/pdf", b"{}");
    let config_digest = config["digest"].as_str().expect("a digest").to_owned();
    let manifest = json!({"schemaVersion": 2, "mediaType": crate::model::MANIFEST, "config": config, "layers": [],
        "annotations": {"org.opencontainers.image.created": "2026-11-20T00:00:00Z"}});
    let now = model.put_manifest("acme/pdf", Some("1.0.0"), crate::model::MANIFEST, &manifest);
    let image = format!("{}/acme/pdf:1.0.0", registry.host);
    let pods = vec![
        pod("by-digest", &image, Some(&format!("{}/acme/pdf@{now}", registry.host)), "2026-11-25T00:00:00Z"),
        pod("by-configuration", &image, Some(&config_digest), "2026-11-25T00:00:00Z"),
        pod("moved", &image, Some(&format!("{}/acme/pdf@{OLD}", registry.host)), "2026-11-25T00:00:00Z"),
        pod("older", &image, None, "2026-11-01T00:00:00Z"),
        pod("silent", &image, None, "2026-11-25T00:00:00Z"),
        pod("other", "quay.io/acme/other:1", None, "2026-11-25T00:00:00Z"),
    ];
    let server = cluster(&image, pods);
    let address = format!("http://{}", server.host);
    let run = |words: &[&str]| skills(&[&["outdated", "-n", "team1", "--server", &address], words].concat());
    let found = run(&["--exit-code"]);
    assert_eq!(found.code, 1, "{found:?}");
    let row: Vec<&str> = found.stdout.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row, ["team1", "Deployment/weather", "pdf", &image, "2", "3", "1", "-"]);
    let item = run(&["-o", "json"]).json()["workloads"][0].clone();
    assert_eq!(
        (&item["digest"], &item["pods"]),
        (
            &json!(now),
            &json!({"current": ["by-digest", "by-configuration"], "stale": ["moved", "older", "other"], "unknown": ["silent"]})
        )
    );
}

/// Without an answer nothing is known, and no pod is said to be current.
#[test]
fn a_registry_that_refuses_makes_no_pod_current() {
    let model = Arc::new(Model::default());
    let registry = faulty(&model, |_, _| Some(Answer::new(403, "{}")));
    let image = format!("{}/acme/pdf:1.0.0", registry.host);
    let server = cluster(&image, vec![pod("a", &image, None, "2026-11-25T00:00:00Z")]);
    let found = skills(&["outdated", "-n", "team1", "--server", &format!("http://{}", server.host)]);
    assert_eq!(found.code, 4, "{found:?}");
    let row: Vec<&str> = found.stdout.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row, ["team1", "Deployment/weather", "pdf", &image, "-", "-", "1", "failed"]);
    assert!(found.stderr.contains(&image), "{found:?}");
}
