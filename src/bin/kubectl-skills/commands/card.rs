//! `card`: the skills of agents in the cards that these show to others, and whether a signed card holds.

use clap::{ArgGroup, Args as ClapArgs, ValueEnum};
use kubectl_skills::agent_card::UNSIGNED;
use kubectl_skills::manifest::card_maps::{Agent, Written, write as merge};
use kubectl_skills::manifest::render::plan_all;
use kubectl_skills::manifest::summary::counted;
use serde_json::{Value, json};

use self::known::{Facts, of_plans};
use super::files::{load, refuse_live};
use super::image_source::SourceArgs;
use super::render::{joined, write};
use crate::args::{LiveArgs, PlanningArgs};
use crate::exit::{Failure, Outcome, Run};
use crate::skill_files::LimitArgs;
use crate::source::{Input, Inputs};
use crate::{notes, sink};

mod known;
#[cfg(feature = "cluster")]
mod live;
#[cfg(feature = "registry")]
mod signed;

/// List the skills of agents in their A2A cards, and verify signed cards
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("manifests").args(["files", "kustomize"])), after_help = "\
Examples:
  # Write the skills that manifests mount into the ConfigMaps <agent>-card-unsigned, from which cards are signed
  kubectl skills card -f manifests -R --images -i

  # The same for an agent of the cluster, and to look first
  kubectl skills card weather -n team1 | kubectl diff -f -

  # Only the skills, as a card lists them
  kubectl skills card -f manifests --agent weather --locked -o skills

  # Whether a signed card holds, which of its fields no signature covers, and the skills that are mounted
  kubectl skills card --signed agent-card.json --key signer.pem -f manifests --agent weather

Exit codes: 0 done, or the card holds; 1 a card would change (--check), or none holds; 2 usage; 3 bad input; 4 the cluster or a \
registry refused or failed")]
pub struct Args {
    /// Namespace: of objects in manifests that name none, or in the cluster
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Of manifests, only this agent: the name of its workload; repeatable
    #[arg(long, value_name = "NAME", requires = "manifests")]
    agent: Vec<String>,
    /// Write into the files; those in which nothing changes are not touched
    #[arg(short = 'i', long, conflicts_with_all = ["kustomize", "output", "check"], requires = "files")]
    in_place: bool,
    /// Print which cards would change, and exit with 1 if any would
    #[arg(long, conflicts_with = "output")]
    check: bool,
    /// Output format: yaml are the manifests with their cards; skills are those of each agent, as a card lists them
    #[arg(short = 'o', long, value_enum, value_name = "yaml|skills", hide_possible_values = true)]
    output: Option<Output>,
    /// Look into the images: a lock knows names and descriptions, and not tags and examples
    #[arg(long)]
    images: bool,
    #[cfg(feature = "registry")]
    #[command(flatten)]
    signed: signed::SignedArgs,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    live: LiveArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Yaml,
    Skills,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    #[cfg(feature = "registry")]
    if args.signed.given() {
        return signed::run(args);
    }
    if !args.input.given() {
        return of_cluster(args);
    }
    if args.in_place {
        args.input.check_in_place()?;
    }
    let (inputs, agents) = of_files(args)?;
    if args.output == Some(Output::Skills) {
        let given: Vec<Agent> = agents.into_iter().filter(|agent| !agent.skills.is_empty()).collect();
        return skills(&given);
    }
    let namespace = args.namespace.as_deref().unwrap_or(crate::planning::DEFAULT_NAMESPACE);
    let written = merge(&inputs.sources, namespace, &agents)?;
    let changed = report(&agents, &written);
    if args.check {
        return Ok(if changed == 0 { Outcome::Done } else { Outcome::Found });
    }
    if args.in_place {
        return write(&inputs, &written.edited);
    }
    sink::pieces(joined(&inputs.sources, &written.edited))?;
    Ok(Outcome::Done)
}

/// The agents of manifests, and workloads that have no skills.
fn of_files(args: &Args) -> Result<(Inputs, Vec<Agent>), Failure> {
    refuse_live(&args.live)?;
    let inputs = args.input.read()?;
    let planning = args.planning.resolve()?;
    let loaded = load(&inputs, args.namespace.as_deref(), &planning, false, &args.live.cluster)?;
    let planned = plan_all(&loaded.stream, &loaded.settings);
    if !planned.errors.is_empty() {
        return Err(Failure::Input(planned.errors));
    }
    planned.notes.iter().for_each(|note| notes::note(note));
    let plans = planned.plans.iter().map(|one| (&one.plan, super::report::skills_of(&loaded.stream, one)));
    let mut facts =
        Facts::new(planning.lock.as_ref(), args.images.then_some((&args.source, args.limits.limits())));
    let wanted = |name: &str| args.agent.is_empty() || args.agent.iter().any(|one| one == name);
    let mut agents = of_plans(plans, wanted, &mut facts)?;
    // A workload of which no list is any more still has the card that an earlier run wrote into.
    for item in &loaded.stream.workloads {
        let (namespace, name) = (&item.id.namespace, &item.id.name);
        let is_known = agents.iter().any(|agent| agent.namespace == *namespace && agent.name == *name);
        if wanted(name) && !is_known {
            agents.push(Agent { namespace: namespace.clone(), name: name.clone(), skills: Vec::new() });
        }
    }
    if let Some(missing) = args
        .agent
        .iter()
        .find(|name| agents.iter().all(|agent| agent.name != **name || agent.skills.is_empty()))
    {
        let message =
            format!("--agent {missing}: no AgentRuntime or SkillBinding of the manifests gives it skills");
        return Err(Failure::input(message, "give the name of its workload, as 'plan -f' shows it"));
    }
    drop(loaded);
    Ok((inputs, agents))
}

/// Says what became of each card, and which agents have none; how many change.
fn report(agents: &[Agent], written: &Written) -> usize {
    let mut changed = 0;
    for card in &written.cards {
        let agent = &agents[card.agent];
        let merged = &card.merged;
        let mut parts = Vec::new();
        for (ids, what) in
            [(&merged.added, "added"), (&merged.changed, "changed"), (&merged.removed, "removed")]
        {
            if !ids.is_empty() {
                parts.push(format!("{what} {}", ids.join(", ")));
            }
        }
        changed += usize::from(!parts.is_empty());
        let what = if parts.is_empty() { "untouched".to_owned() } else { parts.join("; ") };
        notes::object(&format!("{}: card of {}/{}: {what}", card.origin, agent.namespace, agent.name));
        for id in &merged.own {
            notes::object(&format!(
                "{}: skill {id} is listed by the author of the card, and left as it is",
                card.origin
            ));
        }
    }
    for (index, agent) in agents.iter().enumerate() {
        if written.cards.iter().all(|card| card.agent != index) && !agent.skills.is_empty() {
            notes::warning(&format!(
                "{}/{}: there is no ConfigMap {}{UNSIGNED} in the input, so no card lists its {}; '-o skills' prints them for one",
                agent.namespace,
                agent.name,
                agent.name,
                counted(agent.skills.len(), "skill")
            ));
        }
    }
    notes::summary(&format!("{changed} of {} changed", counted(written.cards.len(), "card")));
    changed
}

/// The skills of each agent; of one, the list as a card has it.
fn skills(agents: &[Agent]) -> Run {
    let listed = |agent: &Agent| -> Vec<Value> { agent.skills.iter().map(|one| one.agent_skill()).collect() };
    let value = match agents {
        [only] => listed(only).into(),
        all => all
            .iter()
            .map(|agent| json!({"namespace": agent.namespace, "agent": agent.name, "skills": listed(agent)}))
            .collect(),
    };
    sink::json(&value)?;
    let skills: usize = agents.iter().map(|agent| agent.skills.len()).sum();
    notes::summary(&format!("{} of {}", counted(skills, "skill"), counted(agents.len(), "agent")));
    Ok(Outcome::Done)
}

#[cfg(feature = "cluster")]
fn of_cluster(args: &Args) -> Run {
    live::run(args)
}

#[cfg(not(feature = "cluster"))]
fn of_cluster(_: &Args) -> Run {
    super::no_cluster("card")
}
