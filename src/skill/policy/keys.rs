//! The keys of a policy file, once: what `read` takes, and what its JSON schema names.

/// Of the file.
pub const TOP: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
/// Of `spec`.
pub const SPEC: [&str; 10] = [
    "registries",
    "pinned",
    "signedBy",
    "allowUnsigned",
    "licenses",
    "allowedTools",
    "limits",
    "perAgent",
    "attestations",
    "exceptions",
];
/// Of an item of `spec.signedBy`.
pub const SIGNER: [&str; 7] =
    ["key", "keyFile", "identity", "identityRegexp", "issuer", "issuerRegexp", "images"];
/// Of `spec.limits`.
pub const LIMITS: [&str; 4] = ["files", "bytes", "tokens", "descriptionTokens"];
/// Of `spec.perAgent`.
pub const PER_AGENT: [&str; 3] = ["skills", "tokens", "descriptionTokens"];
/// Of an item of `spec.exceptions`.
pub const EXCEPTION: [&str; 4] = ["image", "rule", "reason", "until"];
