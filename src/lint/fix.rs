//! Mends what is safe to mend: findings in, the texts of the files out, with only the bytes changed that must change.

use serde_json::{Map, Value};

use super::Finding;
use crate::manifest::stream::Source;
use crate::yaml::split::Documents;
use crate::yaml::{Document, Step, apply, edit};

/// A field and the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Index of the source.
    pub(super) source: usize,
    /// First byte of the document.
    pub(super) start: usize,
    /// The steps from the document's root.
    pub(super) path: Vec<Step>,
    /// The value.
    pub(super) value: Value,
}

/// The text of a source with its findings mended, and how many were; none if there is nothing to mend. A document that cannot be
/// edited as it is written stays as it is.
pub fn fixed(index: usize, source: &Source, findings: &[Finding]) -> Option<(String, usize)> {
    let fixes: Vec<&Fix> =
        findings.iter().filter_map(|found| found.fix.as_ref()).filter(|fix| fix.source == index).collect();
    if fixes.is_empty() {
        return None;
    }
    let (mut out, mut from, mut count) = (String::new(), 0, 0);
    for slice in Documents::of(&source.text) {
        let here: Vec<&&Fix> = fixes.iter().filter(|fix| fix.start == slice.start).collect();
        let text = slice.text(&source.text);
        let Some((after, done)) = (if here.is_empty() { None } else { document(text, &here) }) else {
            continue;
        };
        out.push_str(&source.text[from..slice.start]);
        out.push_str(&after);
        from = slice.end;
        count += done;
    }
    out.push_str(&source.text[from..]);
    (count > 0).then_some((out, count))
}

fn document(text: &str, fixes: &[&&Fix]) -> Option<(String, usize)> {
    let document = Document::parse(text).ok()?;
    let mut value = document.to_value().ok()?;
    let count = fixes.iter().filter(|fix| set(&mut value, &fix.path, &fix.value)).count();
    let splices = edit(&document, &value).ok()?;
    Some((apply(text, &splices), count))
}

/// Sets a field; maps on the way are made. Whether it could be set.
fn set(value: &mut Value, path: &[Step], wanted: &Value) -> bool {
    let Some((step, rest)) = path.split_first() else {
        *value = wanted.clone();
        return true;
    };
    match step {
        Step::Index(index) => value.get_mut(*index).is_some_and(|item| set(item, rest, wanted)),
        Step::Key(key) => {
            if value.is_null() {
                *value = Value::Object(Map::new());
            }
            let Some(map) = value.as_object_mut() else { return false };
            set(map.entry(key.as_str()).or_insert(Value::Null), rest, wanted)
        }
    }
}
