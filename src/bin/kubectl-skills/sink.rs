//! Writes results to stdout, which may be closed at any time. Files are left to `in_place`.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

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
