//! A policy with the lock and the day that it is judged by, as plans, reviews and reports hold it.

use std::sync::Arc;

use jiff::civil::Date;

use super::{Asked, Broken, Policy, judge};
use crate::skill::lock::Lock;

/// A policy that is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Enforced {
    policy: Arc<Policy>,
    lock: Arc<Lock>,
    today: Date,
}

impl Enforced {
    /// A policy, what is known of images, and the day, on which exceptions end.
    pub fn new(policy: Arc<Policy>, lock: Arc<Lock>, today: Date) -> Self {
        Self { policy, lock, today }
    }

    /// The same on another day.
    pub fn on(&self, today: Date) -> Self {
        Self { today, ..self.clone() }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The day.
    pub fn today(&self) -> Date {
        self.today
    }

    /// What images break of it that are mounted as they are written, where `judge` is given those that a lock has pinned: without a
    /// digest, the tag is looked up again on each node, and no rule about digest or content holds.
    pub fn judge_written<'i>(&self, images: impl IntoIterator<Item = &'i str>) -> Vec<Broken> {
        judge::unpinned(&self.policy, images, self.today)
    }

    /// What the images of one agent break.
    pub fn judge<'i>(&self, images: impl IntoIterator<Item = &'i str>) -> Vec<Broken> {
        let asked = |image| Asked { image, known: self.lock.find(image) };
        judge(&self.policy, &images.into_iter().map(asked).collect::<Vec<_>>(), self.today)
    }
}
