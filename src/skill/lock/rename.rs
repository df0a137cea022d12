//! Other images in the places of those that a lock has: everything else about an entry stays as it is written, comments and
//! unknown keys too. Entries that come and go are left to [`super::edit`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::write::updated;
use super::{Entry, Lock};
use crate::api::error::InputError;
use crate::api::object::Origin;
use crate::yaml::{self, Document, Editor, Step, apply};

/// The text of a lock in which entries, by the images that they have, are others.
///
/// # Errors
/// A text that is no lock, or cannot be edited as it is written, with its place in `file`.
pub fn replace(text: &str, file: &str, new: &BTreeMap<String, Entry>) -> Result<String, Vec<InputError>> {
    let before = Lock::read(text, file)?;
    let slices = yaml::split(text);
    let Some(slice) = slices.first().filter(|_| !new.is_empty()) else { return Ok(text.to_owned()) };
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
    let refused =
        |error: yaml::EditError| place(error.line, error.column, &error.path, &error.message, &error.help);
    let document = Document::parse(own).map_err(syntax)?;
    let value = document.to_value().map_err(syntax)?;
    let raw = value.get("skills").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut wanted = Vec::new();
    for (index, (entry, raw)) in before.entries().iter().zip(raw).enumerate() {
        let node = document.find(&[Step::from("skills"), index.into()]);
        if let (Some(new), Some(raw), Some(node)) = (new.get(&entry.image), raw.as_object(), node) {
            wanted.push((node, updated(raw, Some(entry), new)));
        }
    }
    let mut editor = Editor::new(&document);
    for (node, value) in &wanted {
        editor.set(*node, value).map_err(refused)?;
    }
    let splices = editor.finish().map_err(refused)?;
    Ok([&text[..slice.start], &apply(own, &splices), &text[slice.end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::lock::Facts;
    use crate::skill::oci::Digest;

    /// What people wrote about an image is still there after its update.
    #[test]
    fn an_entry_keeps_what_is_not_known_of_it() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let head = "apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n";
        let rest = format!("- image: csv:1\n  digest: {one}\n");
        let text = format!(
            "{head}# reviewed by ann\n- image: quay.io/acme/pdf:1.0.0   # pilot\n  digest: {one}\n  team: search   # ours\n{rest}"
        );
        let facts = Facts { name: Some("pdf".into()), ..Facts::default() };
        let entry = Entry { facts, ..Entry::new("quay.io/acme/pdf:1.1.0", other.clone()) };
        let new = BTreeMap::from([("quay.io/acme/pdf:1.0.0".to_owned(), entry)]);
        let wanted = format!(
            "{head}# reviewed by ann\n- image: quay.io/acme/pdf:1.1.0   # pilot\n  digest: {other}\n  team: search   # ours\n  \
             name: pdf\n{rest}"
        );
        assert_eq!(replace(&text, "skills.lock", &new), Ok(wanted));
        assert_eq!(replace("# none\n", "skills.lock", &new), Ok("# none\n".to_owned()));
    }
}
