//! The p2p session: messages of the shared capabilities and of the base protocol.
//!
//! Source: devp2p `rlpx.md`, "p2p" Capability; EIP-706 for compression.

use alloy_rlp::Encodable as _;

use crate::{
    base::{
        BASE_MESSAGE_LIMIT, DISCONNECT, EMPTY_LIST, Frame, Frames, HELLO, PING, PONG, PONG_LIMIT,
        disconnect_reason,
    },
    error::{Fault, WriteError},
    frame::FRAME_LIMIT,
    hello::{BASE_LENGTH, Hello, Offer, Shared, share},
    keys::NodeId,
    reason::Reason,
    snappy::{self, Workspace},
};

/// An open session. Owns no buffer: the caller keeps what is not consumed, and lends a
/// [`Workspace`].
#[derive(Debug)]
pub struct Session {
    frames: Frames,
    remote: NodeId,
    shared: Box<[Shared]>,
    compressed: bool,
    message_limit: usize,
    pongs_owed: u8,
}

/// What [`Session::read`] found at the front of its input.
#[derive(Debug)]
pub struct Read<'a> {
    /// Bytes of the input that are done with. Never show them again.
    pub consumed: usize,
    /// What they were.
    pub event: Event<'a>,
}

/// See [`Read`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// At least this many bytes more are needed behind what was not consumed. Can be as much
    /// as the message limit: let the buffer grow with what arrives, not by this number.
    Need(usize),
    /// A message of a shared capability.
    Message {
        /// Index into [`Session::shared`].
        capability: usize,
        /// Code within the capability.
        code: u64,
        /// The body, decompressed.
        payload: &'a [u8],
    },
    /// A pong is owed: [`Session::pong`] writes it.
    Ping,
    /// An answer to a ping.
    Pong,
    /// The peer closes.
    Disconnect(Reason),
    /// A base-protocol message that has no meaning today.
    Ignored(u64),
}

/// The body of a message to be written.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// Plain bytes, to be compressed here.
    Plain(&'a [u8]),
    /// Plain bytes that would not shrink, such as hashes: sent as one snappy literal.
    Literal(&'a [u8]),
    /// Bytes that are kept compressed: snappy elements, one after the other, without the
    /// length in front. Copies in them reach backwards only, so stored pieces can be joined.
    Elements {
        /// Bytes of the plain message.
        length: usize,
        /// The elements.
        elements: &'a [u8],
    },
}

impl Session {
    pub(crate) fn new(
        frames: Frames,
        remote: NodeId,
        theirs: &Hello,
        offers: &[Offer],
        message_limit: usize,
    ) -> Self {
        Self {
            frames,
            remote,
            shared: share(offers, &theirs.capabilities).into_boxed_slice(),
            compressed: theirs.is_compressed(),
            message_limit,
            pongs_owed: 0,
        }
    }

    /// The peer's key.
    #[must_use]
    pub const fn remote(&self) -> &NodeId {
        &self.remote
    }

    /// The capabilities of both sides, sorted by name.
    #[must_use]
    pub fn shared(&self) -> &[Shared] {
        &self.shared
    }

    /// Sets how many bytes a message may declare from now on.
    pub const fn set_message_limit(&mut self, bytes: usize) {
        self.message_limit = bytes;
    }

    /// Reads, in place, the first frame at the front of `input`.
    ///
    /// A header is consumed as soon as it is there, so a length over the limit is refused
    /// before the body arrives. Call again for the next frame with what was not consumed.
    ///
    /// # Errors
    /// Any [`Fault`]; the session cannot go on.
    pub fn read<'a>(
        &mut self,
        input: &'a mut [u8],
        workspace: &'a mut Workspace,
    ) -> Result<Read<'a>, Fault> {
        let limit = frame_limit(self.message_limit);
        let (consumed, frame) = self.frames.read(input, limit)?;
        let event = match frame {
            Frame::Need(missing) => Event::Need(missing),
            Frame::Message { id, body } if id < BASE_LENGTH => {
                if body.len() > BASE_MESSAGE_LIMIT {
                    let length = body.len();
                    return Err(Fault::MessageTooLong { length, limit: BASE_MESSAGE_LIMIT });
                }
                match id {
                    HELLO => return Err(Fault::HelloTwice),
                    DISCONNECT => Event::Disconnect(disconnect_reason(body, workspace)),
                    PING if self.pongs_owed >= PONG_LIMIT => return Err(Fault::PingFlood),
                    PING => {
                        self.pongs_owed += 1;
                        Event::Ping
                    }
                    PONG => Event::Pong,
                    other => Event::Ignored(other),
                }
            }
            Frame::Message { id, body } => {
                let (capability, code) = self.route(id)?;
                let payload = if self.compressed {
                    workspace.decompress(body, self.message_limit)?
                } else if body.len() > self.message_limit {
                    let length = body.len();
                    return Err(Fault::MessageTooLong { length, limit: self.message_limit });
                } else {
                    body
                };
                Event::Message { capability, code, payload }
            }
        };
        Ok(Read { consumed, event })
    }

    /// Appends one message of the shared capability with index `capability`.
    ///
    /// # Errors
    /// No such message, or one that does not fit in a frame; `out` is as before then.
    pub fn write(
        &mut self,
        capability: usize,
        code: u64,
        payload: Payload<'_>,
        workspace: &mut Workspace,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let shared = self.shared.get(capability).filter(|shared| code < shared.length);
        let Some(shared) = shared else {
            return Err(WriteError::UnknownMessage { capability, code });
        };
        let id = shared.offset.saturating_add(code);
        if self.compressed {
            self.write_compressed(id, payload, workspace, out)
        } else {
            self.write_plain(id, payload, workspace, out)
        }
    }

    /// Appends a Ping.
    ///
    /// # Errors
    /// None in practice: the message fits in a frame.
    pub fn ping(&mut self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        self.frames.write_base(PING, &EMPTY_LIST, self.compressed, out)
    }

    /// Appends every Pong that is owed. Call when the socket takes bytes, not before: that is
    /// what lets [`PONG_LIMIT`] stop a peer that pings without reading.
    ///
    /// # Errors
    /// None in practice: the messages fit in frames.
    pub fn pong(&mut self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        for _ in 0..core::mem::take(&mut self.pongs_owed) {
            self.frames.write_base(PONG, &EMPTY_LIST, self.compressed, out)?;
        }
        Ok(())
    }

    /// Appends a Disconnect. Nothing should be written after it.
    ///
    /// # Errors
    /// None in practice: the message fits in a frame.
    pub fn disconnect(&mut self, reason: Reason, out: &mut Vec<u8>) -> Result<(), WriteError> {
        self.frames.write_base(DISCONNECT, &reason.encode(), self.compressed, out)
    }

    fn write_compressed(
        &mut self,
        id: u64,
        payload: Payload<'_>,
        workspace: &mut Workspace,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        self.frames.seal(out, |out| {
            id.encode(out);
            match payload {
                Payload::Plain(plain) => workspace.compress(plain, out),
                Payload::Literal(plain) => snappy::literal(plain, out),
                Payload::Elements { length, elements } => {
                    snappy::declare(length, out);
                    out.extend_from_slice(elements);
                }
            }
        })
    }

    fn write_plain(
        &mut self,
        id: u64,
        payload: Payload<'_>,
        workspace: &mut Workspace,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let plain = match payload {
            Payload::Plain(plain) | Payload::Literal(plain) => plain,
            Payload::Elements { length, elements } => {
                workspace.decompress_elements(length, elements)?
            }
        };
        self.frames.seal(out, |out| {
            id.encode(out);
            out.extend_from_slice(plain);
        })
    }

    /// The shared capability and the code that a message id stands for.
    fn route(&self, id: u64) -> Result<(usize, u64), Fault> {
        let index = self.shared.iter().rposition(|shared| shared.offset <= id);
        let found = index.and_then(|index| {
            let shared = self.shared.get(index)?;
            let code = id.checked_sub(shared.offset).filter(|code| *code < shared.length)?;
            Some((index, code))
        });
        found.ok_or(Fault::UnknownMessage(id))
    }
}

/// The longest frame that can carry a message of `message` bytes: snappy may add a sixth, and
/// the message id takes a few bytes.
const fn frame_limit(message: usize) -> usize {
    let worst = message.saturating_add(message / 6).saturating_add(64);
    if worst < FRAME_LIMIT { worst } else { FRAME_LIMIT }
}
