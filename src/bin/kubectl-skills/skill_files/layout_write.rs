//! Writes images into an OCI layout, folder or tar: blobs first, the index that names them last, each by rename. Whoever
//! looks meanwhile sees the old index or the new one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::oci::{Digest, MANIFEST_LIMIT, REF_NAME, media_type};
use kubectl_skills::skill::pack::Blob;
use kubectl_skills::skill::refused;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use super::folder::io as io_error;
use super::layout_tar;
use crate::in_place::leftovers;

/// A layout that is being written.
pub struct Writer {
    root: PathBuf,
    /// Of a tar: the file, and the folder that becomes it.
    tar: Option<(PathBuf, TempDir)>,
    /// What there was before, so that a run that fails leaves it so.
    before: Before,
    /// Held while we write: two runs at once would lose entries of the index.
    lock: Option<File>,
}

/// What stood where a layout is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Empty,
    Layout,
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Best effort, on the way out of a failure: what stays is a layout without images.
        match self.before {
            Before::Layout => {}
            Before::Empty => {
                let _ = fs::remove_file(self.root.join("oci-layout"));
                let _ = fs::remove_dir_all(self.root.join("blobs"));
            }
            Before::Nothing => {
                let _ = fs::remove_dir_all(&self.root);
            }
        }
    }
}

impl Writer {
    /// Begins a layout, or goes on with one; a name that ends in `.tar` is one file.
    pub fn begin(to: &Path) -> Result<Self, InputError> {
        if to.extension().is_some_and(|extension| extension == "tar") {
            let parent =
                to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            leftovers::remove(parent);
            let folder = leftovers::builder().tempdir_in(parent);
            let folder = folder.map_err(|error| io_error(parent, &error))?;
            let lock = layout_tar::unpack(to, folder.path())?;
            let root = folder.path().to_owned();
            // The folder goes by itself.
            let writer = Self { root, tar: Some((to.to_owned(), folder)), before: Before::Layout, lock };
            writer.prepare()?;
            return Ok(writer);
        }
        let before = if to.join("oci-layout").is_file() {
            Before::Layout
        } else if !to.exists() {
            Before::Nothing
        } else if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_none()) {
            Before::Empty
        } else {
            return Err(refused(
                format!("{}: neither empty nor an OCI layout", to.display()),
                "name a folder that does not exist, or a file that ends in .tar",
            ));
        };
        let mut writer = Self { root: to.to_owned(), tar: None, before, lock: None };
        writer.prepare()?;
        writer.lock(to)?;
        leftovers::remove(&writer.root);
        leftovers::remove(&writer.blobs());
        Ok(writer)
    }

    fn prepare(&self) -> Result<(), InputError> {
        let blobs = self.blobs();
        fs::create_dir_all(&blobs).map_err(|error| io_error(&blobs, &error))?;
        let path = self.root.join("oci-layout");
        if !path.exists() {
            self.replace(&path, b"{\"imageLayoutVersion\":\"1.0.0\"}")?;
        }
        Ok(())
    }

    /// As `pull` and `copy` lock it.
    fn lock(&mut self, to: &Path) -> Result<(), InputError> {
        let marker = self.root.join("oci-layout");
        let lock = File::open(&marker).map_err(|error| io_error(&marker, &error))?;
        if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
            // The other run's, whatever becomes of this one.
            self.before = Before::Layout;
            let message = format!("{}: another run writes this layout", to.display());
            return Err(refused(message, "wait for it to end, and run again"));
        }
        self.lock = Some(lock);
        Ok(())
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    /// A file for a blob whose digest is not known yet; it goes when it is dropped.
    pub fn stage(&self) -> Result<NamedTempFile, InputError> {
        staged(&self.blobs())
    }

    /// Takes a blob in.
    pub fn keep(&self, staged: NamedTempFile, digest: &Digest) -> Result<(), InputError> {
        persist(staged, &self.blobs().join(digest.hex()))
    }

    /// Writes blobs that are held in memory.
    pub fn put(&self, blobs: &[Blob]) -> Result<(), InputError> {
        blobs.iter().try_for_each(|blob| self.replace(&self.blobs().join(blob.digest.hex()), &blob.bytes))
    }

    /// Names an image, in place of the one that had the name.
    pub fn finish(mut self, image: &Blob, name: Option<&str>) -> Result<(), InputError> {
        let path = self.root.join("index.json");
        let mut index = match read_index(&path)? {
            Some(index) => index,
            None => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
        };
        let mut entry = image.descriptor();
        if let Some(name) = name {
            entry["annotations"] = json!({ REF_NAME: name });
        }
        let entries = index.get_mut("manifests").and_then(Value::as_array_mut);
        let entries = entries.ok_or_else(|| refused(format!("{}: no index", path.display()), ""))?;
        entries.retain(|other| match name {
            Some(name) => other["annotations"][REF_NAME] != name,
            None => other["digest"] != entry["digest"] || !other["annotations"][REF_NAME].is_null(),
        });
        entries.push(entry);
        self.replace(&path, index.to_string().as_bytes())?;
        self.before = Before::Layout;
        match &self.tar {
            Some((to, folder)) => archive(folder.path(), to),
            None => Ok(()),
        }
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), InputError> {
        let mut staged = staged(path.parent().unwrap_or(&self.root))?;
        staged.write_all(bytes).map_err(|error| io_error(path, &error))?;
        persist(staged, path)
    }
}

fn staged(folder: &Path) -> Result<NamedTempFile, InputError> {
    leftovers::builder().tempfile_in(folder).map_err(|error| io_error(folder, &error))
}

fn persist(staged: NamedTempFile, path: &Path) -> Result<(), InputError> {
    readable(staged.as_file())
        .and_then(|()| staged.as_file().sync_all())
        .map_err(|error| io_error(path, &error))?;
    staged.persist(path).map_err(|error| io_error(path, &error.error))?;
    Ok(())
}

/// Temporary files are for their owner alone; a layout is for whoever may read the folder.
#[cfg(unix)]
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &File) -> io::Result<()> {
    Ok(())
}

fn read_index(path: &Path) -> Result<Option<Value>, InputError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, &error)),
        Ok(metadata) if metadata.len() > MANIFEST_LIMIT => {
            return Err(refused(format!("{}: more than {MANIFEST_LIMIT} bytes", path.display()), ""));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|error| io_error(path, &error))?;
    let index = serde_json::from_slice(&bytes);
    index.map(Some).map_err(|error| refused(format!("{}: {error}", path.display()), ""))
}

/// The folder as one file: the same bytes for the same blobs.
fn archive(folder: &Path, to: &Path) -> Result<(), InputError> {
    let parent = folder.parent().unwrap_or(folder);
    let staged = staged(parent)?;
    let mut names = vec!["oci-layout".to_owned(), "index.json".to_owned()];
    let blobs = fs::read_dir(folder.join("blobs/sha256")).map_err(|error| io_error(folder, &error))?;
    let mut blobs: Vec<String> =
        blobs.flatten().map(|blob| format!("blobs/sha256/{}", blob.file_name().to_string_lossy())).collect();
    blobs.sort_unstable();
    names.extend(blobs);
    let write = || {
        let mut builder = tar::Builder::new(io::BufWriter::new(staged.as_file()));
        for name in names {
            let file = File::open(folder.join(&name))?;
            let mut header = tar::Header::new_ustar();
            header.set_size(file.metadata()?.len());
            header.set_mode(0o644);
            builder.append_data(&mut header, &name, file)?;
        }
        builder.into_inner()?.flush()
    };
    write().map_err(|error| io_error(to, &error))?;
    persist(staged, to)
}
