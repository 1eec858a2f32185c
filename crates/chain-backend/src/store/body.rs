//! What bodies and receipts consist of.

use alloy_primitives::B256;
use alloy_rlp::Header;

use super::record::keccak;

/// The items of an RLP list as tries and hashes take them; `None` if the list is malformed.
///
/// A legacy transaction or receipt is a list and taken whole; a typed one is a string and taken
/// without the string's header (EIP-2718).
pub(super) fn list_items(list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut after = list;
    let mut rest = Header::decode_bytes(&mut after, true).ok()?;
    if !after.is_empty() {
        return None;
    }
    let mut items = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let header = Header::decode(&mut rest).ok()?;
        let (payload, behind) = rest.split_at_checked(header.payload_length)?;
        rest = behind;
        let whole = start.get(..start.len() - rest.len())?;
        items.push(if header.list { whole } else { payload });
    }
    Some(items)
}

/// Hashes of the transactions in a body's RLP; `None` if it is malformed.
pub(super) fn transaction_hashes(body: &[u8]) -> Option<Vec<B256>> {
    let transactions = list_items(body)?.into_iter().next()?;
    Some(list_items(transactions)?.into_iter().map(keccak).collect())
}
