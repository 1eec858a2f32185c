//! The voting scenarios of EIP-225, "Test Cases" (CC0), and seals.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{Address, B64, B256, U256, keccak256};
use consensus::CliqueConfig;
use consensus::clique::{
    CliqueError, ExtraError, SEAL, Snapshot, VOTE_IN, VOTE_OUT, sign, signer, unsealed_extra,
};

/// The key of an account that is named by a letter.
fn key(name: char) -> B256 {
    keccak256([u8::try_from(name).unwrap()])
}

fn account(name: char) -> Address {
    let mut header = Header { extra_data: unsealed_extra(&[]), ..Header::default() };
    sign(&mut header, &key(name)).unwrap();
    signer(&header).unwrap()
}

fn accounts(names: &str) -> Vec<Address> {
    let mut accounts: Vec<_> = names.chars().map(account).collect();
    accounts.sort_unstable();
    accounts
}

/// The snapshot of a block 0 that names these signers.
fn start(epoch: u64, signers: &str) -> Snapshot {
    let genesis = Header { extra_data: unsealed_extra(&accounts(signers)), ..Header::default() };
    Snapshot::trusted(CliqueConfig { period: 1, epoch }, &genesis).unwrap()
}

/// The next block as `who` makes it. `A+B` is a block of A with a vote for B, `A-B` one against.
fn next(votes: &Snapshot, epoch: u64, block: &str) -> Header {
    let mut letters = block.chars();
    let who = letters.next().unwrap();
    let nonce = if letters.next() == Some('+') { VOTE_IN } else { VOTE_OUT };
    let number = votes.number() + 1;
    let listed: Vec<_> =
        if number.is_multiple_of(epoch) { votes.signers().collect() } else { Vec::new() };
    let mut header = Header {
        number,
        parent_hash: votes.hash(),
        beneficiary: letters.next().map(account).unwrap_or_default(),
        difficulty: votes.difficulty_for(account(who)),
        nonce,
        extra_data: unsealed_extra(&listed),
        ..Header::default()
    };
    sign(&mut header, &key(who)).unwrap();
    header
}

/// Plays the blocks; the result is the signers at the end, or why a block was refused.
fn play(epoch: u64, signers: &str, blocks: &str) -> Result<String, CliqueError> {
    let names: BTreeMap<_, _> = ('A'..='F').map(|name| (account(name), name)).collect();
    let mut votes = start(epoch, signers);
    for block in blocks.split_whitespace() {
        let before = votes.clone();
        let header = next(&votes, epoch, block);
        votes.apply(&header).inspect_err(|_| assert_eq!(votes, before, "{blocks}"))?;
    }
    let mut left: Vec<_> = votes.signers().map(|signer| names[&signer]).collect();
    left.sort_unstable();
    Ok(left.into_iter().collect())
}

#[track_caller]
fn check(signers: &str, blocks: &str, expected: &str) {
    check_epoch(30_000, signers, blocks, expected);
}

#[track_caller]
fn check_epoch(epoch: u64, signers: &str, blocks: &str, expected: &str) {
    assert_eq!(play(epoch, signers, blocks).as_deref(), Ok(expected), "{signers} | {blocks}");
}

#[test]
fn more_than_half_of_the_signers_take_one_in() {
    check("A", "A", "A");
    check("A", "A+B B A+C", "AB");
    check("AB", "A+C B+C A+D B+D C A+E B+E", "ABCD");
}

#[test]
fn more_than_half_of_the_signers_drop_one() {
    check("A", "A-A", "");
    check("AB", "A-B", "AB");
    check("AB", "A-B B-B", "A");
    check("ABC", "A-C B-C", "AB");
    check("ABCD", "A-C B-C", "ABCD");
    check("ABCD", "A-D B-D C-D", "ABC");
}

#[test]
fn a_signer_has_one_vote_per_candidate() {
    check("AB", "A+C B A+C B A+C", "AB");
    check("AB", "A-B B A-B B A-B", "AB");
}

#[test]
fn votes_on_several_candidates_run_side_by_side() {
    check("AB", "A+C B A+D B A B+D A B+C", "ABCD");
    check("ABCD", "A-C B C A-D B C A B-D C-D A B-C", "AB");
}

#[test]
fn votes_of_a_dropped_signer_no_longer_count() {
    check("ABC", "C-B A-C B-C A-B", "AB");
    check("ABC", "C+D A-C B-C A+D", "AB");
}

#[test]
fn a_majority_that_forms_by_a_drop_acts_only_when_its_candidate_is_voted_on() {
    check("ABCD", "A-C B C A-D B-C C A B-D C-D", "ABC");
    check("ABCD", "A-C B C A-D B-C C A B-D C-D A C+C", "AB");
    check("ABCD", "A-C B C A-D B-C C A B-D C-D A B+C", "ABC");
}

#[test]
fn no_vote_outlives_the_decision_on_its_candidate() {
    let blocks = "A+F B+F C+F D-F E-F B-F C-F D+F E+F B-A C-A D-A B+F";
    check("ABCDE", blocks, "BCDEF");
}

#[test]
fn an_epoch_drops_all_votes() {
    check_epoch(3, "AB", "A+C B A B+C", "AB");
}

#[test]
fn who_is_not_a_signer_cannot_sign() {
    let error = CliqueError::NotSigner { signer: account('B'), number: 1 };
    assert_eq!(play(30_000, "A", "B"), Err(error));
}

#[test]
fn who_signed_of_late_cannot_sign_not_even_after_an_epoch() {
    let barred = |last, next| Err(CliqueError::SignedRecently { signer: account('A'), last, next });
    assert_eq!(play(30_000, "AB", "A A"), barred(1, 3));
    assert_eq!(play(3, "ABC", "A B A A"), barred(3, 5));
}

#[test]
fn a_block_has_the_difficulty_of_its_signers_turn() {
    let mut votes = start(30_000, "AB");
    let mut header = next(&votes, 30_000, "A");
    let expected = header.difficulty;
    header.difficulty = U256::from(3) - expected;
    sign(&mut header, &key('A')).unwrap();
    let (signer, found) = (account('A'), header.difficulty);
    assert_eq!(votes.apply(&header), Err(CliqueError::Turn { signer, expected, found }));
}

#[test]
fn an_epoch_block_lists_the_signers_in_order() {
    let mut votes = start(1, "AB");
    let mut header = next(&votes, 1, "A");
    let reversed: Vec<_> = accounts("AB").into_iter().rev().collect();
    header.extra_data = unsealed_extra(&reversed);
    sign(&mut header, &key('A')).unwrap();
    let error = CliqueError::EpochSigners { expected: accounts("AB"), found: reversed };
    assert_eq!(votes.apply(&header), Err(error));
}

#[test]
fn a_vote_has_one_of_two_nonces() {
    let mut votes = start(30_000, "A");
    let mut header = next(&votes, 30_000, "A");
    header.nonce = B64::with_last_byte(1);
    sign(&mut header, &key('A')).unwrap();
    assert_eq!(votes.apply(&header), Err(CliqueError::Vote(header.nonce)));
}

#[test]
fn a_block_follows_the_block_of_the_snapshot() {
    let mut votes = start(30_000, "A");
    let header = next(&votes, 30_000, "A");
    let (number, parent, at, hash) = (2, header.parent_hash, 0, votes.hash());
    let later = Header { number, ..header };
    assert_eq!(votes.apply(&later), Err(CliqueError::NotNext { number, parent, at, hash }));
}

#[test]
fn no_seal_of_random_bytes_passes_or_panics() {
    let mut votes = start(30_000, "A");
    for round in 0..200_u64 {
        let mut header = next(&votes, 30_000, "A");
        let mut extra = header.extra_data.to_vec();
        let at = extra.len() - SEAL;
        let (left, right) = (keccak256(round.to_be_bytes()), keccak256((!round).to_be_bytes()));
        extra[at..at + 32].copy_from_slice(left.as_slice());
        extra[at + 32..at + 64].copy_from_slice(right.as_slice());
        extra[at + 64] = left[0] % 6;
        header.extra_data = extra.into();
        let error = votes.apply(&header).unwrap_err();
        let refused = matches!(error, CliqueError::Signature | CliqueError::NotSigner { .. });
        assert!(refused, "{round}: {error}");
    }
}

#[test]
fn extra_data_without_room_for_a_seal_is_refused() {
    let mut header = Header { extra_data: vec![0; 96].into(), ..Header::default() };
    let error = ExtraError::TooShort { least: 97, found: 96 };
    assert_eq!(signer(&header), Err(CliqueError::Extra(error)));
    assert_eq!(sign(&mut header, &key('A')), Err(CliqueError::Extra(error)));
    header.extra_data = unsealed_extra(&[]);
    assert_eq!(sign(&mut header, &B256::ZERO), Err(CliqueError::SecretKey));
}
