//! What other threads have for a connection: replies that were read elsewhere, and decisions.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
    task::Context,
};

use atomic_waker::AtomicWaker;
use les_wire::RequestKind;
use parking_lot::Mutex;
use rlpx::Reason;

/// Replies that may wait for one connection. A full burst of the smallest requests; a reader this
/// far behind is cut off rather than buffered.
pub(crate) const MAX_REPLIES: usize = 64;
/// Replies that may have megabytes and are read ahead of what the connection has sent.
pub(crate) const LONG_AHEAD: usize = 2;
/// Bytes that may wait for one connection: one more than these, of the largest message.
pub(crate) const MAX_BYTES: usize = (LONG_AHEAD + 1) * 10 * 1024 * 1024;

/// One thing to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// A reply, its items already encoded.
    Reply { kind: RequestKind, request_id: u64, buffer_value: u64, items: Vec<u8> },
    /// The client was frozen.
    Stop,
    /// The client was thawed, with this much in its buffer.
    Resume { buffer_value: u64 },
    /// The connection must end.
    Close(Reason),
}

/// A bounded queue from all threads to one connection.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    /// Set by everybody who wakes the connection, cleared when it looks.
    news: AtomicBool,
    task: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    deliveries: VecDeque<Delivery>,
    replies: usize,
    bytes: usize,
    overflown: bool,
}

impl Inbox {
    /// Adds a delivery and wakes the connection. Beyond the bounds, everything is dropped and the
    /// connection will close.
    pub(crate) fn push(&self, delivery: Delivery) {
        let mut waiting = self.waiting.lock();
        if waiting.overflown {
            return;
        }
        if let Delivery::Reply { items, .. } = &delivery {
            waiting.replies = waiting.replies.saturating_add(1);
            waiting.bytes = waiting.bytes.saturating_add(items.len());
        }
        if waiting.replies > MAX_REPLIES || waiting.bytes > MAX_BYTES {
            waiting.deliveries = VecDeque::from([Delivery::Close(Reason::UselessPeer)]);
            waiting.overflown = true;
        } else {
            waiting.deliveries.push_back(delivery);
        }
        drop(waiting);
        self.wake();
    }

    /// Wakes the connection without a delivery.
    pub(crate) fn wake(&self) {
        self.news.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Replies that wait.
    pub(crate) fn replies(&self) -> usize {
        self.waiting.lock().replies
    }

    /// The next delivery.
    pub(crate) fn pop(&self) -> Option<Delivery> {
        let mut waiting = self.waiting.lock();
        let delivery = waiting.deliveries.pop_front();
        match &delivery {
            Some(Delivery::Reply { items, .. }) => {
                waiting.replies = waiting.replies.saturating_sub(1);
                waiting.bytes = waiting.bytes.saturating_sub(items.len());
            }
            // An idle connection owns no buffer.
            None => waiting.deliveries = VecDeque::new(),
            Some(Delivery::Stop | Delivery::Resume { .. } | Delivery::Close(_)) => {}
        }
        delivery
    }

    /// Whether the connection must end, whatever waits before that.
    pub(crate) fn closing(&self) -> Option<Reason> {
        self.waiting.lock().deliveries.iter().find_map(|delivery| match delivery {
            Delivery::Close(reason) => Some(*reason),
            Delivery::Reply { .. } | Delivery::Stop | Delivery::Resume { .. } => None,
        })
    }

    /// Whether somebody woke the connection since this was last asked; its task will be woken if
    /// not. One task only.
    pub(crate) fn poll_news(&self, context: &Context<'_>) -> bool {
        self.task.register(context.waker());
        // Whoever sets it after this finds the task registered.
        self.news.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: usize) -> Delivery {
        let items = vec![0; bytes];
        Delivery::Reply { kind: RequestKind::Headers, request_id: 1, buffer_value: 2, items }
    }

    #[test]
    fn deliveries_keep_their_order() {
        let inbox = Inbox::default();
        inbox.push(reply(1));
        inbox.push(Delivery::Stop);
        assert_eq!(inbox.pop(), Some(reply(1)));
        assert_eq!(inbox.pop(), Some(Delivery::Stop));
        assert_eq!(inbox.pop(), None);
    }

    #[test]
    fn an_end_is_seen_past_what_waits_before_it() {
        let inbox = Inbox::default();
        inbox.push(reply(1));
        assert_eq!(inbox.closing(), None);
        inbox.push(Delivery::Close(Reason::SubprotocolError));
        assert_eq!(inbox.closing(), Some(Reason::SubprotocolError));
        assert_eq!(inbox.pop(), Some(reply(1)), "and nothing is lost by looking");
    }

    #[test]
    fn a_connection_that_falls_behind_is_closed_not_buffered() {
        for (size, most) in [(1, MAX_REPLIES), (MAX_BYTES / 2, 2)] {
            let inbox = Inbox::default();
            for _ in 0..=most {
                inbox.push(reply(size));
            }
            inbox.push(reply(1));
            assert_eq!(inbox.pop(), Some(Delivery::Close(Reason::UselessPeer)), "{size}");
            assert_eq!(inbox.pop(), None, "{size}");
        }
    }
}
