//! SkillCard `skillimage.io/v1alpha2` (SecKatie/skillimage cc5fc8e9: schemas/skillcard-v1alpha2.json, pkg/skillcard), which
//! is read and never written: what a card must be, and what it says. Name, description and licence are SKILL.md's.

use super::checks::{is_annotation_key, is_base_version, is_https, is_strict_version};
use super::schema::{Field, SOME, Shape, TEXT, Text, optional, required};
use super::{Card, KIND, Node, at, authors, pairs, rules, text, texts};
use crate::skill::finding::{Finding, shown};

/// The schema.
pub static SCHEMA: Shape = Shape::Map(&[
    required("apiVersion", Shape::Text(Text { only: Some("skillimage.io/v1alpha2"), ..TEXT })),
    required("kind", Shape::Text(Text { only: Some(KIND), ..TEXT })),
    required("metadata", Shape::Map(METADATA)),
]);

const TITLE: Text = Text { least: 1, most: 128, ..TEXT };
const LINKS: [&str; 4] = ["url", "documentation", "support", "changelog"];

const METADATA: &[Field] = &[
    required("version", Shape::Text(Text { pattern: Some((is_base_version, "MAJOR.MINOR.PATCH")), ..TEXT })),
    optional("title", Shape::Text(TITLE)),
    optional("vendor", Shape::Text(TITLE)),
    optional("tags", Shape::Set(&Shape::Text(SOME))),
    optional(
        "authors",
        Shape::List(&Shape::Map(&[
            required("name", Shape::Text(SOME)),
            optional("email", Shape::Text(SOME)),
        ])),
    ),
    optional("url", Shape::Text(SOME)),
    optional("documentation", Shape::Text(SOME)),
    optional("support", Shape::Text(SOME)),
    optional("changelog", Shape::Text(SOME)),
    optional("annotations", Shape::Texts),
];

/// Keys of annotations that skillctl writes itself.
const RESERVED: [&str; 2] = ["org.opencontainers.", "io.skillimage."];

/// What skillctl checks on top.
pub fn check(root: &Node) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some(node) = at(root, &["metadata", "version"])
        && let Some(version) = node.text()
        && is_base_version(version)
        && !is_strict_version(version)
    {
        let message = format!("{} is no semantic version", shown(version));
        let finding = Finding::new(&rules::CODE_VERSION, node.line, "metadata.version", message);
        out.push(finding.help("leave the zeros in front out"));
    }
    for key in LINKS {
        let Some(node) = at(root, &["metadata", key]) else { continue };
        if let Some(text) = node.text()
            && !text.is_empty()
            && !is_https(text)
        {
            let message = format!("{} is no absolute https address", shown(text));
            out.push(Finding::new(&rules::CODE_URL, node.line, format!("metadata.{key}"), message));
        }
    }
    for (key, _) in at(root, &["metadata", "annotations"]).map(Node::entries).unwrap_or_default() {
        let field = format!("metadata.annotations.{}", key.text);
        let message = if RESERVED.iter().any(|prefix| key.text.starts_with(prefix)) {
            "is an annotation that skillctl writes itself"
        } else if is_annotation_key(&key.text) {
            continue;
        } else {
            "must begin with a domain, as com.example.reviewed"
        };
        out.push(Finding::new(&rules::CODE_ANNOTATION, key.line, field, message));
    }
    out
}

/// What a card says.
pub fn card(root: &Node) -> Card {
    let of = |key| text(root, &["metadata", key]);
    Card {
        namespace: of("vendor"),
        version: of("version"),
        title: of("title"),
        tags: texts(root, &["metadata", "tags"]),
        authors: authors(root),
        links: LINKS.into_iter().filter_map(|key| Some((key, of(key)?))).collect(),
        annotations: pairs(root, &["metadata", "annotations"]),
        ..Card::default()
    }
}
