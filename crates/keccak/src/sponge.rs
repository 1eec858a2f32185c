//! The sponge: absorbs bytes straight into the state, so a copy costs 208 bytes and no more.

use core::fmt;

use zeroize::Zeroize;

use crate::{
    DIGEST,
    permutation::{LANES, permute},
};

/// Bytes absorbed per permutation.
pub const RATE: usize = 136;

/// Bytes of a lane.
const LANE: usize = 8;

/// A running Keccak-256.
///
/// A clone goes on from the same point; frame MACs live on that. The state may hold key
/// material: it is not shown by `Debug`, and [`Zeroize`] wipes it. Nothing is wiped on drop,
/// because most uses hash public data; an owner of secrets wipes.
#[derive(Clone)]
pub struct Keccak256 {
    state: [u64; LANES],
    /// Bytes of the current block absorbed so far, always below [`RATE`].
    absorbed: u8,
}

impl Keccak256 {
    /// A sponge that has absorbed nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: [0; LANES], absorbed: 0 }
    }

    /// Absorbs `input`.
    #[inline]
    pub fn update(&mut self, mut input: &[u8]) {
        let absorbed = usize::from(self.absorbed);
        if absorbed != 0 {
            let (head, rest) = input.split_at(input.len().min(RATE - absorbed));
            self.absorb_part(head);
            if usize::from(self.absorbed) < RATE {
                return;
            }
            permute(&mut self.state);
            self.absorbed = 0;
            input = rest;
        }
        let (blocks, rest) = input.as_chunks::<RATE>();
        for block in blocks {
            self.absorb_block(block);
        }
        self.absorb_part(rest);
    }

    /// The digest of everything absorbed.
    #[must_use]
    pub fn finalize(mut self) -> [u8; DIGEST] {
        self.pad();
        permute(&mut self.state);
        let mut digest = [0; DIGEST];
        self.squeeze_into(&mut digest);
        digest
    }

    /// Writes the digest of everything absorbed to `digest`.
    pub fn finalize_into(self, digest: &mut [u8; DIGEST]) {
        *digest = self.finalize();
    }

    /// The digest of everything absorbed so far; the sponge goes on.
    #[must_use]
    #[inline]
    pub fn current(&self) -> [u8; DIGEST] {
        self.clone().finalize()
    }

    fn absorb_block(&mut self, block: &[u8; RATE]) {
        let (lanes, _) = block.as_chunks::<LANE>();
        for (lane, bytes) in self.state.iter_mut().zip(lanes) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        permute(&mut self.state);
    }

    /// XORs bytes that end at or before the end of the block, without permuting.
    #[inline]
    fn absorb_part(&mut self, bytes: &[u8]) {
        let absorbed = usize::from(self.absorbed);
        debug_assert!(absorbed + bytes.len() <= RATE, "part reaches over the block");
        let within = absorbed % LANE;
        let (first, rest) = bytes.split_at(bytes.len().min((LANE - within) % LANE));
        let mut lanes = self.state.iter_mut().skip(absorbed / LANE);
        if within != 0
            && let Some(lane) = lanes.next()
        {
            *lane ^= partial_lane(first) << (8 * within);
        }
        let (whole, last) = rest.as_chunks::<LANE>();
        for (bytes, lane) in whole.iter().zip(&mut lanes) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        if !last.is_empty()
            && let Some(lane) = lanes.next()
        {
            *lane ^= partial_lane(last);
        }
        self.absorbed = u8::try_from(absorbed + bytes.len()).unwrap_or(0);
    }

    /// Keccak's padding: a one bit after the message, a one bit at the end of the block.
    fn pad(&mut self) {
        let absorbed = usize::from(self.absorbed);
        if let Some(lane) = self.state.get_mut(absorbed / LANE) {
            *lane ^= 1 << (8 * (absorbed % LANE));
        }
        self.state[RATE / LANE - 1] ^= 1 << 63;
    }

    fn squeeze_into(&self, digest: &mut [u8; DIGEST]) {
        let (chunks, _) = digest.as_chunks_mut::<LANE>();
        for (chunk, lane) in chunks.iter_mut().zip(self.state) {
            *chunk = lane.to_le_bytes();
        }
    }
}

/// Up to seven bytes as the low end of a lane.
#[inline]
fn partial_lane(bytes: &[u8]) -> u64 {
    let mut lane = [0; LANE];
    for (to, from) in lane.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(lane)
}

impl Default for Keccak256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Zeroize for Keccak256 {
    fn zeroize(&mut self) {
        self.state.zeroize();
        self.absorbed.zeroize();
    }
}

impl fmt::Debug for Keccak256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keccak256").field("absorbed", &self.absorbed).finish_non_exhaustive()
    }
}
