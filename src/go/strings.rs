//! A text as Go's `json.Unmarshal` reads it into a `[]string`: the strings out, or Go's error in Go's words.
//!
//! Source: `encoding/json` of Go 1.26 (`scanner.go`, `decode.go`); operator-spec.md section 12.

use serde_json::Value;

use crate::go::quote::go_quote;

/// Deepest nesting that Go's scanner takes.
const MAX_DEPTH: usize = 10_000;

/// Reads a list of strings. `null` is an empty list, a null item an empty string; lone surrogates become U+FFFD.
///
/// # Errors
/// Go's own message: of the syntax first, then of the first item that is no string.
pub fn string_list(text: &str) -> Result<Vec<String>, String> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, items: Vec::new(), wrong: None };
    scanner.skip_space();
    let kind = scanner.value()?;
    scanner.skip_space();
    if let Some(byte) = scanner.peek() {
        return Err(unexpected(byte, "after top-level value"));
    }
    match kind {
        Kind::Array => {}
        Kind::Null => return Ok(Vec::new()),
        other => {
            return Err(format!("json: cannot unmarshal {} into Go value of type []string", other.name()));
        }
    }
    if let Some(kind) = scanner.wrong {
        return Err(format!("json: cannot unmarshal {} into Go value of type string", kind.name()));
    }
    let item = |(kind, start, end): &(Kind, usize, usize)| match kind {
        Kind::String => unquote(&text[*start..*end]),
        _ => String::new(),
    };
    Ok(scanner.items.iter().map(item).collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Null => "null",
        }
    }
}

struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
    /// Items of the outermost array, with their places.
    items: Vec<(Kind, usize, usize)>,
    /// Of the first item that is neither a string nor null.
    wrong: Option<Kind>,
}

const END: &str = "unexpected end of JSON input";

/// As Go quotes a byte in a message.
fn unexpected(byte: u8, context: &str) -> String {
    let quoted = match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        // Go turns the byte into a rune of its own.
        other => format!("'{}'", go_quote(&char::from(other).to_string()).trim_matches('"')),
    };
    format!("invalid character {quoted} {context}")
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or_else(|| END.to_owned())?;
        self.at += 1;
        Ok(byte)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// One value. Open collections stand in a list and not on the stack, which ten thousand of them would overflow.
    fn value(&mut self) -> Result<Kind, String> {
        let mut open: Vec<(Kind, usize)> = Vec::new();
        loop {
            let mut start = self.at;
            let mut kind = match self.next()? {
                b'{' => Kind::Object,
                b'[' => Kind::Array,
                b'"' => self.string().map(|()| Kind::String)?,
                b't' => self.literal("true").map(|()| Kind::Bool)?,
                b'f' => self.literal("false").map(|()| Kind::Bool)?,
                b'n' => self.literal("null").map(|()| Kind::Null)?,
                byte @ (b'-' | b'0'..=b'9') => self.number(byte).map(|()| Kind::Number)?,
                byte => return Err(unexpected(byte, "looking for beginning of value")),
            };
            if matches!(kind, Kind::Object | Kind::Array) {
                if open.len() == MAX_DEPTH {
                    return Err("exceeded max depth".to_owned());
                }
                self.skip_space();
                let end = if kind == Kind::Array { b']' } else { b'}' };
                if self.peek() != Some(end) {
                    open.push((kind, start));
                    if kind == Kind::Object {
                        self.key()?;
                    }
                    continue;
                }
                self.at += 1;
            }
            // A value ends here, and perhaps what it stands in.
            loop {
                let Some(&(outer, outer_start)) = open.last() else { return Ok(kind) };
                if open.len() == 1 && outer == Kind::Array {
                    self.item(kind, start);
                }
                self.skip_space();
                match (outer, self.next()?) {
                    (Kind::Array, b',') => break self.skip_space(),
                    (Kind::Object, b',') => break self.key()?,
                    (Kind::Array, b']') | (Kind::Object, b'}') => {
                        open.pop();
                        (kind, start) = (outer, outer_start);
                    }
                    (Kind::Array, byte) => return Err(unexpected(byte, "after array element")),
                    (_, byte) => return Err(unexpected(byte, "after object key:value pair")),
                }
            }
        }
    }

    /// Keeps an item of the outermost array.
    fn item(&mut self, kind: Kind, start: usize) {
        self.items.push((kind, start, self.at));
        if !matches!(kind, Kind::String | Kind::Null) && self.wrong.is_none() {
            self.wrong = Some(kind);
        }
    }

    /// A key of an object with its colon.
    fn key(&mut self) -> Result<(), String> {
        self.skip_space();
        match self.next()? {
            b'"' => self.string()?,
            byte => return Err(unexpected(byte, "looking for beginning of object key string")),
        }
        self.skip_space();
        match self.next()? {
            b':' => {}
            byte => return Err(unexpected(byte, "after object key")),
        }
        self.skip_space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let byte = self.next()?;
                            if !byte.is_ascii_hexdigit() {
                                return Err(unexpected(byte, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    byte => return Err(unexpected(byte, "in string escape code")),
                },
                byte if byte < b' ' => return Err(unexpected(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes().skip(1) {
            let byte = self.next()?;
            if byte != expected {
                let context = format!("in literal {word} (expecting '{}')", char::from(expected));
                return Err(unexpected(byte, &context));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        let mut digit = first;
        if digit == b'-' {
            digit = self.next()?;
            if !digit.is_ascii_digit() {
                return Err(unexpected(digit, "in numeric literal"));
            }
        }
        if digit != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            let byte = self.next()?;
            if !byte.is_ascii_digit() {
                return Err(unexpected(byte, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let mut byte = self.next()?;
            if matches!(byte, b'+' | b'-') {
                byte = self.next()?;
            }
            if !byte.is_ascii_digit() {
                return Err(unexpected(byte, "in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }
}

/// The text of a string literal that has been scanned.
fn unquote(literal: &str) -> String {
    // Only a lone surrogate stops serde_json here; Go puts U+FFFD in its place.
    match serde_json::from_str::<Value>(literal) {
        Ok(Value::String(text)) => text,
        _ => without_lone_surrogates(literal),
    }
}

fn without_lone_surrogates(literal: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let inner = literal.trim_start_matches('"');
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut chars = inner.chars();
    while let Some(character) = chars.next() {
        if character != '\\' {
            units.extend(character.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        let plain = match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
                continue;
            }
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(other) => other,
            None => break,
        };
        units.extend(plain.encode_utf16(&mut [0; 2]).iter());
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        string_list(text)
    }

    #[test]
    fn lists_are_read_as_go_reads_them() {
        let strings = |items: &[&str]| Ok(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(" [ \"a\" ,\t\"b\"]\r\n"), strings(&["a", "b"]));
        assert_eq!(read("[]"), strings(&[]));
        assert_eq!(read("null"), strings(&[]));
        assert_eq!(read("[null,\"\"]"), strings(&["", ""]));
        assert_eq!(read(r#"["\u00e9\ud83d\ude00\/\"\\"]"#), strings(&["é😀/\"\\"]));
        assert_eq!(read(r#"["\ud800","x\udc00y\n"]"#), strings(&["\u{fffd}", "x\u{fffd}y\n"]));
    }

    /// The operator puts this text into an event; a reader greps for it.
    #[test]
    fn errors_are_gos() {
        for (text, message) in [
            ("", END),
            ("  ", END),
            ("[\"a\"", END),
            ("[\"a\",]", "invalid character ']' looking for beginning of value"),
            ("a,b", "invalid character 'a' looking for beginning of value"),
            ("['a']", "invalid character '\\'' looking for beginning of value"),
            ("TRUE", "invalid character 'T' looking for beginning of value"),
            ("[\"a\"] x", "invalid character 'x' after top-level value"),
            ("[\"a\" \"b\"]", "invalid character '\"' after array element"),
            ("[\"a\nb\"]", "invalid character '\\n' in string literal"),
            ("[\"\\x\"]", "invalid character 'x' in string escape code"),
            ("[\"\\u00g0\"]", "invalid character 'g' in \\u hexadecimal character escape"),
            ("[tru]", "invalid character ']' in literal true (expecting 'e')"),
            ("[-]", "invalid character ']' in numeric literal"),
            ("[1.]", "invalid character ']' after decimal point in numeric literal"),
            ("[1e]", "invalid character ']' in exponent of numeric literal"),
            ("[01]", "invalid character '1' after array element"),
            ("{1}", "invalid character '1' looking for beginning of object key string"),
            ("{\"a\"}", "invalid character '}' after object key"),
            ("{\"a\":1]", "invalid character ']' after object key:value pair"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            ("{\"a\":1}", "json: cannot unmarshal object into Go value of type []string"),
            ("5", "json: cannot unmarshal number into Go value of type []string"),
            ("true", "json: cannot unmarshal bool into Go value of type []string"),
            ("[\"a\",1,{}]", "json: cannot unmarshal number into Go value of type string"),
            ("[[\"a\"]]", "json: cannot unmarshal array into Go value of type string"),
        ] {
            assert_eq!(read(text), Err(message.to_owned()), "{text}");
        }
        let deep = "[".repeat(MAX_DEPTH + 1);
        assert_eq!(read(&deep), Err("exceeded max depth".to_owned()));
        let nested = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let error = "json: cannot unmarshal array into Go value of type string";
        assert_eq!(read(&nested), Err(error.to_owned()));
    }
}
