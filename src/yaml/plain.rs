//! The type of a scalar, as go.yaml.in/yaml/v2 v2.4.2 (`resolve.go`) decides it for sigs.k8s.io/yaml v1.6.
//! In: a tag and the scalar's text; out: null, bool, number or text. What JSON makes of numbers is left to `number`.

use std::borrow::Cow;

use super::reader::CORE;

/// A scalar with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Resolved<'t> {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `i64`.
    Unsigned(u64),
    /// May be infinite or NaN.
    Float(f64),
    Text(Cow<'t, str>),
}

/// A tag, as far as it matters to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    None,
    /// `!`.
    NonSpecific,
    Str,
    Bool,
    Int,
    Float,
    Null,
    Timestamp,
    Binary,
    Merge,
    /// Any other: the scalar is text, whatever it looks like.
    Other,
}

impl Tag {
    /// What a whole tag is, such as `tag:yaml.org,2002:int`.
    pub(crate) fn of(tag: &str) -> Self {
        match tag.strip_prefix(CORE) {
            Some("str") => Self::Str,
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("null") => Self::Null,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            None if tag == "!" => Self::NonSpecific,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Str => "!!str",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Null => "!!null",
            Self::Timestamp => "!!timestamp",
            Self::Binary => "!!binary",
            Self::Merge => "!!merge",
            Self::None | Self::NonSpecific | Self::Other => "!",
        }
    }
}

/// Gives a scalar its type. Untagged quoted and block scalars are text and do not come here.
///
/// # Errors
/// A tag that does not fit the text, such as `!!int x`, in Go's words.
pub(crate) fn resolve<'t>(tag: Tag, text: Cow<'t, str>) -> Result<Resolved<'t>, String> {
    match tag {
        Tag::None => return Ok(guess(&text).unwrap_or(Resolved::Text(text))),
        Tag::Str | Tag::NonSpecific | Tag::Merge | Tag::Other => return Ok(Resolved::Text(text)),
        Tag::Binary => return binary(&text).map(|text| Resolved::Text(Cow::Owned(text))),
        _ => {}
    }
    if tag == Tag::Timestamp && is_timestamp(&text) {
        return Ok(Resolved::Text(text));
    }
    let guessed = guess(&text);
    match (tag, guessed) {
        (Tag::Bool, Some(value @ Resolved::Bool(_)))
        | (Tag::Null, Some(value @ Resolved::Null))
        | (Tag::Int, Some(value @ (Resolved::Int(_) | Resolved::Unsigned(_))))
        | (Tag::Float, Some(value @ Resolved::Float(_))) => Ok(value),
        (Tag::Float, Some(Resolved::Int(value))) => Ok(Resolved::Float(value as f64)),
        (tag, guessed) => {
            let is = match guessed {
                Some(Resolved::Null) => "!!null",
                Some(Resolved::Bool(_)) => "!!bool",
                Some(Resolved::Int(_) | Resolved::Unsigned(_)) => "!!int",
                Some(Resolved::Float(_)) => "!!float",
                _ => "!!str",
            };
            Err(format!("cannot decode {is} `{text}` as a {}", tag.name()))
        }
    }
}

/// What a plain scalar is if not text.
fn guess(text: &str) -> Option<Resolved<'static>> {
    let Some(&first) = text.as_bytes().first() else {
        return Some(Resolved::Null);
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' => number(text),
        b'.' => special_float(text).or_else(|| point_float(text)).map(Resolved::Float),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(text),
        _ => None,
    }
}

fn word(text: &str) -> Option<Resolved<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        _ => return None,
    })
}

fn special_float(text: &str) -> Option<f64> {
    Some(match text {
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => f64::INFINITY,
        "-.inf" | "-.Inf" | "-.INF" => f64::NEG_INFINITY,
        _ => return None,
    })
}

fn number(written: &str) -> Option<Resolved<'static>> {
    if let Some(float) = special_float(written) {
        return Some(Resolved::Float(float));
    }
    // Most text that begins like a number (image versions, names) is none; that shows without an allocation.
    if !written
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'x' | b'X' | b'o' | b'O'))
    {
        return None;
    }
    let plain: Cow<'_, str> =
        if written.contains('_') { Cow::Owned(written.replace('_', "")) } else { Cow::Borrowed(written) };
    if let Some(int) = parse_int(&plain, 0) {
        return Some(Resolved::Int(int));
    }
    if let Some(int) = parse_uint(&plain, 0) {
        return Some(Resolved::Unsigned(int));
    }
    if let Some(float) = float(&plain) {
        return Some(Resolved::Float(float));
    }
    if let Some(digits) = plain.strip_prefix("0b") {
        return parse_int(digits, 2)
            .map(Resolved::Int)
            .or_else(|| parse_uint(digits, 2).map(Resolved::Unsigned));
    }
    let digits = plain.strip_prefix("-0b")?;
    parse_int(&format!("-{digits}"), 2).map(Resolved::Int)
}

/// Go's `strconv.ParseInt`; base 0 goes by the prefix. Underscores are gone already.
fn parse_int(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = parse_uint(digits, base)?;
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Go's `strconv.ParseUint`.
fn parse_uint(text: &str, base: u32) -> Option<u64> {
    let (digits, base) = match (base, text.as_bytes()) {
        (0, [b'0', b'x' | b'X', _, ..]) => (&text[2..], 16),
        (0, [b'0', b'b' | b'B', _, ..]) => (&text[2..], 2),
        (0, [b'0', b'o' | b'O', _, ..]) => (&text[2..], 8),
        (0, [b'0', _, ..]) => (&text[1..], 8),
        (0, _) => (text, 10),
        (base, _) => (text, base),
    };
    // Rust would take a sign of its own.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

/// A float as Go takes it: digits, one point, an exponent; text if it overflows.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()),
        None => digits(mantissa) && !mantissa.is_empty(),
    };
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !whole || !exponent {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Text that begins with a point goes to Go's `ParseFloat` as it is, which lets underscores stand between digits.
fn point_float(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return float(text);
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    if !(0..bytes.len()).all(|at| bytes[at] != b'_' || between(at)) {
        return None;
    }
    float(&text.replace('_', ""))
}

/// Whether Go reads a text tagged `!!timestamp` as one: a date, alone or with a time of day.
fn is_timestamp(text: &str) -> bool {
    let split = text.find(['T', 't', ' ']);
    let (date, time) = split.map_or((text, None), |at| (&text[..at], Some(&text[at..])));
    let mut parts = date.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let number = |text: &str, longest: usize| {
        let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) =
        (number(year, 4).filter(|_| year.len() == 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    if day == 0 || day > days {
        return false;
    }
    let Some(time) = time else { return true };
    let (time, zoned) = (&time[1..], !time.starts_with(' '));
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], &time[at..]),
        None => (time, ""),
    };
    let zone_fits = match zone.as_bytes() {
        [] => !zoned,
        [b'Z'] => zoned,
        [b'+' | b'-', hour @ .., b':', _, _] => {
            let minute = &zone[zone.len() - 2..];
            zoned
                && hour.len() == 2
                && number(&zone[1..3], 2).is_some_and(|hour| hour <= 24)
                && number(minute, 2).is_some_and(|minute| minute < 60)
        }
        _ => false,
    };
    let mut parts = clock.split(':');
    let (Some(hour), Some(minute), Some(second), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (second, fraction) = match second.find(['.', ',']) {
        Some(at) => (&second[..at], &second[at + 1..]),
        None => (second, "0"),
    };
    zone_fits
        && number(hour, 2).is_some_and(|hour| hour < 24)
        && number(minute, 2).is_some_and(|minute| minute < 60)
        && number(second, 2).is_some_and(|second| second < 60)
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

/// Go's strict base64 (padding required, line breaks ignored); bytes that are not UTF-8 become U+FFFD one by one.
fn binary(text: &str) -> Result<String, String> {
    let invalid = || "!!binary value contains invalid base64 data".to_owned();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0, 0);
    for byte in text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if count >= 2 && padding < 2 => {
                padding += 1;
                0
            }
            _ => return Err(invalid()),
        };
        if padding > 0 && byte != b'=' {
            return Err(invalid());
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            let [_, group @ ..] = bits.to_be_bytes();
            bytes.extend_from_slice(&group[..3 - padding]);
            (bits, count) = (0, if padding > 0 { 5 } else { 0 });
        }
    }
    if !matches!(count, 0 | 5) {
        return Err(invalid());
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(std::iter::repeat_n('\u{fffd}', chunk.invalid().len()));
    }
    Ok(out)
}
