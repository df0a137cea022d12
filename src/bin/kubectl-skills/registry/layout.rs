//! An OCI layout, as a folder or a tar, read: its index in, manifests and blobs out. Nothing is unpacked; writing is left to
//! `skill_files`.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use kubectl_skills::skill::compression::Compression;
use kubectl_skills::skill::oci::{Descriptor, Digest, Document, MANIFEST_LIMIT, REF_NAME, media_type, parse};

use super::error::{Kind, RegistryError, Result};
use super::referrers::{fallback_tag, signature_tag};
use super::repository::{check, descriptor};
use super::stream::BlobStream;
use crate::skill_files::index::entries;

/// Most entries that a tar may have.
const MOST_ENTRIES: usize = 100_000;
/// Most manifests of an index that are looked at for what they refer to.
const MOST_REFERRERS: usize = 10_000;
/// The annotation of entries of cosign's layouts that says what they are, and what it says of signatures.
const COSIGN_KIND: &str = "kind";
const COSIGN_SIGNATURES: [&str; 2] = ["dev.cosignproject.cosign/sigs", "dev.cosignproject.cosign/atts"];

/// A layout.
pub struct Layout {
    path: PathBuf,
    /// Of a tar: where each file begins, and its length.
    tar: Option<HashMap<String, (u64, u64)>>,
    index: Vec<Descriptor>,
}

impl Layout {
    /// Opens a layout and reads its index.
    pub fn open(path: &Path) -> Result<Self> {
        let about = path
            .metadata()
            .map_err(|error| RegistryError::io(format!("OCI layout {}", path.display()), &error))?;
        let tar = if about.is_dir() { None } else { Some(table(path)?) };
        let mut layout = Self { path: path.to_owned(), tar, index: Vec::new() };
        let marker = layout.small("oci-layout").map_err(|error| {
            error.help("an OCI layout has the files oci-layout and index.json; docker save writes one from Docker 25 on")
        })?;
        let version = serde_json::from_slice::<serde_json::Value>(&marker).unwrap_or_default();
        let version =
            version.get("imageLayoutVersion").and_then(serde_json::Value::as_str).unwrap_or_default();
        if !version.starts_with("1.") {
            return Err(layout.wrong(&format!("its version is {version:?}, and 1.0.0 is known")));
        }
        let index = layout.small("index.json")?;
        layout.index = entries(&index).map_err(|why| layout.wrong(&format!("index.json: {why}")))?;
        Ok(layout)
    }

    fn wrong(&self, why: &str) -> RegistryError {
        RegistryError::new(Kind::Local, format!("OCI layout {}: {why}", self.path.display()))
    }

    /// Opens a file of it; with its length.
    fn file(&self, name: &str) -> Result<(File, u64)> {
        let what = || format!("OCI layout {}: {name}", self.path.display());
        let failed = |error: std::io::Error| RegistryError::io(what(), &error);
        let Some(table) = &self.tar else {
            let path = self.path.join(name);
            // What is no regular file could have us wait for ever.
            let about = path.metadata().map_err(failed)?;
            if !about.is_file() {
                return Err(self.wrong(&format!("{name} is no regular file")));
            }
            return Ok((File::open(path).map_err(failed)?, about.len()));
        };
        let (start, length) =
            table.get(name).copied().ok_or_else(|| self.wrong(&format!("has no {name}")))?;
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        Ok((file, length))
    }

    fn small(&self, name: &str) -> Result<Vec<u8>> {
        let (file, length) = self.file(name)?;
        if length > MANIFEST_LIMIT {
            return Err(self.wrong(&format!("{name} has {length} bytes; at most {MANIFEST_LIMIT} are read")));
        }
        let mut bytes = Vec::new();
        let read = file.take(length).read_to_end(&mut bytes);
        read.map_err(|error| {
            RegistryError::io(format!("OCI layout {}: {name}", self.path.display()), &error)
        })?;
        Ok(bytes)
    }

    /// The names in the index, in order.
    pub fn names(&self) -> Vec<String> {
        let names = self.index.iter().filter_map(|one| one.annotations.get(REF_NAME).cloned());
        let mut seen = BTreeSet::new();
        names.filter(|name| seen.insert(name.clone())).collect()
    }

    /// What a name or digest means; without either, the only image.
    pub fn resolve(&self, wanted: Option<&str>) -> Result<Descriptor> {
        if let Some(text) = wanted.filter(|text| text.starts_with("sha256:")) {
            let digest = Digest::parse(text).map_err(|why| self.wrong(&why))?;
            let found = self.index.iter().find(|one| one.digest == digest);
            return found
                .cloned()
                .ok_or_else(|| self.missing(&format!("has no manifest {digest} in its index")));
        }
        if let Some(name) = wanted {
            let is = |one: &&Descriptor| one.annotations.get(REF_NAME).is_some_and(|own| own == name);
            let ends = |one: &&Descriptor| {
                let own =
                    one.annotations.get(REF_NAME).or_else(|| one.annotations.get("io.containerd.image.name"));
                own.is_some_and(|own| own.strip_suffix(name).is_some_and(|rest| rest.ends_with(':')))
            };
            let found = self.index.iter().find(is);
            if let Some(found) = found {
                return Ok(found.clone());
            }
            let found: Vec<_> = self.index.iter().filter(ends).collect();
            return match found.as_slice() {
                [only] => Ok((*only).clone()),
                [] => Err(self.missing(&format!("has no image {name}"))),
                _ => Err(self.missing(&format!("has more than one image whose tag is {name}"))),
            };
        }
        let mut images = Vec::new();
        for one in &self.index {
            if self.subject(one)?.is_none() && !is_about_another(one) {
                images.push(one);
            }
        }
        images.dedup_by(|one, other| one.digest == other.digest);
        match images.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(self.missing("has no image")),
            _ => Err(self.missing("has more than one image")),
        }
    }

    fn missing(&self, why: &str) -> RegistryError {
        RegistryError { kind: Kind::NotInLayout, ..self.wrong(why) }.help(match self.names().as_slice() {
            [] => format!("name one by its digest: {}@sha256:...", self.path.display()),
            names => format!("name one: {}:NAME; there are {}", self.path.display(), names.join(", ")),
        })
    }

    /// The manifest that one is about.
    fn subject(&self, descriptor: &Descriptor) -> Result<Option<(Digest, String)>> {
        let bytes = self.manifest(descriptor)?;
        let read = parse(&bytes, Some(&descriptor.media_type));
        Ok(match read.map_err(|why| self.wrong(&format!("manifest {}: {why}", descriptor.digest)))? {
            Document::Image(manifest) => manifest.subject.map(|subject| {
                (subject.digest, manifest.artifact_type.unwrap_or(manifest.config.media_type))
            }),
            Document::Index(index) => {
                index.subject.map(|subject| (subject.digest, index.artifact_type.unwrap_or_default()))
            }
        })
    }

    /// What refers to a digest.
    pub fn referrers(&self, digest: &Digest, kind: Option<&str>) -> Result<Vec<Descriptor>> {
        let mut found: Vec<Descriptor> = Vec::new();
        // A layout that was made of a registry without the referrers API has its list under the fallback tag.
        let listed = match self.resolve(Some(&fallback_tag(digest))) {
            Ok(list) => entries(&self.manifest(&list)?)
                .map_err(|why| self.wrong(&format!("{}: {why}", list.digest)))?,
            Err(error) if error.kind == Kind::NotInLayout => Vec::new(),
            Err(error) => return Err(error),
        };
        let unlisted = self.unlisted()?;
        for one in self.index.iter().chain(&listed).chain(&unlisted).take(MOST_REFERRERS) {
            let Some((subject, artifact)) = self.subject(one)? else { continue };
            let is_new = found.iter().all(|other| other.digest != one.digest);
            if subject == *digest && is_new && kind.is_none_or(|kind| kind == artifact) {
                let artifact_type = Some(artifact).filter(|artifact| !artifact.is_empty());
                found.push(Descriptor { artifact_type, ..one.clone() });
            }
        }
        Ok(found)
    }

    /// Manifests that are about another one and stand in no list: `cosign save` writes bundles so.
    fn unlisted(&self) -> Result<Vec<Descriptor>> {
        if !self.index.iter().any(|one| cosign_kind(one).starts_with("dev.cosignproject.cosign/")) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for digest in self.blobs()?.into_iter().take(MOST_REFERRERS) {
            let (_, size) = self.file(&blob_name(&digest))?;
            if size > MANIFEST_LIMIT {
                continue;
            }
            let bytes = self.small(&blob_name(&digest))?;
            let is_about =
                |document| matches!(document, Document::Image(manifest) if manifest.subject.is_some());
            if Digest::of(&bytes) == digest && parse(&bytes, None).is_ok_and(is_about) {
                found.push(descriptor(digest, size, media_type::OCI_MANIFEST));
            }
        }
        Ok(found)
    }

    /// The digests of all blobs.
    fn blobs(&self) -> Result<BTreeSet<Digest>> {
        let read = |name: &str| Digest::parse(&format!("sha256:{name}")).ok();
        if let Some(table) = &self.tar {
            return Ok(table.keys().filter_map(|name| read(name.strip_prefix("blobs/sha256/")?)).collect());
        }
        let folder = self.path.join("blobs/sha256");
        let failed = |error: std::io::Error| RegistryError::io(folder.display(), &error);
        let names = folder.read_dir().map_err(failed)?.map(|entry| entry.map(|entry| entry.file_name()));
        let names = names.collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
        Ok(names.iter().filter_map(|name| read(name.to_str()?)).collect())
    }

    /// The manifests whose layers are signatures in the old format: under the tag of a digest, or as `cosign save` marks them,
    /// which writes one image only.
    pub fn signatures(&self, digest: &Digest) -> Result<Vec<Descriptor>> {
        let marked = self.index.iter().filter(|one| cosign_kind(one) == COSIGN_SIGNATURES[0]).cloned();
        match self.resolve(Some(&signature_tag(digest))) {
            Ok(tagged) => Ok(std::iter::once(tagged).chain(marked).collect()),
            Err(error) if error.kind == Kind::NotInLayout => Ok(marked.collect()),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a manifest.
    pub fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let bytes = self.small(&blob_name(&descriptor.digest))?;
        check(&bytes, descriptor).map_err(|why| {
            self.wrong(&format!("manifest {}: {why}", descriptor.digest))
                .help("the layout is damaged; fetch it again")
        })?;
        Ok(bytes)
    }

    /// A blob.
    pub fn blob(&self, descriptor: &Descriptor) -> Result<BlobStream> {
        let (file, length) = self.file(&blob_name(&descriptor.digest))?;
        if length != descriptor.size {
            let why = format!(
                "blob {} has {length} bytes, and {} were announced",
                descriptor.digest, descriptor.size
            );
            return Err(self.wrong(&why));
        }
        Ok(BlobStream::file(file, descriptor, self.path.display().to_string()))
    }
}

/// Where a blob stands in a layout.
pub fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// What cosign says that an entry is.
fn cosign_kind(descriptor: &Descriptor) -> &str {
    descriptor.annotations.get(COSIGN_KIND).map(String::as_str).unwrap_or_default()
}

/// Whether an entry is about another one by its name: cosign's signatures, and the list under the fallback tag.
fn is_about_another(descriptor: &Descriptor) -> bool {
    if COSIGN_SIGNATURES.contains(&cosign_kind(descriptor)) {
        return true;
    }
    let name = descriptor.annotations.get(REF_NAME).map(String::as_str).unwrap_or_default();
    let tag = name.rsplit_once(':').map_or(name, |(_, tag)| tag);
    let digest = tag.strip_prefix("sha256-").and_then(|rest| rest.get(..64));
    digest.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Where each file of a tar begins, and its length. Links and devices are none.
fn table(path: &Path) -> Result<HashMap<String, (u64, u64)>> {
    let failed = |error: std::io::Error| {
        RegistryError::io(format!("OCI layout {}", path.display()), &error)
            .help("a layout is a folder or a tar that is not compressed")
    };
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        let message = format!("OCI layout {}: neither a folder nor a regular file", path.display());
        return Err(RegistryError::new(Kind::Local, message));
    }
    let mut start = [0; 4];
    let read = (&file).read(&mut start).map_err(failed)?;
    let packed = Compression::sniffed(start.get(..read).unwrap_or_default());
    if packed != Compression::None {
        let message = format!("OCI layout {}: is packed with {}", path.display(), packed.name());
        let help = format!(
            "a layout is a folder or a tar that is not compressed: {} -dc FILE > FILE.tar",
            packed.name()
        );
        return Err(RegistryError::new(Kind::Local, message).help(help));
    }
    (&file).rewind().map_err(failed)?;
    let mut archive = tar::Archive::new(file);
    let mut table = HashMap::new();
    for entry in archive.entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let bytes = entry.path_bytes();
        let Ok(name) = std::str::from_utf8(&bytes) else { continue };
        let name = name.trim_start_matches("./").to_owned();
        table.insert(name, (entry.raw_file_position(), entry.size()));
        if table.len() > MOST_ENTRIES {
            let message = format!("OCI layout {}: more than {MOST_ENTRIES} files", path.display());
            return Err(RegistryError::new(Kind::Local, message));
        }
    }
    Ok(table)
}
