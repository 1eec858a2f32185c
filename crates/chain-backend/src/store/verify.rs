//! Checking a whole store against itself and against what its hashes say.

use std::{collections::BTreeSet, sync::Arc};

use alloy_consensus::Header;
use alloy_primitives::{B256, KECCAK256_EMPTY, U256};
use merkle_trie::{NodeSource, build_ordered_list, walk_all};

use super::{
    Store,
    body::{list_items, transaction_hashes},
    helper::HelperSource,
    key::NodeKey,
    kv::Table,
    record::{BlockEntry, keccak, record_location},
    view::{StateSource, View},
};
use crate::{Account, BackendError};

/// Faults that are told apart; a store with more is not worth a longer list.
const MAX_FAULTS: usize = 100;

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// What is checked: blocks, the canonical chain, states, or helper tries.
    pub stage: &'static str,
    /// How many of them are done.
    pub done: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Blocks whose header, body and receipts were checked.
    pub blocks: u64,
    /// Canonical blocks whose place and transaction lookups were checked.
    pub canonical_blocks: u64,
    /// Kept states that were reached from their roots.
    pub states: u64,
    /// Different trie nodes in them, and in the helper tries.
    pub nodes: u64,
    /// Sections of the helper tries.
    pub helper_sections: u64,
    /// What is wrong, in words; empty if nothing is.
    pub faults: Vec<String>,
}

impl Store {
    /// Checks everything: checksums, hashes and links of all blocks, the roots in their headers,
    /// the canonical index, transaction lookups, every node of every kept state, helper tries.
    ///
    /// What is wrong is in the report; an error means that the check itself could not go on.
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<VerifyReport, BackendError> {
        let view = self.view();
        let report = VerifyReport::default();
        let mut check = Check { view, report, progress, met: BTreeSet::new() };
        check.all_blocks()?;
        check.canonical_chain();
        check.states();
        check.helper_tries()?;
        check.report.nodes = check.met.len() as u64;
        Ok(check.report)
    }
}

struct Check<'a> {
    view: Arc<View>,
    report: VerifyReport,
    progress: &'a mut dyn FnMut(VerifyProgress),
    /// Nodes that have been read and found right, with their places, as half a hash of both.
    met: BTreeSet<[u8; 16]>,
}

impl Check<'_> {
    fn fault(&mut self, fault: String) {
        if self.report.faults.len() < MAX_FAULTS {
            self.report.faults.push(fault);
        }
    }

    fn step(&mut self, stage: &'static str, done: u64) {
        (self.progress)(VerifyProgress { stage, done });
    }

    fn all_blocks(&mut self) -> Result<(), BackendError> {
        let view = Arc::clone(&self.view);
        for hash in view.kept.iter() {
            self.block(hash, view.block(hash)?);
        }
        view.kv.scan(Table::Blocks, &[], &mut |key, stored| {
            match B256::try_from(key) {
                Ok(hash) => self.block(&hash, BlockEntry::from_index(stored)),
                Err(_) => self.fault("a block index key is no hash".into()),
            }
            true
        })
    }

    fn block(&mut self, hash: &B256, entry: Option<BlockEntry>) {
        let checked = match entry {
            Some(entry) => check_block(&self.view, hash, &entry),
            None => Err("its index entry is damaged".into()),
        };
        if let Err(fault) = checked {
            self.fault(format!("block {hash}: {fault}"));
        }
        self.report.blocks += 1;
        self.step("blocks", self.report.blocks);
    }

    fn canonical_chain(&mut self) {
        let mut parent = B256::ZERO;
        for number in 0..=self.view.head.number {
            match check_canonical(&self.view, number, &parent) {
                Ok(hash) => parent = hash,
                Err(fault) => self.fault(format!("canonical block {number}: {fault}")),
            }
            self.report.canonical_blocks += 1;
            self.step("canonical chain", self.report.canonical_blocks);
        }
    }

    fn states(&mut self) {
        let view = Arc::clone(&self.view);
        let oldest = if view.archive { 0 } else { view.base.number };
        let canonical = (oldest..=view.base.number).filter_map(|n| view.canonical_hash(n).ok()?);
        for hash in canonical.chain(view.kept.iter().copied()) {
            if let Err(error) = self.state(&hash) {
                self.fault(format!("the state after block {hash}: {error}"));
            }
            self.report.states += 1;
            self.step("states", self.report.states);
        }
    }

    fn state(&mut self, block: &B256) -> Result<(), BackendError> {
        let view = Arc::clone(&self.view);
        let at = view.state_at(block)?.ok_or(BackendError::StateNotKept(*block))?;
        let source = |account_key| StateSource { view: Arc::clone(&view), account_key, at };
        let mut accounts = Vec::new();
        self.trie(&source(None), None, at.root, |path, value| {
            accounts.push((path.to_vec(), Account::decode(value)));
        })?;
        for (path, account) in accounts {
            let account = account?;
            if account.code_hash != KECCAK256_EMPTY && view.code(&account.code_hash)?.is_none() {
                let text = format!("the code {} is missing", account.code_hash);
                return Err(BackendError::Corrupt(text));
            }
            let (pairs, _) = path.as_chunks::<2>();
            let key: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
            let key = B256::try_from(key.as_slice())
                .map_err(|_| BackendError::Corrupt("an account key is no hash".into()))?;
            self.trie(&source(Some(key)), Some(&key), account.storage_root, |_, _| ())?;
        }
        Ok(())
    }

    fn helper_tries(&mut self) -> Result<(), BackendError> {
        let view = Arc::clone(&self.view);
        for (index, section) in view.canonical_sections()?.iter().enumerate() {
            for root in [section.canonical_hash_root, section.bloom_root] {
                if let Err(error) =
                    self.trie(&HelperSource(Arc::clone(&view)), None, root, |_, _| ())
                {
                    self.fault(format!("helper trie of section {index}: {error}"));
                }
            }
            self.report.helper_sections += 1;
            self.step("helper tries", self.report.helper_sections);
        }
        Ok(())
    }

    /// Reads a trie, but no node twice. Sources check each node's hash.
    fn trie<S: NodeSource<Error = BackendError>>(
        &mut self,
        source: &S,
        account_key: Option<&B256>,
        root: B256,
        value: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), BackendError> {
        let enter = |path: &[u8], hash: &B256| {
            let key = NodeKey::new(account_key, path);
            let place = keccak(&[key.as_bytes(), hash.as_slice()].concat());
            place.first_chunk().is_some_and(|half| self.met.insert(*half))
        };
        Ok(walk_all(source, root, enter, value)?)
    }
}

/// Checks one block; returns what is wrong in words.
fn check_block(view: &View, hash: &B256, entry: &BlockEntry) -> Result<(), String> {
    let text = |error: BackendError| error.to_string();
    let record = record_location(hash, entry).ok_or("its place is damaged")?;
    let journal = &view.segments.journal;
    journal.read_checked(record, |_| ()).map_err(text)?;
    let header = journal.read(entry.header, <[u8]>::to_vec).map_err(text)?;
    require(keccak(&header) == *hash, "the header has another hash")?;
    let header: Header = alloy_rlp::decode_exact(&header).map_err(|error| error.to_string())?;
    require(header.number == entry.number, "the header has another number")?;
    require(header.parent_hash == entry.parent, "the header has another parent")?;
    require(header.state_root == entry.state_root, "the header has another state root")?;
    let parent = view.total_difficulty(&entry.parent).map_err(text)?;
    let parent = if entry.number == 0 { Some(U256::ZERO) } else { parent };
    let sum = parent.ok_or("its parent is missing")?.checked_add(header.difficulty);
    require(sum == Some(entry.total_difficulty), "the total difficulty is not the sum")?;
    let own = |bytes: &[u8]| bytes.strip_prefix(hash.as_slice()).map(<[u8]>::to_vec);
    let body = view.segments.bodies.read_checked(entry.body, own).map_err(text)?;
    check_body(&header, &body.ok_or("the body belongs to another block")?)?;
    let receipts = view.segments.receipts.read_checked(entry.receipts, own).map_err(text)?;
    let receipts = receipts.ok_or("the receipts belong to another block")?;
    let root = list_root(&receipts).ok_or("the receipts are malformed")?;
    require(root == header.receipts_root, "the receipts have another root")
}

fn check_body(header: &Header, body: &[u8]) -> Result<(), String> {
    let mut parts = list_items(body).ok_or("the body is malformed")?.into_iter();
    let mut next = || parts.next().ok_or("the body is too short");
    let transactions = list_root(next()?).ok_or("the transactions are malformed")?;
    require(transactions == header.transactions_root, "the transactions have another root")?;
    require(keccak(next()?) == header.ommers_hash, "the uncles have another hash")?;
    let withdrawals = parts.next().map(|list| list_root(list).ok_or("malformed withdrawals"));
    require(
        withdrawals.transpose()? == header.withdrawals_root,
        "the withdrawals have another root",
    )
}

/// Checks a canonical block's place and lookups; returns its hash.
fn check_canonical(view: &View, number: u64, parent: &B256) -> Result<B256, String> {
    let text = |error: BackendError| error.to_string();
    let canonical = view.canonical.get(number, &*view.kv).map_err(text)?;
    let canonical = canonical.ok_or("the index lacks it")?;
    let entry = view.block(&canonical.hash).map_err(text)?.ok_or("the block is missing")?;
    require(entry.number == number, "the block has another number")?;
    require(entry.header == canonical.header, "the index has another place for its header")?;
    require(number == 0 || entry.parent == *parent, "it does not stand on the block before it")?;
    let hashes = |bytes: &[u8]| transaction_hashes(bytes.get(32..).unwrap_or_default());
    let transactions = view.segments.bodies.read(entry.body, hashes).map_err(text)?;
    for (index, transaction) in (0u64..).zip(transactions.ok_or("the body is malformed")?) {
        let found = view.transaction(&transaction).map_err(text)?;
        let right = found.is_some_and(|found| {
            found.block_hash == canonical.hash
                && found.block_number == number
                && found.index == index
        });
        require(right, "a transaction is not found where it is")?;
    }
    Ok(canonical.hash)
}

fn list_root(list: &[u8]) -> Option<B256> {
    build_ordered_list(&list_items(list)?).ok()
}

fn require(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}
