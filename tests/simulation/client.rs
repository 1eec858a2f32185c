//! What clients do: they keep to their own estimate, or they do not care.

use std::collections::BTreeMap;

use flow_control::{Capacity, Cost, Mirror, Time};
use les_wire::{CostList, RequestKind};

use crate::link::Link;
use crate::random::Random;

const SECOND: u64 = 1_000_000_000;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) kind: RequestKind,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

/// How a client spends its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Habit {
    /// Now and then a few small requests.
    Wallet,
    /// Batches of 192 headers, some ahead, and then as a wallet.
    Sync,
    /// Quiet, then everything that the buffer pays for.
    Burst,
    /// As much as the buffer pays for, always.
    Greedy,
    /// More than the buffer pays for, always: breaks flow control.
    Flood,
}

/// A client and both directions of its connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) habit: Habit,
    pub(crate) up: Link,
    pub(crate) down: Link,
    mirror: Mirror,
    costs: CostList,
    /// Requests it has ahead of the replies.
    window: usize,
    pending: BTreeMap<u64, RequestKind>,
    batches_left: u64,
    next_id: u64,
    pub(crate) replies: u64,
}

impl Client {
    pub(crate) fn new(
        habit: Habit,
        random: &mut Random,
        capacity: Capacity,
        costs: CostList,
    ) -> Self {
        Self {
            habit,
            up: Link::new(random, 4_000),
            down: Link::new(random, 60_000),
            mirror: Mirror::new(capacity, Time(0)),
            costs,
            window: random.pick(&[1, 4, 16, 100]),
            pending: BTreeMap::new(),
            batches_left: random.between(20, 200),
            next_id: 0,
            replies: 0,
        }
    }

    pub(crate) fn conforms(&self) -> bool {
        self.habit != Habit::Flood
    }

    /// Requests without a reply.
    pub(crate) fn unanswered(&self) -> usize {
        self.pending.len()
    }

    /// Forgets the connection; the next one starts anew.
    pub(crate) fn reconnect(&mut self, capacity: Capacity, now: u64) {
        self.pending.clear();
        self.mirror = Mirror::new(capacity, Time(now));
    }

    /// What it sends now.
    pub(crate) fn ask(&mut self, now: u64, random: &mut Random) -> Vec<Ask> {
        let wanted = match self.habit {
            Habit::Wallet => random.between(1, 4),
            Habit::Sync | Habit::Greedy => 4,
            Habit::Burst => 100,
            Habit::Flood => 40,
        };
        (0..wanted).map_while(|_| self.next(now, random)).collect()
    }

    /// Until it acts again, in nanoseconds.
    pub(crate) fn pause(&self, random: &mut Random) -> u64 {
        match self.habit {
            Habit::Wallet => random.between(SECOND / 5, 5 * SECOND),
            Habit::Sync | Habit::Greedy => random.between(SECOND / 50, 2 * SECOND / 3),
            Habit::Burst => random.between(10 * SECOND, 60 * SECOND),
            Habit::Flood => random.between(SECOND / 10, SECOND),
        }
    }

    /// Takes a reply; false if nothing was asked under its number.
    pub(crate) fn received(&mut self, id: u64, buffer_value: Cost, now: u64) -> bool {
        self.mirror.received(id, buffer_value, Time(now));
        self.replies += 1;
        self.pending.remove(&id).is_some()
    }

    pub(crate) fn stopped(&mut self) {
        self.pending.clear();
    }

    pub(crate) fn resumed(&mut self, buffer_value: Cost, now: u64) {
        self.mirror.resumed(buffer_value, Time(now));
    }

    fn next(&mut self, now: u64, random: &mut Random) -> Option<Ask> {
        let (kind, items) = self.wish(random);
        let cost = Cost(self.costs.max_cost(kind, items)?);
        if self.conforms() {
            let full = self.pending.len() >= self.window;
            if full || self.mirror.wait(cost, Time(now)) != Some(0) {
                return None;
            }
        }
        self.next_id += 1;
        self.mirror.sent(self.next_id, cost, Time(now));
        self.pending.insert(self.next_id, kind);
        Some(Ask { id: self.next_id, kind, items, bytes: 30 + items * bytes_per_item(kind) })
    }

    fn wish(&mut self, random: &mut Random) -> (RequestKind, u64) {
        match self.habit {
            Habit::Sync if self.batches_left > 0 => {
                self.batches_left -= 1;
                (RequestKind::Headers, 192)
            }
            Habit::Sync => {
                self.habit = Habit::Wallet;
                (RequestKind::Headers, 1)
            }
            Habit::Wallet => (random.pick(&RequestKind::ALL), 1),
            Habit::Burst | Habit::Greedy | Habit::Flood => {
                let kind = random.pick(&RequestKind::ALL);
                let most = if random.once_in(2) { 4 } else { kind.item_limit() as u64 };
                (kind, random.between(1, most + 1))
            }
        }
    }
}

/// Bytes of a request for each item.
fn bytes_per_item(kind: RequestKind) -> u64 {
    match kind {
        RequestKind::Headers => 0,
        RequestKind::Bodies | RequestKind::Receipts | RequestKind::TxStatus => 33,
        RequestKind::Code | RequestKind::Proofs => 70,
        RequestKind::HelperTrieProofs => 15,
        RequestKind::SendTx => 120,
    }
}
