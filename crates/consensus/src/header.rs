//! What a header must be on its parent, seal aside.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::eip1559::{
    BaseFeeParams, DEFAULT_ELASTICITY_MULTIPLIER, GAS_LIMIT_BOUND_DIVISOR, INITIAL_BASE_FEE,
};
use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_primitives::{B64, B256, U256};

use crate::clique;
use crate::config_check::{MAX_EXCESS_BLOB_GAS, MAX_GAS_LIMIT};
use crate::fork::{Activation, Fork};
use crate::header_error::HeaderError;
use crate::spec::{ChainSpec, Engine, Position};

/// The block below a header.
#[derive(Clone, Copy, Debug)]
pub struct Parent<'a> {
    /// Its header, itself valid.
    pub header: &'a Header,
    /// The header's hash.
    pub hash: B256,
    /// Sum of the difficulties up to this block and with it.
    pub total_difficulty: U256,
}

/// Least gas limit of a block (Yellow Paper 4.4.4).
const MIN_GAS_LIMIT: u64 = 5000;
/// Most bytes of extra data, except on a Clique chain (Yellow Paper 4.4.4).
const MAX_EXTRA: usize = 32;
/// Extra data of the first blocks on the side that supports the DAO fork (EIP-779).
const DAO_EXTRA: &[u8] = b"dao-hard-fork";
/// Blocks that must, or on the other side must not, carry it.
const DAO_EXTRA_BLOCKS: u64 = 10;

/// Checks every field of `header` that its parent and the chain's rules determine. Not checked
/// are the seal (see [`ethash`](crate::ethash) and [`clique`]), what the body and its execution
/// determine, and whether the timestamp lies in the future.
///
/// # Errors
/// The first broken rule.
pub fn check_header(
    spec: &ChainSpec,
    header: &Header,
    parent: &Parent<'_>,
) -> Result<(), HeaderError> {
    if header.parent_hash != parent.hash {
        let (expected, found) = (parent.hash, header.parent_hash);
        return Err(HeaderError::ParentHash { expected, found });
    }
    let position = Position {
        number: header.number,
        timestamp: header.timestamp,
        merged: spec.merged_after(parent.total_difficulty),
    };
    check_at(spec, header, parent.header, position)
}

/// The rules at a position whose phase, before or after the merge, is known.
pub(crate) fn check_at(
    spec: &ChainSpec,
    header: &Header,
    parent: &Header,
    position: Position,
) -> Result<(), HeaderError> {
    let number = parent.number.saturating_add(1);
    if header.number != number {
        return Err(HeaderError::Number { expected: number, found: header.number });
    }
    check_gas(spec, header, parent, position)?;
    check_base_fee(spec, header, parent, position)?;
    match spec.engine() {
        _ if position.merged => check_stake(header, parent)?,
        Engine::Ethash => check_work(spec, header, parent)?,
        Engine::Clique(config) => clique::check_fields(config, header, parent)?,
    }
    if !position.merged {
        // go-ethereum refuses such blocks too: neither engine knows these forks' fields.
        let begun = |fork: &Fork| *fork > Fork::Paris && spec.scheduled(*fork, position);
        if let Some(fork) = Fork::ALL.into_iter().find(begun) {
            return Err(HeaderError::BeforeMerge { fork });
        }
    }
    check_presence(spec, header, position)?;
    check_blob_gas(spec, header, parent, position)
}

fn check_gas(
    spec: &ChainSpec,
    header: &Header,
    parent: &Header,
    position: Position,
) -> Result<(), HeaderError> {
    // In London's first block the limit doubles, so that the target stays (EIP-1559).
    let begins = spec.is_active(Fork::London, position) && parent.base_fee_per_gas.is_none();
    let elasticity = if begins { DEFAULT_ELASTICITY_MULTIPLIER } else { 1 };
    let base = parent.gas_limit.saturating_mul(elasticity);
    // Strictly less than 1/1024 away.
    let room = (base / GAS_LIMIT_BOUND_DIVISOR).saturating_sub(1);
    let least = base.saturating_sub(room).max(MIN_GAS_LIMIT);
    let most = base.saturating_add(room).min(MAX_GAS_LIMIT);
    let found = header.gas_limit;
    if base / GAS_LIMIT_BOUND_DIVISOR == 0 || !(least..=most).contains(&found) {
        return Err(HeaderError::GasLimit { least, most, found });
    }
    if header.gas_used > header.gas_limit {
        return Err(HeaderError::GasUsed { limit: header.gas_limit, found: header.gas_used });
    }
    Ok(())
}

/// The base fee of the block after `parent`, once London is active in it (EIP-1559).
#[must_use]
pub fn next_base_fee(parent: &Header) -> u64 {
    let Some(base_fee) = parent.base_fee_per_gas else {
        return INITIAL_BASE_FEE;
    };
    // No valid header needs these bounds; with them no other one can overflow the sum.
    let gas_used = parent.gas_used.min(parent.gas_limit);
    let base_fee = base_fee.min(u64::MAX / 2);
    BaseFeeParams::ethereum().next_block_base_fee(gas_used, parent.gas_limit, base_fee)
}

fn check_base_fee(
    spec: &ChainSpec,
    header: &Header,
    parent: &Header,
    position: Position,
) -> Result<(), HeaderError> {
    let active = spec.is_active(Fork::London, position);
    present("baseFeePerGas", Fork::London, active, header.base_fee_per_gas.is_some())?;
    match header.base_fee_per_gas {
        Some(found) if found != next_base_fee(parent) => {
            Err(HeaderError::BaseFee { expected: next_base_fee(parent), found })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_stake(header: &Header, parent: &Header) -> Result<(), HeaderError> {
    check_difficulty(header, U256::ZERO)?;
    if header.nonce != B64::ZERO {
        return Err(HeaderError::Nonce { expected: B64::ZERO, found: header.nonce });
    }
    check_no_uncles(header)?;
    check_later(header, parent)?;
    check_extra_length(header)
}

fn check_work(spec: &ChainSpec, header: &Header, parent: &Header) -> Result<(), HeaderError> {
    check_later(header, parent)?;
    check_extra_length(header)?;
    check_difficulty(header, spec.next_difficulty(parent, header.timestamp))?;
    check_dao_extra(spec, header)
}

fn check_difficulty(header: &Header, expected: U256) -> Result<(), HeaderError> {
    if header.difficulty == expected {
        return Ok(());
    }
    Err(HeaderError::Difficulty { expected, found: header.difficulty })
}

/// Neither proof of stake nor Clique has uncles.
pub(crate) fn check_no_uncles(header: &Header) -> Result<(), HeaderError> {
    if header.ommers_hash == EMPTY_OMMER_ROOT_HASH {
        return Ok(());
    }
    let (expected, found) = (EMPTY_OMMER_ROOT_HASH, header.ommers_hash);
    Err(HeaderError::UnclesHash { expected, found })
}

fn check_later(header: &Header, parent: &Header) -> Result<(), HeaderError> {
    let least = parent.timestamp.saturating_add(1);
    if header.timestamp > parent.timestamp {
        return Ok(());
    }
    Err(HeaderError::Timestamp { least, found: header.timestamp })
}

fn check_extra_length(header: &Header) -> Result<(), HeaderError> {
    if header.extra_data.len() <= MAX_EXTRA {
        return Ok(());
    }
    Err(HeaderError::ExtraLength { most: MAX_EXTRA, found: header.extra_data.len() })
}

fn check_dao_extra(spec: &ChainSpec, header: &Header) -> Result<(), HeaderError> {
    let Some(Activation::Block(start)) = spec.activation(Fork::Dao) else {
        return Ok(());
    };
    if !(start..start.saturating_add(DAO_EXTRA_BLOCKS)).contains(&header.number) {
        return Ok(());
    }
    let marked = header.extra_data[..] == *DAO_EXTRA;
    let rule = match (spec.config().dao_fork_support, marked) {
        (true, false) => "must be 0x64616f2d686172642d666f726b",
        (false, true) => "must not be the mark of the fork",
        (true, true) | (false, false) => return Ok(()),
    };
    Err(HeaderError::DaoExtra { rule, found: header.extra_data.clone() })
}

/// Each optional field is there exactly when its fork is active.
fn check_presence(
    spec: &ChainSpec,
    header: &Header,
    position: Position,
) -> Result<(), HeaderError> {
    let shanghai = spec.is_active(Fork::Shanghai, position);
    let cancun = spec.is_active(Fork::Cancun, position);
    let prague = spec.is_active(Fork::Prague, position);
    let beacon_root = header.parent_beacon_block_root.is_some();
    present("withdrawalsRoot", Fork::Shanghai, shanghai, header.withdrawals_root.is_some())?;
    present("blobGasUsed", Fork::Cancun, cancun, header.blob_gas_used.is_some())?;
    present("excessBlobGas", Fork::Cancun, cancun, header.excess_blob_gas.is_some())?;
    present("parentBeaconBlockRoot", Fork::Cancun, cancun, beacon_root)?;
    present("requestsHash", Fork::Prague, prague, header.requests_hash.is_some())?;
    if header.block_access_list_hash.is_some() {
        return Err(HeaderError::Unknown { field: "blockAccessListHash" });
    }
    if header.slot_number.is_some() {
        return Err(HeaderError::Unknown { field: "slotNumber" });
    }
    Ok(())
}

const fn present(
    field: &'static str,
    fork: Fork,
    active: bool,
    found: bool,
) -> Result<(), HeaderError> {
    match (active, found) {
        (true, false) => Err(HeaderError::Missing { field, fork }),
        (false, true) => Err(HeaderError::TooEarly { field, fork }),
        (true, true) | (false, false) => Ok(()),
    }
}

/// EIP-4844, with the parameters of EIP-7691 and 7892 and the reserve price of EIP-7918.
fn check_blob_gas(
    spec: &ChainSpec,
    header: &Header,
    parent: &Header,
    position: Position,
) -> Result<(), HeaderError> {
    let Some(params) = spec.blob_params(position) else {
        return Ok(());
    };
    let found = header.blob_gas_used.unwrap_or_default();
    let (unit, most) = (DATA_GAS_PER_BLOB, params.max_blob_gas_per_block());
    if found > most || !found.is_multiple_of(unit) {
        return Err(HeaderError::BlobGasUsed { unit, most, found });
    }
    let excess = parent.excess_blob_gas.unwrap_or_default();
    let used = parent.blob_gas_used.unwrap_or_default();
    if excess > MAX_EXCESS_BLOB_GAS || used > MAX_EXCESS_BLOB_GAS {
        return Err(HeaderError::ParentBlobGas { excess, used });
    }
    let base_fee = parent.base_fee_per_gas.unwrap_or_default();
    let expected = params.next_block_excess_blob_gas_osaka(excess, used, base_fee);
    let found = header.excess_blob_gas.unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    Err(HeaderError::ExcessBlobGas { expected, found })
}
