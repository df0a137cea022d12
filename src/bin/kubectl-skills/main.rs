//! The binary: arguments in, exit code out.
#![allow(clippy::disallowed_methods, reason = "the binary is the edge to files, environment and processes")]

mod args;
mod build_info;
mod cli;
#[cfg(feature = "cluster")]
mod cluster;
mod commands;
#[cfg(feature = "cluster")]
mod complete;
mod config_file;
#[cfg(feature = "controller")]
mod controller;
mod exit;
mod in_place;
mod look;
#[cfg(any(feature = "cluster", feature = "registry"))]
mod net;
mod notes;
mod object_diff;
mod planning;
mod printable;
mod progress;
#[cfg(feature = "registry")]
mod registry;
#[cfg(any(feature = "controller", feature = "webhook"))]
mod server;
mod sink;
mod skill_files;
mod source;
mod table;
#[cfg(feature = "webhook")]
mod webhook;
mod wrap;

use std::process::ExitCode;

use kubectl_skills::manifest::objects;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words = cli::words(std::env::args_os().collect());
    if words.len() == 1
        && let Some(run) = commands::function::run_without_words()
    {
        return exit::conclude(&run);
    }
    exit::conclude(&cli::parse(words).and_then(|args| cli::run(&args)))
}
