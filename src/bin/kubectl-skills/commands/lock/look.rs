//! Looks images up in their registries, several at once: references in, digests and, where they are wanted, contents out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kubectl_skills::api::error::InputError;
use kubectl_skills::skill::content::Content;
use kubectl_skills::skill::inspect::{self, Inspected};
use kubectl_skills::skill::limits::Limits;
use kubectl_skills::skill::oci::{Descriptor, Digest};
use kubectl_skills::skill::within;

use super::super::image_source::{self, Opened, SourceArgs};
use crate::exit::{Failure, RemoteError};
use crate::notes;
use crate::progress::Progress;

/// Images that are looked at at once.
const CONCURRENCY: usize = 4;

/// An image to look up.
pub struct Order {
    /// How a registry is asked.
    pub image: String,
    /// What it was, and has been looked into.
    pub known: Option<Digest>,
    /// Whether it is looked into where it is something else.
    pub look: bool,
    /// What it is where its tag is gone.
    pub locked: Option<Digest>,
}

/// An image that was found.
pub struct Looked {
    /// What the reference names.
    pub digest: Digest,
    /// What is in it; `None` if that was not wanted.
    pub found: Option<Inspected>,
    /// Whether the tag is gone, and only the digest of the lock still there.
    pub is_gone: bool,
}

/// Looks all of them up, in their order.
///
/// # Errors
/// All that failed.
pub fn all(
    orders: &[Order],
    args: &SourceArgs,
    limits: Limits,
    verb: &'static str,
) -> Result<Vec<Looked>, Failure> {
    let _progress = Progress::start("looking into images");
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(orders.len())));
    let work = || {
        while let Some((index, order)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            orders.get(index).map(|order| (index, order))
        } {
            let looked = one(order, args, &limits, verb);
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, looked));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENCY.min(orders.len()) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let (mut out, mut failures) = (Vec::with_capacity(done.len()), Vec::new());
    for (_, looked) in done {
        match looked {
            Ok(looked) => out.push(looked),
            Err(failure) => failures.push(failure),
        }
    }
    joined(failures).map_or(Ok(out), Err)
}

fn one(order: &Order, args: &SourceArgs, limits: &Limits, verb: &'static str) -> Result<Looked, Failure> {
    let (Opened { mut content, root }, is_gone) = opened(order, args, verb)?;
    let digest = root.digest.clone();
    let is_known = order.known.as_ref() == Some(&digest);
    if is_known || !(order.look || order.known.is_none()) {
        // What nobody looks into is named to people all the same: until it is read, its digest is a word of the registry's.
        if !is_known {
            prove(&mut *content, &root, &order.image)?;
        }
        return Ok(Looked { digest, found: None, is_gone });
    }
    let found = inspect::image(&mut *content, &order.image, &root, None, limits);
    let found = found.map_err(|error| Failure::from(within(order.image.clone(), error)))?;
    Ok(Looked { digest, found: Some(found), is_gone })
}

/// Reads what a digest names, and compares.
fn prove(content: &mut dyn Content, root: &Descriptor, image: &str) -> Result<(), Failure> {
    let failed = |error: InputError| Failure::from(within(image.to_owned(), error));
    let bytes = content.manifest(root).map_err(|error| failed(error.into()))?;
    let found = Digest::of(&bytes);
    if found == root.digest {
        return Ok(());
    }
    let help = "the registry, or something on the way to it, is broken or lies";
    let message = format!("the registry names {}, and the manifest is {found}", root.digest);
    Err(failed(InputError { message, help: help.to_owned(), ..InputError::default() }))
}

/// Opens the image: that of the reference or, where the registry refuses the tag and has the digest of the lock, that one.
fn opened(order: &Order, args: &SourceArgs, verb: &'static str) -> Result<(Opened, bool), Failure> {
    let failure = match image_source::open_reference(&order.image, args, verb) {
        Ok(opened) => return Ok((opened, false)),
        Err(failure) => failure,
    };
    match &order.locked {
        Some(digest) if image_source::tag_is_gone(&order.image, args, verb) => {
            let pinned = format!("{}@{digest}", order.image);
            image_source::open_reference(&pinned, args, verb)
                .map(|opened| (opened, true))
                .map_err(|_| failure)
        }
        _ => Err(failure),
    }
}

/// All failures as one: the first that is neither input nor a registry's decides, then a registry's.
fn joined(failures: Vec<Failure>) -> Option<Failure> {
    let (mut input, mut remote): (Vec<_>, Vec<RemoteError>) = (Vec::new(), Vec::new());
    for failure in failures {
        match failure {
            Failure::Input(errors) => input.extend(errors),
            Failure::Remote(errors) => remote.extend(errors),
            other => return Some(other),
        }
    }
    if remote.is_empty() {
        return (!input.is_empty()).then_some(Failure::Input(input));
    }
    input.iter().for_each(|error| notes::error(&error.to_string()));
    Some(Failure::Remote(remote))
}
