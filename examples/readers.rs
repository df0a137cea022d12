//! A part of `make bench`: the quick reader alongside the port of Go's, on one stream of manifests. It may stay in front only
//! while it is at least twice as fast; the tests hold that both read the same.
//!
//!   readers FILE [ROUNDS]

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for developers that measures")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kubectl_skills::yaml::{Document, SyntaxError, split};

/// What both must come to: below it the quick reader is not worth its code.
const GOAL: f64 = 2.0;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("name a file of manifests")?;
    let rounds: u32 = args.next().map_or(Ok(15), |rounds| rounds.parse())?;
    let text = std::fs::read_to_string(file)?;
    let slices = split(&text);
    let documents: Vec<&str> = slices.iter().map(|slice| slice.text(&text)).collect();
    for document in &documents {
        if Document::parse(document)?.tree != Document::parse_thoroughly(document)?.tree {
            return Err(format!("the readers differ on\n{document}").into());
        }
    }
    let (mut quick, mut port) = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        quick = quick.min(time(&documents, Document::parse)?);
        port = port.min(time(&documents, Document::parse_thoroughly)?);
    }
    let ratio = port.as_secs_f64() / quick.as_secs_f64();
    println!(
        "{:28} {:13} {:>27} {:>27} {ratio:>8.1} {:>8}",
        "YAML readers",
        "time",
        format!("quick {:.1} ms", 1000.0 * quick.as_secs_f64()),
        format!("port of Go's {:.1} ms", 1000.0 * port.as_secs_f64()),
        format!(">= {GOAL}"),
    );
    Ok(if ratio < GOAL { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn time<'t>(
    documents: &[&'t str],
    read: impl Fn(&'t str) -> Result<Document<'t>, SyntaxError>,
) -> Result<Duration, SyntaxError> {
    let started = Instant::now();
    for document in documents {
        black_box(read(document)?);
    }
    Ok(started.elapsed())
}
