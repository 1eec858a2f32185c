//! go-ethereum's `genesis.json`: chain configuration, header fields and accounts of block 0.

mod alloc;
mod blob_schedule;
mod config;
mod json;

use std::{fmt, io};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header};
use alloy_eips::eip1559::INITIAL_BASE_FEE;
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B64, B256, Bytes, U256};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

pub use self::alloc::{Alloc, GenesisAccount};
pub use self::blob_schedule::BlobTarget;
pub use self::config::{ChainConfig, CliqueConfig};
use self::json::{address, at, bytes, hash, next_key, number, object, quantity, scalar};
use crate::fork::{Activation, Fork};
use crate::spec::{ChainSpec, ConfigError};

/// A genesis file, read and not yet checked: [`Genesis::spec`] checks it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Genesis {
    /// The rules of the chain.
    pub config: ChainConfig,
    /// The accounts before block 1.
    pub alloc: Alloc,
    /// Header field.
    pub nonce: u64,
    /// Header field, seconds since 1970.
    pub timestamp: u64,
    /// Header field; the signers of a Clique chain stand in it.
    pub extra_data: Bytes,
    /// Header field.
    pub gas_limit: u64,
    /// Header field.
    pub gas_used: u64,
    /// Header field.
    pub difficulty: U256,
    /// Header field.
    pub mix_hash: B256,
    /// Header field.
    pub coinbase: Address,
    /// Header field, 0 in a usable file.
    pub number: u64,
    /// Header field, zero in a usable file.
    pub parent_hash: B256,
    /// Header field; `None` is 1 gwei where London is active.
    pub base_fee_per_gas: Option<u64>,
    /// Header field; `None` is 0 where Cancun is active.
    pub excess_blob_gas: Option<u64>,
    /// Header field; `None` is 0 where Cancun is active.
    pub blob_gas_used: Option<u64>,
}

/// Why a genesis file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The file cannot be read, is not JSON, or a field of it is not what it should be. The text
    /// names the field by its path, with line and column.
    #[error("{0}")]
    File(String),
    /// The fields contradict each other or ask for what is not supported.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Gas limit of block 0 where the file says 0 (go-ethereum, `GenesisGasLimit`).
const DEFAULT_GAS_LIMIT: u64 = 4_712_388;

impl Genesis {
    /// Reads a genesis file in one pass. Each account is held once; the file's text is not.
    ///
    /// # Errors
    /// [`GenesisError::File`].
    pub fn read(reader: impl io::Read) -> Result<Self, GenesisError> {
        serde_json::from_reader(reader).map_err(|error| file_error(&error))
    }

    /// As [`Genesis::read`], from a text in memory.
    ///
    /// # Errors
    /// [`GenesisError::File`].
    pub fn parse(json: &[u8]) -> Result<Self, GenesisError> {
        serde_json::from_slice(json).map_err(|error| file_error(&error))
    }

    /// The header of block 0 over the state of this root ([`Alloc::state_root`]).
    ///
    /// Fields of later forks appear when the fork is active in block 0, as in go-ethereum.
    #[must_use]
    pub fn header(&self, state_root: B256) -> Header {
        let active = |fork: Fork| {
            let reached = |at: &Activation| at.reached(self.number, self.timestamp);
            self.config.forks.get(&fork).is_some_and(reached)
        };
        let london = active(Fork::London);
        let shanghai = london && active(Fork::Shanghai);
        let cancun = shanghai && active(Fork::Cancun);
        let prague = cancun && active(Fork::Prague);
        Header {
            parent_hash: self.parent_hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: self.coinbase,
            state_root,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            difficulty: self.difficulty,
            number: self.number,
            gas_limit: if self.gas_limit == 0 { DEFAULT_GAS_LIMIT } else { self.gas_limit },
            gas_used: self.gas_used,
            timestamp: self.timestamp,
            extra_data: self.extra_data.clone(),
            mix_hash: self.mix_hash,
            nonce: B64::from(self.nonce),
            base_fee_per_gas: london.then(|| self.base_fee_per_gas.unwrap_or(INITIAL_BASE_FEE)),
            withdrawals_root: shanghai.then_some(EMPTY_ROOT_HASH),
            blob_gas_used: cancun.then(|| self.blob_gas_used.unwrap_or_default()),
            excess_blob_gas: cancun.then(|| self.excess_blob_gas.unwrap_or_default()),
            parent_beacon_block_root: cancun.then_some(B256::ZERO),
            requests_hash: prague.then_some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }

    /// The checked rules of the chain that begins with `header`, which is what
    /// [`Genesis::header`] gave.
    ///
    /// # Errors
    /// [`ConfigError`] names the fields that contradict each other or are not supported.
    pub fn spec(&self, header: &Header) -> Result<ChainSpec, ConfigError> {
        let only_if = |given: bool, field: &'static str, fork: Fork, active: bool| {
            if given && !active {
                Err(ConfigError::FieldBeforeFork { field, fork })
            } else {
                Ok(())
            }
        };
        let cancun = header.excess_blob_gas.is_some();
        let london = header.base_fee_per_gas.is_some();
        only_if(self.base_fee_per_gas.is_some(), "baseFeePerGas", Fork::London, london)?;
        only_if(self.excess_blob_gas.is_some(), "excessBlobGas", Fork::Cancun, cancun)?;
        only_if(self.blob_gas_used.is_some(), "blobGasUsed", Fork::Cancun, cancun)?;
        ChainSpec::new(self.config.clone(), header)
    }
}

fn file_error(error: &serde_json::Error) -> GenesisError {
    GenesisError::File(error.to_string().trim_start_matches('.').to_owned())
}

impl<'de> Deserialize<'de> for Genesis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(GenesisVisitor)
    }
}

struct GenesisVisitor;

impl<'de> Visitor<'de> for GenesisVisitor {
    type Value = Genesis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a genesis file, an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Genesis, A::Error> {
        let mut genesis = Genesis::default();
        let (mut config, mut alloc, mut difficulty) = (None, None, None);
        let (mut nonce, mut timestamp, mut extra_data) = (None, None, None);
        let (mut gas_limit, mut gas_used, mut mix_hash) = (None, None, None);
        let (mut coinbase, mut block, mut parent_hash) = (None, None, None);
        while let Some(key) = next_key(&mut map)? {
            let map = &mut map;
            match key.to_ascii_lowercase().as_str() {
                "config" => object(map, &key, &mut config, config::ConfigSeed)?,
                "alloc" => object(map, &key, &mut alloc, alloc::AllocSeed)?,
                "nonce" => scalar(map, &key, &mut nonce, number)?,
                "timestamp" => scalar(map, &key, &mut timestamp, number)?,
                "extradata" => scalar(map, &key, &mut extra_data, bytes)?,
                "gaslimit" => scalar(map, &key, &mut gas_limit, number)?,
                "gasused" => scalar(map, &key, &mut gas_used, number)?,
                "difficulty" => scalar(map, &key, &mut difficulty, quantity)?,
                "mixhash" => scalar(map, &key, &mut mix_hash, hash)?,
                "coinbase" => scalar(map, &key, &mut coinbase, address)?,
                "number" => scalar(map, &key, &mut block, number)?,
                "parenthash" => scalar(map, &key, &mut parent_hash, hash)?,
                "basefeepergas" => scalar(map, &key, &mut genesis.base_fee_per_gas, number)?,
                "excessblobgas" => scalar(map, &key, &mut genesis.excess_blob_gas, number)?,
                "blobgasused" => scalar(map, &key, &mut genesis.blob_gas_used, number)?,
                _ => return Err(at(&key, "unknown field")),
            }
        }
        let missing = |field| at::<A::Error>(field, "missing");
        Ok(Genesis {
            config: config.ok_or_else(|| missing("config"))?,
            alloc: alloc.ok_or_else(|| missing("alloc"))?,
            gas_limit: gas_limit.ok_or_else(|| missing("gasLimit"))?,
            difficulty: difficulty.ok_or_else(|| missing("difficulty"))?,
            nonce: nonce.unwrap_or_default(),
            timestamp: timestamp.unwrap_or_default(),
            extra_data: extra_data.unwrap_or_default(),
            gas_used: gas_used.unwrap_or_default(),
            mix_hash: mix_hash.unwrap_or_default(),
            coinbase: coinbase.unwrap_or_default(),
            number: block.unwrap_or_default(),
            parent_hash: parent_hash.unwrap_or_default(),
            ..genesis
        })
    }
}
