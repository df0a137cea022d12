//! Anchors, tags and directives as the scanner of go.yaml.in/yaml/v2 v2.4.2 reads them, and their errors.

use std::borrow::Cow;

use super::TagDirectives;
use super::chars::{Failure, Mark, is_blank, is_blankz, is_word};
use super::scanner::{Scanner, Spanned, Token};

/// What the tags of YAML's own types begin with; written `!!`.
pub(in crate::yaml) const CORE: &str = "tag:yaml.org,2002:";

impl<'t> Scanner<'t> {
    /// `&name` or `*name`.
    pub(super) fn scan_anchor(&mut self, alias: bool) -> Result<Spanned<'t>, Failure> {
        let start = self.chars.mark;
        self.chars.skip();
        let name = self.scan_word()?;
        let end = self.chars.here();
        if name.is_empty()
            || !(is_blankz(end) || matches!(end, '?' | ':' | ',' | ']' | '}' | '%' | '@' | '`'))
        {
            return Err(self.error("did not find expected alphabetic or numeric character", start));
        }
        Ok(self.spanned(if alias { Token::Alias } else { Token::Anchor(name) }, start))
    }

    /// The source from a place up to the mark.
    fn source_from(&self, from: Mark) -> &'t str {
        &self.chars.text[from.offset as usize..self.chars.mark.offset as usize]
    }

    fn scan_word(&mut self) -> Result<&'t str, Failure> {
        let start = self.chars.mark;
        self.chars.need(1)?;
        while is_word(self.chars.here()) {
            self.chars.skip();
            self.chars.need(1)?;
        }
        Ok(self.source_from(start))
    }

    /// `!`, `!suffix`, `!handle!suffix` or `!<uri>`.
    pub(super) fn scan_tag(&mut self) -> Result<Spanned<'t>, Failure> {
        let start = self.chars.mark;
        self.chars.need(2)?;
        let handle = if self.chars.at(1) == '<' {
            self.chars.skip();
            self.chars.skip();
            self.scan_tag_uri("", start)?;
            if self.chars.here() != '>' {
                return Err(self.error("did not find the expected '>'", start));
            }
            self.chars.skip();
            ""
        } else {
            let written = self.scan_tag_handle(false, start)?;
            let named = written.len() > 1 && written.ends_with('!');
            let found = self.scan_tag_uri(if named { "" } else { written }, start)?;
            match (named, found) {
                (true, _) => written,
                (false, true) => "!",
                (false, false) => "",
            }
        };
        self.chars.need(1)?;
        if !is_blankz(self.chars.here()) {
            return Err(self.error("did not find expected whitespace or line break", start));
        }
        Ok(self.spanned(Token::Tag(handle), start))
    }

    fn scan_tag_handle(&mut self, directive: bool, start: Mark) -> Result<&'t str, Failure> {
        self.chars.need(1)?;
        if self.chars.here() != '!' {
            return Err(self.error("did not find expected '!'", start));
        }
        let from = self.chars.mark;
        self.chars.skip();
        self.scan_word()?;
        if self.chars.here() == '!' {
            self.chars.skip();
        } else if directive && self.source_from(from) != "!" {
            return Err(self.error("did not find expected '!'", start));
        }
        Ok(self.source_from(from))
    }

    /// The rest of a tag after `head`, whose leading `!` is not part of it; whether the tag has any letters.
    fn scan_tag_uri(&mut self, head: &str, start: Mark) -> Result<bool, Failure> {
        let mut found = !head.is_empty();
        let mut letters = head.len() > 1;
        self.chars.need(1)?;
        loop {
            match self.chars.here() {
                '%' => self.scan_uri_escape(start)?,
                char if is_word(char) || ";/?:@&=+$,.!~*'()[]".contains(char) => self.chars.skip(),
                _ => break,
            }
            self.chars.need(1)?;
            (found, letters) = (true, true);
        }
        if !found {
            return Err(self.error("did not find expected tag URI", start));
        }
        Ok(letters)
    }

    /// The escaped octets of one character.
    fn scan_uri_escape(&mut self, start: Mark) -> Result<(), Failure> {
        let mut left = None;
        while left != Some(0) {
            self.chars.need(3)?;
            let digits = (self.chars.at(1).to_digit(16), self.chars.at(2).to_digit(16));
            let ('%', (Some(high), Some(low))) = (self.chars.here(), digits) else {
                return Err(self.error("did not find URI escaped octet", start));
            };
            let octet = u8::try_from(high << 4 | low).unwrap_or_default();
            let more = match left {
                None => match octet {
                    0x00..=0x7f => 0,
                    0xc0..=0xdf => 1,
                    0xe0..=0xef => 2,
                    0xf0..=0xf7 => 3,
                    _ => return Err(self.error("found an incorrect leading UTF-8 octet", start)),
                },
                Some(_) if octet & 0xc0 != 0x80 => {
                    return Err(self.error("found an incorrect trailing UTF-8 octet", start));
                }
                Some(left) => left - 1,
            };
            for _ in 0..3 {
                self.chars.skip();
            }
            left = Some(more);
        }
        Ok(())
    }

    /// `%YAML` or `%TAG` with the rest of its line.
    pub(super) fn scan_directive(&mut self) -> Result<Spanned<'t>, Failure> {
        let start = self.chars.mark;
        self.chars.skip();
        let name = self.scan_word()?;
        if name.is_empty() {
            return Err(self.error("could not find expected directive name", start));
        }
        if !is_blankz(self.chars.here()) {
            return Err(self.error("found unexpected non-alphabetical character", start));
        }
        let token = match name {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.error("found unknown directive name", start)),
        };
        self.end_line(start)?;
        Ok(self.spanned(token, start))
    }

    fn skip_blanks(&mut self) -> Result<(), Failure> {
        self.chars.need(1)?;
        while is_blank(self.chars.here()) {
            self.chars.skip();
            self.chars.need(1)?;
        }
        Ok(())
    }

    fn scan_version(&mut self, start: Mark) -> Result<Token<'t>, Failure> {
        self.skip_blanks()?;
        let major = self.scan_version_number(start)?;
        if self.chars.here() != '.' {
            return Err(self.error("did not find expected digit or '.' character", start));
        }
        self.chars.skip();
        let minor = self.scan_version_number(start)?;
        Ok(Token::Version { major, minor })
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8, Failure> {
        self.chars.need(1)?;
        let (mut value, mut length) = (0_u32, 0);
        while let Some(digit) = self.chars.here().to_digit(10) {
            length += 1;
            if length > 2 {
                return Err(self.error("found extremely long version number", start));
            }
            value = value * 10 + digit;
            self.chars.skip();
            self.chars.need(1)?;
        }
        if length == 0 {
            return Err(self.error("did not find expected version number", start));
        }
        Ok(u8::try_from(value).unwrap_or(u8::MAX))
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<Token<'t>, Failure> {
        self.skip_blanks()?;
        let handle = self.scan_tag_handle(true, start)?;
        self.chars.need(1)?;
        if !is_blank(self.chars.here()) {
            return Err(self.error("did not find expected whitespace", start));
        }
        self.skip_blanks()?;
        let from = self.chars.mark;
        self.scan_tag_uri("", start)?;
        let prefix = self.source_from(from);
        self.chars.need(1)?;
        if !is_blankz(self.chars.here()) {
            return Err(self.error("did not find expected whitespace or line break", start));
        }
        Ok(Token::TagDirective { handle, prefix })
    }
}

/// The whole tag that a written one stands for: `tag:yaml.org,2002:int` for `!!int`. The tag has been read before.
pub(in crate::yaml) fn full_tag<'t>(written: &'t str, directives: &TagDirectives<'_>) -> Cow<'t, str> {
    if let Some(uri) = written.strip_prefix("!<") {
        return percent_decode(uri.strip_suffix('>').unwrap_or(uri));
    }
    let word = written[1..].find(|char| !is_word(char)).map_or(written.len(), |end| end + 1);
    let (handle, suffix) = match written[word..].strip_prefix('!') {
        Some(suffix) => (&written[..=word], suffix),
        None if written == "!" => return Cow::Borrowed(written),
        None => ("!", &written[1..]),
    };
    let prefix = directives.iter().find(|(known, _)| *known == handle).map(|(_, prefix)| *prefix);
    let prefix = prefix.unwrap_or(if handle == "!!" { CORE } else { handle });
    Cow::Owned(percent_decode(prefix).into_owned() + &percent_decode(suffix))
}

fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &more[2..];
            }
            None => {
                out.push(*first);
                rest = more;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}
