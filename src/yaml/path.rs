//! Field paths: how a place in an object is named in messages and looked up. In: steps or text; out: steps or text.

use std::fmt;

use serde_json::Value;

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The entry of a mapping with this key.
    Key(String),
    /// The item of a sequence, from 0.
    Index(usize),
}

impl Step {
    /// The entry with this key.
    pub fn key(key: impl Into<String>) -> Self {
        Self::Key(key.into())
    }
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Step {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A single step as it stands after another: `.name`, `[0]`, `[kagenti.io/skills]`, `["0"]`.
///
/// Keys with dots and other special characters are put in brackets as the API server does; those that could be
/// mistaken for an index or for the end of a bracket are JSON strings.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if is_simple(key) => write!(f, ".{key}"),
            Self::Key(key) if is_bare(key) => write!(f, "[{key}]"),
            Self::Key(key) => write!(f, "[{}]", Value::from(key.as_str())),
        }
    }
}

fn is_simple(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'$')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
}

fn is_bare(key: &str) -> bool {
    key.contains(|c: char| !c.is_ascii_digit())
        && !key.contains(|c: char| c.is_control() || matches!(c, '"' | '[' | ']'))
}

/// Shows a path as people write it: `spec.skills[0].name`; the empty path is `(root)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathDisplay<'p>(pub &'p [Step]);

impl fmt::Display for PathDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("(root)"),
            [Step::Key(key), rest @ ..] if is_simple(key) => {
                f.write_str(key)?;
                rest.iter().try_for_each(|step| step.fmt(f))
            }
            steps => steps.iter().try_for_each(|step| step.fmt(f)),
        }
    }
}

/// Shows a path as people write it; see [`PathDisplay`].
pub fn display(path: &[Step]) -> PathDisplay<'_> {
    PathDisplay(path)
}

/// Reads what [`PathDisplay`] writes: `spec.skills[0].name`, `metadata.annotations[kagenti.io/skills]`, `a["0"]`.
///
/// # Errors
/// Says what is wrong with the text: an empty key or an unclosed bracket.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    if rest.is_empty() || rest == "(root)" {
        return Ok(steps);
    }
    loop {
        if let Some(inside) = rest.strip_prefix('[') {
            rest = parse_bracket(text, inside, &mut steps)?;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("field path {text:?} has an empty key"));
            }
            steps.push(Step::from(&rest[..end]));
            rest = &rest[end..];
        }
        if rest.is_empty() {
            return Ok(steps);
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            if rest.is_empty() || rest.starts_with('[') {
                return Err(format!("field path {text:?} has an empty key"));
            }
        } else if !rest.starts_with('[') {
            return Err(format!("field path {text:?} needs a dot or a bracket after `]`"));
        }
    }
}

fn parse_bracket<'t>(text: &str, inside: &'t str, steps: &mut Vec<Step>) -> Result<&'t str, String> {
    if inside.starts_with('"') {
        let mut strings = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        if let Some(Ok(key)) = strings.next() {
            let after = &inside[strings.byte_offset()..];
            if let Some(rest) = after.strip_prefix(']') {
                steps.push(Step::Key(key));
                return Ok(rest);
            }
        }
        return Err(format!("field path {text:?} has a quoted key that is not closed by `\"]`"));
    }
    let Some((inner, rest)) = inside.split_once(']') else {
        return Err(format!("field path {text:?} has a bracket that is not closed"));
    };
    if inner.is_empty() {
        return Err(format!("field path {text:?} has an empty bracket"));
    }
    steps.push(match inner.parse() {
        Ok(index) if inner.bytes().all(|b| b.is_ascii_digit()) => Step::Index(index),
        _ => Step::from(inner),
    });
    Ok(rest)
}

/// The value at a path; none where a step leads nowhere.
pub(crate) fn value_at<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Index(index) => at.get(index),
    })
}

/// A key as a step of a JSON pointer has it (RFC 6901).
pub(crate) fn pointer_key(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_the_api_server_shows_them_and_read_back() {
        for (steps, text) in [
            (vec![], "(root)"),
            (vec!["spec".into(), "skills".into(), 0.into(), "name".into()], "spec.skills[0].name"),
            (
                vec!["metadata".into(), "annotations".into(), "kagenti.io/skills".into()],
                "metadata.annotations[kagenti.io/skills]",
            ),
            (vec![0.into(), 12.into(), "a-b_c".into()], "[0][12].a-b_c"),
            (vec!["data".into(), "0".into()], "data[\"0\"]"),
            (vec!["data".into(), "".into()], "data[\"\"]"),
            (vec!["data".into(), "a]\"\nb".into(), "x".into()], "data[\"a]\\\"\\nb\"].x"),
            (vec!["a.b".into(), "c".into()], "[a.b].c"),
        ] as [(Vec<Step>, &str); 8]
        {
            assert_eq!(display(&steps).to_string(), text);
            assert_eq!(parse(text), Ok(steps));
        }
    }

    #[test]
    fn a_broken_path_is_refused_instead_of_read_as_a_shorter_one() {
        for text in [".a", "a.", "a..b", "a[", "a[]", "a[0]b", "a.[0]", "a[\"x]", "a[\"x\"", "[0"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
