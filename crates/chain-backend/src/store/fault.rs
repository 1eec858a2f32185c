//! Fault points: every write of the store passes [`before_write`].
//!
//! A kill test sets `LESD_TEST_ABORT_AT_WRITE=n`; the process then aborts right before its n-th
//! write, counted from 1. Without the variable a write costs one atomic addition.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

static WRITES: AtomicU64 = AtomicU64::new(0);
static ABORT_AT: OnceLock<Option<u64>> = OnceLock::new();

/// Counts a write that is about to be made; aborts the process if it is the chosen one.
pub(super) fn before_write() {
    let number = WRITES.fetch_add(1, Ordering::Relaxed) + 1;
    let abort_at = ABORT_AT.get_or_init(|| {
        std::env::var("LESD_TEST_ABORT_AT_WRITE").ok().and_then(|text| text.parse().ok())
    });
    if *abort_at == Some(number) {
        std::process::abort();
    }
}

/// How many writes all stores of this process have begun. A block takes five: body, receipts,
/// state changes, journal record, and the journal record that makes it the head.
pub fn writes_so_far() -> u64 {
    WRITES.load(Ordering::Relaxed)
}
