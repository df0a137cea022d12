//! Reports whether the loop turns and has seen the cluster, to [`crate::server::health`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::health::HealthCheck;

/// A loop that has not turned for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// What the loop reports of itself.
#[derive(Debug)]
pub struct Liveness {
    started: Instant,
    /// Milliseconds since `started` of the loop's last turn.
    turned: AtomicU64,
    ready: AtomicBool,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { started: Instant::now(), turned: AtomicU64::new(0), ready: AtomicBool::new(false) }
    }
}

impl Liveness {
    /// The loop turned.
    pub fn turn(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned.store(millis, Ordering::Relaxed);
    }

    /// Whether everything that is watched has been listed and the gates are known.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}

impl HealthCheck for Liveness {
    fn dead(&self) -> Option<String> {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        let stuck = self.started.elapsed().saturating_sub(turned) >= STUCK_AFTER;
        stuck.then(|| format!("the loop has not turned for {} s", STUCK_AFTER.as_secs()))
    }

    fn unready(&self) -> Option<String> {
        let ready = self.ready.load(Ordering::Relaxed);
        (!ready).then(|| "not everything that is watched has been listed yet".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_dead_and_one_that_has_seen_nothing_is_not_ready() {
        let liveness = Liveness::default();
        assert!(liveness.dead().is_none() && liveness.unready().is_some());
        liveness.set_ready(true);
        assert!(liveness.unready().is_none());
        tokio::time::advance(STUCK_AFTER).await;
        assert!(liveness.dead().is_some());
        liveness.turn();
        assert!(liveness.dead().is_none());
    }
}
