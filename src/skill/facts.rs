//! What is known of a file after its bytes have passed: size, digest, whether it is text; and the text itself where the
//! rules for skills read it.

use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::content::{Failed, Keep, Nothing, unread};
use super::limits::{KEPT_BYTES, Limits, Spent, TEXT_BYTES, TEXTS_BYTES};
use super::{DAMAGED, InputError, path, refused};

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Bytes.
    pub size: u64,
    /// Whether anybody may execute it.
    pub executable: bool,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Whether it is text: no NUL in its first 8,000 bytes, as git has it.
    pub text: bool,
    /// Whether its first bytes are those of a script or a program: `#!`, or the mark of an executable format.
    pub program: bool,
    /// The first [`TEXT_BYTES`] of a file whose content is read, or a text that is kept to be compared
    /// ([`Limits::kept_bytes`]).
    pub content: Option<Vec<u8>>,
}

/// First bytes of what a kernel, a shell or a runtime executes: scripts, ELF, PE, Mach-O, WebAssembly, classes of Java.
const PROGRAMS: [&[u8]; 9] = [
    b"#!",
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\0asm",
];

/// Files whose content is read: what describes a skill.
pub const READ: [&str; 3] = ["SKILL.md", "skill.md", "skill.yaml"];

/// Bytes in which a NUL makes a file binary.
const BINARY_WITHIN: u64 = 8000;

/// A file that is about to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'l> {
    /// Bytes that it has.
    pub size: u64,
    /// Whether anybody may execute it.
    pub executable: bool,
    /// The limits.
    pub limits: &'l Limits,
}

impl Reading<'_> {
    /// Reads the file; it has to have as many bytes as were said.
    ///
    /// # Errors
    /// It has too many or fewer, or the bytes could not be read.
    pub fn facts(self, reader: &mut dyn Read, path: &str, spent: &mut Spent) -> Result<Facts, InputError> {
        self.facts_keeping(reader, path, spent, &mut Nothing)
    }

    /// The same, passing the bytes on as they are read.
    ///
    /// # Errors
    /// As [`Reading::facts`]; and bytes could not be put down.
    pub fn facts_keeping(
        self,
        reader: &mut dyn Read,
        path: &str,
        spent: &mut Spent,
        keep: &mut dyn Keep,
    ) -> Result<Facts, InputError> {
        let put = |done: std::io::Result<()>| done.map_err(|error| InputError::from(Failed::output(&error)));
        put(keep.begin())?;
        if self.size > self.limits.file_bytes {
            return Err(refused(
                format!("{} bytes; a file may have {}", self.size, self.limits.file_bytes),
                "raise --max-file-size if it is meant",
            ));
        }
        let describes = READ.contains(&path::base(path));
        let is_kept =
            !describes && self.size <= self.limits.kept_bytes && spent.kept + self.size <= KEPT_BYTES;
        let mut content = (describes || is_kept).then(Vec::new);
        if is_kept {
            spent.kept += self.size;
        }
        if describes {
            spent.texts += self.size.min(TEXT_BYTES);
            if spent.texts > TEXTS_BYTES {
                return Err(refused(
                    format!(
                        "the files named SKILL.md or skill.yaml have more than {TEXTS_BYTES} bytes together"
                    ),
                    "split the image",
                ));
            }
        }
        let mut hash = Sha256::new();
        let mut text = true;
        let mut first = Vec::new();
        let mut bytes = 0;
        let mut buffer = [0; 1 << 14];
        loop {
            let n = reader.read(&mut buffer).map_err(|error| unread(&error, DAMAGED))?;
            if n == 0 {
                break;
            }
            let part = &buffer[..n];
            hash.update(part);
            put(keep.bytes(part))?;
            first.extend(part.iter().take(4_usize.saturating_sub(first.len())));
            if bytes < BINARY_WITHIN {
                let look = usize::try_from(BINARY_WITHIN - bytes).unwrap_or(n).min(n);
                text &= memchr::memchr(0, &part[..look]).is_none();
            }
            if let Some(content) = &mut content {
                let room = (TEXT_BYTES as usize).saturating_sub(content.len()).min(n);
                content.extend_from_slice(&part[..room]);
            }
            bytes += n as u64;
            if bytes > self.size {
                return Err(refused("it grew while it was read", "try again"));
            }
        }
        if bytes < self.size {
            return Err(refused(format!("ends after {bytes} of {} bytes", self.size), DAMAGED));
        }
        let sha256: [u8; 32] = hash.finalize().into();
        put(keep.end(&sha256))?;
        let program = PROGRAMS.iter().any(|mark| first.starts_with(mark));
        let content = content.filter(|_| describes || text);
        Ok(Facts { size: bytes, executable: self.executable, sha256, text, program, content })
    }
}
