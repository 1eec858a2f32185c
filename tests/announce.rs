//! New heads, as each connection hears of them while the chain grows under the server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::sync::Arc;

use alloy_primitives::keccak256;
use chain_backend::{
    Backend as _, HelperTrieParameters, Importer, SealCaches, Store,
    memory::{Generator, MemoryChain},
};
use les_tests::{
    client::{Client, Received, bundled_blocks, client_status},
    server::{Chain, Server},
};
use les_wire::{Announce, AnnounceType, Version};
use rlpx::{NodeId, NodeKey};

/// A chain of its own, of which the first blocks are imported.
fn begin(blocks: usize) -> (Chain, Importer) {
    let chain = Chain::empty();
    let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
    let mut importer = Importer::new(store, spec, SealCaches::new(false));
    extend(&mut importer, 0, blocks);
    (chain, importer)
}

/// Imports the blocks `from..to` of the bundled chain, counted from 0 for block 1.
fn extend(importer: &mut Importer, from: usize, to: usize) {
    for (header, body) in &bundled_blocks()[from..to] {
        let body = rlp::Rlp::new(body);
        let mut block = rlp::RlpStream::new_list(3);
        block.append_raw(header, 1);
        block.append_raw(body.at(0).unwrap().as_raw(), 1);
        block.append_raw(body.at(1).unwrap().as_raw(), 1);
        importer.import_rlp(&block.out()).unwrap();
    }
}

/// A connection that wants this kind of announcements.
fn listen(server: &Server, wanted: AnnounceType) -> Client {
    listen_as(server, wanted, "les-tests")
}

/// The same of a client that calls itself so.
fn listen_as(server: &Server, wanted: AnnounceType, name: &str) -> Client {
    let key = NodeKey::random(&mut rand::rng());
    let mut client = Client::dial_as(&server.enode, Version::Les4, &key, name);
    let theirs = client.read_status();
    let ours =
        les_wire::Status { announce_type: Some(wanted), ..client_status(&theirs, Version::Les4) };
    let mut payload = Vec::new();
    ours.encode(&mut payload);
    client.send(0, &payload);
    // An answer shows that the Status was taken.
    client.ask(4, &[0xc2, 0x01, 0xc0], 5);
    client
}

/// The next announcement: (number, hash, reorg depth, whether our server signed it).
fn hear(client: &mut Client, server: &Server) -> (u64, Vec<u8>, u64, bool) {
    let Received::Message(1, payload) = client.receive() else { panic!("no announcement") };
    let announce = Announce::decode(&payload).unwrap();
    let signed = announce.updates.signature().is_some_and(|signature| {
        let digest = Announce::signing_digest(&announce.head);
        NodeId::recover(&digest, signature).unwrap() == server.enode.id
    });
    (announce.head.number, announce.head.hash.to_vec(), announce.reorg_depth, signed)
}

fn total_difficulty(store: &Store) -> alloy_primitives::U256 {
    store.snapshot().head().total_difficulty
}

#[test]
fn every_client_hears_of_a_new_head_in_the_way_it_asked_for() {
    let (chain, mut importer) = begin(20);
    let server = Server::of(&chain, Default::default());
    let mut simple = listen(&server, AnnounceType::Simple);
    let mut signed = listen(&server, AnnounceType::Signed);
    let mut none = listen(&server, AnnounceType::None);
    extend(&mut importer, 20, 21);
    server.handle.head_changed().unwrap();
    let hash = keccak256(&bundled_blocks()[20].0).to_vec();
    assert_eq!(hear(&mut simple, &server), (21, hash.clone(), 0, false));
    assert_eq!(hear(&mut signed, &server), (21, hash, 0, true));
    // Nothing for this one: the next thing it hears is its own answer.
    none.ask(4, &[0xc2, 0x01, 0xc0], 5);
}

#[test]
fn what_was_announced_can_be_read_at_once() {
    let (chain, mut importer) = begin(20);
    let server = Server::of(&chain, Default::default());
    let mut client = listen(&server, AnnounceType::Simple);
    extend(&mut importer, 20, 30);
    server.handle.head_changed().unwrap();
    let (number, hash, ..) = hear(&mut client, &server);
    assert_eq!(number, 30);
    let mut request = rlp::RlpStream::new_list(2);
    request.append(&1u64).begin_list(1).begin_list(4);
    request.append(&hash).append(&Vec::new()).append(&vec![1u8; 32]).append(&0u64);
    let reply = client.ask(0x0f, &request.out(), 0x10);
    let nodes = rlp::Rlp::new(&reply).at(2).unwrap();
    let root: Vec<u8> = rlp::Rlp::new(&bundled_blocks()[29].0).val_at(3).unwrap();
    assert_eq!(keccak256(nodes.at(0).unwrap().as_raw()).to_vec(), root);
}

#[test]
fn a_head_that_is_no_heavier_is_not_announced() {
    let (chain, mut importer) = begin(20);
    let server = Server::of(&chain, Default::default());
    let mut client = listen(&server, AnnounceType::Simple);
    let heavy = total_difficulty(&chain.store);
    let parent = keccak256(&bundled_blocks()[18].0);
    chain.store.set_head(&parent).unwrap();
    assert!(total_difficulty(&chain.store) < heavy);
    server.handle.head_changed().unwrap();
    client.ask(4, &[0xc2, 0x01, 0xc0], 5);
    extend(&mut importer, 20, 22);
    server.handle.head_changed().unwrap();
    assert_eq!(hear(&mut client, &server).0, 22, "and depth 0: the old head is its ancestor");
}

#[test]
fn of_a_burst_the_newest_is_signed_and_the_others_are_left_out() {
    let (chain, mut importer) = begin(20);
    let server = Server::of(&chain, Default::default());
    let mut signed = listen(&server, AnnounceType::Signed);
    extend(&mut importer, 20, 21);
    server.handle.head_changed().unwrap();
    assert_eq!(hear(&mut signed, &server).0, 21);
    extend(&mut importer, 21, 22);
    server.handle.head_changed().unwrap();
    extend(&mut importer, 22, 23);
    server.handle.head_changed().unwrap();
    let hash = keccak256(&bundled_blocks()[22].0).to_vec();
    assert_eq!(hear(&mut signed, &server), (23, hash, 0, true), "a second after the first");
}

#[test]
fn after_the_merge_a_head_is_told_to_the_versions_that_bear_it() {
    let mut generator = Generator::new(7);
    let blocks = generator.chain(4);
    let backend = Arc::new(MemoryChain::new(blocks.clone(), HelperTrieParameters::SERVER));
    let spec = Chain::empty().spec;
    let server = Server::serving(Arc::clone(&backend), spec, Default::default());
    let strict = ["Geth/v1.10.26-stable/linux", "Geth/v1.12.0-stable/linux", "ethereumjs/linux"];
    let lenient = ["Geth/v1.12.1-stable/linux", "Geth/home/v1.13.5-stable/linux"];
    let listen = |name: &&str| listen_as(&server, AnnounceType::Simple, name);
    let mut strict: Vec<Client> = strict.iter().map(listen).collect();
    let mut lenient: Vec<Client> = lenient.iter().map(listen).collect();
    let mut tip = blocks[4].clone();
    for number in 5..8 {
        let mut child = (*generator.child(&tip)).clone();
        child.total_difficulty = tip.total_difficulty;
        tip = Arc::new(child);
        backend.push(Arc::clone(&tip));
        server.handle.head_changed().unwrap();
        for client in &mut lenient {
            assert_eq!(hear(client, &server), (number, tip.hash.to_vec(), 0, false));
        }
    }
    for client in &mut strict {
        // Nothing for these: the next thing they hear is their own answer.
        client.ask(4, &[0xc2, 0x01, 0xc0], 5);
    }
}

#[test]
fn an_announced_branch_that_was_left_can_still_be_fetched() {
    let mut generator = Generator::new(9);
    let blocks = generator.chain(30);
    let backend = Arc::new(MemoryChain::new(blocks.clone(), HelperTrieParameters::SERVER));
    let spec = Chain::empty().spec;
    let server = Server::serving(Arc::clone(&backend), spec, Default::default());
    let mut client = listen(&server, AnnounceType::Simple);
    let mut tip = blocks[5].clone();
    for _ in 6..32 {
        tip = generator.child(&tip);
        backend.push(Arc::clone(&tip));
    }
    server.handle.head_changed().unwrap();
    assert_eq!(hear(&mut client, &server), (31, tip.hash.to_vec(), 25, false));
    let left = &blocks[30];
    let mut request = rlp::RlpStream::new_list(2);
    request.append(&1u64).begin_list(4);
    request.append(&left.hash.to_vec()).append(&26u64).append(&0u64).append(&1u64);
    let reply = client.ask(2, &request.out(), 3);
    let headers = rlp::Rlp::new(&reply).at(2).unwrap();
    let hashes: Vec<_> = headers.iter().map(|header| keccak256(header.as_raw())).collect();
    let expected: Vec<_> = blocks[5..].iter().rev().map(|block| block.hash).collect();
    assert_eq!(hashes, expected, "down to the common ancestor");
}
