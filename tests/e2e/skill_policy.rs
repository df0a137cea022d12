//! A policy about skills at a real API server: what 'policy -f' prints for it takes and refuses pods and templates as the policy says,
//! in words that say what to do.

use std::time::{Duration, Instant};

use kubectl_skills::install::admission_policy::Action;
use kubectl_skills::install::skill_policy::{Binding, NAME, print};
use kubectl_skills::skill::policy;
use serde_json::{Value, json};

use crate::server::Server;

const POLICY: &str = "\
apiVersion: skills.kagenti.dev/v1alpha1
kind: SkillPolicy
spec:
  registries: [ghcr.io/acme, 'registry.example.com:5000', docker.io/library]
  pinned: true
  perAgent: {skills: 2}
  licenses: [MIT]
  exceptions:
  - {image: 'ghcr.io/stranger/old*', rule: policy-registry, reason: goes in spring, until: 2099-01-31}
  - {image: ghcr.io/acme/tagged, rule: policy-pinned, reason: as above, until: 2099-01-31}
  - {image: ghcr.io/acme/over, rule: policy-pinned, reason: over, until: 2020-01-31}
";

const NAMESPACE: &str = "skill-policy";

fn pinned(name: &str) -> String {
    format!("{name}@sha256:{}", "0".repeat(64))
}

fn pod_spec(images: &[&str]) -> Value {
    let volumes: Vec<Value> = images
        .iter()
        .enumerate()
        .map(|(index, image)| json!({"name": format!("skill-{index}"), "image": {"reference": image}}))
        .collect();
    json!({"containers": [{"name": "agent", "image": "quay.io/stranger/agent:1"}], "volumes": volumes})
}

fn workload(kind: &str, name: &str, images: &[&str]) -> (String, Value) {
    let labels = json!({"app": name});
    let template = json!({"metadata": {"labels": labels}, "spec": pod_spec(images)});
    let selector = json!({"matchLabels": labels});
    let mut never = template.clone();
    never["spec"]["restartPolicy"] = json!("Never");
    let (group, plural, spec) = match kind {
        "Deployment" => ("apps/v1", "deployments", json!({"selector": selector, "template": template})),
        "StatefulSet" => (
            "apps/v1",
            "statefulsets",
            json!({"serviceName": name, "selector": selector, "template": template}),
        ),
        "DaemonSet" => ("apps/v1", "daemonsets", json!({"selector": selector, "template": template})),
        "ReplicaSet" => ("apps/v1", "replicasets", json!({"selector": selector, "template": template})),
        "Job" => ("batch/v1", "jobs", json!({"template": never})),
        "CronJob" => (
            "batch/v1",
            "cronjobs",
            json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": never}}}),
        ),
        "Sandbox" => ("agents.x-k8s.io/v1alpha1", "sandboxes", json!({"podTemplate": template})),
        _ => ("v1", "pods", pod_spec(images)),
    };
    let object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec});
    let prefix = if group == "v1" { "/api" } else { "/apis" };
    (format!("{prefix}/{group}/namespaces/{NAMESPACE}/{plural}"), object)
}

/// What the policy says of an object that would be created; empty if it passes.
fn said(server: &Server, kind: &str, images: &[&str]) -> String {
    let (path, object) = workload(kind, "it", images);
    answer(&server.request("POST", &format!("{path}?dryRun=All"), Some(&object)))
}

fn answer((code, answer): &(u16, Value)) -> String {
    let message = answer["message"].as_str().unwrap_or_default();
    let mark = format!("ValidatingAdmissionPolicy '{NAME}' with binding '{NAME}' denied request: ");
    match (code, message.split_once(&mark)) {
        (200 | 201, _) => String::new(),
        (403, Some((_, ours))) => ours.to_owned(),
        _ => format!("{code} {message}"),
    }
}

/// A policy that CEL reads otherwise than the program would stop half of a cluster, or let the other half through.
#[test]
fn pods_and_templates_are_refused_as_the_policy_says() {
    let server = Server::shared();
    server.namespace(NAMESPACE);
    let policy = policy::read("policy.yaml", POLICY, &mut |_| Err("none".to_owned())).expect("a policy");
    let binding = Binding { action: Action::Deny, namespaces: vec![NAMESPACE.to_owned()] };
    let (before_path, before) = workload("Deployment", "before", &["ghcr.io/stranger/pdf:1"]);
    server.create(&before_path, &before);
    let printed = print(&policy, &binding, "2026-11-27".parse().expect("a day")).expect("a policy for CEL");
    assert_eq!(
        printed.comments,
        [
            "Of policy.yaml: registries, pinned and perAgent.skills, which references alone answer.",
            "Not asked here, since CEL reads no image and no lock: licenses. 'webhook' and 'controller' ask it with --policy and --locked.",
            "CEL has no clock: the exception of ghcr.io/stranger/old* from policy-registry ends on 2099-01-31 only if this is printed again.",
            "CEL has no clock: the exception of ghcr.io/acme/tagged from policy-pinned ends on 2099-01-31 only if this is printed again.",
        ]
    );
    server.kubectl(&["apply", "--server-side", "-f", "-"], &printed.text());
    let end = Instant::now() + Duration::from_secs(90);
    while said(server, "Pod", &["ghcr.io/stranger/pdf:1"]).is_empty() {
        assert!(Instant::now() < end, "waited for the policy");
        std::thread::sleep(Duration::from_millis(50));
    }
    let good = pinned("ghcr.io/acme/pdf:1");
    let kinds = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Sandbox"];
    let foreign = |names: &str| {
        format!(
            "skill images of registries that the policy does not allow: {names}; allowed are ghcr.io/acme, registry.example.com:5000, \
             docker.io/library"
        )
    };
    let stranger = pinned("ghcr.io/stranger/pdf:1");
    for kind in kinds {
        assert_eq!(said(server, kind, &[&good]), "", "{kind}");
        assert_eq!(said(server, kind, &[]), "", "{kind} without volumes");
        assert_eq!(said(server, kind, &[&good, &stranger]), foreign(&stranger), "{kind}");
    }
    for (image, wanted) in [
        (pinned("ghcr.io/acme-evil/pdf:1"), foreign(&pinned("ghcr.io/acme-evil/pdf:1"))),
        (pinned("ghcr.io/acme"), String::new()),
        (pinned("registry.example.com:5000/a/b"), String::new()),
        (pinned("registry.example.com/a/b"), foreign(&pinned("registry.example.com/a/b"))),
        (pinned("pdf"), String::new()),
        (pinned("docker.io/pdf:1"), String::new()),
        (pinned("index.docker.io/library/pdf:1"), String::new()),
        (pinned("acme/pdf"), foreign(&pinned("docker.io/acme/pdf"))),
        (pinned("ghcr.io/stranger/old-one:1"), String::new()),
        (pinned("ghcr.io/stranger/older/one:1"), String::new()),
        (pinned("evil.io/ghcr.io/stranger/old"), foreign(&pinned("evil.io/ghcr.io/stranger/old"))),
        ("ghcr.io/acme/tagged:1".to_owned(), String::new()),
        (
            "ghcr.io/acme/over:1".to_owned(),
            "skill images that are not named by digest: ghcr.io/acme/over:1; write IMAGE:TAG@sha256:DIGEST"
                .to_owned(),
        ),
    ] {
        assert_eq!(said(server, "Pod", &[&image]), wanted, "{image}");
    }
    // What 'render --delivery init' writes is an image as well; other init containers are not.
    let (path, mut pod) = workload("Pod", "it", &[]);
    let asked = |pod: &Value| answer(&server.request("POST", &format!("{path}?dryRun=All"), Some(pod)));
    for (name, image, wanted) in [
        ("skill-pdf", &stranger, foreign(&stranger)),
        ("skill-pdf", &good, String::new()),
        ("mine", &stranger, String::new()),
    ] {
        let mut container = json!({"name": name, "image": "i", "args": ["pull", image, "--to", "/skill"]});
        pod["spec"]["initContainers"] = json!([container]);
        assert_eq!(asked(&pod), wanted, "{name} {image}");
        container["args"] = json!(["push", image]);
        pod["spec"]["initContainers"] = json!([container, {"name": "skill-none", "image": "i"}]);
        assert_eq!(asked(&pod), "", "{name} {image}");
    }
    let three = [good.as_str(), &good, &good];
    assert_eq!(said(server, "Pod", &three), "has 3 skill images; the policy allows 2 skills for an agent");
    // What was there before the policy stays editable, and takes nothing new that breaks it.
    let one = format!("{before_path}/before");
    let patch = |body: &Value| {
        answer(&server.send("PATCH", &one, "application/strategic-merge-patch+json", Some(body)))
    };
    assert_eq!(patch(&json!({"spec": {"replicas": 0}, "metadata": {"labels": {"a": "b"}}})), "");
    let more = json!({"spec": {"template": {"spec": {"volumes": [{"name": "more", "image": {"reference": "ghcr.io/stranger/csv:1"}}]}}}});
    assert_eq!(patch(&more), foreign("ghcr.io/stranger/csv:1"));
    for path in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        server.request("DELETE", &format!("/apis/admissionregistration.k8s.io/v1/{path}/{NAME}"), None);
    }
}
