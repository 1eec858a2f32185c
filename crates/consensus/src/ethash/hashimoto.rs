//! The proof-of-work function, computed from the cache alone (Yellow Paper, J.4).

use alloy_consensus::Header;
use alloy_primitives::{B64, B256, keccak256};
use alloy_rlp::{BufMut, Encodable};

use super::cache::{Cache, Row, keccak512, keccak512_row};

/// Rows of the cache that make one row of the dataset (`J_parents`).
const PARENTS: u32 = 256;
/// Pages of the dataset that a seal reads (`J_accesses`).
const ACCESSES: u32 = 64;
/// The prime of the FNV hash.
const FNV_PRIME: u32 = 0x0100_0193;

/// What hashing a header with a nonce gives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Work {
    /// The header's `mixHash`.
    pub mix_hash: B256,
    /// The number that must not exceed 2^256 / difficulty, big-endian.
    pub result: B256,
}

impl Cache {
    /// Hashes a seal hash with a nonce: some 33,000 reads of the cache.
    #[must_use]
    pub fn work(&self, seal_hash: B256, nonce: B64) -> Work {
        let mut input = [0; 40];
        let (head, tail) = input.split_at_mut(32);
        head.copy_from_slice(seal_hash.as_slice());
        tail.copy_from_slice(nonce.as_slice());
        tail.reverse();
        let seed = keccak512(&input);
        let [first, ..] = seed;
        let mut mix = [seed, seed];
        for access in 0..ACCESSES {
            // The mix has 32 words: each access looks at the next one.
            let place = usize::try_from(access).unwrap_or_default() % mix.as_flattened().len();
            let word = mix.as_flattened().get(place).copied().unwrap_or_default();
            let page = fnv(access ^ first, word).checked_rem(self.pages).unwrap_or_default();
            let rows = [page.wrapping_mul(2), page.wrapping_mul(2).wrapping_add(1)];
            for (half, index) in mix.iter_mut().zip(rows) {
                fnv_row(half, &self.dataset_row(index));
            }
        }
        let mix_hash = compress(mix);
        let seed = seed.map(u32::to_le_bytes);
        let result = keccak256([seed.as_flattened(), mix_hash.as_slice()].concat());
        Work { mix_hash, result }
    }

    /// One row of the dataset.
    fn dataset_row(&self, index: u32) -> Row {
        let mut mix = *self.row(index);
        let [first, ..] = &mut mix;
        *first ^= index;
        mix = keccak512_row(&mix);
        for parent in 0..PARENTS {
            let place = usize::try_from(parent).unwrap_or_default() % mix.len();
            let word = mix.get(place).copied().unwrap_or_default();
            fnv_row(&mut mix, self.row(fnv(index ^ parent, word)));
        }
        keccak512_row(&mix)
    }
}

const fn fnv(left: u32, right: u32) -> u32 {
    left.wrapping_mul(FNV_PRIME) ^ right
}

fn fnv_row(row: &mut Row, other: &Row) {
    for (word, other) in row.iter_mut().zip(other) {
        *word = fnv(*word, *other);
    }
}

/// Four words of the mix become one.
fn compress(mix: [Row; 2]) -> B256 {
    let mut digest = B256::ZERO;
    let (groups, _) = mix.as_flattened().as_chunks::<4>();
    let (words, _) = digest.0.as_chunks_mut::<4>();
    for (word, [a, b, c, d]) in words.iter_mut().zip(groups) {
        *word = fnv(fnv(fnv(*a, *b), *c), *d).to_le_bytes();
    }
    digest
}

pub(super) fn seal_hash(header: &Header) -> B256 {
    // The header's RLP ends with mixHash and nonce, then what later forks added; of that only a
    // base fee can stand in a proof-of-work header.
    let fields: [&dyn Encodable; 13] = [
        &header.parent_hash,
        &header.ommers_hash,
        &header.beneficiary,
        &header.state_root,
        &header.transactions_root,
        &header.receipts_root,
        &header.logs_bloom,
        &header.difficulty,
        &header.number,
        &header.gas_limit,
        &header.gas_used,
        &header.timestamp,
        &header.extra_data,
    ];
    let base_fee = header.base_fee_per_gas;
    let payload_length = fields.iter().map(|field| field.length()).sum::<usize>()
        + base_fee.as_ref().map_or(0, Encodable::length);
    let mut out: Vec<u8> = Vec::with_capacity(payload_length + 9);
    alloy_rlp::Header { list: true, payload_length }.encode(&mut out);
    for field in fields {
        field.encode(&mut out as &mut dyn BufMut);
    }
    if let Some(base_fee) = base_fee {
        base_fee.encode(&mut out);
    }
    keccak256(out)
}
