//! Messages that go-ethereum 1.10.26 sent as light client and as server
//! (`fixtures/les/geth-1.10.26.txt`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so")]

use std::collections::BTreeMap;

use alloy_primitives::hex;
use les_wire::{
    AnnounceType, HelperTrieQuery, Item, Items, MessageKind, Query, Reply, ReplyData, Request,
    Status, Version, encode_header_request, encode_request, splice_helper_trie_reply, splice_reply,
};

const SESSION: &str = include_str!("../../../fixtures/les/geth-1.10.26.txt");

/// Messages as (is from the client, kind, payload).
fn messages() -> impl Iterator<Item = (bool, MessageKind, Vec<u8>)> {
    SESSION.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split(' ');
        let from_client = words.next().unwrap() == ">";
        let code = u8::from_str_radix(words.next().unwrap(), 16).unwrap();
        let kind = MessageKind::from_code(Version::Les4, code).unwrap();
        (from_client, kind, hex::decode(words.next().unwrap()).unwrap())
    })
}

fn encoded<'a, T: Item<'a>>(id: u64, items: Items<'a, T>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_request(id, &items.iter().collect::<Vec<_>>(), &mut out);
    out
}

/// Decodes a request and encodes what it asks for.
fn request_again(code: u8, payload: &[u8]) -> Vec<u8> {
    let request = Request::decode(Version::Les4, code, payload).unwrap();
    let id = request.id;
    match request.query {
        Query::Headers(query) => {
            let mut out = Vec::new();
            encode_header_request(id, &query, &mut out);
            out
        }
        Query::Bodies(hashes) | Query::Receipts(hashes) | Query::TxStatus(hashes) => {
            encoded(id, hashes)
        }
        Query::Code(items) => encoded(id, items),
        Query::Proofs(items) => encoded(id, items),
        Query::HelperTrieProofs(items) => encoded::<HelperTrieQuery<'_>>(id, items),
        Query::SendTx(items) => encoded(id, items),
    }
}

/// Decodes a reply and splices it from its items.
fn reply_again(kind: les_wire::ReplyKind, payload: &[u8]) -> Vec<u8> {
    let reply = Reply::decode(kind, payload).unwrap();
    let mut out = Vec::new();
    let items = match reply.data {
        ReplyData::HelperTrieProofs { nodes, aux } => {
            let (nodes, aux) = (nodes.payload(), aux.payload());
            splice_helper_trie_reply(reply.id, reply.buffer_value, nodes, aux, &mut out);
            return out;
        }
        ReplyData::Headers(items) | ReplyData::Receipts(items) | ReplyData::Proofs(items) => {
            written(items)
        }
        ReplyData::Bodies(items) => written(items),
        ReplyData::Code(items) => written(items),
        ReplyData::TxStatus(items) => written(items),
    };
    splice_reply(reply.id, reply.buffer_value, &items, &mut out);
    out
}

fn written<'a, T: Item<'a>>(items: Items<'a, T>) -> Vec<u8> {
    let mut out = Vec::new();
    items.iter().for_each(|item| item.write(&mut out));
    out
}

#[test]
fn every_message_of_go_ethereum_is_read_and_written_the_same() {
    let mut seen = BTreeMap::new();
    for (from_client, kind, payload) in messages() {
        *seen.entry(kind.name()).or_insert(0) += 1;
        let again = match kind {
            MessageKind::Request(kind) if from_client => request_again(kind.code(), &payload),
            MessageKind::Reply(kind) if !from_client => reply_again(kind, &payload),
            MessageKind::Status => continue,
            MessageKind::Announce
            | MessageKind::Request(_)
            | MessageKind::Reply(_)
            | MessageKind::Stop
            | MessageKind::Resume => panic!("{kind:?} from the wrong side"),
        };
        assert_eq!(hex::encode(again), hex::encode(payload), "{}", kind.name());
    }
    for kind in ["BlockHeaders", "BlockBodies", "Receipts", "ContractCodes", "ProofsV2", "TxStatus"]
    {
        assert!(seen.contains_key(kind), "no {kind} in {seen:?}");
    }
}

#[test]
fn every_status_of_go_ethereum_says_the_same_when_written_again() {
    let mut versions = Vec::new();
    for (from_client, _, payload) in messages().filter(|(_, kind, _)| *kind == MessageKind::Status)
    {
        let status = Status::decode(&payload).unwrap();
        assert!(status.unknown.is_empty(), "{status:?}");
        assert_eq!(status.network_id, 1_337);
        let mut again = Vec::new();
        status.encode(&mut again);
        assert_eq!(Status::decode(&again).unwrap(), status);
        if from_client {
            assert_eq!(hex::encode(&again), hex::encode(&payload));
            assert_eq!(status.announcements_wanted(), AnnounceType::Simple);
            assert!(!status.is_server && status.flow_control.is_none());
        } else {
            let version = Version::from_number(status.protocol_version).unwrap();
            assert_eq!(status.useless_to_client(version), None);
            assert_eq!(status.fork_id.is_some(), version == Version::Les4);
            assert_eq!(status.recent_tx_lookup, (version == Version::Les4).then_some(0));
            let flow = status.flow_control.unwrap();
            assert_eq!((flow.buffer_limit, flow.recharge_per_ms), (96_000_000, 16_000));
            versions.push(version);
        }
    }
    assert_eq!(versions, [Version::Les4, Version::Les3, Version::Les2]);
}
