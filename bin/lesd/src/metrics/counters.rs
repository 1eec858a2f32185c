//! What is counted while requests are served: relaxed atomics, no lock, no allocation.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use les_engine::{Action, Lane};
use les_wire::RequestKind;

use crate::per_kind::PerKind;

/// Upper bounds of the buckets of reply times, in nanoseconds and as Prometheus writes them in
/// seconds: from a header out of memory to a disk that is overwhelmed. One more bucket is
/// unbounded.
pub(super) const BOUNDS: [(u64, &str); 13] = [
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (1_000_000_000, "1"),
];
pub(super) const BUCKETS: usize = BOUNDS.len() + 1;

/// Of one kind of request.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    pub(super) requests: AtomicU64,
    pub(super) request_bytes: AtomicU64,
    pub(super) replies: AtomicU64,
    pub(super) reply_bytes: AtomicU64,
    pub(super) reply_nanos: AtomicU64,
    /// Replies by time, each in one bucket.
    pub(super) buckets: [AtomicU64; BUCKETS],
    /// Reads that waited for the disk on the thread of their request.
    pub(super) own_thread_waits: AtomicU64,
    /// And those on reader threads.
    pub(super) reader_waits: AtomicU64,
}

impl OfKind {
    /// Replies in the bucket with this index.
    pub(super) fn bucket(&self, at: usize) -> u64 {
        self.buckets.get(at).map_or(0, |count| count.load(Relaxed))
    }
}

/// Why a connection did not become a served client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeFailure {
    Timeout,
    /// The peer went away, or the connection broke.
    Left,
    /// What came was no handshake.
    Breach,
    NothingShared,
    NoSeat,
    ConnectedAlready,
    OtherNetwork,
    /// We stopped, or the store failed.
    Ours,
}

impl HandshakeFailure {
    /// Each, in the order of its discriminant, with its label.
    pub(super) const ALL: [(Self, &'static str); 8] = [
        (Self::Timeout, "timeout"),
        (Self::Left, "left"),
        (Self::Breach, "breach"),
        (Self::NothingShared, "nothing_shared"),
        (Self::NoSeat, "no_seat"),
        (Self::ConnectedAlready, "connected_already"),
        (Self::OtherNetwork, "other_network"),
        (Self::Ours, "ours"),
    ];
}

/// What a node counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    kinds: PerKind<OfKind>,
    handshake_failures: [AtomicU64; HandshakeFailure::ALL.len()],
    pub(super) connected: AtomicU64,
    pub(super) disconnected: AtomicU64,
    pub(super) stops: AtomicU64,
    pub(super) resumes: AtomicU64,
    pub(super) faults: AtomicU64,
}

impl Counters {
    /// A request came, and it was decided what becomes of it.
    pub(crate) fn asked(&self, kind: RequestKind, bytes: u64) {
        let of = self.of(kind);
        of.requests.fetch_add(1, Relaxed);
        of.request_bytes.fetch_add(bytes, Relaxed);
    }

    /// A request has its reply: so many bytes of items, read in this time.
    pub(crate) fn replied(&self, kind: RequestKind, bytes: u64, nanos: u64) {
        let of = self.of(kind);
        of.replies.fetch_add(1, Relaxed);
        of.reply_bytes.fetch_add(bytes, Relaxed);
        of.reply_nanos.fetch_add(nanos, Relaxed);
        let above = BOUNDS.iter().position(|(bound, _)| nanos <= *bound);
        if let Some(bucket) = of.buckets.get(above.unwrap_or(BOUNDS.len())) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// A read waited for the disk.
    pub(crate) fn waited(&self, kind: RequestKind, lane: Lane) {
        let of = self.of(kind);
        let count = match lane {
            Lane::Inline => &of.own_thread_waits,
            Lane::Reader => &of.reader_waits,
        };
        count.fetch_add(1, Relaxed);
    }

    /// The engine decided something for a client.
    pub(crate) fn decided(&self, action: &Action) {
        match action {
            Action::Stop(_) => self.stops.fetch_add(1, Relaxed),
            Action::Resume { .. } => self.resumes.fetch_add(1, Relaxed),
            Action::Disconnect { .. } | Action::Forget(_) => 0,
        };
    }

    /// A light client was greeted.
    pub(crate) fn connected(&self) {
        self.connected.fetch_add(1, Relaxed);
    }

    /// One of these is gone.
    pub(crate) fn disconnected(&self) {
        self.disconnected.fetch_add(1, Relaxed);
    }

    /// A client broke a rule.
    pub(crate) fn faulted(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    /// A connection did not become a served client.
    pub(crate) fn handshake_failed(&self, failure: HandshakeFailure) {
        let index = HandshakeFailure::ALL.iter().position(|(known, _)| *known == failure);
        if let Some(count) = index.and_then(|index| self.handshake_failures.get(index)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// What was counted of this kind.
    pub(super) const fn of(&self, kind: RequestKind) -> &OfKind {
        self.kinds.of(kind)
    }

    /// Failures for this reason.
    pub(super) fn failures_of(&self, failure: HandshakeFailure) -> u64 {
        let all = HandshakeFailure::ALL.iter().zip(&self.handshake_failures);
        all.filter(|((known, _), _)| *known == failure).map(|(_, count)| count.load(Relaxed)).sum()
    }

    /// Failures by reason.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.handshake_failures.iter().map(|count| count.load(Relaxed));
        HandshakeFailure::ALL.iter().map(|(_, label)| *label).zip(counts)
    }
}

/// Nanoseconds as seconds.
pub(super) fn seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// go-ethereum's word for a kind, in names of its figures.
pub(super) const fn label(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::Headers => "header",
        RequestKind::Bodies => "body",
        RequestKind::Receipts => "receipt",
        RequestKind::Code => "code",
        RequestKind::Proofs => "proof",
        RequestKind::HelperTrieProofs => "helperTrie",
        RequestKind::SendTx => "txs",
        RequestKind::TxStatus => "txStatus",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(nanos: u64, expected: usize) {
        let counters = Counters::default();
        counters.replied(RequestKind::Proofs, 1, nanos);
        let of = counters.of(RequestKind::Proofs);
        let full = of.buckets.iter().position(|bucket| bucket.load(Relaxed) == 1);
        assert_eq!(full, Some(expected), "{nanos} ns");
    }

    #[test]
    fn a_time_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        for (index, (bound, text)) in BOUNDS.iter().enumerate() {
            check(*bound, index);
            check(bound + 1, index + 1);
            let written: f64 = text.parse().unwrap();
            assert_eq!(format!("{written:.9}"), seconds(*bound));
        }
        check(0, 0);
        check(u64::MAX, BOUNDS.len());
    }

    #[test]
    fn every_reason_is_counted_under_its_own_label() {
        let counters = Counters::default();
        for (failure, label) in HandshakeFailure::ALL {
            counters.handshake_failed(failure);
            assert!(counters.failures().any(|(found, count)| found == label && count == 1));
            assert_eq!(counters.failures_of(failure), 1);
        }
    }
}
