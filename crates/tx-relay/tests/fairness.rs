//! Who sends much loses before who sends little: by a plain reference that looks at everything.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what goes wrong here fails a test"
)]

mod support;

use std::collections::BTreeMap;

use alloy_primitives::B256;
use proptest::prelude::*;
use support::{GWEI, NOW, RULES, client, plain, rich};
use tx_relay::{Client, ITEM_WEIGHT, MAX_CLIENT_WEIGHT, MAX_WEIGHT, Position, Refusal, RelaySet};

/// Bytes of data that make few transactions fill the set.
const LARGE: usize = 127 * 1024;

/// A list of what waits, in the order in which it came.
#[derive(Default)]
struct Reference {
    waiting: Vec<(B256, Client, usize)>,
}

impl Reference {
    fn weight(&self, client: Client) -> usize {
        let mine = self.waiting.iter().filter(|(_, of, _)| *of == client);
        mine.map(|(_, _, weight)| weight).sum()
    }

    fn submit(&mut self, hash: B256, client: Client, weight: usize) -> Result<(), Refusal> {
        if let Some(at) = self.waiting.iter().position(|(known, ..)| *known == hash) {
            if self.weight(client) + weight < self.weight(self.waiting[at].1) {
                self.waiting[at].1 = client;
            }
            return Ok(());
        }
        let own = self.weight(client) + weight;
        if own > MAX_CLIENT_WEIGHT {
            return Err(Refusal::ClientFull);
        }
        let before = self.waiting.clone();
        while self.waiting.iter().map(|(_, _, weight)| weight).sum::<usize>() + weight > MAX_WEIGHT
        {
            let mut weights: BTreeMap<Client, usize> = BTreeMap::new();
            for (_, of, weight) in &self.waiting {
                *weights.entry(*of).or_default() += weight;
            }
            let (heaviest, of) = weights.into_iter().map(|(of, all)| (all, of)).max().unwrap();
            if heaviest <= own {
                self.waiting = before;
                return Err(Refusal::Full);
            }
            let newest = self.waiting.iter().rposition(|(_, client, _)| *client == of).unwrap();
            self.waiting.remove(newest);
        }
        self.waiting.push((hash, client, weight));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_set_keeps_what_the_reference_keeps(
        events in prop::collection::vec((0..9u128, 0..260u64, 0..4usize), 1..420)
    ) {
        let mut set = RelaySet::default();
        let mut reference = Reference::default();
        for (number, from, size) in events {
            // Client 0 sends a third of everything; each sender has one transaction.
            let client = client(number.saturating_sub(2));
            let transaction = plain(from, 0, GWEI, LARGE / 4 * (size + 1));
            let (hash, bytes) = (transaction.hash(), transaction.canonical().len());
            if set.standing(&hash).is_none() && set.next_nonce(&transaction.sender()).is_some() {
                continue; // Another size of the same sender: that would be a replacement.
            }
            let expected = reference.submit(hash, client, bytes + ITEM_WEIGHT);
            let found = set.submit(transaction, client, rich(0), &RULES, NOW);
            prop_assert_eq!(found, expected.map(|()| Position::Pending));
            let total: usize = reference.waiting.iter().map(|(_, _, weight)| weight).sum();
            prop_assert_eq!(set.total_weight(), total);
            prop_assert!(total <= MAX_WEIGHT);
            prop_assert!(set.client_weight(client) <= MAX_CLIENT_WEIGHT);
        }
        let mut kept: Vec<B256> = reference.waiting.iter().map(|(hash, ..)| *hash).collect();
        kept.sort();
        prop_assert_eq!(set.watched(), kept);
    }
}

#[test]
fn a_flood_of_some_clients_leaves_a_quiet_one_alone() {
    let mut set = RelaySet::default();
    let quiet = client(1_000);
    let own = plain(1, 0, GWEI, 0);
    set.submit(own.clone(), quiet, rich(0), &RULES, NOW).unwrap();
    let mut taken = 0;
    for number in 0..20_000u64 {
        let flood = plain(10 + number, 0, 100 * GWEI, 0);
        let from = client(u128::from(number % 7));
        taken += usize::from(set.submit(flood, from, rich(0), &RULES, NOW).is_ok());
    }
    assert!(taken > 5_000, "the flood filled the set: {taken}");
    assert!(set.total_weight() > MAX_WEIGHT - 2 * ITEM_WEIGHT);
    assert!(set.get(&own.hash()).is_some(), "it paid a hundredth, and came first");
    let later = plain(2, 0, GWEI, 0);
    let taken = set.submit(later, quiet, rich(0), &RULES, NOW);
    assert_eq!(taken, Ok(Position::Pending), "a full set has room for it");
    let another = set.submit(plain(3, 0, GWEI, 0), client(2_000), rich(0), &RULES, NOW);
    assert_eq!(another, Ok(Position::Pending), "and for somebody who comes later");
    assert!(set.total_weight() <= MAX_WEIGHT);
    let more = set.submit(plain(99_999, 0, 1_000 * GWEI, 0), client(0), rich(0), &RULES, NOW);
    assert_eq!(more, Err(Refusal::Full), "the price buys no place");
}

#[test]
fn one_client_alone_has_a_quarter() {
    let mut set = RelaySet::default();
    let refused = (0..200)
        .map(|from| set.submit(plain(from, 0, GWEI, LARGE), client(1), rich(0), &RULES, NOW))
        .find_map(Result::err);
    assert_eq!(refused, Some(Refusal::ClientFull));
    assert!(set.total_weight() > MAX_CLIENT_WEIGHT - LARGE - 2 * ITEM_WEIGHT);
}

#[test]
fn a_client_without_room_may_raise_the_price_of_its_own() {
    let mut set = RelaySet::default();
    let taken = (0..200)
        .take_while(|from| {
            set.submit(plain(*from, 0, GWEI, LARGE), client(1), rich(0), &RULES, NOW).is_ok()
        })
        .count();
    assert!(taken > 10, "{taken} is no full share");
    let weight = set.total_weight();
    let raised = set.submit(plain(3, 0, 2 * GWEI, LARGE), client(1), rich(0), &RULES, NOW);
    assert_eq!(raised, Ok(Position::Pending));
    assert_eq!(set.total_weight(), weight);
    let other = set.submit(plain(3, 1, GWEI, LARGE), client(1), rich(0), &RULES, NOW);
    assert_eq!(other, Err(Refusal::ClientFull), "one more is one too many");
}

#[test]
fn whoever_copies_another_one_first_cannot_take_it_down_with_him() {
    let mut set = RelaySet::default();
    let (copier, owner) = (client(1), client(2));
    let transaction = plain(1, 0, GWEI, 0);
    for from in 2..40 {
        set.submit(plain(from, 0, GWEI, LARGE), copier, rich(0), &RULES, NOW).ok();
    }
    let full = set.submit(transaction.clone(), copier, rich(0), &RULES, NOW);
    assert_eq!(full, Ok(Position::Pending));
    let weight = set.client_weight(copier);
    set.submit(transaction, owner, rich(0), &RULES, NOW).unwrap();
    assert!(set.client_weight(copier) < weight);
    assert!(set.client_weight(owner) > 0);
}
