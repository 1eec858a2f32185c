//! Chance, from a seed.

use flow_control::{Millis, THAW_RANDOM_PAUSE};

/// A splitmix64 sequence: spreads the return of frozen clients, and guards nothing.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A pause between zero and [`THAW_RANDOM_PAUSE`].
    pub(crate) fn thaw_pause(&mut self) -> Millis {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Millis((word ^ (word >> 31)) % THAW_RANDOM_PAUSE.0.saturating_add(1))
    }
}
