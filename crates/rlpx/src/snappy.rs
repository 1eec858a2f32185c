//! Message bodies in snappy's raw format, with every length checked before it is believed.
//!
//! Source: <https://github.com/google/snappy/blob/main/format_description.txt>; EIP-706.

use core::fmt;

use crate::{
    error::{Fault, WriteError},
    frame::FRAME_LIMIT,
};

/// Bytes that three bytes of snappy can stand for: the widest element copies 64 with three.
/// A body that declares more than this for its size is a lie.
const WIDEST: (usize, usize) = (64, 3);

/// Buffers that reading and writing borrow. One per thread serves every session there.
///
/// Grows to the longest message seen, which the sessions' limits bound.
pub struct Workspace {
    encoder: snap::raw::Encoder,
    decoded: Vec<u8>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").field("bytes", &self.decoded.len()).finish_non_exhaustive()
    }
}

impl Workspace {
    /// A workspace that owns no buffer yet.
    #[must_use]
    pub fn new() -> Self {
        Self { encoder: snap::raw::Encoder::new(), decoded: Vec::new() }
    }

    /// Gives memory back beyond about so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.decoded.capacity() > bytes {
            self.decoded.truncate(bytes);
            self.decoded.shrink_to(bytes);
        }
    }

    /// Decompresses `body` to at most `limit` bytes.
    ///
    /// # Errors
    /// A declared length over the limit, or a body that is no snappy of that length.
    pub fn decompress(&mut self, body: &[u8], limit: usize) -> Result<&[u8], Fault> {
        let length = declared_length(body, limit)?;
        if self.decoded.len() < length {
            self.decoded.resize(length, 0);
        }
        let out = self.decoded.get_mut(..length).unwrap_or_default();
        let written = snap::raw::Decoder::new().decompress(body, out);
        if written == Ok(length) { Ok(out) } else { Err(Fault::BadSnappy) }
    }

    /// Decompresses stored `elements`, for a peer that does not speak snappy.
    pub(crate) fn decompress_elements(
        &mut self,
        length: usize,
        elements: &[u8],
    ) -> Result<&[u8], WriteError> {
        let mut body = Vec::with_capacity(elements.len() + 10);
        declare(length, &mut body);
        body.extend_from_slice(elements);
        self.decompress(&body, FRAME_LIMIT).map_err(|_| WriteError::BadElements)
    }

    /// Appends `plain`, compressed.
    pub(crate) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + snap::raw::max_compress_len(plain.len()), 0);
        let room = out.get_mut(start..).unwrap_or_default();
        match self.encoder.compress(plain, room) {
            Ok(written) => out.truncate(start + written),
            // Only for 4 GiB or more, which no frame can carry anyway.
            Err(_) => {
                out.truncate(start);
                literal(plain, out);
            }
        }
    }
}

/// The length that `body` declares, if it is allowed and possible.
fn declared_length(body: &[u8], limit: usize) -> Result<usize, Fault> {
    let length = snap::raw::decompress_len(body).map_err(|_| Fault::BadSnappy)?;
    if length > limit {
        return Err(Fault::MessageTooLong { length, limit });
    }
    let (out, from) = WIDEST;
    if length / out > body.len() / from {
        return Err(Fault::BadSnappy);
    }
    Ok(length)
}

/// Appends `plain` as it is, in the form of one snappy literal.
pub(crate) fn literal(plain: &[u8], out: &mut Vec<u8>) {
    declare(plain.len(), out);
    let Some(last) = plain.len().checked_sub(1) else { return };
    let [a, b, c, d, ..] = last.to_le_bytes();
    // The tag's upper six bits hold the length less one up to 59, or 59 plus the number of
    // bytes that hold it.
    match last {
        0..60 => out.push(a << 2),
        60..0x100 => out.extend_from_slice(&[60 << 2, a]),
        0x100..0x1_0000 => out.extend_from_slice(&[61 << 2, a, b]),
        0x1_0000..0x100_0000 => out.extend_from_slice(&[62 << 2, a, b, c]),
        _ => out.extend_from_slice(&[63 << 2, a, b, c, d]),
    }
    out.extend_from_slice(plain);
}

/// Appends the length of the plain bytes, seven bits at a time.
pub(crate) fn declare(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}
