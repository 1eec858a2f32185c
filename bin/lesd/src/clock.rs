//! The only place that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use flow_control::Time;

/// Monotonic time since the server started.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since [`Clock::start`].
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn now(&self) -> Time {
        let elapsed = Instant::now().saturating_duration_since(self.start);
        Time(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Seconds since 1970, for the validity windows of signed datagrams.
#[allow(clippy::disallowed_methods, reason = "the one place that reads wall time")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
