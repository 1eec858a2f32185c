//! Proofs in the helper tries, and old headers beside them.

use alloy_rlp::{EMPTY_LIST_CODE, Encodable as _, Header};
use chain_backend::{BackendError, HelperTrieKind, Snapshot};
use les_wire::{HelperTrie, HelperTrieQuery};
use merkle_trie::NodeSet;

use super::{Answered, SOFT_REPLY_LIMIT};

/// Appends the two lists of the reply, nodes and auxiliary items. A section that is not built
/// contributes no node; its header, if asked for, comes from the chain all the same: clients of
/// go-ethereum up to 1.9.24 ask that way.
pub(super) fn helper_trie_proofs<'i>(
    snapshot: &dyn Snapshot,
    items: impl Iterator<Item = HelperTrieQuery<'i>>,
    out: &mut Vec<u8>,
) -> Result<Answered, BackendError> {
    let mut nodes = NodeSet::default();
    let mut aux = Vec::new();
    let mut answered = Answered::default();
    for item in items {
        let kind = match item.trie() {
            Some(HelperTrie::CanonicalHash) => HelperTrieKind::CanonicalHash,
            Some(HelperTrie::Bloom) => HelperTrieKind::Bloom,
            None => continue,
        };
        let from_level = usize::try_from(item.from_level).unwrap_or(usize::MAX);
        let found = snapshot.prove_helper(kind, item.section, item.key, from_level, &mut nodes)?;
        if item.aux == HelperTrieQuery::AUX_HEADER && kind == HelperTrieKind::CanonicalHash {
            append_aux_header(snapshot, &item, &mut aux)?;
        }
        // A missing section is no fault: client and server count sections at different depths.
        answered.found = answered.found.saturating_add(u32::from(found));
        if nodes.payload().len().saturating_add(aux.len()) >= SOFT_REPLY_LIMIT {
            break;
        }
    }
    for list in [nodes.payload(), &aux] {
        Header { list: true, payload_length: list.len() }.encode(out);
        out.extend_from_slice(list);
    }
    Ok(answered)
}

fn append_aux_header(
    snapshot: &dyn Snapshot,
    item: &HelperTrieQuery<'_>,
    aux: &mut Vec<u8>,
) -> Result<(), BackendError> {
    let Some(number) = item.block_number() else { return Ok(()) };
    let mut header = Vec::new();
    snapshot.append_canonical_headers(number, 1, 1, &mut header)?;
    if header.is_empty() {
        // What go-ethereum 1.10 sends for a header that does not exist.
        header.push(EMPTY_LIST_CODE);
    }
    header.as_slice().encode(aux);
    Ok(())
}
