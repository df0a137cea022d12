//! When a failed request is sent again, and after how long. Only requests that may be repeated come here: reads,
//! server-side applies and reviews.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Attempts of one request, the first included.
pub const MAX_ATTEMPTS: u32 = 7;
/// Longest wait between two attempts, also where the server asks for more.
pub const MAX_WAIT: Duration = Duration::from_secs(20);
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Tells whether an answer is worth another attempt. A 500 is so only where the server says when to come again, or where
/// its storage changes its leader: of a webhook that fails or a schema that does not fit, it would only come again.
pub fn is_transient(code: u16, retry_after: Option<u64>, said: &str) -> bool {
    match code {
        429 | 502 | 503 | 504 => true,
        500 => retry_after.is_some() || said.contains("etcdserver:"),
        _ => false,
    }
}

/// How long to wait before attempt `attempt + 1` (the first attempt is 1). `retry_after` is the server's wish in seconds.
/// Without one: doubling from 200 ms, half of it random, so that many clients do not come back at the same moment.
pub fn wait(attempt: u32, retry_after: Option<u64>) -> Duration {
    wait_with(attempt, retry_after, random_fraction())
}

fn wait_with(attempt: u32, retry_after: Option<u64>, fraction: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(MAX_WAIT);
    match retry_after {
        Some(seconds) => (Duration::from_secs(seconds) + FIRST_WAIT.mul_f64(fraction)).min(MAX_WAIT),
        None => doubled.mul_f64(0.5 + fraction / 2.0),
    }
}

/// Between 0 and 1; good enough to spread clients, not for secrets.
fn random_fraction() -> f64 {
    // RandomState is seeded by the system for each thread and changes with each instance.
    f64::from(RandomState::new().hash_one(0u8) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A storm of 429 is made worse by clients that come back at once or in step.
    #[test]
    fn what_does_not_change_its_mind_is_not_asked_again() {
        let webhook = "Internal error occurred: failed calling webhook \"a.b\": connection refused";
        assert!(!is_transient(500, None, webhook));
        assert!(is_transient(500, Some(1), webhook));
        assert!(is_transient(500, None, "etcdserver: leader changed"));
        assert_eq!(
            [400, 403, 422, 429, 501, 502, 503, 504].map(|code| is_transient(code, None, "")),
            [false, false, false, true, false, true, true, true]
        );
    }

    #[test]
    fn waits_grow_and_the_server_decides_where_it_speaks() {
        assert_eq!(wait_with(1, None, 0.0), Duration::from_millis(100));
        assert_eq!(wait_with(1, None, 1.0), Duration::from_millis(200));
        assert_eq!(wait_with(4, None, 1.0), Duration::from_millis(1600));
        assert_eq!(wait_with(40, None, 1.0), MAX_WAIT);
        assert_eq!(wait_with(1, Some(3), 0.0), Duration::from_secs(3));
        assert_eq!(wait_with(1, Some(u64::MAX / 2), 0.0), MAX_WAIT);
        let spread: std::collections::BTreeSet<_> = (0..20).map(|_| wait(5, None)).collect();
        assert!(spread.len() > 10, "no jitter: {spread:?}");
    }
}
