//! Genesis files, headers and blocks, from their bytes to an import.

use std::{
    path::Path,
    sync::{Arc, LazyLock, Mutex},
};

use alloy_consensus::Header;
use chain_backend::{Block, ImportError, Importer, SealCaches, Store, StoreOptions};
use consensus::Genesis;
use flate2::bufread::GzDecoder;
use light_client::SealedHeader;

use crate::{Target, memory::bounded};

pub const TARGETS: &[Target] =
    &[("genesis", genesis), ("header", header), ("block", block), ("import-block", import_block)];

/// Chain of proof of work that need not be done, with every fork to London.
const GENESIS: &[u8] = include_bytes!("../../fixtures/chain/pow/genesis.json");
const BLOCKS: &[u8] = include_bytes!("../../fixtures/chain/pow/chain.rlp.gz");
/// The block on which inputs are imported; London is active from block 45 on.
const PARENT: usize = 60;

fn genesis(input: &[u8]) {
    // An account takes about 200 bytes, and two in a file can be ten bytes apart.
    let read = bounded(input.len(), 64, 64 * 1024, || Genesis::parse(input));
    match read {
        Ok(genesis) => {
            let header = genesis.header(genesis.alloc.state_root());
            if let Err(error) = genesis.spec(&header) {
                assert!(!error.to_string().is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn header(input: &[u8]) {
    let decoded = bounded(input.len(), 2, 2048, || SealedHeader::decode(input));
    let Ok(decoded) = decoded else { return };
    let encoded = alloy_rlp::encode(&decoded.header);
    // Only the canonical spelling has the hash.
    assert_eq!(decoded.header.hash_slow() == decoded.hash, encoded == input);
}

fn block(input: &[u8]) {
    // A transaction of 10 bytes takes 300, and its place in the trie as much.
    let Ok(block) = bounded(input.len(), 80, 64 * 1024, || Block::decode(input)) else { return };
    assert_eq!(block.length, input.len());
    assert_eq!(Block::join(&block.header_rlp, &block.body_rlp).as_deref(), Some(input));
}

struct Chain {
    importer: Importer,
    /// The header of the block behind [`PARENT`].
    next: Header,
}

static CHAIN: LazyLock<Mutex<Chain>> = LazyLock::new(|| Mutex::new(begin()));

/// The chain up to [`PARENT`], in a directory that the caller of this program deletes.
fn begin() -> Chain {
    let genesis = Genesis::parse(GENESIS).expect("a fixture");
    let header = genesis.header(genesis.alloc.state_root());
    let spec = genesis.spec(&header).expect("a fixture");
    let directory = tempfile::tempdir().expect("a directory").keep();
    let store = create(&directory, &genesis);
    let mut importer = Importer::new(Arc::new(store), Arc::new(spec), SealCaches::new(true));
    let blocks = blocks();
    for block in &blocks[..PARENT] {
        importer.import(block.clone()).expect("a fixture");
    }
    Chain { importer, next: blocks[PARENT].header.clone() }
}

fn create(directory: &Path, genesis: &Genesis) -> Store {
    let options = StoreOptions { node_cache: 1 << 20, page_cache: 8 << 20, ..Default::default() };
    let accounts = genesis.alloc.accounts().iter().cloned();
    Store::create(directory, &options, false, accounts, |root| genesis.header(root))
        .expect("a fixture")
}

fn blocks() -> Vec<Block> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut GzDecoder::new(BLOCKS), &mut plain).expect("a fixture");
    let mut rest = plain.as_slice();
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        alloy_rlp::Header::decode_bytes(&mut rest, true).expect("a fixture");
        let length = start.len() - rest.len();
        blocks.push(Block::decode(&start[..length]).expect("a fixture"));
    }
    blocks
}

/// A block of this body behind a fixed parent, with every header field right that can be known
/// before it is executed: else nothing would be executed.
fn import_block(input: &[u8]) {
    let Ok(block) = Block::decode(input) else { return };
    let mut chain = CHAIN.lock().expect("no panic before");
    let header = Header {
        transactions_root: block.roots.transactions,
        ommers_hash: block.roots.uncles,
        beneficiary: block.header.beneficiary,
        state_root: block.header.state_root,
        receipts_root: block.header.receipts_root,
        logs_bloom: block.header.logs_bloom,
        gas_used: block.header.gas_used,
        ..chain.next.clone()
    };
    let header = alloy_rlp::encode(header);
    let bytes = Block::join(&header, &block.body_rlp).expect("a body");
    match chain.importer.import_rlp(&bytes) {
        Ok(_) => {}
        Err(ImportError::Refused(refused)) => assert!(!refused.to_string().is_empty()),
        Err(error) => panic!("{error}"),
    }
}
