//! Bodies and receipts, spliced from stored bytes.

use alloy_primitives::B256;
use chain_backend::{BackendError, Snapshot};

use super::{Answered, SOFT_REPLY_LIMIT};

/// Appends the bodies of the known blocks, in request order; unknown ones are left out.
pub(crate) fn bodies(
    snapshot: &dyn Snapshot,
    hashes: impl Iterator<Item = B256>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    each(hashes, out, |hash, out| snapshot.append_body(hash, out))
}

/// Appends the receipts of the known blocks, one list a block; unknown ones are left out.
pub(crate) fn receipts(
    snapshot: &dyn Snapshot,
    hashes: impl Iterator<Item = B256>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    each(hashes, out, |hash, out| snapshot.append_receipts(hash, out))
}

fn each(
    hashes: impl Iterator<Item = B256>,
    out: &mut Vec<u8>,
    mut append: impl FnMut(&B256, &mut Vec<u8>) -> Result<bool, BackendError>,
) -> Result<Answered, BackendError> {
    let mut answered = Answered::default();
    for hash in hashes {
        if out.len() >= SOFT_REPLY_LIMIT {
            break;
        }
        let found = append(&hash, out)?;
        answered.count(found);
    }
    Ok(answered)
}
