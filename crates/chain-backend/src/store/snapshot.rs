//! [`Snapshot`] and [`StateSnapshot`] of the store.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes, U256};
use merkle_trie::{EMPTY_ROOT, NodeSet, TrieError, lookup, prove};

use super::view::{StateAt, StateSource, View};
use crate::{
    Account, BackendError, Checkpoint, Head, HelperTrieKind, Snapshot, StateSnapshot,
    TransactionLookup,
};

/// A view, and the helper tries that were complete when it was taken.
pub(super) struct StoreSnapshot {
    pub(super) view: Arc<View>,
}

impl Snapshot for StoreSnapshot {
    fn head(&self) -> Head {
        self.view.head
    }

    fn genesis_hash(&self) -> B256 {
        self.view.genesis_hash
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, BackendError> {
        self.view.canonical_hash(number)
    }

    fn block_number(&self, hash: &B256) -> Result<Option<u64>, BackendError> {
        Ok(self.view.block(hash)?.map(|entry| entry.number))
    }

    fn parent_hash(&self, hash: &B256) -> Result<Option<B256>, BackendError> {
        Ok(self.view.block(hash)?.map(|entry| entry.parent))
    }

    fn total_difficulty(&self, hash: &B256) -> Result<Option<U256>, BackendError> {
        self.view.total_difficulty(hash)
    }

    fn append_header(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError> {
        let Some(entry) = self.view.block(hash)? else { return Ok(false) };
        let journal = &self.view.segments.journal;
        journal.read(entry.header, |bytes| out.extend_from_slice(bytes))?;
        Ok(true)
    }

    fn append_canonical_headers(
        &self,
        first: u64,
        step: u64,
        count: u64,
        out: &mut Vec<u8>,
    ) -> Result<u64, BackendError> {
        let mut number = first;
        for added in 0..count {
            let Some(entry) = self.view.canonical.get(number, &*self.view.kv)? else {
                return Ok(added);
            };
            let journal = &self.view.segments.journal;
            journal.read(entry.header, |bytes| out.extend_from_slice(bytes))?;
            match number.checked_add(step) {
                Some(next) => number = next,
                None => return Ok(added + 1),
            }
        }
        Ok(count)
    }

    fn append_body(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError> {
        let Some(entry) = self.view.block(hash)? else { return Ok(false) };
        // The block's hash stands in front of what it protects.
        let body = |bytes: &[u8]| out.extend_from_slice(bytes.get(32..).unwrap_or_default());
        self.view.segments.bodies.read(entry.body, body)?;
        Ok(true)
    }

    fn append_receipts(&self, hash: &B256, out: &mut Vec<u8>) -> Result<bool, BackendError> {
        let Some(entry) = self.view.block(hash)? else { return Ok(false) };
        let receipts = |bytes: &[u8]| out.extend_from_slice(bytes.get(32..).unwrap_or_default());
        self.view.segments.receipts.read(entry.receipts, receipts)?;
        Ok(true)
    }

    fn state(&self, block: &B256) -> Result<Option<Box<dyn StateSnapshot>>, BackendError> {
        let Some(at) = self.view.state_at(block)? else { return Ok(None) };
        Ok(Some(Box::new(StoreState { view: Arc::clone(&self.view), at })))
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, BackendError> {
        self.view.code(hash)
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLookup>, BackendError> {
        self.view.transaction(hash)
    }

    fn helper_trie_sections(&self, _kind: HelperTrieKind) -> u64 {
        // Both kinds are built together. What cannot be read is not offered.
        self.view.canonical_sections().map_or(0, |sections| sections.len() as u64)
    }

    fn prove_helper(
        &self,
        kind: HelperTrieKind,
        section: u64,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError> {
        self.view.prove_helper(kind, section, key, from_level, nodes)
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, BackendError> {
        self.view.checkpoint()
    }
}

/// One kept state.
struct StoreState {
    view: Arc<View>,
    at: StateAt,
}

impl StoreState {
    fn source(&self, account_key: Option<B256>) -> StateSource {
        StateSource { view: Arc::clone(&self.view), account_key, at: self.at }
    }
}

impl StateSnapshot for StoreState {
    fn root(&self) -> B256 {
        self.at.root
    }

    fn account(&self, key: &B256) -> Result<Option<Account>, BackendError> {
        let stored = lookup(&self.source(None), self.at.root, key.as_slice())?;
        stored.map(|bytes| Account::decode(&bytes)).transpose()
    }

    fn storage(&self, account_key: &B256, key: &B256) -> Result<U256, BackendError> {
        let Some(account) = self.account(account_key)? else { return Ok(U256::ZERO) };
        if account.storage_root == EMPTY_ROOT {
            return Ok(U256::ZERO);
        }
        let source = self.source(Some(*account_key));
        decode_slot(lookup(&source, account.storage_root, key.as_slice())?)
    }

    fn prove_account(
        &self,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<(), BackendError> {
        prove(&self.source(None), self.at.root, key, from_level, nodes)?;
        Ok(())
    }

    fn prove_storage(
        &self,
        account_key: &B256,
        key: &[u8],
        from_level: usize,
        nodes: &mut NodeSet,
    ) -> Result<bool, BackendError> {
        let Some(account) = self.account(account_key)? else { return Ok(false) };
        prove(&self.source(Some(*account_key)), account.storage_root, key, from_level, nodes)?;
        Ok(true)
    }
}

/// A slot as the storage trie holds it: the RLP of the integer; absent is zero.
pub(super) fn decode_slot(stored: Option<Vec<u8>>) -> Result<U256, BackendError> {
    let Some(stored) = stored else { return Ok(U256::ZERO) };
    alloy_rlp::decode_exact(&stored)
        .map_err(|error| BackendError::Corrupt(format!("a storage slot is no integer: {error}")))
}

impl From<TrieError<Self>> for BackendError {
    fn from(error: TrieError<Self>) -> Self {
        match error {
            TrieError::Source(error) => error,
            missing @ (TrieError::Missing { .. } | TrieError::Malformed { .. }) => {
                Self::Corrupt(missing.to_string())
            }
        }
    }
}
