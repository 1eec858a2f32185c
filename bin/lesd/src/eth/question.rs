//! What full nodes ask, and the answers from the store.

use alloy_primitives::B256;
use alloy_rlp::Encodable as _;
use chain_backend::{BackendError, Snapshot};
use eth_wire::{HeaderQuery, MessageKind, Query, RequestKind, SOFT_REPLY_BYTES, splice_reply};

use crate::{TransactionRelay, serve};

/// A request, cut to what is answered.
#[derive(Debug)]
pub(super) struct Question {
    id: u64,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    Headers(HeaderQuery),
    Bodies(Vec<B256>),
    PooledTransactions(Vec<B256>),
    Receipts(Vec<B256>),
    /// Answered empty: this is for a sync from states, which eth/66 alone has.
    NodeData,
}

impl Question {
    pub(super) fn new(id: u64, query: &Query<'_>) -> Self {
        let asked = match query {
            Query::Headers(walk) => Asked::Headers(*walk),
            Query::Bodies(hashes) => Asked::Bodies(hashes.iter().collect()),
            Query::PooledTransactions(hashes) => Asked::PooledTransactions(hashes.iter().collect()),
            Query::Receipts(hashes) => Asked::Receipts(hashes.iter().collect()),
            Query::NodeData(_) => Asked::NodeData,
        };
        Self { id, asked }
    }

    /// The reply and its payload. Reads, and may wait for the disk.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) fn answer(
        &self,
        snapshot: &dyn Snapshot,
        relay: &TransactionRelay,
    ) -> Result<(MessageKind, Vec<u8>), BackendError> {
        let mut items = Vec::new();
        let kind = match &self.asked {
            Asked::Headers(walk) => {
                let most = u64::try_from(RequestKind::Headers.item_limit()).unwrap_or(u64::MAX);
                serve::headers(snapshot, walk, walk.amount.min(most), &mut items)?;
                RequestKind::Headers
            }
            Asked::Bodies(hashes) => {
                serve::bodies(snapshot, hashes.iter().copied(), &mut items)?;
                RequestKind::Bodies
            }
            Asked::PooledTransactions(hashes) => {
                waiting(relay, hashes, &mut items);
                RequestKind::PooledTransactions
            }
            Asked::Receipts(hashes) => {
                serve::receipts(snapshot, hashes.iter().copied(), &mut items)?;
                RequestKind::Receipts
            }
            Asked::NodeData => RequestKind::NodeData,
        };
        let mut payload = Vec::new();
        splice_reply(self.id, &items, &mut payload);
        Ok((MessageKind::Reply(kind), payload))
    }
}

/// Appends the transactions that wait, in request order; others are left out.
fn waiting(relay: &TransactionRelay, hashes: &[B256], items: &mut Vec<u8>) {
    for hash in hashes {
        if items.len() >= SOFT_REPLY_BYTES {
            return;
        }
        let Some(canonical) = relay.get(hash) else { continue };
        match canonical.first() {
            // A legacy transaction is a list as it stands, a typed one goes into a byte string.
            Some(0xc0..) => items.extend_from_slice(&canonical),
            _ => canonical.as_ref().encode(items),
        }
    }
}
