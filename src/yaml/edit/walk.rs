//! Compares the tree with the wanted value and requests changes where they differ. Writing them is left to `block`, `flow`
//! and `fill`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::dirty::{Dirty, DirtyPaths};
use super::list_diff::{self, Step as Move};
use super::list_match::ListMatch;
use super::style::Style;
use super::{EditError, EditSession, Place, Splice};
use crate::yaml::SyntaxError;
use crate::yaml::emit;
use crate::yaml::node::{NodeId, NodeKind};
use crate::yaml::path::{self, Step};

/// Wanted of a mapping that goes, but for what is put back in it.
static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// Entries up to which a mapping is searched from the front.
const FEW: usize = 16;

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

/// What merge keys do to a mapping.
struct Merged {
    /// What they bring in.
    names: Map<String, Value>,
    /// What the mapping means as a whole.
    effective: Map<String, Value>,
    /// Which entry is the last merge key. Kubernetes lets a merge key override what stands above it, other readers do
    /// not; so only what stands below the last one can be edited.
    last: usize,
}

/// One entry of a mapping.
pub(super) struct Entry<'e> {
    pub key: NodeId,
    pub value: NodeId,
    pub name: Cow<'e, str>,
    /// `<<`
    pub merge: bool,
    /// A later entry has the same key; Kubernetes reads that one.
    pub hidden: bool,
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
        match tree.nodes.get(parent as usize).map(|node| node.kind) {
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
        let node = *self.document.tree.node(id);
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
                if is_empty(want) {
                    if let Slot::Entry { key, .. } = slot
                        && self.restore(key, id, self.steps())?
                    {
                        return Ok(());
                    }
                    let is_map = matches!(node.kind, NodeKind::Mapping { .. });
                    if is_map && (slot == Slot::Root && want.is_object() || self.has_restorable(id)) {
                        return self.mapping(id, &NOTHING, slot, want);
                    }
                }
                self.exchange(id, want, slot)
            }
        }
    }

    fn mapping(
        &mut self,
        id: NodeId,
        want: &'e Map<String, Value>,
        slot: Slot,
        whole: &'e Value,
    ) -> Result<(), EditError> {
        let Some(entries) = self.entries(id)? else {
            // A key that is no scalar: nothing below can be named.
            if self.equal(id, whole)? {
                return Ok(());
            }
            return Err(self.refuse(
                id,
                "the mapping has a key that is a list or a mapping".to_owned(),
                "use plain keys".to_owned(),
            ));
        };
        let merged = self.merged(id, &entries)?;
        let mut removed = Vec::new();
        let any_hidden = entries.iter().any(|entry| entry.hidden);
        let twice = |name: &str| any_hidden && entries.iter().any(|other| other.hidden && other.name == name);
        let mut matched = 0;
        // Usually the wanted keys come in the order in which they stand, and need not be searched.
        let mut in_order = want.iter().peekable();
        for (at, entry) in entries.iter().enumerate() {
            if entry.merge || entry.hidden {
                continue;
            }
            let next = in_order.next_if(|(name, _)| **name == entry.name);
            let Some((name, value)) = next.or_else(|| want.get_key_value(entry.name.as_ref())) else {
                removed.push(at);
                continue;
            };
            matched += 1;
            let outer = self.dirty;
            let inner = match outer.map(|dirty| dirty.below(Place::Key(name))) {
                Some(Dirty::Clean) => continue,
                Some(Dirty::Partial(dirty)) => Some(dirty),
                Some(Dirty::All) | None => None,
            };
            let below = merged.as_ref().filter(|merged| merged.names.contains_key(name));
            if twice(&entry.name) || below.is_some() {
                let same = match below {
                    Some(merged) => merged.effective.get(name) == Some(value),
                    None => self.equal(entry.value, value)?,
                };
                if same {
                    continue;
                }
                if below.is_some_and(|merged| merged.names.get(name) == Some(value) && at > merged.last)
                    && !twice(name)
                {
                    // What the merge key brings in is wanted again: the override goes.
                    removed.push(at);
                    continue;
                }
                if twice(name) || below.is_some_and(|merged| at < merged.last) {
                    self.path.push(Place::Key(name));
                    let (message, help) = if twice(name) {
                        (
                            "the key stands twice in its mapping",
                            "remove one of the two; Kubernetes reads the last",
                        )
                    } else {
                        (
                            "a merge key (`<<`) below the key overrides it",
                            "move the merge key to the top of its mapping",
                        )
                    };
                    let error = self.refuse(entry.key, message.to_owned(), help.to_owned());
                    self.path.pop();
                    return Err(error);
                }
            }
            self.dirty = inner;
            self.path.push(Place::Key(name));
            self.node(entry.value, value, Slot::Entry { map: id, key: entry.key })?;
            self.path.pop();
            self.dirty = outer;
        }
        let added = self.added(&entries, merged.as_ref(), want, matched)?;
        let mut gone = Vec::new();
        for at in removed {
            let entry = &entries[at];
            let twice = twice(&entry.name);
            let below = merged.as_ref().is_some_and(|merged| merged.names.contains_key(entry.name.as_ref()));
            let wanted = want.contains_key(entry.name.as_ref());
            if twice || (below && !wanted) {
                return Err(self.refuse(
                    entry.key,
                    format!(
                        "the key {:?} cannot be removed: {}",
                        entry.name,
                        if twice {
                            "it stands twice in its mapping"
                        } else {
                            "a merge key (`<<`) brings it in again"
                        }
                    ),
                    if twice {
                        "remove one of the two"
                    } else {
                        "write the keys out instead of merging them"
                    }
                    .to_owned(),
                ));
            }
            let restored = !wanted && self.restore_removed(entry)?;
            if !restored {
                gone.push(at);
            }
        }
        if gone.is_empty() && added.is_empty() {
            return Ok(());
        }
        self.touch(id)?;
        for at in &gone {
            self.touch_all(entries[*at].key)?;
            self.touch_all(entries[*at].value)?;
        }
        for (name, value) in &added {
            self.writable(id, name, value)?;
        }
        match self.document.tree.node(id).kind {
            NodeKind::Mapping { flow: true } => self.flow_mapping(id, &entries, &gone, &added),
            _ => self.block_mapping(id, &entries, &gone, &added, slot),
        }
    }

    /// Puts a removed entry's collection back to what its author wrote, if a fill marked it.
    fn restore_removed(&mut self, entry: &Entry<'_>) -> Result<bool, EditError> {
        let mut steps = self.steps();
        steps.push(Step::key(entry.name.as_ref()));
        self.restore_below(entry.key, entry.value, steps)
    }

    /// Puts a collection back, or what was filled inside of it; then all else in it goes.
    fn restore_below(&mut self, key: NodeId, value: NodeId, steps: Vec<Step>) -> Result<bool, EditError> {
        if self.restore(key, value, steps.clone())? {
            return Ok(true);
        }
        if !self.has_restorable(value) {
            return Ok(false);
        }
        let outer = std::mem::replace(&mut self.base, steps);
        let path = std::mem::take(&mut self.path);
        let result = self.mapping(value, &NOTHING, Slot::Root, &Value::Null);
        self.base = outer;
        self.path = path;
        result.map(|()| true)
    }

    /// The wanted entries that the mapping lacks, in wanted order.
    fn added(
        &self,
        entries: &[Entry<'e>],
        merged: Option<&Merged>,
        want: &'e Map<String, Value>,
        matched: usize,
    ) -> Result<Vec<(&'e str, &'e Value)>, EditError> {
        let mut added = Vec::new();
        if matched < want.len() {
            let many: Option<HashSet<&str>> =
                (entries.len() > FEW).then(|| entries.iter().map(|entry| entry.name.as_ref()).collect());
            let has = |name: &str| match &many {
                Some(names) => names.contains(name),
                None => entries.iter().any(|entry| !entry.merge && entry.name == name),
            };
            for (name, value) in want {
                if !has(name) && merged.and_then(|merged| merged.effective.get(name)) != Some(value) {
                    added.push((name.as_str(), value));
                }
            }
        }
        if let Some(merged) = merged {
            let explicit = |name: &str| entries.iter().any(|entry| !entry.merge && entry.name == name);
            if let Some((name, _)) =
                merged.names.iter().find(|(name, _)| !want.contains_key(*name) && !explicit(name))
            {
                let at = entries.iter().find(|entry| entry.merge).map_or(self.root, |entry| entry.key);
                return Err(self.refuse(
                    at,
                    format!("the key {name:?} cannot be removed: a merge key (`<<`) brings it in"),
                    "write the keys out instead of merging them".to_owned(),
                ));
            }
        }
        Ok(added)
    }

    /// Reads the keys of a mapping; none if one is no scalar.
    fn entries(&self, id: NodeId) -> Result<Option<Vec<Entry<'e>>>, EditError> {
        let document = self.document;
        let mut entries: Vec<Entry<'e>> = Vec::with_capacity(8);
        for (key, value) in document.tree.entries(id) {
            let node = document.tree.node(key);
            if matches!(node.kind, NodeKind::Mapping { .. } | NodeKind::Sequence { .. }) {
                return Ok(None);
            }
            let merge = document.is_merge_key(key);
            let name = match merge {
                true => Cow::Borrowed("<<"),
                false => document.key_text(key).map_err(|error| self.unreadable(&error))?,
            };
            entries.push(Entry { key, value, name, merge, hidden: false });
        }
        if entries.len() <= FEW {
            // Two keys can only be one if they agree in length and first letter.
            let mut seen = 0u64;
            for at in 0..entries.len() {
                let name = entries[at].name.as_bytes();
                let bit = 1
                    << ((name.len().wrapping_mul(7) + usize::from(name.first().copied().unwrap_or(0))) % 64);
                if seen & bit != 0 {
                    let (before, rest) = entries.split_at_mut(at);
                    for entry in before {
                        entry.hidden |= !entry.merge && entry.name == rest[0].name;
                    }
                }
                seen |= bit;
            }
        } else {
            let mut last: HashMap<Cow<'e, str>, usize> = HashMap::with_capacity(entries.len());
            for at in 0..entries.len() {
                if let Some(before) = last.insert(entries[at].name.clone(), at)
                    && !entries[at].merge
                {
                    entries[before].hidden = true;
                }
            }
        }
        Ok(Some(entries))
    }

    /// What the merge keys of a mapping bring in; none if it has no merge key.
    fn merged(&self, id: NodeId, entries: &[Entry<'_>]) -> Result<Option<Merged>, EditError> {
        let Some(last) = entries.iter().rposition(|entry| entry.merge) else { return Ok(None) };
        let read = |id| self.document.node_value(id).map_err(|error| self.unreadable(&error));
        let mut names = Map::new();
        for entry in entries.iter().filter(|entry| entry.merge) {
            let sources = match read(entry.value)? {
                Value::Array(items) => items,
                one => vec![one],
            };
            for source in sources {
                if let Value::Object(map) = source {
                    for (name, value) in map {
                        names.entry(name).or_insert(value);
                    }
                }
            }
        }
        let effective = match read(id)? {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Ok(Some(Merged { names, effective, last }))
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
        let below = self.path.iter().map(|place| match place {
            Place::Key(key) => Step::key(*key),
            Place::Index(at) => Step::Index(*at),
        });
        self.base.iter().cloned().chain(below).collect()
    }

    /// An error about a node.
    pub(super) fn refuse(&self, id: NodeId, message: String, help: String) -> EditError {
        let (line, column) = self.document.position_of(self.document.tree.node(id).props as usize);
        let steps = self.steps();
        let path = if steps.is_empty() { String::new() } else { path::display(&steps).to_string() };
        EditError { path, line, column, message, help }
    }

    fn unreadable(&self, error: &SyntaxError) -> EditError {
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

/// Null, `[]` and `{}`: one to Kubernetes.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}
