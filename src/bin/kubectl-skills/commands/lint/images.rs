//! What is in the images of the skills that are linted, from their registries: as a lock would say it, and file by file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kubectl_skills::api::image_reference;
use kubectl_skills::api::workload::Kinds;
use kubectl_skills::manifest::skill_images::skill_images;
use kubectl_skills::manifest::stream::Stream;
use kubectl_skills::skill::inspect::Inspected;
use kubectl_skills::skill::lock::{self, Entry, Lock};

use super::super::lock::look::{self, Order};
use super::Args;
use crate::exit::Failure;

/// What was seen. Each image is asked for once.
#[derive(Default)]
pub struct Images {
    /// The same as a lock.
    entries: Vec<Entry>,
    /// By the key of the reference.
    pub inspected: HashMap<String, Inspected>,
    /// Keys of what was asked for.
    asked: BTreeSet<String>,
}

impl Images {
    /// Looks into all of a stream that were not asked for. What is no reference is a finding of its own.
    pub fn look(&mut self, args: &Args, stream: &Stream<'_>, kinds: Kinds) -> Result<(), Failure> {
        // Objects that cannot be read are reported as findings.
        let named = skill_images(stream, kinds).unwrap_or_default();
        let by_key: BTreeMap<String, String> = named
            .into_iter()
            .filter_map(|one| Some((image_reference::key(&one.image)?, one.image)))
            .filter(|(key, _)| !self.asked.contains(key))
            .collect();
        let order = |image: &String| Order { image: image.clone(), known: None, look: true, locked: None };
        let orders: Vec<Order> = by_key.values().map(order).collect();
        let looked = look::all(&orders, &args.source, args.limits.limits(), "lint")?;
        self.asked.extend(by_key.keys().cloned());
        for ((key, image), looked) in by_key.into_iter().zip(looked) {
            let Some(found) = looked.found else { continue };
            self.entries.extend(lock::of_image(&image, &found));
            self.inspected.insert(key, found);
        }
        Ok(())
    }

    /// What was seen as a lock, with what another one knows of the rest.
    pub fn lock(&self, known: Option<&Lock>) -> Lock {
        let known = known.into_iter().flat_map(Lock::entries);
        Lock::new(self.entries.iter().chain(known).cloned().collect())
    }
}
