//! docs/compatibility.md against the data: the table of profiles, the vectors, modules and quirks that it names.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read its data and stop at bad data"
)]

use std::collections::BTreeSet;
use std::path::Path;

use kubectl_skills::api::profile::{PROFILES, Profile};
use kubectl_skills::lint::quirks;
use kubectl_skills::plan::Options;

use crate::scenario::Scenario;
use crate::vectors::cases;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text() -> String {
    std::fs::read_to_string(root().join("docs/compatibility.md")).expect("the document")
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn row(profile: &Profile) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mounts = profile.mounts();
    let render = profile.observer_render;
    format!(
        "| `{}` | yes | {} | {} | {} | {} | {} |",
        profile.name,
        if !mounts && render.skill_folders { "yes" } else { "with `--skill-folders`" },
        yes(mounts || render.config_hash),
        yes(mounts || render.type_label),
        if profile.crd.skills { "stays" } else { "is taken out" },
        yes(!mounts),
    )
}

/// Who reads that a field is not written and finds it written has read a lie.
#[test]
fn the_table_of_profiles_is_the_data() {
    let text = text();
    let (_, rest) = text.split_once("<!-- profiles").expect("the table");
    let (table, _) = rest.split_once("<!-- end -->").expect("its end");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter(|line| !line.contains("volumes,"))
        .collect();
    let wanted: Vec<String> = PROFILES.iter().map(row).collect();
    assert_eq!(rows, wanted);
    for profile in &PROFILES {
        let named = format!("| `{}` | {} |", profile.name, profile.commit);
        assert!(text.contains(&named), "the first table lacks {named}");
    }
}

/// And the data is what a plan does.
#[test]
fn plans_render_what_the_table_says() {
    for profile in &PROFILES {
        assert_eq!(Options::new(profile).skill_folders, None);
        let names = profile.names;
        let scenario = Scenario::vector("skills-volumes/one-skill").under(profile.name);
        let workload = scenario.gate(true).safe().workload.to_string();
        let mounts = profile.mounts();
        let wanted = [
            ("skill-a", true),
            (names.skills, true),
            ("SKILL_FOLDERS", !mounts && profile.observer_render.skill_folders),
            (names.config_hash, mounts || profile.observer_render.config_hash),
            (names.type_label, mounts || profile.observer_render.type_label),
        ];
        for (word, is) in wanted {
            assert_eq!(workload.contains(word), is, "{} {word}: {workload}", profile.name);
        }
    }
}

#[test]
fn every_quirk_has_its_row_and_both_sides_their_test() {
    let text = text();
    let tests = ["quirks.rs", "quirks_cluster.rs"]
        .map(|name| std::fs::read_to_string(root().join("tests/it").join(name)).expect("the tests"))
        .concat();
    for number in 1..=29 {
        let rows = text.lines().filter(|line| {
            line.starts_with(&format!("| Q{number} |")) || line.starts_with(&format!("| *Q{number}* |"))
        });
        assert_eq!(rows.count(), 1, "Q{number}");
        let both =
            tests.contains(&format!("fn q{number}_exact_")) && tests.contains(&format!("fn q{number}_safe_"));
        let one =
            tests.lines().any(|line| line.starts_with(&format!("fn q{number}_")) && line.contains("both"));
        assert!(both || one, "Q{number} lacks a test");
    }
}

/// `explain Q22` is what the page says of it.
#[test]
fn explain_knows_every_quirk() {
    let text = text();
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| Q") || line.starts_with("| *Q")).collect();
    let known: Vec<String> = quirks::ROWS
        .iter()
        .map(|(number, operator, ours, why)| format!("{number} | {operator} | {ours} | {why} |"))
        .collect();
    assert_eq!(rows.len(), known.len());
    for (row, known) in rows.iter().zip(&known) {
        let (number, rest) = row.trim_start_matches("| ").split_once(" | ").expect("a row");
        let row = format!("{} | {rest}", number.trim_matches('*'));
        assert!(row.starts_with(known.as_str()), "{row}\n{known}");
    }
}

#[test]
fn what_it_names_is_there() {
    let text = text();
    let known: Vec<_> =
        ["hash", "gates", "reconcile", "validate", "schema"].iter().flat_map(|op| cases(op)).collect();
    let names: BTreeSet<&str> = known.iter().map(|case| case.name.as_str()).collect();
    let groups: BTreeSet<&str> = known.iter().map(|case| case.group.as_str()).collect();
    let mut vectors = 0;
    for word in quoted(&text) {
        if word.starts_with("src/") || word.starts_with("tests/") {
            assert!(root().join(word).is_file(), "{word} is no file");
        }
        let Some((group, name)) = word.split_once('/') else { continue };
        if !groups.contains(group) {
            continue;
        }
        vectors += 1;
        assert!(name == "*" || names.contains(word), "there is no vector {word}");
    }
    assert!(vectors >= 40, "{vectors} vectors are named");
}
