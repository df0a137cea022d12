//! Workloads as their owners' Git states them, and how they are in the cluster.

use std::collections::BTreeMap;

use kubectl_skills::api::names::{Names, ROSSOCTL};
use serde_json::{Value, json};

use super::super::until;
use crate::server::Server;

/// The newest names; those of before the rename make no difference here.
pub(super) const NAMES: &Names = &ROSSOCTL;

/// Who deploys, by which tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Client,
    Flux,
    Helm3,
    Helm4,
    Replace,
}

pub(super) const LANES: [Lane; 5] = [Lane::Client, Lane::Flux, Lane::Helm3, Lane::Helm4, Lane::Replace];

/// How skills are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Apply,
    Named,
    Forced,
    Put,
    Policy,
    Webhook,
    Restart,
    /// By policy, and the controller makes pods anew.
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Deployment,
    StatefulSet,
    CronJob,
    AgentFlow,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Deployment, Kind::StatefulSet, Kind::CronJob, Kind::AgentFlow];

/// What the owner's manifest states of the fields that skills come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Manifest {
    Plain,
    Annotation,
    Label,
}

/// One workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Case {
    pub way: Way,
    pub manifest: Manifest,
    pub kind: Kind,
    pub lane: Lane,
}

/// The workloads of a lane: every way with every kind and manifest, but for what would be the same as another.
pub(super) fn of(lane: Lane) -> Vec<Case> {
    let mut cases = Vec::new();
    for way in
        [Way::Apply, Way::Named, Way::Forced, Way::Put, Way::Policy, Way::Webhook, Way::Restart, Way::Auto]
    {
        for manifest in [Manifest::Plain, Manifest::Annotation, Manifest::Label] {
            for kind in KINDS {
                let wanted = match way {
                    // Where nothing has to be forced, it is what it is without.
                    // Only the name under which fields are recorded differs.
                    Way::Named => kind != Kind::AgentFlow && manifest == Manifest::Plain,
                    Way::Forced => kind == Kind::AgentFlow || manifest == Manifest::Annotation,
                    Way::Restart => {
                        matches!(kind, Kind::Deployment | Kind::StatefulSet) && manifest == Manifest::Plain
                    }
                    // The pods of other kinds are not made anew.
                    Way::Auto => matches!(kind, Kind::Deployment | Kind::StatefulSet),
                    _ => true,
                };
                if wanted {
                    cases.push(Case { way, manifest, kind, lane });
                }
            }
        }
    }
    cases
}

impl Case {
    pub(super) fn namespace(&self) -> String {
        namespace(self.lane, self.way)
    }

    /// Its name, of which there is one in all namespaces of a lane.
    pub(super) fn name(&self) -> String {
        format!("{:?}-{:?}-{:?}", self.way, self.kind, self.manifest).to_lowercase()
    }

    pub(super) fn api_version(&self) -> &'static str {
        match self.kind {
            Kind::Deployment | Kind::StatefulSet => "apps/v1",
            Kind::CronJob => "batch/v1",
            Kind::AgentFlow => "example.com/v1",
        }
    }

    pub(super) fn plural(&self) -> String {
        format!("{:?}s", self.kind).to_lowercase()
    }

    pub(super) fn path(&self) -> String {
        let (version, namespace) = (self.api_version(), self.namespace());
        format!("/apis/{version}/namespaces/{namespace}/{}/{}", self.plural(), self.name())
    }

    fn template_pointer(&self) -> &'static str {
        if self.kind == Kind::CronJob { "/spec/jobTemplate/spec/template" } else { "/spec/template" }
    }

    pub(super) fn template<'v>(&self, object: &'v Value) -> &'v Value {
        object.pointer(self.template_pointer()).expect("a pod template")
    }

    pub(super) fn template_mut<'v>(&self, object: &'v mut Value) -> &'v mut Value {
        object.pointer_mut(self.template_pointer()).expect("a pod template")
    }

    /// The object as its owner's Git has it.
    pub(super) fn manifest(&self) -> Value {
        let name = self.name();
        let labels = json!({"app": name});
        let mut template = json!({
            "metadata": {"labels": labels},
            "spec": {
                "containers": [{
                    "name": "agent", "image": "quay.io/example/agent:1",
                    "env": [{"name": "PORT", "value": "8000"}],
                    "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                }],
                "volumes": [{"name": "cache", "emptyDir": {}}],
            },
        });
        let mut metadata = json!({"name": name, "namespace": self.namespace(), "labels": labels});
        match self.manifest {
            Manifest::Plain => (),
            Manifest::Annotation => metadata["annotations"] = json!({NAMES.skills: "[\"mine\"]"}),
            Manifest::Label => {
                metadata["labels"][NAMES.type_label] = json!("tool");
                template["metadata"]["labels"][NAMES.type_label] = json!("tool");
            }
        }
        let selector = json!({"matchLabels": labels});
        // No pods: what a pod would get, the server says without one. The controller looks at pods; no node ever makes one
        // of them ready, which is not waited for.
        let replicas = u32::from(self.way == Way::Auto);
        let spec = match self.kind {
            Kind::Deployment => json!({
                "replicas": replicas, "strategy": {"type": "Recreate"}, "selector": selector, "template": template,
            }),
            Kind::StatefulSet => json!({
                "replicas": replicas, "podManagementPolicy": "Parallel", "serviceName": name, "selector": selector,
                "template": template,
            }),
            Kind::CronJob => {
                template["spec"]["restartPolicy"] = json!("Never");
                json!({"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": {"template": template}}})
            }
            Kind::AgentFlow => json!({"template": template}),
        };
        json!({"apiVersion": self.api_version(), "kind": format!("{:?}", self.kind), "metadata": metadata, "spec": spec})
    }

    /// A pod as the workload's controller makes it from the live template.
    pub(super) fn pod(&self, live: &Value) -> Value {
        let mut pod = self.template(live).clone();
        let name = self.name();
        let owner = match self.kind {
            Kind::Deployment => {
                pod["metadata"]["labels"]["pod-template-hash"] = json!("abc12");
                Some(("apps/v1", "ReplicaSet", format!("{name}-abc12")))
            }
            Kind::StatefulSet => Some(("apps/v1", "StatefulSet", name)),
            Kind::CronJob => Some(("batch/v1", "Job", format!("{name}-29000000"))),
            Kind::AgentFlow => None,
        };
        if let Some((version, kind, name)) = owner {
            let owner =
                json!({"apiVersion": version, "kind": kind, "name": name, "uid": "u", "controller": true});
            pod["metadata"]["ownerReferences"] = json!([owner]);
        }
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("it");
        pod["metadata"]["namespace"] = json!(self.namespace());
        pod
    }
}

pub(super) fn namespace(lane: Lane, way: Way) -> String {
    format!("{lane:?}-{way:?}").to_lowercase()
}

/// The objects as they are in the cluster by name, once their controllers have seen them.
pub(super) fn settled(server: &Server, cases: &[Case]) -> BTreeMap<String, Value> {
    let mut live = BTreeMap::new();
    until("the controllers to have seen the workloads", || {
        live = all(server, cases);
        live.values().all(is_settled)
    });
    live
}

fn all(server: &Server, cases: &[Case]) -> BTreeMap<String, Value> {
    let mut live = BTreeMap::new();
    for kind in KINDS {
        let of_kind: Vec<&Case> = cases.iter().filter(|case| case.kind == kind).collect();
        let list = server.get(&format!("/apis/{}/{}", of_kind[0].api_version(), of_kind[0].plural()));
        for item in list["items"].as_array().expect("a list") {
            let is = |case: &&&Case| {
                item["metadata"]["name"] == case.name().as_str()
                    && item["metadata"]["namespace"] == case.namespace().as_str()
            };
            if let Some(case) = of_kind.iter().find(is) {
                let mut item = item.clone();
                item["kind"] = json!(format!("{kind:?}"));
                item["apiVersion"] = json!(case.api_version());
                live.insert(case.name(), item);
            }
        }
    }
    assert_eq!(live.len(), cases.len());
    live
}

fn is_settled(live: &Value) -> bool {
    let observed = live.pointer("/status/observedGeneration") == live.pointer("/metadata/generation");
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    if live["spec"]["replicas"] == 1 {
        return observed && live["status"]["replicas"] == 1 && live["status"]["updatedReplicas"] == 1;
    }
    match live["kind"].as_str() {
        Some("Deployment") => {
            observed
                && conditions
                    .into_iter()
                    .flatten()
                    .any(|condition| condition["reason"] == "NewReplicaSetAvailable")
        }
        Some("StatefulSet") => observed,
        _ => true,
    }
}
