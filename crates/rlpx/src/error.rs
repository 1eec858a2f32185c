//! What a peer, or a caller, did wrong.

use crate::reason::Reason;

/// Why a handshake packet was refused.
///
/// For counting and for logs only: the peer must not learn which it was. Close without a byte
/// in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The packet says, or is, shorter than any sealed packet.
    #[error("handshake packet too short")]
    TooShort,
    /// The packet says that it is longer than [`crate::HANDSHAKE_LIMIT`].
    #[error("handshake packet of {0} bytes")]
    TooLong(usize),
    /// The key it is sealed with, or a key inside, is no point of the curve.
    #[error("public key not on the curve")]
    NotOnCurve,
    /// The authentication tag does not match: another recipient, or altered on the way.
    #[error("handshake packet fails authentication")]
    WrongTag,
    /// What was sealed is not the list, or not the fixed fields, that the packet must hold.
    #[error("malformed handshake packet")]
    Malformed,
    /// The signature yields no key, or not the announced one.
    #[error("handshake signature is wrong")]
    BadSignature,
}

/// What a peer did wrong once frames flow. The session cannot go on after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The tag of a frame header does not match.
    #[error("frame header fails authentication")]
    WrongHeaderTag,
    /// The tag of a frame body does not match.
    #[error("frame body fails authentication")]
    WrongBodyTag,
    /// A frame without a message.
    #[error("empty frame")]
    EmptyFrame,
    /// A frame longer than the limit of its stage.
    #[error("frame of {length} bytes, limit {limit}")]
    FrameTooLong {
        /// Bytes that the header announces.
        length: usize,
        /// Bytes allowed here.
        limit: usize,
    },
    /// The message id is no canonical RLP integer.
    #[error("malformed message id")]
    BadMessageId,
    /// The message id belongs to no shared capability.
    #[error("message id {0} belongs to no shared capability")]
    UnknownMessage(u64),
    /// The body is not what the snappy format allows, or not of the declared length.
    #[error("malformed snappy body")]
    BadSnappy,
    /// The body declares more bytes than the limit, or more than it can hold.
    #[error("message of {length} bytes, limit {limit}")]
    MessageTooLong {
        /// Bytes that the body declares.
        length: usize,
        /// Bytes allowed here.
        limit: usize,
    },
    /// The first message is neither Hello nor Disconnect.
    #[error("message {0} instead of Hello")]
    HelloExpected(u64),
    /// Hello is not the list that it must be.
    #[error("malformed Hello")]
    BadHello,
    /// Hello names another key than the one that made the handshake.
    #[error("Hello names another node than the handshake")]
    UnexpectedIdentity,
    /// Both sides offer nothing in common.
    #[error("no shared capability")]
    NothingShared,
    /// A second Hello.
    #[error("a second Hello")]
    HelloTwice,
    /// More pings than [`crate::PONG_LIMIT`] while our answers wait to be sent.
    #[error("pings while {} pongs wait to be sent", crate::PONG_LIMIT)]
    PingFlood,
}

impl Fault {
    /// The reason to give in the Disconnect that answers the fault.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NothingShared => Reason::UselessPeer,
            Self::UnexpectedIdentity => Reason::UnexpectedIdentity,
            Self::WrongHeaderTag
            | Self::WrongBodyTag
            | Self::EmptyFrame
            | Self::FrameTooLong { .. }
            | Self::BadMessageId
            | Self::UnknownMessage(_)
            | Self::BadSnappy
            | Self::MessageTooLong { .. }
            | Self::HelloExpected(_)
            | Self::BadHello
            | Self::HelloTwice
            | Self::PingFlood => Reason::ProtocolBreach,
        }
    }
}

/// Why a message of ours cannot be sent. Nothing was appended, and the session can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The frame would be longer than its 24-bit length can say.
    #[error("message of {0} bytes does not fit in a frame")]
    TooLong(usize),
    /// The session has no such shared capability, or the capability no such message.
    #[error("message {code} of shared capability {capability} does not exist")]
    UnknownMessage {
        /// Index into [`crate::Session::shared`].
        capability: usize,
        /// Message code within it.
        code: u64,
    },
    /// [`crate::Payload::Elements`] that are no snappy of the declared length, for a peer that
    /// must be sent the plain bytes.
    #[error("stored snappy elements do not decompress")]
    BadElements,
}
