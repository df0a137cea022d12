//! `plan`: what would change and why, for each AgentRuntime.

use clap::Args as ClapArgs;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::manifest::summary::Mood;
use kubectl_skills::plan::change_set::Change;
use kubectl_skills::plan::report::plan_object;
use kubectl_skills::plan::{RuntimePlan, Warning};

use super::delivery::DeliveryArgs;
use super::files::{Fates, refuse_live};
use super::plan_table::plan_table;
use crate::args::{Report, Subject};
use crate::exit::{Outcome, Run, unless_errors};
use crate::sink;

/// Show what would change and why, for each AgentRuntime
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # All agents of a folder of manifests
  kubectl skills plan -f manifests -R

  # Conditions that the operator would set, read by a program
  kubectl skills plan -f agent.yaml -o json | jq '.runtimes[].conditions'

Exit codes: 0 done; 2 usage; 3 bad input, or an AgentRuntime cannot be carried out; 4 the cluster refused or failed")]
pub struct Args {
    /// Plan to take everything of ours out; on a cluster also of a workload KIND/NAME that nothing lists skills for
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    delivery: DeliveryArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if !args.subject.input.given() {
        args.delivery.not_live();
        return live(args);
    }
    refuse_live(&args.subject.live)?;
    let inputs = args.subject.input.read()?;
    let mut loaded = args.subject.load(&inputs, args.remove)?;
    args.delivery.prepare(&inputs, &mut loaded)?;
    let planned = loaded.plan();
    args.delivery.tell_of(&planned);
    let plans: Vec<(&RuntimePlan, Vec<Change>)> = planned
        .plans
        .iter()
        .map(|one| {
            (&one.plan, one.before.as_ref().map(|before| one.plan.changes(before)).unwrap_or_default())
        })
        .collect();
    match args.subject.output {
        format @ (Report::Json | Report::Yaml) => {
            let pairs = plans.iter().map(|(plan, changes)| (*plan, changes.as_slice()));
            let object = plan_object(loaded.settings.options.profile.name, pairs, &others(&planned.warnings));
            sink::object(format, &object)?;
        }
        Report::Text => {
            let first = plans.first().map(|(plan, _)| plan.id.namespace.as_str());
            let several = plans.iter().any(|(plan, _)| Some(plan.id.namespace.as_str()) != first);
            sink::table(&plan_table(several, plans.iter().map(|(plan, changes)| (*plan, changes.len()))))?;
        }
    }
    loaded.sum_up(|| Fates::of(&planned), &planned.tally, Mood::Would);
    unless_errors(Outcome::Done, planned.errors)
}

/// Warnings about objects that are no AgentRuntimes.
fn others(warnings: &[(ObjectRef, Warning)]) -> Vec<Warning> {
    let named = |(id, warning): &(ObjectRef, Warning)| Warning {
        message: format!("{id}: {}", warning.message),
        ..warning.clone()
    };
    warnings.iter().map(named).collect()
}

#[cfg(feature = "cluster")]
fn live(args: &Args) -> Run {
    super::live::plan(&args.subject, args.remove)
}

#[cfg(not(feature = "cluster"))]
fn live(_: &Args) -> Run {
    super::no_cluster("plan")
}
