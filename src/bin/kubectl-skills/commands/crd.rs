//! `crd`: the AgentRuntime CRD of a profile, or the SkillBinding CRD.

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::yaml::emit;

use crate::exit::{Outcome, Run};
use crate::planning::profile_by_name;
use crate::sink;

/// Print the CustomResourceDefinition of AgentRuntime, or of SkillBinding
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Install the CRD of the operator that mounts skills into a test cluster
  kubectl skills crd | kubectl apply -f -

  # What changed in the API between two versions of the operator?
  diff <(kubectl skills crd) <(kubectl skills crd --profile head)

  # A home for the list of skills on a cluster with any operator, or with none (Kubernetes 1.31 or newer)
  kubectl skills crd --skill-binding | kubectl apply --server-side -f -

Exit codes: 0 done; 2 usage")]
pub struct Args {
    /// Profile, as 'version' lists them
    #[arg(long, default_value = "pr332-merged", value_name = "NAME")]
    profile: String,
    /// The CRD of SkillBinding, which is the same for every profile
    #[arg(long, conflicts_with = "profile")]
    skill_binding: bool,
    /// Output format: yaml or json
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Yaml, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let definition = if args.skill_binding {
        kubectl_skills::crd::skill_binding::definition()
    } else {
        kubectl_skills::crd::definition(profile_by_name(&args.profile)?)
    };
    sink::text(&match args.output {
        Format::Yaml => emit::document(&definition),
        Format::Json => format!("{definition:#}\n"),
    })?;
    Ok(Outcome::Done)
}
