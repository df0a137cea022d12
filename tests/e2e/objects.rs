//! Objects that tests put into the cluster.

use serde_json::{Value, json};

/// A Deployment of one agent container and a sidecar after it.
pub fn deployment(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {"name": "agent", "image": "quay.io/example/agent:1", "env": [{"name": "PORT", "value": "8000"}],
                         "volumeMounts": [{"name": "cache", "mountPath": "/cache"}]},
                        {"name": "proxy", "image": "quay.io/example/proxy:1"}
                    ],
                    "volumes": [{"name": "cache", "emptyDir": {}}]
                }
            }
        }
    })
}

/// An AgentRuntime for a Deployment of the same name.
pub fn runtime(namespace: &str, name: &str, skills: &[(&str, &str, &str)]) -> Value {
    let skills: Vec<Value> = skills
        .iter()
        .map(|(name, image, path)| json!({"name": name, "image": image, "mountPath": path}))
        .collect();
    json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "agent", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "skills": skills}
    })
}

/// A SkillBinding for a Deployment.
pub fn binding(namespace: &str, name: &str, deployment: &str, skills: &[(&str, &str)]) -> Value {
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillBinding",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}, "skills": listed(skills)}
    })
}

/// Skills of a SkillBinding, by name and image.
pub fn listed(skills: &[(&str, &str)]) -> Value {
    let all = skills.iter();
    all.map(|(name, image)| json!({"name": name, "image": image, "mountPath": format!("/skills/{name}")}))
        .collect()
}

/// A CronJob of one container, its pods labelled.
pub fn cron_job(namespace: &str, name: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {
            "metadata": {"labels": labels},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "agent", "image": "quay.io/example/agent:1"}]}
        }}}}
    })
}

/// A Sandbox of one container.
pub fn sandbox(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 1, "podTemplate": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "agent", "image": "quay.io/example/agent:1"}]}
        }}
    })
}

/// The feature gates with skills switched on, as the operator's chart makes them.
pub fn gates_on() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kagenti-feature-gates", "namespace": "kagenti-system",
                     "labels": {"app.kubernetes.io/name": "kagenti-operator-chart"}},
        "data": {"feature-gates.yaml": "globalEnabled: true\nskillImageVolumes: true\n"}
    })
}

/// Path of the object itself.
pub fn one(object: &Value) -> String {
    format!("{}/{}", path_of(object), object["metadata"]["name"].as_str().expect("a name"))
}

/// Path of the collection that an object is in.
pub fn path_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (base, plural) = match text("/kind") {
        "Deployment" => ("/apis/apps/v1", "deployments"),
        "StatefulSet" => ("/apis/apps/v1", "statefulsets"),
        "DaemonSet" => ("/apis/apps/v1", "daemonsets"),
        "ReplicaSet" => ("/apis/apps/v1", "replicasets"),
        "Job" => ("/apis/batch/v1", "jobs"),
        "CronJob" => ("/apis/batch/v1", "cronjobs"),
        "Rollout" => ("/apis/argoproj.io/v1alpha1", "rollouts"),
        "Service" => ("/apis/serving.knative.dev/v1", "services"),
        "SkillBinding" => ("/apis/skills.kagenti.dev/v1alpha1", "skillbindings"),
        "AgentRuntime" if text("/apiVersion").starts_with("agent.rossoctl.dev/") => {
            ("/apis/agent.rossoctl.dev/v1alpha1", "agentruntimes")
        }
        "AgentRuntime" => ("/apis/agent.kagenti.dev/v1alpha1", "agentruntimes"),
        "Sandbox" => ("/apis/agents.x-k8s.io/v1alpha1", "sandboxes"),
        "ConfigMap" => ("/api/v1", "configmaps"),
        other => panic!("no path for {other}"),
    };
    format!("{base}/namespaces/{}/{plural}", text("/metadata/namespace"))
}

/// A SkillBinding for a Deployment of the same name.
pub fn skill_binding(namespace: &str, name: &str, skills: &[(&str, &str, &str)]) -> Value {
    let mut object = runtime(namespace, name, skills);
    object["apiVersion"] = json!("skills.kagenti.dev/v1alpha1");
    object["kind"] = json!("SkillBinding");
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("type");
    }
    object
}
