//! The variables by which the agent of a container is led to its skills: what there is, whose it is and the skills in, the new
//! list out. How the values are joined is left to `env`, whose a variable is to `ownership`.

use foldhash::HashSet;
use serde_json::{Value, json};

use super::env;
use super::fields::At;
use super::image_volumes::name_of;
use super::mounts::path_of;
use super::work::Work;
use crate::api::agent_location::{AGENT_LOCATIONS, AgentLocation, Discovery};
use crate::api::agent_runtime::Skill;
use crate::api::names::{SKILL_FOLDERS, SKILL_VOLUME_PREFIX};
use crate::api::object::child;
use crate::validate::findings::{rules, skill_path};

impl Work<'_, '_> {
    /// Remembers `SKILL_FOLDERS` as its author had it.
    pub(super) fn remember_folders(&mut self, env: &[Value]) {
        let unknown = !self.own.is_rendered() && !self.skills.is_empty();
        let Some(value) = env::any_value(env).filter(|_| unknown) else { return };
        let names: HashSet<&str> = env::paths(value.as_str().unwrap_or_default()).collect();
        let named = self.skills.iter().any(|skill| names.contains(skill.mount_path.as_str()));
        self.ambiguous |= named || names.is_empty();
        self.next.before.folders = Some(value);
    }

    /// The variables of the agent container as they lead the agent to its skills; none if they do already.
    pub(super) fn folders(
        &mut self,
        name: &str,
        mounts: &[Value],
        env: &[Value],
        at: At<'_>,
    ) -> Option<Vec<Value>> {
        let skills = self.skills;
        let discovery = self.runtime.bound.location.map(|location| location.discovery);
        if let None | Some(Discovery::Folders(SKILL_FOLDERS)) = discovery {
            return self.skill_folders(env, at, skills, true);
        }
        let left = self.without_folders_of_before(name, mounts, env, at);
        match discovery {
            Some(Discovery::Root(variable)) if !skills.is_empty() => {
                self.root_variable(variable, name, left.as_deref().unwrap_or(env), at).or(left)
            }
            _ => left,
        }
    }

    /// The variables without the folders that were listed for an earlier runtime, or for none.
    fn without_folders_of_before(
        &mut self,
        name: &str,
        mounts: &[Value],
        env: &[Value],
        at: At<'_>,
    ) -> Option<Vec<Value>> {
        let lists = |runtime: Option<&AgentLocation>| runtime.is_none_or(AgentLocation::lists_folders);
        self.own.variable(name, SKILL_FOLDERS, lists)?;
        let ours = mounts.iter().filter(|mount| {
            let skill = name_of(mount).strip_prefix(SKILL_VOLUME_PREFIX);
            skill.is_some_and(|skill| self.own.volume(skill).is_some())
        });
        self.dropped_paths.extend(ours.map(|mount| path_of(mount).to_owned()));
        self.skill_folders(env, at, &[], true)
    }

    /// The variables without those of ours that hold the folder of all skills, but for the one that leads the agent now.
    pub(super) fn without_roots(
        &mut self,
        container: &str,
        env: &[Value],
        changed: Option<Vec<Value>>,
        agent: bool,
    ) -> Option<Vec<Value>> {
        let now = self.runtime.bound.location.filter(|_| agent && !self.skills.is_empty());
        let now = now.and_then(AgentLocation::root_variable);
        let list = changed.as_deref().unwrap_or(env);
        // Without a skill the folder is nobody's any more.
        let whole = agent && self.skills.is_empty() && self.own.has_whole_containers();
        let goes = |one: &Value| {
            AGENT_LOCATIONS.iter().filter_map(AgentLocation::root_variable).any(|(variable, root)| {
                let for_it = |runtime: Option<&AgentLocation>| {
                    runtime.and_then(AgentLocation::root_variable) == Some((variable, root))
                };
                now != Some((variable, root))
                    && is_variable(one, variable, root)
                    && (whole || self.own.variable(container, variable, for_it).is_some())
            })
        };
        if !list.iter().any(goes) {
            return changed;
        }
        Some(list.iter().filter(|one| !goes(one)).cloned().collect())
    }

    /// The variables with one that holds the folder of all skills.
    fn root_variable(
        &mut self,
        variable: &'static str,
        container: &str,
        env: &[Value],
        at: At<'_>,
    ) -> Option<Vec<Value>> {
        let root = self.runtime.bound.root.clone()?;
        let Some(index) = env.iter().rposition(|one| name_of(one) == variable) else {
            self.next.before.root = None;
            return Some(env.iter().cloned().chain([json!({"name": variable, "value": root})]).collect());
        };
        if is_variable(&env[index], variable, &root) {
            let for_it = |runtime: Option<&AgentLocation>| {
                runtime.is_some_and(|runtime| runtime.discovery == Discovery::Root(variable))
            };
            let stamped = self.own.record.is_none() && self.own.is_rendered();
            if !stamped && self.own.variable(container, variable, for_it).is_none() {
                self.next.before.root = Some(variable.to_owned());
                self.ambiguous = true;
            }
            return None;
        }
        let inside = At::Key(&at, "env");
        let field = At::Index(&inside, index).steps();
        let message = format!("{variable} says something else than {root}, where the skills are");
        let help = format!("set {variable} to {root}, or leave it out");
        self.plan.problem(&rules::SKILL_FOLDERS_SOURCE, &field, message, help);
        None
    }

    /// How to mend what `SKILL_FOLDERS` cannot say: by other means, or without it. Anyone who makes a pod has no flag for that.
    fn without_folders(&self, otherwise: &str) -> String {
        let without = if self.runtime.bound.leads {
            "name a runtime in the SkillBinding that does not need the variable"
        } else {
            "render with --skill-folders=false"
        };
        format!("{otherwise}, or {without}")
    }

    /// The variables of a container with `SKILL_FOLDERS` as it lists these skills.
    pub(super) fn skill_folders(
        &mut self,
        env: &[Value],
        at: At<'_>,
        skills: &[Skill],
        agent: bool,
    ) -> Option<Vec<Value>> {
        let profile = self.options.profile;
        let by_default = !profile.mounts() && profile.observer_render.skill_folders;
        let wanted = self.options.skill_folders.unwrap_or(by_default);
        // Anyone who takes everything out and does not say whether that was in: only what looks as we leave it.
        let forgotten = self.options.skill_folders.is_none()
            && (self.options.remove || !agent)
            && env::ends_with(env, &self.dropped_paths);
        if !wanted && !forgotten {
            return None;
        }
        let before = self.own.record.as_ref().and_then(|record| record.before.folders.clone());
        let text = before.as_ref().and_then(Value::as_str).unwrap_or_default();
        let theirs: Vec<&str> = env::paths(text).collect();
        self.dropped_paths.retain(|path| !theirs.contains(&path.as_str()));
        let paths: Vec<&str> = skills.iter().map(|skill| skill.mount_path.as_str()).collect();
        // Agents split the value at commas and strip blanks: such a path would be read as others, and added in every run.
        for (index, path) in
            paths.iter().enumerate().filter(|(_, path)| path.contains(',') || path.trim() != **path)
        {
            let field = skill_path(index, "mountPath");
            let message = format!("SKILL_FOLDERS cannot name {path:?}: its paths are separated by commas");
            let help = self.without_folders("choose another path");
            self.plan.problem(&rules::SKILL_FOLDERS_PATH, &field, message, help);
        }
        match env::merge(env, &paths, &self.dropped_paths) {
            Ok(None) => None,
            Ok(Some(list)) => match before.as_ref().filter(|_| skills.is_empty() && agent) {
                Some(before)
                    if env::value(&list).is_none_or(|left| env::paths(left).eq(theirs.iter().copied())) =>
                {
                    let list = if env::value(&list).is_some() { list } else { env.to_vec() };
                    Some(env::with_value(&list, before))
                }
                _ => Some(list),
            },
            Err(index) => {
                let env = At::Key(&at, "env");
                let field = At::Key(&At::Index(&env, index), "valueFrom").steps();
                let help = self.without_folders("write the value itself");
                self.plan.problem(&rules::SKILL_FOLDERS_SOURCE, &field, env::NOT_A_VALUE, help);
                None
            }
        }
    }
}

/// Whether an entry of `env` is this variable with this value, and nothing else.
fn is_variable(entry: &Value, variable: &str, value: &str) -> bool {
    let has = |key: &str, wanted: &str| child(entry, key).and_then(Value::as_str) == Some(wanted);
    has("name", variable) && has("value", value) && entry.as_object().is_some_and(|map| map.len() == 2)
}
