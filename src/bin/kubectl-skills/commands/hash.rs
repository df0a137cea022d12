//! `hash`: the config hash of each AgentRuntime, what went into it, and what could explain another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use kubectl_skills::api::agent_runtime::AgentRuntimeSpec;
use kubectl_skills::api::object::ObjectRef;
use kubectl_skills::manifest::stream::{Lead, Source, Stream};
use kubectl_skills::manifest::summary::Mood;
use kubectl_skills::validate::findings::rules;
use serde_json::Value;

use super::files::{Fates, Loaded, load, refuse_live};
use super::hash_report::{Foreign, HashOptions, HashReport, parse_against};
use crate::args::Subject;
use crate::exit::{Failure, Outcome, Run, unless_errors};
use crate::planning::{DEFAULT_NAMESPACE, Planning};
use crate::source;

/// Print config hashes, what went into them, and what could explain another
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Every value that went into the hash of the agents in a namespace, and where it stands
  kubectl skills hash -n team1 --explain

  # Why did the operator roll this agent? Which input gives the hash that it wrote?
  kubectl skills hash -f agent.yaml --config-from config.yaml --against live

  # The same without a cluster, from a workload that was saved
  kubectl get deployment weather -o yaml > live.yaml
  kubectl skills hash -f agent.yaml --against-file live.yaml

Exit codes: 0 done; 2 usage; 3 bad input, or an AgentRuntime that is refused; 4 the cluster refused or failed")]
pub struct Args {
    /// Each layer and value that went in, with its source
    #[arg(long)]
    explain: bool,
    /// Which change of the inputs would give this hash? Its first 8 digits or more, or 'live' for that of the live workload
    #[arg(long, value_name = "HASH|live", value_parser = parse_against)]
    against: Option<Foreign>,
    /// The same for the hash that the workload has in this manifest
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    against_file: Option<PathBuf>,
    #[command(flatten)]
    subject: Subject,
}

impl Args {
    fn options(&self) -> HashOptions {
        let file = self.against_file.clone().map(Foreign::File);
        HashOptions {
            explain: self.explain,
            against: self.against.clone().or(file),
            output: self.subject.output,
        }
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
    let planning = args.subject.planning.resolve()?;
    let exact = planning.exact;
    let planning = Planning { exact: false, ..planning };
    let loaded =
        load(&inputs, args.subject.namespace.as_deref(), &planning, false, &args.subject.live.cluster)?;
    let planned = loaded.plan();
    let options = args.options();
    let settings = &loaded.settings;
    let maps = loaded.maps();
    let mut report = HashReport::new(&options, settings.options.profile, &maps, settings.view);
    let foreign = match &options.against {
        Some(Foreign::Live) => Some(live_workloads(args, &loaded)?),
        _ => options.workloads_of_file(args.subject.namespace.as_deref())?,
    };
    // A SkillBinding has no part in the operator's hash.
    for one in planned.plans.iter().filter(|one| matches!(one.lead, Lead::Runtime(_))) {
        // Both were read for the plan.
        let object = loaded.stream.object(loaded.stream.lead(one.lead))?;
        let spec = AgentRuntimeSpec::from_object(&object).ok();
        let plan = &one.plan;
        let workload = match &foreign {
            Some(workloads) => workloads.get(&(
                plan.target.kind.clone(),
                plan.id.namespace.clone(),
                plan.target.name.clone(),
            )),
            None => one.before.as_ref(),
        };
        report.add(plan, spec.as_ref(), workload);
    }
    report.print()?;
    loaded.sum_up(Fates::default, &planned.tally, Mood::Unsaid);
    // A hash needs no workload. Whatever else is wrong with its AgentRuntime keeps it from ever being written, but by an operator
    // that is asked nothing (--exact).
    let mut hashed = BTreeSet::new();
    let twice: BTreeSet<&ObjectRef> =
        planned.plans.iter().map(|one| &one.plan.id).filter(|id| !hashed.insert(*id)).collect();
    let errors = planned.errors.into_iter().filter(|error| match &error.object {
        // Which of two that bear one name is meant nobody knows.
        Some(object) if twice.contains(object) => error.field == "metadata.name",
        Some(object) => {
            let passes = exact || error.rule == rules::TARGET_NOT_FOUND.id;
            planning.kinds.of(object).is_none() && !(passes && hashed.contains(object))
        }
        None => true,
    });
    unless_errors(Outcome::Done, errors.collect())
}

/// Workloads by kind, namespace and name.
pub type Workloads = BTreeMap<(String, String, String), Value>;

impl HashOptions {
    /// The workloads of the file whose hashes are to be explained; `None` if they are not from a file.
    pub fn workloads_of_file(&self, namespace: Option<&str>) -> Result<Option<Workloads>, Failure> {
        let Some(Foreign::File(path)) = &self.against else { return Ok(None) };
        let sources = [Source { name: path.display().to_string(), text: source::read_text(path)? }];
        let stream = Stream::read(&sources, namespace.unwrap_or(DEFAULT_NAMESPACE))?;
        let mut out = Workloads::new();
        for item in &stream.workloads {
            let id = &item.id;
            out.insert((id.kind.clone(), id.namespace.clone(), id.name.clone()), stream.object(item)?);
        }
        Ok(Some(out))
    }
}

#[cfg(feature = "cluster")]
fn live_workloads(args: &Args, loaded: &Loaded<'_>) -> Result<Workloads, Failure> {
    let mut runtimes = Vec::new();
    for item in &loaded.stream.runtimes {
        let mut runtime = loaded.stream.object(item)?;
        runtime["metadata"]["namespace"] = item.id.namespace.as_str().into();
        runtimes.push(runtime);
    }
    super::live::workloads(&runtimes, &args.subject.live)
}

#[cfg(not(feature = "cluster"))]
fn live_workloads(_: &Args, _: &Loaded<'_>) -> Result<Workloads, Failure> {
    super::no_cluster("--against live")
}

#[cfg(feature = "cluster")]
fn live(args: &Args) -> Run {
    super::live::hash(&args.subject, &args.options())
}

#[cfg(not(feature = "cluster"))]
fn live(_: &Args) -> Run {
    super::no_cluster("hash")
}
