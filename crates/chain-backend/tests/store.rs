//! The store as its users see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, U256, keccak256};
use chain_backend::{
    AccountChange, AccountInfo, Backend, BackendError, ExecutedBlock, StateChanges, Store,
    StoreOptions, WorkingState,
};

fn alloc() -> BTreeMap<Address, GenesisAccount> {
    (1u8..100)
        .map(|n| (Address::repeat_byte(n), GenesisAccount::default().with_balance(U256::from(n))))
        .collect()
}

fn genesis(state_root: B256) -> Header {
    Header { state_root, difficulty: U256::from(1), ..Header::default() }
}

fn child(store: &Store, number: u64, parent: B256) -> ExecutedBlock {
    let mut state = store.working_state(&parent).unwrap();
    let change = AccountChange {
        account: Some(AccountInfo { nonce: number, balance: U256::from(7), code_hash: B256::ZERO }),
        storage: BTreeMap::from([(U256::from(number % 10), U256::from(number))]),
        ..AccountChange::default()
    };
    state.apply(&StateChanges::from([(Address::repeat_byte(200), change)])).unwrap();
    let state = state.commit().unwrap();
    let header = Header {
        number,
        parent_hash: parent,
        state_root: state.root,
        difficulty: U256::from(1),
        ..Header::default()
    };
    let header = alloy_rlp::encode(header);
    ExecutedBlock {
        hash: keccak256(&header),
        number,
        parent,
        header,
        body: vec![0xc2, 0xc0, 0xc0],
        receipts: vec![0xc0],
        transactions: Vec::new(),
        total_difficulty: U256::from(number + 1),
        state,
    }
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::default();
    let store = Store::create(directory.path(), &options, false, alloc(), genesis).unwrap();
    let mut parent = store.genesis_hash();
    for number in 1..=600 {
        let block = child(&store, number, parent);
        parent = block.hash;
        store.insert(block).unwrap();
        store.set_head(&parent).unwrap();
    }
    let head = store.head();
    drop(store);
    let store = Store::open(directory.path(), &options, None).unwrap();
    assert_eq!(store.head(), head);
    let snapshot = store.snapshot();
    let key = keccak256(Address::repeat_byte(200));
    for number in [0, 1, 300, 471, 472, 473, 599, 600] {
        let hash = snapshot.canonical_hash(number).unwrap().unwrap();
        let Some(state) = snapshot.state(&hash).unwrap() else {
            assert!(number <= 472, "{number}");
            continue;
        };
        assert_eq!(state.account(&key).unwrap().unwrap().nonce, number);
        let slot = keccak256(U256::from(number % 10).to_be_bytes::<32>());
        assert_eq!(state.storage(&key, &slot).unwrap(), U256::from(number));
    }
}

#[test]
fn a_second_process_is_refused_with_the_first_ones_number() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::default();
    let store = Store::create(directory.path(), &options, false, alloc(), genesis).unwrap();
    let refused = Store::open(directory.path(), &options, None).expect_err("two at once");
    let BackendError::Locked { pid, .. } = refused else { unreachable!("{refused}") };
    assert_eq!(pid, std::process::id().to_string());
    drop(store);
    Store::open(directory.path(), &options, None).unwrap();
}

#[test]
fn a_directory_of_another_genesis_is_refused_with_both_hashes() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::default();
    let store = Store::create(directory.path(), &options, false, alloc(), genesis).unwrap();
    let stored = store.genesis_hash();
    drop(store);
    let given = B256::repeat_byte(9);
    let refused = Store::open(directory.path(), &options, Some(given)).expect_err("another chain");
    assert!(refused.to_string().contains(&stored.to_string()), "{refused}");
    assert!(refused.to_string().contains(&given.to_string()), "{refused}");
}
