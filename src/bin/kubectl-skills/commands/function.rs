//! `fn`: the KRM function. Standard input and flags in; the list or the manifests on stdout, each error and warning as a
//! line on stderr.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use kubectl_skills::config::layers::ConfigView;
use kubectl_skills::manifest::function::{self, Output};
use kubectl_skills::manifest::function_config::{FunctionConfig, schema::schema};
use kubectl_skills::manifest::kustomize_configuration;
use kubectl_skills::manifest::resource_list::KIND;
use kubectl_skills::manifest::results::Severity;
use kubectl_skills::manifest::stream::Source;

use crate::args::PlanningArgs;
use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::planning::today;
use crate::sink;
use crate::source;

/// Name of the verb.
pub const VERB: &str = "fn";
/// Names under which the program is the function: that of a link for callers that give no arguments, and that by which
/// kustomize calls a legacy plugin.
pub const NAMES: [&str; 2] = ["kubectl-skills-fn", "SkillsFunction"];

/// Mount skills as a KRM function: what kustomize, kpt, Helm and Argo CD call
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A ResourceList on standard input comes out as one, with its results; plain manifests come out as manifests. What is \
said here decides over the list's functionConfig. docs/function.md has its options, and recipes.

Examples:
  # In kpt, without a Kptfile
  kpt fn eval . --exec 'kubectl-skills fn' -- profile=pr332-merged

  # As Helm 3's post-renderer
  helm template demo chart -n team1 --post-renderer kubectl-skills --post-renderer-args=fn \\
    --post-renderer-args=-n --post-renderer-args=team1

  # What kustomize's legacy plugins do, by hand
  kustomize build . | kubectl skills fn skills.yaml

  # For the kustomization of a base with skills: prefixes and images reach them
  kubectl skills fn --kustomize-configuration > kubectl-skills-configuration.yaml

Exit codes: 0 done; 1 a result in the list is an error, and its items are as they came; 2 usage; \
3 bad input, and nothing is printed")]
pub struct Args {
    /// Configuration of the function for plain manifests: SkillsFunction, ConfigMap, AgentRuntime or SkillBinding
    #[arg(value_name = "CONFIG")]
    function_config: Option<PathBuf>,
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Take everything of ours out again
    #[arg(long)]
    remove: bool,
    /// Change nothing: what is not carried out is an error
    #[arg(long)]
    validate: bool,
    /// With --validate: no error if there is no AgentRuntime or SkillBinding in the input
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_name = "BOOL", hide_default_value = true, hide_possible_values = true)]
    allow_none: bool,
    /// Print the JSON schema of the kind SkillsFunction
    #[arg(long, exclusive = true)]
    schema: bool,
    /// Print the file that goes under `configurations:` of a kustomization, so that prefixes and images reach skills
    #[arg(long, exclusive = true)]
    kustomize_configuration: bool,
    #[command(flatten)]
    planning: PlanningArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.kustomize_configuration {
        sink::text(kustomize_configuration::TEXT)?;
        return Ok(Outcome::Done);
    }
    if args.schema {
        sink::json(&schema())?;
        return Ok(Outcome::Done);
    }
    let flags = flags(args)?;
    let file = match &args.function_config {
        Some(path) => Some(Source { name: path.display().to_string(), text: source::read_text(path)? }),
        None => None,
    };
    if std::io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "fn reads a ResourceList or manifests from standard input: pipe them in".into(),
        ));
    }
    tell(&function::run(source::read_stdin()?, &flags, file.as_ref())?)
}

/// A call without any argument, as by versions of kustomize that can give none: the function if a ResourceList comes in.
/// None if nothing does: then help is wanted.
pub fn run_without_words() -> Option<Run> {
    if std::io::stdin().is_terminal() {
        return None;
    }
    let run = || {
        let text = source::read_stdin()?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        // Not a word of it: nothing need be read to know.
        if !text.contains(KIND) {
            return Err(no_verb());
        }
        let output =
            function::run(text, &FunctionConfig { today: Some(today()), ..FunctionConfig::default() }, None)?;
        if output.is_list { tell(&output).map(Some) } else { Err(no_verb()) }
    };
    run().transpose()
}

fn no_verb() -> Failure {
    Failure::Usage(
        "no verb is given, and standard input is no ResourceList: 'kubectl skills --help' lists the verbs"
            .into(),
    )
}

/// What the command line says, as a configuration that decides over the list's.
fn flags(args: &Args) -> Result<FunctionConfig, Failure> {
    let planning = args.planning.resolve_for(args.remove)?;
    if planning.config.cluster {
        return Err(Failure::Usage(
            "--config-from cluster: a function's output may hang on its input only; write the ConfigMaps into a file".into(),
        ));
    }
    Ok(FunctionConfig {
        profile: planning.profile.map(|profile| profile.name.to_owned()),
        exact: planning.exact.then_some(true),
        feature_gates: planning.gates.flags,
        feature_gates_file: planning.gates.file.and_then(|file| file.text),
        config_view: (planning.view != ConfigView::default()).then_some(planning.view),
        config: planning.config.files.unwrap_or_default(),
        container: planning.container,
        skill_folders: planning.skill_folders,
        pod_template_paths: args.planning.kinds.pod_template_path.clone(),
        policy_file: planning.policy,
        today: Some(today()),
        lock: args.planning.locked.as_deref().filter(|_| !args.remove).map(source::read_text).transpose()?,
        remove: args.remove.then_some(true),
        validate: args.validate.then_some(true),
        allow_none: args.allow_none.then_some(true),
        namespace: args.namespace.clone(),
        ..FunctionConfig::default()
    })
}

/// Prints the list, and each result as a line: kustomize shows nobody the results of a list, and only stderr on failure.
fn tell(output: &Output) -> Run {
    sink::pieces([output.text.as_str()])?;
    for note in &output.notes {
        notes::note(note);
    }
    for result in output.results.items() {
        let line = result.to_string();
        match result.severity {
            Severity::Error => notes::error(&line),
            Severity::Warning => notes::warning(&line),
            Severity::Info => notes::note(&line),
        }
    }
    if let Some(summary) = &output.summary {
        notes::summary(&summary.to_string());
    }
    Ok(if output.failed { Outcome::Found } else { Outcome::Done })
}
