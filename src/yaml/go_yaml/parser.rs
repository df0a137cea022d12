//! Events of the first document, in the order and with the errors of go.yaml.in/yaml/v2 v2.4.2 (`parserc.go`).
//! Tokens come from `scanner`; building nodes from events is left to `go_yaml`.

use super::reader::{Failure, Mark, failure};
use super::scanner::{Scanner, Token};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(String),
    /// `tag` is empty where none is written; `implicit` says that the value decides the type.
    Scalar {
        anchor: Option<String>,
        tag: String,
        value: String,
        implicit: bool,
    },
    SequenceStart {
        anchor: Option<String>,
    },
    SequenceEnd,
    MappingStart {
        anchor: Option<String>,
    },
    MappingEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StreamStart,
    ImplicitDocumentStart,
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
pub(super) struct Parser {
    scanner: Scanner,
    state: State,
    states: Vec<State>,
    /// Where the collections around the mark begin.
    marks: Vec<Mark>,
    /// Handles and prefixes of tags.
    tag_directives: Vec<(String, String)>,
}

impl Parser {
    pub(super) fn new(text: &str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tag_directives: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Result<Event, Failure> {
        match self.state {
            State::StreamStart => {
                self.peek()?;
                self.state = State::ImplicitDocumentStart;
                self.scanner.advance();
                Ok(Event::StreamStart)
            }
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => {
                if *self.peek()? == Token::DocumentEnd {
                    self.scanner.advance();
                }
                self.tag_directives.clear();
                self.state = State::DocumentStart;
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
                Ok(Event::MappingEnd)
            }
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => Ok(Event::StreamEnd),
        }
    }

    fn peek(&mut self) -> Result<&Token, Failure> {
        self.scanner.peek().map(|spanned| &spanned.token)
    }

    fn mark(&mut self) -> Result<Mark, Failure> {
        self.scanner.peek().map(|spanned| spanned.start)
    }

    /// An error at the next token.
    fn refuse<T>(&mut self, problem: &str, context: Mark) -> Result<T, Failure> {
        let mark = self.mark()?;
        Err(failure(problem, mark, context, false))
    }

    /// An error at the next token within the collection around it.
    fn refuse_within<T>(&mut self, problem: &str) -> Result<T, Failure> {
        let context = self.marks.pop().unwrap_or_default();
        self.refuse(problem, context)
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn open(&mut self, first: bool) -> Result<(), Failure> {
        if first {
            let mark = self.mark()?;
            self.marks.push(mark);
            self.scanner.advance();
        }
        Ok(())
    }

    fn close(&mut self, event: Event) -> Event {
        self.pop_state();
        self.marks.pop();
        self.scanner.advance();
        event
    }

    /// A node that is not written, after which `state` follows.
    fn empty(&mut self, state: State) -> Event {
        self.state = state;
        Event::Scalar { anchor: None, tag: String::new(), value: String::new(), implicit: true }
    }

    fn document_start(&mut self, implicit: bool) -> Result<Event, Failure> {
        if !implicit {
            while *self.peek()? == Token::DocumentEnd {
                self.scanner.advance();
            }
        }
        match self.peek()? {
            Token::StreamEnd => {
                self.state = State::End;
                self.scanner.advance();
                return Ok(Event::StreamEnd);
            }
            Token::Version { .. } | Token::TagDirective { .. } | Token::DocumentStart => {}
            _ if implicit => {
                self.directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok(Event::DocumentStart);
            }
            _ => {}
        }
        self.directives()?;
        if *self.peek()? != Token::DocumentStart {
            return self.refuse("did not find expected <document start>", Mark::default());
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        self.scanner.advance();
        Ok(Event::DocumentStart)
    }

    fn directives(&mut self) -> Result<(), Failure> {
        let mut version = false;
        loop {
            match self.peek()?.clone() {
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
            self.scanner.advance();
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tag_directives.iter().any(|(known, _)| known == handle) {
                self.tag_directives.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<Event, Failure> {
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

    fn node(&mut self, block: bool, indentless: bool) -> Result<Event, Failure> {
        if let Token::Alias(name) = self.peek()?.clone() {
            self.pop_state();
            self.scanner.advance();
            return Ok(Event::Alias(name));
        }
        let start = self.mark()?;
        let (mut anchor, mut written, mut tag_mark) = (None, None, start);
        // Anchor and tag in either order, one of each.
        loop {
            match self.peek()?.clone() {
                Token::Anchor(name) if anchor.is_none() => anchor = Some(name),
                Token::Tag { handle, suffix } if written.is_none() => {
                    tag_mark = self.mark()?;
                    written = Some((handle, suffix));
                }
                _ => break,
            }
            self.scanner.advance();
        }
        let tag = match written {
            None => String::new(),
            Some((handle, suffix)) if handle.is_empty() => suffix,
            Some((handle, suffix)) => {
                let known = self.tag_directives.iter().find(|(known, _)| *known == handle);
                let tag = known.map(|(_, prefix)| format!("{prefix}{suffix}")).unwrap_or_default();
                if tag.is_empty() {
                    return Err(failure("found undefined tag handle", tag_mark, start, false));
                }
                tag
            }
        };
        match self.peek()?.clone() {
            Token::BlockEntry if indentless => {
                self.state = State::IndentlessSequenceEntry;
                Ok(Event::SequenceStart { anchor })
            }
            Token::Scalar { value, plain } => {
                self.pop_state();
                self.scanner.advance();
                let implicit = (tag.is_empty() && plain) || tag == "!";
                Ok(Event::Scalar { anchor, tag, value, implicit })
            }
            Token::FlowSequenceStart => {
                self.state = State::FlowSequenceEntry { first: true };
                Ok(Event::SequenceStart { anchor })
            }
            Token::FlowMappingStart => {
                self.state = State::FlowMappingKey { first: true };
                Ok(Event::MappingStart { anchor })
            }
            Token::BlockSequenceStart if block => {
                self.state = State::BlockSequenceEntry { first: true };
                Ok(Event::SequenceStart { anchor })
            }
            Token::BlockMappingStart if block => {
                self.state = State::BlockMappingKey { first: true };
                Ok(Event::MappingStart { anchor })
            }
            _ if anchor.is_some() || !tag.is_empty() => {
                self.pop_state();
                let implicit = tag.is_empty();
                Ok(Event::Scalar { anchor, tag, value: String::new(), implicit })
            }
            _ => self.refuse("did not find expected node content", start),
        }
    }

    fn block_sequence_entry(&mut self, first: bool) -> Result<Event, Failure> {
        self.open(first)?;
        match self.peek()? {
            Token::BlockEntry => {
                self.scanner.advance();
                let state = State::BlockSequenceEntry { first: false };
                if matches!(self.peek()?, Token::BlockEntry | Token::BlockEnd) {
                    return Ok(self.empty(state));
                }
                self.states.push(state);
                self.node(true, false)
            }
            Token::BlockEnd => Ok(self.close(Event::SequenceEnd)),
            _ => self.refuse_within("did not find expected '-' indicator"),
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<Event, Failure> {
        if *self.peek()? != Token::BlockEntry {
            self.pop_state();
            return Ok(Event::SequenceEnd);
        }
        self.scanner.advance();
        if matches!(self.peek()?, Token::BlockEntry | Token::Key | Token::Value | Token::BlockEnd) {
            return Ok(self.empty(State::IndentlessSequenceEntry));
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(true, false)
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<Event, Failure> {
        self.open(first)?;
        match self.peek()? {
            Token::Key => {
                self.scanner.advance();
                if matches!(self.peek()?, Token::Key | Token::Value | Token::BlockEnd) {
                    return Ok(self.empty(State::BlockMappingValue));
                }
                self.states.push(State::BlockMappingValue);
                self.node(true, true)
            }
            Token::BlockEnd => Ok(self.close(Event::MappingEnd)),
            _ => self.refuse_within("did not find expected key"),
        }
    }

    fn block_mapping_value(&mut self) -> Result<Event, Failure> {
        let state = State::BlockMappingKey { first: false };
        if *self.peek()? != Token::Value {
            return Ok(self.empty(state));
        }
        self.scanner.advance();
        if matches!(self.peek()?, Token::Key | Token::Value | Token::BlockEnd) {
            return Ok(self.empty(state));
        }
        self.states.push(state);
        self.node(true, true)
    }

    /// The comma before all entries of a flow collection but the first.
    fn flow_separator(&mut self, first: bool, end: &Token, problem: &str) -> Result<(), Failure> {
        let token = self.peek()?;
        if first || token == end {
            return Ok(());
        }
        if *token != Token::FlowEntry {
            return self.refuse_within(problem);
        }
        self.scanner.advance();
        self.peek().map(|_| ())
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Result<Event, Failure> {
        self.open(first)?;
        self.flow_separator(first, &Token::FlowSequenceEnd, "did not find expected ',' or ']'")?;
        match self.peek()? {
            Token::FlowSequenceEnd => Ok(self.close(Event::SequenceEnd)),
            Token::Key => {
                self.state = State::FlowSequenceEntryMappingKey;
                self.scanner.advance();
                Ok(Event::MappingStart { anchor: None })
            }
            _ => {
                self.states.push(State::FlowSequenceEntry { first: false });
                self.node(false, false)
            }
        }
    }

    fn flow_sequence_entry_mapping_key(&mut self) -> Result<Event, Failure> {
        if matches!(self.peek()?, Token::Value | Token::FlowEntry | Token::FlowSequenceEnd) {
            // As Go does it, the token is gone.
            self.scanner.advance();
            return Ok(self.empty(State::FlowSequenceEntryMappingValue));
        }
        self.states.push(State::FlowSequenceEntryMappingValue);
        self.node(false, false)
    }

    fn flow_sequence_entry_mapping_value(&mut self) -> Result<Event, Failure> {
        if *self.peek()? == Token::Value {
            self.scanner.advance();
            if !matches!(self.peek()?, Token::FlowEntry | Token::FlowSequenceEnd) {
                self.states.push(State::FlowSequenceEntryMappingEnd);
                return self.node(false, false);
            }
        }
        Ok(self.empty(State::FlowSequenceEntryMappingEnd))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event, Failure> {
        self.open(first)?;
        self.flow_separator(first, &Token::FlowMappingEnd, "did not find expected ',' or '}'")?;
        match self.peek()? {
            Token::FlowMappingEnd => Ok(self.close(Event::MappingEnd)),
            Token::Key => {
                self.scanner.advance();
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

    fn flow_mapping_value(&mut self, empty: bool) -> Result<Event, Failure> {
        let state = State::FlowMappingKey { first: false };
        if *self.peek()? == Token::Value && !empty {
            self.scanner.advance();
            if !matches!(self.peek()?, Token::FlowEntry | Token::FlowMappingEnd) {
                self.states.push(state);
                return self.node(false, false);
            }
        }
        Ok(self.empty(state))
    }
}
