//! Roots, proofs and changed nodes against other people's tries and against starting afresh.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{HashBuilder, Nibbles};
use eth_trie::{EthTrie, MemoryDB, Trie};
use merkle_trie::{
    EMPTY_ROOT, NodeMap, NodeSet, NodeSource, ProofNodes, TrieMut, build_sorted, lookup, prove,
    verify_proof, walk_all,
};
use proptest::{collection::vec, prelude::*};

/// Nodes by path, as a store keeps them; a node with another hash is not the node.
#[derive(Clone, Debug, Default, PartialEq)]
struct PathMap(BTreeMap<Vec<u8>, Bytes>);

impl NodeSource for PathMap {
    type Error = Infallible;

    fn node(&self, path: &[u8], hash: &B256) -> Result<Option<Bytes>, Infallible> {
        Ok(self.0.get(path).filter(|node| keccak256(node) == *hash).cloned())
    }
}

/// Keys of three bytes that share much, so that every way to split and join comes up; values
/// short enough to stand inside parents, or long. No byte above 0x7f: the other trie encodes such
/// a value twice when it proves it.
fn entry() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let key = vec(prop_oneof![Just(0u8), Just(1), Just(0x10), Just(0x11)], 3);
    (key, prop_oneof![vec(1u8..0x80, 1..3), vec(1u8..0x80, 30..40)])
}

/// One step: a value to set, or `None` to remove.
fn step() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
    (entry(), any::<bool>()).prop_map(|((key, value), keep)| (key, keep.then_some(value)))
}

fn hash_builder_root(entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in entries {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

fn path_map(entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> (B256, PathMap) {
    let sorted: Vec<_> = entries.iter().collect();
    let mut nodes = PathMap::default();
    let root = build_sorted(&sorted, |path, _, node| {
        nodes.0.insert(path.to_vec(), Bytes::copy_from_slice(node));
    });
    (root.unwrap(), nodes)
}

fn decode(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = payload;
    let mut nodes = Vec::new();
    while !rest.is_empty() {
        let whole = rest;
        alloy_rlp::Header::decode_bytes(&mut rest, true).unwrap();
        nodes.push(whole.get(..whole.len() - rest.len()).unwrap().to_vec());
    }
    nodes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_of_changes_leaves_what_building_afresh_leaves(
        rounds in vec(vec(step(), 0..12), 1..5),
        roots_between in any::<bool>(),
    ) {
        let mut entries = BTreeMap::new();
        let mut stored = PathMap::default();
        let mut root = EMPTY_ROOT;
        for steps in rounds {
            let mut trie = TrieMut::new(stored.clone(), root);
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        trie.insert(&key, value.clone()).unwrap();
                        entries.insert(key.clone(), value);
                    }
                    None => {
                        trie.remove(&key).unwrap();
                        entries.remove(&key);
                    }
                }
                prop_assert_eq!(trie.get(&key).unwrap(), entries.get(&key).cloned());
                if roots_between {
                    prop_assert_eq!(trie.root(), hash_builder_root(&entries));
                }
            }
            let commit = trie.commit();
            root = commit.root;
            for (path, node) in commit.changes {
                match node {
                    Some((hash, node)) => {
                        prop_assert_eq!(hash, keccak256(&node));
                        stored.0.insert(path, node)
                    }
                    None => stored.0.remove(&path),
                };
            }
            prop_assert_eq!(root, hash_builder_root(&entries));
            prop_assert_eq!(&(root, stored.clone()), &path_map(&entries));
        }
    }

    #[test]
    fn proofs_are_those_of_another_trie_and_use_every_node(
        entries in vec(entry(), 0..40),
        asked in vec(prop_oneof![Just(0u8), Just(1), Just(0x10), Just(0x11), Just(0xff)], 3),
    ) {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let (root, stored) = path_map(&entries);
        let mut other = EthTrie::new(Arc::new(MemoryDB::new(true)));
        for (key, value) in &entries {
            other.insert(key, value).unwrap();
        }
        prop_assert_eq!(other.root_hash().unwrap(), root);

        let mut set = NodeSet::default();
        let value = prove(&stored, root, &asked, 0, &mut set).unwrap();
        prop_assert_eq!(&value, &entries.get(&asked).cloned());
        let nodes = decode(set.payload());
        prop_assert_eq!(nodes.len(), set.len());
        if !entries.is_empty() {
            prop_assert_eq!(&nodes, &other.get_proof(&asked).unwrap());
        }
        let (proven, used) = verify_proof(root, &asked, nodes.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(proven, value);
        prop_assert_eq!(used, nodes.len());

        for level in 1..=nodes.len() {
            let mut set = NodeSet::default();
            prove(&stored, root, &asked, level, &mut set).unwrap();
            prop_assert_eq!(&decode(set.payload())[..], &nodes[level..]);
        }
    }

    #[test]
    fn a_changed_proof_proves_nothing(
        entries in vec(entry(), 1..40),
        byte in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let (root, stored) = path_map(&entries);
        let key = entries.keys().next().unwrap();
        let mut set = NodeSet::default();
        prove(&stored, root, key, 0, &mut set).unwrap();
        let mut nodes = decode(set.payload());
        let total: usize = nodes.iter().map(Vec::len).sum();
        let mut at = byte.index(total);
        for node in &mut nodes {
            if at < node.len() {
                node[at] ^= 1 << bit;
                break;
            }
            at -= node.len();
        }
        prop_assert!(verify_proof(root, key, nodes.iter().map(Vec::as_slice)).is_err());
    }

    #[test]
    fn arbitrary_nodes_never_panic(node in vec(any::<u8>(), 0..200), key in vec(any::<u8>(), 0..5)) {
        let root = keccak256(&node);
        let _ = verify_proof(root, &key, [node.as_slice()]);
        let source = NodeMap(BTreeMap::from([(root, Bytes::from(node))]));
        let _ = lookup(&source, root, &key);
        let _ = walk_all(&source, root, |_, _| true, |_, _| ());
        let _ = TrieMut::new(&source, root).insert(&key, vec![1]);
        let _ = TrieMut::new(&source, root).remove(&key);
    }
}

#[test]
fn nodes_that_no_proof_needs_are_counted() {
    let entries: BTreeMap<_, _> =
        (0u8..40).map(|byte| (keccak256([byte]).to_vec(), vec![byte + 1; 40])).collect();
    let (root, stored) = path_map(&entries);
    let mut set = NodeSet::default();
    let keys: Vec<_> = entries.keys().take(2).collect();
    for key in &keys {
        prove(&stored, root, key, 0, &mut set).unwrap();
    }
    let nodes = decode(set.payload());
    let mut proof = ProofNodes::new(nodes.iter().map(Vec::as_slice));
    assert_eq!(proof.verify(root, keys[0]).unwrap(), entries.get(keys[0]).cloned());
    assert_ne!(proof.unused(), 0);
    assert_eq!(proof.verify(root, keys[1]).unwrap(), entries.get(keys[1]).cloned());
    assert_eq!(proof.unused(), 0);
}

#[test]
fn keys_of_any_length_are_answered_with_an_absence_proof() {
    let entries: BTreeMap<_, _> =
        (0u8..40).map(|byte| (keccak256([byte]).to_vec(), vec![byte + 1; 40])).collect();
    let (root, stored) = path_map(&entries);
    let known = entries.keys().next().unwrap().clone();
    for key in [vec![], known[..1].to_vec(), known[..31].to_vec(), [known, vec![0; 40]].concat()] {
        let mut set = NodeSet::default();
        assert_eq!(prove(&stored, root, &key, 0, &mut set), Ok(None));
        let nodes = decode(set.payload());
        let proof = verify_proof(root, &key, nodes.iter().map(Vec::as_slice));
        assert_eq!(proof, Ok((None, nodes.len())), "{} bytes", key.len());
    }
}

#[test]
fn an_empty_trie_is_proven_by_nothing() {
    let mut set = NodeSet::default();
    assert_eq!(prove(&NodeMap::default(), EMPTY_ROOT, b"key", 0, &mut set), Ok(None));
    assert!(set.is_empty());
    assert_eq!(verify_proof(EMPTY_ROOT, b"key", []), Ok((None, 0)));
}

#[test]
fn walking_everything_meets_every_node_and_value() {
    let entries: BTreeMap<_, _> =
        (0u16..400).map(|n| (keccak256(n.to_be_bytes()).to_vec(), vec![7; 20])).collect();
    let (root, stored) = path_map(&entries);
    let (mut nodes, mut values) = (PathMap::default(), BTreeMap::new());
    walk_all(
        &stored,
        root,
        |path, hash| {
            let node = stored.node(path, hash).unwrap().unwrap();
            nodes.0.insert(path.to_vec(), node).is_none()
        },
        |key, value| {
            let key = key.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<u8>>();
            assert!(values.insert(key, value.to_vec()).is_none());
        },
    )
    .unwrap();
    assert_eq!(nodes, stored);
    assert_eq!(values, entries);
}
