//! A second look at an image that an update is to write: who signed it, and what the lock is to say of it.

use std::sync::Arc;

use kubectl_skills::skill::inspect;
use kubectl_skills::skill::lock::Entry;
use kubectl_skills::skill::oci::Digest;
use tokio::runtime::Handle;

use super::super::image_versions::Newer;
use super::super::images_in_use::{InUse, LockFile};
use super::signer::{Verdict, judge};
use super::{Args, choose};
use crate::exit::Failure;
use crate::registry::blocking::Blocking;
use crate::registry::place::Place;
use crate::registry::reference::Reference;
use crate::registry::store::Stores;

/// What was seen.
pub struct Looked {
    /// Who signed it.
    pub signer: Verdict,
    /// What the lock is to say; none without a lock that has the image.
    pub entry: Option<Entry>,
}

/// Looks.
pub async fn at(
    stores: &Arc<Stores>,
    args: &Args,
    used: &InUse,
    new: &Newer,
    lock: Option<&LockFile>,
) -> Result<Looked, Failure> {
    let own = lock.and_then(|file| file.lock.find(&used.image));
    let signer = judge(own, None);
    let Some(own) = own else { return Ok(Looked { signer, entry: None }) };
    let reference = Reference { tag: None, digest: Some(new.digest.clone()), ..used.reference.clone() };
    let place = Place::Registry(reference);
    let source = stores.source(&place)?;
    let root = source.resolve(&place).await?;
    let (platform, limits) = (args.platform.clone(), args.limits.limits());
    let handle = Handle::current();
    let image = choose::renamed(&own.image, &new.tag, new.digest.as_str());
    let name = image.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut content = Blocking::within(handle, source);
        inspect::image(&mut content, &name, &root, platform.as_deref(), &limits)
    });
    let found = work
        .await
        .map_err(|_| Failure::input(format!("{image}: the look at it was stopped"), "run again"))??;
    let mut entry = Entry::new(image, new.digest.clone());
    entry.content = Digest::parse(&found.content_identity).ok();
    Ok(Looked { signer, entry: Some(entry) })
}
