//! The thorough reader: granit-parser's events to a position tree. In: one document's text; out: nodes or an error.
//!
//! granit knows all of YAML 1.2 and finds all errors. Its spans are corrected where the tree promises more:
//! empty values (granit reports `~` without a place), block scalars (granit starts behind the header), sequences not indented under
//! their key (behind the first dash) and the ends of block collections.

use granit_parser::{Event, Parser, ScalarStyle as Style, Span, StructureStyle};

use super::document::SyntaxError;
use super::node::{NONE, Node, NodeId, NodeKind, ScalarStyle, Tree};
use super::scalar::{block_scalar, column};
use super::tabs;

/// Nesting deeper than this is refused: both by granit and, so that they agree, by the fast reader.
pub(super) const MAX_DEPTH: usize = 255;

/// Reads one document into `tree`, whose memory is used again.
///
/// # Errors
/// Whatever granit refuses, a second document in the text, and anchors or tags it cannot place.
pub(super) fn parse(text: &str, tree: &mut Tree) -> Result<(), SyntaxError> {
    tree.nodes.clear();
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder { text, tree, stack: Vec::new(), cursor: 0 };
    let mut parser = Parser::new_from_str_with_options(text, options).peekable();
    let mut documents = 0;
    while let Some(next) = parser.next() {
        let (event, span) = next.map_err(|error| {
            SyntaxError::new(error.info().to_string(), error.marker().line(), error.marker().col() + 1)
        })?;
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                return Err(SyntaxError::at(text, offset(span.start), "a second document begins here"));
            }
        }
        if let Some(kind) = kind(&event) {
            // The anchor's event follows its node's.
            let anchor = parser
                .next_if(|next| matches!(next, Ok((Event::Anchor(..), _))))
                .and_then(Result::ok)
                .map(|(_, span)| span);
            builder.open(kind, &span, anchor)?;
        } else if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
            builder.close(offset(span.end));
        }
    }
    if builder.tree.nodes.is_empty() {
        builder.tree.nodes.push(Node {
            kind: NodeKind::Scalar(ScalarStyle::Plain),
            props: 0,
            start: 0,
            end: 0,
            filled: false,
            next: NONE,
        });
    }
    tabs::check(text, tree)
}

fn kind(event: &Event<'_>) -> Option<NodeKind> {
    Some(match event {
        Event::Alias(_) => NodeKind::Alias,
        Event::Scalar(_, style, ..) => NodeKind::Scalar(match style {
            Style::SingleQuoted => ScalarStyle::SingleQuoted,
            Style::DoubleQuoted => ScalarStyle::DoubleQuoted,
            Style::Literal => ScalarStyle::Literal,
            Style::Folded => ScalarStyle::Folded,
            _ => ScalarStyle::Plain,
        }),
        Event::SequenceStart(style, ..) => NodeKind::Sequence { flow: *style == StructureStyle::Flow },
        Event::MappingStart(style, ..) => NodeKind::Mapping { flow: *style == StructureStyle::Flow },
        _ => return None,
    })
}

fn offset(marker: granit_parser::Marker) -> usize {
    // Text given as &str always has byte offsets.
    marker.byte_offset().unwrap_or_default()
}

struct Open {
    id: NodeId,
    last_child: NodeId,
    children: usize,
}

struct Builder<'t, 'n> {
    text: &'t str,
    tree: &'n mut Tree,
    stack: Vec<Open>,
    /// Behind what was read last: a key, an item, an opening bracket.
    cursor: usize,
}

impl Builder<'_, '_> {
    fn open(&mut self, kind: NodeKind, span: &Span, anchor: Option<Span>) -> Result<(), SyntaxError> {
        let bytes = self.text.as_bytes();
        let (mut start, mut end) = (offset(span.start), offset(span.end));
        let tag = span.tag_span();
        let mut props = usize::MAX;
        let mut props_end = 0;
        for part in [anchor, tag].into_iter().flatten() {
            props = props.min(offset(part.start));
            props_end = props_end.max(offset(part.end));
        }
        if span.tag_start().is_some() && tag.is_none() {
            return Err(SyntaxError::at(self.text, start, "the tag is too long"));
        }
        let has_props = props != usize::MAX;
        self.check_as_libyaml(kind, start..end, anchor, tag)?;
        match kind {
            NodeKind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded) => {
                let from = if has_props { props_end } else { self.behind_indicator() };
                start = skip_blank(bytes, from);
                if !matches!(bytes.get(start), Some(b'|' | b'>')) {
                    return Err(SyntaxError::at(
                        self.text,
                        start,
                        "cannot find the header of this block scalar",
                    ));
                }
                let shape = block_scalar(bytes, start, self.block_column());
                // granit lets the text of a document's root begin at column 0; libyaml ends the scalar there.
                if end > shape.blank_end && !bytes[shape.blank_end..end].trim_ascii().is_empty() {
                    let message =
                        "this line is not indented enough to belong to the block scalar above it; indent it";
                    return Err(SyntaxError::at(self.text, shape.blank_end, message));
                }
                if let Some(at) = shape.tab(bytes) {
                    let message = "a tab begins the first line of a block scalar, where Kubernetes wants spaces only; \
                                   write the indentation behind the `|` or `>`, such as `|2`";
                    return Err(SyntaxError::at(self.text, at, message));
                }
                end = shape.end();
            }
            NodeKind::Scalar(ScalarStyle::Plain) if start >= end => {
                start = if has_props { props_end } else { self.behind_indicator() };
                end = start;
            }
            NodeKind::Sequence { flow: false } => {
                // A sequence that is not indented under its key is reported behind its first dash.
                let from = if has_props { props_end } else { self.behind_indicator() };
                let dash = skip_blank(bytes, from);
                if bytes.get(dash) == Some(&b'-') {
                    start = dash;
                }
                end = start;
            }
            NodeKind::Mapping { flow: false } => end = start,
            NodeKind::Mapping { flow: true } if bytes.get(start) != Some(&b'{') => end = start,
            _ => {}
        }
        let id = self.push(Node {
            kind,
            props: if has_props { props } else { start } as u32,
            start: start as u32,
            end: end as u32,
            filled: false,
            next: NONE,
        });
        self.cursor = end;
        if matches!(kind, NodeKind::Mapping { .. } | NodeKind::Sequence { .. }) {
            self.stack.push(Open { id, last_child: NONE, children: 0 });
        }
        Ok(())
    }

    /// Refuses what libyaml, and with it Kubernetes, reads in another way than YAML 1.2 or refuses.
    fn check_as_libyaml(
        &self,
        kind: NodeKind,
        content: std::ops::Range<usize>,
        anchor: Option<Span>,
        tag: Option<Span>,
    ) -> Result<(), SyntaxError> {
        let bytes = self.text.as_bytes();
        let behind = |span: Span| (offset(span.end), bytes.get(offset(span.end)).copied().unwrap_or(b'\n'));
        let blank = |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if let Some((at, byte)) = anchor.map(behind)
            && !(blank(byte) || matches!(byte, b',' | b']' | b'}'))
        {
            return Err(SyntaxError::at(self.text, at, "write a space behind the anchor"));
        }
        if let Some((at, byte)) = tag.map(behind)
            && !blank(byte)
        {
            return Err(SyntaxError::at(self.text, at, "write a space behind the tag"));
        }
        let parent = self.stack.last().map(|open| (self.tree.node(open.id).kind, open.children));
        let Some((NodeKind::Mapping { flow: true } | NodeKind::Sequence { flow: true }, children)) = parent
        else {
            return Ok(());
        };
        if kind != NodeKind::Scalar(ScalarStyle::Plain) || content.is_empty() {
            return Ok(());
        }
        let source = &bytes[content.clone()];
        if source[0] == b':' || source.contains(&b'?') {
            let message = "a plain scalar between brackets cannot begin with `:` or contain `?`; quote it";
            return Err(SyntaxError::at(self.text, content.start, message));
        }
        let in_mapping = matches!(parent, Some((NodeKind::Mapping { .. }, _)));
        let colon = skip_blank(bytes, content.end);
        if in_mapping
            && children.is_multiple_of(2)
            && bytes.get(colon) == Some(&b':')
            && !blank(bytes.get(colon + 1).copied().unwrap_or(b'\n'))
        {
            return Err(SyntaxError::at(self.text, colon + 1, "write a space behind the colon"));
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = self.tree.nodes.len() as NodeId;
        self.tree.nodes.push(node);
        if let Some(parent) = self.stack.last_mut() {
            match parent.last_child {
                NONE => {
                    debug_assert_eq!(id, parent.id + 1, "the first child stands behind its parent");
                    self.tree.nodes[parent.id as usize].filled = true;
                }
                last => self.tree.nodes[last as usize].next = id,
            }
            parent.last_child = id;
            parent.children += 1;
        }
        id
    }

    fn close(&mut self, event_end: usize) {
        let Some(open) = self.stack.pop() else { return };
        let node = self.tree.nodes[open.id as usize];
        let bracket = match node.kind {
            NodeKind::Mapping { flow } => {
                flow && self.text.as_bytes().get(node.start as usize) == Some(&b'{')
            }
            NodeKind::Sequence { flow } => flow,
            _ => false,
        };
        let end = if bracket {
            event_end
        } else if open.last_child == NONE {
            node.end as usize
        } else {
            self.tree.nodes[open.last_child as usize].end as usize
        };
        self.tree.nodes[open.id as usize].end = end as u32;
        self.cursor = self.cursor.max(end);
    }

    /// Behind the indicator that announces the next node; where the cursor stands if there is none.
    fn behind_indicator(&self) -> usize {
        let Some(parent) = self.stack.last() else {
            return self.cursor;
        };
        let bytes = self.text.as_bytes();
        let at = skip_blank(bytes, self.cursor);
        let is_key = parent.children.is_multiple_of(2);
        let expected: &[u8] = match self.tree.node(parent.id).kind {
            NodeKind::Mapping { .. } if is_key => b"?,",
            NodeKind::Mapping { .. } => b":",
            NodeKind::Sequence { flow: false } => b"-",
            _ => b",",
        };
        match bytes.get(at) {
            Some(byte) if expected.contains(byte) => at + 1,
            _ => self.cursor,
        }
    }

    /// The column of the innermost block collection.
    fn block_column(&self) -> Option<usize> {
        self.stack
            .iter()
            .rev()
            .map(|open| self.tree.node(open.id))
            .find(|node| {
                matches!(node.kind, NodeKind::Mapping { flow: false } | NodeKind::Sequence { flow: false })
            })
            .map(|node| column(self.text.as_bytes(), node.start as usize))
    }
}

/// Skips blanks, line breaks and comments.
fn skip_blank(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'#' if at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r') => {
                at = memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |found| at + found);
            }
            _ => break,
        }
    }
    at
}
