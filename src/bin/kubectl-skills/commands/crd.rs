//! `crd`: the AgentRuntime CRD of a profile.

use clap::{Args as ClapArgs, ValueEnum};

use crate::exit::{Outcome, Run};
use crate::planning::profile_by_name;
use crate::sink;

/// Print the CustomResourceDefinition of AgentRuntime
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Install the CRD of the operator that mounts skills into a test cluster
  kubectl skills crd | kubectl apply -f -

  # What changed in the API between two versions of the operator?
  diff <(kubectl skills crd) <(kubectl skills crd --profile head)

Exit codes: 0 done; 2 usage")]
pub struct Args {
    /// Profile, as 'version' lists them
    #[arg(long, default_value = "pr332-merged", value_name = "NAME")]
    profile: String,
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
    let profile = profile_by_name(&args.profile)?;
    sink::text(&match args.output {
        Format::Yaml => kubectl_skills::crd::text(profile),
        Format::Json => format!("{:#}\n", kubectl_skills::crd::definition(profile)),
    })?;
    Ok(Outcome::Done)
}
