//! RLPx: the encrypted connection between Ethereum nodes, and the p2p session on it.
//!
//! Bytes in, bytes out: no socket, clock, task or lock, and no buffer kept per peer. Randomness
//! is an argument. It knows nothing of the protocols that it carries, LES among them.
//!
//! A connection is a chain of types, each of which is used up by the next:
//!
//! ```text
//! dial ──► Dialing ──► Established ──► Greeting ──► Session
//! accept ────────────►
//! ```
//!
//! Source: <https://github.com/ethereum/devp2p/blob/master/rlpx.md>, EIP-8, EIP-706.

#![forbid(unsafe_code)]

mod base;
mod ecies;
mod enode;
mod error;
mod frame;
mod greeting;
mod handshake;
mod hello;
mod hex;
mod keys;
mod packet;
mod reason;
mod session;
mod snappy;

pub use base::{BASE_MESSAGE_LIMIT, PONG_LIMIT};
pub use enode::{Enode, Host, InvalidEnode};
pub use error::{Fault, HandshakeError, WriteError};
pub use frame::{FRAME_LIMIT, FrameCodec, HEADER, Secrets, body_span};
pub use greeting::{Greeted, Greeting, GreetingEvent};
pub use handshake::{Accepted, Dialing, Established, accept, dial};
pub use hello::{BASE_LENGTH, Capability, Hello, Name, Offer, P2P_VERSION, Shared, share};
pub use keys::{InvalidKey, NodeId, NodeKey, SIGNATURE};
pub use packet::{HANDSHAKE_LIMIT, Progress};
pub use reason::Reason;
pub use session::{Event, Payload, Read, Session};
pub use snappy::Workspace;

/// What fuzz targets need to get past the authentication.
#[cfg(fuzzing)]
pub mod fuzzing {
    use rand::CryptoRng;

    use crate::{HandshakeError, NodeId};

    /// A handshake packet that is sealed to `recipient` and holds `body`, whatever that is.
    ///
    /// # Errors
    /// A body that no length in front can say.
    pub fn seal_packet(
        recipient: &NodeId,
        body: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, HandshakeError> {
        crate::packet::seal_body(recipient, body, rng)
    }
}
