//! Which kinds of requests wait for the disk: learned from their last reads.
//!
//! Whether a page is in memory is known to nobody before it is touched. But a read that waited
//! is seen afterwards, and what waited lately will soon wait again. A read on the thread of its
//! request blocks that thread; one on a reader thread costs a hand-over ([`HAND_OVER_NANOS`]). So a
//! kind goes to the readers as long as its reads wait for longer than that on average.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use les_wire::RequestKind;

use crate::per_kind::PerKind;

/// What it costs to have another thread read: 4 to 15 µs.
const HAND_OVER_NANOS: u64 = 10_000;

/// No disk answers within this time, so that a shorter read need not be asked about.
const FASTEST_DISK_NANOS: u64 = 20_000;

/// Reads over which the wait is averaged: one that waited for 1 ms is forgotten after some 30
/// that did not, a disk that stalls for a second after some 500.
const WINDOW: u64 = 64;

/// The average wait of each kind, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Warmth {
    waits: PerKind<AtomicU64>,
}

impl Warmth {
    /// Whether reads of this kind are answered from memory, or so nearly always that a hand-over
    /// would cost more than it saves.
    pub(crate) fn is_warm(&self, kind: RequestKind) -> bool {
        self.waits.of(kind).load(Relaxed) < HAND_OVER_NANOS
    }

    /// A read of this kind was made; `wait` is how long it took if it waited for the disk, else 0.
    pub(crate) fn learn(&self, kind: RequestKind, wait: u64) {
        let average = self.waits.of(kind);
        let before = average.load(Relaxed);
        // Two threads at once may lose one read of many; the usual case writes nothing.
        let after = before - before.div_ceil(WINDOW) + wait / WINDOW;
        if after != before {
            average.store(after, Relaxed);
        }
    }
}

thread_local! {
    /// Disk reads of this thread when it was last asked about.
    static SEEN: Cell<Option<i64>> = const { Cell::new(None) };
}

/// How long a read that just took `serving_nanos` on this thread waited for the disk: all of that
/// time, if the thread fetched anything from a disk since it was last asked about, else 0.
pub(crate) fn disk_wait(serving_nanos: u64) -> u64 {
    if serving_nanos < FASTEST_DISK_NANOS {
        return 0;
    }
    let fetched = fetched_from_disk();
    let seen = SEEN.replace(Some(fetched));
    if seen.is_some_and(|seen| seen < fetched) { serving_nanos } else { 0 }
}

/// Rises with every page that this thread fetches from a disk.
#[cfg(target_os = "linux")]
fn fetched_from_disk() -> i64 {
    use nix::sys::resource::{UsageWho, getrusage};
    // Mapped pages are in the one figure, read calls in the other.
    getrusage(UsageWho::RUSAGE_THREAD)
        .map_or(0, |usage| usage.major_page_faults().saturating_add(usage.block_reads()))
}

/// Other systems do not tell it of one thread: there every read counts as warm.
#[cfg(not(target_os = "linux"))]
fn fetched_from_disk() -> i64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOFS: RequestKind = RequestKind::Proofs;
    const DISK: u64 = 250_000;

    /// How many reads with this wait it takes until the kind is warm, or is not.
    fn until(warmth: &Warmth, warm: bool, wait: u64) -> usize {
        (0..10_000)
            .take_while(|_| warmth.is_warm(PROOFS) != warm)
            .inspect(|_| {
                warmth.learn(PROOFS, wait);
            })
            .count()
    }

    #[test]
    fn a_kind_is_cold_after_a_few_waits_and_warm_again_once_its_reads_are_in_memory() {
        let warmth = Warmth::default();
        assert!(warmth.is_warm(PROOFS));
        assert_eq!(until(&warmth, false, DISK), 3);
        assert!(warmth.is_warm(RequestKind::Headers), "each kind for itself");
        for _ in 0..10_000 {
            warmth.learn(PROOFS, DISK);
        }
        let forgotten = until(&warmth, true, 0);
        assert!((100..300).contains(&forgotten), "{forgotten} reads");
    }

    #[test]
    fn one_read_in_a_hundred_from_the_disk_is_cheaper_than_a_hand_over_for_all() {
        let warmth = Warmth::default();
        for read in 0..10_000 {
            warmth.learn(PROOFS, if read % 100 == 0 { DISK } else { 0 });
            assert!(warmth.is_warm(PROOFS), "read {read}");
        }
        let cold = (0..10_000).filter(|read| {
            warmth.learn(PROOFS, if read % 10 == 0 { DISK } else { 0 });
            !warmth.is_warm(PROOFS)
        });
        assert!(cold.count() > 9_000, "one in ten is not");
    }

    #[test]
    fn no_wait_overflows() {
        let warmth = Warmth::default();
        for wait in [u64::MAX, u64::MAX, 0, 1, u64::MAX] {
            (0..WINDOW * 100).for_each(|_| warmth.learn(PROOFS, wait));
        }
    }
}
