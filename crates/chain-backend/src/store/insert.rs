//! The one writer: new blocks and new heads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_primitives::B256;

use super::{
    ExecutedBlock, KEPT_STATES, MERGE_BATCH,
    canonical::CanonicalEntry,
    kv::Kv,
    record::{BlockEntry, JournalRecord, StateCommit, header_location},
    view::{Generation, View},
};
use crate::{BackendError, Head};

/// Blocks that share one generation. Views search every generation, oldest last, so there should
/// be few: about five at rest.
const GENERATION: usize = 64;

/// A block above the base (or beside the canonical chain) with what it changed.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) entry: BlockEntry,
    /// Where its journal record starts, or some byte before it and behind the previous record.
    pub(super) journal: u64,
    pub(super) changes: Arc<StateCommit>,
    pub(super) transactions: Vec<B256>,
    /// Number of the generation that holds its content.
    pub(super) generation: u64,
}

/// Owns everything that is written.
pub(super) struct Writer {
    pub(super) kv: Box<dyn Kv>,
    pub(super) view: Arc<View>,
    pub(super) layers: BTreeMap<B256, Layer>,
    /// Number of the first generation in the view.
    pub(super) first_generation: u64,
    /// Blocks that went into the last generation.
    pub(super) in_last_generation: usize,
}

impl Writer {
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// The view, to be changed: copied if a reader or the store holds it.
    pub(super) fn view_mut(&mut self) -> &mut View {
        Arc::make_mut(&mut self.view)
    }

    pub(super) fn insert(&mut self, block: ExecutedBlock) -> Result<(), BackendError> {
        if self.view.state_at(&block.hash)?.is_some() {
            return Ok(());
        }
        self.view.state_at(&block.parent)?.ok_or(BackendError::StateNotKept(block.parent))?;
        let segments = Arc::clone(&self.view.segments);
        let hash = block.hash;
        let body = segments.bodies.append(&[hash.as_slice(), &block.body])?;
        let receipts = segments.receipts.append(&[hash.as_slice(), &block.receipts])?;
        let changes = segments.changes.append(&[&block.state.encode(&hash)])?;
        let mut entry = BlockEntry {
            number: block.number,
            parent: block.parent,
            total_difficulty: block.total_difficulty,
            state_root: block.state.root,
            header: body,
            body,
            receipts,
            changes,
        };
        let journal = self.append_to_journal(&hash, &mut entry, &block.header)?;
        let layer = Layer {
            entry,
            journal,
            changes: Arc::new(block.state),
            transactions: block.transactions,
            generation: 0,
        };
        self.add_layer(hash, layer);
        Ok(())
    }

    /// Appends a block's record, enters the header's place, and says where the record starts.
    pub(super) fn append_to_journal(
        &self,
        hash: &B256,
        entry: &mut BlockEntry,
        header: &[u8],
    ) -> Result<u64, BackendError> {
        let journal = &self.view.segments.journal;
        let start = journal.end();
        let record = journal.append(&[&JournalRecord::block_prefix(hash, entry), header])?;
        entry.header = header_location(record, header.len())
            .ok_or_else(|| BackendError::Corrupt(format!("header of block {hash} is too long")))?;
        Ok(start)
    }

    /// Makes a block whose record is in the journal visible.
    pub(super) fn add_layer(&mut self, hash: B256, mut layer: Layer) {
        if self.view.generations.is_empty() || self.in_last_generation >= GENERATION {
            self.view_mut().generations.push(Arc::new(Generation::default()));
            self.in_last_generation = 0;
        }
        self.in_last_generation += 1;
        layer.generation = self.first_generation + self.view.generations.len() as u64 - 1;
        if let Some(generation) = self.view.generations.last() {
            let nodes = layer.changes.nodes.iter().filter_map(|(_, node)| node.clone());
            generation.content.write().extend(nodes.chain(layer.changes.codes.iter().cloned()));
            generation.blocks.write().insert(hash, layer.entry);
            let mut places = generation.transactions.write();
            for (index, transaction) in (0..).zip(&layer.transactions) {
                places.entry(*transaction).or_default().push((hash, index));
            }
        }
        self.layers.insert(hash, layer);
        Arc::make_mut(&mut self.view_mut().kept).insert(hash);
    }

    pub(super) fn set_head(&mut self, hash: &B256) -> Result<(), BackendError> {
        if self.view.head.hash == *hash {
            return Ok(());
        }
        if self.view.block(hash)?.is_none() {
            return Err(BackendError::UnknownBlock(*hash));
        }
        self.view.state_at(hash)?.ok_or(BackendError::StateNotKept(*hash))?;
        // Before the base moves, so that a restart knows where to.
        self.view.segments.journal.append(&[&JournalRecord::head(hash)])?;
        self.adopt(hash)?;
        if self.view.head.number - self.view.base.number >= KEPT_STATES + MERGE_BATCH {
            self.checkpoint(self.view.head.number - KEPT_STATES)?;
        }
        Ok(())
    }

    /// Makes a block with a kept state the head, whether above the base or not.
    pub(super) fn adopt(&mut self, hash: &B256) -> Result<(), BackendError> {
        let fork = self.fork_number(hash)?;
        if fork < self.view.base.number {
            self.roll_back(fork)?;
        }
        self.make_head(hash)
    }

    /// Whether making this block the head takes the base down.
    pub(super) fn is_below_base(&self, hash: &B256) -> Result<bool, BackendError> {
        Ok(self.fork_number(hash)? < self.view.base.number)
    }

    /// Number of the last block that the chain of `hash` shares with the canonical chain.
    fn fork_number(&self, hash: &B256) -> Result<u64, BackendError> {
        let mut hash = *hash;
        loop {
            let entry = self.view.block(&hash)?.ok_or(BackendError::UnknownBlock(hash))?;
            if self.view.canonical_hash(entry.number)? == Some(hash) {
                return Ok(entry.number);
            }
            hash = entry.parent;
        }
    }

    /// Makes a block canonical with all its ancestors, and the head.
    pub(super) fn make_head(&mut self, hash: &B256) -> Result<(), BackendError> {
        let mut entries = Vec::new();
        let mut next = *hash;
        let fork = loop {
            let entry = self.view.block(&next)?.ok_or(BackendError::UnknownBlock(next))?;
            if self.view.canonical_hash(entry.number)? == Some(next) {
                break entry.number;
            }
            entries.push(CanonicalEntry { hash: next, header: entry.header });
            if entry.number == 0 {
                return Err(BackendError::Corrupt(format!("block {next} has another genesis")));
            }
            next = entry.parent;
        };
        entries.reverse();
        let head = self.view.block(hash)?.ok_or(BackendError::UnknownBlock(*hash))?;
        let view = self.view_mut();
        let kv = Arc::clone(&view.kv);
        view.canonical.replace_after(fork, &entries, &*kv)?;
        view.head =
            Head { number: head.number, hash: *hash, total_difficulty: head.total_difficulty };
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<(), BackendError> {
        let segments = &self.view.segments;
        segments.bodies.sync()?;
        segments.receipts.sync()?;
        segments.changes.sync()?;
        // Last: it refers to the others.
        segments.journal.sync()
    }

    /// The hashes of all layers, as readers see them.
    pub(super) fn kept(&self) -> Arc<BTreeSet<B256>> {
        Arc::new(self.layers.keys().copied().collect())
    }
}
