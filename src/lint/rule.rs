//! What a rule of `lint` is, and the table of all of them, of which `explain`, the list, the page of the documentation and the
//! rules of SARIF are made. Finding is left to the modules alongside.

use std::fmt::Write as _;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing; may well be meant.
    Note,
    /// It will not work everywhere, or not as its author meant.
    Warning,
    /// It is refused, or does not work.
    Error,
}

impl Level {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warning, Self::Error];

    /// Its name, as SARIF has it too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable id.
    pub id: &'static str,
    /// How much its findings matter, where they do not say otherwise.
    pub level: Level,
    /// Whether `--fix` mends it.
    pub fix: bool,
    /// Why it does not, as a part of a sentence; empty where it does.
    pub unfixed: &'static str,
    /// What it finds, in one line without a final stop.
    pub summary: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// Who says so.
    pub source: &'static str,
}

impl Rule {
    /// The page of a rule.
    pub fn page(&self) -> String {
        let Self { id, level, fix, unfixed, summary, why, mend, source } = self;
        let fixes = if *fix { "; `--fix` mends it" } else { "" };
        let leaves = if *fix { String::new() } else { format!(" `--fix` leaves it: {unfixed}.") };
        format!(
            "## {id}\n\n{}{fixes}: {summary}.\n\n**Why:** {why}\n\n**Mend:** {mend}{leaves}\n\nSource: {source}.\n",
            level.name()
        )
    }
}

/// Finds a rule by its id.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// All rules: those of `lint` alone, then those of verdicts.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    super::own::RULES.iter().chain(&super::verdict::RULES).copied()
}

/// The page of all rules, docs/lint-rules.md.
pub fn pages() -> String {
    let mut out = String::from(PAGES_HEAD);
    for rule in all() {
        let fix = if rule.fix { "yes" } else { "" };
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {fix} | {} |",
            rule.id,
            rule.id,
            rule.level.name(),
            rule.summary
        );
    }
    for rule in all() {
        out.push('\n');
        out.push_str(&rule.page());
    }
    out
}

const PAGES_HEAD: &str = "\
<!-- Made of the table of rules (src/lint/own.rs, src/lint/verdict.rs) by UPDATE_DOCS=1 cargo test --test it lint; do not edit. -->
# Rules of lint

`kubectl skills explain RULE` prints one of these sections.
[lint.md](lint.md) says how rules are left out, ignored and fixed.

| rule | severity | `--fix` | finds |
|---|---|---|---|
";

/// Declares rules and the list of them. After the level: `fix`, or why there is none.
macro_rules! rules {
    ($($name:ident = $id:literal $level:ident $fix:ident { $summary:expr, $why:expr, $mend:expr, $source:expr $(,)? })*) => {
        $(
            #[doc = $summary]
            pub(in crate::lint) static $name: $crate::lint::rule::Rule = $crate::lint::rule::Rule {
                id: $id,
                level: $crate::lint::rule::Level::$level,
                fix: rules!(@unfixed $fix).is_empty(),
                unfixed: rules!(@unfixed $fix),
                summary: $summary,
                why: $why,
                mend: $mend,
                source: $source,
            };
        )*
        /// All of them, as they are listed.
        pub(in crate::lint) static RULES: [&$crate::lint::rule::Rule; [$($id),*].len()] = [$(&$name),*];
    };
    (@unfixed fix) => { "" };
    (@unfixed choice) => { "more than one change would mend it" };
    (@unfixed author) => { "what to write only its author knows" };
    (@unfixed outside) => { "what has to change is not in the manifests" };
}
pub(super) use rules;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// An id that two rules share, or a rule without words, explains nothing.
    #[test]
    fn every_rule_has_an_id_of_its_own_and_words() {
        let ids: BTreeSet<&str> = all().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), all().count());
        for rule in all() {
            let Rule { id, summary, why, mend, source, .. } = rule;
            assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{id}");
            assert!(!summary.ends_with('.') && !summary.is_empty(), "{id}: {summary}");
            assert!(why.ends_with('.') && mend.ends_with('.') && !source.is_empty(), "{id}");
        }
    }

    /// A verdict whose rule has no page cannot be explained.
    #[test]
    fn every_rule_of_a_verdict_has_its_page() {
        let source = include_str!("../validate/findings.rs");
        let mut seen = 0;
        for line in source.lines().filter(|line| line.contains("pub const ") && line.contains(": Rule =")) {
            let id = line.split('"').rev().nth(1).unwrap_or_default();
            let rule = find(id).unwrap_or_else(|| panic!("{id} has no page: {line}"));
            let errs = rule.level == Level::Error;
            assert_eq!(errs, !line.contains("may_not_start"), "{id}");
            seen += 1;
        }
        assert!(seen > 40, "{seen}");
    }
}
