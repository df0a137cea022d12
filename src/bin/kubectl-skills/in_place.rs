//! Writes files in place: each file is at every moment wholly the old one or wholly the new one. What to write is
//! decided by `render`; reading files is left to `source`.
//!
//! The order: every new text is written alongside its file and synced; then, file by file, the file on disk is compared
//! with what was read, exchanged with the new one, and compared again. An error before the first exchange changes
//! nothing. After it, a file that somebody else has changed is left as it is, and all others are written: several files
//! cannot be replaced at one moment. The descriptors that are open at once do not depend on the number of files.

mod attributes;
pub mod leftovers;
mod replacement;
mod signals;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Origin;

use crate::exit::{Failure, Outcome, Run};
use crate::notes;
use replacement::Replacement;
use signals::Signals;

/// How long the old files are kept after the last exchange: anyone who had one open to append a line has written by then, and
/// gets it back.
const GRACE: Duration = Duration::from_millis(50);
/// Most names that one message lists.
const LISTED: usize = 10;

/// A file and the text that it shall have.
pub struct Change<'t> {
    /// Path as the user wrote it.
    pub path: &'t Path,
    /// The text that was read.
    pub before: &'t str,
    /// The new text, in pieces.
    pub after: Vec<&'t str>,
}

/// Removes what runs that were killed have left in the folders of these files.
pub fn clean<'p>(files: impl IntoIterator<Item = &'p Path>) {
    let folders: BTreeSet<PathBuf> = files.into_iter().filter_map(|file| folder_of(file).ok()).collect();
    let removed: usize = folders.iter().map(|folder| leftovers::remove(folder)).sum();
    if removed > 0 {
        notes::note(&format!("{removed} temporary files of an earlier run, which was killed, are removed"));
    }
}

/// Writes all changes. `roots` are the folders and files that were named, without symbolic links: no file outside of
/// them is written.
///
/// Ends the process by the signal if one arrives meanwhile, after the temporary files are removed.
///
/// # Errors
/// Before the first file is written: everything that stands against writing any of them. Later: each file that could not
/// be replaced; the notes say which were.
pub fn write(changes: &[Change<'_>], roots: &BTreeSet<PathBuf>) -> Run {
    let signals = Signals::catch()?;
    let mut ready = Vec::with_capacity(changes.len());
    let mut errors = Vec::new();
    for change in changes {
        if signals.caught() {
            break;
        }
        match Replacement::prepare(change, roots) {
            Ok(replacement) => ready.push(replacement),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::Input(errors));
    }
    let done = exchange(ready, &signals, &mut errors);
    let written: BTreeSet<&Path> = done.iter().copied().collect();
    for path in &done {
        notes::note(&format!("{} rewritten", path.display()));
    }
    let left: Vec<&Path> =
        changes.iter().map(|change| change.path).filter(|path| !written.contains(path)).collect();
    if let Some(signal) = signals.first() {
        notes::error(&format!("stopped by {signal}: {}", summary(changes.len(), &left)));
        signals.end();
    }
    if errors.is_empty() {
        return Ok(Outcome::Done);
    }
    errors.push(InputError { message: summary(changes.len(), &left), ..InputError::default() });
    Err(Failure::Input(errors))
}

/// Writes a file that is not there, whole or not at all.
///
/// # Errors
/// It is there meanwhile, or cannot be written.
pub fn create(path: &Path, text: &str) -> Result<(), Failure> {
    // A dangling link would be replaced by the file, and not what it points at.
    if path.symlink_metadata().is_ok_and(|about| about.is_symlink()) {
        let help = "make what it points at, or remove the link";
        return Err(defect(path, "is a link to a file that is not there", help).into());
    }
    let written = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = leftovers::file_in(parent)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map(drop).map_err(std::io::Error::from)
    };
    written().map_err(|error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => defect(
            path,
            "somebody else has written it meanwhile, and it stays as it is",
            "run the command again",
        )
        .into(),
        _ => Failure::Io(path.display().to_string(), without_name(&error)),
    })?;
    notes::note(&format!("{} written", path.display()));
    Ok(())
}

/// What the system said, without the temporary name that tempfile adds, which says nothing.
fn without_name(error: &std::io::Error) -> std::io::Error {
    let text = error.to_string();
    std::io::Error::new(error.kind(), text.split(" at path ").next().unwrap_or(&text).to_owned())
}

/// Puts the new files in place and returns the paths of those that are.
fn exchange<'t>(
    ready: Vec<Replacement<'t>>,
    signals: &Signals,
    errors: &mut Vec<InputError>,
) -> Vec<&'t Path> {
    let mut exchanged = Vec::with_capacity(ready.len());
    for replacement in ready {
        if signals.caught() {
            // Those that follow are dropped, and their temporary files with them.
            break;
        }
        match replacement.exchange() {
            Ok(one) => exchanged.push(one),
            Err(error) => errors.push(error),
        }
    }
    if !exchanged.is_empty() {
        std::thread::sleep(GRACE);
    }
    let mut folders = BTreeSet::new();
    let mut done = Vec::with_capacity(exchanged.len());
    for one in exchanged {
        folders.extend(one.folder().map(Path::to_owned));
        match one.finish() {
            Ok(path) => done.push(path),
            Err(error) => errors.push(error),
        }
    }
    for folder in folders {
        // A crash of the machine may undo the renames, and nothing worse.
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    done
}

fn summary(all: usize, left: &[&Path]) -> String {
    let written = all - left.len();
    if left.is_empty() {
        return format!("all {all} files are written");
    }
    let names: Vec<String> = left.iter().take(LISTED).map(|path| path.display().to_string()).collect();
    let more = match left.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{written} of {all} files are written; not written: {}{more}", names.join(", "))
}

/// The folder in which a file stands, symbolic links followed.
fn folder_of(path: &Path) -> std::io::Result<PathBuf> {
    let real = path.canonicalize()?;
    Ok(real.parent().unwrap_or(Path::new("/")).to_owned())
}

fn defect(path: &Path, message: impl Into<String>, help: impl Into<String>) -> InputError {
    InputError {
        origin: Origin { file: path.display().to_string(), ..Origin::default() },
        message: message.into(),
        help: help.into(),
        ..InputError::default()
    }
}
