//! The state that a block is executed on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use merkle_trie::{EMPTY_ROOT, TrieMut, lookup, walk_all};

use super::{
    key::NodeKey,
    record::{StateCommit, keccak},
    snapshot::decode_slot,
    view::{StateAt, StateSource, View},
};
use crate::{Account, AccountChange, BackendError, StateChanges, WorkingState};

/// The state after one stored block, and changes on top of it that are not stored yet.
pub struct StoreWorkingState {
    view: Arc<View>,
    at: StateAt,
    accounts: TrieMut<StateSource>,
    /// Accounts seen so far, as they are now except for the storage roots of `touched`.
    seen: BTreeMap<B256, Option<Account>>,
    storage: BTreeMap<B256, TrieMut<StateSource>>,
    /// Accounts whose trie entry is not up to date.
    touched: BTreeSet<B256>,
    /// Storage tries of the parent state that were wiped: account key and root.
    wiped: BTreeMap<B256, B256>,
    codes: BTreeMap<B256, Bytes>,
}

impl StoreWorkingState {
    pub(super) fn new(view: Arc<View>, at: StateAt) -> Self {
        let source = StateSource { view: Arc::clone(&view), account_key: None, at };
        let accounts = TrieMut::new(source, at.root);
        Self {
            view,
            at,
            accounts,
            seen: BTreeMap::new(),
            storage: BTreeMap::new(),
            touched: BTreeSet::new(),
            wiped: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }

    /// The root, and everything that must be stored for it.
    pub fn commit(mut self) -> Result<StateCommit, BackendError> {
        self.update_accounts()?;
        let mut nodes = BTreeMap::new();
        for (key, root) in &self.wiped {
            // Gone, unless the account's new trie has a node at the same path.
            let gone = |path: &[u8], _: &B256| {
                nodes.insert(NodeKey::new(Some(key), path), None);
                true
            };
            walk_all(&self.source(Some(*key)), *root, gone, |_, _| ())?;
        }
        let commit = self.accounts.commit();
        for (path, node) in commit.changes {
            nodes.insert(NodeKey::new(None, &path), node);
        }
        for (key, trie) in self.storage {
            for (path, node) in trie.commit().changes {
                nodes.insert(NodeKey::new(Some(&key), &path), node);
            }
        }
        let codes = self.codes.into_iter().collect();
        Ok(StateCommit { root: commit.root, nodes: nodes.into_iter().collect(), codes })
    }

    fn source(&self, account_key: Option<B256>) -> StateSource {
        StateSource { view: Arc::clone(&self.view), account_key, at: self.at }
    }

    /// The account, its storage root possibly stale.
    fn seen(&mut self, key: B256) -> Result<Option<Account>, BackendError> {
        if let Some(known) = self.seen.get(&key) {
            return Ok(*known);
        }
        let stored = self.accounts.get(key.as_slice())?;
        let account = stored.map(|bytes| Account::decode(&bytes)).transpose()?;
        self.seen.insert(key, account);
        Ok(account)
    }

    fn apply_one(&mut self, address: &Address, change: &AccountChange) -> Result<(), BackendError> {
        let key = keccak(address.as_slice());
        let before = self.seen(key)?;
        self.touched.insert(key);
        if let Some(code) = &change.new_code {
            self.codes.insert(keccak(code), code.clone());
        }
        let Some(info) = change.account else {
            self.wipe(key)?;
            self.seen.insert(key, None);
            return Ok(());
        };
        if change.storage_wiped {
            self.wipe(key)?;
        }
        let storage_root = match before {
            Some(before) if !change.storage_wiped => before.storage_root,
            _ => EMPTY_ROOT,
        };
        let (nonce, balance) = (info.nonce, info.balance);
        // The default of a code hash is zero, which no code has: it stands for no code, too.
        let code_hash = if info.code_hash == B256::ZERO { KECCAK256_EMPTY } else { info.code_hash };
        self.seen.insert(key, Some(Account { nonce, balance, storage_root, code_hash }));
        if !change.storage.is_empty() {
            self.write_slots(key, storage_root, &change.storage)?;
        }
        Ok(())
    }

    fn write_slots(
        &mut self,
        key: B256,
        root: B256,
        slots: &BTreeMap<U256, U256>,
    ) -> Result<(), BackendError> {
        let source = self.source(Some(key));
        let trie = self.storage.entry(key).or_insert_with(|| TrieMut::new(source, root));
        for (slot, value) in slots {
            let slot = keccak(&slot.to_be_bytes::<32>());
            if value.is_zero() {
                trie.remove(slot.as_slice())?;
            } else {
                trie.insert(slot.as_slice(), alloy_rlp::encode(value))?;
            }
        }
        Ok(())
    }

    /// Empties the storage of an account.
    fn wipe(&mut self, key: B256) -> Result<(), BackendError> {
        let source = self.source(Some(key));
        let replaced = self.storage.insert(key, TrieMut::new(source, EMPTY_ROOT));
        if replaced.is_none() || !self.wiped.contains_key(&key) {
            let stored = lookup(&self.source(None), self.at.root, key.as_slice())?;
            let account = stored.map(|bytes| Account::decode(&bytes)).transpose()?;
            let root = account.map_or(EMPTY_ROOT, |account| account.storage_root);
            self.wiped.insert(key, root);
        }
        Ok(())
    }

    /// Brings the storage roots and the account trie up to date.
    fn update_accounts(&mut self) -> Result<(), BackendError> {
        for key in std::mem::take(&mut self.touched) {
            let Some(Some(account)) = self.seen.get_mut(&key) else {
                self.accounts.remove(key.as_slice())?;
                continue;
            };
            if let Some(trie) = self.storage.get_mut(&key) {
                account.storage_root = trie.root();
            }
            self.accounts.insert(key.as_slice(), alloy_rlp::encode(*account))?;
        }
        Ok(())
    }
}

impl fmt::Debug for StoreWorkingState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StoreWorkingState").field("at", &self.at).finish_non_exhaustive()
    }
}

impl WorkingState for StoreWorkingState {
    fn account(&mut self, address: &Address) -> Result<Option<Account>, BackendError> {
        let key = keccak(address.as_slice());
        let Some(mut account) = self.seen(key)? else { return Ok(None) };
        if self.touched.contains(&key)
            && let Some(trie) = self.storage.get_mut(&key)
        {
            account.storage_root = trie.root();
        }
        Ok(Some(account))
    }

    fn storage(&mut self, address: &Address, slot: &U256) -> Result<U256, BackendError> {
        let key = keccak(address.as_slice());
        let root = match self.seen(key)? {
            Some(account) => account.storage_root,
            None => return Ok(U256::ZERO),
        };
        let source = self.source(Some(key));
        let trie = self.storage.entry(key).or_insert_with(|| TrieMut::new(source, root));
        decode_slot(trie.get(keccak(&slot.to_be_bytes::<32>()).as_slice())?)
    }

    fn code(&mut self, hash: &B256) -> Result<Option<Bytes>, BackendError> {
        match self.codes.get(hash) {
            Some(code) => Ok(Some(code.clone())),
            None => self.view.code(hash),
        }
    }

    fn apply(&mut self, changes: &StateChanges) -> Result<(), BackendError> {
        changes.iter().try_for_each(|(address, change)| self.apply_one(address, change))
    }

    fn root(&mut self) -> Result<B256, BackendError> {
        self.update_accounts()?;
        Ok(self.accounts.root())
    }
}
