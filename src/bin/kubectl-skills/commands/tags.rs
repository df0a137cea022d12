//! `tags`: the tags of a repository.

use clap::Args as ClapArgs;
use serde_json::json;

use crate::args::Report;
use crate::exit::{Failure, Outcome, Run};
use crate::net::block_on;
use crate::printable;
use crate::progress::Progress;
use crate::registry::args::RegistryArgs;
use crate::registry::interrupt::unless_interrupted;
use crate::registry::reference::Reference;
use crate::registry::store::Stores;
use crate::sink;

/// List the tags of a repository, all pages of them
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Which versions of a skill are there?
  kubectl skills tags quay.io/acme/skills/pdf

  # The newest, by version
  kubectl skills tags quay.io/acme/skills/pdf | sort -V | tail -1

Exit codes: 0 done; 2 usage; 3 bad input; 4 the registry refused or failed, and nothing is printed")]
pub struct Args {
    /// Repository: HOST/REPOSITORY
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Report,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let reference = Reference::parse(&args.repository).map_err(Failure::Usage)?;
    if reference.tag.is_some() || reference.digest.is_some() {
        return Err(Failure::Usage(format!(
            "{} names an image, and a repository is wanted: {}",
            args.repository,
            reference.name()
        )));
    }
    let progress = Progress::start("asking the registry");
    let tags = block_on(async {
        let repository = Stores::new(&args.registry, "tags")?.repository(&reference, false)?;
        Ok(unless_interrupted(repository.tags()).await?)
    });
    drop(progress);
    let tags = tags?;
    match args.output {
        Report::Text => {
            sink::text(&tags.iter().map(|tag| format!("{}\n", printable::line(tag))).collect::<String>())?
        }
        format => sink::object(format, &json!({"repository": reference.name(), "tags": tags}))?,
    }
    Ok(Outcome::Done)
}
