//! A network in virtual time around one core.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "each suite uses a part; what goes wrong fails the test that called it"
)]

pub(crate) mod blocks;
pub(crate) mod peer;
pub(crate) mod random;

use std::collections::BTreeMap;

use alloy_primitives::B256;
use eth_sync::{
    Action, BlockId, EthSync, Event, Fault, FetchedBlock, ImportResult, LocalChain as _,
    MAX_BODY_BYTES, Now, PeerId, SealedHeader, SegmentId,
};
use flow_control::Time;

use self::{
    blocks::{Chain, Tree, UNIX_START},
    peer::{Manners, Peer},
    random::Random,
};

const MILLI: u64 = 1_000_000;
/// Far more steps than any of these networks needs to come to rest.
const MOST_STEPS: u32 = 100_000;

/// What happens at a point in time.
#[derive(Debug)]
enum Happening {
    /// A peer has received a request and answers.
    Asked(PeerId, Action),
    /// The core hears something.
    Heard(Event),
    /// A segment is imported.
    Imported(SegmentId, Vec<FetchedBlock>),
    /// A peer takes a block for its head and says so.
    Adopted(PeerId, B256),
    /// A peer leaves.
    Left(PeerId),
    /// A peer has executed the block that it told of.
    Executed(PeerId, B256),
    /// Blocks up to this one are made here.
    Made(B256),
}

/// The network.
pub(crate) struct World {
    pub(crate) tree: Tree,
    pub(crate) chain: Chain,
    pub(crate) core: EthSync,
    pub(crate) peers: BTreeMap<PeerId, Peer>,
    /// Who was dropped, and why.
    pub(crate) dropped: BTreeMap<PeerId, Fault>,
    /// Blocks told to peers: whole and by hash.
    pub(crate) told: Vec<(B256, Vec<PeerId>, bool)>,
    /// Milliseconds that the import of a block takes.
    pub(crate) import_time: u64,
    /// Most bytes of bodies that the core ever held.
    pub(crate) most_bytes: usize,
    pub(crate) random: Random,
    pub(crate) now: u64,
    happenings: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    importer_free: u64,
}

impl World {
    /// A core whose chain ends in `tip`.
    pub(crate) fn new(tree: Tree, tip: B256, seed: u64) -> Self {
        Self {
            chain: Chain::at(&tree, tip),
            tree,
            core: EthSync::new(seed),
            peers: BTreeMap::new(),
            dropped: BTreeMap::new(),
            told: Vec::new(),
            import_time: 1,
            most_bytes: 0,
            random: Random::new(seed),
            now: 0,
            happenings: BTreeMap::new(),
            sequence: 0,
            importer_free: 0,
        }
    }

    fn schedule(&mut self, at: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert((at, self.sequence), happening);
    }

    /// Connects a peer.
    pub(crate) fn connect(&mut self, peer: Peer) -> PeerId {
        let told = self.chain.head().hash;
        self.connect_told(peer, told)
    }

    /// Connects a peer that was told of a head of ours that is not the newest any more.
    pub(crate) fn connect_told(&mut self, peer: Peer, told: B256) -> PeerId {
        let id = PeerId(self.peers.len() as u64 + 1);
        let status = peer.status(&self.tree);
        self.peers.insert(id, peer);
        self.hear(Event::Connected { peer: id, status, told });
        id
    }

    /// A peer takes a heavier block for its head after some milliseconds, and says so.
    pub(crate) fn adopt_later(&mut self, peer: PeerId, tip: B256, millis: u64) {
        let at = self.now + millis * MILLI;
        self.schedule(at, Happening::Adopted(peer, tip));
    }

    /// The chain up to this block is made here after some milliseconds.
    pub(crate) fn make_later(&mut self, tip: B256, millis: u64) {
        let at = self.now + millis * MILLI;
        self.schedule(at, Happening::Made(tip));
    }

    /// A peer leaves after some milliseconds.
    pub(crate) fn leave_later(&mut self, peer: PeerId, millis: u64) {
        let at = self.now + millis * MILLI;
        self.schedule(at, Happening::Left(peer));
    }

    /// The core hears something now.
    pub(crate) fn hear(&mut self, event: Event) {
        let now =
            Now { time: Time(self.now), unix_seconds: UNIX_START + self.now / (1000 * MILLI) };
        self.core.handle(event, now, &self.chain);
        self.most_bytes = self.most_bytes.max(self.core.body_bytes());
        assert!(self.core.body_bytes() <= MAX_BODY_BYTES, "more bodies than allowed");
        while let Some(action) = self.core.poll_action() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::RequestHeaders { peer, .. } | Action::RequestBodies { peer, .. } => {
                let (low, high) = self.peers[&peer].latency;
                let at = self.now + self.random.between(low, high) * MILLI;
                self.schedule(at, Happening::Asked(peer, action));
            }
            Action::Import { segment, blocks } => {
                let time = self.import_time * blocks.len() as u64 * MILLI;
                self.importer_free = self.importer_free.max(self.now) + time;
                self.schedule(self.importer_free, Happening::Imported(segment, blocks));
            }
            Action::Drop { peer, fault } => {
                let twice = self.dropped.insert(peer, fault);
                assert!(twice.is_none(), "{peer:?} is dropped twice");
            }
            Action::SendBlock { peers, block } => self.told.push((block.hash, peers, true)),
            Action::SendBlockHash { peers, block } => self.told.push((block.hash, peers, false)),
        }
    }

    /// Lets everything happen until nothing is left.
    pub(crate) fn run(&mut self) {
        self.run_until(u64::MAX);
    }

    /// Lets happen what happens within so many milliseconds from the beginning.
    pub(crate) fn run_until(&mut self, millis: u64) {
        for _ in 0..MOST_STEPS {
            let due = self.core.next_timeout().map_or(u64::MAX, |time| time.0);
            let next = self.happenings.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            if due.min(next) > millis.saturating_mul(MILLI) || due.min(next) == u64::MAX {
                return;
            }
            if due < next {
                self.now = self.now.max(due);
                self.hear(Event::Timeout);
                continue;
            }
            self.now = next;
            let Some((_, happening)) = self.happenings.pop_first() else { return };
            self.happen(happening);
        }
        panic!("the network does not come to rest");
    }

    fn is_connected(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer) && !self.dropped.contains_key(&peer)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Asked(id, action) => {
                let Some(peer) = self.peers.get_mut(&id) else { return };
                for event in peer.answer(&mut self.tree, &action) {
                    self.schedule(self.now, Happening::Heard(event));
                }
            }
            Happening::Heard(event) => self.hear(event),
            Happening::Imported(segment, blocks) => self.imported(segment, &blocks),
            Happening::Adopted(id, tip) => self.adopt(id, tip),
            Happening::Left(peer) => {
                self.peers.remove(&peer);
                self.hear(Event::Disconnected { peer });
            }
            Happening::Executed(id, tip) => {
                if let Some(peer) = self.peers.get_mut(&id)
                    && self.tree.is_heavier(&tip, &peer.tip)
                {
                    peer.adopt(tip);
                }
            }
            Happening::Made(tip) => self.made(tip),
        }
    }

    fn imported(&mut self, segment: SegmentId, blocks: &[FetchedBlock]) {
        let refused = self.store(blocks);
        let result = refused.map_or(ImportResult::Done, |block| ImportResult::Refused {
            block,
            reason: "it is not valid".to_owned(),
        });
        self.hear(Event::Imported { segment, result });
    }

    fn made(&mut self, tip: B256) {
        let chain = self.tree.chain(tip);
        let blocks = chain.iter().skip(1).map(|hash| self.tree.block(hash).fetched());
        let blocks: Vec<_> = blocks.collect();
        assert_eq!(self.store(&blocks), None, "it is made by the rules");
    }

    /// Stores blocks up to the first that is not valid, which is returned.
    fn store(&mut self, blocks: &[FetchedBlock]) -> Option<BlockId> {
        let before = self.chain.head().hash;
        let refused = blocks.iter().find(|block| !self.chain.import(&self.tree, block));
        let head = self.chain.head();
        if head.hash != before {
            let head = BlockId { hash: head.hash, number: head.number };
            self.hear(Event::NewHead { head });
        }
        let id = |header: &SealedHeader| BlockId { hash: header.hash(), number: header.number };
        refused.map(|block| id(&block.header))
    }

    fn adopt(&mut self, id: PeerId, tip: B256) {
        if !self.is_connected(id) {
            return;
        }
        let block = self.tree.block(&tip).clone();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !self.tree.is_heavier(&tip, &peer.tip) {
            return;
        }
        let number = block.header.number;
        if self.random.once_in(2) {
            peer.adopt(tip);
            let blocks = vec![BlockId { hash: tip, number }];
            self.hear(Event::NewBlockHashes { peer: id, blocks });
        } else {
            // Sent whole, it is told of before it is executed, as in go-ethereum.
            let total_difficulty = block.total_difficulty;
            let block = Box::new(block.fetched());
            self.hear(Event::NewBlock { peer: id, block, total_difficulty });
            let at = self.now + self.random.between(10, 2000) * MILLI;
            self.schedule(at, Happening::Executed(id, tip));
        }
    }

    /// Honest peers that are connected, lack our head, and were not told of it.
    pub(crate) fn honest_were_not_told(&self) -> Vec<PeerId> {
        let head = self.chain.head().hash;
        let was_told = |id: &PeerId| {
            self.told.iter().any(|(hash, peers, _)| *hash == head && peers.contains(id))
        };
        let lacking = self.peers.iter().filter(|(id, peer)| {
            peer.manners == Manners::Honest
                && self.is_connected(**id)
                && !self.tree.chain(peer.tip).contains(&head)
                && !was_told(id)
        });
        lacking.map(|(id, _)| *id).collect()
    }

    /// Whether every honest peer is still connected.
    pub(crate) fn honest_were_dropped(&self) -> Vec<(PeerId, &Fault)> {
        let honest =
            |id: &PeerId| self.peers.get(id).is_none_or(|peer| peer.manners == Manners::Honest);
        let dropped = self.dropped.iter().filter(|(id, _)| honest(id));
        dropped.map(|(id, fault)| (*id, fault)).collect()
    }
}
