//! Restart: the position that a checkpoint left, and the journal behind it.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{B256, U256};

use super::{
    StoreOptions,
    body::transaction_hashes,
    cache::NodeCache,
    canonical::Canonical,
    helper::load_sections,
    insert::{Layer, Writer},
    key::Fields,
    kv::{Batch, Kv, KvSnapshot, Table},
    record::{BlockEntry, JournalRecord, StateCommit},
    view::{Base, Segments, View},
};
use crate::{BackendError, Head};

/// Where a restart begins: the base state, and the first journal record that may be newer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) base: Base,
    pub(super) replay_from: u64,
}

impl Position {
    const KEY: &[u8] = b"position";

    pub(super) fn put(&self, batch: &mut Batch) {
        let mut out = Vec::new();
        out.extend_from_slice(&self.base.number.to_be_bytes());
        out.extend_from_slice(self.base.hash.as_slice());
        out.extend_from_slice(self.base.state_root.as_slice());
        out.extend_from_slice(&self.replay_from.to_be_bytes());
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_be_bytes());
        batch.put(Table::Meta, Self::KEY, out);
    }

    pub(super) fn load(kv: &dyn KvSnapshot) -> Result<Option<Self>, BackendError> {
        let Some(stored) = kv.get(Table::Meta, Self::KEY)? else { return Ok(None) };
        let mut fields = Fields(&stored);
        let mut decode = || {
            let base =
                Base { number: fields.u64()?, hash: fields.hash()?, state_root: fields.hash()? };
            let position = Self { base, replay_from: fields.u64()? };
            let sum = fields.0;
            let content = stored.get(..stored.len() - sum.len())?;
            // Stores of the first builds have no sum.
            (sum.is_empty() || sum == crc32fast::hash(content).to_be_bytes()).then_some(position)
        };
        decode().map(Some).ok_or_else(|| BackendError::Corrupt("the position is damaged".into()))
    }
}

/// Set in [`Table::Meta`] if every state is kept.
pub(super) const ARCHIVE_KEY: &[u8] = b"archive";

impl Writer {
    /// Rebuilds everything that is newer than the checkpoint from the journal.
    pub(super) fn recover(
        kv: Box<dyn Kv>,
        segments: Segments,
        options: &StoreOptions,
    ) -> Result<Self, BackendError> {
        let snapshot: Arc<dyn KvSnapshot> = Arc::from(kv.snapshot()?);
        let position = Position::load(&*snapshot)?
            .ok_or_else(|| BackendError::NotInitialised("the directory".into()))?;
        let base = position.base;
        let archive = snapshot.get(Table::Meta, ARCHIVE_KEY)?.is_some();
        let helper_sections = load_sections(&*snapshot)?;
        let canonical = Canonical::stored(base.number + 1);
        let absent = || BackendError::Corrupt("the canonical index lacks block 0".into());
        let genesis = canonical.get(0, &*snapshot)?.ok_or_else(absent)?;
        let mut view = View {
            segments: Arc::new(segments),
            cache: Arc::new(NodeCache::new(options.node_cache)),
            kv: snapshot,
            generations: Vec::new(),
            kept: Arc::default(),
            canonical,
            head: Head { number: base.number, hash: base.hash, total_difficulty: U256::ZERO },
            base,
            genesis_hash: genesis.hash,
            archive,
            helper: options.helper,
            helper_sections: Arc::new(helper_sections),
        };
        let entry = view.block(&base.hash)?.ok_or(BackendError::UnknownBlock(base.hash))?;
        view.head.total_difficulty = entry.total_difficulty;
        let view = Arc::new(view);
        let layers = BTreeMap::new();
        let mut writer = Self { kv, view, layers, first_generation: 0, in_last_generation: 0 };
        writer.replay(position.replay_from, options.repair)?;
        Ok(writer)
    }

    /// An interrupted write leaves the journal's last record in pieces, and nothing behind it; a
    /// power failure may leave the end of another segment behind the journal's. What is there and
    /// not whole, with whole records behind it, is damage, and cut off only if that is asked for.
    fn replay(&mut self, from: u64, repair: bool) -> Result<(), BackendError> {
        let segments = Arc::clone(&self.view.segments);
        let mut end = from;
        let mut interrupted = None;
        let mut lost = false;
        while let Some(location) = segments.journal.next(end)? {
            let record =
                segments.journal.read(location, |bytes| JournalRecord::decode(bytes, location))?;
            let whole = match record {
                Some(JournalRecord::Block { hash, entry }) => {
                    lost = segments.bodies.end() < entry.body.end()
                        || segments.receipts.end() < entry.receipts.end()
                        || segments.changes.end() < entry.changes.end();
                    self.replay_block(hash, entry, end)?
                }
                Some(JournalRecord::Head { hash }) => self.replay_head(&hash, &mut interrupted)?,
                None => false,
            };
            if !whole {
                break;
            }
            end = location.end();
        }
        let records = if lost { 0 } else { segments.journal.whole_behind(end)? };
        if records > 0 && !repair {
            let what = format!("the block after number {} is damaged", self.view.head.number);
            return Err(BackendError::Damaged { what, records });
        }
        segments.journal.truncate(end)?;
        interrupted.map_or(Ok(()), |hash| self.adopt(&hash))
    }

    /// Says whether all parts of the block are there.
    fn replay_block(
        &mut self,
        hash: B256,
        entry: BlockEntry,
        journal: u64,
    ) -> Result<bool, BackendError> {
        // An index entry for this very record says that a checkpoint has dealt with the block.
        let indexed = self.view.kv.get(Table::Blocks, hash.as_slice())?;
        let indexed = indexed.and_then(|bytes| BlockEntry::from_index(&bytes));
        if indexed.is_some_and(|indexed| indexed.header == entry.header) {
            return Ok(true);
        }
        let segments = Arc::clone(&self.view.segments);
        let own = |bytes: &[u8]| bytes.get(..32) == Some(hash.as_slice());
        if !segments.receipts.read_checked(entry.receipts, own).unwrap_or(false) {
            return Ok(false);
        }
        let body =
            |bytes: &[u8]| own(bytes).then(|| transaction_hashes(bytes.get(32..)?)).flatten();
        let transactions = segments.bodies.read_checked(entry.body, body);
        let changes = |bytes: &[u8]| StateCommit::decode(bytes, &hash);
        let changes = segments.changes.read_checked(entry.changes, changes);
        let (Ok(Some(transactions)), Ok(Some(changes))) = (transactions, changes) else {
            return Ok(false);
        };
        let changes = Arc::new(changes);
        self.add_layer(hash, Layer { entry, journal, changes, transactions, generation: 0 });
        Ok(true)
    }

    /// Says whether the block is there. A head whose chain leaves the canonical one below the
    /// base is the journal's last: the process ended before the base had moved. That takes more
    /// records, so it is for the caller, when the journal has its end.
    fn replay_head(
        &mut self,
        hash: &B256,
        interrupted: &mut Option<B256>,
    ) -> Result<bool, BackendError> {
        let Some(entry) = self.view.block(hash)? else { return Ok(false) };
        let kept = self.view.state_at(hash)?.is_some();
        if !kept || entry.number < self.view.base.number {
            return Ok(true);
        }
        if self.is_below_base(hash)? {
            *interrupted = Some(*hash);
        } else {
            *interrupted = None;
            self.make_head(hash)?;
        }
        Ok(true)
    }
}
