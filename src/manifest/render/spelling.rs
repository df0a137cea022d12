//! How the author spelled the value of `SKILL_FOLDERS` where the value does not say it, such as `~`, or a text without quotes
//! in flow style: the document and what is wanted in, the record with the spelling, and the spelling for the editor, out.

use serde_json::Value;

use super::edited::Desired;
use crate::api::names::{RECORD, SKILL_FOLDERS};
use crate::api::object::field;
use crate::plan::{folders_before, with_spelling};
use crate::yaml::node::{NodeId, NodeKind, ScalarStyle};
use crate::yaml::{Document, Place};

/// The value that comes back with its spelling, as the record of the document has it. What a first record says of the variable
/// gets its spelling here, since a plan sees values alone.
pub(super) fn of(
    document: &Document<'_>,
    node: NodeId,
    desired: &mut Desired<'_>,
) -> Option<(Value, String)> {
    let keys = ["metadata", "annotations", RECORD];
    let before = keys.iter().try_fold(node, |at, key| document.entry(at, key));
    if let Some(before) = before.and_then(|at| document.node_value(at).ok()) {
        let (value, spelling) = folders_before(before.as_str()?)?;
        // Without a word of it nothing stood there.
        let spelling = spelling.or_else(|| value.is_null().then(String::new))?;
        return Some((value, spelling));
    }
    let record = field(desired.value(), "/metadata/annotations")?.get(RECORD)?.as_str()?;
    folders_before(record)?;
    let spelling = written(document, node, desired.touched()?)?;
    let record = with_spelling(record, spelling)?;
    desired.value_mut()["metadata"]["annotations"][RECORD] = record.into();
    None
}

/// The text of the variable's value, where the editor would write the same value otherwise.
fn written<'d>(document: &'d Document<'_>, node: NodeId, places: &[Vec<Place<'_>>]) -> Option<&'d str> {
    let env = places.iter().find(|place| place.last() == Some(&Place::Key("env")))?;
    let env = env.iter().try_fold(node, |at, place| match place {
        Place::Key(key) => document.entry(at, key),
        Place::Index(index) => document.tree.children(at).nth(*index),
    })?;
    let is_ours = |item: &NodeId| {
        let name = document.entry(*item, "name").and_then(|name| document.node_value(name).ok());
        name.is_some_and(|name| name == SKILL_FOLDERS)
    };
    let item = document.tree.children(env).filter(is_ours).last()?;
    let value = document.entry(item, "value")?;
    let found = document.tree.node(value);
    let text = document.text.get(found.start as usize..found.end as usize)?;
    let is_flow = matches!(document.tree.node(item).kind, NodeKind::Mapping { flow: true });
    let is_string = matches!(document.node_value(value), Ok(Value::String(_)));
    (found.kind == NodeKind::Scalar(ScalarStyle::Plain) && !text.is_empty() && (is_flow || !is_string))
        .then_some(text)
}
