//! Lock files of other tools: their text in, entries of ours out, and back. What ours cannot hold is kept as it is, so that what is
//! imported can be exported again without loss; what theirs cannot hold is named.
//!
//! | file | tool | an entry names |
//! |---|---|---|
//! | `toolhive.lock.yaml` 1 | `thv skill` (stacklok/toolhive, pkg/skills/lockfile) | an image with its digest, or a commit in Git |
//! | `skills-lock.json` 1 | `npx skills` (vercel-labs/skills, src/local-lock.ts) | a repository |
//! | `catalog-lock.yaml` | `flux-operator skills` (controlplaneio-fluxcd/flux-operator) | an image with several skills |
//! | `skills.lock.json` 1 | `skills-oci` (salaboy/skills-oci) | an image with its digest |

use serde_json::{Map, Value, json};

use super::{Entry, Lock};
use crate::api::error::InputError;
use crate::api::image_reference;
use crate::api::object::Origin;
use crate::skill::oci::Digest;
use crate::yaml::{Document, emit};

/// The key of a lock under which the files of other tools are kept, by [`Peer::name`].
pub const IMPORTED: &str = "imported";

/// Another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// `thv skill`.
    ToolHive,
    /// `npx skills`.
    Npx,
    /// `flux-operator skills`.
    Flux,
    /// `skills-oci`.
    SkillsOci,
}

impl Peer {
    /// All of them.
    pub const ALL: [Peer; 4] = [Peer::ToolHive, Peer::Npx, Peer::Flux, Peer::SkillsOci];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ToolHive => "toolhive",
            Self::Npx => "npx",
            Self::Flux => "flux",
            Self::SkillsOci => "skills-oci",
        }
    }

    /// The one of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// What its file is called.
    pub fn file(self) -> &'static str {
        match self {
            Self::ToolHive => "toolhive.lock.yaml",
            Self::Npx => "skills-lock.json",
            Self::Flux => "catalog-lock.yaml",
            Self::SkillsOci => "skills.lock.json",
        }
    }

    /// The tool whose file this is, and why its version is not read.
    fn of(root: &Value) -> Option<(Self, Option<String>)> {
        let version = |peer: Self, key: &str| {
            let stated = root.get(key).filter(|value| !value.is_null());
            let known = stated.map_or(peer == Self::ToolHive, |value| *value == json!(1));
            let found = stated.map_or("(none)".to_owned(), Value::to_string);
            (peer, (!known).then(|| format!("{key} {found} of {} is not known", peer.file())))
        };
        let skills = root.get("skills");
        if root.get("lockfileVersion").is_some() {
            return Some(version(Self::SkillsOci, "lockfileVersion"));
        }
        if root.get("kind") == Some(&json!("Catalog")) {
            let stated = root.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
            let wrong = || format!("a Catalog of {stated:?} is not known");
            return Some((Self::Flux, (stated != FLUX).then(wrong)));
        }
        match (root.get("kind"), skills) {
            (None, Some(Value::Object(_))) => Some(version(Self::Npx, "version")),
            (None, Some(Value::Array(_))) => Some(version(Self::ToolHive, "version")),
            _ => None,
        }
    }
}

const FLUX: &str = "agent.fluxcd.controlplane.io/v1";
const KNOWN: &str =
    "known are toolhive.lock.yaml 1, skills-lock.json 1, catalog-lock.yaml and skills.lock.json 1";

/// What a file of another tool came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Whose it is.
    pub peer: Peer,
    /// Its images.
    pub entries: Vec<Entry>,
    /// All of it, for [`export`].
    pub raw: Value,
    /// What is no entry, and why.
    pub warnings: Vec<String>,
}

/// Reads a file of another tool.
///
/// # Errors
/// It is none that is known, or of another version.
pub fn import(text: &str, file: &str) -> Result<Imported, Vec<InputError>> {
    let wrong = |line, message: String, help: &str| {
        let origin = Origin { file: file.to_owned(), document: 0, line };
        vec![InputError { origin, message, help: help.to_owned(), ..InputError::default() }]
    };
    let raw = Document::parse(text.trim_start_matches('\u{feff}'))
        .and_then(|document| document.to_value())
        .map_err(|error| wrong(error.line, error.message, ""))?;
    let peer = match Peer::of(&raw) {
        Some((peer, None)) => peer,
        Some((_, Some(message))) => return Err(wrong(1, message, KNOWN)),
        None => return Err(wrong(1, "is no lock file of a tool that is known".into(), KNOWN)),
    };
    let mut out = Imported { peer, entries: Vec::new(), raw: Value::Null, warnings: Vec::new() };
    for item in items(peer, &raw) {
        match item.image {
            Ok((image, digest)) => {
                let mut entry = Entry::new(image, digest);
                entry.facts.name = item.name.clone().filter(|_| peer != Peer::Flux);
                entry.facts.version = item.version;
                if let Some(trust) = item.trust {
                    out.warnings.push(format!("{}: {trust}", entry.image));
                }
                out.entries.push(entry);
            }
            Err(why) => out
                .warnings
                .push(format!("{}: {why}; it is kept for --export alone", item.name.unwrap_or_default())),
        }
    }
    out.raw = raw;
    Ok(out)
}

/// An entry of a file of another tool.
struct Item {
    name: Option<String>,
    version: Option<String>,
    /// Its image with the digest; or why it has none.
    image: Result<(String, Digest), String>,
    /// What the tool says about its signature, which we have not seen.
    trust: Option<String>,
}

/// The list of a file.
fn list(peer: Peer, root: &Value) -> Vec<&Value> {
    let pointer = if peer == Peer::Flux { "/status/inventory" } else { "/skills" };
    root.pointer(pointer).and_then(Value::as_array).map(|items| items.iter().collect()).unwrap_or_default()
}

fn items(peer: Peer, root: &Value) -> Vec<Item> {
    if peer == Peer::Npx {
        let skills = root.get("skills").and_then(Value::as_object);
        let none = |(name, item): (&String, &Value)| Item {
            name: Some(name.clone()),
            version: None,
            image: Err(format!(
                "names no image, but the source {}",
                text(item, "source").unwrap_or_default()
            )),
            trust: None,
        };
        return skills.into_iter().flatten().map(none).collect();
    }
    list(peer, root).into_iter().map(|value| item(peer, value)).collect()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn item(peer: Peer, value: &Value) -> Item {
    let digest = match peer {
        Peer::SkillsOci => value.pointer("/source/digest").and_then(Value::as_str),
        _ => value.get("digest").and_then(Value::as_str),
    };
    let locked = |reference: Option<String>| {
        let reference = reference.ok_or_else(|| "names no image".to_owned())?;
        let digest = Digest::parse(digest.unwrap_or_default())?;
        let bare = reference.split_once('@').map_or(reference.as_str(), |(bare, _)| bare);
        let is_tagged = image_reference::parts(bare).is_some_and(|parts| parts.tag.is_some());
        let image = if is_tagged { bare.to_owned() } else { format!("{bare}@{digest}") };
        match image_reference::key(&image) {
            Some(_) => Ok((image, digest)),
            None => Err(format!("{reference:?} is no image reference")),
        }
    };
    match peer {
        Peer::ToolHive => {
            let reference = text(value, "resolvedReference").or_else(|| text(value, "source"));
            let image = match reference.as_deref() {
                Some(git) if git.starts_with("git://") => {
                    Err(format!("names no image, but the source {git}"))
                }
                Some(name) if !name.contains('/') => {
                    Err(format!("names no image, but {name:?} of ToolHive's catalog"))
                }
                _ => locked(reference),
            };
            let signer = value.pointer("/provenance/signerIdentity").and_then(Value::as_str);
            let trust = match (signer, value.get("unsigned")) {
                (Some(signer), _) => Some(format!(
                    "signed by {signer}, as ToolHive says: not taken over, since it was not verified here"
                )),
                (None, Some(Value::Bool(true))) => Some(
                    "accepted unsigned in ToolHive: not taken over; --accept-unsigned decides it here"
                        .to_owned(),
                ),
                _ => None,
            };
            Item { name: text(value, "name"), version: text(value, "version"), image, trust }
        }
        Peer::Flux => {
            let url = text(value, "url").map(|url| url.trim_start_matches("oci://").to_owned());
            let annotation = |key| value.get("annotations").and_then(|all| text(all, key));
            let version = annotation("org.opencontainers.image.version");
            Item { name: url.clone(), version, image: locked(url), trust: None }
        }
        Peer::SkillsOci | Peer::Npx => {
            let source = value.get("source").cloned().unwrap_or_default();
            let of = |key: &str| text(&source, key);
            let reference = of("registry").zip(of("repository")).map(|(registry, repository)| {
                let tag = of("tag").map(|tag| format!(":{tag}")).unwrap_or_default();
                format!("{registry}/{repository}{tag}")
            });
            let reference = reference.or_else(|| of("ref"));
            Item { name: text(value, "name"), version: None, image: locked(reference), trust: None }
        }
    }
}

/// A lock as that of another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub text: String,
    /// What it cannot hold, and what has changed since it was imported.
    pub warnings: Vec<String>,
}

/// Writes a lock as that of another tool. What was imported from one of its files is in it as it was; only what has changed
/// since is new.
pub fn export(peer: Peer, lock: &Lock) -> Exported {
    let mut root = lock.imported(peer.name()).cloned().unwrap_or_else(|| empty(peer));
    let mut warnings = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    let pointer = if peer == Peer::Flux { "/status/inventory" } else { "/skills" };
    let mut gone: Vec<String> = Vec::new();
    if peer != Peer::Npx
        && let Some(Value::Array(all)) = root.pointer_mut(pointer)
    {
        all.retain_mut(|value| {
            let Ok((image, digest)) = item(peer, value).image else { return true };
            let Some(entry) = lock.find(&image) else {
                warnings.push(format!("{image}: the lock has it no longer; it is left out"));
                gone.push(image);
                return false;
            };
            known.push(&entry.image);
            if entry.digest != digest {
                warnings.push(format!(
                    "{image}: its digest has changed; what was known of the old one is left out"
                ));
                renew(peer, value, entry);
            }
            true
        });
    }
    let new: Vec<&Entry> =
        lock.entries().iter().filter(|entry| !known.contains(&entry.image.as_str())).collect();
    for entry in &new {
        if peer == Peer::Npx {
            warnings.push(format!(
                "{}: {} names repositories, no images; it is left out",
                entry.image,
                peer.file()
            ));
        }
    }
    if peer != Peer::Npx {
        add(peer, &mut root, &new, &gone);
    }
    let lost = lost(peer, lock);
    if !lost.is_empty() && (peer != Peer::Npx || !lock.entries().is_empty()) {
        warnings.push(format!("{} cannot hold {}", peer.file(), lost.join(", ")));
    }
    let text = match peer {
        Peer::ToolHive | Peer::Flux => emit::document(&root),
        Peer::Npx | Peer::SkillsOci => serde_json::to_string_pretty(&root).unwrap_or_default() + "\n",
    };
    Exported { text, warnings }
}

fn empty(peer: Peer) -> Value {
    match peer {
        Peer::ToolHive => json!({"version": 1, "skills": []}),
        Peer::Npx => json!({"version": 1, "skills": {}}),
        Peer::Flux => {
            json!({"apiVersion": FLUX, "kind": "Catalog", "spec": {"sources": []}, "status": {"inventory": []}})
        }
        Peer::SkillsOci => json!({"lockfileVersion": 1, "skills": []}),
    }
}

/// Takes out of an item what was about another digest.
fn renew(peer: Peer, value: &mut Value, entry: &Entry) {
    let fresh = made(peer, entry);
    let Some(map) = value.as_object_mut() else { return };
    let stale: &[&str] = match peer {
        Peer::ToolHive => &["version", "contentDigest", "provenance", "unsigned", "resolvedReference"],
        Peer::Flux => &["lastUpdateAt", "annotations", "skills"],
        Peer::SkillsOci => &["installedAt", "source"],
        Peer::Npx => &[],
    };
    for key in stale {
        map.shift_remove(*key);
    }
    if let Value::Object(fresh) = fresh {
        for (key, value) in fresh {
            if stale.contains(&key.as_str()) || key == "digest" {
                map.insert(key, value);
            }
        }
    }
}

/// Adds entries that the file has not had.
fn add(peer: Peer, root: &mut Value, new: &[&Entry], gone: &[String]) {
    let pointer = if peer == Peer::Flux { "/status/inventory" } else { "/skills" };
    if root.pointer(pointer).is_none() {
        let at = if peer == Peer::Flux {
            root.as_object_mut().map(|root| root.entry("status").or_insert(json!({})))
        } else {
            Some(&mut *root)
        };
        if let Some(Value::Object(map)) = at {
            map.insert(pointer.rsplit('/').next().unwrap_or_default().to_owned(), json!([]));
        }
    }
    if let Some(Value::Array(all)) = root.pointer_mut(pointer) {
        all.extend(new.iter().map(|entry| made(peer, entry)));
        if peer == Peer::ToolHive {
            // As ToolHive sorts them.
            all.sort_by_key(|item| text(item, "name"));
        }
    }
    if peer == Peer::Flux
        && let Some(Value::Array(sources)) = root.pointer_mut("/spec/sources")
    {
        let image = |source: &Value| {
            let tag = text(source, "tag").unwrap_or_else(|| "latest".to_owned());
            text(source, "repository").map(|repository| format!("{repository}:{tag}"))
        };
        sources.retain(|source| image(source).is_none_or(|image| !gone.contains(&image)));
        for entry in new {
            let (repository, tag) = repository_and_tag(&entry.image);
            let mut source = json!({"repository": repository});
            if let Some(tag) = tag {
                source["tag"] = tag.into();
            }
            sources.push(source);
        }
    }
}

/// An image as the item of another tool.
fn made(peer: Peer, entry: &Entry) -> Value {
    let (repository, tag) = repository_and_tag(&entry.image);
    let folder = repository.rsplit('/').next().unwrap_or_default();
    let name = entry.facts.name.as_deref().unwrap_or(folder);
    let digest = entry.digest.as_str();
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    match peer {
        Peer::ToolHive => {
            put("name", name.into());
            if let Some(version) = &entry.facts.version {
                put("version", version.as_str().into());
            }
            put("source", entry.image.as_str().into());
            put("resolvedReference", entry.image.as_str().into());
            put("digest", digest.into());
            if entry.unsigned.is_some() && entry.signed.as_ref().is_none_or(Vec::is_empty) {
                put("unsigned", true.into());
            }
            put("explicit", true.into());
        }
        Peer::Flux => {
            put("id", format!("{:x}", adler32(repository.as_bytes())).into());
            put("url", entry.image.as_str().into());
            put("digest", digest.into());
            let names = entry.facts.skills.iter().filter_map(|skill| skill.name.as_deref());
            let mut names: Vec<&str> = names.chain(entry.facts.name.as_deref()).collect();
            names.dedup();
            put("skills", names.into_iter().map(|name| json!({"name": name})).collect());
        }
        Peer::SkillsOci => {
            let (registry, path) = repository.split_once('/').unwrap_or(("docker.io", repository));
            let shown = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            put("name", name.into());
            put("path", format!(".agents/skills/{name}").into());
            put(
                "source",
                json!({
                    "registry": registry, "repository": path, "tag": tag.unwrap_or_default(), "digest": digest,
                    "ref": format!("{repository}{shown}@{digest}"),
                }),
            );
        }
        Peer::Npx => {}
    }
    Value::Object(out)
}

fn repository_and_tag(image: &str) -> (&str, Option<&str>) {
    let bare = image.split_once('@').map_or(image, |(bare, _)| bare);
    match image_reference::parts(image).and_then(|parts| parts.tag) {
        Some(tag) => (bare.get(..bare.len() - tag.len() - 1).unwrap_or(bare), Some(tag)),
        None => (bare, None),
    }
}

/// What entries say that a file cannot, by the names of our keys.
fn lost(peer: Peer, lock: &Lock) -> Vec<&'static str> {
    let any = |is_there: fn(&Entry) -> bool| lock.entries().iter().any(is_there);
    let all: [(&str, bool); 9] = [
        ("content", any(|entry| entry.content.is_some())),
        ("license", any(|entry| entry.facts.license.is_some())),
        ("description", any(|entry| entry.facts.description.is_some())),
        (
            "allowedTools",
            any(|entry| entry.facts.allowed_tools.as_ref().is_some_and(|tools| !tools.is_empty())),
        ),
        ("sizes", any(|entry| entry.facts.files.is_some())),
        ("platforms", any(|entry| !entry.facts.platforms.is_empty())),
        ("signed", any(|entry| entry.signed.as_ref().is_some_and(|signed| !signed.is_empty()))),
        ("attestations", any(|entry| entry.attestations.as_ref().is_some_and(|all| !all.is_empty()))),
        ("unsigned", any(|entry| entry.unsigned.is_some())),
    ];
    let mut out: Vec<&str> = all.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect();
    if peer == Peer::ToolHive
        && let Some(last) = out.last_mut().filter(|last| **last == "unsigned")
    {
        *last = "who accepted it unsigned, when and why";
    }
    out
}

/// RFC 1950, by which flux-operator tells sources apart.
fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests;
