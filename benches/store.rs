//! Key-value engines under the state: loading a trie of a million accounts, proofs of single
//! accounts with warm caches, and a durable commit of nodes all over the trie; with nodes kept by
//! hash and kept by path.
//!
//! `cargo bench -p les-benches --bench store` prints the table of docs/storage.md;
//! `-- --accounts N` takes another size. Needs 3 GB of memory and 5 GB of disk for a million.

#![allow(clippy::print_stdout, reason = "the table is the result")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails must stop")]
#![allow(clippy::disallowed_methods, reason = "a load and a commit are measured by the clock")]

use std::{
    convert::Infallible,
    env, fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use alloy_primitives::{B256, Bytes, U256, keccak256};
use les_benches::thread_nanos;
use merkle_trie::{NodeSet, NodeSource, build_sorted, prove};

const PROOFS: u64 = 20_000;
const TURNS: usize = 5;
const COMMITTED: usize = 5000;
/// Entries of one write while loading.
const BATCH: usize = 100_000;
/// Memory for an engine's pages or blocks, enough for all of the trie.
const CACHE: usize = 1 << 30;

type Entry = (Vec<u8>, Vec<u8>);

trait Engine: Sized {
    const NAME: &str;
    fn open(directory: &Path) -> Self;
    /// Writes entries by rising key, durably.
    fn write(&self, entries: &[Entry]);
    /// Lets reads begin.
    fn settle(&mut self) {}
    fn get(&self, key: &[u8]) -> Option<Bytes>;
}

const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("nodes");

struct Redb {
    database: redb::Database,
    table: Option<redb::ReadOnlyTable<&'static [u8], &'static [u8]>>,
}

impl Engine for Redb {
    const NAME: &str = "redb";

    fn open(directory: &Path) -> Self {
        let file = directory.join("redb");
        let database = redb::Database::builder().set_cache_size(CACHE).create(file).unwrap();
        Self { database, table: None }
    }

    fn write(&self, entries: &[Entry]) {
        let transaction = self.database.begin_write().unwrap();
        let mut table = transaction.open_table(TABLE).unwrap();
        for (key, value) in entries {
            table.insert(key.as_slice(), value.as_slice()).unwrap();
        }
        drop(table);
        transaction.commit().unwrap();
    }

    fn settle(&mut self) {
        let transaction = redb::ReadableDatabase::begin_read(&self.database).unwrap();
        self.table = Some(transaction.open_table(TABLE).unwrap());
    }

    fn get(&self, key: &[u8]) -> Option<Bytes> {
        let found = self.table.as_ref()?.get(key).unwrap()?;
        Some(Bytes::copy_from_slice(found.value()))
    }
}

struct Fjall {
    database: fjall::Database,
    nodes: fjall::Keyspace,
}

impl Engine for Fjall {
    const NAME: &str = "fjall";

    fn open(directory: &Path) -> Self {
        let database = fjall::Database::builder(directory).cache_size(CACHE as u64).open().unwrap();
        let nodes = database.keyspace("nodes", fjall::KeyspaceCreateOptions::default).unwrap();
        Self { database, nodes }
    }

    fn write(&self, entries: &[Entry]) {
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncAll));
        for (key, value) in entries {
            batch.insert(&self.nodes, key.as_slice(), value.as_slice());
        }
        batch.commit().unwrap();
    }

    fn settle(&mut self) {
        self.nodes.major_compact().unwrap();
    }

    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.nodes.get(key).unwrap().map(|value| Bytes::copy_from_slice(&value))
    }
}

struct ParityDb(parity_db::Db);

impl Engine for ParityDb {
    const NAME: &str = "parity-db";

    fn open(directory: &Path) -> Self {
        let options = parity_db::Options::with_columns(directory, 1);
        Self(parity_db::Db::open_or_create(&options).unwrap())
    }

    fn write(&self, entries: &[Entry]) {
        self.0.commit(entries.iter().map(|(key, value)| (0, key, Some(value.clone())))).unwrap();
    }

    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(0, key).unwrap().map(Bytes::from)
    }
}

/// Nodes of one engine. Hashes are not checked: that costs the same everywhere.
struct Nodes<'a, E> {
    engine: &'a E,
    by_path: bool,
}

impl<E: Engine> NodeSource for Nodes<'_, E> {
    type Error = Infallible;

    fn node(&self, path: &[u8], hash: &B256) -> Result<Option<Bytes>, Infallible> {
        Ok(self.engine.get(&key(self.by_path, path, hash)))
    }
}

fn key(by_path: bool, path: &[u8], hash: &B256) -> Vec<u8> {
    if by_path { [&[0], path].concat() } else { hash.to_vec() }
}

fn account_key(n: u64) -> B256 {
    keccak256(keccak256(n.to_be_bytes()).split_last_chunk::<20>().unwrap().1)
}

struct Trie {
    root: B256,
    /// Path, hash and encoding.
    nodes: Vec<(Vec<u8>, B256, Vec<u8>)>,
    accounts: u64,
}

fn build(accounts: u64) -> Trie {
    let empty = [merkle_trie::EMPTY_ROOT, alloy_primitives::KECCAK256_EMPTY];
    let account = |n: u64| {
        let mut payload = alloy_rlp::encode(U256::from(n + 1));
        payload.insert(0, 0x80);
        empty.iter().for_each(|hash| payload.extend(alloy_rlp::encode(hash)));
        let mut list = Vec::new();
        alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut list);
        (account_key(n), [list, payload].concat())
    };
    let mut entries: Vec<_> = (0..accounts).map(account).collect();
    entries.sort_unstable();
    let mut nodes = Vec::new();
    let emit = |path: &[u8], hash, node: &[u8]| nodes.push((path.to_vec(), hash, node.to_vec()));
    let root = build_sorted(&entries, emit).unwrap();
    Trie { root, nodes, accounts }
}

fn measure<E: Engine>(trie: &Trie, by_path: bool) {
    let directory = tempfile::tempdir().unwrap();
    let mut engine = E::open(directory.path());
    let mut entries: Vec<Entry> = trie
        .nodes
        .iter()
        .map(|(path, hash, node)| (key(by_path, path, hash), node.clone()))
        .collect();
    entries.sort_unstable();
    let start = Instant::now();
    entries.chunks(BATCH).for_each(|chunk| engine.write(chunk));
    engine.settle();
    let load = start.elapsed();
    let size = size_of_files(directory.path());

    let keys: Vec<_> = (0..PROOFS).map(|i| account_key(i * 7919 % trie.accounts)).collect();
    let mut times = Vec::new();
    for _ in 0..=TURNS {
        let start = thread_nanos();
        for key in &keys {
            let mut nodes = NodeSet::default();
            let source = Nodes { engine: &engine, by_path };
            assert!(prove(&source, trie.root, key.as_slice(), 0, &mut nodes).unwrap().is_some());
            black_box(nodes.payload());
        }
        times.push((thread_nanos() - start) / PROOFS);
    }
    let proof = times.iter().skip(1).min().copied().unwrap();

    let step = entries.len() / COMMITTED;
    let mut commits: Vec<Duration> = (0..3)
        .map(|shift| {
            // Under a new hash a changed node has a new key; under its path it has the old one.
            let renamed = |(key, value): &Entry| {
                let fresh = keccak256([key.as_slice(), &[shift]].concat()).to_vec();
                (if by_path { key.clone() } else { fresh }, value.clone())
            };
            let mut chosen: Vec<Entry> =
                entries.iter().skip(usize::from(shift)).step_by(step.max(1)).map(renamed).collect();
            chosen.sort_unstable();
            let start = Instant::now();
            engine.write(&chosen);
            start.elapsed()
        })
        .collect();
    commits.sort_unstable();
    let keyed = if by_path { "path" } else { "hash" };
    println!(
        "| {} | {keyed} | {:.1} s | {} MB | {:.1} µs | {} ms |",
        E::NAME,
        load.as_secs_f64(),
        size / 1_000_000,
        f64::from(u32::try_from(proof).unwrap()) / 1000.0,
        commits.get(1).unwrap().as_millis(),
    );
}

fn size_of_files(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let size = |entry: fs::DirEntry| {
        let kind = entry.metadata().unwrap();
        if kind.is_dir() { size_of_files(&entry.path()) } else { kind.len() }
    };
    entries.map(size).sum()
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let named = arguments.iter().skip_while(|text| *text != "--accounts").nth(1);
    let trie = build(named.map_or(1_000_000, |text| text.parse().unwrap()));
    println!("{} accounts, {} nodes", trie.accounts, trie.nodes.len());
    println!("| engine | key | load | disk | proof | commit of {COMMITTED} nodes |");
    println!("|---|---|---|---|---|---|");
    for by_path in [false, true] {
        measure::<Redb>(&trie, by_path);
        measure::<Fjall>(&trie, by_path);
        measure::<ParityDb>(&trie, by_path);
    }
}
