//! What transactions pay: `eth_gasPrice`, `eth_maxPriorityFeePerGas`, `eth_feeHistory`.

use alloy_consensus::{Header, ReceiptEnvelope};
use alloy_primitives::{Address, B256};
use chain_backend::{Block, Transaction};
use consensus::{Fork, Position, next_base_fee};
use serde_json::{Value, json};

use crate::{
    RpcError, Service,
    block_id::BlockTag,
    chain::View,
    hex::quantity,
    method::Context,
    params::{Argument, Params},
    transaction::price,
};

type Answer = Result<Value, RpcError>;

/// Blocks that a suggestion looks at (this and what follows: go-ethereum's full-node defaults).
const SAMPLED_BLOCKS: usize = 20;
/// Lowest tips of each that count.
const TIPS_A_BLOCK: usize = 3;
/// Of a hundred sampled tips, so many may be below the suggestion.
const PERCENTILE: usize = 60;
/// Tips below this, in wei, do not count.
const IGNORED_BELOW: u128 = 2;
/// No suggestion is above this, in wei.
const MOST: u128 = 500_000_000_000;
/// The suggestion of a chain without transactions, in wei.
const DEFAULT_TIP: u128 = 1_000_000_000;
/// Blocks of one fee history.
const MAX_HISTORY: u64 = 1024;
/// Percentiles of one fee history, each a value in every block (go-ethereum's later limit).
const MAX_PERCENTILES: usize = 100;

/// The last suggestion and the head that it was made at: empty blocks count with it.
#[derive(Debug)]
pub(crate) struct LastTip {
    head: B256,
    tip: u128,
}

impl Default for LastTip {
    fn default() -> Self {
        Self { head: B256::ZERO, tip: DEFAULT_TIP }
    }
}

/// Wei per gas for the block's maker.
fn tip(transaction: &Transaction, base_fee: Option<u64>) -> u128 {
    price(transaction, base_fee).saturating_sub(u128::from(base_fee.unwrap_or_default()))
}

fn suggested_tip(service: &Service, view: &View<'_>) -> Result<u128, RpcError> {
    let head = view.snapshot.head();
    let mut last = service.last_tip.lock();
    if last.head == head.hash {
        return Ok(last.tip);
    }
    let mut tips = Vec::new();
    let mut number = head.number;
    let mut left = SAMPLED_BLOCKS;
    while left > 0 && number > 0 {
        left -= 1;
        let hash = view.snapshot.canonical_hash(number)?;
        let block = hash.map_or(Ok(None), |hash| view.block(&hash))?;
        let mut found = block.map_or(Ok(Vec::new()), |block| lowest_tips(view, &block))?;
        if found.is_empty() {
            found.push(last.tip);
        }
        // Blocks that say little are made up for by older ones.
        if found.len() == 1 && tips.len() + 1 + left < 2 * SAMPLED_BLOCKS {
            left += 1;
        }
        tips.append(&mut found);
        number -= 1;
    }
    tips.sort_unstable();
    let at = tips.len().saturating_sub(1) * PERCENTILE / 100;
    let tip = tips.get(at).copied().unwrap_or(last.tip).min(MOST);
    *last = LastTip { head: head.hash, tip };
    Ok(tip)
}

/// The lowest tips that others than the block's maker paid.
fn lowest_tips(view: &View<'_>, block: &Block) -> Result<Vec<u128>, RpcError> {
    let senders = view.senders(&block.header, &block.transactions)?;
    let base_fee = block.header.base_fee_per_gas;
    let counts = |(transaction, sender): (&Transaction, &Address)| {
        let tip = tip(transaction, base_fee);
        (tip >= IGNORED_BELOW && *sender != block.header.beneficiary).then_some(tip)
    };
    let mut tips: Vec<_> = block.transactions.iter().zip(&senders).filter_map(counts).collect();
    tips.sort_unstable();
    tips.truncate(TIPS_A_BLOCK);
    Ok(tips)
}

pub(crate) fn max_priority_fee(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    Ok(quantity(suggested_tip(service, &service.view())?))
}

pub(crate) fn gas_price(service: &Service, params: Params<'_>, _: &Context<'_>) -> Answer {
    params.end()?;
    let view = service.view();
    let base_fee = view.head()?.base_fee_per_gas.unwrap_or_default();
    Ok(quantity(suggested_tip(service, &view)?.saturating_add(u128::from(base_fee))))
}

/// How many blocks: decimal or hexadecimal, in a string or bare.
struct Count(u64);

impl Argument for Count {
    fn decode(value: &Value) -> Result<Self, String> {
        let bare = value.to_string();
        let text = value.as_str().unwrap_or(&bare);
        let decimal = text.parse().map_err(drop);
        decimal.or_else(|()| crate::hex::decode_u64(text)).map(Self).map_err(str::to_owned)
    }
}

/// A percentage.
struct Percent(f64);

impl Argument for Percent {
    fn decode(value: &Value) -> Result<Self, String> {
        value
            .as_f64()
            .map(Self)
            .ok_or_else(|| "json: cannot unmarshal into Go value of type float64".to_owned())
    }
}

pub(crate) fn history(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let (Count(count), last): (Count, BlockTag) = (params.required()?, params.required()?);
    let percentiles: Vec<Percent> = params.required()?;
    params.end()?;
    let percentiles: Vec<f64> = percentiles.into_iter().map(|Percent(share)| share).collect();
    let nothing = json!({ "oldestBlock": "0x0", "gasUsedRatio": null });
    if count == 0 {
        return Ok(nothing);
    }
    check_percentiles(&percentiles)?;
    let view = service.view();
    let head = view.snapshot.head().number;
    // There is no pending block, which takes one from what was asked for.
    let mut count = count.min(MAX_HISTORY);
    let last = match last {
        BlockTag::Number(number) if number > head => {
            return Err(RpcError::server(format!(
                "request beyond head block: requested {number}, head {head}"
            )));
        }
        BlockTag::Number(number) => number,
        BlockTag::Latest => head,
        BlockTag::Pending => {
            count -= 1;
            head
        }
        BlockTag::Safe | BlockTag::Finalized => {
            view.hash_of(last)?;
            head
        }
    };
    let count = count.min(last.saturating_add(1));
    if count == 0 {
        return Ok(nothing);
    }
    let blocks = (last + 1 - count)..=last;
    let (mut fees, mut ratios, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
    for number in blocks.clone() {
        let Some(hash) = view.snapshot.canonical_hash(number)? else { break };
        let Some(header) = view.header(&hash)? else { break };
        if number == *blocks.start() {
            fees.push(quantity(header.base_fee_per_gas.unwrap_or_default()));
        }
        fees.push(quantity(following_base_fee(&view, &header)));
        ratios.push(fraction(used(&header)));
        if !percentiles.is_empty() {
            rewards.push(rewards_of(&view, &hash, &percentiles)?);
        }
    }
    let mut answer = json!({
        "oldestBlock": quantity(*blocks.start()),
        "baseFeePerGas": fees,
        "gasUsedRatio": ratios,
    });
    if !percentiles.is_empty()
        && let Some(fields) = answer.as_object_mut()
    {
        fields.insert("reward".to_owned(), Value::Array(rewards));
    }
    Ok(answer)
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    const INVALID: &str = "invalid reward percentile";
    if percentiles.len() > MAX_PERCENTILES {
        return Err(RpcError::server(format!("{INVALID}: over the query limit {MAX_PERCENTILES}")));
    }
    if let Some(share) = percentiles.iter().find(|share| !(0.0..=100.0).contains(*share)) {
        return Err(RpcError::server(format!("{INVALID}: {share:.6}")));
    }
    for (index, pair) in percentiles.windows(2).enumerate() {
        if let [before, share] = pair
            && share < before
        {
            let next = index + 1;
            return Err(RpcError::server(format!(
                "{INVALID}: #{index}:{before:.6} > #{next}:{share:.6}"
            )));
        }
    }
    Ok(())
}

/// The base fee of the block after this one; zero before London.
fn following_base_fee(view: &View<'_>, header: &Header) -> u64 {
    let position = Position { number: header.number + 1, ..view.spec.position(header) };
    if view.spec.is_active(Fork::London, position) { next_base_fee(header) } else { 0 }
}

/// The share of its gas that a block used.
#[allow(clippy::cast_precision_loss, reason = "gas is far below 2^53")]
fn used(header: &Header) -> f64 {
    header.gas_used as f64 / header.gas_limit as f64
}

/// A fraction; nothing and all of it are integers, as in Go.
fn fraction(share: f64) -> Value {
    if share <= 0.0 {
        json!(0)
    } else if share >= 1.0 {
        json!(1)
    } else {
        json!(share)
    }
}

/// For each percentile of the gas used: the tip of the transaction that reaches it, cheapest
/// first.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "gas is far below 2^53, and a percentile from 0 to 100"
)]
fn rewards_of(view: &View<'_>, hash: &B256, percentiles: &[f64]) -> Answer {
    let Some(block) = view.block(hash)? else { return Ok(Value::Null) };
    let receipts = view.receipts(hash)?;
    let mut before = 0;
    let gas_used = receipts.iter().map(ReceiptEnvelope::cumulative_gas_used).map(|total| {
        let gas = total.saturating_sub(before);
        before = total;
        gas
    });
    let tips = block.transactions.iter().map(|item| tip(item, block.header.base_fee_per_gas));
    let mut paid: Vec<(u128, u64)> = tips.zip(gas_used).collect();
    paid.sort_by_key(|(tip, _)| *tip);
    let mut cheapest = paid.into_iter();
    let (mut tip, mut gas) = cheapest.next().unwrap_or_default();
    let rewards = percentiles.iter().map(|percentile| {
        let threshold = (block.header.gas_used as f64 * percentile / 100.0) as u64;
        while gas < threshold
            && let Some((next_tip, next_gas)) = cheapest.next()
        {
            tip = next_tip;
            gas = gas.saturating_add(next_gas);
        }
        quantity(tip)
    });
    Ok(rewards.collect())
}
