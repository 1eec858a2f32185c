//! Bloom filters turned on their side: for each of the 2048 bits, which blocks have it set.

/// Bits of a header's bloom filter.
const BITS: usize = 2048;

/// The bit vectors of one section.
#[derive(Debug)]
pub(crate) struct BloomBits {
    /// Bytes of one vector.
    length: usize,
    vectors: Vec<u8>,
}

impl BloomBits {
    /// Vectors for a section of this many blocks, a multiple of 8.
    pub(crate) fn new(section: u64) -> Self {
        let length = usize::try_from(section / 8).unwrap_or_default();
        Self { length, vectors: vec![0; BITS * length] }
    }

    /// Adds the bloom filter of the block at a position within the section.
    ///
    /// Bit 0 is the lowest bit of the last byte (go-ethereum `core/bloombits/generator.go`); the
    /// first block is the highest bit of a vector's first byte.
    pub(crate) fn add(&mut self, position: u64, bloom: &[u8; 256]) {
        let mask = 1 << (7 - position % 8);
        let Ok(byte_of_block) = usize::try_from(position / 8) else { return };
        for (index, byte) in bloom.iter().rev().enumerate().filter(|(_, byte)| **byte != 0) {
            for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                let vector = (8 * index + bit) * self.length;
                if let Some(out) = self.vectors.get_mut(vector + byte_of_block) {
                    *out |= mask;
                }
            }
        }
    }

    /// The vectors of bits 0, 1, …
    pub(crate) fn vectors(&self) -> impl Iterator<Item = &[u8]> {
        self.vectors.chunks(self.length.max(1))
    }
}

/// Compresses a vector with few bits: a bit set of the bytes that are not zero, itself compressed
/// in the same way, and those bytes. What does not get shorter stays as it is (go-ethereum
/// `common/bitutil/compress.go`).
pub(crate) fn compress(vector: &[u8]) -> Vec<u8> {
    let packed = pack(vector);
    if packed.len() < vector.len() { packed } else { vector.to_vec() }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Vec::new();
    }
    if bytes.len() == 1 {
        return bytes.to_vec();
    }
    let set = bytes.chunks(8).map(|eight| {
        (0..).zip(eight).map(|(index, byte)| u8::from(*byte != 0) << (7 - index)).sum::<u8>()
    });
    let mut packed = pack(&set.collect::<Vec<u8>>());
    packed.extend(bytes.iter().filter(|byte| **byte != 0));
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bits_take_few_bytes_and_many_stay_raw() {
        let sparse = |bits: &[usize]| {
            let mut vector = vec![0; 4096];
            bits.iter().for_each(|bit| vector[bit / 8] |= 0x80 >> (bit % 8));
            compress(&vector)
        };
        assert_eq!(sparse(&[]), [0; 0]);
        // One byte for each level: 4096, 512, 64, 8 and 1 bytes.
        assert_eq!(sparse(&[0]), [0x80; 5]);
        assert_eq!(sparse(&[32_767]), [0x01; 5]);
        assert_eq!(compress(&[0xff; 4096]), [0xff; 4096]);
    }

    #[test]
    fn a_bit_is_counted_from_the_end_of_the_bloom_filter() {
        let mut bits = BloomBits::new(16);
        let mut bloom = [0; 256];
        bloom[255] = 0b10;
        bloom[0] = 0x80;
        bits.add(9, &bloom);
        let set: Vec<_> = bits.vectors().enumerate().filter(|(_, v)| *v != [0, 0]).collect();
        assert_eq!(set, [(1, &[0u8, 0x40][..]), (2047, &[0, 0x40])]);
    }
}
