//! What `render --delivery init` writes, on a real API server: Pod Security "restricted" takes it, and nothing of it is lost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::objects::{binding, deployment};
use crate::server::Server;

const NAMESPACE: &str = "delivery-restricted";

/// A Deployment whose own container is as "restricted" asks, and which has its skills by an init container.
fn delivered(server: &Server) -> Value {
    let mut deployment = deployment(NAMESPACE, "clerk");
    let pod = &mut deployment["spec"]["template"]["spec"];
    pod["imagePullSecrets"] = json!([{"name": "regcred"}]);
    pod["securityContext"] = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    for container in pod["containers"].as_array_mut().expect("containers") {
        container["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    }
    let list =
        binding(NAMESPACE, "clerk", "clerk", &[("tax", "ghcr.io/acme/tax:1"), ("pdf", "ghcr.io/acme/pdf:1")]);
    let text = format!("{deployment}\n---\n{list}\n");
    let args = ["render", "-f", "-", "-q", "-o", "json", "--container", "agent", "--delivery", "init"];
    let said = server.skills_fed(&args, &text);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let rendered: Value = serde_json::from_str(&said.stdout).expect("a list");
    rendered["items"][0].clone()
}

fn pod(deployment: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "clerk", "namespace": NAMESPACE},
        "spec": deployment["spec"]["template"]["spec"]})
}

/// Whether everything of one value is in another, which may have more: defaults of the server.
fn is_in(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|other| is_in(value, other)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() <= found.len() && wanted.iter().zip(found).all(|(one, other)| is_in(one, other))
        }
        _ => wanted == found,
    }
}

/// Where a namespace takes no more than "restricted", a pod that asks for more never comes, and the agent with it.
#[test]
fn a_pod_with_its_init_containers_comes_through_restricted() {
    let server = Server::shared();
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}});
    server.create("/api/v1/namespaces", &namespace);
    let deployment = delivered(server);
    let wanted = pod(&deployment);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All");
    // The account of new namespaces takes a moment.
    let started = Instant::now();
    let (code, stored) = loop {
        let (code, answer) = server.request("POST", &path, Some(&wanted));
        let waits = answer["message"].as_str().is_some_and(|text| text.contains("serviceaccount"));
        if !waits || started.elapsed() > Duration::from_secs(30) {
            break (code, answer);
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(code, 201, "{stored}");
    for key in ["initContainers", "containers", "volumes"] {
        assert!(is_in(&wanted["spec"][key], &stored["spec"][key]), "{key}: {stored}");
    }
    let names = |list: &str| -> Vec<&str> {
        stored["spec"][list].as_array().expect(list).iter().filter_map(|one| one["name"].as_str()).collect()
    };
    assert_eq!(names("initContainers"), ["skill-tax", "skill-pdf"]);
    // The level is in force: what an init container does not say is refused.
    for field in ["allowPrivilegeEscalation", "capabilities"] {
        let mut less = wanted.clone();
        let context = &mut less["spec"]["initContainers"][0]["securityContext"];
        context.as_object_mut().expect("a context").remove(field);
        let (code, answer) = server.request("POST", &path, Some(&less));
        let said = answer["message"].as_str().unwrap_or_default();
        assert!(code == 403 && said.contains("violates PodSecurity \"restricted"), "{field}: {answer}");
    }
}

/// Whoever applies what was rendered sees in the cluster's own verbs that the agent has its skills, and no refusal.
#[test]
fn a_rendered_workload_is_as_it_should_be_on_the_cluster() {
    let namespace = "delivery-applied";
    let server = Server::with_gate_on(namespace);
    let deployment = deployment(namespace, "clerk");
    let runtime =
        crate::objects::runtime(namespace, "clerk", &[("tax", "ghcr.io/acme/tax:1", "/skills/tax")]);
    let text = format!("{deployment}\n---\n{runtime}\n");
    let profile = ["--profile", "pr332-merged", "--container", "agent"];
    // The hash of AgentRuntimes is over the ConfigMaps of the cluster.
    let render =
        [&["render", "-f", "-", "-q", "--config-from", "cluster", "--delivery", "init"], &profile[..]]
            .concat();
    let said = server.skills_fed(&render, &text);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let applied = server.kubectl(&["apply", "--server-side", "-f", "-"], &said.stdout);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let plan = [&["plan", "-n", namespace, "-o", "json", "-q"], &profile[..]].concat();
    let planned = server.skills(&plan);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    let planned: Value = serde_json::from_str(&planned.stdout).expect("a plan");
    let one = &planned["runtimes"][0];
    assert_eq!(
        (&one["skills"][0]["delivery"], &one["action"]),
        (&json!("init"), &json!("unchanged")),
        "{planned}"
    );
    let differs = server.skills(&[&["diff", "-n", namespace, "-q"], &profile[..]].concat());
    assert_eq!((differs.code, differs.stdout.as_str()), (0, ""), "{}", differs.stderr);
}
