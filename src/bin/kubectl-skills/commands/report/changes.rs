//! What has changed between two locks: what an agent gets anew first.

use std::fmt::Display;

use kubectl_skills::skill::changes::SkillChange;
use kubectl_skills::skill::lock::{Entry, Facts, Lock};
use kubectl_skills::skill::oci::Digest;
use kubectl_skills::skill::policy::judge::shown;
use kubectl_skills::skill::policy::reference::name;

/// What happened to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its content is another one.
    Content,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content is the same under another digest, or another fact of it has changed.
    Metadata,
}

impl Kind {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Content => "content changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Metadata => "metadata only",
        }
    }
}

/// An image that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The image, as the newer lock names it.
    pub image: String,
    /// What happened.
    pub kind: Kind,
    /// Tools that it asks for and did not before.
    pub wider: Vec<String>,
    /// Facts: which, before and after.
    pub facts: Vec<(&'static str, String, String)>,
    /// Before and after, where its content is another one.
    #[cfg_attr(not(feature = "registry"), allow(dead_code, reason = "such a build looks at no files"))]
    pub digests: Option<(Digest, Digest)>,
    /// How its files changed, or why that is not known; none if nobody looked.
    pub files: Option<Result<SkillChange, String>>,
}

impl Change {
    fn new(image: &str, kind: Kind) -> Self {
        Self {
            image: image.to_owned(),
            kind,
            wider: Vec::new(),
            facts: Vec::new(),
            digests: None,
            files: None,
        }
    }
}

/// What has changed: other content first, then by image. An image of another tag of the same repository is the same skill.
pub fn changes(before: &Lock, after: &Lock) -> Vec<Change> {
    let mut out = Vec::new();
    // Another tag of a repository of which both have one is an update.
    let sole = |lock: &Lock, repository: &str| {
        let mut all = lock.entries().iter().filter(|one| name(&one.image) == repository);
        all.next().filter(|_| all.next().is_none()).cloned()
    };
    let partner = |of: &Entry, there: &Lock, here: &Lock| {
        let repository = name(&of.image);
        there
            .find(&of.image)
            .cloned()
            .or_else(|| sole(here, &repository).and_then(|_| sole(there, &repository)))
    };
    for entry in after.entries() {
        match partner(entry, before, after) {
            Some(old) => out.extend(change(&old, entry)),
            None => {
                out.push(Change { wider: tools(&entry.facts), ..Change::new(&entry.image, Kind::Added) });
            }
        }
    }
    let gone = before.entries().iter().filter(|old| partner(old, after, before).is_none());
    out.extend(gone.map(|old| Change::new(&old.image, Kind::Removed)));
    out.sort_by(|a, b| (a.kind, &a.image).cmp(&(b.kind, &b.image)));
    out
}

/// The tools that a lock knows of.
fn tools(facts: &Facts) -> Vec<String> {
    facts.allowed_tools.clone().unwrap_or_default()
}

fn change(old: &Entry, new: &Entry) -> Option<Change> {
    let before = tools(&old.facts);
    let wider: Vec<String> = tools(&new.facts).into_iter().filter(|tool| !before.contains(tool)).collect();
    let signers = |entry: &Entry| {
        let mut all: Vec<String> = entry.signed.iter().flatten().map(|one| shown(&one.signer)).collect();
        all.sort();
        all.dedup();
        all.join("; ")
    };
    let text = |text: Option<&dyn Display>| text.map(ToString::to_string).unwrap_or_default();
    let fact = |of: fn(&Facts) -> Option<&dyn Display>| (text(of(&old.facts)), text(of(&new.facts)));
    let of = |value: (String, String), name| (name, value.0, value.1);
    let facts = [
        of((old.image.clone(), new.image.clone()), "image"),
        of((old.digest.to_string(), new.digest.to_string()), "digest"),
        of(
            (text(old.content.as_ref().map(|one| one as _)), text(new.content.as_ref().map(|one| one as _))),
            "content",
        ),
        of(fact(|facts| facts.version.as_ref().map(|one| one as _)), "version"),
        of((before.join(" "), tools(&new.facts).join(" ")), "allowed tools"),
        of(fact(|facts| facts.license.as_ref().map(|one| one as _)), "licence"),
        of(fact(|facts| facts.description.as_ref().map(|one| one as _)), "description"),
        of(fact(|facts| facts.files.as_ref().map(|one| one as _)), "files"),
        of(fact(|facts| facts.bytes.as_ref().map(|one| one as _)), "bytes"),
        of(fact(|facts| facts.tokens.as_ref().map(|one| one as _)), "tokens"),
        of((signers(old), signers(new)), "signed by"),
    ];
    let facts: Vec<_> = facts.into_iter().filter(|(_, before, after)| before != after).collect();
    if facts.is_empty() {
        return None;
    }
    // What cannot be looked into is another content as soon as it is another image.
    let same = match (&old.content, &new.content) {
        (Some(old), Some(new)) => old == new,
        _ => old.digest == new.digest,
    };
    let kind = if same { Kind::Metadata } else { Kind::Content };
    let digests = (!same && old.digest != new.digest).then(|| (old.digest.clone(), new.digest.clone()));
    Some(Change { wider, facts, digests, ..Change::new(&new.image, kind) })
}
