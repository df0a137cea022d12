//! The binary: arguments in, exit code out.
#![allow(clippy::disallowed_methods, reason = "the binary is the edge to files, environment and processes")]

mod args;
#[cfg(feature = "cluster")]
mod cluster;
mod commands;
#[cfg(feature = "cluster")]
mod complete;
#[cfg(feature = "controller")]
mod controller;
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

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words = words(std::env::args_os().collect());
    if words.len() == 1
        && let Some(run) = commands::function::run_without_words()
    {
        return exit::conclude(&run);
    }
    match Args::try_parse_from(words) {
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

/// The command line; called by a name that stands for a verb, that verb behind it.
fn words(mut words: Vec<OsString>) -> Vec<OsString> {
    let name = words.first().map(Path::new).and_then(Path::file_stem).unwrap_or_default();
    let verb = if name == "kubectl_complete-skills" {
        commands::complete::NAME
    } else if commands::function::NAMES.iter().any(|known| name == *known) {
        commands::function::VERB
    } else {
        return words;
    };
    words.insert(1, verb.into());
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
