//! Whether a node means a value, found without making the value of the node.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::faults::Refusal;
use super::{Around, Entry, Resolver};
use crate::yaml::node::{NodeId, NodeKind};
use crate::yaml::number::{canonical, equal};
use crate::yaml::plain::Resolved;

impl<'t> Resolver<'_, 't> {
    pub(super) fn equals(
        &self,
        id: NodeId,
        value: &Value,
        around: Around,
        depth: usize,
    ) -> Result<bool, Refusal> {
        if let Value::String(other) = value
            && let Some(word) = self.word(id)
        {
            return Ok(word == other);
        }
        self.enter(id, depth)?;
        let tree = &self.document.tree;
        match tree.node(id).kind {
            NodeKind::Scalar(style) => Ok(match (self.scalar(id, style, around)?, value) {
                (Resolved::Null, Value::Null) => true,
                (Resolved::Bool(own), Value::Bool(other)) => own == *other,
                (Resolved::Text(own), Value::String(other)) => own == other.as_str(),
                (Resolved::Int(own), Value::Number(other)) => equal(&own.into(), other),
                (Resolved::Unsigned(own), Value::Number(other)) => equal(&own.into(), other),
                (Resolved::Float(own), other) => {
                    let own = canonical(own).ok_or_else(|| self.refusal(id, &self.not_json(id, own)))?;
                    matches!(other, Value::Number(other) if equal(&own, other))
                }
                _ => false,
            }),
            NodeKind::Alias => {
                self.follow(id, |target| self.equals(target, value, Around::Unknown, depth + 1))
            }
            NodeKind::Sequence { .. } => {
                let Value::Array(items) = value else { return Ok(false) };
                let mut items = items.iter();
                for child in tree.children(id) {
                    let Some(item) = items.next() else { return Ok(false) };
                    if !self.equals(child, item, Around::Parent(id), depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(items.next().is_none())
            }
            NodeKind::Mapping { .. } => {
                let Value::Object(map) = value else { return Ok(false) };
                self.equals_map(id, map, depth)
            }
        }
    }

    fn equals_map(&self, id: NodeId, map: &Map<String, Value>, depth: usize) -> Result<bool, Refusal> {
        // Usually the keys stand in the same order, each once; then nothing needs to be remembered. Keys are compared
        // before values, so that no value is ever compared twice.
        if self.same_keys(id, map, depth)? {
            for ((_, value), (_, other)) in self.document.tree.entries(id).zip(map) {
                if !self.equals(value, other, Around::Parent(id), depth + 1)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let mut own: HashMap<Cow<'t, str>, (NodeId, NodeId)> = HashMap::new();
        self.fill(id, depth, &mut |Entry { mapping, key, value }| {
            own.insert(key?, (mapping, value));
            Ok(())
        })?;
        if own.len() != map.len() {
            return Ok(false);
        }
        for (key, (mapping, value)) in own {
            let Some(other) = map.get(key.as_ref()) else { return Ok(false) };
            if !self.equals(value, other, Around::Parent(mapping), depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a mapping merges nothing and has exactly the keys of `map` in the same order.
    pub(super) fn same_keys(
        &self,
        id: NodeId,
        map: &Map<String, Value>,
        depth: usize,
    ) -> Result<bool, Refusal> {
        let mut others = map.keys();
        for (key, _) in self.document.tree.entries(id) {
            let Some(other) = others.next() else { return Ok(false) };
            if let Some(word) = self.word(key) {
                if word != other {
                    return Ok(false);
                }
            } else if self.is_merge(key) || *self.key(key, Around::Parent(id), depth + 1)? != **other {
                return Ok(false);
            }
        }
        Ok(others.next().is_none())
    }
}
