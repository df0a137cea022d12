//! How a run ends: what a verb came to in, the exit code out. Errors are reported here and nowhere else.

use std::io::Write as _;
use std::process::ExitCode;

use kubectl_skills::api::error::{Fault, InputError};
use kubectl_skills::config::gates::GatesError;

use crate::notes;

/// What a verb came to when nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done; nothing differs or nothing found.
    Done,
    /// Something differs, or there are findings.
    Found,
}

/// Why a verb failed.
#[derive(Debug)]
pub enum Failure {
    /// What clap says of the command line: an error, or the help that was asked for.
    CommandLine(clap::Error),
    /// The command line asks for what cannot be done.
    Usage(String),
    /// Defects of the input, all of them.
    Input(Vec<InputError>),
    /// The cluster or a registry refused or failed.
    #[cfg_attr(
        not(any(feature = "cluster", feature = "registry")),
        allow(dead_code, reason = "a build without network")
    )]
    Remote(Vec<RemoteError>),
    /// A file or program, and what the system said.
    Io(String, std::io::Error),
}

/// Result of a verb.
pub type Run = Result<Outcome, Failure>;

/// Done, or found something.
pub const FOUND: u8 = 1;
/// Wrong usage, as clap has it.
pub const USAGE: u8 = 2;
/// Bad input, or a file that cannot be read or written.
pub const INPUT: u8 = 3;
/// The cluster or a registry refused or failed.
pub const REMOTE: u8 = 4;

impl From<Vec<InputError>> for Failure {
    fn from(errors: Vec<InputError>) -> Self {
        Self::Input(errors)
    }
}

impl From<GatesError> for Failure {
    fn from(error: GatesError) -> Self {
        Self::input(error.to_string(), "")
    }
}

/// What the cluster or a registry refused, or how it failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    not(any(feature = "cluster", feature = "registry")),
    allow(dead_code, reason = "a build without network")
)]
pub struct RemoteError {
    /// What happened, in part in the server's words.
    pub message: String,
    /// How to go on, in lines; may be empty.
    pub help: String,
}

impl From<InputError> for Failure {
    fn from(mut error: InputError) -> Self {
        if error.fault == Fault::Source {
            let help = std::mem::take(&mut error.help);
            return Self::Remote(vec![RemoteError { message: error.to_string(), help }]);
        }
        Self::Input(vec![error])
    }
}

impl Failure {
    /// A defect of the input that has no place in a file.
    pub fn input(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Input(vec![InputError { message: message.into(), help: help.into(), ..InputError::default() }])
    }

    /// The exit code: never that of a difference.
    pub fn code(&self) -> u8 {
        match self {
            Self::CommandLine(error) => u8::try_from(error.exit_code()).unwrap_or(USAGE),
            Self::Usage(_) => USAGE,
            Self::Input(_) | Self::Io(..) => INPUT,
            Self::Remote(_) => REMOTE,
        }
    }

    fn print(&self) {
        match self {
            // Errors; help is printed by `conclude`, for that can fail.
            Self::CommandLine(error) => {
                let _ = error.print();
            }
            Self::Usage(message) => notes::error(message),
            Self::Input(errors) => errors.iter().for_each(|error| notes::error(&error.to_string())),
            Self::Remote(errors) => {
                errors.iter().for_each(|error| notes::error_with_help(&error.message, &error.help))
            }
            Self::Io(what, error) => notes::error(&format!("{what}: {error}")),
        }
    }
}

/// Prints what failed and gives the exit code.
pub fn conclude(run: &Run) -> ExitCode {
    ExitCode::from(match run {
        Err(Failure::CommandLine(help)) if !help.use_stderr() => match print_help(help) {
            Ok(()) => 0,
            Err(failure) => {
                failure.print();
                failure.code()
            }
        },
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Found) => FOUND,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    })
}

/// Help and the version are output: a full disk is reported, a reader that has gone (`--help | head`) is not.
fn print_help(help: &clap::Error) -> Result<(), Failure> {
    match help.print().and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Io("standard output".into(), error))
        }
        _ => Ok(()),
    }
}

/// What `conclude` would say of errors that stand alongside a finished output.
pub fn unless_errors(outcome: Outcome, errors: Vec<InputError>) -> Run {
    if errors.is_empty() { Ok(outcome) } else { Err(Failure::Input(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipeline that asks "does it differ?" must never take a failure for a yes.
    #[test]
    fn no_failure_has_the_code_of_a_difference() {
        let io = || std::io::Error::other("broken");
        let failures = [
            (Failure::Usage(String::new()), 2),
            (Failure::Input(Vec::new()), 3),
            (Failure::Io("file".into(), io()), 3),
            (Failure::Remote(Vec::new()), 4),
        ];
        for (failure, code) in failures {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }
}
