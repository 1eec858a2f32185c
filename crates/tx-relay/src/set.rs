//! The set: what waits, for whom, and in which order it came.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_primitives::{Address, B256};

use crate::{
    AccountFacts, Client, ITEM_WEIGHT, Refusal, RelayTransaction, Rules, UnixSeconds,
    sender::SenderQueue, shares::Shares,
};

/// Seconds after which a transaction that nobody sent again is forgotten (go-ethereum, `Lifetime`).
pub const EXPIRY: u64 = 3 * 60 * 60;
/// Seconds after which a transaction is offered to the network once more.
pub const REOFFER: u64 = 10 * 60;
/// Seconds by which a transaction must have been sent again later for that to be written to the
/// file: each time would be at every head.
const NOTED: u64 = REOFFER;

/// Whether the next block could take a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// One before it is missing.
    Queued,
    /// It is next, or all before it are pending.
    Pending,
}

/// What the set knows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits.
    Waiting(Position),
    /// A block of the chain that was followed last has it.
    Included,
}

/// A pending transaction as it is announced to full nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Rises with every offer.
    pub number: u64,
    /// Hash of the transaction.
    pub hash: B256,
    /// Type of the transaction (EIP-2718).
    pub kind: u8,
    /// Length of its canonical form in bytes.
    pub bytes: usize,
}

/// A transaction that waits.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) transaction: Arc<RelayTransaction>,
    pub(crate) client: Client,
    pub(crate) arrival: u64,
    /// When it was last sent to us.
    pub(crate) seen: UnixSeconds,
    /// While it is pending: the number of its offer, and since when.
    pub(crate) offer: Option<(u64, UnixSeconds)>,
}

/// A transaction that a block of the chain has.
#[derive(Debug)]
pub(crate) struct IncludedEntry {
    pub(crate) transaction: Arc<RelayTransaction>,
    pub(crate) client: Client,
    pub(crate) seen: UnixSeconds,
    pub(crate) block: u64,
}

/// Transactions on their way into a block.
#[derive(Debug, Default)]
pub struct RelaySet {
    pub(crate) waiting: BTreeMap<B256, Entry>,
    pub(crate) senders: BTreeMap<Address, SenderQueue>,
    pub(crate) shares: Shares,
    pub(crate) offers: BTreeMap<u64, B256>,
    pub(crate) included: BTreeMap<B256, IncludedEntry>,
    pub(crate) included_order: BTreeSet<(u64, B256)>,
    pub(crate) included_weight: usize,
    /// The sender that is checked first at the next head.
    pub(crate) cursor: Address,
    numbers: u64,
    pub(crate) changes: u64,
}

impl RelaySet {
    /// Takes a transaction, or says why not. `facts` are those of its sender. One that waits
    /// already is no error: clients send theirs at every head until it is included.
    ///
    /// # Errors
    /// If the transaction breaks a rule or there is no room for it; nothing is changed then.
    pub fn submit(
        &mut self,
        transaction: Arc<RelayTransaction>,
        client: Client,
        facts: AccountFacts,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<Position, Refusal> {
        let hash = transaction.hash();
        if let Some(position) = self.renew(&hash, client, now) {
            return Ok(position);
        }
        rules.check(&transaction)?;
        if transaction.nonce() < facts.nonce {
            return Err(Refusal::NonceTooLow);
        }
        if transaction.cost() > facts.balance {
            return Err(Refusal::InsufficientFunds);
        }
        rules.check_gas(&transaction)?;
        let sender = transaction.sender();
        let queue = self.senders.entry(sender).or_default();
        queue.facts = facts;
        let checked = queue.check(&transaction);
        let room = checked.and_then(|leaves| {
            let leaving = leaves.and_then(|nonce| self.waits_at(&sender, nonce));
            let left = leaving.map(|entry| (entry.client, weight(&entry.transaction)));
            let others = self.shares.room_for(client, weight(&transaction), left)?;
            Ok((leaving.map(|entry| entry.transaction.hash()), others))
        });
        let (leaving, others) = match room {
            Ok(room) => room,
            Err(refusal) => {
                self.settle(sender, now);
                return Err(refusal);
            }
        };
        for other in others {
            self.remove(&other, now);
        }
        if let Some(leaving) = leaving {
            self.remove(&leaving, now);
        }
        self.insert(transaction, client, facts, now);
        self.settle(sender, now);
        Ok(self.position(&hash).unwrap_or(Position::Queued))
    }

    /// Notes that a client sent a transaction again that waits already, and says where it stands.
    /// If another client uses less than the one that brought it, it counts as that one's from now
    /// on: whoever is first with a copy cannot make it share his fate.
    pub fn renew(&mut self, hash: &B256, client: Client, now: UnixSeconds) -> Option<Position> {
        let entry = self.waiting.get_mut(hash)?;
        if entry.seen.0.saturating_add(NOTED) <= now.0 {
            self.changes = self.changes.wrapping_add(1);
        }
        entry.seen = entry.seen.max(now);
        let weight = weight(&entry.transaction);
        let lighter = self.shares.weight(client).saturating_add(weight);
        if client != entry.client && lighter < self.shares.weight(entry.client) {
            self.shares.remove(entry.client, entry.arrival);
            self.shares.add(client, entry.arrival, *hash, weight);
            entry.client = client;
            self.changes = self.changes.wrapping_add(1);
        }
        self.position(hash)
    }

    fn insert(
        &mut self,
        transaction: Arc<RelayTransaction>,
        client: Client,
        facts: AccountFacts,
        now: UnixSeconds,
    ) {
        let (hash, arrival) = (transaction.hash(), self.number());
        let queue = self.senders.entry(transaction.sender()).or_default();
        queue.facts = facts;
        queue.items.insert(transaction.nonce(), Arc::clone(&transaction));
        self.shares.add(client, arrival, hash, weight(&transaction));
        let entry = Entry { transaction, client, arrival, seen: now, offer: None };
        self.waiting.insert(hash, entry);
        self.changes = self.changes.wrapping_add(1);
    }

    /// Takes a transaction out, and queues those that came after it.
    pub(crate) fn remove(&mut self, hash: &B256, now: UnixSeconds) -> Option<Entry> {
        let entry = self.waiting.remove(hash)?;
        let sender = entry.transaction.sender();
        self.shares.remove(entry.client, entry.arrival);
        if let Some((number, _)) = entry.offer {
            self.offers.remove(&number);
        }
        if let Some(queue) = self.senders.get_mut(&sender) {
            queue.items.remove(&entry.transaction.nonce());
        }
        self.settle(sender, now);
        self.changes = self.changes.wrapping_add(1);
        Some(entry)
    }

    /// Makes what follows the account's nonce without a gap pending, and everything else queued.
    pub(crate) fn settle(&mut self, sender: Address, now: UnixSeconds) {
        let Some(queue) = self.senders.get(&sender) else { return };
        if queue.items.is_empty() {
            self.senders.remove(&sender);
            return;
        }
        let mut next = Some(queue.facts.nonce);
        for (nonce, transaction) in &queue.items {
            let hash = transaction.hash();
            let Some(entry) = self.waiting.get_mut(&hash) else { continue };
            let is_next = next == Some(*nonce);
            next = if is_next { nonce.checked_add(1) } else { None };
            match entry.offer {
                None if is_next => {
                    self.numbers = self.numbers.saturating_add(1);
                    entry.offer = Some((self.numbers, now));
                    self.offers.insert(self.numbers, hash);
                }
                Some((number, _)) if !is_next => {
                    entry.offer = None;
                    self.offers.remove(&number);
                }
                None | Some(_) => {}
            }
        }
    }

    /// Forgets what expired, and offers once more what was offered long ago.
    pub fn age(&mut self, now: UnixSeconds) {
        let old = |since: UnixSeconds, seconds| since.0.saturating_add(seconds) <= now.0;
        let expired: Vec<B256> = self
            .waiting
            .iter()
            .filter(|(_, entry)| old(entry.seen, EXPIRY))
            .map(|(hash, _)| *hash)
            .collect();
        for hash in expired {
            self.remove(&hash, now);
        }
        for (hash, entry) in &mut self.waiting {
            let Some((number, _)) = entry.offer.filter(|(_, since)| old(*since, REOFFER)) else {
                continue;
            };
            self.offers.remove(&number);
            self.numbers = self.numbers.saturating_add(1);
            self.offers.insert(self.numbers, *hash);
            entry.offer = Some((self.numbers, now));
        }
    }

    /// What waits with this nonce.
    fn waits_at(&self, sender: &Address, nonce: u64) -> Option<&Entry> {
        self.waiting.get(&self.senders.get(sender)?.items.get(&nonce)?.hash())
    }

    const fn number(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    fn position(&self, hash: &B256) -> Option<Position> {
        let entry = self.waiting.get(hash)?;
        Some(if entry.offer.is_some() { Position::Pending } else { Position::Queued })
    }

    /// What the set knows of a transaction.
    #[must_use]
    pub fn standing(&self, hash: &B256) -> Option<Standing> {
        match self.position(hash) {
            Some(position) => Some(Standing::Waiting(position)),
            None => self.included.contains_key(hash).then_some(Standing::Included),
        }
    }

    /// A transaction that waits.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<&Arc<RelayTransaction>> {
        self.waiting.get(hash).map(|entry| &entry.transaction)
    }

    /// The nonce behind the last pending transaction of a sender; `None` if none of his waits.
    #[must_use]
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        let queue = self.senders.get(sender)?;
        let mut next = queue.facts.nonce;
        for nonce in queue.items.keys() {
            if *nonce != next {
                break;
            }
            next = next.checked_add(1)?;
        }
        Some(next)
    }

    /// Offers with a higher number than `after`, oldest first, at most `limit`.
    #[must_use]
    pub fn offers_since(&self, after: u64, limit: usize) -> Vec<Offer> {
        let newer = self.offers.range(after.saturating_add(1)..).take(limit);
        newer
            .filter_map(|(number, hash)| {
                let transaction = &self.waiting.get(hash)?.transaction;
                let (kind, bytes) = (transaction.kind(), transaction.canonical().len());
                Some(Offer { number: *number, hash: *hash, kind, bytes })
            })
            .collect()
    }

    /// The number of the newest offer.
    #[must_use]
    pub fn last_offer(&self) -> u64 {
        self.offers.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// How many transactions are pending, and how many queued.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let pending = self.offers.len();
        (pending, self.waiting.len().saturating_sub(pending))
    }

    /// Bytes and overhead of everything that waits, as [`MAX_WEIGHT`](crate::MAX_WEIGHT) counts.
    #[must_use]
    pub const fn total_weight(&self) -> usize {
        self.shares.total()
    }

    /// The same for one client.
    #[must_use]
    pub fn client_weight(&self, client: Client) -> usize {
        self.shares.weight(client)
    }

    /// Another number after every change of what [`RelaySet::saved`] gives.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }
}

/// What a transaction uses of the set.
pub(crate) fn weight(transaction: &RelayTransaction) -> usize {
    transaction.canonical().len().saturating_add(ITEM_WEIGHT)
}
