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
pub enum Looked {
    Seen {
        /// Who signed it.
        signer: Verdict,
        /// What the lock is to say; none without a lock that has the image in use.
        entry: Option<Box<Entry>>,
    },
    /// The lock knows the new tag by another digest.
    Moved(String),
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
    // A signature of one platform's image says nothing about the index that is written.
    let about = |one: &&Verified| one.digest == new.digest;
    let verified: Option<Vec<Verified>> = checked
        .as_ref()
        .map(|checked| checked.verified().map(|(_, _, one)| one).filter(about).cloned().collect());
    // An image that is new to the lock is signed as the others of its repository are.
    let others = lock.map(|file| file.lock.signers_of_repository(&used.image)).unwrap_or_default();
    let signer = judge(lock.map(|_| own), others, verified.as_deref());
    let Some(own) = own else { return Ok(Looked::Seen { signer, entry: None }) };
    let image = choose::renamed(&own.image, &new.tag, new.digest.as_str());
    let there = lock.and_then(|file| file.lock.find(&image)).filter(|there| there.image != own.image);
    if let Some(there) = there {
        if there.digest != new.digest {
            let (known, now) = (&there.digest, &new.digest);
            let words = format!("the lock has {known} for {}, and the tag names {now} now", there.image);
            return Ok(Looked::Moved(words));
        }
        // What the lock says of it stays, a decision to use it unsigned among it.
        let mut entry = there.clone();
        if let Some((checked, trust)) = checked.as_ref().zip(trust) {
            record(&mut entry, checked, trust);
        }
        return Ok(Looked::Seen { signer, entry: Some(Box::new(entry)) });
    }
    let root = source.resolve(&place).await?;
    let (platform, limits) = (args.platform.clone(), args.limits.limits());
    let handle = Handle::current();
    let name = image.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut content = Blocking::within(handle, source);
        inspect::image(&mut content, &name, &root, platform.as_deref(), &limits)
    });
    let stopped = |_| Failure::input(format!("{image}: the look at it was stopped"), "run again");
    let found = work.await.map_err(stopped)??;
    let mut entry = of_image(&image, &found).unwrap_or_else(|| Entry::new(image, new.digest.clone()));
    if let Some((checked, trust)) = checked.as_ref().zip(trust) {
        record(&mut entry, checked, trust);
    }
    Ok(Looked::Seen { signer, entry: Some(Box::new(entry)) })
}
