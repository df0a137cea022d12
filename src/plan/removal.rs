//! The plan of an AgentRuntime that goes, and of `--remove`: what is ours leaves the workload.
//!
//! Source: operator-spec.md section 8. With `exact` the operator's deletion. Without: for an AgentRuntime that is being
//! deleted the same, but only of what is ours and leaving nothing that dangles; for `--remove` everything that a render adds.

use std::borrow::Cow;

use serde_json::Value;

use super::apply::{PodFacts, exact_pod, image_volumes_before, safe_annotation, safe_pod};
use super::draft::Draft;
use super::fields::{WrongType, find, map_mut, text};
use super::sandbox::{end_restart, remove_on_deletion, set_template};
use super::{Action, Options, Runtime, RuntimePlan};
use crate::api::names::MANAGED_BY;
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
    let kind = WorkloadKind::parse(&runtime.spec.target_ref.kind);
    let (Some(kind), Some(workload)) = (kind, workload) else {
        plan.reason = "there is no workload to take anything out of".to_owned();
        return plan;
    };
    let defaults_only = ConfigHash::of(&hash_input(options.profile, None, config));
    let going = Object(runtime.object).is_being_deleted();
    let (after, touched, changed) = if options.exact {
        let mut after = workload.as_ref().clone();
        exact(&mut after, kind, options, defaults_only.as_str());
        let changed = after != *workload;
        (after, None, changed)
    } else {
        let hash = (going && !options.remove).then(|| defaults_only.as_str());
        let mut draft = Draft::new(workload.into_owned());
        if let Err(WrongType { path, message }) = safe(&mut plan, runtime, kind, &mut draft, options, hash) {
            plan.problem(&rules::WORKLOAD_TYPE, &path, message, "correct the workload");
        }
        let changed = draft.is_touched();
        let (after, touched) = draft.into_parts();
        (after, Some(touched), changed)
    };
    if plan.is_refused() {
        return plan.failed();
    }
    plan.action = if changed { Action::Removed } else { Action::Unchanged };
    plan.reason = if going { "the AgentRuntime is being deleted" } else { "everything of ours is taken out" }
        .to_owned();
    // The operator sends its update also when nothing changes.
    if changed || options.exact {
        plan.write(after, touched);
    }
    plan
}

fn exact(after: &mut Value, kind: WorkloadKind, options: &Options, defaults_only: &str) {
    let names = options.profile.names;
    let deletion = options.profile.deletion;
    let template = ["spec", kind.template_key(), "metadata"];
    if deletion.hash_to_defaults {
        set_template(after, kind, "annotations", &[(names.config_hash, defaults_only)]);
    } else {
        remove_on_deletion(
            after,
            kind,
            &[template[0], template[1], template[2], "annotations"],
            names.config_hash,
        );
        remove_on_deletion(after, kind, &[template[0], template[1], template[2], "labels"], names.type_label);
        remove_on_deletion(after, kind, &["metadata", "labels"], names.type_label);
    }
    if deletion.mtls_annotation {
        remove_on_deletion(
            after,
            kind,
            &[template[0], template[1], template[2], "annotations"],
            names.mtls_mode,
        );
    }
    remove_on_deletion(after, kind, &["metadata", "labels"], MANAGED_BY);
    if deletion.skills_annotation {
        remove_on_deletion(after, kind, &["metadata", "annotations"], names.skills);
    }
    if deletion.volumes
        && kind.is_typed()
        && let Ok(pod) = map_mut(after, &["spec", kind.template_key(), "spec"])
    {
        exact_pod(pod, &[]);
    }
}

/// `hash`: what the pod template's hash becomes; none takes it out, and the type labels with it.
fn safe(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    draft: &mut Draft,
    options: &Options,
    hash: Option<&str>,
) -> Result<(), WrongType> {
    let profile = options.profile;
    let names = profile.names;
    let labels = ["metadata", "labels"];
    let template_labels = ["spec", kind.template_key(), "metadata", "labels"];
    let template_annotations = ["spec", kind.template_key(), "metadata", "annotations"];
    let mut facts = PodFacts::default();
    // Where the operator mounts, neither it nor we ever touch the pod of a Sandbox: what is there is its user's.
    if kind.is_typed() || !profile.mounts() {
        facts.before = image_volumes_before(draft.value(), kind);
        safe_pod(plan, kind, draft, &[], options, &mut facts)?;
    }
    safe_annotation(plan, runtime, draft, &[], &facts, options)?;
    if kind == WorkloadKind::Sandbox && options.restarts {
        end_restart(draft, names)?;
    }
    // An operator that only observes writes the rest itself, and takes it out itself.
    let renders_labels = profile.mounts() || profile.observer_render.type_label;
    let renders_hash = profile.mounts() || profile.observer_render.config_hash;
    if renders_hash {
        match hash.filter(|_| profile.deletion.hash_to_defaults) {
            Some(hash) => draft.set(&template_annotations, names.config_hash, hash)?,
            None => draft.remove(&template_annotations, names.config_hash),
        }
    }
    if renders_labels {
        if hash.is_none() || !profile.deletion.hash_to_defaults {
            for keys in [&labels[..], &template_labels] {
                let found = find(draft.value(), keys).map(|labels| text(labels, &[names.type_label]));
                if found.unwrap_or_default() == runtime.spec.agent_type {
                    draft.remove(keys, names.type_label);
                }
            }
        }
        let manager = text(draft.value(), &["metadata", "labels", MANAGED_BY]).to_owned();
        if manager == names.managed_by_value {
            draft.remove(&labels, MANAGED_BY);
        } else if !manager.is_empty() {
            plan.warn(
                "Q17",
                format!("the label {MANAGED_BY} says {manager} and is left; the operator would remove it"),
            );
        }
    }
    Ok(())
}
