//! The plan of an AgentRuntime that is being deleted, and of `--remove`: what is ours is taken out of the workload.
//!
//! Source: operator-spec.md section 8. With `exact` the operator's deletion. Without: everything that evidence says is ours,
//! and nothing that dangles stays; where nothing of ours is, nothing is written.

use std::borrow::Cow;

use serde_json::Value;

use super::apply::{exact_pod, planned};
use super::draft::Draft;
use super::fields::{WrongType, find, map_mut, text};
use super::ownership::Entry;
use super::sandbox::{end_restart, remove_on_deletion, set};
use super::work::Work;
use super::{Action, Options, Runtime, RuntimePlan};
use crate::api::names::{MANAGED_BY, RESTART_HASH};
use crate::api::object::Object;
use crate::api::workload::WorkloadKind;
use crate::config::hash::{ConfigHash, hash_input};
use crate::config::layers::ResolvedConfig;
use crate::validate::findings::rules;

/// Plans the removal.
pub(super) fn plan(
    mut plan: RuntimePlan,
    runtime: &Runtime<'_>,
    workload: Option<Cow<'_, Value>>,
    config: &ResolvedConfig,
    options: &Options,
) -> RuntimePlan {
    let target = &runtime.spec.target_ref;
    let kind = if runtime.bound.leads {
        options.kinds.find(&target.kind, target.group())
    } else {
        WorkloadKind::parse(&target.kind)
    };
    let (Some(kind), Some(workload)) = (kind, workload) else {
        plan.reason = "there is no workload to take anything out of".to_owned();
        return plan;
    };
    let going = Object(runtime.object).is_being_deleted();
    let (after, touched, changed) = if options.exact {
        let mut after = workload.as_ref().clone();
        let defaults_only = ConfigHash::of(&hash_input(options.profile, None, config));
        exact(&mut after, kind, options, defaults_only.as_str());
        let changed = after != *workload;
        (after, None, changed)
    } else {
        let hash = (going && !options.remove && options.profile.deletion.hash_to_defaults)
            .then(|| ConfigHash::of(&hash_input(options.profile, None, config)));
        let hash = hash.as_ref().map(ConfigHash::as_str);
        match safe(&mut plan, runtime, kind, workload.into_owned(), options, hash) {
            Ok(draft) => {
                let changed = draft.is_touched();
                let (after, touched) = draft.into_parts();
                (after, Some(touched), changed)
            }
            Err(WrongType { path, message }) => {
                plan.problem(&rules::WORKLOAD_TYPE, &path, message, "correct the workload");
                (Value::Null, None, false)
            }
        }
    };
    if plan.is_refused() {
        return plan.failed();
    }
    plan.action = if changed { Action::Removed } else { Action::Unchanged };
    plan.reason = match going {
        true => format!("the {} is being deleted", runtime.id.kind),
        false => "everything of ours is taken out".to_owned(),
    };
    // The operator sends its update also when nothing changes.
    if changed || options.exact {
        plan.write(after, touched);
    }
    plan
}

fn exact(after: &mut Value, kind: WorkloadKind, options: &Options, defaults_only: &str) {
    let names = options.profile.names;
    let deletion = options.profile.deletion;
    let paths = kind.paths();
    if deletion.hash_to_defaults {
        set(after, kind, paths.annotations, &[(names.config_hash, defaults_only)]);
    } else {
        remove_on_deletion(after, kind, paths.annotations, names.config_hash);
        remove_on_deletion(after, kind, paths.labels, names.type_label);
        remove_on_deletion(after, kind, &["metadata", "labels"], names.type_label);
    }
    if deletion.mtls_annotation {
        remove_on_deletion(after, kind, paths.annotations, names.mtls_mode);
    }
    remove_on_deletion(after, kind, &["metadata", "labels"], MANAGED_BY);
    if deletion.skills_annotation {
        remove_on_deletion(after, kind, &["metadata", "annotations"], names.skills);
    }
    if deletion.volumes
        && kind.is_typed()
        && let Ok(pod) = map_mut(after, paths.pod)
    {
        exact_pod(pod, &[]);
    }
}

/// `hash`: what a config hash that is there becomes, and then the type labels stay as well; none takes all of them out.
fn safe(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Value,
    options: &Options,
    hash: Option<&str>,
) -> Result<Draft, WrongType> {
    let profile = options.profile;
    let names = profile.names;
    // What SkillBindings add outlives the AgentRuntime.
    let left = runtime.with_bound(&[]);
    plan.skills = planned(&left);
    let mut work = Work::new(plan, Draft::new(workload), runtime, kind, options, &left);
    // Where the operator mounts, neither it nor we ever touch the pod of a Sandbox: what is there is its user's.
    if kind.is_typed() || !profile.mounts() || !left.is_empty() {
        work.pod()?;
    }
    work.annotation()?;
    if kind == WorkloadKind::Sandbox {
        end_restart(&mut work.draft, names)?;
        work.draft.remove(&["metadata", "annotations"], RESTART_HASH);
    }
    // An operator that only observes writes the rest itself, and takes it out itself.
    if profile.mounts() || profile.observer_render.type_label {
        if hash.is_none() {
            work.remove_entry(Entry::Type, &runtime.spec.agent_type)?;
            work.remove_entry(Entry::PodType, &runtime.spec.agent_type)?;
        }
        let manager = text(work.draft.value(), &["metadata", "labels", MANAGED_BY]).to_owned();
        if manager == names.managed_by_value {
            work.remove_entry(Entry::ManagedBy, names.managed_by_value)?;
        } else if !manager.is_empty() {
            work.warn(
                "Q17",
                format!("the label {MANAGED_BY} says {manager} and is left; the operator would remove it"),
            );
        }
    }
    if profile.mounts() || profile.observer_render.config_hash {
        let keys = kind.paths().annotations;
        let is_there = find(work.draft.value(), keys).is_some_and(|map| map.get(names.config_hash).is_some());
        match hash {
            Some(hash) if is_there => work.draft.set(keys, names.config_hash, hash)?,
            // An AgentRuntime that was never applied rolls no pod when it is deleted.
            Some(_) => {}
            None => work.remove_hash()?,
        }
    }
    if options.remove && runtime.bound.leads && !profile.mounts() {
        rendered(&mut work)?;
    }
    work.record()?;
    Ok(work.draft)
}

/// What a render by the rules of an operator that mounts has left alongside skills: the config hash says that there was one, and
/// the record what its author had there.
fn rendered(work: &mut Work<'_, '_>) -> Result<(), WrongType> {
    let (kind, names) = (work.kind, work.options.profile.names);
    if !work.own.is_rendered_hash(work.draft.value()) {
        return Ok(());
    }
    work.remove_hash()?;
    for (entry, ours) in [
        (Entry::Type, &["agent", "tool"][..]),
        (Entry::PodType, &["agent", "tool"]),
        (Entry::ManagedBy, &[names.managed_by_value]),
    ] {
        let found =
            find(work.draft.value(), entry.keys(kind)).map_or("", |map| text(map, &[entry.key(names)]));
        if let Some(ours) = ours.iter().find(|ours| **ours == found) {
            work.remove_entry(entry, ours)?;
        }
    }
    Ok(())
}
