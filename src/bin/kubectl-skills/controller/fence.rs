//! Until when writing is allowed. Who holds the lease moves the moment forward; every write looks at it first.
//!
//! A replica that was stopped for a while wakes up in the middle of a run and knows nothing of the leader that took over.
//! So no write begins after the moment, none may take longer than the margin between the moment and the end of the lease,
//! and the moment is kept by two clocks: the monotonic one stands still while a machine is suspended, the wall clock does
//! not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A moment on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic clock.
    pub monotonic: Instant,
    /// Wall clock.
    pub wall: SystemTime,
}

impl Moment {
    /// The present moment.
    #[allow(clippy::disallowed_methods, reason = "the clock of the controller")]
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// This moment and a while.
    #[must_use]
    pub fn after(self, while_: Duration) -> Self {
        Self { monotonic: self.monotonic + while_, wall: self.wall + while_ }
    }

    /// What is left until another moment; `None` if it has come on either clock.
    pub fn until(self, other: Self) -> Option<Duration> {
        let monotonic = other.monotonic.checked_duration_since(self.monotonic)?;
        let wall = other.wall.duration_since(self.wall).ok()?;
        Some(monotonic.min(wall)).filter(|left| !left.is_zero())
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No leader election: writing is always allowed.
    Open,
    Closed,
    Until(Moment),
}

/// The fence. Clones are of one and the same.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Mutex<State>>);

impl Fence {
    /// A fence that lets everything through: there is no other replica.
    pub fn open() -> Self {
        Self(Arc::new(Mutex::new(State::Open)))
    }

    /// A fence that lets nothing through before it is extended.
    pub fn closed() -> Self {
        Self(Arc::new(Mutex::new(State::Closed)))
    }

    /// Allows writes to begin up to a moment.
    pub fn extend(&self, until: Moment) {
        *self.lock() = State::Until(until);
    }

    /// Allows none any more.
    pub fn close(&self) {
        *self.lock() = State::Closed;
    }

    /// How long a write that begins now may take; an error where none may begin.
    ///
    /// # Errors
    /// The lease is not held, or not for long enough.
    pub fn permit(&self, now: Moment) -> Result<Option<Duration>, NotLeading> {
        match *self.lock() {
            State::Open => Ok(None),
            State::Closed => Err(NotLeading),
            State::Until(until) => now.until(until).map(Some).ok_or(NotLeading),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave half a state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lease is not held (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another replica leads")]
pub struct NotLeading;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_before_the_lease_is_held_nor_after() {
        let now = Moment::now();
        let second = Duration::from_secs(1);
        assert_eq!(Fence::open().permit(now), Ok(None));
        let fence = Fence::closed();
        assert_eq!(fence.permit(now), Err(NotLeading));
        fence.extend(now.after(10 * second));
        assert_eq!(fence.clone().permit(now.after(4 * second)), Ok(Some(6 * second)));
        assert_eq!(fence.permit(now.after(10 * second)), Err(NotLeading));
        fence.extend(now.after(20 * second));
        fence.close();
        assert_eq!(fence.permit(now), Err(NotLeading));
    }

    /// A laptop or a virtual machine that slept: the monotonic clock did not go on.
    #[test]
    fn either_clock_ends_it() {
        let now = Moment::now();
        let fence = Fence::closed();
        fence.extend(now.after(Duration::from_secs(10)));
        let slept = Moment { wall: now.wall + Duration::from_secs(60), ..now };
        assert_eq!(fence.permit(slept), Err(NotLeading));
        // A wall clock set back gives no more time than the monotonic one.
        let set_back = Moment { wall: now.wall - Duration::from_secs(600), ..now };
        assert_eq!(fence.permit(set_back), Ok(Some(Duration::from_secs(10))));
    }
}
