//! skill.yaml: the rules of three kinds of card, and our reading of the two JSON schemas against a validator's.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use std::path::{Path, PathBuf};

use kubectl_skills::skill::card::schema::{Shape, check};
use kubectl_skills::skill::card::{Author, Card, CardFile, Provenance, Version, read, v1alpha1, v1alpha2};
use kubectl_skills::skill::{frontmatter, node};
use kubectl_skills::yaml::emit;
use serde_json::{Value, json};

const CARD: &str = "\
apiVersion: skillimage.io/v1alpha1
kind: SkillCard
metadata:
  name: pdf
  namespace: acme/docs
  version: 1.2.0-rc.1
  display-name: PDF tools
  description: Reads PDF.
  license: Apache-2.0
  compatibility: any
  tags: [pdf, \"\"]
  authors:
  - {name: Docs, email: docs@example.com}
  - name: Me
  allowed-tools: Read
provenance: {source: https://example.com/skills, commit: abc, path: pdf}
spec:
  prompt: SKILL.md
  examples:
  - {input: Read it, output: Done}
  - {}
  dependencies:
  - {name: ocr, version: 1.0.0}
";

const CARD_2: &str = "\
apiVersion: skillimage.io/v1alpha2
kind: SkillCard
metadata:
  version: 1.2.0
  title: PDF tools
  vendor: Acme
  tags: [pdf, text]
  authors:
  - {name: Docs, email: docs@example.com}
  url: https://example.com
  documentation: https://example.com/docs
  support: http://localhost/support
  changelog: https://example.com/log
  annotations:
    com.example.reviewed: \"yes\"
";

const DOCSCLAW: &str = "\
apiVersion: docsclaw.io/v1alpha1
kind: SkillCard
metadata:
  name: pdf
  namespace: acme
  ref: ghcr.io/acme/pdf
  version: 1.2.0
  description: Reads PDF.
  author: Docs
  license: Apache-2.0
  metadata: {area: text}
spec:
  tools: {required: [read], optional: [write]}
  allowedTools: Read
  dependencies:
    skills: [ocr]
    toolPacks:
    - {name: poppler, ref: ghcr.io/acme/poppler}
  resources: {estimatedMemory: 64Mi, estimatedCPU: 100m}
  compatibility: {minAgentVersion: 0.1, environment: any}
";

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn what_a_card_says_is_read_from_each_kind() {
    let docs = Author { name: "Docs".into(), email: text("docs@example.com") };
    let common = Card {
        name: text("pdf"),
        namespace: text("acme/docs"),
        version: text("1.2.0-rc.1"),
        title: text("PDF tools"),
        description: text("Reads PDF."),
        license: text("Apache-2.0"),
        compatibility: text("any"),
        allowed_tools: text("Read"),
        tags: vec!["pdf".into(), String::new()],
        authors: vec![docs.clone(), Author { name: "Me".into(), email: None }],
        provenance: Provenance {
            source: text("https://example.com/skills"),
            commit: text("abc"),
            path: text("pdf"),
        },
        examples: vec!["Read it".into()],
        dependencies: vec![("ocr".into(), "1.0.0".into())],
        ..Card::default()
    };
    let expected = CardFile { kind: Some(Version::V1Alpha1), card: common, findings: Vec::new() };
    assert_eq!(read(CARD.as_bytes()), expected);
    let second = Card {
        namespace: text("Acme"),
        version: text("1.2.0"),
        title: text("PDF tools"),
        tags: vec!["pdf".into(), "text".into()],
        authors: vec![docs],
        links: vec![
            ("url", "https://example.com".into()),
            ("documentation", "https://example.com/docs".into()),
            ("support", "http://localhost/support".into()),
            ("changelog", "https://example.com/log".into()),
        ],
        annotations: vec![("com.example.reviewed".into(), "yes".into())],
        ..Card::default()
    };
    let expected = CardFile { kind: Some(Version::V1Alpha2), card: second, findings: Vec::new() };
    assert_eq!(read(CARD_2.as_bytes()), expected);
    let third = Card {
        name: text("pdf"),
        namespace: text("acme"),
        version: text("1.2.0"),
        description: text("Reads PDF."),
        license: text("Apache-2.0"),
        compatibility: text("any"),
        allowed_tools: text("Read"),
        authors: vec![Author { name: "Docs".into(), email: None }],
        dependencies: vec![("ocr".into(), String::new())],
        ..Card::default()
    };
    let expected = CardFile { kind: Some(Version::Docsclaw), card: third, findings: Vec::new() };
    assert_eq!(read(DOCSCLAW.as_bytes()), expected);
}

/// Which rule, on which line, of which field: what an author gets to see.
#[test]
fn each_rule_names_line_and_field() {
    let long = "x".repeat(1025);
    for (card, from, to, expected) in [
        (CARD, "skillimage.io/v1alpha1", "skillimage.io/v1beta1", (1, "card-api-version", "apiVersion")),
        (CARD, "apiVersion: skillimage.io/v1alpha1\n", "", (1, "card-api-version", "apiVersion")),
        (CARD, "kind: SkillCard", "kind: Skill", (2, "card-schema-const", "kind")),
        (CARD, "  name: pdf\n", "", (4, "card-schema-required", "metadata.name")),
        (CARD, "  name: pdf\n", "  name: PDF\n", (4, "card-schema-pattern", "metadata.name")),
        (CARD, "  name: pdf\n", "  name: 12\n", (4, "card-schema-type", "metadata.name")),
        (
            CARD,
            "namespace: acme/docs",
            "namespace: acme//docs",
            (5, "card-schema-pattern", "metadata.namespace"),
        ),
        (CARD, "1.2.0-rc.1", "v1.2.0", (6, "card-code-version", "metadata.version")),
        (
            CARD,
            "display-name: PDF tools",
            "display-name: ''",
            (7, "card-schema-length", "metadata.display-name"),
        ),
        (CARD, "license:", "licence:", (9, "card-schema-unknown", "metadata.licence")),
        (CARD, "tags: [pdf, \"\"]", "tags: pdf", (11, "card-schema-type", "metadata.tags")),
        (CARD, "- name: Me", "- email: me", (14, "card-schema-required", "metadata.authors[1].name")),
        (CARD, "kind: SkillCard\n", "kind: SkillCard\nkind: SkillCard\n", (3, "card-code-duplicate", "")),
        (CARD, "- {name: ocr,", "- {nam: ocr,", (23, "card-schema-required", "spec.dependencies[0].name")),
        (CARD_2, "version: 1.2.0", "version: 1.2.0-rc.1", (4, "card-schema-pattern", "metadata.version")),
        (CARD_2, "version: 1.2.0", "version: 01.2.0", (4, "card-code-version", "metadata.version")),
        (CARD_2, "tags: [pdf, text]", "tags: [pdf, pdf]", (7, "card-schema-unique", "metadata.tags[1]")),
        (CARD_2, "https://example.com\n", "http://example.com\n", (10, "card-code-url", "metadata.url")),
        (
            CARD_2,
            "com.example.reviewed",
            "io.skillimage.status",
            (15, "card-code-annotation", "metadata.annotations.io.skillimage.status"),
        ),
        (
            CARD_2,
            "com.example.reviewed",
            "reviewed",
            (15, "card-code-annotation", "metadata.annotations.reviewed"),
        ),
        (CARD_2, "\"yes\"", "1", (15, "card-schema-type", "metadata.annotations.com.example.reviewed")),
        (DOCSCLAW, "  ref: ghcr.io/acme/pdf\n", "", (4, "card-code-required", "metadata.ref")),
        (DOCSCLAW, "name: pdf", "name: a--b", (4, "card-code-name", "metadata.name")),
        (DOCSCLAW, "Reads PDF.", &long, (8, "card-code-length", "metadata.description")),
        (DOCSCLAW, "skills: [ocr]", "skills: ocr", (16, "card-code-type", "spec.dependencies.skills")),
        (DOCSCLAW, "license:", "licence:", (10, "card-code-unknown", "metadata.licence")),
        (DOCSCLAW, "kind: SkillCard", "kind: Skill", (2, "card-code-type", "kind")),
    ] {
        assert!(card.contains(from), "{from}");
        let file = read(card.replacen(from, to, 1).as_bytes());
        let first = file.findings.first().map(|found| (found.line, found.rule.id, found.field.as_str()));
        assert_eq!(first, Some(expected), "{from} -> {to}: {:#?}", file.findings);
    }
}

/// Reading an unknown kind as the newest one would pass over what it says.
#[test]
fn an_unknown_kind_is_an_error_that_names_those_known() {
    let file = read(CARD.replace("v1alpha1", "v1").as_bytes());
    assert_eq!(file.kind, None);
    let said: Vec<String> = file.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "apiVersion: \"skillimage.io/v1\" is not known (known are skillimage.io/v1alpha1, skillimage.io/v1alpha2, \
          docsclaw.io/v1alpha1)"
        ]
    );
}

/// skillctl reads the number 1.0 as text and then finds that it is no version.
#[test]
fn a_version_that_is_a_number_breaks_both_kinds_of_rules() {
    let file = read(CARD.replace("1.2.0-rc.1", "1.0").as_bytes());
    let rules: Vec<&str> = file.findings.iter().map(|finding| finding.rule.id).collect();
    assert_eq!(rules, ["card-schema-type", "card-code-version"]);
}

#[test]
fn hostile_cards_are_bounded() {
    for (text, rule) in [
        (vec![b'a'; (1 << 20) + 1], "card-file"),
        (b"a: \xff\n".to_vec(), "card-file"),
        (b"- a\n".to_vec(), "card-yaml"),
        (b"a: [\n".to_vec(), "card-yaml"),
        ("[".repeat(100_000).into_bytes(), "card-yaml"),
        (format!("[{}]", "x,".repeat(400_000)).into_bytes(), "card-yaml"),
    ] {
        let file = read(&text);
        assert_eq!(file.findings.iter().map(|found| found.rule.id).collect::<Vec<_>>(), [rule]);
    }
}

/// The folder of data that is shared between checkouts; `None` if there is none.
fn shared() -> Option<PathBuf> {
    let named = std::env::var_os("KUBECTL_SKILLS_SHARED").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [named, Some(root.join("../shared")), Some(root.join("../../shared"))];
    folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join("data/skill-images"))
        .find(|folder| folder.is_dir())
}

/// skillimage's own examples are what people copy.
#[test]
fn the_examples_of_skillimage_break_no_rule() {
    let Some(folder) = shared() else { return };
    for name in ["hello-world", "document-reviewer", "briefing-builder"] {
        let bytes = |file: &str| std::fs::read(folder.join(format!("skillimage-{name}.{file}"))).expect(file);
        let card = read(&bytes("skill.yaml"));
        assert_eq!((card.kind, card.card.name.as_deref()), (Some(Version::V1Alpha1), Some(name)));
        assert_eq!(card.findings, [], "{name}");
        let skill = frontmatter::read(&bytes("SKILL.md"));
        assert_eq!((skill.name.as_deref(), skill.is_valid()), (Some(name), true));
        assert_eq!(skill.findings, [], "{name}");
        assert!(skill.readings.iter().all(|reading| reading.refusals.is_empty()), "{:?}", skill.readings);
    }
}

/// A generator of numbers that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("a side")
    }

    fn of<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.roll(items.len())]
    }
}

/// Changes a value somewhere: what people get wrong, and what nobody thinks of.
fn mutate(value: &mut Value, dice: &mut Dice) {
    let stays = dice.roll(8) > 0;
    match value {
        Value::Object(map) if !map.is_empty() && stays => {
            let key = dice.of(&map.keys().cloned().collect::<Vec<_>>()).clone();
            match dice.roll(16) {
                0 => {
                    map.shift_remove(&key);
                }
                1 => {
                    let with = dice.of(&["extra", "Name", "name", "email", "", "x.y", "é", "version"]);
                    map.insert((*with).to_owned(), "x".into());
                }
                2 => {
                    let old = map.shift_remove(&key).unwrap_or_default();
                    map.insert(format!("{key}s"), old);
                }
                _ => mutate(&mut map[&key], dice),
            }
        }
        Value::Array(items) if !items.is_empty() && stays => {
            let index = dice.roll(items.len());
            match dice.roll(4) {
                0 => {
                    items.remove(index);
                }
                1 => items.push(items[index].clone()),
                _ => mutate(&mut items[index], dice),
            }
        }
        Value::String(text) if dice.roll(4) > 0 => {
            let near =
                ["", "-", "a", "a-b", "a--b", "-a", "A", "a/b", "a//b", "/a", "é", "a\n", " ", "1", "1.0"];
            let versions =
                ["1.0.0", "01.0.0", "1.0.0-rc.1", "v1.0.0", "1.0", "1.0.0\n", "١.0.0", "true", "2026-11-27"];
            *text = match dice.roll(6) {
                0 => (*dice.of(&near)).to_owned(),
                1 => (*dice.of(&versions)).to_owned(),
                2 => dice.of(&["a", "é", "😀", "ab-"]).repeat(*dice.of(&[1, 32, 63, 64, 65, 127, 128, 129])),
                3 => format!("{text}-"),
                4 => text.to_uppercase(),
                _ => format!("{text}{}", dice.of(&["\u{301}", "\u{2028}", "\t", "\"", "'", ": #", "\u{0}"])),
            };
        }
        _ => {
            let other = [
                json!(null),
                json!(true),
                json!(12),
                json!(1.5),
                json!(-0.0),
                json!("text"),
                json!([]),
                json!({}),
                json!(["a", "a"]),
                json!([1, 1]),
                json!({"name": "x"}),
                json!([{"name": "x", "version": "1"}]),
            ];
            *value = dice.of(&other).clone();
        }
    }
}

/// 5,000 cards of each schema: a card that we take and its registry refuses is found when it is too late, and one that we
/// refuse and it takes cannot be packed.
#[test]
fn verdicts_are_those_of_a_validator() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/skill");
    let mut schemas: Vec<(PathBuf, &Shape, &str)> = vec![
        (project.join("skillcard-v1alpha1.schema.json"), &v1alpha1::SCHEMA, CARD),
        (project.join("skillcard-v1alpha2.schema.json"), &v1alpha2::SCHEMA, CARD_2),
    ];
    if let Some(folder) = shared() {
        schemas.push((folder.join("skillcard-v1.json"), &v1alpha1::SCHEMA, CARD));
        schemas.push((folder.join("skillcard-v1alpha2.json"), &v1alpha2::SCHEMA, CARD_2));
    }
    for (path, shape, card) in schemas {
        let schema: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).expect("a schema")).expect("JSON");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let document = kubectl_skills::yaml::Document::parse(card).expect("YAML");
        let card = document.to_value().expect("a value");
        assert!(validator.is_valid(&card), "{}", path.display());
        let mut dice = Dice(8);
        let mut valid = 0;
        for _ in 0..5000 {
            let mut mutated = card.clone();
            for _ in 0..=dice.roll(2) {
                mutate(&mut mutated, &mut dice);
            }
            // As JSON and as YAML: what is read differs, and what it means must not.
            let text = if dice.roll(2) == 0 { mutated.to_string() } else { emit::document(&mutated) };
            let file = node::read(&text, 1).unwrap_or_else(|fault| panic!("{fault:?}: {text}"));
            let findings = check(shape, &file.root);
            let expected = validator.is_valid(&mutated);
            assert_eq!(findings.is_empty(), expected, "{}: {text}\n{findings:#?}", path.display());
            valid += usize::from(expected);
        }
        // A generator whose cards are all wrong would show nothing.
        assert!((250..4750).contains(&valid), "{}: {valid} of 5,000 are valid", path.display());
    }
}
