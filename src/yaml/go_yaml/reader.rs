//! Characters with a mark, as the scanner of go.yaml.in/yaml/v2 reads them: text comes in, characters, line breaks and
//! the reader's errors go out. Tokens are left to `scanner`.

/// A place in the text; all count from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Characters before it.
    pub(super) index: usize,
    pub(super) line: usize,
    /// In characters.
    pub(super) column: usize,
}

/// An error in Go's words, without its leading `yaml: `.
pub(super) type Failure = String;

/// Go's parser says a line only for marks beyond the first, and counts it differently for the scanner's errors
/// (`parser.fail` in decode.go).
pub(super) fn failure(problem: &str, at: Mark, context: Mark, by_scanner: bool) -> Failure {
    let line = if at.line != 0 { at.line + usize::from(by_scanner) } else { context.line };
    if line == 0 { problem.to_owned() } else { format!("line {line}: {problem}") }
}

/// The size of the pieces in which Go reads and checks text. It shows: an error of the scanner wins over a control
/// character in a later piece, and loses against one in the same.
const PIECE: usize = 512;

#[derive(Debug)]
pub(super) struct Reader {
    chars: Vec<char>,
    pub(super) mark: Mark,
    /// Where the buffer of Go's reader begins and ends just now, as indices of characters.
    buffer: (usize, usize),
    /// Ends of the pieces, as indices of characters; up to the first with a control character.
    pieces: Vec<usize>,
    /// Whether the piece behind the last of `pieces` holds a control character.
    control: bool,
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        // An empty text is read as one line break.
        let text = if text.is_empty() { "\n" } else { text };
        let mut reader = Self {
            chars: Vec::new(),
            mark: Mark::default(),
            buffer: (0, 0),
            pieces: Vec::new(),
            control: false,
        };
        // The byte order mark is in the first piece, but not among the characters.
        let (body, mut room) = match text.strip_prefix('\u{feff}') {
            Some(body) => (body, PIECE - 3),
            None => (text, PIECE),
        };
        for char in body.chars() {
            if char.len_utf8() > room {
                reader.pieces.push(reader.chars.len());
                room = PIECE;
            }
            if !allowed(char) {
                reader.control = true;
                return reader;
            }
            room -= char.len_utf8();
            reader.chars.push(char);
        }
        reader.pieces.push(reader.chars.len());
        reader
    }

    /// Makes sure that `length` characters can be looked at.
    ///
    /// # Errors
    /// A control character in the piece that has to be read for it.
    pub(super) fn need(&mut self, length: usize) -> Result<(), Failure> {
        let wanted = self.mark.index + length;
        if wanted <= self.buffer.1 {
            return Ok(());
        }
        self.buffer.0 = self.mark.index;
        let next = self.pieces.partition_point(|end| *end < wanted);
        match self.pieces.get(next) {
            Some(end) => self.buffer.1 = *end,
            None if self.control => return Err("control characters are not allowed".to_owned()),
            None => {}
        }
        Ok(())
    }

    /// The character `ahead` of the mark; NUL behind the end.
    pub(super) fn at(&self, ahead: usize) -> char {
        self.chars.get(self.mark.index + ahead).copied().unwrap_or('\0')
    }

    /// The character at the mark.
    pub(super) fn here(&self) -> char {
        self.at(0)
    }

    /// Whether Go takes what is at the mark for a byte order mark. It looks at the start of its buffer.
    pub(super) fn is_byte_order_mark(&self) -> bool {
        self.chars.get(self.buffer.0) == Some(&'\u{feff}')
    }

    pub(super) fn skip(&mut self) {
        self.mark.index += 1;
        self.mark.column += 1;
    }

    pub(super) fn take(&mut self, into: &mut String) {
        into.push(self.here());
        self.skip();
    }

    /// Passes over a line break; CR LF is one.
    pub(super) fn skip_line(&mut self) {
        if !is_break(self.here()) {
            return;
        }
        self.mark.index += if self.here() == '\r' && self.at(1) == '\n' { 2 } else { 1 };
        self.mark.column = 0;
        self.mark.line += 1;
    }

    /// Passes over a line break and keeps it: a line feed, but U+2028 and U+2029 as they are.
    pub(super) fn take_line(&mut self, into: &mut String) {
        match self.here() {
            kept @ ('\u{2028}' | '\u{2029}') => into.push(kept),
            char if is_break(char) => into.push('\n'),
            _ => return,
        }
        self.skip_line();
    }

    /// Passes over blanks, a comment, and stops before the line break.
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
                self.skip();
                self.need(1)?;
            }
        }
        Ok(())
    }

    /// `---` or `...` at the start of a line, with a blank or nothing behind it.
    pub(super) fn is_document_indicator(&self, indicator: char) -> bool {
        self.mark.column == 0 && (0..3).all(|ahead| self.at(ahead) == indicator) && is_blankz(self.at(3))
    }

    /// The reader has nothing more to say at the end of the stream but that the last line is over.
    pub(super) fn force_new_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }
}

/// What Go's reader lets through.
fn allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t')
}

pub(super) fn is_break(char: char) -> bool {
    matches!(char, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_breakz(char: char) -> bool {
    char == '\0' || is_break(char)
}

pub(super) fn is_blankz(char: char) -> bool {
    is_blank(char) || is_breakz(char)
}

/// What anchors, directives and tag handles are made of.
pub(super) fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}
