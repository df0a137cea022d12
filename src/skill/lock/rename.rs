//! Other names for the images of a lock: everything else about an entry stays as it is written, comments and unknown keys too.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::error::InputError;
use crate::api::object::Origin;
use crate::yaml::{self, Document, apply};

/// The text of a lock in which entries name other images. Digests and facts are left to [`super::edit`].
///
/// # Errors
/// What cannot be edited as it is written, with its place in `file`.
pub fn rename(text: &str, file: &str, names: &BTreeMap<String, String>) -> Result<String, Vec<InputError>> {
    let slices = yaml::split(text);
    let Some(slice) = slices.first().filter(|_| !names.is_empty()) else { return Ok(text.to_owned()) };
    let own = slice.text(text);
    let place = |line, column, field: &str, message: &str, help: &str| {
        let (line, column) = slice.place(line, column);
        vec![InputError {
            origin: Origin { file: file.to_owned(), document: 0, line },
            column,
            field: field.to_owned(),
            message: message.to_owned(),
            help: help.to_owned(),
            ..InputError::default()
        }]
    };
    let syntax = |error: yaml::SyntaxError| place(error.line, error.column, "", &error.message, "");
    let document = Document::parse(own).map_err(syntax)?;
    let mut wanted = document.to_value().map_err(syntax)?;
    for entry in wanted.get_mut("skills").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = entry.get("image").and_then(Value::as_str).and_then(|image| names.get(image)).cloned();
        if let (Some(image), Some(name)) = (entry.get_mut("image"), name) {
            *image = name.into();
        }
    }
    let splices = yaml::edit(&document, &wanted)
        .map_err(|error| place(error.line, error.column, &error.path, &error.message, &error.help))?;
    Ok([&text[..slice.start], &apply(own, &splices), &text[slice.end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people wrote about an image is still there after its update.
    #[test]
    fn an_entry_keeps_all_but_its_name() {
        let text = "kind: SkillLock\nskills:\n# reviewed by ann\n- image: quay.io/acme/pdf:1.0.0   # pilot\n  team: search\n- image: csv:1\n";
        let names =
            BTreeMap::from([("quay.io/acme/pdf:1.0.0".to_owned(), "quay.io/acme/pdf:1.1.0".to_owned())]);
        assert_eq!(rename(text, "skills.lock", &names), Ok(text.replace("1.0.0", "1.1.0")));
        assert_eq!(rename("", "skills.lock", &names), Ok(String::new()));
    }
}
