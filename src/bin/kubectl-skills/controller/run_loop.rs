//! The loop: what the watches tell in, runs started one after another and ended. Owns everything that changes; decides
//! nothing itself.

mod bindings;
mod config;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use kubectl_skills::api::names::{SKILLS_GROUP, VERSION};
use kubectl_skills::api::object::ConfigMap;
use kubectl_skills::live::apply_configuration::is_settled;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::cache::{Cache, Changed, Target};
use super::clock;
use super::config::Snapshot;
use super::config_read::{self, Place};
use super::contention::{Contention, WriteHistory};
use super::liveness::Liveness;
use super::queue::{Again, Queue};
use super::reconcile::binding::{Failures, decide, rollout};
use super::reconcile::execute::{Context, Outcome, execute};
use super::reconcile::plan::{Decision, plan, plan_bound};
use super::unit::Unit;
use super::watch_targets::{Scope, Watched, binding_watches, watch_targets};
use crate::cluster::error::ClusterError;
use crate::cluster::requests::Requests;
use crate::cluster::watch::{Update, WatchId, watch, watch_once_served};
use crate::server::logging::{RUN, Repeated};
use crate::server::metrics::{Metric, Metrics};
use crate::server::policy_files::{InForce, PolicyArgs, PolicyFiles};
use config::end_of;
use kubectl_skills::config::gates::GateSource;

/// After a change of ConfigMaps, so long is waited for the others of the same `kubectl apply`.
const CONFIG_SETTLES: Duration = Duration::from_millis(300);
/// After ConfigMaps could not be read.
const CONFIG_AGAIN: Duration = Duration::from_secs(1);
/// Pods come and go many at a time; their number in the status may be a little late.
const PODS_SETTLE: Duration = Duration::from_secs(5);
/// One SkillBinding may be about many workloads, which are written one after the other.
const WORKLOADS_SETTLE: Duration = Duration::from_millis(100);
/// How often the loop turns though nothing happens: for gauges, the gates file and the sign of life.
const TURN: Duration = Duration::from_secs(2);
/// After so many failures in a row a transient failure is reported in the status: at the fifth, some four seconds later.
const PERSISTS: u32 = 4;
/// Updates that may wait to be taken in.
const WAITING: usize = 256;

/// How the loop runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which AgentRuntimes.
    pub scope: Scope,
    /// The gate over skills.
    pub gates: GateSource,
    /// The gates file, to be read again.
    pub gates_path: Option<PathBuf>,
    /// The policy and the lock.
    pub policy: PolicyArgs,
    /// AgentRuntimes a second that follow a changed default.
    pub rollout_rate: f64,
    /// Runs under way at the same time.
    pub concurrency: usize,
    /// How long runs under way may take once the process is asked to end.
    pub grace: Duration,
}

/// A run under way.
type UnderWay = Pin<Box<dyn Future<Output = (Started, Outcome)> + Send>>;

/// ConfigMaps being read.
type Reading = Pin<Box<dyn Future<Output = Result<Vec<ConfigMap>, ClusterError>> + Send>>;

/// What has to be remembered of a run.
#[derive(Debug)]
struct Started {
    unit: Unit,
    target: Option<Target>,
    wanted: u64,
    drift: bool,
    skills: usize,
    at: Instant,
    waited: Duration,
}

/// How an AgentRuntime was left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Left {
    failing: bool,
    contested: bool,
    skills: usize,
}

/// The loop's own state.
pub struct Loop {
    context: Arc<Context>,
    settings: Settings,
    metrics: Metrics,
    liveness: Arc<Liveness>,
    cache: Cache,
    /// What watches are opened through, and where they report to.
    watches: Arc<Requests>,
    reports: mpsc::Sender<(WatchId, Update)>,
    queue: Queue<Unit>,
    history: WriteHistory,
    snapshot: Option<Arc<Snapshot>>,
    /// When a new snapshot is due.
    config_due: Option<Instant>,
    /// Where its ConfigMaps are, and the look at them that is under way.
    places: Arc<[Place]>,
    reading: Option<Reading>,
    leading: bool,
    under_way: FuturesUnordered<UnderWay>,
    left: HashMap<Unit, Left>,
    /// Why workloads of SkillBindings could not be written.
    failures: Failures,
    /// Workloads that runs under way may be writing, and the SkillBindings that wait for the end of these.
    writing: HashSet<Target>,
    waiting: BTreeSet<Unit>,
    lost: BTreeSet<WatchId>,
    /// Warnings that would come again at every turn.
    unsynced: Repeated,
    unread_config: Repeated,
    unread_gates: Repeated,
    policy_files: PolicyFiles,
    /// None until the files were read: without it nothing is planned.
    in_force: Option<InForce>,
    unread_policy: Repeated,
    runs: u64,
}

impl Loop {
    /// A loop that has seen nothing. `watches` is what watches are opened through.
    pub fn new(
        context: Context,
        settings: Settings,
        liveness: Arc<Liveness>,
        watches: &Arc<Requests>,
    ) -> (Self, mpsc::Receiver<(WatchId, Update)>) {
        let (to, updates) = mpsc::channel(WAITING);
        let sources = watch_targets(context.planning.profile, &settings.scope);
        let places = config_read::places(&sources).into();
        let profile = context.planning.profile;
        let mut sources = sources;
        if !context.planning.exact {
            sources.extend(binding_watches(&settings.scope, sources.len()));
        }
        let cache = Cache::new(sources.iter().map(|(about, source)| (*about, source.what.clone())))
            .with_kinds(context.planning.kinds);
        for (about, source) in sources {
            let requests = Arc::clone(watches);
            match about {
                Watched::Bindings => {
                    let api = format!("/apis/{SKILLS_GROUP}/{VERSION}");
                    tokio::spawn(watch_once_served(requests, api, source, to.clone()));
                }
                // SkillBindings need no operator.
                Watched::Runtimes if !profile.mounts() => {
                    let api = format!("/apis/{}/{VERSION}", profile.names.group);
                    tokio::spawn(watch_once_served(requests, api, source, to.clone()));
                }
                _ => {
                    tokio::spawn(watch(requests, source, to.clone()));
                }
            }
        }
        let metrics = context.metrics.clone();
        let mut policy_files = PolicyFiles::new(settings.policy.clone());
        let in_force = policy_files.look().ok().flatten();
        let the_loop = Self {
            context: Arc::new(context),
            settings,
            metrics,
            liveness,
            cache,
            watches: Arc::clone(watches),
            reports: to,
            queue: Queue::default(),
            history: WriteHistory::default(),
            snapshot: None,
            config_due: None,
            places,
            reading: None,
            leading: false,
            under_way: FuturesUnordered::new(),
            left: HashMap::new(),
            failures: Failures::new(),
            writing: HashSet::new(),
            waiting: BTreeSet::new(),
            lost: BTreeSet::new(),
            unsynced: Repeated::after(Duration::from_secs(10)),
            unread_config: Repeated::default(),
            unread_gates: Repeated::default(),
            policy_files,
            in_force,
            unread_policy: Repeated::default(),
            runs: 0,
        };
        (the_loop, updates)
    }

    /// Runs until `stop`, then lets runs under way end.
    pub async fn run(
        mut self,
        mut updates: mpsc::Receiver<(WatchId, Update)>,
        mut leading: watch::Receiver<bool>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut next_turn = Instant::now();
        loop {
            let wake = self.wake(next_turn);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some((started, outcome)) = self.under_way.next(), if !self.under_way.is_empty() => {
                    self.end(started, outcome);
                }
                read = end_of(&mut self.reading) => {
                    self.reading = None;
                    self.configure(read);
                }
                Ok(()) = leading.changed() => {
                    let leads = *leading.borrow_and_update();
                    self.lead(leads);
                }
                Some((source, update)) = updates.recv() => self.take(source, update),
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Instant::now();
            if now >= next_turn {
                next_turn = now + TURN;
                self.turn();
                self.warn_of_missing();
            }
            if self.config_due.is_some_and(|due| due <= now) && self.may_read_config() {
                self.read_config();
            }
            self.start_runs();
        }
        self.drain().await;
    }

    /// Names what has not been listed, unless all of it is there.
    fn warn_of_missing(&mut self) {
        let missing: Vec<&str> = self.cache.missing().collect();
        let missing = missing.join(", ");
        if self.unsynced.is_due(&missing) {
            tracing::warn!(missing, "not everything that is watched has been listed yet");
        }
    }

    fn wake(&self, next_turn: Instant) -> Instant {
        let due = self.queue.next_due().filter(|_| self.acts());
        let config = self.config_due.filter(|_| self.may_read_config());
        [due, config].into_iter().flatten().fold(next_turn, Instant::min)
    }

    /// Whether runs may be started.
    fn acts(&self) -> bool {
        self.leading && self.snapshot.is_some() && self.under_way.len() < self.settings.concurrency
    }

    async fn drain(&mut self) {
        let deadline = Instant::now() + self.settings.grace;
        while !self.under_way.is_empty() {
            match tokio::time::timeout_at(deadline, self.under_way.next()).await {
                Ok(Some((started, outcome))) => self.end(started, outcome),
                Ok(None) => return,
                Err(_) => {
                    tracing::warn!(runs = self.under_way.len(), "runs under way are given up");
                    return;
                }
            }
        }
    }

    fn lead(&mut self, leads: bool) {
        if leads == self.leading {
            return;
        }
        self.leading = leads;
        self.queue.clear();
        self.history = WriteHistory::default();
        if leads {
            self.add_all();
        }
    }

    fn add_all(&mut self) {
        let now = Instant::now();
        let runtimes: Vec<Unit> = self.cache.runtime_keys().cloned().map(Unit::Runtime).collect();
        for unit in self.cache.binding_units().into_iter().chain(runtimes) {
            self.queue.add(unit, now);
        }
    }

    fn take(&mut self, source: WatchId, update: Update) {
        let synced = self.cache.synced();
        match &update {
            Update::Begin => self.metrics.count(Metric::Relists, &[self.cache.kind(source)]),
            Update::Lost(error) if self.lost.insert(source) => {
                tracing::warn!(error = %error.one_line(), "a watch broke; what is known of it gets old");
            }
            Update::Live if self.lost.remove(&source) => {
                tracing::info!(watch = self.cache.what(source), "a watch is open again");
            }
            _ => {}
        }
        let of_bindings = self.cache.is_of_bindings(source);
        let Changed { runtimes, pods_of, gone, config, operator, units, later } =
            self.cache.take(source, update);
        if of_bindings {
            self.watch_more();
        }
        let now = Instant::now();
        for unit in gone.into_iter().map(Unit::Runtime) {
            self.queue.forget(&unit);
            self.left.remove(&unit);
        }
        if self.leading {
            for unit in runtimes.into_iter().map(Unit::Runtime).chain(units) {
                self.queue.add(unit, now);
            }
            for unit in pods_of.into_iter().map(Unit::Runtime).chain(later) {
                self.queue.add_at(unit, now + PODS_SETTLE);
            }
            if operator {
                self.spread_all(now);
            }
        }
        if config {
            self.config_due.get_or_insert(now + CONFIG_SETTLES);
        }
        if !synced && self.cache.synced() {
            tracing::info!(
                agentruntimes = self.cache.runtime_keys().count(),
                "everything that is watched has been seen"
            );
            self.config_due = Some(now);
        }
    }

    fn spread_all(&mut self, now: Instant) {
        let units: Vec<Unit> = self.cache.runtime_keys().cloned().map(Unit::Runtime).collect();
        self.queue.spread(units, self.settings.rollout_rate, now);
    }

    fn start_runs(&mut self) {
        while self.acts() {
            let now = Instant::now();
            let Some((unit, waited)) = self.queue.take(now) else { return };
            let Some(snapshot) = self.snapshot.clone() else { return };
            let planning = &self.context.planning;
            let decision = match &unit {
                Unit::Runtime(key) => plan(key, &self.cache, &snapshot, planning),
                Unit::Rollout(target) => {
                    if let Some(hash) = rollout(target, &self.cache) {
                        self.start_rollout(target.clone(), hash, waited, now);
                        continue;
                    }
                    None
                }
                Unit::Workload(target) => {
                    plan_bound(target, &self.cache, &snapshot, planning, self.context.dry_run)
                }
                // What is known of a workload that is being written is old already.
                Unit::Binding(key)
                    if self.cache.index().listed(key).any(|one| self.writing.contains(one)) =>
                {
                    self.waiting.insert(unit.clone());
                    None
                }
                Unit::Binding(key) => {
                    let (session, at) = (&snapshot.session, clock::seconds());
                    let decision = decide(key, &self.cache, session, planning, &self.failures, &at);
                    if let Some(decision) = decision {
                        self.start_binding(unit, decision, waited, now);
                        continue;
                    }
                    None
                }
            };
            match decision {
                Some(decision) => self.start(unit, decision, waited, now),
                None => {
                    self.queue.done(&unit, Again::No, now);
                    if !self.is_there(&unit) {
                        self.left.remove(&unit);
                    }
                }
            }
        }
    }

    /// Whether there is anything that a unit could be about.
    fn is_there(&self, unit: &Unit) -> bool {
        match unit {
            Unit::Runtime(key) => self.cache.has_runtime(key),
            Unit::Binding(key) => self.cache.index().read(key).is_some(),
            Unit::Workload(target) | Unit::Rollout(target) => self.cache.index().has(target),
        }
    }

    fn start(&mut self, unit: Unit, decision: Decision, waited: Duration, now: Instant) {
        let wanted = if self.writes_workload(&decision) { decision.wanted() } else { 0 };
        let contention = match &decision.target {
            Some(target) if wanted != 0 && (!decision.is_being_deleted() || decision.workload_only) => {
                self.history.classify(target, wanted, now)
            }
            _ => Contention::None,
        };
        if let Contention::BackedOff(left, who) = &contention {
            tracing::debug!(runtime = %unit, who, "kept off");
            self.queue.done(&unit, Again::After(*left), now);
            return;
        }
        self.runs += 1;
        tracing::debug!(runtime = %unit, run = self.runs, action = decision.plan.as_ref().map(|p| p.action.name()), "run");
        self.writing.extend(decision.target.clone());
        let object = unit.to_string();
        let persists = self.queue.failures(&unit) >= PERSISTS;
        let started = Started {
            unit,
            target: decision.target.clone(),
            wanted,
            drift: contention == Contention::Drift,
            skills: decision.plan.as_ref().map_or(0, |plan| plan.skills.len()),
            at: now,
            waited,
        };
        let span = tracing::info_span!(
            RUN,
            id = self.runs,
            object,
            action = decision.plan.as_ref().map(|plan| plan.action.name()),
            failed = tracing::field::Empty,
        );
        let run = execute(Arc::clone(&self.context), decision, contention, persists, clock::seconds());
        self.under_way.push(Box::pin(async move {
            let outcome = run.instrument(span.clone()).await;
            if !outcome.failed.is_empty() {
                span.record("failed", outcome.failed);
            }
            (started, outcome)
        }));
    }

    /// Whether the plan changes the workload as it is known.
    fn writes_workload(&self, decision: &Decision) -> bool {
        let (Some(plan), Some(workload)) = (&decision.plan, &decision.workload) else { return false };
        plan.updates().iter().any(|update| !is_settled(workload, update))
    }

    fn end(&mut self, started: Started, outcome: Outcome) {
        let now = Instant::now();
        let Started { unit, target, wanted, drift, skills, at, waited } = started;
        let Outcome { runtime, workload, again, failed, backed_off, message } = outcome;
        self.metrics.observe(Metric::QueueWait, waited);
        self.metrics.observe(Metric::ReconcileTime, now.duration_since(at));
        let result = match (failed, runtime.is_some() || workload.is_some()) {
            ("", true) => "written",
            ("", false) => "unchanged",
            _ => "error",
        };
        self.metrics.count(Metric::Reconciles, &[result]);
        if !failed.is_empty() {
            self.metrics.count(Metric::Errors, &[failed]);
        }
        match (&unit, &runtime) {
            (Unit::Binding(_), Some(object)) => {
                // What it says of itself now lets its workloads be written.
                for woken in self.cache.wrote_binding(object).into_iter().filter(|woken| *woken != unit) {
                    self.queue.add(woken, now);
                }
            }
            (_, Some(object)) => self.cache.wrote_runtime(object),
            _ => {}
        }
        if let Some(target) = &target {
            let message = match &unit {
                Unit::Runtime(key) if message.is_empty() && !failed.is_empty() && !is_transient(failed) => {
                    format!("AgentRuntime {} leads it and is not carried out: {failed}", key.name())
                }
                _ => message,
            };
            self.writing.remove(target);
            self.tell_bindings(target, workload.is_some(), message, now);
            if let Some(object) = &workload {
                self.cache.wrote_workload(target, object);
                if wanted != 0 {
                    self.history.wrote(target, wanted, now);
                }
                if drift {
                    self.metrics.count(Metric::DriftHealed, &[]);
                }
            }
            if let Some(who) = backed_off {
                self.history.back_off(target, wanted, who, now);
            }
        }
        let contested = matches!(failed, "FieldContested" | "OperatorRunning");
        let transient = is_transient(failed);
        let is_there = self.is_there(&unit);
        if !transient && is_there {
            let skills = if failed.is_empty() { skills } else { 0 };
            self.left.insert(unit.clone(), Left { failing: !failed.is_empty(), contested, skills });
        }
        self.queue.done(&unit, again, now);
        if !is_there {
            self.left.remove(&unit);
            self.queue.forget(&unit);
        }
    }

    /// What is done now and then.
    fn turn(&mut self) {
        self.liveness.turn();
        self.liveness.set_ready(self.cache.synced() && self.snapshot.is_some());
        self.read_gates();
        self.read_policy();
        let cache = &self.cache;
        self.history.retain(|target| cache.claims(target).next().is_some() || cache.index().has(target));
        self.failures.retain(|target, _| cache.index().has(target));
        let set = |metric, value: usize| self.metrics.set(metric, &[], value as f64);
        set(Metric::QueueDepth, self.queue.depth());
        set(Metric::QueueDelayed, self.queue.delayed());
        set(Metric::InFlight, self.under_way.len());
        set(Metric::Leader, usize::from(self.leading));
        set(Metric::Synced, usize::from(self.cache.synced()));
        set(Metric::GateOpen, usize::from(self.snapshot.as_ref().is_some_and(|snapshot| snapshot.gate())));
        set(Metric::Requests, self.context.requests.sent());
        set(Metric::RuntimesFailing, self.left.values().filter(|left| left.failing).count());
        set(Metric::RuntimesContested, self.left.values().filter(|left| left.contested).count());
        set(Metric::SkillsMounted, self.left.values().map(|left| left.skills).sum());
        let counts = self.cache.counts();
        set(Metric::Runtimes, counts[0].1);
        for (kind, count) in counts {
            self.metrics.set(Metric::CachedObjects, &[kind], count as f64);
        }
    }
}

/// Whether a failure says nothing of the object: a lost race, a lost lease.
fn is_transient(failed: &str) -> bool {
    matches!(failed, "Conflict" | "NotLeading" | "NotFound")
}
