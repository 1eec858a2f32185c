//! ECIES: one handshake packet, sealed to a public key.
//!
//! ```text
//! ephemeral point 65 | iv 16 | AES-128-CTR ciphertext | HMAC-SHA256 32
//! ```
//! Source: devp2p `rlpx.md`, "ECIES Encryption".

use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    error::HandshakeError,
    keys::{NodeId, NodeKey},
};

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128Enc>;

/// Bytes that sealing adds.
pub(crate) const OVERHEAD: usize = POINT + IV + TAG;

/// Bytes of the ephemeral point with its tag.
pub(crate) const POINT: usize = 65;

const IV: usize = 16;
const TAG: usize = 32;

/// First byte of an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// Appends `plain` sealed to `recipient`; `bound` is authenticated with it but not sent.
pub(crate) fn seal(
    recipient: &NodeId,
    plain: &[u8],
    bound: &[u8],
    rng: &mut impl CryptoRng,
    out: &mut Vec<u8>,
) -> Result<(), HandshakeError> {
    let ephemeral = NodeKey::random(rng);
    let keys = Keys::derive(&ephemeral, recipient)?;
    let mut iv = [0; IV];
    rng.fill_bytes(&mut iv);
    out.reserve(plain.len() + OVERHEAD);
    out.push(UNCOMPRESSED);
    out.extend_from_slice(ephemeral.id().as_bytes());
    out.extend_from_slice(&iv);
    let mut cipher = plain.to_vec();
    Aes128Ctr::new(&(*keys.encryption).into(), &iv.into()).apply_keystream(&mut cipher);
    out.extend_from_slice(&cipher);
    out.extend_from_slice(&keys.authenticator(&iv, &cipher, bound)?.finalize().into_bytes());
    Ok(())
}

/// Opens a packet sealed to `key`. Nothing is decrypted unless the tag is right.
pub(crate) fn open(
    key: &NodeKey,
    packet: &[u8],
    bound: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
    // Each part is split off by its length first: a short packet ends here, before any
    // arithmetic on its length and before any work with the key.
    let (point, rest) = packet.split_first_chunk::<POINT>().ok_or(HandshakeError::TooShort)?;
    let (iv, rest) = rest.split_first_chunk::<IV>().ok_or(HandshakeError::TooShort)?;
    let (cipher, tag) = rest.split_last_chunk::<TAG>().ok_or(HandshakeError::TooShort)?;
    let keys = Keys::derive(key, &ephemeral_point(point)?)?;
    keys.authenticator(iv, cipher, bound)?
        .verify_slice(tag)
        .map_err(|_| HandshakeError::WrongTag)?;
    let mut plain = Zeroizing::new(cipher.to_vec());
    Aes128Ctr::new(&(*keys.encryption).into(), &(*iv).into()).apply_keystream(&mut plain);
    Ok(plain)
}

/// The ephemeral key in front of a packet, if it is a point of the curve.
pub(crate) fn ephemeral_point(point: &[u8; POINT]) -> Result<NodeId, HandshakeError> {
    let [UNCOMPRESSED, id @ ..] = point else { return Err(HandshakeError::NotOnCurve) };
    NodeId::from_bytes(id).map_err(|_| HandshakeError::NotOnCurve)
}

/// The two keys of one packet.
struct Keys {
    encryption: Zeroizing<[u8; 16]>,
    authentication: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Concatenation KDF (NIST SP 800-56A, 5.8.1) with SHA-256: one block is all that is needed.
    fn derive(ours: &NodeKey, theirs: &NodeId) -> Result<Self, HandshakeError> {
        let shared = ours.agree(theirs).map_err(|_| HandshakeError::NotOnCurve)?;
        let block: Zeroizing<[u8; 32]> = Zeroizing::new(
            Sha256::new().chain_update([0, 0, 0, 1]).chain_update(*shared).finalize().into(),
        );
        let mut encryption = Zeroizing::new([0; 16]);
        let (first, second) = block.split_at(encryption.len());
        encryption.copy_from_slice(first);
        let authentication = Zeroizing::new(Sha256::digest(second).into());
        Ok(Self { encryption, authentication })
    }

    fn authenticator(
        &self,
        iv: &[u8; IV],
        cipher: &[u8],
        bound: &[u8],
    ) -> Result<Hmac<Sha256>, HandshakeError> {
        let mac = Hmac::<Sha256>::new_from_slice(self.authentication.as_slice())
            .map_err(|_| HandshakeError::WrongTag)?;
        Ok(mac.chain_update(iv).chain_update(cipher).chain_update(bound))
    }
}
