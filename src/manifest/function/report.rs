//! What a run found, as results: errors, warnings and plans in, results with object, field, value and file out.

use serde_json::Value;

use super::plain;
use crate::api::error::InputError;
use crate::api::object::{Object, ObjectRef, Origin};
use crate::manifest::near_miss;
use crate::manifest::render::{Planned, Rendered};
use crate::manifest::resource_list::{PATHS, file_of};
use crate::manifest::results::{Field, File, ResultItem, Severity};
use crate::manifest::stream::{Item, Stream};
use crate::manifest::summary::counted;
use crate::plan::{Action, Warning};
use crate::yaml::{Step, path};

/// Longest value that is shown in a result.
const LONGEST_VALUE: usize = 256;

/// An error of the input.
pub(super) fn error(stream: Option<&Stream<'_>>, error: &InputError) -> ResultItem {
    let Some(id) = &error.object else {
        return plain(Severity::Error, error.to_string());
    };
    let object = stream.and_then(|stream| object(stream, id));
    let message = if error.help.is_empty() {
        error.message.clone()
    } else {
        format!("{} ({})", error.message, error.help)
    };
    let field = (!error.field.is_empty()).then(|| Field {
        path: error.field.clone(),
        current: object.as_ref().and_then(|object| short_at(object, &error.field)),
        proposed: None,
    });
    ResultItem {
        field,
        file: object.as_ref().and_then(file_of),
        resource_ref: Some(id.clone()),
        ..plain(Severity::Error, message)
    }
}

/// The stream with items where their orchestrator has them: nobody sees the lines of the list.
pub(super) fn placed(mut stream: Stream<'_>) -> Stream<'_> {
    let places = |items: &[Item]| items.iter().map(|item| place(&stream, item)).collect::<Vec<Origin>>();
    let all = [places(&stream.runtimes), places(&stream.bindings), places(&stream.workloads)];
    let items = [&mut stream.runtimes, &mut stream.bindings, &mut stream.workloads];
    for (items, places) in items.into_iter().zip(all) {
        for (item, place) in items.iter_mut().zip(places) {
            item.origin = place;
        }
    }
    stream
}

/// The file that an item of the list came from; its number in the list where nothing says it.
fn place(stream: &Stream<'_>, item: &Item) -> Origin {
    let Some(in_list) = item.path().get(..2) else { return item.origin.clone() };
    let document = stream.document(item.document());
    let way = ["metadata", "annotations"];
    let annotations = way.iter().try_fold(item.node(), |at, key| document.child(at, &Step::from(*key)));
    let path = PATHS.iter().find_map(|key| {
        let path = document.node_value(document.child(annotations?, &Step::from(*key))?).ok()?;
        path.as_str().filter(|path| !path.is_empty()).map(str::to_owned)
    });
    let number = || format!("{} of the list", path::display(in_list));
    Origin { file: path.unwrap_or_else(number), document: 0, line: 0 }
}

/// What a run has to say that was carried out.
pub(super) fn rendered(stream: &Stream<'_>, rendered: &Rendered) -> Vec<ResultItem> {
    let mut out = Vec::new();
    for report in &rendered.reports {
        out.extend(report.warnings.iter().map(|one| warning(stream, &report.id, one)));
        if report.action == Action::Skipped && !report.reason.is_empty() {
            out.push(about(stream, &report.id, Severity::Info, format!("skipped: {}", report.reason)));
        }
    }
    out.extend(rendered.warnings.iter().map(|(id, one)| warning(stream, id, one)));
    out
}

/// What is not carried out in the input: an error for each object that would change.
pub(super) fn findings(stream: &Stream<'_>, planned: &Planned) -> Vec<ResultItem> {
    let mut out = Vec::new();
    for one in &planned.plans {
        let id = &one.plan.id;
        out.extend(one.plan.warnings.iter().map(|one| warning(stream, id, one)));
        if let (Some(index), Some(before)) = (one.workload, &one.before)
            && let changes = one.plan.changes(before)
            && let Some(first) = changes.first()
        {
            let message = format!(
                "is not as {} {} wants it, {} would change: the function has not run, or something changed the manifests \
                 after it",
                id.kind,
                id.name,
                counted(changes.len(), "field")
            );
            out.push(ResultItem {
                field: Some(Field {
                    path: first.path.clone(),
                    current: first.from.clone().filter(is_short),
                    proposed: first.to.clone().filter(is_short),
                }),
                file: file_of(before),
                resource_ref: Some(stream.workloads[index].id.clone()),
                ..plain(Severity::Error, message)
            });
        }
        if one.runtime_after.is_some() {
            let message =
                "still has spec.skills, which the operator of this profile does not know".to_owned();
            out.push(about(stream, id, Severity::Error, message));
        }
    }
    out.extend(planned.warnings.iter().map(|(id, one)| warning(stream, id, one)));
    out
}

/// What was meant to be an AgentRuntime or a SkillBinding, and is none.
pub(super) fn near_misses(stream: &Stream<'_>) -> Vec<ResultItem> {
    let said = |(_, object, message): (_, Value, String)| ResultItem {
        file: file_of(&object),
        resource_ref: Some(Object(&object).reference()),
        ..plain(Severity::Warning, message)
    };
    near_miss::all(stream).into_iter().map(said).collect()
}

fn warning(stream: &Stream<'_>, id: &ObjectRef, warning: &Warning) -> ResultItem {
    let mut item = about(stream, id, Severity::Warning, warning.message.clone());
    if !warning.quirk.is_empty() {
        item.tags.insert("quirk".into(), warning.quirk.into());
    }
    item
}

fn about(stream: &Stream<'_>, id: &ObjectRef, severity: Severity, message: String) -> ResultItem {
    let file: Option<File> = object(stream, id).as_ref().and_then(file_of);
    ResultItem { file, resource_ref: Some(id.clone()), ..plain(severity, message) }
}

/// The object of an item; none if it cannot be read, which is reported elsewhere.
fn object(stream: &Stream<'_>, id: &ObjectRef) -> Option<Value> {
    let item = stream.asking().chain(&stream.workloads).find(|item| item.id == *id)?;
    stream.object(item).ok()
}

fn short_at(object: &Value, field: &str) -> Option<Value> {
    let steps = path::parse(field).ok()?;
    path::value_at(object, &steps).filter(|value| is_short(value)).cloned()
}

/// A scalar that fits into a log line.
fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= LONGEST_VALUE,
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    }
}
