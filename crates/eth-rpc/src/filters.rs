//! Filters that are polled: `eth_newFilter`, `eth_newBlockFilter`, `eth_getFilterChanges`.
//!
//! A filter remembers the last block that its owner heard of; what is new is read from the chain
//! when it is asked for. So a filter costs a few hundred bytes however many blocks come.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use chain_backend::Head;
use serde_json::Value;

use crate::{
    RpcError, Service, Unix, chain::View, hex::bytes, logs::Criteria, method::Context,
    params::Params,
};

type Answer = Result<Value, RpcError>;

/// Filters at a time; more are refused.
const MAX_FILTERS: usize = 1000;
/// A filter that nobody asks for is gone after five minutes, as in go-ethereum.
const LIFETIME: u64 = 300;
/// Blocks that one poll tells of; a poller that is further behind misses the oldest.
const MAX_BLOCKS: u64 = 10_000;

/// What is installed.
#[derive(Debug)]
pub(crate) struct Filters {
    seed: U256,
    made: u64,
    filters: BTreeMap<String, Filter>,
}

#[derive(Clone, Debug)]
struct Filter {
    /// The logs that are wanted; `None` for hashes of blocks.
    logs: Option<Criteria>,
    told: Told,
    asked: Unix,
}

/// The last block that the filter's owner heard of.
#[derive(Clone, Copy, Debug)]
struct Told {
    number: u64,
    hash: B256,
}

impl From<Head> for Told {
    fn from(head: Head) -> Self {
        Self { number: head.number, hash: head.hash }
    }
}

impl Filters {
    pub(crate) const fn new(seed: U256) -> Self {
        Self { seed, made: 0, filters: BTreeMap::new() }
    }

    fn forget_old(&mut self, now: Unix) {
        self.filters.retain(|_, filter| now.0.saturating_sub(filter.asked.0) < LIFETIME);
    }

    fn install(&mut self, logs: Option<Criteria>, told: Told, now: Unix) -> Answer {
        self.forget_old(now);
        if self.filters.len() >= MAX_FILTERS {
            return Err(RpcError::limit(format!("there are {MAX_FILTERS} filters already")));
        }
        self.made = self.made.saturating_add(1);
        let mut origin = self.seed.to_be_bytes::<32>().to_vec();
        origin.extend_from_slice(&self.made.to_be_bytes());
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = keccak::keccak256(&origin);
        let id = format!("{:#x}", U256::from_be_slice(&id));
        self.filters.insert(id.clone(), Filter { logs, told, asked: now });
        Ok(Value::String(id))
    }

    fn filter(&mut self, id: &str, now: Unix) -> Result<&mut Filter, RpcError> {
        self.forget_old(now);
        let filter =
            self.filters.get_mut(id).ok_or_else(|| RpcError::server("filter not found"))?;
        filter.asked = now;
        Ok(filter)
    }
}

/// Blocks that left the canonical chain since `told`, newest first, and those that came, oldest
/// first.
fn changes(view: &View<'_>, told: Told) -> Result<(Vec<B256>, Vec<B256>), RpcError> {
    let mut left = Vec::new();
    let Told { mut number, mut hash } = told;
    while view.snapshot.canonical_hash(number)? != Some(hash) {
        left.push(hash);
        let Some(parent) = view.snapshot.parent_hash(&hash)? else { break };
        let Some(below) = number.checked_sub(1) else { break };
        (number, hash) = (below, parent);
    }
    let head = view.snapshot.head().number;
    let first = number.saturating_add(1).max(head.saturating_sub(MAX_BLOCKS));
    let mut came = Vec::new();
    for number in first..=head {
        came.extend(view.snapshot.canonical_hash(number)?);
    }
    Ok((left, came))
}

pub(crate) fn new_block_filter(
    service: &Service,
    params: Params<'_>,
    context: &Context<'_>,
) -> Answer {
    params.end()?;
    let told = service.view().snapshot.head().into();
    service.filters.lock().install(None, told, context.now)
}

pub(crate) fn new_log_filter(
    service: &Service,
    mut params: Params<'_>,
    context: &Context<'_>,
) -> Answer {
    let criteria = params.required()?;
    params.end()?;
    let told = service.view().snapshot.head().into();
    service.filters.lock().install(Some(criteria), told, context.now)
}

pub(crate) fn poll(service: &Service, mut params: Params<'_>, context: &Context<'_>) -> Answer {
    let id: String = params.required()?;
    params.end()?;
    let view = service.view();
    // What is told now is told once, whoever polls beside.
    let filter = {
        let mut filters = service.filters.lock();
        let filter = filters.filter(&id, context.now)?;
        let before = filter.clone();
        filter.told = view.snapshot.head().into();
        before
    };
    let told = filter.told;
    let answer = news(&view, filter);
    if answer.is_err()
        && let Ok(filter) = service.filters.lock().filter(&id, context.now)
        && filter.told.hash == view.snapshot.head().hash
    {
        // Nothing was told: the next poll is to try again.
        filter.told = told;
    }
    answer
}

/// What a filter's owner has not heard of.
fn news(view: &View<'_>, filter: Filter) -> Answer {
    let (left, came) = changes(view, filter.told)?;
    let Some(criteria) = filter.logs else { return Ok(came.iter().map(bytes).collect()) };
    let mut search = criteria.begin();
    for (hashes, removed) in [(&left, true), (&came, false)] {
        for hash in hashes {
            let number = view.snapshot.block_number(hash)?;
            if number.is_some_and(|number| criteria.reaches(number)) {
                search.block(view, hash, removed)?;
            }
        }
    }
    Ok(Value::Array(search.found()))
}

pub(crate) fn logs(service: &Service, mut params: Params<'_>, context: &Context<'_>) -> Answer {
    let id: String = params.required()?;
    params.end()?;
    let filter = service.filters.lock().filter(&id, context.now)?.clone();
    let criteria = filter.logs.ok_or_else(|| RpcError::server("filter not found"))?;
    criteria.search(&service.view()).map(Value::Array)
}

pub(crate) fn uninstall(service: &Service, mut params: Params<'_>, _: &Context<'_>) -> Answer {
    let id: String = params.required()?;
    params.end()?;
    Ok(Value::Bool(service.filters.lock().filters.remove(&id).is_some()))
}
