//! What is in a skill image: bytes in, facts out. Where the bytes come from (a registry, an OCI layout, a folder) is left
//! to who calls.

pub mod budget;
pub mod card;
pub mod finding;
pub mod format;
pub mod frontmatter;
pub mod import;
pub mod node;
pub mod oci;
