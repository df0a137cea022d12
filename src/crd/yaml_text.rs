//! A JSON value in, block-style YAML text out. Only for text that we make ourselves; users' files are edited by
//! [`crate::yaml`].

use serde_json::Value;

/// One document without a marker, ending with a line feed.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    node(&mut out, value, 0, true);
    out
}

/// Documents with markers between them.
pub(crate) fn documents(values: &[Value]) -> String {
    values.iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// Writes a node. `inline`: the first line continues the present one, else a new one begins at `indent`.
fn node(out: &mut String, value: &Value, indent: usize, mut inline: bool) {
    let mut begin = |out: &mut String| {
        if !std::mem::take(&mut inline) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                begin(out);
                out.push_str(&scalar(key));
                match value {
                    Value::Object(map) if !map.is_empty() => {
                        out.push_str(":\n");
                        node(out, value, indent + 2, false);
                    }
                    // A list begins in the column of its key, as the controller generator writes it.
                    Value::Array(list) if !list.is_empty() => {
                        out.push_str(":\n");
                        node(out, value, indent, false);
                    }
                    _ => {
                        out.push_str(": ");
                        node(out, value, indent, true);
                    }
                }
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                begin(out);
                out.push_str("- ");
                node(out, value, indent + 2, true);
            }
        }
        Value::String(text) => {
            begin(out);
            out.push_str(&scalar(text));
            out.push('\n');
        }
        other => {
            begin(out);
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

/// Plain where every YAML reader takes it for this text, else as JSON, which is YAML too.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    // Words that some version of YAML takes for a boolean or null.
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    // A dot may begin a path, but also the numbers .5, .inf and .nan.
    let begins_well = match text.as_bytes() {
        [b'.', second, ..] => second.is_ascii_alphabetic() && !b"iInN".contains(second),
        [first, ..] => first.is_ascii_alphabetic() || matches!(first, b'^' | b'/'),
        [] => false,
    };
    begins_well
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(|c| matches!(c, ' '..='~'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
