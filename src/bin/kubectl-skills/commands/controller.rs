//! `controller`: the loop that keeps workloads as their AgentRuntimes and SkillBindings say, and the admission webhook alongside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::install::rbac::{Grant, Need, Task, needs};
use tokio::sync::watch;

use crate::args::{KindsArgs, View};
use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, Connection, connect};
use crate::cluster::discovery::{dialect, resource_of, serves_bindings};
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::requests::Requests;
use crate::cluster::snapshot::{SERVED, or_without_operator};
use crate::controller::config::read_gates_file;
use crate::controller::election::{Candidate, campaign};
use crate::controller::events::{Announcer, send_all};
use crate::controller::fence::{Fence, Moment};
use crate::controller::lease::Terms;
use crate::controller::liveness::Liveness;
use crate::controller::reconcile::execute::{Context, Resources};
use crate::controller::reconcile::plan::Planning;
use crate::controller::rights;
use crate::controller::run_loop::{Loop, Settings};
use crate::controller::watch_targets::Scope;
use crate::exit::{Failure, Outcome, Run};
use crate::net::duration::parse_timeout;
use crate::planning::chosen_profile;
use crate::server::connections::stopped;
use crate::server::health::{Health, HealthCheck};
use crate::server::logging::{self, Format, Level, Repeated};
use crate::server::metrics::{Metric, Part};
use crate::server::policy_files::{PolicyArgs, PolicyFiles};
use crate::server::{HealthArgs, stop_signal};
#[cfg(feature = "webhook")]
use crate::webhook::{Options, Webhook};
use kubectl_skills::config::gates::GateSource;

/// Keep workloads as their AgentRuntimes and SkillBindings say, for as long as it runs
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # In a pod, two replicas of a Deployment
  kubectl-skills controller --leader-elect

  # What would it do in this cluster? Nothing is written
  kubectl-skills controller --dry-run --log-format text

  # Two namespaces, with rights in these alone
  kubectl-skills controller --namespaces team1,team2

  # The admission webhook in the same pods, with the certificate of a mounted Secret
  kubectl-skills controller --leader-elect --webhook --certificates /certificates --pass-deleting

Exit codes: 0 ended by a signal; 2 usage; 3 bad feature gates, no certificate, or an address is taken; 4 no connection to the cluster")]
#[cfg_attr(feature = "webhook", command(mut_group("webhook_options", |options| options.requires("webhook"))))]
pub struct Args {
    /// Whose rules: auto, or a profile's name as 'version' lists them
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Follow the operator's code bug for bug, also where it loses data or breaks the pod
    #[arg(long)]
    exact: bool,
    /// Namespaces whose AgentRuntimes and SkillBindings are looked after; all by default
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// AgentRuntimes and SkillBindings by label, such as team=search
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    selector: String,
    /// Report in the log what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Feature gates that decide over all others, such as skillImageVolumes=true
    #[arg(long, value_name = "NAME=BOOL,...")]
    feature_gates: Option<String>,
    /// Feature gates file, read again when it changes; by default the operator's ConfigMap decides
    #[arg(long, value_name = "FILE")]
    feature_gates_path: Option<PathBuf>,
    /// Which ConfigMaps the config hash sees: those the deployed operator sees, or all
    #[arg(long, value_enum, default_value_t = View::Operator, value_name = "operator|full", hide_possible_values = true)]
    config_view: View,
    /// Agent container, where it is not the first
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Whether the agent container's SKILL_FOLDERS names the mount paths [default: as the profile has it]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    skill_folders: Option<bool>,
    /// AgentRuntimes a second that run a changed default or gate, and workloads whose pods are made anew
    #[arg(long, default_value_t = 20.0, value_name = "NUMBER", value_parser = positive)]
    rollout_rate: f64,
    /// AgentRuntimes worked on at the same time
    #[arg(long, default_value_t = 16, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    #[command(flatten)]
    kinds: KindsArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    health: HealthArgs,
    /// How long runs under way may take once the process is asked to end
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = parse_timeout)]
    grace: Duration,
    /// How lines are logged
    #[arg(long, value_enum, default_value_t = Format::Json, value_name = "json|text", hide_possible_values = true)]
    log_format: Format,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_enum, default_value_t = Level::Info, value_name = "LEVEL", hide_possible_values = true)]
    log_level: Level,
    #[cfg(feature = "webhook")]
    /// Serve the admission webhook as well, as 'webhook' does; every replica answers, whether it leads or not
    #[arg(long, help_heading = "Webhook")]
    webhook: bool,
    #[cfg(feature = "webhook")]
    #[command(flatten)]
    webhook_options: Options,
    #[command(flatten)]
    election: ElectionArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// One of several replicas acts.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Leader election")]
struct ElectionArgs {
    /// Act only while holding a Lease, so that several replicas can run
    #[arg(long)]
    leader_elect: bool,
    /// How long a Lease lasts that is not renewed
    #[arg(long, default_value = "15s", value_name = "DURATION", value_parser = parse_timeout)]
    lease_duration: Duration,
    /// Name of the Lease
    #[arg(long, default_value = "kubectl-skills", value_name = "NAME")]
    lease_name: String,
    /// Namespace of the Lease; by default that of the pod or of the context
    #[arg(long, value_name = "NAME")]
    lease_namespace: Option<String>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

/// Requests without a time limit on the command line are bounded by this: a run that hangs holds its AgentRuntime up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the verb until SIGTERM or SIGINT.
pub fn run(args: &Args) -> Run {
    let chosen = chosen_profile(&args.profile)?;
    let terms = Terms::of(args.election.lease_duration).map_err(Failure::Usage)?;
    let file = args
        .feature_gates_path
        .as_deref()
        .map(|path| {
            read_gates_file(path).map_err(|error| Failure::Io(format!("read {}", path.display()), error))
        })
        .transpose()?;
    let gates = GateSource { flags: args.feature_gates.clone(), file, ..GateSource::default() };
    let kinds = args.kinds.resolve()?;
    // A file that cannot be read is reported now, and not by a controller that does nothing.
    PolicyFiles::new(args.policy.clone()).look().map_err(|message| Failure::input(message, ""))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io("start the network runtime".into(), error))?;
    let unsent =
        logging::start_traced(args.log_format, args.log_level, runtime.handle()).map_err(Failure::Usage)?;
    let outcome = runtime.block_on(start(args, (chosen, kinds), gates, terms));
    runtime.block_on(logging::end(unsent));
    runtime.shutdown_background();
    outcome
}

async fn start(
    args: &Args,
    (chosen, kinds): (Option<&'static Profile>, Kinds),
    gates: GateSource,
    terms: Terms,
) -> Run {
    // Before anything else: a signal that comes while the cluster is asked must end the process as well.
    let mut stop = stop_signal()?;
    let (health, liveness) = (Arc::new(Health::default()), Arc::<Liveness>::default());
    health.metrics.report(Part::Controller);
    health.add(Arc::clone(&liveness) as Arc<dyn HealthCheck>);
    health.serve_on(&args.health.address()).await.map_err(|(what, error)| Failure::Io(what, error))?;
    let timeout = args.cluster.request_timeout.or(Some(REQUEST_TIMEOUT));
    let cluster = ClusterArgs { request_timeout: timeout, ..args.cluster.clone() };
    let Connection { requests, namespace, .. } = connect(&cluster, Caller::of("controller"), false).await?;
    let profile = tokio::select! {
        profile = profile(&requests, chosen, &liveness) => profile,
        () = stopped(&mut stop) => return Ok(Outcome::Done),
    };
    if !profile.mounts() && (args.exact || !serves_bindings(&requests).await?) {
        return Err(Failure::Usage(format!(
            "controller: in profile {} the operator only observes skills, and the cluster serves no SkillBindings: there is \
             nothing to keep up; install their CRD with 'kubectl skills crd --skill-binding | kubectl apply -f -', use 'render' or \
             'apply', or name another profile with --profile",
            profile.name
        )));
    }
    let resources = custom_resources(&requests, kinds).await?;
    gates.resolve(profile, &[])?;
    let metrics = &health.metrics;
    metrics.set(Metric::BuildInfo, &[env!("CARGO_PKG_VERSION"), profile.name, profile.commit], 1.0);
    let client = requests.client();
    let replica = Replica { args, profile, kinds, resources, client, timeout, namespace, terms };
    #[cfg(feature = "webhook")]
    let webhook = replica.webhook(&health, &stop).await?;
    let served = serves_bindings(&requests).await.unwrap_or(true);
    let mut needs = needs(profile, &replica.grant());
    needs.retain(|need| served || !need.is_for_bindings());
    needs.extend(replica.needs_of_custom_kinds());
    tokio::spawn(rights::look_for(replica.requests(), needs, metrics.clone()));
    replica.act(gates, &health, liveness, stop).await;
    // It bounds its own time from the same signal on.
    #[cfg(feature = "webhook")]
    if let Some(webhook) = webhook
        && let Err(error) = webhook.await
    {
        tracing::error!(%error, "the webhook failed");
    }
    Ok(Outcome::Done)
}

/// One process, connected.
struct Replica<'a> {
    args: &'a Args,
    profile: &'static Profile,
    kinds: Kinds,
    /// Where those of the command line are.
    resources: Resources,
    client: kube::Client,
    timeout: Option<Duration>,
    /// That of the pod or of the context.
    namespace: String,
    terms: Terms,
}

impl Replica<'_> {
    fn requests(&self) -> Requests {
        Requests::new(self.client.clone(), self.timeout, false)
    }

    /// Whether it may act only while it leads.
    fn stands_for_election(&self) -> bool {
        self.args.election.leader_elect && !self.args.dry_run
    }

    /// What the process does, and where: it needs these rights and no others.
    fn grant(&self) -> Grant {
        let mut tasks = vec![Task::Loop];
        if self.stands_for_election() {
            tasks.push(Task::Election);
        }
        #[cfg(feature = "webhook")]
        if self.args.webhook {
            tasks.push(Task::Webhook);
            if self.args.webhook_options.inject {
                tasks.push(Task::Injection);
            }
        }
        let lease_namespace = self.args.election.lease_namespace.as_ref();
        Grant {
            namespaces: self.args.namespaces.clone(),
            read_only: self.args.dry_run,
            own_namespace: lease_namespace.unwrap_or(&self.namespace).clone(),
            ..Grant::cluster(self.profile, &tasks)
        }
    }

    /// The rights on kinds of the command line, which no table knows.
    fn needs_of_custom_kinds(&self) -> Vec<Need> {
        let verbs = ["get", "list", "watch", "patch"].into_iter();
        let verbs: Vec<&'static str> = verbs.filter(|verb| *verb != "patch" || !self.args.dry_run).collect();
        let all = self.args.namespaces.iter().cloned().map(Some);
        let places: Vec<Option<String>> =
            if self.args.namespaces.is_empty() { vec![None] } else { all.collect() };
        let mut out = Vec::new();
        for (kind, resource) in &self.resources {
            for namespace in &places {
                out.extend(verbs.iter().map(|verb| Need {
                    verb,
                    group: kind.group(),
                    resource: resource.plural,
                    namespace: namespace.clone(),
                    why: "workloads of SkillBindings, by --pod-template-path",
                }));
            }
        }
        out
    }

    /// Begins to answer reviews; leading or not, since the API server asks any replica. Ends some time after `stop`.
    #[cfg(feature = "webhook")]
    async fn webhook(
        &self,
        health: &Arc<Health>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
        if !self.args.webhook {
            return Ok(None);
        }
        // A watch of its own: the loop knows only AgentRuntimes of its selector, and claimants may be any.
        let requests = self.requests().attempts(1);
        let (options, namespaces) = (self.args.webhook_options.clone(), self.args.namespaces.clone());
        let webhook =
            Webhook::open(self.profile, options, self.args.policy.clone(), requests, namespaces, health)
                .await
                .map_err(|message| Failure::input(message, String::new()))?;
        Ok(Some(tokio::spawn(webhook.serve(stop.clone()))))
    }

    /// Runs loop, events and election until `stop`, and ends them in this order.
    async fn act(
        &self,
        gates: GateSource,
        health: &Health,
        liveness: Arc<Liveness>,
        stop: watch::Receiver<bool>,
    ) {
        let metrics = &health.metrics;
        let fence = if self.stands_for_election() { Fence::closed() } else { Fence::open() };
        let writes = Arc::new(self.requests().attempts(1).permitted_by(permit(fence.clone(), self.terms)));
        let (announcer, news) = Announcer::new(metrics.clone());
        let announcing = tokio::spawn(send_all(Arc::clone(&writes), news, metrics.clone()));
        let context = Context::new(writes, self.planning(), metrics.clone(), announcer, self.args.dry_run)
            .with_resources(self.resources.clone());
        let watches = Arc::new(self.requests());
        let (the_loop, updates) = Loop::new(context, self.settings(gates), liveness, &watches);
        let (lead, leading) = watch::channel(false);
        let (end_election, election_ends) = watch::channel(false);
        let election = self.stand_for_election(fence, lead, election_ends);
        the_loop.run(updates, leading, stop).await;
        tracing::info!("asked to end");
        // The announcers are gone with the loop; what they announced may still go out under the lease.
        if tokio::time::timeout(Duration::from_secs(2), announcing).await.is_err() {
            tracing::warn!("some events were not sent");
        }
        // The lease goes last: up to here it says that this process writes.
        end_election.send_replace(true);
        if let Some(election) = election
            && tokio::time::timeout(self.terms.margin, election).await.is_err()
        {
            tracing::warn!("the lease could not be given back in time");
        }
    }

    /// Leads from now on, or whenever the lease is held.
    fn stand_for_election(
        &self,
        fence: Fence,
        lead: watch::Sender<bool>,
        ends: watch::Receiver<bool>,
    ) -> Option<tokio::task::JoinHandle<()>> {
        if !self.stands_for_election() {
            lead.send_replace(true);
            return None;
        }
        let candidate = candidate(self.args, &self.namespace, self.terms);
        let requests = Requests::new(self.client.clone(), Some(self.terms.margin), false).attempts(1);
        tracing::info!(
            identity = candidate.identity,
            lease = %format!("{}/{}", candidate.namespace, candidate.name),
            "stands for election"
        );
        Some(tokio::spawn(campaign(requests, candidate, fence, lead, ends)))
    }

    fn planning(&self) -> Planning {
        Planning {
            profile: self.profile,
            exact: self.args.exact,
            container: self.args.container.clone(),
            skill_folders: self.args.skill_folders,
            view: self.args.config_view.into(),
            kinds: self.kinds,
        }
    }

    fn settings(&self, gates: GateSource) -> Settings {
        let (namespaces, selector) = (self.args.namespaces.clone(), self.args.selector.clone());
        Settings {
            scope: Scope { namespaces, selector },
            gates,
            gates_path: self.args.feature_gates_path.clone(),
            policy: self.args.policy.clone(),
            rollout_rate: self.args.rollout_rate,
            concurrency: usize::from(self.args.concurrency),
            grace: self.args.grace,
        }
    }
}

/// Where the cluster serves the kinds of the command line. One that it does not serve has no plural yet, and cannot be watched.
async fn custom_resources(requests: &Requests, kinds: Kinds) -> Result<Resources, Failure> {
    let mut out = Resources::default();
    for kind in kinds.all().filter(|kind| matches!(kind, WorkloadKind::Custom(_))) {
        let Some(resource) = resource_of(requests, kind).await? else {
            return Err(Failure::Usage(format!(
                "controller: --pod-template-path {}.{}: the cluster does not serve that kind; install its CRD before the \
                 controller starts, or leave the kind out",
                kind.name(),
                kind.group()
            )));
        };
        out.insert(kind, resource);
    }
    Ok(out)
}

/// Asks the fence before every write. One that may begin may take until the lease ends, but no longer.
fn permit(fence: Fence, terms: Terms) -> crate::cluster::requests::Permit {
    Box::new(move || {
        let left = fence
            .permit(Moment::now())
            .map_err(|error| ClusterError::new(Cause::NotPermitted, format!("not written: {error}")))?;
        Ok(left.map(|left| left + terms.margin))
    })
}

/// The profile, asked for until the cluster answers: a controller that starts before its CRDs waits for them.
async fn profile(
    requests: &Requests,
    chosen: Option<&'static Profile>,
    liveness: &Liveness,
) -> &'static Profile {
    let mut unknown = Repeated::default();
    loop {
        liveness.turn();
        let found = match serves_bindings(requests).await {
            Ok(served) => or_without_operator(dialect(requests, chosen).await, served.then_some(SERVED)),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => {
                tracing::info!(profile = found.profile.name, reason = found.reason, "whose rules");
                for warning in found.warnings {
                    tracing::warn!(warning);
                }
                return found.profile;
            }
            Err(error) => {
                let error = error.one_line();
                if unknown.is_due(&error) {
                    tracing::warn!(
                        error,
                        "whose rules are followed is not known yet; the cluster is asked again"
                    );
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn candidate(args: &Args, namespace: &str, terms: Terms) -> Candidate {
    // A pod's host name is its own; outside of one, the process makes it so. A restarted container is another candidate:
    // it must not take the lease of the process before for its own.
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let started = jiff::Timestamp::now().as_nanosecond();
    Candidate {
        namespace: args.election.lease_namespace.clone().unwrap_or_else(|| namespace.to_owned()),
        name: args.election.lease_name.clone(),
        identity: format!(
            "{}_{}_{started:x}",
            host.unwrap_or_else(|| "kubectl-skills".to_owned()),
            std::process::id()
        ),
        terms,
    }
}
