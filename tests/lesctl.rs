//! `lesctl` against the real server: every answer is what the chain holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, hex, keccak256};
use chain_backend::{
    Backend, HelperTrieParameters, Snapshot,
    memory::{GeneratedBlock, Generator, MemoryChain},
};
use clap::Parser as _;
use les_tests::{
    client::bundled_blocks,
    server::{Limits, Server, bundled_chain},
};
use lesctl::{Arguments, Error};
use merkle_trie::NodeSet;
use serde_json::Value;

const GENESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/chain/small/genesis.json");
const OTHER_GENESIS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/chain/forks/genesis.json");
/// A block whose state is still kept, behind the head at 430.
const EARLIER: u64 = 350;

/// What the program prints for this command line, with the server's URL behind the first word.
fn run(server: &Server, words: &[&str]) -> Result<String, Error> {
    let enode = server.enode.to_string();
    let line = [&["lesctl", words[0], &enode], &words[1..]].concat();
    let mut out = Vec::new();
    lesctl::run(Arguments::try_parse_from(line).unwrap(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The answer to `get`, for programs, beginning with the server's head.
fn get(server: &Server, words: &[&str]) -> Value {
    let answer = run(server, &[&["get", "--trust-head", "--json"], words].concat());
    serde_json::from_str(&answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))).unwrap()
}

/// Why there is no answer.
fn refused(server: &Server, words: &[&str]) -> String {
    run(server, &[&["get"], words].concat()).unwrap_err().to_string()
}

fn manifest() -> Value {
    serde_json::from_str(include_str!("../fixtures/chain/small/manifest.json")).unwrap()
}

fn snapshot() -> Arc<dyn Snapshot> {
    bundled_chain().store.snapshot()
}

fn hash_of(number: u64) -> B256 {
    snapshot().canonical_hash(number).unwrap().unwrap()
}

/// Items of an RLP list in their canonical form: typed ones without their string header.
fn canonical(list: &[u8]) -> Vec<Bytes> {
    let item = |item: rlp::Rlp<'_>| {
        Bytes::copy_from_slice(if item.is_list() { item.as_raw() } else { item.data().unwrap() })
    };
    rlp::Rlp::new(list).iter().map(item).collect()
}

fn transactions_of(number: u64) -> Vec<Bytes> {
    let (_, body) = &bundled_blocks()[usize::try_from(number).unwrap() - 1];
    canonical(rlp::Rlp::new(body).at(0).unwrap().as_raw())
}

fn raws(list: &Value) -> Vec<Bytes> {
    let list = list.as_array().unwrap().iter();
    list.map(|item| item["raw"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn probe_shows_what_hello_and_status_say() {
    let server = Server::start(Limits::default());
    let shown: Value = serde_json::from_str(&run(&server, &["probe", "--json"]).unwrap()).unwrap();
    let manifest = manifest();
    for (found, expected) in [
        (&shown["lesVersion"], &Value::from(4)),
        (&shown["networkId"], &manifest["networkId"]),
        (&shown["genesisHash"], &manifest["genesisHash"]),
        (&shown["head"]["number"], &manifest["blocks"]),
        (&shown["head"]["hash"], &manifest["headHash"]),
        (&shown["head"]["totalDifficulty"], &manifest["totalDifficulty"]),
        (&shown["serveHeaders"], &Value::from(true)),
        (&shown["serveRecentState"], &Value::from(124)),
        (&shown["txRelay"], &Value::from(true)),
        (&shown["fitForLightClients"], &Value::from("yes")),
    ] {
        assert_eq!(found, expected, "{shown:#}");
    }
    let words = run(&server, &["probe"]).unwrap();
    assert!(words.starts_with("les/4 server lesd/"), "{words}");
    assert!(words.contains(&format!("block 430 {}", hash_of(430))), "{words}");
}

#[test]
fn balances_nonces_and_code_are_those_of_the_state() {
    let server = Server::start(Limits::default());
    let manifest = manifest();
    let accounts = manifest["accounts"].as_array().unwrap().iter().step_by(80);
    let contracts = manifest["contracts"].as_object().unwrap().values().step_by(9);
    let nobody = Value::from(Address::repeat_byte(0xee).to_string());
    for (address, block) in accounts.chain(contracts).chain([&nobody]).flat_map(|address| {
        [430, EARLIER].map(|block| (address.as_str().unwrap().to_owned(), block))
    }) {
        let snapshot = snapshot();
        let state = snapshot.state(&hash_of(block)).unwrap().unwrap();
        let account = state.account(&keccak256(address.parse::<Address>().unwrap())).unwrap();
        let number = block.to_string();
        let ask = |what| get(&server, &[what, &address, "--block", &number]);
        let balance = ask("balance");
        let expected = account.map_or(U256::ZERO, |account| account.balance);
        assert_eq!(balance["balance"], expected.to_string(), "{address} at {block}");
        assert_eq!(balance["exists"], account.is_some());
        assert_eq!(balance["stateRoot"], state.root().to_string());
        assert_eq!(ask("nonce")["nonce"], account.map_or(0, |account| account.nonce));
        let code_hash = account.map_or(KECCAK256_EMPTY, |account| account.code_hash);
        let code: Bytes = ask("code")["code"].as_str().unwrap().parse().unwrap();
        assert_eq!(keccak256(&code), code_hash, "{address} at {block}");
    }
}

#[test]
fn slots_are_those_of_the_contract() {
    let server = Server::start(Limits::default());
    let snapshot = snapshot();
    let state = snapshot.state(&hash_of(430)).unwrap().unwrap();
    let check = |address: &str, slot: &str| {
        let account = keccak256(address.parse::<Address>().unwrap());
        let key = keccak256(B256::from(slot.parse::<U256>().unwrap()));
        let expected = state.storage(&account, &key).unwrap();
        let found = get(&server, &["storage", address, slot]);
        assert_eq!(found["value"], format!("{expected:#066x}"), "{address} {slot}");
        expected
    };
    let mut set = 0;
    for (address, slots) in manifest()["slots"].as_object().unwrap() {
        let slots = slots.as_array().unwrap();
        for slot in slots.iter().step_by(1 + slots.len() / 4) {
            set += u32::from(!check(address, slot.as_str().unwrap()).is_zero());
        }
        assert_eq!(check(address, "123456789123456789"), U256::ZERO);
    }
    assert!(set > 3, "{set} slots that are set");
    check(&Address::repeat_byte(0xee).to_string(), "0");
}

#[test]
fn headers_bodies_and_receipts_are_those_of_the_block() {
    let server = Server::start(Limits::default());
    for number in [1, 96, EARLIER, 429, 430] {
        let hash = hash_of(number).to_string();
        let (header, _) = &bundled_blocks()[usize::try_from(number).unwrap() - 1];
        for block in [number.to_string(), format!("{number:#x}"), hash.clone()] {
            let found = get(&server, &["header", &block]);
            assert_eq!(found["raw"], hex::encode_prefixed(header), "header {block}");
            assert_eq!(found["blockHash"], hash);
        }
        let block = get(&server, &["block", &hash]);
        assert_eq!(raws(&block["transactions"]), transactions_of(number), "block {number}");
        let mut expected = Vec::new();
        assert!(snapshot().append_receipts(&hash_of(number), &mut expected).unwrap());
        let receipts = get(&server, &["receipts", &number.to_string()]);
        assert_eq!(raws(&receipts["receipts"]), canonical(&expected), "receipts {number}");
    }
    assert_eq!(get(&server, &["header"])["blockHash"], manifest()["headHash"]);
    assert_eq!(get(&server, &["block"])["blockNumber"], 430);
    assert_eq!(get(&server, &["receipts"])["blockNumber"], 430);
}

#[test]
fn a_transaction_is_found_in_its_block() {
    let server = Server::start(Limits::default());
    let transactions = (1..=430).flat_map(|number| {
        transactions_of(number)
            .into_iter()
            .enumerate()
            .map(move |(index, raw)| (number, index, raw))
    });
    for (number, index, raw) in transactions.step_by(150) {
        let found = get(&server, &["tx", &keccak256(&raw).to_string()]);
        assert_eq!(found["transaction"]["raw"], raw.to_string());
        assert_eq!(found["transactionIndex"], index);
        assert_eq!(found["blockHash"], hash_of(number).to_string());
    }
}

#[test]
fn every_kind_of_trust_says_what_was_checked_and_what_not() {
    let server = Server::start(Limits::default());
    let earlier = hash_of(EARLIER).to_string();
    let check = |trust: &[&str], block: u64, checked: &str, not_checked: Option<&str>| {
        let answer = run(&server, &[&["get", "--json"], trust, &["header"]].concat()).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["blockNumber"], block, "{trust:?}");
        assert!(answer["checked"].as_str().unwrap().contains(checked), "{answer:#}");
        match not_checked {
            Some(words) => assert!(answer["notChecked"].as_str().unwrap().contains(words)),
            None => assert_eq!(answer.get("notChecked"), None),
        }
    };
    let all = "430 headers from the genesis on: every rule and every Clique signature";
    check(&["--genesis", GENESIS], 430, all, None);
    let no_seals = &["--genesis", GENESIS, "--no-seals"];
    check(no_seals, 430, "every rule and no seal", Some("the seals"));
    check(&["--trusted-hash", &earlier], EARLIER, "the one you gave", Some("the chain you mean"));
    check(&["--trust-head"], 430, "nothing below the block", Some("the server was believed"));
}

#[test]
fn what_cannot_be_answered_is_an_error_that_says_why() {
    let server = Server::start(Limits::default());
    let check = |words: &[&str], parts: &[&str]| {
        let error = refused(&server, words);
        assert!(parts.iter().all(|part| error.contains(part)), "{words:?}: {error}");
    };
    let absent = B256::repeat_byte(0x77).to_string();
    let nobody = Address::repeat_byte(0xee).to_string();
    let theirs = manifest()["genesisHash"].as_str().unwrap().to_owned();
    check(&["header"], &["--genesis FILE", "--cht-root N:HASH", "--trust-head"]);
    check(&["--genesis", OTHER_GENESIS, "header"], &["another chain", &theirs]);
    check(&["--genesis", "/nowhere", "header"], &["cannot use the genesis file /nowhere"]);
    check(&["--trusted-hash", &absent, "header"], &["does not serve the header", &absent]);
    check(&["--trust-head", "header", "431"], &["block 431 is newer", "430"]);
    check(&["--trust-head", "tx", &absent], &["no block with transaction", &absent, "not proven"]);
    check(
        &["--trust-head", "balance", &nobody, "--block", "1"],
        &["the state of block 1", "the last 124 states, ask for a newer block"],
    );
    let root = format!("0:{absent}");
    check(&["--cht-root", &root, "header", "5"], &["block 32767", &absent, "not built yet"]);
}

#[test]
fn a_wrong_proof_is_an_error_that_names_the_hash_that_nothing_matched() {
    let server = Server::corrupting();
    let snapshot = snapshot();
    let state = snapshot.state(&hash_of(430)).unwrap().unwrap();
    for address in manifest()["accounts"].as_array().unwrap().iter().step_by(100) {
        let address = address.as_str().unwrap();
        let key = keccak256(address.parse::<Address>().unwrap());
        let mut nodes = NodeSet::default();
        state.prove_account(key.as_slice(), 0, &mut nodes).unwrap();
        // The server flips a bit of the last node: its hash is what the proof then lacks.
        let list = [rlp_list_header(nodes.payload().len()), nodes.payload().to_vec()].concat();
        let last = rlp::Rlp::new(&list).iter().last().unwrap().as_raw().to_vec();
        let error = refused(&server, &["--trust-head", "balance", address]);
        assert!(error.contains("wrong and is not believed"), "{error}");
        assert!(error.contains(&keccak256(&last).to_string()), "{error}");
        assert!(error.contains(&state.root().to_string()), "{error}");
    }
    assert_eq!(get(&server, &["header"])["blockNumber"], 430, "other answers are right");
}

fn rlp_list_header(length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    alloy_rlp::Header { list: true, payload_length: length }.encode(&mut out);
    out
}

/// A chain of empty blocks that is long enough for one section of the helper tries.
fn long_chain() -> MemoryChain {
    let mut blocks = vec![Generator::new(1).genesis()];
    for number in 1..=32_767 + 256 {
        let mut block = GeneratedBlock::clone(&blocks[number - 1]);
        block.header.parent_hash = block.hash;
        block.header.number += 1;
        block.header.timestamp += 13;
        block.hash = block.header.hash_slow();
        block.total_difficulty += block.header.difficulty;
        blocks.push(Arc::new(block));
    }
    MemoryChain::new(blocks, HelperTrieParameters::SERVER)
}

#[test]
fn an_old_header_is_proven_by_a_trusted_root() {
    let chain = Arc::new(long_chain());
    let snapshot = chain.snapshot();
    let checkpoint = snapshot.checkpoint().unwrap().unwrap();
    let spec = Arc::clone(&bundled_chain().spec);
    let server = Server::serving(chain, spec, Limits::default());
    let trust = format!("0:{}", checkpoint.cht_root);
    for (asked, number) in [("head", 32_767), ("0", 0), ("20000", 20_000)] {
        let answer = run(&server, &["get", "--json", "--cht-root", &trust, "header", asked]);
        let answer: Value = serde_json::from_str(&answer.unwrap()).unwrap();
        let expected = snapshot.canonical_hash(number).unwrap().unwrap();
        assert_eq!(answer["blockHash"], expected.to_string());
        assert_eq!(answer["blockNumber"], number);
        assert!(answer["checked"].as_str().unwrap().contains("canonical hash trie"));
    }
    let beyond = refused(&server, &["--cht-root", &trust, "header", "32768"]);
    assert!(beyond.contains("block 32768 is newer"), "{beyond}");
    let other = B256::repeat_byte(0x33);
    let wrong = refused(&server, &["--cht-root", &format!("0:{other}"), "header", "20000"]);
    assert!(wrong.contains("is not believed") && wrong.contains(&other.to_string()), "{wrong}");
}
