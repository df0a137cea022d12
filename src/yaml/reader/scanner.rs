//! Tokens of a YAML text, in the order and with the errors of go.yaml.in/yaml/v2 v2.4.2 (`scannerc.go`).
//! Scalars, tags and directives are in `scalars` and `tags`; what tokens mean is left to `parser`.

use std::collections::VecDeque;

use super::chars::{Chars, Failure, Mark, is_blank, is_blankz, is_break, is_breakz};
use crate::yaml::node::ScalarStyle;

/// Nesting that Go's scanner still takes, of flow collections and of indentation each.
const MAX_DEPTH: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    StreamStart,
    StreamEnd,
    Version {
        major: u8,
        minor: u8,
    },
    TagDirective {
        handle: &'t str,
        prefix: &'t str,
    },
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
    Alias,
    Anchor(&'t str),
    /// The handle; empty for `!` alone and for `!<uri>`.
    Tag(&'t str),
    Scalar(ScalarStyle),
}

/// A token with its place. Tokens that are not written, such as the end of a block, end where they start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spanned<'t> {
    pub(super) token: Token<'t>,
    pub(super) start: Mark,
    /// In bytes.
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token_number: usize,
    mark: Mark,
}

#[derive(Debug)]
pub(super) struct Scanner<'t> {
    pub(super) chars: Chars<'t>,
    tokens: VecDeque<Spanned<'t>>,
    tokens_parsed: usize,
    started: bool,
    pub(super) flow_level: usize,
    /// Column of the current block; -1 outside of all.
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
    /// Token numbers with indices into `simple_keys`, in the order of the tokens; none of tokens that are gone.
    simple_keys_by_token: VecDeque<(usize, usize)>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self::over(Chars::new(text))
    }

    pub(super) fn over(chars: Chars<'t>) -> Self {
        Self {
            chars,
            tokens: VecDeque::new(),
            tokens_parsed: 0,
            started: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            simple_key_allowed: false,
            simple_keys: Vec::new(),
            simple_keys_by_token: VecDeque::new(),
        }
    }

    /// The next token, which stays the next.
    pub(super) fn peek(&mut self) -> Result<Spanned<'t>, Failure> {
        loop {
            // A token that may turn out to be a simple key has to wait until it is known.
            if !self.tokens.is_empty() {
                let Some(key) = self.simple_key_of(self.tokens_parsed) else { break };
                if !self.simple_key_is_valid(key)? {
                    break;
                }
            }
            self.fetch()?;
        }
        let front = self.tokens.front().copied();
        front.ok_or_else(|| self.error("unknown problem parsing YAML content", self.chars.mark))
    }

    fn simple_key_of(&self, token_number: usize) -> Option<usize> {
        let (number, key) = *self.simple_keys_by_token.front()?;
        (number == token_number).then_some(key)
    }

    fn forget_simple_key_of(&mut self, token_number: usize) {
        self.simple_keys_by_token.retain(|(number, _)| *number != token_number);
    }

    /// Drops the token that was peeked.
    pub(super) fn advance(&mut self) {
        self.tokens.pop_front();
        self.tokens_parsed += 1;
        while self.simple_keys_by_token.front().is_some_and(|(number, _)| *number < self.tokens_parsed) {
            self.simple_keys_by_token.pop_front();
        }
    }

    /// An error at the mark.
    pub(super) fn error(&self, problem: &'static str, context: Mark) -> Failure {
        Failure::new(problem, self.chars.mark, context, true)
    }

    /// Skips the rest of a line, on which only a comment may stand. `start` is where what it ends began.
    pub(super) fn end_line(&mut self, start: Mark) -> Result<(), Failure> {
        self.chars.skip_blanks_and_comment()?;
        if !is_breakz(self.chars.here()) {
            return Err(self.error("did not find expected comment or line break", start));
        }
        if is_break(self.chars.here()) {
            self.chars.need(2)?;
            self.chars.skip_line();
        }
        Ok(())
    }

    /// A token that was scanned from `start` up to the mark.
    pub(super) fn spanned(&self, token: Token<'t>, start: Mark) -> Spanned<'t> {
        Spanned { token, start, end: self.chars.mark.offset }
    }

    fn next_token_number(&self) -> usize {
        self.tokens_parsed + self.tokens.len()
    }

    /// A token that is not written, at the mark.
    fn push(&mut self, token: Token<'t>) {
        self.tokens.push_back(self.spanned(token, self.chars.mark));
    }

    fn fetch(&mut self) -> Result<(), Failure> {
        self.chars.need(1)?;
        if !self.started {
            self.started = true;
            self.simple_keys.push(SimpleKey::default());
            self.simple_key_allowed = true;
            self.push(Token::StreamStart);
            return Ok(());
        }
        self.skip_to_next_token()?;
        self.unroll_indent(self.chars.column());
        self.chars.need(4)?;
        let (char, next) = (self.chars.here(), self.chars.at(1));
        let block = self.flow_level == 0;
        match char {
            '\0' => self.fetch_stream_end(),
            '%' if self.chars.mark.column == 0 => self.fetch_directive(),
            '-' if self.chars.is_document_indicator('-') => {
                self.fetch_document_indicator(Token::DocumentStart)
            }
            '.' if self.chars.is_document_indicator('.') => self.fetch_document_indicator(Token::DocumentEnd),
            '[' => self.fetch_flow_start(Token::FlowSequenceStart),
            '{' => self.fetch_flow_start(Token::FlowMappingStart),
            ']' => self.fetch_flow_end(Token::FlowSequenceEnd),
            '}' => self.fetch_flow_end(Token::FlowMappingEnd),
            ',' => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                self.indicator(Token::FlowEntry, 1);
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
                self.scan_block_scalar(char == '|', &mut ()).map(|token| self.tokens.push_back(token))
            }
            '\'' | '"' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_quoted(char == '\'', &mut ()).map(|token| self.tokens.push_back(token))
            }
            _ if starts_plain(char, next, block) => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                self.scan_plain(&mut ()).map(|token| self.tokens.push_back(token))
            }
            _ => Err(self.error("found character that cannot start any token", self.chars.mark)),
        }
    }

    /// Whether the key at this index may still turn out to be one: it must end within its line and 1024 characters.
    fn simple_key_is_valid(&mut self, index: usize) -> Result<bool, Failure> {
        let mark = self.chars.mark;
        let Some(key) = self.simple_keys.get_mut(index) else { return Ok(false) };
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < mark.line || key.mark.index + 1024 < mark.index {
            if key.required {
                return Err(Failure::new("could not find expected ':'", mark, key.mark, true));
            }
            key.possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_simple_key(&mut self) -> Result<(), Failure> {
        let required = self.flow_level == 0 && self.indent == self.chars.column();
        if !self.simple_key_allowed {
            return Ok(());
        }
        let key = SimpleKey {
            possible: true,
            required,
            token_number: self.next_token_number(),
            mark: self.chars.mark,
        };
        self.remove_simple_key()?;
        if let Some(last) = self.simple_keys.last_mut() {
            *last = key;
            self.forget_simple_key_of(key.token_number);
            self.simple_keys_by_token.push_back((key.token_number, self.simple_keys.len() - 1));
        }
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), Failure> {
        let mark = self.chars.mark;
        let Some(key) = self.simple_keys.last_mut() else { return Ok(()) };
        if key.possible {
            if key.required {
                return Err(Failure::new("could not find expected ':'", mark, key.mark, true));
            }
            key.possible = false;
            let number = key.token_number;
            self.forget_simple_key_of(number);
        }
        Ok(())
    }

    fn roll_indent(
        &mut self,
        column: i64,
        number: Option<usize>,
        token: Token<'t>,
        mark: Mark,
    ) -> Result<(), Failure> {
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            let context = self.simple_keys.last().map_or(mark, |key| key.mark);
            return Err(self.error("exceeded max depth of 10000", context));
        }
        self.insert(number, token, mark);
        Ok(())
    }

    /// Puts a token that is not written before the one with this number, or last.
    fn insert(&mut self, number: Option<usize>, token: Token<'t>, start: Mark) {
        let token = Spanned { token, start, end: start.offset };
        let place = number.and_then(|number| number.checked_sub(self.tokens_parsed));
        match place.filter(|place| *place <= self.tokens.len()) {
            Some(place) => self.tokens.insert(place, token),
            None => self.tokens.push_back(token),
        }
    }

    fn unroll_indent(&mut self, column: i64) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(Token::BlockEnd);
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

    fn indicator(&mut self, token: Token<'t>, length: usize) {
        let start = self.chars.mark;
        for _ in 0..length {
            self.chars.skip();
        }
        self.tokens.push_back(self.spanned(token, start));
    }

    fn fetch_stream_end(&mut self) -> Result<(), Failure> {
        self.chars.force_new_line();
        self.leave_blocks()?;
        self.push(Token::StreamEnd);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), Failure> {
        self.leave_blocks()?;
        self.scan_directive().map(|token| self.tokens.push_back(token))
    }

    fn fetch_document_indicator(&mut self, token: Token<'t>) -> Result<(), Failure> {
        self.leave_blocks()?;
        self.indicator(token, 3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, token: Token<'t>) -> Result<(), Failure> {
        self.save_simple_key()?;
        let key = SimpleKey {
            possible: false,
            required: false,
            token_number: self.next_token_number(),
            mark: self.chars.mark,
        };
        self.simple_keys.push(key);
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return Err(self.error("exceeded max depth of 10000", key.mark));
        }
        self.simple_key_allowed = true;
        self.indicator(token, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, token: Token<'t>) -> Result<(), Failure> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                self.forget_simple_key_of(key.token_number);
            }
        }
        self.simple_key_allowed = false;
        self.indicator(token, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Failure> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                let problem = "block sequence entries are not allowed in this context";
                return Err(self.error(problem, self.chars.mark));
            }
            self.roll_indent(self.chars.column(), None, Token::BlockSequenceStart, self.chars.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.indicator(Token::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Failure> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error("mapping keys are not allowed in this context", self.chars.mark));
            }
            self.roll_indent(self.chars.column(), None, Token::BlockMappingStart, self.chars.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.indicator(Token::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Failure> {
        let last = self.simple_keys.len().saturating_sub(1);
        if self.simple_key_is_valid(last)? {
            let key = self.simple_keys[last];
            self.insert(Some(key.token_number), Token::Key, key.mark);
            let column = i64::from(key.mark.column);
            self.roll_indent(column, Some(key.token_number), Token::BlockMappingStart, key.mark)?;
            self.simple_keys[last].possible = false;
            self.forget_simple_key_of(key.token_number);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return Err(self.error("mapping values are not allowed in this context", self.chars.mark));
                }
                self.roll_indent(self.chars.column(), None, Token::BlockMappingStart, self.chars.mark)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.indicator(Token::Value, 1);
        Ok(())
    }

    fn skip_to_next_token(&mut self) -> Result<(), Failure> {
        loop {
            self.chars.need(1)?;
            if self.chars.mark.column == 0 && self.chars.is_byte_order_mark() {
                self.chars.skip();
            }
            self.chars.need(1)?;
            // A tab may not stand where it would count as indentation.
            while self.chars.here() == ' '
                || (self.chars.here() == '\t' && (self.flow_level > 0 || !self.simple_key_allowed))
            {
                self.chars.skip();
                self.chars.need(1)?;
            }
            self.chars.skip_comment()?;
            if !is_break(self.chars.here()) {
                return Ok(());
            }
            self.chars.need(2)?;
            self.chars.skip_line();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }
}

/// Whether a plain scalar can start with this character.
fn starts_plain(char: char, next: char, block: bool) -> bool {
    match char {
        '-' => !is_blank(next),
        '?' | ':' => block && !is_blankz(next),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
            false
        }
        _ => !is_blankz(char),
    }
}
