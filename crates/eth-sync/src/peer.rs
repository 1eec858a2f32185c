//! What is known of a peer, and what it was asked.

use std::collections::{BTreeSet, VecDeque};

use alloy_primitives::{B256, U256};
use flow_control::{Millis, Time};

use crate::{
    BlockId, Fault, RequestId, SealedHeader, Status,
    limits::{MAX_ANNOUNCED, MAX_KNOWN, MAX_MISSING, REQUEST_TIMEOUT, WAIT},
};

/// The heaviest chain that a peer says it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) head: B256,
    /// Unknown as long as there was only its Status.
    pub(crate) number: Option<u64>,
    pub(crate) total_difficulty: U256,
}

/// Why headers were requested.
#[derive(Debug)]
pub(crate) enum HeadersFor {
    /// For the step of the sync that is under way.
    Sync,
    /// To learn more of an announced block.
    Announced(BlockId),
    /// For a sync that has ended.
    Nothing,
}

/// Why bodies were requested.
#[derive(Debug)]
pub(crate) enum BodiesFor {
    /// For these blocks of the sync that is under way.
    Sync(Vec<BlockId>),
    /// For an announced block.
    Announced(Box<SealedHeader>),
    /// For a sync that has ended.
    Nothing,
}

/// A request that is not answered yet.
#[derive(Debug)]
pub(crate) struct Pending<P> {
    pub(crate) request: RequestId,
    pub(crate) asked: Time,
    pub(crate) purpose: P,
}

impl<P> Pending<P> {
    fn deadline(&self) -> Time {
        self.asked.after(REQUEST_TIMEOUT)
    }

    /// Takes the request that a reply belongs to.
    pub(crate) fn answered(slot: &mut Option<Self>, request: RequestId) -> Result<P, Fault> {
        let pending = slot.take_if(|pending| pending.request == request);
        pending.map(|pending| pending.purpose).ok_or(Fault::Unrequested)
    }
}

/// A connected full node. It has at most one request for headers and one for bodies open.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) claim: Claim,
    /// A block that it announced by hash and whose parent is not ours.
    pub(crate) hint: Option<BlockId>,
    pub(crate) headers: Option<Pending<HeadersFor>>,
    pub(crate) bodies: Option<Pending<BodiesFor>>,
    /// It had none of the bodies that the sync under way needs.
    pub(crate) lacks_bodies: bool,
    /// Times that its chain changed under a sync.
    pub(crate) restarts: u32,
    /// Times that it was given time to have the chain that it said it has.
    waits: u32,
    /// Until when it has that time.
    waits_until: Option<Time>,
    /// Nanoseconds that it took for a body when it was last asked for some.
    pub(crate) pace: u64,
    missing: u32,
    announced: VecDeque<Announced>,
    known: KnownBlocks,
}

/// A block announced by hash.
#[derive(Clone, Copy, Debug)]
struct Announced {
    block: BlockId,
    /// When it is fetched if it has not come.
    due: Time,
}

impl Peer {
    /// A peer that told its Status and was told of our head.
    pub(crate) fn new(status: Status, told: B256) -> Self {
        let Status { head, total_difficulty } = status;
        let mut known = KnownBlocks::default();
        known.insert(head);
        known.insert(told);
        Self {
            claim: Claim { head, number: None, total_difficulty },
            hint: None,
            headers: None,
            bodies: None,
            lacks_bodies: false,
            restarts: 0,
            waits: 0,
            waits_until: None,
            pace: 0,
            missing: 0,
            announced: VecDeque::new(),
            known,
        }
    }

    /// Notes that it has a block.
    pub(crate) fn has(&mut self, hash: B256) {
        self.known.insert(hash);
    }

    pub(crate) fn is_known_to_have(&self, hash: &B256) -> bool {
        self.known.blocks.contains(hash)
    }

    /// Its head is at least this heavy.
    pub(crate) fn claims(&mut self, block: BlockId, total_difficulty: U256) {
        if total_difficulty > self.claim.total_difficulty {
            let BlockId { hash: head, number } = block;
            self.claim = Claim { head, number: Some(number), total_difficulty };
        }
    }

    /// Gives it time to have the chain that it said it has.
    pub(crate) fn waits(&mut self, now: Time) {
        self.waits = self.waits.saturating_add(1);
        self.waits_until = Some(now.after(Millis(WAIT.0.saturating_mul(self.waits.into()))));
    }

    /// Until when it has that time.
    pub(crate) const fn waits_until(&self) -> Option<Time> {
        self.waits_until
    }

    /// How often it was given time.
    pub(crate) const fn wait_count(&self) -> u32 {
        self.waits
    }

    /// Ends that time when it is over.
    pub(crate) fn look_at_the_clock(&mut self, now: Time) {
        self.waits_until.take_if(|until| *until <= now);
    }

    /// It had what it said, or nobody wants that any more.
    pub(crate) const fn forgive(&mut self) {
        self.restarts = 0;
        self.waits = 0;
        self.waits_until = None;
    }

    /// Notes a block to be fetched when `due`.
    pub(crate) fn announces(&mut self, block: BlockId, due: Time) {
        if self.announced.iter().any(|announced| announced.block.hash == block.hash) {
            return;
        }
        if self.announced.len() >= MAX_ANNOUNCED {
            self.announced.pop_front();
        }
        self.announced.push_back(Announced { block, due });
    }

    /// Forgets announced blocks that came by another way; says which.
    pub(crate) fn forget_announced(&mut self, came: impl Fn(&B256) -> bool) -> Vec<BlockId> {
        let here = self.announced.iter().map(|announced| announced.block);
        let here = here.filter(|block| came(&block.hash)).collect();
        self.announced.retain(|announced| !came(&announced.block.hash));
        here
    }

    /// When an announced block is to be fetched; never while something else is.
    pub(crate) fn announced_due(&self) -> Option<Time> {
        let idle = self.headers.is_none() && self.bodies.is_none();
        self.announced.front().filter(|_| idle).map(|announced| announced.due)
    }

    /// The announced block to be fetched now.
    pub(crate) fn take_announced(&mut self, now: Time) -> Option<BlockId> {
        self.announced_due().filter(|due| *due <= now)?;
        self.announced.pop_front().map(|announced| announced.block)
    }

    /// An announced block was there.
    pub(crate) const fn had_announced(&mut self) {
        self.missing = 0;
    }

    /// An announced block was not there.
    pub(crate) fn lacked_announced(&mut self) -> Result<(), Fault> {
        self.missing = self.missing.saturating_add(1);
        if self.missing > MAX_MISSING { Err(Fault::NoAnnounced) } else { Ok(()) }
    }

    /// The earliest time at which something is due or late.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let headers = self.headers.as_ref().map(Pending::deadline);
        let bodies = self.bodies.as_ref().map(Pending::deadline);
        headers.into_iter().chain(bodies).min()
    }

    /// What it did not send in time.
    pub(crate) fn stalled(&self, now: Time) -> Option<Fault> {
        let late = |deadline: Time| deadline <= now;
        if self.headers.as_ref().is_some_and(|pending| late(pending.deadline())) {
            return Some(Fault::Stalled("headers"));
        }
        let bodies = self.bodies.as_ref().is_some_and(|pending| late(pending.deadline()));
        bodies.then_some(Fault::Stalled("bodies"))
    }
}

/// The blocks that a peer has, as far as we saw; the oldest is forgotten for a new one.
#[derive(Debug, Default)]
struct KnownBlocks {
    blocks: BTreeSet<B256>,
    order: VecDeque<B256>,
}

impl KnownBlocks {
    fn insert(&mut self, hash: B256) {
        if !self.blocks.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.blocks.remove(&oldest);
        }
    }
}
