//! Payloads of messages, from values and from bytes that are already RLP.

use alloy_primitives::{B256, U256};
use les_wire::{
    HeaderQuery, Item, write_list, write_list_head, write_string, write_u64, write_u256,
};

use crate::announce::{BlockAnnouncement, RawTransaction};
use crate::kind::Version;

/// Appends the payload of a GetBlockHeaders message.
pub fn encode_header_request(id: u64, query: &HeaderQuery, out: &mut Vec<u8>) {
    les_wire::encode_header_request(id, query, out);
}

/// Appends the payload of any other request: `[id, [hash…]]`.
pub fn encode_request(id: u64, hashes: &[B256], out: &mut Vec<u8>) {
    les_wire::encode_request(id, hashes, out);
}

/// Appends the payload of any reply: `[id, [items…]]`.
///
/// `items` is the RLP of all items, one behind the other, without a list header. It is copied
/// once.
pub fn splice_reply(id: u64, items: &[u8], out: &mut Vec<u8>) {
    let mut head = Vec::with_capacity(20);
    write_u64(id, &mut head);
    write_list_head(items.len(), &mut head);
    write_list_head(head.len().saturating_add(items.len()), out);
    out.extend_from_slice(&head);
    out.extend_from_slice(items);
}

/// Appends the payload of a NewBlockHashes message.
pub fn encode_block_hashes(blocks: &[BlockAnnouncement], out: &mut Vec<u8>) {
    write_list(out, |out| blocks.iter().for_each(|block| block.write(out)));
}

/// Appends the payload of a NewBlock message.
///
/// `header` and `body` are the RLP lists as they are stored; `total_difficulty` includes the
/// block.
pub fn encode_new_block(header: &[u8], body: &[u8], total_difficulty: &U256, out: &mut Vec<u8>) {
    write_list(out, |out| {
        write_list(out, |out| {
            out.extend_from_slice(header);
            out.extend_from_slice(list_payload(body));
        });
        write_u256(total_difficulty, out);
    });
}

/// Appends the payload of a Transactions message.
pub fn encode_transactions<'a>(
    transactions: impl IntoIterator<Item = RawTransaction<'a>>,
    out: &mut Vec<u8>,
) {
    write_list(out, |out| transactions.into_iter().for_each(|one| one.write(out)));
}

/// Appends the payload of a NewPooledTransactionHashes message: of each transaction its hash,
/// type, and length of the canonical form in bytes.
pub fn encode_pooled_hashes(version: Version, of: &[(B256, u8, u64)], out: &mut Vec<u8>) {
    let hashes = |out: &mut Vec<u8>| of.iter().for_each(|(hash, ..)| hash.write(out));
    if version < Version::Eth68 {
        return write_list(out, hashes);
    }
    write_list(out, |out| {
        let kinds: Vec<u8> = of.iter().map(|&(_, kind, _)| kind).collect();
        write_string(&kinds, out);
        write_list(out, |out| of.iter().for_each(|&(_, _, size)| write_u64(size, out)));
        write_list(out, hashes);
    });
}

/// What is behind the header of a list.
fn list_payload(list: &[u8]) -> &[u8] {
    let mut reader = les_wire::Reader::new("list", list);
    reader.list("list").map_or(&[], |payload| payload.rest())
}
