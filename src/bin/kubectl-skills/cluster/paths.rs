//! URL paths of the kinds that we read and write.

use kubectl_skills::api::names::{SKILLS_GROUP, VERSION};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::WorkloadKind;
use serde_json::Value;

/// A kind as URLs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// Path of group and version.
    pub base: &'static str,
    /// Plural.
    pub plural: &'static str,
}

/// `apps/v1` Deployments.
pub const DEPLOYMENTS: Resource = Resource { base: "/apis/apps/v1", plural: "deployments" };
/// `apps/v1` StatefulSets.
pub const STATEFUL_SETS: Resource = Resource { base: "/apis/apps/v1", plural: "statefulsets" };
/// `agents.x-k8s.io/v1alpha1` Sandboxes.
pub const SANDBOXES: Resource = Resource { base: "/apis/agents.x-k8s.io/v1alpha1", plural: "sandboxes" };
/// The same as `v1beta1`, which has `operatingMode` in the place of `replicas`.
pub const SANDBOXES_BETA: Resource = Resource { base: "/apis/agents.x-k8s.io/v1beta1", plural: "sandboxes" };
/// ConfigMaps.
pub const CONFIG_MAPS: Resource = Resource { base: "/api/v1", plural: "configmaps" };
/// Pods.
pub const PODS: Resource = Resource { base: "/api/v1", plural: "pods" };

/// The resource of a kind of workload; none for those of the command line, whose plural only the cluster knows.
pub fn of_kind(kind: WorkloadKind) -> Option<Resource> {
    let (base, plural) = match kind {
        WorkloadKind::Deployment => return Some(DEPLOYMENTS),
        WorkloadKind::StatefulSet => return Some(STATEFUL_SETS),
        WorkloadKind::Sandbox => return Some(SANDBOXES),
        WorkloadKind::DaemonSet => ("/apis/apps/v1", "daemonsets"),
        WorkloadKind::ReplicaSet => ("/apis/apps/v1", "replicasets"),
        WorkloadKind::Job => ("/apis/batch/v1", "jobs"),
        WorkloadKind::CronJob => ("/apis/batch/v1", "cronjobs"),
        WorkloadKind::Rollout => ("/apis/argoproj.io/v1alpha1", "rollouts"),
        WorkloadKind::KnativeService => ("/apis/serving.knative.dev/v1", "services"),
        WorkloadKind::Custom(_) => return None,
    };
    Some(Resource { base, plural })
}

/// The resource of a workload kind, by its name alone: no two of them share one.
pub fn workload(kind: &str) -> Option<Resource> {
    WorkloadKind::ALL.into_iter().find(|known| known.name() == kind).and_then(of_kind)
}

/// The resource of a workload that was read, in the version in which it was.
pub fn of_workload(workload: &Value) -> Option<Resource> {
    let object = Object(workload);
    let resource = self::workload(object.kind())?;
    let beta = object.api_version() == "agents.x-k8s.io/v1beta1";
    Some(if resource == SANDBOXES && beta { SANDBOXES_BETA } else { resource })
}

/// Path of the SkillBindings; all namespaces for none.
pub fn skill_bindings(namespace: Option<&str>) -> String {
    collection(&format!("/apis/{SKILLS_GROUP}/{VERSION}"), "skillbindings", namespace)
}

/// Path of the AgentRuntimes of a dialect; all namespaces for none.
pub fn agent_runtimes(profile: &Profile, namespace: Option<&str>) -> String {
    collection(&format!("/apis/{}/{VERSION}", profile.names.group), "agentruntimes", namespace)
}

impl Resource {
    /// Whether lists of its pod template merge item by item, as those of Kubernetes' own kinds do. Of others only their CRD
    /// knows, and some say nothing, that of Argo Rollouts among them (argo-rollouts `hack/gen-crd-spec`).
    pub fn merges_lists(self) -> bool {
        ["/apis/apps/", "/apis/batch/"].iter().any(|group| self.base.starts_with(group))
    }

    /// Whether it is Sandboxes, of whichever version.
    pub fn is_sandbox(self) -> bool {
        self.plural == SANDBOXES.plural
    }

    /// Path of the collection; all namespaces for none.
    pub fn list(self, namespace: Option<&str>) -> String {
        collection(self.base, self.plural, namespace)
    }

    /// Path of one object.
    pub fn object(self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.list(Some(namespace)), escape(name))
    }
}

fn collection(base: &str, plural: &str, namespace: Option<&str>) -> String {
    match namespace {
        None => format!("{base}/{plural}"),
        Some(namespace) => format!("{base}/namespaces/{}/{plural}", escape(namespace)),
    }
}

/// Names come from objects and command lines; one with a slash must not reach another path.
fn escape(segment: &str) -> String {
    super::requests::escape_query(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A targetRef is free text: `../../../../api/v1/secrets` in it must stay a name.
    #[test]
    fn a_name_cannot_leave_its_path() {
        assert_eq!(
            DEPLOYMENTS.object("team1", "../../x?y#z"),
            "/apis/apps/v1/namespaces/team1/deployments/..%2F..%2Fx%3Fy%23z"
        );
        assert_eq!(CONFIG_MAPS.list(None), "/api/v1/configmaps");
    }
}
