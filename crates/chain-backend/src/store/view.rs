//! What readers see: one frozen view of the chain, and nodes of any kept state through it.
//!
//! Everything above the base state lies in *generations*, by hash: trie nodes, code, blocks,
//! transactions. What is found by hash cannot be wrong, whichever block is asked about, so
//! generations only grow, and a view keeps those alive that it was made with. Below them are a
//! cache by hash and the base state by path in a snapshot of the key-value store.

use std::{collections::BTreeSet, sync::Arc};

use alloy_primitives::{B256, Bytes, U256, map::B256Map};
use merkle_trie::NodeSource;
use parking_lot::RwLock;

use super::{
    cache::NodeCache,
    canonical::Canonical,
    helper::{BuiltSection, HelperTrieParameters},
    key::{Fields, NodeKey},
    kv::{KvSnapshot, Table},
    record::{BlockEntry, keccak},
    segment::Segment,
};
use crate::{BackendError, Head, TransactionLookup};

/// What some blocks brought, by hash. Only grows.
#[derive(Debug, Default)]
pub(super) struct Generation {
    pub(super) content: RwLock<B256Map<Bytes>>,
    pub(super) blocks: RwLock<B256Map<BlockEntry>>,
    /// Where transactions stand: block hash and position, for every block that has them.
    pub(super) transactions: RwLock<B256Map<Vec<(B256, u32)>>>,
}

/// The segments of a store.
#[derive(Debug)]
pub(super) struct Segments {
    /// Headers, and which block became the head when.
    pub(super) journal: Segment,
    pub(super) bodies: Segment,
    pub(super) receipts: Segment,
    pub(super) changes: Segment,
}

/// The block whose state lies in the key-value store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) state_root: B256,
}

/// One frozen view.
#[derive(Clone)]
pub(super) struct View {
    pub(super) segments: Arc<Segments>,
    pub(super) cache: Arc<NodeCache>,
    pub(super) kv: Arc<dyn KvSnapshot>,
    /// Oldest first.
    pub(super) generations: Vec<Arc<Generation>>,
    /// Blocks above the base, or beside the canonical chain, whose state is kept.
    pub(super) kept: Arc<BTreeSet<B256>>,
    pub(super) canonical: Canonical,
    pub(super) head: Head,
    pub(super) base: Base,
    pub(super) genesis_hash: B256,
    pub(super) archive: bool,
    pub(super) helper: HelperTrieParameters,
    pub(super) helper_sections: Arc<Vec<BuiltSection>>,
}

/// A state that can be read: its root, and the block number if it is older than the base.
#[derive(Clone, Copy, Debug)]
pub(super) struct StateAt {
    pub(super) root: B256,
    as_of: Option<u64>,
}

impl View {
    pub(super) fn block(&self, hash: &B256) -> Result<Option<BlockEntry>, BackendError> {
        for generation in self.generations.iter().rev() {
            if let Some(entry) = generation.blocks.read().get(hash) {
                return Ok(Some(*entry));
            }
        }
        let Some(stored) = self.kv.get(Table::Blocks, hash.as_slice())? else { return Ok(None) };
        let entry = BlockEntry::from_index(&stored);
        entry.map(Some).ok_or_else(|| BackendError::Corrupt(format!("index entry of {hash}")))
    }

    pub(super) fn canonical_hash(&self, number: u64) -> Result<Option<B256>, BackendError> {
        Ok(self.canonical.get(number, &*self.kv)?.map(|entry| entry.hash))
    }

    /// The state after a block, if it is kept.
    pub(super) fn state_at(&self, hash: &B256) -> Result<Option<StateAt>, BackendError> {
        let Some(entry) = self.block(hash)? else { return Ok(None) };
        let root = entry.state_root;
        let (mut hash, mut number, mut parent) = (*hash, entry.number, entry.parent);
        // Down to the base, or to where the block's chain leaves the stored canonical states.
        while self.kept.contains(&hash) {
            if number > self.base.number && self.canonical_hash(number)? == Some(hash) {
                return Ok(Some(StateAt { root, as_of: None }));
            }
            let Some(below) = self.block(&parent)? else { return Ok(None) };
            (hash, number, parent) = (parent, below.number, below.parent);
        }
        if hash == self.base.hash {
            return Ok(Some(StateAt { root, as_of: None }));
        }
        let historic =
            self.archive && number < self.base.number && self.canonical_hash(number)? == Some(hash);
        Ok(historic.then_some(StateAt { root, as_of: Some(number) }))
    }

    pub(super) fn code(&self, hash: &B256) -> Result<Option<Bytes>, BackendError> {
        self.content(Table::Code, hash)
    }

    /// Content of a table that is kept by hash, or of memory.
    pub(super) fn content(&self, table: Table, hash: &B256) -> Result<Option<Bytes>, BackendError> {
        if let Some(found) = self.recent(hash) {
            return Ok(Some(found));
        }
        self.checked(hash, self.kv.get(table, hash.as_slice())?)
    }

    pub(super) fn transaction(
        &self,
        hash: &B256,
    ) -> Result<Option<TransactionLookup>, BackendError> {
        for generation in self.generations.iter().rev() {
            let places = generation.transactions.read().get(hash).cloned().unwrap_or_default();
            for (block_hash, index) in places {
                let Some(entry) = self.block(&block_hash)? else { continue };
                let block_number = entry.number;
                if self.canonical_hash(block_number)? == Some(block_hash) {
                    let index = index.into();
                    return Ok(Some(TransactionLookup { block_hash, block_number, index }));
                }
            }
        }
        let Some(stored) = self.kv.get(Table::Transactions, hash.as_slice())? else {
            return Ok(None);
        };
        let mut fields = Fields(&stored);
        let (Some(block_number), Some(index)) = (fields.u64(), fields.u32()) else {
            return Err(BackendError::Corrupt(format!("lookup entry of transaction {hash}")));
        };
        let block_hash = self.canonical_hash(block_number)?;
        let found = block_hash.map(|block_hash| TransactionLookup {
            block_hash,
            block_number,
            index: index.into(),
        });
        Ok(found)
    }

    pub(super) fn total_difficulty(&self, hash: &B256) -> Result<Option<U256>, BackendError> {
        Ok(self.block(hash)?.map(|entry| entry.total_difficulty))
    }

    /// Content in memory.
    fn recent(&self, hash: &B256) -> Option<Bytes> {
        let mut generations = self.generations.iter().rev();
        generations
            .find_map(|generation| generation.content.read().get(hash).cloned())
            .or_else(|| self.cache.get(hash))
    }

    /// Stored content if it has this hash; it is then in the cache.
    fn checked(&self, hash: &B256, stored: Option<Bytes>) -> Result<Option<Bytes>, BackendError> {
        let found = stored.filter(|bytes| keccak(bytes) == *hash);
        if let Some(bytes) = &found {
            self.cache.insert(*hash, bytes.clone());
        }
        Ok(found)
    }

    /// The node of the newest block up to `number` that changed it.
    pub(super) fn historic(
        &self,
        key: &NodeKey,
        number: u64,
    ) -> Result<Option<Bytes>, BackendError> {
        let from = key.at_block(number);
        let found = self.kv.at_or_after(Table::History, &from)?;
        let same_node = |found: &[u8]| {
            found.len() == from.len() && found.get(..found.len() - 8) == from.get(..from.len() - 8)
        };
        Ok(found.filter(|(found, _)| same_node(found)).map(|(_, node)| node))
    }
}

/// The nodes of one trie of one kept state.
pub(super) struct StateSource {
    pub(super) view: Arc<View>,
    pub(super) account_key: Option<B256>,
    pub(super) at: StateAt,
}

impl NodeSource for StateSource {
    type Error = BackendError;

    fn node(&self, path: &[u8], hash: &B256) -> Result<Option<Bytes>, BackendError> {
        if let Some(found) = self.view.recent(hash) {
            return Ok(Some(found));
        }
        let key = NodeKey::new(self.account_key.as_ref(), path);
        let base = self.view.kv.get(Table::State, key.as_bytes())?;
        let found = self.view.checked(hash, base)?;
        match self.at.as_of {
            Some(number) if found.is_none() => {
                self.view.checked(hash, self.view.historic(&key, number)?)
            }
            _ => Ok(found),
        }
    }
}
