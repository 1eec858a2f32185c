//! Writing of RLP into a `Vec<u8>`.

use alloy_primitives::U256;
use alloy_rlp::{Encodable, Header};

/// Appends an integer.
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    value.encode(out);
}

/// Appends an integer.
pub fn write_u256(value: &U256, out: &mut Vec<u8>) {
    value.encode(out);
}

/// Appends a byte string.
pub fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    bytes.encode(out);
}

/// Appends the header of a list whose items take `payload_length` bytes.
pub fn write_list_head(payload_length: usize, out: &mut Vec<u8>) {
    Header { list: true, payload_length }.encode(out);
}

/// Appends a list whose items are written by `items`.
pub fn write_list(out: &mut Vec<u8>, items: impl FnOnce(&mut Vec<u8>)) {
    // Most lists here are short: one byte of header, filled in once the length is known.
    const SHORT: u8 = 0xc0;
    let start = out.len();
    out.push(SHORT);
    items(out);
    let payload_length = out.len() - start - 1;
    match (u8::try_from(payload_length), out.get_mut(start)) {
        (Ok(length @ ..56), Some(head)) => *head = SHORT + length,
        _ => {
            let mut head = Vec::with_capacity(9);
            write_list_head(payload_length, &mut head);
            out.splice(start..=start, head);
        }
    }
}
