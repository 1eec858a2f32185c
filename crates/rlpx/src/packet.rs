//! The handshake packets as bytes: how long one is, and what is in it.
//!
//! ```text
//! EIP-8      length 2 | sealed: list of fields, padding
//! before it  sealed: fields
//! ```

use alloy_rlp::{Decodable as _, Encodable as _, Header};
use rand::{CryptoRng, RngExt as _};
use zeroize::Zeroizing;

use crate::{
    ecies,
    error::HandshakeError,
    keys::{NodeId, NodeKey},
};

/// Bytes of a handshake packet at most, the length in front not counted. EIP-8 packets are of
/// some 400 bytes with up to 300 of padding; 2,048 is go-ethereum's limit.
pub const HANDSHAKE_LIMIT: usize = 2048;

/// Bytes of the auth packet before EIP-8.
const PLAIN_AUTH: usize = 194 + ecies::OVERHEAD;

/// Version that we announce in auth and ack.
const VERSION: u8 = 4;

/// Bytes of the length in front of an EIP-8 packet.
const PREFIX: usize = 2;

/// How far a packet is: a length that is still to come, or what was made of it.
#[derive(Debug)]
pub enum Progress<T> {
    /// At least this many bytes are missing. Ask again when they are there.
    Need(usize),
    /// The packet was complete.
    Complete(T),
}

/// True and 307 for a packet from before EIP-8, false and the whole length for a newer one.
///
/// A plain packet begins with a point of the curve, and a length prefix and random bytes are
/// none but with negligible chance: that settles which it is with neither guessing nor a trial
/// decryption that a slow sender could make us repeat.
pub(crate) fn auth_length(input: &[u8]) -> Result<Progress<(bool, usize)>, HandshakeError> {
    if input.first() == Some(&4) {
        let Some(point) = input.first_chunk::<{ ecies::POINT }>() else {
            return Ok(Progress::Need(ecies::POINT - input.len()));
        };
        if ecies::ephemeral_point(point).is_ok() {
            return Ok(match PLAIN_AUTH.checked_sub(input.len()) {
                Some(missing @ 1..) => Progress::Need(missing),
                _ => Progress::Complete((true, PLAIN_AUTH)),
            });
        }
    }
    Ok(match sized_length(input)? {
        Progress::Need(missing) => Progress::Need(missing),
        Progress::Complete(length) => Progress::Complete((false, length)),
    })
}

/// The whole length of the EIP-8 packet at the front of `input`.
pub(crate) fn sized_length(input: &[u8]) -> Result<Progress<usize>, HandshakeError> {
    let Some(prefix) = input.first_chunk::<PREFIX>() else {
        return Ok(Progress::Need(PREFIX - input.len()));
    };
    let size = usize::from(u16::from_be_bytes(*prefix));
    if size <= ecies::OVERHEAD {
        return Err(HandshakeError::TooShort);
    }
    if size > HANDSHAKE_LIMIT {
        return Err(HandshakeError::TooLong(size));
    }
    Ok(match (PREFIX + size).checked_sub(input.len()) {
        Some(missing @ 1..) => Progress::Need(missing),
        _ => Progress::Complete(PREFIX + size),
    })
}

/// Seals a list with padding behind it (EIP-8), the length in front.
pub(crate) fn seal_sized(
    recipient: &NodeId,
    mut body: Vec<u8>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HandshakeError> {
    // EIP-8 asks for at least 100 bytes of a random number, to tell the packets apart from
    // those before it.
    body.resize(body.len() + rng.random_range(100..=200), 0);
    seal_body(recipient, &body, rng)
}

/// Seals `body` as it is, the length in front.
pub(crate) fn seal_body(
    recipient: &NodeId,
    body: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HandshakeError> {
    let size = u16::try_from(body.len() + ecies::OVERHEAD)
        .map_err(|_| HandshakeError::TooLong(body.len()))?;
    let prefix = size.to_be_bytes();
    let mut packet = prefix.to_vec();
    ecies::seal(recipient, body, &prefix, rng, &mut packet)?;
    Ok(packet)
}

/// Opens a packet whose length is in front, and authenticated.
pub(crate) fn open_sized(
    key: &NodeKey,
    packet: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
    let (prefix, sealed) = split::<PREFIX>(packet)?;
    ecies::open(key, sealed, prefix)
}

/// The RLP list of byte strings and of the handshake version.
pub(crate) fn list(items: &[&[u8]]) -> Vec<u8> {
    let payload_length = items.iter().map(|item| item.length()).sum::<usize>() + VERSION.length();
    let mut out = Vec::with_capacity(payload_length + 3 + 200);
    Header { list: true, payload_length }.encode(&mut out);
    for item in items {
        item.encode(&mut out);
    }
    VERSION.encode(&mut out);
    out
}

/// The items of the list at the front; further items and the padding are ignored (EIP-8).
pub(crate) fn list_items(mut plain: &[u8]) -> Result<&[u8], HandshakeError> {
    Header::decode_bytes(&mut plain, true).map_err(|_| HandshakeError::Malformed)
}

pub(crate) fn fixed<const N: usize>(fields: &mut &[u8]) -> Result<[u8; N], HandshakeError> {
    <[u8; N]>::decode(fields).map_err(|_| HandshakeError::Malformed)
}

pub(crate) fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), HandshakeError> {
    bytes.split_first_chunk().ok_or(HandshakeError::Malformed)
}

pub(crate) fn public_key(bytes: [u8; 64]) -> Result<NodeId, HandshakeError> {
    NodeId::from_bytes(&bytes).map_err(|_| HandshakeError::NotOnCurve)
}
