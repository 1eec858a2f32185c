//! Digests against published values and against the `sha3` crate.

use keccak::{Keccak256, RATE, keccak256};
use proptest::prelude::*;
use sha3::Digest as _;
use zeroize::Zeroize as _;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha3_digest(input: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(input).into()
}

#[track_caller]
fn check(input: &[u8], expected: &str) {
    assert_eq!(hex(&keccak256(input)), expected);
    assert_eq!(sha3_digest(input), keccak256(input));
}

/// The code hash of an empty account, the hash of an empty uncle list and the root of an empty
/// trie (Yellow Paper, sections 4.1 and 4.3), and the team's vector for "abc".
#[test]
fn well_known_digests_come_out() {
    check(b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    check(&[0xc0], "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
    check(&[0x80], "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    check(b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

#[test]
fn every_length_around_four_blocks_agrees_with_sha3() {
    let input: Vec<u8> = (0..=u8::MAX).cycle().step_by(31).take(4 * RATE + 9).collect();
    for length in 0..=input.len() {
        assert_eq!(keccak256(&input[..length]), sha3_digest(&input[..length]), "{length} bytes");
    }
}

#[test]
fn a_wiped_sponge_is_a_new_one() {
    let mut sponge = Keccak256::new();
    sponge.update(b"a secret");
    sponge.zeroize();
    assert_eq!(sponge.finalize(), keccak256(b""));
}

#[test]
fn the_state_is_not_shown_by_debug() {
    let mut sponge = Keccak256::new();
    sponge.update(b"a secret");
    assert_eq!(format!("{sponge:?}"), "Keccak256 { absorbed: 8, .. }");
}

proptest! {
    #[test]
    fn split_updates_do_not_matter(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
    ) {
        let mut sponge = Keccak256::new();
        let mut whole = Vec::new();
        for part in &parts {
            sponge.update(part);
            whole.extend_from_slice(part);
            prop_assert_eq!(sponge.current(), sha3_digest(&whole));
        }
        let mut digest = [0; 32];
        sponge.clone().finalize_into(&mut digest);
        prop_assert_eq!(digest, sha3_digest(&whole));
        prop_assert_eq!(digest, sponge.finalize());
    }
}
