//! SKILL.md: its bytes in, name, description, the other fields and the text out, with what breaks the rules of
//! agentskills (69ef37e:docs/specification.mdx) and what each reader in use makes of it. Where the file stands is left to
//! who calls: that the folder is called after the skill is a question to the mount ([`SkillFile::in_folder`]).
//!
//! An error is what the specification forbids or its own reader, skills-ref, refuses; a warning is what both take, and
//! another reader does not.

use super::budget;
use super::finding::{Finding, Rule, by_line, shown};
use super::node::{self, Content, Kind, Markup, Node};
use super::tools;

pub mod readers;

pub use readers::{Reader, Reading};

/// The most bytes of a SKILL.md that are read; the rest is cut off with a finding.
pub const LIMIT: usize = 1 << 20;
/// Characters of a name, a description and the compatibility.
pub(crate) const LONGEST_NAME: usize = 64;
pub(crate) const LONGEST_DESCRIPTION: usize = 1024;
pub(crate) const LONGEST_COMPATIBILITY: usize = 500;
/// Lines of the text that the specification advises at most.
const ADVISED_LINES: usize = 500;

/// The fields that there are, by name.
pub const FIELDS: [&str; 6] =
    ["allowed-tools", "compatibility", "description", "license", "metadata", "name"];

/// The rules.
pub mod rules {
    use super::Rule;

    /// The file is larger than is read.
    pub const SIZE: Rule = Rule::error("skill-size");
    /// The file is no UTF-8.
    pub const ENCODING: Rule = Rule::error("skill-encoding");
    /// Something stands before the frontmatter: a byte-order mark, blank lines.
    pub const START: Rule = Rule::error("skill-start");
    /// There is no frontmatter, or no end of it.
    pub const FRONTMATTER: Rule = Rule::error("skill-frontmatter");
    /// The frontmatter is no YAML, or no mapping.
    pub const YAML: Rule = Rule::error("skill-yaml");
    /// YAML that skills-ref does not take: flow style, anchors, tags, keys twice, uneven indentation.
    pub const PLAIN_YAML: Rule = Rule::error("skill-plain-yaml");
    /// A field that there is not.
    pub const UNKNOWN_FIELD: Rule = Rule::error("skill-unknown-field");
    /// A field that there must be.
    pub const REQUIRED: Rule = Rule::error("skill-required");
    /// A field of the wrong type.
    pub const TYPE: Rule = Rule::error("skill-type");
    /// A field that is too long, or empty.
    pub const LENGTH: Rule = Rule::error("skill-length");
    /// A name with characters that it may not have.
    pub const NAME: Rule = Rule::error("skill-name");
    /// A name with letters beyond ASCII.
    pub const NAME_ASCII: Rule = Rule::warning("skill-name-ascii");
    /// The folder is not called after the skill.
    pub const FOLDER: Rule = Rule::error("skill-folder");
    /// A number or a boolean where text is meant; every reader takes it as text.
    pub const NOT_TEXT: Rule = Rule::warning("skill-not-text");
    /// More text than the specification advises.
    pub const LONG: Rule = Rule::warning("skill-long");
    /// skills-ref refuses it for a reason that no other rule has.
    pub const REFERENCE: Rule = Rule::error("skill-reference-reader");
    /// Another reader refuses the file.
    pub const READER_REFUSES: Rule = Rule::warning("skill-reader-refuses");
    /// A reader takes the file, and reads something else in it.
    pub const READER_DIFFERS: Rule = Rule::warning("skill-reader-differs");
}

/// A SKILL.md that was read. A field of a wrong type is none; what is wrong stands in the findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkillFile {
    /// The name.
    pub name: Option<String>,
    /// What it is for, and when to use it.
    pub description: Option<String>,
    /// The licence, in free text.
    pub license: Option<String>,
    /// What it needs.
    pub compatibility: Option<String>,
    /// Further entries, in the order of the text.
    pub metadata: Vec<(String, String)>,
    /// The tools that it may use without asking; `None` where readers do not agree which these are, or nobody can say.
    pub allowed_tools: Option<Vec<String>>,
    /// The text after the frontmatter.
    pub body: String,
    /// The line on which that text begins, from 1.
    pub body_line: usize,
    /// What is wrong, by line.
    pub findings: Vec<Finding>,
    /// What each reader in use makes of the file.
    pub readings: Vec<Reading>,
}

impl SkillFile {
    /// Whether it breaks no rule; warnings do not count.
    pub fn is_valid(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }

    /// What is wrong with the folder that the skill is in, or is mounted as: it must be called after the skill.
    pub fn in_folder(&self, folder: &str) -> Option<Finding> {
        let name = self.name.as_deref().map(str::trim).filter(|name| !name.is_empty() && *name != folder)?;
        let message = format!("directory name {folder:?} must match skill name {name:?}");
        let help = format!("call the folder, or the last part of the mountPath, {name}");
        Some(Finding::new(&rules::FOLDER, 1, "name", message).help(help))
    }
}

/// Reads a SKILL.md.
pub fn read(bytes: &[u8]) -> SkillFile {
    let mut out = SkillFile::default();
    let cut = &bytes[..bytes.len().min(LIMIT)];
    let decoded = String::from_utf8_lossy(cut);
    if bytes.len() > LIMIT {
        let message = format!("{} bytes; at most {LIMIT} are read, and the rest is cut off", bytes.len());
        out.findings
            .push(Finding::new(&rules::SIZE, 1, "", message).help("move parts into files of their own"));
    }
    // The cut may go through a character.
    if let Err(error) = std::str::from_utf8(cut)
        && (error.error_len().is_some() || bytes.len() <= LIMIT)
    {
        let line = 1 + memchr::memchr_iter(b'\n', &cut[..error.valid_up_to()]).count();
        let message = format!("the byte 0x{:02x} is not UTF-8", cut[error.valid_up_to()]);
        out.findings.push(Finding::new(&rules::ENCODING, line, "", message).help("save the file as UTF-8"));
    }
    read_text(&decoded, &mut out);
    for reader in Reader::ALL {
        out.readings.push(reader.read(cut));
    }
    compare(&mut out);
    by_line(&mut out.findings);
    out
}

/// Where the frontmatter stands.
struct Split<'t> {
    front: &'t str,
    /// The line on which it begins.
    line: usize,
    body: &'t str,
    body_line: usize,
}

fn read_text(text: &str, out: &mut SkillFile) {
    let Some(split) = split(text, &mut out.findings) else {
        out.body = text.to_owned();
        out.body_line = 1;
        return;
    };
    out.body = split.body.to_owned();
    out.body_line = split.body_line;
    let lines = out.body.trim_end().lines().count();
    let tokens = budget::tokens(&out.body);
    if lines > ADVISED_LINES || tokens > budget::ADVISED_TOKENS {
        let message = format!(
            "the text has {lines} lines and some {tokens} tokens; at most {ADVISED_LINES} and {} are advised",
            budget::ADVISED_TOKENS
        );
        let help = "move details into files of their own, which are read when they are needed";
        out.findings.push(Finding::new(&rules::LONG, out.body_line, "", message).help(help));
    }
    let file = match node::read(split.front, split.line) {
        Ok(file) => file,
        Err(fault) => {
            out.findings.push(Finding::new(&rules::YAML, fault.line, "", fault.message).help(fault.help));
            return;
        }
    };
    for mark in &file.marks {
        out.findings.push(plain_yaml(&mark.what, mark.line));
    }
    match &file.root.content {
        Content::Map(_) => {
            fields(&file.root, out);
            // One reader takes the first of two keys, another the last, and a third merges.
            let is_unclear = |key: &str| {
                file.marks.iter().any(|mark| match &mark.what {
                    Markup::Duplicate(own) => own == key,
                    Markup::Merge => true,
                    _ => false,
                })
            };
            out.allowed_tools = out.allowed_tools.take().filter(|_| !is_unclear("allowed-tools"));
            out.license = out.license.take().filter(|_| !is_unclear("license"));
        }
        Content::Scalar(Kind::Null, _) => {
            out.findings.push(Finding::new(&rules::REQUIRED, split.line, "", "the frontmatter is empty"));
        }
        _ => {
            let message = format!("the frontmatter must be a mapping, found {}", file.root.is_a());
            out.findings.push(Finding::new(&rules::YAML, split.line, "", message));
        }
    }
}

/// Finds the frontmatter as the specification has it: `---` alone on the first line, and alone on the line that ends it.
/// What stands before it is a finding, and is passed over.
fn split<'t>(text: &'t str, findings: &mut Vec<Finding>) -> Option<Split<'t>> {
    let without_mark = text.strip_prefix('\u{feff}');
    let mut rest = without_mark.unwrap_or(text);
    let mut start = |line, message: &str| {
        let help = "the file must start with a line ---";
        findings.push(Finding::new(&rules::START, line, "", message).help(help));
    };
    if without_mark.is_some() {
        start(1, "a byte-order mark stands before the frontmatter");
    }
    let mut line = 1;
    let trimmed = rest.trim_start();
    if trimmed.len() < rest.len() && trimmed.starts_with("---") {
        start(1, "blank lines or spaces stand before the frontmatter");
        line += rest[..rest.len() - trimmed.len()].matches('\n').count();
        rest = trimmed;
    }
    let (first, after) = next_line(rest);
    if !first.starts_with("---") {
        let message = "there is no frontmatter";
        let help = "start the file with ---, name and description, and ---";
        findings.push(Finding::new(&rules::FRONTMATTER, 1, "", message).help(help));
        return None;
    }
    if first.trim_end() != "---" {
        let message = "the line that opens the frontmatter must be --- alone";
        findings.push(Finding::new(&rules::FRONTMATTER, line, "", message));
        return None;
    }
    let mut at = 0;
    let mut number = line + 1;
    while at < after.len() {
        let (one, next) = next_line(&after[at..]);
        if one.trim_end() == "---" {
            let body_line = number + usize::from(!next.is_empty());
            return Some(Split { front: &after[..at], line: line + 1, body: next, body_line });
        }
        at = after.len() - next.len();
        number += 1;
    }
    let message = "the frontmatter is not closed";
    let help = "end it with a line ---";
    findings.push(Finding::new(&rules::FRONTMATTER, line, "", message).help(help));
    None
}

/// The first line without its break, and what follows the break.
fn next_line(text: &str) -> (&str, &str) {
    match text.split_once('\n') {
        Some((line, rest)) => (line.strip_suffix('\r').unwrap_or(line), rest),
        None => (text, ""),
    }
}

fn plain_yaml(what: &Markup, line: usize) -> Finding {
    let quoted = "quote the text if it is no markup";
    let (message, help) = match what {
        Markup::Flow => {
            ("flow style, {...} or [...]".to_owned(), "write it over several lines, or quote the text")
        }
        Markup::Anchor => ("an anchor, &name".to_owned(), quoted),
        Markup::Alias => ("an alias, *name".to_owned(), quoted),
        Markup::Tag => ("a tag, !name".to_owned(), quoted),
        Markup::Merge => ("a merge key, <<".to_owned(), "write the entries out"),
        Markup::Tab => ("a tab".to_owned(), "put spaces there, or the text in quotes"),
        Markup::Document => ("a second YAML document".to_owned(), "remove the line ..."),
        Markup::Duplicate(key) => (format!("the key {key:?} is there already"), "leave one of them"),
    };
    Finding::new(&rules::PLAIN_YAML, line, "", message).help(help)
}

fn fields(root: &Node, out: &mut SkillFile) {
    let findings = &mut out.findings;
    let mut indents = root.entries().iter().filter(|(_, value)| matches!(value.content, Content::Map(_)));
    if let Some((_, first)) = indents.next()
        && let Some((key, _)) = indents.find(|(_, value)| value.column != first.column)
    {
        let message = "the mappings of one level are indented differently";
        findings.push(Finding::new(&rules::PLAIN_YAML, key.line, key.text.as_str(), message));
    }
    for (key, _) in root.entries() {
        if !FIELDS.contains(&key.text.as_str()) {
            let help = match key.text.as_str() {
                "version" | "author" | "tags" => format!("put it under metadata, as metadata.{}", key.text),
                _ => format!("known are {}", FIELDS.join(", ")),
            };
            let message = "is no field of a skill";
            findings
                .push(Finding::new(&rules::UNKNOWN_FIELD, key.line, key.text.as_str(), message).help(help));
        }
    }
    for required in ["name", "description"] {
        if root.get(required).is_none() {
            findings.push(Finding::new(&rules::REQUIRED, root.line, required, "is required"));
        }
    }
    out.name = text(root, "name", findings);
    out.description = text(root, "description", findings);
    out.license = text(root, "license", findings);
    out.compatibility = text(root, "compatibility", findings);
    if let (Some(name), Some(node)) = (&out.name, root.get("name")) {
        findings.extend(name_findings(name, node.line));
    }
    for (key, value, longest) in [
        ("description", &out.description, LONGEST_DESCRIPTION),
        ("compatibility", &out.compatibility, LONGEST_COMPATIBILITY),
    ] {
        let (Some(value), Some(node)) = (value, root.get(key)) else { continue };
        let length = value.chars().count();
        if value.trim().is_empty() {
            findings.push(Finding::new(&rules::LENGTH, node.line, key, "is empty"));
        } else if length > longest {
            let message = format!("has {length} characters, more than {longest}");
            findings.push(Finding::new(&rules::LENGTH, node.line, key, message));
        }
    }
    out.metadata = metadata(root, findings);
    out.allowed_tools = allowed_tools(root, findings);
}

/// The text of a field.
fn text(root: &Node, key: &str, findings: &mut Vec<Finding>) -> Option<String> {
    let node = root.get(key)?;
    match &node.content {
        Content::Scalar(kind, text) => {
            if !matches!(kind, Kind::Text | Kind::Null) {
                let message = format!("is {}, and read as text", kind.name());
                findings
                    .push(Finding::new(&rules::NOT_TEXT, node.line, key, message).help("put it in quotes"));
            }
            if *kind == Kind::Null && key == "license" {
                let message = "is empty";
                findings.push(Finding::new(&rules::LENGTH, node.line, key, message).help("leave it out"));
            }
            Some(if *kind == Kind::Null { String::new() } else { text.clone() })
        }
        _ => {
            let message = format!("must be text, found {}", node.is_a());
            findings.push(Finding::new(&rules::TYPE, node.line, key, message));
            None
        }
    }
}

fn name_findings(name: &str, line: usize) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut add = |rule, message: String| out.push(Finding::new(rule, line, "name", message));
    let length = name.chars().count();
    if name.trim().is_empty() {
        add(&rules::LENGTH, "is empty".into());
        return out;
    }
    if length > LONGEST_NAME {
        add(&rules::LENGTH, format!("has {length} characters, more than {LONGEST_NAME}"));
    }
    if name != name.to_lowercase() {
        add(&rules::NAME, format!("{} must be in lower case", shown(name)));
    }
    if !name.chars().all(|char| char.is_alphanumeric() || char == '-') {
        add(&rules::NAME, format!("{} has other characters than letters, digits and hyphens", shown(name)));
    } else if !name.is_ascii() {
        let message = format!("{} has letters beyond a to z, which not every reader takes", shown(name));
        add(&rules::NAME_ASCII, message);
    }
    if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        add(&rules::NAME, format!("{} has a hyphen at an edge, or two in a row", shown(name)));
    }
    out
}

fn metadata(root: &Node, findings: &mut Vec<Finding>) -> Vec<(String, String)> {
    let Some(node) = root.get("metadata") else { return Vec::new() };
    let Content::Map(entries) = &node.content else {
        let message = format!("must be a mapping of text to text, found {}", node.is_a());
        findings.push(Finding::new(&rules::TYPE, node.line, "metadata", message));
        return Vec::new();
    };
    let mut out = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let field = format!("metadata.{}", key.text);
        match &value.content {
            Content::Scalar(Kind::Text, text) => out.push((key.text.clone(), text.clone())),
            Content::Scalar(kind, text) => {
                let message = format!("must be text, found {}", kind.name());
                findings.push(
                    Finding::new(&rules::NOT_TEXT, value.line, field, message).help("put it in quotes"),
                );
                out.push((key.text.clone(), text.clone()));
            }
            _ => {
                let message = format!("must be text, found {}", value.is_a());
                findings.push(Finding::new(&rules::TYPE, value.line, field, message));
            }
        }
    }
    out
}

fn allowed_tools(root: &Node, findings: &mut Vec<Finding>) -> Option<Vec<String>> {
    let Some(node) = root.get("allowed-tools") else { return Some(Vec::new()) };
    let message = format!("must be text with spaces between the tools, found {}", node.is_a());
    match &node.content {
        Content::Scalar(Kind::Null, _) => Some(Vec::new()),
        Content::Scalar(_, text) => Some(tools::split(text)),
        Content::List(items) => {
            let help = "write the tools on one line";
            findings.push(Finding::new(&rules::TYPE, node.line, "allowed-tools", message).help(help));
            let all: Option<Vec<Vec<String>>> =
                items.iter().map(|item| item.text().map(tools::split)).collect();
            all.map(|all| all.concat())
        }
        Content::Map(_) => {
            findings.push(Finding::new(&rules::TYPE, node.line, "allowed-tools", message));
            None
        }
    }
}

/// What readers make of the file that the rules do not say.
fn compare(out: &mut SkillFile) {
    // Of a file that breaks a rule it is known already what to mend.
    if !out.is_valid() {
        return;
    }
    let mut found = Vec::new();
    for reading in &out.readings {
        let reader = reading.reader.name();
        if let Some(refusal) = reading.refusals.first() {
            let rule = match reading.reader {
                Reader::SkillsRef => &rules::REFERENCE,
                _ => &rules::READER_REFUSES,
            };
            found.push(Finding::new(rule, 1, "", format!("{reader} refuses it: {refusal}")));
            continue;
        }
        for (field, own, other) in
            [("name", &out.name, &reading.name), ("description", &out.description, &reading.description)]
        {
            let [own, other] = [own, other].map(|text| text.as_deref().unwrap_or_default().trim());
            if own != other {
                let message = format!("{reader} reads {}", shown(other));
                let help = "keep it on one line, without quotes, comments and ---";
                found.push(Finding::new(&rules::READER_DIFFERS, 1, field, message).help(help));
            }
        }
    }
    out.findings.append(&mut found);
}
