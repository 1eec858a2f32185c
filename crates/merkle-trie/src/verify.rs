//! Checking nodes that somebody else gave.

use std::collections::BTreeMap;

use alloy_primitives::B256;

use crate::{
    EMPTY_ROOT,
    path::nibbles,
    prove::{Step, descend},
};

/// Nodes of one or several proofs, with a mark on those that were needed.
#[derive(Debug, Default)]
pub struct ProofNodes<'a> {
    nodes: BTreeMap<B256, (&'a [u8], bool)>,
}

impl<'a> ProofNodes<'a> {
    /// Hashes each node once.
    pub fn new(nodes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let nodes = nodes.into_iter().map(|node| (crate::hash(node), (node, false))).collect();
        Self { nodes }
    }

    /// The value of a key under a root, `None` if the nodes prove that there is none.
    pub fn verify(&mut self, root: B256, key: &[u8]) -> Result<Option<Vec<u8>>, ProofError> {
        if root == EMPTY_ROOT {
            return Ok(None);
        }
        let key = nibbles(key);
        let mut rest = key.as_slice();
        let mut hash = root;
        loop {
            let (node, used) = self.nodes.get_mut(&hash).ok_or(ProofError::MissingNode { hash })?;
            *used = true;
            match descend(node, rest).ok_or(ProofError::MalformedNode { hash })? {
                Step::Value(value) => return Ok(value.map(<[u8]>::to_vec)),
                Step::Below { next, left } => {
                    hash = next;
                    rest = left;
                }
            }
        }
    }

    /// How many different nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many of them no proof has needed so far. A strict client refuses a reply that has any.
    pub fn unused(&self) -> usize {
        self.nodes.values().filter(|(_, used)| !used).count()
    }
}

/// Why nodes prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No node has the hash that the root or a parent asks for.
    #[error("the proof lacks the node with hash {hash}")]
    MissingNode {
        /// The hash that nothing matched.
        hash: B256,
    },
    /// A node has the right hash but is not a trie node.
    #[error("the proof's node with hash {hash} is malformed")]
    MalformedNode {
        /// The hash of that node.
        hash: B256,
    },
}

/// One proof: the value, `None` if absent, and how many different nodes it took.
pub fn verify_proof<'a>(
    root: B256,
    key: &[u8],
    nodes: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Option<Vec<u8>>, usize), ProofError> {
    let mut nodes = ProofNodes::new(nodes);
    let value = nodes.verify(root, key)?;
    Ok((value, nodes.len() - nodes.unused()))
}
