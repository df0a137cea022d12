//! Conditions, events and status of a run that reached its workload. Source: operator-spec.md section 5, steps 4 to 13, and
//! section 12.

use serde_json::Value;

use super::fields::{find, is_set, text};
use super::{Condition, Options, Runtime, RuntimePlan, StatusPlan, Surroundings, mesh};
use crate::api::names::Names;
use crate::api::object::field;
use crate::api::profile::SkillsMode;
use crate::api::workload::WorkloadKind;
use crate::config::layers::ResolvedConfig;
use crate::go::strings::string_list;

/// Seconds until a workload that could not be configured is tried again (operator-spec.md section 5, step 9).
const RETRY_SECS: u32 = 30;

/// The skills annotation of the workload before, where the operator reads it.
pub(super) fn linked(workload: &Value, options: &Options) -> String {
    match options.profile.skills {
        SkillsMode::Observes { .. } if options.gate => {
            text(workload, &["metadata", "annotations", options.profile.names.skills]).to_owned()
        }
        _ => String::new(),
    }
}

/// The run of an AgentRuntime whose workload is, or is about to be, configured. `linked`: of [`linked`].
pub(super) fn configured(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    linked: &str,
    config: &ResolvedConfig,
    around: &Surroundings<'_>,
    options: &Options,
) {
    let mut status = StatusPlan::in_phase(options.profile, "Active");
    resolved(plan, runtime, kind, config, around, &mut status);
    match options.profile.skills {
        SkillsMode::Mounts => mounted(plan, runtime, kind, options, &mut status),
        SkillsMode::Observes { condition, parse_event } => {
            observed(plan, linked, options, &mut status, condition, parse_event);
        }
    }
    let name = &runtime.spec.target_ref.name;
    status.configured_pods = Some(configured_pods(runtime, around.pods, options.profile.names));
    let short = plan.config_hash.get(..12).unwrap_or_default();
    let message = format!("Workload {name} configured with config-hash {short}");
    status.set.push(Condition::new("Ready", true, "Configured", message));
    plan.event(false, "Configured", format!("Applied config to {} {name}", kind.name()));
    plan.status = Some(status);
}

/// The run of an AgentRuntime whose workload cannot be configured.
pub(super) fn refused(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    config: &ResolvedConfig,
    around: &Surroundings<'_>,
    options: &Options,
) {
    let mut status = StatusPlan::in_phase(plan.profile, "Error");
    resolved(plan, runtime, kind, config, around, &mut status);
    let messages: Vec<&str> = plan.problems().iter().map(|problem| problem.message.as_str()).collect();
    status.set.push(Condition::new("Ready", false, "ConfigApplyError", messages.join("; ")));
    if !options.exact {
        // What an earlier run mounted is not known to be there still (Q23).
        status.remove.push("SkillsMounted");
    }
    plan.requeue_after_secs = RETRY_SECS;
    plan.status = Some(status);
}

fn resolved(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    config: &ResolvedConfig,
    around: &Surroundings<'_>,
    status: &mut StatusPlan,
) {
    let name = &runtime.spec.target_ref.name;
    status.set.push(Condition::new(
        "TargetResolved",
        true,
        "TargetFound",
        format!("{} {name} resolved", kind.name()),
    ));
    status.set.extend(mesh::conditions(plan, runtime, kind, around.namespace));
    let warnings = config.warnings();
    if warnings.is_empty() {
        let message = "Configuration resolved successfully";
        status.set.push(Condition::new("ConfigResolved", true, "ConfigResolved", message));
    } else {
        status.set.push(Condition::new("ConfigResolved", true, "ConfigWarning", warnings.join("; ")));
    }
    for warning in warnings {
        plan.event(true, "ConfigWarning", warning.clone());
        plan.warn("Q2", warning.clone());
    }
    card(runtime, kind, around, status);
}

/// Card discovery: off, a card that is still there is cleared; on, only what can be said without fetching a card.
fn card(runtime: &Runtime<'_>, kind: WorkloadKind, around: &Surroundings<'_>, status: &mut StatusPlan) {
    let Some(services) = around.services else {
        if is_set(field(runtime.object, "/status/card")) {
            status.clear_card = true;
            let message = "Card discovery is disabled; stale card data cleared";
            status.set.push(Condition::new("CardSynced", false, "CardDiscoveryDisabled", message));
        }
        return;
    };
    if services.is_empty() {
        let (kind, name) = (kind.name(), &runtime.spec.target_ref.name);
        let message =
            format!("no Service matches workload {kind}/{name} in namespace {}", runtime.id.namespace);
        status.set.push(Condition::new("CardSynced", false, "ServiceNotFound", message));
    }
}

fn mounted(
    plan: &mut RuntimePlan,
    runtime: &Runtime<'_>,
    kind: WorkloadKind,
    options: &Options,
    status: &mut StatusPlan,
) {
    const SANDBOX: &str = "Sandbox workloads do not support skill ImageVolumes";
    let count = runtime.spec.skills.len();
    let (mounted, reason, message, event) = if count == 0 {
        status.remove.push("SkillsMounted");
        return;
    } else if !options.gate {
        let gate = options.profile.skill_gate;
        let event = format!("{gate} feature gate is disabled; enable it to mount OCI skill images");
        (
            false,
            "FeatureGateDisabled",
            format!("Skills defined but {gate} feature gate is disabled"),
            Some(event),
        )
    } else if kind == WorkloadKind::Sandbox {
        (false, "UnsupportedWorkloadKind", SANDBOX.to_owned(), Some(SANDBOX.to_owned()))
    } else {
        (true, "SkillsApplied", format!("{count} skill image(s) mounted"), None)
    };
    status.set.push(Condition::new("SkillsMounted", mounted, reason, message));
    if let Some(event) = event {
        plan.event(true, "SkillsNotMounted", event);
    }
}

fn observed(
    plan: &mut RuntimePlan,
    annotation: &str,
    options: &Options,
    status: &mut StatusPlan,
    with_condition: bool,
    with_event: bool,
) {
    let key = options.profile.names.skills;
    let linked = if annotation.is_empty() { Ok(Vec::new()) } else { string_list(annotation) };
    let linked = linked.unwrap_or_else(|error| {
        if with_event {
            plan.event(
                true,
                "SkillAnnotationParseError",
                format!("Failed to parse {key} annotation: {error}"),
            );
        }
        Vec::new()
    });
    if with_condition {
        if linked.is_empty() {
            status.remove.push("SkillsDiscovered");
        } else {
            let message = format!("{} linked skill(s) discovered from workload annotation", linked.len());
            status.set.push(Condition::new("SkillsDiscovered", true, "SkillsFound", message));
        }
    }
    status.linked_skills = Some(linked);
}

/// Pods that carry the configuration (operator-spec.md section 5, step 11).
fn configured_pods(runtime: &Runtime<'_>, pods: &[Value], names: &Names) -> u32 {
    let target = runtime.spec.target_ref.name.as_str();
    let owned = |pod: &Value| {
        let owners = find(pod, &["metadata", "ownerReferences"]).and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| {
            let name = text(owner, &["name"]);
            match text(owner, &["kind"]) {
                "ReplicaSet" => name.rsplit_once('-').is_some_and(|(base, _)| base == target),
                "StatefulSet" | "Sandbox" => name == target,
                _ => false,
            }
        })
    };
    let count = pods
        .iter()
        .filter(|pod| {
            text(pod, &["metadata", "namespace"]) == runtime.id.namespace
                && text(pod, &["metadata", "labels", names.type_label]) == runtime.spec.agent_type
                && owned(pod)
        })
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
