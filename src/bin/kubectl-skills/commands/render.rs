//! `render`: manifests in, the same manifests with every plan carried out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use kubectl_skills::api::names::AGENT_RUNTIME;
use kubectl_skills::manifest::kustomize_patch::component;
use kubectl_skills::manifest::render::{Edited, Rendered, Report, astray, edit, render};
use kubectl_skills::manifest::stream::{Item, Source};
use kubectl_skills::manifest::summary::{Mood, counted};
use kubectl_skills::plan::{Action, RecordMode};
use serde_json::{Value, json};

use super::delivery::DeliveryArgs;
use super::files::{Fates, Loaded, load, tell};
use super::lock::agents::digest;
use crate::args::{ClusterArgs, PlanningArgs};
use crate::exit::{Failure, Outcome, Run};
use crate::in_place::{self, Change};
use crate::notes;
use crate::objects;
use crate::planning::Locked;
use crate::printable;
use crate::sink;
use crate::source::{Input, Inputs};

/// Print manifests with skills mounted, and everything else as it was
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # Between kustomize and kubectl; with bash's pipefail a failure in front is one of the whole
  set -o pipefail; kustomize build . | kubectl skills render -n team1 -f - | kubectl apply -n team1 -f -

  # Keep rendered manifests in Git: write them in place, and let CI fail where somebody forgot to
  kubectl skills render -f manifests -R -i
  kubectl skills render -f manifests -R --check

  # The same images everywhere, until the lock says otherwise; no registry is asked
  kubectl skills render -f manifests -R --locked

  # For a cluster without image volumes: from ConfigMaps of the input, as 'pack --config-map' makes them
  kubectl skills render -f manifests -R --delivery configmap

  # The same where no ConfigMap is large enough: an init container fetches each image
  kubectl skills render -f manifests -R --delivery init

Exit codes: 0 done; 1 something would change, or there is no AgentRuntime, or one with its only list of skills under an unknown
field (--check); 2 usage; 3 bad input, and nothing is printed or written")]
pub struct Args {
    /// Namespace of objects that name none [default: default]
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Write into the files; those in which nothing changes are not touched
    ///
    /// Each file is at every moment wholly the old or wholly the new one, also when the run is killed. An error in any
    /// manifest, or a file that cannot be written, writes none. A file that somebody changes meanwhile is not replaced: the
    /// others are, and the error says which. Several files are not replaced at one moment. Mode, owner, access lists and
    /// extended attributes are kept, or a warning says what is not. Links are followed, but not out of the folders that
    /// were given.
    #[arg(short = 'i', long, conflicts_with = "output")]
    in_place: bool,
    /// With -i: take skills out of AgentRuntimes whose CRD does not know them any more
    ///
    /// In the profiles whose CRD has no spec.skills, an AgentRuntime is printed without its skills. Written in place, the list
    /// of skills would be gone from the files, and no later run could change or take out what this one mounts by it; so -i
    /// refuses such files without this flag.
    #[arg(long, requires = "in_place", conflicts_with = "remove")]
    drop_skills: bool,
    /// With -i: write no record of what is ours into workloads
    ///
    /// The record is the annotation skills.kagenti.dev/record of the workload itself, never of its pods. It says which skills
    /// were mounted and what stood there before, so that --remove gives back what the author wrote; without it only a config
    /// hash is evidence, and what could be the author's stays. --exact writes none either.
    #[arg(long, requires = "in_place")]
    no_record: bool,
    /// Print only what would change, and exit with 1 if anything would
    #[arg(long, conflicts_with_all = ["output", "in_place"])]
    check: bool,
    /// With --check: exit with 0 also if there is no AgentRuntime or SkillBinding in the input
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_name = "BOOL", hide_default_value = true, hide_possible_values = true)]
    allow_none: bool,
    /// Take everything of ours out again
    #[arg(long)]
    remove: bool,
    /// Output format: yaml keeps every byte that need not change; json is one List of all objects; kustomize-patch is a
    /// kustomize Component of patches that do the same, for those who run no function
    #[arg(
        short = 'o',
        long,
        value_enum,
        value_name = "yaml|json|kustomize-patch",
        hide_possible_values = true
    )]
    output: Option<Output>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    planning: PlanningArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Yaml,
    Json,
    KustomizePatch,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.in_place {
        args.input.check_in_place()?;
    }
    let inputs = args.input.read()?;
    let planning = args.planning.resolve_for(args.remove)?;
    let mut loaded = load(&inputs, args.namespace.as_deref(), &planning, args.remove, &args.cluster)?;
    if args.in_place {
        // A file written in place has no source to go back to.
        loaded.settings.options.record = if args.no_record { RecordMode::Off } else { RecordMode::Always };
    }
    args.delivery.prepare(&inputs, &mut loaded)?;
    if args.check {
        return check(&loaded, args);
    }
    if args.output == Some(Output::KustomizePatch) {
        return patches(&loaded, &args.delivery);
    }
    let rendered = render(&loaded.stream, &loaded.settings)?;
    let reports = rendered.reports.iter().map(|report| (&report.id, report.warnings.as_slice()));
    tell(&rendered.notes, &rendered.warnings, reports);
    args.delivery.tell(rendered.reports.iter().flat_map(|report| &report.skills));
    let edited = &rendered.edited;
    if args.in_place {
        if rendered.without_skills > 0 && !args.drop_skills {
            return Err(lists_would_go(rendered.without_skills, loaded.settings.options.profile.name));
        }
        if !rendered.lost_in_files.is_empty() {
            return Err(rendered.lost_in_files.into());
        }
        write(&inputs, edited)?;
        loaded.sum_up(|| fates(&rendered, planning.lock.as_ref()), &rendered.tally, Mood::Done);
        return Ok(Outcome::Done);
    }
    match args.output.unwrap_or(Output::Yaml) {
        Output::Yaml => sink::pieces(joined(&inputs.sources, edited))?,
        // Printed above.
        Output::KustomizePatch => {}
        Output::Json => sink::json(&list(&inputs.sources, edited)?)?,
    }
    loaded.sum_up(|| fates(&rendered, planning.lock.as_ref()), &rendered.tally, Mood::Done);
    Ok(Outcome::Done)
}

/// The only list of skills would leave the author's files for ever.
fn lists_would_go(runtimes: usize, profile: &str) -> Failure {
    Failure::input(
        format!(
            "the CRD of profile {profile} has no spec.skills, so -i would take the list of skills out of {}, and it stands \
             nowhere else; nothing was written",
            counted(runtimes, AGENT_RUNTIME)
        ),
        "keep these files as the source and render into others (without -i), or give --drop-skills if the workloads alone are \
         to list the skills from now on",
    )
}

fn fates(rendered: &Rendered, lock: Option<&Locked>) -> Fates {
    let lock = lock.filter(|_| notes::lists_objects());
    let mut fates = Fates::default();
    for Report { id, target, action, reason, skills, drops_skills, .. } in &rendered.reports {
        if *drops_skills {
            fates.drops_skills(id);
        }
        if let Some(target) = target.split_once('/') {
            fates.add(&id.namespace, target, *action, skills.len(), reason);
            if let Some(digest) = lock.and_then(|lock| digest(&lock.lock, skills)) {
                fates.skill_set(&id.namespace, target, &digest);
            }
        }
    }
    fates
}

/// Tells each object that would change, in the order of the input. What cannot be written is no less wrong here.
fn check(loaded: &Loaded<'_>, args: &Args) -> Run {
    let planned = loaded.plan();
    args.delivery.tell_of(&planned);
    edit(&loaded.stream, &planned)?;
    let stream = &loaded.stream;
    let mut changed: Vec<&Item> = Vec::new();
    for one in &planned.plans {
        if one.runtime_after.is_some() {
            changed.push(stream.lead(one.lead));
        }
        if one.plan.desired().is_some() && one.plan.desired() != one.before.as_ref() {
            changed.extend(one.workload.and_then(|index| stream.workloads.get(index)));
        }
    }
    changed.sort_by_key(|item| (item.document(), item.origin.line));
    let line = |item: &&Item| {
        printable::line(&format!("{}: {} would change", item.origin, item.id)).into_owned() + "\n"
    };
    sink::text(&changed.iter().map(line).collect::<String>())?;
    loaded.sum_up(|| Fates::of(&planned), &planned.tally, Mood::Would);
    let is_astray = astray(stream, &planned, &loaded.settings).is_some();
    let in_order = changed.is_empty() && !is_astray && (args.allow_none || !stream.asks_nothing());
    Ok(if in_order { Outcome::Done } else { Outcome::Found })
}

/// Prints what would change as patches. Nothing is edited, so the text may be written in any way.
fn patches(loaded: &Loaded<'_>, delivery: &DeliveryArgs) -> Run {
    let planned = loaded.plan();
    delivery.tell_of(&planned);
    if !planned.errors.is_empty() {
        return Err(Failure::Input(planned.errors));
    }
    // By place in the stream. With --exact a workload is written more than once.
    let mut workloads: BTreeMap<usize, (&Value, &Value)> = BTreeMap::new();
    let mut runtimes = Vec::new();
    for one in &planned.plans {
        if let (Some(index), Some(before), Some(after)) = (one.workload, &one.before, one.plan.desired()) {
            workloads.entry(index).or_insert((before, after)).1 = after;
        }
        if let Some(after) = &one.runtime_after {
            let item = loaded.stream.lead(one.lead);
            runtimes.push((loaded.stream.object(item).map_err(|error| Failure::Input(vec![error]))?, after));
        }
    }
    // What carries its skills already needs no patch: an empty Component in place of the one that mounted them would
    // take them away.
    let carried =
        planned.plans.iter().find(|one| !one.plan.skills.is_empty() && one.plan.action == Action::Unchanged);
    if let Some(item) = carried.map(|one| loaded.stream.lead(one.lead)) {
        return Err(Failure::input(
            format!(
                "{}: {}: its workload carries its skills already, so there is nothing to patch",
                item.origin, item.id
            ),
            "make the patches from manifests without skills: build the kustomization without this component, or put \
             'kubectl skills render --remove -f -' in front",
        ));
    }
    if workloads.is_empty() && runtimes.is_empty() {
        notes::note("nothing would change, so the Component has no patches");
    }
    let runtimes = runtimes.iter().map(|(before, after)| (before, *after));
    sink::pieces([component(workloads.into_values().chain(runtimes)).as_str()])?;
    loaded.sum_up(|| Fates::of(&planned), &planned.tally, Mood::Done);
    Ok(Outcome::Done)
}

/// Writes what changes into the files that it came from.
pub fn write(inputs: &Inputs, edited: &Edited) -> Run {
    in_place::clean(inputs.paths.iter().flatten().map(PathBuf::as_path));
    let files = inputs.sources.iter().zip(&inputs.paths).enumerate();
    let changes: Vec<Change<'_>> = files
        .filter(|(index, _)| edited.is_changed(*index))
        .filter_map(|(index, (source, path))| {
            let after = edited.chunks(index, &source.text).collect();
            Some(Change { path: path.as_deref()?, before: &source.text, after })
        })
        .collect();
    // A file without a document is none to kubectl and kustomize.
    let is_empty = |change: &Change<'_>| {
        let mut lines = change.after.iter().flat_map(|piece| piece.lines());
        lines.all(|line| ["", "---", "..."].contains(&line.trim_start_matches('\u{feff}').trim()))
    };
    let (emptied, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_empty);
    for Change { path, before, .. } in &emptied {
        unchanged(path, before)?;
        if path.is_symlink() {
            let message =
                format!("{}: a link, and nothing would be left in what it points at", path.display());
            return Err(Failure::input(message, "name the file itself"));
        }
    }
    let written = in_place::write(&changes, &inputs.roots)?;
    for Change { path, before, .. } in &emptied {
        remove(path, before)?;
    }
    Ok(written)
}

/// Refuses a file that is not as it was read.
fn unchanged(path: &Path, before: &str) -> Result<(), Failure> {
    let now = std::fs::read(path).map_err(|error| Failure::Io(path.display().to_string(), error))?;
    if now == before.as_bytes() {
        return Ok(());
    }
    let message = format!("{}: somebody has changed it meanwhile, and it is left", path.display());
    Err(Failure::input(message, "run again; git diff shows what other files have got already"))
}

/// Removes a file of which nothing is left, unless somebody has written it meanwhile.
fn remove(path: &Path, before: &str) -> Result<(), Failure> {
    unchanged(path, before)?;
    std::fs::remove_file(path).map_err(|error| Failure::Io(path.display().to_string(), error))?;
    notes::warning(&format!(
        "{} is removed, since nothing was left in it; take it out of the kustomizations that name it",
        path.display()
    ));
    Ok(())
}

/// All texts after one another, documents kept apart. A single one comes out as it is.
pub fn joined<'a>(sources: &'a [Source], edited: &'a Edited) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let pieces = edited.chunks(index, &source.text);
        let Some(last) = out.last() else {
            out.extend(pieces);
            continue;
        };
        let eol = if last.ends_with("\r\n") { "\r\n" } else { "\n" };
        if !last.ends_with('\n') {
            out.push(eol);
        }
        let first = source.text.trim_start_matches('\u{feff}').lines().find(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        match first {
            Some(line) if line.starts_with("---") => {}
            // Directives may stand only after the end of a document.
            Some(line) if line.starts_with('%') => out.extend(["...", eol]),
            _ => out.extend(["---", eol]),
        }
        let from = out.len();
        out.extend(pieces);
        // A byte-order mark belongs at the beginning.
        if let Some(piece) = out.get_mut(from) {
            *piece = piece.trim_start_matches('\u{feff}');
        }
    }
    out
}

/// One List of all objects, those that do not matter among them, in the order of the input.
fn list(sources: &[Source], edited: &Edited) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let mut errors = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let text = edited.text(index, &source.text).unwrap_or_else(|| source.text.clone());
        let source = Source { name: source.name.clone(), text };
        match objects::documents(&source) {
            Ok(documents) => items.extend(
                documents.iter().flat_map(objects::Parsed::objects).map(|object| object.value.clone()),
            ),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() {
        Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
    } else {
        Err(Failure::Input(errors))
    }
}
