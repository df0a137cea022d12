//! The rest of a Sandbox's restart: up again after the write that took it down, and its replicas back to whoever set
//! them. The first write, which takes it down, is [`super::carry_out`]'s.
//!
//! The operator's own update owns what it writes, so the manifest of a user who sets `spec.replicas` would conflict with
//! it ever after. Nobody asked us for that field: it is borrowed.

use kubectl_skills::live::apply_configuration::FieldPath;
use kubectl_skills::live::field_ownership::give_back;
use serde_json::Value;

use super::apply::{Settings, Write, commit, prepare, set_managed_fields};
use super::carry_out::{ROUNDS, Task, again};
use super::error::{ClusterError, Failure};
use super::paths::{SANDBOXES, of_workload};
use super::requests::Requests;
use super::run::ClusterRun;

/// Plans and writes a Sandbox until nothing is left to be written. Does nothing for other kinds.
pub async fn finish(run: &ClusterRun, task: &Task<'_>, settings: &Settings) -> Result<(), ClusterError> {
    if !task.write.resource.is_sandbox() {
        return Ok(());
    }
    let Write { namespace, name, live: before, .. } = &task.write;
    for _ in 0..ROUNDS {
        let done = match again(run, task).await? {
            None => {
                let returned = return_replicas(&run.requests, (namespace, name), before, settings).await;
                returned.map(|()| true)
            }
            Some(write) => write_again(run, write, settings).await.map(|()| false),
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

async fn write_again(run: &ClusterRun, write: Write, settings: &Settings) -> Result<(), ClusterError> {
    let prepared = prepare(&run.requests, write, settings).await?;
    commit(&run.requests, prepared, settings).await.map(drop)
}

/// Gives the replicas of a Sandbox back to who owned them before the restart; to nobody where that is not known.
pub async fn return_replicas(
    requests: &Requests,
    (namespace, name): (&str, &str),
    before: &Value,
    settings: &Settings,
) -> Result<(), ClusterError> {
    let Some(resource) = of_workload(before) else { return Ok(()) };
    let path = resource.object(namespace, name);
    let what = format!("give back the replicas of sandboxes {namespace}/{name}");
    let state = if resource == SANDBOXES { "replicas" } else { "operatingMode" };
    let replicas = FieldPath::fields(["spec", state]);
    let mut round = 1;
    loop {
        let Some(object) = requests.get(&path, &what).await? else { return Ok(()) };
        let Some(list) = give_back(&object, before, &replicas, &settings.manager) else { return Ok(()) };
        match set_managed_fields(requests, &path, &object, list, settings, &what).await {
            // The Sandbox's controller writes at the same time.
            Err(error) if error.failure == Failure::Conflict && round < ROUNDS => round += 1,
            other => return other.map(drop),
        }
    }
}
