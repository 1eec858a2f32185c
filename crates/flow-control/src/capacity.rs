//! What a client is told it may use, and for how long an earlier, larger promise still binds us.

use crate::units::{Cost, Millis, Rate, Time};

/// A full buffer refills in this time: BL = 6000 x MRR (go-ethereum `les/server.go`,
/// `bufLimitRatio`).
pub const BUFFER_MILLIS: Millis = Millis(6_000);

/// From the announcement of a smaller capacity to its enforcement: the notice needs time to
/// arrive, and requests sent before it arrived are legal (go-ethereum `DecParamDelay`).
pub const DECREASE_DELAY: Millis = Millis(2_000);

/// The two flow control parameters of a client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capacity {
    /// Most credit that the buffer holds; announced as `flowControl/BL`.
    pub limit: Cost,
    /// Speed at which it refills; announced as `flowControl/MRR`.
    pub recharge: Rate,
}

impl Capacity {
    /// The capacity with this recharge and the buffer that fills in [`BUFFER_MILLIS`].
    #[must_use]
    pub const fn of_rate(recharge: Rate) -> Self {
        Self { limit: Cost(recharge.0.saturating_mul(BUFFER_MILLIS.0)), recharge }
    }

    /// The larger of each parameter.
    #[must_use]
    pub(crate) fn larger(self, other: Self) -> Self {
        Self { limit: self.limit.max(other.limit), recharge: self.recharge.max(other.recharge) }
    }

    /// True if either parameter is smaller than `other`'s.
    pub(crate) fn falls_below(self, other: Self) -> bool {
        self.limit < other.limit || self.recharge < other.recharge
    }
}

/// The capacity last announced, and the one that binds us until that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    announced: Capacity,
    /// An earlier promise, in force until the given time. Several decreases within one delay
    /// keep the largest of each parameter until the newest is due.
    former: Option<(Capacity, Time)>,
}

impl Schedule {
    pub(crate) const fn new(capacity: Capacity) -> Self {
        Self { announced: capacity, former: None }
    }

    pub(crate) fn announce(&mut self, capacity: Capacity, now: Time) {
        let enforced = self.enforced();
        self.former = capacity.falls_below(enforced).then(|| (enforced, now.after(DECREASE_DELAY)));
        self.announced = capacity;
    }

    /// Ends the earlier promise if it is over at `now`, and returns the time of its end.
    pub(crate) fn expire(&mut self, now: Time) -> Option<Time> {
        let (_, until) = self.former.filter(|&(_, until)| until <= now)?;
        self.former = None;
        Some(until)
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.former.map(|(_, until)| until)
    }

    pub(crate) const fn announced(&self) -> Capacity {
        self.announced
    }

    pub(crate) fn enforced(&self) -> Capacity {
        self.former.map_or(self.announced, |(former, _)| former.larger(self.announced))
    }
}
