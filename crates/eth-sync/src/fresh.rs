//! New blocks after sync: sent whole, announced by hash, and told on.

use std::collections::VecDeque;

use alloy_primitives::{B256, U256};

use crate::{
    Action, BlockId, Body, EthSync, Fault, FetchedBlock, LocalChain, Now, PeerId, SealedHeader,
    limits::{ANNOUNCED_PAUSE, MAX_FRESH, MAX_FRESH_BYTES, MAX_HASHES},
    peer::{BodiesFor, HeadersFor},
    session::{HeaderRequest, check_time},
};

/// New blocks that wait for their parent's import.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    blocks: VecDeque<(PeerId, FetchedBlock)>,
    bytes: usize,
}

impl Fresh {
    fn contains(&self, hash: &B256) -> bool {
        self.blocks.iter().any(|(_, block)| block.header.hash() == *hash)
    }

    /// Keeps a block unless there are too many: a session fetches it then.
    fn push(&mut self, from: PeerId, block: FetchedBlock) {
        let bytes = self.bytes.saturating_add(block.bytes());
        if self.blocks.len() < MAX_FRESH && bytes <= MAX_FRESH_BYTES {
            self.bytes = bytes;
            self.blocks.push_back((from, block));
        }
    }

    /// Takes the first block to be imported now, after forgetting those that are of no use.
    fn take(
        &mut self,
        judge: impl Fn(&FetchedBlock) -> Prospect,
    ) -> Option<(PeerId, FetchedBlock)> {
        // What stands on a forgotten block is forgotten in the next round.
        let mut length = usize::MAX;
        while self.blocks.len() < length {
            length = self.blocks.len();
            self.forget_useless(&judge);
        }
        let ready = |(_, block): &(PeerId, FetchedBlock)| judge(block) == Prospect::Import;
        let index = self.blocks.iter().position(ready);
        let taken = index.and_then(|index| self.blocks.remove(index));
        self.count();
        taken
    }

    fn forget_useless(&mut self, judge: impl Fn(&FetchedBlock) -> Prospect) {
        let here: Vec<B256> = self.blocks.iter().map(|(_, block)| block.header.hash()).collect();
        self.blocks.retain(|(_, block)| match judge(block) {
            Prospect::Import | Prospect::Waits => true,
            Prospect::NoParent => here.contains(&block.header.parent_hash),
            Prospect::Light => false,
        });
    }

    /// Forgets what a peer sent.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.blocks.retain(|(from, _)| *from != peer);
        self.count();
    }

    fn count(&mut self) {
        self.bytes = self.blocks.iter().map(|(_, block)| block.bytes()).sum();
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What is to become of a new block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Prospect {
    /// It is heavier than our chain, and its parent is stored.
    Import,
    /// Its parent is under import.
    Waits,
    /// Its parent is neither stored nor under import.
    NoParent,
    /// It is not heavier than our chain.
    Light,
}

impl EthSync {
    pub(crate) fn new_block_hashes(
        &mut self,
        from: PeerId,
        blocks: &[BlockId],
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&from) else { return Ok(()) };
        if chain.head().is_merged {
            return Err(Fault::AnnouncesAfterMerge);
        }
        if blocks.len() > MAX_HASHES {
            return Err(Fault::TooManyHashes(blocks.len()));
        }
        for block in blocks {
            peer.has(block.hash);
            if chain.total_difficulty(&block.hash).is_none() {
                peer.announces(*block, now.time.after(ANNOUNCED_PAUSE));
            }
        }
        Ok(())
    }

    pub(crate) fn new_block(
        &mut self,
        from: PeerId,
        block: FetchedBlock,
        claimed: U256,
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&from) else { return Ok(()) };
        if chain.head().is_merged {
            return Err(Fault::AnnouncesAfterMerge);
        }
        let header = &block.header;
        check_time(header, now)?;
        if !block.body.fits(header) {
            return Err(Fault::WrongBody);
        }
        if let Some(parent) = chain.total_difficulty(&header.parent_hash) {
            let found = parent.saturating_add(header.difficulty);
            if claimed != found {
                return Err(Fault::WrongDifficulty { claimed, found });
            }
        }
        let id = BlockId { hash: header.hash(), number: header.number };
        peer.has(id.hash);
        peer.claims(id, claimed);
        self.add_fresh(from, block, chain);
        Ok(())
    }

    /// The header of an announced block came, or did not.
    pub(crate) fn announced_header(
        &mut self,
        from: PeerId,
        announced: BlockId,
        headers: Vec<SealedHeader>,
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&from) else { return Ok(()) };
        let mut headers = headers.into_iter();
        let Some(header) = headers.next() else { return peer.lacked_announced() };
        if headers.next().is_some() {
            return Err(Fault::WrongHeaders("more than requested"));
        }
        if header.hash() != announced.hash {
            return Err(Fault::WrongHeaders("another block than requested"));
        }
        if header.number != announced.number {
            let (announced, found) = (announced.number, header.number);
            return Err(Fault::WrongNumber { announced, found });
        }
        check_time(&header, now)?;
        peer.had_announced();
        // Without its parent, or while a session uses the line, it is left to a session.
        if chain.total_difficulty(&header.parent_hash).is_none() || peer.bodies.is_some() {
            peer.hint = Some(announced);
            return Ok(());
        }
        if let Some(body) = Body::empty(&header) {
            self.add_fresh(from, FetchedBlock { header, body }, chain);
        } else if is_heavier(&header, chain) {
            self.request_bodies(from, vec![announced], BodiesFor::Announced(Box::new(header)), now);
        }
        Ok(())
    }

    /// The body of an announced block came, or did not.
    pub(crate) fn announced_body(
        &mut self,
        from: PeerId,
        header: SealedHeader,
        bodies: Vec<Body>,
        chain: &dyn LocalChain,
    ) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&from) else { return Ok(()) };
        let mut bodies = bodies.into_iter();
        let Some(body) = bodies.next() else { return peer.lacked_announced() };
        if bodies.next().is_some() || !body.fits(&header) {
            return Err(Fault::WrongBody);
        }
        self.add_fresh(from, FetchedBlock { header, body }, chain);
        Ok(())
    }

    /// Keeps a new block for import, unless a session is under way: that or the next fetches it.
    fn add_fresh(&mut self, from: PeerId, block: FetchedBlock, chain: &dyn LocalChain) {
        let (hash, parent) = (block.header.hash(), block.header.parent_hash);
        if let Some(below) = chain.total_difficulty(&parent)
            && let Some(peer) = self.peers.get_mut(&from)
        {
            let id = BlockId { hash, number: block.header.number };
            peer.claims(id, below.saturating_add(block.header.difficulty));
        }
        let is_here = chain.total_difficulty(&hash).is_some();
        let is_coming = self.fresh.contains(&hash) || self.imports.end_in(&hash);
        let parent_comes = self.fresh.contains(&parent) || self.imports.end_in(&parent);
        let is_next = parent_comes || is_heavier(&block.header, chain);
        if self.session.is_none() && !is_here && !is_coming && is_next {
            self.fresh.push(from, block);
        }
    }

    /// Hands out new blocks whose parents are stored.
    pub(crate) fn import_fresh(&mut self, chain: &dyn LocalChain) {
        while self.imports.has_room() {
            let imports = &self.imports;
            let next = self.fresh.take(|block| {
                let header = &block.header;
                match chain.total_difficulty(&header.parent_hash) {
                    Some(_) if imports.end_in(&header.hash()) => Prospect::Light,
                    Some(_) if is_heavier(header, chain) => Prospect::Import,
                    Some(_) => Prospect::Light,
                    None if imports.end_in(&header.parent_hash) => Prospect::Waits,
                    None => Prospect::NoParent,
                }
            });
            let Some((from, block)) = next else { return };
            self.import(from, vec![block]);
        }
    }

    /// Fetches announced blocks that did not come by themselves.
    pub(crate) fn fetch_announced(&mut self, now: Now, chain: &dyn LocalChain) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in peers {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.forget_announced(|hash| chain.total_difficulty(hash).is_some());
            let coming = peer
                .forget_announced(|hash| self.fresh.contains(hash) || self.imports.end_in(hash));
            // Should what came from another be of no use, this peer has it.
            peer.hint = coming.last().copied().or(peer.hint);
            if let Some(block) = peer.take_announced(now.time) {
                let origin = crate::Origin::Hash(block.hash);
                let request = HeaderRequest { origin, count: 1, reverse: false };
                self.request_headers(id, request, HeadersFor::Announced(block), now);
            }
        }
    }

    /// Tells a new head to the peers that may not have it.
    pub(crate) fn spread(&mut self, block: BlockId) {
        let lacking = self.peers.iter_mut().filter(|(_, peer)| !peer.is_known_to_have(&block.hash));
        let mut lacking: Vec<PeerId> = lacking
            .map(|(id, peer)| {
                peer.has(block.hash);
                *id
            })
            .collect();
        self.random.shuffle(&mut lacking);
        let hashes = lacking.split_off(lacking.len().isqrt());
        if !lacking.is_empty() {
            self.actions.push_back(Action::SendBlock { peers: lacking, block });
        }
        if !hashes.is_empty() {
            self.actions.push_back(Action::SendBlockHash { peers: hashes, block });
        }
    }
}

/// Whether a block on a stored one is heavier than our chain.
fn is_heavier(header: &SealedHeader, chain: &dyn LocalChain) -> bool {
    chain.total_difficulty(&header.parent_hash).is_some_and(|parent| {
        parent.saturating_add(header.difficulty) > chain.head().total_difficulty
    })
}
