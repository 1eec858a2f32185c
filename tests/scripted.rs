//! A scripted peer against the real server: each message with its edge cases, byte by byte.
//! Requests are encoded by another RLP library than the server decodes with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::keccak256;
use chain_backend::{Backend, Snapshot};
use les_tests::{
    client::{Client, Received, bundled_blocks, client_status},
    server::{Limits, Server, bundled_chain},
};
use les_wire::Version;
use rlp::RlpStream;
use rlpx::{NodeKey, Reason};

const MAX: u64 = u64::MAX;

fn server() -> Server {
    Server::start(Limits::default())
}

/// `[1, [item…]]` with items that are already encoded.
fn request(items: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = RlpStream::new_list(2);
    stream.append(&1u64).begin_list(items.len());
    for item in items {
        stream.append_raw(item, 1);
    }
    stream.out().to_vec()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    rlp::encode(&bytes).to_vec()
}

fn header_request(origin: &[u8], amount: u64, skip: u64, reverse: bool) -> Vec<u8> {
    let mut stream = RlpStream::new_list(2);
    stream.append(&1u64).begin_list(4).append_raw(origin, 1);
    stream.append(&amount).append(&skip).append(&reverse);
    stream.out().to_vec()
}

/// The items of `[id, BV, [item…]]`, as raw RLP.
fn items(reply: &[u8]) -> Vec<Vec<u8>> {
    let reply = rlp::Rlp::new(reply);
    assert_eq!(reply.val_at::<u64>(0).unwrap(), 1, "the request id comes back");
    reply.at(2).unwrap().iter().map(|item| item.as_raw().to_vec()).collect()
}

fn number(number: u64) -> Vec<u8> {
    rlp::encode(&number).to_vec()
}

/// What go-ethereum wrote beside the chain.
fn manifest() -> serde_json::Value {
    serde_json::from_str(include_str!("../fixtures/chain/small/manifest.json")).unwrap()
}

#[test]
fn status_says_what_each_version_needs() {
    let server = server();
    for version in Version::ALL {
        let status = Client::dial(&server.enode, version).read_status();
        assert_eq!(status.protocol_version, u64::from(version.number()));
        assert_eq!(status.useless_to_client(version), None, "{version:?}");
        assert_eq!(status.fork_id.is_some(), version == Version::Les4);
        assert_eq!(status.recent_tx_lookup.is_some(), version == Version::Les4);
        assert_eq!(status.serve_recent_state, Some(124));
        assert_eq!(status.head.unwrap().number, 430);
    }
}

#[test]
fn headers_follow_the_four_walks_and_end_where_the_chain_does() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let genesis = {
        let reply = client.ask(2, &header_request(&number(0), 1, 0, false), 3);
        items(&reply).remove(0)
    };
    let chain: Vec<Vec<u8>> =
        std::iter::once(genesis).chain(bundled_blocks().into_iter().map(|block| block.0)).collect();
    let head = 430;
    let at = |number: u64| hash(keccak256(&chain[usize::try_from(number).unwrap()]).as_slice());
    let mut check = |origin: Vec<u8>, amount, skip, reverse, expected: &[u64]| {
        let reply = client.ask(2, &header_request(&origin, amount, skip, reverse), 3);
        let expected: Vec<_> =
            expected.iter().map(|n| chain[usize::try_from(*n).unwrap()].clone()).collect();
        assert!(
            items(&reply) == expected,
            "{amount} {skip} {reverse}: {} items",
            items(&reply).len()
        );
    };
    for origin in [number(96), at(96)] {
        check(origin.clone(), 1, 0, false, &[96]);
        check(origin.clone(), 3, 0, false, &[96, 97, 98]);
        check(origin.clone(), 3, 0, true, &[96, 95, 94]);
        check(origin.clone(), 3, 3, false, &[96, 100, 104]);
        check(origin.clone(), 3, 3, true, &[96, 92, 88]);
        check(origin.clone(), 0, 0, false, &[]);
        for skip in [MAX, MAX - 1, 1 << 63] {
            check(origin.clone(), 192, skip, false, &[96]);
            check(origin.clone(), 192, skip, true, &[96]);
        }
    }
    for origin in [number(head - 4), at(head - 4)] {
        check(origin, 3, 3, false, &[head - 4, head]);
    }
    for origin in [number(4), at(4)] {
        check(origin.clone(), 3, 3, true, &[4, 0]);
        check(origin, 3, 2, true, &[4, 1]);
    }
    check(hash(&[0; 32]), 1, 0, false, &[0]);
    check(hash(&[7; 32]), 1, 0, false, &[]);
    check(number(head + 1), 1, 0, false, &[]);
    check(number(MAX), 192, 0, false, &[]);
    let first: Vec<u64> = (1..=192).collect();
    check(number(1), 193, 0, false, &first);
    check(number(1), MAX, 0, false, &first);
}

#[test]
fn bodies_come_in_order_without_the_unknown_ones() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les3);
    let blocks = bundled_blocks();
    let known: Vec<_> = blocks.iter().take(3).collect();
    let unknown = hash(&[9; 32]);
    let mut hashes = Vec::new();
    for (header, _) in &known {
        hashes.extend([unknown.clone(), hash(keccak256(header).as_slice())]);
    }
    let reply = client.ask(4, &request(&hashes), 5);
    let expected: Vec<_> = known.iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(items(&reply), expected);
    let over: Vec<_> =
        blocks.iter().take(40).map(|(header, _)| hash(keccak256(header).as_slice())).collect();
    assert_eq!(
        items(&client.ask(4, &request(&over), 5)).len(),
        32,
        "over the limit: the first ones"
    );
    assert_eq!(items(&client.ask(4, &request(&[]), 5)).len(), 0);
}

#[test]
fn receipts_are_those_of_the_header() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les2);
    for (header, _) in bundled_blocks().iter().take(30) {
        let block = hash(keccak256(header).as_slice());
        let reply = client.ask(6, &request(&[block]), 7);
        let receipts = items(&reply).remove(0);
        // Field 5 of a header is the root of the trie of its receipts.
        let root: Vec<u8> = rlp::Rlp::new(header).val_at(5).unwrap();
        let list = rlp::Rlp::new(&receipts);
        let encoded: Vec<Vec<u8>> = list
            .iter()
            .map(|item| {
                if item.is_list() { item.as_raw().to_vec() } else { item.data().unwrap().to_vec() }
            })
            .collect();
        let computed = alloy_trie::root::ordered_trie_root_with_encoder(&encoded, |item, out| {
            out.extend_from_slice(item);
        });
        assert_eq!(computed.as_slice(), root);
    }
}

#[test]
fn an_address_and_its_hash_name_the_same_account() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let (header, _) = bundled_blocks().pop().unwrap();
    let block = keccak256(&header);
    let manifest = manifest();
    let contract = manifest["contracts"]["factory"].as_str().expect("a contract");
    let address: alloy_primitives::Address = contract.parse().unwrap();
    let code = |client: &mut Client, key: &[u8]| {
        let mut item = RlpStream::new_list(2);
        item.append(&block.as_slice()).append(&key);
        items(&client.ask(0x0a, &request(&[item.out().to_vec()]), 0x0b))
    };
    let by_hash = code(&mut client, keccak256(address).as_slice());
    assert_eq!(by_hash.len(), 1);
    assert_eq!(code(&mut client, address.as_slice()), by_hash);
    assert_eq!(code(&mut client, &[]).len(), 0);
    assert_eq!(code(&mut client, &[1; 31]).len(), 0);
}

fn proof_item(block: &[u8], account: &[u8], key: &[u8], from_level: u64) -> Vec<u8> {
    let mut item = RlpStream::new_list(4);
    item.append(&block).append(&account).append(&key).append(&from_level);
    item.out().to_vec()
}

#[test]
fn proofs_hold_each_node_once_root_first() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let (header, _) = bundled_blocks().pop().unwrap();
    let block = keccak256(&header);
    let root: Vec<u8> = rlp::Rlp::new(&header).val_at(3).unwrap();
    let mut ask = |wanted: &[Vec<u8>]| -> Vec<Vec<u8>> {
        let reply = client.ask(0x0f, &request(wanted), 0x10);
        let nodes = items(&reply);
        nodes.iter().map(|node| rlp::Rlp::new(node).as_raw().to_vec()).collect()
    };
    let absent = |key: u8, level| proof_item(block.as_slice(), &[], &[key; 32], level);
    let one = ask(&[absent(1, 0)]);
    assert_eq!(keccak256(&one[0]).as_slice(), root);
    assert_eq!(ask(&[absent(1, 0), absent(1, 0)]), one, "no node twice");
    assert_eq!(ask(&[absent(1, 1)]), one[1..], "without the first level");
    assert_eq!(ask(&[absent(1, 99)]), Vec::<Vec<u8>>::new());
    let both = ask(&[absent(1, 0), absent(0xf1, 0)]);
    assert!(both.len() > one.len() && both.starts_with(&one), "the root is shared");
    let nobody = proof_item(block.as_slice(), &[3; 32], &[1; 32], 0);
    assert_eq!(ask(&[nobody]), Vec::<Vec<u8>>::new(), "no such account");
    // A repeated unknown block once crashed another server (CVE-2020-26264).
    let unknown = || proof_item(&[5; 32], &[], &[1; 32], 0);
    assert_eq!(ask(&[unknown(), unknown(), absent(1, 0)]), one);
    for length in [0, 1, 31, 33, 100] {
        ask(&[proof_item(block.as_slice(), &[], &vec![1; length], 0)]);
    }
}

#[test]
fn state_outside_the_window_is_left_out() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let (header, _) = &bundled_blocks()[0];
    let item = proof_item(keccak256(header).as_slice(), &[], &[1; 32], 0);
    for _ in 0..30 {
        let reply = client.ask(0x0f, &request(std::slice::from_ref(&item)), 0x10);
        assert_eq!(items(&reply).len(), 0, "and it is no fault to ask");
    }
}

#[test]
fn a_helper_trie_that_is_not_there_is_answered_all_the_same() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let item = |kind: u64, section: u64, key: &[u8], aux: u64| {
        let mut item = RlpStream::new_list(5);
        item.append(&kind).append(&section).append(&key).append(&0u64).append(&aux);
        item.out().to_vec()
    };
    let mut check = |wanted: Vec<u8>, aux_items: usize| {
        let reply = items(&client.ask(0x11, &request(&[wanted]), 0x12));
        let counts: Vec<usize> =
            reply.iter().map(|list| rlp::Rlp::new(list).item_count().unwrap()).collect();
        assert_eq!(counts, [0, aux_items]);
    };
    let block = 7u64.to_be_bytes();
    check(item(0, 0, &block, 0), 0);
    check(item(0, 0, &block, 2), 1);
    check(item(0, MAX, &block, 2), 1);
    check(item(0, 0, &block, 3), 0);
    check(item(1, 0, &[0; 10], 0), 0);
    check(item(2, 0, &block, 2), 0);
    check(item(0, 0, &block[..7], 2), 0);
}

#[test]
fn transactions_are_found_or_refused_with_a_reason() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let (header, body) = bundled_blocks()
        .into_iter()
        .find(|(_, body)| rlp::Rlp::new(body).at(0).unwrap().item_count().unwrap() > 0)
        .expect("a block with transactions");
    let first = rlp::Rlp::new(&body).at(0).unwrap().at(0).unwrap();
    let canonical =
        if first.is_list() { first.as_raw().to_vec() } else { first.data().unwrap().to_vec() };
    let included = |reply: &[u8]| {
        let status = rlp::Rlp::new(reply);
        assert_eq!(status.item_count().unwrap(), 3);
        assert_eq!(status.val_at::<u64>(0).unwrap(), 3);
        let lookup = status.at(1).unwrap();
        assert_eq!(lookup.val_at::<Vec<u8>>(0).unwrap(), keccak256(&header).as_slice());
        assert_eq!(lookup.val_at::<u64>(2).unwrap(), 0);
    };
    let known = hash(keccak256(&canonical).as_slice());
    let reply = items(&client.ask(0x14, &request(&[known, hash(&[1; 32])]), 0x15));
    included(&reply[0]);
    assert_eq!(reply[1], [0xc3, 0x80, 0xc0, 0x80], "unknown");
    let sent = items(&client.ask(0x13, &request(&[first.as_raw().to_vec()]), 0x15));
    included(&sent[0]);
    let unsent = alloy_primitives::hex::decode(
        manifest()["unsentTransaction"].as_str().expect("a signed transaction"),
    );
    let unsent = unsent.expect("hexadecimal");
    let pending = [0xc3, 0x02, 0xc0, 0x80];
    for _ in 0..2 {
        let sent = items(&client.ask(0x13, &request(std::slice::from_ref(&unsent)), 0x15));
        assert_eq!(sent[0], pending, "sent again, it is no error");
    }
    let sent = hash(keccak256(&unsent).as_slice());
    assert_eq!(items(&client.ask(0x14, &request(&[sent]), 0x15))[0], pending);
}

#[test]
fn what_no_client_sends_ends_the_connection() {
    let server = server();
    let item = hash(&[1; 32]);
    let good = request(std::slice::from_ref(&item));
    let trailing = [good.clone(), vec![0]].concat();
    let cases: [(u64, Vec<u8>, &str); 11] = [
        (0, vec![0xc0], "a second Status"),
        (3, vec![0xc0], "a reply"),
        (8, good.clone(), "les/1 proofs"),
        (0x0c, good.clone(), "les/1 transactions"),
        (0x16, vec![0xc0], "Stop"),
        (0x17, vec![0x01], "Resume"),
        (4, trailing, "trailing bytes"),
        (4, vec![0xc2, 0x00, 0xc0], "a non-canonical number"),
        (4, request(&[hash(&[1; 31])]), "a short hash"),
        (0x13, request(&[vec![0xc1, 0x01]]), "no transaction"),
        (4, vec![0xff; 100], "no RLP"),
    ];
    for (code, payload, what) in cases {
        let mut client = Client::connect(&server.enode, Version::Les4);
        client.send(code, &payload);
        let ended = client.receive();
        assert_eq!(ended, Received::Disconnect(Reason::SubprotocolError), "{what}");
        assert_eq!(client.receive(), Received::Closed, "{what}");
    }
    let mut unharmed = Client::connect(&server.enode, Version::Les4);
    unharmed.ask(4, &good, 5);
}

#[test]
fn bytes_that_are_no_frame_end_the_connection() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    client.send_raw(&[0x55; 64]);
    assert_eq!(client.receive(), Received::Disconnect(Reason::ProtocolBreach));
}

/// The bundled chain on a disk whose reads panic as long as it is told to.
struct Panicking(AtomicBool);

impl Backend for Panicking {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        let reader = std::thread::current().name().is_some_and(|name| name.starts_with("reader"));
        assert!(!(reader && self.0.load(Ordering::SeqCst)), "as the test wants it");
        bundled_chain().store.snapshot()
    }

    fn may_be_warm(&self) -> bool {
        false
    }
}

#[test]
fn a_read_that_panics_costs_one_connection_and_no_thread() {
    let backend = Arc::new(Panicking(AtomicBool::new(true)));
    let spec = Arc::clone(&bundled_chain().spec);
    let server = Server::serving(Arc::clone(&backend), spec, Limits::default());
    let ask = header_request(&number(0), 1, 0, false);
    // More often than there are reader threads.
    for _ in 0..10 {
        let mut client = Client::connect(&server.enode, Version::Les4);
        client.send(2, &ask);
        assert_eq!(client.receive(), Received::Disconnect(Reason::Requested));
    }
    backend.0.store(false, Ordering::SeqCst);
    Client::connect(&server.enode, Version::Les4).ask(2, &ask, 3);
}

#[test]
fn pings_without_end_end_the_connection() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    (0..20).for_each(|_| client.ping());
    client.ask(2, &header_request(&number(0), 1, 0, false), 3);
    (0..100).for_each(|_| client.ping());
    assert_eq!(client.receive(), Received::Disconnect(Reason::ProtocolBreach));
}

#[test]
fn a_client_of_another_chain_or_without_status_is_refused() {
    let server = server();
    let refused = |client: &mut Client, what: &str| {
        let ended = client.receive();
        assert_eq!(ended, Received::Disconnect(Reason::SubprotocolError), "{what}");
    };
    let mut client = Client::dial(&server.enode, Version::Les4);
    let theirs = client.read_status();
    let right = client_status(&theirs, Version::Les4);
    client.send(2, &header_request(&number(0), 1, 0, false));
    refused(&mut client, "a request before Status");
    let wrong = [
        les_wire::Status { genesis_hash: [1; 32].into(), ..right.clone() },
        les_wire::Status { network_id: theirs.network_id + 1, ..right.clone() },
        les_wire::Status { protocol_version: 3, ..right.clone() },
        les_wire::Status { fork_id: None, ..right.clone() },
        les_wire::Status {
            fork_id: Some(les_wire::ForkId { hash: [1, 2, 3, 4], next: 0 }),
            ..right
        },
    ];
    for status in wrong {
        let mut client = Client::dial(&server.enode, Version::Les4);
        client.read_status();
        let mut payload = Vec::new();
        status.encode(&mut payload);
        client.send(0, &payload);
        refused(&mut client, &format!("{status:?}"));
    }
}

#[test]
fn a_client_that_says_nothing_is_let_go() {
    let server = server();
    let mut client = Client::dial(&server.enode, Version::Les4);
    client.read_status();
    assert_eq!(client.receive(), Received::Disconnect(Reason::PingTimeout));
}

#[test]
fn a_deep_pipeline_is_answered_completely() {
    let server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    let ask = header_request(&number(1), 192, 0, false);
    for _ in 0..100 {
        client.send(2, &ask);
    }
    for answered in 0..100 {
        match client.receive() {
            Received::Message(3, payload) => assert_eq!(items(&payload).len(), 192),
            other => panic!("{other:?} after {answered} replies"),
        }
    }
}

#[test]
fn bodies_from_a_slow_disk_are_all_sent_to_a_client_that_asks_for_many_at_once() {
    let backend = Arc::new(Panicking(AtomicBool::new(false)));
    let spec = Arc::clone(&bundled_chain().spec);
    let server = Server::serving(backend, spec, Limits::default());
    let mut client = Client::connect(&server.enode, Version::Les4);
    let head = bundled_chain().store.head().hash;
    let ask = request(&vec![hash(head.as_slice()); 4]);
    (0..16).for_each(|_| client.send(4, &ask));
    for answered in 0..16 {
        let Received::Message(5, payload) = client.receive() else { panic!("{answered} came") };
        assert_eq!(items(&payload).len(), 4);
    }
}

#[test]
fn one_node_has_one_connection_and_a_full_server_says_so() {
    let server = Server::start(Limits { peers: 2, ..Limits::default() });
    let key = NodeKey::random(&mut rand::rng());
    let mut first = Client::dial_with(&server.enode, Version::Les4, &key);
    first.read_status();
    let mut again = Client::dial_with(&server.enode, Version::Les4, &key);
    assert_eq!(again.receive(), Received::Disconnect(Reason::AlreadyConnected));
    let _second = Client::connect(&server.enode, Version::Les4);
    let mut third = Client::dial(&server.enode, Version::Les4);
    while third.receive() != Received::Disconnect(Reason::TooManyPeers) {
        // The seat of the refused twin may not be free yet.
        third = Client::dial(&server.enode, Version::Les4);
    }
}

#[test]
fn a_server_that_stops_says_goodbye() {
    let mut server = server();
    let mut client = Client::connect(&server.enode, Version::Les4);
    client.ask(2, &header_request(&number(0), 1, 0, false), 3);
    server.stop();
    assert_eq!(client.receive(), Received::Disconnect(Reason::ClientQuitting));
}

#[test]
fn another_server_is_kept_idle() {
    let server = server();
    let mut peer = Client::dial(&server.enode, Version::Les4);
    // What a server sends: our own Status is one.
    let theirs = peer.read_status();
    let mut payload = Vec::new();
    theirs.encode(&mut payload);
    peer.send(0, &payload);
    peer.send(2, &header_request(&number(0), 1, 0, false));
    assert_eq!(peer.receive(), Received::Disconnect(Reason::SubprotocolError), "but asks nothing");
}
