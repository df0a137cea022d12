//! Lists what the controller watches, for a profile and namespaces. Every path here needs a right; the table of rights is
//! the library's `rbac`.

use kubectl_skills::api::names::{AUTHBRIDGE_RUNTIME, SKILL_BINDING, SPIFFE_HELPER};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::WorkloadKind;

use super::trim::Trim;
use crate::cluster::paths::{
    CONFIG_MAPS, PODS, Resource, agent_runtimes, selected, skill_bindings, workload,
};
use crate::cluster::requests::escape_query;
use crate::cluster::watch::{WatchId, WatchTarget};

/// What a watch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// AgentRuntimes.
    Runtimes,
    /// Workloads of a kind.
    Workloads(WorkloadKind),
    /// ConfigMaps that go into hashes.
    Config,
    /// Pods that carry the type label.
    Pods,
    /// SkillBindings.
    Bindings,
    /// Pods of any workload, for their skills.
    SkillsOfPods,
}

impl Watched {
    /// The kind, for metrics.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Runtimes => "AgentRuntime",
            Self::Workloads(kind) => kind.name(),
            Self::Config => "ConfigMap",
            Self::Pods | Self::SkillsOfPods => "Pod",
            Self::Bindings => SKILL_BINDING,
        }
    }
}

/// Which AgentRuntimes the controller looks after.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Namespaces; all where none is given.
    pub namespaces: Vec<String>,
    /// Label selector of AgentRuntimes; empty for all.
    pub selector: String,
}

/// All watches; the index of each is its number.
pub fn watch_targets(profile: &'static Profile, scope: &Scope) -> Vec<(Watched, WatchTarget<Trim>)> {
    let names = profile.names;
    let mut out = Vec::new();
    let all = [None];
    let some: Vec<Option<&str>> = scope.namespaces.iter().map(|name| Some(name.as_str())).collect();
    let namespaces: &[Option<&str>] = if some.is_empty() { &all } else { &some };
    let mut add = |about, what: String, path: String, selector: String, transform| {
        let id: WatchId = out.len();
        let optional = match about {
            Watched::Workloads(kind) => kind == WorkloadKind::Sandbox,
            // SkillBindings need no operator.
            Watched::Runtimes => !profile.mounts(),
            _ => false,
        };
        let metadata_only = about == Watched::Pods;
        out.push((about, WatchTarget { id, what, path, selector, metadata_only, optional, transform }));
    };
    for namespace in namespaces.iter().copied() {
        let place = namespace.map_or("all namespaces".to_owned(), |name| format!("namespace {name:?}"));
        add(
            Watched::Runtimes,
            format!("agentruntimes in {place}"),
            agent_runtimes(profile, namespace),
            selected(&scope.selector),
            Trim::Runtime,
        );
        for kind in WorkloadKind::OF_OPERATOR {
            let Some(resource) = workload(kind.name()) else { continue };
            let transform = if kind.is_typed() { Trim::Workload(names, kind) } else { Trim::Sandbox };
            let what = format!("{} in {place}", resource.plural);
            add(Watched::Workloads(kind), what, resource.list(namespace), String::new(), transform);
        }
        for (what, selector) in config_selectors(names.defaults_label) {
            let what = format!("configmaps {what} in {place}");
            add(Watched::Config, what, CONFIG_MAPS.list(namespace), selector, Trim::ConfigMap);
        }
        let labelled = selected(names.type_label);
        add(Watched::Pods, format!("pods in {place}"), PODS.list(namespace), labelled, Trim::Pod(names));
    }
    // The operator's own; two of them are watched by name above where all namespaces are.
    let mut own = vec![names.platform_config, names.feature_gates];
    if !some.is_empty() && !scope.namespaces.iter().any(|name| name == names.system_namespace) {
        own.extend([AUTHBRIDGE_RUNTIME, SPIFFE_HELPER]);
    }
    for name in own {
        let what = format!("configmap {}/{name}", names.system_namespace);
        add(
            Watched::Config,
            what,
            CONFIG_MAPS.list(Some(names.system_namespace)),
            named(name),
            Trim::ConfigMap,
        );
    }
    out
}

/// Watches of SkillBindings; `first` is the number of the first.
pub fn binding_watches(scope: &Scope, first: WatchId) -> Vec<(Watched, WatchTarget<Trim>)> {
    let selector = selected(&scope.selector);
    everywhere(scope, first, Watched::Bindings, "skillbindings", skill_bindings, &selector, Trim::Runtime)
}

/// Watches of a kind of workload that some SkillBinding asks for.
pub fn kind_watches(
    profile: &'static Profile,
    scope: &Scope,
    (kind, resource): (WorkloadKind, Resource),
    first: WatchId,
) -> Vec<(Watched, WatchTarget<Trim>)> {
    let about = Watched::Workloads(kind);
    let what = if kind == WorkloadKind::KnativeService { "knative services" } else { resource.plural };
    let trim = Trim::Workload(profile.names, kind);
    everywhere(scope, first, about, what, |namespace| resource.list(namespace), "", trim)
}

/// Watches of pods, for their skills.
pub fn pod_watches(scope: &Scope, first: WatchId) -> Vec<(Watched, WatchTarget<Trim>)> {
    let path = |namespace: Option<&str>| PODS.list(namespace);
    everywhere(scope, first, Watched::SkillsOfPods, "all pods", path, "", Trim::SkillsOfPod)
}

fn everywhere(
    scope: &Scope,
    first: WatchId,
    about: Watched,
    plural: &str,
    path: impl Fn(Option<&str>) -> String,
    selector: &str,
    transform: Trim,
) -> Vec<(Watched, WatchTarget<Trim>)> {
    let namespaces = scope.namespaces.iter().map(|name| Some(name.as_str()));
    let namespaces: Vec<Option<&str>> =
        if scope.namespaces.is_empty() { vec![None] } else { namespaces.collect() };
    let watch = |(index, namespace): (usize, Option<&str>)| {
        let place = namespace.map_or("all namespaces".to_owned(), |name| format!("namespace {name:?}"));
        let target = WatchTarget {
            id: first + index,
            what: format!("{plural} in {place}"),
            path: path(namespace),
            selector: selector.to_owned(),
            metadata_only: false,
            optional: about != Watched::SkillsOfPods,
            transform,
        };
        (about, target)
    };
    namespaces.into_iter().enumerate().map(watch).collect()
}

fn config_selectors(defaults_label: &str) -> [(&'static str, String); 3] {
    [
        ("with defaults", selected(&format!("{defaults_label}=true"))),
        (AUTHBRIDGE_RUNTIME, named(AUTHBRIDGE_RUNTIME)),
        (SPIFFE_HELPER, named(SPIFFE_HELPER)),
    ]
}

fn named(name: &str) -> String {
    format!("fieldSelector={}", escape_query(&format!("metadata.name={name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(namespaces: &[&str]) -> Vec<String> {
        let profile = Profile::by_name("pr332-merged").unwrap();
        let scope = Scope {
            namespaces: namespaces.iter().map(|n| (*n).to_owned()).collect(),
            selector: String::new(),
        };
        let all = watch_targets(profile, &scope);
        assert!(all.iter().enumerate().all(|(index, (_, source))| source.id == index));
        all.into_iter().map(|(_, source)| format!("{} {}", source.path, source.selector)).collect()
    }

    /// Who was given rights in two namespaces has none to list the cluster.
    #[test]
    fn with_namespaces_given_nothing_is_asked_of_the_cluster() {
        for path in paths(&["team1", "team2"]) {
            assert!(
                ["team1", "team2", "kagenti-system"]
                    .iter()
                    .any(|n| path.contains(&format!("/namespaces/{n}/"))),
                "{path}"
            );
        }
        assert_eq!(paths(&["team1", "team2"]).len(), 2 * 8 + 4);
        assert_eq!(paths(&["kagenti-system"]).len(), 8 + 2);
    }

    #[test]
    fn the_whole_cluster_takes_ten_watches() {
        assert_eq!(
            paths(&[]),
            [
                "/apis/agent.kagenti.dev/v1alpha1/agentruntimes ",
                "/apis/apps/v1/deployments ",
                "/apis/apps/v1/statefulsets ",
                "/apis/agents.x-k8s.io/v1alpha1/sandboxes ",
                "/api/v1/configmaps labelSelector=kagenti.io%2Fdefaults%3Dtrue",
                "/api/v1/configmaps fieldSelector=metadata.name%3Dauthbridge-runtime-config",
                "/api/v1/configmaps fieldSelector=metadata.name%3Dspiffe-helper-config",
                "/api/v1/pods labelSelector=kagenti.io%2Ftype",
                "/api/v1/namespaces/kagenti-system/configmaps fieldSelector=metadata.name%3Dkagenti-platform-config",
                "/api/v1/namespaces/kagenti-system/configmaps fieldSelector=metadata.name%3Dkagenti-feature-gates",
            ]
        );
    }
}
