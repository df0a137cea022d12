//! Writes a value as a new YAML or JSON fragment: value and style in, text out. Where it goes is left to `edit`.
//!
//! Whatever is written here reads as the same strings in Go's YAML 1.1 readers (sigs.k8s.io/yaml, goyaml v2 and v3),
//! in PyYAML and in YAML 1.2 readers: a string stands without quotes only if no schema could take it for anything else.

use serde_json::{Map, Number, Value};

/// How strings and keys of a neighbourhood are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scalars {
    /// Which quotes.
    pub quotes: Quotes,
    /// Quote string values even where they would be safe without.
    pub always: bool,
    /// Quote keys even where they would be safe without.
    pub keys: bool,
}

/// Which quotes a string gets that needs some, or whose neighbours have some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quotes {
    /// Double; single around text with `"` or `\`, which would need escapes.
    #[default]
    Readable,
    /// Single where the text permits, else double.
    Single,
    /// Double, with escapes.
    Double,
}

impl Scalars {
    /// JSON: everything in double quotes.
    pub const JSON: Scalars = Scalars { quotes: Quotes::Double, always: true, keys: true };
}

/// Layout of block collections, in columns of one space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLayout<'a> {
    /// Columns from a key to the keys of the mapping below it.
    pub step: usize,
    /// Columns from a key to the dashes of the sequence below it; 0 as kubectl prints.
    pub offset: usize,
    /// Columns from a dash to its item, the dash included; 2 for `- a`.
    pub dash: usize,
    /// Line break.
    pub eol: &'a str,
    /// Quoting.
    pub scalars: Scalars,
}

/// Layout of flow collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowLayout<'a> {
    /// `: ` or `:` (the latter only with quoted keys).
    pub colon: &'a str,
    /// `, ` or `,`; within one line.
    pub comma: &'a str,
    /// Whether braces keep a space inside: `{ a: 1 }`.
    pub pad_map: bool,
    /// Whether brackets keep a space inside: `[ a ]`.
    pub pad_seq: bool,
    /// Quoting.
    pub scalars: Scalars,
    /// One entry a line.
    pub lines: Option<Lines<'a>>,
}

/// How a flow collection is laid out over lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines<'a> {
    /// What is added to the indent per level.
    pub unit: &'a str,
    /// Line break.
    pub eol: &'a str,
}

/// Words that some reader takes for a boolean, a null or a number, in lower case.
const RESERVED: [&str; 12] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];

/// Whether a string may stand without quotes, in the strictest of all readings.
///
/// It must begin with an ASCII letter or `/` (so it is no number, date, sexagesimal or indicator), go on with letters,
/// digits and `. _ / - + @`, with single spaces between (block only), with `:` before a letter or digit (block only:
/// old libyaml refuses it in flow), and be no word such as `yes` or `null` and no hash.
pub fn plain_is_safe(text: &str, flow: bool) -> bool {
    let bytes = text.as_bytes();
    let Some(&first) = bytes.first() else { return false };
    if !(first.is_ascii_alphabetic() || first == b'/') {
        return false;
    }
    for (at, &byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        let safe = match byte {
            b'.' | b'_' | b'/' | b'-' | b'+' | b'@' => true,
            b' ' => !flow && next.is_ascii_alphanumeric(),
            b':' => !flow && next.is_ascii_alphanumeric(),
            _ => byte.is_ascii_alphanumeric(),
        };
        if !safe {
            return false;
        }
    }
    // A hash of hexadecimal digits reads as text or as a number by chance: it is always quoted.
    if bytes.len() >= 32 && bytes.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    bytes.len() > 8 || !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a string may stay without quotes where it stands in block style: with commas as well, as in a list of paths.
pub fn plain_may_stay(text: &str) -> bool {
    plain_is_safe(&text.replace(", ", "__").replace(',', "_"), false)
}

/// Whether a key may stand without quotes.
pub fn plain_key_is_safe(text: &str, flow: bool) -> bool {
    // Spaces and colons would be lawful in a block key too, but nobody writes keys so.
    plain_is_safe(text, flow) && !text.bytes().any(|byte| byte == b' ' || byte == b':')
}

/// Whether a string can be written in single quotes on one line.
pub fn single_is_safe(text: &str) -> bool {
    !text.chars().any(must_escape)
}

/// Characters that readers take for a line break, a byte order mark or unprintable: only an escape is safe.
fn must_escape(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{fffe}' | '\u{ffff}')
        || (!c.is_ascii() && is_hidden(c))
}

/// Characters that reorder text or show nothing: what people read would be another text than the one that is there.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        // Bidirectional marks, embeddings, overrides, isolates: text that reads otherwise than it is.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Without width: two names that look alike.
        | '\u{00ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{feff}'
        // Line ends to some, tags, and fillers that show nothing.
        | '\u{2028}' | '\u{2029}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Writes a string in double quotes, with the escapes that YAML 1.1, YAML 1.2 and JSON share.
pub fn double_quoted(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if must_escape(c) => {
                // Writing to a String cannot fail.
                let _ = match u32::from(c) {
                    code @ ..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08X}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Writes a string in single quotes; the caller has asked [`single_is_safe`].
pub fn single_quoted(out: &mut String, text: &str) {
    out.push('\'');
    out.push_str(&text.replace('\'', "''"));
    out.push('\'');
}

fn quoted(out: &mut String, text: &str, quotes: Quotes) {
    let single = match quotes {
        Quotes::Readable => text.contains(['"', '\\']) && !text.contains('\''),
        Quotes::Single => true,
        Quotes::Double => false,
    };
    if single && single_is_safe(text) {
        single_quoted(out, text);
    } else {
        double_quoted(out, text);
    }
}

/// Writes a string value.
pub fn string(out: &mut String, text: &str, scalars: Scalars, flow: bool) {
    if !scalars.always && plain_is_safe(text, flow) {
        out.push_str(text);
    } else {
        quoted(out, text, scalars.quotes);
    }
}

/// Writes a key, without its colon.
pub fn key(out: &mut String, text: &str, scalars: Scalars, flow: bool) {
    if !scalars.keys && plain_key_is_safe(text, flow) {
        out.push_str(text);
    } else {
        quoted(out, text, scalars.quotes);
    }
}

/// Writes a number. A float keeps its point and a signed exponent, or PyYAML would read a string.
fn number(out: &mut String, number: &Number) {
    let text = number.to_string();
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            out.push_str(mantissa);
            if !mantissa.contains('.') {
                out.push_str(".0");
            }
            out.push('e');
            if !exponent.starts_with(['-', '+']) {
                out.push('+');
            }
            out.push_str(exponent);
        }
        None => out.push_str(&text),
    }
}

/// Writes a scalar or an empty collection; both styles write these alike. Returns false for a filled collection.
pub fn scalar(out: &mut String, value: &Value, scalars: Scalars, flow: bool) -> bool {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) => number(out, n),
        Value::String(s) => string(out, s, scalars, flow),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(_) | Value::Object(_) => return false,
    }
    true
}

fn spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

/// One document without a marker, laid out as kubectl prints it, ending with a line feed.
pub fn document(value: &Value) -> String {
    document_with(value, Scalars::default())
}

/// The same with other quotes.
pub fn document_with(value: &Value, scalars: Scalars) -> String {
    let layout = BlockLayout { step: 2, offset: 0, dash: 2, eol: "\n", scalars };
    let mut out = String::new();
    block(&mut out, value, 0, layout);
    out.push('\n');
    out
}

/// Documents with markers between them.
pub fn documents(values: &[Value]) -> String {
    values.iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// Writes a value as block lines from `column` on, without the first line's indent and without a final break.
pub fn block(out: &mut String, value: &Value, column: usize, layout: BlockLayout<'_>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (at, (name, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(layout.eol);
                    spaces(out, column);
                }
                block_entry(out, name, value, column, layout);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(layout.eol);
                    spaces(out, column);
                }
                block_item(out, item, column, layout);
            }
        }
        _ => {
            scalar(out, value, layout.scalars, false);
        }
    }
}

/// Writes `key: value`, the key standing at `column`.
pub fn block_entry(out: &mut String, name: &str, value: &Value, column: usize, layout: BlockLayout<'_>) {
    key(out, name, layout.scalars, false);
    out.push(':');
    let below = match value {
        Value::Object(map) if !map.is_empty() => column + layout.step,
        Value::Array(items) if !items.is_empty() => column + layout.offset,
        _ => {
            out.push(' ');
            scalar(out, value, layout.scalars, false);
            return;
        }
    };
    out.push_str(layout.eol);
    spaces(out, below);
    block(out, value, below, layout);
}

/// Writes `- item`, the dash standing at `column`.
pub fn block_item(out: &mut String, item: &Value, column: usize, layout: BlockLayout<'_>) {
    out.push('-');
    spaces(out, layout.dash - 1);
    block(out, item, column + layout.dash, layout);
}

/// Writes a value in flow style. `indent` is the indent of the line it begins on; it matters only over lines.
pub fn flow(out: &mut String, value: &Value, indent: &str, layout: FlowLayout<'_>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            flow_collection(
                out,
                ('{', '}'),
                layout.pad_map,
                map,
                indent,
                layout,
                |out, (name, value), indent| {
                    flow_entry(out, name, value, indent, layout);
                },
            );
        }
        Value::Array(items) if !items.is_empty() => {
            flow_collection(out, ('[', ']'), layout.pad_seq, items, indent, layout, |out, item, indent| {
                flow(out, item, indent, layout);
            });
        }
        _ => {
            scalar(out, value, layout.scalars, true);
        }
    }
}

/// Writes `key: value` in flow style.
pub fn flow_entry(out: &mut String, name: &str, value: &Value, indent: &str, layout: FlowLayout<'_>) {
    key(out, name, layout.scalars, true);
    // `a:1` without a space is a string unless the key is quoted.
    out.push_str(if layout.scalars.keys { layout.colon } else { ": " });
    flow(out, value, indent, layout);
}

fn flow_collection<T>(
    out: &mut String,
    brackets: (char, char),
    pad: bool,
    items: impl IntoIterator<Item = T>,
    indent: &str,
    layout: FlowLayout<'_>,
    mut write: impl FnMut(&mut String, T, &str),
) {
    out.push(brackets.0);
    match layout.lines {
        Some(lines) => {
            let inner = format!("{indent}{}", lines.unit);
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(lines.eol);
                out.push_str(&inner);
                write(out, item, &inner);
            }
            out.push_str(lines.eol);
            out.push_str(indent);
        }
        None => {
            if pad {
                out.push(' ');
            }
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    out.push_str(layout.comma);
                }
                write(out, item, indent);
            }
            if pad {
                out.push(' ');
            }
        }
    }
    out.push(brackets.1);
}

/// Bytes of the longest text that every reader takes for a key on one line (YAML 1.2 section 7.4.2; libyaml counts characters).
pub const LONGEST_KEY: usize = 1000;

/// Returns a key of the value that no block or flow mapping can hold on one line.
pub fn unwritable_key(value: &Value) -> Option<&str> {
    fn in_map(map: &Map<String, Value>) -> Option<&str> {
        map.iter().find_map(|(name, value)| {
            if name.len() > LONGEST_KEY { Some(name.as_str()) } else { unwritable_key(value) }
        })
    }
    match value {
        Value::Object(map) => in_map(map),
        Value::Array(items) => items.iter().find_map(unwritable_key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(value: &Value, scalars: Scalars, flow_style: bool) -> String {
        let mut out = String::new();
        scalar(&mut out, value, scalars, flow_style);
        out
    }

    /// Every reader must give back the value that was written; texts that look like other types most of all.
    #[test]
    fn an_independent_reader_gives_back_the_value() {
        let value = json!({
            "words": ["yes", "No", "null", "~", "true", "1", "1e3", ".5", ".inf", "0x1", "", " a", "a ", "a: b", "a #b",
                "- a", "&a", "*a", "!a", "|", "> ", "'", "\"", "{", "[", "a\nb", "ä", "@", "`", "%", "?", "a:", "^/.*"],
            "empty": {"map": {}, "list": []},
            "nested": [{"a": [{"b": 1, "c": [true, null, 1.5]}], "d": {"e": "f"}}, [["x"], []]],
            "on": {"a b": 1},
        });
        let text = document(&value);
        let read: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read, value, "{text}");
    }

    /// Each of these, written bare, becomes a number, boolean, null, date or syntax error in some reader.
    #[test]
    fn strings_that_any_reader_could_take_for_something_else_are_quoted() {
        for s in [
            "",
            " a",
            "a ",
            "12e4567",
            "1_000",
            "0755",
            "0o17",
            "0x1f",
            "1:20",
            "190:20:30",
            "2026-11-24",
            ".5",
            "+1",
            "-1",
            "-",
            "--- a",
            "?",
            "~",
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "TRUE",
            "null",
            "Null",
            ".inf",
            ".NaN",
            "NaN",
            "inf",
            "=",
            "<<",
            "a: b",
            "a #b",
            "a:",
            "#a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "|",
            ">",
            "'",
            "\"",
            "[a",
            "]",
            "{a",
            "}",
            "a,",
            "1",
            "a\tb",
            "a  b",
            "10Gi",
            "_1",
            "é",
            "a\u{85}b",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            let written = text(&json!(s), Scalars::default(), false);
            let quote = if s == "\"" { '\'' } else { '"' };
            assert!(
                written.starts_with(quote) && written.ends_with(quote) && written.len() > 1,
                "{s:?} -> {written}"
            );
        }
        for s in ["a:b", "a b", "ghcr.io/a:v1"] {
            assert!(text(&json!(s), Scalars::default(), true).starts_with('"'), "{s} in flow");
        }
    }

    #[test]
    fn quotes_are_chosen_to_be_read() {
        for (s, readable, single, double) in [
            ("[\"a\"]", "'[\"a\"]'", "'[\"a\"]'", "\"[\\\"a\\\"]\""),
            ("1", "\"1\"", "'1'", "\"1\""),
            ("it's \"x\"", "\"it's \\\"x\\\"\"", "'it''s \"x\"'", "\"it's \\\"x\\\"\""),
            ("\"\n", "\"\\\"\\n\"", "\"\\\"\\n\"", "\"\\\"\\n\""),
        ] {
            let quoted = |quotes| text(&json!(s), Scalars { quotes, ..Scalars::default() }, false);
            assert_eq!(
                [quoted(Quotes::Readable), quoted(Quotes::Single), quoted(Quotes::Double)],
                [readable, single, double],
                "{s:?}"
            );
        }
    }

    #[test]
    fn common_kubernetes_strings_stay_bare() {
        for s in [
            "skill-a",
            "ghcr.io/acme/skill:v1.2",
            "ghcr.io/acme/skill@sha256:9f86d0",
            "/app/skills/a",
            "IfNotPresent",
            "My weather agent",
            "app.kubernetes.io/name",
            "apps/v1",
            "trueish",
            "none",
            "onion",
        ] {
            assert_eq!(text(&json!(s), Scalars::default(), false), s);
        }
    }

    #[test]
    fn line_breaks_and_marks_of_all_readers_are_escaped() {
        assert_eq!(
            text(
                &json!("a\u{85}b\u{2028}\u{2029}\u{feff}\u{7f}\0\n\r\t\u{1b}\\\"é😀"),
                Scalars { quotes: Quotes::Single, ..Scalars::default() },
                false
            ),
            "\"a\\u0085b\\u2028\\u2029\\ufeff\\u007f\\u0000\\n\\r\\t\\u001b\\\\\\\"é😀\""
        );
        assert_eq!(
            text(&json!("it's 5"), Scalars { quotes: Quotes::Single, ..Scalars::default() }, false),
            "'it''s 5'"
        );
        assert_eq!(text(&json!("it's 5"), Scalars::default(), false), "\"it's 5\"");
    }

    /// A description of an image must not read otherwise in a lock than it is.
    #[test]
    fn what_reorders_or_hides_text_is_escaped() {
        assert_eq!(
            text(&json!("user\u{202e}gpj\u{200b}\u{e0041}é"), Scalars::default(), false),
            "\"user\\u202egpj\\u200b\\U000E0041é\""
        );
    }

    /// PyYAML reads `1e20` as a string: it wants a point and a signed exponent.
    #[test]
    fn floats_keep_point_and_sign() {
        assert_eq!(text(&json!(1e20), Scalars::default(), false), "1.0e+20");
        assert_eq!(text(&json!(1.5), Scalars::default(), false), "1.5");
        assert_eq!(text(&json!(2.5e-9), Scalars::default(), false), "2.5e-9");
    }

    #[test]
    fn block_fragments_follow_the_layout() {
        let value = json!({"volumes": [{"name": "a", "image": {"reference": "r.io/a:1"}}, [1, "x"]], "e": {}, "yes": null});
        let mut out = String::new();
        block(
            &mut out,
            &value,
            2,
            BlockLayout { step: 4, offset: 0, dash: 2, eol: "\n", scalars: Scalars::default() },
        );
        assert_eq!(
            out,
            "volumes:\n  - name: a\n    image:\n        reference: r.io/a:1\n  - - 1\n    - x\n  e: {}\n  \"yes\": null"
        );
        out.clear();
        let layout = BlockLayout {
            step: 2,
            offset: 2,
            dash: 4,
            eol: "\r\n",
            scalars: Scalars { quotes: Quotes::Single, always: true, keys: false },
        };
        block(&mut out, &json!({"v": [{"name": "a", "b": 1}]}), 0, layout);
        assert_eq!(out, "v:\r\n  -   name: 'a'\r\n      b: 1");
    }

    #[test]
    fn flow_fragments_follow_the_layout() {
        let value = json!({"name": "a", "image": {"reference": "r.io/a:1"}, "l": [1, 2], "e": []});
        let mut layout = FlowLayout {
            colon: ": ",
            comma: ", ",
            pad_map: false,
            pad_seq: false,
            scalars: Scalars::default(),
            lines: None,
        };
        let mut out = String::new();
        flow(&mut out, &value, "", layout);
        assert_eq!(out, "{name: a, image: {reference: \"r.io/a:1\"}, l: [1, 2], e: []}");
        out.clear();
        layout.pad_map = true;
        flow(&mut out, &value, "", layout);
        assert_eq!(out, "{ name: a, image: { reference: \"r.io/a:1\" }, l: [1, 2], e: [] }");
        out.clear();
        layout = FlowLayout { colon: ":", comma: ",", pad_map: false, scalars: Scalars::JSON, ..layout };
        flow(&mut out, &value, "", layout);
        assert_eq!(out, r#"{"name":"a","image":{"reference":"r.io/a:1"},"l":[1,2],"e":[]}"#);
        out.clear();
        layout = FlowLayout { colon: ": ", lines: Some(Lines { unit: "\t", eol: "\n" }), ..layout };
        flow(&mut out, &json!({"l": [1, {"a": "b"}]}), "\t", layout);
        assert_eq!(out, "{\n\t\t\"l\": [\n\t\t\t1,\n\t\t\t{\n\t\t\t\t\"a\": \"b\"\n\t\t\t}\n\t\t]\n\t}");
    }

    #[test]
    fn keys_that_no_reader_takes_are_found() {
        assert_eq!(unwritable_key(&json!([{"a": {"b": 1}}])), None);
        let long = "k".repeat(1001);
        assert_eq!(unwritable_key(&json!([{"a": {long.clone(): 1}}])), Some(long.as_str()));
    }
}
