//! What is kept with an image about who signed it: bundles that refer to it, then the signatures under the tag that cosign made
//! of its digest. Whether each holds is left to the library's `skill::signature`; what follows from that, to the verbs.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use kubectl_skills::api::error::Fault;
use kubectl_skills::skill::content::{Content, Failed};
use kubectl_skills::skill::inspect::{DEFAULT_PLATFORM, choose};
use kubectl_skills::skill::oci::{Descriptor, Digest, Document, media_type, parse};
use kubectl_skills::skill::signature::trust::Trust;
use kubectl_skills::skill::signature::{Refusal, Verified, check};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::{Kind, RegistryError, Result};
use super::place::Place;
use super::store::Source;
use crate::exit::Failure;

/// What the media types of all versions of Sigstore bundles begin with.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The media type of a layer with a signature of the older kind.
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The artifact type of such signatures where they refer to the image.
const SIMPLE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// Most manifests that may have signatures of one image, and most signatures of one of them.
const MOST: usize = 1000;
/// Most bytes of a signature; an attestation has a whole bill of materials in it.
const BYTES: u64 = 16 << 20;
/// Most bytes of all of them.
const ALL_BYTES: u64 = 256 << 20;
/// Manifests that are asked for at once.
const AT_ONCE: usize = 8;

/// What was found about one digest.
#[derive(Debug, Default)]
pub struct Found {
    /// Signatures and attestations that hold, each with the manifest that has it.
    pub verified: Vec<(Digest, Verified)>,
    /// Those that do not.
    pub refused: Vec<(Digest, Refusal)>,
}

/// The bytes of a signature, or why there are none.
enum Kept {
    Bundle(Vec<u8>),
    Simple(Vec<u8>, Descriptor),
    Refused(Refusal),
}

/// Looks for all that is kept with a digest, and checks it.
///
/// # Errors
/// An answer that is neither "there is" nor "there is none": nobody shall take it for the latter.
pub async fn about(source: &Source, image: &Digest, trust: &Trust) -> Result<Found> {
    let mut found = Found::default();
    for (manifest, kept) in all(source, image).await? {
        let verdict = match kept {
            Kept::Bundle(bytes) => check::bundle(&bytes, image, trust),
            Kept::Simple(payload, layer) => check::tagged(&payload, &layer.annotations, image, trust),
            Kept::Refused(refusal) => Err(refusal),
        };
        match verdict {
            Ok(verified) => found.verified.push((manifest, verified)),
            Err(refusal) => found.refused.push((manifest, refusal)),
        }
    }
    Ok(found)
}

async fn all(source: &Source, image: &Digest) -> Result<Vec<(Digest, Kept)>> {
    let mut manifests = source.referrers(image, None).await?;
    manifests.retain(may_have_signatures);
    manifests.extend(source.signatures(image).await?);
    let too_many = |what: &str| {
        RegistryError::new(source.refusal(), format!("more than {MOST} {what} {image}"))
            .help("remove those that nobody needs: cosign clean, or the interface of the registry")
    };
    if manifests.len() > MOST {
        return Err(too_many("manifests may have signatures of"));
    }
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (place, descriptor) in manifests.iter().cloned().enumerate() {
        let (source, slots) = (source.clone(), Arc::clone(&slots));
        running.spawn(async move {
            // Never closed.
            let _slot = slots.acquire_owned().await;
            Ok::<_, RegistryError>((place, layers(&source, &descriptor).await?))
        });
    }
    let (mut listed, mut count) = (Vec::new(), 0);
    while let Some(ended) = running.join_next().await {
        let failed = |error| RegistryError::new(Kind::Local, format!("reading signatures ended: {error}"));
        let (place, layers) = ended.map_err(failed)??;
        count += layers.as_ref().map_or(1, Vec::len);
        // Before all of them are in memory.
        if count > MOST {
            return Err(too_many("signatures are kept with"));
        }
        listed.push((place, layers));
    }
    listed.sort_by_key(|(place, _)| *place);
    let (mut kept, mut bytes) = (Vec::new(), 0_u64);
    for ((_, layers), manifest) in listed.into_iter().zip(manifests) {
        let layers = match layers {
            Ok(layers) => layers,
            Err(refusal) => {
                kept.push((manifest.digest, Kept::Refused(refusal)));
                continue;
            }
        };
        for layer in layers {
            if kept.len() >= MOST {
                return Err(too_many("signatures are kept with"));
            }
            bytes = bytes.saturating_add(layer.size);
            if bytes > ALL_BYTES {
                return Err(RegistryError::new(
                    source.refusal(),
                    format!("the signatures of {image} have more than {} MiB", ALL_BYTES >> 20),
                ));
            }
            kept.push((manifest.digest.clone(), read(source, layer).await?));
        }
    }
    Ok(kept)
}

/// What is something else by its kind need not be fetched. A list without kinds says nothing, nor does one with those of the
/// configurations, as go-containerregistry's registry writes it.
fn may_have_signatures(one: &Descriptor) -> bool {
    let kind = one.artifact_type.as_deref().unwrap_or_default();
    let nothing = ["", media_type::EMPTY, media_type::OCI_CONFIG, media_type::DOCKER_CONFIG];
    nothing.contains(&kind) || kind.starts_with(BUNDLE) || kind == SIMPLE_ARTIFACT
}

/// The layers of a manifest that have signatures.
async fn layers(
    source: &Source,
    descriptor: &Descriptor,
) -> Result<std::result::Result<Vec<Descriptor>, Refusal>> {
    let unreadable = |why: String| Ok(Err(Refusal::Unreadable(why)));
    let bytes = match source.manifest(descriptor).await {
        Ok(bytes) => bytes,
        // Who removes a signature may leave its entry in the list.
        Err(error) if error.kind == Kind::NotFound => {
            return unreadable("it is listed, and the registry does not have it".into());
        }
        Err(error) => return Err(error),
    };
    let manifest = match parse(&bytes, Some(&descriptor.media_type)) {
        Ok(Document::Image(manifest)) => manifest,
        Ok(Document::Index(_)) => return unreadable("an index, and no manifest of a signature".into()),
        Err(why) => return unreadable(why),
    };
    let is_one = |layer: &Descriptor| layer.media_type.starts_with(BUNDLE) || layer.media_type == SIMPLE;
    Ok(Ok(manifest.layers.into_iter().filter(is_one).collect()))
}

async fn read(source: &Source, layer: Descriptor) -> Result<Kept> {
    if layer.size > BYTES {
        let why = format!("it has {} bytes; at most {} MiB are read", layer.size, BYTES >> 20);
        return Ok(Kept::Refused(Refusal::Unsupported(why)));
    }
    let mut stream = match source.blob(&layer).await {
        Ok(stream) => stream,
        Err(error) if error.kind == Kind::NotFound => {
            let why = "its manifest names a blob that the registry does not have".into();
            return Ok(Kept::Refused(Refusal::Unreadable(why)));
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(if layer.media_type == SIMPLE { Kept::Simple(bytes, layer) } else { Kept::Bundle(bytes) })
}

/// What a digest is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// One image.
    Manifest,
    /// Several, one a platform.
    Index,
    /// One of these, by its platform.
    Platform(String),
}

/// An image and what was found about it.
#[derive(Debug)]
pub struct Checked {
    /// What the reference names.
    pub root: Descriptor,
    /// What the reference names, and the manifest of the platform that was asked for.
    pub parts: Vec<Part>,
}

/// One digest of an image and what was found about it.
#[derive(Debug)]
pub struct Part {
    /// The digest.
    pub digest: Digest,
    /// What it is of.
    pub of: Of,
    /// What was found about it.
    pub found: Found,
}

impl Checked {
    /// All that holds, with the part that it is about.
    pub fn verified(&self) -> impl Iterator<Item = (&Part, &Digest, &Verified)> {
        self.parts.iter().flat_map(|part| {
            part.found.verified.iter().map(move |(manifest, verified)| (part, manifest, verified))
        })
    }

    /// All that does not hold.
    pub fn refused(&self) -> impl Iterator<Item = (&Part, &Digest, &Refusal)> {
        self.parts.iter().flat_map(|part| {
            part.found.refused.iter().map(move |(manifest, refusal)| (part, manifest, refusal))
        })
    }
}

/// Checks an image: what the place names and, if a platform is given, the manifest of that platform in its index as well.
///
/// # Errors
/// There is no such image or platform, or what is kept with it cannot be read.
pub async fn check_image(
    source: &Source,
    place: &Place,
    platform: Option<&str>,
    trust: &Trust,
) -> std::result::Result<Checked, Failure> {
    let root = source.resolve(place).await?;
    let is_index = match root.media_type.as_str() {
        media_type::OCI_INDEX | media_type::DOCKER_LIST => true,
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => false,
        _ => {
            let document = parse(&source.manifest(&root).await?, None);
            let wrong = |why| RegistryError::new(source.refusal(), format!("{place}: {why}"));
            matches!(document.map_err(wrong)?, Document::Index(_))
        }
    };
    let of = if is_index { Of::Index } else { Of::Manifest };
    let found = about(source, &root.digest, trust).await?;
    let mut parts = vec![Part { digest: root.digest.clone(), of, found }];
    if let Some(platform) = platform.filter(|_| is_index) {
        let digest = manifest_of(source, &root, platform).await?;
        let found = about(source, &digest, trust).await?;
        parts.push(Part { digest, of: Of::Platform(platform.to_owned()), found });
    }
    // Under a digest that is not the image's there is no signature either.
    if parts.iter().all(|part| part.found.verified.is_empty()) {
        source.prove(&root).await?;
    }
    Ok(Checked { root, parts })
}

/// The manifest of a platform.
async fn manifest_of(
    source: &Source,
    root: &Descriptor,
    platform: &str,
) -> std::result::Result<Digest, Failure> {
    let mut known = Manifests::default();
    loop {
        match choose(&mut known, root, Some(platform), DEFAULT_PLATFORM) {
            Ok(chosen) => return Ok(chosen.descriptor.digest),
            Err(error) => match known.missing.take() {
                Some(descriptor) => {
                    let bytes = source.manifest(&descriptor).await?;
                    known.bytes.insert(descriptor.digest, bytes);
                }
                None => return Err(error.into()),
            },
        }
    }
}

/// Manifests that were fetched already, and the one that is wanted next.
#[derive(Default)]
struct Manifests {
    bytes: BTreeMap<Digest, Vec<u8>>,
    missing: Option<Descriptor>,
}

impl Content for Manifests {
    fn manifest(&mut self, descriptor: &Descriptor) -> std::result::Result<Vec<u8>, Failed> {
        self.bytes.get(&descriptor.digest).cloned().ok_or_else(|| {
            self.missing = Some(descriptor.clone());
            not_here("not fetched yet")
        })
    }

    fn blob(&mut self, _: &Descriptor) -> std::result::Result<Box<dyn Read + Send + '_>, Failed> {
        Err(not_here("only manifests are read"))
    }
}

fn not_here(message: &str) -> Failed {
    Failed { fault: Fault::Source, message: message.to_owned(), help: String::new() }
}
