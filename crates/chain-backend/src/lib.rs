//! Chain and state: the store, import with execution, helper tries.
//!
//! Knows nothing of peers: it never answers one, it only reads and writes a chain.
#![deny(unsafe_code)]

mod backend;
mod error;
mod state;
mod store;

pub use backend::{
    Backend, Checkpoint, Head, HelperTrieKind, ReadHint, Snapshot, StateSnapshot, TransactionLookup,
};
pub use error::BackendError;
pub use state::{Account, AccountChange, AccountInfo, StateChanges, WorkingState};
pub use store::{
    Batch, ExecutedBlock, KEPT_STATES, Kv, KvSnapshot, MERGE_BATCH, RedbKv, StateCommit, Store,
    StoreOptions, StoreWorkingState, Table, writes_so_far,
};
