//! What an update writes: manifests, kustomizations and the lock with other references, all of them or none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::manifest::kustomize_images::{self, ImageEntry};
use kubectl_skills::manifest::render::Edited;
use kubectl_skills::manifest::skill_images::rename;
use kubectl_skills::skill::lock::{self, Entry};

use super::{Files, Update};
use crate::exit::Failure;
use crate::in_place::{self, Change};

/// The texts that are to be written.
pub struct Written {
    /// The manifests.
    pub manifests: Edited,
    /// Kustomizations and the lock: where, before, after.
    others: Vec<(PathBuf, String, String)>,
}

/// Edits all texts; nothing is written yet.
pub fn prepare(
    files: &Files<'_>,
    updates: &[Update],
    names: &BTreeMap<String, String>,
) -> Result<Written, Failure> {
    let mut errors: Vec<InputError> = Vec::new();
    let manifests = rename(files.stream, files.kinds, names).unwrap_or_else(|mut more| {
        errors.append(&mut more);
        Edited::default()
    });
    let mut others = Vec::new();
    for (at, file) in files.found.kustomizations.iter().enumerate() {
        let own = updates.iter().flat_map(|update| {
            let entries = update.used.entries.iter().filter(move |(of, _)| *of == at);
            entries.map(|(_, entry)| entry.with(&update.new.tag, update.new.digest.as_str()))
        });
        let wanted: Vec<ImageEntry> = own.collect();
        match kustomize_images::edit(&file.text, &file.path.display().to_string(), &wanted) {
            Ok(after) => others.push((file.path.clone(), file.text.clone(), after)),
            Err(mut more) => errors.append(&mut more),
        }
    }
    if let Some(file) = files.lock {
        match locked(file.lock.entries(), &file.text, &file.path.display().to_string(), updates) {
            Ok(after) => others.push((file.path.clone(), file.text.clone(), after)),
            Err(mut more) => errors.append(&mut more),
        }
    }
    others.retain(|(_, before, after)| before != after);
    if errors.is_empty() { Ok(Written { manifests, others }) } else { Err(Failure::Input(errors)) }
}

/// The lock with the new images in the places of the old ones. What stands around an entry stays with it.
fn locked(entries: &[Entry], text: &str, file: &str, updates: &[Update]) -> Result<String, Vec<InputError>> {
    let mut wanted: Vec<Entry> = entries.to_vec();
    let mut replaced: BTreeMap<String, Entry> = BTreeMap::new();
    let there = |image: &str| entries.iter().any(|entry| entry.image == image);
    for update in updates {
        let Some(new) = &update.entry else { continue };
        let own = lock::Lock::new(wanted.clone()).find(&update.used.image).map(|entry| entry.image.clone());
        wanted.retain(|entry| entry.image != new.image && Some(&entry.image) != own.as_ref());
        wanted.push(new.clone());
        // Two entries do not become one by an edit of either.
        if let Some(own) = own.filter(|own| *own == new.image || !there(&new.image)) {
            replaced.insert(own, new.clone());
        }
    }
    let text = lock::replace(text, file, &replaced)?;
    lock::edit(&text, file, &wanted)
}

impl Written {
    /// The files beyond the manifests.
    pub fn others(&self) -> Vec<String> {
        self.others.iter().map(|(path, ..)| path.display().to_string()).collect()
    }

    /// Writes all of it.
    pub fn carry_out(&self, files: &Files<'_>) -> Result<(), Failure> {
        let inputs = files.inputs;
        let mut roots: BTreeSet<PathBuf> = inputs.roots.clone();
        if let Some(lock) = files.lock {
            roots.extend(lock.path.canonicalize());
        }
        let sources = inputs.sources.iter().zip(&inputs.paths).enumerate();
        let of_manifests = sources.filter(|(index, _)| self.manifests.is_changed(*index)).filter_map(
            |(index, (source, path))| {
                let after = self.manifests.chunks(index, &source.text).collect();
                Some(Change { path: path.as_deref()?, before: &source.text, after })
            },
        );
        let of_others = self.others.iter().map(|(path, before, after)| Change {
            path,
            before,
            after: vec![after.as_str()],
        });
        let changes: Vec<Change<'_>> = of_manifests.chain(of_others).collect();
        in_place::clean(changes.iter().map(|change| change.path));
        in_place::write(&changes, &roots).map(drop)
    }
}

/// Writes a page that nothing else reads.
#[allow(clippy::disallowed_methods, reason = "the file that --pr-body names")]
pub fn page(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::Io(path.display().to_string(), error))
}
