//! What `status`, `list`, `restart` and `doctor` say of a cluster of SkillBindings in which something is not as it should be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cluster::not_found;
use super::server::{Answer, Server};
use super::{Said, skills};

const NAMESPACE: &str = "/api/v1/namespaces/team1";
const APPS: &str = "/apis/apps/v1/namespaces/team1";
const LISTS: &str = "/apis/skills.kagenti.dev/v1alpha1/namespaces/team1/skillbindings";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// A SkillBinding with the skill pdf for a workload.
fn binding(name: &str, (kind, target): (&str, &str), more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": name, "namespace": "team1", "resourceVersion": "1", "uid": name},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
                 "skills": [{"name": "pdf", "image": "x/pdf:1", "mountPath": "/skills/pdf"}]},
    });
    object["spec"].as_object_mut().expect("a spec").extend(more.as_object().expect("fields").clone());
    object
}

fn workload(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "team1", "resourceVersion": "1"},
        "spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "envoy"}, {"name": "agent"}]}}}})
}

/// A pod of a Deployment that has the skill in one container.
fn pod(deployment: &str, container: &str) -> Value {
    let mount = json!([{"name": "skill-pdf", "mountPath": "/skills/pdf", "readOnly": true}]);
    let containers = ["envoy", "agent"].map(|name| {
        let mounts = if name == container { mount.clone() } else { json!([]) };
        json!({"name": name, "volumeMounts": mounts})
    });
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{deployment}-5d7-{container}"), "namespace": "team1", "labels": {"app": deployment, "pod-template-hash": "5d7"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{deployment}-5d7"), "controller": true}]},
        "spec": {"containers": containers, "volumes": [{"name": "skill-pdf", "image": {"reference": "x/pdf:1"}}]},
        "status": {"phase": "Running"}})
}

/// A cluster of these objects, whose webhook writes skills into pods.
fn cluster(bindings: &[Value], workloads: &[Value], pods: &[Value], more: &[(&str, Value)]) -> Server {
    let list = |kind: &str, items: &[Value]| json!({"kind": kind, "metadata": {}, "items": items});
    let webhook = json!({"metadata": {"name": "skills"}, "webhooks": [{"name": "inject.skillbindings.skills.kagenti.dev"}]});
    let mut all = BTreeMap::from([
        ("/version".to_owned(), json!({"gitVersion": "v1.36.0", "major": "1", "minor": "36"})),
        (NAMESPACE.to_owned(), json!({"metadata": {"name": "team1", "labels": {}}})),
        ("/apis/skills.kagenti.dev/v1alpha1".to_owned(), json!({"kind": "APIResourceList"})),
        (LISTS.to_owned(), list("SkillBindingList", bindings)),
        (format!("{NAMESPACE}/pods"), list("PodList", pods)),
        (ADMISSION.to_owned(), json!({"kind": "APIResourceList", "resources": []})),
        (format!("{ADMISSION}/mutatingwebhookconfigurations"), list("L", &[webhook])),
    ]);
    for (kind, plural) in [("Deployment", "deployments"), ("StatefulSet", "statefulsets")] {
        let items: Vec<Value> = workloads.iter().filter(|one| one["kind"] == kind).cloned().collect();
        for item in &items {
            let name = item["metadata"]["name"].as_str().expect("a name");
            all.insert(format!("{APPS}/{plural}/{name}"), item.clone());
        }
        all.insert(format!("{APPS}/{plural}"), list(&format!("{kind}List"), &items));
    }
    all.extend(more.iter().map(|(path, value)| ((*path).to_owned(), value.clone())));
    Server::start(move |request| {
        if request.method == "PATCH" {
            return Answer::Json(200, all.get(&request.path).cloned().unwrap_or_default());
        }
        all.get(&request.path).map_or_else(not_found, |value| Answer::Json(200, value.clone()))
    })
}

fn rows(server: &Server, verb: &str) -> Vec<Value> {
    let said = skills(server, &[verb, "-n", "team1", "-o", "json"]);
    let list: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    list["items"].as_array().expect("items").clone()
}

const WEB: (&str, &str) = ("Deployment", "web");

/// The agent has no skill where a sidecar got it, and everything said that all was well.
#[test]
fn a_skill_in_another_container_than_the_list_names_is_stale() {
    let pods = [pod("web", "envoy"), pod("web", "agent")];
    let given =
        |more: Value| cluster(&[binding("tools", WEB, &more)], &[workload("Deployment", "web")], &pods, &[]);
    let server = given(json!({"delivery": "Pod", "container": "agent"}));
    let found = rows(&server, "status");
    assert_eq!(
        (&found[0]["state"], &found[0]["podsOfBindings"]),
        (&json!("stale"), &json!({"upToDate": 1, "stale": 1, "without": 0, "outdated": ["web-5d7-envoy"]}))
    );
    let said = skills(&server, &["restart", "tools", "-n", "team1"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "deployment.apps/web restarted: 1 of 2 pods without the skills as they are now\n"),
        "{said:?}"
    );
    // Where nothing names a container, which of them it is hangs on what else is put into the pod: that is said instead.
    let server = given(json!({"delivery": "Pod"}));
    assert_eq!(rows(&server, "status")[0]["state"], "ok");
    for verb in ["status", "plan"] {
        let said = skills(&server, &[verb, "-n", "team1"]);
        assert!(
            said.stderr.contains(
                "warning: SkillBinding team1/tools: skills are mounted into the first of 2 containers, envoy, which looks like a \
                 sidecar; spec.container or the pod's annotation kubectl.kubernetes.io/default-container names another [Q10]\n"
            ),
            "{verb}: {said:?}"
        );
    }
}

/// A restart whose pods admission refuses ends with fewer pods than before, and hangs.
#[test]
fn pods_that_would_be_refused_are_not_restarted() {
    let wrong = binding("tools", WEB, &json!({"delivery": "Pod", "container": "agnet"}));
    let server = cluster(&[wrong], &[workload("Deployment", "web")], &[pod("web", "envoy")], &[]);
    for more in [&[][..], &["--all"], &["--dry-run"]] {
        let said = skills(&server, &[&["restart", "tools", "-n", "team1"][..], more].concat());
        let wanted = "error: deployment.apps/web: its new pods would be refused, so nothing is restarted: the pod has no container \
                      agnet\n  did you mean agent? the containers are envoy, agent (spec.container of skillbinding tools)\n";
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (4, "", wanted));
    }
    assert_eq!(server.writes(), 0);
    let said = skills(&server, &["status", "-n", "team1", "-o", "wide"]);
    let cells: Vec<&str> = said.stdout.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!((cells[2], cells[5]), ("pdf", "refused"), "{said:?}");
    assert!(
        said.stdout.contains(
            "Deployment web has no container agnet; 1 of 1 pod has older skills: correct first what is refused\n"
        ),
        "{said:?}"
    );
    let listed: Vec<(Value, Value)> =
        rows(&server, "list").iter().map(|row| (row["skill"].clone(), row["delivery"].clone())).collect();
    assert_eq!(listed, [(json!("pdf"), json!("Pod"))]);
}

/// Who takes a skill out of the list that is shown takes it out of another agent.
#[test]
fn each_skill_is_of_the_list_that_it_is_in() {
    let names = ["helper", "planner", "web"];
    let bindings = names.map(|name| binding(name, ("Deployment", name), &json!({"delivery": "Pod"})));
    let server = cluster(&bindings, &names.map(|name| workload("Deployment", name)), &[], &[]);
    let sources: Vec<Value> = rows(&server, "list").iter().map(|row| row["source"].clone()).collect();
    assert_eq!(sources, names.map(|name| json!(format!("SkillBinding/{name}"))));
}

/// `create the workload` to somebody who has it makes a second one.
#[test]
fn a_target_of_another_kind_is_named() {
    let server = cluster(
        &[binding("planner", ("Deployment", "planner"), &json!({}))],
        &[workload("StatefulSet", "planner")],
        &[],
        &[],
    );
    let instead = "there is a StatefulSet of that name: correct spec.targetRef.kind";
    assert_eq!(
        rows(&server, "status")[0]["findings"],
        json!([format!("Deployment/planner does not exist: {instead}")])
    );
    for verb in ["status", "plan"] {
        let said: Said = skills(&server, &[verb, "-n", "team1"]);
        assert!(said.code == 3 && said.stderr.contains(instead), "{verb}: {said:?}");
    }
}

/// In such a cluster no pod starts any more, whoever's it is.
#[test]
fn policies_without_their_crd_are_what_doctor_fails_for() {
    let name = "inject.skillbindings.skills.kagenti.dev";
    let path = format!("{ADMISSION}/mutatingadmissionpolicies/{name}");
    let policy = json!({"metadata": {"name": name}, "spec": {"failurePolicy": "Fail"}});
    let server = Server::start(move |request| match request.path.as_str() {
        "/version" => Answer::Json(200, json!({"gitVersion": "v1.36.0"})),
        found if found == path => Answer::Json(200, policy.clone()),
        _ => not_found(),
    });
    let said = skills(&server, &["doctor", "-n", "team1", "-o", "json"]);
    let found: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let row = found["checks"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["section"] == "bindings")
        .expect("a row");
    assert_eq!(
        (said.code, row),
        (
            1,
            &json!({"section": "bindings", "check": "policies of SkillBindings", "state": "failed",
                "found": format!("there and their CRD, that of SkillBindings, is not: {name}; every new pod outside of the system's \
                                  namespaces is refused"),
                "mend": "kubectl skills crd --skill-binding | kubectl apply --server-side -f -"})
        )
    );
}
