//! Chain and state: the store, import with execution, helper tries.
//!
//! Knows nothing of peers: it never answers one, it only reads and writes a chain.
#![deny(unsafe_code)]

mod backend;
mod block_builder;
mod bloom_bits;
mod chain_builder;
mod error;
mod execute;
mod export;
mod import;
pub mod memory;
mod senders;
mod state;
mod store;

pub use backend::{
    Backend, Checkpoint, Head, HelperTrieKind, Snapshot, StateSnapshot, TransactionLookup,
};
pub use block_builder::{BlockBuilder, BuildError, BuiltBlock, Draft, LeftOut};
pub use chain_builder::{ChainBuilder, ExtendError};
pub use error::BackendError;
pub use execute::{
    AncestorHashes, BlockToExecute, Call, CallError, CallResult, ExecutionError, ExecutionRules,
    Outcome, RefusedTransaction, Transaction, call, execute_block,
};
pub use import::{
    Block, BlockDecodeError, BodyRoots, FileError, ImportError, ImportSummary, Imported,
    ImportedSegment, Importer, MAX_BLOCK_BYTES, Progress, Refusal, RefusedBlock, SealCaches,
    SegmentError, rules_at,
};
pub use senders::{SenderError, recover_senders};
pub use state::{Account, AccountChange, AccountInfo, StateChanges, WorkingState};
pub use store::{
    Batch, ExecutedBlock, HelperStep, HelperTrieBuilder, HelperTrieParameters, KEPT_STATES, Kv,
    KvSnapshot, MERGE_BATCH, RedbKv, StateCommit, Stats, Store, StoreOptions, StoreWorkingState,
    Table, VerifyProgress, VerifyReport, writes_so_far,
};
