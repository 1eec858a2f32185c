//! What Hello and the session after it have in common: one message a frame, and the messages of
//! the base protocol.

use alloy_rlp::{Decodable as _, Encodable as _};

use crate::{
    error::{Fault, WriteError},
    frame::{FrameCodec, HEADER, body_span},
    reason::Reason,
    snappy::{self, Workspace},
};

/// Bytes of a base-protocol message at most, Hello among them; go-ethereum's limit.
pub const BASE_MESSAGE_LIMIT: usize = 2048;

/// Pings that may wait for their pongs to be sent. A peer that pings on while it does not read
/// is closed; go-ethereum's figure.
pub const PONG_LIMIT: u8 = 16;

pub(crate) const HELLO: u64 = 0;
pub(crate) const DISCONNECT: u64 = 1;
pub(crate) const PING: u64 = 2;
pub(crate) const PONG: u64 = 3;

/// The body of Ping and Pong.
pub(crate) const EMPTY_LIST: [u8; 1] = [0xc0];

/// The frames of one connection, and how far the next one is.
#[derive(Debug)]
pub(crate) struct Frames {
    codec: FrameCodec,
    /// Bytes of the body whose header has been read.
    body: Option<usize>,
}

pub(crate) enum Frame<'a> {
    Need(usize),
    Message { id: u64, body: &'a [u8] },
}

impl Frames {
    pub(crate) const fn new(codec: FrameCodec) -> Self {
        Self { codec, body: None }
    }

    /// Appends one message, id and body, as `write` appends it.
    pub(crate) fn seal(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), WriteError> {
        self.codec.seal(out, write)
    }

    /// Appends a base message. They are too short to shrink.
    pub(crate) fn write_base(
        &mut self,
        id: u64,
        body: &[u8],
        compressed: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        self.seal(out, |out| {
            id.encode(out);
            if compressed {
                snappy::literal(body, out);
            } else {
                out.extend_from_slice(body);
            }
        })
    }

    /// The bytes consumed and what they were.
    pub(crate) fn read<'a>(
        &mut self,
        input: &'a mut [u8],
        limit: usize,
    ) -> Result<(usize, Frame<'a>), Fault> {
        let (length, header, input) = match self.body {
            Some(length) => (length, 0, input),
            None if input.len() < HEADER => return Ok((0, Frame::Need(HEADER - input.len()))),
            None => {
                let split = input.split_first_chunk_mut::<HEADER>();
                let (header, rest) = split.ok_or(Fault::WrongHeaderTag)?;
                let length = self.codec.open_header(header, limit)?;
                self.body = Some(length);
                (length, HEADER, rest)
            }
        };
        let span = body_span(length);
        if let Some(missing @ 1..) = span.checked_sub(input.len()) {
            return Ok((header, Frame::Need(missing)));
        }
        self.body = None;
        let span_bytes = input.get_mut(..span).ok_or(Fault::WrongBodyTag)?;
        let mut body = &*self.codec.open_body(length, span_bytes)?;
        let id = u64::decode(&mut body).map_err(|_| Fault::BadMessageId)?;
        Ok((header + span, Frame::Message { id, body }))
    }
}

/// Reads the body of a Disconnect in any of the spellings seen: a number or a list of one,
/// compressed or not, whatever the session is.
pub(crate) fn disconnect_reason(body: &[u8], workspace: &mut Workspace) -> Reason {
    let decompressed = workspace.decompress(body, BASE_MESSAGE_LIMIT).ok().and_then(Reason::decode);
    decompressed.or_else(|| Reason::decode(body)).unwrap_or(Reason::Unreadable)
}
