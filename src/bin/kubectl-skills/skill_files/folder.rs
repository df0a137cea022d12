//! The files of a folder, as they would be in an image: nothing outside of it is read, and what is left out is said.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::facts::Reading;
use kubectl_skills::skill::limits::{Limits, Spent};
use kubectl_skills::skill::tree::{Content, File as TreeFile, Tree};
use kubectl_skills::skill::{path, refused, within};

/// Folders of version control; they are no part of a skill.
const NOT_PART: [&str; 3] = [".git", ".hg", ".svn"];

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Found {
    /// Its files, sorted by path.
    pub files: Vec<Member>,
    /// What cannot be part of an image, and why.
    pub skipped: Vec<String>,
    /// What never is, by its path.
    pub left_out: Vec<String>,
}

/// A file in it.
#[derive(Debug)]
pub struct Member {
    /// Path below the folder.
    pub path: String,
    /// Where it is read.
    pub at: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Whether anybody may execute it.
    pub executable: bool,
}

/// Lists a folder. A link to a file in the folder stands for that file; other links, and what is neither file nor folder,
/// are skipped.
pub fn list(root: &Path, limits: &Limits) -> Result<Found, InputError> {
    let whole = root.canonicalize().map_err(|error| io(root, &error))?;
    let mut found = Found::default();
    let mut spent = Spent::default();
    let mut folders = vec![(whole.clone(), String::new())];
    while let Some((folder, below)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| io(&folder, &error))? {
            let entry = entry.map_err(|error| io(&folder, &error))?;
            spent.entry(limits)?;
            let name = entry.file_name();
            let at = entry.path();
            let joined = path::join(&below, &name.to_string_lossy());
            if NOT_PART.iter().any(|part| name == *part) {
                found.left_out.push(joined);
                continue;
            }
            let normal = name.to_str().ok_or_else(|| "is not UTF-8".to_owned());
            let normal = normal.and_then(|_| path::normal(joined.as_bytes()));
            let below = normal
                .map_err(|wrong| refused(format!("{}: its name {wrong}", at.display()), "rename the file"))?;
            let kind = entry.file_type().map_err(|error| io(&at, &error))?;
            let (at, metadata) = if kind.is_symlink() {
                match target(&at, &whole) {
                    Ok(target) => target,
                    Err(why) => {
                        found.skipped.push(format!("{below}: {why}"));
                        continue;
                    }
                }
            } else if kind.is_dir() {
                folders.push((at, below));
                continue;
            } else if kind.is_file() {
                let metadata = entry.metadata().map_err(|error| io(&at, &error))?;
                (at, metadata)
            } else {
                found.skipped.push(format!("{below}: neither a file nor a folder"));
                continue;
            };
            found.files.push(Member {
                path: below,
                at,
                size: metadata.len(),
                executable: is_executable(&metadata),
            });
        }
    }
    found.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    found.skipped.sort_unstable();
    found.left_out.sort_unstable();
    Ok(found)
}

/// The file that a link leads to.
fn target(link: &Path, whole: &Path) -> Result<(PathBuf, fs::Metadata), &'static str> {
    let target = link.canonicalize().map_err(|_| "a symbolic link that leads nowhere")?;
    if !target.starts_with(whole) {
        return Err("a symbolic link that leads out of the folder");
    }
    if target
        .strip_prefix(whole)
        .is_ok_and(|below| below.iter().any(|part| NOT_PART.iter().any(|name| part == *name)))
    {
        return Err("a symbolic link into the data of version control");
    }
    let metadata = fs::metadata(&target).map_err(|_| "a symbolic link that leads nowhere")?;
    if metadata.is_file() { Ok((target, metadata)) } else { Err("a symbolic link to a folder") }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// Reads the files as a tree.
pub fn read(found: &Found, limits: &Limits) -> Result<Tree, InputError> {
    let mut spent = Spent::default();
    let mut files = Vec::with_capacity(found.files.len());
    for member in &found.files {
        let mut file = File::open(&member.at).map_err(|error| io(&member.at, &error))?;
        let reading = Reading { size: member.size, executable: member.executable, limits };
        let facts = reading.facts(&mut file, &member.path, &mut spent);
        let facts = facts.map_err(|error| within(member.at.display().to_string(), error))?;
        files.push(TreeFile { path: member.path.clone(), content: Content::File(facts), closed: false });
    }
    let tree = Tree { files };
    tree.check(limits)?;
    Ok(tree)
}

/// What the system says of a file.
pub fn io(at: &Path, error: &std::io::Error) -> InputError {
    refused(format!("{}: {error}", at.display()), "")
}
