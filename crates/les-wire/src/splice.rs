//! The server's replies: a head in front of bytes that are already RLP.

use alloy_rlp::{Encodable, length_of_length};

use crate::writer::{write_list_head, write_string, write_u64};

/// Appends `[request id, BV, [payload…]]`: the payload of any reply but HelperTrieProofs.
///
/// `buffer_value` is what the client's buffer holds after this request, in cost units.
/// `list_payload` is the concatenated RLP of the items, without a list header. It is copied once.
/// Headers, bodies, receipts and trie nodes are RLP already and go in as they are stored; codes
/// are byte strings: [`write_byte_string`].
pub fn splice_reply(request_id: u64, buffer_value: u64, list_payload: &[u8], out: &mut Vec<u8>) {
    write_reply_head(request_id, buffer_value, list_payload.len(), out);
    out.extend_from_slice(list_payload);
}

/// Appends what stands in front of the items of a reply; exactly `payload_length` bytes of items
/// must be appended next.
pub fn write_reply_head(
    request_id: u64,
    buffer_value: u64,
    payload_length: usize,
    out: &mut Vec<u8>,
) {
    let data = list_length(payload_length);
    let fields = request_id.length() + buffer_value.length() + data;
    out.reserve(list_length(fields));
    write_list_head(fields, out);
    write_u64(request_id, out);
    write_u64(buffer_value, out);
    write_list_head(payload_length, out);
}

/// Appends `[request id, BV, [[nodes…], [aux…]]]`: the payload of HelperTrieProofs.
///
/// `nodes` are trie nodes as they are stored, one behind the other. `aux` are headers, each in a
/// byte string: [`write_byte_string`].
pub fn splice_helper_trie_reply(
    request_id: u64,
    buffer_value: u64,
    nodes: &[u8],
    aux: &[u8],
    out: &mut Vec<u8>,
) {
    let data = list_length(nodes.len()) + list_length(aux.len());
    write_reply_head(request_id, buffer_value, data, out);
    write_list_head(nodes.len(), out);
    out.extend_from_slice(nodes);
    write_list_head(aux.len(), out);
    out.extend_from_slice(aux);
}

/// Appends a byte string: a contract's code, or auxiliary data of HelperTrieProofs.
pub fn write_byte_string(bytes: &[u8], out: &mut Vec<u8>) {
    write_string(bytes, out);
}

/// Bytes of a list whose items take `payload_length` bytes.
const fn list_length(payload_length: usize) -> usize {
    length_of_length(payload_length) + payload_length
}
