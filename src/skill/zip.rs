//! The files of a zip, as far as skills are sent in one: stored or deflated, not encrypted, not split. Read by its list at the
//! end alone, and refused where what stands in front of a file says otherwise, for readers go by the one or the other.

use std::collections::BTreeSet;
use std::io::Read;

use super::limits::{Limits, Spent};
use super::pack::Member;
use super::{InputError, path, refused, within};

/// A file of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zipped {
    /// What is packed of it.
    pub member: Member,
    /// Where its bytes are, and how many.
    start: usize,
    packed: usize,
    deflated: bool,
    crc: u32,
}

const DAMAGED: &str = "it is damaged, or no zip; make it again";

fn damaged(what: &str) -> InputError {
    refused(what, DAMAGED)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<usize, InputError> {
    match bytes.get(at..at + 2) {
        Some(&[low, high]) => Ok(usize::from(u16::from_le_bytes([low, high]))),
        _ => Err(damaged("it ends amid a record")),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, InputError> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(u32::from_le_bytes([a, b, c, d])),
        _ => Err(damaged("it ends amid a record")),
    }
}

/// Lists the files.
///
/// # Errors
/// It is no zip, or one that readers would not agree about.
pub fn list(bytes: &[u8], limits: &Limits) -> Result<Vec<Zipped>, InputError> {
    let end = end(bytes)?;
    let (count, mut at) = (u16_at(bytes, end + 10)?, u32_at(bytes, end + 16)? as usize);
    if u16_at(bytes, end + 4)? != 0 || u16_at(bytes, end + 8)? != count {
        return Err(refused("a part of a split zip", "join the parts"));
    }
    if at == u32::MAX as usize || count == usize::from(u16::MAX) {
        return Err(refused("a zip64, for more than 65,534 files or 4 GiB", "pack a folder"));
    }
    let (mut files, mut spent, mut ranges) = (Vec::new(), Spent::default(), BTreeSet::new());
    for _ in 0..count {
        spent.entry(limits)?;
        if u32_at(bytes, at)? != 0x0201_4b50 {
            return Err(damaged("its list of files is damaged"));
        }
        let (name, extra, comment) =
            (u16_at(bytes, at + 28)?, u16_at(bytes, at + 30)?, u16_at(bytes, at + 32)?);
        let raw = bytes.get(at + 46..at + 46 + name).ok_or_else(|| damaged("it ends amid a name"))?;
        let place = || format!("entry {:?}", String::from_utf8_lossy(raw));
        let file = entry(bytes, at, raw, end).map_err(|error| within(place(), error))?;
        if let Some(file) = file {
            if !ranges.insert((file.start, file.packed)) && file.packed > 0 {
                return Err(within(place(), refused("the bytes of another file", DAMAGED)));
            }
            files.push(file);
        }
        at += 46 + name + extra + comment;
    }
    let mut last = 0;
    for (start, length) in ranges {
        if start < last {
            return Err(refused("files that share bytes", DAMAGED));
        }
        last = start + length;
    }
    Ok(files)
}

/// Whether a file is none of the user's, but what macOS' Finder adds to zips: `__MACOSX/` and `.DS_Store`.
pub fn is_of_finder(file: &str) -> bool {
    file.starts_with(FINDER) || path::base(file) == ".DS_Store"
}

/// What is said to be left out for such a file: the folder as a whole.
pub fn place_of_finder(file: String) -> String {
    if file.starts_with(FINDER) { FINDER.trim_end_matches('/').to_owned() } else { file }
}

const FINDER: &str = "__MACOSX/";

/// Where the record at the end begins: it is the last thing, but for a comment.
fn end(bytes: &[u8]) -> Result<usize, InputError> {
    let last = bytes.len().checked_sub(22).ok_or_else(|| damaged("no zip"))?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last)
        .rev()
        .find(|&at| {
            bytes[at..].starts_with(b"PK\x05\x06")
                && u16_at(bytes, at + 20).is_ok_and(|comment| at + 22 + comment == bytes.len())
        })
        .ok_or_else(|| damaged("no zip"))
}

fn entry(bytes: &[u8], at: usize, raw: &[u8], end: usize) -> Result<Option<Zipped>, InputError> {
    let (flags, method) = (u16_at(bytes, at + 8)?, u16_at(bytes, at + 10)?);
    let (packed, size) = (u32_at(bytes, at + 20)?, u32_at(bytes, at + 24)?);
    let (mode, local) = (u32_at(bytes, at + 38)? >> 16, u32_at(bytes, at + 42)? as usize);
    if flags & 1 != 0 {
        return Err(refused("encrypted", "make the zip without a password"));
    }
    if flags & (1 << 11) == 0 && !raw.is_ascii() {
        return Err(refused("its name is in an unknown encoding", "make the zip with UTF-8 names"));
    }
    let path = path::normal(raw).map_err(|wrong| refused(format!("its name {wrong}"), "rename the file"))?;
    // Only what Unix made has a mode.
    let mode = if bytes.get(at + 5) == Some(&3) { mode } else { 0 };
    match mode & 0o170_000 {
        0 | 0o100_000 | 0o040_000 => {}
        0o120_000 => {
            return Err(refused("a symbolic link", "put the file itself into the zip (zip without -y)"));
        }
        _ => return Err(refused("neither a file nor a folder", "leave it out")),
    }
    if raw.ends_with(b"/") || mode & 0o170_000 == 0o040_000 {
        return if size == 0 { Ok(None) } else { Err(refused("a folder with content", DAMAGED)) };
    }
    if path.is_empty() {
        return Err(refused("a file without a name", DAMAGED));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        other => return Err(refused(format!("packed by method {other}"), "make the zip with deflate")),
    };
    if u32_at(bytes, local)? != 0x0403_4b50 {
        return Err(damaged("it is not where the list says"));
    }
    let name = u16_at(bytes, local + 26)?;
    if bytes.get(local + 30..local + 30 + name) != Some(raw) || u16_at(bytes, local + 8)? != method {
        return Err(refused("the list calls it otherwise than the file itself", DAMAGED));
    }
    let start = local + 30 + name + u16_at(bytes, local + 28)?;
    let packed = packed as usize;
    if start + packed > end || (!deflated && packed != size as usize) {
        return Err(damaged("its bytes are not all there"));
    }
    let member = Member { path, size: u64::from(size), executable: mode & 0o111 != 0 };
    Ok(Some(Zipped { member, start, packed, deflated, crc: u32_at(bytes, at + 16)? }))
}

impl Zipped {
    /// Its bytes.
    ///
    /// # Errors
    /// None today; what is damaged shows when it is read.
    pub fn open<'z>(&self, bytes: &'z [u8]) -> Result<Box<dyn Read + 'z>, InputError> {
        let packed = bytes.get(self.start..self.start + self.packed).unwrap_or_default();
        let inner: Box<dyn Read + 'z> = if self.deflated {
            Box::new(flate2::bufread::DeflateDecoder::new(packed))
        } else {
            Box::new(packed)
        };
        Ok(Box::new(Checked { inner, crc: flate2::Crc::new(), expected: self.crc }))
    }
}

/// A stream whose checksum is looked at when it ends.
struct Checked<R> {
    inner: R,
    crc: flate2::Crc,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(into)?;
        self.crc.update(&into[..n]);
        if n == 0 && !into.is_empty() && self.crc.sum() != self.expected {
            return Err(std::io::Error::other("its checksum is wrong"));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests;
