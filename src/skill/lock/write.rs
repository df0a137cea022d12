//! Edits the text of a lock so that it has these entries: comments, unknown keys and the order of what is there stay.

use serde_json::{Map, Value, json};

use super::peers::IMPORTED;
use super::{Attestation, Contained, Entry, KIND, Lock, Signed, Signer, Unsigned};
use crate::api::error::InputError;
use crate::api::names::{SKILLS_GROUP, VERSION};
use crate::api::object::Origin;
use crate::skill::oci::Digest;
use crate::yaml::{self, Document, EditError, SyntaxError, apply, emit};

/// What stands above a lock that is new.
const HEAD: &str = "# Written by 'kubectl skills lock'. Comments and keys of your own stay.\n";

/// The text of a lock that has these entries. Those that are there keep their places; new ones stand where they belong by the
/// name of their image.
///
/// # Errors
/// A text that is no lock, or cannot be edited as it is written, with the place.
pub fn edit(text: &str, file: &str, entries: &[Entry]) -> Result<String, Vec<InputError>> {
    edit_with(text, file, entries, None)
}

/// The same, with the file of another tool kept in it, by the name of the tool ([`super::peers`]).
///
/// # Errors
/// As [`edit`].
pub fn edit_with(
    text: &str,
    file: &str,
    entries: &[Entry],
    imported: Option<(&str, &Value)>,
) -> Result<String, Vec<InputError>> {
    // Without a file there is nothing to read.
    let before = if text.is_empty() { Lock::default() } else { Lock::read(text, file)? };
    let slices = yaml::split(text);
    let Some(slice) = slices.first() else {
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_by(|a, b| a.image.cmp(&b.image));
        let skills: Vec<Value> = sorted.into_iter().map(|entry| updated(&Map::new(), None, entry)).collect();
        let mut value =
            json!({"apiVersion": format!("{SKILLS_GROUP}/{VERSION}"), "kind": KIND, "skills": skills});
        keep(&mut value, imported);
        let comments = if text.trim().is_empty() { HEAD } else { text };
        let gap = if comments.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{comments}{gap}{}", emit::document(&value)));
    };
    let place = |line, column, field: &str, message: &str, help: &str| {
        let (line, column) = slice.place(line, column);
        vec![InputError {
            origin: Origin { file: file.to_owned(), document: 0, line },
            column,
            field: field.to_owned(),
            message: message.to_owned(),
            help: help.to_owned(),
            ..InputError::default()
        }]
    };
    let syntax = |error: SyntaxError| place(error.line, error.column, "", &error.message, "");
    let refused =
        |error: EditError| place(error.line, error.column, &error.path, &error.message, &error.help);
    let document = Document::parse(slice.text(text)).map_err(syntax)?;
    let mut desired = document.to_value().map_err(syntax)?;
    let raw = desired.get("skills").and_then(Value::as_array).cloned().unwrap_or_default();
    let skills = merged(&before, &raw, entries);
    if (!raw.is_empty() || !skills.is_empty())
        && let Some(root) = desired.as_object_mut()
    {
        root.insert("skills".into(), Value::Array(skills));
    }
    keep(&mut desired, imported);
    let splices = yaml::edit(&document, &desired).map_err(refused)?;
    let after = apply(slice.text(text), &splices);
    Ok([&text[..slice.start], &after, &text[slice.end..]].concat())
}

fn keep(root: &mut Value, imported: Option<(&str, &Value)>) {
    if let Some((name, raw)) = imported {
        if !root[IMPORTED].is_object() {
            root[IMPORTED] = json!({});
        }
        root[IMPORTED][name] = raw.clone();
    }
}

/// The list as it is to be. `raw` are the items of `before`, one for each entry.
fn merged(before: &Lock, raw: &[Value], entries: &[Entry]) -> Vec<Value> {
    let wanted = Lock::new(entries.to_vec());
    let mut out: Vec<(&str, Value)> = Vec::with_capacity(entries.len());
    for (own, raw) in before.entries().iter().zip(raw) {
        if let (Some(entry), Some(map)) = (wanted.find(&own.image), raw.as_object()) {
            out.push((&entry.image, updated(map, Some(own), entry)));
        }
    }
    let mut new: Vec<&Entry> = entries.iter().filter(|entry| before.find(&entry.image).is_none()).collect();
    new.sort_by(|a, b| a.image.cmp(&b.image));
    for entry in new {
        let at = out.iter().position(|(image, _)| *image > entry.image.as_str()).unwrap_or(out.len());
        out.insert(at, (&entry.image, updated(&Map::new(), None, entry)));
    }
    out.into_iter().map(|(_, value)| value).collect()
}

/// An item with the values of an entry; what is equal to `before` stays as it is written.
fn updated(raw: &Map<String, Value>, before: Option<&Entry>, entry: &Entry) -> Value {
    let mut out = raw.clone();
    let known = before.map(fields);
    for (index, (key, value)) in fields(entry).into_iter().enumerate() {
        if known.as_ref().is_some_and(|known| known[index].1 == value) {
            continue;
        }
        match value {
            Some(value) => drop(out.insert(key.to_owned(), value)),
            None => drop(out.shift_remove(key)),
        }
    }
    Value::Object(out)
}

/// Keys and values, in the order in which they are written.
fn fields(entry: &Entry) -> [(&'static str, Option<Value>); 18] {
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let list = |list: &[String]| (!list.is_empty()).then(|| json!(list));
    let Entry { image, digest, content, facts, signed, unsigned, attestations, line: _ } = entry;
    [
        ("image", Some(json!(image))),
        ("digest", Some(json!(digest.as_str()))),
        ("content", Some(json!(content.as_ref().map(Digest::as_str)))),
        ("name", text(&facts.name)),
        ("version", text(&facts.version)),
        ("description", text(&facts.description)),
        ("license", text(&facts.license)),
        ("allowedTools", facts.allowed_tools.as_ref().map(|tools| json!(tools))),
        ("files", facts.files.map(Value::from)),
        ("bytes", facts.bytes.map(Value::from)),
        ("tokens", facts.tokens.map(Value::from)),
        ("descriptionTokens", facts.description_tokens.map(Value::from)),
        ("platforms", list(&facts.platforms)),
        ("different", list(&facts.different)),
        ("skills", (!facts.skills.is_empty()).then(|| facts.skills.iter().map(contained).collect())),
        ("signed", signed.as_ref().map(|signed| signed.iter().map(signature).collect())),
        ("unsigned", unsigned.as_ref().map(decision)),
        ("attestations", attestations.as_ref().map(|all| all.iter().map(attestation).collect())),
    ]
}

fn contained(skill: &Contained) -> Value {
    let mut out = json!({"folder": skill.folder, "content": skill.content.as_str()});
    if let Some(name) = &skill.name {
        out["name"] = name.as_str().into();
    }
    out
}

fn signature(signed: &Signed) -> Value {
    let mut out = match &signed.signer {
        Signer::Key { fingerprint } => json!({"by": "key", "key": fingerprint}),
        Signer::Certificate { identity, issuer } => {
            json!({"by": "certificate", "identity": identity, "issuer": issuer})
        }
    };
    out["format"] = signed.format.as_str().into();
    out["digest"] = signed.digest.as_str().into();
    out["of"] = signed.of.as_str().into();
    if let Some(platform) = &signed.platform {
        out["platform"] = platform.as_str().into();
    }
    out["log"] = signed.log.into();
    out
}

fn attestation(one: &Attestation) -> Value {
    let Some(signed) = &one.signed else { return one.kind.as_str().into() };
    let mut out = Map::from_iter([("type".to_owned(), one.kind.as_str().into())]);
    out.extend(signature(signed).as_object().cloned().unwrap_or_default());
    Value::Object(out)
}

fn decision(unsigned: &Unsigned) -> Value {
    json!({"by": unsigned.by, "at": unsigned.at, "reason": unsigned.reason})
}

/// What an entry says, as JSON: what `lock -o json` prints.
pub fn value(entry: &Entry) -> Value {
    updated(&Map::new(), None, entry)
}
