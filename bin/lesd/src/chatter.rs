//! Messages of the base protocol cost a peer nothing: so many of them and no more.

use std::time::Duration;

use tokio::time::Instant;

/// Pings, pongs and messages without meaning that may come at once. A client pings four times a
/// minute and answers our pings.
const BURST: u32 = 32;
/// One more is allowed each time this has passed.
const EVERY: Duration = Duration::from_secs(1);

/// How many more a peer may send now.
#[derive(Debug)]
pub(crate) struct Chatter {
    left: u32,
    since: Instant,
}

impl Chatter {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes note of one; `false` if it is too many.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(BURST);
            self.since += EVERY.saturating_mul(more);
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_a_second() {
        let start = Instant::now();
        let mut chatter = Chatter::new(start);
        assert!((0..BURST).all(|_| chatter.allows(start)));
        assert!(!chatter.allows(start + EVERY / 2));
        assert!(chatter.allows(start + EVERY));
        assert!(!chatter.allows(start + EVERY));
        assert!(chatter.allows(start + 2 * EVERY));
        let later = start + Duration::from_secs(1_000_000);
        assert_eq!((0..100).filter(|_| chatter.allows(later)).count(), 32);
    }
}
