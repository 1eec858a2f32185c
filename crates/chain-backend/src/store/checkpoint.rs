//! Moving the base state: up at a checkpoint, down when an archive reorganises below it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_primitives::{B256, Bytes};

use super::{
    body::transaction_hashes,
    insert::{Layer, Writer},
    key::{Fields, NodeKey, put_string},
    kv::{Batch, Table},
    record::{BlockEntry, StateCommit, keccak},
    recover::Position,
    view::Base,
};
use crate::BackendError;

/// Side-chain layers that an archive keeps below its base, and blocks that a reorganisation below
/// the base turns back into layers. At 125 KB for a busy block this is 256 MB.
const ARCHIVE_SIDE_LAYERS: usize = 2048;
/// How far below the base such a layer may be. What came after it, also into the canonical chain,
/// is kept in memory with it, and read again at a start: at most 128 MB.
const ARCHIVE_SIDE_DEPTH: u64 = 1024;

impl Writer {
    /// Makes canonical block `target`, above the base and below the head, the base.
    pub(super) fn checkpoint(&mut self, target: u64) -> Result<(), BackendError> {
        let kv = Arc::clone(&self.view.kv);
        let mut batch = Batch::default();
        let mut nodes: BTreeMap<&NodeKey, Option<&Bytes>> = BTreeMap::new();
        let mut base = self.view.base;
        for number in base.number + 1..=target {
            let hash = self.canonical(number)?;
            let layer = self.layers.get(&hash).ok_or(BackendError::StateNotKept(hash))?;
            for (key, node) in &layer.changes.nodes {
                nodes.insert(key, node.as_ref().map(|(_, bytes)| bytes));
            }
            for (code_hash, code) in &layer.changes.codes {
                batch.put(Table::Code, code_hash.as_slice(), code.clone());
            }
            put_lookups(&mut batch, number, &layer.transactions);
            if self.view.archive {
                put_history(&mut batch, number, &layer.changes);
            }
            base = Base { number, hash, state_root: layer.entry.state_root };
        }
        for (key, node) in nodes {
            match node {
                Some(node) => batch.put(Table::State, key.as_bytes(), node.clone()),
                None => batch.delete(Table::State, key.as_bytes()),
            }
        }
        self.view.canonical.persist(self.view.base.number + 1, target + 1, &*kv, &mut batch)?;
        self.move_base(base, batch)
    }

    /// Makes an older canonical block the base; its descendants become layers again.
    pub(super) fn roll_back(&mut self, target: u64) -> Result<(), BackendError> {
        let hash = self.canonical(target)?;
        let entry = self.view.block(&hash)?.ok_or(BackendError::UnknownBlock(hash))?;
        let old = self.view.base.number;
        let mut batch = Batch::default();
        let mut touched = BTreeSet::new();
        let mut layers = Vec::new();
        for number in target + 1..=old {
            let hash = self.canonical(number)?;
            let (layer, keys) = self.layer_from_history(&hash, number)?;
            for key in &keys {
                batch.delete(Table::History, key.at_block(number));
            }
            batch.delete(Table::Changes, number.to_be_bytes());
            for transaction in &layer.transactions {
                batch.delete(Table::Transactions, transaction.as_slice());
            }
            touched.extend(keys);
            layers.push((hash, layer));
        }
        for key in touched {
            match self.view.historic(&key, target)?.filter(|node| !node.is_empty()) {
                Some(node) => batch.put(Table::State, key.as_bytes(), node),
                None => batch.delete(Table::State, key.as_bytes()),
            }
        }
        if layers.len() <= ARCHIVE_SIDE_LAYERS {
            for (hash, layer) in layers {
                self.restore_layer(hash, layer)?;
            }
        }
        self.move_base(Base { number: target, hash, state_root: entry.state_root }, batch)
    }

    /// Syncs, writes the batch together with the new base and the index entries of all blocks
    /// that leave memory, and then lets them go.
    fn move_base(&mut self, base: Base, mut batch: Batch) -> Result<(), BackendError> {
        let dropped = self.layers_to_drop(&base)?;
        for hash in &dropped {
            if let Some(layer) = self.layers.get(hash) {
                batch.put(Table::Blocks, hash.as_slice(), layer.entry.to_index());
            }
        }
        let live = || self.layers.iter().filter(|(hash, _)| !dropped.contains(*hash));
        let segments = Arc::clone(&self.view.segments);
        let journal = live().map(|(_, layer)| layer.journal).min();
        let changes = live().map(|(_, layer)| layer.entry.changes.offset).min();
        let oldest = live().map(|(_, layer)| layer.generation).min();
        let replay_from = journal.unwrap_or_else(|| segments.journal.end());
        Position { base, replay_from }.put(&mut batch);
        self.flush()?;
        self.kv.write(batch)?;

        for hash in &dropped {
            self.layers.remove(hash);
        }
        let kept = self.kept();
        let snapshot = Arc::from(self.kv.snapshot()?);
        let first = self.first_generation;
        let view = self.view_mut();
        view.base = base;
        view.kv = snapshot;
        view.kept = kept;
        let gone = oldest.map_or(view.generations.len() as u64, |oldest| oldest - first);
        let gone = usize::try_from(gone).unwrap_or_default().min(view.generations.len());
        view.generations.drain(..gone);
        self.first_generation += gone as u64;
        segments.changes.drop_before(changes.unwrap_or_else(|| segments.changes.end()))
    }

    /// The layers that have no place above a new base: what it contains, side chains that are
    /// too old, and whatever stands on those.
    fn layers_to_drop(&self, base: &Base) -> Result<BTreeSet<B256>, BackendError> {
        let mut by_number: Vec<_> = self
            .layers
            .iter()
            .map(|(hash, layer)| (layer.entry.number, layer.journal, hash))
            .collect();
        by_number.sort_unstable();
        let mut kept: BTreeSet<&B256> = BTreeSet::new();
        let mut dropped = BTreeSet::new();
        let mut side_budget = if self.view.archive { ARCHIVE_SIDE_LAYERS } else { 0 };
        for (number, _, hash) in by_number {
            let Some(layer) = self.layers.get(hash) else { continue };
            let parent = &layer.entry.parent;
            let keep = if number > base.number {
                kept.contains(parent) || *parent == base.hash
            } else {
                let is_canonical = self.view.canonical_hash(number)?.as_ref() == Some(hash);
                let stands = kept.contains(parent)
                    || self.view.canonical_hash(number - 1)?.as_ref() == Some(parent);
                let is_near = number.saturating_add(ARCHIVE_SIDE_DEPTH) >= base.number;
                let side = stands && !is_canonical && is_near && side_budget > 0;
                side_budget -= usize::from(side);
                side
            };
            if keep {
                kept.insert(hash);
            } else {
                dropped.insert(*hash);
            }
        }
        Ok(dropped)
    }

    fn canonical(&self, number: u64) -> Result<B256, BackendError> {
        self.view.canonical_hash(number)?.ok_or_else(|| {
            BackendError::Corrupt(format!("the canonical index lacks block {number}"))
        })
    }

    /// The layer of a canonical block of an archive, and the keys that it changed.
    fn layer_from_history(
        &self,
        hash: &B256,
        number: u64,
    ) -> Result<(Layer, Vec<NodeKey>), BackendError> {
        let view = &self.view;
        let corrupt = || BackendError::Corrupt(format!("the history of block {number} is damaged"));
        let entry = view.block(hash)?.ok_or(BackendError::UnknownBlock(*hash))?;
        let stored = view.kv.get(Table::Changes, &number.to_be_bytes())?.ok_or_else(corrupt)?;
        let mut fields = Fields(&stored);
        let mut keys = Vec::new();
        let mut nodes = Vec::new();
        while !fields.0.is_empty() {
            let key = NodeKey::from_bytes(fields.string().ok_or_else(corrupt)?);
            let node = view.kv.get(Table::History, &key.at_block(number))?.ok_or_else(corrupt)?;
            let node = (!node.is_empty()).then(|| (keccak(&node), node));
            nodes.push((key.clone(), node));
            keys.push(key);
        }
        let body = |bytes: &[u8]| transaction_hashes(bytes.get(32..).unwrap_or_default());
        let transactions = view.segments.bodies.read(entry.body, body)?.ok_or_else(corrupt)?;
        // Its code is in the key-value store, where it stays.
        let changes = StateCommit { root: entry.state_root, nodes, codes: Vec::new() };
        let changes = Arc::new(changes);
        Ok((Layer { entry, journal: 0, changes, transactions, generation: 0 }, keys))
    }

    /// Appends a layer's changes and a new journal record for its block.
    fn restore_layer(&mut self, hash: B256, mut layer: Layer) -> Result<(), BackendError> {
        let segments = Arc::clone(&self.view.segments);
        let mut header = Vec::new();
        segments.journal.read(layer.entry.header, |bytes| header.extend_from_slice(bytes))?;
        let mut entry: BlockEntry = layer.entry;
        entry.changes = segments.changes.append(&[&layer.changes.encode(&hash)])?;
        layer.journal = self.append_to_journal(&hash, &mut entry, &header)?;
        layer.entry = entry;
        self.add_layer(hash, layer);
        Ok(())
    }
}

/// A canonical block's transactions, as `block number ‖ position`.
pub(super) fn put_lookups(batch: &mut Batch, number: u64, transactions: &[B256]) {
    for (index, transaction) in (0u32..).zip(transactions) {
        let place = [&number.to_be_bytes()[..], &index.to_be_bytes()].concat();
        batch.put(Table::Transactions, transaction.as_slice(), place);
    }
}

/// What a block made of each node that it changed (nothing, if it is gone), and which they are.
fn put_history(batch: &mut Batch, number: u64, changes: &StateCommit) {
    let mut keys = Vec::new();
    for (key, node) in &changes.nodes {
        put_string(&mut keys, key.as_bytes());
        let node = node.as_ref().map(|(_, bytes)| bytes.clone()).unwrap_or_default();
        batch.put(Table::History, key.at_block(number), node);
    }
    batch.put(Table::Changes, number.to_be_bytes(), keys);
}
