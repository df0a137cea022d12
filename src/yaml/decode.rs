//! From a scalar as it is written to the text it means: escapes, folding, indentation, chomping.
//! In: a document's text and a scalar's node; out: text, borrowed where it stands as it is. Types are left to `resolve`.

use std::borrow::Cow;

use super::document::SyntaxError;
use super::node::{Node, ScalarStyle};
use super::scalar::{Chomp, block_scalar, next_line};

/// The text of a scalar. `parent` is the column of the block collection around it; only block scalars with an
/// indentation indicator need it. `json`: the document is JSON and has its escapes.
///
/// # Errors
/// Escapes the YAML reader of Kubernetes does not know, such as `\q`, `\ud800`, and outside of JSON `\/`.
pub(super) fn decode<'t>(
    text: &'t str,
    node: &Node,
    style: ScalarStyle,
    json: bool,
    parent: impl FnOnce() -> Option<usize>,
) -> Result<Cow<'t, str>, SyntaxError> {
    let (start, end) = (node.start as usize, node.end as usize);
    match style {
        ScalarStyle::Plain => Ok(fold(&text[start..end])),
        ScalarStyle::SingleQuoted => {
            let inner = &text[start + 1..(end - 1).max(start + 1)];
            Ok(match fold(inner) {
                folded if !folded.contains("''") => folded,
                folded => Cow::Owned(folded.replace("''", "'")),
            })
        }
        ScalarStyle::DoubleQuoted => {
            let inner = &text[start + 1..(end - 1).max(start + 1)];
            if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                return Ok(fold(inner));
            }
            unescape(text, start + 1, inner, json).map(Cow::Owned)
        }
        ScalarStyle::Literal => Ok(Cow::Owned(block(&text[..end], start, parent, true))),
        ScalarStyle::Folded => Ok(Cow::Owned(block(&text[..end], start, parent, false))),
    }
}

/// Folds line breaks: one is a space, more are one less; blanks around them go.
fn fold(inner: &str) -> Cow<'_, str> {
    let bytes = inner.as_bytes();
    let Some(first) = memchr::memchr2(b'\n', b'\r', bytes) else {
        return Cow::Borrowed(inner);
    };
    let mut out = String::with_capacity(inner.len());
    let mut from = 0;
    let mut line_end = first;
    loop {
        out.push_str(inner[from..line_end].trim_end_matches([' ', '\t']));
        from = fold_breaks(bytes, line_end, &mut out, false);
        line_end = match memchr::memchr2(b'\n', b'\r', &bytes[from..]) {
            Some(found) => from + found,
            None => {
                out.push_str(&inner[from..]);
                return Cow::Owned(out);
            }
        };
    }
}

/// Consumes a run of breaks and blanks that begins with a break; returns where text goes on.
/// An escaped first break leaves nothing of itself.
fn fold_breaks(bytes: &[u8], from: usize, out: &mut String, escaped: bool) -> usize {
    let mut at = next_line(bytes, from);
    let mut more = 0;
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t') => at += 1,
            Some(b'\n' | b'\r') => {
                at = next_line(bytes, at);
                more += 1;
            }
            _ => break,
        }
    }
    if more == 0 && !escaped {
        out.push(' ');
    }
    out.extend(std::iter::repeat_n('\n', more));
    at
}

/// The inside of a double-quoted scalar that holds escapes; `offset` is where it stands in `text`.
fn unescape(text: &str, offset: usize, inner: &str, json: bool) -> Result<String, SyntaxError> {
    let bytes = inner.as_bytes();
    let mut out = String::with_capacity(inner.len());
    let mut at = 0;
    while at < bytes.len() {
        let stop = memchr::memchr3(b'\\', b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |found| at + found);
        match bytes.get(stop) {
            None => {
                out.push_str(&inner[at..]);
                break;
            }
            Some(b'\\') => {
                out.push_str(&inner[at..stop]);
                at = match bytes.get(stop + 1) {
                    Some(b'\n' | b'\r') => fold_breaks(bytes, stop + 1, &mut out, true),
                    _ => escape(text, offset, inner, stop, json, &mut out)?,
                };
            }
            Some(_) => {
                out.push_str(inner[at..stop].trim_end_matches([' ', '\t']));
                at = fold_breaks(bytes, stop, &mut out, false);
            }
        }
    }
    Ok(out)
}

/// One escape, its backslash at `at`; returns the offset behind it.
fn escape(
    text: &str,
    offset: usize,
    inner: &str,
    at: usize,
    json: bool,
    out: &mut String,
) -> Result<usize, SyntaxError> {
    let refuse = |message: String| SyntaxError::at(text, offset + at, message);
    let Some(letter) = inner[at + 1..].chars().next() else {
        return Err(refuse("a backslash ends the text".to_owned()));
    };
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            out.push(match letter {
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'r' => '\r',
                'e' => '\u{1b}',
                ' ' => ' ',
                '"' => '"',
                '\'' => '\'',
                '\\' => '\\',
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                // JSON is not read by the YAML reader of Kubernetes and has this escape.
                '/' if json => '/',
                '/' => {
                    return Err(refuse("the escape \\/ is JSON, not YAML to Kubernetes; write /".to_owned()));
                }
                _ => return Err(refuse(format!("unknown escape \\{}", letter.escape_default()))),
            });
            return Ok(at + 1 + letter.len_utf8());
        }
    };
    let code = hex(inner, at + 2, digits)
        .ok_or_else(|| refuse(format!("the escape \\{letter} needs {digits} hexadecimal digits")))?;
    let end = at + 2 + digits;
    if let Some(c) = char::from_u32(code) {
        out.push(c);
        return Ok(end);
    }
    // A surrogate pair is JSON's way to write one character; Kubernetes reads it in JSON only.
    let low = (letter == 'u' && (0xd800..0xdc00).contains(&code) && inner[end..].starts_with("\\u"))
        .then(|| hex(inner, end + 2, 4))
        .flatten()
        .filter(|low| (0xdc00..0xe000).contains(low));
    if let Some(c) = low.and_then(|low| char::from_u32(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00))) {
        if json {
            out.push(c);
            return Ok(end + 6);
        }
        let code = u32::from(c);
        return Err(refuse(format!("surrogate pairs are JSON, not YAML to Kubernetes; write \\U{code:08x}")));
    }
    Err(refuse(format!("the escape \\{letter} does not name a character")))
}

fn hex(inner: &str, from: usize, digits: usize) -> Option<u32> {
    let digits = inner.get(from..from + digits)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// The text of a block scalar; `text` ends where the scalar ends.
fn block(text: &str, start: usize, parent: impl FnOnce() -> Option<usize>, literal: bool) -> String {
    let bytes = text.as_bytes();
    let header_end = next_line(bytes, start);
    let explicit = bytes[start..header_end].iter().take_while(|b| **b != b' ').any(u8::is_ascii_digit);
    let shape = block_scalar(bytes, start, if explicit { parent() } else { None });
    let mut out = String::with_capacity(text.len().saturating_sub(shape.body));
    // As libyaml does it: the break behind the last content line, and the blank lines since.
    let mut leading_break = false;
    let mut trailing_breaks = 0;
    let mut leading_blank = false;
    // Without content (the text ends where the scalar ends) a line of spaces is blank however long it is.
    let indent = if shape.content_end == shape.body { usize::MAX } else { shape.indent };
    let mut line = shape.body;
    while line < bytes.len() {
        let spaces = bytes[line..].iter().take(indent).take_while(|b| **b == b' ').count();
        let first = line + spaces;
        let next = next_line(bytes, first);
        let has_break = next > first && matches!(bytes[next - 1], b'\n' | b'\r');
        let content_end = first + memchr::memchr2(b'\n', b'\r', &bytes[first..next]).unwrap_or(next - first);
        if content_end == first {
            trailing_breaks += usize::from(has_break);
            line = next.max(first + 1);
            continue;
        }
        let blank = matches!(bytes[first], b' ' | b'\t');
        if !literal && !leading_blank && !blank && leading_break {
            if trailing_breaks == 0 {
                out.push(' ');
            }
        } else if leading_break {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n('\n', trailing_breaks));
        trailing_breaks = 0;
        leading_blank = blank;
        out.push_str(&text[first..content_end]);
        leading_break = has_break;
        line = next;
    }
    if leading_break && shape.chomp != Chomp::Strip {
        out.push('\n');
    }
    if shape.chomp == Chomp::Keep {
        out.extend(std::iter::repeat_n('\n', trailing_breaks));
    }
    out
}
