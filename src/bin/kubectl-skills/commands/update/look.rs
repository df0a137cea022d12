//! A second look at an image that an update is to write: who signed it, and what the lock is to say of it.

use std::sync::Arc;

use kubectl_skills::skill::inspect;
use kubectl_skills::skill::lock::{Entry, of_image};
use kubectl_skills::skill::signature::Verified;
use kubectl_skills::skill::signature::trust::Trust;
use tokio::runtime::Handle;

use super::super::image_versions::Newer;
use super::super::images_in_use::{InUse, LockFile};
use super::super::lock::signers::record;
use super::signer::{Verdict, judge};
use super::{Args, choose};
use crate::exit::Failure;
use crate::registry::blocking::Blocking;
use crate::registry::place::Place;
use crate::registry::reference::Reference;
use crate::registry::signatures::check_image;
use crate::registry::store::Stores;

/// What was seen.
pub struct Looked {
    /// Who signed it.
    pub signer: Verdict,
    /// What the lock is to say; none without a lock that has the image.
    pub entry: Option<Entry>,
}

/// Looks. Without what to trust, nothing is verified.
pub async fn at(
    stores: &Arc<Stores>,
    args: &Args,
    used: &InUse,
    new: &Newer,
    (lock, trust): (Option<&LockFile>, Option<&Trust>),
) -> Result<Looked, Failure> {
    let own = lock.and_then(|file| file.lock.find(&used.image));
    let reference = Reference { tag: None, digest: Some(new.digest.clone()), ..used.reference.clone() };
    let place = Place::Registry(reference);
    let source = stores.source(&place)?;
    let checked = match trust {
        Some(trust) => Some(check_image(&source, &place, args.platform.as_deref(), trust).await?),
        None => None,
    };
    let verified: Option<Vec<Verified>> =
        checked.as_ref().map(|checked| checked.verified().map(|(_, _, one)| one.clone()).collect());
    let signer = judge(own, verified.as_deref());
    let Some(own) = own else { return Ok(Looked { signer, entry: None }) };
    let root = source.resolve(&place).await?;
    let (platform, limits) = (args.platform.clone(), args.limits.limits());
    let handle = Handle::current();
    let image = choose::renamed(&own.image, &new.tag, new.digest.as_str());
    let name = image.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut content = Blocking::within(handle, source);
        inspect::image(&mut content, &name, &root, platform.as_deref(), &limits)
    });
    let stopped = |_| Failure::input(format!("{image}: the look at it was stopped"), "run again");
    let found = work.await.map_err(stopped)??;
    let mut entry = of_image(&image, &found).unwrap_or_else(|| Entry::new(image, new.digest.clone()));
    if let Some(checked) = &checked {
        record(&mut entry, checked);
    }
    Ok(Looked { signer, entry: Some(entry) })
}
