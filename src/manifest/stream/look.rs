//! What of a document is looked at before anything is read of it.

use std::borrow::Cow;

use serde_json::Value;

use crate::api::names::{AUTHBRIDGE_RUNTIME, KAGENTI, Names, RECORD, ROSSOCTL, SKILL_BINDING, SPIFFE_HELPER};
use crate::api::object::field;
use crate::yaml::node::{NodeId, NodeKind};
use crate::yaml::{Document, SyntaxError};

/// Names by which a text has to do with SkillBindings: the kind, and what one that is gone has left.
const OF_BINDINGS: [&str; 4] = [SKILL_BINDING, RECORD, KAGENTI.skills, ROSSOCTL.skills];
/// What all of them hold: one search of the text in the place of four.
const COMMON: &str = "kill";

const DIALECTS: [&Names; 2] = [&KAGENTI, &ROSSOCTL];

/// Whether a document is an array with an object of Kubernetes in it; arrays of other things, such as patches, are nobody's.
pub(super) fn is_array_of_objects(document: &Document<'_>) -> bool {
    let is_object = |item| ["apiVersion", "kind"].iter().all(|key| document.entry(item, key).is_some());
    matches!(document.tree.node(0).kind, NodeKind::Sequence { .. })
        && document
            .tree
            .children(0)
            .any(|item| matches!(document.tree.node(item).kind, NodeKind::Mapping { .. }) && is_object(item))
}

pub(super) fn is_read_by_name(name: &str) -> bool {
    name == AUTHBRIDGE_RUNTIME
        || name == SPIFFE_HELPER
        || DIALECTS.iter().any(|names| name == names.platform_config || name == names.feature_gates)
}

/// Whether a ConfigMap has the label of a namespace's defaults, whatever it says.
pub(super) fn is_labelled(document: &Document<'_>, node: NodeId) -> Result<bool, SyntaxError> {
    let mut labels = DIALECTS.iter().map(|names| names.defaults_label);
    if document.may_alias {
        let value = document.node_value(node)?;
        let found = field(&value, "/metadata/labels");
        return Ok(found.is_some_and(|found| labels.any(|label| found.get(label).is_some())));
    }
    let found = document.entry(node, "metadata").and_then(|metadata| document.entry(metadata, "labels"));
    Ok(found.is_some_and(|found| labels.any(|label| document.entry(found, label).is_some())))
}

/// A mapping in an object, which is looked for once.
pub(super) struct Place<'d, 't> {
    document: &'d Document<'t>,
    object: NodeId,
    keys: &'static [&'static str],
    found: Option<NodeId>,
}

impl<'d, 't> Place<'d, 't> {
    /// What stands at a path of keys.
    pub(super) fn of(document: &'d Document<'t>, object: NodeId, keys: &'static [&'static str]) -> Self {
        let found = keys.iter().try_fold(object, |at, key| document.entry(at, key));
        Self { document, object, keys, found }
    }

    /// As [`text_at`], of a key there.
    pub(super) fn text(&self, key: &str) -> Result<Cow<'t, str>, SyntaxError> {
        match self.found {
            Some(found) => text_at(self.document, found, &[key]),
            None => text_at(self.document, self.object, &[self.keys, &[key]].concat()),
        }
    }
}

/// The text of a scalar along a path of keys; empty where there is none or no text. Aliases and merge keys are followed.
pub(super) fn text_at<'t>(
    document: &Document<'t>,
    node: NodeId,
    keys: &[&str],
) -> Result<Cow<'t, str>, SyntaxError> {
    let mut at = node;
    for key in keys {
        match document.entry(at, key) {
            Some(child) => at = child,
            // What an alias or a merge key brings stands elsewhere: rare, and read the slow way.
            None if document.may_alias => {
                let value = document.node_value(node)?;
                let found = keys.iter().try_fold(&value, |at, key| at.get(key));
                return Ok(Cow::Owned(found.and_then(Value::as_str).unwrap_or_default().to_owned()));
            }
            None => return Ok(Cow::Borrowed("")),
        }
    }
    if let Some(word) = document.word(at) {
        return Ok(Cow::Borrowed(word));
    }
    match document.tree.node(at).kind {
        NodeKind::Scalar(_) => {
            // `name: yes` is a boolean to Kubernetes, and no text.
            match document.node_value(at)? {
                Value::String(text) => Ok(Cow::Owned(text)),
                _ => Ok(Cow::Borrowed("")),
            }
        }
        NodeKind::Alias => match document.node_value(at)? {
            Value::String(text) => Ok(Cow::Owned(text)),
            _ => Ok(Cow::Borrowed("")),
        },
        _ => Ok(Cow::Borrowed("")),
    }
}

pub(super) fn names_binding(text: &str) -> bool {
    let words = OF_BINDINGS.map(|word| (word, word.find(COMMON).unwrap_or_default()));
    memchr::memmem::find_iter(text.as_bytes(), COMMON).any(|at| {
        let begins = |(word, offset): &(&str, usize)| {
            at.checked_sub(*offset).is_some_and(|from| text.as_bytes()[from..].starts_with(word.as_bytes()))
        };
        words.iter().any(begins)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that is taken for one without SkillBindings keeps what a gone one has left, and nothing is said of it.
    #[test]
    fn every_name_by_which_a_text_has_to_do_with_bindings_is_found() {
        for word in OF_BINDINGS {
            assert!(word.contains(COMMON), "{word}");
            for text in [word.to_owned(), format!("skills: {word}: x"), format!("kill {word}")] {
                assert!(names_binding(&text), "{text}");
            }
        }
        for text in ["", "kill", "skills", "kagenti.io/skill", "kubectl-skills"] {
            assert!(!names_binding(text), "{text}");
        }
    }
}
