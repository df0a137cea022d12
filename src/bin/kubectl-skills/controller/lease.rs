//! Leader election by a Lease, as a state machine: what was read and the time in, what to do next out. The requests are
//! made by [`super::election`].
//!
//! The rules are those of client-go's leaderelection: a lease is free when nobody is named in it, or when the record has
//! not changed for its duration by *our* clock; the times written in it are never compared with our clock, for clocks of
//! machines differ. An own module of this size rather than a crate: those at hand know nothing of fencing.

use std::time::Duration;

use serde_json::{Value, json};

use super::fence::Moment;

/// Times of the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How often the leader renews it.
    pub renew: Duration,
    /// How long before the end of the lease the last write begins; also the longest time of a write.
    pub margin: Duration,
}

impl Terms {
    /// Terms of a lease duration: renewed at a third of it, the last write begun a third before its end.
    ///
    /// # Errors
    /// A duration too short to renew in.
    pub fn of(lease: Duration) -> Result<Self, String> {
        if lease < Duration::from_secs(3) || lease > Duration::from_secs(3600) {
            return Err(format!(
                "--lease-duration: must be between 3s and 1h, found {}s",
                lease.as_secs_f64()
            ));
        }
        Ok(Self { lease, renew: lease / 5, margin: lease / 3 })
    }

    /// Up to when writes may begin after a renewal that was sent at `sent`.
    pub fn writes_until(&self, sent: Moment) -> Moment {
        sent.after(self.lease - self.margin)
    }
}

/// A Lease as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty for nobody.
    pub holder: String,
    /// How long it lasts.
    pub lease: Duration,
    /// How often it changed hands.
    pub transitions: i64,
    /// Since when, as written.
    pub acquired: String,
    /// Version of the object; changes with every renewal.
    pub version: String,
}

impl Record {
    /// Reads a Lease. Fields that are missing are empty, as Go has it.
    pub fn from_object(object: &Value) -> Self {
        let text =
            |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
        let number = |pointer| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        Self {
            holder: text("/spec/holderIdentity"),
            lease: Duration::from_secs(
                u64::try_from(number("/spec/leaseDurationSeconds")).unwrap_or_default(),
            ),
            transitions: number("/spec/leaseTransitions"),
            acquired: text("/spec/acquireTime"),
            version: text("/metadata/resourceVersion"),
        }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the Lease: there is none.
    Create,
    /// Write our name into it, over the record that was read.
    Take(Record),
    /// Renew it.
    Renew(Record),
    /// Another holds it: look again after a while.
    Wait,
}

/// Memory of the election.
#[derive(Debug)]
pub struct Election {
    identity: String,
    /// The record seen last and when it was first seen so.
    seen: Option<(Record, Moment)>,
}

impl Election {
    /// A candidate that has seen nothing yet.
    pub fn new(identity: impl Into<String>) -> Self {
        Self { identity: identity.into(), seen: None }
    }

    /// Decides over what was read; none for a Lease that does not exist.
    pub fn step(&mut self, read: Option<Record>, now: Moment) -> Step {
        let Some(record) = read else {
            self.seen = None;
            return Step::Create;
        };
        let since = match &self.seen {
            Some((seen, since)) if *seen == record => *since,
            _ => now,
        };
        self.seen = Some((record.clone(), since));
        if record.holder == self.identity {
            return Step::Renew(record);
        }
        if record.holder.is_empty() || now.until(since.after(record.lease)).is_none() {
            return Step::Take(record);
        }
        Step::Wait
    }

    /// The `spec` that says that we hold it. `time` is now, RFC 3339 with microseconds.
    pub fn spec(&self, over: Option<&Record>, terms: &Terms, time: &str) -> Value {
        let ours = over.is_some_and(|record| record.holder == self.identity && !record.acquired.is_empty());
        let acquired = match over {
            Some(record) if ours => record.acquired.as_str(),
            _ => time,
        };
        // As client-go counts: the first holder is no transition.
        let transitions = over.map_or(0, |record| record.transitions + i64::from(!ours));
        json!({
            "holderIdentity": self.identity, "leaseDurationSeconds": terms.lease.as_secs(), "acquireTime": acquired,
            "renewTime": time, "leaseTransitions": transitions
        })
    }

    /// The `spec` that gives it back: the next candidate need not wait.
    pub fn released(record: &Record, time: &str) -> Value {
        json!({
            "holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": time, "renewTime": time,
            "leaseTransitions": record.transitions
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn record(holder: &str, version: &str) -> Record {
        Record {
            holder: holder.into(),
            lease: 15 * SECOND,
            transitions: 3,
            acquired: "2026-01-01T00:00:00.000000Z".into(),
            version: version.into(),
        }
    }

    /// The old leader's last write must be over before a new one can begin.
    #[test]
    fn the_last_write_is_over_before_the_lease_is() {
        for seconds in [3, 15, 60, 3600] {
            let terms = Terms::of(seconds * SECOND).unwrap();
            let now = Moment::now();
            assert!(terms.writes_until(now).after(terms.margin) <= now.after(terms.lease), "{terms:?}");
            assert!(terms.renew * 3 <= terms.lease - terms.margin, "no second try: {terms:?}");
        }
        assert!(Terms::of(2 * SECOND).is_err());
    }

    impl PartialOrd for Moment {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            self.monotonic.partial_cmp(&other.monotonic)
        }
    }

    #[test]
    fn a_lease_is_taken_when_it_has_not_changed_for_its_duration() {
        let start = Moment::now();
        let mut election = Election::new("b");
        assert_eq!(election.step(Some(record("a", "1")), start), Step::Wait);
        assert_eq!(election.step(Some(record("a", "1")), start.after(14 * SECOND)), Step::Wait);
        assert_eq!(election.step(Some(record("a", "2")), start.after(14 * SECOND)), Step::Wait);
        assert_eq!(election.step(Some(record("a", "2")), start.after(28 * SECOND)), Step::Wait);
        assert_eq!(
            election.step(Some(record("a", "2")), start.after(29 * SECOND)),
            Step::Take(record("a", "2"))
        );
    }

    #[test]
    fn a_lease_given_back_or_gone_is_taken_at_once() {
        let now = Moment::now();
        let mut election = Election::new("b");
        assert_eq!(election.step(None, now), Step::Create);
        assert_eq!(election.step(Some(record("", "4")), now), Step::Take(record("", "4")));
        assert_eq!(election.step(Some(record("b", "5")), now), Step::Renew(record("b", "5")));
    }

    #[test]
    fn what_is_written_counts_changes_of_hands_only() {
        let terms = Terms::of(15 * SECOND).unwrap();
        let election = Election::new("b");
        let time = "2026-02-02T00:00:00.000000Z";
        let spec = |acquired: &str, transitions: i64| {
            json!({"holderIdentity": "b", "leaseDurationSeconds": 15, "acquireTime": acquired, "renewTime": time,
                "leaseTransitions": transitions})
        };
        assert_eq!(election.spec(None, &terms, time), spec(time, 0));
        assert_eq!(election.spec(Some(&record("a", "1")), &terms, time), spec(time, 4));
        assert_eq!(
            election.spec(Some(&record("b", "1")), &terms, time),
            spec("2026-01-01T00:00:00.000000Z", 3)
        );
        assert_eq!(Election::released(&record("b", "1"), time)["holderIdentity"], "");
    }

    #[test]
    fn a_lease_is_read_as_kubernetes_writes_it() {
        let object = json!({"metadata": {"resourceVersion": "7"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15,
            "leaseTransitions": 3, "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z"}});
        assert_eq!(Record::from_object(&object), record("a", "7"));
        let empty = Record::from_object(&json!({"spec": {"leaseDurationSeconds": -1}}));
        assert_eq!((empty.holder.as_str(), empty.lease), ("", Duration::ZERO));
    }
}
