//! What a folder holds while a run writes its new content, and no longer: a folder in it, where that is put together and from where
//! it changes places with the old. One run at a time has it, and what a run that was ended has moved is moved back by the next.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::refused;

use super::unpack::unwritten;

/// Its name.
pub const STAGE: &str = ".kubectl-skills-pull";
/// The file that the run holds whose it is.
const LOCK: &str = "lock";
/// There while entries are moved: the names of the new ones, a line each.
const MARK: &str = "moving";
/// The new entries.
const TREE: &str = "tree";
/// Those that were there.
const OLD: &str = "old";
/// How often a stage may go away while it is opened.
const ATTEMPTS: usize = 16;

/// A path, and what the system said of it.
pub type At = (PathBuf, io::Error);

/// The stage of a folder, which this run alone has.
pub struct Stage {
    folder: PathBuf,
    at: PathBuf,
    /// Held until this is dropped.
    _lock: Option<File>,
    /// It is not to be removed: it is gone, or has what cannot be moved back.
    stays: bool,
}

/// Whether a run has left one, or is at work.
pub fn is_left(folder: &Path) -> bool {
    is_there(&folder.join(STAGE))
}

/// The entries of a folder but for one.
pub fn others(folder: &Path, but: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.iter().filter(|entry| entry.file_name() != but).map(fs::DirEntry::path).collect())
}

impl Stage {
    /// An empty one. What a run that was ended has moved is moved back.
    ///
    /// # Errors
    /// Another run has it, or something cannot be moved back, which the error names.
    pub fn begin(folder: &Path) -> Result<Self, InputError> {
        let at = folder.join(STAGE);
        let lock = locked(folder, &at)?;
        let stage = Self { folder: folder.to_owned(), at, _lock: lock, stays: false };
        stage.undo().map_err(|failed| stage.stuck(&failed))?;
        stage.clear().map_err(|(path, error)| unwritten(&path, &error))?;
        Ok(stage)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    /// Puts what is in `tree` in the place of all that is in the folder.
    ///
    /// # Errors
    /// Something cannot be moved; what was moved by then is moved back, or the error says where it is.
    pub fn swap(&mut self) -> Result<(), InputError> {
        let tree = self.path(TREE);
        let new = others(&tree, "").map_err(|error| unwritten(&tree, &error))?;
        let names = new.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        self.swap_with(&names.collect::<Vec<_>>())
    }

    fn swap_with(&mut self, names: &[String]) -> Result<(), InputError> {
        let mark = self.path(MARK);
        let moved = self.moves(names).and_then(|()| fs::remove_file(&mark).map_err(|error| (mark, error)));
        let Err((path, error)) = moved else { return Ok(()) };
        if let Err(failed) = self.undo() {
            self.stays = true;
            return Err(self.stuck(&failed));
        }
        Err(unwritten(&path, &error))
    }

    fn moves(&self, names: &[String]) -> Result<(), At> {
        let (draft, old) = (self.path("moving.new"), self.path(OLD));
        let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
        // It is there whole, or not at all.
        fs::write(&draft, lines)
            .and_then(|()| fs::rename(&draft, self.path(MARK)))
            .map_err(|error| (draft, error))?;
        fs::create_dir_all(&old).map_err(|error| (old.clone(), error))?;
        for path in others(&self.folder, STAGE).map_err(|error| (self.folder.clone(), error))? {
            fs::rename(&path, old.join(path.file_name().unwrap_or_default()))
                .map_err(|error| (path, error))?;
        }
        for name in names {
            let to = self.folder.join(name);
            fs::rename(self.path(TREE).join(name), &to).map_err(|error| (to, error))?;
        }
        Ok(())
    }

    /// Moves back what was moved, where that had begun and not ended. What was interrupted can be run again.
    fn undo(&self) -> Result<(), At> {
        let (mark, old) = (self.path(MARK), self.path(OLD));
        if !is_there(&mark) {
            return Ok(());
        }
        let names = fs::read_to_string(&mark).map_err(|error| (mark.clone(), error))?;
        for name in names.lines() {
            let (new, at) = (self.path(TREE).join(name), self.folder.join(name));
            if !is_there(&new) && is_there(&at) {
                fs::rename(&at, new).map_err(|error| (at, error))?;
            }
        }
        let was = if is_there(&old) { others(&old, "").map_err(|error| (old, error))? } else { Vec::new() };
        for path in was {
            let to = self.folder.join(path.file_name().unwrap_or_default());
            if is_there(&to) {
                return Err((to, ErrorKind::AlreadyExists.into()));
            }
            fs::rename(&path, &to).map_err(|error| (to, error))?;
        }
        fs::remove_file(&mark).map_err(|error| (mark, error))
    }

    /// That nothing but a person can put the folder right.
    fn stuck(&self, (path, error): &At) -> InputError {
        let old = self.path(OLD);
        let help = format!(
            "what was there before is in {}: move it back, and remove {}",
            old.display(),
            self.at.display()
        );
        let failed = unwritten(path, error);
        InputError { message: format!("{}, while entries were moved back", failed.message), help, ..failed }
    }

    /// Removes it; what it cannot remove, with the rest, stays. A second call does nothing once it is gone.
    ///
    /// # Errors
    /// The first that cannot be removed.
    pub fn remove(&mut self) -> Result<(), At> {
        if self.stays {
            return Ok(());
        }
        self.clear()?;
        self.stays = true;
        let lock = self.path(LOCK);
        fs::remove_file(&lock).map_err(|error| (lock, error))?;
        match fs::remove_dir(&self.at) {
            // From here on it may be that of the next run.
            Err(error) if !matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
                Err((self.at.clone(), error))
            }
            _ => Ok(()),
        }
    }

    /// Removes all but the lock.
    fn clear(&self) -> Result<(), At> {
        for path in others(&self.at, LOCK).map_err(|error| (self.at.clone(), error))? {
            let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| (path, error))?;
        }
        Ok(())
    }
}

/// The lock of a stage, which is made where there is none; none where the file system has no locks.
fn locked(folder: &Path, at: &Path) -> Result<Option<File>, InputError> {
    let path = at.join(LOCK);
    let busy = || {
        let message = format!("{}: another run is writing it", folder.display());
        refused(message, "run again when it has ended")
    };
    for _ in 0..ATTEMPTS {
        match fs::create_dir(at) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unwritten(at, &error)),
            Err(_) if at.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) => {
                let message = format!("{}: is no folder of this program", at.display());
                return Err(refused(message, "remove it, or name another folder"));
            }
            _ => {}
        }
        let file = match File::options().create(true).truncate(false).write(true).open(&path) {
            // The run that had it has just removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            file => file.map_err(|error| unwritten(&path, &error))?,
        };
        match file.try_lock() {
            Ok(()) if is_same(&file, &path) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy()),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(unwritten(&path, &error)),
        }
    }
    Err(busy())
}

/// Whether a file is still the one at its path.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().ok().map(place).is_some_and(|own| fs::metadata(path).ok().map(place) == Some(own))
}

/// Whether a file is still the one at its path: none other gets that while it is open.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<(String, String)> {
        let mut out: Vec<_> = others(folder, STAGE)
            .expect("a folder")
            .into_iter()
            .map(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (name, fs::read_to_string(path).expect("text"))
            })
            .collect();
        out.sort();
        out
    }

    /// A move that fails amid the others must not leave half of each: an agent would read files of two versions.
    #[test]
    fn a_move_that_fails_is_undone() {
        let work = tempfile::tempdir().expect("a folder");
        for name in ["SKILL.md", "old.md"] {
            fs::write(work.path().join(name), "old").expect("a file");
        }
        let before = names(work.path());
        let mut stage = Stage::begin(work.path()).expect("a stage");
        fs::create_dir(stage.path(TREE)).expect("a folder");
        fs::write(stage.path(TREE).join("SKILL.md"), "new").expect("a file");
        let failed = stage.swap_with(&["SKILL.md".into(), "gone".into()]).expect_err("gone is not there");
        let path = work.path().join("gone");
        assert!(failed.message.starts_with(&format!("{}: cannot be written: ", path.display())), "{failed}");
        assert_eq!(names(work.path()), before);
        assert!(stage.swap().is_ok());
        assert_eq!(names(work.path()), [("SKILL.md".to_owned(), "new".to_owned())]);
        assert!(stage.remove().is_ok() && !is_left(work.path()));
    }

    /// What somebody has put where an old file was is his; neither may go.
    #[test]
    fn what_cannot_be_moved_back_stays_and_is_named() {
        let work = tempfile::tempdir().expect("a folder");
        let old = work.path().join(STAGE).join(OLD);
        fs::create_dir_all(&old).expect("a folder");
        fs::write(old.join("a.md"), "old").expect("a file");
        fs::write(work.path().join(STAGE).join(MARK), "SKILL.md\n").expect("a mark");
        fs::write(work.path().join("a.md"), "mine").expect("a file");
        for _ in 0..2 {
            let failed = Stage::begin(work.path()).err().expect("two of a name");
            let path = work.path().join("a.md");
            assert!(failed.message.starts_with(&path.display().to_string()), "{failed:?}");
            assert!(failed.help.contains(&old.display().to_string()), "{failed:?}");
        }
        assert_eq!(fs::read_to_string(old.join("a.md")).expect("there"), "old");
        assert_eq!(names(work.path()), [("a.md".to_owned(), "mine".to_owned())]);
    }

    /// A link of that name would have the stage, and what is removed of it, elsewhere.
    #[cfg(unix)]
    #[test]
    fn a_stage_that_is_a_link_is_refused() {
        let work = tempfile::tempdir().expect("a folder");
        let elsewhere = work.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a folder");
        fs::write(elsewhere.join("a.md"), "mine").expect("a file");
        std::os::unix::fs::symlink(&elsewhere, work.path().join(STAGE)).expect("a link");
        let failed = Stage::begin(work.path()).err().expect("refused");
        assert!(failed.message.ends_with("is no folder of this program"), "{failed:?}");
        assert_eq!(names(&elsewhere), [("a.md".to_owned(), "mine".to_owned())]);
    }
}
