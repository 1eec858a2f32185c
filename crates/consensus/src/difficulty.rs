//! Difficulty of a proof-of-work block, exact for every fork.
//!
//! Yellow Paper 4.4.4; EIP-2 (Homestead), EIP-100 (Byzantium), and the delays of the "ice age"
//! by EIP-649, 1234, 2384, 3554, 4345 and 5133.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::U256;

use crate::fork::Fork;
use crate::spec::{ChainSpec, Position};

/// Difficulty never falls below this (Yellow Paper, `D_0`).
const MINIMUM: U256 = U256::from_limbs([131_072, 0, 0, 0]);
/// One step of adjustment is this part of the parent's difficulty.
const STEP_DIVISOR: U256 = U256::from_limbs([2048, 0, 0, 0]);
/// Blocks after which the ice age doubles its part of the difficulty.
const ICE_AGE_PERIOD: u64 = 100_000;
/// Most steps that difficulty falls in one block.
const MOST_STEPS_DOWN: u64 = 99;

/// How far block times move the difficulty.
#[derive(Clone, Copy)]
enum Adjustment {
    /// One step up below 13 seconds, else one step down.
    Frontier,
    /// 1 step up, less one for each 10 seconds (EIP-2).
    Homestead,
    /// 1 step up, 2 after a block with uncles, less one for each 9 seconds (EIP-100).
    Byzantium,
}

impl ChainSpec {
    /// The difficulty that a proof-of-work block of this timestamp must have on `parent`.
    #[must_use]
    pub fn next_difficulty(&self, parent: &Header, timestamp: u64) -> U256 {
        let number = parent.number.saturating_add(1);
        let position = Position { number, timestamp, merged: false };
        let (adjustment, delay) = self.difficulty_rules(position);
        let elapsed = timestamp.saturating_sub(parent.timestamp);
        let adjusted = adjustment.apply(parent, elapsed).max(MINIMUM);
        let icy = adjusted.saturating_add(ice_age(number.saturating_sub(delay)));
        icy.max(MINIMUM)
    }

    /// The adjustment, and the blocks by which the ice age is set back.
    fn difficulty_rules(&self, position: Position) -> (Adjustment, u64) {
        const DELAYS: [(Fork, u64); 6] = [
            (Fork::GrayGlacier, 11_400_000),
            (Fork::ArrowGlacier, 10_700_000),
            (Fork::London, 9_700_000),
            (Fork::MuirGlacier, 9_000_000),
            (Fork::Constantinople, 5_000_000),
            (Fork::Byzantium, 3_000_000),
        ];
        let active = |(fork, _): &&(Fork, u64)| self.is_active(*fork, position);
        match DELAYS.iter().find(active) {
            Some((_, delay)) => (Adjustment::Byzantium, *delay),
            None if self.is_active(Fork::Homestead, position) => (Adjustment::Homestead, 0),
            None => (Adjustment::Frontier, 0),
        }
    }
}

impl Adjustment {
    /// The parent's difficulty after `elapsed` seconds, before bounds and ice age.
    fn apply(self, parent: &Header, elapsed: u64) -> U256 {
        let (up, down) = match self {
            Self::Frontier => (1, if elapsed < 13 { 0 } else { 2 }),
            Self::Homestead => (1, elapsed / 10),
            Self::Byzantium => {
                let up = if parent.ommers_hash == EMPTY_OMMER_ROOT_HASH { 1 } else { 2 };
                (up, elapsed / 9)
            }
        };
        let step = parent.difficulty / STEP_DIVISOR;
        match down.checked_sub(up) {
            Some(down) => {
                let down = U256::from(down.min(MOST_STEPS_DOWN));
                parent.difficulty.saturating_sub(step.saturating_mul(down))
            }
            None => parent.difficulty.saturating_add(step.saturating_mul(U256::from(up - down))),
        }
    }
}

/// Difficulty that the ice age adds at this (set back) block number.
fn ice_age(number: u64) -> U256 {
    match (number / ICE_AGE_PERIOD).checked_sub(2) {
        None => U256::ZERO,
        // From 2^256 on no block can be found anyway.
        Some(exponent) => usize::try_from(exponent)
            .ok()
            .and_then(|exponent| U256::ONE.checked_shl(exponent))
            .unwrap_or(U256::MAX),
    }
}
