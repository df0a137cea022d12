//! `policy`: the webhook's rules as a ValidatingAdmissionPolicy, the policies that write skills into pods, or a policy about
//! skills for those that ask at admission.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::install::admission_policy::{self, Action, Binding};
use kubectl_skills::install::inject_policy::{self, Injection};
use kubectl_skills::install::signature_policy;
use kubectl_skills::install::skill_policy::{self, Printed};

use crate::exit::{Failure, Outcome, Run};
use crate::planning::{policy_of, profile_by_name, today};
use crate::sink;

/// Print admission policies: the rules of the webhook, those that write skills into pods, or a policy about skills
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Refuse in the API server what the operator's webhook would refuse (Kubernetes 1.30 or newer)
  kubectl skills policy | kubectl apply -f -

  # First only warn, and only in one namespace
  kubectl skills policy --action warn --namespaces team1 | kubectl apply -f -

  # Let the API server write the skills of SkillBindings with 'delivery: Pod' into pods (Kubernetes 1.36 or newer)
  kubectl skills policy --inject | kubectl apply --server-side -f -

  # What a policy about skills says of references for the API server, and of signatures for the sigstore policy-controller
  kubectl skills policy -f policy.yaml | kubectl apply -f -
  kubectl skills policy -f policy.yaml --print sigstore | kubectl apply -f -

Exit codes: 0 done; 2 usage; 3 a policy that cannot be read, or asks for nothing of what is printed")]
pub struct Args {
    /// Profile, as 'version' lists them
    #[arg(long, default_value = "pr332-merged", value_name = "NAME")]
    profile: String,
    /// A policy about skills (kind SkillPolicy), to be printed for those that ask at admission
    #[arg(short = 'f', long = "filename", value_name = "FILE", conflicts_with_all = ["profile", "inject", "pass_deleting"])]
    filename: Option<PathBuf>,
    /// With -f, for whom: vap (the API server), kyverno or sigstore (its policy-controller); what they cannot say is in comments
    #[arg(long, value_enum, default_value_t = Asking::Vap, value_name = "WHOM", requires = "filename", hide_possible_values = true)]
    print: Asking,
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

/// Who asks at admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asking {
    /// The API server, by a ValidatingAdmissionPolicy.
    Vap,
    /// Kyverno, by an ImageValidatingPolicy.
    Kyverno,
    /// The sigstore policy-controller, by ClusterImagePolicies.
    Sigstore,
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

/// What is said of the policies that write skills into pods. Without their CRD the API server refuses what it cannot evaluate.
const CRD_FIRST: [&str; 2] = [
    "The CRD of SkillBindings comes first: kubectl skills crd --skill-binding | kubectl apply --server-side -f -",
    "Without it the API server refuses every new pod outside of the system's namespaces.",
];

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let action = match args.action {
        Chosen::Deny => Action::Deny,
        Chosen::Warn => Action::Warn,
        Chosen::Audit => Action::Audit,
    };
    let namespaces = args.namespaces.clone();
    let of_webhook = |objects| Printed { comments: Vec::new(), objects };
    let printed = if let Some(path) = &args.filename {
        let (policy, binding) = (policy_of(path)?, skill_policy::Binding { action, namespaces });
        let printed = match args.print {
            Asking::Vap => skill_policy::print(&policy, &binding, today()),
            Asking::Kyverno => signature_policy::kyverno(&policy, &binding),
            Asking::Sigstore => signature_policy::sigstore(&policy, &binding),
        };
        printed.map_err(|message| Failure::input(message, ""))?
    } else if args.inject {
        let objects = inject_policy::objects(&Injection { action, namespaces });
        Printed { comments: CRD_FIRST.iter().map(|line| (*line).to_owned()).collect(), objects }
    } else {
        let profile = profile_by_name(&args.profile)?;
        let binding = Binding { action, namespaces, pass_deleting: args.pass_deleting };
        of_webhook(admission_policy::objects(profile, &binding))
    };
    sink::text(&match args.output {
        Format::Yaml => printed.text(),
        Format::Json => {
            let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": printed.objects});
            format!("{list:#}\n")
        }
    })?;
    Ok(Outcome::Done)
}
