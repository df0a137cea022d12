//! `diff`: manifests or a cluster against what was planned for them.

use clap::Args as ClapArgs;
use kubectl_skills::api::error::InputError;
use kubectl_skills::manifest::render::Planned;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::Mood;

use super::delivery::DeliveryArgs;
use super::files::{Fates, refuse_live};
use crate::args::{Report, Subject};
#[cfg(feature = "cluster")]
use crate::exit::Failure;
use crate::exit::{Run, unless_errors};
use crate::object_diff::{self, Pair};

/// Show what would change, object by object
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
KUBECTL_EXTERNAL_DIFF names another program to show differences with; it gets two folders and all of its own arguments.

Examples:
  # What would 'render' change in these manifests?
  kubectl skills diff -f manifests

  # What would 'apply' change in the cluster? In a pipeline: fail if anything would
  kubectl skills diff -n team1

  # What would the cluster have other than now, once these manifests and then their skills were applied?
  kubectl skills diff -f manifests --live

Exit codes: 0 nothing differs; 1 something differs; 2 usage; 3 bad input; 4 the cluster refused or failed")]
pub struct Args {
    /// Against everything of ours taken out; on a cluster also of a workload KIND/NAME that nothing lists skills for
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    server: Server,
}

/// How a cluster is compared.
#[cfg(feature = "cluster")]
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Cluster", next_display_order = 0)]
struct Server {
    /// With -f or -k: against the live objects; the server tries the manifests as 'kubectl apply --server-side' would
    #[arg(long)]
    live: bool,
    /// Let the server merge, by a dry run; else the plan is shown as it is [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    server_side: Option<bool>,
    /// As 'apply --force-conflicts' would
    #[arg(long)]
    force_conflicts: bool,
    /// As 'apply --field-manager' would
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Show managedFields, and what client-side apply remembers, as well
    #[arg(long)]
    show_managed_fields: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if !args.subject.input.given() {
        args.delivery.not_live();
        return live(args);
    }
    refuse_live(&args.subject.live)?;
    #[cfg(feature = "cluster")]
    if args.server.live {
        args.delivery.not_live();
        return live_files(args);
    }
    #[cfg(feature = "cluster")]
    if args.server.server_side == Some(true) {
        return Err(Failure::Usage(
            "--server-side with -f or -k needs --live: without it, no server is asked".into(),
        ));
    }
    let inputs = args.subject.input.read()?;
    let mut loaded = args.subject.load(&inputs, args.remove)?;
    args.delivery.prepare(&inputs, &mut loaded)?;
    let planned = loaded.plan();
    args.delivery.tell_of(&planned);
    let stream = &loaded.stream;
    let pairs = pairs(stream, &planned)?;
    let outcome = match args.subject.output {
        Report::Text => object_diff::show(&pairs, ("input", "planned"))?,
        format => object_diff::show_object(format, &pairs)?,
    };
    loaded.sum_up(|| Fates::of(&planned), &planned.tally, Mood::Would);
    unless_errors(outcome, planned.errors)
}

/// What is planned alongside what stands in the manifests, in the order of the AgentRuntimes.
pub fn pairs(stream: &Stream<'_>, planned: &Planned) -> Result<Vec<Pair>, InputError> {
    let mut pairs = Vec::new();
    for one in &planned.plans {
        if let Some(after) = &one.runtime_after {
            let item = stream.lead(one.lead);
            pairs.push(Pair::of(&item.id, &stream.object(item)?, after));
        }
        let workload = one.workload.and_then(|index| stream.workloads.get(index));
        if let (Some(item), Some(before), Some(after)) = (workload, &one.before, one.plan.desired()) {
            pairs.push(Pair::of(&item.id, before, after));
        }
    }
    Ok(pairs)
}

#[cfg(feature = "cluster")]
fn live(args: &Args) -> Run {
    if args.server.live {
        return Err(Failure::Usage("--live is about manifests: name them with -f or -k".into()));
    }
    super::live::diff(&args.subject, &options(args))
}

#[cfg(feature = "cluster")]
fn live_files(args: &Args) -> Run {
    if args.server.server_side == Some(false) {
        return Err(Failure::Usage("--live has the server merge: leave --server-side=false out".into()));
    }
    let inputs = args.subject.input.read()?;
    super::live_files::diff(&inputs, &args.subject, &options(args))
}

#[cfg(feature = "cluster")]
fn options(args: &Args) -> super::live::DiffOptions {
    super::live::DiffOptions {
        server_side: args.server.server_side.unwrap_or(true),
        force: args.server.force_conflicts,
        manager: args.server.field_manager.clone(),
        show_managed_fields: args.server.show_managed_fields,
        remove: args.remove,
        output: args.subject.output,
    }
}

#[cfg(not(feature = "cluster"))]
fn live(_: &Args) -> Run {
    super::no_cluster("diff")
}
