//! Finds anchored nodes that aliases refer to. Changing one would change every place that refers to it.

use std::collections::{BTreeSet, HashMap};

use crate::yaml::node::{NodeId, NodeKind, Tree};

/// Anchored nodes that an alias stands for.
#[derive(Debug, Default)]
pub(super) struct Aliased {
    nodes: BTreeSet<NodeId>,
}

impl Aliased {
    /// Finds them; costs two byte scans in a document without anchors.
    pub(super) fn find(text: &str, tree: &Tree) -> Aliased {
        let bytes = text.as_bytes();
        if memchr::memchr(b'&', bytes).is_none() || memchr::memchr(b'*', bytes).is_none() {
            return Aliased::default();
        }
        let mut marks: Vec<(u32, NodeId)> = Vec::new();
        for (id, node) in (0..).zip(tree.nodes()) {
            if node.kind == NodeKind::Alias || node.props < node.start {
                marks.push((node.props, id));
            }
        }
        // An anchor may be set anew; an alias means the last one before it.
        marks.sort_unstable();
        let mut last: HashMap<&str, NodeId> = HashMap::new();
        let mut nodes = BTreeSet::new();
        for (_, id) in marks {
            let node = tree.node(id);
            if node.kind == NodeKind::Alias {
                let name = text[node.start as usize..node.end as usize].trim_start_matches('*');
                nodes.extend(last.get(name.trim_end()));
            } else if let Some(name) = anchor(&text[node.props as usize..node.start as usize]) {
                last.insert(name, id);
            }
        }
        Aliased { nodes }
    }

    /// All of them, in the order of the text.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().copied()
    }

    /// Whether an alias stands for this node.
    pub(super) fn contains(&self, id: NodeId) -> bool {
        !self.nodes.is_empty() && self.nodes.contains(&id)
    }

    /// An anchored node at or below `id` that an alias stands for.
    pub(super) fn inside(&self, tree: &Tree, id: NodeId) -> Option<NodeId> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            if self.nodes.contains(&id) {
                return Some(id);
            }
            stack.extend(tree.children(id));
        }
        None
    }
}

/// The anchor's name in a node's properties.
fn anchor(props: &str) -> Option<&str> {
    props.split_whitespace().find_map(|word| word.strip_prefix('&'))
}
