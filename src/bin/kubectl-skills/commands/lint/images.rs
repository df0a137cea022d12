//! What is in the images of the skills that are linted, from their registries: as a lock would say it, and file by file.

use std::collections::{BTreeMap, HashMap};

use kubectl_skills::api::image_reference;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::skill_images::skill_images;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::skill::inspect::Inspected;
use kubectl_skills::skill::lock::{self, Entry, Lock};

use super::super::lock::look::{self, Order};
use super::Args;
use crate::exit::Failure;

/// What was seen.
#[derive(Default)]
pub struct Images {
    /// The same as a lock, with what another lock knows of the rest; none if nobody looked.
    pub lock: Option<Lock>,
    /// By the key of the reference.
    pub inspected: HashMap<String, Inspected>,
}

/// Looks into all of them. What is no reference is a finding of its own.
pub fn look(args: &Args, stream: &Stream<'_>, kinds: Kinds, known: Option<&Lock>) -> Result<Images, Failure> {
    // Objects that cannot be read are reported as findings.
    let named = skill_images(stream, kinds).unwrap_or_default();
    let by_key: BTreeMap<String, String> =
        named.into_iter().filter_map(|one| Some((image_reference::key(&one.image)?, one.image))).collect();
    let order = |image: &String| Order { image: image.clone(), known: None, look: true, locked: None };
    let orders: Vec<Order> = by_key.values().map(order).collect();
    let looked = look::all(&orders, &args.source, args.limits.limits(), "lint")?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut inspected = HashMap::new();
    for ((key, image), looked) in by_key.into_iter().zip(looked) {
        let Some(found) = looked.found else { continue };
        entries.extend(lock::of_image(&image, &found));
        inspected.insert(key, found);
    }
    entries.extend(known.into_iter().flat_map(Lock::entries).cloned());
    Ok(Images { lock: Some(Lock::new(entries)), inspected })
}
