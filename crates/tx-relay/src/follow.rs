//! The chain moves: transactions are included, return from blocks that were left, and nonces
//! advance.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256};

use crate::{
    AccountFacts, Client, MAX_INCLUDED_WEIGHT, RelaySet, RelayTransaction, Rules, UnixSeconds,
    set::{IncludedEntry, weight},
};

/// Blocks after which an included transaction is forgotten: as deep as a reorganisation can go.
const KEPT_BLOCKS: u64 = 128;
/// Senders whose accounts are read at every head beside those that the blocks show: an account may
/// change without a transaction that this set knew. 256 reads take a few milliseconds; what is
/// missed at one head is seen at one of the next.
const CHECKED_SENDERS: usize = 256;

/// What the caller read of the chain, all of one snapshot.
#[derive(Clone, Debug)]
pub struct ChainView {
    /// Number of the head.
    pub head: u64,
    /// Rules of the block after it.
    pub rules: Rules,
    /// For each hash of [`RelaySet::watched`]: the number of the canonical block that has it.
    pub places: BTreeMap<B256, Option<u64>>,
    /// The accounts of [`RelaySet::senders_to_check`].
    pub facts: BTreeMap<Address, AccountFacts>,
}

/// What a new head changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Transactions that the chain has now.
    pub included: usize,
    /// Transactions of blocks that were left, which wait again.
    pub returned: usize,
    /// Transactions that no block will take any more.
    pub dropped: usize,
}

impl RelaySet {
    /// The transactions whose place in the chain decides what becomes of them.
    #[must_use]
    pub fn watched(&self) -> Vec<B256> {
        self.waiting.keys().chain(self.included.keys()).copied().collect()
    }

    /// The senders whose accounts [`RelaySet::follow`] needs: those of transactions that were
    /// included or returned, and some others in turn.
    pub fn senders_to_check(&mut self, places: &BTreeMap<B256, Option<u64>>) -> Vec<Address> {
        let mut senders = BTreeSet::new();
        for (hash, place) in places {
            let sender = match place {
                Some(_) => self.waiting.get(hash).map(|entry| entry.transaction.sender()),
                None => self.included.get(hash).map(|entry| entry.transaction.sender()),
            };
            senders.extend(sender);
        }
        let after = self.senders.range((Excluded(self.cursor), Unbounded));
        let before = self.senders.range(..=self.cursor);
        let turn: Vec<Address> =
            after.chain(before).map(|(sender, _)| *sender).take(CHECKED_SENDERS).collect();
        self.cursor = turn.last().copied().unwrap_or_default();
        senders.extend(turn);
        senders.into_iter().collect()
    }

    /// Goes along with the chain.
    pub fn follow(&mut self, view: &ChainView, now: UnixSeconds) -> Followed {
        let mut followed = Followed::default();
        for (hash, place) in &view.places {
            if let Some(block) = *place {
                followed.included =
                    followed.included.saturating_add(self.include(hash, block, now));
            }
        }
        let left: Vec<B256> = view
            .places
            .iter()
            .filter(|(_, place)| place.is_none())
            .map(|(hash, _)| *hash)
            .collect();
        for hash in left {
            let Some(entry) = self.forget_included(&hash) else { continue };
            let sender = entry.transaction.sender();
            let facts = view.facts.get(&sender).copied().unwrap_or_default();
            let (client, seen) = (entry.client, entry.seen);
            match self.submit(entry.transaction, client, facts, &view.rules, seen.max(now)) {
                Ok(_) => followed.returned = followed.returned.saturating_add(1),
                Err(_) => followed.dropped = followed.dropped.saturating_add(1),
            }
        }
        for (sender, facts) in &view.facts {
            let dropped = self.check_sender(*sender, *facts, &view.rules, now);
            followed.dropped = followed.dropped.saturating_add(dropped);
        }
        self.bound_included(view.head);
        self.age(now);
        followed
    }

    /// A block has this transaction. Returns how many stopped waiting for that.
    fn include(&mut self, hash: &B256, block: u64, now: UnixSeconds) -> usize {
        if let Some(known) = self.included.get_mut(hash) {
            self.included_order.remove(&(known.block, *hash));
            self.included_order.insert((block, *hash));
            known.block = block;
            return 0;
        }
        let Some(entry) = self.remove(hash, now) else { return 0 };
        self.restore_included(entry.transaction, entry.client, entry.seen, block);
        1
    }

    /// Keeps a transaction that was saved, and that the chain has in this block, for the case that
    /// the block is left.
    pub fn restore_included(
        &mut self,
        transaction: Arc<RelayTransaction>,
        client: Client,
        seen: UnixSeconds,
        block: u64,
    ) {
        let hash = transaction.hash();
        self.changes = self.changes.wrapping_add(1);
        self.included_weight = self.included_weight.saturating_add(weight(&transaction));
        self.included.insert(hash, IncludedEntry { transaction, client, seen, block });
        self.included_order.insert((block, hash));
    }

    fn forget_included(&mut self, hash: &B256) -> Option<IncludedEntry> {
        let entry = self.included.remove(hash)?;
        self.included_order.remove(&(entry.block, *hash));
        self.included_weight = self.included_weight.saturating_sub(weight(&entry.transaction));
        self.changes = self.changes.wrapping_add(1);
        Some(entry)
    }

    /// The oldest go first.
    fn bound_included(&mut self, head: u64) {
        while let Some((block, hash)) = self.included_order.first().copied() {
            let is_deep = block.saturating_add(KEPT_BLOCKS) < head;
            if !is_deep && self.included_weight <= MAX_INCLUDED_WEIGHT {
                break;
            }
            self.forget_included(&hash);
        }
    }

    /// Drops what the account makes impossible; returns how many.
    fn check_sender(
        &mut self,
        sender: Address,
        facts: AccountFacts,
        rules: &Rules,
        now: UnixSeconds,
    ) -> usize {
        let Some(queue) = self.senders.get_mut(&sender) else { return 0 };
        queue.facts = facts;
        let impossible: Vec<B256> = queue
            .items
            .iter()
            .filter(|(nonce, transaction)| {
                **nonce < facts.nonce
                    || transaction.cost() > facts.balance
                    || transaction.transaction().gas_limit() > rules.gas_limit
            })
            .map(|(_, transaction)| transaction.hash())
            .collect();
        for hash in &impossible {
            self.remove(hash, now);
        }
        self.settle(sender, now);
        impossible.len()
    }
}
