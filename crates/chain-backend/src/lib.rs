//! Chain and state: the store, import with execution, helper tries.
//!
//! Knows nothing of peers: it never answers one, it only reads and writes a chain.
#![deny(unsafe_code)]

mod backend;
mod error;
mod state;

pub use backend::{
    Backend, Checkpoint, Head, HelperTrieKind, ReadHint, Snapshot, StateSnapshot, TransactionLookup,
};
pub use error::BackendError;
pub use state::{Account, AccountChange, AccountInfo, StateChanges, WorkingState};
