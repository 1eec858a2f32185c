//! Methods that read a state: balances, nonces, code, storage, proofs.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use chain_backend::{Account, StateSnapshot};
use merkle_trie::{EMPTY_ROOT, NodeSet};
use serde_json::{Value, json};

use crate::{
    RpcError, Service,
    block_id::{BlockId, BlockTag},
    chain::View,
    hex::{self, address, bytes, quantity},
    method::Context,
    params::Params,
};

type Answer = Result<Value, RpcError>;

/// Slots of one `eth_getProof`: each is a path of some nodes, and go-ethereum later chose 1024.
const MAX_PROVED_SLOTS: usize = 1024;

fn key(of: impl AsRef<[u8]>) -> B256 {
    keccak::keccak256(of.as_ref()).into()
}

fn account(
    view: &View<'_>,
    block: BlockId,
    address: &Address,
) -> Result<Option<Account>, RpcError> {
    Ok(view.state(block)?.account(&key(address))?)
}

pub(crate) fn balance(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (address, block): (Address, _) = (params.required()?, params.required()?);
    params.end()?;
    let found = account(&service.view(), block, &address)?;
    Ok(quantity(found.map_or(U256::ZERO, |account| account.balance)))
}

pub(crate) fn nonce(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (address, block): (Address, _) = (params.required()?, params.required()?);
    params.end()?;
    let waiting = (block == BlockId::Tag(BlockTag::Pending))
        .then(|| service.transactions.next_nonce(&address))
        .flatten();
    let found = account(&service.view(), block, &address)?;
    let nonce = found.map_or(0, |account| account.nonce);
    Ok(quantity(waiting.map_or(nonce, |waiting| waiting.max(nonce))))
}

pub(crate) fn code(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (address, block): (Address, _) = (params.required()?, params.required()?);
    params.end()?;
    let view = service.view();
    let found = account(&view, block, &address)?;
    let hash = found.map_or(KECCAK256_EMPTY, |account| account.code_hash);
    if hash == KECCAK256_EMPTY {
        return Ok(bytes([]));
    }
    let code = view.snapshot.code(&hash)?;
    let code = code.ok_or_else(|| RpcError::server(format!("code {hash} is not stored")))?;
    Ok(bytes(code))
}

pub(crate) fn storage(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (address, slot, block): (Address, String, _) =
        (params.required()?, params.required()?, params.required()?);
    params.end()?;
    let state = service.view().state(block)?;
    let value = state.storage(&key(address), &key(hex::lenient_hash(&slot)))?;
    Ok(bytes(value.to_be_bytes::<32>()))
}

pub(crate) fn proof(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (owner, slots, block): (Address, Vec<String>, _) =
        (params.required()?, params.required()?, params.required()?);
    params.end()?;
    if slots.len() > MAX_PROVED_SLOTS {
        return Err(RpcError::params(format!(
            "too many storage keys (max {MAX_PROVED_SLOTS}, got {})",
            slots.len()
        )));
    }
    let state = service.view().state(block)?;
    let account_key = key(owner);
    let found = state.account(&account_key)?;
    let mut nodes = NodeSet::default();
    state.prove_account(account_key.as_slice(), 0, &mut nodes)?;
    let slots = slots
        .into_iter()
        .map(|slot| slot_proof(&*state, &account_key, slot))
        .collect::<Result<Vec<_>, _>>()?;
    let found = found.unwrap_or(Account {
        nonce: 0,
        balance: U256::ZERO,
        storage_root: EMPTY_ROOT,
        code_hash: KECCAK256_EMPTY,
    });
    Ok(json!({
        "address": address(&owner),
        "accountProof": list(&nodes)?,
        "balance": quantity(found.balance),
        "codeHash": bytes(found.code_hash),
        "nonce": quantity(found.nonce),
        "storageHash": bytes(found.storage_root),
        "storageProof": slots,
    }))
}

fn slot_proof(state: &dyn StateSnapshot, account_key: &B256, slot: String) -> Answer {
    let slot_key = key(hex::lenient_hash(&slot));
    let mut nodes = NodeSet::default();
    state.prove_storage(account_key, slot_key.as_slice(), 0, &mut nodes)?;
    let value = state.storage(account_key, &slot_key)?;
    Ok(json!({ "key": slot, "value": quantity(value), "proof": list(&nodes)? }))
}

/// The nodes of a proof, root first.
fn list(nodes: &NodeSet) -> Result<Vec<Value>, RpcError> {
    let mut rest = nodes.payload();
    let mut list = Vec::with_capacity(nodes.len());
    while !rest.is_empty() {
        let start = rest;
        alloy_rlp::Header::decode_bytes(&mut rest, true)
            .map_err(|_| RpcError::server("a node of the proof is malformed"))?;
        list.push(bytes(start.get(..start.len() - rest.len()).unwrap_or_default()));
    }
    Ok(list)
}
