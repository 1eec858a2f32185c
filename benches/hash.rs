//! Trie nodes hashed one by one and many together: CPU time of each.
//!
//! `cargo bench -p les-benches --bench hash` prints the table "Hashing trie nodes" of
//! docs/performance.md. The contenders take turns; every figure is the fastest of its turns.

#![allow(clippy::print_stdout, reason = "the table is the result")]

use std::{hint::black_box, time::Duration, time::Instant};

use keccak::{keccak256, keccak256_all};

/// Bytes of a leaf of an account, and of a branch with sixteen children.
const NODES: [usize; 2] = [110, 532];
const CHILDREN: [usize; 3] = [4, 8, 16];
const TURNS: usize = 200;
const ROUNDS: u32 = 200;

fn fastest(mut hash: impl FnMut()) -> Duration {
    let turn = |_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| hash());
        start.elapsed() / ROUNDS
    };
    (0..TURNS).map(turn).min().unwrap_or_default()
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
            let ratio = single.as_secs_f64() / together.as_secs_f64();
            println!("| {count} | {bytes} | {single:?} | {together:?} | {ratio:.2} |");
        }
    }
}
