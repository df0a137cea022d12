//! What is known of an image without asking anybody: the facts of a lock's entry that policies judge.

/// Who signed an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// A key, by `sha256:` and the hash of its SPKI in DER.
    Key(String),
    /// The subject of a certificate.
    Certificate {
        /// The identity.
        identity: String,
        /// Who vouches for it.
        issuer: String,
    },
}

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What its reference resolved to.
    pub digest: String,
    /// Its licence, as it states it.
    pub license: Option<String>,
    /// Tools that it asks for.
    pub allowed_tools: Vec<String>,
    /// Files.
    pub files: Option<u64>,
    /// Bytes of its files.
    pub bytes: Option<u64>,
    /// Tokens of SKILL.md, estimated.
    pub tokens: Option<u64>,
    /// Tokens of name and description, estimated.
    pub description_tokens: Option<u64>,
    /// Signatures that were verified.
    pub signed: Vec<Signer>,
    /// Who decided to take it without a signature, and why.
    pub unsigned: Option<Unsigned>,
    /// Predicate types of attestations that were verified.
    pub attestations: Vec<String>,
}

/// A decision to take an image without a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Who decided.
    pub by: String,
    /// Why.
    pub reason: String,
}
