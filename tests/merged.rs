//! Full nodes on a chain that has passed to proof of stake.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use alloy_primitives::B256;
use eth_wire::{BlockAnnouncement, Version, encode_block_hashes, encode_new_block, splice_reply};
use les_tests::{
    client::Received,
    clique::{BREACH, World, await_head, heights, short},
    eth_peer::EthPeer,
    log::Log,
    server::{Limits, Server},
};

/// GetBlockHeaders for block 0, with id 7.
const ASK: [u8; 7] = [0xc6, 0x07, 0xc4, 0x80, 0x01, 0x80, 0x80];

#[test]
fn a_node_that_announces_blocks_after_the_merge_is_dropped() {
    let world = World::merged();
    let [block, above] = [&world.blocks[1], &world.blocks[2]];
    let total = world.total_difficulty(1);
    let mut whole = Vec::new();
    encode_new_block(&block.header_rlp, &block.body_rlp, &total, &mut whole);
    let mut hash = Vec::new();
    let announced = BlockAnnouncement { hash: above.hash, number: above.header.number };
    encode_block_hashes(&[announced], &mut hash);
    let (log, chain) = (Log::capture(), world.chain(2));
    for message in [(7, whole), (1, hash)] {
        let server = Server::following(&chain, Limits::default());
        let mut other = EthPeer::connect(&server.enode, Version::Eth68);
        let mut peer = EthPeer::connect(&server.enode, Version::Eth67);
        peer.send(message.0, &message.1);
        assert_eq!(peer.await_end(), BREACH);
        let line = log.await_line(&["Full node dropped", &short(&peer.id)]);
        assert!(line.contains("it announces blocks after the merge"), "{line}");
        // Nothing was told to this one, and it is served.
        other.send(3, &ASK);
        let Received::Message(4, _) = other.receive() else { panic!("not served") };
        assert_eq!(chain.store.head().number, 2);
    }
}

#[test]
fn a_merged_chain_is_synced_and_told_to_nobody() {
    let world = World::merged();
    let (merged, chain) = (world.chain(3), world.chain(0));
    let source = Server::following(&merged, Limits::default());
    let server = Server::following(&chain, Limits::default());
    let mut other = EthPeer::connect(&server.enode, Version::Eth68);
    // The answer shows that it is known.
    other.ask(3, &ASK, 4);
    let heights = heights(&server, &chain);
    assert!(server.handle.add_peer(source.enode.clone()));
    // It is asked for bodies first, as the older peer, and has none.
    let request = other.await_message(5);
    let mut nothing = Vec::new();
    splice_reply(rlp::Rlp::new(&request).val_at(0).unwrap(), &[], &mut nothing);
    other.send(6, &nothing);
    await_head(&heights, &chain, &merged, "the merged chain");
    // The end is the first that it hears after that.
    let mut hash = Vec::new();
    encode_block_hashes(&[BlockAnnouncement { hash: B256::ZERO, number: 4 }], &mut hash);
    other.send(1, &hash);
    assert_eq!(other.receive(), BREACH);
}
