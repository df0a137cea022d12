//! `lint`: all that can be known of manifests and is not as it should be. The rules are the library's; here files are read,
//! written with `--fix`, and findings are chosen. How they are printed is in `output`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::object::Origin;
use kubectl_skills::lint::baseline::Baseline;
use kubectl_skills::lint::rule::{self, Level, Rule};
use kubectl_skills::lint::{Finding, Known, fixed, ignore, lint};
use kubectl_skills::manifest::kustomization::is_kustomization;
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::manifest::summary::counted;
use serde_json::Value;

use self::images::Images;
use self::output::Found;
use super::files::settings_of;
use super::image_source::SourceArgs;

use crate::args::{ClusterArgs, PlanningArgs};
use crate::exit::{Failure, Outcome, Run};
use crate::in_place::{self, Change};
use crate::notes;
use crate::planning::{DEFAULT_NAMESPACE, Planning};
use crate::sink;
use crate::skill_files::LimitArgs;
use crate::source::{Input, Inputs, read_text};
use crate::table::Table;
use crate::wrap::HANGING;

mod github;
mod images;
mod junit;
#[cfg(feature = "cluster")]
mod live;
mod output;
mod sarif;

/// Find what is wrong in manifests, and mend what is safe to mend
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
What validate refuses and render warns of, and rules beyond: mounts that hide or nest, places that disagree, pull secrets,
cards, ConfigMap skills, hidden characters; with a lock also what is in the images. 'kubectl skills explain RULE' says why
and how to mend it. A finding is left out by the annotation skills.kagenti.dev/lint-ignore: 'RULE: reason', or by a comment
on its line or above it: # kubectl-skills:ignore RULE reason

Examples:
  # Before a commit
  kubectl skills lint -f manifests -R

  # Mend what is safe to mend
  kubectl skills lint -f manifests -R --fix

  # Also what is in the images, and what a cluster has and can do
  kubectl skills lint -f manifests -R --images
  kubectl skills lint --live -n team1

  # What is new only, for GitHub's code scanning
  kubectl skills lint -f manifests -R --baseline lint-baseline.yaml -o sarif > lint.sarif

Exit codes: 0 nothing found at or above --severity; 1 findings; 2 usage; 3 bad input; 4 a registry or cluster failed")]
pub struct Args {
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Output format: text, json, sarif, github (annotations of a workflow) or junit
    #[arg(short = 'o', long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
    /// The least severity that counts and is printed: note, warning or error
    #[arg(long, value_enum, default_value_t = Severity::Warning, value_name = "LEVEL", hide_possible_values = true)]
    severity: Severity,
    /// Leave a rule out; repeatable
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = known_rule)]
    exclude_rule: Vec<&'static Rule>,
    /// Mend in the files what is safe to mend, and print the rest
    #[arg(long, conflicts_with_all = ["kustomize", "write_baseline"])]
    fix: bool,
    /// Leave out what this file knows, as --write-baseline wrote it
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found into a file, and end with 0
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// List the rules
    #[arg(long, conflicts_with_all = ["fix", "baseline", "write_baseline"])]
    list_rules: bool,
    /// Look into the images, in their registries
    #[arg(long)]
    images: bool,
    /// Ask the cluster: without -f and -k its objects, and in any case what 'doctor' asks
    #[cfg(feature = "cluster")]
    #[arg(long)]
    live: bool,
    /// With --live: all namespaces
    #[cfg(feature = "cluster")]
    #[arg(short = 'A', long, requires = "live", conflicts_with_all = ["namespace", "files", "kustomize"])]
    all_namespaces: bool,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
    Github,
    Junit,
}

/// From which severity on findings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    fn level(self) -> Level {
        match self {
            Self::Note => Level::Note,
            Self::Warning => Level::Warning,
            Self::Error => Level::Error,
        }
    }
}

fn known_rule(id: &str) -> Result<&'static Rule, String> {
    rule::find(id)
        .ok_or_else(|| "there is no such rule; 'kubectl skills lint --list-rules' lists them".to_owned())
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.list_rules {
        return list();
    }
    let mut planning = args.planning.resolve()?;
    let baseline = args.baseline.as_deref().map(|path| {
        let file = path.display().to_string();
        Baseline::read(&read_text(path)?, &file).map_err(Failure::from)
    });
    let baseline = baseline.transpose()?;
    let (mut inputs, of_cluster) = inputs(args, &mut planning)?;
    if args.fix && inputs.paths.iter().any(Option::is_none) {
        return Err(Failure::Usage(
            "--fix writes into files, and standard input and clusters are none: leave them out".into(),
        ));
    }
    let mut images = Images::default();
    let mut found = look(args, &inputs, &planning, (&of_cluster, &mut images), baseline.clone())?;
    if args.fix && mend(&mut inputs, &found.findings)? {
        found = look(args, &inputs, &planning, (&of_cluster, &mut images), baseline)?;
    }
    if let Some(path) = &args.write_baseline {
        return write_baseline(path, &found);
    }
    let text = match args.output {
        Format::Text => return end(&found, sink::wrapped_styled(&output::text(&found), HANGING)),
        Format::Json => return end(&found, sink::json(&output::json(&found))),
        Format::Sarif => return end(&found, sink::json(&sarif::log(&found))),
        Format::Github => github::commands(&found),
        Format::Junit => return end(&found, sink::pieces([&*junit::document(&found)])),
    };
    end(&found, sink::text(&text))
}

fn end(found: &Found, written: Result<(), Failure>) -> Run {
    written?;
    notes::summary(&found.summary());
    Ok(if found.findings.is_empty() { Outcome::Done } else { Outcome::Found })
}

/// What is linted, and what is found of a cluster.
#[cfg(feature = "cluster")]
fn inputs(args: &Args, planning: &mut Planning) -> Result<(Inputs, Vec<Finding>), Failure> {
    if args.live {
        live::inputs(args, planning)
    } else {
        Ok((args.input.read_alongside_kustomize()?, Vec::new()))
    }
}

#[cfg(not(feature = "cluster"))]
fn inputs(args: &Args, _: &mut Planning) -> Result<(Inputs, Vec<Finding>), Failure> {
    Ok((args.input.read_alongside_kustomize()?, Vec::new()))
}

/// Lints the inputs, and parts what is found. `images`: what was seen in images so far.
fn look(
    args: &Args,
    inputs: &Inputs,
    planning: &Planning,
    (of_cluster, images): (&[Finding], &mut Images),
    baseline: Option<Baseline>,
) -> Result<Found, Failure> {
    let namespace = args.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let stream = Stream::read_all(&inputs.sources, namespace, planning.kinds)?;
    let (mut settings, reason) = settings_of(&stream, planning, false, &args.cluster)?;
    // Whoever rendered a workload has decided how its skills get there.
    settings.options.keeps_delivery = true;
    let lock = planning.lock.as_ref().map(|locked| &*locked.lock);
    let mut seen = None;
    if args.images {
        images.look(args, &stream, planning.kinds)?;
        seen = Some(images.lock(lock));
    }
    let known = Known {
        lock: seen.as_ref().or(lock),
        inspected: images.inspected.clone(),
        kustomize: &inputs.kustomize,
    };
    let mut all = lint(&stream, &settings, namespace, &known);
    all.extend_from_slice(of_cluster);
    // Of what kustomize reads, kustomizations alone have findings.
    let kustomizations =
        inputs.kustomize.iter().take_while(|source| is_kustomization(&source.name, &Value::Null));
    let (all, mut ignored) = ignore::take(inputs.sources.iter().chain(kustomizations), namespace, all);
    let counts = |finding: &Finding| {
        finding.level >= args.severity.level()
            && !finding.is_of_manifests_alone()
            && !args.exclude_rule.iter().any(|rule| rule.id == finding.rule.id)
    };
    let all: Vec<Finding> = all.into_iter().filter(counts).map(without_place).collect();
    ignored.retain(|(finding, _)| counts(finding));
    let (findings, known, gone) = match baseline {
        Some(baseline) => baseline.part(all),
        None => (all, Vec::new(), 0),
    };
    Ok(Found {
        findings,
        ignored,
        known,
        gone,
        files: inputs
            .sources
            .iter()
            .map(|source| source.name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        objects: stream.objects,
        profile: settings.options.profile.name,
        reason,
    })
}

/// Objects of a cluster stand in no file.
fn without_place(finding: Finding) -> Finding {
    if finding.origin.file.is_empty() {
        Finding { origin: Origin::default(), column: 0, fix: None, ..finding }
    } else {
        finding
    }
}

/// Writes what can be mended into the files. Whether anything was.
fn mend(inputs: &mut Inputs, findings: &[Finding]) -> Result<bool, Failure> {
    let mended: Vec<(usize, String, usize)> = inputs
        .sources
        .iter()
        .enumerate()
        .filter_map(|(index, source)| {
            fixed(index, source, findings).map(|(text, count)| (index, text, count))
        })
        .collect();
    let changes: Vec<Change<'_>> = mended
        .iter()
        .filter_map(|(index, text, _)| {
            let path = inputs.paths[*index].as_deref()?;
            Some(Change { path, before: &inputs.sources[*index].text, after: vec![text] })
        })
        .collect();
    in_place::clean(changes.iter().map(|change| change.path));
    in_place::write(&changes, &inputs.roots)?;
    let count: usize = mended.iter().map(|(_, _, count)| count).sum();
    if count > 0 {
        let (findings, files) = (counted(count, "finding"), counted(mended.len(), "file"));
        notes::note(&format!("{findings} mended in {files}"));
    }
    for (index, text, _) in mended {
        let name = inputs.sources[index].name.clone();
        inputs.sources[index] = Source { name, text };
    }
    Ok(count > 0)
}

fn write_baseline(path: &std::path::Path, found: &Found) -> Run {
    let text = Baseline::of(&found.findings).text();
    match std::fs::read_to_string(path) {
        Ok(before) => {
            let roots = path.canonicalize().into_iter().collect();
            in_place::write(&[Change { path, before: &before, after: vec![&text] }], &roots)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => in_place::create(path, &text)?,
        Err(error) => return Err(Failure::Io(path.display().to_string(), error)),
    }
    notes::summary(&format!("{} written to {}", counted(found.findings.len(), "finding"), path.display()));
    Ok(Outcome::Done)
}

fn list() -> Run {
    let mut table = Table::new(&["RULE", "SEVERITY", "FIX", "FINDS"]);
    for rule in rule::all() {
        let fix = if rule.fix { "yes" } else { "" };
        table.row([
            rule.id.to_owned(),
            rule.level.name().to_owned(),
            fix.to_owned(),
            rule.summary.to_owned(),
        ]);
    }
    sink::table(&table)?;
    Ok(Outcome::Done)
}
