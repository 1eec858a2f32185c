//! Figures about a store.

use std::{collections::BTreeMap, fs};

use alloy_primitives::B256;

use super::{Store, Table, io::io_error};
use crate::{BackendError, Head};

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The head.
    pub head: Head,
    /// Hash of block 0.
    pub genesis_hash: B256,
    /// Number of the block whose state is the base.
    pub base_number: u64,
    /// Whether the state after every canonical block is kept.
    pub archive: bool,
    /// Blocks, canonical or not.
    pub blocks: u64,
    /// Trie nodes of the base state.
    pub state_nodes: u64,
    /// Sections of the helper tries.
    pub helper_sections: u64,
    /// Bytes of each file, by name.
    pub files: BTreeMap<String, u64>,
}

impl Store {
    /// Counts. Reads no block.
    pub fn stats(&self) -> Result<Stats, BackendError> {
        let view = self.view();
        let mut files = BTreeMap::new();
        let failed = |error| io_error("list", &self.directory, error);
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let size = entry.metadata().map_err(failed)?.len();
            files.insert(entry.file_name().to_string_lossy().into_owned(), size);
        }
        Ok(Stats {
            head: view.head,
            genesis_hash: view.genesis_hash,
            base_number: view.base.number,
            archive: view.archive,
            blocks: view.kv.count(Table::Blocks)? + view.kept.len() as u64,
            state_nodes: view.kv.count(Table::State)?,
            helper_sections: view.canonical_sections()?.len() as u64,
            files,
        })
    }
}
