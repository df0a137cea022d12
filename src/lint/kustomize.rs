//! Entries of a kustomization's `images` that do not reach the skill that they are about: what kustomize reads of the folders of the
//! manifests in, findings out. By itself kustomize knows the images of containers, and those of lists of skills by a configuration
//! file alone. What is not among the files is taken to be right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::own::{KUSTOMIZE_IMAGE_MISSED, KUSTOMIZE_IMAGE_UNMATCHED};
use super::rule::Rule;
use super::{Finding, Out};
use crate::api::image_reference::name_of;
use crate::api::nearest::{is_slip_of, nearest};
use crate::api::object::ObjectRef;
use crate::manifest::kustomization::{Kustomizations, Reach, plain_path};
use crate::manifest::kustomize_configuration::COMMAND;
use crate::manifest::objects::Object;
use crate::manifest::stream::Source;
use crate::yaml::Step;

/// Who lists an image, and the name of its file.
type Listed<'s> = (ObjectRef, &'s str);

/// `files`: the kustomizations and what else kustomize reads.
pub(super) fn check(files: &[Source], out: &mut Out<'_, '_>) {
    if !files.iter().any(|source| source.text.contains("images")) {
        return;
    }
    let lists = lists(out);
    if lists.is_empty() {
        return;
    }
    let all = All { read: Kustomizations::read(files), files, sources: out.stream.sources() };
    let manifests: BTreeMap<String, &str> =
        all.sources.iter().map(|source| (plain_path(&source.name), source.name.as_str())).collect();
    let kustomizations =
        (0..files.len()).flat_map(|file| all.read.of(file).map(move |(_, object)| (file, object)));
    for (file, object) in kustomizations {
        let Some(entries) = object.value.get("images").and_then(Value::as_array) else { continue };
        let reach = all.read.reach(file, &manifests);
        let within = |(_, file): &&Listed<'_>| reach.files.contains(*file);
        let skills: BTreeMap<&str, Vec<&Listed<'_>>> = lists
            .iter()
            .map(|(name, all)| (name.as_str(), all.iter().filter(within).collect::<Vec<_>>()))
            .filter(|(_, all)| !all.is_empty())
            .collect();
        for (index, entry) in entries.iter().enumerate() {
            let Some(name) = entry.get("name").and_then(Value::as_str) else { continue };
            let entry = Entry { file, object: &object, index, name };
            match skills.get(name) {
                Some(lists) => missed(&all.read, &reach, lists, &entry, out),
                None if reach.is_whole => {
                    let Some(meant) = meant(name, &skills).filter(|_| !all.have(name, &reach)) else {
                        continue;
                    };
                    let message = format!(
                        "no image of what the kustomization is built of is called {name}, and the entry changes nothing"
                    );
                    entry.push(&KUSTOMIZE_IMAGE_UNMATCHED, message, format!("did you mean {meant}?"), out);
                }
                None => {}
            }
        }
    }
}

/// All files: those of kustomize, read, and the manifests.
struct All<'s> {
    read: Kustomizations<'s>,
    files: &'s [Source],
    sources: &'s [Source],
}

/// An entry of `images`.
struct Entry<'e> {
    /// Index of its file among those of kustomize.
    file: usize,
    /// The kustomization.
    object: &'e Object<'e>,
    index: usize,
    name: &'e str,
}

/// The images of lists, without tag and digest, and who lists each.
fn lists<'d>(out: &Out<'_, 'd>) -> BTreeMap<String, Vec<Listed<'d>>> {
    let mut lists: BTreeMap<String, Vec<Listed<'d>>> = BTreeMap::new();
    for item in out.stream.asking() {
        let (source, _) = out.stream.place(item.document());
        // What cannot be read is a finding already.
        let Ok(object) = out.stream.object(item) else { continue };
        for skill in object.pointer("/spec/skills").and_then(Value::as_array).into_iter().flatten() {
            if let Some(image) = skill.get("image").and_then(Value::as_str) {
                let own = (item.id.clone(), out.stream.sources()[source].name.as_str());
                lists.entry(name_of(image).to_owned()).or_default().push(own);
            }
        }
    }
    lists
}

impl Entry<'_> {
    fn push(&self, rule: &'static Rule, message: String, help: String, out: &mut Out<'_, '_>) {
        let at = [Step::from("images"), self.index.into(), "name".into()];
        let said = self.object.error(&at, message, help);
        // After those of the manifests.
        let source = Some(out.stream.sources().len() + self.file);
        let finding = Finding { source, ..out.of(rule, rule.level, &said) };
        out.push(finding);
    }
}

/// An entry for a skill's image whose lists kustomize does not look into.
fn missed(
    read: &Kustomizations<'_>,
    reach: &Reach,
    lists: &[&Listed<'_>],
    entry: &Entry<'_>,
    out: &mut Out<'_, '_>,
) {
    let is_missed = |(id, _): &&&Listed<'_>| !read.has_images_of(&reach.configurations, id);
    let missed: BTreeSet<String> = lists.iter().filter(is_missed).map(|(id, _)| id.to_string()).collect();
    let Some(first) = missed.first() else { return };
    let more = if missed.len() > 1 { format!(" and {} more", missed.len() - 1) } else { String::new() };
    let message = format!(
        "kustomize leaves the image {} of {first}{more} as it is: it does not know that field",
        entry.name
    );
    let help = format!("'{COMMAND}' writes the file that goes under `configurations:` of the base");
    entry.push(&KUSTOMIZE_IMAGE_MISSED, message, help, out);
}

/// The skill's image that an entry may be about that matches nothing.
fn meant<'k>(name: &str, skills: &BTreeMap<&'k str, Vec<&Listed<'_>>>) -> Option<&'k str> {
    // kustomize takes names for patterns.
    if name.contains(|c: char| "\\*+?()|[]{}^$".contains(c)) {
        return None;
    }
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let slip = nearest(name, skills.keys().copied()).filter(|known| is_slip_of(name, known));
    slip.or_else(|| skills.keys().copied().find(|known| last(known) == last(name)))
}

impl All<'_> {
    /// Whether a name may be that of any image: it stands anywhere in what a kustomization is built of, or another entry makes it.
    fn have(&self, name: &str, reach: &Reach) -> bool {
        let manifests = self.sources.iter().filter(|source| reach.files.contains(&source.name));
        // Patches and the like.
        let others = self.files.iter().enumerate().filter(|(index, _)| self.read.of(*index).next().is_none());
        if manifests.chain(others.map(|(_, source)| source)).any(|source| names(&source.text, name)) {
            return true;
        }
        reach.kustomizations.iter().flat_map(|index| self.read.of(*index)).any(|(_, object)| {
            let fields = object.value.as_object().into_iter().flatten();
            let entries = object.value.get("images").and_then(Value::as_array).into_iter().flatten();
            fields.filter(|(key, _)| *key != "images").any(|(_, value)| names(&value.to_string(), name))
                || entries.into_iter().any(|entry| entry.get("newName").and_then(Value::as_str) == Some(name))
        })
    }
}

/// Whether a text has a name as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(goes_on) && !text[at + name.len()..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_within_another_is_none() {
        for (text, found) in [
            ("image: acme/pdf:1", true),
            ("image: 'acme/pdf'", true),
            ("image: acme/pdfs:1", false),
            ("image: reg/acme/pdf:1", false),
        ] {
            assert_eq!(names(text, "acme/pdf"), found, "{text}");
        }
    }
}
