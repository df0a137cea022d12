//! One file and its replacement: written alongside, compared, exchanged, compared again. Which files are written, and
//! what is reported, is left to the parent.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use tempfile::TempPath;

use super::{Change, attributes, defect, leftovers, without_name};

const CHANGED: &str = "changed on disk since it was read, and is left as it is";
const AGAIN: &str = "run the command again";

/// A new text alongside its file, which is still the old one.
pub(super) struct Replacement<'t> {
    change: &'t Change<'t>,
    /// The file, symbolic links followed.
    real: PathBuf,
    /// Removed when it is dropped. No descriptor is kept.
    beside: TempPath,
}

/// A file that is in place; the old one stands alongside it until it is certain that nobody has written to it.
pub(super) struct Exchanged<'t> {
    replacement: Replacement<'t>,
    /// Whether `beside` holds the old file. Where files cannot be exchanged it is gone.
    kept: bool,
}

impl<'t> Replacement<'t> {
    /// Writes the new text alongside the file.
    pub(super) fn prepare(change: &'t Change<'t>, roots: &BTreeSet<PathBuf>) -> Result<Self, InputError> {
        let path = change.path;
        let failed = |error: std::io::Error| defect(path, error.to_string(), "");
        let real = path.canonicalize().map_err(failed)?;
        if !roots.iter().any(|root| real.starts_with(root)) {
            return Err(defect(
                path,
                format!("is a link to {}, outside of the folders that were given", real.display()),
                "give that file with -f as well, or leave the link out with --exclude",
            ));
        }
        let metadata = real.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(defect(path, "is not a regular file, and -i writes into files", "leave -i out"));
        }
        // A rename would replace what its owner has protected.
        if metadata.permissions().readonly() {
            return Err(defect(path, "the file is read-only", "allow writing: chmod u+w"));
        }
        std::fs::OpenOptions::new().append(true).open(&real).map_err(failed)?;
        if !holds(&real, &[change.before]) {
            return Err(defect(path, "changed on disk since it was read; nothing is written", AGAIN));
        }
        let folder = real.parent().unwrap_or(Path::new("/"));
        let mut file = leftovers::builder().tempfile_in(folder).map_err(|error| {
            let error = without_name(&error);
            defect(path, format!("cannot write a new file alongside it: {error}"), "")
        })?;
        for piece in &change.after {
            file.write_all(piece.as_bytes()).map_err(failed)?;
        }
        attributes::keep(path, &real, file.as_file(), &metadata).map_err(failed)?;
        // A crash of the machine after the rename must not leave an empty file.
        file.as_file().sync_all().map_err(failed)?;
        Ok(Self { change, real, beside: file.into_temp_path() })
    }

    /// Puts the new file in place, unless the one on disk is not the one that was read.
    pub(super) fn exchange(self) -> Result<Exchanged<'t>, InputError> {
        let path = self.change.path;
        if !holds(&self.real, &[self.change.before]) {
            return Err(defect(path, CHANGED, AGAIN));
        }
        match swap(&self.beside, &self.real) {
            Ok(true) => Exchanged { replacement: self, kept: true }.check(),
            Ok(false) => {
                let rename = std::fs::rename(&self.beside, &self.real);
                rename.map_err(|error| defect(path, error.to_string(), ""))?;
                Ok(Exchanged { replacement: self, kept: false })
            }
            Err(error) => Err(defect(path, error.to_string(), "")),
        }
    }
}

impl<'t> Exchanged<'t> {
    pub(super) fn folder(&self) -> Option<&Path> {
        self.replacement.real.parent()
    }

    /// Removes the old file. An editor that had it open and wrote to it meanwhile gets it back.
    pub(super) fn finish(self) -> Result<&'t Path, InputError> {
        self.check().map(|one| one.replacement.change.path)
    }

    /// The old file must hold what was read: somebody may have written between the comparison and the exchange.
    fn check(self) -> Result<Self, InputError> {
        let Replacement { change, real, beside } = &self.replacement;
        if !self.kept || holds(beside, &[change.before]) {
            return Ok(self);
        }
        match swap(beside, real) {
            Ok(true) if holds(beside, &change.after) => Err(defect(change.path, CHANGED, AGAIN)),
            // Written to before and after the exchange: both texts are somebody's work.
            other => {
                let failed = other.err().map_or(String::new(), |error| format!(" ({error})"));
                let path = change.path;
                let kept =
                    self.replacement.beside.keep().map_err(|error| defect(path, error.to_string(), ""))?;
                let message = format!(
                    "changed on disk several times while it was written{failed}; the other text is in {}",
                    kept.display()
                );
                Err(defect(path, message, "bring both together by hand"))
            }
        }
    }
}

/// Whether a regular file holds exactly these pieces.
fn holds(path: &Path, pieces: &[&str]) -> bool {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let is_so_long =
        path.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() == length as u64);
    is_so_long
        && std::fs::read(path).is_ok_and(|bytes| {
            let mut rest = bytes.as_slice();
            pieces.iter().all(|piece| match rest.strip_prefix(piece.as_bytes()) {
                Some(more) => {
                    rest = more;
                    true
                }
                None => false,
            }) && rest.is_empty()
        })
}

/// Exchanges two files at one moment, so that what stood in a place at that moment can still be looked at. False where
/// the file system cannot: NFS, some FUSE file systems, other systems than Linux and macOS.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn swap(one: &Path, other: &Path) -> std::io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn swap(_: &Path, _: &Path) -> std::io::Result<bool> {
    Ok(false)
}
