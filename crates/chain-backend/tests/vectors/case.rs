//! One test: its blocks through the import, then its head and state.
#![allow(clippy::indexing_slicing, reason = "indexing a JSON value gives null where nothing is")]

use std::{cell::RefCell, sync::Arc};

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::{Address, B256, keccak256};
use chain_backend::{
    Backend as _, ImportError, Importer, SealCaches, StateSnapshot, Store, StoreOptions,
};
use consensus::{ChainSpec, GenesisAccount};
use serde_json::Value;

use super::{
    Verdict,
    json::{accounts, bytes, fixed, header, text},
    network,
};

/// The newest transaction type that the library knows (EIP-7702).
const NEWEST_TYPE: u64 = 4;

thread_local! {
    /// Ethash caches are the same for all chains and take a second to make.
    static SEALS: RefCell<SealCaches> = RefCell::new(SealCaches::new(false));
}

pub(super) fn run(test: &Value) -> Verdict {
    let config = match text(test, "network").and_then(|name| network::config(name, test)) {
        Ok(config) => config,
        Err(reason) => return Verdict::Skipped(reason),
    };
    if let Some(kind) = newer_type(test) {
        return Verdict::Skipped(format!("transaction type {kind} is newer than the library"));
    }
    match check(test, config) {
        Ok(()) => Verdict::Passed,
        Err(reason) => Verdict::Failed(reason),
    }
}

fn newer_type(test: &Value) -> Option<u64> {
    let blocks = test.get("blocks")?.as_array()?;
    let transactions = blocks.iter().filter_map(|block| block.get("transactions")?.as_array());
    let types = transactions
        .flatten()
        .filter_map(|transaction| super::json::small(transaction.get("type")?.as_str()?).ok());
    types.max().filter(|kind| *kind > NEWEST_TYPE)
}

fn check(test: &Value, config: consensus::ChainConfig) -> Result<(), String> {
    let genesis = header(test.get("genesisBlockHeader").ok_or("no genesis header")?)?;
    let said: B256 = fixed(text(&test["genesisBlockHeader"], "hash")?)?;
    if genesis.hash_slow() != said {
        return Err(format!("genesis hash {} instead of {said}", genesis.hash_slow()));
    }
    let spec = ChainSpec::new(config, &genesis).map_err(|error| error.to_string())?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let options =
        StoreOptions { node_cache: 1 << 20, page_cache: 1 << 20, ..StoreOptions::default() };
    let root = genesis.state_root;
    let accounts = accounts(&test["pre"])?;
    let mut built = B256::ZERO;
    let store = Store::create(directory.path(), &options, false, accounts, |computed| {
        built = computed;
        genesis
    });
    let store = Arc::new(store.map_err(|error| error.to_string())?);
    if built != root {
        return Err(format!("genesis state root {built} instead of {root}"));
    }
    let no_proof = test.get("sealEngine").and_then(Value::as_str) == Some("NoProof");
    let seals = if no_proof { SealCaches::new(true) } else { SEALS.take() };
    let mut importer = Importer::new(Arc::clone(&store), Arc::new(spec), seals);
    let imported = import_all(&mut importer, test);
    if !no_proof {
        SEALS.set(importer.into_seals());
    }
    imported?;
    check_head(&store, test)
}

/// A block is valid if the test shows its decoded header and expects no exception.
fn import_all(importer: &mut Importer, test: &Value) -> Result<(), String> {
    let blocks = test["blocks"].as_array().ok_or("`blocks` is no list")?;
    for (index, block) in blocks.iter().enumerate() {
        let fields = block.as_object().ok_or("a block is an object")?;
        let expected = fields.keys().find(|key| key.starts_with("expectException"));
        let valid = fields.contains_key("blockHeader") && expected.is_none();
        let rlp = bytes(text(block, "rlp")?);
        let result = match &rlp {
            Ok(rlp) => importer.import_rlp(rlp),
            Err(_) if !valid => continue,
            Err(error) => return Err(error.clone()),
        };
        match (valid, result) {
            (true, Ok(_)) => (),
            (true, Err(error)) => return Err(format!("valid block {index}: {error}")),
            (false, Err(ImportError::Backend(error))) => {
                return Err(format!("invalid block {index}: the store failed: {error}"));
            }
            (false, Err(_)) => (),
            (false, Ok(_)) => {
                let reason = expected.map_or("an invalid block", |key| {
                    fields.get(key).and_then(Value::as_str).unwrap_or_default()
                });
                return Err(format!("block {index} was accepted: {reason}"));
            }
        }
    }
    Ok(())
}

fn check_head(store: &Store, test: &Value) -> Result<(), String> {
    let expected: B256 = fixed(text(test, "lastblockhash")?)?;
    let snapshot = store.snapshot();
    let head = snapshot.head();
    if head.hash != expected {
        return Err(format!("head {} ({}) instead of {expected}", head.number, head.hash));
    }
    let state = snapshot.state(&head.hash).map_err(|error| error.to_string())?;
    let state = state.ok_or("the head's state is not kept")?;
    if let Some(root) = test.get("postStateHash").and_then(Value::as_str) {
        let root: B256 = fixed(root)?;
        if state.root() != root {
            return Err(format!("state root {} instead of {root}", state.root()));
        }
    }
    let Some(post) = test.get("postState").filter(|post| post.is_object()) else { return Ok(()) };
    for (address, expected) in accounts(post)? {
        check_account(&*state, address, &expected)
            .map_err(|difference| format!("account {address}: {difference}"))?;
    }
    Ok(())
}

fn check_account(
    state: &dyn StateSnapshot,
    address: Address,
    expected: &GenesisAccount,
) -> Result<(), String> {
    let key = keccak256(address);
    let account = state.account(&key).map_err(|error| error.to_string())?.ok_or("is absent")?;
    let code = &expected.code;
    let code_hash = if code.is_empty() { KECCAK_EMPTY } else { keccak256(code) };
    let found = (account.nonce, account.balance, account.code_hash);
    let wanted = (expected.nonce, expected.balance, code_hash);
    if found != wanted {
        return Err(format!("{found:?} instead of {wanted:?}"));
    }
    for (slot, value) in &expected.storage {
        let found = state.storage(&key, &keccak256(slot)).map_err(|error| error.to_string())?;
        if found != *value {
            return Err(format!("slot {slot}: {found} instead of {value}"));
        }
    }
    Ok(())
}
