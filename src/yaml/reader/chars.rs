//! The characters of a text with a mark, as the scanner of go.yaml.in/yaml/v2 v2.4.2 sees them (`readerc.go`). Tokens
//! are left to `scanner`.

use std::borrow::Cow;

/// A place in the text; all count from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// In bytes.
    pub(super) offset: u32,
    /// Characters before it, a byte-order mark at the start not counted.
    pub(super) index: u32,
    /// As Go counts lines: also U+0085, U+2028 and U+2029 end one.
    pub(super) line: u32,
    /// In characters.
    pub(super) column: u32,
}

/// Why Go refuses a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// In Go's words.
    pub(super) problem: Cow<'static, str>,
    /// The byte where it was found.
    pub(super) at: usize,
    /// The byte where the token or collection that it was found in begins.
    pub(super) context: usize,
    /// The line that Go names; 0 for none.
    line: u32,
}

impl Failure {
    /// Go's parser names a line only beyond the first, and counts it otherwise for the scanner's errors (`parser.fail`
    /// in decode.go).
    pub(super) fn new(
        problem: impl Into<Cow<'static, str>>,
        at: Mark,
        context: Mark,
        by_scanner: bool,
    ) -> Self {
        let line = if at.line != 0 { at.line + u32::from(by_scanner) } else { context.line };
        Self { problem: problem.into(), at: at.offset as usize, context: context.offset as usize, line }
    }

    /// A failure for which Go names no line.
    pub(super) fn without_line(problem: impl Into<Cow<'static, str>>, at: usize) -> Self {
        Self { problem: problem.into(), at, context: at, line: 0 }
    }

    /// The whole error as Go writes it.
    pub(super) fn in_go_words(&self) -> String {
        match self.line {
            0 => format!("yaml: {}", self.problem),
            line => format!("yaml: line {line}: {}", self.problem),
        }
    }
}

/// Takes the text of a scalar; `()` where nobody asks for it.
pub(super) trait Sink {
    fn char(&mut self, char: char);
    fn text(&mut self, text: &str);
}

impl Sink for String {
    fn char(&mut self, char: char) {
        self.push(char);
    }
    fn text(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Sink for () {
    fn char(&mut self, _: char) {}
    fn text(&mut self, _: &str) {}
}

/// The size of the pieces in which Go reads and checks text. It shows: an error of the scanner wins over a control
/// character in a later piece, and loses against one in the same.
const PIECE: usize = 512;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Go's buffer, for texts in which it shows: those with a control character or a byte-order mark beyond the start.
#[derive(Debug)]
struct Buffer {
    /// Byte where the buffer begins just now.
    start: usize,
    /// Where it ends, as an index of characters.
    end: u32,
    /// Ends of the pieces, as indices of characters; up to the first with a control character.
    pieces: Vec<u32>,
    /// Byte of the first control character, which stands in the piece after the last of `pieces`.
    control: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Chars<'t> {
    /// Up to the first control character.
    pub(super) text: &'t str,
    pub(super) mark: Mark,
    buffer: Option<Buffer>,
}

impl<'t> Chars<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        // An empty text is read as one line break.
        let text = if text.is_empty() { "\n" } else { text };
        let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let start = text.len() - body.len();
        let mark = Mark { offset: start as u32, ..Mark::default() };
        if is_ordinary(body) {
            return Self { text, mark, buffer: None };
        }
        let buffer = Buffer::new(body, start);
        Self { text: &text[..buffer.control.unwrap_or(text.len())], mark, buffer: Some(buffer) }
    }

    /// The characters of one scalar's source, which stands somewhere in a line.
    pub(super) fn of_scalar(source: &'t str) -> Self {
        Self { text: source, mark: Mark { column: 1, ..Mark::default() }, buffer: None }
    }

    /// Makes sure that `length` characters can be looked at.
    ///
    /// # Errors
    /// A control character in the piece that has to be read for it.
    #[inline]
    pub(super) fn need(&mut self, length: u32) -> Result<(), Failure> {
        match &mut self.buffer {
            None => Ok(()),
            Some(buffer) => buffer.need(self.mark, length),
        }
    }

    /// The character `ahead` of the mark, all between them being ASCII; NUL after the end.
    #[inline]
    pub(super) fn at(&self, ahead: usize) -> char {
        let at = self.mark.offset as usize + ahead;
        match self.text.as_bytes().get(at) {
            None => '\0',
            Some(byte) if byte.is_ascii() => char::from(*byte),
            Some(_) => self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or('\u{fffd}'),
        }
    }

    /// The character at the mark.
    #[inline]
    pub(super) fn here(&self) -> char {
        self.at(0)
    }

    pub(super) fn column(&self) -> i64 {
        i64::from(self.mark.column)
    }

    /// Whether Go takes what is at the mark for a byte-order mark. It looks at the start of its buffer.
    pub(super) fn is_byte_order_mark(&self) -> bool {
        self.buffer.as_ref().is_some_and(|buffer| {
            self.text.get(buffer.start..).is_some_and(|rest| rest.starts_with(BYTE_ORDER_MARK))
        })
    }

    #[inline]
    pub(super) fn skip(&mut self) {
        // Go's reader may step over the end; there is nothing to step over then.
        if (self.mark.offset as usize) < self.text.len() {
            self.mark.offset += self.here().len_utf8() as u32;
        }
        self.mark.index += 1;
        self.mark.column += 1;
    }

    pub(super) fn take(&mut self, into: &mut impl Sink) {
        into.char(self.here());
        self.skip();
    }

    /// Passes over characters of the same line while their first byte is in the table, and keeps them. Does nothing where
    /// Go's buffer shows.
    #[inline]
    pub(super) fn take_run(&mut self, table: &[bool; 256], into: &mut impl Sink) {
        if self.buffer.is_some() {
            return;
        }
        let rest = &self.text[self.mark.offset as usize..];
        let end = rest.bytes().position(|byte| !table[usize::from(byte)]).unwrap_or(rest.len());
        self.take_bytes(end, into);
    }

    /// The same for all up to the next LF, CR or character that begins like another line break.
    pub(super) fn take_line_rest(&mut self, into: &mut impl Sink) {
        if self.buffer.is_some() {
            return;
        }
        let rest = &self.text[self.mark.offset as usize..];
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        let end = memchr::memchr2(0xc2, 0xe2, &rest.as_bytes()[..end]).unwrap_or(end);
        self.take_bytes(end, into);
    }

    fn take_bytes(&mut self, length: usize, into: &mut impl Sink) {
        let from = self.mark.offset as usize;
        let run = &self.text[from..from + length];
        let count = run.chars().count() as u32;
        into.text(run);
        self.mark.offset += length as u32;
        self.mark.index += count;
        self.mark.column += count;
    }

    /// Passes over a line break; CR LF is one.
    pub(super) fn skip_line(&mut self) {
        let char = self.here();
        if !is_break(char) {
            return;
        }
        let pair = char == '\r' && self.at(1) == '\n';
        self.mark.offset += if pair { 2 } else { char.len_utf8() as u32 };
        self.mark.index += if pair { 2 } else { 1 };
        self.mark.column = 0;
        self.mark.line += 1;
    }

    /// Passes over a line break and returns what is kept of it: a line feed, but U+2028 and U+2029 as they are.
    pub(super) fn take_line(&mut self) -> Option<char> {
        let kept = match self.here() {
            kept @ ('\u{2028}' | '\u{2029}') => kept,
            char if is_break(char) => '\n',
            _ => return None,
        };
        self.skip_line();
        Some(kept)
    }

    /// Passes over blanks and a comment, and stops before the line break.
    pub(super) fn skip_blanks_and_comment(&mut self) -> Result<(), Failure> {
        self.need(1)?;
        while is_blank(self.here()) {
            self.skip();
            self.need(1)?;
        }
        self.skip_comment()
    }

    pub(super) fn skip_comment(&mut self) -> Result<(), Failure> {
        if self.here() == '#' {
            while !is_breakz(self.here()) {
                self.take_line_rest(&mut ());
                if is_breakz(self.here()) {
                    break;
                }
                self.skip();
                self.need(1)?;
            }
        }
        Ok(())
    }

    /// `---` or `...` at the start of a line, with a blank or nothing after it.
    pub(super) fn is_document_indicator(&self, indicator: char) -> bool {
        self.mark.column == 0 && (0..3).all(|ahead| self.at(ahead) == indicator) && is_blankz(self.at(3))
    }

    /// The end of the stream ends its last line.
    pub(super) fn force_new_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }
}

impl Buffer {
    fn new(body: &str, start: usize) -> Self {
        let mut buffer = Self { start, end: 0, pieces: Vec::new(), control: None };
        // The byte-order mark is in the first piece, but not among the characters.
        let mut room = PIECE - start;
        let mut index = 0;
        for (at, char) in body.char_indices() {
            if char.len_utf8() > room {
                buffer.pieces.push(index);
                room = PIECE;
            }
            if !is_allowed(char) {
                buffer.control = Some(start + at);
                return buffer;
            }
            room -= char.len_utf8();
            index += 1;
        }
        buffer.pieces.push(index);
        buffer
    }

    fn need(&mut self, mark: Mark, length: u32) -> Result<(), Failure> {
        let wanted = mark.index + length;
        if wanted <= self.end {
            return Ok(());
        }
        self.start = mark.offset as usize;
        let next = self.pieces.partition_point(|end| *end < wanted);
        match (self.pieces.get(next), self.control) {
            (Some(end), _) => self.end = *end,
            (None, Some(at)) => return Err(Failure::without_line("control characters are not allowed", at)),
            (None, None) => {}
        }
        Ok(())
    }
}

/// Whether a text has neither characters that Go refuses, nor any by which its buffer shows, nor line breaks other than
/// LF and CR: what most texts are, and the quick reader needs.
pub(in crate::yaml) fn is_ordinary(text: &str) -> bool {
    // All else is fine, or a byte after one of these.
    let suspicious =
        |b: u8| (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r') | matches!(b, 0x7f | 0xc2 | 0xe2 | 0xef);
    // Without an early exit inside of a chunk the compiler compares many bytes at once.
    !text.as_bytes().chunks(256).any(|chunk| chunk.iter().fold(false, |found, b| found | suspicious(*b)))
        || text.chars().all(|char| {
            is_allowed(char) && !matches!(char, '\u{85}' | '\u{2028}' | '\u{2029}' | BYTE_ORDER_MARK)
        })
}

/// What Go's reader lets through.
pub(in crate::yaml) fn is_allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t')
}

pub(in crate::yaml) fn is_break(char: char) -> bool {
    matches!(char, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_breakz(char: char) -> bool {
    char == '\0' || is_break(char)
}

pub(in crate::yaml) fn is_blankz(char: char) -> bool {
    is_blank(char) || is_breakz(char)
}

/// What anchors, directives and tag handles are made of.
pub(super) fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}
