//! Compares the tree with the wanted value and requests changes where they differ. Writing them is left to `block`, `flow`
//! and `fill`.

use serde_json::Value;

use super::dirty::{Dirty, DirtyPaths};
use super::list_diff::{self, Step as Move};
use super::list_match::ListMatch;
use super::style::Style;
use super::{EditError, EditSession, Place, Splice};
use crate::yaml::SyntaxError;
use crate::yaml::emit;
use crate::yaml::node::{NodeId, NodeKind};
use crate::yaml::path::{self, Step};

/// Where a node sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// It is the whole document, or the node that is edited.
    Root,
    /// It is the value of `key` in `map`.
    Entry { map: NodeId, key: NodeId },
    /// It is an item of `seq`.
    Item { seq: NodeId },
}

impl<'e> EditSession<'e> {
    /// Makes the edited node mean `want`.
    pub(super) fn root(&mut self, want: &'e Value) -> Result<(), EditError> {
        self.inside = self.aliased_around(self.root);
        let (root, slot) = (self.root, self.root_slot());
        self.node(root, want, slot)
    }

    /// The slot of the edited node: only a node of the whole document needs to be looked for.
    fn root_slot(&self) -> Slot {
        let tree = &self.document.tree;
        let parent = self.parents.of(tree, self.root);
        match tree.get(parent).map(|node| node.kind) {
            Some(NodeKind::Sequence { .. }) => Slot::Item { seq: parent },
            Some(NodeKind::Mapping { .. }) => tree
                .entries(parent)
                .find(|(_, value)| *value == self.root)
                .map_or(Slot::Root, |(key, _)| Slot::Entry { map: parent, key }),
            _ => Slot::Root,
        }
    }

    /// The anchored node with aliases that holds `id`.
    fn aliased_around(&self, id: NodeId) -> Option<NodeId> {
        let node = self.document.tree.node(id);
        self.aliased.nodes().filter(|other| *other < id).find(|other| {
            let other = self.document.tree.node(*other);
            other.start <= node.start && node.end <= other.end
        })
    }

    /// Makes `id` mean `want`.
    pub(super) fn node(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        let outer = self.inside;
        if self.aliased.contains(id) {
            self.inside = Some(id);
        }
        let result = self.dispatch(id, want, slot);
        self.inside = outer;
        result
    }

    fn dispatch(&mut self, id: NodeId, want: &'e Value, slot: Slot) -> Result<(), EditError> {
        let node = self.document.tree.node(id);
        match (node.kind, want) {
            (NodeKind::Alias, _) => {
                if self.equal(id, want)? {
                    return Ok(());
                }
                let name = &self.text[node.start as usize..node.end as usize];
                Err(self.refuse(
                    id,
                    format!(
                        "the value is the alias {name}; changing it would change the place it stands for"
                    ),
                    format!("write the value out here instead of {name}"),
                ))
            }
            (NodeKind::Scalar(_), _) => {
                if self.equal(id, want)? {
                    return Ok(());
                }
                self.scalar(id, want, slot)
            }
            (NodeKind::Mapping { .. }, Value::Object(map)) if !map.is_empty() => {
                if !node.filled {
                    return self.fill(id, want, slot);
                }
                self.mapping(id, map, slot, want)
            }
            (NodeKind::Sequence { .. }, Value::Array(items)) if !items.is_empty() => {
                if !node.filled {
                    return self.fill(id, want, slot);
                }
                self.sequence(id, items, want, slot)
            }
            _ => {
                if self.equal(id, want)? {
                    return Ok(());
                }
                if !node.filled {
                    return self.fill(id, want, slot);
                }
                if let (NodeKind::Mapping { .. }, Value::Object(map), Slot::Root) = (node.kind, want, slot) {
                    return self.mapping(id, map, slot, want);
                }
                self.exchange(id, want, slot)
            }
        }
    }

    fn sequence(
        &mut self,
        id: NodeId,
        want: &'e [Value],
        whole: &'e Value,
        slot: Slot,
    ) -> Result<(), EditError> {
        let items: Vec<NodeId> = self.document.tree.children(id).collect();
        let dirty = self.dirty.take();
        let result = match dirty {
            Some(dirty) if items.len() == want.len() => self.dirty_items(id, &items, want, dirty),
            _ => self.aligned(id, &items, want, whole, slot),
        };
        self.dirty = dirty;
        result
    }

    fn aligned(
        &mut self,
        id: NodeId,
        items: &[NodeId],
        want: &'e [Value],
        whole: &'e Value,
        slot: Slot,
    ) -> Result<(), EditError> {
        let lists = ListMatch::new(self.document, items, want);
        let moves = list_diff::diff(&lists).map_err(|error| self.unreadable(&error))?;
        if moves.iter().all(|step| matches!(step, Move::Keep(..))) {
            return Ok(());
        }
        for step in &moves {
            match step {
                Move::Remove(at) => {
                    self.touch(id)?;
                    self.touch_all(items[*at])?;
                }
                Move::Insert(at) => {
                    self.touch(id)?;
                    self.writable(id, "", &want[*at])?;
                }
                _ => {}
            }
        }
        match self.document.tree.node(id).kind {
            NodeKind::Sequence { flow: true } => self.flow_sequence(id, items, &moves, want),
            _ => self.block_sequence(id, items, &moves, want, whole, slot),
        }
    }

    /// A list of which only some items may differ, each from the item in its place.
    fn dirty_items(
        &mut self,
        id: NodeId,
        items: &[NodeId],
        want: &'e [Value],
        dirty: DirtyPaths<'e>,
    ) -> Result<(), EditError> {
        for (at, (item, want)) in items.iter().zip(want).enumerate() {
            self.dirty = match dirty.below(Place::Index(at)) {
                Dirty::Clean => continue,
                Dirty::Partial(below) => Some(below),
                Dirty::All => None,
            };
            self.change_item(id, *item, at, want)?;
        }
        Ok(())
    }

    /// Edits one item in place.
    pub(super) fn change_item(
        &mut self,
        seq: NodeId,
        item: NodeId,
        at: usize,
        want: &'e Value,
    ) -> Result<(), EditError> {
        self.path.push(Place::Index(at));
        self.node(item, want, Slot::Item { seq })?;
        self.path.pop();
        Ok(())
    }

    /// Whether a node means a value.
    pub(super) fn equal(&self, id: NodeId, want: &Value) -> Result<bool, EditError> {
        self.document.node_equals(id, want).map_err(|error| self.unreadable(&error))
    }

    /// Refuses to change what an alias stands for, and a text whose lines are not what they seem.
    pub(super) fn touch(&self, id: NodeId) -> Result<(), EditError> {
        if let Some(at) = self.lone_return {
            let (line, column) = self.document.position_of(at);
            let (message, help) = match self.text.as_bytes().get(at) {
                Some(b'\r') => {
                    ("a carriage return without a line feed breaks the line", "end lines with LF or CRLF")
                }
                _ => (
                    "U+0085, U+2028 and U+2029 are line breaks to the YAML reader of Kubernetes",
                    "write them as \"\\N\", \"\\L\" and \"\\P\" in double quotes",
                ),
            };
            let (message, help) = (message.to_owned(), help.to_owned());
            return Err(EditError { line, column, message, help, ..EditError::default() });
        }
        match self.inside {
            Some(anchored) => Err(self.is_aliased(id, anchored)),
            None => Ok(()),
        }
    }

    /// Refuses to remove a node in which something is anchored that an alias stands for.
    pub(super) fn touch_all(&self, id: NodeId) -> Result<(), EditError> {
        self.touch(id)?;
        match self.aliased.inside(&self.document.tree, id) {
            Some(anchored) => Err(self.is_aliased(id, anchored)),
            None => Ok(()),
        }
    }

    fn is_aliased(&self, id: NodeId, anchored: NodeId) -> EditError {
        let node = self.document.tree.node(anchored);
        let props = self.text[node.props as usize..node.start as usize].trim();
        let (line, _) = self.document.position_of(node.props as usize);
        let name = props.split_whitespace().find(|word| word.starts_with('&')).unwrap_or("&");
        let alias = name.replacen('&', "*", 1);
        self.refuse(
            id,
            format!("the value is anchored as {name} (line {line}) and used elsewhere as {alias}; changing it would change both places"),
            format!("write the value out in place of {alias}"),
        )
    }

    /// Refuses keys that no reader takes.
    pub(super) fn writable(&self, id: NodeId, name: &str, value: &Value) -> Result<(), EditError> {
        let long = if name.len() > emit::LONGEST_KEY { Some(name) } else { emit::unwritable_key(value) };
        match long {
            Some(key) => Err(self.refuse(
                id,
                format!(
                    "the key {:.40}... is longer than {} bytes, which YAML readers refuse",
                    key,
                    emit::LONGEST_KEY
                ),
                "use a shorter key".to_owned(),
            )),
            None => Ok(()),
        }
    }

    /// Notes a change.
    pub(super) fn splice(&mut self, start: usize, end: usize, text: impl Into<String>) {
        self.splices.push(Splice { start, end, text: text.into() });
    }

    /// The document's style.
    pub(super) fn style(&self) -> &Style {
        self.style.get_or_init(|| Style::of(self.document, self.root))
    }

    /// The way from the edited node to the place at work.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.path
            .iter()
            .map(|place| match place {
                Place::Key(key) => Step::key(*key),
                Place::Index(at) => Step::Index(*at),
            })
            .collect()
    }

    /// An error about a node.
    pub(super) fn refuse(&self, id: NodeId, message: String, help: String) -> EditError {
        let (line, column) = self.document.position_of(self.document.tree.node(id).props as usize);
        let steps = self.steps();
        let path = if steps.is_empty() { String::new() } else { path::display(&steps).to_string() };
        EditError { path, line, column, message, help }
    }

    pub(super) fn unreadable(&self, error: &SyntaxError) -> EditError {
        let steps = self.steps();
        EditError {
            path: if steps.is_empty() { String::new() } else { path::display(&steps).to_string() },
            line: error.line,
            column: error.column,
            message: error.message.clone(),
            help: String::new(),
        }
    }
}

/// Whether a value is a collection that is not empty.
pub(super) fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => false,
    }
}
