//! Merkle Patricia tries: update, prove, verify (Yellow Paper, appendix D).
//!
//! [`TrieMut`] changes a trie and reports the changed nodes by path, [`prove()`] collects the nodes
//! that show a key or its absence, [`ProofNodes`] checks such nodes, [`build_sorted`] builds a
//! whole trie at once. Keys are raw: whoever wants them hashed hashes them.
//!
//! Knows nothing of accounts, blocks or files: nodes come from a source that the caller gives.
#![forbid(unsafe_code)]

mod build;
mod node;
mod node_set;
mod path;
mod prove;
mod source;
mod trie_mut;
mod verify;

use alloy_primitives::{B256, b256};

pub use build::{BuildError, build_ordered_list, build_sorted};
pub use node_set::NodeSet;
pub use prove::{lookup, prove, walk_all};
pub use source::{NodeMap, NodeSource, TrieError};
pub use trie_mut::{Commit, NodeChange, TrieMut};
pub use verify::{ProofError, ProofNodes, verify_proof};

/// Root of a trie without entries: Keccak-256 of the RLP empty string.
pub const EMPTY_ROOT: B256 =
    b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Keccak-256.
fn hash(bytes: &[u8]) -> B256 {
    B256::from(keccak::keccak256(bytes))
}
