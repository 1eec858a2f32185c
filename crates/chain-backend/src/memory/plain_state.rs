//! A state as sorted maps, and tries made afresh from all of it.

use std::collections::BTreeMap;

use alloy_primitives::{B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};
use merkle_trie::NodeSet;

use crate::{Account, StateChanges};

/// An account with its storage by hashed slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainAccount {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Keccak-256 of the code.
    pub code_hash: B256,
    /// Values by Keccak-256 of the slot; none is zero.
    pub storage: BTreeMap<B256, U256>,
}

/// All accounts by Keccak-256 of the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainState {
    /// The accounts.
    pub accounts: BTreeMap<B256, PlainAccount>,
}

impl PlainAccount {
    /// The account as the state trie holds it.
    pub fn summary(&self) -> Account {
        Account {
            nonce: self.nonce,
            balance: self.balance,
            storage_root: root(&self.slots()),
            code_hash: self.code_hash,
        }
    }

    pub(super) fn slots(&self) -> Entries {
        let encode = |(key, value): (&B256, &U256)| (key.to_vec(), alloy_rlp::encode(value));
        self.storage.iter().map(encode).collect()
    }
}

impl PlainState {
    /// Applies what one transaction did.
    pub fn apply(&mut self, changes: &StateChanges) {
        for (address, change) in changes {
            let key = keccak256(address);
            let Some(info) = change.account else {
                self.accounts.remove(&key);
                continue;
            };
            let account = self.accounts.entry(key).or_default();
            account.nonce = info.nonce;
            account.balance = info.balance;
            account.code_hash = info.code_hash;
            if change.storage_wiped {
                account.storage.clear();
            }
            for (slot, value) in &change.storage {
                let slot = keccak256(slot.to_be_bytes::<32>());
                if value.is_zero() {
                    account.storage.remove(&slot);
                } else {
                    account.storage.insert(slot, *value);
                }
            }
        }
    }

    /// The state's root.
    pub fn root(&self) -> B256 {
        root(&self.entries())
    }

    pub(super) fn entries(&self) -> Entries {
        let encode = |(key, account): (&B256, &PlainAccount)| {
            (key.to_vec(), alloy_rlp::encode(account.summary()))
        };
        self.accounts.iter().map(encode).collect()
    }
}

/// A trie's keys and values.
pub(super) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) fn root(entries: &Entries) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in entries {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

/// Adds the nodes from the root towards a key, without the first `from_level`.
pub(super) fn prove(entries: &Entries, key: &[u8], from_level: usize, nodes: &mut NodeSet) {
    if entries.is_empty() {
        return;
    }
    // Stored keys have 32 bytes at most; what a longer key has more decides nothing.
    let target = Nibbles::unpack(key.get(..32).unwrap_or(key));
    let retainer: ProofRetainer = [target].into_iter().collect();
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in entries {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root();
    let path = builder.take_proof_nodes().into_nodes_sorted();
    // A node of less than 32 bytes is part of its parent.
    let separate = path.iter().filter(|(path, node)| path.is_empty() || node.len() >= 32);
    for (_, node) in separate.skip(from_level) {
        nodes.insert(keccak256(node), node);
    }
}

/// The code hash of an account without code.
pub(super) const NO_CODE: B256 = KECCAK256_EMPTY;
