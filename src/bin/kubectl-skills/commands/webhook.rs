//! `webhook`: the admission webhook by itself, without the loop.

use std::sync::Arc;

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::Profile;

use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::discovery::dialect;
use crate::cluster::requests::Requests;
use crate::cluster::snapshot::or_without_operator;
use crate::exit::{Failure, Outcome, Run};
use crate::net::block_on;
use crate::planning::chosen_profile;
use crate::server::connections::stopped;
use crate::server::health::Health;
use crate::server::logging::{self, Format, Level};
use crate::server::policy_files::PolicyArgs;
use crate::server::{HealthArgs, stop_signal};
use crate::webhook::{Options, Webhook};

/// Serve admission webhooks: the operator's verdicts on AgentRuntimes in its words, and skills for new pods
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # In a pod, with the certificate of a mounted Secret
  kubectl-skills webhook --certificates /certificates --pass-deleting

  # On a workstation, for a test cluster
  kubectl-skills webhook --webhook-address 127.0.0.1:9443 --certificates ./certificates --profile pr332-merged

  # Skills of SkillBindings with 'delivery: Pod' as well, on any operator and on none
  kubectl-skills webhook --certificates /certificates --inject

Exit codes: 0 ended by a signal; 2 usage; 3 no certificate, or the address is taken; 4 no connection to the cluster")]
pub struct Args {
    /// Whose rules: auto, or a profile's name as 'version' lists them
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Namespaces whose AgentRuntimes are watched for other claimants of a target; all by default
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    namespaces: Vec<String>,
    #[command(flatten)]
    health: HealthArgs,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why the dialect of the newest operator is taken where there is none.
const INJECTS: &str = "pods get the skills of SkillBindings, and the cluster serves no AgentRuntime";

/// Runs the verb until SIGTERM or SIGINT.
pub fn run(args: &Args) -> Run {
    let chosen = chosen_profile(&args.profile)?;
    logging::start(Format::Json, Level::Info);
    block_on(serve(args, chosen))
}

async fn serve(args: &Args, chosen: Option<&'static Profile>) -> Run {
    // Before anything else: a signal that comes while the cluster is asked must end the process as well.
    let mut stop = stop_signal()?;
    let webhook = tokio::select! {
        opened = open(args, chosen) => opened?,
        () = stopped(&mut stop) => return Ok(Outcome::Done),
    };
    webhook.serve(stop).await;
    Ok(Outcome::Done)
}

async fn open(args: &Args, chosen: Option<&'static Profile>) -> Result<Webhook, Failure> {
    let connection = connect(&args.cluster, Caller::of("webhook"), false).await?;
    // SkillBindings need no operator.
    let bindings = args.options.inject.then_some(INJECTS);
    let dialect = or_without_operator(dialect(&connection.requests, chosen).await, bindings)?;
    for warning in &dialect.warnings {
        tracing::warn!("{warning}");
    }
    let requests =
        Requests::new(connection.requests.client(), args.cluster.request_timeout, false).attempts(1);
    let health = Arc::new(Health::default());
    let (options, namespaces) = (args.options.clone(), args.namespaces.clone());
    let webhook = Webhook::open(dialect.profile, options, args.policy.clone(), requests, namespaces, &health)
        .await
        .map_err(|message| Failure::input(message, String::new()))?;
    health.serve_on(&args.health.address()).await.map_err(|(what, error)| Failure::Io(what, error))?;
    Ok(webhook)
}
