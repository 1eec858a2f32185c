//! Requests as the client makes them.

use alloy_primitives::B256;
use les_wire::{
    CodeQuery, CostList, HeaderQuery, HelperTrieQuery, ProofQuery, RequestKind, Transaction,
    encode_header_request, encode_request,
};

/// A request to be sent.
#[derive(Clone, Copy, Debug)]
pub enum NewRequest<'a> {
    /// Headers along the chain.
    Headers(HeaderQuery),
    /// Bodies of the blocks with these hashes.
    Bodies(&'a [B256]),
    /// Receipts of the blocks with these hashes.
    Receipts(&'a [B256]),
    /// Codes of contracts.
    Code(&'a [CodeQuery<'a>]),
    /// Proofs in the state.
    Proofs(&'a [ProofQuery<'a>]),
    /// Proofs in the helper tries.
    HelperTrieProofs(&'a [HelperTrieQuery<'a>]),
    /// Transactions to relay.
    SendTx(&'a [Transaction<'a>]),
    /// State of the transactions with these hashes.
    TxStatus(&'a [B256]),
}

/// Bytes of transactions that count as one item, if that is more than there are transactions;
/// go-ethereum's `txSizeCostLimit`.
const TRANSACTION_BYTES_PER_ITEM: u64 = 16_384;

impl NewRequest<'_> {
    /// Its kind.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Headers(_) => RequestKind::Headers,
            Self::Bodies(_) => RequestKind::Bodies,
            Self::Receipts(_) => RequestKind::Receipts,
            Self::Code(_) => RequestKind::Code,
            Self::Proofs(_) => RequestKind::Proofs,
            Self::HelperTrieProofs(_) => RequestKind::HelperTrieProofs,
            Self::SendTx(_) => RequestKind::SendTx,
            Self::TxStatus(_) => RequestKind::TxStatus,
        }
    }

    /// How many items it asks for.
    pub fn items(&self) -> u64 {
        let count = match self {
            Self::Headers(query) => return query.amount,
            Self::Bodies(hashes) | Self::Receipts(hashes) | Self::TxStatus(hashes) => hashes.len(),
            Self::Code(queries) => queries.len(),
            Self::Proofs(queries) => queries.len(),
            Self::HelperTrieProofs(queries) => queries.len(),
            Self::SendTx(transactions) => transactions.len(),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// Most that it can cost by the server's table, in cost units; `None` if the server does not
    /// serve it. Large transactions count for more than one, as in go-ethereum's client.
    pub fn max_cost(&self, costs: &CostList) -> Option<u64> {
        let by_count = costs.max_cost(self.kind(), self.items())?;
        let Self::SendTx(transactions) = self else { return Some(by_count) };
        let bytes: usize = transactions.iter().map(|tx| tx.canonical().len()).sum();
        let row = costs.get(RequestKind::SendTx)?;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let by_size = row.per_item.saturating_mul(bytes) / TRANSACTION_BYTES_PER_ITEM;
        Some(by_count.max(row.base.saturating_add(by_size)))
    }

    /// Appends the payload.
    pub(crate) fn encode(&self, id: u64, out: &mut Vec<u8>) {
        match self {
            Self::Headers(query) => encode_header_request(id, query, out),
            Self::Bodies(hashes) | Self::Receipts(hashes) | Self::TxStatus(hashes) => {
                encode_request(id, hashes, out);
            }
            Self::Code(queries) => encode_request(id, queries, out),
            Self::Proofs(queries) => encode_request(id, queries, out),
            Self::HelperTrieProofs(queries) => encode_request(id, queries, out),
            Self::SendTx(transactions) => encode_request(id, transactions, out),
        }
    }
}
