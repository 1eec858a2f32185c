//! What a chain configuration must fulfil before anything is built on it.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};

use crate::clique::{ExtraError, genesis_signers};
use crate::fork::{Activation, Fork, Schedule};
use crate::genesis::ChainConfig;

/// A configuration that contradicts itself or asks for what is not supported. Fields are named
/// as in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum ConfigError {
    #[error("config.{missing} is not set, but {} begins at {begins}: set {missing}", later.field())]
    ForkMissing { missing: &'static str, later: Fork, begins: Activation },
    #[error(
        "config.{} is {later_at}, before {} at {earlier_at}: forks must keep their order",
        later.field(),
        earlier.field()
    )]
    ForkOrder { earlier: Fork, earlier_at: Activation, later: Fork, later_at: Activation },
    #[error(
        "config.constantinopleBlock begins without Petersburg, a network that never lived and \
             is not supported: set petersburgBlock to the same block"
    )]
    ConstantinopleWithoutPetersburg,
    #[error(
        "config.{field} cannot be used on a Clique chain that never merges: remove {field}, \
             or set terminalTotalDifficulty"
    )]
    CliqueAfterMerge { field: &'static str },
    #[error("config.{field} needs a merged chain: set terminalTotalDifficulty, or remove {field}")]
    ForkBeforeMerge { field: &'static str },
    #[error("config.terminalTotalDifficulty is set, but londonBlock is not: set londonBlock")]
    MergeWithoutLondon,
    #[error("config names two engines, clique and ethash: remove one")]
    TwoEngines,
    #[error("config.blobSchedule has no entry `{}`, but config.{} is set: add it",
            .fork.blob_schedule_key().unwrap_or_default(), .fork.field())]
    BlobsMissing { fork: Fork },
    #[error("config.blobSchedule.{}: {problem}", .fork.blob_schedule_key().unwrap_or_default())]
    Blobs { fork: Fork, problem: &'static str },
    #[error("{field} is set, but {} is not active in block 0: remove {field}", .fork.field())]
    FieldBeforeFork { field: &'static str, fork: Fork },
    #[error("number is {0}: a genesis block has number 0")]
    Number(u64),
    #[error("parentHash is {0}: a genesis block has no parent, leave it zero")]
    ParentHash(B256),
    #[error("gasLimit is {0}, above 2^63 - 1")]
    GasLimit(u64),
    #[error("difficulty is {0}, above what total difficulties are counted in (2^128)")]
    Difficulty(U256),
    #[error("excessBlobGas is {0}, above {MAX_EXCESS_BLOB_GAS}: no chain can pay such a price")]
    ExcessBlobGas(u64),
    #[error("extraData of a Clique chain: {0}")]
    CliqueExtra(ExtraError),
}

/// Largest gas limit of a block: 2^63 - 1 (go-ethereum, `MaxGasLimit`; EIP-106).
pub(crate) const MAX_GAS_LIMIT: u64 = i64::MAX.unsigned_abs();

/// Largest excess blob gas that a parent may have. Long before 2^40 a blob costs more than all
/// ether there is (by the mainnet's parameters), and sums with it cannot overflow.
pub(crate) const MAX_EXCESS_BLOB_GAS: u64 = 1 << 40;

/// Most blobs of a block that a schedule may allow: 2^20 times the gas of a blob is far from
/// overflowing, and far above any network.
const MAX_BLOBS: u64 = 1 << 20;

/// Largest difficulty of block 0. The mainnet ended near 2^54; from 2^128 on total difficulty
/// could overflow 256 bits.
const MAX_DIFFICULTY: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Checks everything; gives the signers that block 0 names on a Clique chain.
pub(crate) fn check(config: &ChainConfig, genesis: &Header) -> Result<Vec<Address>, ConfigError> {
    petersburg(config)?;
    fork_order(config)?;
    merge(config, genesis)?;
    blobs(config)?;
    block_zero(genesis)?;
    match config.clique {
        Some(_) if config.ethash => Err(ConfigError::TwoEngines),
        Some(_) => genesis_signers(&genesis.extra_data).map_err(ConfigError::CliqueExtra),
        None => Ok(Vec::new()),
    }
}

/// Each fork is set if a later one is, and begins no later than it.
fn fork_order(config: &ChainConfig) -> Result<(), ConfigError> {
    let mut last: Option<(Fork, Option<Activation>)> = None;
    for fork in Fork::ALL {
        let optional = match fork.schedule() {
            Schedule::Implied => continue,
            Schedule::Block { optional } | Schedule::Time { optional } => optional,
        };
        let start = config.forks.get(&fork).copied();
        match (last, start) {
            (Some((earlier, None)), Some(begins)) => {
                let missing = earlier.field();
                return Err(ConfigError::ForkMissing { missing, later: fork, begins });
            }
            (Some((earlier, Some(earlier_at))), Some(later_at)) if after(earlier_at, later_at) => {
                return Err(ConfigError::ForkOrder { earlier, earlier_at, later: fork, later_at });
            }
            _ => {}
        }
        if !optional || start.is_some() {
            last = Some((fork, start));
        }
    }
    Ok(())
}

const fn after(earlier: Activation, later: Activation) -> bool {
    match (earlier, later) {
        (Activation::Block(earlier), Activation::Block(later))
        | (Activation::Time(earlier), Activation::Time(later)) => earlier > later,
        (Activation::Time(_), Activation::Block(_)) => true,
        (Activation::Block(_), Activation::Time(_)) => false,
    }
}

/// The window between the two forks (EIP-1283 without its repair) is not supported.
fn petersburg(config: &ChainConfig) -> Result<(), ConfigError> {
    match (config.forks.get(&Fork::Constantinople), config.forks.get(&Fork::Petersburg)) {
        (Some(from), to) if Some(from) != to => Err(ConfigError::ConstantinopleWithoutPetersburg),
        _ => Ok(()),
    }
}

/// Forks after the merge need one, and block 0 must not be past Shanghai and before the merge.
fn merge(config: &ChainConfig, genesis: &Header) -> Result<(), ConfigError> {
    let terminal = config.terminal_total_difficulty;
    if terminal.is_some() && !config.forks.contains_key(&Fork::London) {
        return Err(ConfigError::MergeWithoutLondon);
    }
    let merged_from_start = terminal.is_some_and(|terminal| genesis.difficulty >= terminal);
    let refused = config.forks.iter().find(|(fork, start)| {
        let at_once = start.reached(genesis.number, genesis.timestamp) && !merged_from_start;
        **fork > Fork::Paris && (terminal.is_none() || at_once)
    });
    match refused.map(|(fork, _)| fork.field()) {
        Some(field) if config.clique.is_some() => Err(ConfigError::CliqueAfterMerge { field }),
        Some(field) => Err(ConfigError::ForkBeforeMerge { field }),
        None => Ok(()),
    }
}

fn blobs(config: &ChainConfig) -> Result<(), ConfigError> {
    for (fork, target) in &config.blob_schedule {
        let problem = if target.base_fee_update_fraction == 0 {
            "baseFeeUpdateFraction must not be 0"
        } else if target.max < target.target {
            "max is below target"
        } else if target.max == 0 || target.max > MAX_BLOBS {
            "max must be between 1 and 1048576"
        } else {
            continue;
        };
        return Err(ConfigError::Blobs { fork: *fork, problem });
    }
    Ok(())
}

fn block_zero(genesis: &Header) -> Result<(), ConfigError> {
    if genesis.number != 0 {
        return Err(ConfigError::Number(genesis.number));
    }
    if !genesis.parent_hash.is_zero() {
        return Err(ConfigError::ParentHash(genesis.parent_hash));
    }
    if genesis.gas_limit > MAX_GAS_LIMIT {
        return Err(ConfigError::GasLimit(genesis.gas_limit));
    }
    if genesis.difficulty > MAX_DIFFICULTY {
        return Err(ConfigError::Difficulty(genesis.difficulty));
    }
    match genesis.excess_blob_gas {
        Some(excess) if excess > MAX_EXCESS_BLOB_GAS => Err(ConfigError::ExcessBlobGas(excess)),
        Some(_) | None => Ok(()),
    }
}
