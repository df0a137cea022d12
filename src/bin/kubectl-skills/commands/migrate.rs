//! `migrate`: lists of skills from AgentRuntimes into SkillBindings and back, in manifests. Skills of ConfigMaps are left to
//! `config_maps`, names of operators to `names`.

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::names::SKILL_BINDING;
use kubectl_skills::manifest::migrate::{Migrated, To, migrate};
use kubectl_skills::manifest::render::{Edited, choose_profile};
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::manifest::summary::counted;

use super::files::near_misses;
use super::render::{joined, write};
use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::planning::DEFAULT_NAMESPACE;
use crate::printable;
use crate::sink;
use crate::source::{Input, Inputs};

mod config_maps;
mod names;

/// Move skills in manifests: between AgentRuntimes and SkillBindings, from ConfigMaps to images, to the names of another operator
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # See what would move, then move it in the files
  kubectl skills migrate -f manifests/ -R | less
  kubectl skills migrate -f manifests/ -R -i

  # Back, for an operator that mounts the skills of AgentRuntimes
  kubectl skills migrate -f manifests/ -R -i --to AgentRuntime

  # ConfigMaps with skills out of the workloads, images into SkillBindings; what is not decided is listed, and nothing written
  kubectl skills migrate -f manifests/ -R --from ConfigMap --images images.txt --dry-run
  kubectl skills migrate -f manifests/ -R --from ConfigMap --image pdf=ghcr.io/acme/skills/pdf:1.2.0 --keep notes -i

  # Names of kagenti to those of rossoctl, in kustomizations and patches as well; and back
  kubectl skills migrate -f . -R --names rossoctl -i
  kubectl skills migrate -f . -R --names kagenti -i

Exit codes: 0 done or nothing to move; 2 usage; 3 bad input, and nothing is printed or written")]
pub struct Args {
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Where the lists are to be
    #[arg(long, value_enum, default_value_t = Place::SkillBinding, value_name = "SkillBinding|AgentRuntime", hide_possible_values = true)]
    to: Place,
    /// What moves: lists, or skills that workloads mount from ConfigMaps
    #[arg(long, value_enum, default_value_t = From::Lists, value_name = "lists|ConfigMap", hide_possible_values = true)]
    from: From,
    #[command(flatten)]
    images: config_maps::ImageArgs,
    /// Write the names of this operator in place of the other's: API groups, labels, annotations
    #[arg(long, value_enum, value_name = "rossoctl|kagenti", hide_possible_values = true, conflicts_with_all = ["to", "from"])]
    names: Option<names::Names>,
    /// Write into the files; those in which nothing changes are not touched
    #[arg(short = 'i', long)]
    in_place: bool,
    /// Print what would be done, and no manifests
    #[arg(long, conflicts_with = "in_place")]
    dry_run: bool,
    #[command(flatten)]
    input: Input,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    #[value(name = "SkillBinding")]
    SkillBinding,
    #[value(name = "AgentRuntime")]
    AgentRuntime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    #[value(name = "lists")]
    Lists,
    #[value(name = "ConfigMap")]
    ConfigMap,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.in_place {
        args.input.check_in_place()?;
    }
    if let Some(names) = args.names {
        return names::run(args, names);
    }
    if args.from == From::ConfigMap {
        return config_maps::run(args);
    }
    args.images.refuse()?;
    let inputs = args.input.read_with_patches()?;
    let stream = Stream::read(&inputs.sources, args.namespace())?;
    near_misses(&stream);
    let migrated = migrate(&stream, args.to(), &inputs.kustomize)?;
    for one in &migrated.decide {
        notes::warning(&format!("to decide: {one}"));
    }
    for one in &migrated.remarks {
        notes::warning(&one.to_string());
    }
    let what = if args.dry_run { "would move" } else { "moved" };
    for (from, to, count) in &migrated.moved {
        args.line(&format!("{} of {from} {what} to {to}", counted(*count, "skill")))?;
    }
    if !migrated.moved.is_empty() {
        other_names(&migrated);
        other_profile(&stream, &inputs.sources, &migrated)?;
    }
    args.put(&inputs, &migrated.edited)?;
    let skills: usize = migrated.moved.iter().map(|(_, _, count)| count).sum();
    notes::summary(&match migrated.moved.len() {
        0 => "no list of skills to move".to_owned(),
        lists => format!(
            "{} with {} {what}{}",
            counted(lists, "list"),
            counted(skills, "skill"),
            to_decide(migrated.decide.len())
        ),
    });
    Ok(Outcome::Done)
}

/// The end of a summary: what is left to people, without which the result is not whole.
fn to_decide(places: usize) -> String {
    match places {
        0 => String::new(),
        places => format!("; not done: {} to decide", counted(places, "place")),
    }
}

/// Says which names go with their documents: an AgentRuntime has its own, and the way back takes that.
fn other_names(migrated: &Migrated) {
    let gone =
        migrated.moved.iter().filter(|(from, to, _)| from.kind == SKILL_BINDING && from.name != to.name);
    for (from, to, _) in gone {
        notes::warning(&format!(
            "the name of {from} goes with its document: moved out of {to} again, its list is {SKILL_BINDING} {}",
            to.name
        ));
    }
}

impl Args {
    fn to(&self) -> To {
        match self.to {
            Place::SkillBinding => To::SkillBinding,
            Place::AgentRuntime => To::AgentRuntime,
        }
    }

    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// What is done to an object: the result of a dry run, else a line of `-v`.
    fn line(&self, text: &str) -> Result<(), Failure> {
        if self.dry_run {
            return sink::text(&format!("{}\n", printable::line(text)));
        }
        notes::object(text);
        Ok(())
    }

    /// Writes the files, or prints them.
    fn put(&self, inputs: &Inputs, edited: &Edited) -> Run {
        if self.in_place {
            write(inputs, edited)?;
        } else if !self.dry_run {
            sink::pieces(joined(&inputs.sources, edited))?;
        }
        Ok(Outcome::Done)
    }
}

/// Says that `render` goes by another profile after the move, and what is not written then.
fn other_profile(stream: &Stream<'_>, sources: &[Source], migrated: &Migrated) -> Result<(), Failure> {
    let after: Vec<Source> = sources
        .iter()
        .enumerate()
        .map(|(index, source)| Source {
            name: source.name.clone(),
            text: migrated.edited.chunks(index, &source.text).collect(),
        })
        .collect();
    let after = Stream::read(&after, DEFAULT_NAMESPACE)?;
    let profiles = (choose_profile(stream, "auto"), choose_profile(&after, "auto"));
    // AgentRuntimes of two groups are refused by render itself.
    if let (Ok((before, _)), Ok((now, _))) = profiles
        && before.mounts()
        && !now.mounts()
    {
        notes::note(&format!(
            "render went by profile {} here and goes by {} now, which writes no labels and no config hash; name the other \
             with --profile to keep them",
            before.name, now.name
        ));
    }
    Ok(())
}
