//! The Ethereum project's trie vectors (`fixtures/trie`).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use alloy_primitives::{B256, hex, keccak256};
use merkle_trie::{EMPTY_ROOT, NodeMap, TrieMut, build_sorted};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Entries in the order of the file; `None` removes.
fn entries(case: &Value) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let bytes = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).unwrap(),
        None => text.as_bytes().to_vec(),
    };
    if let Some(map) = case["in"].as_object() {
        return map.iter().map(|(key, value)| (bytes(key), value.as_str().map(bytes))).collect();
    }
    let pairs = case["in"].as_array().unwrap();
    pairs
        .iter()
        .map(|pair| (bytes(pair[0].as_str().unwrap()), pair[1].as_str().map(bytes)))
        .collect()
}

fn check(file: &str, hashed_keys: bool, expected_cases: usize) {
    let path = format!("{}/../../fixtures/trie/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    let cases: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), expected_cases, "{file}");
    for (name, case) in &cases {
        let root: B256 = case["root"].as_str().unwrap().parse().unwrap();
        let mut trie = TrieMut::new(NodeMap::default(), EMPTY_ROOT);
        let mut left = BTreeMap::new();
        for (key, value) in entries(case) {
            let key = if hashed_keys { keccak256(&key).to_vec() } else { key };
            match value {
                Some(value) => {
                    trie.insert(&key, value.clone()).unwrap();
                    left.insert(key, value);
                }
                None => {
                    trie.remove(&key).unwrap();
                    left.remove(&key);
                }
            }
        }
        assert_eq!(trie.root(), root, "{file} {name}: changed step by step");
        let sorted: Vec<_> = left.into_iter().collect();
        let built = build_sorted(&sorted, |_, _, _| ()).unwrap();
        assert_eq!(built, root, "{file} {name}: built at once");
    }
}

#[test]
fn roots_are_those_of_the_official_vectors() {
    check("trietest.json", false, 5);
    check("trieanyorder.json", false, 7);
    check("trietest_secureTrie.json", true, 3);
    check("trieanyorder_secureTrie.json", true, 7);
    check("hex_encoded_securetrie_test.json", true, 3);
}
