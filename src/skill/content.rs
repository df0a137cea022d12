//! Where manifests and blobs come from: a registry, an OCI layout; and where the bytes of files go that are kept. What they mean
//! is left to who calls.

use std::error::Error;
use std::io::{self, Read};

use super::oci::Descriptor;
use super::{InputError, refused};
use crate::api::error::Fault;

/// Where manifests and blobs come from: a registry, an OCI layout.
pub trait Content {
    /// The bytes of a manifest or index: at most MANIFEST_LIMIT, checked against digest and size.
    fn manifest(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, Failed>;
    /// The bytes of a blob, as a stream. Size and digest are checked by who reads.
    fn blob(&mut self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Failed>;
}

/// Where the bytes of files go as they pass: one file after the other.
pub trait Keep {
    /// A file begins; what was there of one that did not end is void.
    fn begin(&mut self) -> io::Result<()>;
    /// Bytes of it.
    fn bytes(&mut self, part: &[u8]) -> io::Result<()>;
    /// It has ended, and its bytes have this SHA-256.
    fn end(&mut self, sha256: &[u8; 32]) -> io::Result<()>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Keep for Nothing {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn bytes(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &[u8; 32]) -> io::Result<()> {
        Ok(())
    }
}

/// Why bytes do not come, or cannot be put down: no fault of what they say. A stream fails of it as an [`io::Error`] around it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// Whose fault it is.
    pub fault: Fault,
    /// What happened: lower case, no final stop.
    pub message: String,
    /// How to go on; may be empty.
    pub help: String,
}

impl Failed {
    /// What is written to failed.
    pub fn output(error: &io::Error) -> Self {
        Self { fault: Fault::Output, message: format!("cannot be written: {error}"), help: String::new() }
    }
}

impl From<Failed> for InputError {
    fn from(Failed { fault, message, help }: Failed) -> Self {
        Self { fault, ..refused(message, help) }
    }
}

/// What a stream failed of; with this help where its bytes are to blame.
pub fn unread(error: &io::Error, help: &str) -> InputError {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(failed) = error.downcast_ref::<Failed>() {
            return failed.clone().into();
        }
        // The source of such an error is that of the one in it.
        at = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    refused(error.to_string(), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decompressors and tar readers put errors into errors of their own.
    #[test]
    fn whose_fault_it_is_survives_what_reads_in_between() {
        let failed = Failed { fault: Fault::Source, message: "cut off".into(), help: "run again".into() };
        let expected = InputError { fault: Fault::Source, ..refused("cut off", "run again") };
        let inner = io::Error::other(failed);
        let decoder = ruzstd::decoding::errors::ReadFrameHeaderError::MagicNumberReadError(inner);
        let outer = io::Error::other(io::Error::other(decoder));
        assert_eq!(unread(&outer, "damaged"), expected);
        assert_eq!(unread(&io::Error::other("x"), "damaged"), refused("x", "damaged"));
    }
}
