//! Paths: one nibble a byte in memory, hex-prefix encoded in nodes (Yellow Paper, appendix C).

/// The nibbles of a key, high half of each byte first.
pub(crate) fn nibbles(key: &[u8]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}

/// Length of the common start of two paths.
pub(crate) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

/// Hex-prefix encoding: the first nibble holds "is a leaf" (2) and "is odd" (1).
pub(crate) fn encode_compact(path: &[u8], leaf: bool) -> Vec<u8> {
    let flag = if leaf { 0x20 } else { 0 };
    let (first, pairs) = match path.split_first() {
        Some((nibble, rest)) if path.len() % 2 == 1 => (flag | 0x10 | nibble, rest),
        _ => (flag, path),
    };
    let mut out = Vec::with_capacity(1 + pairs.len() / 2);
    out.push(first);
    let (pairs, _) = pairs.as_chunks::<2>();
    out.extend(pairs.iter().map(|[high, low]| high << 4 | low));
    out
}

/// The path and whether it ends in a leaf; `None` if this is not a hex-prefix encoding.
pub(crate) fn decode_compact(encoded: &[u8]) -> Option<(Vec<u8>, bool)> {
    let (first, rest) = encoded.split_first()?;
    let (flag, low) = (first >> 4, first & 0x0f);
    let odd = flag & 1 == 1;
    if flag > 3 || (!odd && low != 0) {
        return None;
    }
    let mut path = Vec::with_capacity(1 + 2 * rest.len());
    if odd {
        path.push(low);
    }
    path.extend(rest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]));
    Some((path, flag & 2 == 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_prefix_round_trips_and_refuses_unknown_flags() {
        for (path, leaf, encoded) in [
            (&[1u8, 2, 3, 4, 5][..], false, &[0x11u8, 0x23, 0x45][..]),
            (&[0, 1, 2, 3, 4, 5], false, &[0x00, 0x01, 0x23, 0x45]),
            (&[0, 15, 1, 12, 11, 8], true, &[0x20, 0x0f, 0x1c, 0xb8]),
            (&[15, 1, 12, 11, 8], true, &[0x3f, 0x1c, 0xb8]),
            (&[], true, &[0x20]),
        ] {
            assert_eq!(encode_compact(path, leaf), encoded);
            assert_eq!(decode_compact(encoded), Some((path.to_vec(), leaf)));
        }
        for bad in [&[][..], &[0x40], &[0x01], &[0x21]] {
            assert_eq!(decode_compact(bad), None, "{bad:?}");
        }
    }
}
