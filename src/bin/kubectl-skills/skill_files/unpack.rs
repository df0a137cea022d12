//! The files of an image in a folder: bytes as they are read in, the folder as an image volume would show it out. A folder holds
//! nothing of a run that fails before all is read and checked; one that was ended later is finished by the next run.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::content::{Failed, Keep};
use kubectl_skills::skill::tree::{Content, File as TreeFile, Tree};
use kubectl_skills::skill::{identity, refused};

/// What a folder holds while it is written, and no longer.
const STAGE: &str = ".kubectl-skills-pull";
/// Mode of files: whoever the agent runs as may read them.
const FILE: u32 = 0o644;
/// Of programs and folders.
const OPEN: u32 = 0o755;

/// A folder that is being written.
pub struct Unpacker {
    folder: PathBuf,
    stage: PathBuf,
    /// The folder was made for this.
    made: bool,
    /// The file that is being read.
    file: Option<File>,
    done: bool,
}

impl Unpacker {
    /// Begins with a folder, which is made where there is none. `replace`: what is in it goes; without it the folder has to be empty,
    /// but for what a run of this program has left that was ended.
    ///
    /// # Errors
    /// There is something in it, or it cannot be written.
    pub fn open(folder: &Path, replace: bool) -> Result<Self, InputError> {
        let made = !folder.exists();
        if made {
            fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
        }
        let stage = folder.join(STAGE);
        let is_left = stage.exists();
        if !replace && !is_left && !others(folder)?.is_empty() {
            let message = format!("{}: is not empty, and nothing was written", folder.display());
            return Err(refused(message, "name another folder; or --replace, which removes what is in it"));
        }
        if is_left {
            fs::remove_dir_all(&stage).map_err(|error| unwritten(&stage, &error))?;
        }
        for part in ["blobs", "tree"] {
            let path = stage.join(part);
            fs::create_dir_all(&path).map_err(|error| unwritten(&path, &error))?;
        }
        Ok(Self { folder: folder.to_owned(), stage, made, file: None, done: false })
    }

    /// Puts the files of a tree in place, whose bytes have all been passed on.
    ///
    /// # Errors
    /// A name is one that a run needs itself, or it cannot be written.
    pub fn finish(mut self, tree: &Tree) -> Result<(), InputError> {
        let root = self.stage.join("tree");
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
        // From here on the next run finishes what this one does not.
        self.done = true;
        for path in others(&self.folder)? {
            remove(&path).map_err(|error| unwritten(&path, &error))?;
        }
        for path in others(&root)? {
            let to = self.folder.join(path.file_name().unwrap_or_default());
            fs::rename(&path, &to).map_err(|error| unwritten(&to, &error))?;
        }
        fs::remove_dir_all(&self.stage).map_err(|error| unwritten(&self.stage, &error))
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
        self.stage.join("blobs").join(identity::hex(sha256))
    }
}

impl Keep for Unpacker {
    fn begin(&mut self) -> io::Result<()> {
        self.file = Some(File::create(self.stage.join("file"))?);
        Ok(())
    }

    fn bytes(&mut self, part: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(part))
    }

    fn end(&mut self, sha256: &[u8; 32]) -> io::Result<()> {
        self.file = None;
        fs::rename(self.stage.join("file"), self.blob(sha256))
    }
}

impl Drop for Unpacker {
    /// What was read of an image that is refused is no result.
    fn drop(&mut self) {
        if !self.done {
            // Why the run failed is what counts; the next one removes what this one cannot.
            let _ = fs::remove_dir_all(&self.stage);
            if self.made {
                let _ = fs::remove_dir(&self.folder);
            }
        }
    }
}

/// What is in a folder but for the stage.
fn others(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| unwritten(folder, &error))?;
    Ok(entries.iter().filter(|entry| entry.file_name() != STAGE).map(fs::DirEntry::path).collect())
}

fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
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

fn unwritten(path: &Path, error: &io::Error) -> InputError {
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
        // Ended while files were moved: some are in place, and others not.
        fs::create_dir_all(folder.join(STAGE).join("tree")).expect("a stage");
        fs::remove_file(folder.join("SKILL.md")).expect("a file");
        fs::write(folder.join("assets/a.bin"), "ha").expect("half a file");
        assert_eq!(run(false), Ok(()));
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
}
