//! `uninstall`: what of ours is in a cluster, and out with it, in an order that leaves nothing waiting: first nobody asks or writes
//! any more, then what was written goes, then the rights. What is ours is decided in `uninstall/evidence`, found in
//! `uninstall/inventory`; the skills of workloads are taken out by `apply`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use http::Method;
use kubectl_skills::api::object::Object;
use kubectl_skills::manifest::summary::counted;
use serde_json::{Value, json};

use super::apply::remove_all;
use crate::args::Report;
use crate::cluster::args::ClusterArgs;
use crate::cluster::connect::{Caller, connect};
use crate::cluster::error::{ClusterError, Failure as Cause};
use crate::cluster::finalizer;
use crate::cluster::paths::{PODS, of_program};
use crate::cluster::requests::Requests;
use crate::exit::{Failure, Outcome, RemoteError, Run};
use crate::net::block_on;
use crate::table::Table;
use crate::{notes, sink};
use inventory::{Found, Inventory, Step};
use pods::Holder;

mod evidence;
mod inventory;
mod pods;

/// How long pods of ours may take to end: their grace period, and a little more.
const PODS_END: Duration = Duration::from_secs(60);
/// After so long no API server asks a webhook or policy any more that is gone: each learns of it by its own watch.
const FORGOTTEN: Duration = Duration::from_secs(2);
const ASKED_EACH: Duration = Duration::from_millis(500);

/// List what of kubectl-skills is in a cluster, and with --yes take it out
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Without --yes nothing is changed. What is named or labelled as ours and is not provably so is listed as kept, and so is the CRD of \
AgentRuntime, which is the operator's. Namespaces and Secrets are neither looked at nor deleted. An interrupted run is finished by \
another.

Examples:
  # What is there, and what would become of it?
  kubectl skills uninstall

  # All of it, and the skills out of the workloads, whose pods restart once
  kubectl skills uninstall --yes --remove-skills

  # The program alone: pods keep their skills, and nothing restarts
  kubectl skills uninstall --yes --keep-skills

Exit codes: 0 done, or nothing is there; 2 usage; 3 a workload cannot be planned; 4 the cluster refused or failed, and what comes \
after it is left, or skills that are to go came by a render, and stay")]
pub struct Args {
    /// Do it; without, it is only listed
    #[arg(long)]
    yes: bool,
    /// Leave the skills in the workloads; only our finalizers go
    #[arg(long)]
    keep_skills: bool,
    /// Take the skills out of the workloads, as 'apply --remove' does
    #[arg(long, conflicts_with = "keep_skills")]
    remove_skills: bool,
    /// Delete the CRD of SkillBinding too, and with it every SkillBinding of the cluster
    #[arg(long)]
    delete_skill_bindings: bool,
    /// Only what is in this namespace, and nothing of the cluster itself, by default everything; refused where the API server calls a
    /// webhook there
    #[arg(short = 'n', long, value_name = "NAMESPACE", conflicts_with_all = ["all_namespaces", "delete_skill_bindings"])]
    namespace: Option<String>,
    /// All namespaces and the cluster itself, which is the default
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Output format of the list: json or yaml
    #[arg(
        short = 'o',
        long,
        value_enum,
        value_name = "json|yaml",
        hide_possible_values = true,
        conflicts_with = "yes"
    )]
    output: Option<Format>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Yaml,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    block_on(async {
        let connection = connect(&args.cluster, Caller::of("uninstall"), notes::lists_requests()).await?;
        let requests = &connection.requests;
        let found = inventory::read(requests, args.namespace.as_deref()).await?;
        if args.yes { carry_out(args, requests, &found).await } else { list(args, &found) }
    })
}

/// What becomes of something.
fn fate(args: &Args, item: &Found) -> &'static str {
    match item.step {
        Step::Kept => "stays",
        Step::SkillBindings if !args.delete_skill_bindings => "stays",
        Step::Rendered => "keeps its skills",
        Step::Skills if args.keep_skills => "keeps its skills",
        Step::Skills => "skills out",
        Step::Finalizers => "finalizer off",
        _ => "deleted",
    }
}

/// Why something is ours or stays, and what would take it along.
fn why(args: &Args, item: &Found) -> String {
    match item.step {
        Step::SkillBindings if !args.delete_skill_bindings => {
            format!("{}; --delete-skill-bindings deletes it", item.why)
        }
        _ => item.why.clone(),
    }
}

fn list(args: &Args, found: &Inventory) -> Run {
    if let Some(format) = args.output {
        let items = found.items.iter().map(|item| {
            json!({
                "kind": item.kind, "group": item.group, "namespace": item.namespace, "name": item.name,
                "fate": fate(args, item), "why": why(args, item),
            })
        });
        let object = json!({
            "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "UninstallPlan", "items": items.collect::<Vec<_>>(),
            "pods": found.holders.iter().map(Holder::object).collect::<Vec<_>>(), "unread": found.unread,
        });
        sink::object(if format == Format::Json { Report::Json } else { Report::Yaml }, &object)?;
    } else if found.items.is_empty() {
        let but = if found.holders.is_empty() { "" } else { " but in running pods" };
        sink::text(&format!("nothing of kubectl-skills is there{but}\n"))?;
    } else {
        let mut table = Table::new(&["OBJECT", "NAMESPACE", "FATE", "WHY"]);
        for item in &found.items {
            let namespace =
                if item.namespace.is_empty() { "<none>".to_owned() } else { item.namespace.clone() };
            table.row([item.title(), namespace, fate(args, item).to_owned(), why(args, item)]);
        }
        sink::table(&table)?;
    }
    advise(args, found);
    tell_of_pods(args, found, &found.holders);
    let goes =
        found.items.iter().filter(|item| !matches!(fate(args, item), "stays" | "keeps its skills")).count();
    notes::summary(&format!(
        "{} would go or change, {} stay",
        counted(goes, "object"),
        found.items.len() - goes
    ));
    Ok(Outcome::Done)
}

/// What somebody should know before it is done.
fn advise(args: &Args, found: &Inventory) {
    for what in &found.unread {
        notes::warning(&format!("not looked at: {what}"));
    }
    let releases: BTreeSet<&(String, String)> =
        found.items.iter().filter_map(|item| item.release.as_ref()).collect();
    for (namespace, release) in releases {
        notes::note(&format!(
            "Helm release {release} of namespace {namespace} has installed part of it: 'helm uninstall {release} -n {namespace}' \
             takes out its record as well"
        ));
    }
    if !found.bindings.is_empty() && args.delete_skill_bindings {
        notes::warning(&format!(
            "{} would be lost with their CRD, which nothing but your files brings back: {}",
            counted(found.bindings.len(), "SkillBinding"),
            found.bindings.join(", ")
        ));
    }
    let goes = |item: &Found| item.delivers && matches!(item.step, Step::Registrations | Step::Policies);
    if !found.to_pods.is_empty() && found.items.iter().any(goes) {
        notes::warning(&format!(
            "{} with delivery Pod: what writes their skills into pods goes, and new pods get none of them: {}",
            counted(found.to_pods.len(), "SkillBinding"),
            found.to_pods.join(", ")
        ));
    }
    if let Some(why) = refusal(args, found).filter(|_| !args.yes) {
        notes::warning(&format!("--yes would be refused: {why}"));
    }
    let workloads = with_skills(found);
    if !args.yes && workloads > 0 && !args.keep_skills && !args.remove_skills {
        notes::note(&format!(
            "{} with skills: --yes needs --remove-skills, which restarts pods, or --keep-skills",
            counted(workloads, "workload")
        ));
    }
}

/// Says which pods keep skills that were written into them, but where that is wanted, where others would get them again, and where
/// their workload restarts with its own.
fn tell_of_pods(args: &Args, found: &Inventory, holders: &[Holder]) {
    let delivers = args.namespace.is_some() || found.of(Step::Kept).any(|item| item.delivers);
    if args.keep_skills || (delivers && !found.to_pods.is_empty()) {
        return;
    }
    let restarts = |holder: &&Holder| {
        let is_it = |item: &Found| item.namespace == holder.namespace && item.title() == holder.title;
        found.of(Step::Skills).any(is_it)
    };
    for holder in holders.iter().filter(|holder| !restarts(holder)) {
        notes::warning(&holder.said());
    }
}

/// How many workloads have skills, no matter how they came there.
fn with_skills(found: &Inventory) -> usize {
    let all = found.of(Step::Skills).chain(found.of(Step::Rendered));
    all.map(|item| item.uid.as_str()).collect::<BTreeSet<_>>().len()
}

/// Why nothing is deleted: a webhook that is called and does not answer has the API server refuse what it is asked about.
fn refusal(args: &Args, found: &Inventory) -> Option<String> {
    let calling: Vec<String> = found.left_calling().map(Found::title).collect();
    let runs_webhook =
        || found.of(Step::Program).any(|item| item.kind == "Service" && item.name.ends_with("-webhook"));
    match (&args.namespace, &found.blind) {
        (Some(namespace), _) if !calling.is_empty() => Some(format!(
            "the API server calls the webhook of namespace {namespace}, and without it refuses what it is to ask about; {} would \
             stay: run it without -n",
            calling.join(", ")
        )),
        (Some(namespace), Some(why)) if runs_webhook() => Some(format!(
            "whether the API server calls the webhook of namespace {namespace} is unknown: {why}; run it without -n, with rights on \
             registrations of webhooks"
        )),
        (None, _) if !calling.is_empty() => Some(format!(
            "{} would stay, for it has webhooks of others as well, and calls ours, which would not answer any more: take ours out of \
             it first",
            calling.join(", ")
        )),
        _ => None,
    }
}

async fn carry_out(args: &Args, requests: &Requests, found: &Inventory) -> Run {
    if with_skills(found) > 0 && !args.keep_skills && !args.remove_skills {
        return Err(Failure::Usage(
            "workloads have skills: say --remove-skills, which restarts their pods, or --keep-skills".into(),
        ));
    }
    if let Some(why) = refusal(args, found) {
        return Err(Failure::Usage(why));
    }
    advise(args, found);
    let mut done = 0;
    for step in [Step::Registrations, Step::Policies] {
        done += delete_all(requests, found, step).await?;
    }
    if done > 0 {
        tokio::time::sleep(FORGOTTEN).await;
    }
    done += delete_all(requests, found, Step::Program).await?;
    pods_end(requests, args.namespace.as_deref(), found).await.map_err(left_off)?;
    let mut errors = Vec::new();
    if args.remove_skills && with_skills(found) > 0 {
        done += take_out(args, requests, found, &mut errors).await.map_err(left_off)?;
    } else {
        done += release_all(requests, found).await?;
    }
    done += delete_all(requests, found, Step::Rights).await?;
    if args.delete_skill_bindings {
        done += delete_all(requests, found, Step::SkillBindings).await?;
    }
    if !found.unread.is_empty() {
        let message =
            format!("what of these is ours is not known, and it was left: {}", found.unread.join("; "));
        let help = "run it again with rights to list them".to_owned();
        errors.push(RemoteError { message, help });
    }
    match pods::read(requests, args.namespace.as_deref()).await {
        Ok(holders) => tell_of_pods(args, found, &holders),
        // It is known from the beginning then.
        Err(error) if error.failure == Cause::Forbidden => {}
        Err(error) => errors.push(error.into()),
    }
    let rest: Vec<String> =
        found.items.iter().filter(|item| fate(args, item) == "stays").map(Found::title).collect();
    if !rest.is_empty() {
        notes::note(&format!("left: {}", rest.join(", ")));
    }
    notes::summary(&format!("{} gone or changed", counted(done, "object")));
    if errors.is_empty() { Ok(Outcome::Done) } else { Err(Failure::Remote(errors)) }
}

/// Takes skills and finalizers out; what of them cannot be goes to the errors, and holds the rest of the run up only where it is ours.
async fn take_out(
    args: &Args,
    requests: &Requests,
    found: &Inventory,
    errors: &mut Vec<RemoteError>,
) -> Result<usize, Failure> {
    let removed = match found.of(Step::Skills).next() {
        Some(_) => remove_all(&args.cluster, args.namespace.as_deref()).await,
        None => Ok(Outcome::Done),
    };
    let after = inventory::read_skills(requests, args.namespace.as_deref()).await?;
    let is_of_renders = after.of(Step::Skills).next().is_none() && after.of(Step::Rendered).next().is_some();
    match removed {
        Ok(_) => {}
        // What a render brought is refused, for who applied it has its fields.
        Err(Failure::Remote(refused)) if is_of_renders => errors.extend(refused),
        Err(failure) => return Err(failure),
    }
    errors.extend(after.items.iter().filter_map(kept));
    Ok(settled(found, &after) + release_all(requests, &after).await?)
}

/// How many workloads and objects with our finalizer have lost what they had of ours.
fn settled(found: &Inventory, after: &Inventory) -> usize {
    let all = found.of(Step::Skills).chain(found.of(Step::Finalizers));
    all.filter(|item| !after.of(item.step).any(|other| other.uid == item.uid)).count()
}

/// What of the skills was to be taken out, and is still there.
fn kept(item: &Found) -> Option<RemoteError> {
    let help = match item.step {
        Step::Rendered => {
            "a render brought them, and who applies it would bring them back: 'kubectl skills render --remove' over the source, \
             then apply that; 'kubectl skills apply --remove KIND/NAME' takes them out of the cluster alone"
        }
        Step::Skills => "run it again; 'kubectl skills status' says what is wrong with it",
        _ => return None,
    };
    let message = format!("{} of namespace {}: {}", item.title(), item.namespace, item.why);
    Some(RemoteError { message, help: help.to_owned() })
}

/// Deletes what a step is about. All of it is tried; what comes after has to wait where one fails.
async fn delete_all(requests: &Requests, found: &Inventory, step: Step) -> Result<usize, Failure> {
    let mut tried = Tried::default();
    for item in found.of(step) {
        tried.add(item, "deleted", delete(requests, item).await)?;
    }
    tried.end()
}

/// What came of the objects of a step.
#[derive(Default)]
struct Tried {
    done: usize,
    errors: Vec<RemoteError>,
}

impl Tried {
    /// Says what was done; nothing was, where there was nothing to do.
    fn add(&mut self, item: &Found, done: &str, result: Result<bool, ClusterError>) -> Result<(), Failure> {
        match result {
            Ok(true) => {
                self.done += 1;
                sink::text(&format!("{} {done}\n", item.title()))?;
            }
            Ok(false) => {}
            Err(error) => self.errors.push(error.into()),
        }
        Ok(())
    }

    /// How many were done, unless any failed.
    fn end(self) -> Result<usize, Failure> {
        if self.errors.is_empty() { Ok(self.done) } else { Err(stopped(self.errors)) }
    }
}

/// What is said of a step that failed.
const GOES_ON: &str = "what comes after it is left: run it again, which goes on from here";

fn stopped(mut errors: Vec<RemoteError>) -> Failure {
    if let Some(last) = errors.last_mut().filter(|last| !last.help.ends_with(GOES_ON)) {
        let gap = if last.help.is_empty() { "" } else { "; " };
        last.help = format!("{}{gap}{GOES_ON}", last.help);
    }
    Failure::Remote(errors)
}

/// The same for a step of several parts: whichever failed, what comes after the step is left.
fn left_off(failure: Failure) -> Failure {
    match failure {
        Failure::Remote(errors) => stopped(errors),
        other => other,
    }
}

/// Deletes an object, and no other of the same name that was made since; false where it is gone.
async fn delete(requests: &Requests, item: &Found) -> Result<bool, ClusterError> {
    let what = format!("delete {}", item.title());
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": {"uid": item.uid},
    });
    match requests.write(Method::DELETE, &item.path, "application/json", &options, &what).await {
        Ok(_) => Ok(true),
        Err(error) if error.failure == Cause::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until nothing of ours runs any more: it would write what is about to be taken out.
async fn pods_end(requests: &Requests, namespace: Option<&str>, found: &Inventory) -> Result<(), Failure> {
    let selector = of_program();
    let begun = tokio::time::Instant::now();
    loop {
        let list = requests.list(&PODS.list(namespace), &selector, "list pods of kubectl-skills").await?;
        let mut left: Vec<Value> = list.map(|list| list.items).unwrap_or_default();
        left.retain(|pod| !stays(found, pod));
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PODS_END {
            let message = format!(
                "{} of kubectl-skills still run after {} s",
                counted(left.len(), "pod"),
                PODS_END.as_secs()
            );
            return Err(stopped(vec![RemoteError { message, help: "see what keeps them".to_owned() }]));
        }
        tokio::time::sleep(ASKED_EACH).await;
    }
}

/// Whether a pod is of a Deployment that only has our label, and stays.
fn stays(found: &Inventory, pod: &Value) -> bool {
    let (namespace, name) = Object(pod).key();
    found.of(Step::Kept).any(|item| {
        let rest = name.strip_prefix(&item.name);
        item.kind == "Deployment"
            && item.namespace == namespace
            && rest.is_some_and(|rest| rest.starts_with('-'))
    })
}

/// Takes our finalizer off, where it is still on.
async fn release_all(requests: &Requests, found: &Inventory) -> Result<usize, Failure> {
    let mut tried = Tried::default();
    for item in found.of(Step::Finalizers) {
        let Some((profile, object)) = &item.finalized else { continue };
        tried.add(item, "finalizer removed", finalizer::release(requests, profile, object).await)?;
    }
    tried.end()
}
