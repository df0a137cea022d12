//! Characters that nobody sees, as they stand or by an escape of YAML or JSON, in the documents that rules look at: texts in,
//! findings with their places out.
//!
//! What people write is not found: joiners in emoji and in scripts that need them, marks of direction in texts that run from
//! right to left, the flags of regions, a byte-order mark in front.

use std::collections::BTreeSet;

use serde_json::Value;

use super::others::Others;
use super::own::HIDDEN_CHARACTERS;
use super::{Finding, Fix, Out, Words};
use crate::api::object::{ObjectRef, Origin};
use crate::yaml::emit::is_hidden;
use crate::yaml::node::{NodeKind, ScalarStyle};
use crate::yaml::{Document, Step, path};

/// Findings of one document at most; the rest are counted.
const SHOWN: usize = 5;
/// Ends a flag of a region.
const CANCEL_TAG: char = '\u{e007f}';
/// Begins one.
const BLACK_FLAG: char = '\u{1f3f4}';

/// Keys of fields in which a hidden character can only be a mistake or a trap.
const NAMES: [&str; 6] = ["name", "image", "mountPath", "reference", "subPath", "namespace"];

pub(super) fn check(out: &mut Out<'_, '_>, others: &Others<'_>, words: &Words) {
    let stream = out.stream;
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for item in stream.asking().chain(&stream.workloads) {
        let document = stream.document(item.document());
        if !may_hide(document.text) || !seen.insert(stream.place(item.document())) {
            continue;
        }
        if !words.are_in(document.text) {
            continue;
        }
        let place = |line, column| {
            let error = stream.error_at(item.document(), line, column, None);
            (error.origin, error.column)
        };
        let id = (!item.is_in_list()).then_some(&item.id);
        in_text(document, stream.place(item.document()), id, &place, &mut found);
    }
    for other in &others.all {
        let (source, slice, document) = other.document();
        if !may_hide(document.text) || !seen.insert((source, slice.start)) {
            continue;
        }
        let sample = other.finding(&HIDDEN_CHARACTERS, &[], "", "");
        let place = |line, column| {
            let (line, column) = slice.place(line, column);
            (Origin { line, ..sample.origin.clone() }, column)
        };
        let id = (!other.is_in_list()).then_some(&other.id);
        in_text(document, (source, slice.start), id, &place, &mut found);
    }
    found.into_iter().for_each(|finding| out.push(finding));
}

fn in_text(
    document: &Document<'_>,
    (source, start): (usize, usize),
    id: Option<&ObjectRef>,
    place: &dyn Fn(usize, usize) -> (Origin, usize),
    out: &mut Vec<Finding>,
) {
    let mut places: Vec<(usize, char, &str)> =
        places(document.text).into_iter().map(|(offset, char)| (offset, char, "")).collect();
    places.extend(escaped(document).into_iter().map(|(offset, char)| (offset, char, ", by an escape")));
    for (offset, char, how) in places.iter().take(SHOWN) {
        let (line, column) = document.position_of(*offset);
        let (origin, column) = place(line, column);
        let more = places.len() - SHOWN.min(places.len());
        let more = if more > 0 { format!("; {more} more in this document") } else { String::new() };
        let field = field_at(document, *offset);
        let fix = field.as_ref().filter(|(steps, _)| is_name(steps)).map(|(steps, value)| {
            let value = Value::from(value.chars().filter(|char| !is_hidden(*char)).collect::<String>());
            Fix { source, start, path: steps.clone(), value }
        });
        out.push(Finding {
            rule: &HIDDEN_CHARACTERS,
            level: HIDDEN_CHARACTERS.level,
            source: Some(source),
            origin,
            column,
            object: id.cloned(),
            field: field.map(|(steps, _)| path::display(&steps).to_string()).unwrap_or_default(),
            message: format!("holds U+{:04X}, {}, which nobody sees{how}{more}", *char as u32, kind(*char)),
            help: String::new(),
            fix,
        });
    }
}

/// Escapes by which YAML in double quotes, and JSON, can write such a character.
const ESCAPES: [&str; 5] = ["\\u", "\\U", "\\x", "\\L", "\\P"];

fn has_escape(text: &str) -> bool {
    text.contains('\\') && ESCAPES.iter().any(|escape| text.contains(escape))
}

/// Whether a text can have such a character at all.
fn may_hide(text: &str) -> bool {
    !text.is_ascii() || has_escape(text)
}

/// Such characters that are written as escapes, with the offset of the scalar that has them.
fn escaped(document: &Document<'_>) -> Vec<(usize, char)> {
    let mut out = Vec::new();
    if !has_escape(document.text) {
        return out;
    }
    for (id, node) in (0..).zip(document.tree.nodes()) {
        let raw = document.source(id);
        if !matches!(node.kind, NodeKind::Scalar(_)) || !has_escape(raw) {
            continue;
        }
        let Ok(Value::String(text)) = document.node_value(id) else { continue };
        let mut found: Vec<char> = Vec::new();
        if node.kind == NodeKind::Scalar(ScalarStyle::DoubleQuoted) {
            found.extend(places(&text).into_iter().map(|(_, char)| char).filter(|char| !raw.contains(*char)));
        }
        // A card, a list of names: JSON in a text has escapes of its own.
        if text.trim_start().starts_with(['{', '['])
            && let Ok(json) = serde_json::from_str::<Value>(&text)
        {
            in_json(&json, &mut |inside| {
                found.extend(
                    places(inside).into_iter().map(|(_, char)| char).filter(|char| !text.contains(*char)),
                );
            });
        }
        out.extend(found.into_iter().map(|char| (node.start as usize, char)));
    }
    out
}

/// Each text of a value, and each key.
fn in_json(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| in_json(item, each)),
        Value::Object(map) => {
            for (key, value) in map {
                each(key);
                in_json(value, each);
            }
        }
        _ => {}
    }
}

fn is_name(steps: &[Step]) -> bool {
    matches!(steps.last(), Some(Step::Key(key)) if NAMES.contains(&key.as_str()))
}

/// The scalar of a mapping's value or a list's item at an offset: the steps to it, and its text.
fn field_at(document: &Document<'_>, offset: usize) -> Option<(Vec<Step>, String)> {
    let (mut steps, mut at) = (Vec::new(), 0);
    loop {
        let holds = |id| {
            let node = document.tree.node(id);
            (node.start as usize..node.end as usize).contains(&offset)
        };
        match document.tree.node(at).kind {
            NodeKind::Mapping { .. } => {
                let (key, value) = document.tree.entries(at).find(|(_, value)| holds(*value))?;
                steps.push(Step::Key(document.key_text(key).ok()?.into_owned()));
                at = value;
            }
            NodeKind::Sequence { .. } => {
                let (index, item) = document.tree.children(at).enumerate().find(|(_, item)| holds(*item))?;
                steps.push(index.into());
                at = item;
            }
            _ => {
                let Ok(Value::String(text)) = document.node_value(at) else { return None };
                return Some((steps, text));
            }
        }
    }
}

/// What a hidden character is.
pub(super) fn kind(char: char) -> &'static str {
    match char {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "which turns the direction of the text around",
        '\u{e0000}'..='\u{e007f}' => "a tag character",
        '\u{061c}' | '\u{200e}' | '\u{200f}' => "a mark of direction",
        '\u{00ad}' => "a soft hyphen",
        _ => "of zero width",
    }
}

/// Where characters stand that nobody sees and that nothing around them explains.
pub(super) fn places(text: &str) -> Vec<(usize, char)> {
    let mut out = Vec::new();
    let mut flag = false;
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((offset, char)) = chars.next() {
        if char.is_ascii() {
            (flag, before) = (false, Some(char));
            continue;
        }
        if char == BLACK_FLAG {
            flag = true;
        } else if is_hidden(char) && !(flag && matches!(char, '\u{e0020}'..=CANCEL_TAG)) {
            let after = chars.peek().map(|(_, next)| *next);
            if !is_explained(char, before, after) {
                out.push((offset, char));
            }
        }
        flag &= char != CANCEL_TAG;
        before = Some(char);
    }
    out
}

fn is_explained(char: char, before: Option<char>, after: Option<char>) -> bool {
    let beyond = |char: Option<char>| char.is_some_and(|char| !char.is_ascii() && !is_hidden(char));
    let from_right = |char: Option<char>| {
        char.is_some_and(
            |char| matches!(char, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'),
        )
    };
    match char {
        // Joined emoji, and scripts such as Persian and Devanagari.
        '\u{200c}' | '\u{200d}' => beyond(before) && beyond(after),
        '\u{200e}' | '\u{200f}' | '\u{061c}' => from_right(before) || from_right(after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_not_found() {
        for (text, wanted) in [
            ("a\u{200b}b", vec!['\u{200b}']),
            ("a\u{202e}b\u{2069}", vec!['\u{202e}', '\u{2069}']),
            ("x\u{e0041}\u{e0042}", vec!['\u{e0041}', '\u{e0042}']),
            ("man \u{1f468}\u{200d}\u{1f469}", vec![]),
            ("\u{0645}\u{06cc}\u{200c}\u{062e}\u{0648}", vec![]),
            ("a\u{200d}b", vec!['\u{200d}']),
            ("\u{5d0}\u{200f}!", vec![]),
            ("a\u{200f}b", vec!['\u{200f}']),
            ("\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}", vec![]),
            ("\u{1f3f4}\u{e0067}\u{e007f}\u{e0062}", vec!['\u{e0062}']),
            ("é ü 日本", vec![]),
        ] {
            let found: Vec<char> = places(text).into_iter().map(|(_, char)| char).collect();
            assert_eq!(found, wanted, "{text:?}");
        }
    }
}
