//! Tabs where libyaml, and with it Go, has none: in a text and the tree that a YAML 1.2 reader made of it; out: an error
//! at the first tab that stands for indentation or in front of an item.
//!
//! Source: go.yaml.in/yaml/v2 v2.4.2 `scannerc.go`, `yaml_parser_scan_to_next_token`, and what it answered to the texts
//! in the tests.

use super::document::SyntaxError;
use super::node::{NodeKind, ScalarStyle, Tree};

/// Refuses tabs behind the dash of an item, and at the start of a line outside of quotes and brackets.
///
/// # Errors
/// At the tab.
pub(super) fn check(text: &str, tree: &Tree) -> Result<(), SyntaxError> {
    if memchr::memchr(b'\t', text.as_bytes()).is_none() {
        return Ok(());
    }
    // In the order in which they begin, since parents come before their children.
    let mut allowed = Vec::new();
    for (id, node) in (0..).zip(&tree.nodes) {
        match node.kind {
            NodeKind::Sequence { flow: false } => {
                for item in tree.children(id) {
                    check_behind_dash(text, tree.node(item).props as usize)?;
                }
            }
            NodeKind::Mapping { flow: true }
            | NodeKind::Sequence { flow: true }
            | NodeKind::Scalar(ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) => {
                allowed.push(node.start as usize..node.end as usize);
            }
            _ => {}
        }
    }
    check_line_starts(text, &allowed)
}

/// `at` is the first byte of an item; between its dash and it there may be no tab.
fn check_behind_dash(text: &str, at: usize) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let before = bytes[..at].iter().rev().take_while(|byte| blank(byte)).count();
    // An empty item has its place right behind the dash; what follows it on the line counts too.
    let behind = bytes[at..].iter().take_while(|byte| blank(byte)).count();
    match memchr::memchr(b'\t', &bytes[at - before..at + behind]) {
        Some(tab) => Err(tab_error(text, at - before + tab)),
        None => Ok(()),
    }
}

/// `allowed` has the ranges in which a line may begin with a tab, in the order in which they begin.
fn check_line_starts(text: &str, allowed: &[std::ops::Range<usize>]) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let mut next = 0;
    let mut allowed_end = 0;
    for tab in memchr::memchr_iter(b'\t', bytes) {
        if tab > 0 && !matches!(bytes[tab - 1], b'\n' | b'\r') {
            continue;
        }
        while let Some(range) = allowed.get(next).filter(|range| range.start < tab) {
            allowed_end = allowed_end.max(range.end);
            next += 1;
        }
        if tab >= allowed_end {
            return Err(tab_error(text, tab));
        }
    }
    Ok(())
}

fn tab_error(text: &str, at: usize) -> SyntaxError {
    SyntaxError::at(text, at, "a tab stands where indentation is expected; write spaces")
}

#[cfg(test)]
mod tests {
    use crate::yaml::Document;

    /// Go reads none of these; a manifest that renders here must load there.
    #[test]
    fn tabs_that_go_refuses_are_refused_with_their_place() {
        for (text, place) in [
            ("- \tb\n", (1, 3)),
            ("-\tb: c\n", (1, 2)),
            ("- a\n- \t\n- b\n", (2, 3)),
            ("- - \tb\n", (1, 5)),
            ("a: b\n\t\nc: d\n", (2, 1)),
            ("a: b\n\t# x\nc: d\n", (2, 1)),
            ("\ta: b\n", (1, 1)),
            ("a: \"b\"\n\t\n", (2, 1)),
        ] {
            match Document::parse(text).and_then(|document| document.to_value()) {
                Ok(value) => panic!("{text:?} was read as {value}"),
                Err(error) => assert_eq!((error.line, error.column), place, "{text:?}: {error}"),
            }
        }
    }

    /// Go reads these; refusing them would keep people from rendering what their cluster takes.
    #[test]
    fn tabs_that_go_reads_stay() {
        for (text, value) in [
            ("a:\tb\n", r#"{"a":"b"}"#),
            ("a: b \t# x\nc: d\n", r#"{"a":"b","c":"d"}"#),
            ("a: b\n \t# x\nc: d\n", r#"{"a":"b","c":"d"}"#),
            ("a: \"b\n\tc\"\n", r#"{"a":"b c"}"#),
            ("a: |\n  b\n  \tc\n", r#"{"a":"b\n\tc\n"}"#),
            ("- a\tb\n", r#"["a\tb"]"#),
        ] {
            match Document::parse(text).and_then(|document| document.to_value()) {
                Ok(read) => assert_eq!(read.to_string(), value, "{text:?}"),
                Err(error) => panic!("{text:?}: {error}"),
            }
        }
    }
}
