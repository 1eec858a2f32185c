//! Proof of work (Yellow Paper, appendix J): checking a seal with the small cache of its epoch.
//!
//! A [`Cache`] is 16 MiB and more, and slow to make; [`Caches`] makes and keeps a few. The large
//! dataset, which miners need, is never made.

mod cache;
mod hashimoto;

use std::collections::VecDeque;

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};

pub use self::cache::Cache;
pub use self::hashimoto::Work;

/// Blocks that share a cache.
pub const EPOCH_LENGTH: u64 = 30_000;

/// The newest epoch whose cache is made: 61 million blocks and 270 MiB. The mainnet merged in
/// epoch 517; a header that claims more is not worth the memory.
pub const MAX_EPOCH: u64 = 2047;

/// Why a proof-of-work seal is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum EthashError {
    #[error("mixHash: expected {expected}, found {found}")]
    MixHash { expected: B256, found: B256 },
    #[error("seal: the result {result} is above the boundary {boundary} of the difficulty")]
    NotEnoughWork { boundary: U256, result: U256 },
    #[error("difficulty: a proof-of-work block has one, found 0")]
    NoDifficulty,
    #[error("number: ethash is supported up to block {most}, found {found}")]
    TooFar { most: u64, found: u64 },
    #[error("the cache is of epoch {cache}, block {number} is not in it")]
    WrongEpoch { cache: u64, number: u64 },
}

/// What the miner hashed: Keccak-256 of the header without `mixHash` and `nonce`.
#[must_use]
pub fn seal_hash(header: &Header) -> B256 {
    hashimoto::seal_hash(header)
}

/// Number of the epoch of a block.
#[must_use]
pub const fn epoch_of(number: u64) -> u64 {
    number / EPOCH_LENGTH
}

impl Cache {
    /// Checks the seal of a header of this cache's epoch.
    ///
    /// # Errors
    /// [`EthashError`].
    pub fn verify(&self, header: &Header) -> Result<(), EthashError> {
        if epoch_of(header.number) != self.epoch() {
            let (cache, number) = (self.epoch(), header.number);
            return Err(EthashError::WrongEpoch { cache, number });
        }
        let boundary = boundary(header.difficulty).ok_or(EthashError::NoDifficulty)?;
        let work = self.work(seal_hash(header), header.nonce);
        if work.mix_hash != header.mix_hash {
            let (expected, found) = (work.mix_hash, header.mix_hash);
            return Err(EthashError::MixHash { expected, found });
        }
        let result = U256::from_be_bytes(work.result.0);
        if result > boundary {
            return Err(EthashError::NotEnoughWork { boundary, result });
        }
        Ok(())
    }
}

/// 2^256 / difficulty, the largest result that counts as work done.
fn boundary(difficulty: U256) -> Option<U256> {
    if difficulty == U256::ONE {
        return Some(U256::MAX); // 2^256 itself does not fit
    }
    // 2^256 = MAX + 1: the quotient is one more where the division of MAX leaves difficulty - 1.
    let quotient = U256::MAX.checked_div(difficulty)?;
    let rest = U256::MAX.checked_rem(difficulty)?;
    Some(if rest + U256::ONE == difficulty { quotient + U256::ONE } else { quotient })
}

/// The caches of the epochs that were asked for last.
#[derive(Debug, Default)]
pub struct Caches {
    /// Newest use last.
    kept: VecDeque<Cache>,
}

impl Caches {
    /// Caches kept at once: import walks from one epoch to the next and uncles reach back over
    /// the edge; a third serves a side chain.
    pub const KEPT: usize = 3;

    /// Checks the seal of a header, making the cache of its epoch if it is not there.
    ///
    /// # Errors
    /// [`EthashError`].
    pub fn verify(&mut self, header: &Header) -> Result<(), EthashError> {
        self.cache_of(header.number)?.verify(header)
    }

    /// The cache of the epoch of block `number`, made if it is not there.
    ///
    /// # Errors
    /// [`EthashError::TooFar`] beyond [`MAX_EPOCH`].
    pub fn cache_of(&mut self, number: u64) -> Result<&Cache, EthashError> {
        let epoch = epoch_of(number);
        let cache = match self.kept.iter().position(|cache| cache.epoch() == epoch) {
            Some(at) => self.kept.remove(at),
            None => None,
        };
        let cache = cache.or_else(|| Cache::new(epoch)).ok_or(EthashError::TooFar {
            most: (MAX_EPOCH + 1) * EPOCH_LENGTH - 1,
            found: number,
        })?;
        while self.kept.len() >= Self::KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(cache);
        self.kept.back().ok_or(EthashError::WrongEpoch { cache: epoch, number })
    }
}
