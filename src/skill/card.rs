//! skill.yaml, the card of a skill: its bytes in, what it says and what breaks its rules out. Three kinds of card are read;
//! only [`Version::V1Alpha1`], which is what is in the field, is ever written, by others.
//!
//! Two kinds of rules are kept apart by their ids: `card-schema-...` is what the JSON schema of skillimage says, equal to it
//! by test; `card-code-...` is what the program that reads the card demands on top, and no schema says.

use super::finding::{Finding, Rule, by_line};
use super::node::{self, Content, Kind, Markup, Node};
use super::url::without_login;

pub mod checks;
pub mod docsclaw;
pub mod schema;
pub mod v1alpha1;
pub mod v1alpha2;

/// The most bytes of a card that are read.
pub const LIMIT: usize = 1 << 20;
/// Name of the file.
pub const FILE: &str = "skill.yaml";
/// `kind` of every card.
pub const KIND: &str = "SkillCard";

/// The rules.
pub mod rules {
    use super::Rule;

    /// The file is larger than is read, or no UTF-8.
    pub const FILE: Rule = Rule::error("card-file");
    /// No YAML, or no mapping.
    pub const YAML: Rule = Rule::error("card-yaml");
    /// An apiVersion that is not known, or none.
    pub const API_VERSION: Rule = Rule::error("card-api-version");

    /// A user or password in an address, which would be published.
    pub const LOGIN: Rule = Rule::error("card-login");

    /// A field that there must be.
    pub const REQUIRED: Rule = Rule::error("card-schema-required");
    /// A field that there is not.
    pub const UNKNOWN: Rule = Rule::error("card-schema-unknown");
    /// A value of the wrong type.
    pub const TYPE: Rule = Rule::error("card-schema-type");
    /// A value that is not the one there must be.
    pub const CONST: Rule = Rule::error("card-schema-const");
    /// Text that is too short or too long.
    pub const LENGTH: Rule = Rule::error("card-schema-length");
    /// Text that is not written as it must be.
    pub const PATTERN: Rule = Rule::error("card-schema-pattern");
    /// An item twice.
    pub const UNIQUE: Rule = Rule::error("card-schema-unique");

    /// A key twice, which Go's reader refuses.
    pub const CODE_DUPLICATE: Rule = Rule::error("card-code-duplicate");
    /// A version that is none to the program.
    pub const CODE_VERSION: Rule = Rule::error("card-code-version");
    /// An address that is none to the program.
    pub const CODE_URL: Rule = Rule::error("card-code-url");
    /// The key of an annotation that the program does not take.
    pub const CODE_ANNOTATION: Rule = Rule::error("card-code-annotation");
    /// A field that docsclaw wants.
    pub const CODE_REQUIRED: Rule = Rule::error("card-code-required");
    /// A value of a type that docsclaw cannot read.
    pub const CODE_TYPE: Rule = Rule::error("card-code-type");
    /// Text that docsclaw finds too long.
    pub const CODE_LENGTH: Rule = Rule::error("card-code-length");
    /// A name that docsclaw does not take.
    pub const CODE_NAME: Rule = Rule::error("card-code-name");
    /// A field that docsclaw passes over.
    pub const CODE_UNKNOWN: Rule = Rule::warning("card-code-unknown");
}

/// The kinds of card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `skillimage.io/v1alpha1`
    V1Alpha1,
    /// `skillimage.io/v1alpha2`
    V1Alpha2,
    /// `docsclaw.io/v1alpha1`
    Docsclaw,
}

impl Version {
    /// All that are known.
    pub const ALL: [Version; 3] = [Version::V1Alpha1, Version::V1Alpha2, Version::Docsclaw];

    /// Its `apiVersion`.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1Alpha1 => "skillimage.io/v1alpha1",
            Self::V1Alpha2 => "skillimage.io/v1alpha2",
            Self::Docsclaw => "docsclaw.io/v1alpha1",
        }
    }

    fn of(api_version: &str) -> Option<Version> {
        Self::ALL.into_iter().find(|version| version.api_version() == api_version)
    }
}

/// A person or team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// Name.
    pub name: String,
    /// Address, if given.
    pub email: Option<String>,
}

/// Where the skill came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Repository.
    pub source: Option<String>,
    /// Commit.
    pub commit: Option<String>,
    /// Folder in the repository.
    pub path: Option<String>,
}

/// What a card says, as far as anything asks for it. A field that the kind of card does not have, or that is of a wrong
/// type, is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// Name of the skill.
    pub name: Option<String>,
    /// Namespace, or vendor in v1alpha2.
    pub namespace: Option<String>,
    /// Version of the skill.
    pub version: Option<String>,
    /// Name for people: `display-name`, or `title` in v1alpha2.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Licence.
    pub license: Option<String>,
    /// What it needs.
    pub compatibility: Option<String>,
    /// The tools that it may use without asking.
    pub allowed_tools: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who wrote it.
    pub authors: Vec<Author>,
    /// Where it came from.
    pub provenance: Provenance,
    /// Address, documentation, support and changelog of v1alpha2, by the key.
    pub links: Vec<(&'static str, String)>,
    /// Annotations of v1alpha2.
    pub annotations: Vec<(String, String)>,
    /// Example questions.
    pub examples: Vec<String>,
    /// Skills that it needs, and their versions.
    pub dependencies: Vec<(String, String)>,
}

/// A card that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardFile {
    /// Its kind; none if that is not known.
    pub kind: Option<Version>,
    /// What it says.
    pub card: Card,
    /// What is wrong, by line.
    pub findings: Vec<Finding>,
}

impl CardFile {
    /// Whether it breaks no rule; warnings do not count.
    pub fn is_valid(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

/// Reads a card.
pub fn read(bytes: &[u8]) -> CardFile {
    let mut out = CardFile::default();
    if let Err(finding) = read_into(bytes, &mut out) {
        out.findings.push(finding);
    }
    by_line(&mut out.findings);
    out
}

fn read_into(bytes: &[u8], out: &mut CardFile) -> Result<(), Finding> {
    let file = |line, message: String| Finding::new(&rules::FILE, line, "", message);
    if bytes.len() > LIMIT {
        return Err(file(1, format!("{} bytes; at most {LIMIT} are read", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count();
        file(line, format!("the byte 0x{:02x} is not UTF-8", bytes[error.valid_up_to()]))
    })?;
    let file = node::read(text, 1)
        .map_err(|fault| Finding::new(&rules::YAML, fault.line, "", fault.message).help(fault.help))?;
    let root = &file.root;
    if !matches!(root.content, Content::Map(_)) {
        let message = format!("a card must be a mapping, found {}", root.is_a());
        return Err(Finding::new(&rules::YAML, root.line, "", message));
    }
    for mark in &file.marks {
        if let Markup::Duplicate(key) = &mark.what {
            let message = format!("the key {key:?} is there already");
            out.findings
                .push(Finding::new(&rules::CODE_DUPLICATE, mark.line, "", message).help("leave one of them"));
        }
    }
    logins(root, "", &mut out.findings);
    let known = || {
        let known = Version::ALL.map(Version::api_version).join(", ");
        format!("known are {known}")
    };
    let Some(stated) = root.get("apiVersion") else {
        return Err(Finding::new(&rules::API_VERSION, root.line, "apiVersion", "is required").help(known()));
    };
    let Some(version) = stated.text().and_then(Version::of) else {
        let message = match stated.text() {
            Some(text) => format!("{text:?} is not known"),
            None => format!("must be text, found {}", stated.is_a()),
        };
        return Err(Finding::new(&rules::API_VERSION, stated.line, "apiVersion", message).help(known()));
    };
    out.kind = Some(version);
    match version {
        Version::V1Alpha1 => {
            out.findings.extend(schema::check(&v1alpha1::SCHEMA, root));
            out.findings.extend(v1alpha1::check(root));
            out.card = v1alpha1::card(root);
        }
        Version::V1Alpha2 => {
            out.findings.extend(schema::check(&v1alpha2::SCHEMA, root));
            out.findings.extend(v1alpha2::check(root));
            out.card = v1alpha2::card(root);
        }
        Version::Docsclaw => {
            out.findings.extend(docsclaw::check(root));
            out.card = docsclaw::card(root);
        }
    }
    Ok(())
}

/// Logins in the addresses of a card; texts for people, in `spec`, may show one as an example.
fn logins(node: &Node, path: &str, out: &mut Vec<Finding>) {
    match &node.content {
        Content::Scalar(_, text) if without_login(text) != *text => {
            let finding = Finding::new(
                &rules::LOGIN,
                node.line,
                path,
                "has a user or password, which would be published",
            );
            out.push(finding.help("leave it out of the address"));
        }
        Content::Scalar(..) => {}
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                logins(item, &format!("{path}[{index}]"), out);
            }
        }
        Content::Map(entries) => {
            for (key, value) in entries {
                match path {
                    "" if key.text == "spec" => {}
                    "" => logins(value, &key.text, out),
                    path => logins(value, &format!("{path}.{}", key.text), out),
                }
            }
        }
    }
}

/// The node at a path of keys.
fn at<'n>(root: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter().try_fold(root, |node, key| node.get(key))
}

/// The text of a scalar at a path.
fn text(root: &Node, path: &[&str]) -> Option<String> {
    at(root, path)?.text().map(str::to_owned)
}

/// The texts of a list at a path.
fn texts(root: &Node, path: &[&str]) -> Vec<String> {
    let items = at(root, path).map(Node::items).unwrap_or_default();
    items.iter().filter_map(Node::text).map(str::to_owned).collect()
}

/// The texts of a mapping at a path.
fn pairs(root: &Node, path: &[&str]) -> Vec<(String, String)> {
    let entries = at(root, path).map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|(key, value)| Some((key.text.clone(), value.text()?.to_owned()))).collect()
}

fn authors(root: &Node) -> Vec<Author> {
    let items = at(root, &["metadata", "authors"]).map(Node::items).unwrap_or_default();
    let author = |item: &Node| Some(Author { name: text(item, &["name"])?, email: text(item, &["email"]) });
    items.iter().filter_map(author).collect()
}

/// Whether JSON takes a scalar for text.
fn is_text(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Timestamp)
}
