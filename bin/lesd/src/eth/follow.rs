//! The task around the core of `eth-sync`: it tells it what happens, and does what it says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy_primitives::{B256, Bytes, U256};
use chain_backend::{BackendError, Head, Snapshot};
use consensus::ChainSpec;
use eth_sync::{
    Action, BlockId, ChainHead, EthSync, Event, FetchedBlock, LocalChain, Now, Origin, PeerId,
    SegmentId,
};
use eth_wire::{
    BlockAnnouncement, HeaderOrigin, HeaderQuery, MessageKind, RequestKind, encode_block_hashes,
    encode_header_request, encode_new_block, encode_request,
};
use tokio::sync::{mpsc, watch};
use tracing::{debug, error, warn};

use super::{
    SyncProgress, import,
    line::{Closing, Line, Notice},
};
use crate::{ChainWriter, clock::unix_seconds, node::Shared};

/// When nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Follows the network until the node stops. Reads the store: to be run where that may block.
pub(crate) async fn run(
    shared: Arc<Shared>,
    writer: ChainWriter,
    mut notices: mpsc::Receiver<Notice>,
    mut serving: watch::Receiver<bool>,
) {
    let (segments, mut results) = import::start(writer);
    let mut head = shared.head.subscribe();
    let core = EthSync::new(rand::random());
    let mut follower = Follower { core, lines: BTreeMap::new(), segments, shared };
    loop {
        tokio::select! {
            _ = serving.wait_for(|stop| *stop) => return,
            notice = notices.recv() => match notice {
                None => return,
                Some(Notice::Connected { peer, status, told, line }) => {
                    follower.lines.insert(peer, line);
                    follower.handle(Event::Connected { peer, status, told });
                }
                Some(Notice::Event(event)) => {
                    if let Event::Disconnected { peer } = *event {
                        follower.lines.remove(&peer);
                    }
                    follower.handle(*event);
                }
            },
            Some(imported) = results.recv() => {
                // The writer tells of a new head before it answers; so do we.
                if head.has_changed().is_ok_and(|changed| changed) {
                    let block = *head.borrow_and_update().head();
                    follower.new_head(&block);
                }
                follower.handle(imported);
            }
            Ok(()) = head.changed() => {
                let block = *head.borrow_and_update().head();
                follower.new_head(&block);
            }
            () = tokio::time::sleep(follower.due()) => follower.handle(Event::Timeout),
        }
    }
}

struct Follower {
    core: EthSync,
    lines: BTreeMap<PeerId, Arc<Line>>,
    segments: mpsc::Sender<(SegmentId, Vec<FetchedBlock>)>,
    shared: Arc<Shared>,
}

impl Follower {
    fn due(&self) -> Duration {
        let now = self.shared.driver.clock().now();
        self.core
            .next_timeout()
            .map_or(IDLE, |due| Duration::from_nanos(due.0.saturating_sub(now.0)))
    }

    fn new_head(&mut self, head: &Head) {
        self.handle(Event::NewHead { head: BlockId { hash: head.hash, number: head.number } });
    }

    /// Tells the core, and does what it wants done.
    fn handle(&mut self, event: Event) {
        let now = Now { time: self.shared.driver.clock().now(), unix_seconds: unix_seconds() };
        let local = Local::new(self.shared.driver.backend().snapshot(), &self.shared.spec);
        self.core.handle(event, now, &local);
        while let Some(action) = self.core.poll_action() {
            self.act(action, local.snapshot.as_ref());
        }
        let progress = self.core.progress().map(|progress| SyncProgress {
            start: progress.start,
            current: local.snapshot.head().number,
            highest: progress.highest,
        });
        let was = std::mem::replace(&mut *self.shared.eth.progress.lock(), progress);
        if was.is_some() != progress.is_some() {
            debug!(?progress, head = local.snapshot.head().number, "Synchronisation");
        }
    }

    fn act(&self, action: Action, snapshot: &dyn Snapshot) {
        match action {
            Action::RequestHeaders { peer, request, origin, count, reverse } => {
                let origin = match origin {
                    Origin::Hash(hash) => HeaderOrigin::Hash(hash),
                    Origin::Number(number) => HeaderOrigin::Number(number),
                };
                let query = HeaderQuery { origin, amount: count, skip: 0, reverse };
                self.send(&[peer], MessageKind::Request(RequestKind::Headers), |out| {
                    encode_header_request(request.0, &query, out);
                });
            }
            Action::RequestBodies { peer, request, hashes } => {
                self.send(&[peer], MessageKind::Request(RequestKind::Bodies), |out| {
                    encode_request(request.0, &hashes, out);
                });
            }
            Action::Import { segment, blocks } => {
                // Room for as many as the core gives out at once; the importer ends only with us.
                if let Err(error) = self.segments.try_send((segment, blocks)) {
                    error!(%error, "Cannot import");
                }
            }
            Action::Drop { peer, fault } => {
                if let Some(line) = self.lines.get(&peer) {
                    line.end(Closing::Fault(Arc::new(fault)));
                }
            }
            Action::SendBlock { peers, block } => {
                if let Err(error) = self.send_block(&peers, &block, snapshot) {
                    warn!(%error, number = block.number, "Cannot read a block to send it");
                }
            }
            Action::SendBlockHash { peers, block } => {
                let block = BlockAnnouncement { hash: block.hash, number: block.number };
                self.send(&peers, MessageKind::NewBlockHashes, |out| {
                    encode_block_hashes(&[block], out);
                });
            }
        }
    }

    fn send_block(
        &self,
        peers: &[PeerId],
        block: &BlockId,
        snapshot: &dyn Snapshot,
    ) -> Result<(), BackendError> {
        let (mut header, mut body) = (Vec::new(), Vec::new());
        let is_stored = snapshot.append_header(&block.hash, &mut header)?
            && snapshot.append_body(&block.hash, &mut body)?;
        let total_difficulty = snapshot.total_difficulty(&block.hash)?;
        if let (true, Some(total_difficulty)) = (is_stored, total_difficulty) {
            self.send(peers, MessageKind::NewBlock, |out| {
                encode_new_block(&header, &body, &total_difficulty, out);
            });
        }
        Ok(())
    }

    /// Encodes a message once and has it sent by each.
    fn send(&self, peers: &[PeerId], kind: MessageKind, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut payload = Vec::new();
        encode(&mut payload);
        let payload = Bytes::from(payload);
        for line in peers.iter().filter_map(|peer| self.lines.get(peer)) {
            line.send(kind, payload.clone());
        }
    }
}

/// The chain during one event.
struct Local {
    snapshot: Arc<dyn Snapshot>,
    /// Whether the head is a proof-of-stake block.
    is_merged: bool,
}

impl Local {
    fn new(snapshot: Arc<dyn Snapshot>, spec: &ChainSpec) -> Self {
        let is_merged = is_merged(snapshot.as_ref(), spec).unwrap_or_else(|error| {
            error!(%error, "Cannot read the head");
            false
        });
        Self { snapshot, is_merged }
    }
}

/// A block after the terminal one is told by adding nothing to its parent's total difficulty.
fn is_merged(snapshot: &dyn Snapshot, spec: &ChainSpec) -> Result<bool, BackendError> {
    let head = snapshot.head();
    if !spec.merged_after(head.total_difficulty) {
        return Ok(false);
    }
    let Some(parent) = snapshot.parent_hash(&head.hash)? else { return Ok(false) };
    Ok(snapshot.total_difficulty(&parent)? == Some(head.total_difficulty))
}

/// What cannot be read is not there.
fn read<T>(read: Result<Option<T>, BackendError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        error!(%error, "Cannot read the chain");
        None
    })
}

impl LocalChain for Local {
    fn head(&self) -> ChainHead {
        let Head { number, hash, total_difficulty } = self.snapshot.head();
        ChainHead { number, hash, total_difficulty, is_merged: self.is_merged }
    }

    fn canonical_hash(&self, number: u64) -> Option<B256> {
        read(self.snapshot.canonical_hash(number))
    }

    fn total_difficulty(&self, hash: &B256) -> Option<U256> {
        read(self.snapshot.total_difficulty(hash))
    }
}
