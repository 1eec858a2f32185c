//! `eth_getBlockBy…`, `eth_getHeaderBy…`, and what else is read from headers and bodies.

use alloy_consensus::Header;
use alloy_primitives::B256;
use chain_backend::Block;
use serde_json::{Map, Value, json};

use crate::{
    RpcError, Service,
    block_id::BlockTag,
    chain::View,
    hex::{address, bytes, quantity},
    method::Context,
    params::Params,
    transaction::{self, Place},
};

type Answer = Result<Value, RpcError>;

/// Bytes that go-ethereum's header takes in memory: what it calls the `size` of one, together with
/// those of its numbers and its extra data.
const HEADER_IN_MEMORY: usize = 552;

fn header_to_json(header: &Header, hash: &B256) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    set("number", quantity(header.number));
    set("hash", bytes(hash));
    set("parentHash", bytes(header.parent_hash));
    set("nonce", bytes(header.nonce));
    set("mixHash", bytes(header.mix_hash));
    set("sha3Uncles", bytes(header.ommers_hash));
    set("logsBloom", bytes(header.logs_bloom));
    set("stateRoot", bytes(header.state_root));
    set("miner", address(&header.beneficiary));
    set("difficulty", quantity(header.difficulty));
    set("extraData", bytes(&header.extra_data));
    set("gasLimit", quantity(header.gas_limit));
    set("gasUsed", quantity(header.gas_used));
    set("timestamp", quantity(header.timestamp));
    set("transactionsRoot", bytes(header.transactions_root));
    set("receiptsRoot", bytes(header.receipts_root));
    let bits = header.difficulty.bit_len() + bit_length(header.number);
    set("size", quantity(HEADER_IN_MEMORY + header.extra_data.len() + bits / 8));
    if let Some(base_fee) = header.base_fee_per_gas {
        set("baseFeePerGas", quantity(base_fee));
    }
    if let Some(root) = header.withdrawals_root {
        set("withdrawalsRoot", bytes(root));
    }
    if let Some(gas) = header.blob_gas_used {
        set("blobGasUsed", quantity(gas));
    }
    if let Some(gas) = header.excess_blob_gas {
        set("excessBlobGas", quantity(gas));
    }
    if let Some(root) = header.parent_beacon_block_root {
        set("parentBeaconBlockRoot", bytes(root));
    }
    if let Some(hash) = header.requests_hash {
        set("requestsHash", bytes(hash));
    }
    fields
}

fn bit_length(number: u64) -> usize {
    usize::try_from(u64::BITS - number.leading_zeros()).unwrap_or_default()
}

fn to_json(view: &View<'_>, block: Block, with_transactions: bool) -> Answer {
    let mut fields = header_to_json(&block.header, &block.hash);
    let transactions: Vec<Value> = if with_transactions {
        let senders = view.senders(&block.header, &block.transactions)?;
        let pairs = block.transactions.iter().zip(&senders);
        let place = |index| Place {
            block_hash: block.hash,
            block_number: block.header.number,
            index,
            base_fee: block.header.base_fee_per_gas,
        };
        let whole = pairs.zip(0..).map(|((transaction, sender), index)| {
            Value::Object(transaction::to_json(transaction, sender, Some(place(index))))
        });
        whole.collect()
    } else {
        block.transactions.iter().map(|transaction| bytes(transaction.tx_hash())).collect()
    };
    let uncles: Vec<_> = block.uncles.iter().map(|uncle| bytes(uncle.hash_slow())).collect();
    let total = view.snapshot.total_difficulty(&block.hash)?.unwrap_or_default();
    fields.insert("size".to_owned(), quantity(block.length));
    fields.insert("transactions".to_owned(), Value::Array(transactions));
    fields.insert("uncles".to_owned(), Value::Array(uncles));
    fields.insert("totalDifficulty".to_owned(), quantity(total));
    if let Some(withdrawals) = &block.withdrawals {
        let one = |withdrawal: &alloy_eips::eip4895::Withdrawal| {
            json!({
                "index": quantity(withdrawal.index),
                "validatorIndex": quantity(withdrawal.validator_index),
                "address": address(&withdrawal.address),
                "amount": quantity(withdrawal.amount),
            })
        };
        fields.insert("withdrawals".to_owned(), withdrawals.iter().map(one).collect());
    }
    Ok(Value::Object(fields))
}

/// The block of a place. Nothing is final or safe here, and go-ethereum answers null then.
pub(crate) fn block_at(view: &View<'_>, tag: BlockTag) -> Result<Option<Block>, RpcError> {
    match tag {
        BlockTag::Safe | BlockTag::Finalized => Ok(None),
        BlockTag::Number(_) | BlockTag::Latest | BlockTag::Pending => {
            view.hash_of(tag)?.map_or(Ok(None), |hash| view.block(&hash))
        }
    }
}

fn block_by_hash(view: &View<'_>, hash: B256) -> Result<Option<Block>, RpcError> {
    view.block(&hash)
}

pub(crate) fn by_number(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (tag, whole) = (params.required()?, params.required()?);
    params.end()?;
    let view = service.view();
    block_at(&view, tag)?.map_or(Ok(Value::Null), |block| to_json(&view, block, whole))
}

pub(crate) fn by_hash(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (hash, whole) = (params.required()?, params.required()?);
    params.end()?;
    let view = service.view();
    block_by_hash(&view, hash)?.map_or(Ok(Value::Null), |block| to_json(&view, block, whole))
}

fn header_answer(view: &View<'_>, hash: Option<B256>) -> Answer {
    let Some(hash) = hash else { return Ok(Value::Null) };
    let Some(header) = view.header(&hash)? else { return Ok(Value::Null) };
    let mut fields = header_to_json(&header, &hash);
    let total = view.snapshot.total_difficulty(&hash)?.unwrap_or_default();
    fields.insert("totalDifficulty".to_owned(), quantity(total));
    Ok(Value::Object(fields))
}

pub(crate) fn header_by_number(
    service: &Service,
    mut params: Params<'_>,
    _: &Context<'_>,
) -> Answer {
    let tag = params.required()?;
    params.end()?;
    let view = service.view();
    header_answer(&view, view.hash_of(tag)?)
}

pub(crate) fn header_by_hash(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let hash = params.required()?;
    params.end()?;
    header_answer(&service.view(), Some(hash))
}

/// A method that counts something in a block.
fn count<Id: crate::params::Argument>(
    service: &Service,
    mut params: Params<'_>,
    find: impl Fn(&View<'_>, Id) -> Result<Option<Block>, RpcError>,
    count: impl Fn(&Block) -> usize,
) -> Answer {
    let id = params.required()?;
    params.end()?;
    let block = find(&service.view(), id)?;
    Ok(block.map_or(Value::Null, |block| quantity(count(&block))))
}

pub(crate) fn transaction_count_by_number(
    service: &Service,
    params: Params<'_>,
    _: &Context<'_>,
) -> Answer {
    count(service, params, block_at, |block| block.transactions.len())
}

pub(crate) fn transaction_count_by_hash(
    service: &Service,
    params: Params<'_>,
    _: &Context<'_>,
) -> Answer {
    count(service, params, block_by_hash, |block| block.transactions.len())
}

pub(crate) fn uncle_count_by_number(
    service: &Service,
    params: Params<'_>,
    _: &Context<'_>,
) -> Answer {
    count(service, params, block_at, |block| block.uncles.len())
}

pub(crate) fn uncle_count_by_hash(
    service: &Service,
    params: Params<'_>,
    _: &Context<'_>,
) -> Answer {
    count(service, params, block_by_hash, |block| block.uncles.len())
}
