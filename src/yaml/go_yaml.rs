//! A YAML text as `sigs.k8s.io/yaml` v1.6.0 hands it to Go's JSON decoder: text comes in, the value of its first
//! document goes out, or the error in Go's own words. What the value means is left to `gates`.
//!
//! The module `yaml` reads everything that is rendered, and tells errors with their place. This one exists because the
//! operator refuses to start on a bad gates file and says why in these words: what people search for, and what has to
//! agree, is the exact text. It follows go.yaml.in/yaml/v2 v2.4.2 rule by rule: first document only, nothing looked at
//! behind it, YAML 1.1 values.

mod decode;
mod parser;
mod reader;
mod scalars;
mod scanner;
mod tags;

use std::collections::HashMap;

use serde_json::Value;

use parser::{Event, Parser};

/// An error in Go's words: what follows `error converting YAML to JSON: `.
pub type GoError = String;

/// The value of the first document; null when there is none.
///
/// # Errors
/// Everything that Go refuses, in its words. Collections nested deeper than 1,000 levels, which Go takes, are refused.
pub fn first_document(text: &str) -> Result<Value, GoError> {
    let nodes = load(text).map_err(|failure| format!("yaml: {failure}"))?;
    decode::value(&nodes)
}

/// A node of the first document; the first is the root.
#[derive(Debug)]
struct Node {
    kind: NodeKind,
    children: Vec<usize>,
}

#[derive(Debug)]
enum NodeKind {
    Scalar {
        tag: String,
        value: String,
        implicit: bool,
    },
    Sequence,
    /// Keys and values in turn.
    Mapping,
    Alias {
        name: String,
        target: usize,
    },
}

/// Builds the nodes of the first document, and finds the anchors that its aliases mean.
fn load(text: &str) -> Result<Vec<Node>, String> {
    let mut parser = Parser::new(text);
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut anchors: HashMap<String, usize> = HashMap::new();
    loop {
        let (kind, anchor) = match parser.next()? {
            Event::StreamStart | Event::DocumentStart => continue,
            Event::StreamEnd | Event::DocumentEnd => return Ok(nodes),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                continue;
            }
            Event::Alias(name) => {
                let Some(&target) = anchors.get(&name) else {
                    return Err(format!("unknown anchor '{name}' referenced"));
                };
                (NodeKind::Alias { name, target }, None)
            }
            Event::Scalar { anchor, tag, value, implicit } => {
                (NodeKind::Scalar { tag, value, implicit }, anchor)
            }
            Event::SequenceStart { anchor } => (NodeKind::Sequence, anchor),
            Event::MappingStart { anchor } => (NodeKind::Mapping, anchor),
        };
        let id = nodes.len();
        if let Some(parent) = open.last() {
            nodes[*parent].children.push(id);
        }
        if matches!(kind, NodeKind::Sequence | NodeKind::Mapping) {
            open.push(id);
        }
        // An anchor is known within its own collection.
        if let Some(anchor) = anchor {
            anchors.insert(anchor, id);
        }
        nodes.push(Node { kind, children: Vec::new() });
    }
}
