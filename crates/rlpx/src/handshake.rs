//! The handshake: two packets, sealed with ECIES, that agree on the secrets of the frames.
//!
//! ```text
//! initiator  auth: signature, public key, nonce  ──►  recipient
//!            ◄──  ack: ephemeral public key, nonce
//! ```
//! Source: devp2p `rlpx.md`, "Initial Handshake", and EIP-8. A recipient also answers the plain
//! packets from before EIP-8, which some light clients still send.

use alloy_rlp::Decodable as _;
use keccak::Keccak256;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    ecies,
    error::HandshakeError,
    frame::{FrameCodec, Secrets},
    keys::{NodeId, NodeKey, SIGNATURE},
    packet::{
        Progress, auth_length, fixed, list, list_items, open_sized, public_key, seal_sized,
        sized_length, split,
    },
};

type Nonce = [u8; 32];

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
        let secrets = self.secrets(packet)?;
        Ok(Established { remote: self.remote, codec: FrameCodec::new(&secrets) })
    }

    fn secrets(&self, packet: &[u8]) -> Result<Secrets, HandshakeError> {
        let plain = open_sized(&self.key, packet)?;
        let mut fields = list_items(&plain)?;
        let ephemeral = public_key(fixed(&mut fields)?)?;
        let nonce: Nonce = fixed(&mut fields)?;
        u64::decode(&mut fields).map_err(|_| HandshakeError::Malformed)?;
        let agreed = self.ephemeral.agree(&ephemeral).map_err(|_| HandshakeError::NotOnCurve)?;
        let derived = Derived::new(&agreed, &self.nonce, &nonce);
        Ok(Secrets {
            egress: derived.running(&nonce, &self.auth),
            ingress: derived.running(&self.nonce, packet),
            aes: *derived.aes,
            mac: *derived.mac,
        })
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

#[cfg(test)]
mod tests;
