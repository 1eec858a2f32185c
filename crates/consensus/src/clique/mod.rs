//! Proof of authority (EIP-225): who may sign the next block, and who signed this one.
//!
//! [`Snapshot`] is the state of the vote after a block; [`Snapshot::apply`] checks the next
//! header's seal against it and moves on. A snapshot is a plain value: whoever imports side
//! chains keeps some of them by block hash.

mod extra;
mod seal;
mod snapshot;

use alloy_consensus::Header;
use alloy_primitives::{Address, B64, B256, U256};

pub(crate) use self::extra::genesis_signers;
pub use self::extra::{ExtraError, SEAL, VANITY, unsealed_extra};
pub use self::seal::{seal_hash, sign, signer};
pub use self::snapshot::Snapshot;

use self::extra::Extra;
use crate::genesis::CliqueConfig;
use crate::header::check_no_uncles;
use crate::header_error::HeaderError;

/// Difficulty of a block by the signer whose turn it is.
pub const IN_TURN: U256 = U256::from_limbs([2, 0, 0, 0]);
/// Difficulty of a block by any other signer.
pub const OUT_OF_TURN: U256 = U256::from_limbs([1, 0, 0, 0]);
/// Nonce of a vote for a new signer.
pub const VOTE_IN: B64 = B64::new([0xff; 8]);
/// Nonce of a vote against a signer, and of a block without a vote.
pub const VOTE_OUT: B64 = B64::ZERO;

/// Why a Clique header's seal is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum CliqueError {
    #[error("extraData: {0}")]
    Extra(#[from] ExtraError),
    #[error("seal: no key can have made this signature")]
    Signature,
    #[error("the secret key is not a number between 1 and the order of secp256k1")]
    SecretKey,
    #[error("block {number} ({parent}) does not follow the snapshot of block {at} ({hash})")]
    NotNext { number: u64, parent: B256, at: u64, hash: B256 },
    #[error("seal: {signer} is not a signer at block {number}")]
    NotSigner { signer: Address, number: u64 },
    #[error("seal: {signer} signed block {last} and may not sign before block {next}")]
    SignedRecently { signer: Address, last: u64, next: u64 },
    #[error("difficulty: expected {expected} by the turn of {signer}, found {found}")]
    Turn { signer: Address, expected: U256, found: U256 },
    #[error("nonce: a vote is 0x0000000000000000 or 0xffffffffffffffff, found {0}")]
    Vote(B64),
    #[error("extraData: the signers of this epoch are {expected:?}, found {found:?}")]
    EpochSigners { expected: Vec<Address>, found: Vec<Address> },
}

/// The fields of a Clique header that do not depend on the vote.
pub(crate) fn check_fields(
    config: CliqueConfig,
    header: &Header,
    parent: &Header,
) -> Result<(), HeaderError> {
    let least = parent.timestamp.saturating_add(config.period);
    if header.timestamp < least {
        return Err(HeaderError::Timestamp { least, found: header.timestamp });
    }
    let epoch = is_epoch(config, header.number);
    let extra = Extra::parse(&header.extra_data).map_err(HeaderError::CliqueExtra)?;
    if !epoch && !extra.signers.is_empty() {
        let bytes = extra.signers.as_flattened().len();
        return Err(HeaderError::CliqueExtra(ExtraError::SignersOutsideEpoch { bytes }));
    }
    if header.nonce != VOTE_IN && header.nonce != VOTE_OUT {
        return Err(HeaderError::CliqueNonce { found: header.nonce });
    }
    if epoch && header.nonce != VOTE_OUT {
        return Err(HeaderError::Nonce { expected: VOTE_OUT, found: header.nonce });
    }
    if epoch && !header.beneficiary.is_zero() {
        return Err(HeaderError::CliqueCandidate { found: header.beneficiary });
    }
    if !header.mix_hash.is_zero() {
        return Err(HeaderError::MixHash { expected: B256::ZERO, found: header.mix_hash });
    }
    if header.difficulty != IN_TURN && header.difficulty != OUT_OF_TURN {
        return Err(HeaderError::CliqueDifficulty { found: header.difficulty });
    }
    check_no_uncles(header)
}

/// Whether the block of this number drops all votes and lists the signers.
const fn is_epoch(config: CliqueConfig, number: u64) -> bool {
    match number.checked_rem(config.epoch) {
        Some(rest) => rest == 0,
        None => false,
    }
}
