//! `diff`, `plan` and `hash` where no files are given: over the cluster. Nothing is written.

use std::collections::BTreeSet;

use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::error::InputError;
use kubectl_skills::live::{LivePlan, target};
use kubectl_skills::plan::RuntimePlan;
use kubectl_skills::plan::change_set::Change;
use kubectl_skills::plan::report::plan_object;
use kubectl_skills::validate::findings::rules;
use serde_json::Value;

use crate::args::{LiveArgs, Report, Subject};
use crate::cluster::apply::{FIELD_MANAGER, Prepared, Settings, foreseen, prepare};
use crate::cluster::carry_out::{Task, prepare_all, task};
use crate::cluster::connect::{Caller, connect};
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::run::ClusterRun;
use crate::cluster::snapshot::{Scope, Workloads, read_targets};
use crate::commands::hash_report::{HashOptions, HashReport};
use crate::commands::plan_table::plan_table;
use crate::exit::{Failure, Outcome, RemoteError, Run, unless_errors};
use crate::net::block_on;
use crate::notes;
use crate::object_diff::{self, Pair};
use crate::sink;

/// The flags of `diff` alongside the scope.
#[derive(Debug, Clone)]
pub struct DiffOptions {
    /// The server merges, by dry run; else the plan is shown as it is.
    pub server_side: bool,
    /// As `apply --force-conflicts` would.
    pub force: bool,
    /// As `apply --field-manager` would.
    pub manager: Option<String>,
    /// managedFields are shown.
    pub show_managed_fields: bool,
    /// As `apply --remove` would.
    pub remove: bool,
    /// Output format.
    pub output: Report,
}

async fn open(verb: &'static str, subject: &Subject, remove: bool) -> Result<ClusterRun, Failure> {
    ClusterRun::open(
        Caller::or_files(verb),
        &subject.live,
        subject.namespace.as_deref(),
        &subject.planning.resolve_for(remove)?,
        remove,
        false,
    )
    .await
}

/// Live against planned.
pub fn diff(subject: &Subject, options: &DiffOptions) -> Run {
    block_on(async {
        let mut run = open("diff", subject, options.remove).await?;
        // A Sandbox goes down and up again on the way; what is shown is where it ends.
        run.session.without_restarts();
        let plans = run.plan();
        let mut errors = Vec::new();
        let input: Vec<_> = plans.iter().flat_map(|live| live.errors.iter().cloned()).collect();
        let tasks: Vec<_> = plans
            .iter()
            .filter(|live| live.errors.is_empty())
            .filter_map(|live| live.plan.as_ref().and_then(|plan| task(&run, live, plan)))
            .collect();
        let mut pairs = Vec::new();
        if options.server_side {
            let settings = Settings {
                manager: options.manager.clone().unwrap_or_else(|| FIELD_MANAGER.into()),
                force: options.force,
            };
            let tried = prepare_all(&run, tasks.clone(), &settings).await;
            for (task, (_, result)) in tasks.iter().zip(tried) {
                match shown(&run, task, result, &settings).await {
                    Ok(prepared) => pairs.push(pair(&prepared, options.show_managed_fields)),
                    Err(error) => errors.push(error),
                }
            }
        } else {
            pairs.extend(
                tasks.iter().map(|task| {
                    Pair::new(&task.write.live, &task.write.desired, options.show_managed_fields)
                }),
            );
        }
        let outcome = match options.output {
            Report::Text => object_diff::show(&pairs, ("live", "planned"))?,
            format => object_diff::show_object(format, &pairs)?,
        };
        run.sum_up(&plans, false);
        conclude(outcome, input, errors)
    })
}

/// The end of a `diff`: every error is reported; the cluster's decide the exit code over the input's.
pub fn conclude(outcome: Outcome, input: Vec<InputError>, cluster: Vec<ClusterError>) -> Run {
    if cluster.is_empty() {
        return unless_errors(outcome, input);
    }
    for error in &input {
        notes::error(&error.to_string());
    }
    let mut seen = BTreeSet::new();
    let errors = cluster.into_iter().map(RemoteError::from);
    Err(Failure::Remote(errors.filter(|error| seen.insert(error.clone())).collect()))
}

/// What there would be with `apply`; where somebody else owns a field of it, what there would be with his leave.
async fn shown(
    run: &ClusterRun,
    task: &Task<'_>,
    tried: Result<Prepared, ClusterError>,
    settings: &Settings,
) -> Result<Prepared, ClusterError> {
    match tried {
        Err(error) if matches!(error.failure, Cause::ApplyConflict(_)) => {
            warn_of_refusal(&error);
            prepare(&run.requests, task.write.clone(), &Settings { force: true, ..settings.clone() }).await
        }
        other => other,
    }
}

fn warn_of_refusal(error: &ClusterError) {
    notes::warning(&format!("'apply' would be refused: {}", error.in_a_line()));
}

fn pair(prepared: &Prepared, show_managed_fields: bool) -> Pair {
    Pair::new(prepared.live(), &prepared.merged, show_managed_fields)
}

/// What would change, for each AgentRuntime.
pub fn plan(subject: &Subject, remove: bool) -> Run {
    block_on(async {
        let mut run = open("plan", subject, remove).await?;
        if !remove {
            run.read_left().await?;
        }
        for left in run.snapshot.left.iter().filter(|_| !remove) {
            notes::warning(&format!("{}: {}: {}", left.title(), left.finding(), left.advice()));
        }
        let plans = run.plan();
        if !remove {
            run.warn_of_guesses();
        }
        let with_changes: Vec<(&LivePlan<'_>, &RuntimePlan, Vec<Change>)> = plans
            .iter()
            .filter_map(|live| live.plan.as_ref().map(|plan| (live, plan)))
            .map(|(live, plan)| {
                (live, plan, live.workload.map(|workload| plan.changes(workload)).unwrap_or_default())
            })
            .collect();
        match subject.output {
            format @ (Report::Json | Report::Yaml) => {
                let pairs = with_changes.iter().map(|(_, plan, changes)| (*plan, changes.as_slice()));
                let object = plan_object(run.session.options().profile.name, pairs, &[]);
                sink::object(format, &object)?;
            }
            Report::Text => {
                notes::warnings(with_changes.iter().flat_map(|(_, plan, _)| {
                    plan.warnings.iter().map(|warning| (plan.id.to_string(), warning))
                }));
                let rows = with_changes.iter().map(|(_, plan, changes)| (*plan, changes.len()));
                sink::table(&plan_table(subject.live.scope.all_namespaces, rows))?;
            }
        }
        let sound = with_changes.iter().filter(|(live, ..)| live.errors.is_empty());
        let tasks = sound.filter_map(|(live, plan, _)| task(&run, live, plan));
        tasks
            .filter_map(|task| foreseen(&task.write, FIELD_MANAGER))
            .for_each(|error| warn_of_refusal(&error));
        run.sum_up(&plans, false);
        unless_errors(Outcome::Done, plans.iter().flat_map(|live| live.errors.iter().cloned()).collect())
    })
}

/// The config hash of each AgentRuntime, what went into it, and what could explain another.
pub fn hash(subject: &Subject, options: &HashOptions) -> Run {
    block_on(async {
        let in_file = options.workloads_of_file(subject.namespace.as_deref())?;
        let run = open("hash", subject, false).await?;
        let session = &run.session;
        let plans = run.plan();
        let mut report = HashReport::new(options, session.options().profile, session.maps(), session.view());
        for live in &plans {
            let Some(plan) = &live.plan else { continue };
            let workload = match &in_file {
                Some(workloads) => workloads.get(&target(live.runtime)),
                None => live.workload,
            };
            report.add(plan, AgentRuntimeSpec::from_object(live.runtime).ok().as_ref(), workload);
        }
        report.print()?;
        run.sum_up(&plans, false);
        // A hash needs no workload.
        let kinds = session.options().kinds;
        let errors = plans.iter().flat_map(|live| live.errors.iter().map(move |error| (live, error)));
        let errors = errors.filter(|(live, error)| {
            let is_workload = error.object.as_ref().is_some_and(|object| kinds.of(object).is_some());
            live.plan.is_none() || !(is_workload || error.rule == rules::TARGET_NOT_FOUND.id)
        });
        unless_errors(Outcome::Done, errors.map(|(_, error)| error.clone()).collect())
    })
}

/// The workloads of AgentRuntimes in manifests as they are in the cluster.
pub fn workloads(runtimes: &[Value], live: &LiveArgs) -> Result<Workloads, Failure> {
    block_on(async {
        let connection = connect(&live.cluster, Caller::of("hash"), notes::lists_requests()).await?;
        Ok(read_targets(&connection.requests, &Scope::default(), runtimes.iter()).await?)
    })
}
