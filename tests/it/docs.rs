//! Tables of docs/ that are made of data: a page is held against them, or written where `UPDATE_DOCS` is set.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use std::sync::Mutex;

/// Tests run side by side, and a page has several tables.
static PAGES: Mutex<()> = Mutex::new(());

/// Holds a table of a page, between `<!-- mark -->` and `<!-- /mark -->`, against what it is made of.
pub fn table(page: &str, mark: &str, table: &str) {
    let _alone = PAGES.lock().expect("a page");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = std::fs::read_to_string(&path).expect(page);
    let (before, rest) = text.split_once(&format!("<!-- {mark} -->\n")).expect(mark);
    let (_, after) = rest.split_once(&format!("<!-- /{mark} -->")).expect(mark);
    let made = format!("{before}<!-- {mark} -->\n{table}<!-- /{mark} -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).expect(page);
    } else {
        assert!(
            text == made,
            "docs/{page} is not made of its data any more: UPDATE_DOCS=1 cargo test --test it skill_"
        );
    }
}

/// A newcomer finds the place of something: every path that the page names is there, and each file and folder of
/// `src/` and of the program has a row.
#[test]
fn the_code_map_is_the_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).expect("the page");
    let map = page.split_once("## Code map").expect("the map").1;
    let map = map.split("\n## ").next().unwrap_or_default();
    let program = "src/bin/kubectl-skills";
    let mut named = std::collections::BTreeSet::new();
    for (words, in_map) in [(map, true), (page.as_str(), false)] {
        for row in words.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let cell = if in_map { cells[1] } else { cells.get(2).copied().unwrap_or_default() };
            for word in cell.split('`').skip(1).step_by(2) {
                for path in expanded(&word.replace("bin/...", program)) {
                    let places = ["", "src/", "src/bin/kubectl-skills/"].map(|base| format!("{base}{path}"));
                    let found = places.iter().find(|place| root.join(place).exists());
                    let is_path = path.contains('/') || (in_map && path.ends_with(".rs"));
                    assert!(found.is_some() || !is_path, "{path} is not there: {row}");
                    if let Some(found) = found.filter(|_| in_map) {
                        assert!(named.insert(found.trim_end_matches('/').to_owned()), "{found} has two rows");
                    }
                }
            }
        }
    }
    for folder in ["src", program] {
        for entry in std::fs::read_dir(root.join(folder)).expect(folder).flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.trim_end_matches(".rs");
            let is_known =
                ["", ".rs"].iter().any(|ending| named.contains(&format!("{folder}/{stem}{ending}")));
            assert!(is_known || ["lib", "main", "bin"].contains(&stem), "{folder}/{name} has no row");
        }
    }
}

/// `{a,b}.rs` as the paths that it stands for.
fn expanded(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (words, after))) => {
            words.split(',').map(|word| format!("{before}{word}{after}")).collect()
        }
        None => vec![path.to_owned()],
    }
}
