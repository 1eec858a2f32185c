//! `eth_getTransactionBy…`, `eth_sendRawTransaction`.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_eips::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use chain_backend::{Block, Transaction};
use serde_json::{Map, Value, json};

use crate::{
    RpcError, Service,
    block::block_at,
    block_id::BlockTag,
    chain::View,
    hex::{address, bytes, quantity},
    method::Context,
    params::Params,
};

/// Where a transaction is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) block_hash: B256,
    pub(crate) block_number: u64,
    pub(crate) index: u64,
    pub(crate) base_fee: Option<u64>,
}

/// Wei per gas that a transaction pays: what it offers, or less if the base fee is lower.
pub(crate) fn price(transaction: &Transaction, base_fee: Option<u64>) -> u128 {
    let cap = transaction.max_fee_per_gas();
    match (transaction.max_priority_fee_per_gas(), base_fee) {
        (Some(tip), Some(base_fee)) => tip.saturating_add(u128::from(base_fee)).min(cap),
        _ => cap,
    }
}

/// A transaction, in its block or, without a place, waiting.
pub(crate) fn to_json(
    transaction: &Transaction,
    sender: &Address,
    place: Option<Place>,
) -> Map<String, Value> {
    let signature = transaction.signature();
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    set("blockHash", or_null(place.map(|place| bytes(place.block_hash))));
    set("blockNumber", or_null(place.map(|place| quantity(place.block_number))));
    set("transactionIndex", or_null(place.map(|place| quantity(place.index))));
    set("from", address(sender));
    set("gas", quantity(transaction.gas_limit()));
    set("gasPrice", quantity(price(transaction, place.and_then(|place| place.base_fee))));
    set("hash", bytes(transaction.tx_hash()));
    set("input", bytes(transaction.input()));
    set("nonce", quantity(transaction.nonce()));
    set("to", or_null(transaction.to().map(|to| address(&to))));
    set("value", quantity(transaction.value()));
    set("type", quantity(transaction.ty()));
    set("v", quantity(v(transaction)));
    set("r", quantity(signature.r()));
    set("s", quantity(signature.s()));
    if let Some(chain_id) = transaction.chain_id() {
        set("chainId", quantity(chain_id));
    }
    if let Some(list) = transaction.access_list() {
        let item = |item: &alloy_eips::eip2930::AccessListItem| {
            let keys: Vec<_> = item.storage_keys.iter().map(bytes).collect();
            json!({ "address": address(&item.address), "storageKeys": keys })
        };
        set("accessList", list.iter().map(item).collect());
    }
    if let Some(tip) = transaction.max_priority_fee_per_gas() {
        set("maxFeePerGas", quantity(transaction.max_fee_per_gas()));
        set("maxPriorityFeePerGas", quantity(tip));
    }
    if let Some(cap) = transaction.max_fee_per_blob_gas() {
        set("maxFeePerBlobGas", quantity(cap));
    }
    if let Some(hashes) = transaction.blob_versioned_hashes() {
        set("blobVersionedHashes", hashes.iter().map(bytes).collect());
    }
    if let Some(list) = transaction.authorization_list() {
        set("authorizationList", list.iter().map(authorization).collect());
    }
    fields
}

fn authorization(signed: &alloy_eips::eip7702::SignedAuthorization) -> Value {
    json!({
        "chainId": quantity(signed.chain_id),
        "address": address(&signed.address),
        "nonce": quantity(signed.nonce),
        "yParity": quantity(signed.y_parity()),
        "r": quantity(signed.r()),
        "s": quantity(signed.s()),
    })
}

/// The `v` of a signature: the parity, for legacy transactions as EIP-155 says.
fn v(transaction: &Transaction) -> U256 {
    let parity = U256::from(transaction.signature().v());
    match (transaction, transaction.chain_id()) {
        (Transaction::Legacy(_), Some(chain_id)) => {
            U256::from(chain_id) * U256::from(2) + U256::from(35) + parity
        }
        (Transaction::Legacy(_), None) => U256::from(27) + parity,
        (
            Transaction::Eip2930(_)
            | Transaction::Eip1559(_)
            | Transaction::Eip4844(_)
            | Transaction::Eip7702(_),
            _,
        ) => parity,
    }
}

/// The transaction at a position of a block; null behind its end.
fn at(view: &View<'_>, block: Option<Block>, index: u64) -> Result<Value, RpcError> {
    let Some(block) = block else { return Ok(Value::Null) };
    let position = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(transaction) = block.transactions.get(position) else { return Ok(Value::Null) };
    let senders = view.senders(&block.header, std::slice::from_ref(transaction))?;
    let place = Place {
        block_hash: block.hash,
        block_number: block.header.number,
        index,
        base_fee: block.header.base_fee_per_gas,
    };
    let sender = senders.first().copied().unwrap_or_default();
    Ok(Value::Object(to_json(transaction, &sender, Some(place))))
}

pub(crate) fn by_hash(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let hash: B256 = params.required()?;
    params.end()?;
    let view = service.view();
    if let Some(found) = view.snapshot.transaction(&hash)? {
        return at(&view, view.block(&found.block_hash)?, found.index);
    }
    let Some(raw) = service.transactions.get(&hash) else { return Ok(Value::Null) };
    let transaction = Transaction::decode_2718(&mut raw.as_ref())
        .map_err(|error| RpcError::server(error.to_string()))?;
    let head = view.head()?;
    let senders = view.senders(&head, std::slice::from_ref(&transaction))?;
    let sender = senders.first().copied().unwrap_or_default();
    Ok(Value::Object(to_json(&transaction, &sender, None)))
}

pub(crate) fn by_block_hash(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (hash, index): (B256, u64) = (params.required()?, params.required()?);
    params.end()?;
    let view = service.view();
    at(&view, view.block(&hash)?, index)
}

pub(crate) fn by_block_number(
    service: &Service,
    mut params: Params<'_>,
    _: &Context<'_>,
) -> Answer {
    let (tag, index): (BlockTag, u64) = (params.required()?, params.required()?);
    params.end()?;
    let view = service.view();
    at(&view, block_at(&view, tag)?, index)
}

pub(crate) fn send_raw(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let raw: Bytes = params.required()?;
    params.end()?;
    // What is no transaction is refused below, in the words for that.
    if let Ok(transaction) = Transaction::decode_2718(&mut raw.as_ref()) {
        check_fee(&transaction).map_err(RpcError::server)?;
    }
    let hash = service.transactions.submit(&raw).map_err(RpcError::server)?;
    Ok(bytes(hash))
}

/// Most that a transaction sent over JSON-RPC may cost besides its value: one ether
/// (go-ethereum's `RPCTxFeeCap`). It keeps a user from a mistyped price.
const MAX_FEE: u128 = 1_000_000_000_000_000_000;

/// What go-ethereum checks of a transaction that comes over JSON-RPC and not of any other.
fn check_fee(transaction: &Transaction) -> Result<(), String> {
    let fee = transaction.max_fee_per_gas().saturating_mul(transaction.gas_limit().into());
    if fee > MAX_FEE {
        let cents = fee.saturating_add(MAX_FEE / 200) / (MAX_FEE / 100);
        let (whole, rest) = (cents / 100, cents % 100);
        return Err(format!(
            "tx fee ({whole}.{rest:02} ether) exceeds the configured cap (1.00 ether)"
        ));
    }
    if transaction.is_legacy() && transaction.chain_id().is_none() {
        return Err("only replay-protected (EIP-155) transactions allowed over RPC".to_owned());
    }
    Ok(())
}

type Answer = Result<Value, RpcError>;

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction as _, TxLegacy};
    use alloy_primitives::Signature;

    fn check(chain_id: Option<u64>, gas_price: u128, expected: Result<(), &str>) {
        let legacy = TxLegacy { chain_id, gas_price, gas_limit: 50_000, ..TxLegacy::default() };
        let transaction = legacy.into_signed(Signature::test_signature()).into();
        assert_eq!(check_fee(&transaction), expected.map_err(ToOwned::to_owned));
    }

    #[test]
    fn a_mistyped_price_and_a_transaction_for_every_chain_are_refused() {
        check(Some(1), 20_000_000_000_000, Ok(()));
        let more = "tx fee (1.25 ether) exceeds the configured cap (1.00 ether)";
        check(Some(1), 25_000_000_000_000, Err(more));
        check(None, 25_000_000_000_000, Err(more));
        check(None, 1, Err("only replay-protected (EIP-155) transactions allowed over RPC"));
    }
}
