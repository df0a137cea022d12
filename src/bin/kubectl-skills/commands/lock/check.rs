//! `lock --check`: what a lock and manifests do not agree in. What registries say is left to `online`.

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Origin;
use kubectl_skills::manifest::summary::counted;
use kubectl_skills::manifest::wanted_images::WantedImage;
use kubectl_skills::skill::lock::Entry;
use serde_json::{Value, json};

use super::{Args, Chosen, File, online};
use crate::args::Report;
use crate::exit::{Failure, Outcome, Run};
use crate::{notes, printable, sink};

/// One difference.
pub(super) struct Difference {
    pub(super) kind: &'static str,
    image: String,
    at: InputError,
}

/// Compares, and says what differs.
pub fn run(args: &Args, file: &File<'_>, all: &[WantedImage], chosen: &Chosen) -> Run {
    let asked: Vec<&WantedImage> = all.iter().filter(|one| chosen.has(&one.image)).collect();
    let mut found: Vec<Difference> = Vec::new();
    for one in &asked {
        let Some(own) = file.lock.find(&one.image) else {
            let message = format!("{} is not in {}", one.image, file.name);
            found.extend(one.named_by.iter().map(|named| difference("missing", one, &named.place, &message)));
            continue;
        };
        for named in &one.named_by {
            if let Some((_, digest)) = named.image.split_once('@')
                && digest != own.digest.as_str()
            {
                let message =
                    format!("{} names another digest than {}: {}", named.image, file.name, own.digest);
                found.push(difference("differs", one, &named.place, &message));
            }
        }
    }
    for entry in file.lock.entries().iter().filter(|entry| chosen.has(&entry.image)) {
        let is_named =
            |one: &WantedImage| file.lock.find(&one.image).is_some_and(|own| own.image == entry.image);
        if !all.iter().any(is_named) {
            found.push(of_entry("unused", file, entry, "no manifest names it".to_owned()));
        }
    }
    if args.online {
        found.extend(online::differences(args, file, &asked)?);
    }
    print(args, &found)?;
    if found.is_empty() {
        notes::summary(&format!("{} has {}, and nothing else", file.name, counted(asked.len(), "image")));
        return Ok(Outcome::Done);
    }
    let written = if file.text.is_some() { "" } else { " (there is no such file)" };
    notes::summary(&format!(
        "{}{written} does not fit {} in {}; {}",
        file.name,
        if args.online { "manifests and registries" } else { "the manifests" },
        counted(found.len(), "place"),
        advice(&found)
    ));
    Ok(Outcome::Found)
}

/// What mends all of it.
fn advice(found: &[Difference]) -> String {
    let any = |kinds: &[&str]| found.iter().any(|one| kinds.contains(&one.kind));
    let all = [
        (any(&["missing", "unused", "differs"]), "run 'kubectl skills lock -f' on them"),
        (
            any(&["moved", "facts"]),
            "if what the registry has is right, 'kubectl skills lock --update -f' takes it over",
        ),
        (
            any(&["signature"]),
            "'kubectl skills lock -f' with these keys and identities writes down who signed",
        ),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect::<Vec<_>>().join("; ")
}

fn difference(kind: &'static str, one: &WantedImage, place: &InputError, message: &str) -> Difference {
    let at = InputError { message: message.to_owned(), ..place.clone() };
    Difference { kind, image: one.image.clone(), at }
}

pub(super) fn of_entry(kind: &'static str, file: &File<'_>, entry: &Entry, message: String) -> Difference {
    let origin = Origin { file: file.name.clone(), document: 0, line: entry.line };
    let at = InputError { origin, message: format!("{}: {message}", entry.image), ..InputError::default() };
    Difference { kind, image: entry.image.clone(), at }
}

fn print(args: &Args, found: &[Difference]) -> Result<(), Failure> {
    match args.output {
        Report::Text => {
            let line =
                |one: &Difference| printable::line(&format!("{}: {}", one.kind, one.at)).into_owned() + "\n";
            sink::text(&found.iter().map(line).collect::<String>())
        }
        format => {
            let value = |one: &Difference| {
                json!({
                    "difference": one.kind, "image": one.image, "file": one.at.origin.file, "line": one.at.origin.line,
                    "object": one.at.object.as_ref().map(ToString::to_string), "field": one.at.field,
                    "message": one.at.message,
                })
            };
            let all: Vec<Value> = found.iter().map(value).collect();
            sink::object(
                format,
                &json!({
                    "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "SkillLockCheck", "differences": all,
                }),
            )
        }
    }
}
