//! URL paths of the kinds that we read and write.

use kubectl_skills::api::names::{APP_NAME, SKILL_BINDING, SKILLS_GROUP, VERSION};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::install::rbac::NAME;
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
/// CustomResourceDefinitions, which are of the cluster.
pub const CRDS: Resource =
    Resource { base: "/apis/apiextensions.k8s.io/v1", plural: "customresourcedefinitions" };
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

/// Path of one SkillBinding.
pub fn skill_binding(namespace: &str, name: &str) -> String {
    format!("{}/{}", skill_bindings(Some(namespace)), escape(name))
}

/// Path of one AgentRuntime of a dialect.
pub fn agent_runtime(profile: &Profile, namespace: &str, name: &str) -> String {
    format!("{}/{}", agent_runtimes(profile, Some(namespace)), escape(name))
}

/// Path of one object with a list of skills, and the plural of its kind: a SkillBinding, or an AgentRuntime of a dialect.
pub fn of_list(profile: &Profile, is_binding: bool, namespace: &str, name: &str) -> (String, &'static str) {
    if is_binding {
        (skill_binding(namespace, name), "skillbindings")
    } else {
        (agent_runtime(profile, namespace, name), "agentruntimes")
    }
}

/// The group of a kind with a list of skills: SkillBinding, or AgentRuntime in a dialect.
pub fn group_of(profile: &Profile, kind: &str) -> &'static str {
    if kind == SKILL_BINDING { SKILLS_GROUP } else { profile.names.group }
}

/// The query for objects whose labels a selector chooses; none for an empty one.
pub fn selected(selector: &str) -> String {
    if selector.is_empty() { String::new() } else { format!("labelSelector={}", escape(selector)) }
}

/// The query for what an installation of this program has made, as it is labelled.
pub fn of_program() -> String {
    selected(&format!("{APP_NAME}={NAME}"))
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

    /// Path of one object of a kind without namespaces.
    pub fn object_of_cluster(self, name: &str) -> String {
        format!("{}/{}", self.list(None), escape(name))
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
        let roles = Resource { base: "/apis/rbac.authorization.k8s.io/v1", plural: "clusterroles" };
        assert_eq!(
            roles.object_of_cluster("a/../b"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%2F..%2Fb"
        );
        assert_eq!(of_program(), "labelSelector=app.kubernetes.io%2Fname%3Dkubectl-skills");
    }
}
