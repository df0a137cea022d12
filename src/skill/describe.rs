//! What a skill says of itself, in SKILL.md and in its card: what catalogs, `inspect` and `pack` show, with what breaks the
//! rules of either. Reading the two is left to [`super::frontmatter`] and [`super::card`].

use serde::Serialize;

use super::budget::Size;
use super::card::{self, Card};
use super::finding::Finding;
use super::{frontmatter, path, tools};
use crate::api::error::InputError;

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
    /// The tools that it may use without asking; `None` where that cannot be said.
    #[serde(skip_serializing_if = "is_without_tools")]
    pub allowed_tools: Option<Vec<String>>,
    /// Words of SKILL.md after the frontmatter.
    pub words: usize,
    /// Lines of it.
    pub lines: usize,
    /// Tokens of it, estimated.
    pub tokens: usize,
    /// The apiVersion of its card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<&'static str>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Found>,
}

fn is_without_tools(tools: &Option<Vec<String>>) -> bool {
    tools.as_ref().is_none_or(Vec::is_empty)
}

/// A finding with its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Stable id of the rule.
    pub rule: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file, below the root of the image.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The field; empty for the whole file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub help: String,
}

impl Found {
    fn new(finding: &Finding, file: String) -> Self {
        Self {
            rule: finding.rule.id,
            severity: if finding.is_error() { ERROR } else { "warning" },
            file,
            line: finding.line,
            field: finding.field.clone(),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }

    /// Whether the rules of the format forbid it.
    pub fn is_error(&self) -> bool {
        self.severity == ERROR
    }

    /// As an error of the input; `root` is what the file's path begins with.
    pub fn in_folder(&self, root: &str) -> InputError {
        let mut error = InputError {
            field: self.field.clone(),
            message: self.message.clone(),
            help: self.help.clone(),
            ..InputError::default()
        };
        error.origin.file = path::join(root.trim_end_matches('/'), &self.file);
        error.origin.line = self.line;
        error
    }
}

const ERROR: &str = "error";

/// A file that is described, of which the end may lack.
#[derive(Debug, Clone, Copy)]
pub struct Text<'t> {
    /// What is kept of it.
    pub bytes: &'t [u8],
    /// How many bytes it has.
    pub size: u64,
}

/// Reads both files, which are in `folder`.
pub fn describe(folder: &str, skill_md: Text, card_file: Option<Text>) -> (Description, Card) {
    let skill = frontmatter::read(skill_md.bytes);
    let file = path::join(folder, "SKILL.md");
    let mut findings: Vec<Found> =
        skill.findings.iter().map(|finding| Found::new(finding, file.clone())).collect();
    for found in &mut findings {
        if found.rule == frontmatter::rules::SIZE.id {
            found.message =
                found.message.replacen(&skill_md.bytes.len().to_string(), &skill_md.size.to_string(), 1);
        }
    }
    let card_file = card_file.map(|text| card::read(text.bytes)).unwrap_or_default();
    let file = path::join(folder, super::pack::CARD);
    findings.extend(card_file.findings.iter().map(|finding| Found::new(finding, file.clone())));
    let card = card_file.card;
    let size = Size::of(&skill.body);
    let of_metadata =
        || skill.metadata.iter().find(|(key, _)| key == "version").map(|(_, value)| value.clone());
    let description = Description {
        name: skill.name.or_else(|| card.name.clone()),
        description: skill.description.or_else(|| card.description.clone()),
        version: card.version.clone().or_else(of_metadata),
        license: skill.license.or_else(|| card.license.clone()),
        compatibility: skill.compatibility.or_else(|| card.compatibility.clone()),
        allowed_tools: match skill.allowed_tools {
            Some(own) if own.is_empty() => {
                Some(tools::split(card.allowed_tools.as_deref().unwrap_or_default()))
            }
            own => own,
        },
        words: size.words,
        lines: skill.body.lines().count(),
        tokens: size.tokens,
        card: card_file.kind.map(card::Version::api_version),
        findings,
    };
    (description, card)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Text<'_> {
        Text { bytes, size: bytes.len() as u64 }
    }

    #[test]
    fn a_skill_is_described_by_its_frontmatter_and_its_card() {
        let skill =
            b"---\nname: pdf\ndescription: Reads PDF\nallowed-tools: Bash Read\nmetadata:\n  version: '1.2'\n---\n# PDF\n\nread it\n";
        let card = b"apiVersion: skillimage.io/v1alpha1\nkind: SkillCard\nmetadata:\n  name: pdf\n  \
            namespace: acme\n  version: 1.2.0\n  description: x\n  license: MIT\n";
        let (found, card) = describe("", text(skill), Some(text(card)));
        let errors: Vec<&Found> = found.findings.iter().filter(|found| found.is_error()).collect();
        assert_eq!(errors, Vec::<&Found>::new());
        let expected = Description {
            name: Some("pdf".into()),
            description: Some("Reads PDF".into()),
            version: Some("1.2.0".into()),
            license: Some("MIT".into()),
            compatibility: None,
            allowed_tools: Some(vec!["Bash".into(), "Read".into()]),
            words: 4,
            lines: 3,
            tokens: 4,
            card: Some("skillimage.io/v1alpha1"),
            findings: found.findings.clone(),
        };
        assert_eq!((found, card.namespace.as_deref()), (expected, Some("acme")));
    }

    /// Anyone who mends it must find it: the file in the image, the line, and how large it really is.
    #[test]
    fn findings_have_their_place() {
        let cut = Text { bytes: &vec![b'x'; frontmatter::LIMIT + 1], size: 40 << 20 };
        let (found, _) = describe("skills/pdf", cut, Some(text(b"apiVersion: v9\n")));
        let of = |rule: &str| found.findings.iter().find(|found| found.rule == rule).expect("a finding");
        let size = of("skill-size");
        assert_eq!((size.file.as_str(), size.line), ("skills/pdf/SKILL.md", 1));
        assert!(size.message.starts_with("41943040 bytes"), "{}", size.message);
        let version = of("card-api-version");
        assert_eq!((version.file.as_str(), version.field.as_str()), ("skills/pdf/skill.yaml", "apiVersion"));
        assert!(version.in_folder("x/").to_string().starts_with("x/skills/pdf/skill.yaml:1: apiVersion: "));
    }
}
