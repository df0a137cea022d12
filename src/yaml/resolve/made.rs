//! What nodes become when they are resolved: values, or nothing where only their faults are of interest.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::NodeId;

/// What is made of nodes: values, or nothing where only their faults are looked for.
pub(super) trait Made: Sized {
    /// A mapping that is being made.
    type Map;
    fn plain(value: Value) -> Self;
    fn text(text: Cow<'_, str>) -> Self;
    fn list(items: Vec<Self>) -> Self;
    fn map(entries: usize) -> Self::Map;
    fn insert(map: &mut Self::Map, key: Cow<'_, str>, value: Self);
    fn object(map: Self::Map) -> Self;
}

impl Made for Value {
    type Map = Map<String, Value>;
    fn plain(value: Value) -> Self {
        value
    }
    fn text(text: Cow<'_, str>) -> Self {
        Self::String(text.into_owned())
    }
    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
    fn map(entries: usize) -> Self::Map {
        Map::with_capacity(entries)
    }
    fn insert(map: &mut Self::Map, key: Cow<'_, str>, value: Self) {
        map.insert(key.into_owned(), value);
    }
    fn object(map: Self::Map) -> Self {
        Self::Object(map)
    }
}

impl Made for () {
    type Map = ();
    fn plain(_: Value) -> Self {}
    fn text(_: Cow<'_, str>) -> Self {}
    fn list(_: Vec<Self>) -> Self {}
    fn map(_: usize) -> Self::Map {}
    fn insert((): &mut Self::Map, _: Cow<'_, str>, (): Self) {}
    fn object((): Self::Map) -> Self {}
}

/// Lists of which only some keys of each item are made.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) lists: Vec<NodeId>,
    pub(super) keys: &'static [&'static str],
    /// Items in order of which others are made.
    pub(super) short: (Vec<NodeId>, &'static [&'static str]),
}

impl Parts {
    /// The keys that are made of an item of a list; `None` if all are.
    pub(super) fn of(&self, list: NodeId, item: NodeId) -> Option<&'static [&'static str]> {
        let (short, keys) = &self.short;
        let is_short = || short.binary_search(&item).is_ok();
        self.lists.contains(&list).then(|| if is_short() { *keys } else { self.keys })
    }
}
