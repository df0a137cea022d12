//! What is said alongside the result, on stderr: a summary, notes, warnings and errors, one a line. A stderr that cannot be
//! written loses them; there is no other place to report that.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use kubectl_skills::plan::Warning;
use owo_colors::OwoColorize as _;

use crate::look::Look;
use crate::printable;
use crate::progress;
use crate::wrap::{HANGING, hanging};

/// How much is said.
static QUIET: AtomicBool = AtomicBool::new(false);
static VERBOSE: AtomicU8 = AtomicU8::new(0);

/// Sets how much is said: with `-q` errors only; with `-v` a line an object, with `-vv` each request as well.
pub fn set(quiet: bool, verbose: u8) {
    QUIET.store(quiet, Ordering::Relaxed);
    VERBOSE.store(verbose, Ordering::Relaxed);
}

/// Whether a line an object is wanted.
pub fn lists_objects() -> bool {
    VERBOSE.load(Ordering::Relaxed) > 0
}

/// Whether each request to the API server or a registry is printed.
#[cfg(any(feature = "cluster", feature = "registry"))]
pub fn lists_requests() -> bool {
    VERBOSE.load(Ordering::Relaxed) > 1
}

/// Whether nothing but errors is wanted.
#[cfg(feature = "registry")]
pub fn quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// What the run came to, last of all that is not an error.
pub fn summary(text: &str) {
    said(&"summary:".bold(), text);
}

/// What became of an object (`-v`).
pub fn object(text: &str) {
    if lists_objects() {
        said(&"object:".dimmed(), text);
    }
}

/// Something worth knowing.
pub fn note(text: &str) {
    said(&"note:".cyan(), text);
}

/// Something that may not be wanted.
pub fn warning(text: &str) {
    said(&"warning:".yellow(), text);
}

/// Warnings of the plan, each after the object that it is about; each once.
pub fn warnings<'w>(all: impl IntoIterator<Item = (String, &'w Warning)>) {
    let mut seen = std::collections::BTreeSet::new();
    for (object, text) in all {
        let line = format!("{object}: {text}");
        if seen.insert(line.clone()) {
            warning(&line);
        }
    }
}

/// Something that failed; `-q` does not silence it.
pub fn error(text: &str) {
    line(&"error:".red(), text);
}

/// The same with what mends it on lines of its own, indented.
pub fn error_with_help(text: &str, help: &str) {
    error(text);
    for help in help.lines() {
        write(&format!("  {}", printable::line(help)));
    }
}

fn said(kind: &dyn Display, text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        line(kind, text);
    }
}

fn line(kind: &dyn Display, text: &str) {
    write(&format!("{kind} {}", printable::line(text)));
}

/// A line; on a terminal it wraps under itself.
fn write(line: &str) {
    let shown = Look::stderr().width.map(|columns| hanging(line, columns, HANGING));
    progress::without(|| {
        let _ = writeln!(anstream::stderr(), "{}", shown.as_deref().unwrap_or(line));
    });
}
