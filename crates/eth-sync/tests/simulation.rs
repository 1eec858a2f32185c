//! Random networks in virtual time: whoever is honest is believed and kept, whatever others do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "what goes wrong in a helper fails the test that called it"
)]

mod world;

use std::ops::Range;

use alloy_primitives::B256;
use eth_sync::{LocalChain as _, PeerId};

use self::world::{
    World,
    blocks::{Make, Tree},
    peer::{Manners, Peer},
    random::Random,
};

const LIARS: [Manners; 13] = [
    Manners::NoHeaders,
    Manners::SilentOnBodies,
    Manners::AbsentHead,
    Manners::MoreDifficulty,
    Manners::BrokenLinks,
    Manners::OneTooMany,
    Manners::Endless,
    Manners::OneByOne,
    Manners::WrongBodies,
    Manners::HugeBodies,
    Manners::NoBodies,
    Manners::LastBodyOnly,
    Manners::Twice,
];

/// `ETH_SYNC_SEEDS=1000` runs so many networks, `ETH_SYNC_SEED=7` one.
fn seeds() -> Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().expect(name));
    match number("ETH_SYNC_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ETH_SYNC_SEEDS").unwrap_or(20),
    }
}

/// A chain with blocks of random weight and content.
fn grow(tree: &mut Tree, random: &mut Random, from: B256, blocks: u64) -> B256 {
    (0..blocks).fold(from, |parent, _| {
        let transactions = match random.between(0, 4) {
            0 => [0, 0],
            1 => [40, 300],
            2 => [20_000, 0],
            _ => [100, 0],
        };
        let (difficulty, salt) = (random.between(1, 4), random.next());
        tree.extend(parent, Make { difficulty, transactions, salt, ..Make::default() })
    })
}

/// A fork of the chain that ends in `tip`, which leaves it at most 30 blocks back.
fn fork(tree: &mut Tree, random: &mut Random, tip: B256) -> B256 {
    let chain = tree.chain(tip);
    let depth = random.between(1, 31).min(chain.len() as u64 - 1);
    let from = chain[chain.len() - 1 - depth as usize];
    let blocks = random.between(1, depth + 10);
    grow(tree, random, from, blocks)
}

/// Blocks that appear while the core follows, each adopted by every honest peer sooner or later.
fn mine(world: &mut World, honest: &[PeerId], mut tip: B256) -> B256 {
    let mut random = Random::new(world.random.next());
    let mut at = 0;
    for _ in 0..random.between(0, 30) {
        at += random.between(50, 3000);
        tip = if random.once_in(5) {
            // Only a heavier fork is adopted.
            let other = fork(&mut world.tree, &mut random, tip);
            let weight = |hash: &B256| world.tree.block(hash).total_difficulty;
            if weight(&other) > weight(&tip) { other } else { tip }
        } else {
            grow(&mut world.tree, &mut random, tip, 1)
        };
        for peer in honest {
            world.adopt_later(*peer, tip, at + random.between(0, 1000));
        }
    }
    tip
}

fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let mut tree = Tree::default();
    let genesis = tree.genesis(0);
    let length = random.between(2, 600);
    let main = grow(&mut tree, &mut random, genesis, length);
    let chain = tree.chain(main);
    let mut local = chain[random.between(0, chain.len() as u64) as usize];
    if random.once_in(3) && local != genesis {
        local = fork(&mut tree, &mut random, local);
    }
    let mut world = World::new(tree, local, seed);
    world.import_time = random.pick(&[1, 20, 500]);
    let mut heaviest = vec![local];
    let mut honest = Vec::new();
    for index in 0..random.between(1, 5) {
        let on_fork = index > 0 && random.once_in(2);
        let tip = if on_fork { fork(&mut world.tree, &mut random, main) } else { main };
        heaviest.push(tip);
        let mut peer = Peer::new(tip, Manners::Honest);
        peer.latency = random.pick(&[(1, 50), (50, 1000), (2000, 9000)]);
        honest.push(world.connect(peer));
    }
    let by_weight = |hash: &&B256| world.tree.block(hash).total_difficulty;
    let best = *heaviest.iter().max_by_key(by_weight).unwrap();
    for _ in 0..random.between(0, 6) {
        let manners = random.pick(&LIARS);
        let invalid = |index| Make { is_valid: false, salt: seed + index, ..Make::default() };
        // What a liar has is not offered by an honest peer, so it must not be believed.
        let tip = if matches!(
            manners,
            Manners::MoreDifficulty | Manners::NoBodies | Manners::LastBodyOnly
        ) {
            main
        } else {
            world.tree.extend_by(main, random.between(1, 300), invalid)
        };
        world.connect(Peer::new(tip, manners));
    }
    let mut last = best;
    if random.once_in(2) {
        last = mine(&mut world, &honest, best);
        // Somebody may leave, but not the only one who has the heaviest chain.
        if last != best && honest.len() > 1 && random.once_in(2) {
            world.leave_later(honest[0], random.between(0, 20_000));
        }
    }
    if random.once_in(3) {
        let length = random.between(1, 10);
        let made = grow(&mut world.tree, &mut random, last, length);
        world.make_later(made, random.between(0, 60_000));
        last = made;
    }
    world.run();
    let dropped = world.honest_were_dropped();
    assert!(dropped.is_empty(), "seed {seed}: {dropped:?}");
    let head = world.chain.head();
    let expected = world.tree.block(&last).total_difficulty;
    assert_eq!(head.total_difficulty, expected, "seed {seed}: not the heaviest chain");
    let lacking = world.honest_were_not_told();
    assert!(head.hash == local || lacking.is_empty(), "seed {seed}: {lacking:?} hear of no head");
    assert!(world.core.progress().is_none(), "seed {seed}: a sync has no end");
    assert_eq!(world.core.body_bytes(), 0, "seed {seed}: bodies are left behind");
}

#[test]
fn every_network_ends_on_the_heaviest_chain_of_the_honest_and_keeps_them() {
    for seed in seeds() {
        simulate(seed);
    }
}
