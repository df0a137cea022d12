//! Scalars as the scanner of go.yaml.in/yaml/v2 v2.4.2 reads them: folding, escapes, block indentation, and their errors.

use super::reader::{Failure, Mark, is_blank, is_blankz, is_break, is_breakz};
use super::scanner::{Scanner, Spanned, Token};

/// What a scanned scalar remembers between two words.
#[derive(Default)]
struct Gap {
    leading_break: String,
    trailing_breaks: String,
    blanks: String,
}

impl Gap {
    /// Joins two lines or words: a single line feed becomes a space, more become one less.
    fn fold_into(&mut self, out: &mut String, breaks: bool) {
        if breaks {
            if self.leading_break.starts_with('\n') {
                if self.trailing_breaks.is_empty() {
                    out.push(' ');
                } else {
                    out.push_str(&self.trailing_breaks);
                }
            } else {
                out.push_str(&self.leading_break);
                out.push_str(&self.trailing_breaks);
            }
            self.trailing_breaks.clear();
            self.leading_break.clear();
        } else {
            out.push_str(&self.blanks);
            self.blanks.clear();
        }
    }
}

impl Scanner {
    /// A single- or double-quoted scalar.
    pub(super) fn scan_quoted(&mut self, single: bool) -> Result<Spanned, Failure> {
        let start = self.reader.mark;
        let quote = if single { '\'' } else { '"' };
        self.reader.skip();
        let mut value = String::new();
        let mut gap = Gap::default();
        loop {
            self.reader.need(4)?;
            if self.reader.is_document_indicator('-') || self.reader.is_document_indicator('.') {
                return Err(self.error("found unexpected document indicator", start));
            }
            if self.reader.here() == '\0' {
                return Err(self.error("found unexpected end of stream", start));
            }
            let mut leading_blanks = false;
            while !is_blankz(self.reader.here()) {
                let (char, next) = (self.reader.here(), self.reader.at(1));
                if single && char == '\'' && next == '\'' {
                    value.push('\'');
                    self.reader.skip();
                    self.reader.skip();
                } else if char == quote {
                    break;
                } else if !single && char == '\\' && is_break(next) {
                    self.reader.need(3)?;
                    self.reader.skip();
                    self.reader.skip_line();
                    leading_blanks = true;
                    break;
                } else if !single && char == '\\' {
                    let escaped = self.scan_escape(start)?;
                    value.push(escaped);
                } else {
                    self.reader.take(&mut value);
                }
                self.reader.need(2)?;
            }
            self.reader.need(1)?;
            if self.reader.here() == quote {
                break;
            }
            self.scan_gap(&mut gap, &mut leading_blanks, None)?;
            gap.fold_into(&mut value, leading_blanks);
        }
        self.reader.skip();
        Ok(Spanned { token: Token::Scalar { value, plain: false }, start })
    }

    fn scan_escape(&mut self, start: Mark) -> Result<char, Failure> {
        let (char, digits) = match self.reader.at(1) {
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
        self.reader.skip();
        self.reader.skip();
        if digits == 0 {
            return Ok(char);
        }
        self.reader.need(digits)?;
        let mut code: u32 = 0;
        for ahead in 0..digits {
            let Some(digit) = self.reader.at(ahead).to_digit(16) else {
                return Err(self.error("did not find expected hexdecimal number", start));
            };
            code = (code << 4) | digit;
        }
        let Some(char) = char::from_u32(code) else {
            return Err(self.error("found invalid Unicode character escape code", start));
        };
        for _ in 0..digits {
            self.reader.skip();
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
            let char = self.reader.here();
            if is_blank(char) {
                if let Some((indent, start)) = plain
                    && *leading_blanks
                    && char == '\t'
                    && i64::try_from(self.reader.mark.column).is_ok_and(|column| column < indent)
                {
                    return Err(self.error("found a tab character that violates indentation", start));
                }
                if *leading_blanks {
                    self.reader.skip();
                } else {
                    self.reader.take(&mut gap.blanks);
                }
            } else if is_break(char) {
                self.reader.need(2)?;
                if *leading_blanks {
                    self.reader.take_line(&mut gap.trailing_breaks);
                } else {
                    gap.blanks.clear();
                    self.reader.take_line(&mut gap.leading_break);
                    *leading_blanks = true;
                }
            } else {
                return Ok(());
            }
            self.reader.need(1)?;
        }
    }

    /// A plain scalar, over several lines if they are indented deeply enough.
    pub(super) fn scan_plain(&mut self) -> Result<Spanned, Failure> {
        let start = self.reader.mark;
        let indent = self.indent + 1;
        let mut value = String::new();
        let mut gap = Gap::default();
        let mut leading_blanks = false;
        loop {
            self.reader.need(4)?;
            if self.reader.is_document_indicator('-') || self.reader.is_document_indicator('.') {
                break;
            }
            if self.reader.here() == '#' {
                break;
            }
            while !is_blankz(self.reader.here()) {
                let char = self.reader.here();
                let flow_indicator = matches!(char, ',' | '?' | '[' | ']' | '{' | '}');
                if (char == ':' && is_blankz(self.reader.at(1))) || (self.flow_level > 0 && flow_indicator) {
                    break;
                }
                if leading_blanks || !gap.blanks.is_empty() {
                    gap.fold_into(&mut value, leading_blanks);
                    leading_blanks = false;
                }
                self.reader.take(&mut value);
                self.reader.need(2)?;
            }
            if !is_blank(self.reader.here()) && !is_break(self.reader.here()) {
                break;
            }
            self.reader.need(1)?;
            self.scan_gap(&mut gap, &mut leading_blanks, Some((indent, start)))?;
            let column = i64::try_from(self.reader.mark.column).unwrap_or(i64::MAX);
            if self.flow_level == 0 && column < indent {
                break;
            }
        }
        if leading_blanks {
            self.simple_key_allowed = true;
        }
        Ok(Spanned { token: Token::Scalar { value, plain: true }, start })
    }

    /// A literal or folded block scalar.
    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<Spanned, Failure> {
        let start = self.reader.mark;
        self.reader.skip();
        self.reader.need(1)?;
        let (mut chomping, mut increment) = (None, 0);
        if matches!(self.reader.here(), '+' | '-') {
            chomping = Some(self.reader.here());
            self.reader.skip();
            self.reader.need(1)?;
            if self.reader.here().is_ascii_digit() {
                increment = self.scan_increment(start)?;
            }
        } else if self.reader.here().is_ascii_digit() {
            increment = self.scan_increment(start)?;
            self.reader.need(1)?;
            if matches!(self.reader.here(), '+' | '-') {
                chomping = Some(self.reader.here());
                self.reader.skip();
            }
        }
        self.reader.skip_blanks_and_comment()?;
        if !is_breakz(self.reader.here()) {
            return Err(self.error("did not find expected comment or line break", start));
        }
        if is_break(self.reader.here()) {
            self.reader.need(2)?;
            self.reader.skip_line();
        }
        // 0 stands for an indentation that the first line decides.
        let mut indent = if increment > 0 { self.indent.max(0) + increment } else { 0 };
        let mut value = String::new();
        let (mut leading_break, mut trailing_breaks) = (String::new(), String::new());
        self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        self.reader.need(1)?;
        let mut leading_blank = false;
        while i64::try_from(self.reader.mark.column) == Ok(indent) && self.reader.here() != '\0' {
            let trailing_blank = is_blank(self.reader.here());
            if !literal && !leading_blank && !trailing_blank && leading_break.starts_with('\n') {
                if trailing_breaks.is_empty() {
                    value.push(' ');
                }
            } else {
                value.push_str(&leading_break);
            }
            leading_break.clear();
            value.push_str(&trailing_breaks);
            trailing_breaks.clear();
            leading_blank = is_blank(self.reader.here());
            while !is_breakz(self.reader.here()) {
                self.reader.take(&mut value);
                self.reader.need(1)?;
            }
            self.reader.need(2)?;
            self.reader.take_line(&mut leading_break);
            self.scan_block_breaks(&mut indent, &mut trailing_breaks, start)?;
        }
        if chomping != Some('-') {
            value.push_str(&leading_break);
        }
        if chomping == Some('+') {
            value.push_str(&trailing_breaks);
        }
        Ok(Spanned { token: Token::Scalar { value, plain: false }, start })
    }

    fn scan_increment(&mut self, start: Mark) -> Result<i64, Failure> {
        match self.reader.here().to_digit(10) {
            Some(0) | None => Err(self.error("found an indentation indicator equal to 0", start)),
            Some(digit) => {
                self.reader.skip();
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
            self.reader.need(1)?;
            let column = |scanner: &Self| i64::try_from(scanner.reader.mark.column).unwrap_or(i64::MAX);
            while (*indent == 0 || column(self) < *indent) && self.reader.here() == ' ' {
                self.reader.skip();
                self.reader.need(1)?;
            }
            deepest = deepest.max(column(self));
            if (*indent == 0 || column(self) < *indent) && self.reader.here() == '\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.error(problem, start));
            }
            if !is_break(self.reader.here()) {
                break;
            }
            self.reader.need(2)?;
            self.reader.take_line(breaks);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}
