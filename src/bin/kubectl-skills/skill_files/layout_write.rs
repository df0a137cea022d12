//! Writes images into an OCI layout, folder or tar: each file is there wholly or not at all, and `index.json`, which names
//! them, comes last. Which images, and where their bytes come from, is left to `pack`, `convert` and the registry's verbs.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use kubectl_skills::api::error::{Fault, InputError};
use kubectl_skills::skill::content::Failed;
use kubectl_skills::skill::oci::{Digest, Document, MANIFEST_LIMIT, REF_NAME, parse};
use kubectl_skills::skill::pack::{Blob, Packed};
use kubectl_skills::skill::refused;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::{index, layout_tar};
use crate::in_place::leftovers;
use crate::notes;

/// Endings of archives that other tools write.
const ARCHIVES: [&str; 8] = ["tar", "tgz", "tzst", "gz", "zst", "xz", "bz2", "zip"];

/// A layout that is being written.
pub struct Writer {
    /// As the user wrote it.
    path: PathBuf,
    /// The file that is replaced: where the path is a link, what it leads to.
    file: PathBuf,
    root: PathBuf,
    /// Of a tar: the folder that it is made of, which goes by itself.
    tar: Option<TempDir>,
    /// What a run that fails takes out again.
    made: Made,
    is_done: AtomicBool,
    /// Held while we write: two runs at once would lose entries of the index. Of a tar that is there, the second one.
    locks: (Option<File>, Option<File>),
    entries: Mutex<Vec<Value>>,
}

/// Where a layer is written to.
pub type Buffered<'f> = io::BufWriter<&'f File>;

/// A file whose errors say that it is what is written to.
pub struct Output<'f>(pub &'f File);

impl io::Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(|error| io::Error::other(Failed::output(&error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What becomes of a layout of a run that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is as it was.
    Undo,
    /// What is complete is kept, and not fetched again.
    Keep,
}

/// What of a layout was made by this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Nothing,
    /// What is in the folder.
    Content,
    Folder,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.is_done.load(Ordering::Relaxed) {
            return;
        }
        // Best effort, on the way out of a failure: what stays is a layout without images.
        match self.made {
            Made::Nothing => {}
            Made::Content => {
                let _ = fs::remove_file(self.root.join("oci-layout"));
                let _ = fs::remove_dir_all(self.root.join("blobs"));
            }
            Made::Folder => {
                let _ = fs::remove_dir_all(&self.root);
            }
        }
    }
}

impl Writer {
    /// Begins a layout, or goes on with one; a name that ends in `.tar` is one file.
    pub fn open(path: &Path, on_failure: OnFailure) -> Result<Self, InputError> {
        let mut writer = Self {
            path: path.to_owned(),
            file: path.to_owned(),
            root: path.to_owned(),
            tar: None,
            made: Made::Nothing,
            is_done: AtomicBool::new(false),
            locks: (None, None),
            entries: Mutex::default(),
        };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ending == "tar" {
            if path.is_symlink() {
                writer.file = fs::canonicalize(path).map_err(|error| writer.failed("a link", &error))?;
            }
            let parent = parent(&writer.file);
            leftovers::remove(parent);
            let folder = leftovers::builder().tempdir_in(parent);
            let folder = folder.map_err(|error| writer.failed("", &error))?;
            folder.path().clone_into(&mut writer.root);
            writer.locks.1 = layout_tar::unpack(path, folder.path())?;
            writer.tar = Some(folder);
        } else if !path.is_dir() && ARCHIVES.contains(&ending.to_ascii_lowercase().as_str()) {
            let message =
                format!("OCI layout {}: named like an archive of a kind that is not written", path.display());
            let help = format!(
                "write {}, which is not compressed, or name a folder",
                path.with_extension("tar").display()
            );
            return Err(refused(message, help));
        } else if !path.exists() {
            writer.made = Made::Folder;
        } else if !path.join("oci-layout").is_file() {
            let is_empty = fs::read_dir(path).map_err(|error| writer.failed("", &error))?.next().is_none();
            if !is_empty {
                return Err(refused(
                    format!("OCI layout {}: the folder is not empty, and no OCI layout", path.display()),
                    "name a folder that does not exist, or a file that ends in .tar",
                ));
            }
            writer.made = Made::Content;
        }
        if on_failure == OnFailure::Keep {
            writer.made = Made::Nothing;
        }
        let blobs = writer.root.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|error| writer.failed("", &error))?;
        let marker = writer.root.join("oci-layout");
        if !marker.exists() {
            writer.replace(&marker, b"{\"imageLayoutVersion\":\"1.0.0\"}")?;
        }
        writer.locks.0 = Some(writer.lock(&marker)?);
        leftovers::remove(&blobs);
        leftovers::remove(&writer.root);
        Ok(writer)
    }

    fn lock(&mut self, marker: &Path) -> Result<File, InputError> {
        let lock = File::open(marker).map_err(|error| self.failed("", &error))?;
        // A file system without locks: two runs at once are the user's to avoid.
        if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
            // What is there is the other run's, whatever becomes of this one.
            self.made = Made::Nothing;
            let message = format!("OCI layout {}: another run writes it", self.path.display());
            return Err(refused(message, "wait for it to end, and run again"));
        }
        Ok(lock)
    }

    /// What the system said of a part of the layout; of the whole where it has no name.
    pub fn failed(&self, part: &str, error: &io::Error) -> InputError {
        let part = if part.is_empty() { String::new() } else { format!("{part}: ") };
        refused(format!("OCI layout {}: {part}{error}", self.path.display()), "")
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether a blob is there, and is what its digest says.
    #[cfg_attr(
        not(feature = "registry"),
        allow(dead_code, reason = "only what is fetched may be there already")
    )]
    pub fn has(&self, digest: &Digest, size: u64) -> bool {
        let path = self.blob(digest);
        let is_so_long = path.symlink_metadata().is_ok_and(|about| about.is_file() && about.len() == size);
        is_so_long && digest_of(&path).is_ok_and(|found| found == *digest)
    }

    /// A file for a blob, whose digest need not be known yet; it goes when it is dropped.
    pub fn stage(&self) -> Result<NamedTempFile, InputError> {
        leftovers::file_in(&self.root.join("blobs/sha256")).map_err(|error| self.failed("", &error))
    }

    /// Takes a blob in.
    pub fn keep(&self, staged: NamedTempFile, digest: &Digest) -> Result<(), InputError> {
        keep(staged, &self.blob(digest)).map_err(|error| self.failed(digest.as_str(), &error))
    }

    /// Takes a blob in that is held in memory; gives its digest.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, InputError> {
        let digest = Digest::of(bytes);
        self.replace(&self.blob(&digest), bytes)?;
        Ok(digest)
    }

    /// Writes the layer of an image.
    pub fn layer(
        &self,
        write: impl FnOnce(Buffered<'_>) -> Result<(Packed, Buffered<'_>), InputError>,
    ) -> Result<Packed, InputError> {
        let staged = self.stage()?;
        let (packed, out) = write(io::BufWriter::with_capacity(1 << 16, staged.as_file()))
            .map_err(|error| self.named(error))?;
        out.into_inner().map_err(|error| self.failed("", error.error()))?;
        self.keep(staged, &packed.digest)?;
        Ok(packed)
    }

    /// Writes the rest of an image and names its index, the last of the blobs; gives the index's digest.
    pub fn image(&self, blobs: &[Blob], name: Option<&str>) -> Result<Digest, InputError> {
        let mut digest = Digest::of(&[]);
        for blob in blobs {
            digest = self.put(&blob.bytes)?;
        }
        if let Some(index) = blobs.last() {
            self.name(index.descriptor(), name);
        }
        self.finish()?;
        Ok(digest)
    }

    /// An error of what was to be written here, with the name of the layout.
    pub fn named(&self, mut error: InputError) -> InputError {
        if error.fault == Fault::Output {
            error.message = format!("OCI layout {}: {}", self.path.display(), error.message);
        }
        error
    }

    /// Has the index name a manifest, or list it without a name, when all is done.
    pub fn name(&self, mut entry: Value, name: Option<&str>) {
        if let Some(name) = name {
            entry["annotations"] = json!({ REF_NAME: name });
        }
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes the index, and the tar.
    pub fn finish(&self) -> Result<(), InputError> {
        let path = self.root.join("index.json");
        let before = self.index(&path)?;
        let new = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        let wrong =
            |why: String| refused(format!("OCI layout {}: index.json: {why}", self.path.display()), "");
        let mut index = index::editable(before.as_deref()).map_err(wrong)?;
        let manifests = index::manifests_of(&mut index).map_err(wrong)?;
        self.one_without_name(manifests, &new)?;
        let mut renamed = index::renamed(manifests, &new);
        index::merge(manifests, new);
        renamed.retain(|(_, old)| {
            !manifests.iter().any(|one| index::name_of(one).is_some() && one["digest"] == old.as_str())
        });
        let bytes = index.to_string().into_bytes();
        if bytes.len() as u64 > MANIFEST_LIMIT {
            let why = format!("it would have {} bytes, and at most {MANIFEST_LIMIT} are read", bytes.len());
            return Err(wrong(why));
        }
        self.replace(&path, &bytes)?;
        if self.tar.is_some() {
            self.archive().map_err(|error| self.failed("", &error))?;
        }
        self.is_done.store(true, Ordering::Relaxed);
        for (name, digest) in renamed {
            notes::warning(&format!(
                "OCI layout {}: {name} named {digest} before, to which no name leads any more; give each skill a tag or a layout \
                 of its own if both are wanted",
                self.path.display()
            ));
        }
        Ok(())
    }

    fn index(&self, path: &Path) -> Result<Option<Vec<u8>>, InputError> {
        let failed = |error: io::Error| self.failed("index.json", &error);
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(MANIFEST_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MANIFEST_LIMIT {
            return Err(self.failed("index.json", &io::Error::other("more than a list may have")));
        }
        Ok(Some(bytes))
    }

    /// A second image without a name would leave both to be found by their digests alone.
    fn one_without_name(&self, manifests: &[Value], new: &[Value]) -> Result<(), InputError> {
        let nameless = |entry: &&Value| index::name_of(entry).is_none() && self.is_image(entry);
        let Some(entry) = new.iter().find(nameless) else { return Ok(()) };
        let is_there = manifests.iter().any(|old| old["digest"] == entry["digest"]);
        match manifests.iter().find(nameless) {
            Some(other) if !is_there => {
                let digest = other["digest"].as_str().unwrap_or_default();
                let message =
                    format!("OCI layout {}: it has an image without a name, {digest}", self.path.display());
                Err(refused(message, "name this one: -t TAG, or PATH:NAME"))
            }
            _ => Ok(()),
        }
    }

    /// Whether an entry is an image, and not about one as a signature is.
    fn is_image(&self, entry: &Value) -> bool {
        let digest = entry["digest"].as_str().and_then(|text| Digest::parse(text).ok());
        let read = |digest: Digest| {
            let mut bytes = Vec::new();
            File::open(self.blob(&digest)).ok()?.take(MANIFEST_LIMIT).read_to_end(&mut bytes).ok()?;
            Some(match parse(&bytes, entry["mediaType"].as_str()).ok()? {
                Document::Image(manifest) => manifest.subject.is_none(),
                Document::Index(index) => index.subject.is_none(),
            })
        };
        digest.and_then(read).unwrap_or(false)
    }

    /// The folder as one file: the same bytes for the same blobs.
    fn archive(&self) -> io::Result<()> {
        let mut names = vec!["oci-layout".to_owned(), "index.json".to_owned()];
        let mut blobs = Vec::new();
        for entry in fs::read_dir(self.root.join("blobs/sha256"))? {
            blobs.push(format!("blobs/sha256/{}", entry?.file_name().to_string_lossy()));
        }
        blobs.sort_unstable();
        names.extend(blobs);
        let mut out = tar::Builder::new(io::BufWriter::new(leftovers::file_in(parent(&self.file))?));
        for name in names {
            let file = File::open(self.root.join(&name))?;
            let mut header = tar::Header::new_ustar();
            header.set_size(file.metadata()?.len());
            header.set_mode(0o644);
            header.set_mtime(0);
            out.append_data(&mut header, &name, file)?;
        }
        let file = out.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        keep(file, &self.file)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), InputError> {
        let write = || {
            let mut file = leftovers::file_in(parent(path))?;
            file.write_all(bytes)?;
            keep(file, path)
        };
        write().map_err(|error| self.failed("", &error))
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hash, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest::finish(hash)),
            length => hash.update(piece.get(..length).unwrap_or_default()),
        }
    }
}

/// Puts a file in its place, so that a crash of the machine leaves the old one or the new one.
fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    // Not every file system can sync a folder; a crash may then undo the rename, and nothing worse.
    let _ = File::open(parent(path)).and_then(|folder| folder.sync_all());
    Ok(())
}
