//! Seals: who made a block, and whether he was allowed to.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use consensus::{
    ChainSpec, CliqueConfig, Engine,
    clique::{CliqueError, Snapshot as Signers},
    ethash,
};

use super::{
    Block, Refusal,
    ancestry::{Ancestry, header},
};
use crate::{BackendError, Snapshot};

/// Sets of Clique signers that are kept: one per recent block, so that side chains of this depth
/// need no walk back. A set of 100 signers takes about 10 KiB.
const KEPT_SIGNERS: usize = 64;

/// What is kept to check seals: ethash caches and sets of Clique signers.
#[derive(Debug, Default)]
pub struct SealCaches {
    ethash: ethash::Caches,
    /// Whether proof of work is taken for done.
    fake_pow: bool,
    /// After a block: who may sign the next. By number and hash.
    signers: BTreeMap<(u64, B256), Signers>,
}

impl SealCaches {
    /// Empty. With `fake_pow` ethash seals are not looked at, as with go-ethereum's `--fakepow`;
    /// every other rule holds.
    #[must_use]
    pub fn new(fake_pow: bool) -> Self {
        Self { fake_pow, ..Self::default() }
    }

    /// Checks the seals of a block and its uncles. Returns whom fees and reward go to.
    pub(super) fn check(
        &mut self,
        spec: &ChainSpec,
        ancestry: &Ancestry<'_>,
        block: &Block,
    ) -> Result<Address, Refusal> {
        if spec.position(&block.header).merged {
            return Ok(block.header.beneficiary);
        }
        match spec.engine() {
            Engine::Ethash => {
                if !self.fake_pow {
                    for header in std::iter::once(&block.header).chain(&block.uncles) {
                        self.ethash.verify(header)?;
                    }
                }
                Ok(block.header.beneficiary)
            }
            Engine::Clique(config) => {
                let mut signers = self.signers_after(config, ancestry)?;
                let signer = signers.apply(&block.header)?;
                self.keep(signers);
                Ok(signer)
            }
        }
    }

    /// Who may sign the child of the ancestry's parent, and who did of late.
    pub(crate) fn signers_after(
        &self,
        config: CliqueConfig,
        ancestry: &Ancestry<'_>,
    ) -> Result<Signers, Refusal> {
        let mut newer: Vec<B256> = Vec::new();
        let mut at = ancestry.parent_header()?;
        let mut hash = ancestry.parent_hash();
        let mut signers = loop {
            if let Some(kept) = self.signers.get(&(at.number, hash)) {
                break kept.clone();
            }
            if let Some(trusted) = trusted(config, &at, newer.len())? {
                break trusted;
            }
            newer.push(hash);
            hash = at.parent_hash;
            at = stored(ancestry.snapshot, &hash)?;
        };
        for hash in newer.iter().rev() {
            signers.apply(&stored(ancestry.snapshot, hash)?)?;
        }
        Ok(signers)
    }

    /// Keeps who may sign after a block.
    ///
    /// Drops what is farthest from the new entry when there are too many: an old side chain must
    /// not lose its newest set at once.
    pub(crate) fn keep(&mut self, signers: Signers) {
        let key = (signers.number(), signers.hash());
        self.signers.insert(key, signers);
        while self.signers.len() > KEPT_SIGNERS {
            if self.signers.first_key_value().is_some_and(|(first, _)| *first == key) {
                self.signers.pop_last();
            } else {
                self.signers.pop_first();
            }
        }
    }
}

/// The signers that an epoch block lists, if it is far enough back that whoever signed before it
/// may sign again.
fn trusted(
    config: CliqueConfig,
    header: &Header,
    newer: usize,
) -> Result<Option<Signers>, Refusal> {
    if header.number.checked_rem(config.epoch) != Some(0) && header.number != 0 {
        return Ok(None);
    }
    let signers = Signers::trusted(config, header).map_err(CliqueError::from)?;
    let enough = header.number == 0 || newer > signers.signers().len();
    Ok(enough.then_some(signers))
}

fn stored(snapshot: &dyn Snapshot, hash: &B256) -> Result<Header, BackendError> {
    header(snapshot, hash)?.ok_or(BackendError::UnknownBlock(*hash))
}
