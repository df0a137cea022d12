//! SKILL.md, cards and lists of skills of which every third byte is anything: what the fuzz target `card` asks, on a fixed
//! number of files.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use std::collections::BTreeMap;

use kubectl_skills::skill::{card, frontmatter, import};

/// What is read of a file from a registry must neither stop the program nor point at lines that there are not.
#[test]
fn mutated_files_are_read_without_a_panic() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/card");
    let mut seeds: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .expect("seeds")
        .map(|entry| std::fs::read(entry.expect("a file").path()).expect("a file"))
        .collect();
    seeds.sort();
    let mut state: u64 = 8;
    let mut roll = |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % sides as u64).expect("a side")
    };
    let pieces: [&[u8]; 20] = [
        b"---",
        b"\n",
        b"\r",
        b"\r\n",
        b"  ",
        b"\t",
        b": ",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!int ",
        b"{",
        b"[",
        b"'",
        b"\"",
        b"|\n",
        b"\xff",
        "\u{feff}".as_bytes(),
        "é\u{2028}".as_bytes(),
    ];
    for round in 0..6_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=roll(4) {
            let at = roll(bytes.len() + 1);
            match roll(4) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                2 => {
                    let from = roll(at + 1);
                    let copy = bytes[from..at].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    bytes.splice(at..at, pieces[roll(pieces.len())].iter().copied());
                }
            }
        }
        let lines = 2 + bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        let shown = || String::from_utf8_lossy(&bytes).into_owned();
        let skill = frontmatter::read(&bytes);
        let card = card::read(&bytes);
        assert!(card.kind.is_some() || !card.findings.is_empty(), "{}", shown());
        let mut findings = [skill.findings, card.findings].concat();
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let list = import::read(text, &BTreeMap::new());
            assert!(list.source.is_some() || !list.findings.is_empty(), "{}", shown());
            findings.extend(list.findings);
        }
        for finding in findings {
            assert!((1..=lines).contains(&finding.line), "{finding:?}: {}", shown());
        }
    }
}
