//! The checked rules of one chain: which forks are active where, and their parameters.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_eip2124::{ForkFilter, ForkFilterKey, ForkId, Head};
use alloy_eips::eip4844::BLOB_TX_MIN_BLOB_GASPRICE;
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_eips::eip7594::MAX_BLOBS_PER_TX_FUSAKA;
use alloy_eips::eip7840::{BLOB_BASE_COST, BlobParams};
use alloy_primitives::{Address, B256, U256};

use crate::fork::{Activation, Fork, Schedule};
use crate::genesis::{BlobTarget, ChainConfig, CliqueConfig};

pub use crate::config_check::ConfigError;

/// How blocks before the merge are sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Engine {
    /// Proof of work (Yellow Paper, appendix J).
    Ethash,
    /// Proof of authority (EIP-225).
    Clique(CliqueConfig),
}

/// Where a block stands, as far as its rules depend on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// Block number.
    pub number: u64,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// Whether the block is a proof-of-stake block (EIP-3675).
    pub merged: bool,
}

/// The rules of one chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChainSpec {
    config: ChainConfig,
    engine: Engine,
    genesis_hash: B256,
    genesis_timestamp: u64,
    genesis_signers: Vec<Address>,
    blob_params: BTreeMap<Fork, BlobParams>,
}

impl ChainSpec {
    /// Checks `config` as the rules of the chain that begins with the header `genesis`.
    ///
    /// # Errors
    /// [`ConfigError`] names the fields that contradict each other or are not supported.
    pub fn new(config: ChainConfig, genesis: &Header) -> Result<Self, ConfigError> {
        let genesis_signers = crate::config_check::check(&config, genesis)?;
        let engine = config.clique.map_or(Engine::Ethash, Engine::Clique);
        let blob_params = blob_params(&config)?;
        Ok(Self {
            config,
            engine,
            genesis_hash: genesis.hash_slow(),
            genesis_timestamp: genesis.timestamp,
            genesis_signers,
            blob_params,
        })
    }

    /// Chain identifier in signed transactions (EIP-155).
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.config.chain_id
    }

    /// How blocks before the merge are sealed.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Hash of block 0.
    #[must_use]
    pub const fn genesis_hash(&self) -> B256 {
        self.genesis_hash
    }

    /// Signers that block 0 names, rising; empty unless the engine is Clique.
    #[must_use]
    pub fn genesis_signers(&self) -> &[Address] {
        &self.genesis_signers
    }

    /// The configuration that was checked.
    #[must_use]
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Total difficulty that ends proof of work or authority: the child of a block that has
    /// reached it is a proof-of-stake block (EIP-3675). `None`: that never happens.
    #[must_use]
    pub const fn terminal_total_difficulty(&self) -> Option<U256> {
        self.config.terminal_total_difficulty
    }

    /// Whether the child of a block of this total difficulty is a proof-of-stake block.
    #[must_use]
    pub fn merged_after(&self, total_difficulty: U256) -> bool {
        self.config.terminal_total_difficulty.is_some_and(|terminal| total_difficulty >= terminal)
    }

    /// Where `header` stands. The header must have been checked: a proof-of-stake block is told
    /// by its difficulty of zero.
    #[must_use]
    pub fn position(&self, header: &Header) -> Position {
        Position {
            number: header.number,
            timestamp: header.timestamp,
            merged: self.config.terminal_total_difficulty.is_some() && header.difficulty.is_zero(),
        }
    }

    /// When `fork` begins; `None` for a fork that this chain does not have, and for Frontier and
    /// Paris, which no field sets.
    #[must_use]
    pub fn activation(&self, fork: Fork) -> Option<Activation> {
        self.config.forks.get(&fork).copied()
    }

    /// Whether the rules of `fork` hold in the block at `position`.
    ///
    /// The forks after Paris hold in proof-of-stake blocks only.
    #[must_use]
    pub fn is_active(&self, fork: Fork, position: Position) -> bool {
        match fork.schedule() {
            Schedule::Implied => fork == Fork::Frontier || position.merged,
            Schedule::Block { .. } => self.scheduled(fork, position),
            Schedule::Time { .. } => position.merged && self.scheduled(fork, position),
        }
    }

    /// Whether the configured start of `fork` has come, merged or not.
    pub(crate) fn scheduled(&self, fork: Fork, position: Position) -> bool {
        self.activation(fork)
            .is_some_and(|start| start.reached(position.number, position.timestamp))
    }

    /// The newest fork whose rules hold in the block at `position`.
    #[must_use]
    pub fn fork_at(&self, position: Position) -> Fork {
        let active = |fork: &Fork| self.is_active(*fork, position);
        Fork::ALL.into_iter().rev().find(active).unwrap_or(Fork::Frontier)
    }

    /// Number of the block at which the state of "The DAO" moves, on a chain that supports it.
    #[must_use]
    pub fn dao_drain_block(&self) -> Option<u64> {
        match self.activation(Fork::Dao) {
            Some(Activation::Block(number)) if self.config.dao_fork_support => Some(number),
            Some(_) | None => None,
        }
    }

    /// Blob limits and prices in the block at `position` (EIP-7840); `None` before Cancun.
    #[must_use]
    pub fn blob_params(&self, position: Position) -> Option<BlobParams> {
        let active = |fork: &Fork| self.is_active(*fork, position);
        let newest = self.blob_params.iter().rev().find(|(fork, _)| active(fork));
        newest.map(|(_, params)| *params)
    }

    /// Contract whose logs are deposit requests (EIP-6110).
    #[must_use]
    pub fn deposit_contract(&self) -> Address {
        self.config.deposit_contract.unwrap_or(MAINNET_DEPOSIT_CONTRACT_ADDRESS)
    }

    /// The fork identifier of a node whose head has this number and timestamp (EIP-2124, 6122).
    #[must_use]
    pub fn fork_id(&self, number: u64, timestamp: u64) -> ForkId {
        self.fork_filter(number, timestamp).current()
    }

    /// Tells whether a peer's fork identifier fits a node whose head has this number and
    /// timestamp (EIP-2124, 6122).
    #[must_use]
    pub fn fork_filter(&self, number: u64, timestamp: u64) -> ForkFilter {
        let head = Head { number, timestamp, ..Head::default() };
        let keys = self.config.forks.values().map(|activation| match activation {
            Activation::Block(number) => ForkFilterKey::Block(*number),
            Activation::Time(seconds) => ForkFilterKey::Time(*seconds),
        });
        ForkFilter::new(head, self.genesis_hash, self.genesis_timestamp, keys)
    }
}

/// The parameters of each fork that sets them: from the file, or the mainnet's.
fn blob_params(config: &ChainConfig) -> Result<BTreeMap<Fork, BlobParams>, ConfigError> {
    let mut known = BTreeMap::new();
    for fork in config.forks.keys().filter(|fork| fork.blob_schedule_key().is_some()) {
        let mainnet = if *fork == Fork::Cancun {
            Some(BlobParams::cancun())
        } else if *fork == Fork::Prague {
            Some(BlobParams::prague())
        } else if *fork == Fork::Osaka {
            // Osaka changes the rules and keeps the numbers of the fork before it (EIP-7892).
            known.get(&Fork::Prague).copied()
        } else {
            None
        };
        let params = match (config.blob_schedule.get(fork), mainnet) {
            (Some(target), _) => from_target(*target),
            (None, Some(mainnet)) => mainnet,
            (None, None) => return Err(ConfigError::BlobsMissing { fork: *fork }),
        };
        known.insert(*fork, with_rules_of(*fork, params));
    }
    Ok(known)
}

fn from_target(target: BlobTarget) -> BlobParams {
    BlobParams {
        target_blob_count: target.target,
        max_blob_count: target.max,
        update_fraction: u128::from(target.base_fee_update_fraction),
        min_blob_fee: BLOB_TX_MIN_BLOB_GASPRICE,
        max_blobs_per_tx: target.max,
        blob_base_cost: 0,
    }
}

/// From Osaka on a transaction has at most six blobs (EIP-7594), and execution cost bounds the
/// blob price from below (EIP-7918).
fn with_rules_of(fork: Fork, params: BlobParams) -> BlobParams {
    if fork < Fork::Osaka {
        return params;
    }
    BlobParams {
        max_blobs_per_tx: MAX_BLOBS_PER_TX_FUSAKA.min(params.max_blob_count),
        blob_base_cost: BLOB_BASE_COST,
        ..params
    }
}
