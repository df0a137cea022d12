//! `report`: who has which skill, as a page, Markdown, JSON or a bill of materials.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::agent_runtime::{AgentRuntimeSpec, Skill};
use kubectl_skills::api::object::Object;
use kubectl_skills::api::skill_binding::{Delivery, is_binding};
use kubectl_skills::manifest::render::{PlannedRuntime, plan_all};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::bindings::Binding;
use kubectl_skills::skill::lock::Lock;

use self::inventory::{Inventory, Known};
use super::files::load;
use crate::args::{ClusterArgs, PlanningArgs};
use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::planning::today;
#[cfg(feature = "registry")]
use crate::registry::args::RegistryArgs;
use crate::sink;
#[cfg(feature = "registry")]
use crate::skill_files::LimitArgs;
use crate::source::{self, Input};

mod changes;
#[cfg(feature = "registry")]
mod diffs;
mod html;
mod inventory;
mod machine;
mod markdown;

/// Report who has which skill: a page, Markdown, JSON or a CycloneDX bill of materials
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # A page to look at, with what a lock knows of the images and what breaks a policy
  kubectl skills report -f manifests -R --locked=skills.lock --policy policy.yaml > report.html

  # What a pull request changes, for its description
  git show main:skills.lock > old.lock
  kubectl skills report -f manifests -R --locked=skills.lock --against old.lock -o markdown

  # The same with each changed line of SKILL.md and the other files, asked of the registries
  kubectl skills report -f manifests -R --locked=skills.lock --against old.lock --diff > report.html

Exit codes: 0 done, also with findings; 2 usage; 3 bad input")]
pub struct Args {
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Output format: html, markdown, json or cyclonedx
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Html, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
    /// An older lock, to show what has changed since
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[cfg(feature = "registry")]
    #[command(flatten)]
    diff: DiffArgs,
    /// Title of the page
    #[arg(long, default_value = "Skills of agents", value_name = "TEXT")]
    title: String,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Where the files of images are looked at.
#[cfg(feature = "registry")]
#[derive(Debug, ClapArgs)]
struct DiffArgs {
    /// With --against: show how the files of images changed, new scripts first; their registries are asked
    #[arg(long, requires = "against")]
    diff: bool,
    /// With --diff: read the images from this OCI layout, as copy writes it, and ask no registry
    #[arg(long, value_name = "DIR|TAR", requires = "diff")]
    from_layout: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Html,
    Markdown,
    Json,
    Cyclonedx,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let inputs = args.input.read()?;
    let mut planning = args.planning.resolve()?;
    let against = args.against.as_deref().map(|path| {
        let text = source::read_text(path)?;
        Ok::<_, Failure>(Lock::read(&text, &path.display().to_string())?)
    });
    let against = against.transpose()?;
    if against.is_some() && planning.lock.is_none() {
        return Err(Failure::Usage(
            "--against compares with the lock of today: give --locked as well".into(),
        ));
    }
    // What is refused is shown as well: the plans are made without lock and policy, which are asked afterwards.
    let (lock, policy) = (planning.lock.take(), planning.policy.take());
    let pins = lock.as_ref().map(|locked| Arc::clone(&locked.pins));
    let lock = lock.map(|locked| locked.lock).unwrap_or_default();
    let loaded = load(&inputs, args.namespace.as_deref(), &planning, false, &args.cluster)?;
    let planned = plan_all(&loaded.stream, &loaded.settings);
    planned.notes.iter().for_each(|note| notes::note(note));
    let known = Known {
        lock: &Arc::clone(&lock),
        against: against.as_ref(),
        pins: pins.as_deref(),
        policy,
        today: today(),
    };
    #[cfg_attr(not(feature = "registry"), allow(unused_mut, reason = "nothing else is asked of images"))]
    let mut inventory =
        Inventory::new(&planned, |index| skills_of(&loaded.stream, &planned.plans[index]), &known);
    #[cfg(feature = "registry")]
    if args.diff.diff {
        diffs::read(&args.diff, &mut inventory.changes);
    }
    match args.output {
        Format::Html => sink::pieces([html::page(&inventory, &args.title).as_str()])?,
        Format::Markdown => sink::pieces([markdown::text(&inventory, &args.title).as_str()])?,
        Format::Json => sink::json(&machine::json(&inventory))?,
        Format::Cyclonedx => sink::json(&machine::cyclonedx(&inventory))?,
    }
    notes::summary(&format!(
        "{}, {}, {}",
        counted(inventory.agents.len(), "agent"),
        counted(inventory.skills.len(), "skill"),
        counted(inventory.findings.len(), "finding")
    ));
    Ok(Outcome::Done)
}

/// The skills that a plan gives; those of an object whose plan is refused, or that are given to pods as these are created.
fn skills_of(stream: &Stream<'_>, planned: &PlannedRuntime) -> Vec<Skill> {
    if !planned.plan.skills.is_empty() {
        return planned.plan.skills.iter().map(|one| one.skill.clone()).collect();
    }
    let item = stream.lead(planned.lead);
    let Ok(object) = stream.object(item) else { return Vec::new() };
    let listed = if is_binding(Object(&object)) {
        let binding = Binding::of(item.id.clone(), item.origin.clone(), &object).ok();
        binding
            .filter(|one| one.spec.delivery == Delivery::Pod || !planned.plan.problems().is_empty())
            .map(|one| one.spec.skills)
    } else {
        AgentRuntimeSpec::from_object(&object).ok().map(|spec| spec.skills)
    };
    listed.unwrap_or_default()
}
