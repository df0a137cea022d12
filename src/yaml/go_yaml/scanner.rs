//! Tokens of a YAML text, in the order and with the errors of go.yaml.in/yaml/v2 v2.4.2 (`scannerc.go`).
//! Scalars, tags and directives are in `scalars` and `tags`; what tokens mean is left to `parser`.

use std::collections::{HashMap, VecDeque};

use super::reader::{Failure, Mark, Reader, failure, is_blankz, is_break};

/// Nesting that Go's scanner still takes, of flow collections and of indentation each.
const MAX_DEPTH: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    StreamStart,
    StreamEnd,
    Version { major: u8, minor: u8 },
    TagDirective { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { value: String, plain: bool },
}

/// A token between two marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) start: Mark,
}

#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token_number: usize,
    mark: Mark,
}

#[derive(Debug)]
pub(super) struct Scanner {
    pub(super) reader: Reader,
    tokens: VecDeque<Spanned>,
    tokens_parsed: usize,
    started: bool,
    pub(super) flow_level: usize,
    /// Column of the current block; -1 outside of all.
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
    /// Indices into `simple_keys` by token number.
    simple_keys_by_token: HashMap<usize, usize>,
}

impl Scanner {
    pub(super) fn new(text: &str) -> Self {
        Self {
            reader: Reader::new(text),
            tokens: VecDeque::new(),
            tokens_parsed: 0,
            started: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: false,
            simple_keys: Vec::new(),
            simple_keys_by_token: HashMap::new(),
        }
    }

    /// The next token, which stays the next.
    pub(super) fn peek(&mut self) -> Result<&Spanned, Failure> {
        loop {
            // A token that may turn out to be a simple key has to wait until it is known.
            if !self.tokens.is_empty() {
                let Some(&key) = self.simple_keys_by_token.get(&self.tokens_parsed) else { break };
                if !self.simple_key_is_valid(key)? {
                    break;
                }
            }
            self.fetch()?;
        }
        self.tokens.front().ok_or_else(|| "unknown problem parsing YAML content".to_owned())
    }

    /// Drops the token that was peeked.
    pub(super) fn advance(&mut self) {
        self.tokens.pop_front();
        self.tokens_parsed += 1;
    }

    /// An error at the mark.
    pub(super) fn error(&self, problem: &str, context: Mark) -> Failure {
        failure(problem, self.reader.mark, context, true)
    }

    fn column(&self) -> i64 {
        i64::try_from(self.reader.mark.column).unwrap_or(i64::MAX)
    }

    fn next_token_number(&self) -> usize {
        self.tokens_parsed + self.tokens.len()
    }

    fn push(&mut self, token: Token, start: Mark) {
        self.tokens.push_back(Spanned { token, start });
    }

    fn fetch(&mut self) -> Result<(), Failure> {
        self.reader.need(1)?;
        if !self.started {
            self.started = true;
            self.simple_keys.push(SimpleKey::default());
            self.simple_key_allowed = true;
            self.push(Token::StreamStart, self.reader.mark);
            return Ok(());
        }
        self.skip_to_next_token()?;
        self.unroll_indent(self.column());
        self.reader.need(4)?;
        let (char, next) = (self.reader.here(), self.reader.at(1));
        let block = self.flow_level == 0;
        match char {
            '\0' => self.fetch_stream_end(),
            '%' if self.reader.mark.column == 0 => self.fetch_directive(),
            '-' if self.reader.is_document_indicator('-') => {
                self.fetch_document_indicator(Token::DocumentStart)
            }
            '.' if self.reader.is_document_indicator('.') => {
                self.fetch_document_indicator(Token::DocumentEnd)
            }
            '[' => self.fetch_flow_start(Token::FlowSequenceStart),
            '{' => self.fetch_flow_start(Token::FlowMappingStart),
            ']' => self.fetch_flow_end(Token::FlowSequenceEnd),
            '}' => self.fetch_flow_end(Token::FlowMappingEnd),
            ',' => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.indicator(Token::FlowEntry);
                Ok(())
            }
            '-' if is_blankz(next) => self.fetch_block_entry(),
            '?' if !block || is_blankz(next) => self.fetch_key(),
            ':' if !block || is_blankz(next) => self.fetch_value(),
            '*' | '&' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_anchor(char == '*').map(|token| self.tokens.push_back(token))
            }
            '!' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_tag().map(|token| self.tokens.push_back(token))
            }
            '|' | '>' if block => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.scan_block_scalar(char == '|').map(|token| self.tokens.push_back(token))
            }
            '\'' | '"' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_quoted(char == '\'').map(|token| self.tokens.push_back(token))
            }
            _ if starts_plain(char, next, block) => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_plain().map(|token| self.tokens.push_back(token))
            }
            _ => Err(self.error("found character that cannot start any token", self.reader.mark)),
        }
    }

    /// Whether the key at this index may still turn out to be one: it must end within its line and 1024 characters.
    fn simple_key_is_valid(&mut self, index: usize) -> Result<bool, Failure> {
        let mark = self.reader.mark;
        let Some(key) = self.simple_keys.get_mut(index) else { return Ok(false) };
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < mark.line || key.mark.index + 1024 < mark.index {
            if key.required {
                return Err(failure("could not find expected ':'", mark, key.mark, true));
            }
            key.possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_simple_key(&mut self) -> Result<(), Failure> {
        let required = self.flow_level == 0 && self.indent == self.column();
        if !self.simple_key_allowed {
            return Ok(());
        }
        let key = SimpleKey {
            possible: true,
            required,
            token_number: self.next_token_number(),
            mark: self.reader.mark,
        };
        self.remove_simple_key()?;
        if let Some(last) = self.simple_keys.last_mut() {
            *last = key;
            self.simple_keys_by_token.insert(key.token_number, self.simple_keys.len() - 1);
        }
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), Failure> {
        let mark = self.reader.mark;
        let Some(key) = self.simple_keys.last_mut() else { return Ok(()) };
        if key.possible {
            if key.required {
                return Err(failure("could not find expected ':'", mark, key.mark, true));
            }
            key.possible = false;
            self.simple_keys_by_token.remove(&key.token_number);
        }
        Ok(())
    }

    fn roll_indent(
        &mut self,
        column: i64,
        number: Option<usize>,
        token: Token,
        mark: Mark,
    ) -> Result<(), Failure> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            let context = self.simple_keys.last().map_or(mark, |key| key.mark);
            return Err(self.error(&format!("exceeded max depth of {MAX_DEPTH}"), context));
        }
        self.insert(number, token, mark);
        Ok(())
    }

    /// Puts a token before the one with this number, or last.
    fn insert(&mut self, number: Option<usize>, token: Token, start: Mark) {
        let place = number.and_then(|number| number.checked_sub(self.tokens_parsed));
        match place.filter(|place| *place <= self.tokens.len()) {
            Some(place) => self.tokens.insert(place, Spanned { token, start }),
            None => self.push(token, start),
        }
    }

    fn unroll_indent(&mut self, column: i64) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(Token::BlockEnd, self.reader.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// What every token that stands outside of all blocks does first.
    fn leave_blocks(&mut self) -> Result<(), Failure> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        Ok(())
    }

    fn indicator(&mut self, token: Token) {
        self.push(token, self.reader.mark);
        self.reader.skip();
    }

    fn fetch_stream_end(&mut self) -> Result<(), Failure> {
        self.reader.force_new_line();
        self.leave_blocks()?;
        self.push(Token::StreamEnd, self.reader.mark);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), Failure> {
        self.leave_blocks()?;
        self.scan_directive().map(|token| self.tokens.push_back(token))
    }

    fn fetch_document_indicator(&mut self, token: Token) -> Result<(), Failure> {
        self.leave_blocks()?;
        self.push(token, self.reader.mark);
        for _ in 0..3 {
            self.reader.skip();
        }
        Ok(())
    }

    fn fetch_flow_start(&mut self, token: Token) -> Result<(), Failure> {
        self.save_simple_key()?;
        let key = SimpleKey {
            possible: false,
            required: false,
            token_number: self.next_token_number(),
            mark: self.reader.mark,
        };
        self.simple_keys.push(key);
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return Err(self.error(&format!("exceeded max depth of {MAX_DEPTH}"), key.mark));
        }
        self.simple_key_allowed = true;
        self.indicator(token);
        Ok(())
    }

    fn fetch_flow_end(&mut self, token: Token) -> Result<(), Failure> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                self.simple_keys_by_token.remove(&key.token_number);
            }
        }
        self.simple_key_allowed = false;
        self.indicator(token);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Failure> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                let problem = "block sequence entries are not allowed in this context";
                return Err(self.error(problem, self.reader.mark));
            }
            self.roll_indent(self.column(), None, Token::BlockSequenceStart, self.reader.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.indicator(Token::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Failure> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error("mapping keys are not allowed in this context", self.reader.mark));
            }
            self.roll_indent(self.column(), None, Token::BlockMappingStart, self.reader.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.indicator(Token::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Failure> {
        let last = self.simple_keys.len().saturating_sub(1);
        if self.simple_key_is_valid(last)? {
            let key = self.simple_keys[last];
            self.insert(Some(key.token_number), Token::Key, key.mark);
            let column = i64::try_from(key.mark.column).unwrap_or(i64::MAX);
            self.roll_indent(column, Some(key.token_number), Token::BlockMappingStart, key.mark)?;
            self.simple_keys[last].possible = false;
            self.simple_keys_by_token.remove(&key.token_number);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return Err(
                        self.error("mapping values are not allowed in this context", self.reader.mark)
                    );
                }
                self.roll_indent(self.column(), None, Token::BlockMappingStart, self.reader.mark)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.indicator(Token::Value);
        Ok(())
    }

    fn skip_to_next_token(&mut self) -> Result<(), Failure> {
        loop {
            self.reader.need(1)?;
            if self.reader.mark.column == 0 && self.reader.is_byte_order_mark() {
                self.reader.skip();
            }
            self.reader.need(1)?;
            // A tab may not stand where it would count as indentation.
            while self.reader.here() == ' '
                || (self.reader.here() == '\t' && (self.flow_level > 0 || !self.simple_key_allowed))
            {
                self.reader.skip();
                self.reader.need(1)?;
            }
            self.reader.skip_comment()?;
            if !is_break(self.reader.here()) {
                return Ok(());
            }
            self.reader.need(2)?;
            self.reader.skip_line();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }
}

/// Whether a plain scalar can start with this character.
fn starts_plain(char: char, next: char, block: bool) -> bool {
    match char {
        '-' => !super::reader::is_blank(next),
        '?' | ':' => block && !is_blankz(next),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
            false
        }
        _ => !is_blankz(char),
    }
}
