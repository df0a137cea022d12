//! Finds lines, columns, breaks, colons and commas in a text. What to change there is left to `block` and `flow`.

use crate::yaml::Document;

/// The byte order mark; it takes no column.
const MARK: &str = "\u{feff}";

/// A carriage return without a line feed, U+0085, U+2028 or U+2029: a line break to YAML, but to no tool that people look
/// at files with.
pub(super) fn lone_return(document: &Document<'_>) -> Option<usize> {
    let text = document.text;
    let bytes = text.as_bytes();
    let lone = || memchr::memchr_iter(b'\r', bytes).find(|at| bytes.get(at + 1) != Some(&b'\n'));
    let other = || {
        let begins = |at: &usize| text[*at..].starts_with(['\u{85}', '\u{2028}', '\u{2029}']);
        memchr::memchr2_iter(0xc2, 0xe2, bytes).find(begins)
    };
    // In JSON the others are characters.
    lone().or_else(|| if document.json { None } else { other() })
}

/// First byte of the line that holds `at`; after the byte order mark in the first line.
pub(super) fn start_of_line(text: &str, at: usize) -> usize {
    match memchr::memrchr(b'\n', &text.as_bytes()[..at]) {
        Some(newline) => newline + 1,
        None if text.starts_with(MARK) && at >= MARK.len() => MARK.len(),
        None => 0,
    }
}

/// First byte of the line after the one on which content ends at `end`. Content that ends with its break (a block
/// scalar) ends at that byte already.
pub(super) fn next_line(text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    if end > 0 && bytes[end - 1] == b'\n' {
        return end;
    }
    memchr::memchr(b'\n', &bytes[end..]).map_or(bytes.len(), |newline| end + newline + 1)
}

/// First byte of the break that ends the line that holds `at`, or the end of the text.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    match memchr::memchr(b'\n', &bytes[at..]) {
        Some(newline) if newline > 0 && bytes[at + newline - 1] == b'\r' => at + newline - 1,
        Some(newline) => at + newline,
        None => bytes.len(),
    }
}

/// `end` without the breaks before it: where the last line of a block scalar stops.
pub(super) fn before_breaks(text: &str, end: usize) -> usize {
    text[..end].trim_end_matches(['\n', '\r']).len()
}

/// The break just before `at`, if a line begins there.
pub(super) fn break_before(text: &str, at: usize) -> usize {
    let bytes = &text.as_bytes()[..at];
    if bytes.ends_with(b"\r\n") { 2 } else { usize::from(bytes.ends_with(b"\n")) }
}

/// The break that the text uses at `at` (a line start), else in its first line, else `\n`.
pub(super) fn eol(text: &str, at: usize) -> &'static str {
    match break_before(text, at) {
        2 => "\r\n",
        1 => "\n",
        _ => match memchr::memchr(b'\n', text.as_bytes()) {
            Some(newline) if newline > 0 && text.as_bytes()[newline - 1] == b'\r' => "\r\n",
            _ => "\n",
        },
    }
}

/// Column of `at`, from 0, in characters.
pub(super) fn column(text: &str, at: usize) -> usize {
    let before = &text[start_of_line(text, at)..at];
    if before.is_ascii() { before.len() } else { before.chars().count() }
}

/// The blanks that a line begins with.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = &text[start_of_line(text, at)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Whether only blanks stand before `at` in its line.
pub(super) fn is_first_on_line(text: &str, at: usize) -> bool {
    text[start_of_line(text, at)..at].bytes().all(|byte| byte == b' ' || byte == b'\t')
}

/// Skips blanks.
pub(super) fn skip_blanks(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Skips blanks, breaks and comments. `at` must stand between tokens.
pub(super) fn skip_trivia(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at = end_of_line(text, at),
            _ => break,
        }
    }
    at
}

/// Offset of the `:` after an implicit key that ends at `key_end`; none after an explicit (`? `) key.
pub(super) fn colon(text: &str, key_end: usize, flow: bool) -> Option<usize> {
    let at = if flow { skip_trivia(text, key_end) } else { skip_blanks(text, key_end) };
    (text.as_bytes().get(at) == Some(&b':')).then_some(at)
}

/// Offset of the comma after a flow entry that ends at `end`.
pub(super) fn comma(text: &str, end: usize) -> Option<usize> {
    let at = skip_trivia(text, end);
    (text.as_bytes().get(at) == Some(&b',')).then_some(at)
}

/// Whether the line ends at `at`, but for blanks.
pub(super) fn is_end_of_line(text: &str, at: usize) -> bool {
    let at = skip_blanks(text, at);
    at == end_of_line(text, at)
}

/// Whether the line ends at `at`, but for blanks and a comment.
pub(super) fn is_end_of_content(text: &str, at: usize) -> bool {
    let next = skip_blanks(text, at);
    next == end_of_line(text, next) || text.as_bytes()[next] == b'#'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_with_any_break_and_at_the_end() {
        let text = "a: 1\r\n  b: 2 # c\nend";
        assert_eq!((start_of_line(text, 8), next_line(text, 4), end_of_line(text, 0)), (6, 6, 4));
        assert_eq!((next_line(text, 6), next_line(text, 12), next_line(text, 20)), (6, 17, 20));
        assert_eq!((eol(text, 6), eol(text, 17), eol(text, 20)), ("\r\n", "\n", "\r\n"));
        assert_eq!((column(text, 8), indent(text, 8), is_first_on_line(text, 8)), (2, "  ", true));
        assert!(is_end_of_content(text, 12) && !is_end_of_content(text, 9));
    }

    /// A mark at the front must not push the first key one column right, or new keys would not line up.
    #[test]
    fn a_byte_order_mark_takes_no_column() {
        assert_eq!((column("\u{feff}a: 1", 3), start_of_line("\u{feff}a: 1", 5)), (0, 3));
    }

    #[test]
    fn commas_and_colons_are_found_after_comments() {
        assert_eq!(comma("a # x,\n , b", 1), Some(8));
        assert_eq!(comma("a # x,\n ]", 1), None);
        assert_eq!(
            (colon("a : 1", 1, false), colon("a\n: 1", 1, false), colon("a\n: 1", 1, true)),
            (Some(2), None, Some(2))
        );
    }
}
