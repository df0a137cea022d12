//! `explain`: what a rule of `lint` finds, why, and how it is mended.

use clap::Args as ClapArgs;
use kubectl_skills::api::nearest::{is_slip_of, nearest};
use kubectl_skills::lint::{quirks, rule};
use owo_colors::OwoColorize as _;

use crate::exit::{Failure, Outcome, Run};
use crate::look::Look;
use crate::sink;

/// Most rules that are suggested.
const MEANT: usize = 5;

/// Explain a rule of lint: what it finds, why, and how to mend it
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  # What is wrong with latest?
  kubectl skills explain image-moves

  # And Q22, which a warning ends with?
  kubectl skills explain Q22

  # All rules, a line each
  kubectl skills lint --list-rules
  # All rules, as docs/lint-rules.md
  kubectl skills explain --all

Exit codes: 0 done; 2 usage, or there is no such rule")]
pub struct Args {
    /// Rules, as findings name them, and quirks of operators, as warnings do
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
        if let Some(page) = quirks::page(id) {
            pages.push(page);
            continue;
        }
        let rule = rule::find(id).ok_or_else(|| {
            let meant = match meant(id).as_slice() {
                [] => String::new(),
                [one] => format!(" (did you mean {one}?)"),
                [first @ .., last] => format!(" (did you mean {} or {last}?)", first.join(", ")),
            };
            Failure::Usage(format!(
                "explain {id}: there is no such rule{meant}; 'lint --list-rules' lists them"
            ))
        })?;
        pages.push(rule.page());
    }
    let pages = pages.join("\n");
    // Of words of ours alone, so nothing has to be escaped.
    sink::wrapped_styled(&if Look::stdout().is_terminal() { for_people(&pages) } else { pages }, 0)?;
    Ok(Outcome::Done)
}

/// Rules that may be meant: of whose name the word is a part or a misspelling, else those whose page speaks of it, as of a field
/// or a quirk, else the one with the nearest name.
fn meant(word: &str) -> Vec<&'static str> {
    let lower = word.to_lowercase().replace('_', "-");
    let ids = |is_meant: &dyn Fn(&rule::Rule) -> bool| -> Vec<&'static str> {
        rule::all().filter(|rule| is_meant(rule)).map(|rule| rule.id).take(MEANT).collect()
    };
    if lower.len() < 2 {
        return Vec::new();
    }
    let slips = ids(&|rule| is_slip_of(&lower, rule.id));
    let parts = ids(&|rule| rule.id.contains(&lower) || (rule.id.len() > 3 && lower.contains(rule.id)));
    let named: Vec<&str> =
        slips.iter().copied().chain(parts.into_iter().filter(|id| !slips.contains(id))).take(MEANT).collect();
    if !named.is_empty() {
        return named;
    }
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let speaks = ids(&|rule| {
        rule.page().to_lowercase().replace('_', "-").split(|c: char| !is_of_word(c)).any(|own| own == lower)
    });
    if !speaks.is_empty() {
        return speaks;
    }
    nearest(word, rule::all().map(|rule| rule.id)).into_iter().collect()
}

/// A page of Markdown with bold type instead of its marks.
fn for_people(page: &str) -> String {
    let line = |line: &str| match (line.strip_prefix("## "), line.strip_prefix("**")) {
        (Some(title), _) => title.bold().to_string(),
        (None, Some(rest)) => match rest.split_once("**") {
            Some((word, rest)) => format!("{}{rest}", word.bold()),
            None => line.to_owned(),
        },
        (None, None) => line.to_owned(),
    };
    page.lines().map(|one| line(one) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks of Markdown are for the page in docs, not for a screen.
    #[test]
    fn a_terminal_shows_no_marks() {
        for rule in rule::all() {
            let shown = anstream::adapter::strip_str(&for_people(&rule.page())).to_string();
            assert!(
                shown.starts_with(rule.id) && shown.contains("\nWhy: ") && shown.contains("\nMend: "),
                "{shown}"
            );
        }
    }
}
