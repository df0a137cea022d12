//! Registries and layouts behind one interface: where images are read from (`Source`), and where they are written to
//! (`Sink`). What is read and written, and in which order, is left to `copy` and the verbs.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kubectl_skills::skill::oci::{Descriptor, Digest, Document, media_type};
use serde_json::json;

use super::args::RegistryArgs;
use super::auth::Session;
use super::credentials::Credentials;
use super::error::{Kind, RegistryError, Result};
use super::layout::Layout;
use super::place::Place;
use super::progress::Progress;
use super::reference::Reference;
use super::referrers::signature_tag;
use super::repository::{Named, Repository};
use super::stream::BlobStream;
use super::transport::Transport;
use super::upload::Mount;
use crate::notes;
use crate::skill_files::layout_write::{OnFailure, Writer};

/// How often a blob is sent anew whose parts a registry has mixed up.
const MIXED_UPLOADS: usize = 2;

/// Opens sources and sinks with the flags of a verb.
pub struct Stores {
    args: RegistryArgs,
    session: Arc<Session>,
}

impl Stores {
    /// For a verb. No request is sent yet.
    pub fn new(args: &RegistryArgs, verb: &'static str) -> Result<Self> {
        let session = Session::new(Transport::new(args, verb)?, Credentials::new(args)?);
        args.mirrors()?;
        Ok(Self { args: args.clone(), session })
    }

    /// Where to read an image.
    pub fn source(&self, place: &Place) -> Result<Source> {
        match place {
            Place::Layout(path, _) => Ok(Source::Layout(Arc::new(Layout::open(path)?))),
            Place::Registry(reference) => {
                let mirrors =
                    self.args.mirrors()?.into_iter().filter(|mirror| mirror.of == reference.registry);
                let mirrors = mirrors.map(|mirror| {
                    let name = format!("{}{}", mirror.prefix, reference.repository);
                    let repository = Repository::new(&self.session, &self.args, &mirror.host, &name, false)?;
                    Ok((repository, AtomicBool::new(true)))
                });
                let mirrors = Arc::new(mirrors.collect::<Result<_>>()?);
                Ok(Source::Registry(Remote { origin: self.repository(reference, false)?, mirrors }))
            }
        }
    }

    /// Where to write an image.
    pub fn sink(&self, place: &Place) -> Result<Sink> {
        match place {
            Place::Layout(path, _) => {
                let writer = Writer::open(path, OnFailure::Keep).map_err(RegistryError::local)?;
                Ok(Sink::Layout(Arc::new(writer)))
            }
            Place::Registry(reference) => Ok(Sink::Registry(self.repository(reference, true)?)),
        }
    }

    /// A repository, without its mirrors.
    pub fn repository(&self, reference: &Reference, push: bool) -> Result<Repository> {
        Repository::new(&self.session, &self.args, &reference.registry, &reference.repository, push)
    }
}

/// Where images are read from.
#[derive(Clone)]
pub enum Source {
    /// A repository.
    Registry(Remote),
    /// A layout.
    Layout(Arc<Layout>),
}

/// A repository and its mirrors, which are asked first.
#[derive(Clone)]
pub struct Remote {
    origin: Repository,
    /// With whether it is still asked.
    mirrors: Arc<Vec<(Repository, AtomicBool)>>,
}

impl Remote {
    async fn read<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn(Repository) -> F) -> Result<T> {
        for (mirror, alive) in self.mirrors.iter() {
            if !alive.load(Ordering::Relaxed) {
                continue;
            }
            match ask(mirror.clone()).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    // One that lacks something may have the rest; one that is down stays so for this run.
                    alive.store(error.kind == Kind::NotFound, Ordering::Relaxed);
                    notes::note(&format!(
                        "mirror {}: {}; asking {} itself",
                        mirror.name(),
                        error.message,
                        self.origin.name()
                    ));
                }
            }
        }
        ask(self.origin.clone()).await
    }
}

impl Source {
    /// What a place names in this source.
    pub async fn resolve(&self, place: &Place) -> Result<Descriptor> {
        match (self, place) {
            (Self::Layout(layout), Place::Layout(_, name)) => layout.resolve(name.as_deref()),
            // The name of an image of another place, under which a layout keeps it.
            (Self::Layout(layout), Place::Registry(reference)) => {
                layout.resolve(Some(&reference.to_string()))
            }
            (Self::Registry(remote), Place::Registry(reference)) => {
                // Where there is a digest it decides, as for the kubelet.
                let (digest, tag) =
                    (reference.digest.as_ref(), reference.tag_or_latest().unwrap_or("latest"));
                remote
                    .read(|repository| async move {
                        repository.resolve(&digest.map_or(Named::Tag(tag), Named::Digest)).await
                    })
                    .await
            }
            (Self::Registry(_), Place::Layout(..)) => {
                Err(RegistryError::new(Kind::Local, "a layout's name in a registry"))
            }
        }
    }

    /// The kind of an error about what was read: a layout is input, and a registry's answer is not.
    pub fn refusal(&self) -> Kind {
        match self {
            Self::Registry(_) => Kind::Refused,
            Self::Layout(_) => Kind::Local,
        }
    }

    /// What a tag names; `None` if there is no such tag.
    pub async fn tag(&self, tag: &str) -> Result<Option<Descriptor>> {
        match self {
            Self::Registry(remote) => remote.origin.find(tag).await,
            Self::Layout(layout) => match layout.resolve(Some(tag)) {
                Ok(found) => Ok(Some(found)),
                Err(error) if error.kind == Kind::NotInLayout => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// The manifests whose layers are signatures of a digest in the old format. Mirrors are not asked.
    pub async fn signatures(&self, digest: &Digest) -> Result<Vec<Descriptor>> {
        match self {
            Self::Registry(remote) => {
                Ok(remote.origin.find(&signature_tag(digest)).await?.into_iter().collect())
            }
            Self::Layout(layout) => layout.signatures(digest),
        }
    }

    /// The bytes of a manifest.
    pub async fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        match self {
            Self::Registry(remote) => {
                remote.read(|repository| async move { repository.manifest(descriptor).await }).await
            }
            Self::Layout(layout) => layout.manifest(descriptor),
        }
    }

    /// Proves that there is a manifest of this digest: what the answer to a HEAD names is only what the registry says.
    pub async fn prove(&self, descriptor: &Descriptor) -> Result<()> {
        match (self, self.manifest(descriptor).await) {
            (Self::Registry(remote), Err(error)) if error.kind == Kind::NotFound => {
                let message = format!(
                    "{}: the registry names {}, and has no such manifest",
                    remote.origin.name(),
                    descriptor.digest
                );
                Err(RegistryError::new(Kind::Integrity, message)
                    .help("the registry, or something on the way to it, is broken or lies"))
            }
            (_, read) => read.map(drop),
        }
    }

    /// A blob.
    pub async fn blob(&self, descriptor: &Descriptor) -> Result<BlobStream> {
        match self {
            Self::Registry(remote) => {
                remote.read(|repository| BlobStream::remote(repository, descriptor)).await
            }
            Self::Layout(layout) => layout.blob(descriptor),
        }
    }

    /// What refers to a digest. Mirrors are not asked: one that knows of none would make a signed image an unsigned one.
    pub async fn referrers(&self, digest: &Digest, kind: Option<&str>) -> Result<Vec<Descriptor>> {
        match self {
            Self::Registry(remote) => remote.origin.referrers(digest, kind).await,
            Self::Layout(layout) => layout.referrers(digest, kind),
        }
    }
}

/// Where images are written to.
#[derive(Clone)]
pub enum Sink {
    /// A repository.
    Registry(Repository),
    /// A layout.
    Layout(Arc<Writer>),
}

/// How a blob got where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It was there.
    Present,
    /// From another repository of the same registry.
    Mounted,
    /// It was sent.
    Sent,
}

impl Sink {
    /// Brings a blob there.
    pub async fn blob(&self, source: &Source, descriptor: &Descriptor, progress: &Progress) -> Result<Way> {
        let done = |way| {
            progress.advance(descriptor.size);
            Ok(way)
        };
        match self {
            Self::Layout(layout) => {
                if layout.has(&descriptor.digest, descriptor.size) {
                    return done(Way::Present);
                }
                let mut stream = source.blob(descriptor).await?;
                let staged = layout.stage().map_err(RegistryError::local)?;
                while let Some(piece) = stream.next().await? {
                    let written = staged.as_file().write_all(&piece);
                    let failed = |error| layout.failed(descriptor.digest.as_str(), &error);
                    written.map_err(|error| RegistryError::local(failed(error)))?;
                    progress.advance(piece.len() as u64);
                }
                layout.keep(staged, &descriptor.digest).map_err(RegistryError::local)?;
            }
            Self::Registry(repository) => {
                if repository.has_blob(descriptor).await? {
                    return done(Way::Present);
                }
                let mut begun = None;
                if let Source::Registry(remote) = source
                    && remote.origin.access.base == repository.access.base
                {
                    match repository.mount(descriptor, &remote.origin.access.repository).await? {
                        Mount::Done => return done(Way::Mounted),
                        Mount::Upload(at) => begun = Some(at),
                        Mount::No => {}
                    }
                }
                let mut sent = repository.upload(&mut source.blob(descriptor).await?, begun, progress).await;
                for _ in 0..MIXED_UPLOADS {
                    if !sent.as_ref().is_err_and(|error| error.kind == Kind::Mixed) {
                        break;
                    }
                    sent = repository.upload(&mut source.blob(descriptor).await?, None, progress).await;
                }
                sent?;
            }
        }
        Ok(Way::Sent)
    }

    /// Writes a manifest without a name; one that refers to another is listed among its referrers.
    pub async fn manifest(&self, bytes: &[u8], kind: &str, document: &Document) -> Result<()> {
        match self {
            Self::Layout(layout) => layout.put(bytes).map(drop).map_err(RegistryError::local),
            Self::Registry(repository) => match document {
                Document::Image(manifest) => match &manifest.subject {
                    Some(subject) => repository.put_referrer(bytes, kind, manifest, &subject.digest).await,
                    None => repository
                        .put_manifest(&Named::Digest(&Digest::of(bytes)), bytes, kind)
                        .await
                        .map(drop),
                },
                Document::Index(_) => {
                    repository.put_manifest(&Named::Digest(&Digest::of(bytes)), bytes, kind).await.map(drop)
                }
            },
        }
    }

    /// Gives a manifest that was written a name, or lists it without one.
    pub async fn name(&self, descriptor: &Descriptor, bytes: &[u8], name: Option<&str>) -> Result<()> {
        match (self, name) {
            (Self::Layout(layout), _) => {
                let mut entry = json!({
                    "mediaType": descriptor.media_type, "digest": descriptor.digest.as_str(), "size": descriptor.size,
                });
                if let Some(kind) = &descriptor.artifact_type {
                    entry["artifactType"] = json!(kind);
                }
                layout.name(entry, name);
                Ok(())
            }
            (Self::Registry(repository), Some(tag)) => {
                repository.put_manifest(&Named::Tag(tag), bytes, media_type_of(descriptor)).await.map(drop)
            }
            (Self::Registry(_), None) => Ok(()),
        }
    }

    /// After all else: what was written can now be found.
    pub fn finish(&self) -> Result<()> {
        match self {
            Self::Layout(layout) => layout.finish().map_err(RegistryError::local),
            Self::Registry(_) => Ok(()),
        }
    }
}

/// The media type under which a manifest is written.
pub fn media_type_of(descriptor: &Descriptor) -> &str {
    if descriptor.media_type.is_empty() { media_type::OCI_MANIFEST } else { &descriptor.media_type }
}
