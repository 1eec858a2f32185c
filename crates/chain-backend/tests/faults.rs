//! Disks that are full, directories that cannot be written, and bits that flip.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and what it prints is shown then"
)]

mod common;

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
    sync::Arc,
};

use chain_backend::{
    Backend as _, BackendError, Snapshot, Store,
    memory::{GeneratedBlock, Generator},
};
use common::{assert_same, assert_same_state, create, execute, memory, open, options};
use merkle_trie::NodeSet;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::set_thread_res_uid,
};

/// The directory that the process that gets no room works in, and its room.
const DIRECTORY: &str = "LESD_TEST_DIRECTORY";
const INSERT_ROOM: &str = "LESD_TEST_INSERT_ROOM";
const HEAD_ROOM: &str = "LESD_TEST_HEAD_ROOM";

/// Past the first checkpoint, which is at 256.
const LENGTH: u64 = 258;

/// How large a file may become while a block is inserted, and while it becomes the head.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    insert: Option<u64>,
    head: Option<u64>,
}

/// Adds the blocks that a store does not have yet.
fn go_on(store: &Store, blocks: &[Arc<GeneratedBlock>]) -> Result<(), BackendError> {
    go_on_within(store, blocks, None)
}

fn go_on_within(
    store: &Store,
    blocks: &[Arc<GeneratedBlock>],
    room: Option<Room>,
) -> Result<(), BackendError> {
    let next = usize::try_from(store.head().number).unwrap() + 1;
    let limit = |choose: fn(Room) -> Option<u64>| {
        if let Some(room) = room {
            limit_files(choose(room));
        }
    };
    for block in &blocks[next..] {
        let block_to_insert = execute(store, block);
        limit(|room| room.insert);
        store.insert(block_to_insert)?;
        limit(|room| room.head);
        store.set_head(&block.hash)?;
    }
    Ok(())
}

/// Bytes that a file may have from now on.
fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// In a process of its own: fills the room, says what went wrong and which head it had, gets
/// room, and goes on if it was a segment that had none.
fn fill_the_room(directory: &Path, room: Room, blocks: &[Arc<GeneratedBlock>]) {
    let store = open(directory);
    let error = go_on_within(&store, blocks, Some(room)).unwrap_err().to_string();
    limit_files(None);
    println!("head {}\nerror {error}", store.head().number);
    if error.contains("kv.redb") {
        let again = go_on(&store, blocks).unwrap_err().to_string();
        assert!(again.contains("start again: nothing stored is lost"), "{again}");
    } else {
        go_on(&store, blocks).unwrap();
        assert_same(&*store.snapshot(), blocks, &memory(blocks));
    }
}

#[test]
fn a_full_disk_is_named_and_nothing_stored_is_lost() {
    const NAME: &str = "a_full_disk_is_named_and_nothing_stored_is_lost";
    let blocks = Generator::new(7).chain(LENGTH);
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let room = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
        let room = Room { insert: room(INSERT_ROOM), head: room(HEAD_ROOM) };
        fill_the_room(Path::new(&directory), room, &blocks);
        return;
    }
    let mut named = Vec::new();
    for (start, variable, room) in [
        (0, INSERT_ROOM, 10_000),
        (0, INSERT_ROOM, 40_001),
        (100, INSERT_ROOM, 206_600),
        (200, HEAD_ROOM, 160_003),
        // The checkpoint at 256 takes more of the key-value file than the journal has.
        (253, HEAD_ROOM, 200_000),
        (253, HEAD_ROOM, 260_000),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = create(directory.path(), false);
        go_on(&store, &blocks[..=start]).unwrap();
        drop(store);
        // Without the signal the write fails.
        let output = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
            .arg(std::env::current_exe().unwrap())
            .args([NAME, "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(variable, room.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let line = |name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let error = line("error ");
        assert!(error.contains("(allow larger files and start again; nothing stored"), "{error}");
        assert!(error.contains(directory.path().to_str().unwrap()), "{error}");
        named.push(error.rsplit('/').next().unwrap().split(['-', ' ']).next().unwrap().to_owned());

        let store = open(directory.path());
        let head: u64 = line("head ").parse().unwrap();
        assert!(store.head().number >= head && head >= u64::try_from(start).unwrap());
        assert_eq!(store.verify(&mut |_| ()).unwrap().faults, [""; 0]);
        go_on(&store, &blocks).unwrap();
        assert_same(&*store.snapshot(), &blocks, &memory(&blocks));
        assert_same_state(&*store.snapshot(), blocks.last().unwrap());
    }
    let of = |name: &str| named.iter().filter(|found| *found == name).count();
    assert!(of("kv.redb") > 0 && of("kv.redb") < named.len(), "{named:?}");
}

/// What a user who may not write hears.
fn as_another_user(directory: &Path, make: bool) -> String {
    let directory = directory.to_owned();
    let attempt = move || {
        if rustix::process::getuid().is_root() {
            // Of this thread only, which ends with the attempt.
            let nobody = rustix::process::Uid::from_raw(65_534);
            set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        let opened = if make {
            let alloc = Generator::new(0).alloc();
            Store::create(&directory, &options(), false, alloc, Generator::genesis_header)
        } else {
            Store::open(&directory, &options(), None)
        };
        opened.map(|_| ()).unwrap_err().to_string()
    };
    std::thread::spawn(attempt).join().unwrap()
}

#[test]
fn a_directory_or_file_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let check = |make: bool, path: &Path| {
        let error = as_another_user(directory.path(), make);
        let hint = "(the data directory must be writable for this user): Permission denied";
        assert!(error.contains(path.to_str().unwrap()) && error.contains(hint), "{error}");
    };
    mode(directory.path(), 0o555);
    check(true, &directory.path().join("LOCK"));
    mode(directory.path(), 0o755);
    drop(create(directory.path(), false));
    mode(directory.path(), 0o777);
    for name in ["LOCK", "kv.redb", "journal-00000.seg", "bodies-00000.seg"] {
        let path = directory.path().join(name);
        mode(&path, 0o444);
        check(false, &path);
        mode(&path, 0o666);
    }
    let store = open(directory.path());
    assert_eq!(store.verify(&mut |_| ()).unwrap().faults, [""; 0]);
}

/// A number below `bound` (Marsaglia's xorshift64).
fn below(random: &mut u64, bound: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % bound
}

/// Every proof is refused, or is the one that the oracle gives.
fn assert_no_wrong_proof(found: &dyn Snapshot, block: &Arc<GeneratedBlock>) {
    let Ok(Some(state)) = found.state(&block.hash) else { return };
    let oracle = memory(std::slice::from_ref(block));
    let expected = oracle.snapshot().state(&block.hash).unwrap().unwrap();
    for (key, account) in &block.state.accounts {
        let (mut proof, mut right) = (NodeSet::default(), NodeSet::default());
        if state.prove_account(key.as_slice(), 0, &mut proof).is_ok() {
            expected.prove_account(key.as_slice(), 0, &mut right).unwrap();
            assert_eq!(proof.payload(), right.payload());
        }
        for slot in account.storage.keys() {
            let (mut proof, mut right) = (NodeSet::default(), NodeSet::default());
            if state.prove_storage(key, slot.as_slice(), 0, &mut proof).is_ok() {
                expected.prove_storage(key, slot.as_slice(), 0, &mut right).unwrap();
                assert_eq!(proof.payload(), right.payload());
            }
        }
    }
}

/// 24 bits, or `LESD_TEST_FLIPS` of them, from the seed `LESD_TEST_SEED`.
#[test]
fn a_flipped_bit_of_the_key_value_file_is_found_or_does_no_harm() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut random = number("LESD_TEST_SEED").unwrap_or(1) | 1;
    let blocks = Generator::new(8).chain(290);
    let sound = tempfile::tempdir().unwrap();
    go_on(&create(sound.path(), false), &blocks).unwrap();
    let (mut refused, mut found, mut harmless) = (0, 0, 0);
    for _ in 0..number("LESD_TEST_FLIPS").unwrap_or(24) {
        let directory = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(sound.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
        let path = directory.path().join("kv.redb");
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (at, bit) = loop {
            let at = below(&mut random, file.metadata().unwrap().len());
            let mut around = [0; 64];
            let read = file.read_at(&mut around, at & !63).unwrap();
            // Most of the file is empty; there is little to find in it.
            if around[..read].iter().any(|byte| *byte != 0) || below(&mut random, 16) == 0 {
                break (at, below(&mut random, 8));
            }
        };
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
        let place = format!("bit {bit} of byte {at}");

        let store = match Store::open(directory.path(), &options(), None) {
            Ok(store) => store,
            Err(error) => {
                assert!(!error.to_string().is_empty(), "{place}");
                refused += 1;
                continue;
            }
        };
        let verified = store.verify(&mut |_| ());
        let snapshot = store.snapshot();
        if verified.is_ok_and(|report| report.faults.is_empty()) {
            harmless += 1;
            println!("{place} does no harm");
            assert_same(&*snapshot, &blocks, &memory(&blocks));
        } else {
            found += 1;
            println!("{place} is found");
        }
        for block in blocks.iter().rev().take(130).step_by(43) {
            assert_no_wrong_proof(&*snapshot, block);
        }
    }
    println!("{refused} refused, {found} found, {harmless} harmless");
    assert!(refused + found > 0, "no flip was noticed");
}

#[test]
fn an_interrupted_creation_is_started_again() {
    let directory = tempfile::tempdir().unwrap();
    drop(create(directory.path(), false));
    // The file that says that it is complete is the last one.
    fs::remove_file(directory.path().join("VERSION")).unwrap();
    let absent = Store::open(directory.path(), &options(), None).unwrap_err();
    assert!(matches!(absent, BackendError::NotInitialised(_)), "{absent}");
    let store = create(directory.path(), false);
    let blocks = Generator::new(7).chain(3);
    go_on(&store, &blocks).unwrap();
    drop(store);
    let alloc = Generator::new(0).alloc();
    let again =
        Store::create(directory.path(), &options(), false, alloc, Generator::genesis_header);
    assert!(again.unwrap_err().to_string().contains("holds a chain already"));
    assert_eq!(open(directory.path()).head().number, blocks.last().unwrap().header.number);
}
