//! Compares a mapping's entries with the wanted ones: which are edited, added and removed. Merge keys and duplicate keys
//! are refused where a change would leave open what they mean. Writing is left to `block` and `flow`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::dirty::Dirty;
use super::walk::Slot;
use super::{EditError, EditSession, Place};
use crate::yaml::node::{NodeId, NodeKind};

/// Entries up to which a mapping is searched from the front.
const FEW: usize = 16;

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

/// An entry to add.
#[derive(Clone, Copy)]
pub(super) struct Added<'e> {
    pub name: &'e str,
    pub value: &'e Value,
    /// Number of the old entry that it goes before; none: after the last.
    pub before: Option<usize>,
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

/// The entries of a mapping.
struct Entries<'e> {
    all: Vec<Entry<'e>>,
    any_hidden: bool,
    merged: Option<Merged>,
}

impl Entries<'_> {
    /// Whether a key stands in the mapping twice.
    fn is_twice(&self, name: &str) -> bool {
        self.any_hidden && self.all.iter().any(|other| other.hidden && other.name == name)
    }

    /// The merge keys, if they bring in this key.
    fn merged(&self, name: &str) -> Option<&Merged> {
        self.merged.as_ref().filter(|merged| merged.names.contains_key(name))
    }
}

impl<'e> EditSession<'e> {
    /// Makes a mapping mean `want`; `whole` is the same as a value.
    pub(super) fn mapping(
        &mut self,
        id: NodeId,
        want: &'e Map<String, Value>,
        slot: Slot,
        whole: &'e Value,
    ) -> Result<(), EditError> {
        let Some(all) = self.entries(id)? else {
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
        let merged = self.merged(id, &all)?;
        let entries = Entries { any_hidden: all.iter().any(|entry| entry.hidden), all, merged };
        let (gone, matched) = self.edit_entries(id, &entries, want)?;
        let added = self.added(&entries, want, matched)?;
        self.removable(&entries, want, &gone)?;
        if gone.is_empty() && added.is_empty() {
            return Ok(());
        }
        self.touch(id)?;
        for at in &gone {
            self.touch_all(entries.all[*at].key)?;
            self.touch_all(entries.all[*at].value)?;
        }
        for Added { name, value, .. } in &added {
            self.writable(id, name, value)?;
        }
        match self.document.tree.node(id).kind {
            NodeKind::Mapping { flow: true } => self.flow_mapping(id, &entries.all, &gone, &added),
            _ => self.block_mapping(id, &entries.all, &gone, &added, slot),
        }
    }

    /// Edits the entries that stay. Returns the numbers of those to remove, and how many keys of `want` were found.
    fn edit_entries(
        &mut self,
        id: NodeId,
        entries: &Entries<'_>,
        want: &'e Map<String, Value>,
    ) -> Result<(Vec<usize>, usize), EditError> {
        let (mut gone, mut matched) = (Vec::new(), 0);
        // Usually the wanted keys come in the order in which they stand, and need not be searched.
        let mut in_order = want.iter().peekable();
        for (at, entry) in entries.all.iter().enumerate() {
            if entry.merge || entry.hidden {
                continue;
            }
            let next = in_order.next_if(|(name, _)| **name == entry.name);
            let found = next.or_else(|| want.get_key_value(entry.name.as_ref()));
            matched += usize::from(found.is_some());
            let outer = self.dirty;
            let inner = match outer.map(|paths| paths.below(Place::Key(&entry.name))) {
                // Also where the wanted value, which may be one in part, knows nothing of it.
                Some(Dirty::Clean) => continue,
                Some(Dirty::Partial(paths)) => Some(paths),
                Some(Dirty::All) | None => None,
            };
            let Some((name, value)) = found else {
                gone.push(at);
                continue;
            };
            self.path.push(Place::Key(name));
            match self.conflict(entries, at, value)? {
                Conflict::None => {
                    self.dirty = inner;
                    self.node(entry.value, value, Slot::Entry { map: id, key: entry.key })?;
                    self.dirty = outer;
                }
                Conflict::Same => {}
                Conflict::Override => gone.push(at),
            }
            self.path.pop();
        }
        Ok((gone, matched))
    }

    /// What a duplicate or a merge key means for the edit of the entry `at`.
    fn conflict(&self, entries: &Entries<'_>, at: usize, want: &Value) -> Result<Conflict, EditError> {
        let entry = &entries.all[at];
        let (twice, merged) = (entries.is_twice(&entry.name), entries.merged(&entry.name));
        if !twice && merged.is_none() {
            return Ok(Conflict::None);
        }
        let same = match merged {
            Some(merged) => merged.effective.get(entry.name.as_ref()) == Some(want),
            None => self.equal(entry.value, want)?,
        };
        if same {
            return Ok(Conflict::Same);
        }
        if twice {
            return Err(self.refuse(
                entry.key,
                "the key stands twice in its mapping".to_owned(),
                "remove one of the two; Kubernetes reads the last".to_owned(),
            ));
        }
        match merged {
            Some(merged) if at < merged.last => Err(self.refuse(
                entry.key,
                "a merge key (`<<`) below the key overrides it".to_owned(),
                "move the merge key to the top of its mapping".to_owned(),
            )),
            // What the merge key brings in is wanted again: the override is removed.
            Some(merged) if merged.names.get(entry.name.as_ref()) == Some(want) => Ok(Conflict::Override),
            _ => Ok(Conflict::None),
        }
    }

    /// Refuses to remove what would still be there.
    fn removable(
        &self,
        entries: &Entries<'_>,
        want: &Map<String, Value>,
        gone: &[usize],
    ) -> Result<(), EditError> {
        for at in gone {
            let entry = &entries.all[*at];
            let (reason, help) = if entries.is_twice(&entry.name) {
                ("it stands twice in its mapping", "remove one of the two")
            } else if entries.merged(&entry.name).is_some() && !want.contains_key(entry.name.as_ref()) {
                ("a merge key (`<<`) brings it in again", "write the keys out instead of merging them")
            } else {
                continue;
            };
            let message = format!("the key {:?} cannot be removed: {reason}", entry.name);
            return Err(self.refuse(entry.key, message, help.to_owned()));
        }
        Ok(())
    }

    /// The wanted entries that the mapping lacks, in wanted order, each before the entry that it is wanted before.
    fn added(
        &self,
        entries: &Entries<'_>,
        want: &'e Map<String, Value>,
        matched: usize,
    ) -> Result<Vec<Added<'e>>, EditError> {
        let (all, merged) = (&entries.all, entries.merged.as_ref());
        let mut added = Vec::new();
        if matched < want.len() {
            let many: Option<HashMap<&str, usize>> = (all.len() > FEW)
                .then(|| all.iter().enumerate().map(|(at, entry)| (entry.name.as_ref(), at)).collect());
            let find = |name: &str| match &many {
                Some(names) => names.get(name).copied(),
                None => all.iter().rposition(|entry| !entry.merge && entry.name == name),
            };
            let mut before = None;
            for (name, value) in want.iter().rev() {
                match find(name) {
                    // Below a merge key the order counts: new entries go last.
                    Some(at) => before = Some(at).filter(|_| merged.is_none()),
                    None if merged.and_then(|merged| merged.effective.get(name)) == Some(value) => {}
                    None => added.push(Added { name, value, before }),
                }
            }
            added.reverse();
        }
        if let Some(merged) = merged {
            let explicit = |name: &str| all.iter().any(|entry| !entry.merge && entry.name == name);
            if let Some((name, _)) =
                merged.names.iter().find(|(name, _)| !want.contains_key(*name) && !explicit(name))
            {
                let at = all.iter().find(|entry| entry.merge).map_or(self.root, |entry| entry.key);
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
}

/// What a duplicate or a merge key means for an edit.
enum Conflict {
    /// Nothing: the entry alone says what the key means.
    None,
    /// The key means what is wanted already.
    Same,
    /// The entry overrides a merged value that is wanted again.
    Override,
}
