//! Images from one place to another: an index with its manifests, their blobs, and what refers to them. Blobs come first,
//! then manifests from the leaves up, then referrers; the name is last, so that nobody finds a part.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use kubectl_skills::skill::oci::{Descriptor, Digest, Document, parse};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::{Kind, RegistryError, Result};
use super::progress::Progress;
use super::referrers::fallback_tag;
use super::store::{Sink, Source, Way, media_type_of};

/// Blobs that are on their way at once.
const AT_ONCE: usize = 4;
/// Deepest nesting of indexes, and of referrers of referrers.
const DEEPEST: usize = 4;
/// Most manifests of one image, with what refers to it, and most bytes of all of them.
const MOST_MANIFESTS: usize = 10_000;
const MOST_BYTES: usize = 256 << 20;
/// What cosign adds to the fallback tag for its signatures, attestations and bills of materials.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

/// What a copy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Manifests that were written, those of referrers among them.
    pub manifests: usize,
    /// Signatures and other referrers among them.
    pub referrers: usize,
    /// Blobs that were sent, and their bytes.
    pub sent: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were taken over from another repository of the same registry.
    pub mounted: usize,
    /// Blobs that were there.
    pub present: usize,
}

impl Copied {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.manifests += other.manifests;
        self.referrers += other.referrers;
        self.sent += other.sent;
        self.bytes += other.bytes;
        self.mounted += other.mounted;
        self.present += other.present;
    }
}

/// A manifest that was read.
struct Node {
    descriptor: Descriptor,
    bytes: Vec<u8>,
    document: Document,
}

/// Everything that belongs to an image.
#[derive(Default)]
struct Image {
    /// Each after what it names.
    nodes: Vec<Node>,
    /// By digest.
    blobs: BTreeMap<Digest, Descriptor>,
    seen: BTreeSet<Digest>,
    bytes: usize,
}

/// What refers to an image: the manifest, and the tag by which it is found where it is not by its subject.
struct Referrer {
    image: Image,
    tag: Option<String>,
}

/// Copies an image. `name`: the tag, or name in a layout, that it gets; none for its digest alone. In a layout it can be found
/// after [`Sink::finish`].
pub async fn copy(
    source: &Source,
    sink: &Sink,
    root: &Descriptor,
    name: Option<&str>,
    with_referrers: bool,
    progress: &Progress,
) -> Result<Copied> {
    let mut image = Image::default();
    image.read(source, root, 0).await?;
    let mut referrers = Vec::new();
    if with_referrers {
        let mut seen: BTreeSet<Digest> = image.seen.clone();
        let mut subjects: Vec<Digest> =
            image.nodes.iter().map(|node| node.descriptor.digest.clone()).collect();
        for _ in 0..DEEPEST {
            let found = about(source, &subjects, &mut seen).await?;
            subjects = found
                .iter()
                .flat_map(|one| one.image.nodes.iter().map(|node| node.descriptor.digest.clone()))
                .collect();
            referrers.extend(found);
            if subjects.is_empty() {
                break;
            }
        }
    }
    let mut copied = Copied::default();
    let mut blobs = std::mem::take(&mut image.blobs);
    for referrer in &mut referrers {
        blobs.append(&mut referrer.image.blobs);
    }
    send_blobs(source, sink, blobs, progress, &mut copied).await?;
    let root_digest = &root.digest;
    for node in &image.nodes {
        let is_root = node.descriptor.digest == *root_digest;
        // Its tag brings it, unless something is to refer to it before.
        if !(is_root
            && name.is_some()
            && referrers.is_empty()
            && matches!(sink, Sink::Registry(_))
            && !is_referrer(node))
        {
            write(sink, node).await?;
        }
        copied.manifests += 1;
    }
    for referrer in &referrers {
        for node in &referrer.image.nodes {
            write(sink, node).await?;
            copied.manifests += 1;
        }
        if let Some(top) = referrer.image.nodes.last() {
            sink.name(&top.descriptor, &top.bytes, referrer.tag.as_deref()).await?;
            copied.referrers += 1;
        }
    }
    if let Some(top) = image.nodes.last() {
        sink.name(&top.descriptor, &top.bytes, name).await?;
    }
    Ok(copied)
}

fn is_referrer(node: &Node) -> bool {
    matches!(&node.document, Document::Image(manifest) if manifest.subject.is_some())
}

async fn write(sink: &Sink, node: &Node) -> Result<()> {
    sink.manifest(&node.bytes, media_type_of(&node.descriptor), &node.document).await
}

/// What refers to any of these manifests, and was not seen before.
async fn about(source: &Source, subjects: &[Digest], seen: &mut BTreeSet<Digest>) -> Result<Vec<Referrer>> {
    let mut found = Vec::new();
    for subject in subjects {
        for descriptor in source.referrers(subject, None).await? {
            found.push((descriptor, None));
        }
        for ending in COSIGN {
            let tag = format!("{}{ending}", fallback_tag(subject));
            if let Some(descriptor) = source.tag(&tag).await? {
                found.push((descriptor, Some(tag)));
            }
        }
    }
    let mut referrers = Vec::new();
    for (descriptor, tag) in found {
        if seen.insert(descriptor.digest.clone()) {
            let mut image = Image::default();
            image.read(source, &descriptor, 0).await?;
            referrers.push(Referrer { image, tag });
        }
        if seen.len() > MOST_MANIFESTS {
            let message = format!("more than {MOST_MANIFESTS} manifests refer to one image");
            return Err(RegistryError::new(Kind::Refused, message).help("leave them out with --no-referrers"));
        }
    }
    Ok(referrers)
}

impl Image {
    /// Reads a manifest and all that it names.
    fn read<'a>(
        &'a mut self,
        source: &'a Source,
        descriptor: &'a Descriptor,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            if !self.seen.insert(descriptor.digest.clone()) {
                return Ok(());
            }
            let refuse = |why: &str| {
                RegistryError::new(source.refusal(), format!("manifest {}: {why}", descriptor.digest))
            };
            if depth > DEEPEST {
                return Err(refuse(&format!("indexes are nested more than {DEEPEST} times")));
            }
            if self.seen.len() > MOST_MANIFESTS || self.bytes > MOST_BYTES {
                return Err(refuse("the image has too many manifests"));
            }
            let bytes = source.manifest(descriptor).await?;
            self.bytes += bytes.len();
            let document = parse(&bytes, Some(&descriptor.media_type)).map_err(|why| refuse(&why))?;
            match &document {
                Document::Image(manifest) => {
                    let all = std::iter::once(&manifest.config).chain(&manifest.layers);
                    for blob in all.filter(|blob| !is_foreign(blob)) {
                        self.blobs.entry(blob.digest.clone()).or_insert_with(|| blob.clone());
                    }
                }
                Document::Index(index) => {
                    for child in &index.manifests {
                        self.read(source, child, depth + 1).await?;
                    }
                }
            }
            self.nodes.push(Node { descriptor: descriptor.clone(), bytes, document });
            Ok(())
        })
    }
}

/// Whether a layer is to be had elsewhere and may not be passed on, as those of Windows were.
fn is_foreign(blob: &Descriptor) -> bool {
    blob.media_type.contains(".nondistributable.") || blob.media_type.contains(".rootfs.foreign.")
}

async fn send_blobs(
    source: &Source,
    sink: &Sink,
    blobs: BTreeMap<Digest, Descriptor>,
    progress: &Progress,
    copied: &mut Copied,
) -> Result<()> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for descriptor in blobs.into_values() {
        progress.expect(descriptor.size);
        let (source, sink, progress, slots) =
            (source.clone(), sink.clone(), progress.clone(), Arc::clone(&slots));
        running.spawn(async move {
            // Never closed.
            let _slot = slots.acquire_owned().await;
            let way = sink.blob(&source, &descriptor, &progress).await?;
            Ok::<_, RegistryError>((way, descriptor.size))
        });
    }
    // The first failure ends the others: they are dropped with the set.
    while let Some(ended) = running.join_next().await {
        let ended =
            ended.map_err(|error| RegistryError::new(Kind::Local, format!("a transfer ended: {error}")))?;
        match ended? {
            (Way::Sent, size) => {
                copied.sent += 1;
                copied.bytes += size;
            }
            (Way::Mounted, _) => copied.mounted += 1,
            (Way::Present, _) => copied.present += 1,
        }
    }
    Ok(())
}
