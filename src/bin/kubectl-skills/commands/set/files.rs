//! `set` in manifests: the bytes of a reference change, or a list has an item more or less; all files are written, or none.

use std::collections::BTreeMap;

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::live::left;
use kubectl_skills::manifest::set_skills::{Change, names, set};
use kubectl_skills::manifest::stream::{Lead, Stream};

use super::lists::{Choosable, ListOf, about, choose};
use super::{Args, Task, conclude, kustomized, lines, plan, show};
use crate::commands::render::{joined, write};
use crate::exit::{Failure, Run};
use crate::planning::DEFAULT_NAMESPACE;
use crate::source::Build;
use crate::{notes, sink};

/// Runs the verb over files.
pub(super) fn run(task: &Task<'_>) -> Run {
    let args = task.args;
    if args.in_place {
        if let Some(folder) = &args.input.kustomize {
            return Err(kustomized::refusal(task, folder)?);
        }
        args.input.check_in_place()?;
    }
    let inputs = args.input.read_with_kustomizations()?;
    let kinds = args.kinds.resolve()?;
    let stream = Stream::read_with(&inputs.sources, namespace(args), kinds)?;
    let found = Found::of(task, &stream, kinds)?;
    let meant = found.meant(args, &args.workload, kinds)?;
    let planned = plan(task, &found.lists, &meant)?;
    let builds = Build::outermost(&inputs);
    kustomized::refuse_replaced(&builds, &chosen(task, &found.lists, &meant)?)?;
    let changes: BTreeMap<Lead, Vec<Change>> =
        planned.iter().filter_map(|one| Some((one.list.lead?, one.changes.clone()))).collect();
    let edited = set(&stream, &changes)?;
    if args.in_place {
        write(&inputs, &edited)?;
    }
    if !show(args, &planned)? {
        if args.in_place || args.dry_run {
            sink::text(&lines(&planned))?;
        } else {
            sink::pieces(joined(&inputs.sources, &edited))?;
        }
    }
    if args.in_place && !planned.is_empty() && !found.workloads.is_empty() {
        notes::note(
            "'kubectl skills render -i' on the files brings it into the workloads, where they are rendered",
        );
    }
    conclude(task, &planned, args.in_place)
}

/// The namespace of objects that name none.
pub(super) fn namespace(args: &Args) -> &str {
    args.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
}

/// What is in the files.
pub(super) struct Found {
    pub lists: Vec<ListOf>,
    pub workloads: Vec<Choosable>,
}

impl Found {
    pub(super) fn of(task: &Task<'_>, stream: &Stream<'_>, kinds: Kinds) -> Result<Self, InputError> {
        let runtimes = stream.runtimes.iter().enumerate().map(|(at, item)| (item, Lead::Runtime(at)));
        let bindings = stream.bindings.iter().enumerate().map(|(at, item)| (item, Lead::Binding(at)));
        let mut workloads: Vec<Choosable> = Vec::new();
        for item in &stream.workloads {
            let Some(kind) = kinds.of(&item.id) else { continue };
            let key = (kind.name().to_owned(), item.id.namespace.clone(), item.id.name.clone());
            workloads.push((kind, key, stream.object(item)?));
        }
        let mut lists = Vec::new();
        for (item, lead) in runtimes.chain(bindings) {
            let mut list = ListOf::new(&item.id, item.origin.clone(), Some(lead), stream.object(item)?);
            let others = stream.runtimes.len() + stream.bindings.len() > 1;
            list.deletion = deletion(task.args, &list, others, &workloads);
            lists.push(list);
        }
        Ok(Self { lists, workloads })
    }

    /// The lists that a word is about.
    pub(super) fn meant(&self, args: &Args, word: &str, kinds: Kinds) -> Result<Vec<usize>, Failure> {
        let mut meant = about(word, kinds, &self.lists, &self.workloads, None)?;
        // Of two of a name that one is meant which is in the namespace that is named.
        if meant.iter().any(|at| self.lists[*at].namespace == namespace(args)) {
            meant.retain(|at| self.lists[*at].namespace == namespace(args));
        }
        Ok(meant)
    }
}

/// The lists that get images, each with its skill and image, those that have it already among them.
pub(super) fn chosen<'a>(
    task: &'a Task<'_>,
    lists: &'a [ListOf],
    meant: &[usize],
) -> Result<Vec<(&'a ListOf, &'a str, &'a str)>, Failure> {
    let mut out = Vec::new();
    for ask in &task.asks {
        let Some(image) = &ask.image else { continue };
        if let Some((at, _)) = choose(task.args, ask, lists, meant)? {
            out.push((&lists[at], ask.skill.as_str(), image.as_str()));
        }
    }
    Ok(out)
}

/// How a list that would lose its last skill is deleted in files: where a render has brought its skills into workloads, these go first.
fn deletion(args: &Args, list: &ListOf, others: bool, workloads: &[Choosable]) -> String {
    let own = names(&list.object);
    let is_rendered = |(kind, key, workload): &Choosable| {
        key.1 == list.namespace && left(workload, *kind).iter().any(|skill| own.contains(&skill.as_str()))
    };
    let is_stream =
        args.input.kustomize.is_some() || args.input.files.iter().any(|file| file.as_os_str() == "-");
    if is_stream {
        return format!("delete the document of {} instead, where it is written", list.word());
    }
    let delete = format!("delete the document of {} in {}", list.word(), list.origin.file);
    if !workloads.iter().any(is_rendered) {
        return format!("{delete} instead");
    }
    let mut flags = String::new();
    for file in &args.input.files {
        flags.push_str(&format!(" -f {}", file.display()));
    }
    if args.input.recursive {
        flags.push_str(" -R");
    }
    for pattern in &args.input.exclude {
        flags.push_str(&format!(" --exclude '{pattern}'"));
    }
    let again = if others {
        format!(", then 'kubectl skills render -i{flags}' writes those of the other lists again")
    } else {
        String::new()
    };
    format!(
        "delete it instead: 'kubectl skills render -i --remove{flags}' takes its skills out of workloads; then {delete}{again}"
    )
}
