//! Artifacts that runtimes do not mount as images that they do, with the same files: layers that are files become one layer
//! of them, and tars under other media types stay as they are under the usual ones.

use super::compression::Compression;
use super::layer::Layer;
use super::oci::{Descriptor, Digest, Manifest, media_type};
use super::pack::{self, Member};
use super::{InputError, inspect, refused};

/// How an artifact becomes an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Each layer is a file: what is packed, and the blob of each.
    Pack(Vec<(Member, Descriptor)>),
    /// The layers are tars already.
    Keep,
}

/// Finds out how.
///
/// # Errors
/// It is an image already, or of a kind that is not known.
pub fn way(manifest: &Manifest) -> Result<Way, InputError> {
    if manifest.layers.is_empty() {
        return Err(refused("no layers, and so no files", ""));
    }
    manifest
        .layers
        .iter()
        .filter_map(inspect::as_file)
        .try_for_each(|name| inspect::titled(name).map(|_| ()))?;
    let files: Vec<(Member, Descriptor)> = manifest.layers.iter().filter_map(member).collect();
    let tars = manifest.layers.iter().filter(|layer| Compression::of(&layer.media_type).is_some()).count();
    if files.len() == manifest.layers.len() {
        return Ok(Way::Pack(files));
    }
    if tars < manifest.layers.len() {
        return Err(refused(
            "layers that are neither tars nor files with a title",
            "unpack it by the tool that made it, and pack the folder",
        ));
    }
    if inspect::is_image(manifest) {
        return Err(refused("it is an image already", "runtimes mount it as it is"));
    }
    Ok(Way::Keep)
}

/// The file that a layer is. Artifacts keep no modes: none of them may be executed.
fn member(layer: &Descriptor) -> Option<(Member, Descriptor)> {
    let path = inspect::titled(inspect::as_file(layer)?).ok()?;
    Some((Member { path, size: layer.size, executable: false }, layer.clone()))
}

/// A layer that was read, under the media type that runtimes know.
///
/// # Errors
/// Its digests are none, which cannot be of a layer that was read.
pub fn kept(layer: &Layer) -> Result<pack::Layer, InputError> {
    let parse = |text: &str| Digest::parse(text).map_err(|error| refused(error, ""));
    let media_type = match Compression::of(&layer.media_type) {
        Some(Compression::Zstd) => media_type::OCI_LAYER_ZSTD,
        Some(Compression::Gzip) => media_type::OCI_LAYER_GZIP,
        _ => media_type::OCI_LAYER,
    };
    Ok(pack::Layer {
        media_type: media_type.into(),
        digest: parse(&layer.digest)?,
        size: layer.size,
        diff_id: parse(&layer.diff_id)?,
    })
}
