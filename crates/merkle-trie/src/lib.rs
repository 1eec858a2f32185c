//! Merkle Patricia tries: update, prove, verify.
//!
//! Knows nothing of accounts, blocks or files: nodes come from a source that the caller gives.
#![forbid(unsafe_code)]

mod node_set;

pub use node_set::NodeSet;
