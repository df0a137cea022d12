//! Writes results to stdout, which may be closed at any time. Files are left to `in_place`.

use std::io::{ErrorKind, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde_json::Value;

use crate::exit::Failure;
use crate::look::Look;
use crate::printable;
use crate::progress;
use crate::table::Table;
use crate::wrap::hanging;

/// For people or for machines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Whoever read our output has gone: `kubectl skills status -w | head -1`.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a write has found that nobody reads stdout any more. A verb that would go on for ever has to ask.
pub fn closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Writes text for people to stdout; what would steer their terminal is escaped (`printable`). A reader that has gone is no
/// failure: the run ends as if it had read all.
pub fn text(text: &str) -> Result<(), Failure> {
    exact([&*printable::lines(text)])
}

/// Writes lines for people to stdout; on a terminal each wraps under itself, so that no word is broken at its edge. What
/// programs read has a line for a line.
/// `indent`: of all lines of one but the first.
pub fn wrapped(text: &str, indent: usize) -> Result<(), Failure> {
    styled(&wrapped_at(&printable::lines(text), Look::stdout().width, indent))
}

/// The same of lines that are safe to print and may have colours of ours.
pub fn wrapped_styled(text: &str, indent: usize) -> Result<(), Failure> {
    styled(&wrapped_at(text, Look::stdout().width, indent))
}

fn wrapped_at(text: &str, columns: Option<usize>, indent: usize) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => hanging(line, columns, indent) + "\n",
            None => hanging(line, columns, indent),
        })
        .collect()
}

/// Writes a table to stdout, as wide as it is.
pub fn table(table: &Table) -> Result<(), Failure> {
    styled(&table.painted())
}

/// Writes a value to stdout as JSON, indented.
pub fn json(value: &Value) -> Result<(), Failure> {
    exact([&*printable::json(&format!("{value:#}\n"))])
}

/// Writes a value to stdout as YAML, as kubectl lays it out.
pub fn yaml(value: &Value) -> Result<(), Failure> {
    exact([&*printable::yaml(value)])
}

/// Writes a value to stdout for machines.
pub fn object(format: Report, value: &Value) -> Result<(), Failure> {
    if format == Report::Yaml { yaml(value) } else { json(value) }
}

/// Writes a value to stdout as one line of JSON.
#[cfg(feature = "cluster")]
pub fn json_line(value: &Value) -> Result<(), Failure> {
    exact([&*printable::json(&format!("{value}\n"))])
}

/// Writes pieces of manifests to stdout, byte for byte; on a terminal as [`text`] does.
pub fn pieces<'t>(pieces: impl IntoIterator<Item = &'t str>) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        return text(&pieces.into_iter().collect::<String>());
    }
    exact(pieces)
}

fn exact<'t>(pieces: impl IntoIterator<Item = &'t str>) -> Result<(), Failure> {
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
    let written = progress::without(|| {
        let written = pieces.into_iter().try_for_each(|piece| out.write_all(piece.as_bytes()));
        written.and_then(|()| out.flush())
    });
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
        other => other.map_err(|error| Failure::Io("standard output".into(), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_on_terminals_alone() {
        let text = "a.yaml:3:1: error: one two three\n\n**Why:** x\n";
        assert_eq!(wrapped_at(text, None, 4), text);
        assert_eq!(wrapped_at(text, Some(22), 4), "a.yaml:3:1: error: one\n    two three\n\n**Why:** x\n");
    }
}
