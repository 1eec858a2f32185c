//! When the next block of a development chain is due.

use std::{fmt, num::NonZeroU64, time::Duration};

/// Time between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A block when there is a transaction for it.
    OnDemand,
    /// Seconds from one block to the next, with transactions or without.
    Seconds(NonZeroU64),
}

impl Period {
    /// A period of `--dev.period`: seconds, 0 for blocks on demand.
    pub const fn new(seconds: u64) -> Self {
        match NonZeroU64::new(seconds) {
            Some(seconds) => Self::Seconds(seconds),
            None => Self::OnDemand,
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::OnDemand => 0,
            Self::Seconds(seconds) => seconds.get(),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDemand => out.write_str("a block for every transaction"),
            Self::Seconds(seconds) if seconds.get() == 1 => out.write_str("a block every second"),
            Self::Seconds(seconds) => write!(out, "a block every {seconds} seconds"),
        }
    }
}

/// Whether a block may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may, with this timestamp in seconds since 1970.
    Now(u64),
    /// Not for this long.
    Wait(Duration),
}

/// Whether a block on a parent of this timestamp (seconds since 1970) may be made at `now`, the
/// time since 1970.
///
/// A timestamp is that of the clock, so go-ethereum never sees a block from the future; after a
/// pause there is one block, not all that were missed. A clock that was set back is waited for.
pub(super) fn turn(period: Period, parent_timestamp: u64, now: Duration) -> Turn {
    let due = parent_timestamp.saturating_add(period.seconds());
    match Duration::from_secs(due).checked_sub(now) {
        Some(wait) if !wait.is_zero() => Turn::Wait(wait),
        Some(_) | None => Turn::Now(now.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: u64 = 1_700_000_000;

    /// `now` is the time since the parent's timestamp in milliseconds.
    #[track_caller]
    fn check(period: u64, now: i64, expected: Turn) {
        let millis = PARENT.saturating_mul(1000).checked_add_signed(now).unwrap();
        let now = Duration::from_millis(millis);
        assert_eq!(turn(Period::new(period), PARENT, now), expected);
    }

    fn wait(millis: u64) -> Turn {
        Turn::Wait(Duration::from_millis(millis))
    }

    #[test]
    fn a_block_is_due_a_period_after_its_parent_and_has_the_time_of_the_clock() {
        check(5, 0, wait(5000));
        check(5, 4999, wait(1));
        check(5, 5000, Turn::Now(PARENT + 5));
        check(5, 5999, Turn::Now(PARENT + 5));
        check(1, 700, wait(300));
    }

    #[test]
    fn a_block_on_demand_may_follow_at_once() {
        check(0, 0, Turn::Now(PARENT));
        check(0, 2500, Turn::Now(PARENT + 2));
    }

    #[test]
    fn after_a_pause_there_is_one_block() {
        check(5, 3_600_000, Turn::Now(PARENT + 3600));
        assert_eq!(turn(Period::new(5), 0, Duration::from_secs(9)), Turn::Now(9));
    }

    #[test]
    fn a_clock_that_was_set_back_is_waited_for() {
        check(5, -60_000, wait(65_000));
        check(0, -60_000, wait(60_000));
    }
}
