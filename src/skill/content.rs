//! Where manifests and blobs come from: a registry, an OCI layout. What they mean is left to who calls.

use std::io::Read;

use super::oci::Descriptor;

/// Where manifests and blobs come from: a registry, an OCI layout.
pub trait Content {
    /// The bytes of a manifest or index: at most MANIFEST_LIMIT, checked against digest and size.
    fn manifest(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, String>;
    /// The bytes of a blob, as a stream. Size and digest are checked by who reads.
    fn blob(&mut self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, String>;
}
