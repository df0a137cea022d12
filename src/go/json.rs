//! JSON text byte for byte as Go's `encoding/json` writes it (`json.Marshal`, HTML escaping on, no white space), and
//! strings as it reads them. Which fields are written is left to `hash`.
//!
//! Source: operator-spec.md section 4. The short `\b` and `\f` are Go 1.22's and later; the operator builds with 1.26.

use std::borrow::Cow;
use std::collections::BTreeMap;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a JSON string with its quotes.
///
/// Go escapes `"`, `\`, all below U+0020, and for the sake of HTML and JavaScript `<`, `>`, `&`, U+2028 and U+2029;
/// everything else, U+007F and the noncharacters included, is written raw.
pub fn push_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let bytes = text.as_bytes();
    // Everything up to `copied` is in `out` already.
    let mut copied = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let escape: &str = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            b'<' => "\\u003c",
            b'>' => "\\u003e",
            b'&' => "\\u0026",
            0x00..=0x1f => {
                out.push_str(&text[copied..index]);
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
                copied = index + 1;
                continue;
            }
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            0xe2 if bytes[index..].starts_with(&[0xe2, 0x80, 0xa8])
                || bytes[index..].starts_with(&[0xe2, 0x80, 0xa9]) =>
            {
                out.push_str(&text[copied..index]);
                out.push_str(if bytes[index + 2] == 0xa8 { "\\u2028" } else { "\\u2029" });
                copied = index + 3;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[copied..index]);
        out.push_str(escape);
        copied = index + 1;
    }
    out.push_str(&text[copied..]);
    out.push('"');
}

/// Appends a finite number: the shortest text that reads back as the same f64, plain when 1e-6 ≤ |x| < 1e21, else
/// with an exponent (`1e-7`, `1e+21`).
///
/// Infinities and NaN, which Go refuses to marshal and JSON text cannot hold, are written as `null`.
pub fn push_number(out: &mut String, number: f64) {
    if !number.is_finite() {
        out.push_str("null");
    } else if number == 0.0 && number.is_sign_negative() {
        // JavaScript drops the sign of zero, Go keeps it.
        out.push_str("-0");
    } else {
        out.push_str(ryu_js::Buffer::new().format_finite(number));
    }
}

/// Appends an object of strings. Go sorts keys by their bytes before escaping, which is the order of a `BTreeMap`.
pub fn push_string_map(out: &mut String, map: &BTreeMap<String, String>) {
    push_string_entries(out, map.iter().map(|(key, value)| (key.as_str(), value.as_str())));
}

/// Appends an object of strings from entries that are already in byte order of their keys.
pub fn push_string_entries<'a>(out: &mut String, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(out, key);
        out.push(':');
        push_string(out, value);
    }
    out.push('}');
}

/// An array of strings, as in the operator's skills annotation.
pub fn string_array<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::from("[");
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_string(&mut out, item);
    }
    out.push(']');
    out
}

/// The text of a sound string literal, quotes included. Go puts U+FFFD in the place of a lone surrogate.
pub fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut units: Vec<u16> = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(character) = chars.next() {
        let plain = match (character, chars.as_str().chars().next()) {
            ('\\', Some('u')) => {
                let digits = chars.as_str().get(1..5).unwrap_or_default();
                units.push(u16::from_str_radix(digits, 16).unwrap_or(0xfffd));
                chars = chars.as_str().get(5..).unwrap_or_default().chars();
                continue;
            }
            ('\\', Some(letter)) => {
                chars.next();
                match letter {
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }
            }
            (other, _) => other,
        };
        units.extend(plain.encode_utf16(&mut [0; 2]).iter());
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &str) -> String {
        let mut out = String::new();
        push_string(&mut out, text);
        out
    }

    fn number(value: f64) -> String {
        let mut out = String::new();
        push_number(&mut out, value);
        out
    }

    /// A different escape would give another config hash, and a rollout when the operator corrects it.
    #[test]
    fn strings_are_escaped_as_go_does() {
        assert_eq!(string("plain/'\u{7f}"), "\"plain/'\u{7f}\"");
        assert_eq!(string("\"\\\n\r\t\u{8}\u{c}"), r#""\"\\\n\r\t\b\f""#);
        assert_eq!(string("\0\u{1}\u{b}\u{1f}"), r#""\u0000\u0001\u000b\u001f""#);
        assert_eq!(string("a<b>&c"), r#""a\u003cb\u003e\u0026c""#);
        assert_eq!(string("x\u{2028}y\u{2029}"), r#""x\u2028y\u2029""#);
        assert_eq!(string("\u{85}\u{2027}\u{202a}\u{feff}\u{fffd}\u{ffff}\u{1f600}é"), {
            "\"\u{85}\u{2027}\u{202a}\u{feff}\u{fffd}\u{ffff}\u{1f600}é\""
        });
    }

    /// The borders between plain and exponent form, and what Go has that JavaScript has not.
    #[test]
    fn numbers_are_written_as_go_does() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9007199254740992"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    /// A map in another order would be another hash: U+FFFF sorts before U+10000 by UTF-8 bytes, after it by UTF-16.
    #[test]
    fn keys_are_sorted_by_their_utf8_bytes_before_escaping() {
        let map: BTreeMap<String, String> =
            [("\u{10000}", "d"), ("\u{ffff}", "c"), ("<", "b"), ("B", "B"), ("\n", "a"), ("a", "A")]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
        let mut out = String::new();
        push_string_map(&mut out, &map);
        assert_eq!(
            out,
            "{\"\\n\":\"a\",\"\\u003c\":\"b\",\"B\":\"B\",\"a\":\"A\",\"\u{ffff}\":\"c\",\"\u{10000}\":\"d\"}"
        );
    }

    /// The annotation that the operator writes for two skills, and for none.
    #[test]
    fn arrays_of_strings() {
        assert_eq!(string_array(["pdf", "a<b"]), r#"["pdf","a\u003cb"]"#);
        assert_eq!(string_array([]), "[]");
    }

    proptest! {
        /// Whatever a user writes must come out as JSON that means the same.
        #[test]
        fn strings_read_back(text in any::<String>()) {
            let read: String = serde_json::from_str(&string(&text)).unwrap();
            prop_assert_eq!(read, text);
        }

        /// Shortest form that reads back; never with a trailing `.0`.
        #[test]
        fn numbers_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = number(value);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert!(!text.ends_with(".0"));
        }
    }
}
