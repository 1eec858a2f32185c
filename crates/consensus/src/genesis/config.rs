//! The `config` object of a genesis file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::{Address, U256};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::blob_schedule::{BlobScheduleSeed, BlobTarget};
use super::json::{address, at, boolean, hash, next_key, number, object, quantity, scalar};
use crate::fork::{Activation, Fork, Schedule};

/// A chain's rules as its operator wrote them; [`ChainSpec`](crate::ChainSpec) is the checked form.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChainConfig {
    /// Chain identifier in signed transactions (EIP-155).
    pub chain_id: u64,
    /// When each fork begins. Frontier and Paris have no entry.
    pub forks: BTreeMap<Fork, Activation>,
    /// Whether the chain follows the DAO fork at `daoForkBlock` or opposes it.
    pub dao_fork_support: bool,
    /// Total difficulty from which on the next block is a proof-of-stake block (EIP-3675).
    pub terminal_total_difficulty: Option<U256>,
    /// Says that the chain has passed that difficulty. Kept, and of no effect.
    pub terminal_total_difficulty_passed: bool,
    /// Present on a proof-of-authority chain (EIP-225).
    pub clique: Option<CliqueConfig>,
    /// Whether `ethash` is named; it is also the engine of a chain that names none.
    pub ethash: bool,
    /// Blob parameters by the fork that sets them (EIP-7840).
    pub blob_schedule: BTreeMap<Fork, BlobTarget>,
    /// Contract whose logs are deposit requests (EIP-6110), if not the mainnet's.
    pub deposit_contract: Option<Address>,
}

/// Parameters of a Clique chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CliqueConfig {
    /// Least seconds between two blocks.
    pub period: u64,
    /// Blocks after which votes are dropped and the signers are listed in the header.
    pub epoch: u64,
}

impl ChainConfig {
    /// A chain on which every fork up to `newest` is active from its first block: a starting
    /// point for development chains and tests. The DAO fork, the network split of the merge and
    /// forks that only set blob parameters are left out.
    #[must_use]
    pub fn active_from_start(chain_id: u64, newest: Fork) -> Self {
        let active = |fork: &Fork| *fork <= newest;
        let forks = Fork::ALL.into_iter().filter(active).filter_map(|fork| match fork.schedule() {
            Schedule::Block { .. } if fork == Fork::Dao || fork == Fork::MergeNetsplit => None,
            Schedule::Block { .. } => Some((fork, Activation::Block(0))),
            Schedule::Time { optional: false } => Some((fork, Activation::Time(0))),
            Schedule::Time { optional: true } | Schedule::Implied => None,
        });
        Self {
            chain_id,
            forks: forks.collect(),
            terminal_total_difficulty: active(&Fork::Paris).then_some(U256::ZERO),
            ..Self::default()
        }
    }
}

/// Blocks of a Clique epoch where the configuration says 0 (EIP-225, `EPOCH_LENGTH`).
const DEFAULT_EPOCH: u64 = 30_000;

/// Fields that look right and are not, and what to do about them.
const REFUSED: [(&str, &str); 6] = [
    ("shanghaiBlock", "Shanghai begins at a time: use `shanghaiTime`"),
    ("cancunBlock", "Cancun begins at a time: use `cancunTime`"),
    ("ewasmBlock", "this fork was never specified: remove the field"),
    ("amsterdamTime", "this fork is not supported: remove the field"),
    ("verkleTime", "this fork is not supported: remove the field"),
    ("enableVerkleAtGenesis", "Verkle trees are not supported: remove the field"),
];

/// Reads the `config` object.
pub(super) struct ConfigSeed;

impl<'de> DeserializeSeed<'de> for ConfigSeed {
    type Value = ChainConfig;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ChainConfig, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ConfigSeed {
    type Value = ChainConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the chain configuration, an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChainConfig, A::Error> {
        let mut config = ChainConfig::default();
        let (mut chain_id, mut support, mut passed) = (None, None, None);
        let (mut ethash, mut clique, mut blobs) = (None, None, None);
        let (mut eip150_hash, mut dev, mut seen) = (None, None, BTreeSet::new());
        while let Some(key) = next_key(&mut map)? {
            match key.to_ascii_lowercase().as_str() {
                "chainid" => scalar(&mut map, &key, &mut chain_id, number)?,
                "daoforksupport" => scalar(&mut map, &key, &mut support, boolean)?,
                // Once guarded a checkpoint of the mainnet; no rule depends on it.
                "eip150hash" => scalar(&mut map, &key, &mut eip150_hash, hash)?,
                "terminaltotaldifficulty" => {
                    scalar(&mut map, &key, &mut config.terminal_total_difficulty, quantity)?;
                }
                "terminaltotaldifficultypassed" => scalar(&mut map, &key, &mut passed, boolean)?,
                "depositcontractaddress" => {
                    scalar(&mut map, &key, &mut config.deposit_contract, address)?;
                }
                "ethash" => object(&mut map, &key, &mut ethash, EngineSeed)?,
                "clique" => object(&mut map, &key, &mut clique, EngineSeed)?,
                "blobschedule" => object(&mut map, &key, &mut blobs, BlobScheduleSeed)?,
                // How go-ethereum marks a development chain; its rules are those of its forks.
                "isdev" => scalar(&mut map, &key, &mut dev, boolean)?,
                _ => fork_field(&mut map, &key, &mut seen, &mut config.forks)?,
            }
        }
        let Some(chain_id) = chain_id else {
            return Err(at("chainId", "missing"));
        };
        if let Some(Some(
            EngineFields { period: Some(_), .. } | EngineFields { epoch: Some(_), .. },
        )) = ethash
        {
            return Err(at("ethash", "has no fields of its own"));
        }
        config.chain_id = chain_id;
        config.dao_fork_support = support.unwrap_or_default();
        config.terminal_total_difficulty_passed = passed.unwrap_or_default();
        config.ethash = ethash.flatten().is_some();
        config.blob_schedule = blobs.unwrap_or_default();
        config.clique = clique.flatten().map(|fields| CliqueConfig {
            period: fields.period.unwrap_or_default(),
            epoch: fields.epoch.filter(|epoch| *epoch != 0).unwrap_or(DEFAULT_EPOCH),
        });
        Ok(config)
    }
}

/// Reads the field of a fork, or says why there is none of that name.
fn fork_field<'de, A: MapAccess<'de>>(
    map: &mut A,
    name: &str,
    seen: &mut BTreeSet<Fork>,
    forks: &mut BTreeMap<Fork, Activation>,
) -> Result<(), A::Error> {
    let activation: fn(u64) -> Activation;
    let found = Fork::ALL.into_iter().find(|fork| fork.field().eq_ignore_ascii_case(name));
    let fork = match found.map(|fork| (fork, fork.schedule())) {
        Some((fork, Schedule::Block { .. })) => {
            activation = Activation::Block;
            fork
        }
        Some((fork, Schedule::Time { .. })) => {
            activation = Activation::Time;
            fork
        }
        Some((_, Schedule::Implied)) | None => {
            let advice = REFUSED.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
            return Err(at(name, advice.map_or("unknown field", |(_, advice)| advice)));
        }
    };
    let mut value = None;
    scalar(map, name, &mut value, number)?;
    if !seen.insert(fork) {
        return Err(at(name, "given twice"));
    }
    if let Some(value) = value {
        forks.insert(fork, activation(value));
    }
    Ok(())
}

/// The fields of `clique`; `ethash` has none.
#[derive(Default)]
struct EngineFields {
    period: Option<u64>,
    epoch: Option<u64>,
}

struct EngineSeed;

impl<'de> DeserializeSeed<'de> for EngineSeed {
    type Value = Option<EngineFields>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EngineSeed {
    type Value = Option<EngineFields>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = EngineFields::default();
        while let Some(key) = next_key(&mut map)? {
            match key.to_ascii_lowercase().as_str() {
                "period" => scalar(&mut map, &key, &mut fields.period, number)?,
                "epoch" => scalar(&mut map, &key, &mut fields.epoch, number)?,
                _ => return Err(at(&key, "unknown field")),
            }
        }
        Ok(Some(fields))
    }
}
