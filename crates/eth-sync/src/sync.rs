//! The core itself: events in, actions out.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::B256;
use flow_control::Time;

use crate::{
    Action, BlockId, Body, ChainHead, Event, Fault, FetchedBlock, ImportResult, LocalChain, Now,
    PeerId, RequestId, SealedHeader, SegmentId, Status,
    fresh::Fresh,
    import::Imports,
    limits::{MAX_FORK_DEPTH, MAX_PEERS, MAX_REPLY_BYTES, MAX_RESTARTS, SHORTER_CHAIN},
    peer::{BodiesFor, HeadersFor, Peer, Pending},
    random::Random,
    session::{Course, HeaderRequest, Session},
};

/// How far a sync is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The block at which it began.
    pub start: u64,
    /// The highest block that the peer is known to have.
    pub highest: u64,
}

/// Follows a network.
#[derive(Debug)]
pub struct EthSync {
    pub(crate) peers: BTreeMap<PeerId, Peer>,
    pub(crate) session: Option<Session>,
    pub(crate) imports: Imports,
    pub(crate) fresh: Fresh,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) random: Random,
    /// Our head, as long as not every peer has heard of it.
    untold: Option<BlockId>,
    next_request: u64,
    /// The store takes no more.
    is_closed: bool,
}

impl EthSync {
    /// Without peers. The seed decides who gets a new block whole.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            peers: BTreeMap::new(),
            session: None,
            imports: Imports::default(),
            fresh: Fresh::default(),
            actions: VecDeque::new(),
            random: Random::new(seed),
            untold: None,
            next_request: 0,
            is_closed: false,
        }
    }

    /// Takes an event. `chain` is the local chain as it is now.
    pub fn handle(&mut self, event: Event, now: Now, chain: &dyn LocalChain) {
        match event {
            Event::Connected { peer, status, told } => self.connected(peer, status, told, chain),
            Event::Disconnected { peer } => self.forget(peer),
            Event::Headers { peer, request, headers } => {
                let result = self.headers(peer, request, headers, now, chain);
                self.judge(peer, result);
            }
            Event::Bodies { peer, request, bodies } => {
                let result = self.bodies(peer, request, bodies, now, chain);
                self.judge(peer, result);
            }
            Event::NewBlockHashes { peer, blocks } => {
                let result = self.new_block_hashes(peer, &blocks, now, chain);
                self.judge(peer, result);
            }
            Event::NewBlock { peer, block, total_difficulty } => {
                let result = self.new_block(peer, *block, total_difficulty, now, chain);
                self.judge(peer, result);
            }
            Event::Imported { segment, result } => self.imported(segment, result),
            Event::NewHead { head } => self.untold = Some(head),
            Event::Timeout => {}
        }
        self.drop_stalled(now.time);
        self.peers.values_mut().for_each(|peer| peer.look_at_the_clock(now.time));
        if !self.is_closed {
            self.go_on(now, chain);
        }
        self.tell_head(chain);
    }

    /// Tells the peers of a new head. While a sync brings more, nobody needs to hear of it; after
    /// the merge nobody may: consensus clients tell each other.
    fn tell_head(&mut self, chain: &dyn LocalChain) {
        let is_last = !self.session.as_ref().is_some_and(Session::is_heavier);
        if is_last
            && let Some(head) = self.untold.take()
            && !chain.head().is_merged
        {
            self.spread(head);
        }
    }

    /// The next thing to be done; to be called after each event until there is none.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let begins = self.session.is_none() && !self.is_closed;
        let of_peer = |peer: &Peer| {
            let begun = [peer.announced_due(), peer.waits_until()];
            let begun = begun.into_iter().flatten().filter(|_| begins);
            peer.next_deadline().into_iter().chain(begun).min()
        };
        self.peers.values().filter_map(of_peer).min()
    }

    /// How far the sync is that is under way; `None` if there is none.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let (start, highest) = self.session.as_ref()?.span()?;
        Some(Progress { start, highest })
    }

    /// Bytes of bodies that are kept or under import.
    #[must_use]
    pub fn body_bytes(&self) -> usize {
        let queued = self.session.as_ref().map_or(0, |session| session.queue.bytes());
        [queued, self.imports.bytes(), self.fresh.bytes()]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    fn connected(&mut self, id: PeerId, status: Status, told: B256, chain: &dyn LocalChain) {
        if self.peers.len() >= MAX_PEERS {
            self.actions.push_back(Action::Drop { peer: id, fault: Fault::TooManyPeers });
            return;
        }
        self.peers.insert(id, Peer::new(status, told));
        let ChainHead { hash, number, .. } = chain.head();
        if hash != told {
            self.untold = Some(BlockId { hash, number });
        }
    }

    /// Drops a peer that did something wrong.
    fn judge(&mut self, peer: PeerId, result: Result<(), Fault>) {
        if let Err(fault) = result
            && self.peers.contains_key(&peer)
        {
            self.forget(peer);
            self.fresh.forget(peer);
            self.actions.push_back(Action::Drop { peer, fault });
        }
    }

    /// A peer is gone: what it was asked is asked of others.
    fn forget(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else { return };
        if self.session.as_ref().is_some_and(|session| session.master == id) {
            self.end_session();
        }
        if let Some(session) = &mut self.session
            && let Some(Pending { purpose: BodiesFor::Sync(blocks), .. }) = peer.bodies
        {
            session.queue.release(&blocks);
        }
    }

    fn drop_stalled(&mut self, now: Time) {
        let stalled = |(id, peer): (&PeerId, &Peer)| Some((*id, peer.stalled(now)?));
        let stalled: Vec<_> = self.peers.iter().filter_map(stalled).collect();
        for (id, fault) in stalled {
            self.judge(id, Err(fault));
        }
    }

    fn headers(
        &mut self,
        from: PeerId,
        request: RequestId,
        headers: Vec<SealedHeader>,
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&from) else { return Ok(()) };
        match Pending::answered(&mut peer.headers, request)? {
            HeadersFor::Nothing => Ok(()),
            HeadersFor::Announced(block) => self.announced_header(from, block, headers, now, chain),
            HeadersFor::Sync => {
                headers.last().into_iter().for_each(|last| peer.has(last.hash()));
                let Some(session) = &mut self.session else { return Ok(()) };
                match session.headers(headers, now, chain)? {
                    Course::GoOn => return Ok(()),
                    Course::Wait => peer.waits(now.time),
                    Course::BeginAnew => peer.restarts = peer.restarts.saturating_add(1),
                }
                if peer.restarts > MAX_RESTARTS {
                    return Err(Fault::Inconsistent);
                }
                self.end_session();
                Ok(())
            }
        }
    }

    fn bodies(
        &mut self,
        from: PeerId,
        request: RequestId,
        bodies: Vec<Body>,
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&from) else { return Ok(()) };
        if let Some(pending) = &peer.bodies {
            let count = u64::try_from(bodies.len()).unwrap_or(u64::MAX).max(1);
            peer.pace = now.time.nanos_since(pending.asked) / count;
        }
        let purpose = Pending::answered(&mut peer.bodies, request)?;
        let bytes = bodies.iter().map(Body::bytes).fold(0, usize::saturating_add);
        let (blocks, session) = match (purpose, &mut self.session) {
            (BodiesFor::Announced(header), _) => {
                return self.announced_body(from, *header, bodies, chain);
            }
            (BodiesFor::Sync(blocks), Some(session)) => (blocks, session),
            (BodiesFor::Sync(_) | BodiesFor::Nothing, _) => return Ok(()),
        };
        if bytes > MAX_REPLY_BYTES {
            session.queue.release(&blocks);
            return Err(Fault::LargeReply { bytes, limit: MAX_REPLY_BYTES });
        }
        if !session.queue.fill(&blocks, bodies)? {
            // Another chain's blocks need not be there, its own must. Without the first no other is
            // of use.
            if session.master == from {
                return Err(Fault::NoBodies);
            }
            peer.lacks_bodies = true;
        }
        Ok(())
    }

    fn imported(&mut self, segment: SegmentId, result: ImportResult) {
        let Some(source) = self.imports.take(segment) else { return };
        match result {
            ImportResult::Done => {}
            ImportResult::Refused { block, reason } => {
                self.judge(source, Err(Fault::BadBlock { block, reason }));
            }
            ImportResult::TooDeep => self.judge(source, Err(Fault::ForkTooDeep(MAX_FORK_DEPTH))),
            ImportResult::Failed => {
                self.end_session();
                self.is_closed = true;
            }
        }
    }

    /// Does what can be done now.
    fn go_on(&mut self, now: Now, chain: &dyn LocalChain) {
        if self.session.is_none() {
            self.import_fresh(chain);
            self.fetch_announced(now, chain);
            // The search for a common ancestor needs a chain at rest.
            if self.imports.are_none() {
                self.begin_session(chain);
            }
        }
        self.advance_session(now);
        let finished = self.session.as_ref().is_some_and(Session::is_exhausted);
        if finished && self.imports.are_none() {
            self.finish_session(now, chain);
        }
    }

    /// Begins a session with the heaviest chain, or with one of which only the height is known.
    fn begin_session(&mut self, chain: &dyn LocalChain) {
        let head = chain.head();
        let is_heavier = |peer: &Peer| peer.claim.total_difficulty > head.total_difficulty;
        self.peers.values_mut().filter(|peer| !is_heavier(peer)).for_each(Peer::forgive);
        let heaviest = self
            .peers
            .iter()
            .filter(|(_, peer)| is_heavier(peer) && peer.waits_until().is_none())
            .max_by_key(|(id, peer)| (peer.claim.total_difficulty, std::cmp::Reverse(**id)));
        if let Some((id, peer)) = heaviest {
            let session = Session::with_claim(*id, &peer.claim, chain);
            self.session = Some(session.after(peer.wait_count()));
            return;
        }
        for (id, peer) in &mut self.peers {
            if let Some(hint) = peer.hint.take()
                && hint.number.saturating_add(SHORTER_CHAIN) > head.number
                && chain.total_difficulty(&hint.hash).is_none()
            {
                self.session = Some(Session::with_hint(*id, hint.number, chain));
                return;
            }
        }
    }

    fn advance_session(&mut self, now: Now) {
        let Some(session) = &mut self.session else { return };
        let master = session.master;
        let idle = self.peers.get(&master).is_some_and(|peer| peer.headers.is_none());
        if let Some(request) = session.next_request().filter(|_| idle) {
            self.request_headers(master, request, HeadersFor::Sync, now);
        }
        self.import_session();
        self.request_session_bodies(now);
    }

    fn import_session(&mut self) {
        while let Some(session) = &mut self.session
            && session.is_heavier()
            && self.imports.has_room()
        {
            let blocks = session.queue.take_segment();
            if blocks.is_empty() {
                return;
            }
            let master = session.master;
            self.import(master, blocks);
        }
    }

    fn request_session_bodies(&mut self, now: Now) {
        let useful = |(id, peer): (&PeerId, &Peer)| {
            (peer.bodies.is_none() && !peer.lacks_bodies).then_some((peer.pace, *id))
        };
        let mut idle: Vec<(u64, PeerId)> = self.peers.iter().filter_map(useful).collect();
        // The fastest is asked for the first, for which all others wait.
        idle.sort_unstable();
        for (_, peer) in idle {
            let importing = self.imports.bytes();
            let Some(session) = self.session.as_mut().filter(|session| session.is_heavier()) else {
                return;
            };
            let Some(blocks) = session.queue.take_request(importing) else { return };
            self.request_bodies(peer, blocks.clone(), BodiesFor::Sync(blocks), now);
        }
    }

    /// Ends a session in the middle: replies to its requests are of no use any more.
    fn end_session(&mut self) {
        self.session = None;
        for peer in self.peers.values_mut() {
            peer.lacks_bodies = false;
            if let Some(pending) = &mut peer.headers
                && matches!(pending.purpose, HeadersFor::Sync)
            {
                pending.purpose = HeadersFor::Nothing;
            }
            if let Some(pending) = &mut peer.bodies
                && matches!(pending.purpose, BodiesFor::Sync(_))
            {
                pending.purpose = BodiesFor::Nothing;
            }
        }
    }

    /// Ends a session of which everything is imported, and begins the next if there is one.
    fn finish_session(&mut self, now: Now, chain: &dyn LocalChain) {
        let master = self.session.as_ref().map(|session| session.master);
        if let Some(peer) = master.and_then(|master| self.peers.get_mut(&master)) {
            peer.forgive();
        }
        self.end_session();
        self.begin_session(chain);
        self.advance_session(now);
    }

    pub(crate) fn import(&mut self, source: PeerId, blocks: Vec<FetchedBlock>) {
        let action = self.imports.give_out(source, blocks);
        self.actions.push_back(action);
    }

    pub(crate) fn request_headers(
        &mut self,
        peer: PeerId,
        wanted: HeaderRequest,
        purpose: HeadersFor,
        now: Now,
    ) {
        let request = self.request_id();
        let asked = now.time;
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.headers = Some(Pending { request, asked, purpose });
        }
        let HeaderRequest { origin, count, reverse } = wanted;
        self.actions.push_back(Action::RequestHeaders { peer, request, origin, count, reverse });
    }

    pub(crate) fn request_bodies(
        &mut self,
        peer: PeerId,
        blocks: Vec<BlockId>,
        purpose: BodiesFor,
        now: Now,
    ) {
        let request = self.request_id();
        let asked = now.time;
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.bodies = Some(Pending { request, asked, purpose });
        }
        let hashes = blocks.iter().map(|block| block.hash).collect();
        self.actions.push_back(Action::RequestBodies { peer, request, hashes });
    }

    fn request_id(&mut self) -> RequestId {
        self.next_request = self.next_request.saturating_add(1);
        RequestId(self.next_request)
    }
}
