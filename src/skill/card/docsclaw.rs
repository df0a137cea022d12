//! SkillCard `docsclaw.io/v1alpha1` (redhat-et/docsclaw 94d5dc7: pkg/skills/card), which is read and never written. There is
//! no schema: all rules are the program's. It reports the first defect only; here are all of them.

use super::checks::is_name;
use super::{Author, Card, Content, KIND, Kind, Node, rules, text, texts};
use crate::skill::finding::{Finding, shown};

/// What a value is read into.
enum Into {
    Text,
    Texts,
    TextByKey,
    Map(&'static [(&'static str, Into)]),
    List(&'static [(&'static str, Into)]),
}

use Into::{List, Map, Text, TextByKey, Texts};

const CARD: &[(&str, Into)] =
    &[("apiVersion", Text), ("kind", Text), ("metadata", Map(METADATA)), ("spec", Map(SPEC))];
const METADATA: &[(&str, Into)] = &[
    ("name", Text),
    ("namespace", Text),
    ("ref", Text),
    ("version", Text),
    ("description", Text),
    ("author", Text),
    ("license", Text),
    ("metadata", TextByKey),
];
const SPEC: &[(&str, Into)] = &[
    ("tools", Map(&[("required", Texts), ("optional", Texts)])),
    ("allowedTools", Text),
    ("dependencies", Map(&[("skills", Texts), ("toolPacks", List(&[("name", Text), ("ref", Text)]))])),
    ("resources", Map(&[("estimatedMemory", Text), ("estimatedCPU", Text)])),
    ("compatibility", Map(&[("minAgentVersion", Text), ("environment", Text)])),
];

/// Fields of `metadata` that may not be empty, in the order in which docsclaw asks for them.
const REQUIRED: [&str; 6] = ["name", "namespace", "ref", "version", "description", "author"];
const LONGEST_NAME: usize = 64;
/// Bytes.
const LONGEST_DESCRIPTION: usize = 1024;

/// What docsclaw says against a card.
pub fn check(root: &Node) -> Vec<Finding> {
    let mut out = Vec::new();
    map(CARD, root, "", &mut out);
    let kind = root.get("kind");
    if kind.and_then(Node::text) != Some(KIND) {
        let message = format!("must be {KIND}");
        out.push(Finding::new(&rules::CODE_TYPE, kind.unwrap_or(root).line, "kind", message));
    }
    let metadata = root.get("metadata");
    for key in REQUIRED {
        let node = metadata.and_then(|metadata| metadata.get(key));
        if node.is_none_or(|node| matches!(&node.content, Content::Scalar(kind, text) if *kind == Kind::Null || text.is_empty())) {
            let line = node.or(metadata).unwrap_or(root).line;
            out.push(Finding::new(&rules::CODE_REQUIRED, line, format!("metadata.{key}"), "is required"));
        }
    }
    let field = |key| {
        metadata.and_then(|metadata| metadata.get(key)).and_then(|node| Some((node.line, node.text()?)))
    };
    if let Some((line, name)) = field("name")
        && !name.is_empty()
        && !(is_name(name) && name.len() <= LONGEST_NAME)
    {
        let message = format!(
            "{} is no name: up to 64 lower-case letters and digits with single hyphens between",
            shown(name)
        );
        out.push(Finding::new(&rules::CODE_NAME, line, "metadata.name", message));
    }
    if let Some((line, description)) = field("description")
        && description.len() > LONGEST_DESCRIPTION
    {
        let message = format!("has {} bytes, more than {LONGEST_DESCRIPTION}", description.len());
        out.push(Finding::new(&rules::CODE_LENGTH, line, "metadata.description", message));
    }
    out
}

fn value(into: &Into, node: &Node, path: &str, out: &mut Vec<Finding>) {
    let is_scalar = |node: &Node| matches!(node.content, Content::Scalar(..));
    let wanted = match (into, &node.content) {
        // Null is nothing to Go, whatever is wanted.
        (_, Content::Scalar(Kind::Null, _)) => return,
        (Text, Content::Scalar(..)) => return,
        (Text, _) => "text",
        (Texts, Content::List(items)) if items.iter().all(is_scalar) => return,
        (Texts, _) => "a list of texts",
        (TextByKey, Content::Map(entries)) if entries.iter().all(|(_, node)| is_scalar(node)) => return,
        (TextByKey, _) => "a mapping of text to text",
        (Map(fields), Content::Map(_)) => return map(fields, node, path, out),
        (Map(_), _) => "a mapping",
        (List(fields), Content::List(items))
            if items.iter().all(|item| matches!(item.content, Content::Map(_))) =>
        {
            for (index, item) in items.iter().enumerate() {
                map(fields, item, &format!("{path}[{index}]"), out);
            }
            return;
        }
        (List(_), _) => "a list of mappings",
    };
    let message = format!("must be {wanted}, found {}", node.is_a());
    out.push(Finding::new(&rules::CODE_TYPE, node.line, path, message));
}

fn map(fields: &[(&str, Into)], node: &Node, path: &str, out: &mut Vec<Finding>) {
    for (key, node) in node.entries() {
        let path = if path.is_empty() { key.text.clone() } else { format!("{path}.{}", key.text) };
        match fields.iter().find(|(name, _)| *name == key.text) {
            Some((_, into)) => value(into, node, &path, out),
            None => {
                out.push(Finding::new(&rules::CODE_UNKNOWN, key.line, path, "is passed over by docsclaw"))
            }
        }
    }
}

/// What a card says.
pub fn card(root: &Node) -> Card {
    let of = |key| text(root, &["metadata", key]);
    Card {
        name: of("name"),
        namespace: of("namespace"),
        version: of("version"),
        description: of("description"),
        license: of("license"),
        compatibility: text(root, &["spec", "compatibility", "environment"]),
        allowed_tools: text(root, &["spec", "allowedTools"]),
        authors: of("author").map(|name| Author { name, email: None }).into_iter().collect(),
        dependencies: texts(root, &["spec", "dependencies", "skills"])
            .into_iter()
            .map(|skill| (skill, String::new()))
            .collect(),
        ..Card::default()
    }
}
