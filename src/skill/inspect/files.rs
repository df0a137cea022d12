//! The files of an image: its layers merged, or, where each layer is a file, these.

use super::TITLE;
use crate::skill::compression::Compression;
use crate::skill::content::{Content, Keep, Nothing};
use crate::skill::facts::Reading;
use crate::skill::layer::{self, Entry, Kind, Layer, Pass};
use crate::skill::limits::{Limits, Spent};
use crate::skill::oci::{Descriptor, Digest, Manifest};
use crate::skill::tree::{Merge, Tree};
use crate::skill::{InputError, identity, path, refused, within};

/// The files of an image: its layers merged, or, where each layer is a file, these.
///
/// # Errors
/// As [`super::image`].
pub fn files(
    content: &mut dyn Content,
    manifest: &Manifest,
    diff_ids: &[Digest],
    limits: &Limits,
) -> Result<(Tree, Vec<Layer>), InputError> {
    files_keeping(content, manifest, diff_ids, limits, &mut Nothing)
}

/// The same, passing the bytes of files on.
pub(super) fn files_keeping(
    content: &mut dyn Content,
    manifest: &Manifest,
    diff_ids: &[Digest],
    limits: &Limits,
    keep: &mut dyn Keep,
) -> Result<(Tree, Vec<Layer>), InputError> {
    if manifest.layers.len() > limits.layers {
        return Err(refused(
            format!("{} layers; at most {} are read", manifest.layers.len(), limits.layers),
            "",
        ));
    }
    apart(manifest)?;
    let (mut merge, mut layers, mut spent) = (Merge::default(), Vec::new(), Spent::default());
    for (at, descriptor) in manifest.layers.iter().enumerate() {
        let place = || format!("layer {} ({})", at + 1, descriptor.digest);
        merge.next_layer();
        let mut pass = Pass { limits, spent: &mut spent, keep: &mut *keep };
        let mut read = || {
            let mut blob = content.blob(descriptor)?;
            match as_file(descriptor) {
                Some(name) => file(&mut blob, descriptor, name, &mut pass, &mut merge),
                None => {
                    let mut each = |entry| merge.apply(entry);
                    layer::read_keeping(&mut blob, descriptor, diff_ids.get(at), &mut pass, &mut each)
                }
            }
        };
        layers.push(read().map_err(|error| within(place(), error))?);
    }
    Ok((merge.finish()?, layers))
}

/// The name of the file that a layer is, if it is no tar.
pub fn as_file(layer: &Descriptor) -> Option<&str> {
    let title = layer.annotations.get(TITLE).or_else(|| layer.annotations.get("org.cnai.model.filepath"));
    title.filter(|_| Compression::of(&layer.media_type).is_none()).map(String::as_str)
}

/// The path that the title of a layer is.
///
/// # Errors
/// It is none, or leads out of the skill.
pub fn titled(name: &str) -> Result<String, InputError> {
    let normal = path::normal(name.as_bytes()).and_then(|path| match path.as_str() {
        "" => Err("is empty".to_owned()),
        _ => Ok(path),
    });
    normal.map_err(|wrong| {
        refused(format!("its title {name:?} {wrong}"), "a title must be a path below the skill")
    })
}

/// Layers that are files must be files of one folder: readers take the first or the last of two, and none takes a file for
/// a folder.
fn apart(manifest: &Manifest) -> Result<(), InputError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in manifest.layers.iter().filter_map(as_file) {
        let path = titled(name)?;
        let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        let below = format!("{path}/");
        if seen.contains(&path)
            || above.into_iter().any(|folder| seen.contains(folder))
            || seen.range(below.clone()..).next().is_some_and(|other: &String| other.starts_with(&below))
        {
            return Err(refused(
                format!("two layers are the file {path:?}, or one is a file and a folder"),
                "push the artifact again, each file once",
            ));
        }
        seen.insert(path);
    }
    Ok(())
}

/// A layer that is one file.
fn file(
    blob: &mut dyn std::io::Read,
    descriptor: &Descriptor,
    name: &str,
    pass: &mut Pass<'_>,
    merge: &mut Merge,
) -> Result<Layer, InputError> {
    pass.spent.entry(pass.limits)?;
    let path = titled(name)?;
    let reading = Reading { size: descriptor.size, executable: false, limits: pass.limits };
    let facts = reading.facts_keeping(blob, &path, pass.spent, pass.keep)?;
    let sha256 = identity::hex(&facts.sha256);
    if sha256 != descriptor.digest.hex() {
        return Err(refused(
            format!("its bytes have the digest sha256:{sha256}"),
            "they are not those that the manifest names; push the artifact again",
        ));
    }
    pass.spent.bytes += facts.size;
    if pass.spent.bytes > pass.limits.image_bytes {
        return Err(refused(
            format!("more than {} bytes", pass.limits.image_bytes),
            "raise --max-image-size if it is meant",
        ));
    }
    merge.apply(Entry { path, kind: Kind::File(Box::new(facts)), closed: false })?;
    Ok(Layer {
        digest: descriptor.digest.to_string(),
        media_type: descriptor.media_type.clone(),
        size: descriptor.size,
        diff_id: descriptor.digest.to_string(),
        unpacked: descriptor.size,
        entries: 1,
    })
}
