//! The accounts of a genesis file: read in one pass, held once, sorted by address.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount, root};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::json::{address, at, bytes, next_key, number, object, quantity, scalar, word};

/// An account that exists before block 1.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GenesisAccount {
    /// In wei.
    pub balance: U256,
    /// Transactions sent (contracts: contracts made).
    pub nonce: u64,
    /// Contract code, empty for a plain account.
    pub code: Bytes,
    /// Storage words, by rising key when read from a file; a value of zero stands for no word.
    pub storage: Vec<(B256, U256)>,
}

impl GenesisAccount {
    /// The account as its leaf in the state trie holds it.
    #[must_use]
    pub fn trie_account(&self) -> TrieAccount {
        let words = self.storage.iter().filter(|(_, value)| !value.is_zero());
        TrieAccount {
            nonce: self.nonce,
            balance: self.balance,
            storage_root: if self.storage.is_empty() {
                EMPTY_ROOT_HASH
            } else {
                root::storage_root_unhashed(words.copied())
            },
            code_hash: if self.code.is_empty() { KECCAK_EMPTY } else { keccak256(&self.code) },
        }
    }
}

/// The accounts, sorted by address, each once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Alloc(Vec<(Address, GenesisAccount)>);

impl IntoIterator for Alloc {
    type Item = (Address, GenesisAccount);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Alloc {
    /// Sorts `accounts`.
    ///
    /// # Errors
    /// The address that is there twice.
    pub fn new(mut accounts: Vec<(Address, GenesisAccount)>) -> Result<Self, Address> {
        accounts.sort_unstable_by_key(|(address, _)| *address);
        match accounts.windows(2).find_map(|pair| match pair {
            [(left, _), (right, _)] if left == right => Some(*left),
            _ => None,
        }) {
            Some(twice) => Err(twice),
            None => Ok(Self(accounts)),
        }
    }

    /// The accounts by rising address.
    #[must_use]
    pub fn accounts(&self) -> &[(Address, GenesisAccount)] {
        &self.0
    }

    /// Root of the state trie that holds exactly these accounts (Yellow Paper 4.1).
    #[must_use]
    pub fn state_root(&self) -> B256 {
        let mut leaves: Vec<_> = self
            .0
            .iter()
            .map(|(address, account)| (keccak256(address), account.trie_account()))
            .collect();
        leaves.sort_unstable_by_key(|(key, _)| *key);
        root::state_root(leaves)
    }
}

/// Reads the `alloc` object.
pub(super) struct AllocSeed;

impl<'de> DeserializeSeed<'de> for AllocSeed {
    type Value = Alloc;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Alloc, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AllocSeed {
    type Value = Alloc;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of accounts by address")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Alloc, A::Error> {
        let mut accounts = Vec::new();
        while let Some(key) = next_key(&mut map)? {
            let owner =
                address(&key).map_err(|expected| at(&key, &format!("expected {expected}")))?;
            let mut account = None;
            object(&mut map, &key, &mut account, AccountSeed)?;
            accounts.push((owner, account.unwrap_or_default()));
        }
        Alloc::new(accounts).map_err(|owner| at(&owner.to_string(), "given twice"))
    }
}

struct AccountSeed;

impl<'de> DeserializeSeed<'de> for AccountSeed {
    type Value = GenesisAccount;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<GenesisAccount, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AccountSeed {
    type Value = GenesisAccount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an account: balance, nonce, code, storage")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GenesisAccount, A::Error> {
        let (mut balance, mut nonce, mut code) = (None, None, None);
        let (mut storage, mut key_of_owner) = (None, None);
        while let Some(key) = next_key(&mut map)? {
            match key.to_ascii_lowercase().as_str() {
                "balance" => scalar(&mut map, &key, &mut balance, quantity)?,
                "nonce" => scalar(&mut map, &key, &mut nonce, number)?,
                "code" => scalar(&mut map, &key, &mut code, bytes)?,
                "storage" => object(&mut map, &key, &mut storage, StorageSeed)?,
                // go-ethereum's tests keep an account's private key there; a chain has no use
                // for it.
                "secretkey" => scalar(&mut map, &key, &mut key_of_owner, bytes)?,
                _ => return Err(at(&key, "unknown field")),
            }
        }
        let Some(balance) = balance else {
            return Err(at("balance", "missing"));
        };
        Ok(GenesisAccount {
            balance,
            nonce: nonce.unwrap_or_default(),
            code: code.unwrap_or_default(),
            storage: storage.unwrap_or_default(),
        })
    }
}

struct StorageSeed;

impl<'de> DeserializeSeed<'de> for StorageSeed {
    type Value = Vec<(B256, U256)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StorageSeed {
    type Value = Vec<(B256, U256)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of storage words by key")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut words = Vec::new();
        while let Some(key) = next_key(&mut map)? {
            let place = word(&key).map_err(|expected| at(&key, &format!("expected {expected}")))?;
            let mut value = None;
            scalar(&mut map, &key, &mut value, word)?;
            words.push((place, value.map_or(U256::ZERO, |value: B256| value.into())));
        }
        words.sort_unstable_by_key(|(key, _)| *key);
        match words.windows(2).find_map(|pair| match pair {
            [(left, _), (right, _)] if left == right => Some(*left),
            _ => None,
        }) {
            Some(twice) => Err(at(&twice.to_string(), "given twice")),
            None => Ok(words),
        }
    }
}
