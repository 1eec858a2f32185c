//! The exchange of Hellos.

use alloy_rlp::Encodable as _;

use crate::{
    base::{BASE_MESSAGE_LIMIT, DISCONNECT, Frame, Frames, HELLO, disconnect_reason},
    error::{Fault, WriteError},
    handshake::Established,
    hello::{Hello, Offer},
    keys::NodeId,
    reason::Reason,
    session::Session,
    snappy::Workspace,
};

/// One side of a connection that has sent its Hello and awaits the peer's.
#[derive(Debug)]
pub struct Greeting {
    frames: Frames,
    remote: NodeId,
}

/// What [`Greeting::read`] found at the front of its input.
#[derive(Debug)]
pub struct Greeted {
    /// Bytes of the input that are done with. Never show them again.
    pub consumed: usize,
    /// What they were.
    pub event: GreetingEvent,
}

/// See [`Greeted`].
#[derive(Debug, PartialEq, Eq)]
pub enum GreetingEvent {
    /// At least this many bytes more are needed behind what was not consumed.
    Need(usize),
    /// The peer's Hello, from the node that made the handshake.
    Hello(Hello),
    /// The peer closes.
    Disconnect(Reason),
}

impl Established {
    /// Appends a Disconnect in the place of Hello: the peer is refused. Nothing may follow.
    ///
    /// # Errors
    /// None in practice: the message fits in a frame.
    pub fn disconnect(self, reason: Reason, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let mut frames = Frames::new(self.codec);
        frames.write_base(DISCONNECT, &reason.encode(), false, out)
    }
}

impl Greeting {
    /// Begins the session: appends `ours` to `out`.
    ///
    /// # Errors
    /// A Hello that does not fit in a frame.
    pub fn new(
        established: Established,
        ours: &Hello,
        out: &mut Vec<u8>,
    ) -> Result<Self, WriteError> {
        let mut frames = Frames::new(established.codec);
        frames.seal(out, |out| {
            HELLO.encode(out);
            ours.encode(out);
        })?;
        Ok(Self { frames, remote: established.remote })
    }

    /// The peer's key, proven by the handshake.
    #[must_use]
    pub const fn remote(&self) -> &NodeId {
        &self.remote
    }

    /// Reads the peer's first message in place.
    ///
    /// # Errors
    /// Any [`Fault`]; the connection cannot go on.
    pub fn read(&mut self, input: &mut [u8]) -> Result<Greeted, Fault> {
        let (consumed, frame) = self.frames.read(input, BASE_MESSAGE_LIMIT)?;
        let event = match frame {
            Frame::Need(missing) => GreetingEvent::Need(missing),
            Frame::Message { id: HELLO, body } => {
                let hello = Hello::decode(body)?;
                if hello.id != *self.remote.as_bytes() {
                    return Err(Fault::UnexpectedIdentity);
                }
                GreetingEvent::Hello(hello)
            }
            Frame::Message { id: DISCONNECT, body } => {
                GreetingEvent::Disconnect(disconnect_reason(body, &mut Workspace::new()))
            }
            Frame::Message { id, .. } => return Err(Fault::HelloExpected(id)),
        };
        Ok(Greeted { consumed, event })
    }

    /// Appends a Disconnect, compressed: the peer reads it after our Hello, which says so.
    ///
    /// # Errors
    /// None in practice: the message fits in a frame.
    pub fn disconnect(&mut self, reason: Reason, out: &mut Vec<u8>) -> Result<(), WriteError> {
        self.frames.write_base(DISCONNECT, &reason.encode(), true, out)
    }

    /// The session that the peer's Hello leads to; bodies are compressed from here on if the
    /// peer's version allows, which takes for granted that ours does. Messages that declare more
    /// than `message_limit` bytes will be refused.
    #[must_use]
    pub fn into_session(self, theirs: &Hello, offers: &[Offer], message_limit: usize) -> Session {
        Session::new(self.frames, self.remote, theirs, offers, message_limit)
    }
}
