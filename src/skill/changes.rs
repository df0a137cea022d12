//! What changed between two images of a skill: two trees of files in, the change as data out, what an agent may now run or
//! use without asking first. How it is printed is left to who calls.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::content::Content;
use super::limits::Limits;
use super::oci::{Descriptor, Manifest};
use super::tree::Tree;
use super::{InputError, frontmatter, identity, inspect, path};

mod files;
mod platforms;
#[cfg(test)]
mod tests;
mod text;

pub use files::{FileChange, Runs, Side, What};
pub use text::{FILE_LINES, LINE, LINES, Lines, TEXT_BYTES};

/// What changed between two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum SkillChange {
    /// It is the same image.
    Same,
    /// The files are the same, and the manifest is another one: nothing that an agent sees.
    MetadataOnly {
        /// The annotations that differ; `None` if only the packing does.
        annotations: Vec<Pair>,
    },
    /// The layers differ, and whether their files do was not looked at.
    Layers {
        /// The annotations that differ.
        annotations: Vec<Pair>,
    },
    /// The files differ.
    Content(Box<ContentChange>),
}

/// A text that differs, by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// The folder of the skill; empty for the root and for what is about the image.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill: String,
    /// The annotation or field.
    pub key: String,
    /// Before; `None` where it was not there.
    pub before: Option<String>,
    /// After; `None` where it is gone.
    pub after: Option<String>,
}

/// Tools that a skill may use without asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tools {
    /// The folder of the skill; empty for the root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill: String,
    /// Those it may use now, and could not before.
    pub added: Vec<String>,
    /// Those it may not use any more.
    pub removed: Vec<String>,
}

/// How the files of two images differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentChange {
    /// The platform whose files these are, where those of the one that was asked about are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Platforms whose files changed in another way, or were not looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub otherwise: Vec<String>,
    /// Identity of the files before.
    pub before: String,
    /// Identity of the files after.
    pub after: String,
    /// Where `allowed-tools` differ.
    pub allowed_tools: Vec<Tools>,
    /// The other fields of the frontmatter that differ.
    pub frontmatter: Vec<Pair>,
    /// The files that differ: new scripts, scripts, SKILL.md, then all others, each by path.
    pub files: Vec<FileChange>,
    /// The annotations of the manifest that differ.
    pub annotations: Vec<Pair>,
}

impl ContentChange {
    /// The scripts and programs that are new, or can only now be run.
    pub fn new_scripts(&self) -> impl Iterator<Item = &FileChange> {
        self.files.iter().filter(|file| file.runs == Runs::New)
    }

    /// The skills that may use more tools without asking.
    pub fn wider_tools(&self) -> impl Iterator<Item = &Tools> {
        self.allowed_tools.iter().filter(|tools| !tools.added.is_empty())
    }
}

/// What changed between two images of one source: as their digests, manifests and configurations say, which costs some
/// hundred bytes, and only then as their files do. Without limits the files are not looked at.
///
/// # Errors
/// What cannot be read of either.
pub fn images(
    content: &mut dyn Content,
    (before, after): (&Descriptor, &Descriptor),
    platform: Option<&str>,
    limits: Option<&Limits>,
) -> Result<SkillChange, InputError> {
    if before.digest == after.digest {
        return Ok(SkillChange::Same);
    }
    let one = inspect::choose(content, before, platform, inspect::DEFAULT_PLATFORM)?;
    let other = inspect::choose(content, after, platform, inspect::DEFAULT_PLATFORM)?;
    let annotations = pairs("", &one.manifest.annotations, &other.manifest.annotations);
    let mut differing = Vec::new();
    for pair in platforms::pairs(content, one, other)? {
        if !same_layers(content, &pair.before.manifest, &pair.after.manifest)? {
            differing.push(pair);
        }
    }
    if differing.is_empty() {
        return Ok(SkillChange::MetadataOnly { annotations });
    }
    let Some(limits) = limits else { return Ok(SkillChange::Layers { annotations }) };
    let limits = Limits { kept_bytes: TEXT_BYTES as u64, ..*limits };
    Ok(match platforms::between(content, differing, &limits)? {
        None => SkillChange::MetadataOnly { annotations },
        Some(change) => SkillChange::Content(Box::new(ContentChange { annotations, ..change })),
    })
}

/// Whether two images unpack to the same files because their layers do. Layers of an artifact are named by annotations as
/// well, so they say nothing.
fn same_layers(content: &mut dyn Content, one: &Manifest, other: &Manifest) -> Result<bool, InputError> {
    if !inspect::is_image(one) || !inspect::is_image(other) || one.layers.len() != other.layers.len() {
        return Ok(false);
    }
    let mut layers = one.layers.iter().zip(&other.layers);
    if layers.all(|(one, other)| one.digest == other.digest && one.media_type == other.media_type) {
        return Ok(true);
    }
    Ok(inspect::diff_ids(content, one)? == inspect::diff_ids(content, other)?)
}

/// How the files of two trees differ; `None` where they have the same identity.
pub fn trees(before: &Tree, after: &Tree) -> Option<ContentChange> {
    let [one, other] = [before, after].map(|tree| identity::of(tree, "").to_string());
    if one == other {
        return None;
    }
    let mut out = ContentChange { before: one, after: other, ..ContentChange::default() };
    for (from, to) in skills(before, after) {
        let folder = to.or(from).unwrap_or_default();
        let [own, new] = [(before, from), (after, to)]
            .map(|(tree, folder)| folder.map(|folder| front(tree, folder)).unwrap_or_default());
        let added: Vec<String> =
            new.tools.iter().filter(|tool| !own.tools.contains(*tool)).cloned().collect();
        let removed: Vec<String> =
            own.tools.iter().filter(|tool| !new.tools.contains(*tool)).cloned().collect();
        if !added.is_empty() || !removed.is_empty() {
            out.allowed_tools.push(Tools { skill: folder.to_owned(), added, removed });
        }
        out.frontmatter.extend(pairs(folder, &own.fields, &new.fields));
    }
    out.files = files::between(before, after);
    Some(out)
}

/// Which texts differ, by key.
fn pairs(skill: &str, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Pair> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    differing
        .map(|key| Pair {
            skill: skill.to_owned(),
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

/// The folders of skills on both sides. The only one of both is the same skill, whatever its folder is called.
fn skills<'t>(before: &'t Tree, after: &'t Tree) -> Vec<(Option<&'t str>, Option<&'t str>)> {
    let (own, new) = (before.skills(), after.skills());
    if let ([own], [new]) = (own.as_slice(), new.as_slice()) {
        return vec![(Some(own), Some(new))];
    }
    let all: BTreeSet<&str> = own.iter().chain(&new).copied().collect();
    let there = |of: &[&'t str], folder: &str| of.iter().copied().find(|one| *one == folder);
    all.into_iter().map(|folder| (there(&own, folder), there(&new, folder))).collect()
}

/// What stands for tools that cannot be read.
const UNCLEAR: &str = "(cannot be read)";

/// What the frontmatter of a skill says.
#[derive(Default)]
struct Front {
    fields: BTreeMap<String, String>,
    tools: BTreeSet<String>,
}

fn front(tree: &Tree, folder: &str) -> Front {
    let file = tree.file(&path::join(folder, "SKILL.md"));
    let read = frontmatter::read(file.and_then(files::kept).unwrap_or_default());
    // Which they are when nobody can say is not "none".
    let tools = read.allowed_tools.unwrap_or_else(|| vec![UNCLEAR.to_owned()]).into_iter().collect();
    let named = [
        ("name", read.name),
        ("description", read.description),
        ("license", read.license),
        ("compatibility", read.compatibility),
    ];
    let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let metadata = read.metadata.into_iter().map(|(key, value)| (format!("metadata.{key}"), value));
    Front { fields: named.chain(metadata).collect(), tools }
}
