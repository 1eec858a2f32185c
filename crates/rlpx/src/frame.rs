//! Frames: encrypted, authenticated, one message each.
//!
//! ```text
//! header 16 (length 3, header-data c2 80 80, zeros) | tag 16 | body, padded to 16 | tag 16
//! ```
//! Source: devp2p `rlpx.md`, "Framing". Multi-frame messages are not supported, as in
//! go-ethereum: the header-data of a peer is ignored.

use core::fmt;

use aes::{
    Aes256Enc,
    cipher::{BlockCipherEncrypt as _, InnerIvInit as _, KeyInit as _},
};
use ctr::{
    CtrCore,
    cipher::{StreamCipherCore as _, StreamCipherSeekCore as _},
    flavors,
};
use keccak::Keccak256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{Fault, WriteError};

/// Bytes of a frame body at most: what the header's 24-bit length can say.
pub const FRAME_LIMIT: usize = (1 << 24) - 1;

/// Bytes of a header with its tag.
pub const HEADER: usize = BLOCK + TAG;

/// Bytes of an AES block; header and body are multiples of it.
const BLOCK: usize = 16;

/// Bytes of a tag.
const TAG: usize = 16;

/// The header-data of every frame we write: the list of capability id 0 and context id 0. Some
/// clients refuse a peer whose header-data is the empty list.
const HEADER_DATA: [u8; 3] = [0xc2, 0x80, 0x80];

/// What both sides of a finished handshake know. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secrets {
    /// Key of the frame cipher, the same in both directions.
    pub aes: [u8; 32],
    /// Key of the block cipher inside the tags.
    pub mac: [u8; 32],
    /// Running hash of what we send.
    pub egress: Keccak256,
    /// Running hash of what the peer sends.
    pub ingress: Keccak256,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// The frame cipher of one connection, both directions.
pub struct FrameCodec {
    cipher: Aes256Enc,
    tag_cipher: Aes256Enc,
    egress: Direction,
    ingress: Direction,
}

impl FrameCodec {
    /// The codec of a finished handshake.
    #[must_use]
    pub fn new(secrets: &Secrets) -> Self {
        Self {
            cipher: Aes256Enc::new(&secrets.aes.into()),
            tag_cipher: Aes256Enc::new(&secrets.mac.into()),
            egress: Direction::new(&secrets.egress),
            ingress: Direction::new(&secrets.ingress),
        }
    }

    /// Appends one frame whose body is what `write` appends. Encrypts in place.
    ///
    /// # Errors
    /// A body over [`FRAME_LIMIT`]; `out` is as before then.
    pub fn seal(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), WriteError> {
        let start = out.len();
        out.resize(start + HEADER, 0);
        write(out);
        let length = out.len().saturating_sub(start + HEADER);
        let Some(size) = u32::try_from(length).ok().filter(|_| length <= FRAME_LIMIT) else {
            out.truncate(start);
            return Err(WriteError::TooLong(length));
        };
        out.resize(start + HEADER + padded(length) + TAG, 0);
        let frame = out.get_mut(start..).unwrap_or_default();
        if let Some((header, rest)) = frame.split_first_chunk_mut::<BLOCK>()
            && let Some((header_tag, rest)) = rest.split_first_chunk_mut::<TAG>()
            && let Some((body, tag)) = rest.split_last_chunk_mut::<TAG>()
        {
            *header_tag = self.seal_header(size, header);
            self.egress.apply_keystream(&self.cipher, body);
            *tag = self.egress.tag_body(&self.tag_cipher, body);
        }
        Ok(())
    }

    /// Opens the header of the next frame in place and returns the length of the frame's body,
    /// padding not counted; [`body_span`] says how many bytes it takes on the wire.
    ///
    /// # Errors
    /// A wrong tag, a length of zero or above `limit`.
    pub fn open_header(&mut self, header: &mut [u8; HEADER], limit: usize) -> Result<usize, Fault> {
        let (block, tag) = header.split_first_chunk_mut::<BLOCK>().ok_or(Fault::WrongHeaderTag)?;
        let expected = self.ingress.tag_header(&self.tag_cipher, block);
        if !bool::from(expected.as_slice().ct_eq(tag)) {
            return Err(Fault::WrongHeaderTag);
        }
        self.ingress.apply_keystream(&self.cipher, block);
        let [high, middle, low, ..] = *block;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if length == 0 {
            return Err(Fault::EmptyFrame);
        }
        if length > limit {
            return Err(Fault::FrameTooLong { length, limit });
        }
        Ok(length)
    }

    /// Opens the [`body_span`] bytes after the header in place and returns the `length` bytes
    /// of the body.
    ///
    /// # Errors
    /// A wrong tag. Nothing is decrypted then.
    pub fn open_body<'a>(
        &mut self,
        length: usize,
        span: &'a mut [u8],
    ) -> Result<&'a mut [u8], Fault> {
        let (body, tag) = span.split_last_chunk_mut::<TAG>().ok_or(Fault::WrongBodyTag)?;
        let expected = self.ingress.tag_body(&self.tag_cipher, body);
        if !bool::from(expected.ct_eq(tag)) {
            return Err(Fault::WrongBodyTag);
        }
        self.ingress.apply_keystream(&self.cipher, body);
        body.get_mut(..length).ok_or(Fault::WrongBodyTag)
    }

    fn seal_header(&mut self, size: u32, header: &mut [u8; BLOCK]) -> [u8; TAG] {
        let [_, high, middle, low] = size.to_be_bytes();
        let [list, capability, context] = HEADER_DATA;
        *header = [high, middle, low, list, capability, context, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        self.egress.apply_keystream(&self.cipher, header);
        self.egress.tag_header(&self.tag_cipher, header)
    }
}

impl fmt::Debug for FrameCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameCodec(..)")
    }
}

/// Bytes on the wire of a body of `length` bytes, with its padding and its tag.
#[must_use]
pub const fn body_span(length: usize) -> usize {
    padded(length) + TAG
}

const fn padded(length: usize) -> usize {
    length.next_multiple_of(BLOCK)
}

/// What changes with every frame in one direction.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Direction {
    /// Cipher blocks used so far. The cipher counts blocks from zero for the whole connection.
    block: u64,
    /// Hash of all ciphertext so far, and of the tags' seeds.
    running: Keccak256,
    /// First half of the running digest. The tag that ends one frame is the seed that begins
    /// the next, so each frame needs one digest less.
    seed: [u8; TAG],
}

impl Direction {
    fn new(running: &Keccak256) -> Self {
        Self { block: 0, running: running.clone(), seed: first_half(running) }
    }

    /// Encrypts or decrypts the next bytes, a multiple of the block.
    fn apply_keystream(&mut self, cipher: &Aes256Enc, bytes: &mut [u8]) {
        // 64-bit and 128-bit counters agree from zero to 2^64 blocks, and the former is faster.
        let mut stream = CtrCore::<_, flavors::Ctr64BE>::inner_iv_init(cipher, &[0; BLOCK].into());
        stream.set_block_pos(self.block);
        let (blocks, _) = bytes.as_chunks_mut::<BLOCK>();
        self.block = self.block.wrapping_add(blocks.len() as u64);
        stream.apply_keystream_blocks(aes::cipher::Array::cast_slice_from_core_mut(blocks));
    }

    fn tag_header(&mut self, cipher: &Aes256Enc, block: &[u8; BLOCK]) -> [u8; TAG] {
        self.mix(cipher, self.seed, block)
    }

    fn tag_body(&mut self, cipher: &Aes256Enc, body: &[u8]) -> [u8; TAG] {
        self.running.update(body);
        let seed = first_half(&self.running);
        self.seed = self.mix(cipher, seed, &seed);
        self.seed
    }

    /// Absorbs the encrypted seed, XORed with `block`; the digest's first half is the tag.
    fn mix(&mut self, cipher: &Aes256Enc, seed: [u8; TAG], block: &[u8; BLOCK]) -> [u8; TAG] {
        let mut mixed = seed.into();
        cipher.encrypt_block(&mut mixed);
        for (byte, other) in mixed.iter_mut().zip(block) {
            *byte ^= other;
        }
        self.running.update(&mixed);
        first_half(&self.running)
    }
}

fn first_half(running: &Keccak256) -> [u8; TAG] {
    let digest = running.current();
    let mut half = [0; TAG];
    for (to, from) in half.iter_mut().zip(digest) {
        *to = from;
    }
    half
}

#[cfg(test)]
mod tests;
