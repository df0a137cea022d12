//! What was found, for people and as JSON.

use kubectl_skills::lint::Finding;
use kubectl_skills::lint::rule::Level;
use kubectl_skills::manifest::summary::counted;
use serde_json::{Value, json};

use crate::look::{Mood, coloured};
use crate::printable;

/// What was found, and what was left out.
pub struct Found {
    /// What counts.
    pub findings: Vec<Finding>,
    /// What a person decided to leave, with the reason.
    pub ignored: Vec<(Finding, String)>,
    /// What the baseline knows.
    pub known: Vec<Finding>,
    /// How many that the baseline knows are there no longer.
    pub gone: u64,
    /// Names of the files.
    pub files: Vec<String>,
    /// Objects in them.
    pub objects: usize,
    /// Whose rules.
    pub profile: &'static str,
    /// Why.
    pub reason: String,
}

impl Found {
    /// `2 errors and 1 warning in 14 objects of 3 files; ...`.
    pub fn summary(&self) -> String {
        let of = |level: Level| {
            let count = self.findings.iter().filter(|found| found.level == level).count();
            (count > 0).then(|| counted(count, level.name()))
        };
        let counts: Vec<String> = Level::ALL.into_iter().rev().filter_map(of).collect();
        let counts = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
        let mut out = format!(
            "{counts} in {} of {}",
            counted(self.objects, "object"),
            counted(self.files.len(), "file")
        );
        for (count, what) in [(self.ignored.len(), "ignored"), (self.known.len(), "known to the baseline")] {
            if count > 0 {
                out.push_str(&format!("; {count} {what}"));
            }
        }
        if self.gone > 0 {
            out.push_str(&format!("; {} of the baseline gone: write it anew", self.gone));
        }
        out.push_str(&format!("; profile {} because {}", self.profile, self.reason));
        out
    }
}

/// `FILE:LINE:COLUMN`, as far as it is known.
pub fn place(found: &Finding) -> String {
    if found.origin.file.is_empty() {
        return "cluster".to_owned();
    }
    match (found.origin.line, found.column) {
        (0, _) => found.origin.file.clone(),
        (line, 0) => format!("{}:{line}", found.origin.file),
        (line, column) => format!("{}:{line}:{column}", found.origin.file),
    }
}

/// A line each, with colours.
pub fn text(found: &Found) -> String {
    let line = |one: &Finding| {
        let mood = match one.level {
            Level::Error => Mood::Bad,
            Level::Warning => Mood::Warning,
            Level::Note => Mood::Change,
        };
        let (place, said) = (place(one), format!("{one} [{}]", one.rule.id));
        let level = coloured(mood, one.level.name());
        format!("{}: {level}: {}\n", printable::line(&place), printable::line(&said))
    };
    found.findings.iter().map(line).collect()
}

/// One object.
pub fn json(found: &Found) -> Value {
    let of = |all: &[Finding]| -> Vec<Value> { all.iter().map(|one| finding(one, None)).collect() };
    let ignored: Vec<Value> =
        found.ignored.iter().map(|(one, reason)| finding(one, Some(reason.as_str()))).collect();
    json!({
        "apiVersion": "skills.kagenti.dev/v1alpha1", "kind": "LintReport", "profile": found.profile,
        "findings": of(&found.findings), "ignored": ignored, "known": of(&found.known),
    })
}

fn finding(one: &Finding, reason: Option<&str>) -> Value {
    let mut value = json!({"rule": one.rule.id, "severity": one.level.name(), "file": one.origin.file});
    let numbers = [("document", one.origin.document), ("line", one.origin.line), ("column", one.column)];
    for (key, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        value[key] = number.into();
    }
    if let Some(id) = &one.object {
        value["object"] = json!({
            "apiVersion": id.api_version, "kind": id.kind, "namespace": id.namespace, "name": id.name,
        });
    }
    let texts = [("field", one.field.as_str()), ("message", &one.message), ("help", &one.help)];
    for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        value[key] = text.into();
    }
    value["fixable"] = one.fix.is_some().into();
    if let Some(reason) = reason {
        value["reason"] = reason.into();
    }
    value
}
