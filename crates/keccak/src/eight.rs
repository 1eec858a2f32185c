//! Eight inputs hashed in lockstep.

use crate::{
    DIGEST, RATE, keccak256,
    permutation::LANES,
    wide::{self, Lanes, Permutation, States, WIDTH},
};

/// Bytes of a lane.
const LANE: usize = 8;

/// The Keccak-256 digests of some inputs, in order.
///
/// Eight inputs in a row are hashed together where the CPU has AVX-512 or AVX2 and their lengths
/// are so similar that this is faster: an input that ends early waits for the longest of its row.
#[must_use]
pub fn keccak256_all(inputs: &[&[u8]]) -> Vec<[u8; DIGEST]> {
    let Some(wide) = wide::permutation() else {
        return inputs.iter().map(|input| keccak256(input)).collect();
    };
    let mut digests = Vec::with_capacity(inputs.len());
    for row in inputs.chunks(WIDTH) {
        if pays(row, &wide) {
            let mut eight = [&[][..]; WIDTH];
            eight.iter_mut().zip(row).for_each(|(to, from)| *to = from);
            digests.extend(lockstep(eight, wide.permute).into_iter().take(row.len()));
        } else {
            digests.extend(row.iter().map(|input| keccak256(input)));
        }
    }
    digests
}

/// Whether hashing these together is faster than one by one.
fn pays(row: &[&[u8]], wide: &Permutation) -> bool {
    let permutations = row.iter().map(|input| input.len() / RATE + 1);
    let longest = permutations.clone().max().unwrap_or(0);
    longest.saturating_mul(wide.cost) < permutations.sum()
}

/// Absorbs one block of every unfinished input per permutation.
fn lockstep(inputs: [&[u8]; WIDTH], permute: impl Fn(&mut States)) -> [[u8; DIGEST]; WIDTH] {
    let mut states = [Lanes([0; WIDTH]); LANES];
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
fn absorb(states: &mut States, index: usize, rest: &[u8]) {
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

fn squeeze(states: &States, index: usize, digest: &mut [u8; DIGEST]) {
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

    fn one_by_one(states: &mut States) {
        for index in 0..WIDTH {
            let mut single = states.map(|lanes| lanes.0[index]);
            permute_lanes(&mut single);
            for (lanes, lane) in states.iter_mut().zip(single) {
                lanes.0[index] = lane;
            }
        }
    }

    proptest! {
        #[test]
        fn lockstep_hashes_like_one_by_one(
            inputs in prop::array::uniform8(prop::collection::vec(any::<u8>(), 0..600)),
        ) {
            let borrowed = inputs.each_ref().map(Vec::as_slice);
            let expected = borrowed.map(keccak256);
            prop_assert_eq!(lockstep(borrowed, one_by_one), expected);
            if let Some(wide) = wide::permutation() {
                prop_assert_eq!(lockstep(borrowed, wide.permute), expected);
            }
        }

        #[test]
        fn however_many_are_hashed_together_each_has_its_own_digest(
            inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..40),
        ) {
            let borrowed: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let expected: Vec<_> = borrowed.iter().map(|input| keccak256(input)).collect();
            prop_assert_eq!(keccak256_all(&borrowed), expected);
        }
    }

    #[test]
    fn a_row_is_hashed_together_if_that_takes_fewer_permutations_by_their_cost() {
        let wide = Permutation { permute: one_by_one, cost: 5 };
        let (short, long) = ([0; 100], [0; 600]);
        assert!(pays(&[&short[..]; 6], &wide));
        assert!(!pays(&[&short[..]; 5], &wide), "five of one permutation");
        assert!(!pays(&[&short[..], &short, &short, &short, &short, &short, &long], &wide));
        assert!(!pays(&[], &wide));
    }
}
