//! `explain`: what a rule of `lint` finds, why, and how it is mended.

use clap::Args as ClapArgs;
use kubectl_skills::api::nearest::nearest;
use kubectl_skills::lint::rule;

use crate::exit::{Failure, Outcome, Run};
use crate::sink;

/// Explain a rule of lint: what it finds, why, and how to mend it
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # What is wrong with latest?
  kubectl skills explain image-moves

  # All rules, a line each
  kubectl skills lint --list-rules
  # All rules, as docs/lint-rules.md
  kubectl skills explain --all

Exit codes: 0 done; 2 usage, or there is no such rule")]
pub struct Args {
    /// Rules, as findings name them
    #[arg(value_name = "RULE", required_unless_present = "all")]
    rules: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "rules")]
    all: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Run {
    if args.all {
        sink::text(&rule::pages())?;
        return Ok(Outcome::Done);
    }
    let mut pages = Vec::with_capacity(args.rules.len());
    for id in &args.rules {
        let rule = rule::find(id).ok_or_else(|| {
            let meant = nearest(id, rule::all().map(|rule| rule.id));
            let meant = meant.map_or(String::new(), |meant| format!(" (did you mean {meant}?)"));
            Failure::Usage(format!(
                "explain {id}: there is no such rule{meant}; 'lint --list-rules' lists them"
            ))
        })?;
        pages.push(rule.page());
    }
    sink::text(&pages.join("\n"))?;
    Ok(Outcome::Done)
}
