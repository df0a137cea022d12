//! Syntax errors with their place, and the limit of nesting that all readers share.

use std::fmt;

/// Deeper nesting is refused, so that no document can exhaust the stack. Go takes 10,000 levels.
pub(super) const MAX_DEPTH: usize = 255;

/// Why a text is not YAML that Kubernetes can read. Places count from the start of the slice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SyntaxError {
    /// What is wrong, in the words of Go's YAML reader where it has some, and how to mend it.
    pub message: String,
    /// Line in the slice, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl SyntaxError {
    pub(super) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(text, offset);
        Self { message: message.into(), line, column }
    }
}

/// Line and column (in characters) of a byte offset, both from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let mut offset = offset.min(bytes.len());
    // The column counts whole characters.
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let mut line = 1 + count_breaks(&bytes[..offset]);
    let mut from = memchr::memrchr2(b'\n', b'\r', &bytes[..offset]).map_or(0, |at| at + 1);
    // Between the two bytes of CRLF one is still on the line they end.
    if offset > 0 && bytes[offset - 1] == b'\r' && bytes.get(offset) == Some(&b'\n') {
        line -= 1;
        from = memchr::memrchr2(b'\n', b'\r', &bytes[..offset - 1]).map_or(0, |at| at + 1);
    }
    (line, 1 + text[from..offset].chars().count())
}

/// Counts LF, CRLF (as one) and lone CR.
pub(super) fn count_breaks(bytes: &[u8]) -> usize {
    let mut count = memchr::memchr_iter(b'\n', bytes).count();
    for at in memchr::memchr_iter(b'\r', bytes) {
        if bytes.get(at + 1) != Some(&b'\n') {
            count += 1;
        }
    }
    count
}
