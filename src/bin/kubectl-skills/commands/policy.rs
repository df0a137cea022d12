//! `policy`: the webhook's rules as a ValidatingAdmissionPolicy, or the policies that write skills into pods.

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::install::admission_policy::{self, Action, Binding};
use kubectl_skills::install::inject_policy::{self, Injection};
use kubectl_skills::yaml::emit;

use crate::exit::{Outcome, Run};
use crate::planning::profile_by_name;
use crate::sink;

/// Print admission policies: the rules of the webhook, for clusters without it, or those that write skills into pods
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Refuse in the API server what the operator's webhook would refuse (Kubernetes 1.30 or newer)
  kubectl skills policy | kubectl apply -f -

  # First only warn, and only in one namespace
  kubectl skills policy --action warn --namespaces team1 | kubectl apply -f -

  # Let the API server write the skills of SkillBindings with 'delivery: Pod' into pods (Kubernetes 1.36 or newer)
  kubectl skills policy --inject | kubectl apply --server-side -f -

Exit codes: 0 done; 2 usage")]
pub struct Args {
    /// Profile, as 'version' lists them
    #[arg(long, default_value = "pr332-merged", value_name = "NAME")]
    profile: String,
    /// The policies that write the skills of SkillBindings with 'delivery: Pod' into pods when they are created
    #[arg(long, conflicts_with_all = ["profile", "pass_deleting"])]
    inject: bool,
    /// What happens to an AgentRuntime that breaks a rule, or to a pod that cannot have its skills: deny, warn or audit
    #[arg(long, value_enum, default_value_t = Chosen::Deny, value_name = "ACTION", hide_possible_values = true)]
    action: Chosen,
    /// Namespaces in which the rules hold; all by default
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Let changes of an AgentRuntime pass that is being deleted, which the operator's webhook checks too
    #[arg(long)]
    pass_deleting: bool,
    /// Output format: yaml or json
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Yaml, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Chosen {
    Deny,
    Warn,
    Audit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let action = match args.action {
        Chosen::Deny => Action::Deny,
        Chosen::Warn => Action::Warn,
        Chosen::Audit => Action::Audit,
    };
    let namespaces = args.namespaces.clone();
    let objects = if args.inject {
        inject_policy::objects(&Injection { action, namespaces })
    } else {
        let profile = profile_by_name(&args.profile)?;
        admission_policy::objects(profile, &Binding { action, namespaces, pass_deleting: args.pass_deleting })
    };
    sink::text(&match args.output {
        Format::Yaml => emit::documents(&objects),
        Format::Json => {
            let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
            format!("{list:#}\n")
        }
    })?;
    Ok(Outcome::Done)
}
