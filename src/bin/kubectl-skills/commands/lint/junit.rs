//! Findings as a JUnit report, one test case a file, which most pipelines show.

use std::fmt::Write as _;

use kubectl_skills::lint::Finding;

use super::output::{Found, place};

/// The document.
pub fn document(found: &Found) -> String {
    let mut files: Vec<&str> = found.files.iter().map(String::as_str).collect();
    if found.findings.iter().any(|one| one.origin.file.is_empty()) {
        files.push("");
    }
    let (cases, failures) = (files.len(), found.findings.len());
    let counts = format!("tests=\"{cases}\" failures=\"{failures}\"");
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n<testsuite name=\"kubectl-skills lint\" {counts}>\n"
    );
    for file in files {
        let name = if file.is_empty() { "cluster" } else { file };
        let _ = writeln!(out, "<testcase classname=\"lint\" name=\"{}\">", text(name));
        for one in found.findings.iter().filter(|one| one.origin.file == file) {
            failure(&mut out, one);
        }
        out.push_str("</testcase>\n");
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

fn failure(out: &mut String, one: &Finding) {
    let _ = writeln!(
        out,
        "<failure type=\"{}\" message=\"{}\">{}: {}: {}</failure>",
        text(one.rule.id),
        text(&one.message),
        text(&place(one)),
        one.level.name(),
        text(&one.to_string())
    );
}

/// Text as XML 1.0 can have it: control characters are shown as escapes.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(char.escape_unicode()),
            char if char.is_control() => out.extend(char.escape_unicode()),
            char => out.push(char),
        }
    }
    out
}
