//! Which block is canonical at each number. Cheap to copy: chunks are shared until changed.

use std::sync::{Arc, OnceLock};

use alloy_primitives::B256;

use super::{
    key::{Fields, put_location},
    kv::{Batch, KvSnapshot, Table},
    segment::Location,
};
use crate::BackendError;

/// Blocks in one chunk. A new head copies one chunk (44 KiB at most); a chain of 20 million
/// blocks has 20,000 chunk handles.
const CHUNK: u64 = 1024;

/// A canonical block: its hash, and where its header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CanonicalEntry {
    pub(super) hash: B256,
    pub(super) header: Location,
}

/// The canonical chain from genesis to one head.
#[derive(Clone, Debug, Default)]
pub(super) struct Canonical {
    chunks: Vec<Arc<OnceLock<Vec<CanonicalEntry>>>>,
    length: u64,
}

impl Canonical {
    /// A chain of `length` blocks whose chunks are read when they are first asked for.
    pub(super) fn stored(length: u64) -> Self {
        let chunks = (0..length.div_ceil(CHUNK)).map(|_| Arc::default()).collect();
        Self { chunks, length }
    }

    pub(super) fn get(
        &self,
        number: u64,
        kv: &dyn KvSnapshot,
    ) -> Result<Option<CanonicalEntry>, BackendError> {
        if number >= self.length {
            return Ok(None);
        }
        let within = usize::try_from(number % CHUNK).unwrap_or_default();
        Ok(self.chunk(number / CHUNK, kv)?.and_then(|chunk| chunk.get(within)).copied())
    }

    /// Keeps the blocks `0..=fork` and appends others.
    pub(super) fn replace_after(
        &mut self,
        fork: u64,
        entries: &[CanonicalEntry],
        kv: &dyn KvSnapshot,
    ) -> Result<(), BackendError> {
        let kept = (fork + 1).min(self.length);
        let within = usize::try_from(kept % CHUNK).unwrap_or_default();
        let mut chunk = self.chunk(kept / CHUNK, kv)?.cloned().unwrap_or_default();
        chunk.truncate(within);
        self.chunks.truncate(usize::try_from(kept / CHUNK).unwrap_or(usize::MAX));
        for entry in entries {
            chunk.push(*entry);
            if chunk.len() as u64 == CHUNK {
                self.chunks.push(Arc::new(OnceLock::from(std::mem::take(&mut chunk))));
            }
        }
        if !chunk.is_empty() {
            self.chunks.push(Arc::new(OnceLock::from(chunk)));
        }
        self.length = kept + entries.len() as u64;
        Ok(())
    }

    /// Adds the chunks that hold the blocks `from..length` to a batch.
    pub(super) fn persist(
        &self,
        from: u64,
        length: u64,
        kv: &dyn KvSnapshot,
        batch: &mut Batch,
    ) -> Result<(), BackendError> {
        for number in from / CHUNK..length.div_ceil(CHUNK) {
            let entries = self.chunk(number, kv)?.map(Vec::as_slice).unwrap_or_default();
            let count = usize::try_from((length - number * CHUNK).min(CHUNK)).unwrap_or_default();
            let mut out = Vec::with_capacity(44 * count);
            for entry in entries.iter().take(count) {
                out.extend_from_slice(entry.hash.as_slice());
                put_location(&mut out, entry.header);
            }
            batch.put(Table::Canonical, number.to_be_bytes(), out);
        }
        Ok(())
    }

    fn chunk(
        &self,
        number: u64,
        kv: &dyn KvSnapshot,
    ) -> Result<Option<&Vec<CanonicalEntry>>, BackendError> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(cell) = self.chunks.get(index) else { return Ok(None) };
        if let Some(chunk) = cell.get() {
            return Ok(Some(chunk));
        }
        let loaded = load(number, kv)?;
        Ok(Some(cell.get_or_init(|| loaded)))
    }
}

fn load(number: u64, kv: &dyn KvSnapshot) -> Result<Vec<CanonicalEntry>, BackendError> {
    let corrupt = || BackendError::Corrupt(format!("chunk {number} of the canonical index"));
    let stored = kv.get(Table::Canonical, &number.to_be_bytes())?.ok_or_else(corrupt)?;
    let mut fields = Fields(&stored);
    let mut chunk = Vec::new();
    while !fields.0.is_empty() {
        let hash = fields.hash().ok_or_else(corrupt)?;
        chunk.push(CanonicalEntry { hash, header: fields.location().ok_or_else(corrupt)? });
    }
    Ok(chunk)
}
