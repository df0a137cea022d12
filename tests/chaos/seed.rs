//! Chance that repeats itself: a seed and the name of who asks in, numbers out. Two that ask under different names do not
//! disturb each other, so a plan stays the same whoever draws first.

use std::time::Duration;

/// A stream of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    pub fn new(seed: u64, name: &str) -> Self {
        // FNV-1a: std's hashers are seeded by the system.
        let start = seed ^ 0xcbf2_9ce4_8422_2325;
        Self(
            name.bytes()
                .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)),
        )
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and without, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Whether it happens; `percent` of a hundred times.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A while between two, to the millisecond.
    pub fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let millis = |while_: Duration| u64::try_from(while_.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis(from) + self.below(millis(to).saturating_sub(millis(from))))
    }
}
