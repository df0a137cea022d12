//! The workload of an AgentRuntime as it should be: the one before in, the one after out, with warnings and problems.
//! Source: operator-spec.md section 6; the operator's code in [`exact`], the same without its harm in [`safe`].

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::annotation;
use super::delivery::Delivered;
use super::draft::Draft;
use super::fields::{At, WrongType, find, items, map_mut, text};
use super::image_volumes::{self, volume_name};
use super::ownership::Entry;
use super::reason::{self, Seen};
use super::work::Work;
use super::{Action, Options, PlannedSkill, Runtime, RuntimePlan, mounts, sandbox};
use crate::api::agent_runtime::Skill;
use crate::api::names::MANAGED_BY;
use crate::api::object::{Object, field};
use crate::api::workload::WorkloadKind;
use crate::config::layers::ResolvedConfig;
use crate::validate::findings::rules;

/// Plans the workload.
pub(super) fn plan(
    plan: RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Cow<'_, Value>,
    config: &ResolvedConfig,
    options: &Options,
) -> RuntimePlan {
    let mut plan = plan;
    if options.exact {
        exact(&mut plan, runtime, kind, workload, options);
    } else if let Err(WrongType { path, message }) = safe(&mut plan, runtime, kind, workload, config, options)
    {
        plan.problem(&rules::WORKLOAD_TYPE, &path, message, "correct the workload");
    }
    plan
}

/// The mTLS mode that the pod template is annotated with (0bd664d on).
fn mtls_mode<'r>(runtime: &'r Runtime<'_>) -> &'r str {
    match runtime.spec.mtls_mode.as_str() {
        "" => "permissive",
        mode => mode,
    }
}

/// The operator's code.
fn exact(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Cow<'_, Value>,
    options: &Options,
) {
    let names = options.profile.names;
    let paths = kind.paths();
    let agent_type = runtime.spec.agent_type.as_str();
    let old_hash = sandbox::template_entry(&workload, paths.annotations, names.config_hash);
    let skills = runtime.spec.skills.as_slice();
    let mounts = options.profile.mounts() && options.gate && kind.is_typed();
    if mounts {
        plan.skills = planned(skills);
    }
    let configured = text(&workload, &["metadata", "labels", names.type_label]) == agent_type
        && text(&workload, &["metadata", "labels", MANAGED_BY]) == names.managed_by_value
        && find(&workload, paths.labels).map_or("", |map| text(map, &[names.type_label])) == agent_type
        && old_hash == plan.config_hash
        && (!options.profile.mtls_annotation
            || sandbox::template_entry(&workload, paths.annotations, names.mtls_mode) == mtls_mode(runtime));
    if configured {
        plan.action = Action::Unchanged;
        plan.reason = "labels and config hash are as they should be".to_owned();
        return;
    }
    let mut after = workload.into_owned();
    let labels = [(names.type_label, agent_type), (MANAGED_BY, names.managed_by_value)];
    sandbox::set(&mut after, kind, &["metadata", "labels"], &labels);
    if options.profile.mounts() {
        let annotation = (options.gate && !skills.is_empty())
            .then(|| annotation::text(skills.iter().map(|skill| skill.name.as_str())));
        sandbox::set_or_remove_annotation(&mut after, kind, names.skills, annotation.as_deref());
    }
    sandbox::set(&mut after, kind, paths.labels, &[(names.type_label, agent_type)]);
    let hash = plan.config_hash.clone();
    let mut annotations = vec![(names.config_hash, hash.as_str())];
    if options.profile.mtls_annotation {
        annotations.push((names.mtls_mode, mtls_mode(runtime)));
    }
    sandbox::set(&mut after, kind, paths.annotations, &annotations);
    if mounts && let Ok(pod) = map_mut(&mut after, paths.pod) {
        exact_pod(pod, skills);
    }
    plan.action = Action::Configured;
    plan.reason = "the operator writes labels, config hash and skills anew".to_owned();
    let restart = kind == WorkloadKind::Sandbox && !old_hash.is_empty() && old_hash != plan.config_hash;
    plan.write(after, None);
    if restart {
        sandbox::begin_restart(plan, names);
    }
}

/// The operator's changes of a pod; lists of a wrong type cannot come from the API server and are left.
pub(super) fn exact_pod(pod: &mut Map<String, Value>, skills: &[Skill]) {
    let Ok(existing) = items(pod, "volumes", At::Keys(&[])) else { return };
    let list = image_volumes::exact(existing, skills);
    set_typed(pod, "volumes", list);
    let Some(Value::Object(container)) =
        pod.get_mut("containers").and_then(Value::as_array_mut).and_then(|containers| containers.first_mut())
    else {
        return;
    };
    let Ok(existing) = items(container, "volumeMounts", At::Keys(&[])) else { return };
    let list = mounts::exact(existing, skills);
    set_typed(container, "volumeMounts", list);
}

/// As a Go struct writes it: an empty list is left out.
fn set_typed(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if list.is_empty() {
        map.shift_remove(key);
    } else {
        map.insert(key.to_owned(), Value::Array(list));
    }
}

pub(super) fn planned(skills: &[Skill]) -> Vec<PlannedSkill> {
    let one = |skill: &Skill| PlannedSkill {
        skill: skill.clone(),
        volume: volume_name(skill),
        delivered: Delivered::Image,
        why: String::new(),
    };
    skills.iter().map(one).collect()
}

/// The same result without the operator's harm (operator-spec.md section 11).
fn safe(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    workload: Cow<'_, Value>,
    config: &ResolvedConfig,
    options: &Options,
) -> Result<(), WrongType> {
    let profile = options.profile;
    let observes = !profile.mounts();
    let says_nothing = field(runtime.object, "/spec/skills").is_none_or(Value::is_null);
    if observes && says_nothing && runtime.bound.skills.is_empty() {
        plan.reason = "the AgentRuntime says nothing of skills".to_owned();
        return Ok(());
    }
    // The operators that mount never do so in Sandboxes (section 7); where it is left to the workload's manifest, it works.
    let touches_pod = observes || (options.gate && kind.is_typed());
    let own: &[Skill] = if touches_pod { &runtime.spec.skills } else { &[] };
    let touches_pod = touches_pod || !runtime.bound.skills.is_empty();
    let all = runtime.with_bound(own);
    let skills = &*all;
    plan.skills = planned(skills);
    let before = match workload {
        Cow::Borrowed(workload) => Some(workload),
        Cow::Owned(_) => None,
    };
    // Mostly nothing of any skill is there yet, and then it is known what is to be said.
    let seen = (skills.is_empty() || !reason::is_bare(&workload, kind))
        .then(|| Seen::of(&workload, kind, profile.names));
    let mut work = Work::new(plan, Draft::new(workload.into_owned()), runtime, kind, options, skills);
    unknown_version(&mut work);
    if !runtime.bound.leads && (!observes || profile.observer_render.type_label) {
        safe_labels(&mut work)?;
    }
    if touches_pod {
        work.pod()?;
    }
    if observes && kind == WorkloadKind::Sandbox && !skills.is_empty() {
        work.warn(
            "",
            "a Sandbox does not restart by itself when its skills change; delete its pod to load them",
        );
    }
    work.annotation()?;
    work.tell_gone();
    if !kind.is_typed() && !observes && options.gate && !runtime.spec.skills.is_empty() {
        work.warn(
            "Q18",
            "skills are not mounted into a Sandbox, and the annotation that would say so is not written",
        );
    }
    let restarts = safe_hash(&mut work, runtime, config, options)?;
    work.record()?;
    let changed = work.draft.is_touched();
    let (after, touched) = work.draft.into_parts();
    // To compare the whole would take longer than all of the above; tests, where there is time, do.
    debug_assert!(before.is_none_or(|before| changed == (*before != after)), "a change was not noted");
    plan.action = if changed { Action::Configured } else { Action::Unchanged };
    let gate_off = !observes && !options.gate && !runtime.spec.skills.is_empty();
    plan.reason = match gate_off.then_some(profile.skill_gate) {
        Some(gate) if !changed => format!("the gate {gate} is off: no skill is mounted"),
        Some(gate) if skills.is_empty() => format!("the gate {gate} is off: no skill is to be mounted"),
        _ if !changed => "the workload is as it should be".to_owned(),
        _ => match seen {
            Some(seen) => seen.reason(&Seen::of(&after, kind, profile.names)),
            None => reason::all_come(skills.len()),
        },
    };
    if !changed {
        return Ok(());
    }
    // A Sandbox that is scaled to nothing runs no old pod (Q19).
    let runs = kind == WorkloadKind::Sandbox && sandbox::runs(&after);
    plan.write(after, Some(touched));
    if kind == WorkloadKind::Sandbox && options.restarts && runs && restarts {
        sandbox::begin_restart(plan, profile.names);
    }
    Ok(())
}

/// Writes the hash where the operator has one. Returns whether the Sandbox is to be restarted.
fn safe_hash(
    work: &mut Work<'_, '_>,
    runtime: &Runtime<'_>,
    config: &ResolvedConfig,
    options: &Options,
) -> Result<bool, WrongType> {
    let (profile, kind) = (options.profile, work.kind);
    let observes = !profile.mounts();
    let annotations = find(work.draft.value(), kind.paths().annotations);
    let old_hash =
        annotations.map(|map| text(map, &[profile.names.config_hash])).unwrap_or_default().to_owned();
    let hash = work.plan.config_hash.clone();
    let mut restarts = !old_hash.is_empty() && old_hash != hash;
    if kind == WorkloadKind::Sandbox && !observes && !runtime.bound.leads {
        let changes = sandbox::pod_changes(&mut work.draft, runtime, config, options, (&old_hash, &hash))?;
        if restarts && !changes {
            work.warn("Q29", "the Sandbox is not restarted: what has changed is never mounted into it");
        }
        restarts &= changes;
    }
    if !runtime.bound.leads && (!observes || profile.observer_render.config_hash) {
        work.set_entry(Entry::Hash, &hash)?;
    }
    // Nobody wants to read of the phases: both ends at once.
    if kind == WorkloadKind::Sandbox && !options.restarts {
        sandbox::end_restart(&mut work.draft, profile.names)?;
    }
    Ok(restarts)
}

/// Warns of a workload in a version in which its pod template may be elsewhere.
fn unknown_version(work: &mut Work<'_, '_>) {
    let version = Object(work.draft.value()).api_version().to_owned();
    let known = work.kind.versions();
    if !known.is_empty() && !known.contains(&version.as_str()) {
        let kind = work.kind.name();
        work.warn(
            "",
            format!("{kind} of apiVersion {version} is not known: it is read as {}", known.join(" and ")),
        );
    }
}

fn safe_labels(work: &mut Work<'_, '_>) -> Result<(), WrongType> {
    let names = work.options.profile.names;
    let agent_type = work.runtime.spec.agent_type.as_str();
    work.set_entry(Entry::Type, agent_type)?;
    let manager = text(work.draft.value(), &["metadata", "labels", MANAGED_BY]).to_owned();
    if manager.is_empty() || manager == names.managed_by_value {
        work.set_entry(Entry::ManagedBy, names.managed_by_value)?;
    } else {
        work.warn(
            "Q17",
            format!("the label {MANAGED_BY} says {manager} and is left; the operator would overwrite it"),
        );
    }
    work.set_entry(Entry::PodType, agent_type)
}
