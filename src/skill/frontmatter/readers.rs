//! What the programs that read SKILL.md make of one: its bytes in, what each refuses and reads out, in its own words.
//!
//! | reader | source | it has |
//! |---|---|---|
//! | skills-ref | agentskills/agentskills 69ef37e, skills-ref/src/skills_ref/{parser,validator}.py | strictyaml: every scalar is text, no flow style, anchors, tags or keys twice |
//! | skillimage | the v1alpha2 branch of skillimage (SecKatie/skillimage 8d05a4d6, pkg/agentskill/agentskill.go) | yaml.v3 into Go structs |
//! | docsclaw | redhat-et/docsclaw 94d5dc7, pkg/skills/loader.go | lines, no YAML |
//!
//! The folder is not known here, so that none is held to be called after the skill. skills-ref brings names into Unicode's
//! form NFKC before it looks at them; here they are taken as they are.

use std::borrow::Cow;

use super::{FIELDS, LONGEST_COMPATIBILITY, LONGEST_DESCRIPTION, LONGEST_NAME};
use crate::skill::node::{self, Content, File, Kind, Markup, Node};

/// A program that reads SKILL.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The reference implementation.
    SkillsRef,
    /// The Go reader of skillimage's v1alpha2.
    SkillImage,
    /// docsclaw's loader.
    Docsclaw,
}

/// What a reader makes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who.
    pub reader: Reader,
    /// What it says against the file; empty if it takes it.
    pub refusals: Vec<String>,
    /// The name that it reads, if it gets that far.
    pub name: Option<String>,
    /// The description that it reads, if it gets that far.
    pub description: Option<String>,
}

impl Reader {
    /// All of them.
    pub const ALL: [Reader; 3] = [Reader::SkillsRef, Reader::SkillImage, Reader::Docsclaw];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SkillsRef => "skills-ref",
            Self::SkillImage => "skillimage",
            Self::Docsclaw => "docsclaw",
        }
    }

    /// What it makes of a file.
    pub fn read(self, bytes: &[u8]) -> Reading {
        let mut out = Reading { reader: self, refusals: Vec::new(), name: None, description: None };
        let read = match self {
            Self::SkillsRef => skills_ref(bytes, &mut out),
            Self::SkillImage => skillimage(bytes, &mut out),
            Self::Docsclaw => docsclaw(bytes, &mut out),
        };
        if let Err(refusal) = read {
            out.refusals.push(refusal);
        }
        out
    }
}

fn skills_ref(bytes: &[u8], out: &mut Reading) -> Result<(), String> {
    // Python's text files have one kind of line break.
    let text = std::str::from_utf8(bytes).map_err(|_| "SKILL.md is not UTF-8".to_owned())?;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let rest = text.strip_prefix("---").ok_or("SKILL.md must start with YAML frontmatter (---)")?;
    let (front, _) = rest.split_once("---").ok_or("SKILL.md frontmatter not properly closed with ---")?;
    let invalid = |message: String| format!("Invalid YAML in frontmatter: {message}");
    let front = front.replace('\u{85}', " ");
    let hidden = BREAKS.iter().fold(front, |text, (char, hidden)| text.replace(*char, hidden));
    let shown =
        |text: &str| BREAKS.iter().fold(text.to_owned(), |text, (char, hidden)| text.replace(hidden, char));
    let file = node::read(&hidden, 1).map_err(|fault| invalid(fault.message))?;
    if let Some(refusal) = strict_yaml(&file) {
        return Err(invalid(refusal));
    }
    let Content::Map(entries) = &file.root.content else {
        return Err("SKILL.md frontmatter must be a YAML mapping".into());
    };
    let mut unknown: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
    unknown.retain(|key| !FIELDS.contains(key));
    unknown.sort_unstable();
    if !unknown.is_empty() {
        let known = FIELDS.map(|field| format!("'{field}'")).join(", ");
        let message =
            format!("Unexpected fields in frontmatter: {}. Only [{known}] are allowed.", unknown.join(", "));
        out.refusals.push(message);
    }
    out.name = strict_text(&file.root, "name").map(|name| shown(name.trim()));
    out.description = strict_text(&file.root, "description").map(shown);
    match (file.root.get("name"), &out.name) {
        (None, _) => out.refusals.push("Missing required field in frontmatter: name".into()),
        (Some(_), Some(name)) if !name.is_empty() => {
            let refusals = name_refusals(name);
            out.refusals.extend(refusals);
        }
        _ => out.refusals.push("Field 'name' must be a non-empty string".into()),
    }
    match (file.root.get("description"), &out.description) {
        (None, _) => out.refusals.push("Missing required field in frontmatter: description".into()),
        (Some(_), Some(text)) if !text.trim().is_empty() => {
            let refusal = too_long("Description", text, LONGEST_DESCRIPTION);
            out.refusals.extend(refusal);
        }
        _ => out.refusals.push("Field 'description' must be a non-empty string".into()),
    }
    if file.root.get("compatibility").is_some() {
        out.refusals.extend(match strict_text(&file.root, "compatibility") {
            Some(text) => too_long("Compatibility", text, LONGEST_COMPATIBILITY),
            None => Some("Field 'compatibility' must be a string".into()),
        });
    }
    Ok(())
}

/// Line breaks of YAML 1.1 that are characters like others in YAML 1.2, and what stands for them while our reader reads.
const BREAKS: [(&str, &str); 2] = [("\u{2028}", "\u{f2028}"), ("\u{2029}", "\u{f2029}")];

fn name_refusals(name: &str) -> Vec<String> {
    let mut out: Vec<String> =
        too_long(&format!("Skill name '{name}'"), name, LONGEST_NAME).into_iter().collect();
    if name != name.to_lowercase() {
        out.push(format!("Skill name '{name}' must be lowercase"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        out.push("Skill name cannot start or end with a hyphen".into());
    }
    if name.contains("--") {
        out.push("Skill name cannot contain consecutive hyphens".into());
    }
    if !name.chars().all(|char| char.is_alphanumeric() || char == '-') {
        out.push(format!(
            "Skill name '{name}' contains invalid characters. Only letters, digits, and hyphens are allowed."
        ));
    }
    out
}

fn too_long(what: &str, text: &str, longest: usize) -> Option<String> {
    let length = text.chars().count();
    (length > longest).then(|| format!("{what} exceeds {longest} character limit ({length} chars)"))
}

/// The text of a scalar, as strictyaml has it: `~` and `null` are text as well, `<<` is none.
fn strict_text<'n>(root: &'n Node, key: &str) -> Option<&'n str> {
    match &root.get(key)?.content {
        Content::Scalar(_, text) if text != "<<" => Some(text),
        _ => None,
    }
}

/// What strictyaml says against a file.
fn strict_yaml(file: &File) -> Option<String> {
    let refusal = file.marks.first().map(|mark| match &mark.what {
        Markup::Flow => "Found ugly disallowed JSONesque flow mapping".to_owned(),
        Markup::Anchor => "Found confusing disallowed anchor token".to_owned(),
        Markup::Tag => "Found disallowed tag tokens".to_owned(),
        Markup::Alias => "found undefined alias".to_owned(),
        Markup::Merge => "expected a mapping or list of mappings for merging".to_owned(),
        Markup::Tab => "found character '\\t' that cannot start any token".to_owned(),
        Markup::Document => "expected a single document in the stream".to_owned(),
        Markup::Duplicate(key) => format!("Duplicate key '{key}' found"),
    });
    let uneven = || "Found mapping with indentation inconsistent with previous mapping".to_owned();
    refusal.or_else(|| is_uneven(&file.root).then(uneven))
}

/// Whether mappings that are values of one mapping begin in different columns.
fn is_uneven(node: &Node) -> bool {
    match &node.content {
        Content::Map(entries) => {
            let mut columns = entries
                .iter()
                .filter_map(|(_, value)| matches!(value.content, Content::Map(_)).then_some(value.column));
            let first = columns.next();
            columns.any(|column| Some(column) != first) || entries.iter().any(|(_, value)| is_uneven(value))
        }
        Content::List(items) => items.iter().any(is_uneven),
        Content::Scalar(..) => false,
    }
}

fn skillimage(bytes: &[u8], out: &mut Reading) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let rest =
        text.strip_prefix("---\n").ok_or("SKILL.md must start with YAML frontmatter delimited by ---")?;
    let (front, after) =
        rest.split_once("\n---").ok_or("SKILL.md frontmatter is missing its closing --- delimiter")?;
    if !after.is_empty() && !after.starts_with('\n') {
        return Err("SKILL.md closing --- delimiter must be on its own line".into());
    }
    let parsing = |message: String| format!("parsing SKILL.md frontmatter: {message}");
    // A byte that was no text has become this character; where it was one, nothing is lost but this message.
    if front.contains('\u{fffd}') && std::str::from_utf8(bytes).is_err() {
        return Err(parsing("yaml: invalid UTF-8".into()));
    }
    let file = node::read(front, 2).map_err(|fault| parsing(format!("yaml: {}", fault.message)))?;
    let twice = file.marks.iter().find_map(|mark| match &mark.what {
        Markup::Duplicate(key) => Some(format!("mapping key \"{key}\" already defined")),
        _ => None,
    });
    if let Some(twice) = twice {
        return Err(parsing(format!("yaml: {twice}")));
    }
    let entries = match &file.root.content {
        Content::Map(entries) => entries,
        Content::Scalar(Kind::Null, _) => return Err(parsing("EOF".into())),
        _ => return Err(parsing(format!("yaml: cannot unmarshal {} into map", file.root.is_a()))),
    };
    go_metadata(&file.root).map_err(parsing)?;
    let field = |key| go_text(&file.root, key).map_err(parsing);
    let (name, description) = (field("name")?, field("description")?);
    let compatibility = field("compatibility")?;
    for key in ["license", "allowed-tools"] {
        field(key)?;
    }
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) {
        out.refusals.push("name: must be between 1 and 64 characters".into());
    } else if !is_plain_name(&name) {
        let message = "name: must contain only lowercase letters, numbers, and single hyphens";
        out.refusals.push(message.into());
    }
    if !(1..=LONGEST_DESCRIPTION).contains(&description.chars().count()) {
        out.refusals.push("description: must be between 1 and 1024 characters".into());
    }
    if compatibility.chars().count() > LONGEST_COMPATIBILITY {
        out.refusals.push("compatibility: must not exceed 500 characters".into());
    }
    let mut unknown: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
    unknown.retain(|key| !FIELDS.contains(key));
    unknown.sort_unstable();
    let refusals = unknown.iter().map(|key| format!("{key}: unknown Agent Skills frontmatter field"));
    out.refusals.extend(refusals);
    out.name = Some(name.into_owned());
    out.description = Some(description.into_owned());
    Ok(())
}

/// What yaml.v3 puts into a string of a struct: the text of any scalar, nothing for null.
fn go_text<'n>(root: &'n Node, key: &str) -> Result<Cow<'n, str>, String> {
    match root.get(key).map(|node| (node, &node.content)) {
        None | Some((_, Content::Scalar(Kind::Null, _))) => Ok("".into()),
        Some((_, Content::Scalar(_, text))) => Ok(text.into()),
        Some((node, _)) => Err(format!("yaml: cannot unmarshal {} into string", node.is_a())),
    }
}

fn go_metadata(root: &Node) -> Result<(), String> {
    let Some(node) = root.get("metadata") else { return Ok(()) };
    let Content::Map(entries) = &node.content else {
        return Err("metadata must be a string-to-string mapping".into());
    };
    // With another key than text, yaml.v3 makes another type of map.
    if entries.iter().any(|(key, _)| key.kind != Kind::Text) {
        return Err("metadata must be a string-to-string mapping".into());
    }
    let wrong = entries.iter().find(|(_, value)| !matches!(value.content, Content::Scalar(Kind::Text, _)));
    wrong.map_or(Ok(()), |(key, _)| Err(format!("metadata.{} must be a string", key.text)))
}

/// `^[a-z0-9]+(-[a-z0-9]+)*$`
pub(in crate::skill) fn is_plain_name(text: &str) -> bool {
    text.split('-').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn docsclaw(bytes: &[u8], out: &mut Reading) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let rest = text.strip_prefix("---").ok_or("no frontmatter found")?;
    let (front, _) = rest.split_once("---").ok_or("unclosed frontmatter")?;
    let (mut name, mut description) = ("", "");
    for line in front.split('\n').map(str::trim) {
        // The last of each counts, wherever it is indented.
        if let Some(value) = line.strip_prefix("name:") {
            name = value.trim();
        }
        if let Some(value) = line.strip_prefix("description:") {
            description = value.trim();
        }
    }
    if name.is_empty() {
        return Err("skill has no name".into());
    }
    out.name = Some(name.to_owned());
    out.description = Some(description.to_owned());
    Ok(())
}
