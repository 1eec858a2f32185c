//! What the core asks of the chain that it extends.

use alloy_primitives::{B256, U256};

/// The newest block of the local chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChainHead {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Sum of all difficulties up to it.
    pub total_difficulty: U256,
    /// Whether it is a proof-of-stake block (EIP-3675): its network announces no blocks any more.
    pub is_merged: bool,
}

/// The local chain as it is during one event: one snapshot of the store.
///
/// Answers must not fail. A shell whose store fails answers that there is nothing, and tells
/// [`ImportResult::Failed`](crate::ImportResult::Failed) or stops.
pub trait LocalChain {
    /// The head of the canonical chain.
    fn head(&self) -> ChainHead;

    /// Hash of the canonical block with this number.
    fn canonical_hash(&self, number: u64) -> Option<B256>;

    /// Total difficulty of a stored block, canonical or not; `None` if it is not stored.
    fn total_difficulty(&self, hash: &B256) -> Option<U256>;
}
