//! Genesis files against go-ethereum's hashes, and what is said about bad ones.

use alloy_primitives::B256;
use consensus::Genesis;

use super::support::{fixture, json, object, read, text};

#[test]
fn genesis_hashes_are_those_of_go_ethereum() {
    let mut count = 0;
    for (name, expected) in object(&json(&fixture("genesis/hashes.json"))) {
        let genesis = Genesis::parse(&read(&fixture("genesis").join(name)))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = genesis.alloc.state_root();
        assert_eq!(root, text(expected, "stateRoot").parse::<B256>().unwrap(), "{name}");
        let hash = genesis.header(root).hash_slow();
        assert_eq!(hash, text(expected, "hash").parse::<B256>().unwrap(), "{name}");
        count += 1;
    }
    assert!(count > 15, "only {count} files");
}
