//! What an update writes: manifests, kustomizations and the lock with other references, all of them or none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::image_reference::key;
use kubectl_skills::manifest::kustomize_images::{self, ImageEntry};
use kubectl_skills::manifest::render::Edited;
use kubectl_skills::manifest::skill_images::rename;
use kubectl_skills::skill::lock::{self, Entry};

use super::super::images_in_use::LockFile;
use super::{Files, Update};
use crate::exit::Failure;
use crate::in_place::{self, Change};
use crate::source::Inputs;

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

/// The lock with the new images. The old ones stay, but for a digest under the same tag: manifests that were not given may name
/// them, and without its entry a tag that has moved would be locked as a new one, no matter who signed it.
fn locked(entries: &[Entry], text: &str, file: &str, updates: &[Update]) -> Result<String, Vec<InputError>> {
    let mut wanted: Vec<Entry> = entries.to_vec();
    for new in updates.iter().filter_map(|update| update.entry.as_ref()) {
        wanted.retain(|entry| key(&entry.image) != key(&new.image));
        wanted.push(new.clone());
    }
    lock::edit(text, file, &wanted)
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

/// The file of a page: it is open before anything is written, and gets its text after all else.
pub struct Page<'p> {
    path: &'p Path,
    file: File,
    is_new: bool,
}

impl<'p> Page<'p> {
    /// Refuses a file that is read, and one that people take for a manifest.
    pub fn check(path: &Path, inputs: &Inputs, lock: Option<&LockFile>) -> Result<(), Failure> {
        let Ok(real) = path.canonicalize() else { return Ok(()) };
        let read = inputs.paths.iter().flatten().chain(&inputs.kustomizations);
        let mut read = read.chain(lock.map(|lock| &lock.path));
        let is_manifest = real.is_file()
            && real
                .extension()
                .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|own| ending == *own));
        if is_manifest || read.any(|path| path.canonicalize().is_ok_and(|path| path == real)) {
            let path = path.display();
            return Err(Failure::Usage(format!(
                "--pr-body {path}: a manifest, a kustomization or a lock stands there; name a file for Markdown"
            )));
        }
        Ok(())
    }

    /// Opens it; what it holds stays.
    pub fn open(path: &'p Path) -> Result<Self, Failure> {
        let is_new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| Failure::Io(path.display().to_string(), error))?;
        Ok(Self { path, file, is_new })
    }

    /// Writes the text.
    pub fn write(mut self, text: &str) -> Result<(), Failure> {
        // A pipe has no length.
        let is_file = self.file.metadata().is_ok_and(|about| about.is_file());
        let emptied = if is_file { self.file.set_len(0) } else { Ok(()) };
        let written = emptied.and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|error| Failure::Io(self.path.display().to_string(), error))
    }

    /// Nothing else was written: the file is as it was.
    pub fn leave(self) {
        if self.is_new {
            // An empty file that stays does no harm.
            let _ = std::fs::remove_file(self.path);
        }
    }
}
