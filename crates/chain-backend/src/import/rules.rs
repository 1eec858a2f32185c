//! What the chain's configuration says about executing a block.

use alloy_consensus::Header;
use consensus::{ChainSpec, Engine, Fork};

use crate::ExecutionRules;

/// Wei in one ether.
const ETHER: u128 = 1_000_000_000_000_000_000;

/// The rules for a block. The header decides by its difficulty whether it is a proof-of-stake
/// block: that must be checked against its parent's total difficulty before execution.
#[must_use]
pub fn rules_at(spec: &ChainSpec, header: &Header) -> ExecutionRules {
    let position = spec.position(header);
    let fork = spec.fork_at(position);
    ExecutionRules {
        fork,
        chain_id: spec.chain_id(),
        dao_drain: spec.dao_drain_block() == Some(header.number),
        block_reward: match spec.engine() {
            _ if position.merged => 0,
            Engine::Ethash => block_reward(fork),
            Engine::Clique(_) => 0,
        },
        blobs: spec.blob_params(position),
        deposit_contract: Some(spec.deposit_contract()),
    }
}

/// Yellow Paper, section 11.3; EIP-649, EIP-1234.
const fn block_reward(fork: Fork) -> u128 {
    match fork {
        Fork::Frontier
        | Fork::Homestead
        | Fork::Dao
        | Fork::TangerineWhistle
        | Fork::Eip155
        | Fork::SpuriousDragon => 5 * ETHER,
        Fork::Byzantium => 3 * ETHER,
        Fork::Constantinople
        | Fork::Petersburg
        | Fork::Istanbul
        | Fork::MuirGlacier
        | Fork::Berlin
        | Fork::London
        | Fork::ArrowGlacier
        | Fork::GrayGlacier
        | Fork::MergeNetsplit => 2 * ETHER,
        Fork::Paris
        | Fork::Shanghai
        | Fork::Cancun
        | Fork::Prague
        | Fork::Osaka
        | Fork::Bpo1
        | Fork::Bpo2
        | Fork::Bpo3
        | Fork::Bpo4
        | Fork::Bpo5 => 0,
    }
}
