//! Values of which not everything is of interest: a node and what is of interest in it in, a value without the rest out. What
//! that is, is left to the callers; what is left out is read all the same, and what is wrong with it is an error.

use serde_json::Value;

use super::document::Document;
use super::error::SyntaxError;
use super::node::{NodeId, NodeKind};

/// Keys up to which a mapping is searched for those that are there twice by comparing all with all.
const FEW: usize = 32;

/// Items of a list of which all keys of interest are read.
const FIRST_ITEMS: usize = 16;

/// Bytes of text from which on it is worth while: to leave out what is in a small object takes longer than to keep it. Tests
/// leave out what they can.
const LARGE: usize = if cfg!(any(test, feature = "fuzz")) { 1 } else { 1 << 20 };

/// What is of interest of the items of some lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interest<'i> {
    /// The way to the mapping that the lists are in.
    pub way: &'i [&'i str],
    /// The keys of the lists.
    pub lists: &'i [&'i str],
    /// Keys of an item.
    pub keys: &'static [&'static str],
    /// Those of an item far down its list without this word in it.
    pub far: (&'static [&'static str], &'static str),
}

impl Document<'_> {
    /// The value of a node, of the items of some lists only what is of interest.
    ///
    /// `None` if the node is small, if there is no such list, or if what is left out may be bound up with the rest: by an alias, a merge key, a key
    /// that is there twice, or one text in flow style.
    ///
    /// # Errors
    /// As [`Document::to_value`].
    pub(crate) fn value_in_part(
        &self,
        id: NodeId,
        interest: Interest<'_>,
    ) -> Result<Option<Value>, SyntaxError> {
        let Some(lists) = self.separate_lists(id, interest).filter(|lists| !lists.is_empty()) else {
            return Ok(None);
        };
        let far = |list: &NodeId| {
            let items = self.tree.children(*list).skip(FIRST_ITEMS);
            items.filter(|item| !self.is_of_interest(*item, interest)).collect::<Vec<_>>()
        };
        let mut short: Vec<NodeId> = lists.iter().flat_map(far).collect();
        short.sort_unstable();
        self.value_of_parts(id, lists, interest.keys, (short, interest.far.0)).map(Some)
    }

    /// Whether all keys of interest are read of the first item of a list that has this name.
    pub(crate) fn is_read(&self, id: NodeId, interest: Interest<'_>, list: &str, name: &str) -> bool {
        let parent = interest.way.iter().try_fold(id, |at, key| self.entry(at, key));
        let Some(list) = parent.and_then(|parent| self.entry(parent, list)) else { return false };
        if self.tree.children(list).nth(FIRST_ITEMS).is_none() {
            return true;
        }
        let has_name = |item: NodeId| {
            let found = self.entry(item, "name").and_then(|found| self.scalar_text(found).ok());
            found.is_some_and(|found| found == name)
        };
        let found = self.tree.children(list).enumerate().find(|(_, item)| has_name(*item));
        found.is_some_and(|(index, item)| index < FIRST_ITEMS || self.is_of_interest(item, interest))
    }

    /// Whether an item far down its list is of more interest than others: the word stands in it, may be hidden in it, or
    /// something in it is not of the type that it should be.
    fn is_of_interest(&self, item: NodeId, interest: Interest<'_>) -> bool {
        let (keys, word) = interest.far;
        let text = self.source(item).as_bytes();
        let is_list = |(key, value): (NodeId, NodeId)| {
            let key = self.source(key);
            let is_left_out = interest.keys.contains(&key) && !keys.contains(&key);
            !is_left_out || matches!(self.tree.node(value).kind, NodeKind::Sequence { .. })
        };
        memchr::memmem::find(text, word.as_bytes()).is_some()
            || memchr::memchr2(b'\\', b'!', text).is_some()
            || !self.tree.entries(item).all(is_list)
    }

    /// The lists whose items can be read in part.
    fn separate_lists(&self, id: NodeId, interest: Interest<'_>) -> Option<Vec<NodeId>> {
        if !self.quick || self.may_alias || self.source(id).len() < LARGE {
            return None;
        }
        let mut at = id;
        for key in interest.way {
            at = self.is_plain_mapping(at).then(|| self.entry(at, key))??;
        }
        if !self.is_plain_mapping(at) {
            return None;
        }
        let found: Vec<NodeId> = interest.lists.iter().filter_map(|list| self.entry(at, list)).collect();
        let are_separate = found.iter().all(|list| {
            self.tree.node(*list).kind == (NodeKind::Sequence { flow: false })
                && self.tree.children(*list).all(|item| self.is_plain_mapping(item))
        });
        are_separate.then_some(found)
    }

    /// Whether a node is a mapping in block style whose keys are bare words, each there once: so each entry says by itself
    /// what its key means.
    pub(super) fn is_plain_mapping(&self, id: NodeId) -> bool {
        if self.tree.node(id).kind != (NodeKind::Mapping { flow: false }) {
            return false;
        }
        let mut seen: [&str; FEW] = [""; FEW];
        self.tree.entries(id).enumerate().all(|(count, (key, _))| {
            let word = self.word(key).filter(|word| count < FEW && !seen[..count].contains(word));
            word.is_some_and(|word| {
                seen[count] = word;
                true
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INTEREST: Interest<'_> = Interest {
        way: &["spec"],
        lists: &["items", "others"],
        keys: &["name", "env"],
        far: (&["name"], "skill-"),
    };

    fn part(text: &str) -> Result<Option<Value>, String> {
        let document = Document::parse(text).unwrap();
        document.value_in_part(0, INTEREST).map_err(|error| error.message)
    }

    #[test]
    fn items_have_the_keys_of_interest_and_all_else_is_whole() {
        let text = "kind: A\nspec:\n  items:\n  - name: a\n    image: {b: c}\n  - image: [1]\n  rest:\n  - {name: d, image: e}\n";
        assert_eq!(
            part(text),
            Ok(Some(
                json!({"kind": "A", "spec": {"items": [{"name": "a"}, {}], "rest": [{"name": "d", "image": "e"}]}})
            ))
        );
    }

    /// Otherwise a document that Kubernetes refuses would be rendered.
    #[test]
    fn what_is_left_out_is_refused_as_ever() {
        for wrong in [".inf", "{null: 1}", "[a, .nan]", "!!int x"] {
            let text = format!("spec:\n  items:\n  - name: a\n    image: {wrong}\n");
            let whole = Document::parse(&text).unwrap().to_value().unwrap_err().message;
            assert_eq!(part(&text), Err(whole), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_left_out_of_what_hangs_together() {
        for text in [
            "spec: {items: [{name: a, image: b}]}\n",
            "spec:\n  items: [{name: a, image: b}]\n",
            "spec:\n  items:\n  - {name: a, image: b}\n",
            "spec:\n  items:\n  - name: a\n    name: b\n",
            "spec:\n  items:\n  - name: a\n    <<: {image: b}\n",
            "spec:\n  items:\n  - name: &a a\n    image: *a\n",
            "spec:\n  items:\n  - name: a\n    \"image\": b\n",
            "spec:\n  items:\n  - name: a\nspec:\n  items: []\n",
            "spec:\n  items:\n  - name: a\n  - b\n",
            "spec:\n  other: 1\n",
            "{\"spec\": {\"items\": [{\"name\": \"a\"}]}}",
        ] {
            assert_eq!(part(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn far_down_a_list_items_are_read_whole_where_the_word_may_stand() {
        let item = |name: &str, env: &str| format!("  - name: {name}\n    env: {env}\n    image: i\n");
        let near: String = (0..FIRST_ITEMS).map(|index| item(&format!("n{index}"), "[e]")).collect();
        let cases = [
            ("a", "[e]", json!({"name": "a"})),
            ("b", "[skill-x]", json!({"name": "b", "env": ["skill-x"]})),
            ("c", "[\"\\x73kill-x\"]", json!({"name": "c", "env": ["skill-x"]})),
            ("d", "\n    - !!str x", json!({"name": "d", "env": ["x"]})),
            ("e", "{k: v}", json!({"name": "e", "env": {"k": "v"}})),
            ("f", "", json!({"name": "f", "env": null})),
            ("skill-g", "[e]", json!({"name": "skill-g", "env": ["e"]})),
        ];
        let far: String = cases.iter().map(|(name, env, _)| item(name, env)).collect();
        let text = format!("spec:\n  items:\n{near}{far}");
        let value = part(&text).unwrap().unwrap();
        let items = value["spec"]["items"].as_array().unwrap();
        assert_eq!(items[FIRST_ITEMS - 1], json!({"name": format!("n{}", FIRST_ITEMS - 1), "env": ["e"]}));
        let wanted: Vec<&Value> = cases.iter().map(|(_, _, wanted)| wanted).collect();
        assert_eq!(items[FIRST_ITEMS..].iter().collect::<Vec<_>>(), wanted);
        let document = Document::parse(&text).unwrap();
        let is_read = |name| document.is_read(0, INTEREST, "items", name);
        for (name, _, wanted) in &cases {
            assert_eq!(is_read(name), wanted.get("env").is_some(), "{name}");
        }
        assert!(is_read("n3") && !is_read("absent"));
    }
}
