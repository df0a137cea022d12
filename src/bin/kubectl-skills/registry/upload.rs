//! A blob into a repository: mounted from another one, in one request where it is small, else in chunks that go on where a
//! connection broke. Nobody sees any of it before the last request, which names its digest.

use std::sync::Arc;

use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{Method, Uri};
use hyper::body::Bytes;
use kubectl_skills::skill::oci::Descriptor;

use super::error::{Kind, RegistryError, Result};
use super::progress::Progress;
use super::repository::{OCTETS, Repository};
use super::stream::BlobStream;
use super::transport::{Answer, Ask};
use super::url::{encoded, resolve, with_parameter};
use crate::net::retry;

/// Bytes of a chunk, which are kept until the registry has them; what is not larger goes in one request.
const CHUNK: usize = 8 << 20;
/// Largest chunk that a registry can have us send.
const LARGEST_CHUNK: usize = 64 << 20;

/// What came of an attempt to mount a blob.
pub enum Mount {
    /// The repository has it.
    Done,
    /// It has to be sent; the registry has begun an upload for it.
    Upload(Uri),
    /// It has to be sent.
    No,
}

impl Repository {
    fn upload_what(&self, descriptor: &Descriptor) -> Arc<str> {
        format!("write blob {} to {}", descriptor.digest, self.name()).into()
    }

    /// Takes a blob over from another repository of the same registry.
    pub async fn mount(&self, descriptor: &Descriptor, from: &str) -> Result<Mount> {
        let what: Arc<str> =
            format!("mount blob {} of {from} into {}", descriptor.digest, self.name()).into();
        let path = format!("blobs/uploads/?mount={}&from={}", descriptor.digest, encoded(from));
        let mut other = self.clone();
        other.access.from = Some(from.to_owned());
        let answer = other.send(Ask::new(Method::POST, self.uri(&path)?, &what).repeatable()).await?;
        match answer.status.as_u16() {
            201 => Ok(Mount::Done),
            202 => Ok(location(&answer).map_or(Mount::No, Mount::Upload)),
            // Some registries refuse a mount from where they let nobody read; sending it is still right.
            _ => Ok(Mount::No),
        }
    }

    async fn begin(&self, what: &Arc<str>) -> Result<(Uri, usize)> {
        let answer =
            self.send(Ask::new(Method::POST, self.uri("blobs/uploads/")?, what).repeatable()).await?;
        if answer.status.as_u16() != 202 {
            return Err(answer.into_error().await);
        }
        let wanted =
            answer.header("oci-chunk-min-length").and_then(|text| text.parse().ok()).unwrap_or(CHUNK);
        let at = location(&answer).ok_or_else(|| self.no_location(what))?;
        Ok((at, wanted.clamp(CHUNK, LARGEST_CHUNK)))
    }

    fn no_location(&self, what: &str) -> RegistryError {
        RegistryError::new(
            Kind::Refused,
            format!("{what}: {} does not say where the upload goes on", self.access.registry),
        )
    }

    /// Sends a blob. `begun`: an upload that the registry has begun for it. A registry may write
    /// bytes of a request that we gave up after those that followed it: that is an error of its own kind.
    pub async fn upload(
        &self,
        stream: &mut BlobStream,
        begun: Option<Uri>,
        progress: &Progress,
    ) -> Result<()> {
        let descriptor = stream.descriptor().clone();
        let what = self.upload_what(&descriptor);
        let (mut at, chunk) = match begun {
            Some(at) => (at, CHUNK),
            None => self.begin(&what).await?,
        };
        let mut rest = Bytes::new();
        let mut piece = filled(stream, &mut rest, chunk).await?;
        if piece.len() as u64 == descriptor.size {
            // Its end, where the digest is judged.
            stream.next().await?;
            return self.whole(at, piece, &descriptor, &what, progress).await;
        }
        let (mut offset, mut resumed) = (0, false);
        while !piece.is_empty() {
            let length = piece.len() as u64;
            let (next, again) = self.send_chunk(at, offset, piece, &what).await?;
            (at, resumed) = (next, resumed || again);
            offset += length;
            progress.advance(length);
            piece = filled(stream, &mut rest, chunk).await?;
        }
        let uri = with_parameter(&at, "digest", descriptor.digest.as_str())
            .ok_or_else(|| self.no_location(&what))?;
        let ask = Ask::new(Method::PUT, uri, &what).body(Bytes::new(), OCTETS);
        match self.send(ask).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) if resumed && answer.status.as_u16() == 400 => {
                Err(RegistryError { kind: Kind::Mixed, ..answer.into_error().await })
            }
            Ok(answer) => Err(answer.into_error().await),
            // The answer was lost, not the upload.
            Err(error) if error.may_pass() && self.has_blob(&descriptor).await? => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A blob in one request; again from the start where the connection breaks.
    async fn whole(
        &self,
        first: Uri,
        bytes: Bytes,
        descriptor: &Descriptor,
        what: &Arc<str>,
        progress: &Progress,
    ) -> Result<()> {
        let (mut at, mut attempt) = (first, 1);
        loop {
            let uri = with_parameter(&at, "digest", descriptor.digest.as_str())
                .ok_or_else(|| self.no_location(what))?;
            let error = match self.send(Ask::new(Method::PUT, uri, what).body(bytes.clone(), OCTETS)).await {
                Ok(answer) if answer.status.is_success() => {
                    progress.advance(bytes.len() as u64);
                    return Ok(());
                }
                Ok(answer) => answer.into_error().await,
                Err(error) => error,
            };
            pause(error, &mut attempt).await?;
            if self.has_blob(descriptor).await? {
                progress.advance(bytes.len() as u64);
                return Ok(());
            }
            (at, _) = self.begin(what).await?;
        }
    }

    /// Sends a chunk, and after a failure what the registry has not got of it. Gives where the upload goes on, and whether there
    /// was a failure.
    async fn send_chunk(&self, first: Uri, start: u64, bytes: Bytes, what: &Arc<str>) -> Result<(Uri, bool)> {
        let end = start + bytes.len() as u64;
        let (mut at, mut from, mut attempt) = (first, start, 1);
        loop {
            let part = bytes.slice(usize::try_from(from - start).unwrap_or(0)..);
            let ask = Ask::new(Method::PATCH, at.clone(), what)
                .header(CONTENT_RANGE, &format!("{from}-{}", end - 1))
                .body(part, OCTETS);
            let error = match self.send(ask).await {
                Ok(answer) if answer.status.as_u16() == 202 || answer.status.as_u16() == 204 => {
                    at = location(&answer).unwrap_or(at);
                    match received(&answer) {
                        Some(has) if has < end => RegistryError::new(
                            Kind::Broken,
                            format!("{what}: the registry took {has} of {end} bytes"),
                        ),
                        _ => return Ok((at, attempt > 1)),
                    }
                }
                // 416: it has another part than we believe.
                Ok(answer) if answer.status.as_u16() == 416 => {
                    RegistryError { kind: Kind::Broken, ..answer.into_error().await }
                }
                Ok(answer) => answer.into_error().await,
                Err(error) => error,
            };
            pause(error, &mut attempt).await?;
            let (next, has) = self.status(&at, what).await?;
            // `0-0` says nothing as well as one byte.
            let has = if has == 1 && start == 0 { 0 } else { has };
            if has < start || has > end {
                let message = format!(
                    "{what}: the registry has {has} bytes of the upload, and was sent {start} to {end}"
                );
                return Err(RegistryError::new(Kind::Mixed, message).help("run again: the blob is sent anew"));
            }
            at = next;
            if has == end {
                return Ok((at, true));
            }
            from = has;
        }
    }

    /// Where an upload goes on, and how many bytes of it the registry has.
    async fn status(&self, at: &Uri, what: &Arc<str>) -> Result<(Uri, u64)> {
        let answer = self.send(Ask::new(Method::GET, at.clone(), what)).await?;
        if !answer.status.is_success() {
            return Err(answer.into_error().await.help("the registry has dropped the upload; run again"));
        }
        let has = received(&answer).ok_or_else(|| {
            RegistryError::new(Kind::Refused, format!("{what}: the registry does not say how much it has"))
        })?;
        Ok((location(&answer).unwrap_or_else(|| at.clone()), has))
    }
}

/// How many bytes the registry has; `None` if it does not say.
fn received(answer: &Answer) -> Option<u64> {
    let range = answer.header(RANGE.as_str())?;
    let (_, last) = range.trim_start_matches("bytes=").rsplit_once('-')?;
    last.parse::<u64>().ok()?.checked_add(1)
}

fn location(answer: &Answer) -> Option<Uri> {
    resolve(&answer.uri, answer.header(LOCATION.as_str())?)
}

/// The next bytes of a stream, as many as wanted or as there are.
async fn filled(stream: &mut BlobStream, rest: &mut Bytes, wanted: usize) -> Result<Bytes> {
    let left = stream.left() + rest.len() as u64;
    let mut piece = Vec::with_capacity(wanted.min(usize::try_from(left).unwrap_or(wanted)));
    loop {
        let taken = rest.split_to(rest.len().min(wanted - piece.len()));
        piece.extend_from_slice(&taken);
        if piece.len() == wanted {
            return Ok(piece.into());
        }
        match stream.next().await? {
            Some(more) => *rest = more,
            None => return Ok(piece.into()),
        }
    }
}

/// Waits before the next attempt.
///
/// # Errors
/// The error itself, if it does not pass or there is no attempt left.
async fn pause(error: RegistryError, attempt: &mut u32) -> Result<()> {
    if !error.may_pass() || *attempt == retry::MAX_ATTEMPTS {
        return Err(error);
    }
    tokio::time::sleep(retry::wait(*attempt, None)).await;
    *attempt += 1;
    Ok(())
}
