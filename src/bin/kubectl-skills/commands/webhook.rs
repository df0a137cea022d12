//! `webhook`: the admission webhook by itself, without the loop.

use std::sync::Arc;

use clap::Args as ClapArgs;
use kubectl_skills::api::profile::Profile;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::connect;
use crate::cluster::discovery::dialect;
use crate::cluster::run::block_on;
use crate::controller::logging::{self, Format, Level};
use crate::exit::{Failure, Outcome, Run};
use crate::planning::chosen_profile;
use crate::webhook::claimants::ClaimantWatch;
use crate::webhook::connections::{self, Limits, Mode};
use crate::webhook::handler::Reviewer;
use crate::webhook::{Options, Webhook};

/// Serve the admission webhook of AgentRuntimes: the operator's verdicts in its words
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # In a pod, with the certificate of a mounted Secret
  kubectl-skills webhook --certificates /certificates --pass-deleting

  # On a workstation, beside a test cluster
  kubectl-skills webhook --webhook-address 127.0.0.1:9443 --certificates ./certificates --profile pr332-merged

Exit codes: 0 ended by a signal; 2 usage; 3 no certificate, or the address is taken; 4 no connection to the cluster")]
pub struct Args {
    /// Whose rules: auto, or a profile's name as 'version' lists them
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Namespaces whose AgentRuntimes are watched for rivals; all by default
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Where /healthz, /readyz and /metrics are served, over plain HTTP
    #[arg(long, default_value = "0.0.0.0:8081", value_name = "ADDRESS")]
    health_address: String,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs the verb until SIGTERM or SIGINT.
pub fn run(args: &Args) -> Run {
    let chosen = chosen_profile(&args.profile)?;
    logging::start(Format::Json, Level::Info);
    block_on(serve(args, chosen))
}

async fn serve(args: &Args, chosen: Option<&'static Profile>) -> Run {
    // Before anything else: a signal that comes while the cluster is asked must end the process as well.
    let mut stop = stopped()?;
    let started = start(args, chosen);
    let (webhook, rivals, health) = tokio::select! {
        started = started => started?,
        () = connections::told(&mut stop) => return Ok(Outcome::Done),
    };
    let reviewer: Arc<Reviewer<ClaimantWatch>> = webhook.reviewer();
    let follower = tokio::spawn(async move { rivals.run().await });
    // Health outlives the signal: until the end it says that this replica is leaving.
    let (ended, ending) = watch::channel(false);
    let health =
        tokio::spawn(connections::serve(health, Mode::ClaimantWatch, reviewer, Limits::default(), ending));
    webhook.serve(async move { connections::told(&mut stop).await }).await;
    follower.abort();
    ended.send_replace(true);
    if let Err(error) = health.await {
        tracing::error!("the health listener failed: {error}");
    }
    Ok(Outcome::Done)
}

type Started = (Webhook<ClaimantWatch>, Arc<ClaimantWatch>, tokio::net::TcpListener);

async fn start(args: &Args, chosen: Option<&'static Profile>) -> Result<Started, Failure> {
    let connection = connect(&args.cluster, "webhook", false).await?;
    let dialect = dialect(&connection.requests, chosen).await?;
    for warning in &dialect.warnings {
        tracing::warn!("{warning}");
    }
    let rivals = ClaimantWatch::new(connection.requests.client(), dialect.profile, args.namespaces.clone());
    let rivals = Arc::new(rivals);
    let webhook = Webhook::open(dialect.profile, args.options.clone(), Arc::clone(&rivals))
        .await
        .map_err(|message| Failure::input(message, String::new()))?;
    let health =
        connections::listen(&args.health_address).await.map_err(|(what, error)| Failure::Io(what, error))?;
    let address = health.local_addr().map_or_else(|_| args.health_address.clone(), |a| a.to_string());
    tracing::info!(address, "health and metrics are served");
    Ok((webhook, rivals, health))
}

/// Becomes true at SIGTERM or SIGINT.
fn stopped() -> Result<watch::Receiver<bool>, Failure> {
    let failed = |error| Failure::Io("wait for signals".into(), error);
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
        // A dropped sender would look like a signal that never came.
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}
