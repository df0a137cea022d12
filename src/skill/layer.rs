//! One layer as a stream of entries: checked against its digest, its size and the digest of its tar, under limits, and never
//! unpacked. What entries of several layers come to is left to [`super::tree`].

use std::io::{self, BufRead, BufReader, Read};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::compression::Compression;
use super::content::{Keep, Nothing, unread};
use super::facts::{Facts, Reading};
use super::limits::{Limits, Spent};
use super::oci::{Descriptor, Digest};
use super::pax::{self, Extra};
use super::{DAMAGED, InputError, path, refused};

/// What the name begins with by which a layer says that a file of a lower one is gone.
pub const REMOVED: &str = ".wh.";

/// What a layer does at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path below the root of the image; empty for the root.
    pub path: String,
    /// What is to be there.
    pub kind: Kind,
    /// Whether its mode keeps out anyone who is neither its owner nor in its group.
    pub closed: bool,
}

/// What an entry of a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File(Box<Facts>),
    /// A symbolic link, with its target as it is written.
    Link(String),
    /// Another name of the file at this path.
    HardLink(String),
    /// What lower layers have at the path is removed.
    Removed,
    /// What lower layers have in the folder is removed.
    Opaque,
}

/// What was read of a layer as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// Digest of the blob.
    pub digest: String,
    /// As the manifest has it.
    pub media_type: String,
    /// Bytes of the blob.
    pub size: u64,
    /// Digest of the tar; of the blob where it is none.
    pub diff_id: String,
    /// Bytes of the tar.
    pub unpacked: u64,
    /// Entries of the tar.
    pub entries: u64,
}

/// Reads a layer to its end.
///
/// # Errors
/// It is not what the manifest says, goes over a limit, or holds an entry that no skill may have. The error names the entry;
/// the layer is for the caller to name.
pub fn read(
    blob: &mut dyn Read,
    descriptor: &Descriptor,
    diff_id: Option<&Digest>,
    limits: &Limits,
    spent: &mut Spent,
    each: &mut dyn FnMut(Entry) -> Result<(), InputError>,
) -> Result<Layer, InputError> {
    read_keeping(blob, descriptor, diff_id, &mut Pass { limits, spent, keep: &mut Nothing }, each)
}

/// The same, passing the bytes of files on as they are read. What was passed on counts only once the layer is read to its end.
///
/// # Errors
/// As [`read`]; and bytes could not be put down.
pub(super) fn read_keeping(
    blob: &mut dyn Read,
    descriptor: &Descriptor,
    diff_id: Option<&Digest>,
    pass: &mut Pass<'_>,
    each: &mut dyn FnMut(Entry) -> Result<(), InputError>,
) -> Result<Layer, InputError> {
    let Some(compression) = Compression::of(&descriptor.media_type) else {
        return Err(refused(
            format!("media type {:?}, which is no tar", descriptor.media_type),
            "no runtime mounts it; 'convert' makes an image of the artifacts that are known",
        ));
    };
    let most = pass.limits.image_bytes;
    if descriptor.size > most {
        return Err(refused(
            format!("{} bytes; at most {most} are read", descriptor.size),
            "raise --max-image-size if it is meant",
        ));
    }
    let mut packed = Hashed::new(blob, descriptor.size, "more bytes than the manifest says");
    let before = *pass.spent;
    let tar = unpack(&mut packed, compression, pass, each);
    // A damaged tar is the consequence of a damaged blob: the digest is the better answer.
    if tar.as_ref().err().is_none_or(|error| error.help == DAMAGED) {
        let drained = io::copy(&mut packed, &mut io::sink());
        let (got, digest) = (packed.bytes, Digest::finish(packed.hash));
        if let Err(error) = drained {
            return Err(unread(&error, "the bytes are not those that the manifest names"));
        }
        if got < descriptor.size {
            return Err(refused(
                format!("ends after {got} of {} bytes", descriptor.size),
                "it was cut off on its way, or when it was pushed; try again, then push it again",
            ));
        }
        if digest != descriptor.digest {
            return Err(refused(
                format!("its bytes have the digest {digest}"),
                "they are not those that the manifest names; push the image again",
            ));
        }
    }
    let tar = tar?;
    if let Some(diff_id) = diff_id
        && *diff_id != tar
    {
        return Err(refused(
            format!("its tar has the digest {tar}, and the configuration says {diff_id}"),
            "a runtime refuses to unpack it; build the image again",
        ));
    }
    Ok(Layer {
        digest: descriptor.digest.to_string(),
        media_type: descriptor.media_type.clone(),
        size: descriptor.size,
        diff_id: tar.to_string(),
        unpacked: pass.spent.bytes - before.bytes,
        entries: pass.spent.entries - before.entries,
    })
}

fn damaged(error: io::Error) -> InputError {
    let over = error.get_ref().is_some_and(|error| error.is::<Over>());
    unread(&error, if over { "raise --max-image-size if it is meant" } else { DAMAGED })
}

/// What a layer is read under, and where the bytes of its files go.
pub(super) struct Pass<'p> {
    pub limits: &'p Limits,
    pub spent: &'p mut Spent,
    pub keep: &'p mut dyn Keep,
}

fn unpack(
    packed: &mut dyn Read,
    compression: Compression,
    pass: &mut Pass<'_>,
    each: &mut dyn FnMut(Entry) -> Result<(), InputError>,
) -> Result<Digest, InputError> {
    let mut source = BufReader::with_capacity(1 << 16, packed);
    let sniffed = Compression::sniffed(source.fill_buf().map_err(damaged)?);
    if sniffed != compression && (compression != Compression::None || sniffed == Compression::Gzip) {
        return Err(refused(
            format!("is {} and not {}, as its media type says", sniffed.name(), compression.name()),
            "runtimes go by the one or the other; build the image again",
        ));
    }
    let left = pass.limits.image_bytes.saturating_sub(pass.spent.bytes);
    let mut tar =
        Hashed::new(compression.reader(source), left, "unpacks to more bytes than an image may have");
    let result = entries(&mut tar, pass, each);
    pass.spent.bytes += tar.bytes;
    result?;
    Ok(Digest::finish(tar.hash))
}

fn entries(
    tar: &mut Hashed<impl Read>,
    pass: &mut Pass<'_>,
    each: &mut dyn FnMut(Entry) -> Result<(), InputError>,
) -> Result<(), InputError> {
    let mut archive = tar::Archive::new(&mut *tar);
    let mut extra = Extra::default();
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        pass.spent.entry(pass.limits)?;
        let (kind, size) = (entry.header().entry_type(), entry.header().entry_size().map_err(damaged)?);
        if kind.is_gnu_longname() || kind.is_gnu_longlink() {
            extra.gnu(&mut entry, size, kind.is_gnu_longlink())?;
        } else if kind.is_pax_local_extensions() {
            extra.pax(&mut entry, size)?;
        } else if kind.is_pax_global_extensions() {
            pax::global(&mut entry, size)?;
        } else {
            let header = entry.header().clone();
            let extra = std::mem::take(&mut extra);
            let name = extra.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
            let read = one(&mut entry, &header, size, &name, extra, pass);
            let read = read.and_then(|entry| entry.map_or(Ok(()), &mut *each));
            read.map_err(|error| at_entry(error, &name))?;
        }
    }
    if extra.any {
        return Err(refused("a long name or PAX header without the entry that it is about", DAMAGED));
    }
    end(archive.into_inner())
}

fn at_entry(error: InputError, name: &[u8]) -> InputError {
    let name: String = String::from_utf8_lossy(name).chars().take(200).collect();
    super::within(format!("entry {name:?}"), error)
}

/// After the last entry there are blocks of zeros and nothing else: some readers go on after them.
fn end(tar: &mut Hashed<impl Read>) -> Result<(), InputError> {
    let mut block = [0; 512];
    let mut got = 0;
    while got < block.len() {
        match tar.read(&mut block[got..]).map_err(damaged)? {
            0 => break,
            n => got += n,
        }
    }
    if block[..got].iter().any(|&byte| byte != 0) {
        return Err(refused(
            "a block of zeros amid the entries: some readers end there and some go on",
            "build the image again",
        ));
    }
    let mut rest = [0; 8192];
    loop {
        match tar.read(&mut rest).map_err(damaged)? {
            0 => return Ok(()),
            n if rest[..n].iter().any(|&byte| byte != 0) => {
                return Err(refused(
                    "bytes after the end of its archive: some readers end there and some go on",
                    REBUILD,
                ));
            }
            _ => {}
        }
    }
}

/// An entry that is one; none for what runtimes leave out.
fn one(
    reader: &mut dyn Read,
    header: &tar::Header,
    size: u64,
    name: &[u8],
    extra: Extra,
    pass: &mut Pass<'_>,
) -> Result<Option<Entry>, InputError> {
    use tar::EntryType;

    if extra.size.is_some_and(|said| said != size) {
        return Err(refused("two sizes, in its header and in PAX", "readers take the one or the other"));
    }
    let path = path::normal(name).map_err(|wrong| {
        refused(format!("its name {wrong}"), "no skill needs such a name; build the image again")
    })?;
    let kind = header.entry_type();
    let mut is_folder = kind == EntryType::Directory;
    if name.ends_with(b"/") && !is_folder {
        // Before POSIX a folder was a file with such a name.
        is_folder = header.as_bytes()[156] == 0 && size == 0;
        if !is_folder {
            return Err(refused("a file whose name ends in a slash: a folder to some readers", REBUILD));
        }
    }
    if kind != EntryType::Regular && size != 0 {
        return Err(match kind {
            EntryType::GNUSparse => refused("a sparse file", "pack it without --sparse"),
            _ => refused(
                "content where none may be: some readers skip it and some read it as entries",
                REBUILD,
            ),
        });
    }
    // Go reads a field without digits as 0.
    let unset = header.as_old().mode.iter().all(|&byte| matches!(byte, 0 | b' '));
    let mode = || if unset { Ok(0) } else { header.mode().map_err(damaged) };
    let target = || extra.link.clone().unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into());
    let kind = match kind {
        _ if is_folder => Kind::Folder,
        EntryType::Regular => match removal(&path)? {
            Some(None) => return Ok(None),
            Some(Some(entry)) => return Ok(Some(entry)),
            None if path.is_empty() => return Err(refused("a file without a name", REBUILD)),
            None => {
                let reading = Reading { size, executable: mode()? & 0o111 != 0, limits: pass.limits };
                Kind::File(Box::new(reading.facts_keeping(reader, &path, pass.spent, pass.keep)?))
            }
        },
        EntryType::Symlink => {
            let target = String::from_utf8(target());
            Kind::Link(target.map_err(|_| refused("a link whose target is not UTF-8", REBUILD))?)
        }
        EntryType::Link => Kind::HardLink(path::normal(&target()).map_err(|wrong| {
            refused(format!("a hard link whose target {wrong}"), "it may only be a file of the image")
        })?),
        EntryType::Char | EntryType::Block => {
            return Err(refused("a device", "a skill has none; build the image without it"));
        }
        EntryType::Fifo => return Err(refused("a pipe", "a skill has none; build the image without it")),
        EntryType::GNUSparse => return Err(refused("a sparse file", "pack it without --sparse")),
        other => {
            return Err(refused(
                format!("of type {:?}, which runtimes refuse", char::from(other.as_byte())),
                REBUILD,
            ));
        }
    };
    if path.is_empty() && kind != Kind::Folder {
        return Err(refused("a link in place of the root", REBUILD));
    }
    let closed = match kind {
        Kind::File(_) => mode()? & 0o004 == 0,
        Kind::Folder => mode().is_ok_and(|mode| mode & 0o001 == 0),
        _ => false,
    };
    Ok(Some(Entry { path, kind, closed }))
}

const REBUILD: &str = "build the image again";

/// Whether a file marks that something of lower layers is removed; none inside for marks that mean nothing to runtimes.
fn removal(path: &str) -> Result<Option<Option<Entry>>, InputError> {
    let Some(name) = path::base(path).strip_prefix(REMOVED) else { return Ok(None) };
    let folder = path::parent(path);
    Ok(Some(match name {
        ".wh..opq" => Some(Entry { path: folder.to_owned(), kind: Kind::Opaque, closed: false }),
        _ if name.starts_with(".wh.") => None,
        "" | "." | ".." => {
            return Err(refused(
                "a whiteout that would remove a folder as a whole, or what is above it",
                REBUILD,
            ));
        }
        _ => Some(Entry { path: path::join(folder, name), kind: Kind::Removed, closed: false }),
    }))
}

/// A stream that is hashed and counted as it is read, and ends with an error after too many bytes.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
    most: u64,
    over: &'static str,
}

/// Too many bytes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Over(&'static str);

impl<R> Hashed<R> {
    fn new(inner: R, most: u64, over: &'static str) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0, most, over }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.hash.update(&into[..n]);
        self.bytes += n as u64;
        if self.bytes > self.most {
            return Err(io::Error::other(Over(self.over)));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests;
