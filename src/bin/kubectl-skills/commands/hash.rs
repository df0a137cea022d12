//! `hash`: the config hash of each AgentRuntime, what went into it, and what could explain another.

use std::collections::BTreeSet;

use clap::Args as ClapArgs;
use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::config::hash::ConfigHash;
use kubectl_skills::manifest::summary::Mood;

use super::files::{Fates, load, refuse_live};
use super::hash_report::{HashOptions, HashReport, parse_against};
use crate::args::Subject;
use crate::exit::{Outcome, Run, unless_errors};
use crate::planning::Planning;

/// Print config hashes, what went into them, and what could explain another
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Every value that went into the hash of the agents in a namespace, and where it stands
  kubectl skills hash -n team1 --explain

  # Why did the operator roll this agent? Which input gives the hash that it wrote?
  found=$(kubectl get deployment weather -o yaml | sed -n 's|.*kagenti.io/config-hash: *||p')
  kubectl skills hash -f agent.yaml --config-from config.yaml --against \"$found\"

Exit codes: 0 done; 2 usage; 3 bad input; 4 the cluster refused or failed")]
pub struct Args {
    /// Each layer and value that went in, with its source
    #[arg(long)]
    explain: bool,
    /// Which change of the inputs would give this hash?
    #[arg(long, value_name = "HASH", value_parser = parse_against)]
    against: Option<ConfigHash>,
    #[command(flatten)]
    subject: Subject,
}

impl Args {
    fn options(&self) -> HashOptions {
        HashOptions { explain: self.explain, against: self.against.clone(), output: self.subject.output }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if !args.subject.input.given() {
        return live(args);
    }
    refuse_live(&args.subject.live)?;
    let inputs = args.subject.input.read()?;
    // A hash is one of what is there; ConfigMaps that the operator would make first do not count.
    let planning = Planning { exact: false, ..args.subject.planning.resolve()? };
    let loaded =
        load(&inputs, args.subject.namespace.as_deref(), &planning, false, &args.subject.live.cluster)?;
    let planned = loaded.plan();
    let options = args.options();
    let settings = &loaded.settings;
    let maps = loaded.maps();
    let mut report = HashReport::new(&options, settings.options.profile, &maps, settings.view);
    for one in &planned.plans {
        // Both were read for the plan.
        let object =
            loaded.stream.runtimes.get(one.runtime).map(|item| loaded.stream.object(item)).transpose()?;
        let spec = object.and_then(|object| AgentRuntimeSpec::from_object(&object).ok());
        report.add(&one.plan, spec.as_ref());
    }
    report.print()?;
    loaded.sum_up(Fates::default(), &planned.tally, Mood::Unsaid);
    // A hash needs no workload: of what is wrong only that counts which hashes hang on.
    let hashed: BTreeSet<&ObjectRef> = planned.plans.iter().map(|one| &one.plan.id).collect();
    let errors = planned.errors.into_iter().filter(|error| match &error.object {
        Some(object) => WorkloadKind::parse(&object.kind).is_none() && !hashed.contains(object),
        None => true,
    });
    unless_errors(Outcome::Done, errors.collect())
}

#[cfg(feature = "cluster")]
fn live(args: &Args) -> Run {
    super::live::hash(&args.subject, &args.options())
}

#[cfg(not(feature = "cluster"))]
fn live(_: &Args) -> Run {
    super::no_cluster("hash")
}
