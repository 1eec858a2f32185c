//! Bytes that a socket has not taken yet, and how long it may take none.

use std::time::Duration;

use tokio::time::Instant;

/// A peer that takes no bytes this long is gone.
pub(crate) const UNREAD_AFTER: Duration = Duration::from_secs(20);

/// What is left of the last write. Replies are made ready only while it is empty, so it holds no
/// more than one wake-up left behind.
#[derive(Debug)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// When the socket last took something, or when it first did not.
    since: Instant,
}

impl Outbox {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { bytes: Vec::new(), since: now }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keeps what the socket does not take now.
    pub(crate) fn keep(&mut self, rest: &[u8], now: Instant) {
        if self.bytes.is_empty() {
            self.since = now;
        }
        self.bytes.extend_from_slice(rest);
    }

    /// The socket took so many bytes.
    pub(crate) fn taken(&mut self, count: usize, now: Instant) {
        if count >= self.bytes.len() {
            // An idle connection owns no buffer.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..count);
        }
        if count > 0 {
            self.since = now;
        }
    }

    /// All of it, for the last write.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// When the peer counts as gone, unless it takes something or nothing is left.
    pub(crate) fn deadline(&self) -> Instant {
        self.since + UNREAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_that_are_taken_put_the_deadline_off() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut outbox = Outbox::new(start);
        outbox.keep(&[1, 2, 3], after(5));
        assert_eq!(outbox.deadline(), after(5) + UNREAD_AFTER);
        outbox.keep(&[4], after(9));
        outbox.taken(0, after(10));
        assert_eq!(outbox.deadline(), after(5) + UNREAD_AFTER, "what we add is no sign of life");
        outbox.taken(3, after(11));
        assert_eq!(outbox.deadline(), after(11) + UNREAD_AFTER);
        assert_eq!(outbox.bytes(), [4]);
        outbox.taken(1, after(12));
        assert!(outbox.is_empty());
        outbox.keep(&[5], after(40));
        assert_eq!(outbox.deadline(), after(40) + UNREAD_AFTER);
    }
}
