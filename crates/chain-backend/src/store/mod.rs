//! The embedded store: chain and state in one directory.
//!
//! # What lies where
//!
//! * `journal-*.seg`: one record per block (its header and where its parts are), and one per
//!   change of the head. `bodies-*`, `receipts-*`, `changes-*`: what the block brought. All are
//!   append-only and checksummed ([`segment`]).
//! * `kv.redb`: the *base* state, which is the state after one canonical block, by path; code;
//!   and the indexes of everything that is not newer than the base.
//! * In memory: a *layer* per block above the base, with the trie nodes that the block changed.
//!   A layer's nodes are found by hash ([`view`]), so side chains keep their states, too.
//!
//! # In which order things are written, and what survives
//!
//! A block is appended as body, receipts, state changes, then its journal record; making it the
//! head is one more journal record. A block exists once its journal record is whole, so a process
//! that is killed at any instant leaves the block or leaves nothing. A restart reads the journal
//! behind the last checkpoint and rebuilds the layers from it, without executing anything; it
//! cuts the journal at the first record that is not whole, or whose parts are not.
//! Damage with whole records behind it is refused instead ([`StoreOptions::repair`] cuts it, too).
//!
//! A *checkpoint* makes a younger canonical block the base: it syncs the segments, then moves
//! state, indexes and the journal position in one key-value transaction, then forgets the layers.
//! It happens every [`MERGE_BATCH`] blocks. [`Store::flush`] syncs the segments: what was
//! inserted before it survives a power failure; a kill alone loses nothing that was appended.

mod body;
mod cache;
mod canonical;
mod checkpoint;
mod fault;
mod genesis;
mod helper;
mod helper_build;
mod insert;
mod io;
mod key;
mod kv;
mod kv_redb;
mod lock;
mod mapped;
mod open;
mod record;
mod recover;
mod segment;
mod snapshot;
mod stats;
mod verify;
mod view;
mod working;

use std::{fmt, path::PathBuf, sync::Arc};

use alloy_primitives::{B256, U256};
use parking_lot::{Mutex, RwLock};

use crate::{Backend, BackendError, Head, Snapshot};
use view::View;

pub use fault::writes_so_far;
pub use helper::HelperTrieParameters;
pub use helper_build::{HelperStep, HelperTrieBuilder};
pub use kv::{Batch, Kv, KvSnapshot, Table};
pub use kv_redb::RedbKv;
pub use record::StateCommit;
pub use stats::Stats;
pub use verify::{VerifyProgress, VerifyReport};
pub use working::StoreWorkingState;

/// States that are always kept: the head's and those of the blocks before it. LES promises the
/// last 128 (devp2p `caps/les.md`, `serveRecentState`).
pub const KEPT_STATES: u64 = 128;

/// Blocks by which the base moves at once. A B-tree rewrites a page per random key, so that many
/// blocks share the pages of the upper levels; at 120 transactions a block their layers take
/// about 16 MB.
pub const MERGE_BATCH: u64 = 128;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Bytes for hot trie nodes and code.
    pub node_cache: usize,
    /// Bytes for the key-value engine's pages.
    pub page_cache: usize,
    /// Always [`HelperTrieParameters::SERVER`], but for tests; one directory, one choice.
    pub helper: HelperTrieParameters,
    /// Cuts the store at damage in its middle, which is refused otherwise.
    pub repair: bool,
}

impl Default for StoreOptions {
    /// 64 MiB of nodes hold the five top levels of a trie of a million accounts and more.
    fn default() -> Self {
        Self {
            node_cache: 64 << 20,
            page_cache: 256 << 20,
            helper: HelperTrieParameters::SERVER,
            repair: false,
        }
    }
}

/// A block that has been executed, ready to be stored.
#[derive(Clone, Debug)]
pub struct ExecutedBlock {
    /// Keccak-256 of the header.
    pub hash: B256,
    /// Block number.
    pub number: u64,
    /// Hash of the parent, which is stored with its state.
    pub parent: B256,
    /// Header RLP.
    pub header: Vec<u8>,
    /// Body RLP: `[transactions, uncles]`, from Shanghai on with `withdrawals`.
    pub body: Vec<u8>,
    /// RLP list of the receipts as in the receipts trie.
    pub receipts: Vec<u8>,
    /// Hashes of the transactions in order.
    pub transactions: Vec<B256>,
    /// Sum of the difficulties from genesis to this block, both included.
    pub total_difficulty: U256,
    /// What [`StoreWorkingState::commit`] returned.
    pub state: StateCommit,
}

/// Chain and state on disk: one writer at a time, any number of readers.
pub struct Store {
    directory: PathBuf,
    writer: Mutex<insert::Writer>,
    published: RwLock<Arc<View>>,
    _lock: lock::DirectoryLock,
}

impl Store {
    /// The state after a stored block, to execute a child on it.
    pub fn working_state(&self, parent: &B256) -> Result<StoreWorkingState, BackendError> {
        let view = self.view();
        if view.block(parent)?.is_none() {
            return Err(BackendError::UnknownBlock(*parent));
        }
        let at = view.state_at(parent)?.ok_or(BackendError::StateNotKept(*parent))?;
        Ok(StoreWorkingState::new(view, at))
    }

    /// Stores a block beside the others; it does not become the head. A block that is stored
    /// with its state already is left as it is.
    pub fn insert(&self, block: ExecutedBlock) -> Result<(), BackendError> {
        self.write(|writer| writer.insert(block))
    }

    /// Makes a stored block the head: the canonical chain is then the one that ends in it.
    pub fn set_head(&self, hash: &B256) -> Result<(), BackendError> {
        self.write(|writer| writer.set_head(hash))
    }

    /// Makes everything inserted so far survive a power failure.
    pub fn flush(&self) -> Result<(), BackendError> {
        self.writer.lock().flush()
    }

    /// The head now.
    pub fn head(&self) -> Head {
        self.view().head
    }

    /// Hash of block 0.
    pub fn genesis_hash(&self) -> B256 {
        self.view().genesis_hash
    }

    /// Whether the state after every canonical block is kept.
    pub fn is_archive(&self) -> bool {
        self.view().archive
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.published.read())
    }

    fn write(
        &self,
        change: impl FnOnce(&mut insert::Writer) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let mut writer = self.writer.lock();
        let result = change(&mut writer);
        *self.published.write() = writer.view();
        result
    }
}

impl Backend for Store {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(snapshot::StoreSnapshot { view: self.view() })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Store").field("head", &self.head()).finish_non_exhaustive()
    }
}
