//! Reads of a store with warm caches: proofs of single accounts against go-ethereum's
//! `trie.Prove`, and 192 headers against a copy of the same bytes.
//!
//! `scripts/bench-proof.sh` runs it. Both sides build the same state, compare its root, and prove
//! the same accounts; every figure is CPU time of the fastest of several turns.

#![allow(clippy::print_stdout, reason = "the table is the result")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails must stop")]

use std::{collections::BTreeMap, env, hint::black_box, process::Command};

use alloy_primitives::{Address, B256, U256, keccak256};
use chain_backend::{Backend, ExecutedBlock, Store, StoreOptions, memory::Generator};
use consensus::GenesisAccount;
use les_benches::thread_nanos;
use merkle_trie::NodeSet;

const PROOFS: u64 = 20_000;
const TURNS: usize = 7;
const HEADERS: u64 = 192;

/// The n-th account, which has n+1 wei.
fn address(n: u64) -> Address {
    Address::from_word(keccak256(n.to_be_bytes()))
}

/// Nanoseconds a round, of the fastest turn after one that warms up.
fn fastest(rounds: u64, mut turn: impl FnMut()) -> u64 {
    turn();
    let times = (0..TURNS).map(|_| {
        let start = thread_nanos();
        turn();
        (thread_nanos() - start) / rounds
    });
    times.min().unwrap()
}

fn with_accounts(directory: &std::path::Path, accounts: u64) -> Store {
    let account = |n: u64| {
        let balance = U256::from(n + 1);
        (address(n), GenesisAccount { balance, ..GenesisAccount::default() })
    };
    let alloc: BTreeMap<_, _> = (0..accounts).map(account).collect();
    let options = StoreOptions { node_cache: 1 << 30, ..StoreOptions::default() };
    Store::create(directory, &options, false, alloc, Generator::genesis_header).unwrap()
}

/// Nanoseconds a proof, and the state's root.
fn prove(accounts: u64) -> (u64, B256) {
    let directory = tempfile::tempdir().unwrap();
    let store = with_accounts(directory.path(), accounts);
    let keys: Vec<_> = (0..PROOFS).map(|i| keccak256(address(i * 7919 % accounts))).collect();
    let hash = store.genesis_hash();
    let nanoseconds = fastest(PROOFS, || {
        for key in &keys {
            // As a server does for each request.
            let snapshot = store.snapshot();
            let state = snapshot.state(&hash).unwrap().unwrap();
            let mut nodes = NodeSet::default();
            state.prove_account(key.as_slice(), 0, &mut nodes).unwrap();
            assert!(nodes.len() > 1);
            black_box(nodes.payload());
        }
    });
    (nanoseconds, store.snapshot().state(&hash).unwrap().unwrap().root())
}

/// Nanoseconds for 192 stored headers, and for a copy of their bytes.
fn headers() -> (u64, u64) {
    const ROUNDS: u64 = 2000;
    let directory = tempfile::tempdir().unwrap();
    let store = with_accounts(directory.path(), 10);
    let mut generator = Generator::new(1);
    let mut block = generator.genesis();
    let mut parent = store.genesis_hash();
    for number in 1..=HEADERS + 10 {
        block = generator.child(&block);
        let state = store.working_state(&parent).unwrap().commit().unwrap();
        let header =
            alloy_consensus::Header { parent_hash: parent, number, ..block.header.clone() };
        let hash = header.hash_slow();
        let executed = ExecutedBlock {
            hash,
            number,
            parent,
            header: alloy_rlp::encode(&header),
            body: block.body.clone(),
            receipts: block.receipts.clone(),
            transactions: block.transactions.clone(),
            total_difficulty: block.total_difficulty,
            state,
        };
        store.insert(executed).unwrap();
        store.set_head(&hash).unwrap();
        parent = hash;
    }
    let mut out = Vec::with_capacity(1 << 20);
    let stored = fastest(ROUNDS, || {
        for _ in 0..ROUNDS {
            out.clear();
            let snapshot = store.snapshot();
            let added = snapshot.append_canonical_headers(5, 1, HEADERS, black_box(&mut out));
            assert_eq!(added.unwrap(), HEADERS);
        }
    });
    let bytes = out.clone();
    let copied = fastest(ROUNDS, || {
        for _ in 0..ROUNDS {
            out.clear();
            black_box(&mut out).extend_from_slice(black_box(&bytes));
        }
    });
    (stored, copied)
}

/// The fastest turn of `program accounts turns`, which prints the root first.
fn measure_go(program: &str, accounts: u64, root: &B256) -> u64 {
    let arguments = [accounts.to_string(), TURNS.to_string()];
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} failed: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap().parse::<B256>().unwrap(), *root, "both build one state");
    lines.map(|line| line.parse::<u64>().unwrap()).min().unwrap()
}

fn ratio(more: u64, less: u64) -> f64 {
    f64::from(u32::try_from(more).unwrap()) / f64::from(u32::try_from(less).unwrap())
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let named = |name: &str| arguments.iter().skip_while(|text| *text != name).nth(1);
    let accounts = named("--accounts").map_or(1_000_000, |text| text.parse().unwrap());
    let (ours, root) = prove(accounts);
    println!("| read | ours | beside | ratio |");
    println!("|---|---|---|---|");
    if let Some(program) = named("--go") {
        let geth = measure_go(program, accounts, &root);
        let ratio = ratio(geth, ours);
        println!(
            "| proof of one of {accounts} accounts | {ours} ns | go-ethereum {geth} ns \
             | {ratio:.2} |"
        );
    } else {
        println!("| proof of one of {accounts} accounts | {ours} ns | | |");
    }
    let (stored, copied) = headers();
    let ratio = ratio(stored, copied);
    println!("| {HEADERS} headers | {stored} ns | their copy {copied} ns | {ratio:.2} |");
}
