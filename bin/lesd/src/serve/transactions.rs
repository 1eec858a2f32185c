//! State of transactions: in the chain, waiting, or unknown.

use alloy_primitives::B256;
use chain_backend::{BackendError, Snapshot, TransactionLookup};
use les_wire::{Transaction, TxLookup, TxState, TxStatus};
use tx_relay::Position;

use super::Answered;
use crate::relay::{Origin, Outcome, TransactionRelay};

/// Appends one status a hash.
pub(super) fn statuses(
    snapshot: &dyn Snapshot,
    relay: &TransactionRelay,
    hashes: impl Iterator<Item = B256>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let mut answered = Answered::default();
    for hash in hashes {
        let status = match snapshot.transaction(&hash)? {
            Some(found) => included(&found),
            None => waiting(relay.status(&hash)),
        };
        answered.append(&status, out);
    }
    Ok(answered)
}

/// Takes the transactions, one by one, and appends one status each: where it is, or why it is not
/// relayed. One that is known is no error: clients send theirs again at every head.
pub(super) fn sent<'i>(
    snapshot: &dyn Snapshot,
    relay: &TransactionRelay,
    origin: Origin,
    transactions: impl Iterator<Item = Transaction<'i>>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let mut answered = Answered::default();
    for transaction in transactions {
        match relay.submit_at(snapshot, transaction.canonical(), origin)? {
            Outcome::Included(lookup) => answered.append(&included(&lookup), out),
            Outcome::Taken(position) | Outcome::Known(position) => {
                answered.append(&waiting(Some(position)), out);
            }
            Outcome::Refused(refusal) => {
                let text = refusal.to_string();
                let status =
                    TxStatus { state: TxState::Unknown, lookup: None, error: text.as_bytes() };
                answered.append(&status, out);
            }
        }
    }
    Ok(answered)
}

fn included(found: &TransactionLookup) -> TxStatus<'static> {
    let (block_hash, block_number) = (found.block_hash, found.block_number);
    let lookup = TxLookup { block_hash, block_number, index: found.index };
    TxStatus { state: TxState::Included, lookup: Some(lookup), error: &[] }
}

const fn waiting(position: Option<Position>) -> TxStatus<'static> {
    let state = match position {
        None => TxState::Unknown,
        Some(Position::Queued) => TxState::Queued,
        Some(Position::Pending) => TxState::Pending,
    };
    TxStatus { state, lookup: None, error: &[] }
}

impl Answered {
    fn append(&mut self, status: &TxStatus<'_>, out: &mut Vec<u8>) {
        status.encode(out);
        if status.state != TxState::Unknown {
            self.found = self.found.saturating_add(1);
        }
    }
}
