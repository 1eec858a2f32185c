//! Keccak-256 as Ethereum uses it (the original padding, not SHA-3's).
//!
//! [`keccak256`] hashes one input, [`Keccak256`] a stream, [`keccak256_all`] many inputs, eight at
//! once.
//! The permutation is plain Rust, compiled more than once for different CPU features; the best
//! fit is chosen at run time. This crate knows nothing of what is hashed, and it is the only
//! core with `unsafe` in it: the calls into those compilations and the vector instructions.
//!
//! Source: <https://keccak.team/keccak_specs_summary.html>; rate 136 bytes, output 32 bytes.

#![deny(unsafe_code)]

mod eight;
mod permutation;
mod sponge;
mod wide;

pub use eight::keccak256_all;
pub use sponge::{Keccak256, RATE};

/// Bytes of a digest.
pub const DIGEST: usize = 32;

/// The Keccak-256 digest of `input`.
#[must_use]
pub fn keccak256(input: &[u8]) -> [u8; DIGEST] {
    let mut sponge = Keccak256::new();
    sponge.update(input);
    sponge.finalize()
}
