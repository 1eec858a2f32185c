//! Full nodes: a scripted peer asks, sends garbage and floods.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use alloy_primitives::{B256, U256};
use eth_wire::{
    ForkId, HeaderOrigin, HeaderQuery, Status, Version, encode_header_request, encode_request,
};
use les_tests::{
    client::{Client, Received, Wire, bundled_blocks, client_status, offer},
    eth_peer::{EthPeer, eth_offer},
    server::{Limits, Server},
};
use lesd::FullNodes;
use rlp::RlpStream;
use rlpx::{NodeKey, Reason};

const BLOCKS: u64 = 430;

fn server() -> Server {
    Server::start(Limits::default())
}

fn hash_of(header: &[u8]) -> B256 {
    keccak::keccak256(header).into()
}

fn headers_request(origin: HeaderOrigin, amount: u64, skip: u64, reverse: bool) -> Vec<u8> {
    let mut out = Vec::new();
    encode_header_request(7, &HeaderQuery { origin, amount, skip, reverse }, &mut out);
    out
}

fn hashes_request(hashes: &[B256]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_request(7, hashes, &mut out);
    out
}

/// A reply with id 7, written by another library.
fn reply(items: &[&[u8]]) -> Vec<u8> {
    let mut list = RlpStream::new_list(items.len());
    for item in items {
        list.append_raw(item, 1);
    }
    let mut message = RlpStream::new_list(2);
    message.append(&7u64).append_raw(&list.out(), 1);
    message.out().to_vec()
}

#[test]
fn headers_and_bodies_are_answered_in_every_version() {
    let (server, blocks) = (server(), bundled_blocks());
    for version in Version::ALL {
        let mut peer = EthPeer::connect(&server.enode, version);
        let mut check = |request: Vec<u8>, expected: &[usize]| {
            let expected: Vec<&[u8]> = expected.iter().map(|&at| &blocks[at - 1].0[..]).collect();
            assert_eq!(peer.ask(3, &request, 4), reply(&expected), "{version:?}");
        };
        let number = HeaderOrigin::Number;
        let hash = |at: usize| HeaderOrigin::Hash(hash_of(&blocks[at - 1].0));
        check(headers_request(number(1), 3, 0, false), &[1, 2, 3]);
        check(headers_request(hash(9), 3, 1, false), &[9, 11, 13]);
        check(headers_request(hash(9), 3, 2, true), &[9, 6, 3]);
        check(headers_request(number(BLOCKS), 5, 0, false), &[430]);
        check(headers_request(number(BLOCKS + 1), 5, 0, false), &[]);
        check(headers_request(HeaderOrigin::Hash(B256::repeat_byte(9)), 5, 0, false), &[]);
        check(headers_request(number(1), 0, 0, false), &[]);
        let hashes = [3, 400].map(|at: usize| hash_of(&blocks[at - 1].0));
        let asked = [hashes[0], B256::repeat_byte(9), hashes[1]];
        let bodies = peer.ask(5, &hashes_request(&asked), 6);
        assert_eq!(bodies, reply(&[&blocks[2].1, &blocks[399].1]), "{version:?}");
        assert_eq!(peer.ask(9, &hashes_request(&asked), 10), reply(&[]), "no such transactions");
    }
}

#[test]
fn receipts_are_those_that_headers_commit_to() {
    let (server, blocks) = (server(), bundled_blocks());
    let mut peer = EthPeer::connect(&server.enode, Version::Eth67);
    let all: Vec<&(Vec<u8>, Vec<u8>)> = blocks.iter().take(60).collect();
    let hashes: Vec<B256> = all.iter().map(|(header, _)| hash_of(header)).collect();
    let payload = peer.ask(15, &hashes_request(&hashes), 16);
    let lists = rlp::Rlp::new(&payload).at(1).unwrap();
    assert_eq!(lists.item_count().unwrap(), 60);
    for ((header, _), receipts) in all.iter().zip(lists.iter()) {
        let leaves: Vec<Vec<u8>> = receipts
            .iter()
            .map(
                |one| {
                    if one.is_list() { one.as_raw().to_vec() } else { one.data().unwrap().into() }
                },
            )
            .collect();
        let root = alloy_trie::root::ordered_trie_root_with_encoder(&leaves, |leaf, out| {
            out.extend_from_slice(leaf);
        });
        let committed: Vec<u8> = rlp::Rlp::new(header).val_at(5).unwrap();
        assert_eq!(root.as_slice(), committed);
    }
}

#[test]
fn node_data_is_asked_in_eth_66_only_and_answered_empty() {
    let server = server();
    let request = hashes_request(&[B256::repeat_byte(1)]);
    let mut old = EthPeer::connect(&server.enode, Version::Eth66);
    assert_eq!(old.ask(13, &request, 14), reply(&[]));
    for version in [Version::Eth67, Version::Eth68] {
        let mut peer = EthPeer::connect(&server.enode, version);
        peer.send(13, &request);
        assert_eq!(peer.await_end(), Received::Disconnect(Reason::SubprotocolError));
    }
}

#[test]
fn a_reply_ends_at_the_limit_of_items_or_bytes() {
    let (server, blocks) = (server(), bundled_blocks());
    let mut peer = EthPeer::connect(&server.enode, Version::Eth68);
    let mut items = |code: u64, request: &[u8]| {
        let payload = peer.ask(code, request, code + 1);
        let list = rlp::Rlp::new(&payload).at(1).unwrap();
        (list.item_count().unwrap(), payload.len())
    };
    let everything = headers_request(HeaderOrigin::Number(0), u64::MAX, 0, false);
    assert_eq!(items(3, &everything).0, 431);
    let empty = blocks.iter().find(|(_, body)| body.len() < 10).expect("an empty block");
    let empty = vec![hash_of(&empty.0); 1500];
    assert_eq!(items(5, &hashes_request(&empty)).0, 1024);
    assert_eq!(items(15, &hashes_request(&empty)).0, 1024);
    let full = blocks.iter().max_by_key(|(_, body)| body.len()).expect("a block");
    let (count, bytes) = items(5, &hashes_request(&vec![hash_of(&full.0); 1024]));
    let fits = (2 * 1024 * 1024usize).div_ceil(full.1.len());
    assert_eq!(count, fits.min(1024), "{bytes} bytes");
}

#[test]
fn a_node_of_another_chain_is_refused() {
    let server = server();
    let refused: [fn(Status) -> Status; 5] = [
        |status| Status { network_id: status.network_id + 1, ..status },
        |status| Status { genesis: B256::repeat_byte(1), ..status },
        |status| Status { version: status.version - 1, ..status },
        |status| Status { fork_id: ForkId { hash: [1, 2, 3, 4], next: 0 }, ..status },
        // It passes a fork at a block that we have passed without one (EIP-2124, rule 4).
        |status| Status { fork_id: ForkId { next: 100, ..status.fork_id }, ..status },
    ];
    for change in refused {
        let mut peer = EthPeer::connect_as(&server.enode, Version::Eth67, change);
        assert_eq!(peer.await_end(), Received::Disconnect(Reason::SubprotocolError));
    }
    let mut later = EthPeer::connect_as(&server.enode, Version::Eth67, |status| Status {
        fork_id: ForkId { next: 1_000_000, ..status.fork_id },
        ..status
    });
    later.ask(3, &headers_request(HeaderOrigin::Number(0), 1, 0, false), 4);
}

#[test]
fn garbage_ends_the_connection() {
    let server = server();
    let many: Vec<B256> = (0..100_000u64).map(|number| U256::from(number).into()).collect();
    let mut hashes = RlpStream::new_list(many.len());
    for hash in &many {
        hashes.append(&hash.as_slice());
    }
    let cases: [(u64, Vec<u8>); 9] = [
        (0, Vec::new()),
        (3, vec![0xc0]),
        (5, vec![0x80]),
        (7, vec![0xc2, 0xc0, 0x80]),
        (4, vec![0xc3, 0x07, 0xc1, 0x80]),
        (16, reply(&[])),
        (10, reply(&[])),
        (11, vec![0xc0]),
        (8, hashes.out().to_vec()),
    ];
    for (code, payload) in cases {
        let mut peer = EthPeer::connect(&server.enode, Version::Eth67);
        peer.send(code, &payload);
        let ended = peer.await_end();
        assert_eq!(ended, Received::Disconnect(Reason::SubprotocolError), "message {code}");
    }
    let mut twice = EthPeer::connect(&server.enode, Version::Eth67);
    let status = EthPeer::dial(&server.enode, Version::Eth67).read_status();
    twice.send_status(&status);
    assert_eq!(twice.await_end(), Received::Disconnect(Reason::SubprotocolError));
    let mut early = EthPeer::dial(&server.enode, Version::Eth67);
    early.read_status();
    early.send(3, &headers_request(HeaderOrigin::Number(0), 1, 0, false));
    assert_eq!(early.await_end(), Received::Disconnect(Reason::SubprotocolError));
}

#[test]
fn what_others_pool_is_read_past() {
    let server = server();
    for version in Version::ALL {
        let mut peer = EthPeer::connect(&server.enode, version);
        let mut announced = Vec::new();
        let of = [(B256::repeat_byte(5), 2, 200)];
        eth_wire::encode_pooled_hashes(version, &of, &mut announced);
        peer.send(8, &announced);
        peer.send(2, &[0xc3, 0xc2, 0x01, 0x02]);
        peer.send(3, &headers_request(HeaderOrigin::Number(0), 1, 0, false));
        match peer.receive() {
            Received::Message(4, _) => {}
            other => panic!("{version:?}: {other:?}"),
        }
    }
}

#[test]
fn a_flood_of_requests_is_answered_in_order_and_harms_nobody() {
    let server = server();
    let mut peer = EthPeer::connect(&server.enode, Version::Eth68);
    let origin = HeaderOrigin::Number(1);
    let ask = |id, out: &mut Vec<u8>| {
        let query = HeaderQuery { origin, amount: 64, skip: 0, reverse: false };
        encode_header_request(id, &query, out);
    };
    for id in 0..600 {
        let mut request = Vec::new();
        ask(id, &mut request);
        peer.send(3, &request);
    }
    let mut other = EthPeer::connect(&server.enode, Version::Eth67);
    other.ask(3, &headers_request(origin, 1, 0, false), 4);
    Client::connect(&server.enode, les_wire::Version::Les4);
    for id in 0..600u64 {
        let payload = peer.await_message(4);
        let reply = rlp::Rlp::new(&payload);
        assert_eq!(reply.val_at::<u64>(0).unwrap(), id);
        assert_eq!(reply.at(1).unwrap().item_count().unwrap(), 64);
    }
}

#[test]
fn full_nodes_and_light_clients_take_no_place_of_each_other() {
    let full_nodes = FullNodes { max_peers: 1, static_peers: Vec::new() };
    let server = Server::start(Limits { peers: 1, full_nodes, ..Limits::default() });
    let mut first = EthPeer::connect(&server.enode, Version::Eth68);
    first.ask(3, &headers_request(HeaderOrigin::Number(0), 1, 0, false), 4);
    let mut second = EthPeer::dial(&server.enode, Version::Eth68);
    assert_eq!(second.receive(), Received::Disconnect(Reason::TooManyPeers));
    let mut light = Client::connect(&server.enode, les_wire::Version::Les4);
    let mut request = Vec::new();
    let walk = HeaderQuery { origin: HeaderOrigin::Number(0), amount: 1, skip: 0, reverse: false };
    les_wire::encode_header_request(1, &walk, &mut request);
    light.ask(2, &request, 3);
    assert_eq!((server.handle.full_nodes(), server.handle.connections()), (1, 1));
    let mut another = Client::dial(&server.enode, les_wire::Version::Les4);
    assert_eq!(another.receive(), Received::Disconnect(Reason::TooManyPeers));
    first.ask(3, &headers_request(HeaderOrigin::Number(0), 1, 0, false), 4);
}

#[test]
fn a_trusted_peer_comes_in_beyond_the_limit_until_the_mark_is_taken_back() {
    let full_nodes = FullNodes { max_peers: 1, static_peers: Vec::new() };
    let server = Server::start(Limits { peers: 1, full_nodes, ..Limits::default() });
    let [node, client] = [(); 2].map(|()| NodeKey::random(&mut rand::rng()));
    let dial_node = || {
        let wire = Wire::dial(&server.enode, &node, &[eth_offer(Version::Eth68)]);
        EthPeer { wire, version: Version::Eth68, id: *node.id() }
    };
    let dial_client = || Client::dial_with(&server.enode, les_wire::Version::Les4, &client);
    let check_refused = || {
        let refused = Received::Disconnect(Reason::TooManyPeers);
        assert_eq!((dial_node().receive(), dial_client().receive()), (refused.clone(), refused));
    };
    let asked = headers_request(HeaderOrigin::Number(0), 1, 0, false);
    let mut first_node = EthPeer::connect(&server.enode, Version::Eth68);
    first_node.ask(3, &asked, 4);
    let mut first_client = Client::connect(&server.enode, les_wire::Version::Les4);
    first_client.ask(2, &asked, 3);
    check_refused();
    let trust = |trusted| {
        for key in [&node, &client] {
            assert!(server.handle.set_trusted(key.id(), trusted));
        }
    };
    trust(true);
    let mut trusted_node = dial_node();
    let status = trusted_node.read_status();
    trusted_node.send_status(&status);
    trusted_node.ask(3, &asked, 4);
    let mut trusted_client = dial_client();
    let mut status = Vec::new();
    client_status(&trusted_client.read_status(), les_wire::Version::Les4).encode(&mut status);
    trusted_client.send(0, &status);
    trusted_client.ask(2, &asked, 3);
    assert_eq!((server.handle.full_nodes(), server.handle.connections()), (2, 2));
    let stranger = EthPeer::dial(&server.enode, Version::Eth68).receive();
    assert_eq!(stranger, Received::Disconnect(Reason::TooManyPeers));
    trust(false);
    check_refused();
    trusted_node.ask(3, &asked, 4);
    trusted_client.ask(2, &asked, 3);
}

#[test]
fn a_node_that_serves_les_as_well_is_told_our_status_and_kept() {
    let server = server();
    let les = les_wire::Version::Les4;
    let offers = [
        eth_offer(Version::Eth67),
        offer(les_wire::CAPABILITY_NAME, les.number(), les.message_count()),
    ];
    let mut wire = Wire::dial(&server.enode, &NodeKey::random(&mut rand::rng()), &offers);
    let (mut ours, mut les_status) = (None, None);
    while ours.is_none() || les_status.is_none() {
        match wire.receive() {
            (0, Received::Message(0, payload)) => ours = Some(payload),
            (1, Received::Message(0, payload)) => les_status = Some(payload),
            other => panic!("{other:?}"),
        }
    }
    let les_status = les_wire::Status::decode(&les_status.unwrap()).unwrap();
    assert!(les_status.is_server);
    let mut payload = Vec::new();
    les_status.encode(&mut payload);
    wire.send(1, 0, &payload);
    wire.send(0, 0, &ours.unwrap());
    // An announcement of the other server, and whatever else comes over les.
    wire.send(1, 1, &[0xc0]);
    wire.send(1, 2, &[0xc0]);
    wire.send(0, 3, &headers_request(HeaderOrigin::Number(0), 1, 0, false));
    match wire.receive() {
        (0, Received::Message(4, _)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!((server.handle.full_nodes(), server.handle.connections()), (1, 0));
}

/// A transaction that the bundled chain would take next, in its canonical form.
fn unsent() -> Vec<u8> {
    let manifest = include_str!("../fixtures/chain/small/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    alloy_primitives::hex::decode(manifest["unsentTransaction"].as_str().unwrap()).unwrap()
}

/// The one item of a list, as another library writes it: a transaction as it travels.
fn travelling(canonical: &[u8]) -> Vec<u8> {
    if canonical[0] >= 0xc0 {
        return canonical.to_vec();
    }
    rlp::encode(&canonical).to_vec()
}

#[test]
fn a_clients_transaction_is_told_to_every_full_node() {
    let server = server();
    let mut nodes: Vec<EthPeer> =
        Version::ALL.into_iter().map(|version| EthPeer::connect(&server.enode, version)).collect();
    for node in &mut nodes {
        // Whoever is answered is past Status.
        node.ask(3, &headers_request(HeaderOrigin::Number(0), 1, 0, false), 4);
    }
    let canonical = unsent();
    let hash = hash_of(&canonical);
    let mut request = Vec::new();
    les_wire::encode_request(1, &[les_wire::Transaction::new(&canonical).unwrap()], &mut request);
    let status = Client::connect(&server.enode, les_wire::Version::Les4).ask(0x13, &request, 0x15);
    let state = rlp::Rlp::new(&status).at(2).unwrap().at(0).unwrap().val_at::<u8>(0).unwrap();
    assert_eq!(state, 2, "pending");
    nodes.push(EthPeer::connect(&server.enode, Version::Eth68));
    let mut whole = 0;
    for node in &mut nodes {
        match node.receive() {
            Received::Message(2, payload) => {
                whole += 1;
                assert_eq!(rlp::Rlp::new(&payload).at(0).unwrap().as_raw(), travelling(&canonical));
            }
            Received::Message(8, payload) => {
                let mut announced = Vec::new();
                let kind = if canonical[0] < 0x80 { canonical[0] } else { 0 };
                let of = [(hash, kind, canonical.len() as u64)];
                eth_wire::encode_pooled_hashes(node.version, &of, &mut announced);
                assert_eq!(payload, announced);
            }
            other => panic!("{other:?}"),
        }
        let asked = hashes_request(&[B256::repeat_byte(1), hash]);
        assert_eq!(node.ask(9, &asked, 10), reply(&[&travelling(&canonical)]));
    }
    assert!((2..=3).contains(&whole), "two of three, and perhaps the one that came later");
}
