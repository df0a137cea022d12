//! A source for code that cannot wait: the library's `Content` over registries and layouts.

use std::io::{self, Read};

use hyper::body::Bytes;
use kubectl_skills::skill::content::{Content, Failed};
use kubectl_skills::skill::oci::Descriptor;
use tokio::runtime::{Handle, Runtime};

use super::args::RegistryArgs;
use super::error::RegistryError;
use super::place::Place;
use super::store::{Source, Stores};
use super::stream::BlobStream;
use crate::exit::Failure;

/// A source, and the runtime that asks it.
pub struct Blocking {
    runtime: Driver,
    source: Source,
}

/// What runs requests to their ends.
enum Driver {
    /// The thread's own.
    Own(Runtime),
    /// That of another thread, which runs it meanwhile.
    Other(Handle),
}

impl Driver {
    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        match self {
            Self::Own(runtime) => runtime.block_on(work),
            Self::Other(handle) => handle.block_on(work),
        }
    }
}

impl Blocking {
    /// Opens a place for a verb, and says what it names.
    ///
    /// # Errors
    /// There is no such image, or it cannot be reached.
    pub fn open(
        place: &Place,
        args: &RegistryArgs,
        verb: &'static str,
    ) -> std::result::Result<(Self, Descriptor), Failure> {
        let runtime = crate::net::runtime()?;
        let source = Stores::new(args, verb)?.source(place)?;
        let descriptor = runtime.block_on(source.resolve(place))?;
        Ok((Self { runtime: Driver::Own(runtime), source }, descriptor))
    }

    /// What another place of the same repository or layout names.
    ///
    /// # Errors
    /// There is no such image, or it cannot be reached.
    pub fn resolve(&self, place: &Place) -> std::result::Result<Descriptor, Failure> {
        Ok(self.runtime.block_on(self.source.resolve(place))?)
    }

    /// A source that is open, for a task that may block.
    pub fn within(handle: Handle, source: Source) -> Self {
        Self { runtime: Driver::Other(handle), source }
    }
}

impl Content for Blocking {
    fn manifest(&mut self, descriptor: &Descriptor) -> std::result::Result<Vec<u8>, Failed> {
        self.runtime.block_on(self.source.manifest(descriptor)).map_err(RegistryError::failed)
    }

    fn blob(&mut self, descriptor: &Descriptor) -> std::result::Result<Box<dyn Read + Send + '_>, Failed> {
        let stream = self.runtime.block_on(self.source.blob(descriptor)).map_err(RegistryError::failed)?;
        Ok(Box::new(BlobReader { runtime: &self.runtime, stream, rest: Bytes::new() }))
    }
}

/// A blob as `Read`.
struct BlobReader<'r> {
    runtime: &'r Driver,
    stream: BlobStream,
    rest: Bytes,
}

impl Read for BlobReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            let next = self.runtime.block_on(self.stream.next());
            match next.map_err(|error| io::Error::other(error.failed()))? {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.rest.len());
        let piece = self.rest.split_to(length);
        if let Some(target) = into.get_mut(..length) {
            target.copy_from_slice(&piece);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::repository::descriptor;
    use crate::skill_files::layout_write::{OnFailure, Writer};
    use kubectl_skills::skill::oci::{Digest, media_type};
    use serde_json::json;

    /// The library reads an image of a layout as it would one of a registry, and damage does not pass for the image.
    #[test]
    fn a_layout_is_read_through_the_librarys_interface() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("layout");
        let blob = b"a layer".to_vec();
        let layer = descriptor(Digest::of(&blob), blob.len() as u64, media_type::OCI_LAYER);
        let manifest = format!(
            "{{\"schemaVersion\":2,\"config\":{{\"mediaType\":\"m\",\"digest\":\"{0}\",\"size\":7}},\"layers\":[]}}",
            layer.digest
        );
        let root =
            descriptor(Digest::of(manifest.as_bytes()), manifest.len() as u64, media_type::OCI_MANIFEST);
        let writer = Writer::open(&path, OnFailure::Keep).expect("a layout");
        writer.put(&blob).expect("a blob");
        writer.put(manifest.as_bytes()).expect("a manifest");
        let entry = json!({"mediaType": root.media_type, "digest": root.digest.as_str(), "size": root.size});
        writer.name(entry, Some("1"));
        writer.finish().expect("an index");
        drop(writer);
        let place = Place::Layout(path.clone(), Some("1".into()));
        let (mut content, found) =
            Blocking::open(&place, &RegistryArgs::default(), "inspect").expect("an image");
        assert_eq!((found.digest.clone(), found.size), (root.digest.clone(), root.size));
        assert_eq!(content.manifest(&found), Ok(manifest.into_bytes()));
        let mut read = Vec::new();
        content.blob(&layer).expect("a blob").read_to_end(&mut read).expect("its bytes");
        assert_eq!(read, blob);
        std::fs::write(path.join(crate::registry::layout::blob_name(&layer.digest)), b"a LAYER")
            .expect("damage");
        let error = content.blob(&layer).expect("a blob").read_to_end(&mut read).expect_err("damage");
        assert!(error.to_string().contains(": its digest is sha256:"), "{error}");
    }
}
