//! A store fed with a generated chain, and the comparison with that chain.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::{path::Path, sync::Arc};

use alloy_primitives::{B256, keccak256};
use chain_backend::{
    Backend, ExecutedBlock, HelperStep, HelperTrieBuilder, HelperTrieKind, HelperTrieParameters,
    Snapshot, StateSnapshot, Store, StoreOptions, WorkingState,
    memory::{GeneratedBlock, Generator, MemoryChain},
};
use merkle_trie::NodeSet;

/// Small sections, so that a short chain completes some.
pub(crate) const SECTIONS: HelperTrieParameters =
    HelperTrieParameters { section: 64, confirmations: 16 };

pub(crate) fn options() -> StoreOptions {
    StoreOptions { node_cache: 1 << 20, page_cache: 8 << 20, helper: SECTIONS, repair: false }
}

pub(crate) fn create(directory: &Path, archive: bool) -> Store {
    let alloc = Generator::new(0).alloc();
    Store::create(directory, &options(), archive, alloc, Generator::genesis_header).unwrap()
}

pub(crate) fn open(directory: &Path) -> Store {
    Store::open(directory, &options(), None).unwrap()
}

/// Makes the changes of a generated block on its parent's state, as execution would.
pub(crate) fn execute(store: &Store, block: &GeneratedBlock) -> ExecutedBlock {
    let mut state = store.working_state(&block.header.parent_hash).unwrap();
    for changes in &block.changes {
        state.apply(changes).unwrap();
        if block.header.number.is_multiple_of(2) {
            state.root().unwrap();
        }
    }
    let state = state.commit().unwrap();
    assert_eq!(state.root, block.header.state_root, "state of block {}", block.header.number);
    ExecutedBlock {
        hash: block.hash,
        number: block.header.number,
        parent: block.header.parent_hash,
        header: alloy_rlp::encode(&block.header),
        body: block.body.clone(),
        receipts: block.receipts.clone(),
        transactions: block.transactions.clone(),
        total_difficulty: block.total_difficulty,
        state,
    }
}

pub(crate) fn add(store: &Store, block: &GeneratedBlock) {
    store.insert(execute(store, block)).unwrap();
    store.set_head(&block.hash).unwrap();
}

pub(crate) fn memory(blocks: &[Arc<GeneratedBlock>]) -> MemoryChain {
    MemoryChain::new(blocks.to_vec(), SECTIONS)
}

/// Everything that a snapshot says about these blocks and their states is what the oracle says.
/// States of which the oracle says nothing may be there or not.
pub(crate) fn assert_same(
    found: &dyn Snapshot,
    blocks: &[Arc<GeneratedBlock>],
    oracle: &MemoryChain,
) {
    let expected = oracle.snapshot();
    assert_eq!(found.head(), expected.head());
    assert_eq!(found.genesis_hash(), expected.genesis_hash());
    let beyond = expected.head().number + 1;
    assert_eq!(found.canonical_hash(beyond).unwrap(), None);
    for block in blocks {
        let (number, hash) = (block.header.number, &block.hash);
        let same = |read: &dyn Fn(&dyn Snapshot) -> Vec<u8>, what: &str| {
            assert_eq!(read(found), read(&*expected), "{what} of block {number} {hash}");
        };
        same(&|from| format!("{:?}", from.canonical_hash(number)).into(), "canonical hash");
        same(&|from| format!("{:?}", from.block_number(hash)).into(), "number");
        same(&|from| format!("{:?}", from.parent_hash(hash)).into(), "parent");
        same(&|from| format!("{:?}", from.total_difficulty(hash)).into(), "total difficulty");
        same(&|from| read(|out| from.append_header(hash, out)), "header");
        same(&|from| read(|out| from.append_body(hash, out)), "body");
        same(&|from| read(|out| from.append_receipts(hash, out)), "receipts");
        for transaction in &block.transactions {
            same(&|from| format!("{:?}", from.transaction(transaction)).into(), "transactions");
        }
    }
    for (first, step, count) in [(0, 1, 20), (3, 7, 200), (beyond - 1, 1, 5), (beyond, 1, 1)] {
        let headers = |from: &dyn Snapshot| {
            let mut out = Vec::new();
            (from.append_canonical_headers(first, step, count, &mut out).unwrap(), out)
        };
        assert_eq!(headers(found), headers(&*expected), "headers from {first}");
    }
}

/// The state after a block is there and proves what the oracle proves.
pub(crate) fn assert_same_state(found: &dyn Snapshot, block: &GeneratedBlock) {
    let number = block.header.number;
    let state = found.state(&block.hash).unwrap();
    let state = state.unwrap_or_else(|| unreachable!("no state of block {number}"));
    let oracle = memory(&[Arc::new(block.clone())]);
    let expected = oracle.snapshot().state(&block.hash).unwrap().unwrap();
    assert_eq!(state.root(), block.header.state_root);
    for (key, account) in block.state.accounts.iter().take(12) {
        assert_eq!(state.account(key).unwrap(), Some(account.summary()), "block {number}");
        assert_eq!(account_proof(&*state, key), account_proof(&*expected, key), "block {number}");
        if !account.storage.is_empty() {
            let (slot, value) = account.storage.first_key_value().unwrap();
            assert_eq!(state.storage(key, slot).unwrap(), *value);
            for slot in [*slot, keccak256(slot)] {
                let proof = storage_proof(&*state, key, &slot);
                assert_eq!(proof, storage_proof(&*expected, key, &slot), "block {number}");
            }
        }
        if account.code_hash != keccak256([]) {
            assert_eq!(
                found.code(&account.code_hash).unwrap(),
                block.codes.get(&account.code_hash).cloned(),
            );
        }
    }
    let absent = keccak256(b"nobody");
    assert_eq!(state.account(&absent).unwrap(), None);
    assert_eq!(account_proof(&*state, &absent), account_proof(&*expected, &absent));
    assert_eq!(storage_proof(&*state, &absent, &absent), None);
}

/// Builds every section that the chain completes.
pub(crate) fn build_helper_tries(store: &Arc<Store>) {
    let mut builder = HelperTrieBuilder::new(Arc::clone(store));
    // Each step reads or builds, so this many are enough.
    let steps: Vec<_> = (0..100).map(|_| builder.step().unwrap()).collect();
    assert_eq!(steps.last(), Some(&HelperStep::Idle));
}

/// The helper tries of the first sections are those that are built afresh.
pub(crate) fn assert_same_helper_tries(store: &Store, oracle: &impl Backend, sections: u64) {
    let (found, expected) = (store.snapshot(), oracle.snapshot());
    assert_eq!(found.checkpoint().unwrap(), expected.checkpoint().unwrap());
    for kind in [HelperTrieKind::CanonicalHash, HelperTrieKind::Bloom] {
        assert_eq!(found.helper_trie_sections(kind), sections);
        assert_eq!(expected.helper_trie_sections(kind), sections);
        for section in 0..=sections {
            for position in [0, 63, 200] {
                let number = section * SECTIONS.section + position;
                let bit = [&[1, 0x77][..], &(position % 4).to_be_bytes()].concat();
                let key = match kind {
                    HelperTrieKind::CanonicalHash => number.to_be_bytes().to_vec(),
                    HelperTrieKind::Bloom => bit,
                };
                let prove = |from: &dyn Snapshot, level| {
                    let mut nodes = NodeSet::default();
                    let built = from.prove_helper(kind, section, &key, level, &mut nodes).unwrap();
                    (built, nodes.payload().to_vec())
                };
                for level in [0, 2] {
                    let proof = prove(&*found, level);
                    assert_eq!(proof, prove(&*expected, level), "{kind:?} {section} {key:?}");
                }
            }
        }
    }
}

fn read(append: impl FnOnce(&mut Vec<u8>) -> Result<bool, chain_backend::BackendError>) -> Vec<u8> {
    let mut out = Vec::new();
    let there = append(&mut out).unwrap();
    out.push(there.into());
    out
}

fn account_proof(state: &dyn StateSnapshot, key: &B256) -> Vec<u8> {
    let mut nodes = NodeSet::default();
    state.prove_account(key.as_slice(), 0, &mut nodes).unwrap();
    nodes.payload().to_vec()
}

fn storage_proof(state: &dyn StateSnapshot, account: &B256, key: &B256) -> Option<Vec<u8>> {
    let mut nodes = NodeSet::default();
    let there = state.prove_storage(account, key.as_slice(), 0, &mut nodes).unwrap();
    there.then(|| nodes.payload().to_vec())
}
