//! `rbac`: the roles and bindings that the controller and the webhook need, no more.

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::install::rbac::{Grant, Task, text};

use crate::exit::{Outcome, Run};
use crate::planning::profile_by_name;
use crate::sink;

/// Print the roles and bindings that the controller or the webhook needs
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Rights in two namespaces and no ClusterRole, for 'controller --namespaces team1,team2'
  kubectl skills rbac --namespaces team1,team2 | kubectl apply -f -

  # Only to look, for 'controller --dry-run'
  kubectl skills rbac --read-only | kubectl apply -f -

Exit codes: 0 done; 2 usage")]
pub struct Args {
    /// Profile, as 'version' lists them
    #[arg(long, default_value = "pr332-merged", value_name = "NAME")]
    profile: String,
    /// What it is to do: controller, webhook, both, or inject (the webhook with --inject alone)
    #[arg(long, value_enum, default_value_t = Purpose::Controller, value_name = "WHAT", hide_possible_values = true)]
    tasks: Purpose,
    /// Namespaces that are looked after; all by default
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Only rights to read, but for the lease of the leader
    #[arg(long)]
    read_only: bool,
    /// Namespace of the operator and its ConfigMaps, where it is not the usual one
    #[arg(long, value_name = "NAME")]
    operator_namespace: Option<String>,
    /// Namespace of the service account; by default the operator's
    #[arg(short = 'n', long, value_name = "NAME")]
    namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purpose {
    Controller,
    Webhook,
    Both,
    Inject,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let profile = profile_by_name(&args.profile)?;
    let tasks: &[Task] = match args.tasks {
        Purpose::Controller => &[Task::Loop, Task::Election],
        Purpose::Webhook => &[Task::Webhook],
        Purpose::Inject => &[Task::Webhook, Task::Injection],
        Purpose::Both => &[Task::Loop, Task::Election, Task::Webhook],
    };
    let mut grant = Grant::cluster(profile, tasks);
    grant.namespaces.clone_from(&args.namespaces);
    grant.read_only = args.read_only;
    if let Some(namespace) = &args.operator_namespace {
        grant.system_namespace.clone_from(namespace);
        grant.own_namespace.clone_from(namespace);
    }
    if let Some(namespace) = &args.namespace {
        grant.own_namespace.clone_from(namespace);
    }
    sink::text(&text(profile, &grant))?;
    Ok(Outcome::Done)
}
