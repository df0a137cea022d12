//! The binary: arguments in, exit code out.
#![allow(clippy::disallowed_methods, reason = "the binary is the edge to files, environment and processes")]

mod args;
#[cfg(feature = "cluster")]
mod cluster;
mod commands;
#[cfg(feature = "cluster")]
mod complete;
mod exit;
mod notes;
mod object_diff;
mod objects;
mod sink;
mod source;
mod table;
#[cfg(feature = "controller")]
mod webhook;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::Parser as _;

use args::{Args, Color};

fn main() -> ExitCode {
    match Args::try_parse_from(words(std::env::args_os().collect())) {
        Ok(args) => {
            colours(args.color);
            exit::conclude(&commands::run(&args.verb))
        }
        Err(error) => {
            // Help goes to stdout, and who reads it may go: `kubectl skills --help | head`.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
        }
    }
}

/// The command line; called by the name that kubectl completes plugins with, that of the verb behind it.
fn words(mut words: Vec<OsString>) -> Vec<OsString> {
    let name = words.first().map(Path::new).and_then(Path::file_stem);
    if name.is_some_and(|name| name == "kubectl_complete-skills") {
        words.insert(1, commands::complete::NAME.into());
    }
    words
}

fn colours(color: Color) {
    let choice = match color {
        // What NO_COLOR, CLICOLOR_FORCE and the terminal say.
        Color::Auto => return,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    choice.write_global();
}
