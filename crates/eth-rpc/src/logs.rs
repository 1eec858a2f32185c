//! `eth_getLogs`: what contracts logged, found by the blooms in headers.

use alloy_primitives::{Address, B256, Bloom, BloomInput, Log};
use serde_json::Value;

use crate::{
    MAX_RESPONSE_BYTES, RpcError, Service,
    block_id::BlockTag,
    chain::View,
    hex,
    method::Context,
    params::{Argument, Params},
    receipt::{LogPlace, log_to_json},
};

/// Logs of one answer.
pub(crate) const MAX_LOGS: usize = 10_000;
/// Blocks that one request may search: about a second of reading headers.
const MAX_BLOCKS: u64 = 100_000;
/// Receipts that one request may read: a few seconds.
const MAX_RECEIPTS: usize = 1_000_000;
/// Bytes of a log in JSON without its data, about.
const LOG_BYTES: usize = 700;
/// Addresses, and alternatives of one topic.
const MAX_ALTERNATIVES: usize = 1000;
/// Topics of a log (Yellow Paper, LOG0 to LOG4).
const MAX_TOPICS: usize = 4;

/// Which logs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Criteria {
    block: Option<B256>,
    from: Option<BlockTag>,
    to: Option<BlockTag>,
    /// Any of these; all if there are none.
    addresses: Vec<Address>,
    /// For each position any of these; all if there are none.
    topics: Vec<Vec<B256>>,
}

impl Argument for Criteria {
    fn decode(value: &Value) -> Result<Self, String> {
        let field = |name| value.get(name).filter(|value| !value.is_null());
        let block = field("blockHash").map(B256::decode).transpose()?;
        let from = field("fromBlock").map(BlockTag::decode).transpose()?;
        let to = field("toBlock").map(BlockTag::decode).transpose()?;
        if block.is_some() && (from.is_some() || to.is_some()) {
            return Err("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the \
                        other"
                .to_owned());
        }
        let addresses = field("address").map_or(Ok(Vec::new()), addresses)?;
        let topics = match field("topics") {
            None => Vec::new(),
            Some(Value::Array(items)) if items.len() <= MAX_TOPICS => {
                items.iter().map(topic).collect::<Result<_, _>>()?
            }
            Some(Value::Array(_)) => return Err("exceed max topics".to_owned()),
            Some(_) => return Err("invalid topic(s)".to_owned()),
        };
        Ok(Self { block, from, to, addresses, topics })
    }
}

fn sized<const N: usize>(text: &str, kind: &str) -> Result<[u8; N], String> {
    let bytes = hex::decode(text)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        format!("hex has invalid length {length} after decoding; expected {N} for {kind}")
    })
}

fn addresses(value: &Value) -> Result<Vec<Address>, String> {
    match value {
        Value::String(text) => sized::<20>(text, "address")
            .map(|bytes| vec![bytes.into()])
            .map_err(|error| format!("invalid address: {error}")),
        Value::Array(items) if items.len() > MAX_ALTERNATIVES => {
            Err("exceed max addresses".to_owned())
        }
        Value::Array(items) => {
            let one = |(index, item): (usize, &Value)| {
                let text =
                    item.as_str().ok_or_else(|| format!("non-string address at index {index}"))?;
                sized::<20>(text, "address")
                    .map(Into::into)
                    .map_err(|error| format!("invalid address at index {index}: {error}"))
            };
            items.iter().enumerate().map(one).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            Err("invalid addresses in query".to_owned())
        }
    }
}

/// The alternatives of one position; none is all.
fn topic(value: &Value) -> Result<Vec<B256>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => sized::<32>(text, "topic").map(|bytes| vec![bytes.into()]),
        Value::Array(items) if items.iter().any(Value::is_null) => Ok(Vec::new()),
        Value::Array(items) if items.len() > MAX_ALTERNATIVES => {
            Err("exceed max topics".to_owned())
        }
        Value::Array(items) => {
            let one = |item: &Value| {
                let text = item.as_str().ok_or("invalid topic(s)")?;
                sized::<32>(text, "topic").map(B256::from)
            };
            items.iter().map(one).collect()
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err("invalid topic(s)".to_owned()),
    }
}

/// What a search has found, and what it has cost.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    criteria: &'a Criteria,
    /// For each thing that is wanted the hashes of its alternatives, of which a bloom is made.
    hashes: Vec<Vec<B256>>,
    found: Vec<Value>,
    bytes: usize,
    receipts: usize,
}

impl Criteria {
    /// Begins a search.
    pub(crate) fn begin(&self) -> Search<'_> {
        let hash = |bytes: &[u8]| B256::from(keccak::keccak256(bytes));
        let addresses = self.addresses.iter().map(|item| hash(item.as_slice())).collect();
        let topic = |items: &Vec<B256>| items.iter().map(|item| hash(item.as_slice())).collect();
        let hashes = std::iter::once(addresses).chain(self.topics.iter().map(topic)).collect();
        Search { criteria: self, hashes, found: Vec::new(), bytes: 0, receipts: 0 }
    }

    fn matches(&self, log: &Log) -> bool {
        if !self.addresses.is_empty() && !self.addresses.contains(&log.address) {
            return false;
        }
        let topics = log.topics();
        topics.len() >= self.topics.len()
            && self.topics.iter().zip(topics).all(|(alternatives, topic)| {
                alternatives.is_empty() || alternatives.contains(topic)
            })
    }

    /// Whether blocks of this number are wanted, where the range is one of numbers.
    pub(crate) fn reaches(&self, number: u64) -> bool {
        let from = match self.from {
            Some(BlockTag::Number(from)) => from,
            _ => 0,
        };
        let to = match self.to {
            Some(BlockTag::Number(to)) => to,
            _ => u64::MAX,
        };
        (from..=to).contains(&number)
    }

    /// All that match.
    pub(crate) fn search(&self, view: &View<'_>) -> Result<Vec<Value>, RpcError> {
        let mut search = self.begin();
        if let Some(hash) = self.block {
            if view.snapshot.block_number(&hash)?.is_none() {
                return Err(RpcError::server("unknown block"));
            }
            search.block(view, &hash, false)?;
            return Ok(search.found);
        }
        let head = view.snapshot.head().number;
        let number = |tag: Option<BlockTag>| match tag.unwrap_or(BlockTag::Latest) {
            BlockTag::Number(number) => Ok(number),
            BlockTag::Latest | BlockTag::Pending => Ok(head),
            tag @ (BlockTag::Safe | BlockTag::Finalized) => view.hash_of(tag).map(|_| head),
        };
        let (from, to) = (number(self.from)?, number(self.to)?.min(head));
        if to.saturating_sub(from) >= MAX_BLOCKS {
            return Err(RpcError::limit(format!("query spans more than {MAX_BLOCKS} blocks")));
        }
        for number in from..=to {
            let Some(hash) = view.snapshot.canonical_hash(number)? else { break };
            search.block(view, &hash, false)?;
        }
        Ok(search.found)
    }
}

impl Search<'_> {
    /// All that was found.
    pub(crate) fn found(self) -> Vec<Value> {
        self.found
    }

    /// Whether a block with this bloom may hold such a log.
    fn may_be_in(&self, bloom: &Bloom) -> bool {
        self.hashes.iter().all(|alternatives| {
            let is_in = |hash: &B256| bloom.contains_input(BloomInput::Hash(*hash));
            alternatives.is_empty() || alternatives.iter().any(is_in)
        })
    }

    /// Adds the matching logs of one block.
    pub(crate) fn block(
        &mut self,
        view: &View<'_>,
        hash: &B256,
        removed: bool,
    ) -> Result<(), RpcError> {
        let Some(header) = view.header(hash)? else { return Ok(()) };
        if header.logs_bloom.is_zero() || !self.may_be_in(&header.logs_bloom) {
            return Ok(());
        }
        let receipts = view.receipts(hash)?;
        let transactions = view.block(hash)?.map(|block| block.transactions).unwrap_or_default();
        self.receipts = self.receipts.saturating_add(receipts.len());
        if self.receipts > MAX_RECEIPTS {
            return Err(RpcError::limit(format!(
                "query reads more than {MAX_RECEIPTS} receipts: ask for fewer blocks"
            )));
        }
        let mut index = 0;
        for (transaction_index, (receipt, transaction)) in
            receipts.iter().zip(&transactions).enumerate()
        {
            for log in receipt.logs() {
                if self.criteria.matches(log) {
                    let place = LogPlace {
                        block_hash: *hash,
                        block_number: header.number,
                        transaction_hash: *transaction.tx_hash(),
                        transaction_index,
                        index,
                        removed,
                    };
                    let bytes = log.data.data.len().saturating_mul(2).saturating_add(LOG_BYTES);
                    self.bytes = self.bytes.saturating_add(bytes);
                    if self.bytes > MAX_RESPONSE_BYTES {
                        return Err(RpcError::limit(format!(
                            "query returned more than {MAX_RESPONSE_BYTES} bytes"
                        )));
                    }
                    self.found.push(log_to_json(log, &place));
                }
                index += 1;
            }
        }
        if self.found.len() > MAX_LOGS {
            return Err(RpcError::limit(format!("query returned more than {MAX_LOGS} results")));
        }
        Ok(())
    }
}

pub(crate) fn find(
    service: &Service,
    mut params: Params<'_>,
    _: &Context<'_>,
) -> Result<Value, RpcError> {
    let criteria: Criteria = params.required()?;
    params.end()?;
    criteria.search(&service.view()).map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Bytes, LogData};
    use serde_json::json;

    fn topic_of(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    #[test]
    fn a_log_matches_in_each_position_or_not_at_all() {
        let (address, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let log = Log {
            address,
            data: LogData::new_unchecked(vec![topic_of(1), topic_of(2)], Bytes::new()),
        };
        let mut bloom = Bloom::ZERO;
        bloom.accrue_log(&log);
        let (one, two, three) = (topic_of(1), topic_of(2), topic_of(3));
        for (criteria, expected) in [
            (json!({}), true),
            (json!({ "address": address }), true),
            (json!({ "address": [other, address] }), true),
            (json!({ "address": other }), false),
            (json!({ "topics": [one] }), true),
            (json!({ "topics": [null, two] }), true),
            (json!({ "topics": [two] }), false),
            (json!({ "topics": [[three, one], two] }), true),
            (json!({ "topics": [[null, three], two] }), true),
            (json!({ "topics": [one, two, null] }), false),
        ] {
            let parsed = Criteria::decode(&criteria).unwrap();
            assert_eq!(parsed.matches(&log), expected, "{criteria}");
            assert!(!expected || parsed.begin().may_be_in(&bloom), "{criteria}");
        }
    }

    #[test]
    fn criteria_that_contradict_themselves_are_refused() {
        let hash = topic_of(1);
        for criteria in [
            json!({ "blockHash": hash, "fromBlock": "0x1" }),
            json!({ "address": 5 }),
            json!({ "address": "0x00" }),
            json!({ "topics": [5] }),
            json!({ "topics": [null, null, null, null, null] }),
        ] {
            assert!(Criteria::decode(&criteria).is_err(), "{criteria}");
        }
    }
}
