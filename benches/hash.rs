//! Trie nodes hashed one by one and many together: CPU time of each.
//!
//! `cargo bench -p les-benches --bench hash` prints the table "Hashing trie nodes" of
//! docs/performance.md. The contenders take turns; every figure is the fastest of its turns.

#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::hint::black_box;

use keccak::{keccak256, keccak256_all};
use les_benches::thread_nanos;

/// Bytes of a leaf of an account, and of a branch with sixteen children.
const NODES: [usize; 2] = [110, 532];
const CHILDREN: [usize; 3] = [4, 8, 16];
const TURNS: usize = 200;
const ROUNDS: u32 = 200;

/// Microseconds a call.
fn fastest(mut hash: impl FnMut()) -> f64 {
    let turn = |_| {
        let start = thread_nanos();
        (0..ROUNDS).for_each(|_| hash());
        thread_nanos() - start
    };
    let nanos = (0..TURNS).map(turn).min().unwrap_or_default();
    nanos as f64 / f64::from(ROUNDS) / 1e3
}

fn main() {
    println!("| nodes | bytes each | one by one | together | ratio |\n|---|---|---|---|---|");
    for bytes in NODES {
        for count in CHILDREN {
            let nodes: Vec<Vec<u8>> = (0_u8..).take(count).map(|byte| vec![byte; bytes]).collect();
            let nodes: Vec<&[u8]> = nodes.iter().map(Vec::as_slice).collect();
            let single = fastest(|| {
                for node in &nodes {
                    black_box(keccak256(black_box(node)));
                }
            });
            let together = fastest(|| {
                black_box(keccak256_all(black_box(&nodes)));
            });
            let ratio = single / together;
            println!("| {count} | {bytes} | {single:.2} µs | {together:.2} µs | {ratio:.2} |");
        }
    }
}
