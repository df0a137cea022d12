//! A blob as it comes: piece by piece, held against its digest and size, and taken up again where a connection broke.

use std::io::{Read as _, Take};

use hyper::body::Bytes;
use kubectl_skills::skill::oci::{Descriptor, Digest};
use sha2::{Digest as _, Sha256};

use super::error::{Kind, RegistryError, Result};
use super::repository::Repository;
use super::transport::Answer;
use crate::net::retry;

/// Bytes that are read of a file at once.
const PIECE: usize = 256 << 10;

/// What has to come between two failures for them not to be counted as one after the other.
const WORTH_IT: u64 = 256 << 10;

/// A blob that is being read.
pub struct BlobStream {
    descriptor: Descriptor,
    from: From,
    hash: Option<Sha256>,
    read: u64,
    place: String,
}

enum From {
    /// A registry; the answer is none before the first piece and after a connection broke.
    Remote {
        repository: Repository,
        answer: Option<Box<Answer>>,
        /// Times that it broke, one after the other, with little between them.
        failures: u32,
        /// How much there was when it last broke.
        broke_at: u64,
    },
    File(Take<std::fs::File>),
}

impl BlobStream {
    /// A blob of a registry. The first request is sent now: where there is no such blob, that is said at once.
    pub async fn remote(repository: Repository, descriptor: &Descriptor) -> Result<Self> {
        let answer = repository.blob(descriptor, 0).await?;
        let place = repository.name();
        let from = From::Remote { repository, answer: Some(Box::new(answer)), failures: 0, broke_at: 0 };
        Ok(Self { descriptor: descriptor.clone(), from, hash: Some(Sha256::new()), read: 0, place })
    }

    /// A blob in a file, from where it is read on.
    pub fn file(file: std::fs::File, descriptor: &Descriptor, place: String) -> Self {
        let file = file.take(descriptor.size);
        let from = From::File(file);
        Self { descriptor: descriptor.clone(), from, hash: Some(Sha256::new()), read: 0, place }
    }

    /// The blob.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.descriptor.size.saturating_sub(self.read)
    }

    /// The next piece; none at the end, where everything was as announced.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = match &mut self.from {
            From::File(file) => {
                let mut piece = vec![0; PIECE];
                let length = file.read(&mut piece);
                let length = length.map_err(|error| {
                    RegistryError::io(
                        format!("read blob {} of {}", self.descriptor.digest, self.place),
                        &error,
                    )
                })?;
                piece.truncate(length);
                Some(Bytes::from(piece)).filter(|piece| !piece.is_empty())
            }
            From::Remote { .. } => self.next_remote().await?,
        };
        match piece {
            Some(piece) => {
                self.read += piece.len() as u64;
                if self.read > self.descriptor.size {
                    return Err(self.wrong(&format!(
                        "it is longer than the {} bytes that were announced",
                        self.descriptor.size
                    )));
                }
                if let Some(hash) = &mut self.hash {
                    hash.update(&piece);
                }
                Ok(Some(piece))
            }
            None => {
                if self.read < self.descriptor.size {
                    return Err(
                        self.wrong(&format!("it ends after {} of {} bytes", self.read, self.descriptor.size))
                    );
                }
                if let Some(hash) = self.hash.take() {
                    let found = Digest::finish(hash);
                    if found != self.descriptor.digest {
                        return Err(self.wrong(&format!("its digest is {found}")));
                    }
                }
                Ok(None)
            }
        }
    }

    async fn next_remote(&mut self) -> Result<Option<Bytes>> {
        let From::Remote { repository, answer, failures, broke_at } = &mut self.from else { return Ok(None) };
        loop {
            if answer.is_none() {
                *answer = Some(Box::new(resumed(repository, &self.descriptor, self.read).await?));
            }
            let Some(open) = answer.as_mut() else { return Ok(None) };
            let error = match open.chunk().await {
                Ok(Some(piece)) => return Ok(Some(piece)),
                Ok(None) if self.read >= self.descriptor.size => return Ok(None),
                // Without a length a connection that is cut ends like one that is finished.
                Ok(None) => RegistryError::new(
                    Kind::Broken,
                    format!(
                        "read blob {} of {}: it ends after {} of {} bytes",
                        self.descriptor.digest, self.place, self.read, self.descriptor.size
                    ),
                ),
                Err(error) if error.may_pass() => error,
                Err(error) => return Err(error),
            };
            *answer = None;
            // A server that gives a few bytes each time would have us come for ever.
            *failures = if self.read - *broke_at >= WORTH_IT { 1 } else { *failures + 1 };
            *broke_at = self.read;
            if *failures >= retry::MAX_ATTEMPTS {
                let message = format!("{} (after {failures} attempts)", error.message);
                return Err(RegistryError { message, ..error });
            }
            tokio::time::sleep(retry::wait(*failures, None)).await;
        }
    }

    fn wrong(&self, why: &str) -> RegistryError {
        let kind = if matches!(self.from, From::File(_)) { Kind::Local } else { Kind::Integrity };
        RegistryError::new(kind, format!("blob {} of {}: {why}", self.descriptor.digest, self.place))
            .help("it is damaged, or not what its digest names; nothing of it was used")
    }
}

/// The rest of a blob, from a byte on; where the server sends it from the start, the start is passed over.
async fn resumed(repository: &Repository, descriptor: &Descriptor, from: u64) -> Result<Answer> {
    let mut answer = repository.blob(descriptor, from).await?;
    let mut passed = from;
    if answer.status == http::StatusCode::PARTIAL_CONTENT {
        let start = answer
            .header("content-range")
            .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
        passed = from.checked_sub(start.unwrap_or(from)).unwrap_or(u64::MAX);
    }
    if passed == u64::MAX {
        let message = format!(
            "blob {} of {}: a later part than the one that was asked for",
            descriptor.digest,
            repository.name()
        );
        return Err(RegistryError::new(Kind::Integrity, message));
    }
    answer.skip(passed);
    Ok(answer)
}
