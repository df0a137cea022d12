//! Detects another writer that keeps reverting our fields, and backs off from it. Time is an argument; who the other
//! writer is, is found out by [`super::reconcile::execute`].
//!
//! Drift made by hand is healed: a person changes a field once, sees it come back and asks why. A program changes it each
//! time, and two programs that correct one another roll pods until one of them is stopped. So after a few corrections
//! within [`WINDOW`] we stop, name the other manager, and try again after [`BACKOFF`].

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::cache::Target;

/// Corrections of the same workload within [`WINDOW`] after which it counts as contested.
const CORRECTIONS: usize = 3;
/// How long a correction counts.
const WINDOW: Duration = Duration::from_secs(600);
/// How long a contested workload is left alone.
pub const BACKOFF: Duration = Duration::from_secs(900);

#[derive(Debug, Default)]
struct Record {
    /// Digest of what was written last.
    wanted: u64,
    /// When it was corrected.
    corrected: VecDeque<Instant>,
    /// Until when the workload is left alone, and because of whom.
    backed_off: Option<(Instant, String)>,
}

/// Our writes to workloads, as far as they matter for contention.
#[derive(Debug, Default)]
pub struct WriteHistory(HashMap<Target, Record>);

/// What a write that is about to be made means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contention {
    /// The first write, or something new is wanted.
    None,
    /// Another writer changed what we wrote; it is corrected.
    Drift,
    /// One correction too many: find out who it is and call [`WriteHistory::back_off`].
    Contested,
    /// The workload is left alone for this long, because of these managers.
    BackedOff(Duration, String),
}

impl WriteHistory {
    /// Classifies a write before it is made. `wanted` is a digest of what is wanted: the same as before means that another
    /// writer changed the workload meanwhile.
    pub fn classify(&mut self, target: &Target, wanted: u64, now: Instant) -> Contention {
        let Some(record) = self.0.get_mut(target) else { return Contention::None };
        if record.wanted != wanted {
            // A new plan is worth a new try, even against the same writer.
            return Contention::None;
        }
        if let Some((until, who)) = &record.backed_off {
            if *until > now {
                return Contention::BackedOff(until.duration_since(now), who.clone());
            }
            record.backed_off = None;
            record.corrected.clear();
        }
        while record.corrected.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            record.corrected.pop_front();
        }
        if record.corrected.len() >= CORRECTIONS { Contention::Contested } else { Contention::Drift }
    }

    /// Records a write.
    pub fn wrote(&mut self, target: &Target, wanted: u64, now: Instant) {
        let record = self.0.entry(target.clone()).or_default();
        if record.wanted == wanted && wanted != 0 {
            record.corrected.push_back(now);
        } else {
            *record = Record { wanted, ..Record::default() };
        }
    }

    /// Leaves a workload alone for [`BACKOFF`] because of `who`.
    pub fn back_off(&mut self, target: &Target, wanted: u64, who: String, now: Instant) {
        let record = self.0.entry(target.clone()).or_default();
        record.wanted = wanted;
        record.backed_off = Some((now + BACKOFF, who));
    }

    /// Forgets workloads that no AgentRuntime targets any more.
    pub fn retain(&mut self, is_target: impl Fn(&Target) -> bool) {
        self.0.retain(|target, _| is_target(target));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::cache::Key;
    use kubectl_skills::api::workload::WorkloadKind;

    #[test]
    fn drift_is_healed_a_few_times_and_then_counts_as_contested() {
        let target = (WorkloadKind::Deployment, Key::new("n", "w"));
        let mut history = WriteHistory::default();
        let mut now = Instant::now();
        let minute = Duration::from_secs(60);
        assert_eq!(history.classify(&target, 1, now), Contention::None);
        history.wrote(&target, 1, now);
        for _ in 0..CORRECTIONS {
            now += minute;
            assert_eq!(history.classify(&target, 1, now), Contention::Drift);
            history.wrote(&target, 1, now);
        }
        assert_eq!(history.classify(&target, 1, now), Contention::Contested);
        history.back_off(&target, 1, "argocd".into(), now);
        assert_eq!(
            history.classify(&target, 1, now + minute),
            Contention::BackedOff(BACKOFF - minute, "argocd".into())
        );
        assert_eq!(history.classify(&target, 2, now + minute), Contention::None, "the AgentRuntime changed");
        assert_eq!(history.classify(&target, 1, now + BACKOFF), Contention::Drift);
    }

    /// A person who edits once a day is no program.
    #[test]
    fn rare_drift_is_never_contested() {
        let target = (WorkloadKind::Deployment, Key::new("n", "w"));
        let mut history = WriteHistory::default();
        let mut now = Instant::now();
        history.wrote(&target, 1, now);
        for _ in 0..20 {
            now += WINDOW / 2;
            assert_eq!(history.classify(&target, 1, now), Contention::Drift);
            history.wrote(&target, 1, now);
        }
    }
}
