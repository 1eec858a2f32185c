//! A process that ends between two writes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::Path, process::Command, sync::Arc};

use chain_backend::{
    Backend, BackendError, Store,
    memory::{GeneratedBlock, Generator},
};
use common::{add, assert_same, assert_same_state, create, memory, open, options};

/// The directory that the process that is to be killed works in.
const DIRECTORY: &str = "LESD_TEST_DIRECTORY";

/// Past the first checkpoint, which is at 256.
const LENGTH: u64 = 258;

/// Adds the blocks that a store does not have yet.
fn go_on(directory: &Path, blocks: &[Arc<GeneratedBlock>]) -> Store {
    let store = match Store::open(directory, &options(), None) {
        Err(BackendError::NotInitialised(_)) => create(directory, false),
        opened => opened.unwrap(),
    };
    let next = usize::try_from(store.head().number).unwrap() + 1;
    blocks.iter().skip(next).for_each(|block| add(&store, block));
    store
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_process_killed_before_any_write_leaves_whole_blocks_only() {
    let blocks = Generator::new(7).chain(LENGTH);
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        go_on(Path::new(&directory), &blocks);
        return;
    }
    let near_checkpoint = tempfile::tempdir().unwrap();
    drop(go_on(near_checkpoint.path(), &blocks[..=253]));
    let empty = tempfile::tempdir().unwrap();
    let from_nothing = (1..=24).map(|write| (&empty, write));
    let into_checkpoint = (10..=24).map(|write| (&near_checkpoint, write));
    let mut heads = Vec::new();
    for (start, write) in from_nothing.chain(into_checkpoint) {
        let directory = tempfile::tempdir().unwrap();
        copy(start.path(), directory.path());
        let killed = Command::new(std::env::current_exe().unwrap())
            .args(["a_process_killed_before_any_write_leaves_whole_blocks_only", "--exact"])
            .env(DIRECTORY, directory.path())
            .env("LESD_TEST_ABORT_AT_WRITE", write.to_string())
            .output()
            .unwrap();
        assert!(!killed.status.success(), "there was no write {write}");
        match Store::open(directory.path(), &options(), None) {
            Err(BackendError::NotInitialised(_)) => heads.push(None),
            opened => {
                let store = opened.unwrap();
                let report = store.verify(&mut |_| ()).unwrap();
                assert_eq!(report.faults, [""; 0], "killed before write {write}");
                let kept = &blocks[..=usize::try_from(store.head().number).unwrap()];
                assert_same(&*store.snapshot(), kept, &memory(kept));
                assert_same_state(&*store.snapshot(), kept.last().unwrap());
                heads.push(Some(store.head().number));
            }
        }
    }
    assert!(heads.contains(&None) && heads.contains(&Some(0)) && heads.contains(&Some(1)));
    assert!(heads.contains(&Some(256)), "{heads:?}");

    let store = go_on(near_checkpoint.path(), &blocks);
    assert_same(&*store.snapshot(), &blocks, &memory(&blocks));
    drop(store);
    assert_eq!(open(near_checkpoint.path()).verify(&mut |_| ()).unwrap().faults, [""; 0]);
}
