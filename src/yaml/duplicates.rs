//! Keys that a mapping has twice. Resolving takes the last, as Kubernetes' reader does; readers of what people decide by refuse both.

use std::borrow::Cow;

use super::node::{NodeId, NodeKind};
use super::{Document, node};

impl<'t> Document<'t> {
    /// Keys of which their mapping has an earlier one of the same text, in the order of the mappings.
    pub fn duplicate_keys(&self) -> Vec<(NodeId, Cow<'t, str>)> {
        let (mut out, mut keys) = (Vec::new(), Vec::<(Cow<'t, str>, NodeId)>::new());
        let is_mapping = |node: &node::Node| matches!(node.kind, NodeKind::Mapping { .. });
        for (index, _) in self.tree.nodes.iter().enumerate().filter(|(_, node)| is_mapping(node)) {
            let Ok(id) = NodeId::try_from(index) else { break };
            keys.clear();
            keys.extend(self.tree.entries(id).filter_map(|(key, _)| Some((self.key_text(key).ok()?, key))));
            // Keys that are equal stay in their order.
            keys.sort_by(|(one, _), (other, _)| one.cmp(other));
            let pairs = keys.windows(2).filter_map(|pair| match pair {
                [(one, _), (other, at)] if one == other => Some((*at, other.clone())),
                _ => None,
            });
            out.extend(pairs);
        }
        out
    }
}

/// What is said of such a key, and how to mend it.
pub fn is_there_already(key: &str) -> (String, &'static str) {
    (format!("the key {key:?} is there already"), "remove one of the two")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_within_their_mapping() {
        let text = "a: 1\n\"a\": {b: 1, c: 2, 'b': 3, b: 4}\nb: [{c: 1}, {c: 2}]\n";
        let document = Document::parse(text).expect("a document");
        let found: Vec<(String, (usize, usize))> = document
            .duplicate_keys()
            .into_iter()
            .map(|(id, key)| (key.into_owned(), document.position(id)))
            .collect();
        let wanted = [("a", (2, 1)), ("b", (2, 19)), ("b", (2, 27))];
        assert_eq!(found, wanted.map(|(key, at)| (key.to_owned(), at)));
    }
}
