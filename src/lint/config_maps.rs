//! Rules about ConfigMaps: those that hold a skill, as the backend makes them, and those with an unsigned agent card.

use std::collections::HashMap;

use serde_json::Value;

use super::contents::{compiled_files, is_compiled};
use super::others::{CARD, Other};
use super::own::{
    BINARY_FILE, CARD_MALFORMED, CARD_SKILL_FIELDS, CONFIG_MAP_SKILL, FILE_PATHS_ESCAPE,
    FILE_PATHS_MALFORMED, KEY_COLLISION,
};
use super::view::{list, text};
use super::{Finding, keys};
use crate::api::names::{KAGENTI, ROSSOCTL};
use crate::api::object::Object;
use crate::skill::config_map::plain_key;
use crate::skill::frontmatter;
use crate::yaml::Step;

/// What the label of the type says of a ConfigMap with a skill.
const SKILL: &str = "skill";
/// The file of a card's ConfigMap.
const AGENT_JSON: &str = "agent.json";
/// Prefixes of labels and annotations, and the label of the type.
const PREFIXES: [(&str, &str); 2] =
    [("kagenti.io/", KAGENTI.type_label), ("rossoctl.io/", ROSSOCTL.type_label)];

pub(super) fn check(map: &Other<'_>, out: &mut Vec<Finding>) {
    let object = Object(map.value);
    if map.id.name.ends_with(CARD) {
        card(map, out);
    }
    for (prefix, label) in PREFIXES {
        let is_external = object.label(&format!("{prefix}source")) == Some("external");
        if object.label(label) == Some(SKILL) && !is_external {
            skill(map, prefix, out);
        }
    }
}

/// The skills of a card's ConfigMap; `None` if they cannot be read.
pub(super) fn card_skills(map: &Value) -> Option<Vec<Value>> {
    let card: Value = serde_json::from_str(text(map.get("data")?, AGENT_JSON)).ok()?;
    match card.get("skills") {
        None | Some(Value::Null) => card.is_object().then(Vec::new),
        Some(skills) => skills.as_array().cloned(),
    }
}

fn card(map: &Other<'_>, out: &mut Vec<Finding>) {
    let at = keys(&["data", AGENT_JSON]);
    let card = map.value.get("data").map(|data| text(data, AGENT_JSON)).unwrap_or_default();
    if card.is_empty() {
        out.push(map.finding(
            &CARD_MALFORMED,
            &at,
            "there is no agent.json in it",
            "the signer reads this key",
        ));
        return;
    }
    let Some(skills) = card_skills(map.value) else {
        let why = match serde_json::from_str::<Value>(card) {
            Err(error) => format!("is no JSON: {error}"),
            Ok(_) => "is no JSON object with a list of skills".to_owned(),
        };
        out.push(map.finding(&CARD_MALFORMED, &at, why, ""));
        return;
    };
    for (index, skill) in skills.iter().enumerate() {
        let mut missing: Vec<&str> =
            ["id", "name", "description"].into_iter().filter(|key| text(skill, key).is_empty()).collect();
        if list(skill, "tags").is_empty() {
            missing.push("tags");
        }
        if !missing.is_empty() {
            let called = [text(skill, "id"), text(skill, "name")].into_iter().find(|name| !name.is_empty());
            let message = format!(
                "skill {} of the card has no {}",
                called.map_or_else(|| format!("number {}", index + 1), str::to_owned),
                missing.join(", no ")
            );
            out.push(map.finding(&CARD_SKILL_FIELDS, &at, message, ""));
        }
    }
}

fn skill(map: &Other<'_>, prefix: &str, out: &mut Vec<Finding>) {
    let data = map.value.get("data").and_then(Value::as_object);
    let names = || data.into_iter().flat_map(|data| data.keys());
    let annotation = format!("{prefix}file-paths");
    file_paths(map, &annotation, out);
    let binary = map.value.get("binaryData").and_then(Value::as_object).filter(|data| !data.is_empty());
    if let Some(first) = binary.and_then(|data| data.keys().next()) {
        let message = format!("holds binary files, such as {first}");
        out.push(map.finding(&BINARY_FILE, &keys(&["binaryData", first]), message, "leave it out"));
    }
    let compiled: Vec<&String> = names().filter(|name| is_compiled(name)).collect();
    if let Some(first) = compiled.first() {
        let message = format!("the skill has {}: {first}", compiled_files(compiled.len()));
        out.push(map.finding(&BINARY_FILE, &keys(&["data", first]), message, "leave it out"));
    }
    let at = keys(&["data", "SKILL.md"]);
    let Some(skill_md) = data.and_then(|data| data.get("SKILL.md")).and_then(Value::as_str) else {
        let message = "there is no SKILL.md in it";
        out.push(map.finding(&CONFIG_MAP_SKILL, &keys(&["data"]), message, "add the file"));
        return;
    };
    let read = frontmatter::read(skill_md.as_bytes());
    let folder = read.in_folder(&map.id.name);
    for found in read.findings.iter().filter(|found| found.is_error()).chain(&folder) {
        let field = if found.field.is_empty() { String::new() } else { format!("{}: ", found.field) };
        let message = format!("SKILL.md: {field}{}", found.message);
        out.push(map.finding(&CONFIG_MAP_SKILL, &at, message, found.help.clone()));
    }
}

fn file_paths(map: &Other<'_>, annotation: &str, out: &mut Vec<Finding>) {
    let at: Vec<Step> = keys(&["metadata", "annotations", annotation]);
    let Some(said) = Object(map.value).annotation(annotation) else { return };
    let Ok(Value::Object(paths)) = serde_json::from_str(said) else {
        let message = "is no JSON object of keys and paths, so that names of files are guessed";
        out.push(map.finding(&FILE_PATHS_MALFORMED, &at, message, ""));
        return;
    };
    let data = map.value.get("data").and_then(Value::as_object);
    let mut by_path: HashMap<String, &str> = HashMap::new();
    for (key, path) in &paths {
        let Some(path) = path.as_str() else {
            out.push(map.finding(&FILE_PATHS_MALFORMED, &at, format!("the path of {key} is no text"), ""));
            continue;
        };
        if path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..") {
            let message = format!("the path {path:?} of {key} leaves the skill's folder");
            out.push(map.finding(&FILE_PATHS_ESCAPE, &at, message, "write a path below it"));
        }
        if !data.is_some_and(|data| data.contains_key(key)) {
            let message = format!("names the key {key}, which data does not have");
            out.push(map.finding(&FILE_PATHS_MALFORMED, &at, message, ""));
        }
        let plain = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
        if let Some(first) = by_path.insert(plain, key) {
            let message = format!("the keys {first} and {key} have one path, {path}");
            out.push(map.finding(&KEY_COLLISION, &at, message, "rename one of the files"));
        }
    }
    // A key that a path of another comes to: as both were stored, one was lost.
    for (key, path) in paths.iter().filter_map(|(key, path)| Some((key, path.as_str()?))) {
        let own = plain_key(path);
        if own != *key && paths.contains_key(&own) {
            let message = format!("the path {path} of {key} comes to the key {own}, which is another file's");
            out.push(map.finding(&KEY_COLLISION, &at, message, "rename one of the files"));
        }
    }
}
