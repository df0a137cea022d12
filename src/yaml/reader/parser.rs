//! Events of the first document, in the order and with the errors of go.yaml.in/yaml/v2 v2.4.2 (`parserc.go`), each with
//! its place. Building the tree from events is left to `compose`.

use super::chars::{Failure, Mark};
use super::scanner::{Scanner, Spanned, Token};
use crate::yaml::node::{NodeKind, ScalarStyle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'t> {
    DocumentStart,
    /// Of a document, or of the stream.
    DocumentEnd,
    Node(NodeEvent<'t>),
    /// The collection that was opened last ends: after its bracket, or with its last child.
    CollectionEnd(Option<u32>),
}

/// A scalar, an alias, or the start of a collection. All places are bytes; see [`crate::yaml::node::Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeEvent<'t> {
    pub(super) kind: NodeKind,
    pub(super) anchor: Option<&'t str>,
    pub(super) props: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StreamStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry { first: bool },
    IndentlessSequenceEntry,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    FlowSequenceEntryMappingKey,
    FlowSequenceEntryMappingValue,
    FlowSequenceEntryMappingEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
    End,
}

#[derive(Debug)]
pub(super) struct Parser<'t> {
    scanner: Scanner<'t>,
    state: State,
    states: Vec<State>,
    /// Where the collections around the mark begin.
    marks: Vec<Mark>,
    /// Handles and prefixes of tags, as written.
    pub(super) tag_directives: Vec<(&'t str, &'t str)>,
    /// Byte after the last token that is written; where a node that is not written has its place.
    cursor: u32,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tag_directives: Vec::new(),
            cursor: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Event<'t>, Failure> {
        match self.state {
            State::StreamStart => {
                self.advance()?;
                self.state = State::DocumentStart;
                self.next()
            }
            State::DocumentStart => self.document_start(),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => {
                // Nothing after the first document is looked at but its first token.
                self.peek()?;
                self.state = State::End;
                Ok(Event::DocumentEnd)
            }
            State::BlockNode => self.node(true, false),
            State::BlockSequenceEntry { first } => self.block_sequence_entry(first),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey { first } => self.block_mapping_key(first),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry { first } => self.flow_sequence_entry(first),
            State::FlowSequenceEntryMappingKey => self.flow_sequence_entry_mapping_key(),
            State::FlowSequenceEntryMappingValue => self.flow_sequence_entry_mapping_value(),
            State::FlowSequenceEntryMappingEnd => {
                self.peek()?;
                self.state = State::FlowSequenceEntry { first: false };
                Ok(Event::CollectionEnd(None))
            }
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => Ok(Event::DocumentEnd),
        }
    }

    fn peek(&mut self) -> Result<Token<'t>, Failure> {
        self.scanner.peek().map(|spanned| spanned.token)
    }

    fn mark(&mut self) -> Result<Mark, Failure> {
        self.scanner.peek().map(|spanned| spanned.start)
    }

    /// Passes over the next token.
    fn advance(&mut self) -> Result<Spanned<'t>, Failure> {
        let token = self.scanner.peek()?;
        if token.end > token.start.offset {
            self.cursor = token.end;
        }
        self.scanner.advance();
        Ok(token)
    }

    /// An error at the next token.
    fn refuse<T>(&mut self, problem: &'static str, context: Mark) -> Result<T, Failure> {
        let mark = self.mark()?;
        Err(Failure::new(problem, mark, context, false))
    }

    /// An error at the next token within the collection around it.
    fn refuse_within<T>(&mut self, problem: &'static str) -> Result<T, Failure> {
        let context = self.marks.pop().unwrap_or_default();
        self.refuse(problem, context)
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn open(&mut self, first: bool) -> Result<(), Failure> {
        if first {
            let opened = self.advance()?;
            self.marks.push(opened.start);
        }
        Ok(())
    }

    /// Ends a collection at the next token: its bracket, or the end of a block, which is not written.
    fn close(&mut self) -> Result<Event<'t>, Failure> {
        self.pop_state();
        self.marks.pop();
        let end = self.advance()?;
        Ok(Event::CollectionEnd((end.token != Token::BlockEnd).then_some(end.end)))
    }

    /// A node that is not written, after which `state` follows.
    fn empty(&mut self, state: State) -> Event<'t> {
        self.state = state;
        let (kind, at) = (NodeKind::Scalar(ScalarStyle::Plain), self.cursor);
        Event::Node(NodeEvent { kind, anchor: None, props: at, start: at, end: at })
    }

    /// The start of a collection.
    fn start(
        &mut self,
        kind: NodeKind,
        anchor: Option<&'t str>,
        props: Option<u32>,
        start: u32,
    ) -> Event<'t> {
        self.cursor = self.cursor.max(start);
        Event::Node(NodeEvent { kind, anchor, props: props.unwrap_or(start), start, end: start })
    }

    fn document_start(&mut self) -> Result<Event<'t>, Failure> {
        let first = self.peek()?;
        self.directives()?;
        match first {
            Token::StreamEnd => {
                self.state = State::End;
                return Ok(Event::DocumentEnd);
            }
            Token::Version { .. } | Token::TagDirective { .. } | Token::DocumentStart => {}
            _ => {
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok(Event::DocumentStart);
            }
        }
        if self.peek()? != Token::DocumentStart {
            return self.refuse("did not find expected <document start>", Mark::default());
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        self.advance()?;
        Ok(Event::DocumentStart)
    }

    fn directives(&mut self) -> Result<(), Failure> {
        let mut version = false;
        loop {
            match self.peek()? {
                Token::Version { major, minor } => {
                    if version {
                        return self.refuse("found duplicate %YAML directive", Mark::default());
                    }
                    if (major, minor) != (1, 1) {
                        return self.refuse("found incompatible YAML document", Mark::default());
                    }
                    version = true;
                }
                Token::TagDirective { handle, prefix } => {
                    if self.tag_directives.iter().any(|(known, _)| *known == handle) {
                        return self.refuse("found duplicate %TAG directive", Mark::default());
                    }
                    self.tag_directives.push((handle, prefix));
                }
                _ => break,
            }
            self.advance()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tag_directives.iter().any(|(known, _)| *known == handle) {
                self.tag_directives.push((handle, prefix));
            }
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<Event<'t>, Failure> {
        match self.peek()? {
            Token::Version { .. }
            | Token::TagDirective { .. }
            | Token::DocumentStart
            | Token::DocumentEnd
            | Token::StreamEnd => {
                let state = self.states.pop().unwrap_or(State::End);
                Ok(self.empty(state))
            }
            _ => self.node(true, false),
        }
    }

    fn node(&mut self, block: bool, indentless: bool) -> Result<Event<'t>, Failure> {
        let first = self.scanner.peek()?;
        if first.token == Token::Alias {
            self.pop_state();
            self.advance()?;
            let start = first.start.offset;
            let (kind, anchor) = (NodeKind::Alias, None);
            return Ok(Event::Node(NodeEvent { kind, anchor, props: start, start, end: first.end }));
        }
        let (mut anchor, mut tag) = (None, None);
        // Anchor and tag in either order, one of each.
        loop {
            match self.scanner.peek()? {
                Spanned { token: Token::Anchor(name), .. } if anchor.is_none() => anchor = Some(name),
                Spanned { token: Token::Tag(handle), start, .. } if tag.is_none() => {
                    tag = Some((handle, start))
                }
                _ => break,
            }
            self.advance()?;
        }
        let undefined = |handle: &str| !self.tag_directives.iter().any(|(known, _)| *known == handle);
        if let Some((_, mark)) = tag.filter(|(handle, _)| !handle.is_empty() && undefined(handle)) {
            return Err(Failure::new("found undefined tag handle", mark, first.start, false));
        }
        let props = (anchor.is_some() || tag.is_some()).then_some(first.start.offset);
        self.content(first, anchor, props, block, indentless)
    }

    /// What follows the properties of a node, which begins with the token `first`.
    fn content(
        &mut self,
        first: Spanned<'t>,
        anchor: Option<&'t str>,
        props: Option<u32>,
        block: bool,
        indentless: bool,
    ) -> Result<Event<'t>, Failure> {
        let next = self.scanner.peek()?;
        let start = next.start.offset;
        let (state, kind) = match next.token {
            Token::BlockEntry if indentless => {
                (State::IndentlessSequenceEntry, NodeKind::Sequence { flow: false })
            }
            Token::Scalar(style) => {
                self.pop_state();
                self.advance()?;
                let (kind, props) = (NodeKind::Scalar(style), props.unwrap_or(start));
                return Ok(Event::Node(NodeEvent { kind, anchor, props, start, end: next.end }));
            }
            Token::FlowSequenceStart => {
                (State::FlowSequenceEntry { first: true }, NodeKind::Sequence { flow: true })
            }
            Token::FlowMappingStart => {
                (State::FlowMappingKey { first: true }, NodeKind::Mapping { flow: true })
            }
            Token::BlockSequenceStart if block => {
                (State::BlockSequenceEntry { first: true }, NodeKind::Sequence { flow: false })
            }
            Token::BlockMappingStart if block => {
                (State::BlockMappingKey { first: true }, NodeKind::Mapping { flow: false })
            }
            _ => {
                let Some(props) = props else {
                    return self.refuse("did not find expected node content", first.start);
                };
                self.pop_state();
                let (kind, at) = (NodeKind::Scalar(ScalarStyle::Plain), self.cursor);
                return Ok(Event::Node(NodeEvent { kind, anchor, props, start: at, end: at }));
            }
        };
        self.state = state;
        Ok(self.start(kind, anchor, props, start))
    }

    fn block_sequence_entry(&mut self, first: bool) -> Result<Event<'t>, Failure> {
        self.open(first)?;
        match self.peek()? {
            Token::BlockEntry => {
                self.advance()?;
                let state = State::BlockSequenceEntry { first: false };
                if matches!(self.peek()?, Token::BlockEntry | Token::BlockEnd) {
                    return Ok(self.empty(state));
                }
                self.states.push(state);
                self.node(true, false)
            }
            Token::BlockEnd => self.close(),
            _ => self.refuse_within("did not find expected '-' indicator"),
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<Event<'t>, Failure> {
        if self.peek()? != Token::BlockEntry {
            self.pop_state();
            return Ok(Event::CollectionEnd(None));
        }
        self.advance()?;
        if matches!(self.peek()?, Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd) {
            return Ok(self.empty(State::IndentlessSequenceEntry));
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(true, false)
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<Event<'t>, Failure> {
        self.open(first)?;
        match self.peek()? {
            Token::Key => {
                self.advance()?;
                if matches!(self.peek()?, Token::Key | Token::Value | Token::BlockEnd) {
                    return Ok(self.empty(State::BlockMappingValue));
                }
                self.states.push(State::BlockMappingValue);
                self.node(true, true)
            }
            Token::BlockEnd => self.close(),
            _ => self.refuse_within("did not find expected key"),
        }
    }

    fn block_mapping_value(&mut self) -> Result<Event<'t>, Failure> {
        let state = State::BlockMappingKey { first: false };
        if self.peek()? != Token::Value {
            return Ok(self.empty(state));
        }
        self.advance()?;
        if matches!(self.peek()?, Token::Key | Token::Value | Token::BlockEnd) {
            return Ok(self.empty(state));
        }
        self.states.push(state);
        self.node(true, true)
    }

    /// The comma before all entries of a flow collection but the first.
    fn flow_separator(&mut self, first: bool, end: Token<'t>, problem: &'static str) -> Result<(), Failure> {
        let token = self.peek()?;
        if first || token == end {
            return Ok(());
        }
        if token != Token::FlowEntry {
            return self.refuse_within(problem);
        }
        self.advance()?;
        self.peek().map(|_| ())
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Result<Event<'t>, Failure> {
        self.open(first)?;
        self.flow_separator(first, Token::FlowSequenceEnd, "did not find expected ',' or ']'")?;
        match self.peek()? {
            Token::FlowSequenceEnd => self.close(),
            Token::Key => {
                self.state = State::FlowSequenceEntryMappingKey;
                let key = self.advance()?;
                Ok(self.start(NodeKind::Mapping { flow: true }, None, None, key.start.offset))
            }
            _ => {
                self.states.push(State::FlowSequenceEntry { first: false });
                self.node(false, false)
            }
        }
    }

    fn flow_sequence_entry_mapping_key(&mut self) -> Result<Event<'t>, Failure> {
        if matches!(self.peek()?, Token::Value | Token::FlowEntry | Token::FlowSequenceEnd) {
            // As Go does it, the token is gone.
            self.advance()?;
            return Ok(self.empty(State::FlowSequenceEntryMappingValue));
        }
        self.states.push(State::FlowSequenceEntryMappingValue);
        self.node(false, false)
    }

    fn flow_sequence_entry_mapping_value(&mut self) -> Result<Event<'t>, Failure> {
        if self.peek()? == Token::Value {
            self.advance()?;
            if !matches!(self.peek()?, Token::FlowEntry | Token::FlowSequenceEnd) {
                self.states.push(State::FlowSequenceEntryMappingEnd);
                return self.node(false, false);
            }
        }
        Ok(self.empty(State::FlowSequenceEntryMappingEnd))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event<'t>, Failure> {
        self.open(first)?;
        self.flow_separator(first, Token::FlowMappingEnd, "did not find expected ',' or '}'")?;
        match self.peek()? {
            Token::FlowMappingEnd => self.close(),
            Token::Key => {
                self.advance()?;
                let state = State::FlowMappingValue { empty: false };
                if matches!(self.peek()?, Token::Value | Token::FlowEntry | Token::FlowMappingEnd) {
                    return Ok(self.empty(state));
                }
                self.states.push(state);
                self.node(false, false)
            }
            _ => {
                self.states.push(State::FlowMappingValue { empty: true });
                self.node(false, false)
            }
        }
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Result<Event<'t>, Failure> {
        let state = State::FlowMappingKey { first: false };
        if self.peek()? == Token::Value && !empty {
            self.advance()?;
            if !matches!(self.peek()?, Token::FlowEntry | Token::FlowMappingEnd) {
                self.states.push(state);
                return self.node(false, false);
            }
        }
        Ok(self.empty(state))
    }
}
