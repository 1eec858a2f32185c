//! Where nodes come from.

use std::{collections::BTreeMap, convert::Infallible, fmt};

use alloy_primitives::{B256, Bytes};

/// Nodes of one trie, found by path or by hash, whichever suits the store.
pub trait NodeSource {
    /// Why a read can fail.
    type Error;

    /// The node with this hash, which stands at this path (one nibble a byte, from the root).
    ///
    /// What is returned has this hash: a source that looks up by path checks it. `None` if the
    /// node is not kept.
    fn node(&self, path: &[u8], hash: &B256) -> Result<Option<Bytes>, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn node(&self, path: &[u8], hash: &B256) -> Result<Option<Bytes>, Self::Error> {
        (**self).node(path, hash)
    }
}

/// Nodes in memory, by hash.
#[derive(Clone, Debug, Default)]
pub struct NodeMap(pub BTreeMap<B256, Bytes>);

impl NodeSource for NodeMap {
    type Error = Infallible;

    fn node(&self, _path: &[u8], hash: &B256) -> Result<Option<Bytes>, Infallible> {
        Ok(self.0.get(hash).cloned())
    }
}

/// A trie could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError<E> {
    /// The source failed.
    #[error("{0}")]
    Source(E),
    /// The source does not have a node that the trie needs.
    #[error("trie node {hash} at path {} is missing", Hex(path))]
    Missing {
        /// Where the node belongs, one nibble a byte.
        path: Vec<u8>,
        /// Its hash.
        hash: B256,
    },
    /// A node is no RLP of a leaf, an extension or a branch.
    #[error("trie node {hash} at path {} is malformed", Hex(path))]
    Malformed {
        /// Where the node stands, one nibble a byte.
        path: Vec<u8>,
        /// Its hash.
        hash: B256,
    },
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|nibble| write!(out, "{nibble:x}"))
    }
}

/// The node, or why there is none.
pub(crate) fn fetch<S: NodeSource>(
    source: &S,
    path: &[u8],
    hash: &B256,
) -> Result<Bytes, TrieError<S::Error>> {
    source
        .node(path, hash)
        .map_err(TrieError::Source)?
        .ok_or_else(|| TrieError::Missing { path: path.to_vec(), hash: *hash })
}
