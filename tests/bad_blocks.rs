//! Full nodes that send bad blocks, or lie of blocks, to a server that follows the network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

#[path = "bad_blocks/forge.rs"]
mod forge;
#[path = "bad_blocks/network.rs"]
mod network;

use alloy_primitives::{B256, U256};
use eth_wire::{
    BlockAnnouncement, ForkId, Status, Version, encode_block_hashes, encode_new_block,
    encode_pooled_hashes,
};
use les_tests::{
    clique::{BLOCKS, BREACH, SIGNER},
    eth_peer::EthPeer,
};
use rlpx::Enode;

use self::{
    forge::{CASES, Case, Forged},
    network::{Lie, Served, check, check_line, hash_of, served, world},
};

/// Blocks below the bad one.
const SOUND: usize = 3;
/// Blocks on a bad one: with them the chain is the heaviest.
const ABOVE: usize = 8;

/// Block 4, broken.
fn forge(change: fn(&mut Forged)) -> Forged {
    let mut forged = Forged::of(&world().blocks[SOUND]);
    change(&mut forged);
    forged
}

fn of(peer: &EthPeer, blocks: &[(Vec<u8>, Vec<u8>)]) -> Lie {
    Lie { id: peer.id, blocks: blocks.iter().map(|(header, _)| hash_of(header)).collect() }
}

/// Connects as a node with the heaviest chain, of which these are the blocks.
fn claim(enode: &Enode, head: B256, total_difficulty: U256) -> EthPeer {
    EthPeer::connect_as(enode, Version::Eth67, |status| Status { head, total_difficulty, ..status })
}

/// A bad block within a chain from which the server syncs.
fn check_synced((change, expected): Case) {
    let mut bad = forge(change);
    let mut served = served(SOUND);
    served.blocks.push(bad.seal());
    let mut above = bad.header.clone();
    for _ in 0..ABOVE {
        let mut child = Forged::child(&above);
        served.blocks.push(child.seal());
        above = child.header;
    }
    let total = world().total_difficulty(SOUND + ABOVE) + bad.header.difficulty;
    check(0, expected, |enode| {
        let mut peer = claim(enode, served.tip(), total);
        served.serve(&mut peer);
        of(&peer, &served.blocks[SOUND + 1..])
    });
}

/// A bad block that is sent as it comes.
fn check_sent((change, expected): Case) {
    let mut bad = forge(change);
    let (header, body) = bad.seal();
    let total = world().total_difficulty(SOUND) + bad.header.difficulty;
    check_new_block(&header, &body, total, expected);
}

fn check_new_block(header: &[u8], body: &[u8], total: U256, expected: &str) {
    let mut served = served(SOUND);
    served.blocks.push((header.to_vec(), body.to_vec()));
    check(SOUND, expected, |enode| {
        let mut peer = EthPeer::connect(enode, Version::Eth67);
        let mut payload = Vec::new();
        encode_new_block(header, body, &total, &mut payload);
        peer.send(7, &payload);
        served.serve(&mut peer);
        of(&peer, &served.blocks[SOUND + 1..])
    });
}

#[test]
fn a_bad_block_within_a_chain_ends_the_sync_with_its_owner() {
    CASES.iter().copied().for_each(check_synced);
    let unlinked = "wrong headers: not the child of the one before";
    check_synced((|it| it.header.number += 1, unlinked));
    check_synced((|it| it.header.parent_hash = B256::repeat_byte(9), unlinked));
}

#[test]
fn a_bad_block_that_is_sent_as_it_comes_ends_the_connection() {
    CASES.iter().copied().for_each(check_sent);
    check_sent((|it| it.header.number += 1, "number: expected 4, found 5"));
    let unknown = "its chain changes all the time";
    check_sent((|it| it.header.parent_hash = B256::repeat_byte(9), unknown));
}

#[test]
fn a_new_block_comes_with_its_total_difficulty_and_its_body() {
    let [block, next] = [SOUND, SOUND + 1].map(|at| &world().blocks[at]);
    let lie = U256::from(1_000_000);
    let said = "total difficulty 1000000 announced, it is 9";
    let mut forged = forge(|it| it.header.extra_data = vec![7; 97].into());
    let (header, body) = forged.seal();
    check_new_block(&header, &body, lie, said);
    let total = world().total_difficulty(SOUND + 1);
    check_new_block(&header, &next.body_rlp, total, "a body that does not fit");
    assert_ne!(hash_of(&header), block.hash);
}

#[test]
fn a_fork_is_as_heavy_as_its_blocks_and_not_as_its_owner_says() {
    let mut served = served(SOUND);
    let mut above = world().blocks[SOUND - 1].header.clone();
    for _ in 0..2 {
        let mut child = Forged::child(&above);
        child.signer = Some(SIGNER);
        served.blocks.push(child.seal());
        above = child.header;
    }
    let expected = "total difficulty 1000000 claimed, the chain ends with 11";
    check(SOUND + 4, expected, |enode| {
        let mut peer = claim(enode, served.tip(), U256::from(1_000_000));
        served.serve(&mut peer);
        of(&peer, &served.blocks[SOUND + 1..])
    });
}

/// A chain that grows by as many headers as are asked for.
fn check_endless(difficulty: u64, expected: &str) {
    let mut served = served(SOUND);
    let mut tip = world().blocks[SOUND - 1].header.clone();
    let mut grow = move |served: &mut Served, number: u64| {
        while tip.number < number {
            let mut child = Forged::child(&tip);
            child.header.difficulty = U256::from(difficulty);
            served.blocks.push(child.seal());
            tip = child.header;
        }
    };
    grow(&mut served, 20);
    check(SOUND, expected, |enode| {
        let mut peer = claim(enode, served.tip(), U256::from(1_000_000_000));
        let bodies = served.clone();
        let ended = peer.serve(
            |query| {
                if let eth_wire::HeaderOrigin::Number(number) = query.origin {
                    grow(&mut served, number + query.amount);
                }
                served.headers(query)
            },
            |hashes| bodies.bodies(hashes),
        );
        assert_eq!(ended, BREACH);
        of(&peer, &served.blocks[SOUND + 1..])
    });
}

#[test]
fn headers_without_end_end_with_the_first_bad_block_or_with_the_room_for_them() {
    check_endless(2, "is refused: ");
    check_endless(0, "total difficulty 1000000000 claimed, the chain ends with 7");
}

#[test]
fn bodies_are_those_of_the_headers() {
    let served = served(BLOCKS);
    let other = &served.blocks[1].1;
    let cases: [(&[u8], &str); 3] = [
        (other, "a body that does not fit"),
        (&[], "no bodies to the headers it sent"),
        (&[0xc1, 0xc0], "undecodable"),
    ];
    for (bodies, expected) in cases {
        check(SOUND, expected, |enode| {
            let total = world().total_difficulty(BLOCKS);
            let mut peer = claim(enode, served.tip(), total);
            let ended = peer.serve(|query| served.headers(query), |_| bodies.to_vec());
            assert_eq!(ended, BREACH);
            of(&peer, &[])
        });
    }
}

/// Messages of a node on the same chain that has nothing when it is asked.
fn check_messages(messages: &[(u64, Vec<u8>)], expected: &str) {
    check(SOUND, expected, |enode| {
        let mut peer = EthPeer::connect(enode, Version::Eth67);
        for (code, payload) in messages {
            peer.send(*code, payload);
        }
        assert_eq!(peer.serve(|_| Vec::new(), |_| Vec::new()), BREACH);
        of(&peer, &[])
    });
}

#[test]
fn announcements_are_few_and_of_what_exists() {
    let hashes = |count: u64| -> Vec<B256> { (1..=count).map(|n| U256::from(n).into()).collect() };
    let blocks = |count: u64| {
        let announce = |hash| BlockAnnouncement { hash, number: 4 };
        let announced: Vec<_> = hashes(count).into_iter().map(announce).collect();
        let mut payload = Vec::new();
        encode_block_hashes(&announced, &mut payload);
        (1, payload)
    };
    check_messages(&[blocks(6)], "it announces blocks that do not exist");
    check_messages(&[blocks(300)], "undecodable");
    let transactions: Vec<_> = hashes(100_000).into_iter().map(|hash| (hash, 2, 200)).collect();
    let mut payload = Vec::new();
    encode_pooled_hashes(Version::Eth67, &transactions, &mut payload);
    check_messages(&[(8, payload)], "undecodable");
}

#[test]
fn a_node_of_another_fork_schedule_is_named_and_refused() {
    check_line("Full node refused", SOUND, "another fork schedule", |enode| {
        let mut peer = EthPeer::connect_as(enode, Version::Eth67, |status| Status {
            fork_id: ForkId { hash: [1, 2, 3, 4], next: 0 },
            ..status
        });
        assert_eq!(peer.await_end(), BREACH);
        of(&peer, &[])
    });
}
