//! Pods with skills that were written into them as they were created, which nothing takes out of them: the label that says so in,
//! whose they are and what makes them anew out.

use std::collections::BTreeMap;

use kubectl_skills::api::names::INJECTED;
use kubectl_skills::api::object::{Object, title};
use kubectl_skills::api::pod_owner::{Owner, has_ended, owners};
use kubectl_skills::manifest::summary::counted;
use serde_json::{Value, json};

use crate::cluster::error::ClusterError;
use crate::cluster::paths::{PODS, selected};
use crate::cluster::requests::Requests;

/// The pods of one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub namespace: String,
    /// `deployment.apps/weather`; of a pod that nobody keeps, its own.
    pub title: String,
    /// How many of its pods have skills.
    pub pods: usize,
    /// The command that makes them anew; none where they end by themselves, or nobody would make others.
    pub command: Option<String>,
}

impl Holder {
    /// What is said of them.
    pub fn said(&self) -> String {
        let (keeps, ends) = if self.pods == 1 { ("keeps", "it ends") } else { ("keep", "they end") };
        let until = match &self.command {
            Some(command) => format!("until made anew: {command}"),
            None => format!("until {ends}"),
        };
        let (pods, title, namespace) = (counted(self.pods, "pod"), &self.title, &self.namespace);
        let of = if title.starts_with("pod/") { title.clone() } else { format!("{pods} of {title}") };
        format!(
            "{of} in namespace {namespace} {keeps} skills that were written into pods as they were created, {until}"
        )
    }

    /// The same for programs.
    pub fn object(&self) -> Value {
        json!({"namespace": self.namespace, "of": self.title, "pods": self.pods, "command": self.command})
    }
}

/// Reads them, of one namespace or of all.
pub(super) async fn read(requests: &Requests, namespace: Option<&str>) -> Result<Vec<Holder>, ClusterError> {
    let selector = selected(&format!("{INJECTED}=true"));
    let list = requests.list(&PODS.list(namespace), &selector, "list pods with skills").await?;
    Ok(holders(&list.map(|list| list.items).unwrap_or_default()))
}

/// Who makes pods, if anything does, and their names.
type Made<'p> = (Option<Owner>, Vec<&'p str>);

/// Whose pods are, of those that are neither over nor going.
fn holders(pods: &[Value]) -> Vec<Holder> {
    let mut all: BTreeMap<(&str, String), Made<'_>> = BTreeMap::new();
    for pod in pods {
        let object = Object(pod);
        if object.is_being_deleted() || has_ended(pod) {
            continue;
        }
        // The one that makes the others, as far as its name is known.
        let owner = owners(pod).into_iter().rev().find(|owner| !owner.is_cut);
        let title = match &owner {
            Some(owner) => title(&owner.kind, &owner.group, &owner.name),
            None => title("Pod", "", object.name()),
        };
        all.entry((object.namespace(), title)).or_insert((owner, Vec::new())).1.push(object.name());
    }
    let holder = |((namespace, title), (owner, pods)): ((&str, String), Made<'_>)| Holder {
        command: owner.and_then(|owner| command(&owner, namespace, &pods)),
        namespace: namespace.to_owned(),
        title,
        pods: pods.len(),
    };
    all.into_iter().map(holder).collect()
}

/// What makes the pods of an owner anew. Those of a Job do their work once, and would begin it again.
fn command(owner: &Owner, namespace: &str, pods: &[&str]) -> Option<String> {
    match (owner.group.as_str(), owner.kind.as_str()) {
        ("apps", kind @ ("Deployment" | "StatefulSet" | "DaemonSet")) => {
            Some(format!("kubectl rollout restart {}/{} -n {namespace}", kind.to_lowercase(), owner.name))
        }
        ("batch", "Job" | "CronJob") => None,
        _ => Some(format!("kubectl delete pod {} -n {namespace}", pods.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A restart that nobody hears of leaves skills in pods for months after "nothing is there".
    #[test]
    fn pods_are_counted_by_who_makes_them() {
        let pod = |name: &str, owner: Option<(&str, &str, &str)>| {
            let owners = owner.map(|(version, kind, name)| {
                json!([{"apiVersion": version, "kind": kind, "name": name, "controller": true}])
            });
            json!({"metadata": {"name": name, "namespace": "team1", "labels": {"pod-template-hash": "5d4f"},
                "ownerReferences": owners.unwrap_or_default()}, "status": {"phase": "Running"}})
        };
        let replica_set = Some(("apps/v1", "ReplicaSet", "web-5d4f"));
        let (mut over, mut going) = (pod("web-3", replica_set), pod("web-4", replica_set));
        over["status"]["phase"] = json!("Succeeded");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let pods = [
            pod("web-1", replica_set),
            pod("web-2", replica_set),
            over,
            going,
            pod("db-0", Some(("apps/v1", "StatefulSet", "db"))),
            pod("once-1", Some(("batch/v1", "Job", "once"))),
            pod("box-1", Some(("agents.x-k8s.io/v1alpha1", "Sandbox", "box"))),
            pod("own-1", Some(("apps/v1", "ReplicaSet", "own"))),
            pod("own-2", Some(("apps/v1", "ReplicaSet", "own"))),
            pod("bare", None),
        ];
        let said: Vec<String> = holders(&pods).iter().map(Holder::said).collect();
        let written = "skills that were written into pods as they were created";
        let of = |what: &str, then: &str| format!("{what} {written}, {then}");
        assert_eq!(
            said,
            [
                of(
                    "2 pods of deployment.apps/web in namespace team1 keep",
                    "until made anew: kubectl rollout restart deployment/web -n team1"
                ),
                of("1 pod of job.batch/once in namespace team1 keeps", "until it ends"),
                of("pod/bare in namespace team1 keeps", "until it ends"),
                of(
                    "2 pods of replicaset.apps/own in namespace team1 keep",
                    "until made anew: kubectl delete pod own-1 own-2 -n team1"
                ),
                of(
                    "1 pod of sandbox.agents.x-k8s.io/box in namespace team1 keeps",
                    "until made anew: kubectl delete pod box-1 -n team1"
                ),
                of(
                    "1 pod of statefulset.apps/db in namespace team1 keeps",
                    "until made anew: kubectl rollout restart statefulset/db -n team1"
                ),
            ]
        );
    }
}
