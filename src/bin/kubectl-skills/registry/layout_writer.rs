//! An OCI layout, as a folder or a tar, written: each file is there wholly or not at all, and `index.json` comes last, so
//! that nobody finds an image in it before it is whole. Blobs of a run that was ended are kept, and not fetched again.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kubectl_skills::skill::oci::{Descriptor, Digest, MANIFEST_LIMIT, REF_NAME};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::error::{Kind, RegistryError, Result};
use super::layout::blob_name;
use super::progress::Progress;
use super::referrers::{editable, manifests_of};
use super::stream::BlobStream;
use crate::in_place::leftovers;
use crate::skill_files::layout_tar;

/// A layout that is being written.
pub struct LayoutWriter {
    folder: PathBuf,
    /// Of a tar: its path, and the folder that it is made of.
    tar: Option<(PathBuf, TempDir)>,
    /// Held while we write: two runs at once would lose entries of the index. Of a tar that is there, the second one.
    _locks: (File, Option<File>),
    entries: Mutex<Vec<Value>>,
}

impl LayoutWriter {
    /// Opens a folder, which is made if it is not there, or begins a tar, where the name ends so.
    pub fn open(path: &Path) -> Result<Self> {
        let failed =
            |error: std::io::Error| RegistryError::io(format!("OCI layout {}", path.display()), &error);
        let wrong =
            |why: &str| RegistryError::new(Kind::Local, format!("OCI layout {}: {why}", path.display()));
        let is_tar = path.extension().is_some_and(|ending| ending == "tar");
        let mut tar_lock = None;
        let tar = if is_tar {
            let parent =
                path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            leftovers::remove(parent);
            let made = leftovers::builder().tempdir_in(parent).map_err(failed)?;
            tar_lock = layout_tar::unpack(path, made.path()).map_err(|error| {
                RegistryError::new(Kind::Local, format!("OCI layout {}", error.message)).help(error.help)
            })?;
            Some((path.to_owned(), made))
        } else {
            None
        };
        let folder = tar.as_ref().map_or(path, |(_, folder)| folder.path()).to_owned();
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let marker = folder.join("oci-layout");
        if !marker.exists() {
            let is_empty = std::fs::read_dir(&folder).map_err(failed)?.next().is_none();
            if !is_empty {
                return Err(wrong("the folder is not empty, and no OCI layout").help("name another folder"));
            }
            replace(&marker, b"{\"imageLayoutVersion\":\"1.0.0\"}").map_err(failed)?;
        }
        let lock = File::open(&marker).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(wrong("another run writes it").help("wait for it to end, and run again"));
            }
            // A file system without locks: two runs at once are the user's to avoid.
            Err(std::fs::TryLockError::Error(_)) => {}
        }
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(failed)?;
        leftovers::remove(&blobs);
        leftovers::remove(&folder);
        Ok(Self { folder, tar, _locks: (lock, tar_lock), entries: Mutex::default() })
    }

    /// The path as the user wrote it.
    pub fn path(&self) -> &Path {
        self.tar.as_ref().map_or(self.folder.as_path(), |(path, _)| path.as_path())
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> RegistryError {
        RegistryError::io(format!("OCI layout {}: {what}", self.path().display()), error)
    }

    /// Whether a blob is there, and what its digest says: a damaged one is fetched again.
    pub fn has(&self, descriptor: &Descriptor) -> bool {
        let path = self.folder.join(blob_name(&descriptor.digest));
        let is_so_long =
            path.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() == descriptor.size);
        is_so_long && digest_of(&path).is_ok_and(|found| found == descriptor.digest)
    }

    /// Writes a blob.
    pub async fn put_blob(&self, stream: &mut BlobStream, progress: &Progress) -> Result<()> {
        let path = self.folder.join(blob_name(&stream.descriptor().digest));
        let name = stream.descriptor().digest.to_string();
        let mut file = temporary(&path).map_err(|error| self.failed(&name, &error))?;
        while let Some(piece) = stream.next().await? {
            file.write_all(&piece).map_err(|error| self.failed(&name, &error))?;
            progress.advance(piece.len() as u64);
        }
        keep(file, &path).map_err(|error| self.failed(&name, &error))
    }

    /// Writes a manifest, which the index does not name yet.
    pub fn put_manifest(&self, bytes: &[u8]) -> Result<()> {
        let digest = Digest::of(bytes);
        let path = self.folder.join(blob_name(&digest));
        replace(&path, bytes).map_err(|error| self.failed(digest.as_str(), &error))
    }

    /// Has the index name a manifest when all is done.
    pub fn name(&self, descriptor: &Descriptor, name: Option<&str>) {
        let mut entry = json!({
            "mediaType": descriptor.media_type, "digest": descriptor.digest.as_str(), "size": descriptor.size,
        });
        if let Some(kind) = &descriptor.artifact_type {
            entry["artifactType"] = json!(kind);
        }
        if let Some(name) = name {
            entry["annotations"] = json!({REF_NAME: name});
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes the index, and the tar.
    pub fn finish(&self) -> Result<()> {
        let path = self.folder.join("index.json");
        let before = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.failed("index.json", &error)),
        };
        let new = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        let after = merged(before.as_deref(), new).map_err(|why| {
            RegistryError::new(
                Kind::Local,
                format!("OCI layout {}: index.json: {why}", self.path().display()),
            )
        })?;
        replace(&path, &after).map_err(|error| self.failed("index.json", &error))?;
        match &self.tar {
            Some((path, _)) => self.pack(path).map_err(|error| self.failed("write the tar", &error)),
            None => Ok(()),
        }
    }

    /// Packs the folder, always in the same order and with the same times, and puts the tar in its place.
    fn pack(&self, path: &Path) -> std::io::Result<()> {
        let mut names = vec!["oci-layout".to_owned(), "index.json".to_owned()];
        let mut blobs = Vec::new();
        for entry in std::fs::read_dir(self.folder.join("blobs/sha256"))? {
            blobs.push(format!("blobs/sha256/{}", entry?.file_name().to_string_lossy()));
        }
        blobs.sort_unstable();
        names.extend(blobs);
        let mut out = tar::Builder::new(std::io::BufWriter::new(temporary(path)?));
        for name in names {
            let file = File::open(self.folder.join(&name))?;
            let mut header = tar::Header::new_ustar();
            header.set_size(file.metadata()?.len());
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_cksum();
            out.append_data(&mut header, &name, file)?;
        }
        let file = out.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        keep(file, path)
    }
}

fn digest_of(path: &Path) -> std::io::Result<Digest> {
    let (mut file, mut hash, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest::finish(hash)),
            length => hash.update(piece.get(..length).unwrap_or_default()),
        }
    }
}

/// A new file alongside a path, which goes when it is dropped.
fn temporary(path: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = leftovers::builder();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As others make files: the umask takes away what it takes.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    builder.tempfile_in(parent)
}

/// Puts a file in its place, so that a crash of the machine leaves the old one or the new one.
fn keep(file: NamedTempFile, path: &Path) -> std::io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every file system can sync a folder; a crash may then undo the rename, and nothing worse.
    let _ = File::open(parent).and_then(|folder| folder.sync_all());
    Ok(())
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(bytes)?;
    keep(file, path)
}

/// An index with entries more. One of the same name gives way; all others stay as they are written.
fn merged(index: Option<&[u8]>, new: Vec<Value>) -> std::result::Result<Vec<u8>, String> {
    let mut index = editable(index)?;
    let manifests = manifests_of(&mut index)?;
    let name = |entry: &Value| entry.pointer("/annotations").and_then(|all| all.get(REF_NAME)).cloned();
    for entry in new {
        let own = name(&entry);
        manifests.retain(|old| match (&own, name(old)) {
            (Some(own), Some(old)) => *own != old,
            // It has a name now, or is there already.
            (_, None) => old.get("digest") != entry.get("digest"),
            (None, Some(_)) => true,
        });
        let is_named = manifests.iter().any(|old| old.get("digest") == entry.get("digest"));
        if own.is_some() || !is_named {
            manifests.push(entry);
        }
    }
    let bytes = index.to_string().into_bytes();
    if bytes.len() as u64 > MANIFEST_LIMIT {
        return Err(format!("it would have {} bytes, and at most {MANIFEST_LIMIT} are read", bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use kubectl_skills::skill::oci::media_type;

    use super::super::referrers::entries;
    use super::*;

    fn entry(digit: char, name: Option<&str>) -> Value {
        let digest = format!("sha256:{}", digit.to_string().repeat(64));
        let mut entry = json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": 1});
        if let Some(name) = name {
            entry["annotations"] = json!({REF_NAME: name});
        }
        entry
    }

    /// A second pull of a tag that has moved must not leave two images of that name; a pull of another one leaves both.
    #[test]
    fn one_name_is_one_image() {
        let mut theirs = entry('9', Some("theirs"));
        theirs["x-new"] = json!(1);
        let before =
            json!({"schemaVersion": 2, "manifests": [theirs, entry('1', Some("a")), entry('2', None)]});
        let new = vec![entry('3', Some("a")), entry('2', Some("b")), entry('4', None), entry('3', None)];
        let after = merged(Some(before.to_string().as_bytes()), new).expect("an index");
        let after: Value = serde_json::from_slice(&after).expect("JSON");
        assert_eq!(
            after["manifests"],
            json!([theirs, entry('3', Some("a")), entry('2', Some("b")), entry('4', None)])
        );
        assert!(merged(Some(b"{}"), Vec::new()).is_ok() == entries(b"{}").is_ok());
    }
}
