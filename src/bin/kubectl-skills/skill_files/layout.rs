//! Images in an OCI layout folder, read without a registry.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::content::Content;
use kubectl_skills::skill::oci::{self, Descriptor, Document, MANIFEST_LIMIT};
use kubectl_skills::skill::refused;

/// The annotation that names an image in a layout.
pub const NAME: &str = "org.opencontainers.image.ref.name";

/// An OCI layout folder.
#[derive(Debug)]
pub struct Layout {
    root: PathBuf,
}

/// A layout that a word of the command line names, and the tag or digest in it: `FOLDER`, `FOLDER:TAG`, `FOLDER@DIGEST`.
pub fn named(word: &str) -> Option<(Layout, Option<String>)> {
    let at = |folder: &str| {
        let root = PathBuf::from(folder);
        root.join("oci-layout").is_file().then_some(Layout { root })
    };
    if let Some(layout) = at(word) {
        return Some((layout, None));
    }
    let cut = |mark: &str| {
        let (folder, name) = word.split_once(mark)?;
        Some((at(folder)?, Some(name.to_owned())))
    };
    cut("@sha256:").map(|(layout, hex)| (layout, hex.map(|hex| format!("sha256:{hex}")))).or_else(|| {
        let (folder, name) = word.rsplit_once(':')?;
        Some((at(folder)?, Some(name.to_owned())))
    })
}

impl Layout {
    /// The image of a tag or digest; the only one there is without.
    pub fn resolve(&self, name: Option<&str>) -> Result<Descriptor, InputError> {
        let path = self.root.join("index.json");
        let bytes = limited(&path, MANIFEST_LIMIT).map_err(|error| refused(error, ""))?;
        let index = match oci::parse(&bytes, Some(oci::media_type::OCI_INDEX)) {
            Ok(Document::Index(index)) => index,
            Ok(Document::Image(_)) => return Err(refused(format!("{}: no index", path.display()), "")),
            Err(error) => return Err(refused(format!("{}: {error}", path.display()), "")),
        };
        let mut fits = index.manifests.iter().filter(|entry| {
            name.is_none_or(|name| {
                entry.digest.as_str() == name || entry.annotations.get(NAME).is_some_and(|tag| tag == name)
            })
        });
        match (fits.next(), fits.next()) {
            (Some(entry), None) => Ok(entry.clone()),
            (found, _) => {
                let names: Vec<&str> = index
                    .manifests
                    .iter()
                    .map(|entry| entry.annotations.get(NAME).map_or(entry.digest.as_str(), String::as_str))
                    .collect();
                let what = match (name, found) {
                    (Some(name), None) => format!("no image {name:?}"),
                    (Some(name), Some(_)) => format!("several images {name:?}"),
                    (None, None) => "no image".to_owned(),
                    (None, Some(_)) => "several images".to_owned(),
                };
                Err(refused(
                    format!("{}: {what}", self.root.display()),
                    match names.as_slice() {
                        [] => "the layout is empty".to_owned(),
                        names => {
                            format!("name one of them as FOLDER:TAG or FOLDER@DIGEST: {}", names.join(", "))
                        }
                    },
                ))
            }
        }
    }

    fn path(&self, descriptor: &Descriptor) -> PathBuf {
        self.root.join("blobs/sha256").join(descriptor.digest.hex())
    }
}

impl Content for Layout {
    fn manifest(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, String> {
        limited(&self.path(descriptor), MANIFEST_LIMIT)
    }

    fn blob(&mut self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, String> {
        let path = self.path(descriptor);
        regular(&path)?;
        Ok(Box::new(File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?))
    }
}

/// A blob may be a link that leads anywhere, or a pipe that never ends.
fn regular(path: &Path) -> Result<(), String> {
    let metadata = fs::symlink_metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if metadata.is_file() { Ok(()) } else { Err(format!("{}: no file", path.display())) }
}

fn limited(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    regular(path)?;
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(most + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > most {
        return Err(format!("{}: more than {most} bytes", path.display()));
    }
    Ok(bytes)
}
