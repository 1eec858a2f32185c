//! What a peer can do wrong: each ends with it named and dropped, nothing of it stored, and
//! nobody else harmed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails the test that called it"
)]

mod world;

use alloy_primitives::{B256, U256};
use eth_sync::{BlockId, Body, Event, LocalChain as _, MAX_FORK_DEPTH, PeerId, RequestId};

use self::world::{
    World,
    blocks::{Make, Tree, UNIX_START},
    peer::{Manners, Peer},
};

/// A chain of 300 blocks of which 100 are here, and who has it.
struct Scene {
    world: World,
    main: B256,
    honest: PeerId,
}

impl Scene {
    fn new() -> Self {
        let mut tree = Tree::default();
        let genesis = tree.genesis(0);
        let here = tree.extend_by(genesis, 100, |_| Make::default());
        let main = tree.extend_by(here, 200, |_| Make::default());
        let mut world = World::new(tree, here, 1);
        let honest = world.connect(Peer::new(main, Manners::Honest));
        Self { world, main, honest }
    }

    /// A fork of the main chain at block 250.
    fn fork(&mut self, blocks: u64, make: Make) -> B256 {
        let from = self.world.tree.chain(self.main)[250];
        self.world.tree.extend_by(from, blocks, |_| Make { salt: 7, ..make })
    }

    /// Connects a liar before anything is answered, lets everything happen, and looks who was
    /// dropped, for what, and what is stored.
    #[track_caller]
    fn check(mut self, tip: B256, manners: Manners, expected: &str) {
        let liar = self.world.connect(Peer::new(tip, manners));
        self.world.run();
        self.check_fault(liar, expected);
        let main = self.world.tree.chain(self.main);
        for hash in self.world.tree.chain(self.world.peers[&liar].tip) {
            let is_stored = self.world.chain.total_difficulty(&hash).is_some();
            assert!(main.contains(&hash) || !is_stored, "{manners:?}: a block of it is stored");
        }
    }

    #[track_caller]
    fn check_fault(&self, liar: PeerId, expected: &str) {
        let fault = self.world.dropped.get(&liar).map(ToString::to_string).unwrap_or_default();
        assert!(fault.contains(expected), "{fault:?} instead of {expected:?}");
        assert!(!self.world.dropped.contains_key(&self.honest), "the honest peer was dropped");
        assert_eq!(self.world.chain.head().hash, self.main, "not on the honest chain");
    }
}

/// A peer with a heavier fork, valid or not, and these manners.
#[track_caller]
fn check(manners: Manners, is_valid: bool, expected: &str) {
    let mut scene = Scene::new();
    let tip = scene.fork(100, Make { is_valid, ..Make::default() });
    scene.check(tip, manners, expected);
}

#[test]
fn a_peer_that_does_not_answer_is_dropped() {
    check(Manners::NoHeaders, true, "headers requested and not sent in time");
    check(Manners::SilentOnBodies, true, "bodies requested and not sent in time");
}

#[test]
fn a_head_that_does_not_exist_is_a_lie() {
    check(Manners::AbsentHead, true, "its head does not exist");
}

#[test]
fn a_fork_with_higher_claimed_and_lower_real_difficulty_leaves_no_trace() {
    let mut scene = Scene::new();
    let tip = scene.fork(20, Make::default());
    scene.check(
        tip,
        Manners::MoreDifficulty,
        "total difficulty 5410 claimed, the chain ends with 541",
    );
}

#[test]
fn headers_must_be_what_was_asked_for() {
    check(Manners::BrokenLinks, true, "wrong headers: not the ");
    check(Manners::OneTooMany, true, "wrong headers: more than requested");
    check(Manners::OneByOne, true, "wrong headers: a few at a time");
    check(Manners::Twice, true, "a reply that was not requested");
}

#[test]
fn headers_without_end_end_with_the_first_block_that_is_not_valid() {
    check(Manners::Endless, false, "is refused: it is not valid");
}

#[test]
fn a_chain_that_changes_with_every_reply_is_given_up() {
    let mut scene = Scene::new();
    let tip = scene.fork(100, Make::default());
    let liar = scene.world.connect(Peer::new(tip, Manners::Shifting));
    scene.world.run();
    let fault = scene.world.dropped[&liar].to_string();
    assert!(fault.contains("changes all the time") || fault.contains("claimed"), "{fault}");
    assert!(!scene.world.dropped.contains_key(&scene.honest));
    let head = scene.world.chain.head().total_difficulty;
    assert!(head >= scene.world.tree.block(&scene.main).total_difficulty);
}

#[test]
fn bodies_must_fit_their_headers_and_a_message() {
    check(Manners::WrongBodies, true, "a body that does not fit");
    check(Manners::NoBodies, true, "no bodies to the headers it sent");
    let mut scene = Scene::new();
    let with_content = Make { transactions: [100, 0], ..Make::default() };
    let tip = scene.fork(100, with_content);
    scene.check(tip, Manners::LastBodyOnly, "no bodies to the headers it sent");
    check(Manners::HugeBodies, true, "a reply of 12582");
}

#[test]
fn a_block_that_breaks_a_rule_is_its_senders_fault() {
    check(Manners::Honest, false, "is refused: it is not valid");
}

#[test]
fn a_block_from_the_future_is_refused_by_its_header() {
    let mut scene = Scene::new();
    let timestamp = Some(UNIX_START + 3600);
    let below = scene.fork(99, Make::default());
    let tip = scene.world.tree.extend(below, Make { timestamp, ..Make::default() });
    scene.check(tip, Manners::Honest, "s ahead of the clock");
}

#[test]
fn another_genesis_block_is_found_out() {
    let mut scene = Scene::new();
    let genesis = scene.world.tree.genesis(1);
    let tip = scene.world.tree.extend_by(genesis, 400, |_| Make::default());
    scene.check(tip, Manners::Honest, "another genesis block");
}

#[test]
fn a_fork_beyond_every_kept_state_is_not_followed() {
    let mut tree = Tree::default();
    let genesis = tree.genesis(0);
    let here = tree.extend_by(genesis, MAX_FORK_DEPTH + 20, |_| Make::default());
    let from = tree.chain(here)[10];
    let tip = tree.extend_by(from, MAX_FORK_DEPTH + 100, |_| Make { salt: 1, ..Make::default() });
    let mut world = World::new(tree, here, 1);
    let peer = world.connect(Peer::new(tip, Manners::Honest));
    world.run();
    assert!(world.dropped[&peer].to_string().contains("leaves ours more than 400 blocks back"));
    assert_eq!(world.chain.head().hash, here);
}

/// After sync, a second peer on the same chain says something.
#[track_caller]
fn check_said(expected: &str, say: impl FnOnce(&mut Scene, PeerId) -> Event) {
    let mut scene = Scene::new();
    let liar = scene.world.connect(Peer::new(scene.main, Manners::Honest));
    scene.world.run();
    assert_eq!(scene.world.chain.head().hash, scene.main);
    let stored = scene.world.chain.stored.len();
    let event = say(&mut scene, liar);
    scene.world.hear(event);
    scene.world.run();
    scene.check_fault(liar, expected);
    assert_eq!(scene.world.chain.stored.len(), stored, "something of it is stored");
}

/// A block on the main chain, changed before it is sent.
fn new_block(scene: &mut Scene, peer: PeerId, make: Make, more: u64, body: Option<&[u8]>) -> Event {
    let hash = scene.world.tree.extend(scene.main, make);
    let block = scene.world.tree.block(&hash);
    let total_difficulty = block.total_difficulty + U256::from(more);
    let mut block = Box::new(block.fetched());
    if let Some(body) = body {
        block.body = Body::decode(body).unwrap();
    }
    Event::NewBlock { peer, block, total_difficulty }
}

#[test]
fn a_new_block_must_be_what_it_says() {
    let plain = Make::default();
    check_said("total difficulty 604 announced, it is 603", |scene, peer| {
        new_block(scene, peer, plain, 1, None)
    });
    check_said("a body that does not fit", |scene, peer| {
        new_block(scene, peer, plain, 0, Some(&[0xc2, 0xc0, 0xc0]))
    });
    check_said("is refused: it is not valid", |scene, peer| {
        new_block(scene, peer, Make { is_valid: false, ..plain }, 0, None)
    });
    check_said("s ahead of the clock", |scene, peer| {
        let timestamp = Some(UNIX_START + 3600);
        new_block(scene, peer, Make { timestamp, ..plain }, 0, None)
    });
}

#[test]
fn announced_blocks_must_exist() {
    let hashes = |count: u64| -> Vec<BlockId> {
        let hash = |number: u64| B256::from(U256::from(number + 1));
        (0..count).map(|number| BlockId { hash: hash(number), number: 301 }).collect()
    };
    check_said("100000 block hashes in one announcement", |_, peer| Event::NewBlockHashes {
        peer,
        blocks: hashes(100_000),
    });
    check_said("announces blocks that do not exist", |_, peer| Event::NewBlockHashes {
        peer,
        blocks: hashes(256),
    });
    check_said("announced as 999 has number 301", |scene, peer| {
        let hash = scene.world.tree.extend(scene.main, Make { salt: 9, ..Make::default() });
        Event::NewBlockHashes { peer, blocks: vec![BlockId { hash, number: 999 }] }
    });
}

#[test]
fn after_the_merge_no_block_may_be_announced() {
    let expected = "it announces blocks after the merge";
    check_said(expected, |scene, peer| {
        scene.world.chain.is_merged = true;
        new_block(scene, peer, Make::default(), 0, None)
    });
    check_said(expected, |scene, peer| {
        scene.world.chain.is_merged = true;
        let hash = scene.world.tree.extend(scene.main, Make::default());
        Event::NewBlockHashes { peer, blocks: vec![BlockId { hash, number: 301 }] }
    });
}

#[test]
fn a_reply_to_no_request_is_a_fault() {
    let request = RequestId(77);
    check_said("not requested", |_, peer| Event::Headers { peer, request, headers: vec![] });
    check_said("not requested", |_, peer| Event::Bodies { peer, request, bodies: vec![] });
}
