//! The nodes of one or several proofs.

use std::collections::BTreeSet;

use alloy_primitives::B256;

/// Trie nodes in the order of their first use, each once. A node is RLP already, and goes into the
/// list as it is, not as a byte string (as go-ethereum sends it).
#[derive(Debug, Default)]
pub struct NodeSet {
    seen: BTreeSet<B256>,
    payload: Vec<u8>,
}

impl NodeSet {
    /// Adds a node, unless it is here already.
    pub fn insert(&mut self, hash: B256, node: &[u8]) {
        if self.seen.insert(hash) {
            self.payload.extend_from_slice(node);
        }
    }

    /// The nodes one after the other: the payload of an RLP list, without its header.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}
