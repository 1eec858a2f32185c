//! Import of files that go-ethereum made, whole, in parts and damaged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing helper fails the test")]

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::B256;
use chain_backend::{FileError, ImportError, Importer, Refusal, SealCaches, Store, StoreOptions};
use consensus::{ChainSpec, Genesis};
use serde_json::Value;
use tempfile::TempDir;

/// A store with the genesis of a chain of `fixtures/chain`, and that chain's file unpacked.
struct Chain {
    directory: TempDir,
    store: Arc<Store>,
    spec: Arc<ChainSpec>,
    blocks: Vec<u8>,
    head: B256,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chain").join(name)
}

fn chain(name: &str) -> Chain {
    let folder = fixture(name);
    let genesis = Genesis::parse(&fs::read(folder.join("genesis.json")).unwrap()).unwrap();
    let accounts = genesis.alloc.accounts().iter().cloned();
    let directory = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { node_cache: 1 << 20, page_cache: 1 << 20, ..StoreOptions::default() };
    let mut header = None;
    let data = directory.path().join("data");
    let store = Store::create(&data, &options, false, accounts, |root| {
        header.insert(genesis.header(root)).clone()
    });
    let spec = Arc::new(genesis.spec(&header.unwrap()).unwrap());
    let mut blocks = Vec::new();
    let packed = fs::File::open(folder.join("chain.rlp.gz")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut blocks).unwrap();
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let head = manifest["headHash"].as_str().unwrap().parse().unwrap();
    Chain { directory, store: Arc::new(store.unwrap()), spec, blocks, head }
}

impl Chain {
    fn importer(&self, fake_pow: bool) -> Importer {
        Importer::new(Arc::clone(&self.store), Arc::clone(&self.spec), SealCaches::new(fake_pow))
    }

    /// Imports bytes as a file of this name; says how many blocks were executed.
    fn import(&self, name: &str, bytes: &[u8]) -> Result<u64, ImportError> {
        let path = self.directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let stop = AtomicBool::new(false);
        let summary = self.importer(true).import_file(&path, &stop, &mut |_| ())?;
        Ok(summary.last.map_or(0, |last| last.blocks))
    }

    /// Where each block begins, and the end.
    fn offsets(&self) -> Vec<usize> {
        let mut rest = self.blocks.as_slice();
        let mut offsets = vec![0];
        while !rest.is_empty() {
            alloy_rlp::Header::decode_bytes(&mut rest, true).unwrap();
            offsets.push(self.blocks.len() - rest.len());
        }
        offsets
    }
}

#[test]
fn chains_of_go_ethereum_end_with_the_same_head() {
    for name in ["small", "forks", "pow", "merge"] {
        let chain = chain(name);
        let imported = chain.import("chain.rlp", &chain.blocks).unwrap();
        assert_eq!(imported, chain.offsets().len() as u64 - 1, "{name}");
        assert_eq!(chain.store.head().hash, chain.head, "{name}");
    }
}

#[test]
fn work_that_was_not_done_is_refused_unless_it_is_taken_for_done() {
    let chain = chain("pow");
    let end = chain.offsets()[1];
    let refused = chain.importer(false).import_rlp(&chain.blocks[..end]).unwrap_err();
    let ImportError::Refused(refused) = refused else { panic!("{refused}") };
    assert!(matches!(refused.reason, Refusal::Ethash(_)), "{refused}");
    chain.importer(true).import_rlp(&chain.blocks[..end]).unwrap();
}

#[test]
fn an_import_goes_on_where_it_was_stopped() {
    let chain = chain("forks");
    let path = chain.directory.path().join("chain.rlp");
    fs::write(&path, &chain.blocks).unwrap();
    let stop = AtomicBool::new(false);
    let first = chain.importer(true).import_file(&path, &stop, &mut |progress| {
        stop.store(progress.number == 40, Ordering::Relaxed);
    });
    assert!(first.unwrap().stopped);
    assert_eq!(chain.store.head().number, 40);
    assert_eq!(chain.import("again.rlp", &chain.blocks).unwrap(), 60);
    assert_eq!(chain.store.head().hash, chain.head);
    assert_eq!(chain.import("once-more.rlp", &chain.blocks).unwrap(), 0);
    assert_eq!(chain.store.head().hash, chain.head);
}

#[test]
fn a_last_block_that_is_cut_off_is_refused_with_its_offset() {
    let chain = chain("forks");
    let offsets = chain.offsets();
    let (last, end) = (offsets[offsets.len() - 2], offsets[offsets.len() - 1]);
    for cut in [last + 1, last + 2, last + 100, end - 1] {
        let error = chain.import("cut.rlp", &chain.blocks[..cut]).unwrap_err();
        let ImportError::File(FileError::Truncated { offset, found, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!((offset, found), (last as u64, (cut - last) as u64));
        // What stands before it is there.
        assert_eq!(chain.store.head().number, 99);
    }
}

#[test]
fn a_file_of_something_else_is_refused_with_its_offset() {
    let chain = chain("forks");
    let second = chain.offsets()[1];
    let mut blocks = chain.blocks.clone();
    for (first_byte, length) in [(0x00, 0), (0xff, 0xff), (0xc0, 0x00)] {
        blocks[second] = first_byte;
        blocks[second + 1] = length;
        let error = chain.import("other.rlp", &blocks).unwrap_err();
        let ImportError::File(
            FileError::NoBlock { offset, .. } | FileError::Malformed { offset, .. },
        ) = error
        else {
            panic!("{error}")
        };
        assert_eq!(offset, second as u64, "{first_byte:02x}");
        assert_eq!(chain.store.head().number, 1);
    }
}

#[test]
fn a_damaged_compressed_file_is_an_error_with_its_path() {
    let chain = chain("forks");
    let mut packed = fs::read(fixture("forks").join("chain.rlp.gz")).unwrap();
    let middle = packed.len() / 2;
    packed[middle] ^= 0x55;
    let error = chain.import("damaged.rlp.gz", &packed).unwrap_err().to_string();
    assert!(!error.is_empty());
    packed[middle] ^= 0x55;
    assert!(chain.import("whole.rlp.gz", &packed).unwrap() > 0, "after {error}");
    assert_eq!(chain.store.head().hash, chain.head);
}

#[test]
fn any_flipped_bit_of_a_block_is_refused() {
    let chain = chain("forks");
    let offsets = chain.offsets();
    let (start, end) = (offsets[0], offsets[1]);
    let mut importer = chain.importer(true);
    for at in start..end {
        let mut block = chain.blocks[start..end].to_vec();
        block[at - start] ^= 1 << (at % 8);
        assert!(importer.import_rlp(&block).is_err(), "byte {at}");
    }
    assert_eq!(chain.store.head().number, 0);
    importer.import_rlp(&chain.blocks[start..end]).unwrap();
}

#[test]
fn an_export_is_the_file_that_was_imported() {
    let chain = chain("forks");
    chain.import("chain.rlp", &chain.blocks).unwrap();
    let read = |name: &str, first, last| {
        let path = chain.directory.path().join(name);
        let count = chain.store.export(&path, first, last, &mut |_| ()).unwrap();
        (count, fs::read(path).unwrap())
    };
    assert_eq!(read("all.rlp", 1, u64::MAX), (100, chain.blocks.clone()));
    let offsets = chain.offsets();
    assert_eq!(read("some.rlp", 3, 5), (3, chain.blocks[offsets[2]..offsets[5]].to_vec()));
    let (count, packed) = read("all.rlp.gz", 1, 100);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!((count, unpacked), (100, chain.blocks.clone()));
}
