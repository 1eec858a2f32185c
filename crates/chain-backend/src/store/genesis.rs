//! The first state and the first block.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use consensus::GenesisAccount;
use merkle_trie::{EMPTY_ROOT, build_sorted};

use super::{
    key::NodeKey,
    kv::{Batch, Kv, Table},
    record::keccak,
};
use crate::{Account, BackendError};

/// Writes of one key-value transaction while the genesis state is stored: about 100 MB of nodes.
const BATCH: usize = 200_000;

/// Stores the genesis state and returns its root. Nothing refers to it before the genesis block
/// is stored, so that an interrupted call leaves no trace that matters.
pub(super) fn store_state(
    kv: &dyn Kv,
    accounts: impl IntoIterator<Item = (Address, GenesisAccount)>,
    archive: bool,
) -> Result<B256, BackendError> {
    let mut writer = Writer { kv, archive, batch: Batch::default(), failed: None };
    let mut entries: Vec<(B256, Vec<u8>)> = Vec::new();
    for (address, account) in accounts {
        let key = keccak(address.as_slice());
        let GenesisAccount { balance, nonce, code, storage } = account;
        let code_hash = if code.is_empty() {
            KECCAK256_EMPTY
        } else {
            let hash = keccak(&code);
            writer.batch.put(Table::Code, hash.as_slice(), code);
            hash
        };
        let storage_root = writer.storage(&key, &storage)?;
        let account = Account { nonce, balance, storage_root, code_hash };
        entries.push((key, alloy_rlp::encode(account)));
    }
    entries.sort_unstable();
    let root = writer.trie(None, &entries)?;
    writer.flush()?;
    Ok(root)
}

struct Writer<'a> {
    kv: &'a dyn Kv,
    archive: bool,
    batch: Batch,
    failed: Option<BackendError>,
}

impl Writer<'_> {
    fn storage(
        &mut self,
        account_key: &B256,
        storage: &[(B256, U256)],
    ) -> Result<B256, BackendError> {
        let mut slots: Vec<(B256, Vec<u8>)> = storage
            .iter()
            .filter(|(_, value)| !value.is_zero())
            .map(|(slot, value)| (keccak(slot.as_slice()), alloy_rlp::encode(value)))
            .collect();
        if slots.is_empty() {
            return Ok(EMPTY_ROOT);
        }
        slots.sort_unstable();
        self.trie(Some(account_key), &slots)
    }

    fn trie(
        &mut self,
        account_key: Option<&B256>,
        entries: &[(B256, Vec<u8>)],
    ) -> Result<B256, BackendError> {
        let emit = |path: &[u8], _, node: &[u8]| {
            self.node(&NodeKey::new(account_key, path), node);
        };
        let root = build_sorted(entries, emit)
            .map_err(|error| BackendError::Corrupt(format!("genesis state: {error}")))?;
        self.failed.take().map_or(Ok(root), Err)
    }

    fn node(&mut self, key: &NodeKey, node: &[u8]) {
        let node = Bytes::copy_from_slice(node);
        if self.archive {
            self.batch.put(Table::History, key.at_block(0), node.clone());
        }
        self.batch.put(Table::State, key.as_bytes(), node);
        if self.batch.len() >= BATCH
            && let Err(error) = self.flush()
        {
            self.failed = Some(error);
        }
    }

    fn flush(&mut self) -> Result<(), BackendError> {
        self.kv.write(std::mem::take(&mut self.batch))
    }
}
