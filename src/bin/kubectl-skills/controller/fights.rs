//! Who writes our fields back: own writes in, the judgement that somebody else does so again and again out. Time is an
//! argument.
//!
//! Drift made by hand is healed: a person changes a field once, sees it come back and asks why. A program changes it each
//! time, and two programs that correct one another roll pods until one of them is stopped. So after a few rounds within
//! a while we stop, say who it is, and look again much later.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::cache::Target;

/// Corrections of the same thing within [`WINDOW`] after which it is a fight.
const ROUNDS: usize = 3;
/// How long a correction counts.
const WINDOW: Duration = Duration::from_secs(600);
/// How long we keep off.
pub const TRUCE: Duration = Duration::from_secs(900);

#[derive(Debug, Default)]
struct Record {
    /// What was wanted when it was written last.
    wanted: u64,
    /// When it was brought back.
    corrected: VecDeque<Instant>,
    /// Up to when we keep off, and from whom.
    truce: Option<(Instant, String)>,
}

/// The memory of writes.
#[derive(Debug, Default)]
pub struct Fights(HashMap<Target, Record>);

/// What a write that is about to be made is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Something new is wanted, or the first write.
    New,
    /// Somebody changed what was written; it is brought back.
    Drift,
    /// Once too often. Who it is has to be found out, and [`Fights::keep_off`] be told.
    Fight,
    /// We keep off, so long and because of those.
    Truce(Duration, String),
}

impl Fights {
    /// Judges a write before it is made. `wanted` is a digest of what is wanted: the same as before means that somebody
    /// changed it meanwhile.
    pub fn judge(&mut self, target: &Target, wanted: u64, now: Instant) -> Judgement {
        let Some(record) = self.0.get_mut(target) else { return Judgement::New };
        if record.wanted != wanted {
            // A new wish is worth a new try, also with those who fought for the one before.
            return Judgement::New;
        }
        if let Some((until, who)) = &record.truce {
            if *until > now {
                return Judgement::Truce(until.duration_since(now), who.clone());
            }
            record.truce = None;
            record.corrected.clear();
        }
        while record.corrected.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            record.corrected.pop_front();
        }
        if record.corrected.len() >= ROUNDS { Judgement::Fight } else { Judgement::Drift }
    }

    /// A write was made.
    pub fn wrote(&mut self, target: &Target, wanted: u64, now: Instant) {
        let record = self.0.entry(target.clone()).or_default();
        if record.wanted == wanted && wanted != 0 {
            record.corrected.push_back(now);
        } else {
            *record = Record { wanted, ..Record::default() };
        }
    }

    /// We keep off for [`TRUCE`].
    pub fn keep_off(&mut self, target: &Target, wanted: u64, who: String, now: Instant) {
        let record = self.0.entry(target.clone()).or_default();
        record.wanted = wanted;
        record.truce = Some((now + TRUCE, who));
    }

    /// Forgets those that nobody points at any more.
    pub fn retain(&mut self, claimed: impl Fn(&Target) -> bool) {
        self.0.retain(|target, _| claimed(target));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::cache::Key;
    use kubectl_skills::api::workload::WorkloadKind;

    #[test]
    fn drift_is_healed_a_few_times_and_then_it_is_a_fight() {
        let target = (WorkloadKind::Deployment, Key::new("n", "w"));
        let mut fights = Fights::default();
        let mut now = Instant::now();
        let minute = Duration::from_secs(60);
        assert_eq!(fights.judge(&target, 1, now), Judgement::New);
        fights.wrote(&target, 1, now);
        for _ in 0..ROUNDS {
            now += minute;
            assert_eq!(fights.judge(&target, 1, now), Judgement::Drift);
            fights.wrote(&target, 1, now);
        }
        assert_eq!(fights.judge(&target, 1, now), Judgement::Fight);
        fights.keep_off(&target, 1, "argocd".into(), now);
        assert_eq!(fights.judge(&target, 1, now + minute), Judgement::Truce(TRUCE - minute, "argocd".into()));
        assert_eq!(fights.judge(&target, 2, now + minute), Judgement::New, "the AgentRuntime changed");
        assert_eq!(fights.judge(&target, 1, now + TRUCE), Judgement::Drift);
    }

    /// A person who edits once a day is no program.
    #[test]
    fn rare_drift_never_is_a_fight() {
        let target = (WorkloadKind::Deployment, Key::new("n", "w"));
        let mut fights = Fights::default();
        let mut now = Instant::now();
        fights.wrote(&target, 1, now);
        for _ in 0..20 {
            now += WINDOW / 2;
            assert_eq!(fights.judge(&target, 1, now), Judgement::Drift);
            fights.wrote(&target, 1, now);
        }
    }
}
