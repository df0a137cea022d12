//! Workloads that keep skills of ours though no AgentRuntime or SkillBinding is about them any more: a SkillBinding that was
//! deleted where no controller runs leaves no other trace. Who takes them out is left to the verbs.

use std::collections::BTreeSet;

use kubectl_skills::api::kind_word::{KindWord, kind_of};
use kubectl_skills::api::object::{Object, title};
use kubectl_skills::api::skill_binding::is_binding;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::live::{self, WorkloadKey};
use kubectl_skills::plan::bindings::{Bindings, leads};
use kubectl_skills::plan::{of_nobody, of_record};
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
        // Its name alone may be that of an AgentRuntime or a SkillBinding as well.
        let kind = self.kind.name().to_lowercase();
        format!("'kubectl skills apply -n {namespace} --remove {kind}/{name}' takes them out")
    }

    /// That a render has brought the skills, and what takes them out.
    pub fn rendered(&self) -> String {
        Self::rendered_into(&self.workload, self.kind, &self.skills)
    }

    /// The same of any workload.
    pub fn rendered_into(workload: &Value, kind: WorkloadKind, skills: &[String]) -> String {
        let (namespace, name) = Object(workload).key();
        let (skills, kind) = (skills.join(", "), kind.name().to_lowercase());
        format!(
            "nothing is wrong: a render has written into its manifest what nothing in the cluster lists: {skills}; to take it out, \
             'kubectl skills render -i --remove' does so in the manifest, and 'kubectl skills apply -n {namespace} --remove \
             {kind}/{name}' in the cluster alone"
        )
    }

    /// Whether a name of the command line means it: its name, with or without its kind in front.
    fn is_named(&self, typed: &str, kinds: Kinds) -> bool {
        let name = Object(&self.workload).name();
        match typed.split_once('/') {
            None => typed == name,
            Some((kind, rest)) => rest == name && kind_of(kind, kinds) == Some(KindWord::Workload(self.kind)),
        }
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
        self.left.clear();
        self.rendered.clear();
        self.unlisted.clear();
        let bindings = Bindings::of_live(&self.bindings);
        // Also of those that cannot be read otherwise.
        let profile = self.dialect.profile;
        let targets = |silent: bool| {
            let runtimes = self.runtimes.iter();
            let runtimes = runtimes.filter(move |one| leads(profile, false, one) != silent);
            let bindings = self.bindings.iter().filter(move |_| !silent);
            runtimes.chain(bindings).map(live::target).collect::<BTreeSet<WorkloadKey>>()
        };
        let (named, silent) = (targets(false), targets(true));
        let missing = named.iter().chain(&silent).filter(|key| !self.workloads.contains_key(*key));
        let missing: BTreeSet<&str> = missing.map(|key| key.2.as_str()).collect();
        let mut namesakes = Vec::new();
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
                if missing.contains(key.2.as_str()) {
                    namesakes.push(key.clone());
                }
                if named.contains(&key) || !bindings.of(kind, &key, &workload).is_empty() {
                    continue;
                }
                let is_silent = silent.contains(&key);
                let skills = live::left(&workload, kind);
                if !skills.is_empty() {
                    if is_silent {
                        continue;
                    }
                    self.left.push(Left { kind, workload, skills });
                    continue;
                }
                let skills = live::rendered(&workload, kind, &BTreeSet::new());
                if !skills.is_empty() {
                    let list = if is_silent { &mut self.unlisted } else { &mut self.rendered };
                    list.push(Left { kind, workload, skills });
                }
            }
        }
        self.namesakes = namesakes;
        Ok(unread)
    }

    /// What there is in place of a target that does not exist, and how to mend it, as far as the workloads were looked through.
    pub fn instead(&self, runtime: &Value) -> Option<String> {
        let (kind, namespace, name) = live::target(runtime);
        // An AgentRuntime cannot point at the other kinds.
        let may_be = |kind: &str| is_binding(Object(runtime)) || WorkloadKind::parse(kind).is_some();
        let mut all = self.namesakes.iter().filter(|one| one.2 == name && may_be(&one.0));
        if let Some(found) = all.clone().find(|one| one.0 != kind && one.1 == namespace) {
            return Some(format!("there is a {} of that name: correct spec.targetRef.kind", found.0));
        }
        let found = all.find(|one| one.0 == kind && one.1 != namespace)?;
        let whose = Object(runtime).kind();
        Some(format!(
            "there is one in namespace {}, and each {whose} takes workloads of its own namespace, {namespace}: create the {whose} there",
            found.1
        ))
    }

    /// Has the run take out what is left: of all workloads, or of those that are named where nothing else has the name. What a render
    /// has brought goes only where somebody names its workload: who applies the manifest means it to be there.
    pub fn take_left(&mut self, scope: &Scope, kinds: Kinds) {
        if scope.selector.is_some() {
            return;
        }
        let names = std::mem::take(&mut self.missing_names);
        let is_named = |left: &&Left| names.iter().any(|name| left.is_named(name, kinds));
        let gone = self.left.iter().filter(|left| scope.names.is_empty() || is_named(left));
        let gone = gone.map(|left| (left, of_nobody(&Object(&left.workload).reference())));
        let rendered = self.rendered.iter().chain(&self.unlisted).filter(is_named);
        let rendered = rendered.map(|left| (left, of_record(&Object(&left.workload).reference())));
        let taken: Vec<(&Left, Value)> = gone.chain(rendered).collect();
        self.missing_names = names
            .iter()
            .filter(|name| !taken.iter().any(|(left, _)| left.is_named(name, kinds)))
            .cloned()
            .collect();
        for (left, nobody) in taken {
            let (namespace, name) = Object(&left.workload).key();
            self.selected_bindings.insert(key(&nobody));
            self.bindings.push(nobody);
            self.workloads.insert((left.kind.name().to_owned(), namespace, name), left.workload.clone());
        }
    }
}
