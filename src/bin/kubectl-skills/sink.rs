//! Where results go: stdout, which may be closed at any time, and files, which are replaced whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::NamedTempFile;

use crate::exit::Failure;

/// Whoever read our output has gone: `kubectl skills status -w | head -1`.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a write has found that nobody reads stdout any more. A verb that would go on for ever has to ask.
pub fn closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Writes to stdout, byte for byte. A reader that has gone is no failure: the run ends as if it had read all.
pub fn text(text: &str) -> Result<(), Failure> {
    pieces([text])
}

/// Writes pieces to stdout, byte for byte.
pub fn pieces<'t>(pieces: impl IntoIterator<Item = &'t str>) -> Result<(), Failure> {
    // The lock alone would write line by line.
    write_to(&mut std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock()), pieces)
}

/// Writes coloured text to stdout, with its colours only where they are wanted (`--color`, NO_COLOR, CLICOLOR_FORCE).
pub fn styled(text: &str) -> Result<(), Failure> {
    write_to(&mut anstream::stdout().lock(), [text])
}

fn write_to<'t>(out: &mut impl Write, pieces: impl IntoIterator<Item = &'t str>) -> Result<(), Failure> {
    if closed() {
        return Ok(());
    }
    let written = pieces.into_iter().try_for_each(|piece| out.write_all(piece.as_bytes()));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        other => other.map_err(|error| Failure::Io("standard output".into(), error)),
    }
}

/// New contents of files, written beside them and not yet in their place.
#[derive(Debug, Default)]
pub struct Replacements {
    ready: Vec<(NamedTempFile, PathBuf)>,
}

impl Replacements {
    /// Writes the new content of a file beside it. Symbolic links are followed: the file they lead to is replaced.
    pub fn prepare(&mut self, path: &Path, text: &str) -> Result<(), Failure> {
        let failed = |error| Failure::Io(path.display().to_string(), error);
        let real = path.canonicalize().map_err(failed)?;
        let metadata = real.metadata().map_err(failed)?;
        if metadata.permissions().readonly() {
            let error = std::io::Error::new(ErrorKind::PermissionDenied, "the file is read-only");
            return Err(failed(error));
        }
        let folder = real.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".kubectl-skills-")
            .tempfile_in(folder)
            .map_err(|error| Failure::Io(format!("cannot write beside {}", real.display()), error))?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.as_file().set_permissions(metadata.permissions()).map_err(failed)?;
        keep_owner(&file, &metadata).map_err(failed)?;
        // A crash of the machine behind the rename must not leave an empty file.
        file.as_file().sync_all().map_err(failed)?;
        self.ready.push((file, real));
        Ok(())
    }

    /// Puts all of them in place. What failed before this point has changed nothing.
    pub fn commit(self) -> Result<(), Failure> {
        for (file, path) in self.ready {
            file.persist(&path).map_err(|error| Failure::Io(path.display().to_string(), error.error))?;
        }
        Ok(())
    }
}

/// Root must not make a user's file its own. Others may not give files away, and need not: the file is theirs.
#[cfg(unix)]
fn keep_owner(file: &NamedTempFile, metadata: &std::fs::Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let ours = file.as_file().metadata()?;
    if (ours.uid(), ours.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(());
    }
    match fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid())) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &NamedTempFile, _: &std::fs::Metadata) -> std::io::Result<()> {
    Ok(())
}
