//! Findings as workflow commands of GitHub Actions, which shows them at the lines of a pull request.

use kubectl_skills::lint::Finding;
use kubectl_skills::lint::rule::Level;

use super::output::Found;

/// A command each.
pub fn commands(found: &Found) -> String {
    found.findings.iter().map(|one| command(one) + "\n").collect()
}

fn command(one: &Finding) -> String {
    let name = match one.level {
        Level::Note => "notice",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let mut properties = Vec::new();
    if !one.origin.file.is_empty() {
        properties.push(format!("file={}", property(&one.origin.file)));
        let numbers = [("line", one.origin.line), ("col", one.column)];
        properties
            .extend(numbers.into_iter().filter(|(_, at)| *at > 0).map(|(key, at)| format!("{key}={at}")));
    }
    properties.push(format!("title={}", property(one.rule.id)));
    format!("::{name} {}::{}", properties.join(","), data(&one.to_string()))
}

/// As actions/toolkit escapes the message (`packages/core/src/command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
