//! Servers that follow full nodes: other servers, and scripted peers that lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use alloy_primitives::{B256, U256};
use chain_backend::Block;
use eth_wire::{
    BlockAnnouncement, MessageKind, RequestKind, Status, Version, encode_block_hashes,
    encode_new_block, splice_reply,
};
use les_tests::{
    client::{Received, bundled_blocks},
    eth_peer::EthPeer,
    server::{Chain, Limits, Server},
};
use lesd::FullNodes;
use rlpx::{Enode, Host, NodeKey, Reason};

const BLOCKS: u64 = 430;
/// What a server does by itself is done within this, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn hash_of(header: &[u8]) -> B256 {
    keccak::keccak256(header).into()
}

/// Imports the bundled chain's blocks `first..=last` into a server that follows.
fn extend(server: &Server, first: usize, last: usize) {
    let blocks = bundled_blocks()[first - 1..last]
        .iter()
        .map(|(header, body)| Block::decode(&Block::join(header, body).unwrap()).unwrap())
        .collect();
    server.writer.as_ref().expect("a server that follows").import_blocking(blocks).unwrap();
}

/// Says when a chain reaches a height.
fn height_of(server: &Server, chain: &Chain) -> Receiver<u64> {
    let (sender, receiver) = sync_channel(1024);
    server.on_head(chain, move |number| {
        let _full = sender.try_send(number);
    });
    receiver
}

#[track_caller]
fn await_height(heights: &Receiver<u64>, height: u64) {
    while heights.recv_timeout(PATIENCE).expect("a new head in time") < height {}
}

fn statics(server: &Server) -> Limits {
    let full_nodes = FullNodes { max_peers: 4, static_peers: vec![server.enode.clone()] };
    Limits { full_nodes, ..Limits::default() }
}

#[test]
fn a_server_syncs_from_another_and_hears_of_its_new_blocks() {
    let (first_chain, second_chain) = (Chain::empty(), Chain::empty());
    let first = Server::following(&first_chain, Limits::default());
    extend(&first, 1, 400);
    let second = Server::following(&second_chain, statics(&first));
    let heights = height_of(&second, &second_chain);
    await_height(&heights, 400);
    for number in 401..=410 {
        extend(&first, number, number);
        await_height(&heights, number as u64);
    }
    extend(&first, 411, 430);
    await_height(&heights, BLOCKS);
    assert_eq!(first_chain.store.head(), second_chain.store.head());
    // A third one that is told later follows the second.
    let third_chain = Chain::empty();
    let third = Server::following(&third_chain, Limits::default());
    let heights = height_of(&third, &third_chain);
    assert!(third.handle.add_peer(second.enode.clone()));
    await_height(&heights, BLOCKS);
    assert_eq!(third_chain.store.head(), first_chain.store.head());
    assert!(third.handle.remove_peer(&second.enode.id));
    assert!(!third.handle.remove_peer(&first.enode.id));
}

#[test]
fn a_named_node_that_hangs_up_is_dialled_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let id = *NodeKey::random(&mut rand::rng()).id();
    let (host, port) = (Host::Ip(address.ip()), address.port());
    let named = Enode { id, host, tcp_port: port, udp_port: port };
    let full_nodes = FullNodes { max_peers: 1, static_peers: vec![named] };
    let server = Server::start(Limits { full_nodes, ..Limits::default() });
    let (accepted, dialled) = sync_channel(2);
    std::thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            drop(stream);
            accepted.send(()).unwrap();
        }
    });
    for _ in 0..2 {
        dialled.recv_timeout(PATIENCE).unwrap();
    }
    // Its place is kept meanwhile.
    let mut stranger = EthPeer::dial(&server.enode, Version::Eth68);
    assert_eq!(stranger.receive(), Received::Disconnect(Reason::TooManyPeers));
    assert!(server.handle.remove_peer(&id));
    EthPeer::connect(&server.enode, Version::Eth68);
}

/// Connects to an empty server that follows, as a node whose chain has this total difficulty.
fn claim(server: &Server, head: B256, total_difficulty: u64) -> EthPeer {
    EthPeer::connect_as(&server.enode, Version::Eth67, |status| Status {
        head,
        total_difficulty: U256::from(total_difficulty),
        ..status
    })
}

/// The id of a request.
fn id_of(payload: &[u8]) -> u64 {
    rlp::Rlp::new(payload).val_at(0).unwrap()
}

#[test]
fn a_peer_that_lies_is_dropped_and_nothing_of_it_is_stored() {
    let chain = Chain::empty();
    let server = Server::following(&chain, Limits::default());
    let blocks = bundled_blocks();
    let head = hash_of(&blocks[9].0);
    let breach = Received::Disconnect(Reason::SubprotocolError);

    let mut unasked = claim(&server, chain.store.genesis_hash(), 1);
    let mut headers = Vec::new();
    splice_reply(7, &blocks[0].0, &mut headers);
    unasked.send(4, &headers);
    assert_eq!(unasked.await_end(), breach, "headers that were not requested");

    let mut headless = claim(&server, head, 1000);
    let request = headless.await_message(3);
    let mut nothing = Vec::new();
    splice_reply(id_of(&request), &[], &mut nothing);
    headless.send(4, &nothing);
    assert_eq!(headless.await_end(), breach, "its own head is not there");

    let mut body = Vec::new();
    encode_new_block(&blocks[0].0, &blocks[1].1, &U256::from(3), &mut body);
    let mut mixed = claim(&server, chain.store.genesis_hash(), 1);
    mixed.send(7, &body);
    assert_eq!(mixed.await_end(), breach, "a body of another block");

    let mut many = claim(&server, chain.store.genesis_hash(), 1);
    let announced = |number: u64| BlockAnnouncement { hash: U256::from(number).into(), number };
    let mut payload = Vec::new();
    encode_block_hashes(&(1..=300).map(announced).collect::<Vec<_>>(), &mut payload);
    many.send(1, &payload);
    assert_eq!(many.await_end(), breach, "more hashes than anybody needs");
    assert_eq!(chain.store.head().number, 0);
}

#[test]
fn a_peer_that_sends_what_it_has_is_followed() {
    let chain = Chain::empty();
    let server = Server::following(&chain, Limits::default());
    let heights = height_of(&server, &chain);
    let blocks = bundled_blocks();
    let mut peer = claim(&server, chain.store.genesis_hash(), 1);
    // One block at a time, each announced whole with its parent here.
    let mut total_difficulty = chain.store.head().total_difficulty;
    for (number, (header, body)) in (1..).zip(blocks.iter().take(5)) {
        total_difficulty += rlp::Rlp::new(header).val_at::<u64>(7).map(U256::from).unwrap();
        let mut payload = Vec::new();
        encode_new_block(header, body, &total_difficulty, &mut payload);
        peer.send(u64::from(MessageKind::NewBlock.code()), &payload);
        await_height(&heights, number);
    }
    // One that is only announced is fetched.
    let (header, body) = &blocks[5];
    let mut payload = Vec::new();
    encode_block_hashes(&[BlockAnnouncement { hash: hash_of(header), number: 6 }], &mut payload);
    peer.send(1, &payload);
    let mut answer = |kind: RequestKind, item: &[u8]| {
        let request = peer.await_message(u64::from(kind.code()));
        let mut payload = Vec::new();
        splice_reply(id_of(&request), item, &mut payload);
        peer.send(u64::from(kind.reply_code()), &payload);
    };
    answer(RequestKind::Headers, header);
    if body.len() > 3 {
        answer(RequestKind::Bodies, body);
    }
    await_height(&heights, 6);
    assert_eq!(chain.store.head().hash, hash_of(header));
}
