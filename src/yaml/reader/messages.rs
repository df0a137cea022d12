//! Go's reasons for refusing a text, with their place and what mends them.

use super::chars::Failure;
use crate::yaml::error::SyntaxError;

/// The error of a failure: its reason in Go's words, how to mend it, and where.
pub(super) fn syntax_error(text: &str, failure: &Failure) -> SyntaxError {
    let problem = failure.problem.as_ref();
    // What is missing shows at its beginning better than where it was missed.
    let at_start = matches!(
        problem,
        "could not find expected ':'"
            | "found unexpected end of stream"
            | "found unexpected document indicator"
    );
    let at = if at_start { failure.context } else { failure.at };
    let rest = text.get(at..).unwrap_or_default();
    let message = match help(problem, rest) {
        Some(help) => format!("{problem}; {help}"),
        None => problem.to_owned(),
    };
    SyntaxError::at(text, at, message)
}

/// How to mend a problem; `rest` is the text from where it was found.
fn help(problem: &str, rest: &str) -> Option<String> {
    let found = rest.chars().next();
    let fixed = match problem {
        "found character that cannot start any token" => match found {
            Some('\t') => "a tab stands where indentation is expected; write spaces",
            Some('\u{feff}') => "remove the byte-order mark",
            _ => "put the value in quotes",
        },
        "found a tab character that violates indentation"
        | "found a tab character where an indentation space is expected" => {
            "write spaces in place of the tab"
        }
        "found unknown escape character" => return Some(help_with_escape(rest)),
        "did not find expected hexdecimal number" => "\\x needs 2, \\u 4 and \\U 8 hexadecimal digits",
        "found invalid Unicode character escape code" => return Some(help_with_code(rest)),
        "control characters are not allowed" => {
            let code = found.map(u32::from).unwrap_or_default();
            return Some(format!("remove U+{code:04X} or write it as an escape in double quotes"));
        }
        "mapping values are not allowed in this context" => {
            "a value with `: ` in it needs quotes, and a key must stand on a line of its own"
        }
        "mapping keys are not allowed in this context"
        | "block sequence entries are not allowed in this context" => "begin it on a line of its own",
        "could not find expected ':'" => {
            "a key ends with `:` and a space, on one line; or indent this line to make it part of the value above"
        }
        "did not find expected key" => "indent the keys of a mapping alike",
        "did not find expected '-' indicator" => "indent the items of a list alike",
        "did not find expected ',' or ']'" => "put a comma between the items, or close the list with `]`",
        "did not find expected ',' or '}'" => {
            "put a comma between the entries, or close the mapping with `}`"
        }
        "did not find expected node content" => "write the value, or \"\" for an empty one",
        "found unexpected end of stream" | "found unexpected document indicator" => "close the quote",
        "did not find expected comment or line break" => "begin the text on the line after `|` or `>`",
        "did not find expected whitespace or line break" => "write a space after the tag",
        "did not find expected alphabetic or numeric character" => {
            "names of anchors consist of letters, digits, - and _"
        }
        "found undefined tag handle" => "declare it with %TAG, or write the tag as !<...>",
        "found incompatible YAML document" => "Kubernetes reads %YAML 1.1 only; remove the directive",
        "found unknown directive name" => {
            "only %YAML and %TAG are known; put a value that begins with % in quotes"
        }
        "did not find expected <document start>" => "write `---` after the directives",
        _ if problem.starts_with("unknown anchor") => "define the anchor before it is used",
        _ => return None,
    };
    Some(fixed.to_owned())
}

fn help_with_escape(rest: &str) -> String {
    let mut chars = rest.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some('/')) => "the escape \\/ is JSON, not YAML to Kubernetes; write /".to_owned(),
        (Some('\\'), Some(letter)) => {
            format!("write \\\\{0} for a backslash and {0}", letter.escape_default())
        }
        _ => "write \\\\ for a backslash".to_owned(),
    }
}

/// `rest` begins with the digits after `\u` or `\U`.
fn help_with_code(rest: &str) -> String {
    let code = |text: Option<&str>| text.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let (high, low) =
        (code(rest.get(..4)), code(rest.get(4..).and_then(|rest| rest.strip_prefix("\\u")?.get(..4))));
    match (high, low) {
        (Some(high @ 0xd800..0xdc00), Some(low @ 0xdc00..0xe000)) => {
            let char = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            format!("surrogate pairs are JSON, not YAML to Kubernetes; write \\U{char:08x}")
        }
        _ => "no character has this number".to_owned(),
    }
}
