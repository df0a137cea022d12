//! SkillCard `skillimage.io/v1alpha1` (redhat-et/skillimage 92dde21: schemas/skillcard-v1.json, pkg/skillcard): what a card
//! must be, and what it says.

use super::checks::{is_name, is_namespace, is_strict_version};
use super::schema::{Field, SOME, Shape, TEXT, Text, optional, required};
use super::{Card, KIND, Node, Provenance, at, authors, rules, text, texts};
use crate::skill::finding::{Finding, shown};

/// The schema.
pub static SCHEMA: Shape = Shape::Map(&[
    required("apiVersion", Shape::Text(Text { only: Some("skillimage.io/v1alpha1"), ..TEXT })),
    required("kind", Shape::Text(Text { only: Some(KIND), ..TEXT })),
    required("metadata", Shape::Map(METADATA)),
    optional(
        "provenance",
        Shape::Map(&[
            optional("source", Shape::Text(TEXT)),
            optional("commit", Shape::Text(TEXT)),
            optional("path", Shape::Text(TEXT)),
        ]),
    ),
    optional("spec", Shape::Map(SPEC)),
]);

const METADATA: &[Field] = &[
    required(
        "name",
        Shape::Text(Text {
            least: 1,
            most: 64,
            pattern: Some((is_name, "lower-case letters and digits with single hyphens between")),
            only: None,
        }),
    ),
    required(
        "namespace",
        Shape::Text(Text {
            least: 1,
            most: 128,
            pattern: Some((is_namespace, "names as of skills, with / between")),
            only: None,
        }),
    ),
    required("version", Shape::Text(SOME)),
    required("description", Shape::Text(SOME)),
    optional("display-name", Shape::Text(Text { least: 1, most: 128, ..TEXT })),
    optional("license", Shape::Text(TEXT)),
    optional("compatibility", Shape::Text(TEXT)),
    optional("tags", Shape::List(&Shape::Text(TEXT))),
    optional(
        "authors",
        Shape::List(&Shape::Map(&[
            required("name", Shape::Text(SOME)),
            optional("email", Shape::Text(TEXT)),
        ])),
    ),
    optional("allowed-tools", Shape::Text(TEXT)),
];

const SPEC: &[Field] = &[
    optional("prompt", Shape::Text(TEXT)),
    optional(
        "examples",
        Shape::List(&Shape::Map(&[
            optional("input", Shape::Text(TEXT)),
            optional("output", Shape::Text(TEXT)),
        ])),
    ),
    optional(
        "dependencies",
        Shape::List(&Shape::Map(&[
            required("name", Shape::Text(TEXT)),
            required("version", Shape::Text(TEXT)),
        ])),
    ),
];

/// What skillctl checks on top.
pub fn check(root: &Node) -> Vec<Finding> {
    let Some(node) = at(root, &["metadata", "version"]) else { return Vec::new() };
    match node.text() {
        Some(version) if !version.is_empty() && !is_strict_version(version) => {
            let message = format!("{} is no semantic version", shown(version));
            let finding = Finding::new(&rules::CODE_VERSION, node.line, "metadata.version", message);
            vec![finding.help("write MAJOR.MINOR.PATCH without a v, such as 1.0.0")]
        }
        _ => Vec::new(),
    }
}

/// What a card says.
pub fn card(root: &Node) -> Card {
    let of = |key| text(root, &["metadata", key]);
    let provenance = |key| text(root, &["provenance", key]);
    let list = |key| at(root, &["spec", key]).map(Node::items).unwrap_or_default().iter();
    Card {
        name: of("name"),
        namespace: of("namespace"),
        version: of("version"),
        title: of("display-name"),
        description: of("description"),
        license: of("license"),
        compatibility: of("compatibility"),
        allowed_tools: of("allowed-tools"),
        tags: texts(root, &["metadata", "tags"]),
        authors: authors(root),
        provenance: Provenance {
            source: provenance("source"),
            commit: provenance("commit"),
            path: provenance("path"),
        },
        examples: list("examples").filter_map(|item| text(item, &["input"])).collect(),
        dependencies: list("dependencies")
            .filter_map(|item| Some((text(item, &["name"])?, text(item, &["version"])?)))
            .collect(),
        ..Card::default()
    }
}
