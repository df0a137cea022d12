//! Files as an image: the same bytes whenever, wherever and in whatever order they are packed. Where the files come from and
//! where the blobs go to is left to who calls.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::card::{Author, Card};
use super::content::Failed;
use super::describe::Description;
use super::facts::Reading;
use super::layer::REMOVED;
use super::limits::{Limits, Spent};
use super::oci::{Digest, media_type};
use super::tree::{Content, File, Tree};
use super::url::without_login;
use super::{InputError, path, refused, within};

/// A file that is packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path below the root of the image, as [`path::normal`] gives it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Whether anybody may execute it.
    pub executable: bool,
}

/// Opens the member with this number.
pub type Open<'o> = dyn FnMut(usize) -> Result<Box<dyn Read + 'o>, InputError> + 'o;

/// A layer that was written.
#[derive(Debug)]
pub struct Packed {
    /// Digest of the blob.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Digest of the tar in it.
    pub diff_id: Digest,
    /// What is in it.
    pub tree: Tree,
}

/// The level of gzip. It is part of the result: another level, or another version of the packer, gives another digest of the
/// layer, and the same digest of the tar and content identity.
const LEVEL: u32 = 6;

/// Writes the layer of some files, and gives back where it was written to.
///
/// # Errors
/// A file cannot be read or goes over a limit, a name means something else in a layer, or nothing can be written.
pub fn layer<W: Write>(
    members: &[Member],
    open: &mut Open<'_>,
    limits: &Limits,
    out: W,
) -> Result<(Packed, W), InputError> {
    let removes = |path: &str| path.split('/').any(|part| part.starts_with(REMOVED));
    if let Some(member) = members.iter().find(|member| removes(&member.path)) {
        return Err(refused(
            format!(
                "the name of {:?} begins with {REMOVED}, by which a layer says that another file is gone",
                member.path
            ),
            "rename the file, or leave it out",
        ));
    }
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_unstable_by(|&one, &other| members[one].path.cmp(&members[other].path));
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut tar = Hashed::new(gzip.write(Hashed::new(out), Compression::new(LEVEL)));
    let (mut files, mut folders, mut spent) = (Vec::new(), BTreeSet::new(), Spent::default());
    for at in order {
        let member = &members[at];
        let mut write = || {
            for (end, _) in member.path.match_indices('/') {
                if folders.insert(&member.path[..end]) {
                    spent.entry(limits)?;
                    header(&mut tar, &member.path[..end], None).map_err(write_error)?;
                }
            }
            spent.entry(limits)?;
            header(&mut tar, &member.path, Some(member)).map_err(write_error)?;
            let mut reader = Tee { from: open(at)?, to: &mut tar };
            let reading = Reading { size: member.size, executable: member.executable, limits };
            let facts = reading.facts(&mut reader, &member.path, &mut spent)?;
            pad(&mut tar, member.size).map_err(write_error)?;
            Ok(facts)
        };
        let facts = write().map_err(|error| within(format!("file {:?}", member.path), error))?;
        files.push(File { path: member.path.clone(), content: Content::File(facts), closed: false });
    }
    if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(refused(format!("two files {:?}", pair[0].path), "rename one of them"));
    }
    if let Some(file) = files.iter().find(|file| folders.contains(file.path.as_str())) {
        return Err(refused(format!("{:?} is a file and a folder", file.path), "rename one of them"));
    }
    let finish = |mut tar: Hashed<GzEncoder<Hashed<W>>>| {
        tar.write_all(&[0; 1024])?;
        let packed = tar.inner.finish()?;
        Ok((Digest::finish(tar.hash), packed))
    };
    let (diff_id, packed) = finish(tar).map_err(write_error)?;
    let tree = Tree { files };
    tree.check(limits)?;
    let done = Packed { digest: Digest::finish(packed.hash), size: packed.bytes, diff_id, tree };
    Ok((done, packed.inner))
}

fn write_error(error: io::Error) -> InputError {
    Failed::output(&error).into()
}

/// The header of a file, or of a folder: owner, group and time are 0, for who mounts it sees its own.
fn header(out: &mut impl Write, path: &str, file: Option<&Member>) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    let name = if file.is_some() { path.to_owned() } else { format!("{path}/") };
    if header.set_path(&name).is_err() {
        let record = pax("path", &name);
        let mut pax = tar::Header::new_ustar();
        pax.set_entry_type(tar::EntryType::XHeader);
        pax.set_path("pax")?;
        pax.set_size(record.len() as u64);
        common(&mut pax, 0o644);
        out.write_all(pax.as_bytes())?;
        out.write_all(&record)?;
        pad(out, record.len() as u64)?;
        header.set_path("long")?;
    }
    header.set_entry_type(if file.is_some() { tar::EntryType::Regular } else { tar::EntryType::Directory });
    header.set_size(file.map_or(0, |file| file.size));
    common(&mut header, if file.is_some_and(|file| !file.executable) { 0o644 } else { 0o755 });
    out.write_all(header.as_bytes())
}

fn common(header: &mut tar::Header, mode: u32) {
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
}

/// `LENGTH KEY=VALUE\n`; the length counts itself.
fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let over = usize::try_from(size % 512).unwrap_or(0);
    if over == 0 { Ok(()) } else { out.write_all(&[0; 512][over..]) }
}

/// What is read is written too.
struct Tee<'t, R, W> {
    from: R,
    to: &'t mut W,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(into)?;
        self.to.write_all(&into[..n]).map_err(|error| io::Error::other(Failed::output(&error)))?;
        Ok(n)
    }
}

/// What is written is hashed and counted.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Where the files came from, as far as it is known.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// URL of the source.
    pub source: Option<String>,
    /// Its commit.
    pub revision: Option<String>,
    /// When it was made, as RFC 3339. Left out by default: the image would be another one each time, and 1970 would be a lie.
    pub created: Option<String>,
}

/// Bytes that `description` may have: what skillimage writes, and catalogs show in one line.
const DESCRIPTION_BYTES: usize = 256;

/// The annotations of an image: all that a catalog reads, for it opens no layers. Keys as skillimage v1alpha1 has them.
pub fn annotations(skill: &Description, card: &Card, provenance: &Provenance) -> BTreeMap<String, String> {
    let said = &card.provenance;
    let opencontainers = [
        ("title", card.title.clone().or_else(|| skill.name.clone())),
        (
            "description",
            skill.description.as_deref().map(|text| cut(text.trim(), DESCRIPTION_BYTES).to_owned()),
        ),
        ("version", skill.version.clone()),
        ("authors", authors(&card.authors)),
        // A key that policies read: free text would be taken for an expression.
        ("licenses", skill.license.clone().filter(|text| spdx::Expression::parse(text).is_ok())),
        ("vendor", card.namespace.clone()),
        ("created", provenance.created.clone()),
        ("source", provenance.source.clone().or_else(|| said.source.clone())),
        ("revision", provenance.revision.clone().or_else(|| said.commit.clone())),
    ];
    let skillimage = [
        ("status", Some("draft".to_owned())),
        ("tags", (!card.tags.is_empty()).then(|| Value::from(card.tags.clone()).to_string())),
        ("compatibility", skill.compatibility.clone()),
        ("wordcount", Some(skill.words.to_string())),
    ];
    let prefixed = |prefix: &'static str, (key, value): (&str, Option<String>)| {
        value.map(|value| (format!("{prefix}{key}"), value))
    };
    let opencontainers =
        opencontainers.into_iter().filter_map(|pair| prefixed("org.opencontainers.image.", pair));
    let skillimage = skillimage.into_iter().filter_map(|pair| prefixed("io.skillimage.", pair));
    without_logins(opencontainers.chain(skillimage).collect())
}

/// Annotations as they may be published: everybody reads them who may list the image.
pub fn without_logins(mut annotations: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for value in annotations.values_mut() {
        if let Cow::Owned(kept) = without_login(value) {
            *value = kept;
        }
    }
    annotations
}

/// `Name <email>, Name`.
fn authors(authors: &[Author]) -> Option<String> {
    let one = |author: &Author| match &author.email {
        Some(email) => format!("{} <{email}>", author.name),
        None => author.name.clone(),
    };
    let all: Vec<String> = authors.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The beginning of a text, at the end of a character.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A blob that is held in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its media type.
    pub media_type: &'static str,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        Self { media_type, digest: Digest::of(&bytes), bytes }
    }

    /// What names it.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest.as_str(), "size": self.bytes.len()})
    }
}

/// For which machines: nodes are of both, and a skill is the same for all.
pub const PLATFORMS: [(&str, &str); 2] = [("linux", "amd64"), ("linux", "arm64")];

/// The layer of an image, as its manifests name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// The digest of its tar.
    pub diff_id: Digest,
}

/// Configurations, manifests and, last, the index of an image with these layers.
pub fn image(layers: &[Layer], annotations: &BTreeMap<String, String>, created: Option<&str>) -> Vec<Blob> {
    let descriptors: Vec<Value> = layers
        .iter()
        .map(|layer| json!({"mediaType": layer.media_type, "digest": layer.digest.as_str(), "size": layer.size}))
        .collect();
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
    let (mut blobs, mut entries) = (Vec::new(), Vec::new());
    for (os, architecture) in PLATFORMS {
        let mut config = json!({
            "architecture": architecture, "os": os, "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        if let (Some(created), Some(config)) = (created, config.as_object_mut()) {
            config.insert("created".into(), created.into());
        }
        let config = Blob::new(media_type::OCI_CONFIG, &config);
        let manifest = Blob::new(
            media_type::OCI_MANIFEST,
            &json!({
                "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config.descriptor(),
                "layers": descriptors, "annotations": annotations,
            }),
        );
        let mut entry = manifest.descriptor();
        entry["platform"] = json!({"architecture": architecture, "os": os});
        entries.push(entry);
        blobs.extend([config, manifest]);
    }
    blobs.push(Blob::new(
        media_type::OCI_INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries,
            "annotations": annotations,
        }),
    ));
    blobs
}

/// A card for a skill that has none: SkillCard v1alpha1.
///
/// # Errors
/// The skill does not say what a card must say.
pub fn card(skill: &Description, namespace: &str, provenance: &Provenance) -> Result<Value, InputError> {
    let needed = |what: &Option<String>, name: &str, help: &str| {
        what.clone().ok_or_else(|| refused(format!("a card needs a {name}"), help))
    };
    let mut metadata = json!({
        "name": needed(&skill.name, "name", "write it into the frontmatter of SKILL.md")?,
        "namespace": namespace,
        "version": needed(&skill.version, "version", "give it with --skill-version, or as metadata.version")?,
        "description": needed(&skill.description, "description", "write it into the frontmatter of SKILL.md")?,
    });
    for (key, value) in [("license", &skill.license), ("compatibility", &skill.compatibility)] {
        if let Some(value) = value {
            metadata[key] = value.as_str().into();
        }
    }
    let mut card = json!({"apiVersion": "skillimage.io/v1alpha1", "kind": "SkillCard", "metadata": metadata});
    if let Some(source) = &provenance.source {
        card["provenance"] = json!({"source": source});
        if let Some(revision) = &provenance.revision {
            card["provenance"]["commit"] = revision.as_str().into();
        }
    }
    Ok(card)
}

/// The name of the folder or file that holds a card.
pub const CARD: &str = "skill.yaml";

/// Seconds since 1970 as RFC 3339 has them.
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years of 400 have 146,097 days; counted from March, the leap day is the last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (month, day) = (if march < 10 { march + 3 } else { march - 9 }, day - (153 * march + 2) / 5 + 1);
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Members with their common folder taken off, where the skill is not at the root but in the only folder there is.
pub fn without_top_folder(members: &mut [Member]) {
    let top = |member: &Member| member.path.split_once('/').map(|(top, _)| top.to_owned());
    let Some(first) = members.first().and_then(top) else { return };
    let alone = members.iter().all(|member| path::below(&member.path, &first).is_some());
    if alone && members.iter().any(|member| path::below(&member.path, &first) == Some("SKILL.md")) {
        for member in members {
            member.path.drain(..=first.len());
        }
    }
}

#[cfg(test)]
mod tests;
