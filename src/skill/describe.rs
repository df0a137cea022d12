//! What a skill says of itself: the frontmatter of SKILL.md and its card, as far as catalogs, `inspect` and `pack` show it.
//! Judging both by the rules of their formats is left to others.

use serde::Serialize;
use serde_json::Value;

use crate::yaml::Document;

/// What SKILL.md and skill.yaml say.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its version, from the card or `metadata.version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// What it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<String>,
    /// Words of SKILL.md after the frontmatter.
    pub words: usize,
    /// Lines of it.
    pub lines: usize,
    /// Tokens of it, estimated as four bytes each.
    pub tokens: usize,
    /// The apiVersion of its card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// Reads both.
pub fn describe(skill_md: &[u8], card: Option<&[u8]>) -> (Description, Option<Value>) {
    let mut found = Description::default();
    let text = String::from_utf8_lossy(skill_md);
    let (front, body) = split(&text, &mut found.findings);
    found.words = body.split_whitespace().count();
    found.lines = body.lines().count();
    found.tokens = body.len().div_ceil(4);
    let front = mapping(front, "SKILL.md", &mut found.findings).unwrap_or_default();
    let card =
        card.and_then(|card| mapping(&String::from_utf8_lossy(card), "skill.yaml", &mut found.findings));
    let metadata = card.as_ref().map_or(&Value::Null, |card| &card["metadata"]);
    let both = |key: &str| text_of(&front[key]).or_else(|| text_of(&metadata[key]));
    found.name = both("name");
    found.description = both("description");
    found.license = both("license");
    found.compatibility = both("compatibility");
    found.version = text_of(&metadata["version"]).or_else(|| text_of(&front["metadata"]["version"]));
    found.card = card.as_ref().and_then(|card| text_of(&card["apiVersion"]));
    for (key, limit) in [("name", 64), ("description", 1024)] {
        match text_of(&front[key]) {
            None => found.findings.push(format!("SKILL.md: the frontmatter has no {key}")),
            Some(text) if text.chars().count() > limit => {
                found.findings.push(format!("SKILL.md: {key} is longer than {limit} characters"));
            }
            Some(_) => {}
        }
    }
    if let Some(name) = &found.name
        && !is_name(name)
    {
        found.findings.push(format!(
            "SKILL.md: name {name:?} is not made of lower-case letters, digits and single dashes between them"
        ));
    }
    (found, card)
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.split('-').all(part)
}

/// Frontmatter and body.
fn split<'t>(text: &'t str, findings: &mut Vec<String>) -> (&'t str, &'t str) {
    let opened = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"));
    let Some(rest) = opened else {
        findings.push("SKILL.md: it must start with YAML frontmatter (---)".into());
        return ("", text);
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return (&rest[..at], &rest[at + line.len()..]);
        }
        at += line.len();
    }
    findings.push("SKILL.md: the frontmatter is not closed with ---".into());
    ("", text)
}

fn mapping(text: &str, file: &str, findings: &mut Vec<String>) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    let value = Document::parse(text).and_then(|document| document.to_value());
    match value {
        Ok(value @ Value::Object(_)) => Some(value),
        Ok(_) => {
            findings.push(format!("{file}: it must be a YAML mapping"));
            None
        }
        Err(error) => {
            findings.push(format!("{file}: {error}"));
            None
        }
    }
}

/// Text, or a scalar that somebody forgot to quote.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_is_described_by_its_frontmatter_and_its_card() {
        let text =
            b"---\nname: pdf\ndescription: Reads PDF\nmetadata: {version: 1.2}\n---\n# PDF\n\nread it\n";
        let card = b"apiVersion: skillimage.io/v1alpha1\nkind: SkillCard\nmetadata: {version: 1.2.0, license: MIT}\n";
        let (found, card) = describe(text, Some(card));
        let expected = Description {
            name: Some("pdf".into()),
            description: Some("Reads PDF".into()),
            version: Some("1.2.0".into()),
            license: Some("MIT".into()),
            compatibility: None,
            words: 4,
            lines: 3,
            tokens: 4,
            card: Some("skillimage.io/v1alpha1".into()),
            findings: Vec::new(),
        };
        assert_eq!((found, card.is_some()), (expected, true));
    }

    #[test]
    fn what_lacks_is_found() {
        for (text, finding) in [
            ("# PDF\n", "must start with"),
            ("---\nname: pdf\n", "not closed"),
            ("---\nname: pdf\n---\n", "no description"),
            ("---\n- a\n---\n", "must be a YAML mapping"),
            ("---\nname: [\n---\n", "SKILL.md: "),
            ("---\nname: a--b\ndescription: x\n---\n", "single dashes"),
        ] {
            let (found, _) = describe(text.as_bytes(), None);
            assert!(found.findings.iter().any(|found| found.contains(finding)), "{text:?}: {found:?}");
        }
    }
}
