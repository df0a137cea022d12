//! Input that holds no object of Kubernetes at all, such as an error page or a template that nobody rendered: a text in,
//! what it is out. Documents among others that cannot be read are left to [`super::stream`].

use memchr::memmem;

use crate::api::error::InputError;
use crate::api::object::Origin;
use crate::manifest::stream::Source;
use crate::yaml::node::NodeKind;
use crate::yaml::{Document, split};

/// What a text is in which no document is an object or holds one; none if one is, and for an empty text.
pub fn no_object(source: &Source) -> Option<InputError> {
    let text = &source.text;
    if text.lines().any(names_kind) {
        return None;
    }
    let mut first = None;
    for (index, slice) in split(text).into_iter().enumerate() {
        let (message, (line, column)) = match Document::parse(slice.text(text)) {
            Ok(document) => match document.tree.node(0).kind {
                NodeKind::Scalar(_) => ("it is plain text".to_owned(), slice.place(1, 1)),
                _ if names_kind_within(slice.text(text)) => return None,
                _ => {
                    let (line, column) = document.position(0);
                    ("nothing in it has an apiVersion or a kind".to_owned(), slice.place(line, column))
                }
            },
            Err(error) => (error.message.clone(), slice.place(error.line, error.column)),
        };
        let origin = Origin { file: source.name.clone(), document: index + 1, line };
        first.get_or_insert(InputError { origin, column, message, ..InputError::default() });
    }
    first.map(|error| InputError {
        message: format!("there is no object in the input: {}", what(text).unwrap_or(&error.message)),
        help: "see whether the program before this one failed".into(),
        ..error
    })
}

/// Whether a line begins as that of an object's kind or apiVersion: quick, and true of nearly every first document.
fn names_kind(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '-', '{', '"', '\'', '\u{feff}']);
    ["kind", "apiVersion"].iter().any(|key| {
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    })
}

/// Whether anything may be an object's kind or apiVersion, wherever it stands.
fn names_kind_within(text: &str) -> bool {
    ["kind", "apiVersion"].iter().any(|key| {
        memmem::find_iter(text.as_bytes(), key)
            .any(|at| text[at + key.len()..].trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    })
}

/// What people pipe in by mistake.
fn what(text: &str) -> Option<&'static str> {
    let start = text.trim_start().to_ascii_lowercase();
    if start.starts_with('<') {
        Some("it is HTML or XML")
    } else if start.contains("{{") {
        Some("it is a template that was not rendered")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        let source = Source { name: "-".into(), text: text.into() };
        no_object(&source).map(|error| error.to_string())
    }

    #[test]
    fn what_is_no_object_is_named_with_its_place() {
        let help = "(see whether the program before this one failed)";
        for (text, what) in [
            (
                "{{{{\n<html>",
                "-:2:7: there is no object in the input: it is a template that was not rendered",
            ),
            (
                "<html><body>502 Bad Gateway</body></html>\n",
                "-:1:1: there is no object in the input: it is HTML or XML",
            ),
            (
                "Error: release not found\nsee --help: now\n",
                "-:1:1: there is no object in the input: nothing in it has an apiVersion or a kind",
            ),
            ("{}\n", "-:1:1: there is no object in the input: nothing in it has an apiVersion or a kind"),
            (
                "---\n- a\n---\nb: 1\n",
                "-:2:1: there is no object in the input: nothing in it has an apiVersion or a kind",
            ),
            ("connection refused\n", "-:1:1: there is no object in the input: it is plain text"),
        ] {
            assert_eq!(said(text), Some(format!("{what} {help}")), "{text}");
        }
    }

    #[test]
    fn objects_and_lists_of_any_kind_are_input() {
        for text in [
            "",
            "# nothing\n",
            "a: 1\n---\nkind: Service\n",
            "[{\"kind\": \"Role\"}]\n",
            "{\"items\": [{\"apiVersion\": \"v1\"}]}\n",
            "{{{\n---\nkind: Service\n",
            "{\"kind\": \"Role\"",
            "<p>\n---\n{a: 1, kind: x}\n",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
