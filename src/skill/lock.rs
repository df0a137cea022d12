//! `skills.lock`: which image each reference of a skill is, what is in it and who signed it. Text in, entries out, and back into
//! the text. Which images there are, and what is in them, is left to who calls; what a render makes of an entry, to
//! [`crate::api::pins`].
//!
//! `read` reads a file strictly, `write` edits it so that comments and unknown keys stay, `set` is the digest of all skills of
//! an agent, `signers` who may not be lost, `peers` the lock files of other tools.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::api::image_reference;
use crate::api::pins::Pins;
use crate::skill::oci::Digest;

mod inspected;
pub mod peers;
mod read;
pub mod set;
mod signers;
#[cfg(test)]
mod tests;
#[cfg(feature = "signatures")]
mod verdict;
mod write;

pub use inspected::entry as of_image;
pub use write::{edit, edit_with, value};

/// `kind` of the file.
pub const KIND: &str = "SkillLock";
/// The name that the file usually has.
pub const FILE: &str = "skills.lock";

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// In the order of the file.
    entries: Vec<Entry>,
    /// By [`image_reference::key`], the index of its entry.
    by_image: HashMap<String, usize>,
    /// Files of other tools, by the name of the tool.
    imported: Map<String, Value>,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The reference as manifests state it; without the digest where there is a tag.
    pub image: String,
    /// What it names: the digest of an index or of a manifest.
    pub digest: Digest,
    /// Identity of its files ([`crate::skill::identity`]); none for an image that cannot be looked into.
    pub content: Option<Digest>,
    /// What is known of what is in it.
    pub facts: Facts,
    /// Who signed it; `None` if nobody looked.
    pub signed: Option<Vec<Signed>>,
    /// Who decided that it may be used without a signature.
    pub unsigned: Option<Unsigned>,
    /// The attestations that were verified; `None` if nobody looked.
    pub attestations: Option<Vec<Attestation>>,
    /// The line of the file, from 1; 0 for one that is not in a file.
    pub line: usize,
}

/// What a policy may ask of an image's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the skill; `None` if there are several.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// The tools that it may use without asking, of all its skills; `None` where that is not known.
    pub allowed_tools: Option<Vec<String>>,
    /// Files.
    pub files: Option<u64>,
    /// Bytes, unpacked.
    pub bytes: Option<u64>,
    /// Tokens of its instructions, estimated.
    pub tokens: Option<u64>,
    /// Tokens of its name and description, which an agent always holds, estimated.
    pub description_tokens: Option<u64>,
    /// Platforms of its index, or that of its configuration.
    pub platforms: Vec<String>,
    /// Those of them that have other files than the one that was looked into, so that nothing holds for all.
    pub different: Vec<String>,
    /// The skills, where it is not one in the root of the image.
    pub skills: Vec<Contained>,
}

/// A skill in a folder of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contained {
    /// The folder, as `subPath` names it.
    pub folder: String,
    /// Its name.
    pub name: Option<String>,
    /// Identity of its files.
    pub content: Digest,
}

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub signer: Signer,
    /// How it is stored: `bundle` or `signature-tag`.
    pub format: String,
    /// What it is about.
    pub digest: Digest,
    /// What that is: `index`, or `manifest`.
    pub of: String,
    /// The platform of that manifest, where it is one of an index.
    pub platform: Option<String>,
    /// Whether an entry of a transparency log was checked.
    pub log: bool,
}

/// An attestation that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Its predicate type.
    pub kind: String,
    /// Who made it, and about what; `None` in a lock that was written before that was kept.
    pub signed: Option<Signed>,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signer {
    /// The owner of a key.
    Key {
        /// `sha256:` and the digits of the SHA-256 of its SPKI in DER.
        fingerprint: String,
    },
    /// Somebody to whom a certificate was given.
    Certificate {
        /// Who, by the certificate.
        identity: String,
        /// Who vouches for that.
        issuer: String,
    },
}

/// A decision to use an image that nobody signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Who decided.
    pub by: String,
    /// When, as RFC 3339 has it.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// Why what is in an image is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown<'e> {
    /// Nobody has looked into it.
    NotLooked,
    /// It has no SKILL.md, or none of which all readers make the same.
    NoSkill,
    /// These platforms have other files.
    Different(&'e [String]),
}

impl Entry {
    /// An entry of which nothing but the image is known.
    pub fn new(image: impl Into<String>, digest: Digest) -> Self {
        Self {
            image: image.into(),
            digest,
            content: None,
            facts: Facts::default(),
            signed: None,
            unsigned: None,
            attestations: None,
            line: 0,
        }
    }

    /// Whether all that the image says of itself is known, or why not.
    pub fn is_known(&self) -> Result<(), Unknown<'_>> {
        let Facts { files, allowed_tools, different, .. } = &self.facts;
        match (different.as_slice(), files, allowed_tools) {
            ([], Some(_), Some(_)) => Ok(()),
            ([], None, _) => Err(Unknown::NotLooked),
            ([], Some(_), None) => Err(Unknown::NoSkill),
            (platforms, ..) => Err(Unknown::Different(platforms)),
        }
    }

    /// What an agent is given, where the folder of a skill is mounted alone (`sub_path`): the identity of that skill, else of the
    /// image's files, else the digest of the image.
    pub fn content_of(&self, sub_path: &str) -> &Digest {
        let folder = sub_path.trim_matches('/');
        let contained = self.facts.skills.iter().find(|skill| skill.folder == folder && !folder.is_empty());
        contained.map(|skill| &skill.content).or(self.content.as_ref()).unwrap_or(&self.digest)
    }
}

impl Lock {
    /// A lock of these entries. Of two of one image the first counts.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut by_image = HashMap::with_capacity(2 * entries.len());
        let mut alone = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let Some(parts) = image_reference::parts(&entry.image) else { continue };
            by_image.entry(parts.key()).or_insert(index);
            let (registry, repository) = parts.location();
            alone.push(([registry, "/", &repository, "@", entry.digest.as_str()].concat(), index));
        }
        // Anyone who names the digest alone needs no tag.
        for (key, index) in alone {
            by_image.entry(key).or_insert(index);
        }
        Self { entries, by_image, imported: Map::new() }
    }

    /// The entries, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of an image: its tag decides where it has one, however the rest is spelled.
    pub fn find(&self, image: &str) -> Option<&Entry> {
        Some(&self.entries[*self.by_image.get(&image_reference::key(image)?)?])
    }

    /// The file of another tool that is kept in it.
    pub fn imported(&self, tool: &str) -> Option<&Value> {
        self.imported.get(tool)
    }

    /// What plans need of it; `file` is how messages name it.
    pub fn pins(&self, file: impl Into<String>) -> Pins {
        Pins::new(file, self.entries.iter().map(|entry| (entry.image.as_str(), entry.digest.as_str())))
    }
}
