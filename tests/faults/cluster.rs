//! A small healthy cluster for the scripted server: five agents in one namespace, lists in pages of two, and as much of
//! server-side apply as one manager alone can see.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value, json};

use crate::server::{Answer, Request};

/// Agents of a cluster where a test does not ask for more.
const AGENTS: usize = 5;
const PAGE: usize = 2;

/// The cluster's Deployments, by path.
pub struct Cluster {
    agents: usize,
    deployments: Mutex<BTreeMap<String, Value>>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self::of(AGENTS)
    }
}

impl Cluster {
    /// A cluster of so many agents.
    pub fn of(agents: usize) -> Self {
        let deployments = (0..agents)
            .map(|number| {
                let name = format!("a{number}");
                let object = json!({
                    "apiVersion": "apps/v1", "kind": "Deployment",
                    "metadata": {"name": name, "namespace": "team1", "uid": name, "resourceVersion": "1"},
                    "spec": {"selector": {"matchLabels": {"app": name}}, "template": {
                        "metadata": {"labels": {"app": name}},
                        "spec": {"containers": [{"name": "agent", "image": "agent:1"}]}}}
                });
                (format!("/apis/apps/v1/namespaces/team1/deployments/{name}"), object)
            })
            .collect();
        Self { agents, deployments: Mutex::new(deployments) }
    }

    /// What the API server would say.
    pub fn answer(&self, request: &Request) -> Answer {
        let list = |kind: &str, api_version: &str, items: Vec<Value>| page(request, kind, api_version, items);
        match request.path.as_str() {
            "/openapi/v3/apis/agent.kagenti.dev/v1alpha1" => Answer::Json(200, schema()),
            "/apis/agent.kagenti.dev/v1alpha1/namespaces/team1/agentruntimes" => list(
                "AgentRuntimeList",
                "agent.kagenti.dev/v1alpha1",
                (0..self.agents).map(runtime).collect(),
            ),
            "/apis/apps/v1/namespaces/team1/deployments" => {
                let all = self.deployments.lock().expect("the deployments").values().cloned().collect();
                list("DeploymentList", "apps/v1", all)
            }
            "/api/v1/namespaces/team1/configmaps" => list("ConfigMapList", "v1", Vec::new()),
            "/api/v1/namespaces/kagenti-system/configmaps/kagenti-feature-gates" => {
                Answer::Json(200, gates())
            }
            path if path.starts_with("/apis/apps/v1/namespaces/team1/deployments/") => {
                self.deployment(request)
            }
            _ => not_found(),
        }
    }

    /// Somebody else writes the status.
    pub fn touch(&self, path: &str) {
        if let Some(object) = self.deployments.lock().expect("the deployments").get_mut(path) {
            next_version(object);
        }
    }

    fn deployment(&self, request: &Request) -> Answer {
        let mut deployments = self.deployments.lock().expect("the deployments");
        let Some(live) = deployments.get_mut(&request.path) else { return not_found() };
        if request.method == "GET" {
            return Answer::Json(200, live.clone());
        }
        let mut wanted = request.body.clone();
        let version =
            wanted["metadata"].as_object_mut().and_then(|metadata| metadata.remove("resourceVersion"));
        if version.is_some_and(|version| version != live["metadata"]["resourceVersion"]) {
            let status = json!({"kind": "Status", "code": 409, "reason": "Conflict", "message": "the object has been modified"});
            return Answer::Json(409, status);
        }
        let mut merged = live.clone();
        merge(&mut merged, &wanted);
        next_version(&mut merged);
        if !request.query.contains("dryRun=All") {
            *live = merged.clone();
        }
        Answer::Json(200, merged)
    }
}

fn next_version(object: &mut Value) {
    let version: u64 =
        object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a version");
    object["metadata"]["resourceVersion"] = (version + 1).to_string().into();
}

/// Merges as server-side apply does, lists by their keys; nothing is ever taken away.
fn merge(live: &mut Value, wanted: &Value) {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            for (key, value) in wanted {
                merge(
                    live.entry(key.clone()).or_insert(if value.is_array() { json!([]) } else { Value::Null }),
                    value,
                );
            }
        }
        (Value::Array(live), Value::Array(wanted)) => {
            for item in wanted {
                let key = if item.get("mountPath").is_some() { "mountPath" } else { "name" };
                match live.iter_mut().find(|old| old[key] == item[key]) {
                    Some(old) => merge(old, item),
                    None => live.push(item.clone()),
                }
            }
        }
        (live @ Value::Null, Value::Object(_)) => {
            *live = Value::Object(Map::new());
            merge(live, wanted);
        }
        (live, wanted) => *live = wanted.clone(),
    }
}

fn page(request: &Request, kind: &str, api_version: &str, items: Vec<Value>) -> Answer {
    let from: usize = request
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("continue="))
        .map_or(0, |token| token.parse().expect("a token of ours"));
    let more = from + PAGE < items.len();
    let token = if more { (from + PAGE).to_string() } else { String::new() };
    let mut items: Vec<Value> = items.into_iter().skip(from).take(PAGE).collect();
    if !kind.starts_with("AgentRuntime") {
        // Built-in kinds say kind and apiVersion once, for the whole list.
        for item in &mut items {
            let map = item.as_object_mut().expect("an object");
            map.remove("kind");
            map.remove("apiVersion");
        }
    }
    Answer::Json(
        200,
        json!({"kind": kind, "apiVersion": api_version, "metadata": {"continue": token, "resourceVersion": "10"},
            "items": items}),
    )
}

/// The AgentRuntime of that number.
pub fn runtime(number: usize) -> Value {
    let name = format!("a{number}");
    json!({
        "apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": name, "namespace": "team1"},
        "spec": {"type": "agent", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                 "skills": [{"name": "pdf", "image": "quay.io/example/pdf:1", "mountPath": "/skills/pdf"}]}
    })
}

fn gates() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kagenti-feature-gates", "namespace": "kagenti-system"},
        "data": {"feature-gates.yaml": "skillImageVolumes: true\n"}
    })
}

fn schema() -> Value {
    json!({"components": {"schemas": {"dev.kagenti.agent.v1alpha1.AgentRuntime": {
        "x-kubernetes-group-version-kind": [{"group": "agent.kagenti.dev", "kind": "AgentRuntime", "version": "v1alpha1"}],
        "properties": {"spec": {"properties": {"skills": {"type": "array"}, "trace": {"type": "object"}}}}
    }}}})
}

pub fn not_found() -> Answer {
    Answer::Json(404, json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}))
}
