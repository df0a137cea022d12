//! Workloads that keep skills of ours though no AgentRuntime or SkillBinding is about them any more: a SkillBinding that was
//! deleted where no controller runs leaves no other trace. Who takes them out is left to the verbs.

use std::collections::BTreeSet;

use kubectl_skills::api::object::{Object, title};
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::{self, WorkloadKey};
use kubectl_skills::plan::bindings::Bindings;
use kubectl_skills::plan::of_nobody;
use serde_json::Value;

use super::discovery::sandboxes;
use super::error::{ClusterError, Failure};
use super::paths::of_kind;
use super::requests::Requests;
use super::snapshot::{Scope, Snapshot, has_controller, key, of};

/// A workload that nobody is about any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// Its kind.
    pub kind: WorkloadKind,
    /// The workload.
    pub workload: Value,
    /// The skills that it keeps.
    pub skills: Vec<String>,
}

impl Left {
    /// `deployment.apps/weather`.
    pub fn title(&self) -> String {
        title(self.kind.name(), self.kind.group(), Object(&self.workload).name())
    }

    /// What is wrong.
    pub fn finding(&self) -> String {
        let skills = self.skills.join(", ");
        format!(
            "no SkillBinding or AgentRuntime is about it any more, and it keeps what an earlier one left: {skills}"
        )
    }

    /// What takes the skills out.
    pub fn advice(&self) -> String {
        let (namespace, name) = Object(&self.workload).key();
        format!("'kubectl skills apply -n {namespace} --remove {name}' takes them out")
    }
}

impl Snapshot {
    /// Looks for them among all workloads of the scope; says of which kinds that cannot be known.
    pub async fn read_left(
        &mut self,
        requests: &Requests,
        scope: &Scope,
        kinds: Kinds,
    ) -> Result<Vec<String>, ClusterError> {
        let bindings = Bindings::of_live(&self.bindings);
        // Also of those that cannot be read otherwise.
        let named: BTreeSet<WorkloadKey> =
            self.runtimes.iter().chain(&self.bindings).map(live::target).collect();
        let mut unread = Vec::new();
        for kind in kinds.all() {
            let Some(resource) = self.resources.get(&kind).copied().or_else(|| of_kind(kind)) else {
                continue;
            };
            let resource = if resource.is_sandbox() { sandboxes(requests).await? } else { resource };
            let namespace = scope.namespace.as_deref();
            let what = format!("list {}{}", resource.plural, of(namespace));
            let list = match requests.list(&resource.list(namespace), "", &what).await {
                Err(error) if error.failure == Failure::Forbidden => {
                    unread.push(format!("{}.{}", resource.plural, kind.group()));
                    continue;
                }
                other => other?,
            };
            // What a Deployment or a CronJob has made goes with it.
            for workload in list.into_iter().flat_map(|list| list.items).filter(|item| !has_controller(item))
            {
                let (namespace, name) = key(&workload);
                let key = (kind.name().to_owned(), namespace, name);
                if named.contains(&key) || !bindings.of(kind, &key, &workload).is_empty() {
                    continue;
                }
                let skills = live::left(&workload, kind);
                if !skills.is_empty() {
                    self.left.push(Left { kind, workload, skills });
                    continue;
                }
                // Only a run over such workloads asks for them.
                if !scope.left {
                    continue;
                }
                let skills = live::rendered(&workload, kind, &BTreeSet::new());
                if !skills.is_empty() {
                    self.rendered.push(Left { kind, workload, skills });
                }
            }
        }
        Ok(unread)
    }

    /// Has the run take out what is left: of all workloads, or of those that are named where nothing else has the name.
    pub fn take_left(&mut self, scope: &Scope) {
        if scope.selector.is_some() {
            return;
        }
        let is_meant = |left: &&Left| {
            let is_named = |name: &String| name == Object(&left.workload).name();
            scope.names.is_empty() || self.missing_names.iter().any(is_named)
        };
        let mut taken = BTreeSet::new();
        for left in self.left.iter().filter(is_meant) {
            let object = Object(&left.workload);
            let (namespace, name) = object.key();
            let nobody = of_nobody(&object.reference());
            self.selected_bindings.insert(key(&nobody));
            self.bindings.push(nobody);
            self.workloads
                .insert((left.kind.name().to_owned(), namespace, name.clone()), left.workload.clone());
            taken.insert(name);
        }
        self.missing_names.retain(|name| !taken.contains(name));
    }
}
