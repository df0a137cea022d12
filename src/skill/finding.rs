//! What is wrong with the files of a skill, as data: the rule, the line, the field, what to do. Finding it is left to
//! [`super::frontmatter`] and [`super::card`]; which file it is about, to who calls.

use std::fmt;

use crate::api::error::InputError;
use crate::api::object::Origin;

/// What a finding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The rules of the format forbid it, or the format's own reader refuses it.
    Error,
    /// The rules permit it, but a reader in use refuses it, or reads something else.
    Warning,
}

/// A rule that findings come from.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable id for machines.
    pub id: &'static str,
    /// What breaking it does.
    pub severity: Severity,
}

impl Rule {
    /// A rule whose findings are errors.
    pub(super) const fn error(id: &'static str) -> Rule {
        Rule { id, severity: Severity::Error }
    }

    /// A rule whose findings are warnings.
    pub(super) const fn warning(id: &'static str) -> Rule {
        Rule { id, severity: Severity::Warning }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// The line in the file, from 1.
    pub line: usize,
    /// The field, such as `metadata.tags[0]`; empty for the whole file.
    pub field: String,
    /// What is wrong, lower case, no final stop, without the field.
    pub message: String,
    /// How to mend it; empty if the message says it.
    pub help: String,
}

impl Finding {
    /// A finding whose message says how to mend it.
    pub(super) fn new(
        rule: &'static Rule,
        line: usize,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { rule, line, field: field.into(), message: message.into(), help: String::new() }
    }

    /// The same with how to mend it.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error
    }

    /// The finding as an error of the input, with the name of its file.
    pub fn in_file(&self, file: &str) -> InputError {
        InputError {
            origin: Origin { file: file.to_owned(), document: 0, line: self.line },
            field: self.field.clone(),
            message: self.message.clone(),
            help: self.help.clone(),
            ..InputError::default()
        }
    }
}

/// `metadata.name: message (help)`, without the line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_file("").fmt(f)
    }
}

/// Orders findings by their lines; those of one line stay in the order they were found in.
pub(super) fn by_line(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| finding.line);
}

/// A value in a message, cut where it is endless.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
