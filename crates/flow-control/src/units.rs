//! The quantities of flow control, each a type of its own.

/// Nanoseconds in one millisecond.
pub(crate) const NANOS_PER_MILLI: u64 = 1_000_000;

/// Credit, in cost units. One unit is 1 ns of one serving thread at speed factor 1.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Cost(pub u64);

impl Cost {
    /// The sum; the largest value instead of an overflow, so that an absurd cost stays absurd.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, zero at least.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The cost `count` times; saturating.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

/// A point in time: nanoseconds since the program started, from a clock that never goes back.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time(pub u64);

impl Time {
    /// This much later; saturating.
    #[must_use]
    pub const fn after(self, pause: Millis) -> Self {
        Self(self.0.saturating_add(pause.0.saturating_mul(NANOS_PER_MILLI)))
    }

    /// This many nanoseconds later; saturating.
    #[must_use]
    pub const fn after_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub u64);

/// Speed of recharge, in cost units per millisecond; announced as `flowControl/MRR`.
///
/// The specification says "per second"; every client takes it as per millisecond.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Rate(pub u64);

impl Rate {
    /// Credit that comes in over `nanos`, in millionths of a cost unit. Exact.
    pub(crate) const fn fine_over(self, nanos: u64) -> u128 {
        (self.0 as u128).saturating_mul(nanos as u128)
    }

    /// Nanoseconds until `fine` millionths of a cost unit have come in, rounded up; `None` if
    /// they never do.
    pub(crate) fn nanos_for(self, fine: u128) -> Option<u64> {
        if fine == 0 {
            return Some(0);
        }
        let padded = fine.checked_add(u128::from(self.0.checked_sub(1)?))?;
        u64::try_from(padded.checked_div(u128::from(self.0))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Millis, Rate, Time};

    #[test]
    fn waiting_time_is_the_least_that_brings_the_credit() {
        for (rate, fine) in [(1, 1), (3, 10), (16_000, 96_000_000_000_000), (7, 48)] {
            let nanos = Rate(rate).nanos_for(fine).expect("a rate above zero");
            assert!(Rate(rate).fine_over(nanos) >= fine, "{rate} {fine}");
            assert!(Rate(rate).fine_over(nanos - 1) < fine, "{rate} {fine}");
        }
        assert_eq!(Rate(0).nanos_for(1), None);
        assert_eq!(Rate(0).nanos_for(0), Some(0));
    }

    #[test]
    fn time_does_not_wrap() {
        assert_eq!(Time(u64::MAX).after(Millis(1)), Time(u64::MAX));
        assert_eq!(Time(5).nanos_since(Time(9)), 0);
    }
}
