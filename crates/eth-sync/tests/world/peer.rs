//! Peers: what each has, and how it answers.

use alloy_primitives::B256;
use eth_sync::{Action, Body, Event, Origin, PeerId, RequestId, SealedHeader, Status};

use super::blocks::{Make, Tree};

/// A server ends a reply of bodies behind this many bytes (go-ethereum's `softResponseLimit`).
const SOFT_REPLY_BYTES: usize = 2 << 20;

/// How a peer behaves when it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manners {
    /// As it should.
    Honest,
    /// It does not answer requests for headers.
    NoHeaders,
    /// It does not answer requests for bodies.
    SilentOnBodies,
    /// It says that its head is one that nobody has.
    AbsentHead,
    /// It says that its chain is ten times as heavy.
    MoreDifficulty,
    /// Headers that do not stand on each other.
    BrokenLinks,
    /// One header more than was asked for.
    OneTooMany,
    /// Headers for ever, each on the one before, none valid.
    Endless,
    /// Another chain each time.
    Shifting,
    /// One header at a time.
    OneByOne,
    /// Bodies of other blocks.
    WrongBodies,
    /// More bytes of bodies than fit into a message.
    HugeBodies,
    /// No bodies.
    NoBodies,
    /// Of the bodies asked for the first one only.
    FirstBodyOnly,
    /// Of the bodies asked for the last one only.
    LastBodyOnly,
    /// Every reply twice.
    Twice,
}

/// A full node.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its head.
    pub(crate) tip: B256,
    /// Every head that it ever had: it keeps the blocks of chains that it left.
    tips: Vec<B256>,
    pub(crate) manners: Manners,
    /// Milliseconds until an answer is here.
    pub(crate) latency: (u64, u64),
    /// Requests that it was sent.
    pub(crate) asked: u64,
}

impl Peer {
    pub(crate) fn new(tip: B256, manners: Manners) -> Self {
        Self { tip, tips: vec![tip], manners, latency: (5, 200), asked: 0 }
    }

    /// It has another head.
    pub(crate) fn adopt(&mut self, tip: B256) {
        self.tip = tip;
        self.tips.push(tip);
    }

    pub(crate) fn status(&self, tree: &Tree) -> Status {
        let total_difficulty = tree.block(&self.tip).total_difficulty;
        let ten = alloy_primitives::U256::from(10);
        match self.manners {
            Manners::AbsentHead => {
                Status { head: B256::repeat_byte(0xab), total_difficulty: total_difficulty * ten }
            }
            Manners::MoreDifficulty => {
                Status { head: self.tip, total_difficulty: total_difficulty * ten }
            }
            _ => Status { head: self.tip, total_difficulty },
        }
    }

    /// The answers to a request.
    pub(crate) fn answer(&mut self, tree: &mut Tree, action: &Action) -> Vec<Event> {
        self.asked += 1;
        match *action {
            Action::RequestHeaders { peer, request, origin, count, reverse } => {
                if self.manners == Manners::NoHeaders {
                    return Vec::new();
                }
                let headers = self.headers(tree, origin, count, reverse);
                self.repeated(Event::Headers { peer, request, headers })
            }
            Action::RequestBodies { peer, request, ref hashes } => {
                self.bodies(tree, peer, request, hashes)
            }
            _ => panic!("{action:?} is no request"),
        }
    }

    fn repeated(&self, event: Event) -> Vec<Event> {
        let times = if self.manners == Manners::Twice { 2 } else { 1 };
        vec![event; times]
    }

    fn headers(
        &mut self,
        tree: &mut Tree,
        origin: Origin,
        count: u64,
        reverse: bool,
    ) -> Vec<SealedHeader> {
        let number = match origin {
            Origin::Number(number) => number,
            Origin::Hash(hash) => {
                let found = tree.find(&hash).map(|block| block.header.clone());
                return found.into_iter().collect();
            }
        };
        if self.manners == Manners::Endless && !reverse {
            let missing = (number + count).saturating_sub(tree.block(&self.tip).header.number);
            let make = |_| Make { is_valid: false, difficulty: 1000, ..Make::default() };
            self.adopt(tree.extend_by(self.tip, missing, make));
        }
        if self.manners == Manners::Shifting {
            let above = tree.block(&self.tip).header.parent_hash;
            let chain = tree.chain(above);
            let fork = chain[chain.len() / 2];
            let salt = 1000 + self.asked;
            let blocks = (chain.len() - chain.len() / 2 + 1) as u64;
            self.adopt(tree.extend_by(fork, blocks, |_| Make { salt, ..Make::default() }));
        }
        let chain = tree.chain(self.tip);
        let most = match self.manners {
            Manners::OneTooMany => count + 1,
            Manners::OneByOne if !reverse => 1,
            _ => count,
        };
        let numbers: Vec<u64> = if reverse {
            (0..=number).rev().take(most as usize).collect()
        } else {
            (number..number + most).collect()
        };
        // As go-ethereum does, it ends at the first that is not there.
        let hashes = numbers.iter().map_while(|number| chain.get(*number as usize));
        let mut headers: Vec<_> = hashes.map(|hash| tree.block(hash).header.clone()).collect();
        if self.manners == Manners::BrokenLinks && headers.len() > 2 {
            headers.remove(1);
        }
        headers
    }

    fn bodies(&self, tree: &Tree, peer: PeerId, request: RequestId, hashes: &[B256]) -> Vec<Event> {
        let chains: Vec<_> = self.tips.iter().map(|tip| tree.chain(*tip)).collect();
        let has = |hash: &B256| chains.iter().any(|chain| chain.contains(hash));
        let mut bodies: Vec<Body> = Vec::new();
        let mut bytes = 0;
        match self.manners {
            Manners::SilentOnBodies => return Vec::new(),
            Manners::NoBodies => {}
            Manners::FirstBodyOnly | Manners::LastBodyOnly => {
                let is_first = self.manners == Manners::FirstBodyOnly;
                let hash = if is_first { hashes.first() } else { hashes.last() };
                let body = hash.map(|hash| &tree.block(hash).body);
                bodies.extend(body.map(|body| Body::decode(body).unwrap()));
            }
            Manners::WrongBodies => {
                bodies.push(Body::decode(&[0xc5, 0xc3, 0x82, 2, 1, 0xc0]).unwrap());
            }
            Manners::HugeBodies => {
                let huge = vec![2; 3 << 20];
                let body = super::blocks::encode_body(&[huge]);
                bodies.extend(vec![Body::decode(&body).unwrap(); 4]);
            }
            _ => {
                for hash in hashes.iter().filter(|hash| has(hash)) {
                    if bytes < SOFT_REPLY_BYTES {
                        let body = &tree.block(hash).body;
                        bytes += body.len();
                        bodies.push(Body::decode(body).unwrap());
                    }
                }
            }
        }
        self.repeated(Event::Bodies { peer, request, bodies })
    }
}
