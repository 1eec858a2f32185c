//! Each rule of go-ethereum's pool, with a transaction on either side of it. Verdicts and words are
//! compared with the real program by `scripts/interop.sh`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what goes wrong here fails a test")]

mod support;

use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Signature, TxKind, U256, hex};
use consensus::Fork;
use support::{GWEI, NOW, RULES, client, dynamic, legacy, plain, rich, sender, signed};
use tx_relay::{
    AccountFacts, MAX_SENDER_TRANSACTIONS, Position, Refusal, RelaySet, RelayTransaction, Rules,
    decode_transaction,
};

/// What an empty set says to a transaction of a rich sender with nonce 3.
#[track_caller]
fn check(rules: Rules, transaction: Arc<RelayTransaction>, expected: Result<Position, Refusal>) {
    let found = RelaySet::default().submit(transaction, client(1), rich(3), &rules, NOW);
    assert_eq!(found, expected);
}

const fn at(fork: Fork) -> Rules {
    Rules { fork, ..RULES }
}

fn priced(nonce: u64, gas_price: u128, gas_limit: u64, input: Vec<u8>) -> Arc<RelayTransaction> {
    signed(TxLegacy { nonce, gas_price, gas_limit, input: input.into(), ..legacy() }, sender(1))
}

fn creation(gas_limit: u64, input: Vec<u8>) -> Arc<RelayTransaction> {
    let (to, input) = (TxKind::Create, input.into());
    signed(TxLegacy { nonce: 3, gas_limit, to, input, ..legacy() }, sender(1))
}

fn with_access_list(gas_limit: u64) -> Arc<RelayTransaction> {
    let entry = AccessListItem { address: Address::ZERO, storage_keys: vec![B256::ZERO; 3] };
    let transaction = TxEip2930 {
        chain_id: 1337,
        nonce: 3,
        gas_price: GWEI,
        gas_limit,
        to: TxKind::Call(Address::ZERO),
        access_list: AccessList(vec![entry.clone(), entry]),
        ..TxEip2930::default()
    };
    signed(transaction, sender(1))
}

fn set_code(gas_limit: u64, authorizations: usize) -> Arc<RelayTransaction> {
    let authorization =
        Authorization { chain_id: U256::from(1337), address: Address::ZERO, nonce: 0 };
    let authorization =
        SignedAuthorization::new_unchecked(authorization, 0, U256::from(1), U256::from(1));
    let transaction = TxEip7702 {
        chain_id: 1337,
        nonce: 3,
        gas_limit,
        max_fee_per_gas: GWEI,
        max_priority_fee_per_gas: GWEI,
        authorization_list: vec![authorization; authorizations],
        ..TxEip7702::default()
    };
    signed(transaction, sender(1))
}

#[test]
fn a_nonce_that_was_used_is_too_low_and_one_behind_a_gap_waits() {
    check(RULES, plain(1, 2, GWEI, 0), Err(Refusal::NonceTooLow));
    check(RULES, plain(1, 3, GWEI, 0), Ok(Position::Pending));
    check(RULES, plain(1, 4, GWEI, 0), Ok(Position::Queued));
    check(RULES, plain(1, u64::MAX, GWEI, 0), Ok(Position::Queued));
}

#[test]
fn a_type_is_taken_from_its_fork_on() {
    let refused = Err(Refusal::TypeNotSupported);
    check(at(Fork::Istanbul), with_access_list(50_000), refused.clone());
    check(at(Fork::Berlin), with_access_list(50_000), Ok(Position::Pending));
    check(at(Fork::Berlin), signed(dynamic(3, GWEI, 1), sender(1)), refused.clone());
    check(RULES, signed(dynamic(3, GWEI, 1), sender(1)), Ok(Position::Pending));
    check(at(Fork::Cancun), set_code(71_000, 1), refused);
    check(at(Fork::Prague), set_code(71_000, 1), Ok(Position::Pending));
}

#[test]
fn gas_is_between_what_it_costs_before_it_runs_and_what_a_block_has() {
    let low = || Err(Refusal::IntrinsicGas);
    let fine = || Ok(Position::Pending);
    check(RULES, priced(3, GWEI, 20_999, vec![]), low());
    check(RULES, priced(3, GWEI, 30_000_000, vec![]), fine());
    check(RULES, priced(3, GWEI, 30_000_001, vec![]), Err(Refusal::GasLimit));
    // Data: 4 gas a zero byte, 16 another one, 68 before Istanbul (EIP-2028).
    check(RULES, priced(3, GWEI, 21_000 + 4 + 32, vec![0, 1, 2]), fine());
    check(RULES, priced(3, GWEI, 21_000 + 4 + 31, vec![0, 1, 2]), low());
    check(at(Fork::Petersburg), priced(3, GWEI, 21_000 + 4 + 135, vec![0, 1, 2]), low());
    check(at(Fork::Petersburg), priced(3, GWEI, 21_000 + 4 + 136, vec![0, 1, 2]), fine());
    check(RULES, creation(53_015, vec![1]), low());
    check(RULES, creation(53_016, vec![1]), fine());
    // Two gas for each begun word of creation code (EIP-3860).
    check(at(Fork::Shanghai), creation(53_000 + 33 * 16 + 3, vec![1; 33]), low());
    check(at(Fork::Shanghai), creation(53_000 + 33 * 16 + 4, vec![1; 33]), fine());
    // Two addresses, six keys (EIP-2930).
    check(RULES, with_access_list(21_000 + 2 * 2_400 + 6 * 1_900 - 1), low());
    check(RULES, with_access_list(21_000 + 2 * 2_400 + 6 * 1_900), fine());
    check(at(Fork::Prague), set_code(21_000 + 2 * 25_000 - 1, 2), low());
    check(at(Fork::Prague), set_code(21_000 + 2 * 25_000, 2), fine());
    check(at(Fork::Prague), set_code(21_000, 0), Err(Refusal::NoAuthorization));
    // 40 gas for each byte that is not zero (EIP-7623).
    check(at(Fork::Prague), priced(3, GWEI, 21_000 + 399, vec![1; 10]), Err(Refusal::FloorDataGas));
    check(at(Fork::Prague), priced(3, GWEI, 21_000 + 400, vec![1; 10]), fine());
    check(at(Fork::Osaka), priced(3, GWEI, 1 << 24, vec![]), fine());
    check(at(Fork::Osaka), priced(3, GWEI, (1 << 24) + 1, vec![]), Err(Refusal::GasCap));
}

#[test]
fn creation_code_has_a_limit_since_shanghai() {
    let longest = creation(1_000_000, vec![0; 49_152]);
    check(at(Fork::Shanghai), longest, Ok(Position::Pending));
    let longer = creation(1_000_000, vec![0; 49_153]);
    check(at(Fork::Shanghai), Arc::clone(&longer), Err(Refusal::InitCodeTooLong));
    check(RULES, longer, Ok(Position::Pending));
}

#[test]
fn a_transaction_is_at_most_128_kib_long() {
    let bytes = |data| plain(1, 3, GWEI, data).canonical().len();
    let data = 128 * 1024 - (bytes(100_000) - 100_000);
    assert_eq!(bytes(data), 128 * 1024);
    check(RULES, plain(1, 3, GWEI, data), Ok(Position::Pending));
    check(RULES, plain(1, 3, GWEI, data + 1), Err(Refusal::Oversized));
    let long = plain(1, 3, GWEI, data + 1);
    assert_eq!(decode_transaction(long.canonical()), Err(Refusal::Oversized));
}

#[test]
fn the_miner_is_offered_something_and_no_more_than_all() {
    check(RULES, signed(dynamic(3, GWEI, GWEI + 1), sender(1)), Err(Refusal::TipAboveFeeCap));
    check(RULES, signed(dynamic(3, GWEI, GWEI), sender(1)), Ok(Position::Pending));
    check(RULES, signed(dynamic(3, GWEI, 0), sender(1)), Err(Refusal::Underpriced));
    check(RULES, priced(3, 0, 21_000, vec![]), Err(Refusal::Underpriced));
    let dear = Rules { min_tip: 1_000_000_000, ..RULES };
    check(dear, priced(3, GWEI, 21_000, vec![]), Ok(Position::Pending));
    check(dear, priced(3, GWEI - 1, 21_000, vec![]), Err(Refusal::Underpriced));
}

#[test]
fn a_sender_pays_for_everything_that_waits() {
    let value = U256::from(1_000);
    let cost = U256::from(21_000 * GWEI) + value;
    let of = |nonce| signed(TxLegacy { nonce, value, ..legacy() }, sender(1));
    let facts = |balance| AccountFacts { nonce: 0, balance, has_code: false };
    let mut set = RelaySet::default();
    let mut submit = |nonce, balance| set.submit(of(nonce), client(1), facts(balance), &RULES, NOW);
    assert_eq!(submit(0, cost - U256::from(1)), Err(Refusal::InsufficientFunds));
    assert_eq!(submit(0, cost), Ok(Position::Pending));
    let two = cost * U256::from(2);
    assert_eq!(submit(5, two - U256::from(1)), Err(Refusal::Overdraft));
    assert_eq!(submit(5, two), Ok(Position::Queued), "what is queued counts, too");
    assert_eq!(submit(1, two), Err(Refusal::Overdraft));
}

#[test]
fn an_account_with_a_delegation_has_one_transaction_on_its_way() {
    let mut set = RelaySet::default();
    let mut submit = |nonce, price, has_code| {
        let facts = AccountFacts { has_code, ..rich(3) };
        set.submit(plain(1, nonce, price, 0), client(1), facts, &RULES, NOW)
    };
    assert_eq!(submit(4, GWEI, true), Err(Refusal::DelegatedGap));
    assert_eq!(submit(3, GWEI, true), Ok(Position::Pending));
    assert_eq!(submit(4, GWEI, true), Err(Refusal::DelegatedInFlight));
    assert_eq!(submit(9, GWEI, true), Err(Refusal::DelegatedInFlight));
    assert_eq!(submit(3, GWEI + 1, true), Err(Refusal::ReplacementUnderpriced));
    assert_eq!(submit(3, 2 * GWEI, true), Ok(Position::Pending));
    // Two wait when the account becomes a delegated one: either can be replaced.
    assert_eq!(submit(4, GWEI, false), Ok(Position::Pending));
    assert_eq!(submit(4, 2 * GWEI, true), Ok(Position::Pending));
    assert_eq!(submit(5, GWEI, true), Err(Refusal::DelegatedInFlight));
    assert_eq!(set.counts(), (2, 0));
}

#[test]
fn a_replacement_pays_a_tenth_more_for_the_miner_and_in_all() {
    let check = |old: (u128, u128), new: (u128, u128), replaces| {
        let mut set = RelaySet::default();
        let mut submit = |(cap, tip)| {
            let transaction = signed(dynamic(0, cap, tip), sender(1));
            set.submit(transaction, client(1), rich(0), &RULES, NOW)
        };
        submit(old).unwrap();
        let expected =
            if replaces { Ok(Position::Pending) } else { Err(Refusal::ReplacementUnderpriced) };
        assert_eq!(submit(new), expected, "{old:?} {new:?}");
        assert_eq!(set.counts(), (1, 0));
    };
    check((100, 10), (110, 11), true);
    check((100, 10), (109, 11), false);
    check((100, 10), (110, 10), false);
    check((100, 10), (200, 10), false);
    // Less than one more after rounding is still more.
    check((5, 5), (6, 6), true);
    check((19, 1), (20, 2), true);
    check((19, 19), (19, 19), true);
}

#[test]
fn a_full_sender_makes_room_for_an_earlier_nonce_only() {
    let mut set = RelaySet::default();
    let mut submit = |nonce| set.submit(plain(1, nonce, GWEI, 0), client(1), rich(0), &RULES, NOW);
    let many = u64::try_from(MAX_SENDER_TRANSACTIONS).unwrap();
    for nonce in 1..=many {
        assert_eq!(submit(nonce), Ok(Position::Queued));
    }
    assert_eq!(submit(many + 1), Err(Refusal::SenderFull));
    assert_eq!(submit(0), Ok(Position::Pending));
    assert_eq!(set.counts(), (MAX_SENDER_TRANSACTIONS, 0), "the last one left, the gap is closed");
    let last = plain(1, many, GWEI, 0).hash();
    assert_eq!(set.standing(&last), None);
}

#[test]
fn bytes_are_the_only_encoding_of_a_known_type() {
    // The signed transaction of EIP-155, "Example".
    let example = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b"
        "3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
    let hash = hex!("33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788");
    let decoded = decode_transaction(&example).unwrap();
    assert_eq!(decoded.tx_hash().0, hash);
    let refused = |bytes: &[u8]| decode_transaction(bytes).unwrap_err();
    assert!(matches!(refused(&[&example[..], &[0]].concat()), Refusal::Malformed(_)));
    assert!(matches!(refused(&example[..100]), Refusal::Malformed(_)));
    assert!(matches!(refused(&[]), Refusal::Malformed(_)));
    assert!(matches!(refused(&[2]), Refusal::Malformed(_)));
    assert_eq!(refused(&[3, 0xc0]), Refusal::Blob);
    assert_eq!(refused(&[5, 0xc0]), Refusal::TypeNotSupported);
    assert_eq!(refused(&[0, 0xc0]), Refusal::TypeNotSupported);
    // V of 29, which no signature has: go-ethereum decodes it and finds no sender.
    let mut strange = example;
    strange[43] = 29;
    assert_eq!(refused(&strange), Refusal::InvalidSender);
}

#[test]
fn a_fee_beyond_128_bits_is_named() {
    let mut fields = Vec::new();
    let list = alloy_rlp::Header { list: true, payload_length: 1 + 18 + 3 + 1 + 1 + 1 + 3 };
    list.encode(&mut fields);
    fields.push(0x80);
    fields.push(0x91);
    fields.extend_from_slice(&[1; 17]);
    fields.extend_from_slice(&[0x82, 0x52, 0x08, 0x80, 0x80, 0x80, 0x1b, 0x01, 0x01]);
    assert_eq!(decode_transaction(&fields), Err(Refusal::FeeVeryHigh));
}

#[test]
fn signatures_are_no_matter_of_the_set() {
    let unsigned = legacy();
    let signature = Signature::new(U256::from(1), U256::from(2), true);
    let transaction = unsigned.into_signed(signature).into();
    let found = RelayTransaction::new(transaction, sender(9));
    assert_eq!(found.sender(), sender(9), "who recovers it is the caller's choice");
}
