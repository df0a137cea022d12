//! `apply`: plans over the cluster and writes what differs, by server-side apply.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use futures_util::{StreamExt as _, stream};
use kubectl_skills::api::object::{Object, title};
use kubectl_skills::api::skill_binding::is_binding;
use kubectl_skills::live::LivePlan;
use kubectl_skills::plan::Action;
use serde_json::{Value, json};

use crate::args::{ClusterArgs, LiveArgs, PlanningArgs, Report};
use crate::cluster::apply::{FIELD_MANAGER, Prepared, Settings, Write};
use crate::cluster::args::ScopeArgs;
use crate::cluster::carry_out::{Task, prepare_all, task, write_one};
use crate::cluster::connect::Caller;
use crate::cluster::error::{ClusterError, Failure as Kind};
use crate::cluster::finalizer;
use crate::cluster::paths::{self, Resource};
use crate::cluster::run::ClusterRun;
use crate::cluster::try_pod::{try_pods, webhooks};
use crate::cluster::wait;
use crate::commands::live::conclude;
use crate::exit::{Failure, Outcome, Run};
use crate::net::block_on;
use crate::net::duration::parse_timeout;
use crate::notes;
use crate::progress::Progress;
use crate::sink;

/// How long `--wait` waits where it names no time: what a Deployment takes by default until it gives up.
const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// Write the skills of AgentRuntimes into their live workloads, by server-side apply
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # See what would change, then change it and follow the rollout
  kubectl skills diff -n team1
  kubectl skills apply -n team1 --wait

  # Take everything out of one agent's workload again
  kubectl skills apply -n team1 weather --remove

  # Take out what 'render -i | kubectl apply' has brought into a workload, which 'status' calls rendered
  kubectl skills apply -n team1 --remove deployment/weather

Exit codes: 0 done or nothing to do; 2 usage; 3 an AgentRuntime cannot be carried out; 4 the cluster refused or failed")]
pub struct Args {
    /// Namespace; by default that of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// What is written: everything, nothing after a look at the plan, or nothing after the server tried it
    #[arg(long, value_enum, default_value_t = DryRun::None, value_name = "none|client|server", hide_possible_values = true)]
    dry_run: DryRun,
    /// Name under which the API server records our fields
    #[arg(long, default_value = FIELD_MANAGER, value_name = "NAME")]
    field_manager: String,
    /// Take over fields that other managers own
    #[arg(long)]
    force_conflicts: bool,
    /// Take everything of ours out of the workloads, and our finalizer off the AgentRuntimes and SkillBindings; with the name
    /// KIND/NAME of a workload that nothing lists skills for also what a render has brought
    #[arg(long)]
    remove: bool,
    /// Wait until the rollouts are done, also of workloads that are as they should be, for at most DURATION each [default: 10m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "10m",
          value_parser = parse_timeout)]
    wait: Option<Duration>,
    /// Output: only names, JSON or YAML
    #[arg(short = 'o', long, value_enum, value_name = "name|json|yaml", hide_possible_values = true)]
    output: Option<Output>,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    live: LiveArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Client,
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Name,
    Json,
    Yaml,
}

/// What is printed: a line as each thing is done, or an object at the end.
struct Printer {
    format: Option<Output>,
    items: RefCell<Vec<Value>>,
}

impl Printer {
    /// Tells what became of an object, `serverside-applied` or the like.
    fn line(&self, namespace: &str, object: &str, result: &str) -> Result<(), Failure> {
        match self.format {
            None => sink::text(&format!("{object} {result}\n")),
            Some(Output::Name) => sink::text(&format!("{object}\n")),
            Some(Output::Json | Output::Yaml) => {
                let item = json!({"namespace": namespace, "object": object, "result": result});
                self.items.borrow_mut().push(item);
                Ok(())
            }
        }
    }

    /// Tells every error; the cluster's decide the exit code over the input's.
    fn finish(self, tally: Tally) -> Run {
        let report = match self.format {
            Some(Output::Json) => Some(Report::Json),
            Some(Output::Yaml) => Some(Report::Yaml),
            Some(Output::Name) | None => None,
        };
        if let Some(report) = report {
            let input = tally.input.iter().map(ToString::to_string);
            let errors: Vec<String> = input.chain(tally.cluster.iter().map(ToString::to_string)).collect();
            let object = json!({
                "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "ApplyResult",
                "items": self.items.into_inner(), "errors": errors,
            });
            sink::object(report, &object)?;
        }
        conclude(Outcome::Done, tally.input, tally.cluster)
    }
}

/// What a run came to.
#[derive(Default)]
struct Tally {
    /// Defects of AgentRuntimes: exit code 3.
    input: Vec<kubectl_skills::api::error::InputError>,
    /// Refusals and failures of the cluster: exit code 4.
    cluster: Vec<ClusterError>,
    /// By Ctrl-C.
    interrupted: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    block_on(apply(args))
}

/// Takes everything of ours out of all workloads of a namespace, or of the cluster: `apply --remove`, also where the cluster
/// serves neither AgentRuntimes nor SkillBindings.
pub(super) async fn remove_all(cluster: &ClusterArgs, namespace: Option<&str>) -> Run {
    let scope = ScopeArgs { all_namespaces: namespace.is_none(), left: true, ..ScopeArgs::default() };
    apply(&Args {
        namespace: namespace.map(str::to_owned),
        dry_run: DryRun::None,
        field_manager: FIELD_MANAGER.to_owned(),
        force_conflicts: false,
        remove: true,
        wait: None,
        output: None,
        planning: PlanningArgs { profile: "auto".to_owned(), ..PlanningArgs::default() },
        live: LiveArgs { scope, cluster: cluster.clone() },
    })
    .await
}

async fn apply(args: &Args) -> Run {
    let planning = args.planning.resolve_for(args.remove)?;
    let run = ClusterRun::open(
        Caller::of("apply"),
        &args.live,
        args.namespace.as_deref(),
        &planning,
        args.remove,
        false,
    )
    .await?;
    let plans = run.plan();
    notes::warnings(
        plans
            .iter()
            .filter_map(|live| live.plan.as_ref())
            .flat_map(|plan| plan.warnings.iter().map(|warning| (plan.id.to_string(), warning))),
    );
    let out = Printer { format: args.output, items: RefCell::default() };
    let mut tally = Tally::default();
    let (tasks, mut settled) = sort_out(&out, &run, &plans, &mut tally)?;
    if plans.is_empty() || args.dry_run != DryRun::None {
        run.sum_up(&plans, false);
    }
    if args.dry_run == DryRun::Client {
        for task in &tasks {
            out.line(&task.write.namespace, &task.title, "serverside-applied (dry run)")?;
        }
        return out.finish(tally);
    }
    let planned: BTreeSet<Key> = tasks.iter().map(runtime_of).collect();
    let settings = Settings { manager: args.field_manager.clone(), force: args.force_conflicts };
    let Some(ready) = try_all(&run, tasks, &settings, &mut tally).await else { return out.finish(tally) };
    if args.dry_run == DryRun::Server {
        for (task, _) in &ready {
            out.line(&task.write.namespace, &task.title, "serverside-applied (server dry run)")?;
        }
        return out.finish(tally);
    }
    let written = write_all(&out, &run, ready, &settings, &mut tally).await?;
    if args.remove && !tally.interrupted {
        let written: BTreeSet<Key> = written.iter().map(runtime_of).collect();
        let is_left = |live: &LivePlan<'_>| {
            let key = Object(live.runtime).key();
            planned.contains(&key) && !written.contains(&key)
        };
        let done: Vec<&LivePlan<'_>> =
            plans.iter().filter(|live| live.errors.is_empty() && !is_left(live)).collect();
        release_all(&out, &run, &done, done.len() == plans.len(), &mut tally).await?;
    }
    if let Some(limit) = args.wait.filter(|_| !tally.interrupted) {
        // What is as it should be may still roll out, no matter who wrote it: the operator, or the run before.
        settled.extend(written.iter().map(Place::from));
        wait_for(&run, &settled, limit, &mut tally).await;
    }
    if !plans.is_empty() && tally.cluster.is_empty() {
        run.sum_up(&plans, true);
    }
    out.finish(tally)
}

/// What is to be written, and where all is as it should be already, which is said. Refused plans go to the tally.
fn sort_out<'r>(
    out: &Printer,
    run: &'r ClusterRun,
    plans: &'r [LivePlan<'r>],
    tally: &mut Tally,
) -> Result<(Vec<Task<'r>>, Vec<Place>), Failure> {
    let (mut tasks, mut settled) = (Vec::new(), Vec::new());
    for live in plans {
        tally.input.extend(live.errors.iter().cloned());
        let Some(plan) = live.plan.as_ref().filter(|_| live.errors.is_empty()) else { continue };
        match task(run, live, plan) {
            Some(_) if run.rolls_for_nothing(live) => tally.input.push(run.gate_is_off(live)),
            Some(task) => tasks.push(task),
            None if plan.action == Action::Skipped => {}
            None => {
                out.line(&live.id.namespace, &title_of(plan), "unchanged")?;
                settled.extend(Place::of(run, live));
            }
        }
    }
    Ok((tasks, settled))
}

/// Tries every write as a dry run. None where nothing at all must be written, with the reason in the tally; else what the
/// server would take, the others in the tally.
async fn try_all<'r>(
    run: &ClusterRun,
    tasks: Vec<Task<'r>>,
    settings: &Settings,
    tally: &mut Tally,
) -> Option<Vec<(Task<'r>, Prepared)>> {
    let prepared = prepare_all(run, tasks.clone(), settings).await;
    if let Some(error) = prepared
        .iter()
        .find_map(|(_, result)| result.as_ref().err().filter(|e| e.failure == Kind::ImageVolumesDropped))
    {
        // It will be so for every workload: half a rollout of hashes without skills helps nobody.
        let mut error = error.clone();
        error.message = format!("{}; nothing was changed", error.message);
        tally.cluster.push(error);
        return None;
    }
    let mut ready = Vec::new();
    for (task, (_, result)) in tasks.into_iter().zip(prepared) {
        match result {
            Ok(prepared) => ready.push((task, prepared)),
            Err(error) => tally.cluster.push(error),
        }
    }
    if let Some(error) = pods_lose_volumes(run, &ready).await {
        tally.cluster.push(error);
        return None;
    }
    Some(ready)
}

/// Why nothing is written though the workloads would be kept whole: their Pods would not. Says what else their dry run
/// brought up.
async fn pods_lose_volumes(run: &ClusterRun, ready: &[(Task<'_>, Prepared)]) -> Option<ClusterError> {
    let prepared = ready.iter().map(|(task, prepared)| (task.title.as_str(), prepared));
    let trials = try_pods(&run.requests, prepared).await;
    for (title, said) in &trials.refused {
        notes::warning(&format!("{title}: a Pod of its template would be refused: {said}"));
    }
    if let Some(why) = trials.unknown {
        notes::note(&format!("whether Pods keep their image volumes is unknown: {why}"));
    }
    let (title, volumes) = trials.dropped.first()?;
    let more = trials.dropped.len() - 1;
    let others = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!(
        "the Pods of {title}{others} would lose their image volumes ({}){}; nothing was changed",
        volumes.join(", "),
        webhooks(&run.requests, "pods").await
    );
    let help = "a mutating webhook with an older client rewrites Pods: update it, or exclude the namespace; \
                'kubectl skills doctor' tries it again";
    Some(ClusterError::new(Kind::ImageVolumesDropped, message).help(help))
}

/// Writes, and tells of each as it is done, in order. After Ctrl-C no other write is begun.
async fn write_all<'t>(
    out: &Printer,
    run: &ClusterRun,
    ready: Vec<(Task<'t>, Prepared)>,
    settings: &Settings,
    tally: &mut Tally,
) -> Result<Vec<Task<'t>>, Failure> {
    const CONCURRENCY: usize = 8;
    let total = ready.len();
    let progress = Progress::start("writing");
    let stop = Cell::new(false);
    let writes = ready.into_iter().map(|(task, prepared)| async {
        if stop.get() {
            return (task, None);
        }
        let result = write_one(run, &task, prepared, settings).await;
        (task, Some(result))
    });
    let mut stream = stream::iter(writes).buffered(CONCURRENCY);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut written = Vec::new();
    let mut done = 0;
    loop {
        let next = tokio::select! {
            biased;
            next = stream.next() => next,
            _ = &mut interrupted => {
                if stop.replace(true) {
                    break;
                }
                notes::note("interrupted: the writes under way are finished first; Ctrl-C again does not wait for them");
                interrupted.set(tokio::signal::ctrl_c());
                continue;
            }
        };
        let Some((task, result)) = next else { break };
        let Some(result) = result else { continue };
        done += 1;
        progress.count(done, total);
        match result {
            Ok(outcome) => {
                for text in &outcome.taken {
                    notes::note(&format!("{}: {text}", task.title));
                }
                let result = if outcome.stored.is_some() { "serverside-applied" } else { "unchanged" };
                out.line(&task.write.namespace, &task.title, result)?;
                written.push(task);
            }
            Err(error) => tally.cluster.push(error),
        }
    }
    drop(progress);
    tally.interrupted = stop.get();
    if stop.get() && done < total {
        let message = format!("interrupted after {done} of {total} workloads");
        tally.cluster.push(
            ClusterError::new(Kind::Other, message)
                .help("each of them is written whole, the others not at all: run again to finish"),
        );
    }
    Ok(written)
}

/// Namespace and name of an AgentRuntime.
type Key = (String, String);

fn runtime_of(task: &Task<'_>) -> Key {
    Object(task.runtime).key()
}

/// Lets AgentRuntimes and SkillBindings go whose workloads hold nothing of ours any more: without a controller nobody else would.
async fn release_all(
    out: &Printer,
    run: &ClusterRun,
    runtimes: &[&LivePlan<'_>],
    all_done: bool,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let profile = run.session.options().profile;
    // One that was not asked for leads on.
    let runtimes = runtimes.iter().map(|live| live.runtime).filter(|object| {
        !is_binding(Object(object)) && run.snapshot.selected.contains(&Object(object).key())
    });
    // One may be about many workloads.
    let bindings = run
        .snapshot
        .bindings
        .iter()
        .filter(|object| all_done && run.snapshot.selected_bindings.contains(&Object(object).key()));
    let objects = runtimes.chain(bindings);
    for object in objects {
        match finalizer::release(&run.requests, profile, object).await {
            Ok(false) => {}
            Ok(true) => {
                let id = Object(object).reference();
                let shown = title(&id.kind, id.group(), &id.name);
                out.line(&id.namespace, &shown, "finalizer removed")?;
            }
            Err(error) => tally.cluster.push(error),
        }
    }
    Ok(())
}

/// A workload whose rollout is waited for.
struct Place {
    title: String,
    resource: Resource,
    namespace: String,
    name: String,
}

impl Place {
    /// The target of a plan; `None` if it does not exist.
    fn of(run: &ClusterRun, live: &LivePlan<'_>) -> Option<Self> {
        let plan = live.plan.as_ref().filter(|_| live.workload.is_some())?;
        let custom = live.kind.and_then(|kind| run.snapshot.resources.get(&kind).copied());
        let resource = custom.or_else(|| paths::of_workload(live.workload?))?;
        let (namespace, name) = (live.id.namespace.clone(), plan.target.name.clone());
        Some(Self { title: title_of(plan), resource, namespace, name })
    }
}

impl From<&Task<'_>> for Place {
    fn from(task: &Task<'_>) -> Self {
        let Write { resource, namespace, name, .. } = &task.write;
        let (namespace, name) = (namespace.clone(), name.clone());
        Self { title: task.title.clone(), resource: *resource, namespace, name }
    }
}

async fn wait_for(run: &ClusterRun, places: &[Place], limit: Duration, tally: &mut Tally) {
    const CONCURRENCY: usize = 16;
    let limit = if limit.is_zero() { DEFAULT_WAIT } else { limit };
    let waits = places.iter().map(|place| async move {
        let reported = |text: &str| notes::note(&format!("{} in {}: {text}", place.title, place.namespace));
        wait::rollout(&run.requests, place.resource, &place.namespace, &place.name, Some(limit), reported)
            .await
    });
    let mut stream = stream::iter(waits).buffer_unordered(CONCURRENCY);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            next = stream.next() => match next {
                None => return,
                Some(Ok(())) => {}
                Some(Err(error)) => tally.cluster.push(error),
            },
            _ = &mut interrupted => {
                let message = "interrupted while waiting for rollouts";
                tally.cluster.push(
                    ClusterError::new(Kind::Other, message).help("the workloads are written and go on rolling out"),
                );
                return;
            }
        }
    }
}

fn title_of(plan: &kubectl_skills::plan::RuntimePlan) -> String {
    title(&plan.target.kind, plan.target.group(), &plan.target.name)
}
