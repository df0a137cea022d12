//! Skills that kagenti's backend keeps in ConfigMaps: an object in, files out, and back. Keys hold no folders, so an annotation
//! says which path each key is; what it leaves open is refused by its key rather than guessed. Who mounts the
//! ConfigMap, and where, is left to `manifest`.
//!
//! Source: rossoctl/rossoctl 0ea6d7ff `backend/app/routers/skills.py`, `agents_skills.py`, `utils/naming.py`.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::path;
use crate::crd::pattern::dns_subdomain;

/// Bytes that the API server takes in `data` and `binaryData` together.
pub const MOST_BYTES: usize = 1 << 20;
/// Characters of a key.
const MOST_KEY: usize = 253;
/// Prefixes of the labels and annotations, the newest first.
pub const PREFIXES: [&str; 2] = ["rossoctl.io", "kagenti.io"];
/// Endings that keep their dot where upstream makes a path of a key.
const ENDINGS: [&str; 8] = ["py", "js", "ts", "md", "txt", "json", "yaml", "yml"];

/// A skill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skill {
    /// Name of the ConfigMap.
    pub name: String,
    /// Contents by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Keys whose paths no annotation says, with what upstream shows for them.
    pub guessed: Vec<(String, String)>,
}

/// Why a skill cannot be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, or the path where there is none; empty for the whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

fn problem(key: &str, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { key: key.to_owned(), message: message.into(), help: help.into() }
}

/// Whether an object is such a ConfigMap: kind, and the label `type: skill`.
pub fn is_skill(map: &Value) -> bool {
    map.get("kind").and_then(Value::as_str) == Some("ConfigMap")
        && PREFIXES.iter().any(|prefix| labelled(map, "labels", prefix, "type") == Some("skill"))
}

fn labelled<'m>(map: &'m Value, what: &str, prefix: &str, name: &str) -> Option<&'m str> {
    map.get("metadata")?.get(what)?.get(format!("{prefix}/{name}"))?.as_str()
}

fn said<'m>(map: &'m Value, what: &str, name: &str) -> Option<&'m str> {
    PREFIXES.iter().find_map(|prefix| labelled(map, what, prefix, name))
}

/// Reads the files of a skill.
///
/// # Errors
/// Every key whose path is unknown, or is none; a skill whose files are elsewhere.
pub fn read(map: &Value) -> Result<Skill, Vec<Problem>> {
    read_with_keys(map).map(|(skill, _)| skill)
}

/// The `configMap` of a volume that shows the files of a skill at their paths, which a mount of the whole does not.
///
/// # Errors
/// As [`read`].
pub fn volume_source(map: &Value) -> Result<Value, Vec<Problem>> {
    let (skill, keys) = read_with_keys(map)?;
    let items: Vec<Value> = keys.iter().map(|(path, key)| json!({"key": key, "path": path})).collect();
    Ok(json!({"name": skill.name, "items": items}))
}

/// The files, and the key of each path.
fn read_with_keys(map: &Value) -> Result<(Skill, BTreeMap<String, String>), Vec<Problem>> {
    let name = map.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if said(map, "labels", "source") == Some("external") {
        let place = said(map, "annotations", "registry-url").unwrap_or("its registry");
        return Err(vec![problem(
            "",
            format!("is an external skill: its files are at {place}, and are fetched as the pod starts"),
            "get them from there, and pack the folder",
        )]);
    }
    let paths = file_paths(map).map_err(|one| vec![one])?;
    let (mut out, mut problems) = (Skill { name: name.to_owned(), ..Skill::default() }, Vec::new());
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (key, bytes) in contents(map, &mut problems) {
        seen.insert(key.clone());
        let path = match paths.as_ref().and_then(|paths| paths.get(&key)) {
            Some(path) => path.clone(),
            None => match guess(&key) {
                Some(path) if path == key => path,
                Some(path) => {
                    out.guessed.push((key.clone(), path.clone()));
                    path
                }
                None => {
                    problems.push(problem(
                        &key,
                        "may be in folders or not, and no annotation file-paths says which",
                        format!(
                            "add the annotation: {}/file-paths: '{{\"{key}\": \"FOLDER/FILE\"}}'",
                            PREFIXES[0]
                        ),
                    ));
                    continue;
                }
            },
        };
        match path::normal(path.as_bytes()) {
            Ok(normal) if normal == path && !normal.is_empty() => {}
            Ok(normal) => {
                problems.push(problem(
                    &key,
                    format!("its path {path:?} is written in a way that readers differ about"),
                    format!("write {normal:?} in file-paths"),
                ));
                continue;
            }
            Err(why) => {
                problems.push(problem(
                    &key,
                    format!("its path {path:?} {why}"),
                    "correct it in the annotation file-paths",
                ));
                continue;
            }
        }
        if let Some(other) = keys.insert(path.clone(), key.clone()) {
            problems.push(problem(
                &key,
                format!("has the path {path:?}, and so has {other}"),
                "give one of them another path",
            ));
        }
        out.files.insert(path, bytes);
    }
    let lost = paths.iter().flat_map(BTreeMap::keys).filter(|key| !seen.contains(*key));
    problems.extend(lost.map(|key| {
        let message = "is in the annotation file-paths and not in data: a file is lost";
        problem(key, message, "put the file back, or remove the entry")
    }));
    folders_and_files(&out.files, &mut problems);
    if problems.is_empty() && out.files.is_empty() {
        problems.push(problem("", "holds no file", "a skill has at least a SKILL.md"));
    }
    if problems.is_empty() { Ok((out, keys)) } else { Err(problems) }
}

/// The annotation that says which path a key is.
fn file_paths(map: &Value) -> Result<Option<BTreeMap<String, String>>, Problem> {
    let Some(text) = said(map, "annotations", "file-paths") else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| {
        let message = format!("the annotation file-paths is no JSON object of paths by key: {error}");
        problem("", message, "correct it; without it the path of a key with two dots is unknown")
    })
}

/// The keys of files that are not their paths, with these; what is no annotation says nothing.
pub fn moved_keys(map: &Value) -> Vec<(String, String)> {
    let paths = file_paths(map).ok().flatten().unwrap_or_default();
    paths.into_iter().filter(|(key, path)| key != path).collect()
}

/// Contents by key: `data` as text, `binaryData` in base64.
fn contents(map: &Value, problems: &mut Vec<Problem>) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for (field, is_binary) in [("data", false), ("binaryData", true)] {
        for (key, value) in map.get(field).and_then(Value::as_object).into_iter().flatten() {
            let bytes = match (value.as_str(), is_binary) {
                (Some(text), false) => Some(text.as_bytes().to_vec()),
                (Some(text), true) => STANDARD.decode(text).ok(),
                (None, _) => None,
            };
            match bytes {
                Some(bytes) => out.push((key.clone(), bytes)),
                None => problems.push(problem(key, format!("{field} must hold text"), "")),
            }
        }
    }
    out
}

/// The path that a key without an annotation is: itself if it can be in no folder, what upstream shows if that ends as a path
/// of upstream's would; `None` if it is unknown.
fn guess(key: &str) -> Option<String> {
    let parts: Vec<&str> = key.split('.').collect();
    match parts.as_slice() {
        [folders @ .., stem, ending] if !folders.is_empty() => {
            let known =
                ENDINGS.contains(ending) && !folders.iter().any(|part| part.is_empty()) && !stem.is_empty();
            known.then(|| format!("{}/{stem}.{ending}", folders.join("/")))
        }
        _ => Some(key.to_owned()),
    }
}

/// A path that is a file and a folder at once is no tree.
fn folders_and_files(files: &BTreeMap<String, Vec<u8>>, problems: &mut Vec<Problem>) {
    for file in files.keys() {
        let mut folder = path::parent(file);
        while !folder.is_empty() {
            if files.contains_key(folder) {
                let message = format!("is in the folder {folder:?}, which is a file");
                problems.push(problem(file, message, "give one of them another path"));
                break;
            }
            folder = path::parent(folder);
        }
    }
}

/// The key that upstream makes of a path (`_sanitize_configmap_key`).
pub(crate) fn plain_key(path: &str) -> String {
    let key: String = path
        .chars()
        .map(|c| match c {
            '/' => '.',
            c if c.is_alphanumeric() || "-._".contains(c) => c,
            _ => '_',
        })
        .collect();
    let key = key.trim_matches(|c| "-._".contains(c));
    if key.is_empty() { "file".to_owned() } else { key.to_owned() }
}

/// The same; `None` where the API server would refuse it.
fn key_of(path: &str) -> Option<String> {
    let key = plain_key(path);
    let is_valid = key.len() <= MOST_KEY
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_valid.then_some(key)
}

/// The ConfigMap of a skill, as upstream writes it; what is no text goes to `binaryData`, which upstream does not show.
///
/// # Errors
/// Every file that a ConfigMap cannot hold, or that would take the place of another one.
pub fn write(
    name: &str,
    prefix: &str,
    description: Option<&str>,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Value, Vec<Problem>> {
    let mut problems = Vec::new();
    if name.len() > MOST_KEY || !dns_subdomain(name) {
        problems.push(problem(
            "",
            format!("{name:?} is no name of a ConfigMap"),
            "use lower-case letters, digits, - and ., at most 253",
        ));
    }
    let mut keys: BTreeMap<String, &String> = BTreeMap::new();
    let (mut data, mut binary, mut paths) = (Map::new(), Map::new(), Map::new());
    let mut bytes = 0;
    for (path, content) in files {
        let Some(key) = key_of(path) else {
            problems.push(problem(
                path,
                "has no key in a ConfigMap, which takes ASCII letters, digits, -, _ and . alone",
                "rename the file",
            ));
            continue;
        };
        if let Some(other) = keys.insert(key.clone(), path) {
            problems.push(problem(
                path,
                format!("would have the key {key}, as {other} has: one of them would be lost"),
                "rename one of them",
            ));
            continue;
        }
        bytes += key.len() + content.len();
        match std::str::from_utf8(content) {
            Ok(text) => data.insert(key.clone(), text.into()),
            Err(_) => binary.insert(key.clone(), STANDARD.encode(content).into()),
        };
        paths.insert(key, path.as_str().into());
    }
    if bytes > MOST_BYTES {
        problems.push(problem(
            "",
            format!("{bytes} bytes; a ConfigMap holds {MOST_BYTES}"),
            "leave files out, or keep it as an image",
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut annotations = Map::new();
    annotations.insert(format!("{prefix}/display-name"), name.into());
    if let Some(description) = description {
        annotations.insert(format!("{prefix}/description"), description.into());
    }
    annotations.insert(format!("{prefix}/file-paths"), Value::Object(paths).to_string().into());
    let mut out = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {(format!("{prefix}/type")): "skill"}, "annotations": annotations},
        "data": data,
    });
    if !binary.is_empty() {
        out["binaryData"] = Value::Object(binary);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
