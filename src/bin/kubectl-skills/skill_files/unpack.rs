//! The files of an image in a folder: bytes as they are read in, the folder as an image volume would show it out. A folder changes
//! only when all is read and checked; what a run that failed or was ended has moved by then is moved back, by it or by the next.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::content::{Failed, Keep};
use kubectl_skills::skill::tree::{Content, File as TreeFile, Tree};
use kubectl_skills::skill::{identity, refused};

use super::stage::{self, STAGE, Stage, others};
use crate::notes;

/// Mode of files: whoever the agent runs as may read them.
const FILE: u32 = 0o644;
/// Of programs and folders.
const OPEN: u32 = 0o755;

/// A folder that is being written.
pub struct Unpacker {
    folder: PathBuf,
    stage: Stage,
    /// The folder was made for this.
    made: bool,
    /// The file that is being read.
    file: Option<File>,
}

impl Unpacker {
    /// Begins with a folder, which is made where there is none. `replace`: what is in it goes; without it the folder has to be empty
    /// once what a run of this program has left that was ended is undone.
    ///
    /// # Errors
    /// There is something in it, another run writes it, or it cannot be written. The folder is as it was.
    pub fn open(folder: &Path, replace: bool) -> Result<Self, InputError> {
        let made = !folder.exists();
        if made {
            fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
        }
        let free = || match others(folder, STAGE) {
            Ok(found) if found.is_empty() || replace => Ok(()),
            Ok(_) => {
                let message = format!("{}: is not empty, and nothing was written", folder.display());
                Err(refused(message, "name another folder; or --replace, which removes what is in it"))
            }
            Err(error) => Err(unwritten(folder, &error)),
        };
        // What is somebody's is not even written to for a moment.
        if !stage::is_left(folder) {
            free()?;
        }
        let stage = Stage::begin(folder)?;
        let unpacker = Self { folder: folder.to_owned(), stage, made, file: None };
        free()?;
        for part in ["blobs", "tree"] {
            let path = unpacker.stage.path(part);
            fs::create_dir(&path).map_err(|error| unwritten(&path, &error))?;
        }
        Ok(unpacker)
    }

    /// Puts the files of a tree in place, whose bytes have all been passed on.
    ///
    /// # Errors
    /// A name is one that a run needs itself, or something cannot be moved. The folder is as it was, or the error says where its
    /// files are.
    pub fn finish(mut self, tree: &Tree) -> Result<(), InputError> {
        let root = self.stage.path("tree");
        let mut uses: HashMap<[u8; 32], usize> = HashMap::new();
        for file in &tree.files {
            if let Content::File(facts) = &file.content {
                *uses.entry(facts.sha256).or_default() += 1;
            }
        }
        for file in &tree.files {
            if file.path.split('/').next() == Some(STAGE) {
                return Err(refused(
                    format!("{}: no skill has such a name", file.path),
                    "build the image again",
                ));
            }
            self.place(&root, file, &mut uses)
                .map_err(|error| unwritten(&self.folder.join(&file.path), &error))?;
        }
        self.stage.swap()?;
        self.made = false;
        if let Err((path, error)) = self.stage.remove() {
            // The folder is what was asked for, and it cannot be both.
            notes::warning(&format!(
                "{}: {error}: what was in {} before could not all be removed; remove it yourself",
                path.display(),
                self.folder.display()
            ));
        }
        Ok(())
    }

    fn place(&self, root: &Path, file: &TreeFile, uses: &mut HashMap<[u8; 32], usize>) -> io::Result<()> {
        let at = root.join(&file.path);
        folders(root, at.parent().unwrap_or(root))?;
        match &file.content {
            Content::Link(target) => link(target, &at),
            Content::File(facts) => {
                let blob = self.blob(&facts.sha256);
                let left = uses.get_mut(&facts.sha256);
                // The last that has these bytes takes them.
                if left.is_none_or(|left| {
                    *left -= 1;
                    *left == 0
                }) {
                    fs::rename(blob, &at)?;
                } else {
                    fs::copy(blob, &at)?;
                }
                mode(&at, if facts.executable { OPEN } else { FILE })
            }
        }
    }

    fn blob(&self, sha256: &[u8; 32]) -> PathBuf {
        self.stage.path("blobs").join(identity::hex(sha256))
    }
}

impl Keep for Unpacker {
    fn begin(&mut self) -> io::Result<()> {
        let path = self.stage.path("file");
        self.file = Some(File::create(&path).map_err(|error| named(&path, &error))?);
        Ok(())
    }

    fn bytes(&mut self, part: &[u8]) -> io::Result<()> {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(part));
        written.map_err(|error| named(&self.stage.path("file"), &error))
    }

    fn end(&mut self, sha256: &[u8; 32]) -> io::Result<()> {
        self.file = None;
        let to = self.blob(sha256);
        fs::rename(self.stage.path("file"), &to).map_err(|error| named(&to, &error))
    }
}

impl Drop for Unpacker {
    /// What was read of an image that is refused is no result.
    fn drop(&mut self) {
        // Why the run failed is what counts; the next one removes what this one cannot.
        let _ = self.stage.remove();
        if self.made {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// An error with its path, for who passes on errors alone.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Makes the folders on the way from the root, each open to all.
fn folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    folders(root, folder.parent().unwrap_or(root))?;
    fs::create_dir(folder)?;
    mode(folder, OPEN)
}

#[cfg(unix)]
fn mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn link(_: &str, _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "a symbolic link, which is not made on this system"))
}

/// What a path cannot be written for.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> InputError {
    let failed = InputError::from(Failed::output(error));
    InputError { message: format!("{}: {}", path.display(), failed.message), ..failed }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kubectl_skills::skill::facts::Reading;
    use kubectl_skills::skill::limits::{Limits, Spent};

    use super::*;

    const FILES: [(&str, &str, bool); 4] = [
        ("SKILL.md", "skill", false),
        ("assets/a.bin", "\0same", false),
        ("assets/b.bin", "\0same", false),
        ("scripts/deep/run.sh", "#!/bin/sh", true),
    ];

    /// Passes the files on, and one more that no tree has.
    fn read(unpacker: &mut Unpacker) -> Tree {
        let limits = Limits::default();
        let mut files = Vec::new();
        for (path, text, executable) in
            FILES.into_iter().chain([("gone", "removed by an upper layer", false)])
        {
            let reading = Reading { size: text.len() as u64, executable, limits: &limits };
            let facts = reading.facts_keeping(&mut text.as_bytes(), path, &mut Spent::default(), unpacker);
            files.push(TreeFile {
                path: path.into(),
                content: Content::File(facts.expect("bytes")),
                closed: false,
            });
        }
        files.pop();
        files.insert(
            1,
            TreeFile { path: "alias".into(), content: Content::Link("SKILL.md".into()), closed: false },
        );
        Tree { files }
    }

    fn there(folder: &Path) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut todo = vec![folder.to_owned()];
        while let Some(at) = todo.pop() {
            for entry in fs::read_dir(at).expect("a folder").flatten() {
                if entry.file_type().expect("a type").is_dir() {
                    todo.push(entry.path());
                } else {
                    let path = entry.path();
                    let below = path.strip_prefix(folder).expect("below").display().to_string();
                    out.insert(below, fs::read_to_string(&path).expect("text"));
                }
            }
        }
        out
    }

    fn wanted() -> BTreeMap<String, String> {
        let files = FILES.iter().map(|(path, text, _)| ((*path).to_owned(), (*text).to_owned()));
        files.chain([("alias".to_owned(), "skill".to_owned())]).collect()
    }

    /// A container that is started again finds what its last start left: everything, or a part.
    #[test]
    fn whatever_was_left_the_folder_is_the_skill() {
        let work = tempfile::tempdir().expect("a folder");
        let folder = work.path().join("skill");
        let run = |replace| {
            let mut unpacker = Unpacker::open(&folder, replace).map_err(|error| error.message)?;
            let tree = read(&mut unpacker);
            unpacker.finish(&tree).map_err(|error| error.message)
        };
        assert_eq!(run(false), Ok(()));
        assert_eq!(there(&folder), wanted());
        let refused = format!("{}: is not empty, and nothing was written", folder.display());
        assert_eq!(run(false), Err(refused), "what is there is somebody's");
        assert_eq!(run(true), Ok(()));
        assert_eq!(there(&folder), wanted());
        // Ended while it read: nothing was moved.
        fs::create_dir_all(folder.join(STAGE).join("tree")).expect("a stage");
        fs::write(folder.join(STAGE).join("tree/SKILL.md"), "half").expect("half a file");
        assert_eq!(run(true), Ok(()));
        assert_eq!(there(&folder), wanted());
        fs::write(folder.join("old.md"), "of another version").expect("a file");
        assert_eq!(run(true), Ok(()));
        assert_eq!(there(&folder), wanted());
    }

    /// An agent runs as anybody, whatever the umask of the container was.
    #[cfg(unix)]
    #[test]
    fn anybody_may_read_it_and_run_what_is_a_program() {
        use std::os::unix::fs::PermissionsExt as _;
        let work = tempfile::tempdir().expect("a folder");
        let mut unpacker = Unpacker::open(work.path(), false).expect("a folder");
        let tree = read(&mut unpacker);
        unpacker.finish(&tree).expect("files");
        let mode =
            |path: &str| fs::metadata(work.path().join(path)).expect("there").permissions().mode() & 0o777;
        assert_eq!(
            ["SKILL.md", "assets", "assets/a.bin", "scripts/deep", "scripts/deep/run.sh"].map(mode),
            [0o644, 0o755, 0o644, 0o755, 0o755]
        );
    }

    #[test]
    fn an_image_that_is_refused_leaves_nothing() {
        let work = tempfile::tempdir().expect("a folder");
        let (made, kept) = (work.path().join("made"), work.path().join("kept"));
        fs::create_dir(&kept).expect("a folder");
        fs::write(kept.join("old.md"), "old").expect("a file");
        for (folder, replace) in [(&made, false), (&kept, true)] {
            let mut unpacker = Unpacker::open(folder, replace).expect("a folder");
            read(&mut unpacker);
            drop(unpacker);
        }
        assert!(!made.exists());
        assert_eq!(there(&kept), BTreeMap::from([("old.md".to_owned(), "old".to_owned())]));
    }

    fn run(folder: &Path, replace: bool) -> Result<(), String> {
        let mut unpacker = Unpacker::open(folder, replace).map_err(|error| error.message)?;
        let tree = read(&mut unpacker);
        unpacker.finish(&tree).map_err(|error| error.message)
    }

    fn one(name: &str, text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), text.to_owned())])
    }

    /// Whoever ended a run with --replace has not allowed the next one to remove his files.
    #[test]
    fn an_ended_run_is_no_leave_to_remove_files() {
        let work = tempfile::tempdir().expect("a folder");
        let folder = work.path();
        let refused = Err(format!("{}: is not empty, and nothing was written", folder.display()));
        fs::write(folder.join("mine.md"), "mine").expect("a file");
        for part in ["blobs", "tree"] {
            fs::create_dir_all(folder.join(STAGE).join(part)).expect("what an ended run leaves");
        }
        assert_eq!(run(folder, false), refused);
        assert_eq!(there(folder), one("mine.md", "mine"), "and no stage is left");
        // Ended amid its moves: mine.md is away, and one new file is in place.
        let stage = folder.join(STAGE);
        for part in ["tree/assets", "old"] {
            fs::create_dir_all(stage.join(part)).expect("a folder");
        }
        fs::write(stage.join("tree/assets/a.bin"), "new").expect("a file");
        fs::write(stage.join("moving"), "SKILL.md\nassets\n").expect("a mark");
        fs::rename(folder.join("mine.md"), stage.join("old/mine.md")).expect("a move");
        fs::write(folder.join("SKILL.md"), "new").expect("a file");
        assert_eq!(run(folder, false), refused);
        assert_eq!(there(folder), one("mine.md", "mine"));
        assert_eq!(run(folder, true), Ok(()));
        assert_eq!(there(folder), wanted());
    }

    /// A run without --replace that was ended had an empty folder, and the next one has it again.
    #[test]
    fn a_run_that_was_ended_can_be_run_again() {
        let work = tempfile::tempdir().expect("a folder");
        let stage = work.path().join(STAGE);
        fs::create_dir_all(stage.join("tree")).expect("a folder");
        fs::create_dir(stage.join("old")).expect("a folder");
        fs::write(stage.join("moving"), "SKILL.md\n").expect("a mark");
        fs::write(work.path().join("SKILL.md"), "new").expect("a file");
        assert_eq!(run(work.path(), false), Ok(()));
        assert_eq!(there(work.path()), wanted());
    }

    /// Two runs that write one folder would give it files of both.
    #[test]
    fn a_second_run_is_refused_while_one_writes() {
        let work = tempfile::tempdir().expect("a folder");
        let mut first = Unpacker::open(work.path(), false).expect("a folder");
        for replace in [false, true] {
            let wanted = format!("{}: another run is writing it", work.path().display());
            assert_eq!(run(work.path(), replace), Err(wanted));
        }
        let tree = read(&mut first);
        assert!(first.finish(&tree).is_ok());
        assert_eq!(there(work.path()), wanted());
        assert_eq!(run(work.path(), true), Ok(()));
    }
}
