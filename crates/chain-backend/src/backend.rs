//! The reads that a server makes: one trait for the chain, one for a frozen view of it.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes, U256};
use merkle_trie::NodeSet;

use crate::{BackendError, state::Account};

/// The newest block of the canonical chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Sum of the difficulties from genesis to this block, both included.
    pub total_difficulty: U256,
}

/// Where a transaction was included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionLookup {
    /// Hash of the canonical block.
    pub block_hash: B256,
    /// Number of that block.
    pub block_number: u64,
    /// Position within the block, from 0.
    pub index: u64,
}

/// The two kinds of helper tries (devp2p `caps/les.md`, "Canonical Hash Trie", "BloomBits Trie").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HelperTrieKind {
    /// Block number to block hash and total difficulty.
    CanonicalHash,
    /// Bit index and section to the compressed bit vector of header blooms.
    Bloom,
}

/// The four values that let a light client start at a section boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Index of the last section complete in both tries.
    pub section_index: u64,
    /// Hash of that section's last block.
    pub section_head: B256,
    /// Root of the canonical hash trie.
    pub cht_root: B256,
    /// Root of the bloom trie.
    pub bloom_root: B256,
}

/// A chain that can be read from many threads at once. Reads block.
pub trait Backend: Send + Sync {
    /// The chain as it is now. Every read of one batch goes to one snapshot.
    fn snapshot(&self) -> Arc<dyn Snapshot>;

    /// Whether reads are answered at the speed of memory or of a local disk. If not, as from
    /// another machine, every read waits, and a server makes none on a thread that others need.
    fn may_be_warm(&self) -> bool {
        true
    }
}

/// One frozen view of the chain. What it showed once, it shows until it is dropped.
///
/// `append_*` add the stored RLP to `out` and say whether there was any; nothing is added if not.
pub trait Snapshot: Send + Sync {
    /// The head of this view.
    fn head(&self) -> Head;

    /// Hash of block 0.
    fn genesis_hash(&self) -> B256;

    /// Hash of the canonical block with this number.
    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, BackendError>;

    /// Number of a stored block, canonical or not.
    fn block_number(&self, hash: &B256) -> Result<Option<u64>, BackendError>;

    /// Parent hash of a stored block, canonical or not.
    fn parent_hash(&self, hash: &B256) -> Result<Option<B256>, BackendError>;

    /// Total difficulty of a stored block, canonical or not.
    fn total_difficulty(&self, hash: &B256) -> Result<Option<U256>, BackendError>;

    /// Header RLP of a stored block, canonical or not.
    fn append_header(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError>;

    /// Header RLP of the canonical blocks `first`, `first + step`, …; stops at the head. Returns
    /// how many were added. `step` is at least 1.
    fn append_canonical_headers(
        &self,
        first: u64,
        step: u64,
        count: u64,
        out: &mut Vec<u8>,
    ) -> Result<u64, BackendError> {
        let mut number = Some(first);
        for added in 0..count {
            let hash = number.map_or(Ok(None), |number| self.canonical_hash(number))?;
            let Some(hash) = hash else { return Ok(added) };
            self.append_header(&hash, out)?;
            number = number.and_then(|number| number.checked_add(step));
        }
        Ok(count)
    }

    /// Body RLP, `[transactions, uncles]` and from Shanghai on `withdrawals`.
    fn append_body(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError>;

    /// Receipts as the list whose trie root is in the header (not a storage form).
    fn append_receipts(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError>;

    /// The state after a stored block; `None` if it is not kept (any more) or the block is unknown.
    fn state(&self, block: &B256) -> Result<Option<Box<dyn StateSnapshot>>, BackendError>;

    /// Contract code by its Keccak-256.
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, BackendError>;

    /// Where a transaction of the canonical chain is.
    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLookup>, BackendError>;

    /// Number of complete sections of a helper trie on this view's canonical chain.
    fn helper_trie_sections(&self, kind: HelperTrieKind) -> u64;

    /// Adds the nodes that prove `key`, or its absence, in the trie of `section` to `nodes`,
    /// without the first `from_level` nodes of the path. `false` if that section is not built.
    fn prove_helper(
        &self,
        kind: HelperTrieKind,
        section: u64,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError>;

    /// The last checkpoint, if a section is complete.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, BackendError>;
}

/// The state after one block. Keys are hashed: Keccak-256 of the address or slot.
pub trait StateSnapshot: Send {
    /// Root of the account trie.
    fn root(&self) -> B256;

    /// An account by the hash of its address.
    fn account(&self, key: &B256) -> Result<Option<Account>, BackendError>;

    /// A storage value by the hashes of address and slot; zero if absent.
    fn storage(&self, account_key: &B256, key: &B256) -> Result<U256, BackendError>;

    /// Adds the nodes that prove `key` (any length) in the account trie, root first, without the
    /// first `from_level` nodes of the path. An empty trie adds nothing.
    fn prove_account(
        &self,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<(), BackendError>;

    /// The same in the storage trie of an account; `false` if there is no such account.
    fn prove_storage(
        &self,
        account_key: &B256,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError>;
}
