//! Accounts, and what executing a block changes in them.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};

use crate::BackendError;

/// An account as the state trie holds it, RLP encoded (Yellow Paper, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpDecodable, RlpEncodable)]
pub struct Account {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Root of the storage trie.
    pub storage_root: B256,
    /// Keccak-256 of the code.
    pub code_hash: B256,
}

impl Account {
    /// Decodes the RLP list `[nonce, balance, storage root, code hash]`.
    pub fn decode(bytes: &[u8]) -> Result<Self, BackendError> {
        alloy_rlp::decode_exact(bytes)
            .map_err(|error| BackendError::Corrupt(format!("an account is malformed: {error}")))
    }
}

/// What happened to one account within a block, or within one transaction of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Nonce, balance and code hash afterwards; `None` if the account is gone.
    pub account: Option<AccountInfo>,
    /// Code that did not exist before, to be stored under its hash.
    pub new_code: Option<Bytes>,
    /// Whether the storage was wiped (self-destruct, creation) before `storage` was written.
    pub storage_wiped: bool,
    /// Slots written, with their values afterwards; zero deletes.
    pub storage: BTreeMap<U256, U256>,
}

/// An account without its storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountInfo {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Keccak-256 of the code.
    pub code_hash: B256,
}

/// All accounts that changed, by address.
pub type StateChanges = BTreeMap<Address, AccountChange>;

/// A state that execution reads from and writes to: the parent's state at first.
pub trait WorkingState {
    /// An account, with the changes applied so far.
    fn account(&mut self, address: &Address) -> Result<Option<Account>, BackendError>;

    /// A storage slot, with the changes applied so far; zero if absent.
    fn storage(&mut self, address: &Address, slot: &U256) -> Result<U256, BackendError>;

    /// Code by its hash, with the code added so far.
    fn code(&mut self, hash: &B256) -> Result<Option<Bytes>, BackendError>;

    /// Applies changes. May be called once a block, or once a transaction (before Byzantium).
    fn apply(&mut self, changes: &StateChanges) -> Result<(), BackendError>;

    /// Root of the account trie with the changes applied so far.
    fn root(&mut self) -> Result<B256, BackendError>;
}
