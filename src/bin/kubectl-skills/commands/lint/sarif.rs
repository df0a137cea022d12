//! Findings as SARIF 2.1.0, which GitHub's code scanning and editors read.

use kubectl_skills::lint::Finding;
use kubectl_skills::lint::baseline;
use kubectl_skills::lint::rule::{self, Rule};
use kubectl_skills::skill::oci::Digest;
use serde_json::{Value, json};

use super::output::Found;
use crate::printable::percent_encoded;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

/// The log.
pub fn log(found: &Found) -> Value {
    let rules: Vec<&Rule> = rule::all().collect();
    let of = |one: &Finding, suppression: Option<Value>| {
        let mut value = result(one, &rules);
        if let Some(suppression) = suppression {
            value["suppressions"] = json!([suppression]);
        }
        value
    };
    let ignored = |reason: &str| json!({"kind": "inSource", "justification": reason});
    let known = json!({"kind": "external", "justification": "known to the baseline"});
    let mut results: Vec<Value> = found.findings.iter().map(|one| of(one, None)).collect();
    results.extend(found.ignored.iter().map(|(one, reason)| of(one, Some(ignored(reason)))));
    results.extend(found.known.iter().map(|one| of(one, Some(known.clone()))));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kubectl-skills",
                "informationUri": HOME,
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| of_rule(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn of_rule(rule: &Rule) -> Value {
    let Rule { id, level, summary, why, mend, source, .. } = rule;
    let sentence = format!("{}{}.", summary[..1].to_uppercase(), &summary[1..]);
    json!({
        "id": id,
        "shortDescription": {"text": sentence},
        "fullDescription": {"text": why},
        "help": {
            "text": format!("{why} {mend} Source: {source}."),
            "markdown": format!("**Why:** {why}\n\n**Mend:** {mend}\n\nSource: {source}."),
        },
        "helpUri": format!("{HOME}/blob/main/docs/lint-rules.md#{id}"),
        "defaultConfiguration": {"level": level.name()},
    })
}

fn result(one: &Finding, rules: &[&Rule]) -> Value {
    let index = rules.iter().position(|rule| rule.id == one.rule.id);
    let key = baseline::key(one).join("\n");
    let mut location = json!({});
    if !one.origin.file.is_empty() {
        location["physicalLocation"] = json!({"artifactLocation": {"uri": uri(&one.origin.file)}});
        if one.origin.line > 0 {
            let mut region = json!({"startLine": one.origin.line});
            if one.column > 0 {
                region["startColumn"] = one.column.into();
            }
            location["physicalLocation"]["region"] = region;
        }
    }
    if let Some(object) = &one.object {
        location["logicalLocations"] =
            json!([{"fullyQualifiedName": object.to_string(), "kind": "resource"}]);
    }
    json!({
        "ruleId": one.rule.id,
        "ruleIndex": index,
        "level": one.level.name(),
        "message": {"text": one.to_string()},
        "locations": [location],
        "partialFingerprints": {"kubectl-skills/v1": Digest::of(key.as_bytes()).hex()},
    })
}

/// A file as a URI reference: relative to the folder of the run, or absolute.
fn uri(file: &str) -> String {
    let path = file.strip_prefix("./").unwrap_or(file);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", percent_encoded(path, "/"))
}
