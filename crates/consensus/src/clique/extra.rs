//! The extra data of a Clique header: vanity, signers at an epoch, seal.

use alloy_primitives::{Address, Bytes};

/// Bytes that a signer fills as it likes.
pub const VANITY: usize = 32;
/// Bytes of the signature: r, s and the recovery bit, 0 to 3.
pub const SEAL: usize = 65;
/// Bytes of one signer.
const SIGNER: usize = Address::len_bytes();

/// Extra data that is not laid out as EIP-225 says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what the fields are")]
pub enum ExtraError {
    #[error("at least {least} bytes (32 of vanity, 65 of seal), found {found}")]
    TooShort { least: usize, found: usize },
    #[error("the signers take {bytes} bytes, not a multiple of 20")]
    SignersCut { bytes: usize },
    #[error("no signer between vanity and seal")]
    NoSigners,
    #[error(
        "signers are listed in an epoch block only, found {bytes} bytes between vanity and seal"
    )]
    SignersOutsideEpoch { bytes: usize },
}

/// The parts of extra data.
pub(super) struct Extra<'a> {
    pub(super) signers: &'a [[u8; SIGNER]],
    pub(super) seal: &'a [u8; SEAL],
}

impl<'a> Extra<'a> {
    pub(super) fn parse(extra: &'a [u8]) -> Result<Self, ExtraError> {
        let too_short = ExtraError::TooShort { least: VANITY + SEAL, found: extra.len() };
        let (_, rest) = extra.split_at_checked(VANITY).ok_or(too_short)?;
        let (signers, seal) = rest.split_last_chunk::<SEAL>().ok_or(too_short)?;
        match signers.as_chunks::<SIGNER>() {
            (signers, []) => Ok(Self { signers, seal }),
            (_, _) => Err(ExtraError::SignersCut { bytes: signers.len() }),
        }
    }

    pub(super) fn signers(&self) -> impl Iterator<Item = Address> + use<'a> {
        self.signers.iter().map(|bytes| Address::new(*bytes))
    }
}

/// The signers that an epoch block lists, rising and each once.
pub(crate) fn genesis_signers(extra: &[u8]) -> Result<Vec<Address>, ExtraError> {
    let mut signers: Vec<Address> = Extra::parse(extra)?.signers().collect();
    signers.sort_unstable();
    signers.dedup();
    if signers.is_empty() { Err(ExtraError::NoSigners) } else { Ok(signers) }
}

/// Extra data with vanity and seal of zeros, and these signers between them: what an epoch block
/// or a genesis file needs. Sealing fills the rest.
#[must_use]
pub fn unsealed_extra(signers: &[Address]) -> Bytes {
    let mut extra = vec![0; VANITY];
    extra.extend(signers.iter().flatten());
    extra.extend([0; SEAL]);
    extra.into()
}
