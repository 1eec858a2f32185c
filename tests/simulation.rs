//! Two hundred random clients over lossy, slow links against the real engine, ten minutes of
//! virtual time for each seed.
//!
//! Twenty seeds by default; `LES_SEEDS=1000` for more, `LES_SEEDS=500..1000` for some of them,
//! `LES_SEED=N` for a single one. A failure names its seed first.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the simulation fails loudly, and its numbers are small"
)]

use std::ops::Range;

#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/link.rs"]
mod link;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/world.rs"]
mod world;

use world::{Outcome, Shape, World};

const TEN_MINUTES: u64 = 600;

/// The seeds that the environment asks for, of which a test takes one in `share`.
fn seeds(share: u64) -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().expect("a number of seeds");
    if let Ok(one) = std::env::var("LES_SEED") {
        return number(&one)..number(&one) + 1;
    }
    let wanted = std::env::var("LES_SEEDS").unwrap_or_else(|_| "20".to_owned());
    let (first, end) = wanted.split_once("..").unwrap_or(("0", &wanted));
    number(first).div_ceil(share)..number(end).div_ceil(share)
}

/// Runs a share of the seeds and adds up what came of them.
fn run(shape: Shape, share: u64) -> Outcome {
    let mut sum = Outcome::default();
    for seed in seeds(share) {
        let outcome = World::new(seed, shape).run(TEN_MINUTES);
        sum.requests += outcome.requests;
        sum.replies += outcome.replies;
        sum.stops += outcome.stops;
        sum.disconnects += outcome.disconnects;
        sum.longest_wait = sum.longest_wait.max(outcome.longest_wait);
    }
    sum
}

/// Room for all open jobs of all clients.
const ROOMY: usize = 16_384;

#[test]
fn a_conforming_client_is_never_frozen_or_dropped_and_gets_one_reply_to_every_request() {
    let shape = Shape { conforming: 200, flooders: 0, queue_items: ROOMY, refunds: true };
    let outcome = run(shape, 1);
    assert_eq!((outcome.stops, outcome.disconnects), (0, 0));
    assert!(outcome.requests > 100_000, "{outcome:?}");
}

#[test]
fn the_same_holds_when_nothing_is_ever_refunded() {
    let shape = Shape { conforming: 200, flooders: 0, queue_items: ROOMY, refunds: false };
    let outcome = run(shape, 4);
    assert_eq!((outcome.stops, outcome.disconnects), (0, 0));
}

#[test]
fn flooders_are_stopped_and_nobody_else_notices() {
    let shape = Shape { conforming: 200, flooders: 20, queue_items: ROOMY, refunds: true };
    let outcome = run(shape, 4);
    assert!(outcome.stops > 0 && outcome.disconnects > 0, "{outcome:?}");
}
