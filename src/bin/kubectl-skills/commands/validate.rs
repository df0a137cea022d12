//! `validate`: what the API server and the operator's webhook would answer to AgentRuntimes and SkillBindings in manifests, and
//! what `render` would refuse of them.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::{Value, json};

use self::report::{Judged, judge};
use super::files::{Fates, choose_profile, objects_seen};
use crate::args::{KindsArgs, Report};
use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::objects;
use crate::planning::{Locked, Planning, chosen_profile, policy_in_force};
use crate::sink;
use crate::source::Input;
use crate::wrap::HANGING;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::names::{AGENT_RUNTIME, SKILL_BINDING};
use kubectl_skills::api::profile::Profile;
use kubectl_skills::manifest::render::{Settings, plan_all};
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::manifest::summary::{Summary, counted};
use kubectl_skills::skill::lock::FILE;

mod report;

/// Tell whether the API server and the operator's webhook would accept AgentRuntimes
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Findings are printed as FILE:LINE:COLUMN, in the words of the API server (CRD schema and rules) and the webhook, and then
what 'render' refuses of the manifests together. What they accept and what will not work all the same is reported as
warnings. A workload that is not in the input is taken to be elsewhere.

Examples:
  # Before a commit
  kubectl skills validate -f manifests -R

  # Would the operator's current version still take this AgentRuntime?
  kubectl skills validate -f agent.yaml --profile head -o json

Exit codes: 0 all are accepted; 1 findings, or no AgentRuntime; 2 usage; 3 bad input")]
pub struct Args {
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Whose rules: auto, or a profile's name as 'version' lists them
    #[arg(long, default_value = "auto", value_name = "NAME")]
    profile: String,
    /// Output format: text, json or yaml
    #[arg(short = 'o', long, value_enum, default_value_t = Report::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Report,
    /// Exit with 0 also if there is no AgentRuntime or SkillBinding in the input
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_name = "BOOL", hide_default_value = true, hide_possible_values = true)]
    allow_none: bool,
    #[command(flatten)]
    kinds: KindsArgs,
    /// Pin images by a lock, as 'lock' writes it; one that it does not have is an error
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = FILE)]
    locked: Option<PathBuf>,
    /// Refuse what breaks this policy about skills (kind SkillPolicy), which is judged by the lock alone
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    input: Input,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let inputs = args.input.read()?;
    let namespace = args.namespace.as_deref().unwrap_or("default");
    let kinds = args.kinds.resolve()?;
    let stream = Stream::read_with(&inputs.sources, namespace, kinds)?;
    let (profile, reason) = choose_profile(&stream, chosen_profile(&args.profile)?)?;
    let mut errors = unreadable_targets(&stream);
    let unreadable: HashSet<_> = errors.iter().map(place).collect();
    let mut documents = Vec::new();
    for source in &inputs.sources {
        match objects::documents_with(source, &[AGENT_RUNTIME, SKILL_BINDING]) {
            Ok(more) => documents.extend(more),
            // A list may hold both.
            Err(more) => errors.extend(more.into_iter().filter(|error| !unreadable.contains(&place(error)))),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::Input(errors));
    }
    let planning = Planning {
        kinds,
        lock: args.locked.as_deref().map(Locked::read).transpose()?,
        policy: args.policy.as_deref().map(policy_in_force).transpose()?,
        ..Planning::default()
    };
    let options = planning.options(profile);
    let planned = plan_all(&stream, &Settings { by_themselves: true, options, ..Settings::new(profile) });
    let mut judged = judge(&documents, profile, namespace);
    let nobodys = report::add(&mut judged, &planned);
    if !nobodys.is_empty() {
        return Err(Failure::Input(nobodys));
    }
    for note in &planned.notes {
        notes::note(note);
    }
    match args.output {
        format @ (Report::Json | Report::Yaml) => sink::object(format, &to_json(profile, &judged))?,
        Report::Text => {
            sink::wrapped(&judged.iter().map(Judged::lines).collect::<String>(), HANGING)?;
            for warning in judged.iter().flat_map(|one| one.warnings.iter().map(|found| one.line(found))) {
                notes::warning(&warning);
            }
        }
    }
    let refused = judged.iter().filter(|one| !one.findings.is_empty()).count();
    let asking = judged.iter().filter(|one| one.asks()).count();
    objects_seen(&stream, namespace, Fates::default);
    let rules = format!("profile {} because {reason}", profile.name);
    notes::summary(&match (asking, refused) {
        (0, _) => Summary::without_plans(&stream, profile, &reason).to_string(),
        (_, 0) => format!("{} accepted; {rules}", counts(&judged, false)),
        _ => format!("{} refused; {rules}", counts(&judged, true)),
    });
    let in_order = refused == 0 && (args.allow_none || asking > 0);
    Ok(if in_order { Outcome::Done } else { Outcome::Found })
}

/// `2 AgentRuntimes and 1 SkillBinding`, and the workloads of which anything is to be said; of each how many are refused.
fn counts(judged: &[Judged], refused: bool) -> String {
    let count = |noun, is_so: &dyn Fn(&&Judged) -> bool| {
        let count = judged.iter().filter(is_so).count();
        let bad = judged.iter().filter(is_so).filter(|one| !one.findings.is_empty()).count();
        let of = if refused { format!("{bad} of ") } else { String::new() };
        (count > 0).then(|| of + &counted(count, noun))
    };
    let all = [
        count(AGENT_RUNTIME, &|one| one.id.kind == AGENT_RUNTIME),
        count(SKILL_BINDING, &|one| one.id.kind == SKILL_BINDING),
        count("other object", &|one| !one.asks()),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// Workloads of AgentRuntimes with a value that Kubernetes refuses, such as `.inf`: a plan could not be carried out either.
/// Of other workloads nothing is asked.
fn unreadable_targets(stream: &Stream<'_>) -> Vec<InputError> {
    let targets: HashSet<_> = stream
        .asking()
        .map(|item| (item.target.0.as_str(), item.id.namespace.as_str(), item.target.1.as_str()))
        .collect();
    stream
        .workloads
        .iter()
        .filter(|item| {
            targets.contains(&(item.id.kind.as_str(), item.id.namespace.as_str(), item.id.name.as_str()))
        })
        .filter_map(|item| stream.object(item).err())
        .collect()
}

fn place(error: &InputError) -> (String, usize, usize) {
    (error.origin.file.clone(), error.origin.line, error.column)
}

fn to_json(profile: &Profile, judged: &[Judged]) -> Value {
    let objects: Vec<Value> = judged.iter().map(Judged::to_json).collect();
    json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "ValidationReport", "profile": profile.name,
           "objects": objects})
}
