//! Sends a [`BindingDecision`]: the finalizer first, an event before the status that ends the news. Each names the version
//! that was decided over.

use std::sync::Arc;

use http::Method;
use kubectl_skills::api::names::{BINDING_FINALIZER, ROLLOUT};
use kubectl_skills::api::object::Object;
use kubectl_skills::live::merge_patch::merge_patch;
use kubectl_skills::plan::Finalizer;
use serde_json::{Value, json};

use super::binding::BindingDecision;
use super::execute::{Context, Outcome, announce, reason};
use crate::cluster::apply::FIELD_MANAGER;
use crate::cluster::error::{ClusterError, Failure};
use crate::cluster::paths::skill_binding;
use crate::cluster::skills_of_pods::restart_patch;
use crate::cluster::watch::Transform as _;
use crate::controller::cache::Target;
use crate::controller::queue::Again;
use crate::controller::trim::Trim;
use crate::server::metrics::Metric;

/// Carries a decision out; `now` is the time for events, in RFC 3339.
pub async fn write(context: Arc<Context>, decision: BindingDecision, now: String) -> Outcome {
    let refused = decision.refused;
    let mut stored = None;
    let result = if context.dry_run {
        report(&context, &decision);
        Ok(())
    } else {
        write_all(&context, &decision, &now, &mut stored).await
    };
    let (again, failed) = match result {
        Ok(()) => (Again::No, refused),
        Err(error) => {
            let failed = reason(&error.failure);
            match error.failure {
                // Somebody was faster: their change is on its way here, and is planned with.
                Failure::Conflict | Failure::NotFound => {
                    tracing::debug!(skillbinding = %decision.key, %error, "made again");
                }
                _ => {
                    tracing::warn!(skillbinding = %decision.key, error = %error.one_line(), "the run failed")
                }
            }
            (Again::Failed, failed)
        }
    };
    Outcome { runtime: stored, workload: None, again, failed, backed_off: None, message: String::new() }
}

async fn write_all(
    context: &Context,
    decision: &BindingDecision,
    now: &str,
    stored: &mut Option<Value>,
) -> Result<(), ClusterError> {
    for (target, version) in &decision.left {
        look_again(context, target, version.as_deref()).await?;
    }
    let mut object = decision.object.clone();
    if decision.finalizer != Finalizer::Keep {
        let mut finalizers: Vec<&str> =
            Object(&object).finalizers().filter(|one| *one != BINDING_FINALIZER).collect();
        let mut doing = "remove the finalizer from";
        if decision.finalizer == Finalizer::Add {
            finalizers.push(BINDING_FINALIZER);
            doing = "add the finalizer to";
        }
        let patch = json!({"metadata": {"finalizers": finalizers}});
        let answer = patch_binding(context, decision, &object, "", patch, doing).await;
        match answer {
            Err(error) if error.failure == Failure::NotFound && decision.finalizer == Finalizer::Remove => {
                return Ok(());
            }
            answer => object = answer?,
        }
        context.count("finalizer");
        *stored = Some(object.clone());
    }
    let old = decision.object.get("status").cloned().unwrap_or_default();
    let Some(patch) = decision.status.as_ref().and_then(|new| merge_patch(&old, new)) else { return Ok(()) };
    announce(context, &object, decision.event.clone(), now).await;
    let patch = json!({"status": patch});
    let object = patch_binding(context, decision, &object, "/status", patch, "write the status of").await?;
    context.count("status");
    *stored = Some(object);
    Ok(())
}

/// Annotates the pod template of a workload, so that its pods are made anew.
pub async fn write_rollout(context: Arc<Context>, target: Target, workload: Value, hash: String) -> Outcome {
    let mut outcome = Outcome {
        runtime: None,
        workload: None,
        again: Again::No,
        failed: "",
        backed_off: None,
        message: String::new(),
    };
    let (kind, key) = &target;
    if context.dry_run {
        context.metrics.count(Metric::WithheldWrites, &["rollout"]);
        tracing::info!(workload = %format!("{} {key}", kind.name()), "would restart pods without their skills");
        return outcome;
    }
    let resource = context.resource(*kind);
    let path = format!("{}?fieldManager={FIELD_MANAGER}", resource.object(key.namespace(), key.name()));
    let what = format!("restart {} {key}", resource.plural);
    let patch = restart_patch(*kind, &workload, ROLLOUT, &hash);
    match context.requests.write(Method::PATCH, &path, "application/merge-patch+json", &patch, &what).await {
        Ok(stored) => {
            context.count("rollout");
            tracing::info!(workload = %format!("{}/{key}", resource.plural), "pods are made anew with their skills");
            outcome.workload = Some(Trim::Workload(context.planning.profile.names, *kind).apply(stored));
        }
        Err(error) => {
            outcome.failed = reason(&error.failure);
            outcome.again = Again::Failed;
            if error.failure != Failure::Conflict {
                tracing::warn!(error = %error.one_line(), "pods cannot be made anew");
            }
        }
    }
    outcome
}

/// Looks whether a workload is as it is known. A write whose answer was lost is one that its watch has yet to tell of.
async fn look_again(context: &Context, target: &Target, version: Option<&str>) -> Result<(), ClusterError> {
    let resource = context.resource(target.0);
    let what = format!("get {} {}", resource.plural, target.1);
    let path = resource.object(target.1.namespace(), target.1.name());
    let found = context.requests.get(&path, &what).await?;
    if found.as_ref().map(|found| Object(found).resource_version()) == version {
        return Ok(());
    }
    Err(ClusterError::new(Failure::Conflict, format!("{what}: it changed meanwhile")))
}

async fn patch_binding(
    context: &Context,
    decision: &BindingDecision,
    object: &Value,
    subresource: &str,
    mut patch: Value,
    doing: &str,
) -> Result<Value, ClusterError> {
    let key = &decision.key;
    let path =
        format!("{}{subresource}?fieldManager={FIELD_MANAGER}", skill_binding(key.namespace(), key.name()));
    patch["metadata"]["resourceVersion"] = Object(object).resource_version().into();
    let what = format!("{doing} skillbinding {key}");
    let answer =
        context.requests.write(Method::PATCH, &path, "application/merge-patch+json", &patch, &what).await?;
    Ok(Trim::Runtime.apply(answer))
}

fn report(context: &Context, decision: &BindingDecision) {
    if let Some(status) = &decision.status {
        context.metrics.count(Metric::WithheldWrites, &["status"]);
        tracing::info!(skillbinding = %decision.key, %status, "would write the status");
    }
    if decision.finalizer != Finalizer::Keep {
        context.metrics.count(Metric::WithheldWrites, &["finalizer"]);
    }
}
