//! The only place that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// Time since 1970, for what must agree with the clocks of others: timestamps of blocks.
#[allow(clippy::disallowed_methods, reason = "the one place that reads wall time")]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970, for the validity windows of signed datagrams.
pub fn unix_seconds() -> u64 {
    unix_time().as_secs()
}
