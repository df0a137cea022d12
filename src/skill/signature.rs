//! Who signed a skill image: bytes of signatures and what is trusted in, a verdict as data out. Finding signatures is left to
//! who calls, and what is said of a verdict to who prints.

#[cfg(feature = "signatures")]
pub mod check;
#[cfg(feature = "signatures")]
pub mod key;
#[cfg(feature = "signatures")]
mod logged;
#[cfg(feature = "signatures")]
mod provider;
#[cfg(feature = "signatures")]
mod statement;
#[cfg(feature = "signatures")]
pub mod trust;

use super::oci::Digest;

/// The predicate type of what cosign signs an image with; all others are attestations.
pub const SIGNATURE_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Who made a signature.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signer {
    /// Who holds a key.
    Key {
        /// The digest of the public key, as SPKI in DER.
        fingerprint: Digest,
    },
    /// Whom a certificate authority has identified.
    Certificate {
        /// Mail address or URI of the certificate.
        identity: String,
        /// Who had identified him.
        issuer: String,
    },
}

/// How a signature is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// A Sigstore bundle, which refers to the image.
    Bundle,
    /// A layer of the image under the tag `sha256-<digest>.sig`.
    SignatureTag,
}

impl Format {
    /// As it is written in lock files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::SignatureTag => "signature-tag",
        }
    }

    /// The format of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Bundle, Self::SignatureTag].into_iter().find(|format| format.as_str() == text)
    }
}

/// A signature or attestation that holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verified {
    /// Who made it.
    pub signer: Signer,
    /// How it is kept.
    pub format: Format,
    /// The digest that it names: of an image or of an index.
    pub digest: Digest,
    /// Whether an entry of a transparency log was checked.
    pub log: bool,
    /// What it says of the image; none in a signature of the old format.
    pub predicate_type: Option<String>,
}

impl Verified {
    /// Whether it signs the image rather than attest something about it.
    pub fn is_signature(&self) -> bool {
        self.predicate_type.as_deref().is_none_or(|kind| kind == SIGNATURE_PREDICATE)
    }
}

/// Why a signature or attestation does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is damaged, or not what it is to be.
    Unreadable(String),
    /// It may be good, but is of a kind that is not checked.
    Unsupported(String),
    /// By a key, and none was given.
    NoKey,
    /// By a key, and none of those that were given.
    OtherKey,
    /// By a certificate, and no identity was given.
    NoIdentity {
        /// Mail address or URI of the certificate, which holds.
        identity: String,
        /// Who had identified him.
        issuer: String,
    },
    /// By a certificate that names nobody who was given.
    OtherIdentity {
        /// Mail address or URI of the certificate, which holds.
        identity: String,
        /// Who had identified him.
        issuer: String,
    },
    /// Its certificate or log entry is refused.
    Untrusted(String),
    /// It has no log entry that holds, and one is demanded.
    NoLog(String),
    /// It is good, and about other images.
    OtherImage {
        /// Who made it.
        signer: Signer,
        /// Which images.
        digests: Vec<Digest>,
    },
}

#[cfg(test)]
#[cfg(feature = "signatures")]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests read their files, and say which are missing"
)]
mod tests;
