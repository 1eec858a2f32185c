//! The set goes along with a chain: inclusion, reorganisations, nonces, time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what goes wrong here fails a test")]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, U256};
use support::{GWEI, NOW, RULES, client, dynamic, plain, rich, sender, signed};
use tx_relay::{
    AccountFacts, ChainView, DamagedError, EXPIRY, Followed, Position, REOFFER, RelaySet,
    RelayTransaction, Rules, Standing, UnixSeconds, decode_saved, decode_transaction, encode_saved,
};

/// A chain as the set is told of it.
#[derive(Clone, Default)]
struct Chain {
    head: u64,
    included: BTreeMap<B256, u64>,
    accounts: BTreeMap<Address, AccountFacts>,
}

impl Chain {
    fn include(&mut self, transaction: &RelayTransaction) {
        self.head += 1;
        self.included.insert(transaction.hash(), self.head);
        let account = self.accounts.entry(transaction.sender()).or_insert_with(|| rich(0));
        account.nonce = transaction.nonce() + 1;
    }

    fn facts(&self, sender: &Address) -> AccountFacts {
        self.accounts.get(sender).copied().unwrap_or_else(|| rich(0))
    }

    fn follow(&self, set: &mut RelaySet) -> Followed {
        self.follow_by(set, RULES, NOW)
    }

    fn follow_by(&self, set: &mut RelaySet, rules: Rules, now: UnixSeconds) -> Followed {
        let places: BTreeMap<_, _> = set
            .watched()
            .into_iter()
            .map(|hash| (hash, self.included.get(&hash).copied()))
            .collect();
        let senders = set.senders_to_check(&places);
        let facts = senders.iter().map(|sender| (*sender, self.facts(sender))).collect();
        set.follow(&ChainView { head: self.head, rules, places, facts }, now)
    }

    #[track_caller]
    fn submit(&self, set: &mut RelaySet, transaction: &Arc<RelayTransaction>) -> Position {
        let facts = self.facts(&transaction.sender());
        set.submit(Arc::clone(transaction), client(1), facts, &RULES, NOW).unwrap()
    }
}

fn standing(set: &RelaySet, transaction: &RelayTransaction) -> Option<Standing> {
    set.standing(&transaction.hash())
}

const PENDING: Option<Standing> = Some(Standing::Waiting(Position::Pending));
const QUEUED: Option<Standing> = Some(Standing::Waiting(Position::Queued));

#[test]
fn a_filled_gap_makes_those_behind_it_pending_and_a_new_one_queues_them() {
    let (mut set, chain) = (RelaySet::default(), Chain::default());
    let [first, second, third] = [0, 1, 2].map(|nonce| plain(1, nonce, GWEI, 0));
    assert_eq!(chain.submit(&mut set, &third), Position::Queued);
    assert_eq!(chain.submit(&mut set, &first), Position::Pending);
    assert_eq!(set.next_nonce(&sender(1)), Some(1));
    assert_eq!(chain.submit(&mut set, &second), Position::Pending);
    assert_eq!(standing(&set, &third), PENDING);
    assert_eq!(set.next_nonce(&sender(1)), Some(3));
    // The second cannot be paid any more: what stands behind it must wait.
    let mut poorer = chain;
    let balance = U256::from(21_000 * GWEI);
    poorer
        .accounts
        .insert(sender(1), AccountFacts { nonce: 0, balance, ..AccountFacts::default() });
    let dear = plain(1, 1, 2 * GWEI, 0);
    set.submit(Arc::clone(&dear), client(1), rich(0), &RULES, NOW).unwrap();
    assert_eq!(poorer.follow(&mut set), Followed { dropped: 1, ..Followed::default() });
    assert_eq!([standing(&set, &dear), standing(&set, &third)], [None, QUEUED]);
}

#[test]
fn included_ones_leave_and_return_with_the_block_that_is_left() {
    let (mut set, empty) = (RelaySet::default(), Chain::default());
    let transactions = [0, 1, 2].map(|nonce| plain(1, nonce, GWEI, 0));
    for transaction in &transactions {
        empty.submit(&mut set, transaction);
    }
    let mut longer = empty.clone();
    longer.include(&transactions[0]);
    longer.include(&transactions[1]);
    assert_eq!(longer.follow(&mut set), Followed { included: 2, ..Followed::default() });
    assert_eq!(standing(&set, &transactions[0]), Some(Standing::Included));
    assert_eq!(standing(&set, &transactions[2]), PENDING);
    assert_eq!(set.client_weight(client(1)), set.total_weight());
    // Another branch has only the first one, in another block.
    let mut other = Chain { head: 3, ..empty };
    other.include(&transactions[0]);
    assert_eq!(other.follow(&mut set), Followed { returned: 1, ..Followed::default() });
    assert_eq!(standing(&set, &transactions[0]), Some(Standing::Included));
    assert_eq!(standing(&set, &transactions[1]), PENDING);
    assert_eq!(set.counts(), (2, 0));
}

#[test]
fn what_another_one_with_its_nonce_replaced_is_gone() {
    let (mut set, mut chain) = (RelaySet::default(), Chain::default());
    let (ours, theirs) = (plain(1, 0, GWEI, 0), plain(1, 0, GWEI, 9));
    chain.submit(&mut set, &ours);
    chain.include(&theirs);
    assert_eq!(chain.follow(&mut set), Followed { dropped: 1, ..Followed::default() });
    assert_eq!(standing(&set, &ours), None);
    // And one that returns finds its nonce used.
    let later = plain(2, 0, GWEI, 0);
    let mut with = chain.clone();
    chain.submit(&mut set, &later);
    with.include(&later);
    with.follow(&mut set);
    chain.include(&plain(2, 0, GWEI, 9));
    assert_eq!(chain.follow(&mut set), Followed { dropped: 1, ..Followed::default() });
    assert!(set.watched().is_empty());
}

#[test]
fn more_gas_than_blocks_have_now_is_dropped() {
    let (mut set, chain) = (RelaySet::default(), Chain::default());
    let large = plain(1, 0, GWEI, 10_000);
    chain.submit(&mut set, &large);
    let smaller = Rules { gas_limit: 60_999, ..RULES };
    assert_eq!(chain.follow_by(&mut set, smaller, NOW).dropped, 1);
}

#[test]
fn an_included_one_is_forgotten_when_no_reorganisation_reaches_it() {
    let (mut set, mut chain) = (RelaySet::default(), Chain::default());
    let transaction = plain(1, 0, GWEI, 0);
    chain.submit(&mut set, &transaction);
    chain.include(&transaction);
    for (head, expected) in [(1, true), (129, true), (130, false)] {
        chain.head = head;
        chain.follow(&mut set);
        assert_eq!(standing(&set, &transaction).is_some(), expected, "at {head}");
    }
}

#[test]
fn every_sender_is_checked_in_its_turn() {
    let (mut set, mut chain) = (RelaySet::default(), Chain::default());
    for number in 0..700 {
        chain.submit(&mut set, &plain(number, 0, GWEI, 0));
        let used = AccountFacts { nonce: 1, ..rich(1) };
        chain.accounts.insert(sender(number), used);
    }
    let dropped: Vec<usize> = (0..3).map(|_| chain.follow(&mut set).dropped).collect();
    assert_eq!(dropped, [256, 256, 188]);
}

#[test]
fn who_sends_again_renews_and_who_does_not_expires() {
    let (mut set, chain) = (RelaySet::default(), Chain::default());
    let (kept, left) = (plain(1, 0, GWEI, 0), plain(2, 0, GWEI, 0));
    chain.submit(&mut set, &kept);
    chain.submit(&mut set, &left);
    let later = |seconds| UnixSeconds(NOW.0 + seconds);
    assert!(set.renew(&kept.hash(), client(1), later(EXPIRY - 1)).is_some());
    set.age(later(EXPIRY - 1));
    assert_eq!(set.counts(), (2, 0));
    set.age(later(EXPIRY));
    assert_eq!([standing(&set, &kept), standing(&set, &left)], [PENDING, None]);
}

#[test]
fn each_pending_one_is_offered_and_after_a_while_again() {
    let (mut set, chain) = (RelaySet::default(), Chain::default());
    let (queued, first) = (plain(1, 1, GWEI, 0), plain(1, 0, GWEI, 0));
    chain.submit(&mut set, &queued);
    assert!(set.offers_since(0, 10).is_empty(), "what is queued is nobody's business");
    chain.submit(&mut set, &first);
    let offers = set.offers_since(0, 10);
    let hashes: Vec<B256> = offers.iter().map(|offer| offer.hash).collect();
    assert_eq!(hashes, [first.hash(), queued.hash()]);
    assert_eq!(offers[0].bytes, first.canonical().len());
    assert_eq!(set.offers_since(0, 1).len(), 1);
    let last = set.last_offer();
    assert!(set.offers_since(last, 10).is_empty());
    set.age(UnixSeconds(NOW.0 + REOFFER - 1));
    assert!(set.offers_since(last, 10).is_empty());
    set.age(UnixSeconds(NOW.0 + REOFFER));
    assert_eq!(set.offers_since(last, 10).len(), 2);
}

#[test]
fn a_block_takes_the_best_payer_first_and_each_sender_in_order() {
    let (mut set, chain) = (RelaySet::default(), Chain::default());
    let base_fee = 1_000;
    let of = |from, nonce, cap, tip| signed(dynamic(nonce, cap, tip), sender(from));
    let a = [of(1, 0, 2_000, 10), of(1, 1, 2_000, 90)];
    let b = [of(2, 0, 1_050, 500), of(2, 1, 2_000, 40)];
    let c = [of(3, 0, 999, 999), of(3, 1, 2_000, 500)];
    let d = of(4, 1, 2_000, 600);
    for transaction in a.iter().chain(&b).chain(&c).chain([&d]) {
        chain.submit(&mut set, transaction);
    }
    let hashes = |gas_limit| -> Vec<B256> {
        set.executable(gas_limit, base_fee).iter().map(|chosen| chosen.hash()).collect()
    };
    // b pays 50, then 40; a pays 10, then 90; c pays no base fee; d waits for its first.
    let expected = [&b[0], &b[1], &a[0], &a[1]].map(|transaction| transaction.hash());
    assert_eq!(hashes(30_000_000), expected);
    assert_eq!(hashes(2 * 21_000), expected[..2]);
    assert!(hashes(20_999).is_empty());
}

#[test]
fn a_saved_set_is_read_again_and_damage_is_found() {
    let (mut set, mut chain) = (RelaySet::default(), Chain::default());
    let transactions = [plain(1, 0, GWEI, 0), plain(2, 0, GWEI, 5), plain(3, 4, GWEI, 0)];
    for transaction in &transactions {
        chain.submit(&mut set, transaction);
    }
    chain.include(&transactions[1]);
    chain.follow(&mut set);
    let file = encode_saved(&set.saved());
    let mut saved = decode_saved(&file).unwrap();
    saved.sort_by(|a, b| a.transaction.cmp(&b.transaction));
    let mut bytes = transactions.map(|transaction| transaction.canonical().clone());
    bytes.sort();
    assert_eq!(saved.iter().map(|item| item.transaction.clone()).collect::<Vec<_>>(), bytes);
    assert!(saved.iter().all(|item| item.client == client(1) && item.seen == NOW));
    assert!(saved.iter().all(|item| decode_transaction(&item.transaction).is_ok()));
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let found = decode_saved(&damaged).unwrap_err();
        let expected =
            if at < 8 { DamagedError::Magic } else { DamagedError::Checksum(file.len()) };
        assert_eq!(found, expected, "byte {at}");
        assert!(decode_saved(&file[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(decode_saved(&encode_saved(&[])), Ok(Vec::new()));
}
