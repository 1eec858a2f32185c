//! The one thread that changes the chain, and what those who listen to it hear.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what goes wrong in a helper fails the test that called it"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chain_backend::{Block, ImportError};
use les_tests::{client::bundled_blocks, server::Chain};
use lesd::{ChainWriter, HeadListener, WriteError, WriterFailure, WriterThread, data_directory};

/// What listeners heard: who, old number, new number, and the store's head at that time.
type Heard = Arc<Mutex<Vec<(char, u64, u64, u64)>>>;

fn listener(name: char, chain: &Chain, heard: &Heard) -> HeadListener {
    let (store, heard) = (Arc::clone(&chain.store), Arc::clone(heard));
    Box::new(move |head| {
        let now = store.head().number;
        heard.lock().unwrap().push((name, head.old.number, head.new.number, now));
    })
}

fn start(chain: &Chain, heard: &Heard) -> (ChainWriter, WriterThread) {
    let listeners = vec![listener('a', chain, heard), listener('b', chain, heard)];
    let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
    ChainWriter::start(&data_directory::Chain { store, spec }, false, listeners).unwrap()
}

/// The blocks `first..=last` of the bundled chain.
fn blocks(first: usize, last: usize) -> Vec<Block> {
    let encoded = bundled_blocks();
    let joined = encoded[first - 1..last].iter().map(|(header, body)| Block::join(header, body));
    joined.map(|block| Block::decode(&block.unwrap()).unwrap()).collect()
}

#[test]
fn listeners_hear_of_every_segment_that_moved_the_head_in_order() {
    let (chain, heard) = (Chain::empty(), Heard::default());
    let (writer, thread) = start(&chain, &heard);
    let segment = writer.import_blocking(blocks(1, 5)).unwrap();
    assert_eq!((segment.blocks, segment.known, segment.new_head.number), (5, 0, 5));
    assert_eq!(segment.new_head, chain.store.head());
    let again = writer.import_blocking(blocks(3, 5)).unwrap();
    assert_eq!((again.blocks, again.known), (0, 3));
    assert_eq!(writer.import_blocking(Vec::new()).unwrap().new_head, segment.new_head);
    writer.import_blocking(blocks(6, 6)).unwrap();
    drop(thread);
    let expected = [('a', 0, 5, 5), ('b', 0, 5, 5), ('a', 5, 6, 6), ('b', 5, 6, 6)];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn a_refused_block_is_named_and_those_before_it_stay() {
    let (chain, heard) = (Chain::empty(), Heard::default());
    let (writer, _thread) = start(&chain, &heard);
    let mut segment = blocks(1, 4);
    segment[2].header.gas_used += 1;
    let named = (segment[2].header.number, segment[2].hash);
    let Err(WriteError::Segment(error)) = writer.import_blocking(segment) else {
        panic!("a wrong block was imported");
    };
    let ImportError::Refused(refused) = &error.error else { panic!("{error}") };
    assert_eq!((refused.number, refused.hash), named);
    assert_eq!((error.before.blocks, error.before.new_head.number), (2, 2));
    assert_eq!(chain.store.head().number, 2);
    assert_eq!(*heard.lock().unwrap(), [('a', 0, 2, 2), ('b', 0, 2, 2)]);
    writer.import_blocking(blocks(3, 4)).unwrap();
    assert_eq!(chain.store.head().number, 4);
}

#[test]
fn a_writer_that_was_stopped_takes_no_more_blocks() {
    let (chain, heard) = (Chain::empty(), Heard::default());
    let (writer, thread) = start(&chain, &heard);
    drop(thread);
    assert!(matches!(writer.import_blocking(blocks(1, 1)), Err(WriteError::Stopped)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(writer.import(blocks(1, 1)));
    assert!(matches!(outcome, Err(WriteError::Stopped)));
    assert_eq!(chain.store.head().number, 0);
    assert!(heard.lock().unwrap().is_empty());
}

#[test]
fn a_panic_on_the_writers_thread_is_told_to_whoever_runs_it() {
    let chain = Chain::empty();
    let (store, spec) = (Arc::clone(&chain.store), Arc::clone(&chain.spec));
    let broken: HeadListener = Box::new(|head| assert_eq!(head.new.number, 1, "on purpose"));
    let chain = data_directory::Chain { store, spec };
    let (writer, thread) = ChainWriter::start(&chain, false, vec![broken]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let failed = |patience| {
        let failed = async { tokio::time::timeout(patience, thread.failed()).await.ok() };
        runtime.block_on(failed)
    };
    writer.import_blocking(blocks(1, 1)).unwrap();
    let mut wrong = blocks(2, 2);
    wrong[0].header.gas_used += 1;
    writer.import_blocking(wrong).unwrap_err();
    assert_eq!(failed(Duration::ZERO), None, "a wrong block ends nothing");
    assert!(matches!(writer.import_blocking(blocks(2, 2)), Err(WriteError::Stopped)));
    assert_eq!(failed(Duration::from_secs(10)), Some(WriterFailure::Panicked));
}
