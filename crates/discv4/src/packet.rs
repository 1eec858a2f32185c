//! Packets: `keccak(rest) ‖ signature ‖ type ‖ RLP` (devp2p `discv4.md`, "Wire Protocol").

use std::net::{IpAddr, SocketAddr};

use alloy_rlp::{Decodable, Encodable, Header, RlpEncodable};
use rlpx::{NodeId, NodeKey};

/// Largest packet (`discv4.md`, "Wire Protocol").
pub const MAX_PACKET: usize = 1280;

const HASH: usize = 32;
const SIGNATURE: usize = 65;
const HEAD: usize = HASH + SIGNATURE + 1;

/// Why a datagram is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Over 1280 bytes or under the fixed head.
    #[error("a packet of impossible size")]
    Size,
    /// The first 32 bytes are not the hash of the rest.
    #[error("wrong packet hash")]
    Hash,
    /// No key could have made the signature.
    #[error("bad signature")]
    Signature,
    /// The content is not what its type says.
    #[error("malformed content")]
    Content,
}

impl From<alloy_rlp::Error> for PacketError {
    fn from(_: alloy_rlp::Error) -> Self {
        Self::Content
    }
}

/// Where a node says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address; `None` if it was empty or of an odd length.
    pub address: Option<IpAddr>,
    /// UDP port.
    pub udp: u16,
    /// TCP port.
    pub tcp: u16,
}

impl Endpoint {
    /// The endpoint of a socket address, with a TCP port of its own.
    pub fn new(udp: SocketAddr, tcp: u16) -> Self {
        Self { address: Some(udp.ip()), udp: udp.port(), tcp }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, PacketError> {
        let mut fields = Header::decode_bytes(bytes, true)?;
        let raw = Header::decode_bytes(&mut fields, false)?;
        let address = match raw.len() {
            4 => <[u8; 4]>::try_from(raw).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(raw).ok().map(IpAddr::from),
            _ => None,
        };
        // Further elements are ignored, as everywhere in discovery (EIP-8).
        Ok(Self { address, udp: u16::decode(&mut fields)?, tcp: u16::decode(&mut fields)? })
    }
}

impl Encodable for Endpoint {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        let mut payload = Vec::with_capacity(24);
        match self.address {
            Some(IpAddr::V4(address)) => address.octets().encode(&mut payload),
            Some(IpAddr::V6(address)) => address.octets().encode(&mut payload),
            None => payload.push(alloy_rlp::EMPTY_STRING_CODE),
        }
        self.udp.encode(&mut payload);
        self.tcp.encode(&mut payload);
        Header { list: true, payload_length: payload.len() }.encode(out);
        out.put_slice(&payload);
    }
}

/// Content of a Ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable)]
pub struct Ping {
    /// Always 4.
    pub version: u8,
    /// Sender.
    pub from: Endpoint,
    /// Recipient as the sender sees it.
    pub to: Endpoint,
    /// Unix seconds after which it is void.
    pub expiration: u64,
    /// Sequence number of the sender's record.
    pub record_sequence: u64,
}

/// A packet, as far as an answering node needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// "Are you there?"
    Ping {
        /// Unix seconds after which it is void.
        expiration: u64,
    },
    /// "I am", with the hash of the ping.
    Pong {
        /// Hash of the ping that is answered.
        ping: [u8; HASH],
        /// Unix seconds after which it is void.
        expiration: u64,
    },
    /// "Who is near that key?" Not answered.
    FindNode,
    /// Somebody's answer to a question that we did not ask.
    Neighbours,
    /// "Your record, please."
    RecordRequest {
        /// Unix seconds after which it is void.
        expiration: u64,
    },
    /// Somebody's record, that we did not ask for.
    RecordResponse,
}

impl Packet {
    const PING: u8 = 1;
    const PONG: u8 = 2;
    const FIND_NODE: u8 = 3;
    const NEIGHBOURS: u8 = 4;
    const RECORD_REQUEST: u8 = 5;
    const RECORD_RESPONSE: u8 = 6;

    /// The sender, the packet's hash and its content.
    ///
    /// # Errors
    /// If the size, hash, signature or content is wrong. Additional list elements and bytes behind
    /// the content are ignored (EIP-8).
    pub fn decode(datagram: &[u8]) -> Result<(NodeId, [u8; HASH], Self), PacketError> {
        if datagram.len() > MAX_PACKET {
            return Err(PacketError::Size);
        }
        let (hash, signed) = datagram.split_first_chunk::<HASH>().ok_or(PacketError::Size)?;
        if keccak::keccak256(signed) != *hash {
            return Err(PacketError::Hash);
        }
        let (signature, typed) =
            signed.split_first_chunk::<SIGNATURE>().ok_or(PacketError::Size)?;
        let (&kind, content) = typed.split_first().ok_or(PacketError::Size)?;
        let sender = NodeId::recover(&keccak::keccak256(typed), signature)
            .map_err(|_| PacketError::Signature)?;
        Ok((sender, *hash, Self::content(kind, content)?))
    }

    fn content(kind: u8, mut content: &[u8]) -> Result<Self, PacketError> {
        let mut fields = Header::decode_bytes(&mut content, true)?;
        Ok(match kind {
            Self::PING => {
                u64::decode(&mut fields)?;
                Endpoint::decode(&mut fields)?;
                Endpoint::decode(&mut fields)?;
                Self::Ping { expiration: u64::decode(&mut fields)? }
            }
            Self::PONG => {
                Endpoint::decode(&mut fields)?;
                let ping = <[u8; HASH]>::decode(&mut fields)?;
                Self::Pong { ping, expiration: u64::decode(&mut fields)? }
            }
            Self::FIND_NODE => Self::FindNode,
            Self::NEIGHBOURS => Self::Neighbours,
            Self::RECORD_REQUEST => Self::RecordRequest { expiration: u64::decode(&mut fields)? },
            Self::RECORD_RESPONSE => Self::RecordResponse,
            _ => return Err(PacketError::Content),
        })
    }
}

/// A signed Ping and its hash.
pub(crate) fn ping(key: &NodeKey, ping: &Ping) -> (Vec<u8>, [u8; HASH]) {
    seal(key, Packet::PING, |out| ping.encode(out))
}

/// A signed Pong.
pub(crate) fn pong(
    key: &NodeKey,
    to: Endpoint,
    ping: [u8; HASH],
    expiration: u64,
    record_sequence: u64,
) -> Vec<u8> {
    #[derive(RlpEncodable)]
    struct Pong {
        to: Endpoint,
        ping: [u8; HASH],
        expiration: u64,
        record_sequence: u64,
    }
    let pong = Pong { to, ping, expiration, record_sequence };
    seal(key, Packet::PONG, |out| pong.encode(out)).0
}

/// A signed ENRResponse around an already encoded record.
pub(crate) fn record_response(key: &NodeKey, request: [u8; HASH], record: &[u8]) -> Vec<u8> {
    seal(key, Packet::RECORD_RESPONSE, |out| {
        Header { list: true, payload_length: request.length() + record.len() }.encode(out);
        request.encode(out);
        out.extend_from_slice(record);
    })
    .0
}

fn seal(key: &NodeKey, kind: u8, content: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, [u8; HASH]) {
    let mut typed = vec![kind];
    content(&mut typed);
    let signature = key.sign(&keccak::keccak256(&typed));
    let mut hasher = keccak::Keccak256::new();
    hasher.update(&signature);
    hasher.update(&typed);
    let hash = hasher.finalize();
    let mut datagram = Vec::with_capacity(HEAD + typed.len());
    datagram.extend_from_slice(&hash);
    datagram.extend_from_slice(&signature);
    datagram.extend_from_slice(&typed);
    (datagram, hash)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    pub(crate) fn sealed(key: &NodeKey, kind: u8, content: &[u8]) -> Vec<u8> {
        seal(key, kind, |out| out.extend_from_slice(content)).0
    }

    /// EIP-8, "Rationale and test vectors": packets of future versions that must be understood.
    #[test]
    fn packets_of_eip_8_are_understood() {
        let ping_with_more = include_str!("../../../fixtures/discv4/eip8-ping-more-elements.hex");
        let ping_of_555 = include_str!("../../../fixtures/discv4/eip8-ping-version-555.hex");
        let pong = include_str!("../../../fixtures/discv4/eip8-pong.hex");
        let find_node = include_str!("../../../fixtures/discv4/eip8-findnode.hex");
        let neighbours = include_str!("../../../fixtures/discv4/eip8-neighbours.hex");
        let sender = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138\
                      7574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f";
        for (vector, matches) in [
            (ping_with_more, (|p| matches!(p, Packet::Ping { .. })) as fn(Packet) -> bool),
            (ping_of_555, |p| matches!(p, Packet::Ping { .. })),
            (pong, |p| matches!(p, Packet::Pong { .. })),
            (find_node, |p| p == Packet::FindNode),
            (neighbours, |p| p == Packet::Neighbours),
        ] {
            let (id, _, packet) = Packet::decode(&unhex(vector)).unwrap();
            assert!(matches(packet), "{packet:?}");
            assert_eq!(id.as_bytes().to_vec(), unhex(sender));
        }
    }

    #[test]
    fn a_flipped_bit_is_refused() {
        let vector = unhex(include_str!("../../../fixtures/discv4/eip8-pong.hex"));
        for at in 0..vector.len() {
            let mut flipped = vector.clone();
            flipped[at] ^= 1;
            assert!(Packet::decode(&flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_recovery_id_and_odd_address_is_survived() {
        let key = NodeKey::from_bytes(&[7; 32]).unwrap();
        for last in 0..=255 {
            let mut typed = vec![Packet::RECORD_REQUEST];
            Header { list: true, payload_length: 1 }.encode(&mut typed);
            typed.push(1);
            let mut signature = key.sign(&keccak::keccak256(&typed));
            signature[64] = last;
            let rest = [&signature[..], &typed].concat();
            let datagram = [&keccak::keccak256(&rest)[..], &rest].concat();
            let decoded = Packet::decode(&datagram);
            assert!(decoded.is_ok() || decoded == Err(PacketError::Signature), "{last}");
        }
        for length in [0, 3, 5, 15, 17] {
            let mut encoded = Vec::new();
            Header { list: true, payload_length: vec![9u8; length].as_slice().length() + 2 }
                .encode(&mut encoded);
            vec![9u8; length].as_slice().encode(&mut encoded);
            encoded.extend_from_slice(&[1, 1]);
            assert_eq!(Endpoint::decode(&mut &encoded[..]).unwrap().address, None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..1400)) {
            let _ = Packet::decode(&bytes);
        }

        #[test]
        fn any_content_under_a_right_hash_is_survived(
            content in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let key = NodeKey::from_bytes(&[7; 32]).unwrap();
            for kind in 0..8 {
                let (datagram, _) = seal(&key, kind, |out| out.extend_from_slice(&content));
                let _ = Packet::decode(&datagram);
            }
        }
    }
}
