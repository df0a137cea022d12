//! `status`: where the skills of each AgentRuntime are, in one line each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use kubectl_skills::api::error::InputError;
use kubectl_skills::api::names::SKILL_BINDING;
use kubectl_skills::api::object::title;
use kubectl_skills::api::profile::Profile;
use kubectl_skills::live::status_report::{Report, report};
use kubectl_skills::live::{WorkloadKey, rendered};
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::plan::bindings::Bindings;
use kubectl_skills::plan::{Action, RENDERED};
use serde_json::{Value, json};

use crate::args::{Listing, LiveArgs, PlanningArgs};
use crate::cluster::connect::Caller;
use crate::cluster::delivery::nobody;
use crate::cluster::error::Failure as Cause;
use crate::cluster::informer::Informer;
use crate::cluster::left::Left;
use crate::cluster::paths;
use crate::cluster::run::ClusterRun;
use crate::commands::status_pods::{self, PodsOfBindings};
use crate::exit::{Failure, Outcome, Run, unless_errors};
use crate::look::Mood;
use crate::net::block_on;
use crate::notes;
use crate::sink;
use crate::table::Table;

/// Pause between two looks of `-w`, however much changes in between.
const PAUSE: Duration = Duration::from_secs(2);
/// After so long without a change the operator's ConfigMaps, which are not watched, are read again.
const REST: Duration = Duration::from_secs(30);

/// Show where skills are: in the spec, the live workload, the annotation and the status
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # All agents of a namespace, and what is not as it should be
  kubectl skills status -n team1

  # Which agents have a skill, by name or by image
  kubectl skills status -A --who-has quay.io/acme/pdf

Exit codes: 0 done; 2 usage; 3 an AgentRuntime or SkillBinding cannot be carried out; 4 the cluster refused or failed")]
pub struct Args {
    /// Namespace; by default that of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Only AgentRuntimes that have this skill: a name, or part of an image reference with a slash or colon in it
    #[arg(long, value_name = "SKILL")]
    who_has: Option<String>,
    /// Watch, and print what changes
    #[arg(short = 'w', long)]
    watch: bool,
    /// Output format: more columns, JSON, YAML, or names as kubectl takes them
    #[arg(short = 'o', long, value_enum, value_name = "wide|json|yaml|name", hide_possible_values = true)]
    output: Option<Listing>,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    block_on(async {
        let mut run = open(args).await?;
        run.read_left().await?;
        run.note_without_pods();
        let missing = run.snapshot.missing(&run.scope);
        let shown = look(args, &run);
        if missing.is_none() || !shown.is_empty() {
            print(args, profile_of(&run), &shown, true)?;
            // Who asks for a skill asks for no verdict.
            if args.who_has.is_none() {
                run.warn_of_guesses();
                drifted_hint(&shown).iter().filter(|_| !args.watch).for_each(|hint| notes::note(hint));
            }
            if !shown.is_empty() && !args.watch {
                notes::summary(&sum(&shown));
            }
        }
        if let Some(missing) = missing {
            return Err(missing.into());
        }
        if !args.watch || sink::closed() {
            return unless_errors(Outcome::Done, refused(args, &run));
        }
        if !run.snapshot.bindings.is_empty() {
            // A SkillBinding may choose any workload of its namespace: looked at again rather than watched.
            let namesakes = std::mem::take(&mut run.snapshot.namesakes);
            return tokio::select! {
                outcome = poll(args, shown, &namesakes) => outcome,
                _ = tokio::signal::ctrl_c() => Ok(Outcome::Done),
            };
        }
        tokio::select! {
            outcome = watch(args, run, shown) => outcome,
            _ = tokio::signal::ctrl_c() => Ok(Outcome::Done),
        }
    })
}

/// Prints what changes until nobody reads it.
async fn watch(args: &Args, mut run: ClusterRun, mut shown: Vec<Report>) -> Run {
    let profile = run.session.options().profile;
    let mut informer = Informer::start(Arc::clone(&run.requests), run.scope.clone(), profile);
    loop {
        let looked = tokio::time::Instant::now();
        match informer.changed(REST).await {
            Ok(()) => informer.show(&mut run.snapshot),
            Err(error) if error.failure == Cause::Forbidden => {
                notes::note(&format!("{}; looking again every {} s instead", error.message, PAUSE.as_secs()));
                return poll(args, shown, &run.snapshot.namesakes).await;
            }
            Err(error) => return Err(error.into()),
        }
        run.read_unwatched().await?;
        shown = news(args, profile_of(&run), shown, look(args, &run))?;
        if sink::closed() {
            return Ok(Outcome::Done);
        }
        // In a cluster where everything changes all the time, this is what keeps us from asking all the time.
        tokio::time::sleep_until(looked + PAUSE).await;
    }
}

/// The same for those who may list and not watch. Which workloads have the names of targets that are not there is kept.
async fn poll(args: &Args, mut shown: Vec<Report>, namesakes: &[WorkloadKey]) -> Run {
    loop {
        tokio::time::sleep(PAUSE).await;
        let mut run = open(args).await?;
        run.snapshot.namesakes = namesakes.to_vec();
        shown = news(args, profile_of(&run), shown, look(args, &run))?;
        if sink::closed() {
            return Ok(Outcome::Done);
        }
    }
}

/// Prints reports that were not shown so.
fn news(
    args: &Args,
    profile: &Profile,
    shown: Vec<Report>,
    reports: Vec<Report>,
) -> Result<Vec<Report>, Failure> {
    let changed: Vec<Report> = reports.iter().filter(|report| !shown.contains(report)).cloned().collect();
    if !changed.is_empty() {
        print(args, profile, &changed, false)?;
    }
    Ok(reports)
}

async fn open(args: &Args) -> Result<ClusterRun, Failure> {
    ClusterRun::open(
        Caller::of("status"),
        &args.live,
        args.namespace.as_deref(),
        &args.planning.resolve()?,
        false,
        true,
    )
    .await
}

/// Whose AgentRuntimes they are.
fn profile_of(run: &ClusterRun) -> &'static Profile {
    run.session.options().profile
}

/// What keeps plans from being carried out, whatever workload it is about.
fn refused(args: &Args, run: &ClusterRun) -> Vec<InputError> {
    let errors: Vec<InputError> = run.plan().into_iter().flat_map(|live| live.errors).collect();
    // Who asks for a skill asks for no verdict.
    if args.who_has.is_some() { Vec::new() } else { errors }
}

fn look(args: &Args, run: &ClusterRun) -> Vec<Report> {
    let mut reports = reports(run);
    if let Some(skill) = &args.who_has {
        reports.retain(|report| report.has(skill));
    }
    reports
}

/// Where all skills are that the run is about.
pub(super) fn reports(run: &ClusterRun) -> Vec<Report> {
    let (names, kinds) = (run.session.options().profile.names, run.session.options().kinds);
    let mut reports = Vec::new();
    let pods = run.snapshot.pods.as_deref();
    let bindings = Bindings::of_live(&run.snapshot.bindings);
    let mut of_bindings =
        pods.filter(|_| !bindings.is_empty()).map(|pods| PodsOfBindings::new(&bindings, pods));
    for live in run.plan() {
        let mut report = report(live.runtime, live.workload, live.plan.as_ref(), pods, names, kinds);
        report.unknown_kind =
            live.workload.is_none() && live.errors.iter().any(|error| error.field == "spec.targetRef.kind");
        if live.workload.is_none() {
            report.instead = run.snapshot.instead(live.runtime).unwrap_or_default();
        }
        report.refused = live.errors.iter().map(|error| said(error, report.unknown_kind)).collect();
        if let (Some(kind), Some(workload)) = (live.kind, live.workload) {
            status_pods::delivered(&mut report, kind, workload, &bindings);
            if live.plan.as_ref().is_some_and(|plan| plan.action == Action::Skipped)
                && report.names().next().is_none()
            {
                let skills = rendered(workload, kind, &BTreeSet::new());
                if !skills.is_empty() {
                    report.rendered = Left::rendered_into(workload, kind, &skills);
                }
            }
            if let Some(pods) = &mut of_bindings {
                pods.count(&mut report, kind, workload);
            }
        }
        reports.push(report);
    }
    if let Some(pods) = of_bindings {
        pods.rest(&run.snapshot.selected_bindings, &mut reports);
    }
    for report in reports.iter_mut().filter(|report| !report.delivered.is_empty()) {
        if let Some(mend) = run.snapshot.undelivered.get(&report.namespace) {
            report.undelivered = format!("{}: {mend}", nobody(&report.namespace));
        }
    }
    reports.extend(run.snapshot.left.iter().map(|left| Report {
        left: format!("{}: {}", left.finding(), left.advice()),
        ..Report::of_nobody(&left.workload, kinds)
    }));
    reports.extend(run.snapshot.rendered.iter().map(|one| Report {
        whose: RENDERED.to_owned(),
        rendered: one.rendered(),
        ..Report::of_nobody(&one.workload, kinds)
    }));
    reports
}

/// What is wrong; how to mend it where the flag that does is not in the object.
fn said(error: &InputError, with_help: bool) -> String {
    if with_help && !error.help.is_empty() {
        format!("{}: {}", error.message, error.help)
    } else {
        error.message.clone()
    }
}

fn print(args: &Args, profile: &Profile, reports: &[Report], first: bool) -> Result<(), Failure> {
    let list = || {
        let items: Vec<Value> = reports.iter().map(Report::to_json).collect();
        json!({"apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "StatusList", "items": items})
    };
    match args.output {
        Some(Listing::Json) if args.watch => return sink::json_line(&list()),
        Some(Listing::Json) => return sink::json(&list()),
        Some(Listing::Yaml) => {
            if !first {
                sink::text("---\n")?;
            }
            return sink::yaml(&list());
        }
        Some(Listing::Name) => {
            // Of what is gone there is no name.
            let named = reports.iter().filter(|report| !report.name.is_empty());
            let line = |report: &Report| {
                title(&report.kind, paths::group_of(profile, &report.kind), &report.name) + "\n"
            };
            return sink::text(&named.map(line).collect::<String>());
        }
        Some(Listing::Wide) | None => {}
    }
    if reports.is_empty() {
        notes::note(match (&args.who_has, args.live.scope.all_namespaces) {
            (Some(_), _) => "nothing has that skill",
            (None, true) => "no AgentRuntimes or SkillBindings found",
            (None, false) => "no AgentRuntimes or SkillBindings found; -A looks in all namespaces",
        });
        return Ok(());
    }
    let table = table(args, reports);
    // Rows of later looks go under the head that is on the screen.
    sink::styled(&if first { table.painted() } else { table.painted_rows() })
}

fn table(args: &Args, reports: &[Report]) -> Table {
    let wide = args.output == Some(Listing::Wide);
    let mut head = vec!["NAME", "TARGET", "SKILLS", "MOUNTED", "STATE"];
    if args.live.scope.all_namespaces {
        head.insert(0, "NAMESPACE");
    }
    if wide {
        head.extend(["ANNOTATION", "STATUS", "HASH", "WANTED-HASH"]);
    }
    // Free text, and so the last.
    head.push("REASON");
    let mut table = Table::new(&head).with_states(4 + usize::from(args.live.scope.all_namespaces));
    for report in reports {
        table.row(cells(args, report, wide));
        table.mood(mood(report.state()));
        table.findings(&report.findings());
    }
    table
}

/// How good a state of [`Report::state`] is.
fn mood(state: &str) -> Mood {
    match state {
        "ok" => Mood::Good,
        "missing" | "refused" => Mood::Bad,
        "rendered" => Mood::Unknown,
        _ => Mood::Warning,
    }
}

/// `12 agents: 10 ok, 1 drifted, 1 missing`.
fn sum(reports: &[Report]) -> String {
    let mut states: Vec<(&str, usize)> = Vec::new();
    for report in reports {
        match states.iter_mut().find(|(state, _)| *state == report.state()) {
            Some((_, count)) => *count += 1,
            None => states.push((report.state(), 1)),
        }
    }
    states.sort_by_key(|(state, _)| (*state != "ok", *state));
    let counts: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    format!("{}: {}", counted(reports.len(), "agent"), counts.join(", "))
}

/// The skills in the pod template; where they are delivered to pods, how many of these have them.
fn mounted(report: &Report) -> String {
    let names: Vec<&str> = report
        .mounted
        .iter()
        .filter(|skill| !skill.image.is_empty() || report.from_maps.contains(&skill.name))
        .map(|skill| skill.name.as_str())
        .collect();
    match report.pods_of_bindings.filter(|_| !report.delivered.is_empty()) {
        Some(pods) => {
            let has = format!("{}/{} pods", pods.up_to_date, pods.up_to_date + pods.outdated());
            std::iter::once(has.as_str()).chain(names).collect::<Vec<_>>().join(",")
        }
        None if names.is_empty() => "<none>".to_owned(),
        None => names.join(","),
    }
}

/// Lists that clash have one skill twice.
fn once_each<'r>(names: impl Iterator<Item = &'r str>) -> Vec<&'r str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

/// What to do about workloads that are not as planned, each command about the namespace that it is for.
fn drifted_hint(reports: &[Report]) -> Option<String> {
    let drifted: Vec<&Report> = reports.iter().filter(|report| report.state() == "drifted").collect();
    let namespaces: BTreeSet<&str> = drifted.iter().map(|report| report.namespace.as_str()).collect();
    let scope = match namespaces.into_iter().collect::<Vec<_>>().as_slice() {
        [] => return None,
        ["", ..] | [_, _, ..] => "-A".to_owned(),
        [one] => format!("-n {one}"),
    };
    let not_mounted = |report: &&Report| {
        report.kind == SKILL_BINDING
            && report.wanted().any(|(name, _)| !report.mounted.iter().any(|mounted| mounted.name == name))
    };
    let to_pods = if drifted.iter().any(not_mounted) {
        "; with 'delivery: Pod' in the SkillBinding new pods have the skills instead, by the policy or the webhook"
    } else {
        ""
    };
    Some(format!(
        "drifted: 'kubectl skills diff {scope}' shows what is not as planned, and 'kubectl skills apply {scope}' writes it{to_pods}"
    ))
}

fn cells(args: &Args, report: &Report, wide: bool) -> Vec<String> {
    let findings = report.findings();
    let reason = match findings.as_slice() {
        [] => "<none>".to_owned(),
        [first, more @ ..] if !wide && !more.is_empty() => {
            format!("{first} (and {} more: -o wide)", more.len())
        }
        all => all.join("; "),
    };
    let list = |names: Vec<&str>| if names.is_empty() { "<none>".to_owned() } else { names.join(",") };
    let mut cells = vec![
        report.whose.clone(),
        report.target.clone(),
        list(once_each(report.names())),
        mounted(report),
        report.state().to_owned(),
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
        cells.extend([annotated, status, short(&report.hash_found), short(&report.hash_wanted)]);
    }
    cells.push(reason);
    cells
}

#[cfg(test)]
mod tests {
    use kubectl_skills::api::agent_runtime::Skill;
    use kubectl_skills::live::status_report::MountedSkill;

    use super::*;

    /// With hundreds of agents nobody counts the rows.
    #[test]
    fn the_sum_names_each_state_that_there_is() {
        let ok = || Report { target_found: true, ..Report::default() };
        let refused = Report { refused: vec!["x".into()], ..ok() };
        let all = [refused, ok(), Report::default(), ok()];
        assert_eq!(sum(&all), "4 agents: 2 ok, 1 missing, 1 refused");
    }

    /// What is wrong was said, and nothing of how to go on.
    #[test]
    fn what_has_drifted_has_a_next_command() {
        let drifted = |namespace: &str, kind: &str, mounted: &str| Report {
            namespace: namespace.into(),
            kind: kind.into(),
            target_found: true,
            listed: vec![Skill { name: "pdf".into(), image: "a/pdf:1".into(), ..Skill::default() }],
            mounted: vec![MountedSkill {
                name: mounted.into(),
                image: "a/pdf:0".into(),
                ..Default::default()
            }],
            ..Report::default()
        };
        let ok = Report { target_found: true, ..Report::default() };
        assert_eq!(drifted_hint(std::slice::from_ref(&ok)), None);
        let one = |scope: &str, more: &str| {
            Some(format!(
                "drifted: 'kubectl skills diff {scope}' shows what is not as planned, and 'kubectl skills apply {scope}' writes it{more}"
            ))
        };
        assert_eq!(drifted_hint(&[drifted("n", "SkillBinding", "pdf"), ok]), one("-n n", ""));
        let more = "; with 'delivery: Pod' in the SkillBinding new pods have the skills instead, by the policy or the webhook";
        assert_eq!(drifted_hint(&[drifted("n", "SkillBinding", "csv")]), one("-n n", more));
        assert_eq!(
            drifted_hint(&[drifted("n", "AgentRuntime", "csv"), drifted("m", "AgentRuntime", "csv")]),
            one("-A", "")
        );
    }

    /// Two lists that clash looked like a workload that somebody else had changed.
    #[test]
    fn what_keeps_a_plan_from_being_written_is_the_reason() {
        let report = Report {
            target_found: true,
            listed: vec![Skill { name: "pdf".into(), image: "a/pdf:1".into(), ..Skill::default() }],
            refused: vec!["SkillBinding one has a skill pdf for the same workload".into()],
            annotation: "rossoctl.io/skills",
            ..Report::default()
        };
        assert_eq!(
            (report.state(), report.findings()),
            (
                "refused",
                vec![
                    "SkillBinding one has a skill pdf for the same workload".to_owned(),
                    "skill pdf is not mounted".to_owned(),
                    "there is no annotation rossoctl.io/skills".to_owned(),
                ]
            )
        );
    }
}
