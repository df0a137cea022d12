//! Names of temporary files and folders: by them a later run knows what one that was killed has left, and removes it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::Path;
use std::sync::LazyLock;

use tempfile::{NamedTempFile, TempDir};

const PREFIX: &str = ".kubectl-skills-";
const SUFFIX: &str = ".tmp";

/// What the names of this process begin with: in a container each run has the same number, so that alone is not enough.
static OWN: LazyLock<String> =
    LazyLock::new(|| format!("{PREFIX}{}-{:x}", std::process::id(), RandomState::new().hash_one(0)));

/// Makes temporary files of this process: `.kubectl-skills-PID-RANDOM.tmp`.
pub fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(OWN.as_str()).suffix(SUFFIX);
    builder
}

/// A new file in a folder, which goes when it is dropped, with the rights of files that others make: the umask takes away what it
/// takes.
pub fn file_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    let builder = builder();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        let mut builder = builder;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
        builder
    };
    builder.tempfile_in(folder)
}

/// A folder in the system's place for temporary ones.
pub fn folder() -> std::io::Result<TempDir> {
    let parent = std::env::temp_dir();
    remove(&parent);
    builder().tempdir_in(parent)
}

/// Removes the temporary files and folders in a folder whose process is gone, and says how many there were. A folder that cannot be
/// read has none.
pub fn remove(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let left = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left));
    let removed = left.filter(|entry| match entry.file_type() {
        Ok(kind) if kind.is_file() => std::fs::remove_file(entry.path()).is_ok(),
        Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(entry.path()).is_ok(),
        _ => false,
    });
    removed.count()
}

/// Whether nobody uses a file or folder of this name any more.
fn is_left(name: &str) -> bool {
    !name.starts_with(OWN.as_str()) && process_of(name).is_some_and(is_gone)
}

/// The process in a temporary file's name.
fn process_of(name: &str) -> Option<u32> {
    let (process, random) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
    random.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| process.parse().ok())?
}

/// Whether no process has this number; ours is that of an earlier one, for our own names are known.
#[cfg(unix)]
fn is_gone(process: u32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};
    let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return false };
    process == std::process::id() || test_kill_process(pid) == Err(Errno::SRCH)
}

#[cfg(not(unix))]
fn is_gone(process: u32) -> bool {
    process == std::process::id()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of others must stay, whatever they are called.
    #[test]
    fn only_our_own_names_are_known() {
        for (name, process) in [
            (".kubectl-skills-12-aB3.tmp", Some(12)),
            (".kubectl-skills-12-a.b.tmp", None),
            (".kubectl-skills-x-aB3.tmp", None),
            (".kubectl-skills.yaml", None),
            (".kubectl-skills-12.tmp", None),
            ("kubectl-skills-12-aB3.tmp", None),
        ] {
            assert_eq!(process_of(name), process, "{name}");
        }
        let earlier = format!("{PREFIX}{}-aB3{SUFFIX}", std::process::id());
        assert_eq!((is_left(&earlier), is_left(&format!("{}aB3{SUFFIX}", *OWN))), (true, false));
    }
}
