//! Whether clients should be sent here now.

use std::time::Duration;

use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use chain_backend::BackendError;
use serde::Serialize;

use super::{MAX_HEAD_AGE, Observed};
use crate::clock;

/// A check that fails.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failing {
    /// Its name, for programs.
    check: &'static str,
    /// Why, for people.
    reason: String,
}

/// The checks that fail now; none if the node is ready.
pub(super) fn failing(observed: &Observed) -> Vec<Failing> {
    let mut failing = Vec::new();
    let mut fail = |check, reason| failing.push(Failing { check, reason });
    let bound = observed
        .max_head_age
        .or_else(|| (observed.handle.full_nodes() > 0).then_some(MAX_HEAD_AGE));
    match (head_age(observed), bound) {
        (Err(error), _) => fail("store", format!("the head cannot be read: {error}")),
        (Ok(age), Some(bound)) if age > bound => {
            let (age, bound) = (age.as_secs(), bound.as_secs());
            fail("head", format!("the head is {age} s old, at most {bound} s are expected"));
        }
        (Ok(_), _) => {}
    }
    if observed.handle.shared().driver.is_draining() {
        fail("draining", "the server is stopping".to_owned());
    }
    if observed.writer.as_ref().is_some_and(crate::ChainWriter::is_gone) {
        fail("chain_writer", "no block is imported any more".to_owned());
    }
    failing
}

/// Time since the timestamp of the head; none if that lies ahead.
pub(super) fn head_age(observed: &Observed) -> Result<Duration, BackendError> {
    let snapshot = observed.handle.shared().driver.backend().snapshot();
    let hash = snapshot.head().hash;
    let mut rlp = Vec::new();
    snapshot.append_header(&hash, &mut rlp)?;
    let header = Header::decode(&mut rlp.as_slice())
        .map_err(|error| BackendError::Corrupt(format!("header {hash}: {error}")))?;
    Ok(clock::unix_time().saturating_sub(Duration::from_secs(header.timestamp)))
}
