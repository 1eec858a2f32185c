//! What the core does with peers that keep the rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

mod world;

use std::io::Read as _;

use alloy_consensus::Header;
use alloy_primitives::B256;
use alloy_rlp::Decodable as _;
use eth_sync::{
    BlockId, Body, Event, ImportResult, LocalChain as _, MAX_BODY_BYTES, MAX_REPLY_BYTES,
    RequestId, SegmentId,
};

use self::world::{
    World,
    blocks::{Make, Tree},
    peer::{Manners, Peer},
};

fn chain_of(blocks: u64, make: impl Fn(u64) -> Make) -> (Tree, B256, B256) {
    let mut tree = Tree::default();
    let genesis = tree.genesis(0);
    let tip = tree.extend_by(genesis, blocks, make);
    (tree, genesis, tip)
}

#[test]
fn bodies_are_fetched_from_everybody_who_has_them() {
    let (tree, genesis, tip) = chain_of(600, |_| Make::default());
    let mut world = World::new(tree, genesis, 1);
    let peers: Vec<_> = (0..3).map(|_| world.connect(Peer::new(tip, Manners::Honest))).collect();
    let late = world.connect(Peer::new(genesis, Manners::Honest));
    world.run();
    assert_eq!(world.chain.head().hash, tip);
    assert!(world.dropped.is_empty(), "{:?}", world.dropped);
    for peer in peers {
        assert!(world.peers[&peer].asked >= 2, "{peer:?} was left out");
    }
    assert!(world.peers[&late].asked <= 1, "a peer that has nothing is asked once");
}

#[test]
fn a_master_that_leaves_is_replaced() {
    let (tree, genesis, tip) = chain_of(500, |_| Make::default());
    let mut world = World::new(tree, genesis, 1);
    let first = world.connect(Peer::new(tip, Manners::Honest));
    let second = world.connect(Peer::new(tip, Manners::Honest));
    world.leave_later(first, 700);
    world.run();
    assert_eq!(world.chain.head().hash, tip);
    assert!(!world.dropped.contains_key(&second));
}

#[test]
fn large_bodies_stay_within_the_bound_while_the_importer_is_slow() {
    // 150 MB in all; a reply holds two or three of them.
    let make = |number| Make { transactions: [1_000_000, 0], salt: number, ..Make::default() };
    let (tree, genesis, tip) = chain_of(150, make);
    let mut world = World::new(tree, genesis, 1);
    world.import_time = 2000;
    for _ in 0..12 {
        world.connect(Peer::new(tip, Manners::Honest));
    }
    world.run();
    assert_eq!(world.chain.head().hash, tip);
    assert!(world.dropped.is_empty(), "{:?}", world.dropped);
    assert!(world.most_bytes > MAX_BODY_BYTES / 2, "{} is no test", world.most_bytes);
    assert!(world.most_bytes <= MAX_BODY_BYTES - MAX_REPLY_BYTES / 2, "{}", world.most_bytes);
}

#[test]
fn a_lighter_fork_is_left_where_it_is() {
    let (mut tree, genesis, tip) = chain_of(50, |_| Make::default());
    let from = tree.chain(tip)[30];
    let lighter = tree.extend_by(from, 19, |_| Make { salt: 1, ..Make::default() });
    let mut world = World::new(tree, tip, 1);
    let peer = world.connect(Peer::new(lighter, Manners::Honest));
    world.run();
    assert_eq!(world.chain.head().hash, tip);
    assert_eq!((world.peers[&peer].asked, world.dropped.len()), (0, 0));
    assert_ne!(genesis, tip);
}

#[test]
fn a_new_block_is_imported_and_told_on_but_not_back() {
    let (mut tree, genesis, tip) = chain_of(10, |_| Make::default());
    let new = tree.extend(tip, Make::default());
    let mut world = World::new(tree, genesis, 1);
    let peers: Vec<_> = (0..10).map(|_| world.connect(Peer::new(tip, Manners::Honest))).collect();
    world.run();
    world.told.clear();
    let block = world.tree.block(&new).clone();
    let total_difficulty = block.total_difficulty;
    world.hear(Event::NewBlock {
        peer: peers[4],
        block: Box::new(block.fetched()),
        total_difficulty,
    });
    world.run();
    assert_eq!(world.chain.head().hash, new);
    let [(whole, to, true), (hash, others, false)] = &world.told[..] else {
        panic!("{:?}", world.told);
    };
    assert_eq!((*whole, *hash), (new, new));
    assert_eq!((to.len(), others.len()), (3, 6), "the root of nine, and the others");
    assert!(!to.contains(&peers[4]) && !others.contains(&peers[4]), "told back");
}

#[test]
fn a_head_made_during_a_sync_is_told_when_the_sync_has_ended() {
    let (mut tree, genesis, tip) = chain_of(100, |_| Make::default());
    let new = tree.extend(tip, Make::default());
    let mut world = World::new(tree, genesis, 1);
    world.import_time = 1000;
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    world.make_later(new, 50_000);
    world.run_until(60_000);
    assert_eq!((world.chain.head().hash, world.told.len()), (new, 0), "the sync goes on");
    world.run();
    assert_eq!(world.told, [(new, vec![peer], true)]);
}

#[test]
fn a_head_that_came_after_status_is_told_to_who_was_told_another() {
    let (tree, genesis, tip) = chain_of(10, |_| Make::default());
    let mut world = World::new(tree, tip, 1);
    world.connect(Peer::new(tip, Manners::Honest));
    world.connect(Peer::new(genesis, Manners::Honest));
    assert!(world.told.is_empty(), "Status has told them");
    let late = world.connect_told(Peer::new(tip, Manners::Honest), genesis);
    assert!(world.told.is_empty(), "{late:?} has it itself");
    let late = world.connect_told(Peer::new(genesis, Manners::Honest), genesis);
    assert_eq!(world.told, [(tip, vec![late], true)]);
}

#[test]
fn a_head_after_the_merge_is_told_to_nobody() {
    let (tree, genesis, tip) = chain_of(10, |_| Make::default());
    let mut world = World::new(tree, genesis, 1);
    world.chain.is_merged = true;
    world.connect(Peer::new(tip, Manners::Honest));
    world.connect(Peer::new(genesis, Manners::Honest));
    world.run();
    assert_eq!((world.chain.head().hash, world.dropped.len()), (tip, 0));
    assert!(world.told.is_empty(), "{:?}", world.told);
}

#[test]
fn a_burst_of_new_blocks_is_imported_in_order_without_a_session() {
    let (mut tree, genesis, tip) = chain_of(10, |_| Make::default());
    let last = tree.extend_by(tip, 20, |_| Make::default());
    let mut world = World::new(tree, genesis, 1);
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    world.run();
    let asked = world.peers[&peer].asked;
    world.peers.get_mut(&peer).unwrap().adopt(last);
    for hash in world.tree.chain(last).split_off(11) {
        let block = world.tree.block(&hash).clone();
        let total_difficulty = block.total_difficulty;
        world.hear(Event::NewBlock { peer, block: Box::new(block.fetched()), total_difficulty });
    }
    world.run();
    assert_eq!(world.chain.head().hash, last);
    assert_eq!(world.peers[&peer].asked, asked, "something was fetched though it had come");
}

#[test]
fn a_block_announced_by_hash_is_fetched_and_so_is_the_gap_below_it() {
    for gap in [0, 5, 300] {
        let (mut tree, genesis, tip) = chain_of(10, |_| Make::default());
        let new = tree.extend_by(tip, gap + 1, |_| Make::default());
        let mut world = World::new(tree, genesis, 1);
        let peer = world.connect(Peer::new(tip, Manners::Honest));
        world.run();
        world.peers.get_mut(&peer).unwrap().adopt(new);
        let blocks = vec![BlockId { hash: new, number: 11 + gap }];
        world.hear(Event::NewBlockHashes { peer, blocks });
        world.run();
        assert_eq!(world.chain.head().hash, new, "gap {gap}");
    }
}

#[test]
fn a_block_announced_by_hash_is_fetched_with_two_requests() {
    let make = |_| Make { transactions: [100, 0], ..Make::default() };
    let (mut tree, genesis, tip) = chain_of(10, make);
    let new = tree.extend(tip, make(11));
    let mut world = World::new(tree, genesis, 1);
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    world.run();
    let asked = world.peers[&peer].asked;
    world.peers.get_mut(&peer).unwrap().adopt(new);
    world.hear(Event::NewBlockHashes { peer, blocks: vec![BlockId { hash: new, number: 11 }] });
    world.run();
    assert_eq!(world.chain.head().hash, new);
    assert_eq!(world.peers[&peer].asked - asked, 2, "its header and its body");
}

#[test]
fn a_block_announced_while_a_liar_is_believed_is_fetched_afterwards() {
    let make = |_| Make { transactions: [100, 0], ..Make::default() };
    let (mut tree, genesis, tip) = chain_of(10, make);
    let new = tree.extend(tip, make(11));
    let lie = tree.extend_by(tip, 9, |_| Make { is_valid: false, salt: 1, ..Make::default() });
    let mut world = World::new(tree, genesis, 1);
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    world.run();
    world.peers.get_mut(&peer).unwrap().adopt(new);
    world.hear(Event::NewBlockHashes { peer, blocks: vec![BlockId { hash: new, number: 11 }] });
    // The pause before an announced block is fetched has passed, its header is under way.
    world.run_until(world.now / 1_000_000 + 401);
    let liar = world.connect(Peer::new(lie, Manners::Honest));
    world.run();
    assert_eq!(world.chain.head().hash, new);
    assert!(world.dropped.contains_key(&liar) && world.dropped.len() == 1, "{:?}", world.dropped);
}

#[test]
fn a_block_whose_copy_is_lost_with_its_sender_is_fetched_from_who_announced_it() {
    let (mut tree, genesis, tip) = chain_of(10, |_| Make::default());
    let below = tree.extend(tip, Make::default());
    let new = tree.extend(below, Make::default());
    let mut world = World::new(tree, genesis, 1);
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    let other = world.connect(Peer::new(tip, Manners::Honest));
    world.run();
    let send = |world: &mut World, peer, hash| {
        let block = world.tree.block(&hash).clone();
        let total_difficulty = block.total_difficulty;
        world.hear(Event::NewBlock { peer, block: Box::new(block.fetched()), total_difficulty });
    };
    world.peers.get_mut(&peer).unwrap().adopt(new);
    send(&mut world, peer, below);
    send(&mut world, other, new);
    world.hear(Event::NewBlockHashes { peer, blocks: vec![BlockId { hash: new, number: 12 }] });
    world.hear(Event::Headers { peer: other, request: RequestId(u64::MAX), headers: Vec::new() });
    assert!(world.dropped.contains_key(&other), "it sent what nobody asked for");
    world.run();
    assert_eq!(world.chain.head().hash, new);
}

#[test]
fn a_peer_that_sends_one_body_after_a_long_time_does_not_hold_a_sync_up() {
    let (tree, genesis, tip) =
        chain_of(600, |_| Make { transactions: [100, 0], ..Make::default() });
    let mut world = World::new(tree, genesis, 1);
    let mut slow = Peer::new(genesis, Manners::FirstBodyOnly);
    slow.latency = (19_000, 19_001);
    world.connect(slow);
    world.connect(Peer::new(tip, Manners::Honest));
    world.run_until(60_000);
    assert_eq!(world.chain.head().hash, tip, "three times it had its turn, and that is enough");
}

#[test]
fn a_store_that_fails_ends_the_following() {
    let (tree, genesis, tip) = chain_of(300, |_| Make::default());
    let mut world = World::new(tree, genesis, 1);
    world.import_time = 1_000_000;
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    world.run_until(60_000);
    world.hear(Event::Imported { segment: SegmentId(0), result: ImportResult::Failed });
    world.run();
    assert_eq!(world.core.progress(), None);
    let asked = world.peers[&peer].asked;
    world.connect(Peer::new(tip, Manners::Honest));
    world.run();
    assert_eq!(world.peers[&peer].asked, asked, "asked though nothing can be stored");
    assert!(world.dropped.is_empty(), "{:?}", world.dropped);
}

/// The chain that go-ethereum made, as (header, body, whether it has transactions).
fn foreign_blocks() -> Vec<(Header, Vec<u8>, bool)> {
    let packed = include_bytes!("../../../fixtures/chain/small/chain.rlp.gz");
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
    let mut rest = plain.as_slice();
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let mut fields = alloy_rlp::Header::decode_bytes(&mut rest, true).unwrap();
        let header = Header::decode(&mut fields).unwrap();
        let mut body = Vec::new();
        alloy_rlp::Header { list: true, payload_length: fields.len() }.encode(&mut body);
        body.extend_from_slice(fields);
        blocks.push((header, body, fields.first() != Some(&0xc0)));
    }
    blocks
}

#[test]
fn bodies_of_a_foreign_chain_fit_their_headers_and_no_others() {
    let blocks = foreign_blocks();
    assert!(blocks.iter().filter(|(_, _, has_content)| *has_content).count() > 10);
    for (header, body, has_content) in &blocks {
        let decoded = Body::decode(body).unwrap();
        assert!(decoded.fits(header), "block {}", header.number);
        assert_eq!(decoded.rlp().as_ref(), body);
        if *has_content {
            let next = blocks.iter().find(|(other, ..)| other.number == header.number + 1);
            assert!(next.is_none_or(|(other, ..)| !decoded.fits(other)));
        }
    }
}

#[test]
fn what_is_no_body_is_refused() {
    let broken: [&[u8]; 7] = [
        &[],
        &[0x80],
        &[0xc1, 0xc0],
        &[0xc2, 0xc0, 0x80],
        &[0xc3, 0xc0, 0xc0, 0x80],
        &[0xc2, 0xc0, 0xc0, 0xc0],
        &[0xc3, 0xc1, 0x80, 0xc0],
    ];
    for bytes in broken {
        assert!(Body::decode(bytes).is_err(), "{bytes:02x?}");
    }
    // A list and a string around it have the same root, but are not the same body.
    let wrapped: [&[u8]; 2] =
        [&[0xc5, 0xc3, 0x82, 0xc1, 1, 0xc0], &[0xc6, 0xc0, 0xc0, 0xc3, 0x82, 2, 1]];
    for bytes in wrapped {
        assert!(Body::decode(bytes).is_err(), "{bytes:02x?}");
    }
    assert!(Body::decode(&[0xc5, 0xc3, 0x82, 2, 1, 0xc0]).is_ok(), "a transaction with a type");
    let (_, body, _) = &foreign_blocks()[0];
    for length in 0..body.len() {
        assert!(Body::decode(&body[..length]).is_err(), "cut at {length}");
    }
    assert!(Body::decode(&[0xc4, 0xc0, 0xc0, 0xc0, 0xc0]).is_err(), "four lists");
}

#[test]
fn actions_are_the_same_for_the_same_events() {
    let actions = || -> Vec<String> {
        let (tree, genesis, tip) = chain_of(300, |_| Make::default());
        let mut world = World::new(tree, genesis, 3);
        for tip in [tip, genesis].repeat(5) {
            world.connect(Peer::new(tip, Manners::Honest));
        }
        world.run();
        world.told.iter().map(|told| format!("{told:?}")).collect()
    };
    assert_eq!(actions(), actions());
    assert!(!actions().is_empty());
}
