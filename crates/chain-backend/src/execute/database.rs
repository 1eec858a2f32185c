//! The state as the interpreter sees it while one block executes.

use std::collections::BTreeMap;

use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256,
    map::{AddressMap, Entry},
};
use consensus::Fork;
use revm::{
    Database,
    bytecode::Bytecode,
    database_interface::DBErrorMarker,
    state::{Account, AccountInfo, EvmState},
};

use super::AncestorHashes;
use crate::{AccountChange, BackendError, StateChanges, WorkingState, state};

/// A failed read, in the shape that the interpreter passes through.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct ReadError(#[from] pub(super) BackendError);

impl DBErrorMarker for ReadError {}

/// The parent's state with the changes of this block on top.
pub(super) struct BlockState<'a> {
    state: &'a mut dyn WorkingState,
    ancestors: &'a mut AncestorHashes<'a>,
    /// Whether a touched empty account goes (EIP-161).
    clears_empty: bool,
    /// Whether code can be a delegation (EIP-7702).
    delegates: bool,
    cache: AddressMap<Cached>,
    codes: BTreeMap<B256, Bytecode>,
    /// Changed since the last [`Self::apply`].
    changes: StateChanges,
}

struct Cached {
    info: Option<AccountInfo>,
    slots: BTreeMap<U256, U256>,
    /// Whether a slot that is not in `slots` is zero whatever the parent's state says.
    wiped: bool,
}

impl<'a> BlockState<'a> {
    pub(super) fn new(
        state: &'a mut dyn WorkingState,
        ancestors: &'a mut AncestorHashes<'a>,
        fork: Fork,
    ) -> Self {
        Self {
            state,
            ancestors,
            clears_empty: fork >= Fork::SpuriousDragon,
            delegates: fork >= Fork::Prague,
            cache: AddressMap::default(),
            codes: BTreeMap::new(),
            changes: StateChanges::new(),
        }
    }

    /// Hands what changed to the working state.
    pub(super) fn apply(&mut self) -> Result<(), BackendError> {
        self.state.apply(&self.changes)?;
        self.changes.clear();
        Ok(())
    }

    /// Root of the account trie after the changes so far.
    pub(super) fn root(&mut self) -> Result<B256, BackendError> {
        self.apply()?;
        self.state.root()
    }

    pub(super) fn balance(&mut self, address: Address) -> Result<U256, BackendError> {
        Ok(self.cached(address)?.info.as_ref().map_or(U256::ZERO, |info| info.balance))
    }

    pub(super) fn has_code(&mut self, address: Address) -> Result<bool, BackendError> {
        let info = self.cached(address)?.info.as_ref();
        Ok(info.is_some_and(|info| info.code_hash != KECCAK256_EMPTY))
    }

    /// Sets a balance. The account is touched: it comes into being if it was not there, and goes
    /// if it is empty where empty accounts are cleared.
    pub(super) fn set_balance(
        &mut self,
        address: Address,
        balance: U256,
    ) -> Result<(), BackendError> {
        let clears_empty = self.clears_empty;
        let cached = load(&mut self.cache, self.state, address)?;
        let mut info = cached.info.clone().unwrap_or_default();
        info.balance = balance;
        let info = Some(info).filter(|info| !(clears_empty && info.is_empty()));
        if info.is_none() && cached.info.is_none() {
            return Ok(());
        }
        cached.info.clone_from(&info);
        let change = self.changes.entry(address).or_default();
        change.account = info.as_ref().map(plain);
        Ok(())
    }

    /// Takes over what one transaction or system call changed.
    pub(super) fn commit(&mut self, changed: EvmState) -> Result<(), BackendError> {
        for (address, account) in changed {
            if account.is_touched() {
                self.commit_account(address, account)?;
            }
        }
        Ok(())
    }

    fn commit_account(&mut self, address: Address, account: Account) -> Result<(), BackendError> {
        let cached = load(&mut self.cache, self.state, address)?;
        // Before EIP-161 the interpreter reports an empty account that stays as created or as
        // untouched, so that "touched and empty" always means "gone".
        let created = account.is_created() && !account.is_selfdestructed();
        let gone = !created && (account.is_selfdestructed() || account.is_empty());
        if gone {
            let was_there = cached.info.take().is_some();
            cached.slots.clear();
            cached.wiped = true;
            if was_there || self.changes.contains_key(&address) {
                let change = AccountChange { storage_wiped: true, ..AccountChange::default() };
                self.changes.insert(address, change);
            }
            return Ok(());
        }
        let change = self.changes.entry(address).or_default();
        if created {
            cached.slots.clear();
            cached.wiped = true;
            change.storage.clear();
            change.storage_wiped = true;
        }
        for (slot, value) in account.changed_storage_slots() {
            cached.slots.insert(*slot, value.present_value());
            change.storage.insert(*slot, value.present_value());
        }
        change.account = Some(plain(&account.info));
        let code_changed = cached.info.as_ref().map_or(KECCAK256_EMPTY, |info| info.code_hash)
            != account.info.code_hash;
        if code_changed && let Some(code) = &account.info.code {
            change.new_code =
                Some(code.original_bytes()).filter(|_| account.info.code_hash != KECCAK256_EMPTY);
            self.codes.insert(account.info.code_hash, code.clone());
        }
        cached.info = Some(AccountInfo { code: None, ..account.info });
        Ok(())
    }

    fn cached(&mut self, address: Address) -> Result<&mut Cached, BackendError> {
        load(&mut self.cache, self.state, address)
    }
}

/// The cache's entry for an account, read from the state below if it is not there yet.
fn load<'c>(
    cache: &'c mut AddressMap<Cached>,
    state: &mut dyn WorkingState,
    address: Address,
) -> Result<&'c mut Cached, BackendError> {
    match cache.entry(address) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => {
            let info = state.account(&address)?.map(|account| AccountInfo {
                balance: account.balance,
                nonce: account.nonce,
                code_hash: account.code_hash,
                account_id: None,
                code: None,
            });
            let wiped = info.is_none();
            Ok(entry.insert(Cached { info, slots: BTreeMap::new(), wiped }))
        }
    }
}

impl Database for BlockState<'_> {
    type Error = ReadError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        Ok(self.cached(address)?.info.clone())
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.codes.get(&hash) {
            return Ok(code.clone());
        }
        let bytes: Bytes = self.state.code(&hash)?.ok_or_else(|| {
            BackendError::Corrupt(format!("the code {hash} of an account is not stored"))
        })?;
        // Code that starts like a delegation and is none may be as old as Frontier.
        let delegation = self.delegates.then(|| Bytecode::new_eip7702_raw(bytes.clone()).ok());
        let code = delegation.flatten().unwrap_or_else(|| Bytecode::new_legacy(bytes));
        self.codes.insert(hash, code.clone());
        Ok(code)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ReadError> {
        let cached = self.cached(address)?;
        if let Some(value) = cached.slots.get(&slot) {
            return Ok(*value);
        }
        if cached.wiped {
            return Ok(U256::ZERO);
        }
        let value = self.state.storage(&address, &slot)?;
        self.cached(address)?.slots.insert(slot, value);
        Ok(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadError> {
        Ok((self.ancestors)(number)?.unwrap_or_default())
    }
}

fn plain(info: &AccountInfo) -> state::AccountInfo {
    state::AccountInfo { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
}
