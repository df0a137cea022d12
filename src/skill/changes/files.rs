//! Which files of two trees differ: added, removed, renamed, changed, and whether they are what an agent may run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::text::{self, Lines};
use crate::skill::facts::Facts;
use crate::skill::tree::{Content, File, Tree, Type};
use crate::skill::{identity, path};

/// Endings of files that a shell, an interpreter or a system runs, also without leave to execute them.
const SCRIPTS: [&str; 38] = [
    "awk", "bash", "bat", "bin", "class", "cjs", "cmd", "com", "command", "csh", "dll", "dylib", "exe",
    "fish", "go", "jar", "js", "ksh", "lua", "mjs", "msi", "php", "pl", "ps1", "psm1", "py", "pyc", "pyw",
    "r", "rb", "scpt", "sh", "so", "tcl", "ts", "vbs", "wasm", "zsh",
];

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It was not there.
    Added,
    /// It is gone.
    Removed,
    /// It has another path, and the same bytes.
    Renamed,
    /// Its bytes are others, or it is a link now.
    Changed,
    /// Its bytes are the same, and it may be executed now, or not any more.
    Mode,
}

/// Whether an agent may run a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Runs {
    /// It is a script or program now, and was none, or none of this path.
    New,
    /// It was one before.
    Yes,
    /// No.
    No,
}

/// A file on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Bytes.
    pub size: u64,
    /// Whether it may be executed.
    pub executable: bool,
    /// SHA-256 of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where the link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// Path below the root; of a file that is gone, the one that it had.
    pub path: String,
    /// The path that it had, where it is renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What became of it.
    pub what: What,
    /// Whether it is what an agent may run.
    pub runs: Runs,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Side>,
    /// After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Side>,
    /// The lines that differ, where it is text on each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
}

/// A file before and after; `None` where it is not there.
type Sides<'t> = (Option<&'t File>, Option<&'t File>);

/// The files that differ, in the order of [`super::ContentChange::files`].
pub(super) fn between(before: &Tree, after: &Tree) -> Vec<FileChange> {
    let by_path =
        |tree: &Tree| -> BTreeSet<String> { tree.files.iter().map(|file| file.path.clone()).collect() };
    let (own, new) = (by_path(before), by_path(after));
    let mut gone: BTreeMap<[u8; 32], Vec<&File>> = BTreeMap::new();
    // From the last to the first, so that each takes the first that is left.
    for file in before.files.iter().rev().filter(|file| !new.contains(&file.path)) {
        if let Some(facts) = facts(file).filter(|facts| facts.size > 0) {
            gone.entry(facts.sha256).or_default().push(file);
        }
    }
    let (mut pairs, mut moved) = (Vec::new(), BTreeSet::new());
    for file in &after.files {
        let other = if own.contains(&file.path) {
            before.file(&file.path)
        } else {
            let other = facts(file).and_then(|facts| gone.get_mut(&facts.sha256)?.pop());
            moved.extend(other.map(|other| other.path.as_str()));
            other
        };
        if other.is_none_or(|other| !same(other, file) || other.path != file.path) {
            pairs.push((other, Some(file)));
        }
    }
    let removed =
        before.files.iter().filter(|file| !new.contains(&file.path) && !moved.contains(file.path.as_str()));
    pairs.extend(removed.map(|file| (Some(file), None)));
    let mut changes: Vec<(FileChange, Sides<'_>)> =
        pairs.into_iter().filter_map(|pair| Some((change(pair)?, pair))).collect();
    changes.sort_by(|(one, _), (other, _)| rank(one).cmp(&rank(other)));
    let mut room = text::Room::default();
    let with_lines = changes.into_iter().map(|(mut change, (before, after))| {
        if matches!(change.what, What::Added | What::Removed | What::Changed) {
            let side =
                |file: Option<&'_ File>| file.map(|file| (kept(file).map(<[u8]>::to_vec), file.kind()));
            change.lines = lines(side(before), side(after), &mut room);
        }
        change
    });
    with_lines.collect()
}

/// The bytes of a file whose content is kept whole.
pub(super) fn kept(file: &File) -> Option<&[u8]> {
    let facts = facts(file)?;
    facts.content.as_deref().filter(|content| content.len() as u64 == facts.size)
}

type Text = Option<(Option<Vec<u8>>, Type)>;

fn lines(before: Text, after: Text, room: &mut text::Room) -> Option<Lines> {
    let is_text = |side: &Text| side.as_ref().is_none_or(|(_, kind)| *kind == Type::Text);
    if !is_text(&before) || !is_text(&after) {
        return None;
    }
    let bytes = |side: Text| side.map_or(Some(Vec::new()), |(bytes, _)| bytes);
    let (Some(before), Some(after)) = (bytes(before), bytes(after)) else { return Some(Lines::too_large()) };
    // Bytes that are no text are shown as a binary file is.
    let (before, after) = (std::str::from_utf8(&before).ok()?, std::str::from_utf8(&after).ok()?);
    Some(room.diff(before, after))
}

fn facts(file: &File) -> Option<&Facts> {
    match &file.content {
        Content::File(facts) => Some(facts),
        Content::Link(_) => None,
    }
}

fn same(one: &File, other: &File) -> bool {
    one.path == other.path && is_executable(one) == is_executable(other) && same_bytes(one, other)
}

fn same_bytes(one: &File, other: &File) -> bool {
    match (&one.content, &other.content) {
        (Content::File(one), Content::File(other)) => one.sha256 == other.sha256,
        (Content::Link(one), Content::Link(other)) => one == other,
        _ => false,
    }
}

fn is_executable(file: &File) -> bool {
    facts(file).is_some_and(|facts| facts.executable)
}

/// Whether an agent may run it: by its mode, its first bytes or its name.
fn is_script(file: &File) -> bool {
    let Some(facts) = facts(file) else { return false };
    let ending = path::base(&file.path).rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    facts.executable || facts.program || ending.is_some_and(|ending| SCRIPTS.contains(&ending.as_str()))
}

fn side(file: &File) -> Side {
    let (sha256, target) = match &file.content {
        Content::File(facts) => (Some(identity::hex(&facts.sha256)), None),
        Content::Link(target) => (None, Some(target.clone())),
    };
    Side { kind: file.kind(), size: file.size(), executable: is_executable(file), sha256, target }
}

fn change((before, after): Sides<'_>) -> Option<FileChange> {
    let what = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => What::Added,
        (Some(_), None) => What::Removed,
        (Some(one), Some(other)) if one.path != other.path => What::Renamed,
        (Some(one), Some(other)) if same_bytes(one, other) => What::Mode,
        (Some(_), Some(_)) => What::Changed,
    };
    let runs = match (before.is_some_and(is_script), after.is_some_and(is_script)) {
        (false, true) => Runs::New,
        (true, _) => Runs::Yes,
        (false, false) => Runs::No,
    };
    Some(FileChange {
        path: after.or(before)?.path.clone(),
        from: before.filter(|_| what == What::Renamed).map(|file| file.path.clone()),
        what,
        runs,
        before: before.map(side),
        after: after.map(side),
        lines: None,
    })
}

fn rank(change: &FileChange) -> (Runs, bool, &str) {
    (change.runs, path::base(&change.path) != "SKILL.md", &change.path)
}
