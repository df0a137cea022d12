//! What registries say of images in use: references in, newer versions, moved tags and what changed in each out. Which
//! images are in use, and what to do about it, is left to the verbs.

use std::sync::Arc;

use kubectl_skills::skill::changes::{self, ContentChange, SkillChange};
use kubectl_skills::skill::inspect::{self, image};
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::oci::{Descriptor, Digest, Document, parse};
use kubectl_skills::skill::versions::{Level, Tagged, newest, of_tag};
use semver::Version;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::registry::blocking::Blocking;
use crate::registry::error::{Kind, RegistryError, Result};
use crate::registry::place::Place;
use crate::registry::reference::Reference;
use crate::registry::store::{Source, Stores};

/// Images that are asked about at once.
const AT_ONCE: usize = 8;
/// The annotation with the version of what is in an image.
const VERSION: &str = "org.opencontainers.image.version";

/// An image that is in use.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which.
    pub reference: Reference,
    /// The digest that is in use, where something else than the reference says so.
    pub digest: Option<Digest>,
    /// Identity of the content that is in use, where it is known.
    pub content: Option<Digest>,
    /// The version that is in use, where something else than the tag says so.
    pub version: Option<String>,
    /// The tag that is wanted, in the place of the newest ones.
    pub wanted: Option<String>,
}

/// How to look.
#[derive(Debug, Clone)]
pub struct How {
    /// Take prereleases for versions.
    pub pre: bool,
    /// Which image of an index is compared.
    pub platform: Option<String>,
    /// Compare files, within these limits, where layers differ.
    pub content: Option<Limits>,
    /// How far the nearer of the two newer versions may be.
    pub level: Level,
}

/// What the tag of a reference names now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// There is no tag in the reference.
    None,
    /// What is in use, as far as anybody knows: nothing says which digest that is.
    Unknown,
    /// What is in use.
    Same,
    /// Another image than the one in use.
    Moved,
    /// There is no such tag any more.
    Gone,
}

impl Tag {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unknown => "unknown",
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Gone => "gone",
        }
    }
}

/// Another image than the one in use.
#[derive(Debug, Clone)]
pub struct Newer {
    /// Its tag.
    pub tag: String,
    /// Its version, if its tag is one.
    pub version: Option<Version>,
    /// Its digest.
    pub digest: Digest,
    /// What changed, or why that is not known.
    pub change: std::result::Result<SkillChange, String>,
}

/// What is known of an image.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The version in use.
    pub version: Option<Version>,
    /// The digest in use.
    pub digest: Option<Digest>,
    /// Whether the registry still has it.
    pub present: bool,
    /// What the tag names.
    pub tag: Tag,
    /// The image that the tag names, where it moved.
    pub moved: Option<Newer>,
    /// The newest within the level.
    pub near: Option<Newer>,
    /// The newest of all.
    pub newest: Option<Newer>,
}

impl Answer {
    /// Whether there is something newer whose files are others, or may be.
    pub fn is_outdated(&self) -> bool {
        self.tag == Tag::Gone || self.newer().any(Newer::is_another)
    }

    /// What it means that the tag is gone. `pinned`: the reference has the digest in use.
    pub fn gone(&self, pinned: bool) -> String {
        let then = match &self.digest {
            Some(_) if self.present && pinned => "its digest is still there, and pods get it".to_owned(),
            Some(digest) if self.present => {
                format!("its digest {digest} is still there, and only pods that are pinned to it get it")
            }
            _ => "no new pod can get it".to_owned(),
        };
        format!("there is no such tag any more; {then}")
    }

    /// Everything newer.
    pub fn newer(&self) -> impl Iterator<Item = &Newer> {
        [&self.moved, &self.near, &self.newest].into_iter().flatten()
    }
}

impl Newer {
    /// Whether its files are others, or may be.
    pub fn is_another(&self) -> bool {
        !matches!(self.change, Ok(SkillChange::Same | SkillChange::MetadataOnly { .. }))
    }

    /// How its files differ, where that was looked at.
    pub fn content(&self) -> Option<&ContentChange> {
        match &self.change {
            Ok(SkillChange::Content(change)) => Some(change),
            _ => None,
        }
    }

    /// What changed, in two words at most.
    pub fn verdict(&self) -> &'static str {
        match &self.change {
            Ok(SkillChange::Same) => "same",
            Ok(SkillChange::MetadataOnly { .. }) => "metadata only",
            Ok(SkillChange::Layers { .. }) => "layers",
            Ok(SkillChange::Content(_)) => "content",
            Err(_) => "unknown",
        }
    }

    /// For machines.
    pub fn value(&self) -> Value {
        let mut out = Map::new();
        out.insert("tag".into(), self.tag.as_str().into());
        if let Some(version) = &self.version {
            out.insert("version".into(), version.to_string().into());
        }
        out.insert("digest".into(), self.digest.as_str().into());
        let change = match &self.change {
            Ok(change) => serde_json::to_value(change).unwrap_or_default(),
            Err(why) => json!({"verdict": "unknown", "reason": why}),
        };
        out.insert("change".into(), change);
        Value::Object(out)
    }
}

/// Asks about all images, some at once; the answers are in the order of the questions.
pub async fn ask(stores: &Arc<Stores>, questions: Vec<Question>, how: &How) -> Vec<Result<Answer>> {
    at_once(questions, |question| {
        let (stores, how) = (Arc::clone(stores), how.clone());
        async move { one(&stores, &question, &how).await }
    })
    .await
}

/// Does work for all items, for some of them at once; the results are in the order of the items.
pub async fn at_once<T, R, F>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<Result<R>>
where
    F: Future<Output = Result<R>> + Send + 'static,
    R: Send + 'static,
{
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut answers: Vec<Option<Result<R>>> = items.iter().map(|_| None).collect();
    let mut tasks = JoinSet::new();
    for (at, item) in items.into_iter().enumerate() {
        let (permits, work) = (Arc::clone(&permits), work(item));
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await;
            (at, work.await)
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok((at, answer)) = done
            && let Some(place) = answers.get_mut(at)
        {
            *place = Some(answer);
        }
    }
    let lost = || Err(RegistryError::new(Kind::Broken, "a task ended early").help("run again"));
    answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect()
}

async fn one(stores: &Stores, question: &Question, how: &How) -> Result<Answer> {
    let Question { reference, .. } = question;
    let source = stores.source(&Place::Registry(reference.clone()))?;
    let tagged = match reference.tag_or_latest() {
        Some(tag) => source.tag(tag).await?,
        None => None,
    };
    let in_use = question.digest.as_ref().or(reference.digest.as_ref());
    let current = match in_use {
        Some(digest) => by_digest(&source, reference, digest).await?,
        None => tagged.clone(),
    };
    let tag = match (reference.tag_or_latest(), &tagged, in_use) {
        (None, ..) => Tag::None,
        (Some(_), None, _) => Tag::Gone,
        (Some(_), Some(_), None) => Tag::Unknown,
        (Some(_), Some(found), Some(digest)) if found.digest == *digest => Tag::Same,
        (Some(_), Some(_), Some(_)) => Tag::Moved,
    };
    let version = version(&source, question, current.as_ref()).await?;
    let looking = Looking { source: &source, reference, question, current: current.as_ref(), how };
    let moved = match (tag, &tagged, reference.tag_or_latest()) {
        (Tag::Moved, Some(found), Some(tag)) => Some(looking.newer(tag, found.clone()).await?),
        _ => None,
    };
    let (near, newest) = looking.versions(stores, version.as_ref()).await?;
    Ok(Answer {
        version,
        present: current.is_some(),
        digest: in_use.cloned().or_else(|| tagged.map(|found| found.digest)),
        tag,
        moved,
        near,
        newest,
    })
}

/// What a digest names; `None` where the registry has removed it.
async fn by_digest(source: &Source, reference: &Reference, digest: &Digest) -> Result<Option<Descriptor>> {
    let pinned = Reference { tag: None, digest: Some(digest.clone()), ..reference.clone() };
    match source.resolve(&Place::Registry(pinned)).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The version in use: that of the tag, else what the lock or the image itself says.
async fn version(
    source: &Source,
    question: &Question,
    current: Option<&Descriptor>,
) -> Result<Option<Version>> {
    if let Some(tag) = &question.reference.tag {
        return Ok(of_tag(tag));
    }
    if question.reference.digest.is_none() {
        return Ok(None);
    }
    if let Some(version) = question.version.as_deref().and_then(of_tag) {
        return Ok(Some(version));
    }
    let Some(current) = current else { return Ok(None) };
    let bytes = source.manifest(current).await?;
    let annotations = match parse(&bytes, Some(&current.media_type)) {
        Ok(Document::Image(manifest)) => manifest.annotations,
        Ok(Document::Index(index)) => index.annotations,
        Err(why) => return Err(RegistryError::new(Kind::Refused, format!("{}: {why}", question.reference))),
    };
    Ok(annotations.get(VERSION).and_then(|version| of_tag(version)))
}

/// One image that is looked at.
struct Looking<'l> {
    source: &'l Source,
    reference: &'l Reference,
    question: &'l Question,
    current: Option<&'l Descriptor>,
    how: &'l How,
}

impl Looking<'_> {
    /// The newest within the level, and the newest of all; or the one that is wanted as the former.
    async fn versions(
        &self,
        stores: &Stores,
        version: Option<&Version>,
    ) -> Result<(Option<Newer>, Option<Newer>)> {
        if let Some(wanted) = &self.question.wanted {
            return Ok((Some(self.wanted(stores, wanted).await?), None));
        }
        let Some(version) = version else { return Ok((None, None)) };
        let tags = stores.repository(self.reference, false)?.tags().await?;
        let own = self.reference.tag.as_deref().unwrap_or_default();
        let of = |level| newest(tags.iter().map(String::as_str), (own, version), level, self.how.pre);
        let (near, far) = (of(self.how.level), of(Level::Major));
        let newest = match &far {
            Some(far) => self.tagged(far).await?,
            None => None,
        };
        let near = match &near {
            Some(one) if far.as_ref() == Some(one) => newest.clone(),
            Some(one) => self.tagged(one).await?,
            None => None,
        };
        Ok((near, newest))
    }

    /// The image of a version, with `v` or without.
    async fn wanted(&self, stores: &Stores, wanted: &str) -> Result<Newer> {
        let other = match wanted.strip_prefix('v') {
            Some(plain) => plain.to_owned(),
            None => format!("v{wanted}"),
        };
        for tag in [wanted, &other] {
            if let Some(found) = self.source.tag(tag).await? {
                return self.newer(tag, found).await;
            }
        }
        let tags = stores.repository(self.reference, false)?.tags().await?;
        let mut versions: Vec<Version> = tags.iter().filter_map(|tag| of_tag(tag)).collect();
        versions.sort();
        versions.dedup();
        let last: Vec<String> = versions.iter().rev().take(5).map(ToString::to_string).collect();
        let help = if last.is_empty() {
            "it has no tag that is a version".to_owned()
        } else {
            format!("its newest versions are {}", last.join(", "))
        };
        let message = format!("{} has no tag {wanted}", self.reference.name());
        Err(RegistryError::new(Kind::NotFound, message).help(help))
    }

    async fn tagged(&self, tagged: &Tagged) -> Result<Option<Newer>> {
        let found = self.source.tag(&tagged.tag).await?;
        Ok(match found {
            Some(found) => Some(self.newer(&tagged.tag, found).await?),
            // Removed between the list and now.
            None => None,
        })
    }

    async fn newer(&self, tag: &str, found: Descriptor) -> Result<Newer> {
        let change = self.change(found.clone()).await;
        // Nothing of it was read then: what its digest is, is only what the registry says.
        if matches!(change, Ok(SkillChange::Same) | Err(_)) {
            self.source.prove(&found).await?;
        }
        Ok(Newer { tag: tag.to_owned(), version: of_tag(tag), digest: found.digest, change })
    }

    /// What changed from the image in use.
    async fn change(&self, after: Descriptor) -> std::result::Result<SkillChange, String> {
        let (source, platform, limits) = (self.source.clone(), self.how.platform.clone(), self.how.content);
        let (before, known) = (self.current.cloned(), self.question.content.clone());
        let handle = tokio::runtime::Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            let mut content = Blocking::within(handle, source);
            let read = match before {
                Some(before) => {
                    changes::images(&mut content, (&before, &after), platform.as_deref(), limits.as_ref())
                }
                None => match (known, limits) {
                    (Some(known), Some(limits)) => {
                        image(&mut content, "", &after, platform.as_deref(), &limits)
                            .map(|found| by_identity(&known, &found))
                    }
                    _ => return Err("the registry has the image in use no more".to_owned()),
                },
            };
            read.map_err(|error| error.to_string())
        });
        work.await.unwrap_or_else(|_| Err("the comparison was stopped".to_owned()))
    }
}

/// What changed from an image of which only the identity of its files is left.
fn by_identity(known: &Digest, found: &inspect::Inspected) -> SkillChange {
    let different = found.image.iter().flat_map(|image| &image.different);
    let otherwise: Vec<String> = different.map(|one| one.platform.clone()).collect();
    if found.content_identity == known.as_str() && otherwise.is_empty() {
        return SkillChange::MetadataOnly { annotations: Vec::new() };
    }
    SkillChange::Content(Box::new(ContentChange {
        before: known.to_string(),
        after: found.content_identity.clone(),
        otherwise,
        ..ContentChange::default()
    }))
}
