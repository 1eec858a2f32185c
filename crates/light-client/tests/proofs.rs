//! Proofs out of tries that `alloy-trie` built, and receipts that `alloy-consensus` encoded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails so")]

use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, proofs::calculate_receipt_root,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles, TrieAccount};
use les_wire::{ByteString, UndecodedList};
use light_client::{Account, Mistrust, Proofs, SECTION_BLOCKS, block, bloom_key};
use merkle_trie::{EMPTY_ROOT, ProofError};

/// Root of a trie and the nodes that prove the targets, each once.
fn proof(mut entries: Vec<(Vec<u8>, Vec<u8>)>, targets: &[&[u8]]) -> (B256, Vec<Vec<u8>>) {
    entries.sort();
    let retainer = targets.iter().map(Nibbles::unpack).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(retainer));
    for (key, value) in &entries {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    // A node of less than 32 bytes is part of the one above it, unless it is the root.
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    let nodes = nodes.into_iter().filter(|(path, node)| path.is_empty() || node.len() >= 32);
    (root, nodes.map(|(_, node)| node.to_vec()).collect())
}

fn proofs(nodes: &[Vec<u8>]) -> Proofs<'_> {
    Proofs::new(nodes.iter().map(|node| UndecodedList(node)))
}

fn address(index: u64) -> Address {
    Address::left_padding_from(&index.to_be_bytes())
}

fn account(index: u64) -> TrieAccount {
    TrieAccount {
        nonce: index,
        balance: U256::from(index) << 70,
        storage_root: B256::repeat_byte(1),
        code_hash: B256::repeat_byte(2),
    }
}

/// A state of some accounts, and a proof of two of them and of one that does not exist.
fn state() -> (B256, Vec<Vec<u8>>) {
    let key = |index| keccak256(address(index)).to_vec();
    let entries = (0..1_000).map(|index| (key(index), alloy_rlp::encode(account(index))));
    proof(entries.collect(), &[&key(3), &key(900), &key(5_000)])
}

#[test]
fn accounts_and_their_absence_are_proven() {
    let (root, nodes) = state();
    let mut proofs = proofs(&nodes);
    for index in [3, 900] {
        let expected = account(index);
        let expected = Account {
            nonce: expected.nonce,
            balance: expected.balance,
            storage_root: expected.storage_root,
            code_hash: expected.code_hash,
        };
        assert_eq!(proofs.account(root, address(index)), Ok(Some(expected)));
    }
    assert_eq!(proofs.account(root, address(5_000)), Ok(None));
    proofs.finish().unwrap();
}

#[test]
fn a_node_that_nothing_needs_is_refused() {
    let (root, nodes) = state();
    let mut proofs = proofs(&nodes);
    proofs.account(root, address(3)).unwrap();
    let error = proofs.finish().unwrap_err();
    assert!(matches!(error, Mistrust::UselessNodes { count } if count > 0), "{error}");
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_that_names_the_missing_hash() {
    let (root, nodes) = state();
    for broken in 0..nodes.len() {
        let mut nodes = nodes.clone();
        let hash = keccak256(&nodes[broken]);
        let middle = nodes[broken].len() / 2;
        nodes[broken][middle] ^= 1;
        let mut proofs = proofs(&nodes);
        let result = [3, 900, 5_000].map(|index| proofs.account(root, address(index)).err());
        let error = result.into_iter().flatten().next().unwrap();
        let expected = ProofError::MissingNode { hash };
        assert_eq!(error, Mistrust::Proof { what: "account", root, error: expected });
    }
}

#[test]
fn an_empty_trie_needs_no_proof() {
    let mut proofs = proofs(&[]);
    assert_eq!(proofs.account(EMPTY_ROOT, address(1)), Ok(None));
    assert_eq!(proofs.slot(EMPTY_ROOT, B256::ZERO), Ok(U256::ZERO));
    proofs.finish().unwrap();
}

#[test]
fn slots_are_proven_and_unset_ones_are_zero() {
    let slot = |index: u64| B256::from(U256::from(index));
    let key = |index| keccak256(slot(index)).to_vec();
    for count in [1, 2, 300] {
        let entries = (0..count).map(|i| (key(i), alloy_rlp::encode(U256::from(i + 1))));
        let (root, nodes) = proof(entries.collect(), &[&key(0), &key(7_777)]);
        let mut proofs = proofs(&nodes);
        assert_eq!(proofs.slot(root, slot(0)), Ok(U256::from(1)));
        assert_eq!(proofs.slot(root, slot(7_777)), Ok(U256::ZERO));
        proofs.finish().unwrap();
    }
}

#[test]
fn a_value_that_is_no_account_is_malformed() {
    let key = keccak256(address(1)).to_vec();
    for value in [vec![0x80; 40], alloy_rlp::encode(vec![1u64, 2, 3, 4]), vec![0xc0]] {
        let (root, nodes) = proof(vec![(key.clone(), value)], &[&key]);
        let error = proofs(&nodes).account(root, address(1)).unwrap_err();
        assert!(matches!(error, Mistrust::Malformed { what: "account", .. }), "{error}");
    }
}

#[test]
fn an_old_header_is_proven_by_the_canonical_hash_trie() {
    let headers: Vec<_> = (0..600).map(|number| Header { number, ..Header::default() }).collect();
    let hashes: Vec<_> = headers.iter().map(Header::hash_slow).collect();
    let entry = |number: usize| {
        let fields: [&dyn alloy_rlp::Encodable; 2] = [&hashes[number], &U256::from(number * 3)];
        let mut value = Vec::new();
        alloy_rlp::encode_list::<_, dyn alloy_rlp::Encodable>(&fields, &mut value);
        ((number as u64).to_be_bytes().to_vec(), value)
    };
    let entries: Vec<_> = (0..600).map(entry).collect();
    let (root, nodes) = proof(entries, &[&500u64.to_be_bytes()]);
    let encoded = alloy_rlp::encode(&headers[500]);
    let mut good = proofs(&nodes);
    let (header, total_difficulty) = good.canonical_header(root, 500, &encoded).unwrap().unwrap();
    assert_eq!((header.hash, total_difficulty), (hashes[500], U256::from(1_500)));
    good.finish().unwrap();
    let other = alloy_rlp::encode(&headers[501]);
    let error = proofs(&nodes).canonical_header(root, 500, &other).unwrap_err();
    let expected = Mistrust::WrongHash { what: "header", expected: hashes[500], got: hashes[501] };
    assert_eq!(error, expected);
}

#[test]
fn bits_of_a_section_are_proven_and_absent_ones_are_zero() {
    // Bit 5 of section 2 is set in block 9: byte 1, mask 0x40, at each level of bit sets above.
    let bits = vec![0x80, 0x80, 0x80, 0x40, 0x40];
    let entries = vec![
        (bloom_key(5, 2).to_vec(), bits),
        (bloom_key(6, 2).to_vec(), vec![0xff; 4_096]),
        (bloom_key(5, 1).to_vec(), vec![0x00]),
    ];
    let targets = [&bloom_key(5, 2)[..], &bloom_key(6, 2), &bloom_key(7, 2), &bloom_key(5, 1)];
    let (root, nodes) = proof(entries, &targets);
    let mut proofs = proofs(&nodes);
    let blocks = |bits: light_client::BloomBits| bits.blocks().collect::<Vec<_>>();
    assert_eq!(proofs.bloom_bits(root, 5, 2).map(blocks), Ok(vec![9]));
    let all = (0..SECTION_BLOCKS).collect();
    assert_eq!(proofs.bloom_bits(root, 6, 2).map(blocks), Ok(all));
    assert_eq!(proofs.bloom_bits(root, 7, 2).map(blocks), Ok(vec![]));
    assert_eq!(proofs.bloom_bits(root, 5, 1), Err(Mistrust::MalformedBits));
    proofs.finish().unwrap();
}

#[test]
fn code_must_have_the_hash_of_its_account() {
    let (code, other) = (ByteString(b"code"), ByteString(b"other"));
    assert_eq!(block::code(keccak256(code.0), [code]), Ok(code.0));
    let error = block::code(keccak256(code.0), [other]).unwrap_err().to_string();
    assert!(error.contains(&keccak256(other.0).to_string()), "{error}");
    for codes in [vec![], vec![code, code]] {
        let error = block::code(keccak256(code.0), codes).unwrap_err();
        assert!(matches!(error, Mistrust::WrongCount { expected: 1, .. }), "{error}");
    }
}

#[test]
fn receipts_must_have_the_root_of_the_header() {
    let receipt = |index: u64| {
        let status = Eip658Value::Eip658(index.is_multiple_of(2));
        let receipt =
            Receipt { status, cumulative_gas_used: 21_000 * index, logs: vec![] }.with_bloom();
        if index.is_multiple_of(3) {
            ReceiptEnvelope::Eip1559(receipt)
        } else {
            ReceiptEnvelope::Legacy(receipt)
        }
    };
    for count in [0, 1, 2, 130] {
        let receipts: Vec<ReceiptEnvelope> = (0..count).map(receipt).collect();
        let receipts_root = calculate_receipt_root(&receipts);
        let header = Header { receipts_root, ..Header::default() };
        let mut payload = Vec::new();
        receipts.iter().for_each(|receipt| receipt.network_encode(&mut payload));
        let mut list = Vec::new();
        alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut list);
        list.extend_from_slice(&payload);
        let read = block::receipts(&header, UndecodedList(&list)).unwrap();
        let canonical: Vec<_> = receipts.iter().map(|receipt| receipt.encoded_2718()).collect();
        assert_eq!(read, canonical);
        let wrong = Header::default();
        if count > 0 {
            let error = block::receipts(&wrong, UndecodedList(&list)).unwrap_err();
            let expected = Mistrust::WrongHash {
                what: "receipts",
                expected: wrong.receipts_root,
                got: receipts_root,
            };
            assert_eq!(error, expected);
        }
    }
}
