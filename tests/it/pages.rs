//! README and the pages of docs/: what they show is what the program prints, and what they tell people to run is there.
//! Their tables are left to [`crate::docs`], commands that need a cluster to tests/e2e.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::program::{Folder, skills};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Pages by their path, without those that are made of the help.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for folder in ["", "docs", "docs/examples"] {
        for entry in std::fs::read_dir(root().join(folder)).expect(folder).flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") && name != "cli.md" {
                let text = std::fs::read_to_string(entry.path()).expect("a page");
                pages.insert(Path::new(folder).join(name).to_string_lossy().into_owned(), text);
            }
        }
    }
    assert!(pages.len() > 30, "{:?}", pages.keys());
    pages
}

/// What pipelines of others include.
fn recipes() -> Vec<(String, String)> {
    ["action.yml", ".pre-commit-hooks.yaml", "hack/ci/skills.gitlab-ci.yml"]
        .map(|name| (name.to_owned(), std::fs::read_to_string(root().join(name)).expect(name)))
        .into()
}

/// Fenced blocks of a page: the language and the text of each, without the indent of its fence.
pub(crate) fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut is_open, mut indent) = (false, 0);
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_open = !is_open;
            indent = line.len() - line.trim_start().len();
            if is_open {
                found.push((language.to_owned(), String::new()));
            }
        } else if let Some((_, text)) = found.last_mut().filter(|_| is_open) {
            text.push_str(line.get(indent..).unwrap_or_default());
            text.push('\n');
        }
    }
    assert!(!is_open, "a block that is not closed: {found:?}");
    found
}

/// A newcomer compares the screen with the page. `TRYCMD=overwrite` writes the pages anew.
#[test]
fn the_pages_show_what_the_program_prints() {
    let folder = Folder::with(&[]);
    let kubectl = std::path::PathBuf::from(folder.path("kubectl"));
    let program = env!("CARGO_BIN_EXE_kubectl-skills");
    crate::executable::write(&kubectl, format!("#!/bin/sh\nshift\nexec '{program}' \"$@\"\n"));
    trycmd::TestCases::new()
        .register_bin("kubectl", kubectl.as_path())
        .env("KUBECONFIG", "/nonexistent")
        .case("README.md")
        .case("docs/*.md");
}

/// What is run, what is shown and what is a file can be told apart, by readers and by the test above.
#[test]
fn every_block_says_what_it_is() {
    for (name, page) in pages() {
        for (language, text) in blocks(&page) {
            let known = ["sh", "console", "yaml", "text", "rust"];
            assert!(known.contains(&language.as_str()), "{name}: a block of {language:?}: {text}");
            let has_prompt = text.lines().any(|line| line.starts_with("$ "));
            assert!(language != "console" || has_prompt, "{name}: nothing is run: {text}");
            assert!(language != "sh" || !has_prompt, "{name}: a prompt cannot be pasted: {text}");
        }
    }
}

/// A badge that says another licence or another Rust than cargo asks for is worse than none.
#[test]
fn the_badges_are_true() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let badges: Vec<&str> = readme.lines().filter(|line| line.starts_with("[![")).collect();
    let (licence, rust) = (env!("CARGO_PKG_LICENSE"), env!("CARGO_PKG_RUST_VERSION"));
    let shields = "https://img.shields.io/badge";
    let wanted = [
        format!("[![Licence: {licence}]({shields}/licence-{}-blue)](LICENSE)", licence.replace('-', "--")),
        format!("[![Rust {rust} or newer]({shields}/rust-{rust}%2B-orange)](Cargo.toml)"),
    ];
    assert_eq!(badges, wanted);
}

/// A picture of a window shows what the program printed on some day; that each is there and named is held here, what they
/// show by `make screenshots-check`.
#[test]
fn every_picture_is_shown_somewhere() {
    let shown: String = pages().into_values().collect();
    for entry in std::fs::read_dir(root().join("docs/images")).expect("docs/images").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_shown = shown.contains(&format!("images/{name})"));
        assert!(is_shown || !name.ends_with(".svg"), "no page shows docs/images/{name}");
    }
}

/// Commands of ours in a text: the words after the program's name, up to what ends a command.
fn commands(text: &str) -> Vec<Vec<String>> {
    let starts = ["kubectl skills ", "kubectl-skills "];
    let mut found = Vec::new();
    // To cargo and Helm the same words are a program and a release.
    let ours = |line: &&str| !["cargo ", "helm "].iter().any(|other| line.starts_with(other));
    for line in text.lines().filter(ours) {
        for start in starts {
            for rest in line.split(start).skip(1) {
                let end =
                    rest.find(['|', '>', '<', '#', ';', '&', '`', '"', '\'', '\\']).unwrap_or(rest.len());
                let words: Vec<String> = rest[..end]
                    .split_whitespace()
                    .map(|word| word.trim_end_matches([',', '.', ':', ')', '(']).to_owned())
                    .take_while(|word| word != "--")
                    .collect();
                found.push(words);
            }
        }
    }
    found
}

fn is_verb(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase())
}

/// A verb or a flag that is gone, or never was, is found here and not by whoever pastes the line.
#[test]
fn every_command_has_a_verb_and_flags_that_there_are() {
    let mut helps: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut checked = 0;
    for (name, page) in pages().into_iter().chain(recipes()) {
        let code: String = blocks(&page)
            .into_iter()
            .filter(|(language, _)| language != "yaml")
            .map(|(_, text)| text)
            .chain(page.split('`').skip(1).step_by(2).map(|span| format!("{span}\n")))
            .chain((!name.ends_with(".md")).then_some(page.clone()))
            .collect();
        for words in commands(&code) {
            let Some(verb) = words.first().filter(|verb| is_verb(verb)) else {
                continue;
            };
            let known = helps.entry(verb.clone()).or_insert_with(|| {
                let help = skills(&[verb, "--help"]);
                assert_eq!(help.code, 0, "{name}: no verb {verb}: {words:?}");
                let words = help.stdout.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                words.filter(|word| word.starts_with('-')).map(str::to_owned).collect()
            });
            for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                let flag = flag.split(['=', '[']).next().unwrap_or_default();
                // Some short ones in one word, such as -vv.
                let is_known = known.contains(flag)
                    || (!flag.starts_with("--")
                        && flag[1..].chars().all(|c| known.contains(&format!("-{c}"))));
                assert!(is_known, "{name}: {verb} has no {flag}: {words:?}");
            }
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
}

/// What people copy into a file is YAML, and what they include from here is as well.
#[test]
fn every_file_that_is_shown_is_yaml() {
    for (name, page) in pages() {
        for (_, text) in blocks(&page).iter().filter(|(language, _)| language == "yaml") {
            let read = serde_saphyr::from_multiple::<serde_json::Value>(text);
            assert!(read.is_ok_and(|documents| !documents.is_empty()), "{name}: {text}");
        }
    }
    let [action, hooks, gitlab] = recipes().try_into().expect("three files");
    let read = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).expect("YAML");
    // Each step of a composite Action names its shell, or GitHub refuses the file.
    let steps = read(&action.1)["runs"]["steps"].as_array().cloned().unwrap_or_default();
    assert!(steps.len() == 3 && steps.iter().all(|step| step["shell"] == "bash"), "{steps:?}");
    let inputs = read(&action.1)["inputs"].as_object().cloned().unwrap_or_default();
    let page = pages().remove("docs/ci.md").expect("the page");
    for name in inputs.keys() {
        assert!(page.contains(&format!("\n| `{name}` |")), "docs/ci.md does not have the input {name}");
    }
    let hooks = read(&hooks.1);
    let ids: Vec<_> = hooks.as_array().into_iter().flatten().filter_map(|hook| hook["id"].as_str()).collect();
    assert_eq!(ids, ["skills-check", "skills-render", "skills-lint"]);
    assert!(read(&gitlab.1)["skills"]["script"].is_array());
}

/// A page that the book does not list is found by nobody, and one that is listed and gone is empty.
#[test]
fn the_book_has_every_page() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the list");
    let listed: BTreeSet<String> = summary
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap_or_default().to_owned())
        .collect();
    let mut there = BTreeSet::from(["examples/README.md".to_owned()]);
    for folder in ["", "verbs"] {
        for entry in std::fs::read_dir(root().join("docs").join(folder)).expect("pages").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") && name != "SUMMARY.md" {
                there.insert(Path::new(folder).join(name).to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(listed, there);
}
