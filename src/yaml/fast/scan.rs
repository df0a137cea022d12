//! Scalars of one line, as the quick reader scans them. In: where one begins; out: where it ends, and whether it is a
//! key. Nodes are left to `fast`.

use super::{MAX_KEY, Reader, Scanned, Sure, Unsure};
use crate::yaml::node::ScalarStyle;

impl Reader<'_> {
    /// A plain or quoted scalar of one line, and whether it is a key.
    pub(super) fn scan_scalar(&mut self) -> Sure<Scanned> {
        let start = self.at;
        let (style, end) = match self.byte(start) {
            b'"' => (ScalarStyle::DoubleQuoted, self.double_quoted(start)?),
            b'\'' => (ScalarStyle::SingleQuoted, self.single_quoted(start)?),
            _ => return self.plain(start),
        };
        let at = self.skip_spaces(end);
        let mut colon = None;
        if self.byte(at) == b':' {
            if end - start > MAX_KEY || !(self.byte(at + 1) == b' ' || self.ends_line(at + 1)?) {
                return Err(Unsure);
            }
            colon = Some(at + 1);
        }
        Ok(Scanned { style, start, end, colon })
    }

    fn plain(&self, start: usize) -> Sure<Scanned> {
        match self.byte(start) {
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`' | b'?' | b':' | b'\n' | b'\r' | b'\t' => return Err(Unsure),
            b'-' if !(self.byte(start + 1).is_ascii_alphanumeric()
                || matches!(self.byte(start + 1), b'-' | b'.' | b'_' | b'/')) =>
            {
                return Err(Unsure);
            }
            0xef => self.check_mark(start)?,
            _ => {}
        }
        let mut at = start + 1;
        let (mut end, mut colon) = (start, None);
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let stop = if self.plain {
                memchr::memchr3(b'\n', b':', b'#', rest)
            } else {
                rest.iter().position(|byte| STOPS[usize::from(*byte)])
            };
            at += stop.unwrap_or(rest.len());
            match self.byte(at) {
                b':' if self.byte(at + 1) == b' ' || self.ends_line(at + 1)? => {
                    if at - start > MAX_KEY {
                        return Err(Unsure);
                    }
                    colon = Some(at + 1);
                    break;
                }
                b':' if self.byte(at + 1) == b'\t' => return Err(Unsure),
                b':' => at += 1,
                b'#' if self.text[at - 1] == b' ' => break,
                b'#' => at += 1,
                b'\t' => return Err(Unsure),
                _ => {
                    self.ends_line(at)?;
                    break;
                }
            }
        }
        let mut after = at.min(self.text.len());
        while after > start && self.text[after - 1] == b' ' {
            after -= 1;
        }
        end = end.max(after);
        Ok(Scanned { style: ScalarStyle::Plain, start, end, colon })
    }

    /// A byte-order mark is no start of a scalar, though it may stand inside of one.
    fn check_mark(&self, start: usize) -> Sure<()> {
        if self.text[start..].starts_with("\u{feff}".as_bytes()) { Err(Unsure) } else { Ok(()) }
    }

    /// After the closing quote.
    fn single_quoted(&self, start: usize) -> Sure<usize> {
        let mut at = start + 1;
        loop {
            at += memchr::memchr3(b'\'', b'\n', b'\r', self.text.get(at..).ok_or(Unsure)?).ok_or(Unsure)?;
            match (self.text[at], self.text.get(at + 1)) {
                (b'\'', Some(b'\'')) => at += 2,
                (b'\'', _) => return Ok(at + 1),
                _ => return Err(Unsure),
            }
        }
    }

    /// After the closing quote.
    fn double_quoted(&self, start: usize) -> Sure<usize> {
        let mut at = start + 1;
        loop {
            let Some(&byte) = self.text.get(at) else { return Err(Unsure) };
            match byte {
                b'"' => return Ok(at + 1),
                b'\n' | b'\r' => return Err(Unsure),
                b'\\' => at = self.escape(at)?,
                _ => at += 1,
            }
        }
    }

    fn escape(&self, at: usize) -> Sure<usize> {
        let digits = match self.byte(at + 1) {
            b'"' | b'\\' | b'n' | b't' | b'r' | b'0' | b'a' | b'b' | b'e' | b'f' | b'v' | b' ' => {
                return Ok(at + 2);
            }
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => return Err(Unsure),
        };
        let code = self.text.get(at + 2..at + 2 + digits).ok_or(Unsure)?;
        let mut value: u32 = 0;
        for byte in code {
            let digit = char::from(*byte).to_digit(16).ok_or(Unsure)?;
            value = value.checked_mul(16).ok_or(Unsure)? + digit;
        }
        char::from_u32(value).ok_or(Unsure)?;
        Ok(at + 2 + digits)
    }

    /// A scalar of one line inside of a flow collection.
    pub(super) fn flow_scalar(&self, key: bool) -> Sure<Scanned> {
        let start = self.at;
        let (style, end) = match self.byte(start) {
            b'"' => (ScalarStyle::DoubleQuoted, self.double_quoted(start)?),
            b'\'' => (ScalarStyle::SingleQuoted, self.single_quoted(start)?),
            _ => (ScalarStyle::Plain, self.flow_plain(start)?),
        };
        if !key {
            return Ok(Scanned { style, start, end, colon: None });
        }
        let at = self.skip_spaces(end);
        let spaced = self.byte(at + 1) == b' ' || self.ends_line(at + 1)?;
        if self.byte(at) != b':' || end - start > MAX_KEY || !(spaced || style == ScalarStyle::DoubleQuoted) {
            return Err(Unsure);
        }
        Ok(Scanned { style, start, end, colon: Some(at + 1) })
    }

    fn flow_plain(&self, start: usize) -> Sure<usize> {
        let plain = |b: u8| {
            b.is_ascii_alphanumeric()
                || b >= 0x80
                || matches!(b, b'_' | b'.' | b'/' | b'~' | b'+' | b'$' | b'<' | b'=')
        };
        let first = self.byte(start);
        if !(plain(first)
            || (first == b'-'
                && (self.byte(start + 1).is_ascii_alphanumeric() || self.byte(start + 1) == b'-')))
        {
            return Err(Unsure);
        }
        self.check_mark(start)?;
        let mut at = start + 1;
        loop {
            match self.byte(at) {
                b',' | b'[' | b']' | b'{' | b'}' | b'\n' | b'\r' => break,
                b':' if self.byte(at + 1) == b' ' || self.ends_line(at + 1)? => break,
                b':' if !(self.byte(at + 1).is_ascii_alphanumeric() || self.byte(at + 1) == b'/') => {
                    return Err(Unsure);
                }
                b'#' if self.text[at - 1] == b' ' => break,
                b'#' | b'\t' | b'?' => return Err(Unsure),
                _ => at += 1,
            }
        }
        while self.text[at - 1] == b' ' {
            at -= 1;
        }
        Ok(at)
    }
}

/// Bytes that may end a plain scalar.
static STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    stops[b'\n' as usize] = true;
    stops[b'\r' as usize] = true;
    stops[b'\t' as usize] = true;
    stops[b':' as usize] = true;
    stops[b'#' as usize] = true;
    stops
};
