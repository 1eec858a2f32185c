//! Messages that go-ethereum 1.12.0 encoded (`fixtures/eth/geth-1.12.0.txt`) and the test cases
//! of EIP-2481.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails so"
)]

use alloy_primitives::{B256, U256, hex};
use eth_wire::{
    Answer, BlockAnnouncement, ForkId, HeaderOrigin, HeaderQuery, Message, MessageKind, PooledHash,
    Query, RequestKind, Status, Version, encode_block_hashes, encode_header_request,
    encode_new_block, encode_pooled_hashes, encode_request, encode_transactions, splice_reply,
};

const MESSAGES: &str = include_str!("../../../fixtures/eth/geth-1.12.0.txt");

/// Messages as (version, code, name, payload).
fn messages() -> impl Iterator<Item = (Version, u8, &'static str, Vec<u8>)> {
    MESSAGES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let version = Version::from_number(words[0].parse().unwrap()).unwrap();
        let code = u8::from_str_radix(words[1], 16).unwrap();
        (version, code, words[2], hex::decode(words[3]).unwrap())
    })
}

fn hash(end: u32) -> B256 {
    U256::from(end).into()
}

/// What a message says, written by our encoder.
fn again(version: Version, message: Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        Message::Status(status) => status.encode(&mut out),
        Message::NewBlockHashes(blocks) => {
            encode_block_hashes(&blocks.iter().collect::<Vec<_>>(), &mut out);
        }
        Message::Transactions(transactions) => encode_transactions(transactions, &mut out),
        Message::NewBlock(block) => {
            let mut body = Vec::new();
            les_wire::write_list(&mut body, |out| {
                out.extend_from_slice(block.body.transactions.0);
                out.extend_from_slice(block.body.uncles.0);
                out.extend_from_slice(block.body.withdrawals.map_or(&[], |list| list.0));
            });
            encode_new_block(block.header.0, &body, &block.total_difficulty, &mut out);
        }
        Message::NewPooledTransactionHashes(hashes) => {
            let of: Vec<_> = hashes
                .iter()
                .map(|one| {
                    let (kind, size) = one.kind_and_size.unwrap_or_default();
                    (one.hash, kind, size)
                })
                .collect();
            encode_pooled_hashes(version, &of, &mut out);
        }
        Message::Request { id, query } => match query {
            Query::Headers(walk) => encode_header_request(id, &walk, &mut out),
            Query::Bodies(hashes)
            | Query::PooledTransactions(hashes)
            | Query::NodeData(hashes)
            | Query::Receipts(hashes) => {
                encode_request(id, &hashes.iter().collect::<Vec<_>>(), &mut out);
            }
        },
        Message::Reply { id, answer } => {
            let items = match answer {
                Answer::Headers(items) | Answer::Receipts(items) => items.payload(),
                Answer::Bodies(items) => items.payload(),
                Answer::PooledTransactions(items) => items.payload(),
                Answer::NodeData(items) => items.payload(),
            };
            splice_reply(id, items, &mut out);
        }
    }
    out
}

#[test]
fn every_message_of_go_ethereum_is_read_and_written_alike() {
    let mut kinds = Vec::new();
    for (version, code, name, payload) in messages() {
        let message = Message::decode(version, code, &payload)
            .unwrap_or_else(|error| panic!("{name} in {version:?}: {error}"));
        assert_eq!((message.kind().code(), message.kind().name()), (code, name));
        assert_eq!(hex::encode(again(version, message)), hex::encode(&payload), "{name}");
        kinds.push(code);
    }
    kinds.sort_unstable();
    kinds.dedup();
    let all: Vec<u8> =
        (0..=0x10).filter(|&code| MessageKind::from_code(Version::Eth66, code).is_some()).collect();
    assert_eq!(kinds, all);
}

/// The decoded messages of one code.
fn check(code: u8, expected: &[&str]) {
    let found: Vec<String> = messages()
        .filter(|&(_, other, ..)| other == code)
        .map(|(version, _, _, payload)| match Message::decode(version, code, &payload).unwrap() {
            Message::NewPooledTransactionHashes(hashes) => {
                format!("{:?}", hashes.iter().map(short).collect::<Vec<_>>())
            }
            Message::Transactions(items) => transactions(items.iter()),
            Message::Reply { id, answer: Answer::PooledTransactions(items) } => {
                format!("{id}: {}", transactions(items.iter()))
            }
            Message::Reply { id, answer: Answer::Bodies(items) } => format!(
                "{id}: {:?}",
                items
                    .iter()
                    .map(|body| (
                        body.transactions.0.len(),
                        body.uncles.0.len(),
                        body.withdrawals.map(|list| list.0.len())
                    ))
                    .collect::<Vec<_>>()
            ),
            Message::NewBlock(block) => format!(
                "{} {} {}",
                block.header.0.len(),
                block.total_difficulty,
                block.body.withdrawals.is_some()
            ),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(found, expected);
}

fn short(of: PooledHash) -> (u8, Option<(u8, u64)>) {
    (of.hash[31], of.kind_and_size)
}

fn transactions<'a>(items: impl Iterator<Item = eth_wire::RawTransaction<'a>>) -> String {
    let all = items.map(|one| (one.type_number(), one.canonical().len()));
    format!("{:?}", all.collect::<Vec<_>>())
}

#[test]
fn items_have_the_values_that_go_ethereum_was_given() {
    check(0x02, &["[(0, 73), (1, 107), (2, 71)]"]);
    check(0x0a, &["1111: [(0, 73), (1, 107), (2, 71)]"]);
    check(0x06, &["1111: [(257, 511, None), (1, 1, Some(26))]"]);
    check(0x07, &["509 1125899906842624 false", "509 2 true"]);
    check(
        0x08,
        &[
            "[(222, None), (239, None)]",
            "[]",
            "[(222, Some((0, 103))), (239, Some((2, 200000)))]",
            "[]",
        ],
    );
}

#[test]
fn status_carries_the_chain_and_its_forks() {
    let expected = Status {
        version: 0,
        network_id: 1337,
        total_difficulty: U256::from(3) << 80,
        head: hash(0xdead_c0de),
        genesis: hash(0xfeed_beef),
        fork_id: ForkId { hash: [0xfc, 0x64, 0xec, 0x04], next: 1_150_000 },
    };
    for (version, _, _, payload) in messages().filter(|&(_, code, ..)| code == 0) {
        let number = u64::from(version.number());
        assert_eq!(Status::decode(&payload), Ok(Status { version: number, ..expected }));
    }
}

#[test]
fn announced_blocks_have_hash_and_number() {
    let (.., payload) = messages().find(|&(_, code, ..)| code == 1).unwrap();
    let Message::NewBlockHashes(blocks) = Message::decode(Version::Eth66, 1, &payload).unwrap()
    else {
        panic!("another message")
    };
    let expected = [(0xdead_c0de, 17), (0xfeed_beef, 1 << 40)]
        .map(|(end, number)| BlockAnnouncement { hash: hash(end), number });
    assert_eq!(blocks.iter().collect::<Vec<_>>(), expected);
}

/// Test cases of EIP-2481, as they stand there.
#[test]
fn the_examples_of_eip_2481_are_read() {
    const BY_HASH: &str =
        "e8820457e4a000000000000000000000000000000000000000000000000000000000deadc0de050580";
    const TWO_HASHES: &str = concat!(
        "f847820457f842",
        "a000000000000000000000000000000000000000000000000000000000deadc0de",
        "a000000000000000000000000000000000000000000000000000000000feedbeef"
    );
    for (text, origin) in [
        (BY_HASH, HeaderOrigin::Hash(hash(0xdead_c0de))),
        ("ca820457c682270f050580", HeaderOrigin::Number(9999)),
    ] {
        let payload = hex::decode(text).unwrap();
        let query = HeaderQuery { origin, amount: 5, skip: 5, reverse: false };
        match Message::decode(Version::Eth66, 0x03, &payload).unwrap() {
            Message::Request { id: 1111, query: Query::Headers(walk) } => assert_eq!(walk, query),
            other => panic!("{other:?}"),
        }
    }
    let payload = hex::decode(TWO_HASHES).unwrap();
    for kind in RequestKind::ALL.into_iter().filter(|&kind| kind != RequestKind::Headers) {
        let Message::Request { id: 1111, query } =
            Message::decode(Version::Eth66, kind.code(), &payload).unwrap()
        else {
            panic!("{kind:?}")
        };
        assert_eq!((query.kind(), query.items_within_limit()), (kind, 2));
    }
    let node_data = hex::decode("ce820457ca84deadc0de84feedbeef").unwrap();
    match Message::decode(Version::Eth66, 0x0e, &node_data).unwrap() {
        Message::Reply { id: 1111, answer: Answer::NodeData(values) } => {
            let values: Vec<_> = values.iter().map(|value| hex::encode(value.0)).collect();
            assert_eq!(values, ["deadc0de", "feedbeef"]);
        }
        other => panic!("{other:?}"),
    }
}
