//! A `targetRef` and what a look at it found in, the workload and its kind or the reason against it out, for AgentRuntimes in
//! the operator's words. Source: operator-spec.md section 5, step 3.

use super::{Condition, Options, RuntimePlan, StatusPlan, fields};
use crate::api::agent_runtime::TargetRef;
use crate::api::nearest::{is_slip_of, nearest};
use crate::api::workload::{Kinds, WorkloadKind};
use crate::validate::findings::{Finding, rules};

/// The target and its kind, in the operator's order of checks.
pub(super) fn resolve<W>(
    target: &TargetRef,
    workload: Option<W>,
    namespace: &str,
    kinds: Option<Kinds>,
) -> Result<(WorkloadKind, W), Finding> {
    let TargetRef { api_version, kind, name } = target;
    let problem = |field: &str, message: String, help: &str| Finding {
        help: help.to_owned(),
        ..Finding::new(&rules::TARGET_NOT_FOUND, fields::path(&["spec", "targetRef", field]), message)
    };
    // As `schema.ParseGroupVersion`: at most one slash.
    if api_version.matches('/').count() > 1 {
        let message =
            format!("invalid apiVersion {api_version}: unexpected GroupVersion string: {api_version}");
        return Err(problem("apiVersion", message, "write it as group/version, such as apps/v1"));
    }
    let known = match kinds {
        None => WorkloadKind::parse(kind),
        Some(kinds) => kinds.find(kind, target.group()),
    };
    let Some(known) = known else {
        let message = match kinds {
            None => format!("unsupported workload kind: {kind}"),
            Some(_) => format!("{api_version} {kind} is no kind whose pod template is known"),
        };
        let help = match kinds {
            None => "use Deployment, StatefulSet or Sandbox, spelled exactly so".to_owned(),
            Some(kinds) => unknown_kind(kinds, target),
        };
        // Without one, that is what is missing, and an error already.
        let is_without = kinds.is_some() && api_version.is_empty();
        return Err(problem(if is_without { "apiVersion" } else { "kind" }, message, &help));
    };
    match workload {
        Some(workload) => Ok((known, workload)),
        None => {
            let message = format!("{api_version}/{kind} {name} not found in namespace {namespace}");
            Err(problem("name", message, "create the workload, or correct targetRef"))
        }
    }
}

/// What is meant by a kind that is not known, or how it is made known.
fn unknown_kind(kinds: Kinds, target: &TargetRef) -> String {
    let TargetRef { kind, .. } = target;
    let names = || kinds.all().map(WorkloadKind::name);
    let meant = kinds
        .named(kind)
        .or_else(|| kinds.named(nearest(kind, names()).filter(|known| is_slip_of(kind, known))?));
    if let Some(meant) = meant.filter(|meant| !meant.api_version().is_empty()) {
        return format!("did you mean {} of apiVersion {}?", meant.name(), meant.api_version());
    }
    let all = names().collect::<Vec<_>>().join(", ");
    match target.group() {
        "" => format!("use one of {all}"),
        group => format!(
            "say where its pod template is by --pod-template-path {kind}.{group}=spec.template, or use one of {all}"
        ),
    }
}

/// The run of an AgentRuntime whose target cannot be resolved. With `exact` the conditions of earlier runs stay; without,
/// an agent that has no workload is not ready, and nothing is mounted into it (Q23).
pub(super) fn not_found(mut plan: RuntimePlan, problem: Finding, options: &Options) -> RuntimePlan {
    let message = problem.message.clone();
    plan.event(true, "TargetNotFound", message.clone());
    plan.requeue_after_secs = plan.profile.target_not_found_requeue_secs;
    let mut status = StatusPlan {
        set: vec![Condition::new("TargetResolved", false, "TargetNotFound", message.clone())],
        ..StatusPlan::in_phase(plan.profile, "Error")
    };
    if !options.exact {
        status.set.push(Condition::new("Ready", false, "TargetNotFound", message));
        status.remove.push("SkillsMounted");
    }
    plan.status = Some(status);
    plan.refuse(problem);
    plan.failed()
}
