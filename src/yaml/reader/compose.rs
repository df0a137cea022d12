//! Builds the position tree of the first document from the parser's events. Values are left to `resolve`.

use std::collections::HashSet;

use super::TagDirectives;
use super::chars::Failure;
use super::parser::{Event, NodeEvent, Parser};
use crate::yaml::error::MAX_DEPTH;
use crate::yaml::node::{NONE, NodeId, NodeKind, ScalarStyle, Stored, Tree};

/// Reads the first document of a text into `tree`; its `%TAG` directives come out.
pub(super) fn compose<'t>(text: &'t str, tree: &mut Tree) -> Result<TagDirectives<'t>, Failure> {
    tree.nodes.clear();
    let mut parser = Parser::new(text);
    let mut builder = Builder { tree, open: Vec::new() };
    // An anchor is known within its own collection.
    let mut anchors: HashSet<&str> = HashSet::new();
    loop {
        match parser.next()? {
            Event::DocumentStart => {}
            Event::DocumentEnd => break,
            Event::CollectionEnd(end) => builder.close(end),
            Event::Node(node) => {
                if node.kind == NodeKind::Alias {
                    let name = &text[node.start as usize + 1..node.end as usize];
                    if !anchors.contains(name) {
                        let problem = format!("unknown anchor '{name}' referenced");
                        return Err(Failure::without_line(problem, node.start as usize));
                    }
                }
                anchors.extend(node.anchor);
                builder.add(&node)?;
            }
        }
    }
    if tree.nodes.is_empty() {
        let kind = NodeKind::Scalar(ScalarStyle::Plain);
        tree.nodes.push(Stored::new(kind, 0, 0));
    }
    let mut directives = parser.tag_directives;
    directives.retain(|directive| !matches!(directive, ("!", "!") | ("!!", "tag:yaml.org,2002:")));
    Ok(directives)
}

struct Open {
    id: NodeId,
    last_child: NodeId,
}

struct Builder<'n> {
    tree: &'n mut Tree,
    open: Vec<Open>,
}

impl Builder<'_> {
    fn add(&mut self, event: &NodeEvent<'_>) -> Result<(), Failure> {
        let NodeEvent { kind, props, start, end, .. } = *event;
        let id = self.tree.nodes.len() as NodeId;
        let mut node = Stored::new(kind, start, end);
        if !node.set_props(props) {
            let problem = "a tag or an anchor stands more than 128 MB before its value".to_owned();
            return Err(Failure::without_line(problem, props as usize));
        }
        self.tree.nodes.push(node);
        if let Some(parent) = self.open.last_mut() {
            match parent.last_child {
                NONE => self.tree.nodes[parent.id as usize].fill(),
                last => self.tree.nodes[last as usize].next = id,
            }
            parent.last_child = id;
        }
        if matches!(kind, NodeKind::Mapping { .. } | NodeKind::Sequence { .. }) {
            if self.open.len() == MAX_DEPTH {
                let problem = format!("nested deeper than {MAX_DEPTH} levels");
                return Err(Failure::without_line(problem, start as usize));
            }
            self.open.push(Open { id, last_child: NONE });
        }
        Ok(())
    }

    /// Ends the innermost collection, where its last child ends if not at a bracket.
    fn close(&mut self, bracket_end: Option<u32>) {
        let Some(open) = self.open.pop() else { return };
        let last_end = self.tree.nodes.get(open.last_child as usize).map(|child| child.end);
        if let Some(end) = bracket_end.or(last_end) {
            self.tree.nodes[open.id as usize].end = end;
        }
    }
}
