//! Answers: one request, one snapshot of the chain, the items of the reply.

mod blocks;
mod headers;
mod helper_tries;
mod state;
mod transactions;

use chain_backend::{BackendError, Snapshot};
use les_wire::{Query, Request};

pub(crate) use self::{
    blocks::{bodies, receipts},
    headers::headers,
};

use crate::relay::{Origin, TransactionRelay};

/// A reply is complete once it is this long, in bytes; the item that crosses it is still in
/// (go-ethereum's soft response limit).
const SOFT_REPLY_LIMIT: usize = 2 * 1024 * 1024;

/// How many items of a request were there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Items in the reply.
    pub(crate) found: u32,
    /// Items that an honest client of this chain would not have asked for.
    pub(crate) invalid: u32,
}

impl Answered {
    const fn count(&mut self, found: bool) {
        if found {
            self.found = self.found.saturating_add(1);
        } else {
            self.invalid = self.invalid.saturating_add(1);
        }
    }
}

/// Appends the items of the reply to a `request`, as the payload of the reply's list; `origin` says
/// who asks.
///
/// A request for more items than its limit is answered up to the limit.
///
/// # Errors
/// If the store fails; `out` may hold some items then.
pub(crate) fn answer(
    snapshot: &dyn Snapshot,
    relay: &TransactionRelay,
    origin: impl FnOnce() -> Origin,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    match &request.query {
        Query::Headers(walk) => {
            let found = headers(snapshot, walk, request.items_within_limit(), out)?;
            Ok(Answered { found: u32::try_from(found).unwrap_or(u32::MAX), invalid: 0 })
        }
        Query::Bodies(hashes) => bodies(snapshot, hashes.iter(), out),
        Query::Receipts(hashes) => receipts(snapshot, hashes.iter(), out),
        Query::Code(items) => state::codes(snapshot, items.iter(), out),
        Query::Proofs(items) => state::proofs(snapshot, items.iter(), out),
        Query::HelperTrieProofs(items) => {
            helper_tries::helper_trie_proofs(snapshot, items.iter(), out)
        }
        Query::SendTx(transactions) => {
            transactions::sent(snapshot, relay, origin(), transactions.iter(), out)
        }
        Query::TxStatus(hashes) => transactions::statuses(snapshot, relay, hashes.iter(), out),
    }
}
