//! What stands in front of an entry of a tar and changes it: PAX records and GNU's long names. Records that would give one
//! reader another file than the next are refused.

use std::io::Read;

use super::content::unread;
use super::limits::{PATH_BYTES, PAX_BYTES};
use super::{DAMAGED, InputError, refused};

/// What the entries before one say of it.
#[derive(Debug, Default)]
pub struct Extra {
    /// Its name.
    pub path: Option<Vec<u8>>,
    /// Where its link leads.
    pub link: Option<Vec<u8>>,
    /// How many bytes it has.
    pub size: Option<u64>,
    /// Whether anything was said.
    pub any: bool,
}

impl Extra {
    /// GNU's long name of an entry, or of its link.
    pub fn gnu(&mut self, reader: &mut dyn Read, size: u64, of_link: bool) -> Result<(), InputError> {
        let mut name = small(reader, size, 2 * PATH_BYTES as u64, "a GNU long name")?;
        while name.last() == Some(&0) {
            name.pop();
        }
        self.any = true;
        let what = if of_link { &mut self.link } else { &mut self.path };
        set(what, name)
    }

    /// The PAX records of an entry.
    pub fn pax(&mut self, reader: &mut dyn Read, size: u64) -> Result<(), InputError> {
        self.any = true;
        let bytes = small(reader, size, PAX_BYTES, "a PAX header")?;
        for (key, value) in records(&bytes)? {
            match key {
                b"path" => set(&mut self.path, value.to_vec())?,
                b"linkpath" => set(&mut self.link, value.to_vec())?,
                b"size" => {
                    let text = std::str::from_utf8(value).unwrap_or_default();
                    let size = text.parse().map_err(|_| refused("a PAX size that is no number", REPACK))?;
                    self.size = Some(size);
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(refused("a sparse file", "pack it without --sparse"));
                }
                b"hdrcharset" if value != b"ISO-IR 10646 2000 UTF-8" => {
                    return Err(refused("names that are not UTF-8 (PAX hdrcharset)", REPACK));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// PAX records for all entries that follow: some readers take them, some do not, so they may say nothing that counts.
pub fn global(reader: &mut dyn Read, size: u64) -> Result<(), InputError> {
    let bytes = small(reader, size, PAX_BYTES, "a PAX header")?;
    for (key, _) in records(&bytes)? {
        if matches!(key, b"path" | b"linkpath" | b"size" | b"hdrcharset") || key.starts_with(b"GNU.sparse.") {
            return Err(refused(
                format!("a PAX header that sets {} of all entries", String::from_utf8_lossy(key)),
                "some readers take it and some do not; pack the layer again",
            ));
        }
    }
    Ok(())
}

const REPACK: &str = "pack the layer again";

fn set(what: &mut Option<Vec<u8>>, name: Vec<u8>) -> Result<(), InputError> {
    match what {
        Some(_) => {
            Err(refused("two long names of one entry", "readers take one or the other; pack the layer again"))
        }
        None => {
            *what = Some(name);
            Ok(())
        }
    }
}

fn small(reader: &mut dyn Read, size: u64, most: u64, what: &str) -> Result<Vec<u8>, InputError> {
    if size > most {
        return Err(refused(format!("{what} of {size} bytes; at most {most} are read"), REPACK));
    }
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes).map_err(|error| unread(&error, DAMAGED))?;
    if (bytes.len() as u64) < size {
        return Err(refused(format!("the layer ends in {what}"), DAMAGED));
    }
    Ok(bytes)
}

/// `LENGTH KEY=VALUE\n` again and again; the length counts all of it.
fn records(mut bytes: &[u8]) -> Result<Vec<Record<'_>>, InputError> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (record, rest) = record(bytes).ok_or_else(|| refused("a PAX header that is damaged", REPACK))?;
        records.push(record);
        bytes = rest;
    }
    Ok(records)
}

type Record<'b> = (&'b [u8], &'b [u8]);

fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let blank = bytes.iter().take(10).position(|&byte| byte == b' ')?;
    let digits = &bytes[..blank];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let record = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Extra, String> {
        let mut extra = Extra::default();
        extra.pax(&mut &*bytes, bytes.len() as u64).map_err(|error| error.to_string())?;
        Ok(extra)
    }

    /// A value may hold line ends and equals signs: anyone who splits at them reads another name.
    #[test]
    fn records_are_read_by_their_length() {
        let extra = read(b"19 path=a\n7 size=b\n12 size=123\n").expect("sound");
        assert_eq!((extra.path.as_deref(), extra.size), (Some(&b"a\n7 size=b"[..]), Some(123)));
        for wrong in [
            &b"9 path=a"[..],
            b"11 path=a\n",
            b"path=a\n",
            b"0 path=a\n",
            b"99999999999999999999 path=a\n",
            b"-9 path=a\n",
            b"12 size=12x\n",
            b"22 GNU.sparse.major=1\n",
            b"9 path=a\n9 path=b\n",
            b"21 hdrcharset=BINARY\n",
        ] {
            assert!(read(wrong).is_err(), "{} would be read", String::from_utf8_lossy(wrong));
        }
    }
}
