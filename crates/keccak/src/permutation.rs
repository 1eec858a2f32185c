//! `Keccak-f[1600]`, written once over a lane type and compiled once per set of CPU features.

#![allow(unsafe_code, reason = "calls functions compiled for CPU features found at run time")]

/// Lanes of the state; lane `x + 5 * y` is the field's `A[x, y]`.
pub(crate) const LANES: usize = 25;

/// One 64-bit lane, of one state or of several side by side.
pub(crate) trait Lane: Copy {
    fn xor(self, other: Self) -> Self;
    /// `!self & other`, the non-linear step.
    fn not_and(self, other: Self) -> Self;
    fn rotate<const BITS: u8>(self) -> Self;
    fn xor_constant(self, constant: u64) -> Self;
}

impl Lane for u64 {
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn not_and(self, other: Self) -> Self {
        !self & other
    }

    #[inline(always)]
    fn rotate<const BITS: u8>(self) -> Self {
        self.rotate_left(u32::from(BITS))
    }

    #[inline(always)]
    fn xor_constant(self, constant: u64) -> Self {
        self ^ constant
    }
}

/// Applies the permutation to one state.
#[inline]
pub(crate) fn permute(state: &mut [u64; LANES]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: both features that the function is compiled for were found just above.
            return unsafe { vector::permute_avx512(state) };
        }
        if is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") {
            // SAFETY: both features that the function is compiled for were found just above.
            return unsafe { permute_bmi(state) };
        }
    }
    permute_lanes(state);
}

/// `andn` and `rorx` spare a register move each in a step that is short of registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
fn permute_bmi(state: &mut [u64; LANES]) {
    permute_lanes(state);
}

/// One lane in each vector register: AVX-512 has enough of them for the whole state, and one
/// instruction for two operations on three lanes. A fifth faster than `permute_bmi` on Zen 4.
#[cfg(target_arch = "x86_64")]
mod vector {
    use core::arch::x86_64::{
        __m128i, _mm_andnot_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_rolv_epi64,
        _mm_set1_epi64x, _mm_xor_si128,
    };

    use super::{LANES, Lane, permute_lanes};

    #[target_feature(enable = "avx512f,avx512vl")]
    pub(super) fn permute_avx512(state: &mut [u64; LANES]) {
        let mut lanes = [One(_mm_cvtsi64_si128(0)); LANES];
        for (One(vector), lane) in lanes.iter_mut().zip(&*state) {
            *vector = _mm_cvtsi64_si128(lane.cast_signed());
        }
        permute_lanes(&mut lanes);
        for (One(vector), lane) in lanes.iter().zip(state) {
            *lane = _mm_cvtsi128_si64(*vector).cast_unsigned();
        }
    }

    /// Made only in [`permute_avx512`], so its methods run only where AVX-512VL is enabled.
    #[derive(Clone, Copy)]
    struct One(__m128i);

    impl Lane for One {
        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            // SAFETY: the type is made only where AVX-512VL is enabled.
            Self(unsafe { _mm_xor_si128(self.0, other.0) })
        }

        #[inline(always)]
        fn not_and(self, other: Self) -> Self {
            // SAFETY: the type is made only where AVX-512VL is enabled.
            Self(unsafe { _mm_andnot_si128(self.0, other.0) })
        }

        #[inline(always)]
        fn rotate<const BITS: u8>(self) -> Self {
            // SAFETY: the type is made only where AVX-512VL is enabled.
            Self(unsafe { _mm_rolv_epi64(self.0, _mm_set1_epi64x(i64::from(BITS))) })
        }

        #[inline(always)]
        fn xor_constant(self, constant: u64) -> Self {
            // SAFETY: the type is made only where AVX-512VL is enabled.
            self.xor(Self(unsafe { _mm_cvtsi64_si128(constant.cast_signed()) }))
        }
    }
}

/// The permutation itself, to be inlined where the features are known.
#[inline(always)]
pub(crate) fn permute_lanes<L: Lane>(state: &mut [L; LANES]) {
    // Four rounds without a store in between: a tenth faster than one, and no worse than more.
    let (groups, _) = ROUND_CONSTANTS.as_chunks::<4>();
    for [first, second, third, fourth] in groups {
        let after_two = round(&round(state, *first), *second);
        *state = round(&round(&after_two, *third), *fourth);
    }
}

/// One round: theta, rho and pi, chi, iota.
#[inline(always)]
fn round<L: Lane>(a: &[L; LANES], constant: u64) -> [L; LANES] {
    let c0 = a[0].xor(a[5]).xor(a[10]).xor(a[15]).xor(a[20]);
    let c1 = a[1].xor(a[6]).xor(a[11]).xor(a[16]).xor(a[21]);
    let c2 = a[2].xor(a[7]).xor(a[12]).xor(a[17]).xor(a[22]);
    let c3 = a[3].xor(a[8]).xor(a[13]).xor(a[18]).xor(a[23]);
    let c4 = a[4].xor(a[9]).xor(a[14]).xor(a[19]).xor(a[24]);
    let d0 = c4.xor(c1.rotate::<1>());
    let d1 = c0.xor(c2.rotate::<1>());
    let d2 = c1.xor(c3.rotate::<1>());
    let d3 = c2.xor(c4.rotate::<1>());
    let d4 = c3.xor(c0.rotate::<1>());
    // Row y of the result takes lane ((x + 3y) mod 5, x) of the old state for each x.
    let [r0, r1, r2, r3, r4] = chi([
        a[0].xor(d0),
        a[6].xor(d1).rotate::<44>(),
        a[12].xor(d2).rotate::<43>(),
        a[18].xor(d3).rotate::<21>(),
        a[24].xor(d4).rotate::<14>(),
    ]);
    let [r5, r6, r7, r8, r9] = chi([
        a[3].xor(d3).rotate::<28>(),
        a[9].xor(d4).rotate::<20>(),
        a[10].xor(d0).rotate::<3>(),
        a[16].xor(d1).rotate::<45>(),
        a[22].xor(d2).rotate::<61>(),
    ]);
    let [r10, r11, r12, r13, r14] = chi([
        a[1].xor(d1).rotate::<1>(),
        a[7].xor(d2).rotate::<6>(),
        a[13].xor(d3).rotate::<25>(),
        a[19].xor(d4).rotate::<8>(),
        a[20].xor(d0).rotate::<18>(),
    ]);
    let [r15, r16, r17, r18, r19] = chi([
        a[4].xor(d4).rotate::<27>(),
        a[5].xor(d0).rotate::<36>(),
        a[11].xor(d1).rotate::<10>(),
        a[17].xor(d2).rotate::<15>(),
        a[23].xor(d3).rotate::<56>(),
    ]);
    let [r20, r21, r22, r23, r24] = chi([
        a[2].xor(d2).rotate::<62>(),
        a[8].xor(d3).rotate::<55>(),
        a[14].xor(d4).rotate::<39>(),
        a[15].xor(d0).rotate::<41>(),
        a[21].xor(d1).rotate::<2>(),
    ]);
    let r0 = r0.xor_constant(constant);
    [
        r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15, r16, r17, r18, r19,
        r20, r21, r22, r23, r24,
    ]
}

/// The non-linear step on one row.
#[inline(always)]
fn chi<L: Lane>([b0, b1, b2, b3, b4]: [L; 5]) -> [L; 5] {
    [
        b0.xor(b1.not_and(b2)),
        b1.xor(b2.not_and(b3)),
        b2.xor(b3.not_and(b4)),
        b3.xor(b4.not_and(b0)),
        b4.xor(b0.not_and(b1)),
    ]
}

/// The constants of iota, one a round.
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Two states in a row of the permutation applied to zeros: the first lanes of
    /// KeccakF-1600-IntermediateValues.txt of the Keccak team.
    #[test]
    fn the_permutation_of_zeros_is_the_published_one() {
        let mut state = [0; LANES];
        permute(&mut state);
        assert_eq!(
            state[..3],
            [0xf125_8f79_40e1_dde7, 0x84d5_ccf9_33c0_478a, 0xd598_261e_a65a_a9ee]
        );
        permute(&mut state);
        assert_eq!(
            state[..3],
            [0x2d5c_954d_f96e_cb3c, 0x6a33_2cd0_7057_b56d, 0x093d_8d12_70d7_6b6c]
        );
    }

    #[test]
    fn every_compilation_permutes_alike() {
        let mut state = [0x0123_4567_89ab_cdef; LANES];
        for round in 0..100 {
            let before = state;
            let mut plain = state;
            permute_lanes(&mut plain);
            permute(&mut state);
            assert_eq!(plain, state, "permutation {round}");
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") {
                let mut other = before;
                // SAFETY: both features were found just above.
                unsafe { permute_bmi(&mut other) };
                assert_eq!(plain, other, "permutation {round}");
            }
        }
    }
}
