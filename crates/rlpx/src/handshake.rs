//! The handshake: two packets, sealed with ECIES, that agree on the secrets of the frames.
//!
//! ```text
//! initiator  auth: signature, public key, nonce  ──►  recipient
//!            ◄──  ack: ephemeral public key, nonce
//! ```
//! Source: devp2p `rlpx.md`, "Initial Handshake", and EIP-8. A recipient also answers the plain
//! packets from before EIP-8, which some light clients still send.

use alloy_rlp::{Decodable as _, Encodable as _, Header};
use keccak::Keccak256;
use rand::{CryptoRng, RngExt as _};
use zeroize::Zeroizing;

use crate::{
    ecies,
    error::HandshakeError,
    frame::{FrameCodec, Secrets},
    keys::{NodeId, NodeKey, SIGNATURE},
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

type Nonce = [u8; 32];

/// How far a packet is: a length that is still to come, or what was made of it.
#[derive(Debug)]
pub enum Progress<T> {
    /// At least this many bytes are missing. Ask again when they are there.
    Need(usize),
    /// The packet was complete.
    Complete(T),
}

/// An initiator that has sent its auth packet.
#[derive(Debug)]
pub struct Dialing {
    key: NodeKey,
    ephemeral: NodeKey,
    remote: NodeId,
    nonce: Nonce,
    auth: Vec<u8>,
}

/// A finished handshake: the peer has proven its key.
#[derive(Debug)]
pub struct Established {
    /// The peer's key.
    pub remote: NodeId,
    /// The cipher of what follows.
    pub codec: FrameCodec,
}

/// What a recipient made of an auth packet.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub established: Established,
    /// The ack packet, to be sent before anything else.
    pub reply: Vec<u8>,
    /// Bytes of the input that the auth packet took.
    pub consumed: usize,
}

/// Begins a connection to `remote`: the auth packet to send, and the state that awaits the ack.
///
/// # Errors
/// None that a peer could cause; a failure of the key agreement.
pub fn dial(
    key: &NodeKey,
    remote: &NodeId,
    rng: &mut impl CryptoRng,
) -> Result<(Dialing, Vec<u8>), HandshakeError> {
    let ephemeral = NodeKey::random(rng);
    let mut nonce = Nonce::default();
    rng.fill_bytes(&mut nonce);
    let token = key.agree(remote).map_err(|_| HandshakeError::NotOnCurve)?;
    let signature = ephemeral.sign(&xor(&token, &nonce));
    let body = list(&[&signature, key.id().as_bytes(), &nonce]);
    let auth = seal_sized(remote, body, rng)?;
    let dialing =
        Dialing { key: key.clone(), ephemeral, remote: *remote, nonce, auth: auth.clone() };
    Ok((dialing, auth))
}

impl Dialing {
    /// How many bytes of `input` the ack at its front takes, once all of them are there.
    ///
    /// # Errors
    /// A length out of bounds.
    pub fn ack_length(&self, input: &[u8]) -> Result<Progress<usize>, HandshakeError> {
        sized_length(input)
    }

    /// Opens the ack, which is what [`Self::ack_length`] measured and nothing more.
    ///
    /// # Errors
    /// Any of [`HandshakeError`].
    pub fn open_ack(self, packet: &[u8]) -> Result<Established, HandshakeError> {
        let plain = open_sized(&self.key, packet)?;
        let mut fields = list_items(&plain)?;
        let ephemeral = public_key(fixed(&mut fields)?)?;
        let nonce: Nonce = fixed(&mut fields)?;
        u64::decode(&mut fields).map_err(|_| HandshakeError::Malformed)?;
        let agreed = self.ephemeral.agree(&ephemeral).map_err(|_| HandshakeError::NotOnCurve)?;
        let derived = Derived::new(&agreed, &self.nonce, &nonce);
        let secrets = Secrets {
            egress: derived.running(&nonce, &self.auth),
            ingress: derived.running(&self.nonce, packet),
            aes: *derived.aes,
            mac: *derived.mac,
        };
        Ok(Established { remote: self.remote, codec: FrameCodec::new(&secrets) })
    }
}

/// Answers the auth packet at the front of `input`.
///
/// Keeps no state until the packet is complete: call again with the same bytes and more.
///
/// # Errors
/// Any of [`HandshakeError`].
pub fn accept(
    key: &NodeKey,
    input: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Progress<Accepted>, HandshakeError> {
    let (plain_format, length) = match auth_length(input)? {
        Progress::Need(missing) => return Ok(Progress::Need(missing)),
        Progress::Complete(found) => found,
    };
    let packet = input.get(..length).ok_or(HandshakeError::TooShort)?;
    let auth = if plain_format { Auth::open_plain(key, packet) } else { Auth::open(key, packet) }?;
    let ephemeral = NodeKey::random(rng);
    let mut nonce = Nonce::default();
    rng.fill_bytes(&mut nonce);
    let reply = if plain_format {
        let mut body = Vec::with_capacity(97);
        body.extend_from_slice(ephemeral.id().as_bytes());
        body.extend_from_slice(&nonce);
        body.push(0);
        let mut reply = Vec::new();
        ecies::seal(&auth.remote, &body, &[], rng, &mut reply)?;
        reply
    } else {
        seal_sized(&auth.remote, list(&[ephemeral.id().as_bytes(), &nonce]), rng)?
    };
    let secrets = auth.secrets(&ephemeral, &nonce, packet, &reply)?;
    let established = Established { remote: auth.remote, codec: FrameCodec::new(&secrets) };
    Ok(Progress::Complete(Accepted { established, reply, consumed: length }))
}

/// True and 307 for a packet from before EIP-8, false and the whole length for a newer one.
///
/// A plain packet begins with a point of the curve, and a length prefix and random bytes are
/// none but with negligible chance: that settles which it is with neither guessing nor a trial
/// decryption that a slow sender could make us repeat.
fn auth_length(input: &[u8]) -> Result<Progress<(bool, usize)>, HandshakeError> {
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
fn sized_length(input: &[u8]) -> Result<Progress<usize>, HandshakeError> {
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

/// What an auth packet proves.
struct Auth {
    remote: NodeId,
    ephemeral: NodeId,
    nonce: Nonce,
}

impl Auth {
    fn open(key: &NodeKey, packet: &[u8]) -> Result<Self, HandshakeError> {
        let plain = open_sized(key, packet)?;
        let mut fields = list_items(&plain)?;
        let signature = fixed(&mut fields)?;
        let remote = public_key(fixed(&mut fields)?)?;
        let nonce = fixed(&mut fields)?;
        u64::decode(&mut fields).map_err(|_| HandshakeError::Malformed)?;
        Self::verify(key, &signature, remote, nonce)
    }

    /// `signature 65 | hash of the ephemeral key 32 | public key 64 | nonce 32 | 0`.
    fn open_plain(key: &NodeKey, packet: &[u8]) -> Result<Self, HandshakeError> {
        let plain = ecies::open(key, packet, &[])?;
        let (signature, rest) = split(&plain)?;
        let (hash, rest) = split::<32>(rest)?;
        let (remote, rest) = split(rest)?;
        let (nonce, _) = split(rest)?;
        let auth = Self::verify(key, signature, public_key(*remote)?, *nonce)?;
        if auth.ephemeral.hash() == *hash { Ok(auth) } else { Err(HandshakeError::BadSignature) }
    }

    /// The ephemeral key is the one that signed the static agreement, XORed with the nonce.
    fn verify(
        key: &NodeKey,
        signature: &[u8; SIGNATURE],
        remote: NodeId,
        nonce: Nonce,
    ) -> Result<Self, HandshakeError> {
        let token = key.agree(&remote).map_err(|_| HandshakeError::NotOnCurve)?;
        let ephemeral = NodeId::recover(&xor(&token, &nonce), signature)
            .map_err(|_| HandshakeError::BadSignature)?;
        Ok(Self { remote, ephemeral, nonce })
    }

    /// The secrets of the recipient, whose ack `reply` carries `ephemeral` and `nonce`.
    fn secrets(
        &self,
        ephemeral: &NodeKey,
        nonce: &Nonce,
        packet: &[u8],
        reply: &[u8],
    ) -> Result<Secrets, HandshakeError> {
        let agreed = ephemeral.agree(&self.ephemeral).map_err(|_| HandshakeError::NotOnCurve)?;
        let derived = Derived::new(&agreed, &self.nonce, nonce);
        Ok(Secrets {
            egress: derived.running(&self.nonce, reply),
            ingress: derived.running(nonce, packet),
            aes: *derived.aes,
            mac: *derived.mac,
        })
    }
}

/// The two keys that follow from the ephemeral agreement and the nonces.
struct Derived {
    aes: Zeroizing<[u8; 32]>,
    mac: Zeroizing<[u8; 32]>,
}

impl Derived {
    fn new(agreed: &[u8; 32], initiator: &Nonce, recipient: &Nonce) -> Self {
        let pair = |second: &[u8; 32]| Zeroizing::new(hash(&[agreed, second]));
        let shared = pair(&hash(&[recipient, initiator]));
        let aes = pair(&shared);
        let mac = pair(&aes);
        Self { aes, mac }
    }

    /// The running hash of one direction: seeded by the nonce of the side that reads, and by
    /// the handshake packet that went that way.
    fn running(&self, reader: &Nonce, packet: &[u8]) -> Keccak256 {
        let mut running = Keccak256::new();
        running.update(&*Zeroizing::new(xor(&self.mac, reader)));
        running.update(packet);
        running
    }
}

/// Seals a list with padding behind it (EIP-8), the length in front.
fn seal_sized(
    recipient: &NodeId,
    mut body: Vec<u8>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HandshakeError> {
    // EIP-8 asks for at least 100 bytes of a random number, to tell the packets apart from
    // those before it.
    body.resize(body.len() + rng.random_range(100..=200), 0);
    let size = u16::try_from(body.len() + ecies::OVERHEAD)
        .map_err(|_| HandshakeError::TooLong(body.len()))?;
    let prefix = size.to_be_bytes();
    let mut packet = prefix.to_vec();
    ecies::seal(recipient, &body, &prefix, rng, &mut packet)?;
    Ok(packet)
}

/// Opens a packet whose length is in front, and authenticated.
fn open_sized(key: &NodeKey, packet: &[u8]) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
    let (prefix, sealed) = split::<PREFIX>(packet)?;
    ecies::open(key, sealed, prefix)
}

/// The RLP list of byte strings and of the handshake version.
fn list(items: &[&[u8]]) -> Vec<u8> {
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
fn list_items(mut plain: &[u8]) -> Result<&[u8], HandshakeError> {
    Header::decode_bytes(&mut plain, true).map_err(|_| HandshakeError::Malformed)
}

fn fixed<const N: usize>(fields: &mut &[u8]) -> Result<[u8; N], HandshakeError> {
    <[u8; N]>::decode(fields).map_err(|_| HandshakeError::Malformed)
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), HandshakeError> {
    bytes.split_first_chunk().ok_or(HandshakeError::Malformed)
}

fn public_key(bytes: [u8; 64]) -> Result<NodeId, HandshakeError> {
    NodeId::from_bytes(&bytes).map_err(|_| HandshakeError::NotOnCurve)
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut sponge = Keccak256::new();
    for part in parts {
        sponge.update(part);
    }
    sponge.finalize()
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut result = *a;
    for (byte, other) in result.iter_mut().zip(b) {
        *byte ^= other;
    }
    result
}
