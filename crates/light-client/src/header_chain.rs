//! A chain of headers, each checked on the one before it.

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use consensus::clique::{CliqueError, ExtraError, Snapshot};
use consensus::ethash::{Caches, EthashError};
use consensus::{ChainSpec, Engine, HeaderError, Parent, check_header};

use crate::error::Mistrust;
use crate::header::SealedHeader;

/// What of a seal is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealCheck {
    /// Signatures and turns of Clique, work of ethash.
    Full,
    /// Nothing. For development chains that are made without work.
    None,
}

/// Why a header does not continue the chain.
#[derive(Debug, thiserror::Error)]
pub enum HeaderFault {
    /// It is no header.
    #[error(transparent)]
    Malformed(#[from] Mistrust),
    /// It breaks a rule of the chain.
    #[error("header {number} ({hash}) breaks a rule: {error}")]
    Rule {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: B256,
        /// The rule.
        error: Box<HeaderError>,
    },
    /// Its Clique seal is wrong.
    #[error("header {number} ({hash}) is not sealed by the rules of Clique: {error}")]
    Clique {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: B256,
        /// What is wrong.
        error: Box<CliqueError>,
    },
    /// Its ethash seal is wrong.
    #[error("header {number} ({hash}) lacks its proof of work: {error}")]
    Ethash {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: B256,
        /// What is wrong.
        error: EthashError,
    },
}

/// The newest header of a chain that is checked from its genesis on.
///
/// Checked are parent links, numbers, every field that the rules determine, and the seal. Not
/// checked: bodies and states, which only a full node can, and the attestations of proof of
/// stake, which are not in the headers: see [`HeaderChain::merged_from`].
#[derive(Debug)]
pub struct HeaderChain {
    spec: ChainSpec,
    tip: SealedHeader,
    total_difficulty: U256,
    seals: Seals,
    merged_from: Option<u64>,
}

#[derive(Debug)]
enum Seals {
    Unchecked,
    Clique(Box<Snapshot>),
    Ethash(Caches),
}

impl HeaderChain {
    /// The chain that begins with this genesis header, which `spec` is made of.
    ///
    /// # Errors
    /// A Clique genesis without a list of signers.
    pub fn new(spec: ChainSpec, genesis: Header, check: SealCheck) -> Result<Self, ExtraError> {
        let seals = match (check, spec.engine()) {
            (SealCheck::None, _) => Seals::Unchecked,
            (SealCheck::Full, Engine::Clique(config)) => {
                Seals::Clique(Box::new(Snapshot::trusted(config, &genesis)?))
            }
            (SealCheck::Full, Engine::Ethash) => Seals::Ethash(Caches::default()),
        };
        let total_difficulty = genesis.difficulty;
        let tip = SealedHeader { hash: spec.genesis_hash(), header: genesis };
        Ok(Self { spec, tip, total_difficulty, seals, merged_from: None })
    }

    /// Checks the next header and makes it the newest.
    ///
    /// # Errors
    /// The first thing that is wrong with it; the chain is unchanged then.
    pub fn extend(&mut self, encoded: &[u8]) -> Result<(), HeaderFault> {
        let next = SealedHeader::decode(encoded)?;
        let (number, hash) = (next.header.number, next.hash);
        let total_difficulty = self.total_difficulty;
        let parent = Parent { header: &self.tip.header, hash: self.tip.hash, total_difficulty };
        check_header(&self.spec, &next.header, &parent).map_err(|error| HeaderFault::Rule {
            number,
            hash,
            error: Box::new(error),
        })?;
        if self.spec.merged_after(total_difficulty) {
            self.merged_from.get_or_insert(number);
        } else {
            self.check_seal(&next)?;
        }
        // The rules bound each difficulty; no chain comes near the largest sum.
        self.total_difficulty = total_difficulty.saturating_add(next.header.difficulty);
        self.tip = next;
        Ok(())
    }

    fn check_seal(&mut self, next: &SealedHeader) -> Result<(), HeaderFault> {
        let (number, hash) = (next.header.number, next.hash);
        match &mut self.seals {
            Seals::Unchecked => Ok(()),
            Seals::Clique(snapshot) => snapshot
                .apply(&next.header)
                .map(drop)
                .map_err(|error| HeaderFault::Clique { number, hash, error: Box::new(error) }),
            Seals::Ethash(caches) => caches
                .verify(&next.header)
                .map_err(|error| HeaderFault::Ethash { number, hash, error }),
        }
    }

    /// The newest header.
    pub const fn tip(&self) -> &SealedHeader {
        &self.tip
    }

    /// Sum of all difficulties up to the newest header.
    pub const fn total_difficulty(&self) -> U256 {
        self.total_difficulty
    }

    /// The rules of the chain.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The first proof-of-stake block. From there on headers prove that they follow each other,
    /// not that the validators chose them.
    pub const fn merged_from(&self) -> Option<u64> {
        self.merged_from
    }
}
