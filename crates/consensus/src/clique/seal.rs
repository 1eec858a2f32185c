//! The signature in a Clique header.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, keccak256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SecretKey};

use super::CliqueError;
use super::extra::{Extra, ExtraError, SEAL, VANITY};

/// What a signer signs: Keccak-256 of the header without the seal (EIP-225).
///
/// # Errors
/// [`ExtraError::TooShort`].
pub fn seal_hash(header: &Header) -> Result<B256, ExtraError> {
    let found = header.extra_data.len();
    let too_short = ExtraError::TooShort { least: VANITY + SEAL, found };
    let signed = found.checked_sub(SEAL).filter(|signed| *signed >= VANITY).ok_or(too_short)?;
    let unsealed = Header { extra_data: header.extra_data.slice(..signed), ..header.clone() };
    Ok(unsealed.hash_slow())
}

/// The account that signed `header`.
///
/// # Errors
/// [`CliqueError::Extra`], or [`CliqueError::Signature`] if no key can have made the seal.
pub fn signer(header: &Header) -> Result<Address, CliqueError> {
    let [signature @ .., recovery_id] = Extra::parse(&header.extra_data)?.seal;
    let message = Message::from_digest(seal_hash(header)?.0);
    let key = RecoveryId::try_from(i32::from(*recovery_id))
        .and_then(|id| RecoverableSignature::from_compact(signature, id))
        .and_then(|signature| signature.recover_ecdsa(message))
        .map_err(|_| CliqueError::Signature)?;
    let [_, point @ ..] = key.serialize_uncompressed();
    let [_, _, _, _, _, _, _, _, _, _, _, _, address @ ..] = keccak256(point).0;
    Ok(Address::new(address))
}

/// Signs `header` in place: the last 65 bytes of its extra data become the seal.
///
/// # Errors
/// [`CliqueError::Extra`] if there is no room, [`CliqueError::SecretKey`] if `secret_key` is not
/// a key of secp256k1.
pub fn sign(header: &mut Header, secret_key: &B256) -> Result<(), CliqueError> {
    let message = Message::from_digest(seal_hash(header)?.0);
    let key = SecretKey::from_secret_bytes(secret_key.0).map_err(|_| CliqueError::SecretKey)?;
    let (id, signature) =
        RecoverableSignature::sign_ecdsa_recoverable(message, &key).serialize_compact();
    let signed = header.extra_data.len().saturating_sub(SEAL);
    let mut extra = header.extra_data.slice(..signed).to_vec();
    extra.extend(signature);
    extra.push(id.to_u8());
    header.extra_data = extra.into();
    Ok(())
}
