//! Scalars as the scanner of go.yaml.in/yaml/v2 v2.4.2 reads them: folding, escapes, block indentation, and their errors.

use super::chars::{Failure, Mark, Sink, is_blank, is_blankz, is_break, is_breakz};
use super::scanner::{Scanner, Spanned, Token};
use crate::yaml::node::ScalarStyle;

/// What a scanned scalar remembers between two words.
#[derive(Default)]
struct Gap {
    leading_break: Option<char>,
    trailing_breaks: String,
    /// From one byte to another, in the text.
    blanks: (u32, u32),
}

impl Gap {
    fn has_blanks(&self) -> bool {
        self.blanks.0 < self.blanks.1
    }

    /// Joins two lines or words: a single line feed becomes a space, more become one less.
    fn fold_into(&mut self, text: &str, breaks: bool, out: &mut impl Sink) {
        if !breaks {
            out.text(&text[self.blanks.0 as usize..self.blanks.1 as usize]);
            self.blanks = (0, 0);
            return;
        }
        match self.leading_break.take() {
            Some('\n') if self.trailing_breaks.is_empty() => out.char(' '),
            Some('\n') | None => {}
            Some(kept) => out.char(kept),
        }
        out.text(&self.trailing_breaks);
        self.trailing_breaks.clear();
    }
}

/// Bytes that a plain scalar holds whatever follows them.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        plain[byte] = !matches!(byte as u8, b':' | b',' | b'?' | b'[' | b']' | b'{' | b'}');
        byte += 1;
    }
    plain
};

/// Bytes that a quoted scalar holds as they are.
static QUOTED: [bool; 256] = {
    let mut quoted = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        quoted[byte] = !matches!(byte as u8, b'\'' | b'"' | b'\\');
        byte += 1;
    }
    quoted
};

impl<'t> Scanner<'t> {
    /// A single- or double-quoted scalar.
    pub(super) fn scan_quoted(
        &mut self,
        single: bool,
        value: &mut impl Sink,
    ) -> Result<Spanned<'t>, Failure> {
        let start = self.chars.mark;
        let quote = if single { '\'' } else { '"' };
        self.chars.skip();
        let mut gap = Gap::default();
        loop {
            self.chars.need(4)?;
            if self.chars.is_document_indicator('-') || self.chars.is_document_indicator('.') {
                return Err(self.error("found unexpected document indicator", start));
            }
            if self.chars.here() == '\0' {
                return Err(self.error("found unexpected end of stream", start));
            }
            let mut leading_blanks = false;
            while !is_blankz(self.chars.here()) {
                self.chars.take_run(&QUOTED, value);
                let (char, next) = (self.chars.here(), self.chars.at(1));
                if is_blankz(char) {
                    break;
                } else if single && char == '\'' && next == '\'' {
                    value.char('\'');
                    self.chars.skip();
                    self.chars.skip();
                } else if char == quote {
                    break;
                } else if !single && char == '\\' && is_break(next) {
                    self.chars.need(3)?;
                    self.chars.skip();
                    self.chars.skip_line();
                    leading_blanks = true;
                    break;
                } else if !single && char == '\\' {
                    let escaped = self.scan_escape(start)?;
                    value.char(escaped);
                } else {
                    self.chars.take(value);
                }
                self.chars.need(2)?;
            }
            self.chars.need(1)?;
            if self.chars.here() == quote {
                break;
            }
            self.scan_gap(&mut gap, &mut leading_blanks, None)?;
            gap.fold_into(self.chars.text, leading_blanks, value);
        }
        self.chars.skip();
        let style = if single { ScalarStyle::SingleQuoted } else { ScalarStyle::DoubleQuoted };
        Ok(self.spanned(Token::Scalar(style), start))
    }

    fn scan_escape(&mut self, start: Mark) -> Result<char, Failure> {
        let (char, digits) = match self.chars.at(1) {
            '0' => ('\0', 0),
            'a' => ('\u{7}', 0),
            'b' => ('\u{8}', 0),
            't' | '\t' => ('\t', 0),
            'n' => ('\n', 0),
            'v' => ('\u{b}', 0),
            'f' => ('\u{c}', 0),
            'r' => ('\r', 0),
            'e' => ('\u{1b}', 0),
            same @ (' ' | '"' | '\'' | '\\') => (same, 0),
            'N' => ('\u{85}', 0),
            '_' => ('\u{a0}', 0),
            'L' => ('\u{2028}', 0),
            'P' => ('\u{2029}', 0),
            'x' => ('\0', 2),
            'u' => ('\0', 4),
            'U' => ('\0', 8),
            _ => return Err(self.error("found unknown escape character", start)),
        };
        self.chars.skip();
        self.chars.skip();
        if digits == 0 {
            return Ok(char);
        }
        self.chars.need(digits)?;
        let mut code: u32 = 0;
        for ahead in 0..digits {
            let Some(digit) = self.chars.at(ahead as usize).to_digit(16) else {
                return Err(self.error("did not find expected hexdecimal number", start));
            };
            code = (code << 4) | digit;
        }
        let Some(char) = char::from_u32(code) else {
            return Err(self.error("found invalid Unicode character escape code", start));
        };
        for _ in 0..digits {
            self.chars.skip();
        }
        Ok(char)
    }

    /// Blanks and line breaks between two words; with an indentation, tabs before it are an error.
    fn scan_gap(
        &mut self,
        gap: &mut Gap,
        leading_blanks: &mut bool,
        plain: Option<(i64, Mark)>,
    ) -> Result<(), Failure> {
        loop {
            let char = self.chars.here();
            if is_blank(char) {
                if let Some((indent, start)) = plain
                    && *leading_blanks
                    && char == '\t'
                    && self.chars.column() < indent
                {
                    return Err(self.error("found a tab character that violates indentation", start));
                }
                if *leading_blanks {
                    self.chars.skip();
                } else {
                    if !gap.has_blanks() {
                        gap.blanks.0 = self.chars.mark.offset;
                    }
                    self.chars.skip();
                    gap.blanks.1 = self.chars.mark.offset;
                }
            } else if is_break(char) {
                self.chars.need(2)?;
                if *leading_blanks {
                    gap.trailing_breaks.extend(self.chars.take_line());
                } else {
                    gap.blanks = (0, 0);
                    gap.leading_break = self.chars.take_line();
                    *leading_blanks = true;
                }
            } else {
                return Ok(());
            }
            self.chars.need(1)?;
        }
    }

    /// A plain scalar, over several lines if they are indented deeply enough.
    pub(super) fn scan_plain(&mut self, value: &mut impl Sink) -> Result<Spanned<'t>, Failure> {
        let start = self.chars.mark;
        let mut end = start.offset;
        let indent = self.indent + 1;
        let mut gap = Gap::default();
        let mut leading_blanks = false;
        loop {
            self.chars.need(4)?;
            if self.chars.is_document_indicator('-') || self.chars.is_document_indicator('.') {
                break;
            }
            if self.chars.here() == '#' {
                break;
            }
            while !is_blankz(self.chars.here()) {
                let char = self.chars.here();
                let flow_indicator = matches!(char, ',' | '?' | '[' | ']' | '{' | '}');
                if (char == ':' && is_blankz(self.chars.at(1))) || (self.flow_level > 0 && flow_indicator) {
                    break;
                }
                if leading_blanks || gap.has_blanks() {
                    gap.fold_into(self.chars.text, leading_blanks, value);
                    leading_blanks = false;
                }
                self.chars.take(value);
                self.chars.take_run(&PLAIN, value);
                end = self.chars.mark.offset;
                self.chars.need(2)?;
            }
            if !is_blank(self.chars.here()) && !is_break(self.chars.here()) {
                break;
            }
            self.chars.need(1)?;
            self.scan_gap(&mut gap, &mut leading_blanks, Some((indent, start)))?;
            if self.flow_level == 0 && self.chars.column() < indent {
                break;
            }
        }
        if leading_blanks {
            self.simple_key_allowed = true;
        }
        Ok(Spanned { token: Token::Scalar(ScalarStyle::Plain), start, end })
    }

    /// A literal or folded block scalar.
    pub(super) fn scan_block_scalar(
        &mut self,
        literal: bool,
        value: &mut impl Sink,
    ) -> Result<Spanned<'t>, Failure> {
        let start = self.chars.mark;
        self.chars.skip();
        self.chars.need(1)?;
        let (mut chomping, mut increment) = (None, 0);
        if matches!(self.chars.here(), '+' | '-') {
            chomping = Some(self.chars.here());
            self.chars.skip();
            self.chars.need(1)?;
            if self.chars.here().is_ascii_digit() {
                increment = self.scan_increment(start)?;
            }
        } else if self.chars.here().is_ascii_digit() {
            increment = self.scan_increment(start)?;
            self.chars.need(1)?;
            if matches!(self.chars.here(), '+' | '-') {
                chomping = Some(self.chars.here());
                self.chars.skip();
            }
        }
        self.end_line(start)?;
        // 0 stands for an indentation that the first line decides.
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let (mut leading_break, mut trailing_breaks) = (None, String::new());
        // Where the scalar ends if the blank lines after it are none of it.
        let mut end = self.chars.mark.offset;
        self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        self.chars.need(1)?;
        let mut leading_blank = false;
        while self.chars.column() == indent && self.chars.here() != '\0' {
            let trailing_blank = is_blank(self.chars.here());
            if !literal && !leading_blank && !trailing_blank && leading_break == Some('\n') {
                if trailing_breaks.is_empty() {
                    value.char(' ');
                }
            } else if let Some(kept) = leading_break {
                value.char(kept);
            }
            value.text(&trailing_breaks);
            trailing_breaks.clear();
            leading_blank = is_blank(self.chars.here());
            loop {
                self.chars.take_line_rest(value);
                if is_breakz(self.chars.here()) {
                    break;
                }
                self.chars.take(value);
                self.chars.need(1)?;
            }
            self.chars.need(2)?;
            leading_break = self.chars.take_line();
            end = self.chars.mark.offset;
            self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        }
        if chomping != Some('-') {
            leading_break.into_iter().for_each(|kept| value.char(kept));
        }
        if chomping == Some('+') {
            value.text(&trailing_breaks);
            // The blanks in front of what follows are none of it.
            let blanks = if self.chars.here() == '\0' { 0 } else { self.chars.mark.column };
            end = self.chars.mark.offset - blanks;
        }
        let style = if literal { ScalarStyle::Literal } else { ScalarStyle::Folded };
        Ok(Spanned { token: Token::Scalar(style), start, end })
    }

    fn scan_increment(&mut self, start: Mark) -> Result<i64, Failure> {
        match self.chars.here().to_digit(10) {
            Some(0) | None => Err(self.error("found an indentation indicator equal to 0", start)),
            Some(digit) => {
                self.chars.skip();
                Ok(i64::from(digit))
            }
        }
    }

    /// Indentation and empty lines; decides the indentation if it is not known.
    fn scan_block_breaks(
        &mut self,
        indent: &mut i64,
        breaks: &mut String,
        start: Mark,
    ) -> Result<(), Failure> {
        let mut deepest = 0;
        loop {
            self.chars.need(1)?;
            while (*indent == 0 || self.chars.column() < *indent) && self.chars.here() == ' ' {
                self.chars.skip();
                self.chars.need(1)?;
            }
            deepest = deepest.max(self.chars.column());
            if (*indent == 0 || self.chars.column() < *indent) && self.chars.here() == '\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.error(problem, start));
            }
            if !is_break(self.chars.here()) {
                break;
            }
            self.chars.need(2)?;
            breaks.extend(self.chars.take_line());
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}
