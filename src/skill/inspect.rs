//! What is in an image, from the manifest that is named down to each file: platform, layers, skills, content identity. The
//! bytes come from a [`Content`], or as a tree that was read of a folder.

mod files;
mod on_runtime;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budget::{self, Listing};
use super::card::Card;
use super::content::{Content, Keep, Nothing, unread};
use super::describe::{Description, Found, Text, describe};
use super::format::{self, recognise};
use super::layer::Layer;
use super::limits::{CONFIG_BYTES, INDEX_DEPTH, INDEX_ENTRIES, Limits};
use super::oci::{self, Descriptor, Digest, Document, Manifest, Platform};
use super::tree::{self, Content as What, Tree, Type};
use super::{DAMAGED, InputError, identity, path, refused, within};
pub use files::{as_file, files, titled};
pub use on_runtime::OnRuntime;

/// The key of the annotation that names the file in a layer that is one.
pub const TITLE: &str = "org.opencontainers.image.title";

/// What is in an image or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspected {
    /// What was asked for.
    pub reference: String,
    /// Where it is an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The skills, sorted by folder.
    pub skills: Vec<Skill>,
    /// What the names and descriptions take of an agent's context, which it always holds.
    pub listing: Budget,
    /// Identity of all files.
    pub content_identity: String,
    /// Bytes of all files.
    pub bytes: u64,
    /// All files, sorted by path.
    pub files: Vec<Listed>,
}

/// The image around the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Digest that the reference names: of an index, or of the manifest itself.
    pub digest: String,
    /// Digest of the manifest that was looked into.
    pub manifest: String,
    /// Its platform, by the index or by the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// All platforms of the index; empty for a single manifest.
    pub platforms: Vec<String>,
    /// Those of them that have other content.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub different: Vec<Different>,
    /// How the files are packed.
    pub format: &'static str,
    /// What each container runtime does with it.
    pub runtimes: Vec<OnRuntime>,
    /// What to do so that an agent has its skills.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub how: &'static str,
    /// Media type of the configuration.
    pub config_media_type: String,
    /// What kind of artifact it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations of the manifest: what catalogs show.
    pub annotations: BTreeMap<String, String>,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A platform that has not the content of the one that was looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Different {
    /// The platform, or the digest of its manifest where the index names none.
    pub platform: String,
    /// The identity of its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_identity: Option<String>,
    /// Why its files were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What texts take of an agent's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Characters.
    pub characters: usize,
    /// Tokens, estimated.
    pub tokens: usize,
}

/// One skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skill {
    /// The folder with its SKILL.md; empty for the root.
    pub folder: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub description: Description,
    /// Files.
    pub files: usize,
    /// Files that may be executed.
    pub executables: usize,
    /// Bytes.
    pub bytes: u64,
    /// Identity of its files.
    pub content_identity: String,
}

/// A file in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Path below the root.
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Bytes.
    pub size: u64,
    /// Whether it may be executed.
    pub executable: bool,
    /// SHA-256 of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where the link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What is read of a configuration.
#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    rootfs: Option<RootFs>,
}

/// A configuration that was read; of an artifact there is none.
#[derive(Debug, Default)]
struct Configuration {
    config: Config,
    bytes: Option<Vec<u8>>,
    /// The digests of the tars that it names.
    diff_ids: Vec<Digest>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<String>>,
}

/// A manifest with the way to it.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What names it.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// All platforms of the index; empty where there was none.
    pub platforms: Vec<String>,
    /// Its platform in the index.
    pub platform: Option<String>,
    /// The other manifests of the index.
    pub others: Vec<Descriptor>,
}

/// The manifest of a platform: that of an index which a kubelet of that platform would take. Where none is named it is that of
/// `default`, or the only one there is.
///
/// # Errors
/// There is none, or what leads to it cannot be read.
pub fn choose(
    content: &mut dyn Content,
    root: &Descriptor,
    platform: Option<&str>,
    default: &str,
) -> Result<Chosen, InputError> {
    let index = match document(content, root)? {
        Document::Image(manifest) => {
            let descriptor = root.clone();
            return Ok(Chosen {
                descriptor,
                manifest,
                platforms: Vec::new(),
                platform: None,
                others: Vec::new(),
            });
        }
        Document::Index(index) => index,
    };
    let mut leaves = Vec::new();
    flatten(content, index, 1, &mut 0, &mut leaves)?;
    let name = |leaf: &Descriptor| leaf.platform.as_ref().map(Platform::to_string);
    let platforms: Vec<String> = leaves.iter().filter_map(name).collect();
    let wanted = platform.unwrap_or(default);
    let fits = |leaf: &&Descriptor| {
        leaf.platform.as_ref().is_some_and(|platform| {
            let plain = format!("{}/{}", platform.os, platform.architecture);
            plain == wanted || platform.to_string() == wanted
        })
    };
    // Without a platform in the index a runtime goes by the configuration: it takes the only one there is.
    let alone =
        leaves.len() == 1 && (platform.is_none() || leaves.iter().all(|leaf| leaf.platform.is_none()));
    let leaf = leaves.iter().find(fits).or_else(|| leaves.first().filter(|_| alone)).cloned();
    let Some(descriptor) = leaf else {
        let there =
            if platforms.is_empty() { "none with a platform".to_owned() } else { platforms.join(", ") };
        return Err(refused(
            format!("no manifest for {wanted}; the index has {there}"),
            "name one with --platform, or a manifest by its digest",
        ));
    };
    match document(content, &descriptor)? {
        Document::Image(manifest) => {
            let platform = name(&descriptor);
            leaves.retain(|leaf| leaf.digest != descriptor.digest);
            Ok(Chosen { descriptor, manifest, platforms, platform, others: leaves })
        }
        Document::Index(_) => Err(refused(
            format!("manifest {} is an index, and listed as a manifest", descriptor.digest),
            "build the index again",
        )),
    }
}

/// The platform of most nodes.
pub const DEFAULT_PLATFORM: &str = "linux/amd64";

/// The manifests of an index and of those in it; attestations, which are no images, are left out.
fn flatten(
    content: &mut dyn Content,
    index: oci::Index,
    depth: usize,
    seen: &mut usize,
    leaves: &mut Vec<Descriptor>,
) -> Result<(), InputError> {
    if depth > INDEX_DEPTH {
        return Err(refused(
            format!("indexes in indexes, more than {INDEX_DEPTH} deep"),
            "name a manifest by its digest",
        ));
    }
    for entry in index.manifests {
        *seen += 1;
        if *seen > INDEX_ENTRIES {
            return Err(refused(
                format!("more than {INDEX_ENTRIES} manifests in indexes"),
                "name one of them by its digest",
            ));
        }
        match entry.media_type.as_str() {
            oci::media_type::OCI_INDEX | oci::media_type::DOCKER_LIST => {
                if let Document::Index(inner) = document(content, &entry)? {
                    flatten(content, inner, depth + 1, seen, leaves)?;
                }
            }
            oci::media_type::OCI_MANIFEST | oci::media_type::DOCKER_MANIFEST
                if entry.platform.as_ref().is_none_or(|platform| platform.os != "unknown") =>
            {
                leaves.push(entry);
            }
            _ => {}
        }
    }
    Ok(())
}

fn document(content: &mut dyn Content, descriptor: &Descriptor) -> Result<Document, InputError> {
    let place = || format!("manifest {}", descriptor.digest);
    if descriptor.size > oci::MANIFEST_LIMIT {
        let message = format!("{} bytes; at most {} are read", descriptor.size, oci::MANIFEST_LIMIT);
        return Err(within(place(), refused(message, "")));
    }
    let bytes = content.manifest(descriptor).map_err(|failed| within(place(), failed.into()))?;
    if Digest::of(&bytes) != descriptor.digest {
        let help = "the bytes are not those that are named; push the image again";
        return Err(within(place(), refused(format!("its digest is {}", Digest::of(&bytes)), help)));
    }
    oci::parse(&bytes, Some(&descriptor.media_type)).map_err(|error| within(place(), refused(error, "")))
}

/// An image down to its files.
#[derive(Debug)]
pub struct Unpacked {
    /// The manifest.
    pub chosen: Chosen,
    configuration: Configuration,
    /// The files.
    pub tree: Tree,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// Reads an image down to its files, which may be those of no skill.
///
/// # Errors
/// As [`image`].
pub fn unpack(content: &mut dyn Content, chosen: Chosen, limits: &Limits) -> Result<Unpacked, InputError> {
    unpack_keeping(content, chosen, limits, &mut Nothing)
}

/// The same, passing the bytes of all files of all layers on as they are read: also of those that an upper layer removes.
///
/// # Errors
/// As [`unpack`]; and bytes could not be put down.
pub fn unpack_keeping(
    content: &mut dyn Content,
    chosen: Chosen,
    limits: &Limits,
    keep: &mut dyn Keep,
) -> Result<Unpacked, InputError> {
    let configuration = configuration(content, &chosen.manifest)?;
    let (tree, layers) =
        files::files_keeping(content, &chosen.manifest, &configuration.diff_ids, limits, keep)?;
    tree.check(limits)?;
    Ok(Unpacked { chosen, configuration, tree, layers })
}

/// What the layers of an image unpack to, by digest: equal lists are equal files, and different lists may be.
///
/// # Errors
/// The configuration cannot be read, or is not that of the manifest.
pub fn diff_ids(content: &mut dyn Content, manifest: &Manifest) -> Result<Vec<Digest>, InputError> {
    configuration(content, manifest).map(|read| read.diff_ids)
}

/// Looks into an image.
///
/// # Errors
/// It cannot be read, goes over a limit, or holds what no skill may hold.
pub fn image(
    content: &mut dyn Content,
    reference: &str,
    root: &Descriptor,
    platform: Option<&str>,
    limits: &Limits,
) -> Result<Inspected, InputError> {
    let chosen = choose(content, root, platform, DEFAULT_PLATFORM)?;
    let Unpacked { chosen, configuration, tree, layers } = unpack(content, chosen, limits)?;
    let Configuration { config, bytes, .. } = configuration;
    let different = different(content, &chosen, &tree, limits);
    let manifest = chosen.manifest;
    let format = recognise(&manifest, bytes.as_deref());
    let of_config =
        config.os.zip(config.architecture).map(|(os, architecture)| format!("{os}/{architecture}"));
    Ok(Inspected {
        image: Some(Image {
            digest: root.digest.to_string(),
            manifest: chosen.descriptor.digest.to_string(),
            platform: chosen.platform.or(of_config),
            platforms: chosen.platforms,
            different,
            format: format.name(),
            runtimes: OnRuntime::all(format),
            how: format.row().map_or("", |row| row.how),
            config_media_type: manifest.config.media_type,
            artifact_type: manifest.artifact_type,
            annotations: manifest.annotations,
            layers,
        }),
        ..folder(reference, &tree)
    })
}

/// The other platforms of the index whose files are not those of the tree; layers are read only where they are not the same.
pub fn different(content: &mut dyn Content, chosen: &Chosen, tree: &Tree, limits: &Limits) -> Vec<Different> {
    let layers = |manifest: &Manifest| -> Vec<Digest> {
        manifest.layers.iter().map(|layer| layer.digest.clone()).collect()
    };
    let own = identity::of(tree, "").to_string();
    let mut seen = BTreeMap::from([(layers(&chosen.manifest), own.clone())]);
    let mut out = Vec::new();
    for other in &chosen.others {
        let mut identity = || {
            let Document::Image(manifest) = document(content, other)? else {
                return Err(refused(format!("manifest {} is an index", other.digest), ""));
            };
            let key = layers(&manifest);
            if let Some(known) = seen.get(&key) {
                return Ok(known.clone());
            }
            if seen.len() > MOST_CONTENTS {
                return Err(refused(format!("at most {MOST_CONTENTS} other contents are read"), ""));
            }
            let (tree, _) = files(content, &manifest, &[], limits)?;
            let identity = identity::of(&tree, "").to_string();
            seen.insert(key, identity.clone());
            Ok(identity)
        };
        let (content_identity, error) = match identity() {
            Ok(identity) if identity == own => continue,
            Ok(identity) => (Some(identity), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let platform = other.platform.as_ref().map_or(other.digest.to_string(), Platform::to_string);
        out.push(Different { platform, content_identity, error });
    }
    out
}

/// Most other contents of an index that are read.
const MOST_CONTENTS: usize = 8;

/// What is in a tree.
pub fn folder(reference: &str, tree: &Tree) -> Inspected {
    let skills: Vec<Skill> = tree.skills().into_iter().map(|folder| skill(tree, folder)).collect();
    let names = skills.iter().map(|skill| {
        let said = &skill.description;
        (said.name.as_deref().unwrap_or_default(), said.description.as_deref().unwrap_or_default())
    });
    let Listing { characters, tokens, .. } = budget::listing(names);
    Inspected {
        reference: reference.to_owned(),
        image: None,
        skills,
        listing: Budget { characters, tokens },
        content_identity: identity::of(tree, "").to_string(),
        bytes: tree.files.iter().map(tree::File::size).sum(),
        files: tree.files.iter().map(listed).collect(),
    }
}

/// A file whose content is kept.
fn text<'t>(tree: &'t Tree, path: &str) -> Option<Text<'t>> {
    match &tree.file(path)?.content {
        What::File(facts) => Some(Text { bytes: facts.content.as_deref()?, size: facts.size }),
        What::Link(_) => None,
    }
}

/// What the skill in a folder says of itself.
pub fn described(tree: &Tree, folder: &str) -> (Description, Card) {
    let skill_md = text(tree, &path::join(folder, "SKILL.md"));
    let card = text(tree, &path::join(folder, super::pack::CARD));
    let (mut description, card) = describe(folder, skill_md.unwrap_or(Text { bytes: &[], size: 0 }), card);
    if skill_md.is_none() {
        description.findings = vec![Found {
            rule: "skill-link",
            severity: "warning",
            file: path::join(folder, "SKILL.md"),
            line: 1,
            field: String::new(),
            message: "a symbolic link, which not every reader follows, and this one does not".into(),
            help: "put the file itself into the image".into(),
        }];
    }
    (description, card)
}

/// The ways to mount the skills of an image below a folder, the best first.
pub fn ways(found: &Inspected, root: &str) -> Vec<format::Way> {
    let mountable = found
        .image
        .as_ref()
        .is_some_and(|image| image.runtimes.iter().all(|runtime| runtime.mounts == "folder"));
    if !mountable {
        return Vec::new();
    }
    let layout = format::layout(found.files.iter().map(|file| file.path.as_str()));
    let name = found.skills.first().and_then(|skill| skill.description.name.as_deref()).unwrap_or("NAME");
    format::ways(&layout, root, name)
}

fn skill(tree: &Tree, folder: &str) -> Skill {
    let (mut description, _) = described(tree, folder);
    let (mut files, mut executables, mut bytes) = (0, 0, 0);
    for (_, file) in tree.below(folder) {
        files += 1;
        bytes += file.size();
        executables += usize::from(is_executable(file));
    }
    let content_identity = identity::of(tree, folder).to_string();
    description.findings.extend(closed(tree, folder));
    Skill { folder: folder.to_owned(), description, files, executables, bytes, content_identity }
}

/// What is said of a skill with files that an agent may not be allowed to read.
fn closed(tree: &Tree, folder: &str) -> Option<Found> {
    let mut closed = tree.below(folder).filter(|(_, file)| file.closed);
    let (_, first) = closed.next()?;
    let more = match closed.count() {
        0 => String::new(),
        more => format!(", and so of {more} more"),
    };
    Some(Found {
        rule: "skill-mode",
        severity: "warning",
        file: first.path.clone(),
        line: 1,
        field: String::new(),
        message: format!("its mode, or that of a folder above, lets nobody read it but its owner and group{more}"),
        help: "an agent that runs as another user cannot use the skill: chmod -R go+rX before the image is built, as 'pack' does"
            .into(),
    })
}

fn is_executable(file: &tree::File) -> bool {
    matches!(&file.content, What::File(facts) if facts.executable)
}

fn listed(file: &tree::File) -> Listed {
    let (sha256, target) = match &file.content {
        What::File(facts) => (Some(identity::hex(&facts.sha256)), None),
        What::Link(target) => (None, Some(target.clone())),
    };
    Listed {
        path: file.path.clone(),
        kind: file.kind(),
        size: file.size(),
        executable: is_executable(file),
        sha256,
        target,
    }
}

/// The configuration, and the digests of the tars that it names; a configuration of an artifact is not looked at.
fn configuration(content: &mut dyn Content, manifest: &Manifest) -> Result<Configuration, InputError> {
    let place = || format!("configuration {}", manifest.config.digest);
    if !is_image(manifest) {
        return Ok(Configuration::default());
    }
    let read = |content: &mut dyn Content| {
        let bytes = small_blob(content, &manifest.config, CONFIG_BYTES)?;
        let config = serde_json::from_slice::<Config>(&bytes)
            .map_err(|error| refused(format!("no image configuration: {error}"), "build the image again"))?;
        Ok((config, bytes))
    };
    let (config, bytes) = read(content).map_err(|error| within(place(), error))?;
    let named = config.rootfs.as_ref().and_then(|rootfs| rootfs.diff_ids.as_deref()).unwrap_or_default();
    let diff_ids: Result<Vec<Digest>, String> = named.iter().map(|text| Digest::parse(text)).collect();
    let diff_ids = diff_ids.map_err(|error| within(place(), refused(error, "build the image again")))?;
    if diff_ids.len() != manifest.layers.len() {
        let message =
            format!("it names {} layers, and the manifest {}", diff_ids.len(), manifest.layers.len());
        return Err(within(
            place(),
            refused(message, "a runtime refuses to unpack it; build the image again"),
        ));
    }
    Ok(Configuration { config, bytes: Some(bytes), diff_ids })
}

/// A blob that is held in memory, checked against its digest and size.
fn small_blob(content: &mut dyn Content, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, InputError> {
    use std::io::Read as _;

    if descriptor.size > most {
        return Err(refused(format!("{} bytes; at most {most} are read", descriptor.size), ""));
    }
    let mut bytes = Vec::new();
    let blob = content.blob(descriptor)?;
    blob.take(descriptor.size + 1).read_to_end(&mut bytes).map_err(|error| unread(&error, DAMAGED))?;
    if bytes.len() as u64 != descriptor.size || Digest::of(&bytes) != descriptor.digest {
        return Err(refused(
            format!("{} bytes with the digest {}", bytes.len(), Digest::of(&bytes)),
            "they are not those that the manifest names; push the image again",
        ));
    }
    Ok(bytes)
}

/// Whether the configuration is that of an image.
pub fn is_image(manifest: &Manifest) -> bool {
    matches!(
        manifest.config.media_type.as_str(),
        oci::media_type::OCI_CONFIG | oci::media_type::DOCKER_CONFIG
    )
}

#[cfg(test)]
mod tests;
