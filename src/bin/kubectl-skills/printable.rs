//! Text of others made safe to print: what would steer a terminal, reorder or hide text is shown as an escape. All that the
//! program prints for people passes here; the bytes of manifests do not, unless they go to a terminal.

use std::borrow::Cow;

use kubectl_skills::yaml::emit;
use serde_json::Value;

/// Whether a character is printed as an escape. Line ends and tabs are not judged here.
fn is_hostile(c: char) -> bool {
    c.is_control() || emit::is_hidden(c)
}

fn escaped<'t>(text: &'t str, keep: &[char], escape: impl Fn(&mut String, char)) -> Cow<'t, str> {
    if !text.chars().any(|c| is_hostile(c) && !keep.contains(&c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) && !keep.contains(&c) { escape(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

fn as_rust(out: &mut String, c: char) {
    out.extend(c.escape_default());
}

/// Percent-encoding of all but unreserved characters (RFC 3986) and those that are to stay.
pub fn percent_encoded(text: &str, stay: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || stay.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// One message as one line: its line ends are escaped as well, so that no value begins a line of its own.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, &[], as_rust)
}

/// Text of several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n', '\t'], as_rust)
}

/// One line as text of HTML: no markup. `further` has what the place asks for beyond that, by character.
pub fn html(text: &str, further: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => match further(c) {
                Some(escape) => out.push_str(escape),
                None => out.push(c),
            },
        }
    }
    out
}

/// JSON text: the same value, each such character as JSON escapes it.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n'], |out, c| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
}

/// A value as YAML text: the same value, each such character as YAML escapes it, which it does in double quotes alone.
pub fn yaml(value: &Value) -> String {
    emit::document(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name in somebody's manifest must not clear the screen, set its title, or begin a line that we never wrote.
    #[test]
    fn what_steers_reorders_or_hides_is_shown() {
        assert_eq!(line("a\u{1b}[2Jb\r\nnote: forged\té"), "a\\u{1b}[2Jb\\r\\nnote: forged\\té");
        assert_eq!(lines("a\u{9b}2J\n\tb\r\n"), "a\\u{9b}2J\n\tb\\r\n");
        assert_eq!(
            line("user\u{202e}gpj\u{200b}\u{2066}\u{e0041}"),
            "user\\u{202e}gpj\\u{200b}\\u{2066}\\u{e0041}"
        );
        assert!(matches!(line("日本語 é 👍"), Cow::Borrowed(_)));
    }

    /// The value is the same: a program that reads it finds what was in the manifest.
    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"a\u{202e}": "\u{7f}\u{9b}\u{e0041}é\n"});
        let text = format!("{value:#}");
        let safe = json(&text);
        assert!(safe.chars().all(|c| c == '\n' || !is_hostile(c)), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).ok(), Some(value));
    }

    /// As for JSON: an escape that YAML does not know would be an error to its readers, or another value in single quotes.
    #[test]
    fn yaml_keeps_its_value() {
        let value = serde_json::json!({"a\u{202e}": ["b\u{200d}", "say \"\u{ad}\"", "\u{e0041}", "it's"], "plain": "\\\"é"});
        let text = yaml(&value);
        assert_eq!(
            text,
            "\"a\\u202e\":\n- \"b\\u200d\"\n- \"say \\\"\\u00ad\\\"\"\n- \"\\U000E0041\"\n- \"it's\"\nplain: '\\\"é'\n"
        );
        let read = kubectl_skills::yaml::document::Document::parse(&text).expect("YAML");
        assert_eq!(read.to_value().ok(), Some(value));
    }
}
