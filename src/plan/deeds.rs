//! Warnings that say what a plan does: a plan in, those out that are not true of one that is refused. What is said is left to who plans.

use super::{Outcome, RuntimePlan};

impl RuntimePlan {
    /// Whether nothing is written.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused(_))
    }

    /// Warns of what the plan does: not said where it is refused in the end.
    pub(super) fn warn_of_deed(&mut self, quirk: &'static str, message: impl Into<String>) {
        self.deeds.push(self.warnings.len());
        self.warn(quirk, message);
    }

    /// Takes these warnings back, of which nothing is done.
    pub(super) fn unsay_deeds(&mut self) {
        let deeds = std::mem::take(&mut self.deeds);
        let mut places = 0..;
        self.warnings.retain(|_| places.next().is_none_or(|place: usize| !deeds.contains(&place)));
    }
}
