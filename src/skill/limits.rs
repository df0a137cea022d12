//! How much is read of an image, and what was read of it already. The defaults let the largest skills pass that are known
//! to be in use (12,941 files, 97 MB).

use super::{InputError, refused};

/// Bounds of what is read. None of them is about trust: they keep time, memory and a node's disk in bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files of a skill.
    pub files: u64,
    /// Bytes of a skill.
    pub skill_bytes: u64,
    /// Bytes of an image, unpacked, tar headers included; packed it may not be larger either.
    pub image_bytes: u64,
    /// Bytes of a file.
    pub file_bytes: u64,
    /// Entries of all layers: files, folders, links and removals.
    pub entries: u64,
    /// Layers.
    pub layers: usize,
    /// Bytes of a text that is kept, beyond those that describe a skill, for who compares files.
    pub kept_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 16_384,
            skill_bytes: 128 << 20,
            image_bytes: 256 << 20,
            file_bytes: 50 << 20,
            entries: 131_072,
            layers: 128,
            kept_bytes: 0,
        }
    }
}

/// Bytes of a path; Linux takes no more.
pub const PATH_BYTES: usize = 4096;
/// Bytes of a name in a path; file systems take no more.
pub const NAME_BYTES: usize = 255;
/// Folders in a path.
pub const DEPTH: usize = 64;
/// Symbolic links of an image: each is followed to its end.
pub const LINKS: usize = 4096;
/// Bytes of a PAX header, as Go's reader has it.
pub const PAX_BYTES: u64 = 1 << 20;
/// Bytes that are kept of a file whose text is read: one more than its reader takes, so that it sees that there are more.
pub const TEXT_BYTES: u64 = (1 << 20) + 1;
/// Bytes that are kept of all of them.
pub const TEXTS_BYTES: u64 = 16 << 20;
/// Bytes that are kept of all texts that are to be compared.
pub const KEPT_BYTES: u64 = 32 << 20;
/// Bytes that a zstd frame may refer back to; the strongest level of the encoders that build images asks for that much.
pub const ZSTD_WINDOW: u64 = 32 << 20;
/// Indexes in indexes.
pub const INDEX_DEPTH: usize = 4;
/// Indexes and manifests that are looked at to find the one of a platform.
pub const INDEX_ENTRIES: usize = 1024;
/// Bytes of an image's configuration.
pub const CONFIG_BYTES: u64 = 4 << 20;

/// What was read already, over all layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Entries.
    pub entries: u64,
    /// Unpacked bytes.
    pub bytes: u64,
    /// Bytes of kept texts.
    pub texts: u64,
    /// Bytes of texts that are kept to be compared.
    pub kept: u64,
}

impl Spent {
    /// Counts an entry.
    ///
    /// # Errors
    /// There were too many.
    pub fn entry(&mut self, limits: &Limits) -> Result<(), InputError> {
        self.entries += 1;
        if self.entries > limits.entries {
            return Err(refused(
                format!("more than {} entries", limits.entries),
                "an image of skills has far fewer; raise --max-entries if it is meant",
            ));
        }
        Ok(())
    }
}
