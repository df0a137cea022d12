//! `render` over every style in `testdata/golden/styles`: the bytes that come out, that a second run changes nothing, and
//! that `--remove` gives the author's own bytes back.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it golden` (`make golden`) writes `rendered.yaml` anew; read the diff before you commit.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read its data and stop at bad data"
)]

use std::path::{Path, PathBuf};

use kubectl_skills::api::profile::Profile;
use kubectl_skills::manifest::render::{Settings, render};
use kubectl_skills::manifest::stream::{Source, Stream};
use kubectl_skills::yaml::{Document, DocumentSlice, split};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// Styles in which lines cannot be added alone: what is on one line, or a placeholder that gets content.
const LINES_CHANGE: [&str; 25] = [
    "block-scalar-at-end",
    "flow-items",
    "flow-metadata",
    "flow-multi-line",
    "flow-nulls",
    "flow-padded",
    "flow-trailing-comma",
    "flow-underindented",
    "flow-volumes",
    "flow-whole-document",
    "json-crlf",
    "json-empty-collections",
    "json-in-yaml",
    "json-null",
    "json-one-line",
    "json-one-line-empty",
    "json-one-line-spaces",
    "json-pretty",
    "json-pretty-4",
    "json-short-arrays",
    "json-stream",
    "json-tabs",
    "merge-key-in-labels",
    "metadata-empty-maps",
    "template-metadata-empty",
];

fn styles() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/styles");
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(root).expect("the styles").map(|entry| entry.expect("an entry").path()).collect();
    // `volumes: {}` is for the editor's own tests: Kubernetes takes no map there, and neither does a plan.
    all.retain(|style| !["volumes-empty-map", "flow-nulls"].contains(&name(style)));
    all.sort();
    assert!(all.len() >= 40, "{} styles", all.len());
    all
}

fn name(style: &Path) -> &str {
    style.file_name().and_then(|name| name.to_str()).expect("a name")
}

fn file(style: &Path, stem: &str) -> PathBuf {
    let json = style.join("input.json").exists();
    style.join(format!("{stem}.{}", if json { "json" } else { "yaml" }))
}

fn input(style: &Path) -> String {
    String::from_utf8(std::fs::read(file(style, "input")).expect("an input")).expect("UTF-8")
}

/// Renders with the options of a newcomer, and `SKILL_FOLDERS` on top.
fn rendered(text: &str, remove: bool) -> Result<String, String> {
    let profile = Profile::by_name("pr332-merged").expect("a profile");
    let mut settings = Settings::new(profile);
    settings.options.remove = remove;
    settings.options.skill_folders = Some(true);
    let sources = [Source { name: "input.yaml".into(), text: text.into() }];
    let reported = |errors: Vec<kubectl_skills::api::error::InputError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let stream = Stream::read(&sources, "default").map_err(reported)?;
    let rendered = render(&stream, &settings).map_err(reported)?;
    Ok(rendered.edited.chunks(0, text).collect())
}

/// A reviewer who sees lines changed that need not change stops trusting the tool.
#[test]
fn every_style_is_rendered_as_a_person_would_have_written_it() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut failed = Vec::new();
    for style in styles() {
        let text = input(&style);
        let out = match rendered(&text, false) {
            Ok(out) => out,
            Err(error) => {
                failed.push(format!("{}: {error}", name(&style)));
                continue;
            }
        };
        let golden = file(&style, "rendered");
        if update {
            std::fs::write(&golden, &out).expect("a writable golden file");
        }
        let wanted = std::fs::read(&golden).unwrap_or_default();
        if wanted != out.as_bytes() {
            failed.push(format!(
                "{}: is not rendered.yaml any more; `make golden` writes it anew:\n{out}",
                name(&style)
            ));
        }
        if out == text {
            failed.push(format!("{}: nothing was rendered", name(&style)));
        }
        let removed = TextDiff::from_lines(&text, &out)
            .iter_all_changes()
            .filter(|change| change.tag() == ChangeTag::Delete)
            .map(|change| change.to_string())
            .collect::<String>();
        // A last line without a break gets one when something follows.
        let only_break =
            !text.ends_with('\n') && text.ends_with(removed.trim_end()) && removed.lines().count() == 1;
        if !removed.is_empty() && !only_break && !changes_lines(&style) {
            failed.push(format!("{}: lines of the author's changed:\n{removed}", name(&style)));
        }
    }
    assert!(failed.is_empty(), "{} styles:\n{}", failed.len(), failed.join("\n"));
}

fn changes_lines(style: &Path) -> bool {
    LINES_CHANGE.contains(&name(style)) || name(style).starts_with("volumes-")
}

/// A pipeline that runs twice, or over what is in Git already, must not produce a second commit.
#[test]
fn a_second_render_changes_no_byte() {
    for style in styles() {
        let once = rendered(&input(&style), false).expect("a rendered style");
        assert_eq!(rendered(&once, false).as_deref(), Ok(once.as_str()), "{}", name(&style));
    }
}

/// The documents of a text, in which absent, null and empty are one.
fn meaning(text: &str) -> Vec<Value> {
    documents(text).iter().map(bare).collect()
}

fn has_empty(text: &str) -> bool {
    documents(text).iter().any(|document| bare(document) != *document)
}

fn documents(text: &str) -> Vec<Value> {
    let document = |slice: &DocumentSlice| {
        let parsed = Document::parse(&text[slice.start..slice.end]).expect("a document");
        parsed.to_value().expect("a value")
    };
    split(text).iter().map(document).collect()
}

fn bare(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(key, value)| (key.clone(), bare(value)));
            let kept: serde_json::Map<String, Value> = kept.filter(|(_, value)| !value.is_null()).collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(bare).collect(),
        other => other.clone(),
    }
}

/// Whoever tries the tool can leave it again.
#[test]
fn remove_gives_the_authors_bytes_back() {
    for style in styles() {
        let text = input(&style);
        let once = rendered(&text, false).expect("a rendered style");
        let back = rendered(&once, true).expect("a style without what is ours");
        // An empty collection that was filled may be left out.
        assert_eq!(meaning(&back), meaning(&text), "{}: --remove changes what is the author's", name(&style));
        if !has_empty(&text) {
            assert_eq!(back, text, "{}", name(&style));
        }
        assert_eq!(
            rendered(&text, true).as_deref(),
            Ok(text.as_str()),
            "{}: had nothing of ours",
            name(&style)
        );
    }
}

/// Found by fuzzing: a path with a comma was added to SKILL_FOLDERS again in every run.
#[test]
fn a_path_that_skill_folders_cannot_name_is_refused() {
    let style = styles().into_iter().find(|style| name(style) == "block-indented").expect("the style");
    let text = input(&style).replace("mountPath: /app/skills/alerts", "mountPath: /app/skills/a,b");
    let error = rendered(&text, false).expect_err("a refusal");
    assert!(
        error.contains("spec.skills[1].mountPath: SKILL_FOLDERS cannot name \"/app/skills/a,b\""),
        "{error}"
    );
}
