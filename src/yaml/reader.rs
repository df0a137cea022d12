//! Reads one document as go.yaml.in/yaml/v2 v2.4.2 reads it, the reader of sigs.k8s.io/yaml v1.6 and so of Kubernetes,
//! and builds the position tree. It follows that reader rule by rule, its oddities included: what follows the first
//! document is not looked at. What scalars mean is left to `resolve`.

mod chars;
mod compose;
mod messages;
mod parser;
mod scalars;
mod scanner;
mod tags;

use std::borrow::Cow;

use super::error::SyntaxError;
use super::node::{ScalarStyle, Tree};
pub(super) use chars::{is_allowed, is_blankz, is_break, is_ordinary};
pub(super) use tags::{CORE, full_tag};

use chars::Chars;
use scanner::Scanner;

/// The `%TAG` directives of a document, as handle and prefix; without the two that every document has.
pub(super) type TagDirectives<'t> = Vec<(&'t str, &'t str)>;

/// Reads the first document of a text into `tree`, whose memory is used again.
///
/// # Errors
/// Everything that Go refuses, in its words and with a help; nesting deeper than 255.
pub(super) fn read<'t>(text: &'t str, tree: &mut Tree) -> Result<TagDirectives<'t>, SyntaxError> {
    compose::compose(text, tree).map_err(|failure| messages::syntax_error(text, &failure))
}

/// Like [`read`], with the error as Go writes it: `yaml: line 2: did not find expected key`. No text is an empty tree.
pub(super) fn read_or_say_as_go<'t>(text: &'t str, tree: &mut Tree) -> Result<TagDirectives<'t>, String> {
    compose::compose(text, tree).map_err(|failure| failure.in_go_words())
}

/// The column of a byte, from 0, as the scanner counts: in characters, and not the byte-order mark at the start.
pub(super) fn column(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    let before = before.strip_prefix('\u{feff}').unwrap_or(before);
    before.chars().rev().take_while(|char| !is_break(*char)).count()
}

/// The text of a scalar that was read, from its source. `parent` is the column of the block collection around it, which
/// only block scalars with an indentation indicator need.
pub(super) fn scalar_text(
    source: &str,
    style: ScalarStyle,
    parent: impl FnOnce() -> Option<usize>,
) -> Cow<'_, str> {
    let is_as_written = |text: &str, escape: &[u8]| {
        let special = |byte: u8| matches!(byte, b'\n' | b'\r' | 0xc2 | 0xe2) || escape.contains(&byte);
        !text.bytes().any(special)
    };
    let inner = || source.get(1..source.len().saturating_sub(1)).unwrap_or_default();
    match style {
        ScalarStyle::Plain if is_as_written(source, b"") => return Cow::Borrowed(source),
        ScalarStyle::SingleQuoted if is_as_written(inner(), b"'") => return Cow::Borrowed(inner()),
        ScalarStyle::DoubleQuoted if is_as_written(inner(), b"\\") => return Cow::Borrowed(inner()),
        _ => {}
    }
    // A colon at its end would be taken for that of a key.
    if style == ScalarStyle::Plain && source.ends_with(':') {
        let mut text = scalar_text(&format!("{source}."), style, parent).into_owned();
        text.pop();
        return Cow::Owned(text);
    }
    let mut scanner = Scanner::over(Chars::of_scalar(source));
    let mut text = String::with_capacity(source.len());
    let scanned = match style {
        ScalarStyle::Plain => scanner.scan_plain(&mut text),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            scanner.scan_quoted(style == ScalarStyle::SingleQuoted, &mut text)
        }
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let header = source[1..].trim_start_matches(['+', '-']);
            if header.starts_with(|first: char| first.is_ascii_digit()) {
                scanner.indent = parent().and_then(|column| i64::try_from(column).ok()).unwrap_or(-1);
            }
            scanner.scan_block_scalar(style == ScalarStyle::Literal, &mut text)
        }
    };
    debug_assert!(scanned.is_ok(), "a scalar that was read is read again: {source:?}");
    Cow::Owned(text)
}
