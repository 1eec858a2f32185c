//! Answers that a go-ethereum 1.10.26 server gave (`fixtures/les/geth-1.10.26.txt`), proven
//! against the headers of the chain that it served (`fixtures/chain/small`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails so")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use alloy_primitives::{Address, B256, U256, address, hex, keccak256};
use flate2::read::GzDecoder;
use les_wire::{Query, Reader, Reply, ReplyData, ReplyKind, Request, Version};
use light_client::{Proofs, SealedHeader, block};

const SESSION: &str = include_str!("../../../fixtures/les/geth-1.10.26.txt");

const RICH: Address = address!("0000000000000000000000000000000000f00002");
const ABSENT: Address = address!("1111111111111111111111111111111111111111");
const SLOTS: Address = address!("694cd5cd90f38203ba50c0a22d6bb65a6be9483f");
const EVENTS: Address = address!("ac74062f38d2fb576f1315c17205087b76d45b1f");

/// The headers of the chain by hash.
fn headers() -> BTreeMap<B256, SealedHeader> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/chain/small/chain.rlp.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    let mut blocks = Reader::new("chain", &bytes);
    let mut headers = BTreeMap::new();
    while !blocks.is_empty() {
        let header = blocks.list("block").unwrap().raw("header").unwrap();
        let header = SealedHeader::decode(header).unwrap();
        headers.insert(header.hash, header);
    }
    headers
}

/// Requests and replies that belong together, as (code, request, reply).
fn exchanges() -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let mut asked: BTreeMap<u64, (u8, Vec<u8>)> = BTreeMap::new();
    let mut found = Vec::new();
    for line in SESSION.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ').skip(1);
        let code = u8::from_str_radix(words.next().unwrap(), 16).unwrap();
        let payload = hex::decode(words.next().unwrap()).unwrap();
        if let Ok(request) = Request::decode(Version::Les4, code, &payload) {
            asked.insert(request.id, (code, payload));
        } else if let Some(kind) = ReplyKind::ALL.into_iter().find(|kind| kind.code() == code) {
            let id = Reply::decode(kind, &payload).unwrap().id;
            if let Some((code, request)) = asked.remove(&id) {
                found.push((code, request, payload));
            }
        }
    }
    found
}

/// What must come out of the session.
#[derive(Debug, Default)]
struct Proven {
    accounts: usize,
    absent: usize,
    slots: Vec<U256>,
    codes: usize,
    bodies: usize,
    receipts: usize,
    headers: usize,
}

/// The state of the session's accounts, as far as it is proven so far.
#[derive(Debug, Default)]
struct State {
    storage_roots: BTreeMap<B256, B256>,
    code_hashes: BTreeMap<B256, B256>,
}

#[test]
fn every_answer_of_go_ethereum_is_proven() {
    let headers = headers();
    let mut state = State::default();
    let mut proven = Proven::default();
    for (code, request, reply) in exchanges() {
        let request = Request::decode(Version::Les4, code, &request).unwrap();
        let reply = Reply::decode(request.kind().reply(), &reply).unwrap();
        match (request.query, reply.data) {
            (Query::Headers(_), ReplyData::Headers(found)) => {
                for header in found {
                    let header = SealedHeader::decode(header.0).unwrap();
                    assert_eq!(headers.get(&header.hash), Some(&header));
                    proven.headers += 1;
                }
            }
            (Query::Proofs(queries), ReplyData::Proofs(nodes)) => {
                let query = queries.first().unwrap();
                let root = headers[&query.block_hash].header.state_root;
                let mut proofs = Proofs::new(nodes);
                if query.account_key.is_empty() {
                    check_account(&mut proofs, root, query.key, &mut state, &mut proven);
                } else {
                    let root = state.storage_roots[&B256::from_slice(query.account_key)];
                    let slot = [0x14, 0x15]
                        .map(|slot| B256::from(U256::from(slot)))
                        .into_iter()
                        .find(|slot| keccak256(slot) == query.key)
                        .unwrap();
                    proven.slots.push(proofs.slot(root, slot).unwrap());
                }
                proofs.finish().unwrap();
            }
            (Query::Code(queries), ReplyData::Code(codes)) => {
                let account = B256::from_slice(queries.first().unwrap().account_key);
                block::code(state.code_hashes[&account], codes).unwrap();
                proven.codes += 1;
            }
            (Query::Bodies(hashes), ReplyData::Bodies(bodies)) => {
                let header = &headers[&hashes.first().unwrap()].header;
                assert!(!block::body(header, &bodies.first().unwrap()).unwrap().is_empty());
                proven.bodies += 1;
            }
            (Query::Receipts(hashes), ReplyData::Receipts(lists)) => {
                let header = &headers[&hashes.first().unwrap()].header;
                let receipts = block::receipts(header, block::only("lists", lists).unwrap());
                assert_eq!(receipts.unwrap().len(), 3);
                proven.receipts += 1;
            }
            (Query::TxStatus(_), ReplyData::TxStatus(items)) => {
                let place = items.first().unwrap().lookup.unwrap();
                assert_eq!(headers[&place.block_hash].header.number, place.block_number);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(proven.slots, [U256::from(0x1a4), U256::from(0x42)]);
    assert!(proven.accounts >= 3 && proven.absent == 1, "{proven:?}");
    let Proven { codes, bodies, receipts, .. } = proven;
    assert_eq!((codes, bodies, receipts), (1, 2, 1));
    assert!(proven.headers >= 6, "{proven:?}");
}

fn check_account(
    proofs: &mut Proofs<'_>,
    root: B256,
    key: &[u8],
    state: &mut State,
    proven: &mut Proven,
) {
    let accounts = [RICH, ABSENT, SLOTS, EVENTS];
    let address = accounts.into_iter().find(|address| keccak256(address) == key).unwrap();
    let Some(account) = proofs.account(root, address).unwrap() else {
        assert_eq!(address, ABSENT);
        proven.absent += 1;
        return;
    };
    if address == RICH {
        assert_eq!(account.balance, U256::from(2));
    }
    proven.accounts += 1;
    state.storage_roots.insert(keccak256(address), account.storage_root);
    state.code_hashes.insert(keccak256(address), account.code_hash);
}
