//! Reads any bytes as SKILL.md, as a card and as a list of skills: no panic, findings on lines that there are, and what is
//! read is no larger than the file.
#![no_main]

use std::collections::BTreeMap;

use kubectl_skills::skill::{card, frontmatter, import};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines = 2 + bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    let skill = frontmatter::read(bytes);
    assert!(skill.body.len() <= 3 * bytes.len(), "{}", skill.body.len());
    assert_eq!(skill.readings.len(), frontmatter::Reader::ALL.len());
    let card = card::read(bytes);
    assert!(card.kind.is_some() || !card.findings.is_empty());
    for finding in skill.findings.iter().chain(&card.findings) {
        assert!((1..=lines).contains(&finding.line), "{finding:?}");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let list = import::read(text, &BTreeMap::new());
        for finding in &list.findings {
            assert!((1..=lines).contains(&finding.line), "{finding:?}");
        }
        assert!(list.source.is_some() || !list.findings.is_empty());
    }
});
