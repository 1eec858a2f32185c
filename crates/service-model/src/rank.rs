//! Who is served first.

use flow_control::Time;

/// Whether a client pays for its capacity.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// Pays; is served before every free client, outside the free floor.
    Paid,
    /// Does not pay.
    #[default]
    Free,
}

/// The place of a waiting request. Less is earlier.
///
/// Within a tier, the request comes first that would fill its client's buffer first: arrival plus
/// the time that the buffer needs to be full. A client that has used up its buffer goes behind
/// one that has not, by six seconds at most; so nobody waits for ever behind newcomers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rank {
    tier: Tier,
    due: Time,
}

impl Rank {
    /// The rank of a request that arrived at `now`, from a client whose buffer is full
    /// `nanos_until_full` later.
    #[must_use]
    pub const fn new(tier: Tier, now: Time, nanos_until_full: u64) -> Self {
        Self { tier, due: now.after_nanos(nanos_until_full) }
    }

    /// The tier it belongs to.
    #[must_use]
    pub const fn tier(self) -> Tier {
        self.tier
    }
}

#[cfg(test)]
mod tests {
    use super::{Rank, Tier};
    use flow_control::Time;

    #[test]
    fn paid_goes_before_free_then_the_fuller_buffer_then_the_earlier() {
        let ranks = [
            Rank::new(Tier::Paid, Time(0), 10),
            Rank::new(Tier::Paid, Time(90), 0),
            Rank::new(Tier::Free, Time(0), 0),
            Rank::new(Tier::Free, Time(5), 0),
            Rank::new(Tier::Free, Time(0), 6),
        ];
        assert!(ranks.is_sorted(), "{ranks:?}");
    }
}
