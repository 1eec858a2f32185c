//! Datagrams of discovery and bytes of the chain.

use discv4::Packet;
use keccak::keccak256;
use merkle_trie::verify_proof;

use crate::{Target, memory::bounded};

pub const TARGETS: &[Target] = &[("discv4", discv4), ("proof", proof)];

/// The input is what the hash in front is of, so that mutations get past it.
fn discv4(input: &[u8]) {
    let datagram = [&keccak256(input), input].concat();
    let _ = bounded(input.len(), 2, 1024, || Packet::decode(&datagram).map(|_| ()));
}

/// A key, and one trie node whose hash is the root.
fn proof(input: &[u8]) {
    let Some((key, node)) = input.split_first_chunk::<32>() else { return };
    let proven = bounded(node.len(), 2, 1024, || {
        verify_proof(keccak256(node).into(), key, [node]).map(|(value, _)| value)
    });
    if let Ok(Some(value)) = proven {
        assert!(value.len() < node.len());
    }
}
