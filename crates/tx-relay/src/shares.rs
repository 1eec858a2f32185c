//! How much of the set each client uses, and whose transactions go when it is full.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;

use crate::Refusal;

/// Who brought a transaction. Whoever can have many names (an IPv6 network) must be one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client(pub u128);

/// What a transaction weighs besides its bytes: what is kept to find it. It also bounds the number
/// of transactions, which are all looked up at every head.
pub const ITEM_WEIGHT: usize = 2 * 1024;
/// Bytes and overhead of all transactions that wait: at most 8,192 of them, as many as two dozen
/// full blocks hold.
pub const MAX_WEIGHT: usize = 16 * 1024 * 1024;
/// The same for one client, however empty the set is.
pub const MAX_CLIENT_WEIGHT: usize = MAX_WEIGHT / 4;
/// The same for all transactions that are kept after they were included.
pub const MAX_INCLUDED_WEIGHT: usize = MAX_WEIGHT / 2;

#[derive(Debug, Default)]
struct Share {
    weight: usize,
    /// Its transactions in the order in which they came, each with its weight.
    arrivals: BTreeMap<u64, (B256, usize)>,
}

/// The books: every transaction that waits is in the share of one client.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    of: BTreeMap<Client, Share>,
    by_weight: BTreeSet<(usize, Client)>,
    total: usize,
}

/// A share while it is being planned what leaves it.
struct Reduced {
    weight: usize,
    taken: usize,
}

impl Shares {
    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn weight(&self, client: Client) -> usize {
        self.of.get(&client).map_or(0, |share| share.weight)
    }

    pub(crate) fn add(&mut self, client: Client, arrival: u64, hash: B256, weight: usize) {
        let share = self.of.entry(client).or_default();
        self.by_weight.remove(&(share.weight, client));
        share.arrivals.insert(arrival, (hash, weight));
        share.weight = share.weight.saturating_add(weight);
        self.by_weight.insert((share.weight, client));
        self.total = self.total.saturating_add(weight);
    }

    pub(crate) fn remove(&mut self, client: Client, arrival: u64) {
        let Some(share) = self.of.get_mut(&client) else { return };
        let Some((_, weight)) = share.arrivals.remove(&arrival) else { return };
        self.by_weight.remove(&(share.weight, client));
        share.weight = share.weight.saturating_sub(weight);
        self.total = self.total.saturating_sub(weight);
        if share.arrivals.is_empty() {
            self.of.remove(&client);
        } else {
            self.by_weight.insert((share.weight, client));
        }
    }

    /// What must leave so that `client` can bring `weight` more: again and again the newest of
    /// whoever uses most. Nobody loses anything to a client that uses as much as he does. What is
    /// replaced, `left`, is that of a client and has a weight.
    pub(crate) fn room_for(
        &self,
        client: Client,
        weight: usize,
        left: Option<(Client, usize)>,
    ) -> Result<Vec<B256>, Refusal> {
        let freed = left.map_or(0, |(_, weight)| weight);
        let own_freed = left.filter(|(of, _)| *of == client).map_or(0, |(_, weight)| weight);
        let own = self.weight(client).saturating_add(weight).saturating_sub(own_freed);
        if own > MAX_CLIENT_WEIGHT {
            return Err(Refusal::ClientFull);
        }
        let total = self.total.saturating_add(weight).saturating_sub(freed);
        let mut excess = total.saturating_sub(MAX_WEIGHT);
        let mut reduced: BTreeMap<Client, Reduced> = BTreeMap::new();
        let mut leaving = Vec::new();
        while excess > 0 {
            let whole = self.by_weight.iter().rev().find(|(_, of)| !reduced.contains_key(of));
            let partly = reduced.iter().map(|(of, share)| (share.weight, *of)).max();
            let heaviest = whole.copied().max(partly);
            let Some((heaviest, of)) = heaviest.filter(|(heaviest, _)| *heaviest > own) else {
                return Err(Refusal::Full);
            };
            let share = reduced.entry(of).or_insert(Reduced { weight: heaviest, taken: 0 });
            let arrivals = self.of.get(&of).map(|share| &share.arrivals);
            let newest = arrivals.and_then(|arrivals| arrivals.values().rev().nth(share.taken));
            let Some((hash, weight)) = newest else { return Err(Refusal::Full) };
            leaving.push(*hash);
            share.taken = share.taken.saturating_add(1);
            share.weight = share.weight.saturating_sub(*weight);
            excess = excess.saturating_sub(*weight);
        }
        Ok(leaving)
    }
}
