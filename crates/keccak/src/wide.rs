//! The permutation of eight states at once, in vector registers.

#![allow(unsafe_code, reason = "vector instructions, called where the CPU was found to have them")]

use crate::permutation::LANES;

/// States that are permuted together.
pub(crate) const WIDTH: usize = 8;

/// Eight states; lane by lane, each lane of all states side by side.
pub(crate) type States = [Lanes; LANES];

/// One lane of eight states, aligned to what the widest register loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Lanes(pub(crate) [u64; WIDTH]);

/// A way to permute eight states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    pub(crate) permute: fn(&mut States),
    /// Its time in permutations of one state, rounded up.
    pub(crate) cost: usize,
}

/// The fastest way on this CPU; `None` if that is one by one.
pub(crate) fn permutation() -> Option<Permutation> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            let permute = |states: &mut States| {
                // SAFETY: AVX-512F, for which the function is compiled, has just been found.
                unsafe { x86::permute_avx512(states) }
            };
            return Some(Permutation { permute, cost: 3 });
        }
        if is_x86_feature_detected!("avx2") {
            let permute = |states: &mut States| {
                // SAFETY: AVX2, for which the function is compiled, has just been found.
                unsafe { x86::permute_avx2(states) }
            };
            return Some(Permutation { permute, cost: 5 });
        }
    }
    None
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::{
        arch::x86_64::{
            __m256i, __m512i, _mm256_andnot_si256, _mm256_or_si256, _mm256_set1_epi64x,
            _mm256_sllv_epi64, _mm256_srlv_epi64, _mm256_xor_si256, _mm512_andnot_si512,
            _mm512_rolv_epi64, _mm512_set1_epi64, _mm512_xor_si512,
        },
        mem::transmute,
    };

    use super::{Lanes, States, WIDTH};
    use crate::permutation::{LANES, Lane, permute_lanes};

    /// Thirty-two registers of eight lanes hold the whole state.
    #[target_feature(enable = "avx512f")]
    pub(super) fn permute_avx512(states: &mut States) {
        let mut lanes = [Eight(_mm512_set1_epi64(0)); LANES];
        for (Eight(vector), Lanes(lanes)) in lanes.iter_mut().zip(&*states) {
            // SAFETY: both are 64 bytes, and any bits make a vector.
            *vector = unsafe { transmute::<[u64; WIDTH], __m512i>(*lanes) };
        }
        permute_lanes(&mut lanes);
        for (Eight(vector), Lanes(lanes)) in lanes.iter().zip(states) {
            // SAFETY: both are 64 bytes, and any bits make integers.
            *lanes = unsafe { transmute::<__m512i, [u64; WIDTH]>(*vector) };
        }
    }

    /// Four states, and then the other four.
    #[target_feature(enable = "avx2")]
    pub(super) fn permute_avx2(states: &mut States) {
        for half in 0..2 {
            let mut lanes = [Four(_mm256_set1_epi64x(0)); LANES];
            for (vector, Lanes(lanes)) in lanes.iter_mut().zip(&*states) {
                if let Some(lanes) = lanes.as_chunks::<{ WIDTH / 2 }>().0.get(half) {
                    // SAFETY: both are 32 bytes, and any bits make a vector.
                    *vector = Four(unsafe { transmute::<[u64; WIDTH / 2], __m256i>(*lanes) });
                }
            }
            permute_lanes(&mut lanes);
            for (Four(vector), Lanes(lanes)) in lanes.iter().zip(&mut *states) {
                if let Some(lanes) = lanes.as_chunks_mut::<{ WIDTH / 2 }>().0.get_mut(half) {
                    // SAFETY: both are 32 bytes, and any bits make integers.
                    *lanes = unsafe { transmute::<__m256i, [u64; WIDTH / 2]>(*vector) };
                }
            }
        }
    }

    /// Lanes of eight states. Made only in [`permute_avx512`], so its methods run only there.
    #[derive(Clone, Copy)]
    struct Eight(__m512i);

    impl Lane for Eight {
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            // SAFETY: the type is made only where AVX-512F is enabled.
            Self(unsafe { _mm512_xor_si512(self.0, other.0) })
        }

        #[inline(always)]
        fn not_and(self, other: Self) -> Self {
            // SAFETY: the type is made only where AVX-512F is enabled.
            Self(unsafe { _mm512_andnot_si512(self.0, other.0) })
        }

        #[inline(always)]
        fn rotate<const BITS: u8>(self) -> Self {
            // SAFETY: the type is made only where AVX-512F is enabled.
            Self(unsafe { _mm512_rolv_epi64(self.0, _mm512_set1_epi64(i64::from(BITS))) })
        }

        #[inline(always)]
        fn xor_constant(self, constant: u64) -> Self {
            // SAFETY: the type is made only where AVX-512F is enabled.
            self.xor(Self(unsafe { _mm512_set1_epi64(constant.cast_signed()) }))
        }
    }

    /// Lanes of four states. Made only in [`permute_avx2`], so its methods run only there.
    #[derive(Clone, Copy)]
    struct Four(__m256i);

    impl Lane for Four {
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            // SAFETY: the type is made only where AVX2 is enabled.
            Self(unsafe { _mm256_xor_si256(self.0, other.0) })
        }

        #[inline(always)]
        fn not_and(self, other: Self) -> Self {
            // SAFETY: the type is made only where AVX2 is enabled.
            Self(unsafe { _mm256_andnot_si256(self.0, other.0) })
        }

        #[inline(always)]
        fn rotate<const BITS: u8>(self) -> Self {
            // SAFETY: the type is made only where AVX2 is enabled.
            Self(unsafe {
                let left = _mm256_sllv_epi64(self.0, _mm256_set1_epi64x(i64::from(BITS)));
                let right = _mm256_srlv_epi64(self.0, _mm256_set1_epi64x(i64::from(64 - BITS)));
                _mm256_or_si256(left, right)
            })
        }

        #[inline(always)]
        fn xor_constant(self, constant: u64) -> Self {
            // SAFETY: the type is made only where AVX2 is enabled.
            self.xor(Self(unsafe { _mm256_set1_epi64x(constant.cast_signed()) }))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_vector_width_permutes_like_one_state() {
            let value = |index: usize, lane: usize| {
                0x9e37_79b9_7f4a_7c15_u64.wrapping_mul((index * LANES + lane + 1) as u64)
            };
            let states: States =
                core::array::from_fn(|lane| Lanes(core::array::from_fn(|i| value(i, lane))));
            let mut expected = states;
            for index in 0..WIDTH {
                let mut single: [u64; LANES] = core::array::from_fn(|lane| value(index, lane));
                permute_lanes(&mut single);
                for (lanes, lane) in expected.iter_mut().zip(single) {
                    lanes.0[index] = lane;
                }
            }
            if is_x86_feature_detected!("avx2") {
                let mut states = states;
                // SAFETY: AVX2 has just been found.
                unsafe { permute_avx2(&mut states) };
                assert_eq!(states, expected, "AVX2");
            }
            if is_x86_feature_detected!("avx512f") {
                let mut states = states;
                // SAFETY: AVX-512F has just been found.
                unsafe { permute_avx512(&mut states) };
                assert_eq!(states, expected, "AVX-512");
            }
        }
    }
}
