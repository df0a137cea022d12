//! Compares list items of a document with wanted values for `list_diff`: equal, of the same name, or possibly the same item changed.

use std::cell::Cell;

use serde_json::Value;

use super::list_diff::Lists;
use crate::yaml::node::{NodeId, NodeKind};
use crate::yaml::{Document, SyntaxError};

/// Old items as nodes, new ones as values.
pub(super) struct ListMatch<'p> {
    document: &'p Document<'p>,
    items: &'p [NodeId],
    want: &'p [Value],
    /// The last comparison: where a list has one item that changes, the same is asked again and again.
    last: Cell<Option<(usize, usize, bool)>>,
}

impl<'p> ListMatch<'p> {
    pub(super) fn new(document: &'p Document<'p>, items: &'p [NodeId], want: &'p [Value]) -> ListMatch<'p> {
        ListMatch { document, items, want, last: Cell::new(None) }
    }

    fn text_of(&self, map: NodeId, name: &str) -> Option<String> {
        let tree = &self.document.tree;
        let (_, value) =
            tree.entries(map).find(|(key, _)| self.document.key_text(*key).is_ok_and(|text| text == name))?;
        match (tree.node(value).kind, self.document.node_value(value)) {
            (NodeKind::Scalar(_), Ok(Value::String(text))) => Some(text),
            _ => None,
        }
    }
}

impl Lists for ListMatch<'_> {
    type Error = SyntaxError;

    fn lengths(&self) -> (usize, usize) {
        (self.items.len(), self.want.len())
    }

    fn equal(&self, old: usize, new: usize) -> Result<bool, SyntaxError> {
        match self.last.get() {
            Some((last_old, last_new, answer)) if (last_old, last_new) == (old, new) => Ok(answer),
            _ => {
                let answer = self.document.node_equals(self.items[old], &self.want[new])?;
                self.last.set(Some((old, new, answer)));
                Ok(answer)
            }
        }
    }

    fn weight(&self, old: usize) -> usize {
        let node = self.document.tree.node(self.items[old]);
        (node.end - node.props) as usize
    }

    fn old_name(&self, old: usize, scalars: bool) -> Option<String> {
        let id = self.items[old];
        let tree = &self.document.tree;
        match tree.node(id).kind {
            NodeKind::Mapping { .. } => {
                if let Some(name) = self.text_of(id, "name") {
                    return Some(join([Some(name), self.text_of(id, "mountPath"), None]));
                }
                let (_, metadata) = tree
                    .entries(id)
                    .find(|(key, _)| self.document.key_text(*key).is_ok_and(|text| text == "metadata"))
                    .filter(|(_, value)| matches!(tree.node(*value).kind, NodeKind::Mapping { .. }))?;
                let name = self.text_of(metadata, "name")?;
                Some(join([self.text_of(id, "kind"), self.text_of(metadata, "namespace"), Some(name)]))
            }
            NodeKind::Scalar(_) if scalars => {
                self.document.node_value(id).ok().map(|value| value.to_string())
            }
            _ => None,
        }
    }

    fn new_name(&self, new: usize, scalars: bool) -> Option<String> {
        let text = |map: &Value, name: &str| map.get(name)?.as_str().map(str::to_owned);
        match &self.want[new] {
            value @ Value::Object(map) => {
                if let Some(name) = text(value, "name") {
                    return Some(join([Some(name), text(value, "mountPath"), None]));
                }
                let metadata = map.get("metadata")?;
                Some(join([text(value, "kind"), text(metadata, "namespace"), Some(text(metadata, "name")?)]))
            }
            Value::Array(_) => None,
            scalar => scalars.then(|| scalar.to_string()),
        }
    }

    fn alike(&self, old: usize, new: usize) -> bool {
        match self.document.tree.node(self.items[old]).kind {
            NodeKind::Mapping { .. } => self.want[new].is_object(),
            NodeKind::Sequence { .. } => self.want[new].is_array(),
            NodeKind::Scalar(_) => !self.want[new].is_object() && !self.want[new].is_array(),
            NodeKind::Alias => false,
        }
    }
}

fn join(parts: [Option<String>; 3]) -> String {
    let mut name = String::new();
    for part in parts.into_iter().flatten() {
        name.push_str(&part);
        name.push('\0');
    }
    name
}
