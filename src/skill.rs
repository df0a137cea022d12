//! What is in a skill image: bytes in, facts out. Where the bytes come from (a registry, an OCI layout, a folder) is left
//! to who calls.

pub mod content;
pub mod oci;
