//! What is to be done next: keys in, one key at a time out. A key is never out twice at once, and what is added while it
//! is out comes again. Time is an argument, so nothing here waits.
//!
//! Why not kube's own `Controller`: it keeps a typed copy of every object and a task for every reconcile, and has no say
//! in the order of a flood. A changed default concerns thousands of keys at once, which [`Queue::spread`] lets through
//! slowly while a user's own change passes them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// First wait after a failure; doubled with each.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// Longest wait after failures.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// When a key comes again after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// When something is added.
    No,
    /// After a time at the latest.
    After(Duration),
    /// After a wait that grows with each failure.
    Failed,
    /// At once, and not as a failure: the first step of two is done.
    Now,
}

#[derive(Debug, Default)]
struct State {
    /// In `ready`.
    queued: bool,
    /// Taken and not yet done.
    out: bool,
    /// Added while out.
    dirty: bool,
    /// Number of the entry in `later` that counts; others of that key are stale.
    later: Option<(Instant, u64)>,
    /// Since when it waits.
    since: Option<Instant>,
    failures: u32,
}

impl State {
    fn is_idle(&self) -> bool {
        !self.queued && !self.out && !self.dirty && self.later.is_none() && self.failures == 0
    }
}

/// The queue.
#[derive(Debug)]
pub struct Queue<K> {
    ready: VecDeque<K>,
    later: BinaryHeap<Reverse<(Instant, u64, K)>>,
    states: HashMap<K, State>,
    number: u64,
    /// Up to when the keys of earlier spreads reach: a second flood does not double the rate.
    spread_until: Option<Instant>,
}

impl<K: Clone + Eq + Hash + Ord> Default for Queue<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            states: HashMap::new(),
            number: 0,
            spread_until: None,
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// Adds a key, to be taken as soon as its turn comes.
    pub fn add(&mut self, key: K, now: Instant) {
        let state = self.states.entry(key.clone()).or_default();
        state.later = None;
        state.since.get_or_insert(now);
        if state.out {
            state.dirty = true;
        } else if !state.queued {
            state.queued = true;
            self.ready.push_back(key);
        }
    }

    /// Adds a key for later. One that is due earlier stays so.
    pub fn add_at(&mut self, key: K, at: Instant) {
        let state = self.states.entry(key.clone()).or_default();
        if state.queued || state.dirty || state.later.is_some_and(|(earlier, _)| earlier <= at) {
            return;
        }
        self.number += 1;
        state.later = Some((at, self.number));
        self.later.push(Reverse((at, self.number, key)));
    }

    /// Adds many keys, `rate` of them a second.
    pub fn spread(&mut self, keys: impl IntoIterator<Item = K>, rate: f64, now: Instant) {
        let step = Duration::from_secs_f64(1.0 / rate.max(0.001));
        let mut at = self.spread_until.filter(|until| *until > now).unwrap_or(now);
        for key in keys {
            let waits = self.states.get(&key).is_some_and(|state| state.queued || state.dirty);
            if !waits {
                self.add_at(key, at);
                at += step;
            }
        }
        self.spread_until = Some(at);
    }

    /// Takes the next key, with how long it waited. [`Queue::done`] must follow.
    pub fn take(&mut self, now: Instant) -> Option<(K, Duration)> {
        self.wake(now);
        let key = self.ready.pop_front()?;
        let state = self.states.entry(key.clone()).or_default();
        state.queued = false;
        state.out = true;
        let waited = state.since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        Some((key, waited))
    }

    /// How many runs of a key failed in a row.
    pub fn failures(&self, key: &K) -> u32 {
        self.states.get(key).map_or(0, |state| state.failures)
    }

    /// Says how a run ended. Returns the wait, where there is one.
    pub fn done(&mut self, key: &K, again: Again, now: Instant) -> Option<Duration> {
        let state = self.states.get_mut(key)?;
        state.out = false;
        let dirty = std::mem::take(&mut state.dirty);
        let wait = match again {
            Again::Failed => {
                let wait = backoff(state.failures);
                state.failures = state.failures.saturating_add(1);
                Some(wait)
            }
            Again::After(wait) => {
                state.failures = 0;
                Some(wait)
            }
            Again::No | Again::Now => {
                state.failures = 0;
                None
            }
        };
        // A change made while a failing run was out does not go round the backoff: it comes with the others.
        match wait {
            Some(wait) if !dirty || again == Again::Failed => self.add_at(key.clone(), now + wait),
            _ if dirty || again == Again::Now => self.add(key.clone(), now),
            _ => {}
        }
        if self.states.get(key).is_some_and(State::is_idle) {
            self.states.remove(key);
        }
        wait
    }

    /// Forgets a key that is not out: its object is gone.
    pub fn forget(&mut self, key: &K) {
        if self.states.get(key).is_some_and(|state| !state.out) {
            self.states.remove(key);
            self.ready.retain(|ready| ready != key);
        }
    }

    /// Forgets all keys that are not out.
    pub fn clear(&mut self) {
        self.ready.clear();
        self.later.clear();
        self.spread_until = None;
        self.states.retain(|_, state| {
            *state = State { out: state.out, failures: state.failures, ..State::default() };
            state.out
        });
    }

    /// When the next key for later is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse((at, ..))| *at)
    }

    /// Keys that could be taken now.
    pub fn depth(&self) -> usize {
        self.ready.len()
    }

    /// Keys that wait for their time; stale entries count until their time comes.
    pub fn delayed(&self) -> usize {
        self.later.len()
    }

    fn wake(&mut self, now: Instant) {
        while self.later.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((at, number, key))) = self.later.pop() else { return };
            let current =
                self.states.get(&key).is_some_and(|state| state.later.is_some_and(|(_, n)| n == number));
            if current {
                self.add(key, at);
            }
        }
    }
}

/// Doubling, without chance: keys that fail together are spread by what they wait for.
fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << failures.min(16)).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue<&'static str>, now: Instant) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.take(now).map(|(key, _)| key)).collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Two runs over one object at once would plan over the same snapshot and write twice.
    #[test]
    fn a_key_is_never_out_twice_and_comes_again_when_added_meanwhile() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a", now);
        queue.add("a", now);
        assert_eq!(drain(&mut queue, now), ["a"]);
        queue.add("a", now);
        queue.add("b", now);
        assert_eq!(drain(&mut queue, now), ["b"]);
        assert_eq!(queue.done(&"a", Again::No, now), None);
        assert_eq!(drain(&mut queue, now), ["a"]);
        queue.done(&"a", Again::No, now);
        queue.done(&"b", Again::No, now);
        assert_eq!(drain(&mut queue, now + 1000 * SECOND), [""; 0]);
        assert!(queue.states.is_empty(), "finished keys are kept: {:?}", queue.states);
    }

    #[test]
    fn failures_wait_longer_each_time_and_success_forgets_them() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a", now);
        let mut waits = Vec::new();
        let mut at = now;
        for _ in 0..12 {
            assert_eq!(drain(&mut queue, at), ["a"]);
            // An event in the middle of a failing run must not turn backoff into a busy loop.
            queue.add("a", at);
            let wait = queue.done(&"a", Again::Failed, at).unwrap();
            assert_eq!(drain(&mut queue, at + wait / 2), [""; 0]);
            waits.push(wait.as_millis());
            at += wait;
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000, 60000]);
        drain(&mut queue, at);
        assert_eq!(queue.done(&"a", Again::No, at), None);
        queue.add("a", at);
        drain(&mut queue, at);
        assert_eq!(queue.done(&"a", Again::Failed, at), Some(FIRST_BACKOFF));
    }

    /// A requeue in 30 s must neither delay a change nor fire a second time after it.
    #[test]
    fn a_change_overtakes_a_requeue() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a", now);
        drain(&mut queue, now);
        queue.done(&"a", Again::After(30 * SECOND), now);
        assert_eq!(queue.next_due(), Some(now + 30 * SECOND));
        queue.add("a", now + SECOND);
        assert_eq!(drain(&mut queue, now + SECOND), ["a"]);
        queue.done(&"a", Again::No, now + SECOND);
        assert_eq!(drain(&mut queue, now + 60 * SECOND), [""; 0]);
    }

    /// One changed ConfigMap concerns every agent; rolling all of them at once takes a cluster down.
    #[test]
    fn a_flood_is_let_through_slowly_and_a_user_passes_it() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.spread(["a", "b", "c", "d"], 2.0, now);
        assert_eq!(drain(&mut queue, now), ["a"]);
        queue.add("d", now);
        assert_eq!(drain(&mut queue, now), ["d"]);
        assert_eq!(drain(&mut queue, now + SECOND), ["b", "c"]);
        for key in ["a", "b", "c", "d"] {
            queue.done(&key, Again::No, now + SECOND);
        }
        // A second flood comes after what is left of the first.
        queue.spread(["a", "b"], 2.0, now + SECOND);
        assert_eq!(drain(&mut queue, now + SECOND), [""; 0]);
        assert_eq!(drain(&mut queue, now + 2 * SECOND), ["a"]);
    }

    /// Leadership was lost: nothing of before may be worked on, but what is out must still be ended.
    #[test]
    fn clearing_keeps_what_is_out() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a", now);
        drain(&mut queue, now);
        queue.add("a", now);
        queue.add("b", now);
        queue.add_at("c", now + SECOND);
        queue.clear();
        assert_eq!(drain(&mut queue, now + 10 * SECOND), [""; 0]);
        queue.done(&"a", Again::No, now);
        assert_eq!((queue.depth(), queue.delayed(), queue.states.len()), (0, 0, 0));
    }

    #[test]
    fn the_time_waited_is_reported() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a", now);
        queue.add("a", now + SECOND);
        assert_eq!(queue.take(now + 3 * SECOND), Some(("a", 3 * SECOND)));
    }
}
