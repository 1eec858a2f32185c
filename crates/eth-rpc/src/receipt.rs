//! `eth_getTransactionReceipt`, and logs as all methods show them.

use alloy_consensus::{
    Eip658Value, ReceiptEnvelope, Transaction as _, TxReceipt as _, Typed2718 as _,
};
use alloy_primitives::{B256, Log};
use serde_json::{Value, json};

use crate::{
    RpcError, Service,
    hex::{address, bytes, quantity},
    method::Context,
    params::Params,
    transaction,
};

/// Where a log is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlace {
    pub(crate) block_hash: B256,
    pub(crate) block_number: u64,
    pub(crate) transaction_hash: B256,
    pub(crate) transaction_index: usize,
    /// Position among all logs of the block.
    pub(crate) index: usize,
    /// Whether its block left the canonical chain.
    pub(crate) removed: bool,
}

pub(crate) fn log_to_json(log: &Log, place: &LogPlace) -> Value {
    let topics: Vec<_> = log.topics().iter().map(bytes).collect();
    json!({
        "address": address(&log.address),
        "topics": topics,
        "data": bytes(&log.data.data),
        "blockNumber": quantity(place.block_number),
        "transactionHash": bytes(place.transaction_hash),
        "transactionIndex": quantity(place.transaction_index),
        "blockHash": bytes(place.block_hash),
        "logIndex": quantity(place.index),
        "removed": place.removed,
    })
}

pub(crate) fn by_transaction_hash(
    service: &Service,
    mut params: Params<'_>,
    _: &Context<'_>,
) -> Result<Value, RpcError> {
    let hash: B256 = params.required()?;
    params.end()?;
    let view = service.view();
    let Some(found) = view.snapshot.transaction(&hash)? else { return Ok(Value::Null) };
    let Some(block) = view.block(&found.block_hash)? else { return Ok(Value::Null) };
    let receipts = view.receipts(&found.block_hash)?;
    let position = usize::try_from(found.index).unwrap_or(usize::MAX);
    let (Some(transaction), Some(receipt)) =
        (block.transactions.get(position), receipts.get(position))
    else {
        return Ok(Value::Null);
    };
    let before = receipts.get(..position).unwrap_or_default();
    let gas_before = before.last().map_or(0, ReceiptEnvelope::cumulative_gas_used);
    let logs_before: usize = before.iter().map(|receipt| receipt.logs().len()).sum();
    let senders = view.senders(&block.header, std::slice::from_ref(transaction))?;
    let sender = senders.first().copied().unwrap_or_default();
    let log = |(index, log): (usize, &Log)| {
        let place = LogPlace {
            block_hash: block.hash,
            block_number: block.header.number,
            transaction_hash: hash,
            transaction_index: position,
            index: logs_before + index,
            removed: false,
        };
        log_to_json(log, &place)
    };
    let logs: Vec<_> = receipt.logs().iter().enumerate().map(log).collect();
    let to = transaction.to();
    let created = to.is_none().then(|| sender.create(transaction.nonce()));
    let price = transaction::price(transaction, block.header.base_fee_per_gas);
    let mut answer = json!({
        "blockHash": bytes(block.hash),
        "blockNumber": quantity(block.header.number),
        "transactionHash": bytes(hash),
        "transactionIndex": quantity(position),
        "from": address(&sender),
        "to": to.map(|to| address(&to)),
        "gasUsed": quantity(receipt.cumulative_gas_used().saturating_sub(gas_before)),
        "cumulativeGasUsed": quantity(receipt.cumulative_gas_used()),
        "contractAddress": created.map(|created| address(&created)),
        "logs": logs,
        "logsBloom": bytes(receipt.logs_bloom()),
        "type": quantity(transaction.ty()),
        "effectiveGasPrice": quantity(price),
    });
    let (name, value) = match receipt.status_or_post_state() {
        Eip658Value::Eip658(success) => ("status", quantity(u8::from(success))),
        Eip658Value::PostState(root) => ("root", bytes(root)),
    };
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    Ok(answer)
}
