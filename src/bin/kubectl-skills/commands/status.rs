//! `status`: where the skills of each AgentRuntime are, in one line each.

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::status_report::{Report, report};
use serde_json::{Value, json};

use crate::args::Planning;
use crate::cluster::live_run::{LiveArgs, LiveRun, block_on};
use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use crate::sink;
use crate::table::Table;

/// Pause between two looks of `-w`.
const PAUSE: Duration = Duration::from_secs(2);

/// Show where skills are: in the spec, the live workload, the annotation and the status
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # All agents of a namespace, and what is not as it should be
  kubectl skills status -n team1

  # Which agents have a skill, by name or by image
  kubectl skills status -A --who-has quay.io/acme/pdf

Exit codes: 0 done; 2 usage; 4 the cluster refused or failed")]
pub struct Args {
    /// Namespace; by default that of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Only AgentRuntimes that have this skill: a name, or part of an image reference with a slash or colon in it
    #[arg(long, value_name = "SKILL")]
    who_has: Option<String>,
    /// Look again and again, and print what changed
    #[arg(short = 'w', long)]
    watch: bool,
    /// Output format: more columns, or JSON
    #[arg(short = 'o', long, value_enum, value_name = "wide|json", hide_possible_values = true)]
    output: Option<Output>,
    #[command(flatten)]
    planning: Planning,
    #[command(flatten)]
    live: LiveArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Wide,
    Json,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    block_on(async {
        let mut shown: Vec<Report> = Vec::new();
        let mut first = true;
        // One for all looks: a signal between two of them must not get lost.
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let reports = tokio::select! {
                reports = look(args) => reports?,
                _ = &mut interrupted, if !first => return Ok(Outcome::Done),
            };
            let changed: Vec<Report> =
                reports.iter().filter(|report| !shown.contains(report)).cloned().collect();
            if first || !changed.is_empty() {
                print(args, &changed, first)?;
            }
            if !args.watch || sink::closed() {
                return Ok(Outcome::Done);
            }
            (shown, first) = (reports, false);
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = &mut interrupted => return Ok(Outcome::Done),
            }
        }
    })
}

async fn look(args: &Args) -> Result<Vec<Report>, Failure> {
    let live_run = LiveRun::open(&args.live, args.namespace.as_deref(), &args.planning, false, false).await?;
    let names = live_run.settings.options.profile.names;
    let mut reports = Vec::new();
    for live in live_run.plan() {
        let hash = live.plan.as_ref().map(|plan| plan.config_hash.as_str()).unwrap_or_default();
        reports.push(report(live.runtime, live.workload, names, hash));
    }
    if let Some(skill) = &args.who_has {
        reports.retain(|report| report.has(skill));
    }
    Ok(reports)
}

fn print(args: &Args, reports: &[Report], first: bool) -> Result<(), Failure> {
    if args.output == Some(Output::Json) {
        let items: Vec<Value> = reports.iter().map(Report::to_json).collect();
        let list = json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "StatusList", "items": items});
        return sink::text(&if args.watch { format!("{list}\n") } else { format!("{list:#}\n") });
    }
    if reports.is_empty() {
        notes::note(match (&args.who_has, args.live.scope.all_namespaces) {
            (Some(_), _) => "no AgentRuntime has that skill",
            (None, true) => "no AgentRuntimes found",
            (None, false) => "no AgentRuntimes found; -A looks in all namespaces",
        });
        return Ok(());
    }
    sink::text(&table(args, reports, first))
}

fn table(args: &Args, reports: &[Report], first: bool) -> String {
    let wide = args.output == Some(Output::Wide);
    let mut head = vec!["NAME", "TARGET", "SKILLS", "MOUNTED", "STATE"];
    if args.live.scope.all_namespaces {
        head.insert(0, "NAMESPACE");
    }
    if wide {
        head.extend(["ANNOTATION", "STATUS", "HASH", "WANTED-HASH", "FINDINGS"]);
    }
    let mut table = Table::new(&head);
    for report in reports {
        table.row(cells(args, report, wide));
    }
    let text = table.to_string();
    // Rows of later looks go under the head that is on the screen.
    if first { text } else { text.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default() }
}

fn cells(args: &Args, report: &Report, wide: bool) -> Vec<String> {
    let findings = report.findings();
    let state = match findings.as_slice() {
        [] => "ok".to_owned(),
        [only] => only.replace(' ', "-"),
        more => format!("{}-findings", more.len()),
    };
    let list = |names: Vec<&str>| if names.is_empty() { "<none>".to_owned() } else { names.join(",") };
    let mut cells = vec![
        report.name.clone(),
        report.target.clone(),
        list(report.wanted.iter().map(|(name, _)| name.as_str()).collect()),
        list(
            report
                .mounted
                .iter()
                .filter(|skill| !skill.image.is_empty())
                .map(|skill| skill.name.as_str())
                .collect(),
        ),
        state,
    ];
    if args.live.scope.all_namespaces {
        cells.insert(0, report.namespace.clone());
    }
    if wide {
        let short =
            |hash: &str| if hash.is_empty() { "<none>".to_owned() } else { hash.chars().take(12).collect() };
        let annotated = match &report.annotated {
            None => "<none>".to_owned(),
            Some(Ok(names)) => list(names.iter().map(String::as_str).collect()),
            Some(Err(_)) => "<malformed>".to_owned(),
        };
        let status = match (&report.reported, report.phase.as_str()) {
            (None, "") => "<none>".to_owned(),
            (None, phase) => phase.to_owned(),
            (Some(text), "") => text.clone(),
            (Some(text), phase) => format!("{phase}/{text}"),
        };
        let told = if findings.is_empty() { "<none>".to_owned() } else { findings.join("; ") };
        cells.extend([annotated, status, short(&report.hash_found), short(&report.hash_wanted), told]);
    }
    cells
}
