//! Eight inputs hashed in lockstep.

use crate::{
    DIGEST, RATE, keccak256,
    permutation::{Eight, LANES, WIDTH, has_eight, permute_eight},
};

/// Bytes of a lane.
const LANE: usize = 8;

/// The Keccak-256 digests of eight inputs, in order.
///
/// Pays where the CPU permutes eight states at once (AVX-512) and the inputs are of similar
/// length: an input that ends early waits for the longest. Elsewhere it is eight times
/// [`keccak256`].
#[must_use]
pub fn keccak256_x8(inputs: [&[u8]; WIDTH]) -> [[u8; DIGEST]; WIDTH] {
    if has_eight() {
        lockstep(inputs, |states| {
            let done = permute_eight(states);
            debug_assert!(done, "the feature was there a moment ago");
        })
    } else {
        inputs.map(keccak256)
    }
}

/// Absorbs one block of every unfinished input per permutation.
fn lockstep(
    inputs: [&[u8]; WIDTH],
    permute: impl Fn(&mut [Eight; LANES]),
) -> [[u8; DIGEST]; WIDTH] {
    let mut states = [Eight([0; WIDTH]); LANES];
    let mut digests = [[0; DIGEST]; WIDTH];
    let longest = inputs.iter().map(|input| input.len()).max().unwrap_or(0);
    // An input of n bytes takes n / RATE whole blocks and one with the padding.
    for block in 0..=longest / RATE {
        for (index, input) in inputs.iter().enumerate() {
            let start = block * RATE;
            if let Some(rest) = input.get(start..) {
                absorb(&mut states, index, rest);
            }
        }
        permute(&mut states);
        for (index, (input, digest)) in inputs.iter().zip(&mut digests).enumerate() {
            if input.len() / RATE == block {
                squeeze(&states, index, digest);
            }
        }
    }
    digests
}

/// XORs the next block of `rest` into state `index`, padded if it is the last.
fn absorb(states: &mut [Eight; LANES], index: usize, rest: &[u8]) {
    let mut padded = [0; RATE];
    let block = rest.first_chunk::<RATE>().unwrap_or_else(|| {
        for (to, from) in padded.iter_mut().zip(rest.iter().chain(&[1])) {
            *to = *from;
        }
        padded[RATE - 1] |= 0x80;
        &padded
    });
    let (lanes, _) = block.as_chunks::<LANE>();
    for (lane, bytes) in states.iter_mut().zip(lanes) {
        if let Some(lane) = lane.0.get_mut(index) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
    }
}

fn squeeze(states: &[Eight; LANES], index: usize, digest: &mut [u8; DIGEST]) {
    let (chunks, _) = digest.as_chunks_mut::<LANE>();
    for (chunk, lane) in chunks.iter_mut().zip(states) {
        if let Some(lane) = lane.0.get(index) {
            *chunk = lane.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::permutation::permute_lanes;

    proptest! {
        /// Also where the CPU has no AVX-512: the portable compilation of the same code runs.
        #[test]
        fn lockstep_hashes_like_one_by_one(
            inputs in proptest::array::uniform8(proptest::collection::vec(any::<u8>(), 0..600)),
        ) {
            let borrowed = inputs.each_ref().map(Vec::as_slice);
            let expected = borrowed.map(keccak256);
            prop_assert_eq!(lockstep(borrowed, permute_lanes), expected);
            prop_assert_eq!(keccak256_x8(borrowed), expected);
        }
    }
}
