//! What others may tell or ask a running node.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use chain_backend::{Backend, BackendError};
use consensus::ChainSpec;
use flow_control::Time;
use rlpx::{Enode, NodeId, Reason};

use super::Shared;
use crate::{announce::Announcement, eth::SyncProgress, peer_table::PeerTable};

/// A running node; outlives the run.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Announces the backend's head, if it is another one than before, and tells the relay.
    ///
    /// # Errors
    /// If the head cannot be read.
    pub fn head_changed(&self) -> Result<(), BackendError> {
        let announcement = announcement(self.shared.driver.backend(), &self.shared.spec)?;
        let changed = self.shared.head.send_if_modified(|last| {
            let changed = last.head().hash != announcement.head().hash;
            if changed {
                *last = Arc::new(announcement);
            }
            changed
        });
        if changed {
            self.shared.driver.wake_all();
        }
        self.shared.relay.on_head()
    }

    /// Keeps up a connection to a full node from now on. `false` if too many are named already.
    pub fn add_peer(&self, enode: Enode) -> bool {
        self.shared.eth.dialer.add(enode)
    }

    /// Ends what [`Handle::add_peer`] or the settings began, and the connection. `false` if the
    /// node was neither named nor connected.
    pub fn remove_peer(&self, id: &NodeId) -> bool {
        let was_named = self.shared.eth.dialer.remove(id);
        self.shared.peers.disconnect(id, Reason::Requested) || was_named
    }

    /// Marks a node as trusted from now on, connected or not, or takes that back: it is accepted
    /// beyond the limits of light clients and full nodes. Nobody is disconnected for it. `false` if
    /// too many are marked already.
    pub fn set_trusted(&self, id: &NodeId, trusted: bool) -> bool {
        self.shared.peers.set_trusted(id, trusted)
    }

    /// How far the sync with the network is; `None` while there is none under way.
    pub fn sync_progress(&self) -> Option<SyncProgress> {
        *self.shared.eth.progress.lock()
    }

    /// Connections to full nodes.
    pub fn full_nodes(&self) -> usize {
        self.shared.eth.slots.taken()
    }

    /// What connections share.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Who is connected.
    pub(crate) fn peers(&self) -> &PeerTable {
        &self.shared.peers
    }

    /// The network id of handshakes.
    pub(crate) fn network_id(&self) -> u64 {
        self.shared.offer.network_id
    }

    /// Connections that have a seat.
    pub fn connections(&self) -> usize {
        self.shared.driver.connections()
    }

    /// Time since the node was made.
    pub fn now(&self) -> Time {
        self.shared.driver.clock().now()
    }
}

/// The backend's head, as it is announced.
pub(super) fn announcement(
    backend: &dyn Backend,
    spec: &ChainSpec,
) -> Result<Announcement, BackendError> {
    let snapshot = backend.snapshot();
    let head = snapshot.head();
    let mut rlp = Vec::new();
    snapshot.append_header(&head.hash, &mut rlp)?;
    let header = Header::decode(&mut rlp.as_slice())
        .map_err(|error| BackendError::Corrupt(format!("header {}: {error}", head.hash)))?;
    Ok(Announcement::new(head, spec.fork_filter(head.number, header.timestamp)))
}
