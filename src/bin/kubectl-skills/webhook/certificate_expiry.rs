//! Reads notAfter from a certificate's DER, for a metric and a warning. Everything else in a certificate is left to the
//! clients that verify it.

/// Seconds since 1970 at which the certificate ends; `None` if it is not readable.
pub fn not_after(certificate: &[u8]) -> Option<u64> {
    let (_, outer, _) = element(certificate)?;
    let (_, body, _) = element(outer)?;
    let mut rest = body;
    // The version stands before the serial number, tagged, in all but the oldest certificates.
    if element(rest)?.0 == 0xa0 {
        rest = element(rest)?.2;
    }
    for _ in ["serial number", "signature algorithm", "issuer"] {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, after_begin) = element(validity)?;
    let (tag, time, _) = element(after_begin)?;
    let text = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    match tag {
        // UTCTime: two digits of the year, which lie between 1950 and 2049.
        0x17 if text.len() == 12 => {
            let year = number(text, 0, 2)?;
            seconds(if year < 50 { 2000 + year } else { 1900 + year }, &text[2..])
        }
        0x18 if text.len() == 14 => seconds(number(text, 0, 4)?, &text[4..]),
        _ => None,
    }
}

/// Tag, content and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 || rest.len() < count {
            return None;
        }
        let (digits, rest) = rest.split_at(count);
        (digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)), rest)
    };
    (rest.len() >= length).then(|| {
        let (content, rest) = rest.split_at(length);
        (tag, content, rest)
    })
}

fn number(text: &str, begin: usize, end: usize) -> Option<u64> {
    text.get(begin..end)?.parse().ok()
}

/// `MMDDhhmmss` of a year since 1970.
fn seconds(year: u64, text: &str) -> Option<u64> {
    let part = |place: usize| number(text, 2 * place, 2 * place + 2);
    let (month, day) = (part(0)?, part(1)?);
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Years that begin in March, so that the leap day is the last one (Howard Hinnant's days_from_civil).
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (shifted_year / 400, shifted_year % 400);
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some((days - 719_468) * 86_400 + part(2)? * 3600 + part(3)? * 60 + part(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read_from_real_certificates_in_both_notations() {
        let end = |year: i32| {
            let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 2, 28);
            let key = rcgen::KeyPair::generate().unwrap();
            not_after(params.self_signed(&key).unwrap().der())
        };
        // `date -u -d 2028-02-28 +%s`, and the same for 2104, which needs the long notation.
        assert_eq!(end(2028), Some(1_835_308_800));
        assert_eq!(end(2104), Some(4_233_600_000));
    }

    /// Bytes from a file must never take the process down.
    #[test]
    fn what_is_no_certificate_has_no_end() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let whole = made.cert.der();
        for length in 0..100 {
            assert_eq!(not_after(&whole[..length]), None);
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
