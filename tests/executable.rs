//! Writes a script that a run will execute, by a process of its own.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test runs programs and stops at the first surprise"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes `text` to `path` as an executable file.
///
/// Not by this process: a test next to this one that starts a program at that moment hands the open file on to it until
/// that program has begun, and a file that anybody has open for writing is not executed ("Text file busy").
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    shell.stdin.take().expect("a pipe").write_all(text.as_ref()).expect("a reader");
    assert!(shell.wait().expect("an end").success(), "{} cannot be written", path.display());
}
