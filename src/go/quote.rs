//! Text in, Go's `%q` of it out, as the webhook and the API server print values. Nothing is left to callers.
//!
//! Source: `strconv.Quote` of Go 1.26 (Unicode 15.0), operator-spec.md section 9.1.

use std::fmt::Write as _;

use super::quote_table::PRINTABLE;

/// Quotes as Go's `%q` and `strconv.Quote`: printable characters raw, the others escaped.
pub fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        push_escaped(&mut out, character);
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ if is_print(character) => out.push(character),
        _ => {
            let code = u32::from(character);
            // Writing to a String cannot fail.
            let _ = match code {
                0..=0x7f => write!(out, "\\x{code:02x}"),
                0x80..=0xffff => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Whether Go prints the character raw: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_print(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let code = u32::from(character);
    PRINTABLE
        .binary_search_by(|&(first, last)| {
            if last < code {
                std::cmp::Ordering::Less
            } else if first > code {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// A message that quotes any character otherwise than Go would no longer match the operator's. The digest is that
    /// of `go run hack/go-print-table/main.go -digest` (go1.26.8) over all 1112064 code points.
    #[test]
    fn every_code_point_is_quoted_as_go_does() {
        let mut hash = Sha256::new();
        let mut count = 0;
        for character in '\0'..=char::MAX {
            hash.update(go_quote(&character.to_string()));
            hash.update("\n");
            count += 1;
        }
        let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (digest.as_str(), count),
            ("4c752b4c6e90df8c641d6ac02a6da80113943bc8fc476c825f27aef51db2a055", 1112064)
        );
    }

    #[test]
    fn whole_texts_keep_their_order_and_quotes() {
        assert_eq!(go_quote(""), r#""""#);
        assert_eq!(go_quote("/a\"b\\\u{7f}ä\u{a0}\u{e0080}😀"), r#""/a\"b\\\x7fä\u00a0\U000e0080😀""#);
    }
}
