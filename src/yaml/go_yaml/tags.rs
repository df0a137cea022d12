//! Anchors, tags and directives as the scanner of go.yaml.in/yaml/v2 v2.4.2 reads them, and their errors.

use super::reader::{Failure, Mark, is_blank, is_blankz, is_break, is_breakz, is_word};
use super::scanner::{Scanner, Spanned, Token};

impl Scanner {
    /// `&name` or `*name`.
    pub(super) fn scan_anchor(&mut self, alias: bool) -> Result<Spanned, Failure> {
        let start = self.reader.mark;
        self.reader.skip();
        let name = self.scan_word()?;
        let end = self.reader.here();
        if name.is_empty()
            || !(is_blankz(end) || matches!(end, '?' | ':' | ',' | ']' | '}' | '%' | '@' | '`'))
        {
            return Err(self.error("did not find expected alphabetic or numeric character", start));
        }
        Ok(Spanned { token: if alias { Token::Alias(name) } else { Token::Anchor(name) }, start })
    }

    fn scan_word(&mut self) -> Result<String, Failure> {
        let mut word = String::new();
        self.reader.need(1)?;
        while is_word(self.reader.here()) {
            self.reader.take(&mut word);
            self.reader.need(1)?;
        }
        Ok(word)
    }

    /// `!`, `!suffix`, `!handle!suffix` or `!<uri>`.
    pub(super) fn scan_tag(&mut self) -> Result<Spanned, Failure> {
        let start = self.reader.mark;
        self.reader.need(2)?;
        let (handle, suffix) = if self.reader.at(1) == '<' {
            self.reader.skip();
            self.reader.skip();
            let suffix = self.scan_tag_uri("", start)?;
            if self.reader.here() != '>' {
                return Err(self.error("did not find the expected '>'", start));
            }
            self.reader.skip();
            (String::new(), suffix)
        } else {
            let handle = self.scan_tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.scan_tag_uri("", start)?;
                (handle, suffix)
            } else {
                let suffix = self.scan_tag_uri(&handle, start)?;
                if suffix.is_empty() { (String::new(), "!".to_owned()) } else { ("!".to_owned(), suffix) }
            }
        };
        self.reader.need(1)?;
        if !is_blankz(self.reader.here()) {
            return Err(self.error("did not find expected whitespace or line break", start));
        }
        Ok(Spanned { token: Token::Tag { handle, suffix }, start })
    }

    fn scan_tag_handle(&mut self, directive: bool, start: Mark) -> Result<String, Failure> {
        self.reader.need(1)?;
        if self.reader.here() != '!' {
            return Err(self.error("did not find expected '!'", start));
        }
        let mut handle = String::new();
        self.reader.take(&mut handle);
        handle.push_str(&self.scan_word()?);
        if self.reader.here() == '!' {
            self.reader.take(&mut handle);
        } else if directive && handle != "!" {
            return Err(self.error("did not find expected '!'", start));
        }
        Ok(handle)
    }

    /// The rest of a tag behind `head`, whose leading `!` is not part of it.
    fn scan_tag_uri(&mut self, head: &str, start: Mark) -> Result<String, Failure> {
        let mut uri: Vec<u8> = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        self.reader.need(1)?;
        loop {
            match self.reader.here() {
                '%' => self.scan_uri_escape(&mut uri, start)?,
                char if is_word(char) || ";/?:@&=+$,.!~*'()[]".contains(char) => {
                    uri.extend(char.to_string().into_bytes());
                    self.reader.skip();
                }
                _ => break,
            }
            self.reader.need(1)?;
            found = true;
        }
        if !found {
            return Err(self.error("did not find expected tag URI", start));
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// The escaped octets of one character.
    fn scan_uri_escape(&mut self, uri: &mut Vec<u8>, start: Mark) -> Result<(), Failure> {
        let mut left = None;
        while left != Some(0) {
            self.reader.need(3)?;
            let digits = (self.reader.at(1).to_digit(16), self.reader.at(2).to_digit(16));
            let ('%', (Some(high), Some(low))) = (self.reader.here(), digits) else {
                return Err(self.error("did not find URI escaped octet", start));
            };
            let octet = u8::try_from(high << 4 | low).unwrap_or_default();
            let behind = match left {
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
            uri.push(octet);
            for _ in 0..3 {
                self.reader.skip();
            }
            left = Some(behind);
        }
        Ok(())
    }

    /// `%YAML` or `%TAG` with the rest of its line.
    pub(super) fn scan_directive(&mut self) -> Result<Spanned, Failure> {
        let start = self.reader.mark;
        self.reader.skip();
        let name = self.scan_word()?;
        if name.is_empty() {
            return Err(self.error("could not find expected directive name", start));
        }
        if !is_blankz(self.reader.here()) {
            return Err(self.error("found unexpected non-alphabetical character", start));
        }
        let token = match name.as_str() {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.error("found unknown directive name", start)),
        };
        self.reader.skip_blanks_and_comment()?;
        if !is_breakz(self.reader.here()) {
            return Err(self.error("did not find expected comment or line break", start));
        }
        if is_break(self.reader.here()) {
            self.reader.need(2)?;
            self.reader.skip_line();
        }
        Ok(Spanned { token, start })
    }

    fn skip_blanks(&mut self) -> Result<(), Failure> {
        self.reader.need(1)?;
        while is_blank(self.reader.here()) {
            self.reader.skip();
            self.reader.need(1)?;
        }
        Ok(())
    }

    fn scan_version(&mut self, start: Mark) -> Result<Token, Failure> {
        self.skip_blanks()?;
        let major = self.scan_version_number(start)?;
        if self.reader.here() != '.' {
            return Err(self.error("did not find expected digit or '.' character", start));
        }
        self.reader.skip();
        let minor = self.scan_version_number(start)?;
        Ok(Token::Version { major, minor })
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8, Failure> {
        self.reader.need(1)?;
        let (mut value, mut length) = (0_u32, 0);
        while let Some(digit) = self.reader.here().to_digit(10) {
            length += 1;
            if length > 2 {
                return Err(self.error("found extremely long version number", start));
            }
            value = value * 10 + digit;
            self.reader.skip();
            self.reader.need(1)?;
        }
        if length == 0 {
            return Err(self.error("did not find expected version number", start));
        }
        Ok(u8::try_from(value).unwrap_or(u8::MAX))
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<Token, Failure> {
        self.skip_blanks()?;
        let handle = self.scan_tag_handle(true, start)?;
        self.reader.need(1)?;
        if !is_blank(self.reader.here()) {
            return Err(self.error("did not find expected whitespace", start));
        }
        self.skip_blanks()?;
        let prefix = self.scan_tag_uri("", start)?;
        self.reader.need(1)?;
        if !is_blankz(self.reader.here()) {
            return Err(self.error("did not find expected whitespace or line break", start));
        }
        Ok(Token::TagDirective { handle, prefix })
    }
}
