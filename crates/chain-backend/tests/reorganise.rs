//! Reorganisations, while others read and while the process is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use chain_backend::{
    Backend as _, KEPT_STATES, Store,
    memory::{GeneratedBlock, Generator},
};
use common::{
    SECTIONS, add, assert_same, assert_same_helper_tries, assert_same_state, build_helper_tries,
    create, execute, memory, open,
};

/// A side chain of so many blocks on a block.
fn side(
    generator: &mut Generator,
    below: &GeneratedBlock,
    blocks: u64,
) -> Vec<Arc<GeneratedBlock>> {
    let mut side: Vec<Arc<GeneratedBlock>> = Vec::new();
    for _ in 0..blocks {
        let parent = side.last().map_or(below, |block| block);
        let child = generator.child(parent);
        side.push(child);
    }
    side
}

/// What a server needs of any snapshot: each header down from the head is there and leads to the
/// next, and the head's state is there.
fn read_everything(store: &Store) {
    let snapshot = store.snapshot();
    let head = snapshot.head();
    let mut expected = head.hash;
    for number in (head.number.saturating_sub(40)..=head.number).rev() {
        assert_eq!(snapshot.canonical_hash(number).unwrap(), Some(expected), "block {number}");
        let mut rlp = Vec::new();
        assert!(snapshot.append_header(&expected, &mut rlp).unwrap());
        let header = Header::decode(&mut rlp.as_slice()).unwrap();
        if number + KEPT_STATES > head.number {
            let state = snapshot.state(&expected).unwrap().unwrap();
            assert_eq!(state.root(), header.state_root, "block {number}");
        }
        expected = header.parent_hash;
    }
}

/// How many depths are tried, besides the deepest: 127 are all.
fn reorganisations() -> usize {
    std::env::var("LESD_REORGANISATIONS").map_or(15, |number| number.parse().unwrap())
}

#[test]
fn the_chain_is_the_one_that_won_at_every_depth_while_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(21);
    let mut chain = generator.chain(300);
    let store = Arc::new(create(directory.path(), false));
    chain.iter().skip(1).for_each(|block| add(&store, block));
    let (done, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    read_everything(&store);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // 37 and 129 have no common divisor: every depth has its turn, in a mixed order.
        let depths = (1..KEPT_STATES).map(|n| n * 37 % (KEPT_STATES + 1));
        for depth in std::iter::once(KEPT_STATES).chain(depths.take(reorganisations())) {
            let before = store.snapshot();
            let lost = chain.split_off(chain.len() - usize::try_from(depth).unwrap());
            let won = side(&mut generator, chain.last().unwrap(), depth + 1);
            for block in &won {
                store.insert(execute(&store, block)).unwrap();
            }
            store.set_head(&won.last().unwrap().hash).unwrap();
            chain.extend(won);
            let oracle = memory(&chain);
            lost.iter().for_each(|block| oracle.push(Arc::clone(block)));
            oracle.push(Arc::clone(chain.last().unwrap()));
            let recent = chain.len() - usize::try_from(depth + 3).unwrap();
            let looked_at: Vec<_> = chain[recent..].iter().chain(&lost).cloned().collect();
            assert_same(&*store.snapshot(), &looked_at, &oracle);
            assert_same_state(&*store.snapshot(), chain.last().unwrap());
            assert_same_state(&*store.snapshot(), &chain[recent]);
            assert_eq!(before.head().hash, lost.last().unwrap().hash, "depth {depth}");
            assert_same_state(&*before, lost.last().unwrap());
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 0);
    build_helper_tries(&store);
    let sections = (chain.len() as u64 - 1 - SECTIONS.confirmations) / SECTIONS.section;
    assert_same_helper_tries(&store, &memory(&chain), sections);
}

#[test]
fn helper_tries_follow_a_reorganisation_of_any_depth() {
    let directory = tempfile::tempdir().unwrap();
    let mut generator = Generator::new(22);
    let mut chain = generator.chain(260);
    let store = Arc::new(create(directory.path(), false));
    chain.iter().skip(1).for_each(|block| add(&store, block));
    for depth in [1, 15, 16, 17, 40, 64, 65, 100, 127, KEPT_STATES] {
        build_helper_tries(&store);
        chain.truncate(chain.len() - usize::try_from(depth).unwrap());
        let won = side(&mut generator, chain.last().unwrap(), depth + 1);
        for block in &won {
            store.insert(execute(&store, block)).unwrap();
        }
        store.set_head(&won.last().unwrap().hash).unwrap();
        chain.extend(won);
        build_helper_tries(&store);
        let sections = (chain.len() as u64 - SECTIONS.confirmations) / SECTIONS.section;
        assert_same_helper_tries(&store, &memory(&chain), sections);
    }
}

/// The directory that the process that is to be killed works in.
const DIRECTORY: &str = "LESD_TEST_DIRECTORY";
const DEPTH: u64 = 3;

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_process_killed_at_any_write_of_a_reorganisation_leaves_the_old_or_the_new_chain() {
    let mut generator = Generator::new(23);
    // The new head lies past the checkpoint at 256, the old one before it.
    let trunk = generator.chain(254);
    let fork = trunk.len() - 1 - usize::try_from(DEPTH).unwrap();
    let won = side(&mut generator, &trunk[fork], DEPTH + 4);
    let reorganise = |store: &Store| {
        for block in &won {
            store.insert(execute(store, block)).unwrap();
        }
        store.set_head(&won.last().unwrap().hash).unwrap();
        store.flush().unwrap();
    };
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        reorganise(&open(Path::new(&directory)));
        return;
    }
    let start = tempfile::tempdir().unwrap();
    let store = create(start.path(), false);
    trunk.iter().skip(1).for_each(|block| add(&store, block));
    drop(store);
    let all: Vec<_> = trunk.iter().chain(&won).cloned().collect();
    let (old, new) = (memory(&trunk), memory(&all));
    let mut heads = Vec::new();
    for write in 1.. {
        let directory = tempfile::tempdir().unwrap();
        copy(start.path(), directory.path());
        let test =
            "a_process_killed_at_any_write_of_a_reorganisation_leaves_the_old_or_the_new_chain";
        let ended = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact"])
            .env(DIRECTORY, directory.path())
            .env("LESD_TEST_ABORT_AT_WRITE", write.to_string())
            .output()
            .unwrap();
        let store = open(directory.path());
        assert_eq!(store.verify(&mut |_| ()).unwrap().faults, [""; 0], "before write {write}");
        let head = store.head();
        if head.hash == trunk.last().unwrap().hash {
            assert_same(&*store.snapshot(), &trunk, &old);
            assert_same_state(&*store.snapshot(), trunk.last().unwrap());
        } else {
            assert_eq!(head.hash, won.last().unwrap().hash, "before write {write}");
            assert_same(&*store.snapshot(), &all, &new);
            assert_same_state(&*store.snapshot(), won.last().unwrap());
        }
        heads.push(head.number);
        // And it goes on from there.
        reorganise(&store);
        assert_same(&*store.snapshot(), &all, &new);
        if ended.status.success() {
            break;
        }
    }
    assert!(heads.len() > 10, "{heads:?}");
    let (first, last) = (heads.first().unwrap(), heads.last().unwrap());
    assert!(first < last, "{heads:?}");
}
