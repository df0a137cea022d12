//! Lists of skills of other tools: a file's text in, its skills with their images out, and each entry that names no image
//! with what mends that. Asking a registry, and which workload gets the skills, is left to who calls.
//!
//! | file | tool | an entry names |
//! |---|---|---|
//! | SkillCollection | skillctl (redhat-et/skillimage, pkg/collection) | an image, or a source in Git |
//! | `toolhive.lock.yaml` 1 | `thv skill` (stacklok/toolhive, pkg/skills/lockfile) | an image with its digest, or a commit in Git |
//! | `skills-lock.json` 1 | `npx skills` | a repository |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::finding::{Finding, Rule, by_line, shown};
use super::node::{self, Content, Markup, Node};
use super::oci::Digest;
use super::url::without_login;
use crate::api::image_reference;
use crate::api::names::{SKILL_BINDING, SKILLS_GROUP, VERSION};

/// The rules.
pub mod rules {
    use super::Rule;

    /// No list of skills that is known, or one in a version that is not.
    pub const FILE: Rule = Rule::error("import-file");
    /// A value of the wrong type, or `None` if one is needed.
    pub const FIELD: Rule = Rule::error("import-field");
    /// An entry that names no image.
    pub const IMAGE: Rule = Rule::error("import-image");
    /// Two skills of one name.
    pub const TWICE: Rule = Rule::error("import-twice");
    /// A key that is not known, and is passed over.
    pub const UNKNOWN: Rule = Rule::warning("import-unknown");
    /// Something that a list of skills for a workload cannot say.
    pub const LEFT_OUT: Rule = Rule::warning("import-left-out");
}

/// The files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// skillctl's collection.
    SkillCollection,
    /// ToolHive's lock file.
    ToolHive,
    /// The lock file of `npx skills`.
    SkillsLock,
}

impl Source {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::SkillCollection => "SkillCollection",
            Self::ToolHive => "toolhive.lock.yaml",
            Self::SkillsLock => "skills-lock.json",
        }
    }
}

/// A skill with its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name.
    pub name: String,
    /// Reference.
    pub image: String,
    /// The line of its entry.
    pub line: usize,
}

/// What a file lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Which file it is; none if it is none of them.
    pub source: Option<Source>,
    /// The list's own name.
    pub name: Option<String>,
    /// The skills, in the order of the file.
    pub skills: Vec<Entry>,
    /// What is wrong, and what is passed over, by line.
    pub findings: Vec<Finding>,
}

/// Reads a list. `images` names the images of skills that the file names none for, or another one for.
pub fn read(text: &str, images: &BTreeMap<String, String>) -> Imported {
    let mut reader = Reader {
        images,
        out: Imported { source: None, name: None, skills: Vec::new(), findings: Vec::new() },
        seen: BTreeSet::new(),
    };
    if let Err(finding) = reader.file(text) {
        reader.out.findings.push(finding);
    }
    by_line(&mut reader.out.findings);
    reader.out
}

/// A SkillBinding of these skills, each mounted below `root`. `target` is the field of `spec` that says which workloads.
pub fn binding(
    name: &str,
    namespace: Option<&str>,
    target: (&str, Value),
    root: &str,
    skills: &[Entry],
) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    let root = root.trim_end_matches('/');
    let skill = |Entry { name, image, .. }: &Entry| json!({"name": name, "image": image, "mountPath": format!("{root}/{name}")});
    let mut spec = json!({});
    spec[target.0] = target.1;
    spec["skills"] = skills.iter().map(skill).collect();
    json!({
        "apiVersion": format!("{SKILLS_GROUP}/{VERSION}"),
        "kind": SKILL_BINDING,
        "metadata": metadata,
        "spec": spec,
    })
}

struct Reader<'i> {
    images: &'i BTreeMap<String, String>,
    out: Imported,
    seen: BTreeSet<String>,
}

impl Reader<'_> {
    fn file(&mut self, text: &str) -> Result<(), Finding> {
        let error = |line, message: String| Finding::new(&rules::FILE, line, "", message);
        let file = node::read(text.trim_start_matches('\u{feff}'), 1)
            .map_err(|fault| error(fault.line, fault.message).help(fault.help))?;
        for mark in &file.marks {
            match &mark.what {
                Markup::Duplicate(key) => {
                    let message = format!("the key {key:?} is there already");
                    self.out.findings.push(Finding::new(&rules::FIELD, mark.line, "", message));
                }
                Markup::Document => {
                    let further = error(mark.line, "a further document; one list is read".to_owned());
                    self.out.findings.push(further.help("give each list a file of its own"));
                }
                _ => {}
            }
        }
        let root = &file.root;
        let kind = root.get("kind").and_then(Node::text);
        let skills = root.get("skills").map(|skills| &skills.content);
        match (kind, skills) {
            (Some("SkillCollection"), _) => self.collection(root),
            (None, Some(Content::List(_))) => self.toolhive(root),
            (None, Some(Content::Map(_))) => self.skills_lock(root),
            (Some(kind), _) => Err(error(root.line, format!("kind {kind} is no list of skills")).help(KNOWN)),
            _ => Err(error(root.line, "is no list of skills".to_owned()).help(KNOWN)),
        }
    }

    fn collection(&mut self, root: &Node) -> Result<(), Finding> {
        const API_VERSION: &str = "skillimage.io/v1alpha1";
        self.out.source = Some(Source::SkillCollection);
        self.unknown(root, "", &["apiVersion", "kind", "metadata", "skills"]);
        let stated = root.get("apiVersion");
        match stated.and_then(Node::text) {
            Some(API_VERSION) => {}
            other => {
                let found = other.unwrap_or("none");
                let line = stated.unwrap_or(root).line;
                let message = format!("a SkillCollection of {found} is not known");
                let help = format!("known is {API_VERSION}");
                return Err(Finding::new(&rules::FILE, line, "apiVersion", message).help(help));
            }
        }
        if let Some(metadata) = root.get("metadata") {
            self.unknown(metadata, "metadata", &["name", "version", "description"]);
            self.out.name = metadata.get("name").and_then(Node::text).map(str::to_owned);
        }
        for (index, item) in self.list(root)?.iter().enumerate() {
            let field = format!("skills[{index}]");
            if !self.is_mapping(item, &field) {
                continue;
            }
            self.unknown(item, &field, &["name", "image", "source"]);
            let source = item.get("source").and_then(Node::text);
            let derived =
                source.map(|source| source.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
            let name = item.get("name").and_then(Node::text).or(derived);
            let image = item.get("image").and_then(Node::text).map(str::to_owned);
            let missing = || match source {
                Some(source) => {
                    (format!("names no image, but the source {source}"), packed(&git_of_url(source)))
                }
                None => ("names no image".to_owned(), "add image, or leave the entry out".to_owned()),
            };
            self.entry(item.line, &field, name, image.ok_or_else(missing));
        }
        Ok(())
    }

    fn toolhive(&mut self, root: &Node) -> Result<(), Finding> {
        self.out.source = Some(Source::ToolHive);
        // ToolHive takes a file without a version for version 1.
        self.version(root, true)?;
        self.unknown(root, "", &["version", "skills", "plugins"]);
        if let Some(plugins) = root.get("plugins").filter(|plugins| !plugins.items().is_empty()) {
            let message = format!("plugins are no skills, and are left out ({})", plugins.items().len());
            self.out.findings.push(Finding::new(&rules::LEFT_OUT, plugins.line, "plugins", message));
        }
        let known = [
            "name",
            "version",
            "source",
            "resolvedReference",
            "digest",
            "contentDigest",
            "provenance",
            "unsigned",
            "requiredBy",
            "explicit",
        ];
        for (index, item) in self.list(root)?.iter().enumerate() {
            let field = format!("skills[{index}]");
            if !self.is_mapping(item, &field) {
                continue;
            }
            self.unknown(item, &field, &known);
            let of = |key| item.get(key).and_then(Node::text);
            if of("unsigned") == Some("true") {
                let message = "is recorded as unsigned, which a SkillBinding cannot say";
                self.out.findings.push(Finding::new(
                    &rules::LEFT_OUT,
                    item.line,
                    format!("{field}.unsigned"),
                    message,
                ));
            }
            let image = locked(
                of("resolvedReference").or(of("source")).unwrap_or_default(),
                of("digest").unwrap_or_default(),
            );
            self.entry(item.line, &field, of("name"), image);
        }
        Ok(())
    }

    fn skills_lock(&mut self, root: &Node) -> Result<(), Finding> {
        self.out.source = Some(Source::SkillsLock);
        self.version(root, false)?;
        self.unknown(root, "", &["version", "skills"]);
        for (key, item) in root.get("skills").map(Node::entries).unwrap_or_default() {
            let field = format!("skills.{}", key.text);
            if !self.is_mapping(item, &field) {
                continue;
            }
            self.unknown(
                item,
                &field,
                &["source", "sourceUrl", "ref", "sourceType", "skillPath", "computedHash"],
            );
            let of = |key| item.get(key).and_then(Node::text);
            let source = of("source").unwrap_or_default();
            let missing = match of("sourceType") {
                Some("local") => (format!("names no image, but the folder {source}"), packed(source)),
                kind => {
                    let url = match of("sourceUrl") {
                        Some(url) => url.to_owned(),
                        None if kind == Some("gitlab") => format!("https://gitlab.com/{source}"),
                        None if source.contains("://") => source.to_owned(),
                        None => format!("https://github.com/{source}"),
                    };
                    let commit = of("ref").unwrap_or("COMMIT");
                    let path = of("skillPath").map(|path| format!(" ({path})")).unwrap_or_default();
                    (
                        format!("names no image, but the source {source}{path}"),
                        packed(&format!("git+{url}@{commit}")),
                    )
                }
            };
            self.entry(key.line, &field, Some(&key.text), Err(missing));
        }
        Ok(())
    }

    fn version(&mut self, root: &Node, may_lack: bool) -> Result<(), Finding> {
        let stated = root.get("version");
        match stated.and_then(Node::text) {
            Some("1") => Ok(()),
            None if may_lack => Ok(()),
            found => {
                let name = self.out.source.map(Source::name).unwrap_or_default();
                let message = format!("version {} of {name} is not known", found.unwrap_or("(none)"));
                let line = stated.unwrap_or(root).line;
                Err(Finding::new(&rules::FILE, line, "version", message).help("known is 1"))
            }
        }
    }

    fn list<'n>(&self, root: &'n Node) -> Result<&'n [Node], Finding> {
        let found = root.get("skills");
        match found.map(|node| &node.content) {
            Some(Content::List(items)) => Ok(items),
            _ => {
                let line = found.unwrap_or(root).line;
                Err(Finding::new(&rules::FIELD, line, "skills", "must be a list"))
            }
        }
    }

    fn is_mapping(&mut self, item: &Node, field: &str) -> bool {
        let is = matches!(item.content, Content::Map(_));
        if !is {
            let message = format!("must be a mapping, found {}", item.is_a());
            self.out.findings.push(Finding::new(&rules::FIELD, item.line, field, message));
        }
        is
    }

    fn unknown(&mut self, node: &Node, field: &str, known: &[&str]) {
        for (key, _) in node.entries().iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let field = if field.is_empty() { key.text.clone() } else { format!("{field}.{}", key.text) };
            let message = "is not known, and is passed over";
            self.out.findings.push(Finding::new(&rules::UNKNOWN, key.line, field, message));
        }
    }

    /// Takes an entry: its name, and its image or why there is none, and what mends that.
    fn entry(
        &mut self,
        line: usize,
        field: &str,
        name: Option<&str>,
        image: Result<String, (String, String)>,
    ) {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            self.out.findings.push(Finding::new(&rules::FIELD, line, format!("{field}.name"), "is required"));
            return;
        };
        let given = self.images.get(name).cloned();
        let image = match given.map_or(image, Ok) {
            Ok(image) => image,
            Err((message, help)) => {
                let (message, help) = (without_login(&message), without_login(&help).replace("{NAME}", name));
                self.out
                    .findings
                    .push(Finding::new(&rules::IMAGE, line, field, format!("{name} {message}")).help(help));
                return;
            }
        };
        if image_reference::parse(&image).is_none() {
            let message = format!("{} is no image reference", shown(&without_login(&image)));
            self.out.findings.push(Finding::new(&rules::FIELD, line, field, message));
            return;
        }
        if !self.seen.insert(name.to_owned()) {
            let message = format!("the skill {name} is in the list already");
            self.out
                .findings
                .push(Finding::new(&rules::TWICE, line, field, message).help("leave one of them"));
            return;
        }
        self.out.skills.push(Entry { name: name.to_owned(), image, line });
    }
}

const KNOWN: &str = "known are a SkillCollection, toolhive.lock.yaml and skills-lock.json";

/// How to come to an image from a folder or a repository.
fn packed(source: &str) -> String {
    format!(
        "kubectl skills pack {source}, push it, and give its image: --image {{NAME}}=IMAGE; or leave it out: --leave-out"
    )
}

/// The repository of an address of a folder in it, as browsers show it.
fn git_of_url(url: &str) -> String {
    let repository =
        url.split_once("/tree/").or_else(|| url.split_once("/-/tree/")).map_or(url, |(before, _)| before);
    let repository = repository.trim_end_matches("/-");
    format!("git+{repository}@COMMIT")
}

/// The image of an entry of ToolHive, with its digest.
fn locked(reference: &str, digest: &str) -> Result<String, (String, String)> {
    if let Some(rest) = reference.strip_prefix("git://") {
        let repository = rest.split(['@', '#']).next().unwrap_or_default();
        let commit = if digest.is_empty() { "COMMIT" } else { digest };
        let message = format!("names no image, but the source {reference}");
        return Err((message, packed(&format!("git+https://{repository}@{commit}"))));
    }
    // A plain name is that of a catalog, which only ToolHive can look up.
    if !reference.contains('/') {
        let message = format!("names no image, but {reference:?} of ToolHive's catalog");
        let help = "let ToolHive resolve it: thv skill upgrade; or give its image: --image {NAME}=IMAGE";
        return Err((message, help.to_owned()));
    }
    let wrong = |message: String| Err((message, "let ToolHive write the file: thv skill sync".to_owned()));
    let digest = match Digest::parse(digest) {
        Ok(digest) => digest,
        Err(message) => return wrong(format!("has no digest of an image: {message}")),
    };
    match reference.split_once('@') {
        Some((_, own)) if own != digest.as_str() => {
            wrong(format!("has two digests, {own} in its reference and {digest}"))
        }
        Some(_) => Ok(reference.to_owned()),
        None => Ok(format!("{reference}@{digest}")),
    }
}
