//! The store against the generated chain in memory.

mod common;

use std::{fs::OpenOptions, sync::Arc};

use alloy_primitives::B256;
use chain_backend::{
    Backend, BackendError, HelperTrieKind, KEPT_STATES, MERGE_BATCH, Store, memory::Generator,
};
use common::{
    add, assert_same, assert_same_helper_tries, assert_same_state, build_helper_tries, create,
    execute, memory, open, options,
};

#[test]
fn a_long_chain_reads_as_it_was_made_and_keeps_the_last_states() {
    let directory = tempfile::tempdir().unwrap();
    let blocks = Generator::new(1).chain(2 * (KEPT_STATES + MERGE_BATCH) + 50);
    let mut store = create(directory.path(), false);
    for block in blocks.iter().skip(1) {
        add(&store, block);
        if block.header.number.is_multiple_of(197) {
            drop(store);
            store = open(directory.path());
        }
    }
    let snapshot = store.snapshot();
    assert_same(&*snapshot, &blocks, &memory(&blocks));
    for block in blocks.iter().rev().take(usize::try_from(KEPT_STATES).unwrap()).step_by(9) {
        assert_same_state(&*snapshot, block);
    }
    for block in blocks.iter().take(100) {
        assert!(snapshot.state(&block.hash).unwrap().is_none(), "{}", block.header.number);
    }
    assert_eq!(snapshot.state(&B256::repeat_byte(1)).unwrap().map(|state| state.root()), None);
}

#[test]
fn a_snapshot_shows_what_it_showed_while_the_chain_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(2);
    let blocks = generator.chain(600);
    let store = create(directory.path(), false);
    for block in &blocks[1..=150] {
        add(&store, block);
    }
    let snapshot = store.snapshot();
    for block in &blocks[151..] {
        add(&store, block);
    }
    let then = &blocks[..=150];
    assert_same(&*snapshot, then, &memory(then));
    then.iter().rev().take(128).step_by(9).for_each(|block| assert_same_state(&*snapshot, block));
}

#[test]
fn side_chains_keep_their_states_and_can_become_canonical() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(3);
    let trunk = generator.chain(300);
    let store = create(directory.path(), false);
    for block in &trunk[1..] {
        add(&store, block);
    }
    let mut side = vec![Arc::clone(&trunk[200])];
    for _ in 0..120 {
        let next = generator.child(side.last().unwrap());
        store.insert(execute(&store, &next)).unwrap();
        side.push(next);
    }
    let all: Vec<_> = trunk.iter().chain(&side).cloned().collect();
    let oracle = memory(&trunk);
    side.iter().skip(1).for_each(|block| oracle.push(Arc::clone(block)));
    trunk.iter().skip(201).for_each(|block| oracle.push(Arc::clone(block)));
    assert_same(&*store.snapshot(), &all, &oracle);
    side.iter().step_by(9).for_each(|block| assert_same_state(&*store.snapshot(), block));

    store.set_head(&side[120].hash).unwrap();
    oracle.push(Arc::clone(&side[120]));
    assert_same(&*store.snapshot(), &all, &oracle);
    drop(store);
    let store = open(directory.path());
    assert_same(&*store.snapshot(), &all, &oracle);
    all.iter().skip(200).step_by(9).for_each(|block| assert_same_state(&*store.snapshot(), block));

    // And so far on that the old trunk's states go.
    let mut head = Arc::clone(&side[120]);
    for _ in 0..200 {
        head = generator.child(&head);
        oracle.push(Arc::clone(&head));
        add(&store, &head);
    }
    assert_same(&*store.snapshot(), &all, &oracle);
    assert!(store.snapshot().state(&trunk[250].hash).unwrap().is_none());
    let refused = store.set_head(&trunk[300].hash).unwrap_err();
    assert!(matches!(refused, BackendError::StateNotKept(_)), "{refused}");
    let refused = store.working_state(&trunk[250].hash).unwrap_err();
    assert!(matches!(refused, BackendError::StateNotKept(_)), "{refused}");
    let refused = store.set_head(&B256::repeat_byte(1)).unwrap_err();
    assert!(matches!(refused, BackendError::UnknownBlock(_)), "{refused}");
}

#[test]
fn an_archive_forgets_the_states_of_side_blocks_that_nobody_returns_to() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(5);
    let trunk = generator.chain(1024 + 3 * (KEPT_STATES + MERGE_BATCH));
    let store = create(directory.path(), true);
    let mut side = Vec::new();
    for block in &trunk[1..] {
        add(&store, block);
        if [5, trunk.len() - 200].contains(&usize::try_from(block.header.number).unwrap()) {
            let parent = &trunk[usize::try_from(block.header.number).unwrap() - 1];
            let beside = generator.child(parent);
            store.insert(execute(&store, &beside)).unwrap();
            side.push(beside);
        }
    }
    let snapshot = store.snapshot();
    let [old, recent] = &side[..] else { panic!("two side blocks") };
    assert!(snapshot.state(&old.hash).unwrap().is_none());
    assert_eq!(snapshot.block_number(&old.hash).unwrap(), Some(5), "the block itself stays");
    assert_same_state(&*snapshot, recent);
    trunk.iter().step_by(101).for_each(|block| assert_same_state(&*snapshot, block));
    drop(snapshot);
    assert_eq!(store.verify(&mut |_| ()).unwrap().faults, [""; 0]);
}

#[test]
fn an_archive_proves_every_state_and_reorganises_below_its_base() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(4);
    let trunk = generator.chain(700);
    let mut store = create(directory.path(), true);
    for block in &trunk[1..] {
        add(&store, block);
    }
    trunk.iter().step_by(41).for_each(|block| assert_same_state(&*store.snapshot(), block));

    let oracle = memory(&trunk);
    let mut side = vec![Arc::clone(&trunk[100])];
    for _ in 0..650 {
        let next = generator.child(side.last().unwrap());
        store.insert(execute(&store, &next)).unwrap();
        side.push(next);
    }
    store.set_head(&side[650].hash).unwrap();
    side.iter().skip(1).for_each(|block| oracle.push(Arc::clone(block)));
    let all: Vec<_> = trunk.iter().chain(&side).cloned().collect();
    for _ in 0..2 {
        let snapshot = store.snapshot();
        assert_same(&*snapshot, &all, &oracle);
        trunk.iter().take(100).step_by(19).for_each(|block| assert_same_state(&*snapshot, block));
        side.iter().step_by(41).for_each(|block| assert_same_state(&*snapshot, block));
        drop((snapshot, store));
        store = open(directory.path());
    }
    // And back again.
    store.set_head(&trunk[700].hash).unwrap();
    oracle.push(Arc::clone(&trunk[700]));
    assert_same(&*store.snapshot(), &all, &oracle);
    trunk.iter().step_by(41).for_each(|block| assert_same_state(&*store.snapshot(), block));
}

#[test]
fn a_journal_cut_anywhere_leaves_whole_blocks_and_can_be_continued() {
    let blocks = Generator::new(5).chain(30);
    let oracle = memory(&blocks);
    for file in ["journal", "bodies", "receipts", "changes"] {
        for lost in [1, 40, 1000] {
            let directory = tempfile::tempdir().unwrap();
            let store = create(directory.path(), false);
            blocks.iter().skip(1).for_each(|block| add(&store, block));
            drop(store);
            let path = directory.path().join(format!("{file}-00000.seg"));
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(file.metadata().unwrap().len() - lost).unwrap();

            let store = open(directory.path());
            let head = usize::try_from(store.head().number).unwrap();
            assert!(head < 31, "{head}");
            let kept = &blocks[..=head];
            assert_same(&*store.snapshot(), kept, &memory(kept));
            for block in &blocks[1..] {
                add(&store, block);
            }
            assert_same(&*store.snapshot(), &blocks, &oracle);
            blocks.iter().step_by(7).for_each(|block| assert_same_state(&*store.snapshot(), block));
        }
    }
}

#[test]
fn helper_tries_are_those_of_a_trie_built_afresh() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(6);
    let trunk = generator.chain(300);
    let store = Arc::new(create(directory.path(), false));
    for block in &trunk[1..] {
        add(&store, block);
    }
    let oracle = memory(&trunk);
    build_helper_tries(&store);
    assert_same_helper_tries(&store, &oracle, 4);

    // A section whose blocks are not canonical any more is built again.
    let mut head = Arc::clone(&trunk[230]);
    for _ in 0..100 {
        head = generator.child(&head);
        store.insert(execute(&store, &head)).unwrap();
        oracle.push(Arc::clone(&head));
    }
    store.set_head(&head.hash).unwrap();
    assert_eq!(store.snapshot().helper_trie_sections(HelperTrieKind::Bloom), 3);
    build_helper_tries(&store);
    assert_same_helper_tries(&store, &oracle, 4);
    drop(store);
    assert_same_helper_tries(&open(directory.path()), &oracle, 4);
}

#[test]
fn a_second_process_is_refused_with_the_first_ones_number() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path(), false);
    let refused = Store::open(directory.path(), &options(), None).unwrap_err();
    let pid = std::process::id();
    assert!(refused.to_string().contains(&format!("in use by process {pid}")), "{refused}");
    drop(store);
    open(directory.path());
}

#[test]
fn a_directory_of_another_genesis_is_refused_with_both_hashes() {
    let directory = tempfile::tempdir().unwrap();
    let stored = create(directory.path(), false).genesis_hash();
    let given = B256::repeat_byte(9);
    let refused = Store::open(directory.path(), &options(), Some(given)).unwrap_err().to_string();
    assert!(refused.contains(&stored.to_string()), "{refused}");
    assert!(refused.contains(&given.to_string()), "{refused}");
}

#[test]
fn a_directory_without_a_chain_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let refused = Store::open(directory.path(), &options(), None).unwrap_err().to_string();
    assert!(refused.contains("lesd init"), "{refused}");
}
