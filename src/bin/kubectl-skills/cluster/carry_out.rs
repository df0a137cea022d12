//! Carries plans out: all dry runs first, then the writes, a conflict planned anew. What is printed is left to the verb.

use futures_util::{StreamExt as _, stream};
use kubectl_skills::api::object::title;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::live::apply_configuration::{is_settled, our_fields};
use kubectl_skills::live::{self, LivePlan};
use kubectl_skills::plan::{RuntimePlan, is_of_record};
use serde_json::Value;

use super::apply::{Prepared, Settings, Write, commit, prepare};
use super::error::{ClusterError, Failure};
use super::paths::{self, Resource};
use super::requests::Requests;
use super::restart;
use super::run::ClusterRun;
use crate::progress::Progress;

/// Writes under way at the same time.
const CONCURRENCY: usize = 8;
/// How often a workload that somebody else changes at the same time is read, planned and written anew.
pub const ROUNDS: usize = 6;

/// What is said where skills of a render were taken out of the cluster.
const BROUGHT_BACK: &str = "who applies its manifest again brings the skills back, until 'kubectl skills render -i --remove' has taken them out of it";

/// A workload to be written.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The runtime that it is for.
    pub runtime: &'a Value,
    /// `deployment.apps/weather`.
    pub title: String,
    /// What to write.
    pub write: Write,
}

/// What became of a task.
pub struct Done {
    /// The object as stored; `None` if nothing had to be written after all.
    pub stored: Option<Value>,
    /// Fields taken over from the operator, or with force from anybody, as notes.
    pub taken: Vec<String>,
}

/// The task of a plan; `None` if nothing is to be written.
pub fn task<'a>(run: &ClusterRun, live: &LivePlan<'a>, plan: &RuntimePlan) -> Option<Task<'a>> {
    let desired = wanted(live, plan)?;
    let workload = live.workload?;
    let kind = live.kind?;
    let resource = run.snapshot.resources.get(&kind).copied().or_else(|| paths::of_workload(workload))?;
    Some(Task {
        runtime: live.runtime,
        title: title(kind.name(), kind.group(), &plan.target.name),
        write: Write {
            resource,
            namespace: live.id.namespace.clone(),
            name: plan.target.name.clone(),
            live: workload.clone(),
            desired: desired.clone(),
            ours: ours(plan, kind, desired),
            by_record: is_of_record(&live.id),
        },
    })
}

/// What a plan makes of the workload; `None` if that is as it is.
pub fn wanted<'p>(live: &LivePlan<'_>, plan: &'p RuntimePlan) -> Option<&'p Value> {
    let desired = plan.desired()?;
    (!is_settled(live.workload?, desired)).then_some(desired)
}

/// The fields of a planned workload that are ours to state.
pub fn ours(
    plan: &RuntimePlan,
    kind: WorkloadKind,
    desired: &Value,
) -> Vec<kubectl_skills::live::apply_configuration::FieldPath> {
    let skills: Vec<(&str, &str)> = plan
        .skills
        .iter()
        .map(|planned| (planned.volume.as_str(), planned.skill.mount_path.as_str()))
        .collect();
    our_fields(desired, plan.profile.names, kind.paths(), &skills)
}

/// Tries all tasks by dry run, in order.
pub async fn prepare_all(
    run: &ClusterRun,
    tasks: Vec<Task<'_>>,
    settings: &Settings,
) -> Vec<(String, Result<Prepared, ClusterError>)> {
    let total = tasks.len();
    let progress = Progress::start("trying changes");
    let attempts = tasks.into_iter().map(|task| async move {
        let result = prepare_latest(run, &task, settings).await;
        (task.title, result)
    });
    let mut out = Vec::with_capacity(total);
    let mut stream = stream::iter(attempts).buffered(CONCURRENCY);
    while let Some(result) = stream.next().await {
        out.push(result);
        progress.count(out.len(), total);
    }
    out
}

/// Dry run of one task; planned anew over a fresh read while somebody else changes the workload.
async fn prepare_latest(
    run: &ClusterRun,
    task: &Task<'_>,
    settings: &Settings,
) -> Result<Prepared, ClusterError> {
    let mut write = task.write.clone();
    let mut round = 1;
    loop {
        match prepare(&run.requests, write, settings).await {
            Err(error) if error.failure == Failure::Conflict && round < ROUNDS => {
                tokio::time::sleep(crate::net::retry::wait(u32::try_from(round).unwrap_or(1), None)).await;
                write = again(run, task).await?.ok_or(error)?;
                round += 1;
            }
            other => return other,
        }
    }
}

/// Writes what was prepared. A conflict with somebody who was faster is planned, tried and written anew.
pub async fn write_one(
    run: &ClusterRun,
    task: &Task<'_>,
    prepared: Prepared,
    settings: &Settings,
) -> Result<Done, ClusterError> {
    let mut prepared = prepared;
    let mut round = 1;
    loop {
        let taken = prepared.taken.iter();
        let mut taken: Vec<String> =
            taken.map(|field| format!("{} taken over from {}", field.field, field.manager)).collect();
        if task.write.by_record || task.write.takes_record_from_others(&settings.manager) {
            taken.push(BROUGHT_BACK.to_owned());
        }
        match commit(&run.requests, prepared, settings).await {
            Ok(stored) => {
                restart::finish(run, task, settings).await?;
                return Ok(Done { stored: Some(stored), taken });
            }
            Err(error) if error.failure == Failure::Conflict && round < ROUNDS => {
                tokio::time::sleep(crate::net::retry::wait(u32::try_from(round).unwrap_or(1), None)).await;
                let Some(write) = again(run, task).await? else {
                    return Ok(Done { stored: None, taken: Vec::new() });
                };
                prepared = prepare(&run.requests, write, settings).await?;
                round += 1;
            }
            Err(error) => {
                let message = if round > 1 {
                    format!("{} (after {round} attempts)", error.message)
                } else {
                    error.message
                };
                return Err(ClusterError { message, ..error });
            }
        }
    }
}

/// Reads the workload again and plans over it. `None` if nothing is left to be written.
pub async fn again(run: &ClusterRun, task: &Task<'_>) -> Result<Option<Write>, ClusterError> {
    let Write { resource, namespace, name, .. } = &task.write;
    let what = format!("get {} {namespace}/{name}", resource.plural);
    let Some(workload) = read(&run.requests, *resource, namespace, name, &what).await? else {
        return Err(ClusterError::new(Failure::NotFound, format!("{what}: it was deleted meanwhile")));
    };
    let inventory = run.inventory();
    let fresh = live::replan(task.runtime, &workload, &inventory, &run.session);
    if let Some(error) = fresh.errors.first() {
        return Err(ClusterError::new(Failure::Other, error.to_string()));
    }
    Ok(fresh.plan.as_ref().and_then(|plan| self::task(run, &fresh, plan)).map(|task| task.write))
}

async fn read(
    requests: &Requests,
    resource: Resource,
    namespace: &str,
    name: &str,
    what: &str,
) -> Result<Option<Value>, ClusterError> {
    requests.get(&resource.object(namespace, name), what).await
}
