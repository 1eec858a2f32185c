//! What a block can take, in the order in which it should.

use std::{collections::BinaryHeap, sync::Arc};

use alloy_consensus::Transaction as _;
use alloy_primitives::Address;

use crate::{RelaySet, RelayTransaction};

/// Gas of the cheapest transaction (Yellow Paper, appendix G).
const LEAST_GAS: u64 = 21_000;

/// The next transaction of a sender. The greatest is the one to take.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    tip: u128,
    /// Of two equal tips the older one is greater.
    age: std::cmp::Reverse<u64>,
    sender: Address,
    nonce: u64,
}

impl RelaySet {
    /// Pending transactions that pay a base fee, best tip first, each sender's in the order of his
    /// nonces: no more than a block with this gas limit could hold if they all were the cheapest.
    #[must_use]
    pub fn executable(&self, gas_limit: u64, base_fee: u64) -> Vec<Arc<RelayTransaction>> {
        let most = usize::try_from(gas_limit / LEAST_GAS).unwrap_or(usize::MAX);
        let next = |sender: Address, nonce: u64| {
            let transaction = self.senders.get(&sender)?.items.get(&nonce)?;
            let arrival = self.waiting.get(&transaction.hash())?.arrival;
            let tip = transaction.tip(base_fee)?;
            let fits = transaction.transaction().gas_limit() <= gas_limit;
            fits.then_some(Next { tip, age: std::cmp::Reverse(arrival), sender, nonce })
        };
        let firsts = self.senders.iter();
        let mut heap: BinaryHeap<Next> =
            firsts.filter_map(|(sender, queue)| next(*sender, queue.facts.nonce)).collect();
        let mut chosen = Vec::new();
        while let Some(Next { sender, nonce, .. }) = heap.pop().filter(|_| chosen.len() < most) {
            let queue = self.senders.get(&sender);
            chosen.extend(queue.and_then(|queue| queue.items.get(&nonce)).map(Arc::clone));
            heap.extend(nonce.checked_add(1).and_then(|nonce| next(sender, nonce)));
        }
        chosen
    }
}
