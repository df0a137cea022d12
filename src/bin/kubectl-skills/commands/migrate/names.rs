//! `migrate --names`: files in, the same with the names of another operator out; what is left to people is said.

use clap::ValueEnum;
use kubectl_skills::manifest::migrate::names::{Change, Left, MOST_PLACES, Operator, rename};
use kubectl_skills::manifest::summary::counted;

use super::Args;
use crate::exit::{Outcome, Run};
use crate::notes;
use crate::printable;

/// Words that are listed.
const LISTED: usize = 50;

/// Whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Names {
    Rossoctl,
    Kagenti,
}

/// Runs it.
pub(super) fn run(args: &Args, names: Names) -> Run {
    args.images.refuse()?;
    let to = match names {
        Names::Rossoctl => Operator::Rossoctl,
        Names::Kagenti => Operator::Kagenti,
    };
    let inputs = args.input.read_with_kustomize_files()?;
    let renamed = rename(&inputs.sources, to)?;
    for one in &renamed.decide {
        notes::warning(&one.to_string());
    }
    for left in renamed.left.iter().take(LISTED) {
        notes::note(&printable::line(&stays(left)));
    }
    if let Some(more) = renamed.left.len().checked_sub(LISTED).filter(|more| *more > 0) {
        notes::note(&format!("{} more stay", counted(more, "word")));
    }
    let files = (0..inputs.sources.len()).filter(|index| renamed.edited.is_changed(*index));
    let files: Vec<usize> = files.collect();
    for Change { origin, old, new } in &renamed.changes {
        args.line(&format!("{origin}: {old} becomes {new}"))?;
    }
    args.put(&inputs, &renamed.edited)?;
    let what = if args.dry_run { "would be written" } else { "written" };
    notes::summary(&match renamed.changes.len() {
        0 => "no name to change".to_owned(),
        places => format!(
            "{} of {} {what} in {}, {} to decide, {} left",
            counted(places, "name"),
            to.name(),
            counted(files.len(), "file"),
            renamed.decide.len(),
            counted(renamed.left.len(), "word")
        ),
    });
    Ok(Outcome::Done)
}

/// A word that stays, with its places.
fn stays(left: &Left) -> String {
    let Left { word, places, at } = left;
    let [first, more @ ..] = at.as_slice() else { return String::new() };
    let mut out = format!("{first}: {word} stays, in {}", counted(*places, "place"));
    if !more.is_empty() {
        let more: Vec<String> = more.iter().map(ToString::to_string).collect();
        out += &format!("; also {}", more.join(", "));
    }
    if at.len() == MOST_PLACES && *places > MOST_PLACES {
        out += ", and more";
    }
    out
}
