//! Detects a document's style (indents, dashes, quotes, spacing), so that new lines look like old ones. Writing is left to `block`,
//! `flow` and [`crate::yaml::emit`].

use super::lines;
use crate::yaml::document::Document;
use crate::yaml::emit::{FlowLayout, Quotes, Scalars, plain_is_safe, plain_key_is_safe};
use crate::yaml::node::{NONE, NodeId, NodeKind, ScalarStyle, Tree};

/// Nodes looked at to detect a style. A List of thousands of objects is usually written in one style.
const LOOK: usize = 4096;

/// Scalars looked at to learn the quoting of a neighbourhood.
const LOOK_NEAR: usize = 24;

/// The style of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style {
    /// Columns from a key to the mapping below it.
    pub step: usize,
    /// Columns from a key to the dashes below it.
    pub offset: usize,
    /// Columns from a dash to its item.
    pub dash: usize,
    /// Whether quotes are single more often than double.
    pub single: bool,
    /// Whether the document is JSON, or its root a flow collection with quoted keys.
    pub json: bool,
    /// Flow collections at the root: one entry a line, indented by this more per level.
    pub unit: Option<String>,
    /// Flow collections at the root: `:` with a space after it.
    pub colon_space: bool,
    /// Flow collections at the root: `,` with a space after it.
    pub comma_space: bool,
}

/// Counts votes for a small number.
#[derive(Default)]
struct Votes([usize; 17]);

impl Votes {
    fn add(&mut self, value: usize) {
        if let Some(count) = self.0.get_mut(value) {
            *count += 1;
        }
    }

    /// The value with most votes; the smaller of two equals.
    fn winner(&self) -> Option<usize> {
        let most = self.0.iter().copied().max().filter(|most| *most > 0)?;
        self.0.iter().position(|count| *count == most)
    }
}

impl Style {
    /// Learns from a node and what is below it, so that an object is edited alike in a file of its own and in a list.
    pub(super) fn of(document: &Document<'_>, node: NodeId) -> Style {
        let (text, tree) = (document.text, &document.tree);
        let (mut steps, mut offsets, mut dashes) = (Votes::default(), Votes::default(), Votes::default());
        let (mut single, mut double) = (0, 0);
        let mut stack = vec![node];
        for _ in 0..LOOK {
            let Some(id) = stack.pop() else { break };
            let here = tree.node(id);
            match here.kind {
                NodeKind::Mapping { flow: false } => {
                    let mut own = None;
                    for (key, value) in tree.entries(id) {
                        stack.push(value);
                        let below = tree.node(value);
                        let votes = match below.kind {
                            NodeKind::Mapping { flow: false } => &mut steps,
                            NodeKind::Sequence { flow: false } => &mut offsets,
                            _ => continue,
                        };
                        let own =
                            *own.get_or_insert_with(|| lines::column(text, tree.node(key).props as usize));
                        votes.add(lines::column(text, below.start as usize).wrapping_sub(own));
                    }
                }
                NodeKind::Sequence { flow: false } => {
                    if let Some(first) = tree.children(id).next() {
                        dashes.add(dash_width(text, here.start as usize, tree.node(first).props as usize));
                    }
                    stack.extend(tree.children(id));
                }
                NodeKind::Mapping { flow: true } => stack.extend(tree.entries(id).map(|(_, value)| value)),
                NodeKind::Sequence { flow: true } => stack.extend(tree.children(id)),
                NodeKind::Scalar(ScalarStyle::SingleQuoted) => single += 1,
                NodeKind::Scalar(ScalarStyle::DoubleQuoted) => double += 1,
                _ => {}
            }
        }
        let mut style = Style {
            step: steps.winner().filter(|step| *step > 0).unwrap_or(2),
            offset: offsets.winner().unwrap_or(0),
            dash: dashes.winner().filter(|dash| *dash > 1).unwrap_or(2),
            single: single > double,
            json: document.json,
            unit: None,
            colon_space: true,
            comma_space: true,
        };
        style.learn_root(text, tree, node);
        style
    }

    fn learn_root(&mut self, text: &str, tree: &Tree, root: NodeId) {
        let first = tree.children(root).next();
        let root = tree.node(root);
        let is_map = match root.kind {
            NodeKind::Mapping { flow: true } => true,
            NodeKind::Sequence { flow: true } => false,
            _ => return,
        };
        let Some(first) = first else { return };
        let start = tree.node(first).props as usize;
        if text[root.start as usize..start].contains('\n') {
            let outer = lines::indent(text, root.start as usize);
            let inner = lines::indent(text, start);
            self.unit =
                Some(inner.strip_prefix(outer).filter(|unit| !unit.is_empty()).unwrap_or("  ").to_owned());
        }
        if let Some(at) = lines::comma(text, unit_end(text, tree, is_map, first)) {
            self.comma_space = is_spaced(text, at);
        }
        if is_map {
            // What is almost JSON is written so that it could be.
            self.json |= tree.node(first).kind == NodeKind::Scalar(ScalarStyle::DoubleQuoted);
            if let Some(at) = lines::colon(text, tree.node(first).end as usize, true) {
                self.colon_space = is_spaced(text, at);
            }
        }
    }

    /// Quoting of a mapping's or sequence's neighbourhood: its own scalars and those just below it.
    pub(super) fn scalars(&self, text: &str, tree: &Tree, near: &[NodeId]) -> Scalars {
        if self.json {
            return Scalars::JSON;
        }
        let mut seen = Seen::default();
        for id in near {
            seen.look(text, tree, *id);
        }
        let always = seen.quoted_needlessly > 0 && seen.bare == 0;
        let keys = seen.keys_quoted_needlessly > 0 && seen.keys_bare == 0;
        Scalars {
            quotes: match (seen.single, seen.double) {
                (0, 0) if self.single => Quotes::Single,
                (single, double) if single > double => Quotes::Single,
                _ if seen.escaped > 0 || keys => Quotes::Double,
                _ => Quotes::Readable,
            },
            always,
            keys,
        }
    }

    /// Spacing of a flow collection: its own where it has entries, else the document's.
    pub(super) fn flow<'a>(&self, text: &str, tree: &Tree, id: NodeId, scalars: Scalars) -> FlowLayout<'a> {
        let node = tree.node(id);
        let (is_map, is_flow) = match node.kind {
            NodeKind::Mapping { flow } => (true, flow),
            NodeKind::Sequence { flow } => (false, flow),
            _ => (false, false),
        };
        let (mut colon, mut comma, mut pad) = (None, None, false);
        // A pair in a list (`[a: 1]`) is a mapping without braces.
        let is_flow = is_flow && text[node.start as usize..].starts_with(['[', '{']);
        if is_flow && let Some(first) = tree.children(id).next() {
            let start = tree.node(first).props as usize;
            let inner = &text[node.start as usize + 1..start];
            pad = !inner.is_empty() && !inner.contains('\n') && text[..node.end as usize - 1].ends_with(' ');
            if let Some(at) = lines::comma(text, unit_end(text, tree, is_map, first)) {
                comma = Some(is_spaced(text, at));
            }
            // A list of mappings shows its colons one level down.
            let key = match tree.node(first).kind {
                NodeKind::Mapping { flow: true } if !is_map => tree.first_child(first),
                _ if is_map => first,
                _ => NONE,
            };
            if key != NONE
                && let Some(at) = lines::colon(text, tree.node(key).end as usize, true)
            {
                colon = Some(is_spaced(text, at));
            }
        }
        let colon = colon.unwrap_or(self.colon_space);
        // Who writes `"a":1` writes `,` without a space, too.
        let comma = comma.unwrap_or(self.comma_space && colon);
        FlowLayout {
            colon: if colon { ": " } else { ":" },
            comma: if comma { ", " } else { "," },
            pad_map: pad && is_map,
            pad_seq: pad && !is_map,
            scalars,
            lines: None,
        }
    }
}

/// Columns from a dash to an item that begins on its line with blanks between; 0 where there is something else.
pub(super) fn dash_width(text: &str, dash: usize, item: usize) -> usize {
    match text.get(dash + 1..item) {
        Some(blanks) if !blanks.is_empty() && blanks.bytes().all(|byte| byte == b' ') => blanks.len() + 1,
        _ => 0,
    }
}

/// Whether a blank or a break follows the separator at `at`.
fn is_spaced(text: &str, at: usize) -> bool {
    !text[at + 1..].starts_with(|c: char| !c.is_whitespace())
}

/// End of a flow collection's entry that begins with the node `first`.
pub(super) fn unit_end(text: &str, tree: &Tree, is_map: bool, first: NodeId) -> usize {
    let node = tree.node(first);
    let mut end = node.end as usize;
    if is_map {
        end = end.max(tree.node(node.next).end as usize);
        // An empty value ends after its colon, wherever the reader puts an empty node.
        if let Some(colon) = lines::colon(text, node.end as usize, true) {
            end = end.max(colon + 1);
        }
    }
    // The space after a colon without a value belongs to it: Go refuses `a:,`.
    end + usize::from(text[..end].ends_with(':') && text[end..].starts_with(' '))
}

#[derive(Default)]
struct Seen {
    single: usize,
    double: usize,
    /// In double quotes, with quotes inside.
    escaped: usize,
    bare: usize,
    quoted_needlessly: usize,
    keys_bare: usize,
    keys_quoted_needlessly: usize,
    looked: usize,
}

impl Seen {
    fn look(&mut self, text: &str, tree: &Tree, id: NodeId) {
        self.looked += 1;
        if self.looked > LOOK_NEAR {
            return;
        }
        match tree.node(id).kind {
            NodeKind::Mapping { .. } => {
                for (key, value) in tree.entries(id) {
                    if self.looked > LOOK_NEAR {
                        return;
                    }
                    self.scalar(text, tree, key, true);
                    self.look(text, tree, value);
                }
            }
            NodeKind::Sequence { .. } => {
                // The last items are the nearest neighbours, but the first tell the same without a long walk.
                for item in tree.children(id).take(LOOK_NEAR) {
                    self.look(text, tree, item);
                }
            }
            NodeKind::Scalar(_) => self.scalar(text, tree, id, false),
            NodeKind::Alias => {}
        }
    }

    fn scalar(&mut self, text: &str, tree: &Tree, id: NodeId, key: bool) {
        let node = tree.node(id);
        let raw = &text[node.start as usize..node.end as usize];
        let bare = match node.kind {
            NodeKind::Scalar(ScalarStyle::Plain) => true,
            NodeKind::Scalar(ScalarStyle::SingleQuoted) => {
                self.single += 1;
                false
            }
            NodeKind::Scalar(ScalarStyle::DoubleQuoted) => {
                self.double += 1;
                self.escaped += usize::from(raw.contains("\\\""));
                false
            }
            _ => return,
        };
        let inner = if bare { raw } else { raw.get(1..raw.len() - 1).unwrap_or(raw) };
        // One that is bare and need not be settles it for its like; no more of them are looked at.
        match (key, bare) {
            (true, true) => self.keys_bare += 1,
            (true, false) if self.keys_bare > 0 => {}
            (true, false) => self.keys_quoted_needlessly += usize::from(plain_key_is_safe(inner, false)),
            (false, _) if self.bare > 0 => {}
            // Numbers and booleans are bare by nature and say nothing about strings.
            (false, true) => self.bare += usize::from(plain_is_safe(inner, false)),
            (false, false) => self.quoted_needlessly += usize::from(plain_is_safe(inner, false)),
        }
    }
}
