//! `import`: a list of skills of another tool as a SkillBinding.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgGroup, Args as ClapArgs};
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::kind_word::{KindWord, kind_of};
use kubectl_skills::api::object::Origin;
use kubectl_skills::api::workload::{Kinds, WorkloadKind};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::session::check_binding;
use kubectl_skills::skill::finding::Finding;
use kubectl_skills::skill::import::{self, Entry, Imported, rules};
use kubectl_skills::yaml::Step;
use serde_json::{Value, json};

use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::sink;
use crate::source::{read_stdin, read_text};

/// Make a SkillBinding of a SkillCollection, a toolhive.lock.yaml or a skills-lock.json
#[derive(Debug, ClapArgs)]
#[command(
    group(ArgGroup::new("who").required(true).args(["target", "selector"])),
    after_help = "\
Examples:
  # The skills of a collection for one workload
  kubectl skills import collection.yaml --target deployment/weather

  # What ToolHive has locked, with its digests, for all pods with a label
  kubectl skills import toolhive.lock.yaml --selector app=weather --name weather | kubectl apply -f -

  # A list of repositories: an image for each skill, made by 'kubectl skills pack'
  kubectl skills import skills-lock.json --target deployment/weather --image pdf=ghcr.io/acme/pdf:1.0.0

Exit codes: 0 done; 2 usage; 3 bad input, and nothing is printed"
)]
pub struct Args {
    /// The list; - for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The workload: KIND/NAME, such as deployment/weather
    #[arg(long, value_name = "KIND/NAME")]
    target: Option<String>,
    /// Instead: labels of the pods, KEY=VALUE, joined by commas
    #[arg(long, value_name = "LABELS")]
    selector: Option<String>,
    /// Name of the SkillBinding [default: that of the collection, else of the workload]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Namespace of the SkillBinding [default: none is written]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The folder below which each skill is mounted
    #[arg(long, default_value = "/skills", value_name = "PATH")]
    mount_root: String,
    /// The image of a skill, where the list names none or another; repeatable
    #[arg(long, value_name = "NAME=IMAGE")]
    image: Vec<String>,
    /// Leave out entries that name no image, with a warning each; without it they are errors that say how to make one
    #[arg(long)]
    leave_out: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    let (field, target, workload) = target(args)?;
    let images = images(&args.image)?;
    let file = args.file.display().to_string();
    let text = if file == "-" { read_stdin()? } else { read_text(&args.file)? };
    let imported = import::read(&text, &images);
    report(&file, &imported, args.leave_out)?;
    let unused: Vec<&str> = images
        .keys()
        .map(String::as_str)
        .filter(|name| !imported.skills.iter().any(|skill| skill.name == *name))
        .collect();
    if !unused.is_empty() {
        return Err(Failure::Usage(format!("--image names what is not in {file}: {}", unused.join(", "))));
    }
    if imported.skills.is_empty() {
        return Err(Failure::input(format!("{file} lists no skill with an image"), ""));
    }
    let Some(name) = args.name.as_deref().or(imported.name.as_deref()).or(workload.as_deref()) else {
        return Err(Failure::Usage("give the SkillBinding a name: --name NAME".into()));
    };
    let binding =
        import::binding(name, args.namespace.as_deref(), (field, target), &args.mount_root, &imported.skills);
    check(&file, &imported.skills, &binding)?;
    sink::yaml(&binding)?;
    notes::summary(&format!("SkillBinding {name} with {}", counted(imported.skills.len(), "skill")));
    Ok(Outcome::Done)
}

/// Warnings are said, errors end the run; with `--leave-out` an entry without an image is a warning.
fn report(file: &str, imported: &Imported, leave_out: bool) -> Result<(), Failure> {
    let is_error = |found: &&Finding| found.is_error() && !(leave_out && *found.rule == rules::IMAGE);
    let (errors, others): (Vec<_>, Vec<_>) = imported.findings.iter().partition(is_error);
    for finding in others {
        let mut said = finding.in_file(file);
        if *finding.rule == rules::IMAGE {
            said.message += ", and is left out";
            said.help.clear();
        }
        notes::warning(&said.to_string());
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::Input(errors.into_iter().map(|finding| finding.in_file(file)).collect())),
    }
}

/// The field of `spec` with its value, and the name of the workload.
fn target(args: &Args) -> Result<(&'static str, Value, Option<String>), Failure> {
    let usage = |message: String| Err(Failure::Usage(message));
    if let Some(target) = &args.target {
        let Some((kind, name)) = target.split_once('/').filter(|(_, name)| !name.is_empty()) else {
            return usage(format!("--target {target}: must be KIND/NAME, such as deployment/weather"));
        };
        let Some(KindWord::Workload(found)) = kind_of(kind, Kinds::default()) else {
            let known = WorkloadKind::ALL.map(WorkloadKind::name).join(", ");
            return usage(format!("--target {target}: no kind is called {kind}; known are {known}"));
        };
        let value = json!({"apiVersion": found.api_version(), "kind": found.name(), "name": name});
        return Ok(("targetRef", value, Some(name.to_owned())));
    }
    let selector = args.selector.as_deref().unwrap_or_default();
    let mut labels = json!({});
    for part in selector.split(',') {
        let Some((key, value)) =
            part.split_once('=').filter(|(key, _)| !key.trim().is_empty() && !key.ends_with('!'))
        else {
            return usage(format!("--selector {selector}: must be KEY=VALUE, joined by commas"));
        };
        labels[key.trim()] = value.trim_start_matches('=').trim().into();
    }
    Ok(("selector", json!({"matchLabels": labels}), None))
}

fn images(flags: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut out = BTreeMap::new();
    for flag in flags {
        let Some((name, image)) = flag.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::Usage(format!("--image {flag}: must be NAME=IMAGE")));
        };
        if out.insert(name.to_owned(), image.to_owned()).is_some() {
            return Err(Failure::Usage(format!("--image names {name} twice")));
        }
    }
    Ok(out)
}

/// What the API server would say against the SkillBinding, at the entries that it comes from.
fn check(file: &str, skills: &[Entry], binding: &Value) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for finding in check_binding(binding) {
        let entry = match finding.path.as_slice() {
            [_, _, Step::Index(index), ..] => skills.get(*index),
            _ => None,
        };
        let line = entry.map_or(0, |entry| entry.line);
        let said = InputError {
            origin: Origin { file: file.to_owned(), document: 0, line },
            field: finding.field(),
            message: finding.message.clone(),
            help: finding.help.clone(),
            ..InputError::default()
        };
        if finding.is_error() {
            errors.push(said);
        } else {
            notes::warning(&said.to_string());
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Input(errors)) }
}
