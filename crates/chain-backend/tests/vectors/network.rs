//! Names of networks: a fork from the start, or a change from one to another.

use alloy_primitives::U256;
use consensus::{Activation, BlobTarget, ChainConfig, Fork};
use serde_json::Value;

use super::json::{number, small, text};

/// The configuration of a network, or why it cannot be run.
pub(super) fn config(name: &str, test: &Value) -> Result<ChainConfig, String> {
    let given = test.get("config");
    let chain_id = given.and_then(|given| given.get("chainid")).and_then(Value::as_str);
    let chain_id = chain_id.and_then(|text| small(text).ok()).unwrap_or(1);
    let mut config = match name.split_once("To") {
        None => from_start(chain_id, fork(name)?),
        Some((from, rest)) => {
            let (to, at) =
                rest.split_once("At").ok_or_else(|| format!("network {name} is not known"))?;
            transition(chain_id, from, to, at)?
        }
    };
    let constantinople = config.forks.get(&Fork::Constantinople);
    if constantinople.is_some() && constantinople != config.forks.get(&Fork::Petersburg) {
        return Err("Constantinople without Petersburg is refused by name".into());
    }
    let schedule = given.and_then(|given| given.get("blobSchedule")).and_then(Value::as_object);
    for (key, target) in schedule.into_iter().flatten() {
        let key = key.to_lowercase();
        let fork = Fork::ALL.into_iter().find(|fork| fork.blob_schedule_key() == Some(&key));
        let Some(fork) = fork else { continue };
        config.blob_schedule.insert(fork, blob_target(target)?);
    }
    Ok(config)
}

fn blob_target(value: &Value) -> Result<BlobTarget, String> {
    let field = |key| small(text(value, key)?);
    Ok(BlobTarget {
        target: field("target")?,
        max: field("max")?,
        base_fee_update_fraction: field("baseFeeUpdateFraction")?,
    })
}

fn fork(name: &str) -> Result<Fork, String> {
    Ok(match name {
        "Frontier" => Fork::Frontier,
        "Homestead" => Fork::Homestead,
        "Dao" => Fork::Dao,
        "EIP150" => Fork::TangerineWhistle,
        "EIP158" => Fork::SpuriousDragon,
        "Byzantium" => Fork::Byzantium,
        "Constantinople" => Fork::Constantinople,
        "ConstantinopleFix" | "Petersburg" => Fork::Petersburg,
        "Istanbul" => Fork::Istanbul,
        "MuirGlacier" => Fork::MuirGlacier,
        "Berlin" => Fork::Berlin,
        "London" => Fork::London,
        "ArrowGlacier" => Fork::ArrowGlacier,
        "GrayGlacier" => Fork::GrayGlacier,
        "Merge" | "Paris" => Fork::Paris,
        "Shanghai" => Fork::Shanghai,
        "Cancun" => Fork::Cancun,
        "Prague" => Fork::Prague,
        "Osaka" => Fork::Osaka,
        "BPO1" => Fork::Bpo1,
        "BPO2" => Fork::Bpo2,
        "BPO3" => Fork::Bpo3,
        "BPO4" => Fork::Bpo4,
        "BPO5" => Fork::Bpo5,
        other => return Err(format!("the fork {other} is newer than the library")),
    })
}

/// All forks up to this one from the start, also those that change only blob parameters.
fn from_start(chain_id: u64, newest: Fork) -> ChainConfig {
    let mut config = ChainConfig::active_from_start(chain_id, newest);
    let blob_forks = Fork::ALL.into_iter().filter(|fork| *fork >= Fork::Bpo1 && *fork <= newest);
    config.forks.extend(blob_forks.map(|fork| (fork, Activation::Time(0))));
    config
}

fn transition(chain_id: u64, from: &str, to: &str, at: &str) -> Result<ChainConfig, String> {
    let (from, to) = (fork(from)?, fork(to)?);
    let mut config = from_start(chain_id, from);
    if let Some(difficulty) = at.strip_prefix("Diff") {
        config.terminal_total_difficulty = Some(number(difficulty)?);
        return Ok(config);
    }
    let activation = match at.strip_prefix("Time") {
        Some(time) => Activation::Time(seconds(time)?),
        None => Activation::Block(at.parse().map_err(|_| format!("`{at}` is no block"))?),
    };
    if matches!(activation, Activation::Time(_)) {
        config.terminal_total_difficulty = Some(U256::ZERO);
    }
    let complete = from_start(chain_id, to);
    for added in Fork::ALL.into_iter().filter(|fork| *fork > from && *fork <= to) {
        let dao = added == to && added == Fork::Dao;
        if dao || complete.forks.contains_key(&added) {
            config.forks.insert(added, activation);
        }
    }
    config.dao_fork_support = to == Fork::Dao;
    Ok(config)
}

/// `15k` is 15,000 seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.strip_suffix('k').map_or((text, 1), |digits| (digits, 1000));
    let count: u64 = digits.parse().map_err(|_| format!("`{text}` is no time"))?;
    Ok(count * unit)
}
