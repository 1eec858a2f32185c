//! State of transactions. This server has no pool: what is not included is unknown.

use alloy_primitives::B256;
use chain_backend::{BackendError, Snapshot};
use les_wire::{Transaction, TxLookup, TxState, TxStatus};

use super::Answered;

/// What a client reads when it sends a transaction.
pub const NO_RELAY: &str = "transaction relay is not available on this server";

/// Appends one status a hash.
pub(super) fn statuses(
    snapshot: &dyn Snapshot,
    hashes: impl Iterator<Item = B256>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    each(snapshot, hashes, "", out)
}

/// Appends one status a transaction: included, or why it is not relayed.
pub(super) fn sent<'i>(
    snapshot: &dyn Snapshot,
    transactions: impl Iterator<Item = Transaction<'i>>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let hashes = transactions.map(|transaction| keccak::keccak256(transaction.canonical()).into());
    each(snapshot, hashes, NO_RELAY, out)
}

fn each(
    snapshot: &dyn Snapshot,
    hashes: impl Iterator<Item = B256>,
    unless_included: &str,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let mut answered = Answered::default();
    for hash in hashes {
        let status = match snapshot.transaction(&hash)? {
            Some(found) => {
                answered.found = answered.found.saturating_add(1);
                let (block_hash, block_number) = (found.block_hash, found.block_number);
                let lookup = TxLookup { block_hash, block_number, index: found.index };
                TxStatus { state: TxState::Included, lookup: Some(lookup), error: &[] }
            }
            None => TxStatus {
                state: TxState::Unknown,
                lookup: None,
                error: unless_included.as_bytes(),
            },
        };
        status.encode(out);
    }
    Ok(answered)
}
