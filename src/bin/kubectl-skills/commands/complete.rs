//! `__complete`: what the file `kubectl_complete-skills` calls. Answers from the cluster within two seconds or not at all.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args as ClapArgs, Command, FromArgMatches as _};
use kubectl_skills::api::profile::PROFILES;
use serde_json::Value;

use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, connect, kubeconfig_names};
use crate::cluster::discovery::dialect;
use crate::cluster::error::ClusterError;
use crate::cluster::paths::{agent_runtimes, skill_bindings};
use crate::cluster::requests::Requests;
use crate::complete::{Known, answer};
use crate::exit::{Outcome, Run};
use crate::net::block_on;
use crate::sink;

/// Name of the hidden verb.
pub const NAME: &str = "__complete";

/// Longest wait for the cluster: a shell that hangs on TAB is worse than one that knows nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Complete a command line, as kubectl asks for it
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Words after `kubectl skills`; the last may be empty
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args, root: &Command) -> Run {
    sink::text(&answer(root, &args.words, &look_up))?;
    Ok(Outcome::Done)
}

fn look_up(known: Known, before: &[String]) -> Vec<String> {
    let (cluster, namespace) = cluster_args(before);
    match known {
        Known::Profiles => {
            PROFILES.iter().map(|profile| profile.name.to_owned()).chain(["auto".to_owned()]).collect()
        }
        Known::Contexts | Known::Clusters | Known::Users => {
            kubeconfig_names(cluster.kubeconfig.as_deref(), known)
        }
        Known::Namespaces | Known::Names => {
            let found = block_on(async {
                let asked = tokio::time::timeout(PATIENCE, ask(&cluster, namespace.as_deref(), known)).await;
                Ok(asked.unwrap_or(Ok(Vec::new())).unwrap_or_default())
            });
            found.unwrap_or_default()
        }
    }
}

async fn ask(
    cluster: &ClusterArgs,
    namespace: Option<&str>,
    known: Known,
) -> Result<Vec<String>, ClusterError> {
    let connection = connect(cluster, Caller::of("completion"), false).await?;
    let requests = &connection.requests;
    if known == Known::Namespaces {
        return names(requests, "/api/v1/namespaces").await;
    }
    let namespace = Some(namespace.unwrap_or(&connection.namespace));
    let runtimes = async {
        let profile = dialect(requests, None).await?.profile;
        names(requests, &agent_runtimes(profile, namespace)).await
    };
    let bindings = skill_bindings(namespace);
    // A cluster may serve one kind alone, and a user may list one alone.
    let (runtimes, bindings) = tokio::join!(runtimes, names(requests, &bindings));
    let found: BTreeSet<String> = match (runtimes, bindings) {
        (Err(error), Err(_)) => return Err(error),
        (runtimes, bindings) => [runtimes, bindings].into_iter().flatten().flatten().collect(),
    };
    Ok(found.into_iter().collect())
}

async fn names(requests: &Requests, path: &str) -> Result<Vec<String>, ClusterError> {
    let list = requests.list(path, "", "complete").await?;
    let name = |item: &Value| Some(item.pointer("/metadata/name")?.as_str()?.to_owned());
    Ok(list.map(|list| list.items.iter().filter_map(name).collect()).unwrap_or_default())
}

/// The cluster flags among the words typed so far; what cannot be read yet is passed over.
fn cluster_args(before: &[String]) -> (ClusterArgs, Option<String>) {
    let command = ClusterArgs::augment_args(Command::new("words"))
        .ignore_errors(true)
        .disable_help_flag(true)
        .arg(clap::Arg::new("namespace").short('n').long("namespace"))
        .arg(clap::Arg::new("rest").num_args(0..));
    let words = std::iter::once("words".to_owned()).chain(before.iter().cloned());
    let Ok(matches) = command.try_get_matches_from(words) else { return (ClusterArgs::default(), None) };
    let namespace = matches.get_one::<String>("namespace").cloned();
    (ClusterArgs::from_arg_matches(&matches).unwrap_or_default(), namespace)
}
