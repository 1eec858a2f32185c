//! The bits of a bloom trie section, which the trie holds compressed.

/// Blocks of a helper trie section.
pub const SECTION_BLOCKS: u64 = 32_768;

/// Bytes of one bit vector: one bit for each block of a section.
const BYTES: usize = 4_096;

/// One bit of the bloom of every block of a section.
#[derive(Clone, Eq, PartialEq)]
pub struct BloomBits([u8; BYTES]);

impl BloomBits {
    /// No block has the bit.
    pub const EMPTY: Self = Self([0; BYTES]);

    /// Whether the bloom of this block of the section has the bit; `false` beyond the section.
    pub fn get(&self, block: u64) -> bool {
        let byte = usize::try_from(block / 8).ok().and_then(|index| self.0.get(index));
        byte.is_some_and(|byte| byte & (0x80 >> (block % 8)) != 0)
    }

    /// The blocks of the section that have the bit.
    pub fn blocks(&self) -> impl Iterator<Item = u64> {
        (0..SECTION_BLOCKS).filter(|&block| self.get(block))
    }
}

impl std::fmt::Debug for BloomBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.blocks()).finish()
    }
}

/// Undoes go-ethereum's compression of sparse bytes; `None` if the bytes are no compression of
/// 4,096 bytes.
///
/// The compression names the bytes that are not zero in a bit set, followed by these bytes, and
/// compresses the bit set in the same way. What does not get shorter is stored as it is.
pub(crate) fn decompress(compressed: &[u8]) -> Option<BloomBits> {
    if let Ok(raw) = compressed.try_into() {
        return Some(BloomBits(raw));
    }
    if compressed.len() > BYTES {
        return None;
    }
    let mut rest = compressed;
    let bytes = expand(&mut rest, BYTES)?;
    // Everything that was sent must have been used.
    if !rest.is_empty() {
        return None;
    }
    bytes.try_into().ok().map(BloomBits)
}

/// Takes what it needs from `rest` to restore `length` bytes; the depth of the recursion is the
/// number of times that `length` can be divided by 8.
fn expand(rest: &mut &[u8], length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    if rest.is_empty() {
        return Some(bytes);
    }
    if let [only] = bytes.as_mut_slice() {
        // A zero at the bottom stands for nothing and is not stored.
        *only = take(rest)?;
        return Some(bytes);
    }
    let present = expand(rest, length.div_ceil(8))?;
    for (index, byte) in present.iter().enumerate() {
        for bit in 0..8 {
            if byte & (0x80 >> bit) != 0 {
                *bytes.get_mut(index * 8 + bit)? = take(rest)?;
            }
        }
    }
    Some(bytes)
}

/// The next stored byte, which is never zero.
fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    (*first != 0).then_some(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The other direction, written from the description of the format.
    fn compress(bytes: &[u8]) -> Vec<u8> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Vec::new();
        }
        if bytes.len() == 1 {
            return bytes.to_vec();
        }
        let set: Vec<u8> = bytes
            .chunks(8)
            .map(|chunk| {
                let bits = chunk.iter().enumerate();
                bits.fold(0, |set, (at, byte)| if *byte == 0 { set } else { set | (0x80 >> at) })
            })
            .collect();
        let mut out = compress(&set);
        out.extend(bytes.iter().filter(|byte| **byte != 0));
        if out.len() < bytes.len() || bytes.len() < BYTES { out } else { bytes.to_vec() }
    }

    #[track_caller]
    fn check(compressed: &[u8], blocks: Option<&[u64]>) {
        let bits = decompress(compressed);
        let found = bits.map(|bits| bits.blocks().collect::<Vec<_>>());
        assert_eq!(found.as_deref(), blocks, "{compressed:02x?}");
    }

    #[test]
    fn one_block_takes_one_byte_for_each_level() {
        // 4,096 = 8^4: four bit sets above the byte.
        check(&[0x80, 0x80, 0x80, 0x80, 0x80], Some(&[0]));
        check(&[0x01, 0x01, 0x01, 0x01, 0x01], Some(&[32_767]));
        check(&[0x80, 0x80, 0x80, 0xc0, 0x01, 0xff], Some(&[7, 8, 9, 10, 11, 12, 13, 14, 15]));
        check(&[], Some(&[]));
    }

    #[test]
    fn bytes_that_no_compression_gives_are_refused() {
        check(&[0x80], None); // the next level is missing
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01], None); // one byte too many
        check(&[0x80, 0x80, 0x80, 0x80, 0x00], None); // a zero that should not be stored
        check(&[0x00], None);
        check(&[0xff; 4_097], None);
    }

    #[test]
    fn what_would_not_get_shorter_is_stored_as_it_is() {
        let blocks: Vec<u64> = (0..SECTION_BLOCKS).collect();
        check(&[0xff; 4_096], Some(&blocks));
    }

    proptest! {
        #[test]
        fn compressed_bits_come_back(
            at in proptest::collection::btree_set(0usize..BYTES, 0..4_096),
            byte in 1u8..,
        ) {
            let mut bytes = [0; BYTES];
            at.iter().for_each(|index| bytes[*index] = byte);
            prop_assert_eq!(decompress(&compress(&bytes)).unwrap().0, bytes);
        }

        #[test]
        fn any_bytes_decompress_or_are_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..5_000),
        ) {
            if let Some(bits) = decompress(&bytes) && bytes.len() < BYTES {
                prop_assert_eq!(compress(&bits.0), bytes);
            }
        }
    }
}
