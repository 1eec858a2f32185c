//! Times the first helper-trie section (32,768 blocks) of an imported chain: its CHT and BloomTrie,
//! from stored blocks to stored nodes. Prints one line of JSON.
//!
//! `scripts/bench-cht.sh` runs it in turn with go-ethereum's indexers. A section is built once in
//! the life of a store, so each run needs a copy of it.
//!
//! ```text
//! section STORE-DIRECTORY
//! ```

#![allow(clippy::print_stdout, reason = "the line is the result")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails must stop")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{env, path::Path, sync::Arc, time::Instant};

use chain_backend::{Backend as _, HelperStep, HelperTrieBuilder, Store, StoreOptions};
use les_benches::thread_nanos;

fn main() {
    let directory = env::args().nth(1).unwrap();
    let store = Store::open(Path::new(&directory), &StoreOptions::default(), None).unwrap();
    let store = Arc::new(store);
    assert!(store.snapshot().checkpoint().unwrap().is_none(), "the section is built already");
    let mut builder = HelperTrieBuilder::new(Arc::clone(&store));
    let (begin, cpu) = (Instant::now(), thread_nanos());
    while !matches!(builder.step().unwrap(), HelperStep::Built { .. }) {}
    let (cpu, wall) = (thread_nanos() - cpu, begin.elapsed());
    let checkpoint = store.snapshot().checkpoint().unwrap().unwrap();
    println!(
        r#"{{"millis":{:.1},"cpuMillis":{:.1},"chtRoot":"{}","bloomRoot":"{}"}}"#,
        wall.as_secs_f64() * 1e3,
        cpu as f64 / 1e6,
        checkpoint.cht_root,
        checkpoint.bloom_root,
    );
}
