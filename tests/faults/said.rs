//! What a run of the program said.

use std::process::Output;

/// What a run said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Reads it; a run that was killed has said nothing.
pub fn said(Output { status, stdout, stderr }: Output) -> Said {
    Said {
        code: status.code().expect("an exit code"),
        stdout: String::from_utf8(stdout).expect("text"),
        stderr: String::from_utf8(stderr).expect("text"),
    }
}
