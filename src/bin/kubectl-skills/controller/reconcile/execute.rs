//! Sends a [`Decision`]: one write to the workload, one to the status, one for the finalizer, each only if it changes
//! something. Events go before the status, which ends the news. Every write names the resourceVersion that was planned with, and is refused by the fence if this replica does
//! not lead.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use kubectl_skills::api::object::Object;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::live::apply_configuration::{is_settled, removed_fields};
use kubectl_skills::live::merge_patch::merge_patch;
use kubectl_skills::plan::{Event, Finalizer, RuntimePlan, StatusPlan};
use serde_json::{Value, json};

use super::contenders::contenders;
use super::plan::{Decision, Planning, RETRY_SECS, contested_status, failed_status};
use crate::cluster::apply::{FIELD_MANAGER, Settings, Write, apply_at_once, commit, prepare};
use crate::cluster::carry_out::ours;
use crate::cluster::error::{ClusterError, Failure};
use crate::cluster::paths::{DEPLOYMENTS, Resource, agent_runtime, of_kind};
use crate::cluster::requests::Requests;
use crate::cluster::restart::return_replicas;
use crate::cluster::watch::Transform as _;
use crate::controller::cache::Target;
use crate::controller::contention::{BACKOFF, Contention};
use crate::controller::events::{Announcer, News, about};
use crate::controller::queue::Again;
use crate::controller::trim::Trim;
use crate::server::metrics::{Metric, Metrics};

/// How long a run waits for its events before it goes on without them.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(5);

/// What all reconciliations share.
pub struct Context {
    /// Requests through the fence.
    pub requests: Arc<Requests>,
    /// How plans are made.
    pub planning: Planning,
    /// Counters.
    pub metrics: Metrics,
    /// Where events go.
    pub announcer: Announcer,
    /// Nothing is written.
    pub dry_run: bool,
    /// Where the kinds of the command line are.
    resources: Resources,
    /// Namespaces where a dry run has shown that the server keeps image volumes.
    proven: Mutex<HashSet<String>>,
}

/// Resources by kind.
pub type Resources = BTreeMap<WorkloadKind, Resource>;

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The AgentRuntime as stored, where it was written.
    pub runtime: Option<Value>,
    /// The workload as stored (what is kept of it), where it was written.
    pub workload: Option<Value>,
    /// When the run comes again.
    pub again: Again,
    /// Why it failed, for metrics; empty where it did not.
    pub failed: &'static str,
    /// Somebody else's fields: kept off from whom.
    pub backed_off: Option<String>,
    /// Why the workload is not as it should be; empty where it is.
    pub message: String,
}

impl Context {
    /// Context that have written nothing yet.
    pub fn new(
        requests: Arc<Requests>,
        planning: Planning,
        metrics: Metrics,
        announcer: Announcer,
        dry_run: bool,
    ) -> Self {
        let (resources, proven) = (Resources::default(), Mutex::default());
        Self { requests, planning, metrics, announcer, dry_run, resources, proven }
    }

    /// With kinds of the command line.
    pub fn with_resources(self, resources: Resources) -> Self {
        Self { resources, ..self }
    }

    /// Where a kind is.
    pub fn resource(&self, kind: WorkloadKind) -> Resource {
        of_kind(kind).or_else(|| self.resources.get(&kind).copied()).unwrap_or(DEPLOYMENTS)
    }

    fn settings() -> Settings {
        // A controller that gave way to every other manager could heal nothing; who writes back is found out instead.
        Settings { manager: FIELD_MANAGER.to_owned(), force: true }
    }

    fn is_proven(&self, namespace: &str) -> bool {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(namespace)
    }

    fn set_proven(&self, namespace: &str, proven: bool) {
        let mut all = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven {
            all.insert(namespace.to_owned());
        } else {
            all.remove(namespace);
        }
    }

    /// Counts a write.
    pub fn count(&self, what: &'static str) {
        self.metrics.count(Metric::Writes, &[what]);
    }
}

/// Carries a decision out. `persists` says that the runs before it failed as well; `now` is the time for conditions, in
/// RFC 3339.
pub async fn execute(
    context: Arc<Context>,
    decision: Decision,
    contention: Contention,
    persists: bool,
    now: String,
) -> Outcome {
    if context.dry_run {
        return report(&context, &decision);
    }
    let mut run =
        Run { context: &context, decision, persists, now, written: false, runtime: None, workload: None };
    let result = run.all(&contention).await;
    run.conclude(result)
}

struct Run<'a> {
    context: &'a Context,
    decision: Decision,
    persists: bool,
    now: String,
    written: bool,
    runtime: Option<Value>,
    workload: Option<Value>,
}

/// How a run that got through ended.
struct Ended {
    again: Again,
    failed: &'static str,
    backed_off: Option<String>,
    message: String,
}

impl Run<'_> {
    async fn all(&mut self, contention: &Contention) -> Result<Ended, ClusterError> {
        if self.decision.finalizer == Finalizer::Add {
            self.add_finalizer().await?;
            if self
                .decision
                .plan
                .as_ref()
                .is_some_and(|plan| plan.status.is_none() && plan.updates().is_empty())
            {
                // The operator's first run does only that (`--exact`).
                return Ok(ended(Again::Now, ""));
            }
        }
        if *contention == Contention::Contested {
            return self.back_off().await;
        }
        if let Some(plan) = self.decision.plan.clone()
            && let Some(target) = self.decision.target.clone()
            && !plan.updates().is_empty()
        {
            match self.write_workload(&plan, &target).await {
                Ok(()) => {}
                // Deleted meanwhile: the watch will tell, and there is nothing to be cleaned up.
                Err(error) if error.failure == Failure::NotFound && self.decision.is_being_deleted() => {}
                Err(error) => return self.workload_failed(&plan, error).await,
            }
        }
        if self.decision.finalizer == Finalizer::Remove {
            self.remove_finalizer().await?;
            return Ok(ended(Again::No, ""));
        }
        let events = std::mem::take(&mut self.decision.events);
        match self.decision.status.take() {
            Some(status) => {
                self.write_status(&status, events).await?;
            }
            None if self.written => self.announce(events).await,
            None => {}
        }
        let again = match self.decision.requeue_secs {
            0 => Again::No,
            seconds => Again::After(Duration::from_secs(seconds.into())),
        };
        Ok(ended(again, self.decision.refused))
    }

    fn conclude(self, result: Result<Ended, ClusterError>) -> Outcome {
        let (runtime, workload) = (self.runtime, self.workload);
        match result {
            Ok(Ended { again, failed, backed_off, message }) => {
                Outcome { runtime, workload, again, failed, backed_off, message }
            }
            Err(error) => {
                let failed = reason(&error.failure);
                match error.failure {
                    // Somebody was faster: their change is on its way here, and is planned with.
                    Failure::Conflict => tracing::debug!(runtime = %self.decision.key, %error, "made again"),
                    Failure::NotFound => tracing::debug!(runtime = %self.decision.key, %error, "it is gone"),
                    _ => {
                        tracing::warn!(runtime = %self.decision.key, error = %error.one_line(), "the run failed")
                    }
                }
                let message = String::new();
                Outcome { runtime, workload, again: Again::Failed, failed, backed_off: None, message }
            }
        }
    }

    /// The workload could not be written: the status says so, and it is tried again.
    async fn workload_failed(
        &mut self,
        plan: &RuntimePlan,
        error: ClusterError,
    ) -> Result<Ended, ClusterError> {
        // What passes by itself is no state of the AgentRuntime, unless it does not pass; and who does not lead writes no
        // status either.
        let passing = matches!(error.failure, Failure::Unavailable | Failure::TimedOut);
        let silent = matches!(
            error.failure,
            Failure::Conflict
                | Failure::NotFound
                | Failure::NoConnection
                | Failure::Connection
                | Failure::NotPermitted
                | Failure::Unauthorized
        );
        if silent || (passing && (!self.persists || self.decision.is_being_deleted())) {
            return Err(error);
        }
        let failed = reason(&error.failure);
        if self.decision.is_being_deleted() && !self.decision.workload_only {
            tracing::warn!(runtime = %self.decision.key, error = %error.one_line(), "cannot take our things out; the finalizer stays");
            return Ok(ended(Again::Failed, failed));
        }
        let exact = self.context.planning.exact;
        let status_reason = match error.failure {
            Failure::ImageVolumesDropped if !exact => "ImageVolumesDropped",
            _ => "ConfigApplyError",
        };
        let message = if error.said.is_empty() { error.message.clone() } else { error.said.clone() };
        let again =
            if passing { Again::Failed } else { Again::After(Duration::from_secs(RETRY_SECS.into())) };
        let ended = Ended { message: message.clone(), ..ended(again, failed) };
        if self.decision.workload_only {
            tracing::warn!(runtime = %self.decision.key, error = %error.one_line(), "the workload cannot be written");
            return Ok(ended);
        }
        let status = failed_status(plan, status_reason, &message, exact);
        let event = Event { warning: true, reason: status_reason, message };
        let events = if exact { Vec::new() } else { vec![event] };
        if self.write_status(&status, events).await? {
            tracing::warn!(runtime = %self.decision.key, error = %error.one_line(), "the workload cannot be configured");
        }
        Ok(ended)
    }

    async fn write_workload(&mut self, plan: &RuntimePlan, target: &Target) -> Result<(), ClusterError> {
        let Some(mut live) = self.decision.workload.clone() else { return Ok(()) };
        let mut plan = plan.clone();
        let mut whole = false;
        let mut index = 0;
        while index < plan.updates().len() {
            let desired = with_system_fields(&plan.updates()[index], &live);
            if is_settled(&live, &desired) {
                index += 1;
                continue;
            }
            let namespace = target.1.namespace();
            // The replicas of a Sandbox are another's, and whether they may be borrowed is asked by dry run.
            // What is known is not the whole object: a list that does not merge has to be stated whole.
            let resource = self.context.resource(target.0);
            let simple = resource.merges_lists()
                && removed_fields(&live, &desired).is_empty()
                && (plan.skills.is_empty() || self.context.is_proven(namespace));
            if !simple && !whole {
                live = self.read_whole(target).await?;
                if index == 0 {
                    match self.decision.replan(&live) {
                        Some(fresh) if fresh.problems().is_empty() => plan = fresh,
                        // What makes a problem of it has changed since: the watch brings it, and a new run.
                        _ => {
                            return Err(ClusterError::new(
                                Failure::Conflict,
                                "the workload changed meanwhile",
                            ));
                        }
                    }
                }
                whole = true;
                continue;
            }
            let write = Write {
                resource,
                namespace: namespace.to_owned(),
                name: target.1.name().to_owned(),
                ours: ours(&plan, target.0, &desired),
                live: live.clone(),
                desired,
                by_record: false,
            };
            let stored = self.send_workload(write, simple, !plan.skills.is_empty()).await?;
            let trim = match target.0 {
                WorkloadKind::Sandbox => Trim::Sandbox,
                kind => Trim::Workload(plan.profile.names, kind),
            };
            self.workload = Some(trim.apply(stored.clone()));
            // The stored object is the whole one, and what the next step is stated over.
            live = stored;
            whole = true;
            index += 1;
        }
        let pending = Object(&live).annotation(plan.profile.names.restart_pending);
        if target.0 == WorkloadKind::Sandbox && self.written && pending.is_none() {
            let place = (target.1.namespace(), target.1.name());
            return_replicas(&self.context.requests, place, &live, &Context::settings()).await?;
        }
        Ok(())
    }

    async fn send_workload(
        &mut self,
        write: Write,
        simple: bool,
        images: bool,
    ) -> Result<Value, ClusterError> {
        let requests = &self.context.requests;
        let namespace = write.namespace.clone();
        let (kind, name) = (write.resource.plural, write.name.clone());
        let settings = Context::settings();
        let stored = if simple {
            apply_at_once(requests, write, &settings).await
        } else {
            match prepare(requests, write, &settings).await {
                Ok(prepared) => commit(requests, prepared, &settings).await,
                Err(error) => Err(error),
            }
        };
        let stored = stored.inspect_err(|error| {
            if error.failure == Failure::ImageVolumesDropped {
                self.context.set_proven(&namespace, false);
            }
        })?;
        if images {
            self.context.set_proven(&namespace, true);
        }
        self.written = true;
        self.context.count("workload");
        tracing::info!(runtime = %self.decision.key, workload = %format!("{kind}/{name}"), "workload written");
        Ok(stored)
    }

    async fn read_whole(&self, target: &Target) -> Result<Value, ClusterError> {
        let resource = self.context.resource(target.0);
        let what = format!("get {} {}", resource.plural, target.1);
        let path = resource.object(target.1.namespace(), target.1.name());
        self.context
            .requests
            .get(&path, &what)
            .await?
            .ok_or_else(|| ClusterError::new(Failure::NotFound, format!("{what}: it was deleted meanwhile")))
    }

    /// Says who writes our fields back, and stops.
    async fn back_off(&mut self) -> Result<Ended, ClusterError> {
        let (Some(plan), Some(target)) = (self.decision.plan.clone(), self.decision.target.clone()) else {
            return Ok(ended(Again::No, ""));
        };
        let live = self.read_whole(&target).await?;
        let desired = plan.desired().cloned().unwrap_or_default();
        let seen = self.decision.workload.clone().unwrap_or_default();
        let who = contenders(&live, &seen, &desired, &ours(&plan, target.0, &desired));
        let message = if who.is_empty() {
            format!(
                "{} {} does not keep what is written to it, and no other manager says that it writes there: an admission webhook \
                 may; tried again in {} minutes",
                target.0.name(),
                target.1.name(),
                BACKOFF.as_secs() / 60
            )
        } else {
            format!(
                "{} {} is written back by {who}; it is left alone and tried again in {} minutes. Let one of the two own these \
                 fields",
                target.0.name(),
                target.1.name(),
                BACKOFF.as_secs() / 60
            )
        };
        tracing::warn!(runtime = %self.decision.key, message, "kept off");
        let ended = Ended {
            again: Again::After(BACKOFF),
            failed: "FieldContested",
            backed_off: Some(who),
            message: message.clone(),
        };
        if self.decision.workload_only {
            return Ok(ended);
        }
        let status = contested_status(&plan, &message);
        // Each time: it says that it was tried once more.
        self.announce(vec![Event { warning: true, reason: "FieldContested", message }]).await;
        self.write_status(&status, Vec::new()).await?;
        Ok(ended)
    }

    async fn add_finalizer(&mut self) -> Result<(), ClusterError> {
        let mut finalizers = self.finalizers();
        finalizers.push(self.context.planning.profile.names.finalizer.to_owned());
        self.write_finalizers(&finalizers, "add the finalizer to").await
    }

    async fn remove_finalizer(&mut self) -> Result<(), ClusterError> {
        let mut finalizers = self.finalizers();
        finalizers.retain(|finalizer| finalizer != self.context.planning.profile.names.finalizer);
        match self.write_finalizers(&finalizers, "remove the finalizer from").await {
            Err(error) if error.failure == Failure::NotFound => Ok(()),
            other => other,
        }
    }

    fn finalizers(&self) -> Vec<String> {
        Object(&self.decision.runtime).finalizers().map(str::to_owned).collect()
    }

    async fn write_finalizers(&mut self, finalizers: &[String], doing: &str) -> Result<(), ClusterError> {
        let patch = json!({"metadata": {"resourceVersion": self.version(), "finalizers": finalizers}});
        let stored = self.patch_runtime("", &patch, doing).await?;
        self.context.count("finalizer");
        self.stored(stored);
        Ok(())
    }

    /// Sends events and waits for them. They stand before the status does: whoever ends between the two finds the status as
    /// it was, and its next run sends them again under the same name.
    async fn announce(&self, events: Vec<Event>) {
        announce(self.context, &self.decision.runtime, events, &self.now).await;
    }

    /// Writes a status where it says something new, after the events of what is news. Whether it is more than a number of
    /// pods, which is no event.
    async fn write_status(&mut self, plan: &StatusPlan, events: Vec<Event>) -> Result<bool, ClusterError> {
        let old = self.decision.runtime.get("status").cloned().unwrap_or(Value::Null);
        let new = plan.apply(&old, self.decision.generation(), Some(&self.now));
        let patch = merge_patch(&old, &new);
        let is_news = patch
            .as_ref()
            .and_then(Value::as_object)
            .is_some_and(|patch| patch.keys().any(|key| key != "configuredPods"));
        if is_news || self.written {
            self.announce(events).await;
        }
        let Some(patch) = patch else { return Ok(false) };
        let patch = json!({"metadata": {"resourceVersion": self.version()}, "status": patch});
        let stored = self.patch_runtime("/status", &patch, "write the status of").await?;
        self.context.count("status");
        self.stored(stored);
        Ok(is_news)
    }

    fn version(&self) -> Value {
        self.decision.runtime.pointer("/metadata/resourceVersion").cloned().unwrap_or_default()
    }

    fn stored(&mut self, object: Value) {
        let kept = Trim::Runtime.apply(object);
        self.decision.runtime = kept.clone();
        self.runtime = Some(kept);
    }

    async fn patch_runtime(
        &self,
        subresource: &str,
        patch: &Value,
        doing: &str,
    ) -> Result<Value, ClusterError> {
        let key = &self.decision.key;
        let path = format!(
            "{}{subresource}?fieldManager={FIELD_MANAGER}",
            agent_runtime(self.context.planning.profile, key.namespace(), key.name())
        );
        let what = format!("{doing} agentruntime {key}");
        self.context.requests.write(Method::PATCH, &path, "application/merge-patch+json", patch, &what).await
    }
}

/// Sends events about an object and waits for them, for some time.
pub async fn announce(context: &Context, object: &Value, events: impl IntoIterator<Item = Event>, now: &str) {
    let about = about(object);
    let news = |event| News { about: about.clone(), event, time: now.to_owned() };
    let sent: Vec<_> = events.into_iter().map(|event| context.announcer.announce(news(event))).collect();
    let all = async {
        for one in sent {
            // It ends by being dropped.
            drop(one.await);
        }
    };
    if tokio::time::timeout(ANNOUNCED_WITHIN, all).await.is_err() {
        tracing::debug!(object = Object(object).name(), "events are slow; the status goes on without them");
    }
}

fn ended(again: Again, failed: &'static str) -> Ended {
    Ended { again, failed, backed_off: None, message: String::new() }
}

/// What a run would have done, in the log.
fn report(context: &Context, decision: &Decision) -> Outcome {
    if let (Some(plan), Some(workload)) = (&decision.plan, &decision.workload) {
        let changes = plan.changes(workload);
        if !changes.is_empty() {
            context.metrics.count(Metric::WithheldWrites, &["workload"]);
            let changes: Vec<String> =
                changes.iter().map(|change| format!("{} {}", change.op.name(), change.path)).collect();
            tracing::info!(runtime = %decision.key, changes = changes.join(", "), reason = plan.reason, "would write the workload");
        }
    }
    let old = decision.runtime.get("status").cloned().unwrap_or_default();
    if let Some(status) = &decision.status
        && let Some(patch) = merge_patch(&old, &status.apply(&old, decision.generation(), None))
    {
        context.metrics.count(Metric::WithheldWrites, &["status"]);
        tracing::info!(runtime = %decision.key, status = %patch, "would write the status");
    }
    if decision.finalizer != Finalizer::Keep {
        context.metrics.count(Metric::WithheldWrites, &["finalizer"]);
    }
    let again = match decision.requeue_secs {
        0 => Again::No,
        seconds => Again::After(Duration::from_secs(seconds.into())),
    };
    let message = String::new();
    Outcome { runtime: None, workload: None, again, failed: decision.refused, backed_off: None, message }
}

/// A failure as a label.
pub fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::Configuration => "Configuration",
        Failure::NoConnection | Failure::Connection => "Connection",
        Failure::TimedOut => "TimedOut",
        Failure::Unauthorized => "Unauthorized",
        Failure::Forbidden => "Forbidden",
        Failure::NotFound => "NotFound",
        Failure::ApplyConflict(_) => "ApplyConflict",
        Failure::Conflict => "Conflict",
        Failure::Expired => "Expired",
        Failure::Invalid => "Invalid",
        Failure::Unavailable => "Unavailable",
        Failure::ImageVolumesDropped => "ImageVolumesDropped",
        Failure::NotPermitted => "NotLeading",
        Failure::Other => "Other",
    }
}

/// What the server says of an object as a whole, taken over from it as it is now: a step that was planned over the object
/// before must not state it.
fn with_system_fields(desired: &Value, live: &Value) -> Value {
    let mut desired = desired.clone();
    if let (Some(Value::Object(to)), Some(Value::Object(from))) =
        (desired.get_mut("metadata"), live.get("metadata"))
    {
        for key in ["resourceVersion", "uid", "generation", "creationTimestamp", "managedFields"] {
            match from.get(key) {
                Some(value) => to.insert(key.to_owned(), value.clone()),
                None => to.shift_remove(key),
            };
        }
    }
    if let (Value::Object(to), Some(status)) = (&mut desired, live.get("status")) {
        to.insert("status".to_owned(), status.clone());
    }
    desired
}
