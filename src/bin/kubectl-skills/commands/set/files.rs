//! `set` in manifests: the bytes of a reference change, or a list has an item more or less; all files are written, or none.

use std::collections::BTreeMap;

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference::{Parts, parts};
use kubectl_skills::api::workload::WorkloadKind;
use kubectl_skills::live::WorkloadKey;
use kubectl_skills::manifest::kustomize_images::entries;
use kubectl_skills::manifest::set_skills::{Change, set};
use kubectl_skills::manifest::stream::{Item, Lead, Stream};
use serde_json::Value;

use super::lists::{ListOf, about};
use super::{Ask, Task, conclude, lines, plan, show};
use crate::commands::render::{joined, write};
use crate::exit::{Failure, Run};
use crate::planning::DEFAULT_NAMESPACE;
use crate::source::{Inputs, read_text};
use crate::{notes, sink};

/// Runs the verb over files.
pub(super) fn run(task: &Task<'_>) -> Run {
    let args = task.args;
    if args.in_place {
        args.input.check_in_place()?;
    }
    let inputs = args.input.read_with_kustomizations()?;
    let kinds = args.kinds.resolve()?;
    let namespace = args.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let stream = Stream::read_with(&inputs.sources, namespace, kinds)?;
    let mut lists = Vec::new();
    for (index, item) in stream.runtimes.iter().enumerate() {
        lists.push(of(&stream, item, Lead::Runtime(index))?);
    }
    for (index, item) in stream.bindings.iter().enumerate() {
        lists.push(of(&stream, item, Lead::Binding(index))?);
    }
    let mut workloads: Vec<(WorkloadKind, WorkloadKey, Value)> = Vec::new();
    for item in &stream.workloads {
        let Some(kind) = kinds.of(&item.id) else { continue };
        let key = (kind.name().to_owned(), item.id.namespace.clone(), item.id.name.clone());
        workloads.push((kind, key, stream.object(item)?));
    }
    let mut meant = about(&args.workload, kinds, &lists, &workloads)?;
    // Of two of a name that one is meant which is in the namespace that is named.
    if meant.iter().any(|at| lists[*at].namespace == namespace) {
        meant.retain(|at| lists[*at].namespace == namespace);
    }
    let planned = plan(task, &lists, &meant)?;
    replaced_by_kustomize(&inputs, &task.asks)?;
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
    if args.in_place && !planned.is_empty() && !workloads.is_empty() {
        notes::note(
            "'kubectl skills render -i' on the files brings it into the workloads, where they are rendered",
        );
    }
    conclude(task, &planned, args.in_place)
}

fn of(stream: &Stream<'_>, item: &Item, lead: Lead) -> Result<ListOf, InputError> {
    Ok(ListOf::new(&item.id, item.origin.to_string(), Some(lead), stream.object(item)?))
}

/// Refuses a reference that a kustomization replaces as it is built: what is written in the list would count for nothing.
fn replaced_by_kustomize(inputs: &Inputs, asks: &[Ask]) -> Result<(), Failure> {
    let images = asks.iter().filter_map(|ask| Some((&ask.skill, parts(ask.image.as_deref()?)?)));
    let images: Vec<(&String, Parts<'_>)> = images.collect();
    let mut errors = Vec::new();
    for path in &inputs.kustomizations {
        let text = read_text(path)?;
        for entry in entries(&text).into_iter().filter(|entry| entry.reference().is_some()) {
            let Some(name) = parts(&entry.name) else { continue };
            for (skill, _) in images.iter().filter(|(_, image)| image.location() == name.location()) {
                errors.push(InputError {
                    message: format!(
                        "{}: images[{}] gives {} another tag as it is built, so what is written in the list of {skill} counts for \
                         nothing; nothing is set",
                        path.display(),
                        entry.index,
                        entry.name
                    ),
                    help: "change newTag or digest there: 'kubectl skills update NAME=VERSION -f FOLDER -i' does".to_owned(),
                    ..InputError::default()
                });
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Input(errors)) }
}
