//! The geometry of block scalars: header, indentation, end, as the quick reader and the editor measure it.

/// What happens to the line breaks at the end of a block scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chomp {
    /// No indicator: one line break stays.
    Clip,
    /// `-`: none stays.
    Strip,
    /// `+`: all stay.
    Keep,
}

/// Where the parts of a block scalar stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockScalar {
    /// First byte of the first line below the header.
    pub body: usize,
    /// Start of the first line that is not blank; with an indentation indicator `body`.
    pub lead: usize,
    /// Spaces in front of the content's lines.
    pub indent: usize,
    /// The header names the indentation (`|2`).
    pub explicit_indent: bool,
    /// The chomping indicator.
    pub chomp: Chomp,
    /// After the last content line's break; `body` if there is no content.
    pub content_end: usize,
    /// After the last blank line that follows the content.
    pub blank_end: usize,
}

impl BlockScalar {
    /// A tab after the spaces of the first line where these decide the indentation. libyaml refuses it.
    pub fn tab(&self, text: &[u8]) -> Option<usize> {
        let at = self.lead + self.indent;
        (!self.explicit_indent && self.content_end > self.body && text.get(at) == Some(&b'\t')).then_some(at)
    }

    /// One after the last byte that belongs to the scalar by its chomping.
    pub fn end(&self) -> usize {
        match self.chomp {
            Chomp::Keep => self.blank_end,
            Chomp::Clip | Chomp::Strip => self.content_end,
        }
    }
}

/// Measures the block scalar whose `|` or `>` stands at `start`. `parent` is the column (from 0) of the block
/// collection it stands in, `None` at the root of a document.
///
/// Indentation is as libyaml finds it: that of the first line that is not blank, at least one more than the parent's,
/// and at least 1. A malformed header is not judged here.
pub fn block_scalar(text: &[u8], start: usize, parent: Option<usize>) -> BlockScalar {
    let mut at = start + 1;
    let mut chomp = Chomp::Clip;
    let mut explicit = None;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'+' => chomp = Chomp::Keep,
            b'-' => chomp = Chomp::Strip,
            b'1'..=b'9' => explicit = Some(usize::from(byte - b'0')),
            _ => break,
        }
        at += 1;
    }
    let body = next_line(text, at);
    let least = parent.map_or(1, |column| column + 1);
    // With the indentation still to be found, blank lines may be as long as they like.
    let lead = if explicit.is_some() { body } else { first_text_line(text, body) };
    let indent = match explicit {
        Some(more) => parent.unwrap_or(0) + more,
        None => spaces(text, lead).max(least),
    };
    let mut content_end = body;
    let mut line = lead;
    while line < text.len() {
        let first = line + spaces(text, line).min(indent);
        let next = next_line(text, first);
        let blank = matches!(text.get(first), None | Some(b'\n' | b'\r'));
        if !blank {
            if first - line < indent {
                break;
            }
            content_end = next;
        }
        line = next;
    }
    BlockScalar {
        body,
        lead,
        indent,
        explicit_indent: explicit.is_some(),
        chomp,
        content_end,
        blank_end: line,
    }
}

/// Start of the first line that holds anything but spaces, or the end.
fn first_text_line(text: &[u8], body: usize) -> usize {
    let mut line = body;
    while line < text.len() {
        let first = line + spaces(text, line);
        match text.get(first) {
            Some(b'\n' | b'\r') => line = next_line(text, first),
            Some(_) => return line,
            None => return text.len(),
        }
    }
    line
}

fn spaces(text: &[u8], line: usize) -> usize {
    text[line..].iter().take_while(|&&b| b == b' ').count()
}

/// The offset after the next line break (LF, CRLF, CR), or the end.
pub(super) fn next_line(text: &[u8], from: usize) -> usize {
    match memchr::memchr2(b'\n', b'\r', &text[from..]) {
        None => text.len(),
        Some(found) => {
            let at = from + found;
            if text[at] == b'\r' && text.get(at + 1) == Some(&b'\n') { at + 2 } else { at + 1 }
        }
    }
}
