//! The rest of a Sandbox's restart: up again after the write that took it down, and its replicas back to whoever set
//! them. The first write, which takes it down, is [`super::carry_out`]'s.
//!
//! The operator's own update owns what it writes, so the manifest of a user who sets `spec.replicas` would conflict with
//! it ever after. Nobody asked us for that field: it is borrowed.

use kubectl_skills::apply_configuration::FieldPath;
use kubectl_skills::field_ownership::give_back;

use super::apply::{Settings, Write, commit, prepare, set_managed_fields};
use super::carry_out::{ROUNDS, Task, again};
use super::error::{ClusterError, Failure};
use super::live_run::LiveRun;
use super::paths;

/// Plans and writes a Sandbox until nothing is left to be written. Does nothing for other kinds.
pub async fn finish(live_run: &LiveRun, task: &Task<'_>, settings: &Settings) -> Result<(), ClusterError> {
    if task.write.resource != paths::SANDBOXES {
        return Ok(());
    }
    for _ in 0..ROUNDS {
        let done = match again(live_run, task).await? {
            None => return_replicas(live_run, task, settings).await.map(|()| true),
            Some(write) => write_again(live_run, write, settings).await.map(|()| false),
        };
        match done {
            Ok(true) => return Ok(()),
            Err(error) if error.failure != Failure::Conflict => return Err(error),
            Ok(false) | Err(_) => {}
        }
    }
    let what = format!("apply {}", task.title);
    Err(ClusterError::new(Failure::Conflict, format!("{what}: it does not settle after {ROUNDS} writes"))
        .help("run again"))
}

async fn write_again(live_run: &LiveRun, write: Write, settings: &Settings) -> Result<(), ClusterError> {
    let prepared = prepare(&live_run.requests, write, settings).await?;
    commit(&live_run.requests, prepared, settings).await.map(drop)
}

/// Gives the replicas back to who owned them when the run began; to nobody where that is not known.
async fn return_replicas(
    live_run: &LiveRun,
    task: &Task<'_>,
    settings: &Settings,
) -> Result<(), ClusterError> {
    let Write { resource, namespace, name, live: before, .. } = &task.write;
    let path = resource.object(namespace, name);
    let what = format!("give back the replicas of {} {namespace}/{name}", resource.plural);
    let Some(object) = live_run.requests.get(&path, &what).await? else { return Ok(()) };
    let replicas = FieldPath::fields(["spec", "replicas"]);
    let Some(list) = give_back(&object, before, &replicas, &settings.manager) else { return Ok(()) };
    set_managed_fields(&live_run.requests, &path, &object, list, settings, &what).await.map(drop)
}
