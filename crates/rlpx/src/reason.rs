//! Why a connection is closed.

use core::fmt;

use alloy_rlp::{Decodable as _, Header};

/// The reason in a Disconnect message (devp2p `rlpx.md`, "Disconnect (0x01)").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// 0x00: the peer asked for it.
    Requested,
    /// 0x01: the transport failed.
    TransportError,
    /// 0x02: a message broke the protocol.
    ProtocolBreach,
    /// 0x03: nothing in common.
    UselessPeer,
    /// 0x04: no place left.
    TooManyPeers,
    /// 0x05: there is a connection to this node already.
    AlreadyConnected,
    /// 0x06: p2p version not supported.
    IncompatibleVersion,
    /// 0x07: Hello without a node id.
    NullIdentity,
    /// 0x08: the client is shutting down.
    ClientQuitting,
    /// 0x09: not the node that was dialled.
    UnexpectedIdentity,
    /// 0x0a: we have connected to ourselves.
    ConnectedToSelf,
    /// 0x0b: no answer to a ping.
    PingTimeout,
    /// 0x10: a reason of the protocol above.
    SubprotocolError,
    /// A number that no specification names.
    Unknown(u64),
    /// What the peer sent is no number at all.
    Unreadable,
}

impl Reason {
    /// Every reason with a number of its own, in the order of the numbers.
    pub const NAMED: [Self; 13] = [
        Self::Requested,
        Self::TransportError,
        Self::ProtocolBreach,
        Self::UselessPeer,
        Self::TooManyPeers,
        Self::AlreadyConnected,
        Self::IncompatibleVersion,
        Self::NullIdentity,
        Self::ClientQuitting,
        Self::UnexpectedIdentity,
        Self::ConnectedToSelf,
        Self::PingTimeout,
        Self::SubprotocolError,
    ];

    /// The number on the wire; what has none is sent as a subprotocol error.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Requested => 0x00,
            Self::TransportError => 0x01,
            Self::ProtocolBreach => 0x02,
            Self::UselessPeer => 0x03,
            Self::TooManyPeers => 0x04,
            Self::AlreadyConnected => 0x05,
            Self::IncompatibleVersion => 0x06,
            Self::NullIdentity => 0x07,
            Self::ClientQuitting => 0x08,
            Self::UnexpectedIdentity => 0x09,
            Self::ConnectedToSelf => 0x0a,
            Self::PingTimeout => 0x0b,
            Self::SubprotocolError | Self::Unreadable => 0x10,
            Self::Unknown(code) => code,
        }
    }

    /// The reason of a number.
    #[must_use]
    pub fn from_code(code: u64) -> Self {
        let named = Self::NAMED.into_iter().find(|reason| reason.code() == code);
        named.unwrap_or(Self::Unknown(code))
    }

    /// The body of a Disconnect: a list of the number.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(10);
        alloy_rlp::encode_list::<_, u64>(&[self.code()], &mut body);
        body
    }

    /// Reads the body of a Disconnect: a bare number, or a list that begins with one.
    ///
    /// `None` if it is neither, which may mean that it is compressed.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        // A zero byte is no canonical zero, but some clients send it.
        if body == [0] {
            return Some(Self::Requested);
        }
        let mut rest = body;
        if body.first().is_some_and(|first| *first >= EMPTY_LIST) {
            let mut items = Header::decode_bytes(&mut rest, true).ok()?;
            let code = u64::decode(&mut items).ok()?;
            return rest.is_empty().then(|| Self::from_code(code));
        }
        let code = u64::decode(&mut rest).ok()?;
        rest.is_empty().then(|| Self::from_code(code))
    }
}

/// First byte of an empty RLP list; lists begin with it or a higher one.
const EMPTY_LIST: u8 = 0xc0;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "disconnect requested",
            Self::TransportError => "transport error",
            Self::ProtocolBreach => "breach of protocol",
            Self::UselessPeer => "useless peer",
            Self::TooManyPeers => "too many peers",
            Self::AlreadyConnected => "already connected",
            Self::IncompatibleVersion => "incompatible p2p version",
            Self::NullIdentity => "null node identity",
            Self::ClientQuitting => "client quitting",
            Self::UnexpectedIdentity => "unexpected identity",
            Self::ConnectedToSelf => "connected to self",
            Self::PingTimeout => "ping timeout",
            Self::SubprotocolError => "subprotocol error",
            Self::Unknown(code) => return write!(f, "unknown reason {code:#x}"),
            Self::Unreadable => "unreadable reason",
        })
    }
}
