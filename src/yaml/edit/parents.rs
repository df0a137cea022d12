//! Finds a node's parent. A tree has links to children only, and searching for each of thousands of items would take
//! quadratic time.

use std::cell::OnceCell;

use crate::yaml::node::{NONE, NodeId, Tree};

/// The collections around the nodes of one document; found at the first question.
#[derive(Debug, Default)]
pub(super) struct Parents(OnceCell<Vec<NodeId>>);

impl Parents {
    /// The mapping or sequence that a node is in; [`NONE`] for the root.
    pub(super) fn of(&self, tree: &Tree, id: NodeId) -> NodeId {
        // Whole documents need no table.
        if id == 0 {
            return NONE;
        }
        let parents = self.0.get_or_init(|| {
            let mut parents = vec![NONE; tree.nodes().len()];
            for parent in (0..).take(tree.nodes().len()) {
                for child in tree.children(parent) {
                    parents[child as usize] = parent;
                }
            }
            parents
        });
        parents.get(id as usize).copied().unwrap_or(NONE)
    }
}
