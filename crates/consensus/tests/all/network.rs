//! The networks that official tests name.

use alloy_primitives::U256;
use consensus::{Activation, ChainConfig, Fork};

/// The rules of a named network; `None` if lesd does not know it.
pub(crate) fn config(network: &str) -> Option<ChainConfig> {
    let Some((from, rest)) = network.split_once("To") else {
        return Some(ChainConfig::active_from_start(1, fork(network)?));
    };
    let (to, at) = rest.split_once("At")?;
    let (from, to) = (fork(from)?, fork(to)?);
    let mut config = ChainConfig::active_from_start(1, from);
    if let Some(difficulty) = at.strip_prefix("Diff") {
        config.terminal_total_difficulty = U256::from_str_radix(difficulty, 16).ok();
        return Some(config);
    }
    let time = at.strip_prefix("Time").and_then(|time| time.strip_suffix('k'));
    let start = match time {
        Some(thousands) => Activation::Time(thousands.parse::<u64>().ok()? * 1000),
        None => Activation::Block(at.parse().ok()?),
    };
    let whole = ChainConfig::active_from_start(1, to);
    for fork in whole.forks.into_keys().filter(|fork| *fork > from) {
        config.forks.insert(fork, start);
    }
    if to == Fork::Dao {
        config.forks.insert(Fork::Dao, start);
        config.dao_fork_support = true;
    }
    Some(config)
}

fn fork(name: &str) -> Option<Fork> {
    Some(match name {
        "Frontier" => Fork::Frontier,
        "Homestead" => Fork::Homestead,
        "Dao" => Fork::Dao,
        "EIP150" => Fork::TangerineWhistle,
        "EIP158" => Fork::SpuriousDragon,
        "Byzantium" => Fork::Byzantium,
        // "Constantinople" without the fix is refused.
        "ConstantinopleFix" => Fork::Petersburg,
        "Istanbul" => Fork::Istanbul,
        "Berlin" => Fork::Berlin,
        "London" => Fork::London,
        "ArrowGlacier" => Fork::ArrowGlacier,
        "GrayGlacier" => Fork::GrayGlacier,
        "Paris" | "Merge" => Fork::Paris,
        "Shanghai" => Fork::Shanghai,
        "Cancun" => Fork::Cancun,
        "Prague" => Fork::Prague,
        "Osaka" => Fork::Osaka,
        _ => return None,
    })
}
