//! Waiting transactions, told to one full node.

use alloy_primitives::B256;
use eth_sync::PeerId;
use eth_wire::{MessageKind, RawTransaction, Version, encode_pooled_hashes, encode_transactions};

use super::Eth;
use crate::TransactionRelay;

/// A longer transaction is only announced, in bytes (go-ethereum `txMaxBroadcastSize`).
const WHOLE_BYTES: usize = 4096;
/// Bytes of transactions in one message (go-ethereum `maxTxPacketSize`).
const PACKET_BYTES: usize = 100 * 1024;
/// Transactions told of at once; the others follow when these are sent.
const AT_ONCE: usize = 1024;

/// How far one full node was told.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// Number of the last offer that it was told.
    told: u64,
}

impl Offers {
    /// The next messages, and whether there may be more. As in go-ethereum, the square root of
    /// all full nodes get a transaction whole, the others its hash.
    pub(super) fn next(
        &mut self,
        eth: &Eth,
        peer: PeerId,
        version: Version,
        relay: &TransactionRelay,
    ) -> (Vec<(MessageKind, Vec<u8>)>, bool) {
        let offers = relay.hashes(self.told, AT_ONCE);
        let is_full = offers.len() >= AT_ONCE;
        let Some(last) = offers.last() else { return (Vec::new(), false) };
        self.told = last.number;
        let (rank, nodes) = rank(eth, peer);
        let (mut whole, mut whole_bytes, mut hashes) = (Vec::new(), 0, Vec::new());
        for offer in offers {
            let fits = offer.bytes <= WHOLE_BYTES && whole_bytes + offer.bytes <= PACKET_BYTES;
            if fits
                && gets_whole(rank, nodes, &offer.hash)
                && let Some(canonical) = relay.get(&offer.hash)
            {
                whole_bytes += offer.bytes;
                whole.push(canonical);
            } else {
                hashes.push((offer.hash, offer.kind, u64::try_from(offer.bytes).unwrap_or(0)));
            }
        }
        let mut messages = Vec::new();
        if !whole.is_empty() {
            let mut payload = Vec::new();
            encode_transactions(whole.iter().map(|it| RawTransaction::new(it)), &mut payload);
            messages.push((MessageKind::Transactions, payload));
        }
        if !hashes.is_empty() {
            let mut payload = Vec::new();
            encode_pooled_hashes(version, &hashes, &mut payload);
            messages.push((MessageKind::NewPooledTransactionHashes, payload));
        }
        (messages, is_full)
    }
}

/// Which of how many full nodes this is.
fn rank(eth: &Eth, peer: PeerId) -> (u64, u64) {
    let open = eth.open.lock();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    (count(open.range(..peer).count()), count(open.len()))
}

/// Whether the node of this rank gets a transaction whole. The hash decides whose turn it is.
fn gets_whole(rank: u64, nodes: u64, hash: &B256) -> bool {
    let nodes = nodes.max(1);
    let turn = u64::from_be_bytes(hash.0.first_chunk().copied().unwrap_or_default());
    let square_root = nodes.isqrt();
    let whole = square_root + u64::from(square_root.saturating_mul(square_root) < nodes);
    rank.wrapping_add(turn % nodes) % nodes < whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_root_of_all_nodes_get_a_transaction_whole() {
        for (nodes, expected) in [(1, 1), (2, 2), (3, 2), (4, 2), (9, 3), (10, 4), (16, 4)] {
            for first in [0, 7, 255] {
                let hash = B256::repeat_byte(first);
                let whole = (0..nodes).filter(|&rank| gets_whole(rank, nodes, &hash)).count();
                assert_eq!(whole, expected, "{nodes} nodes");
            }
        }
    }
}
