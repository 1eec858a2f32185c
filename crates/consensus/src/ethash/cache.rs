//! The cache of one epoch (Yellow Paper, J.3.1 and J.3.2).

use std::fmt;

use alloy_primitives::{B256, Keccak256, keccak256};
use sha3::{Digest, Keccak512};

use super::MAX_EPOCH;

/// 64 bytes, as the sixteen little-endian words that ethash computes with.
pub(super) type Row = [u32; 16];

/// Bytes of a row.
const ROW_BYTES: u64 = 64;
/// Bytes of the cache of epoch 0, and by how much each epoch's is larger (`J_cacheinit`,
/// `J_cachegrowth`).
const CACHE_BYTES: (u64, u64) = (1 << 24, 1 << 17);
/// The same for the dataset, of which only the number of rows is needed (`J_datasetinit`,
/// `J_datasetgrowth`).
const DATASET_BYTES: (u64, u64) = (1 << 30, 1 << 23);
/// Bytes that a seal's mix reads from the dataset at once (`J_mixbytes`).
const MIX_BYTES: u64 = 128;
/// Passes of the mixing hash over the cache (`J_cacherounds`).
const ROUNDS: usize = 3;

/// What the seals of one epoch of 30,000 blocks are checked with.
pub struct Cache {
    epoch: u64,
    pub(super) rows: Vec<Row>,
    /// Pairs of rows in the dataset.
    pub(super) pages: u32,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Cache {
    /// Makes the cache of `epoch`: four passes of Keccak-512 over 16 MiB and 128 KiB per epoch.
    /// `None` beyond [`MAX_EPOCH`].
    #[must_use]
    pub fn new(epoch: u64) -> Option<Self> {
        let seed = (epoch <= MAX_EPOCH).then(|| seed_of(epoch))?;
        let count = usize::try_from(prime_rows(CACHE_BYTES, epoch, ROW_BYTES)).ok()?;
        let pages = u32::try_from(prime_rows(DATASET_BYTES, epoch, MIX_BYTES)).ok()?;
        let mut rows = Vec::with_capacity(count);
        let mut row = keccak512(seed.as_slice());
        for _ in 0..count {
            rows.push(row);
            row = keccak512_row(&row);
        }
        for _ in 0..ROUNDS {
            mix_pass(&mut rows);
        }
        Some(Self { epoch, rows, pages })
    }

    /// The epoch that this is the cache of.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes of the cache's rows.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.rows.as_slice())
    }

    /// Keccak-256 of the rows, to compare caches by.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let mut hasher = Keccak256::new();
        for row in &self.rows {
            hasher.update(row.map(u32::to_le_bytes).as_flattened());
        }
        hasher.finalize()
    }

    /// The row at `index` modulo the number of rows.
    pub(super) fn row(&self, index: u32) -> &Row {
        row(&self.rows, index)
    }
}

const NO_ROW: &Row = &[0; 16];

fn row(rows: &[Row], index: u32) -> &Row {
    let place = usize::try_from(index).ok().and_then(|index| index.checked_rem(rows.len()));
    place.and_then(|place| rows.get(place)).unwrap_or(NO_ROW)
}

/// One pass of Sergio Lerner's RandMemoHash.
fn mix_pass(rows: &mut [Row]) {
    let count = rows.len();
    for at in 0..count {
        let before = if at == 0 { count.saturating_sub(1) } else { at - 1 };
        let (Some(current), Some(mut mixed)) = (rows.get(at), rows.get(before).copied()) else {
            return;
        };
        let [pick, ..] = *current;
        for (word, other) in mixed.iter_mut().zip(row(rows, pick)) {
            *word ^= other;
        }
        if let Some(current) = rows.get_mut(at) {
            *current = keccak512_row(&mixed);
        }
    }
}

/// Keccak-256, applied `epoch` times to 32 zeros.
fn seed_of(epoch: u64) -> B256 {
    (0..epoch).fold(B256::ZERO, |seed, _| keccak256(seed))
}

/// The largest prime number of units of `unit` bytes that fits the epoch's size and leaves room
/// for one more.
const fn prime_rows((first, growth): (u64, u64), epoch: u64, unit: u64) -> u64 {
    let mut count = (first + growth * epoch) / unit - 1;
    while !is_prime(count) {
        count -= 2; // sizes are even multiples of the unit, so this stays odd
    }
    count
}

/// By division: some thousand steps for the sizes here.
const fn is_prime(number: u64) -> bool {
    if number.is_multiple_of(2) {
        return number == 2;
    }
    let mut divisor = 3;
    while divisor * divisor <= number {
        if number.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    number > 1
}

pub(super) fn keccak512(input: &[u8]) -> Row {
    let digest: [u8; 64] = Keccak512::digest(input).into();
    let (words, _) = digest.as_chunks::<4>();
    let mut row = *NO_ROW;
    for (word, bytes) in row.iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
    row
}

pub(super) fn keccak512_row(row: &Row) -> Row {
    keccak512(row.map(u32::to_le_bytes).as_flattened())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes from the tables in go-ethereum's `consensus/ethash/algorithm.go`, seeds by hand.
    #[test]
    fn sizes_are_those_of_the_published_tables() {
        let check = |epoch, cache, dataset| {
            assert_eq!(prime_rows(CACHE_BYTES, epoch, ROW_BYTES) * ROW_BYTES, cache, "{epoch}");
            assert_eq!(prime_rows(DATASET_BYTES, epoch, MIX_BYTES) * MIX_BYTES, dataset, "{epoch}");
        };
        check(0, 16_776_896, 1_073_739_904);
        check(1, 16_907_456, 1_082_130_304);
        check(2, 17_039_296, 1_090_514_816);
    }

    #[test]
    fn there_is_no_cache_beyond_the_last_epoch() {
        assert!(Cache::new(MAX_EPOCH + 1).is_none());
        assert!(Cache::new(u64::MAX).is_none());
    }
}
