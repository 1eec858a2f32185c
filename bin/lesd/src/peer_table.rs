//! Who is connected: one connection for each node id, and a few facts about it for operators.
//!
//! Light clients and full nodes stand in the same table. What a peer may do is decided elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use alloy_primitives::{B256, U256};
use parking_lot::Mutex;
use rlpx::{Capability, NodeId, Reason};

use crate::inbox::{Delivery, Inbox};

/// Ends a connection from outside its task.
pub(crate) trait Close: Send + Sync {
    /// Asks the connection to tell its peer `reason` and end. Does not wait for it.
    fn close(&self, reason: Reason);
}

impl Close for Inbox {
    fn close(&self, reason: Reason) {
        self.push(Delivery::Close(reason));
    }
}

/// What a connected peer is, as far as it is known when it is registered.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    /// Its node id.
    pub(crate) id: NodeId,
    /// What it calls itself.
    pub(crate) client: Box<str>,
    /// What both sides speak on this connection.
    pub(crate) capabilities: Box<[Capability]>,
    /// Its end of the connection.
    pub(crate) remote: SocketAddr,
    /// Our end.
    pub(crate) local: SocketAddr,
    /// Whether it dialled us.
    pub(crate) inbound: bool,
    /// Whether an operator wants this connection (`--staticpeers`, `admin_addPeer`).
    pub(crate) is_static: bool,
}

/// What a peer said in the handshake of one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolStatus {
    /// `les` or `eth`.
    pub(crate) protocol: &'static str,
    /// The version that both speak.
    pub(crate) version: u64,
    /// Total difficulty of the peer's head.
    pub(crate) difficulty: U256,
    /// Hash of the peer's head.
    pub(crate) head: B256,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct PeerRow {
    /// What was registered.
    pub(crate) peer: Connected,
    /// Whether an operator marked it as trusted (`admin_addTrustedPeer`).
    pub(crate) trusted: bool,
    /// One for each protocol whose handshake is done.
    pub(crate) protocols: Vec<ProtocolStatus>,
}

struct Entry {
    row: PeerRow,
    connection: Arc<dyn Close>,
}

/// Nodes that an operator may mark as trusted: far more than one names by hand. Connections beyond
/// the limits of seats and slots are no more than these, one for each.
const MAX_TRUSTED: usize = 1024;

/// Peers by node id. Bounded by the seats that connections need before they register.
#[derive(Default)]
pub(crate) struct PeerTable {
    peers: Mutex<BTreeMap<NodeId, Entry>>,
    trusted: Mutex<BTreeSet<NodeId>>,
}

impl std::fmt::Debug for PeerTable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PeerTable({} peers)", self.len())
    }
}

impl PeerTable {
    /// Adds a peer until the registration is dropped. `None` if this node is connected already.
    pub(crate) fn register(
        self: &Arc<Self>,
        peer: Connected,
        connection: Arc<dyn Close>,
    ) -> Option<Registration> {
        let id = peer.id;
        let trusted = self.is_trusted(&id);
        let mut peers = self.peers.lock();
        if peers.contains_key(&id) {
            return None;
        }
        let row = PeerRow { peer, trusted, protocols: Vec::new() };
        peers.insert(id, Entry { row, connection });
        drop(peers);
        Some(Registration { table: Arc::clone(self), id })
    }

    /// All peers, by node id.
    pub(crate) fn peers(&self) -> Vec<PeerRow> {
        self.peers.lock().values().map(|entry| entry.row.clone()).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.peers.lock().len()
    }

    /// Whether this node is connected.
    pub(crate) fn contains(&self, id: &NodeId) -> bool {
        self.peers.lock().contains_key(id)
    }

    /// Asks a peer's connection to end. `false` if it is not connected.
    pub(crate) fn disconnect(&self, id: &NodeId, reason: Reason) -> bool {
        let connection = self.peers.lock().get(id).map(|entry| Arc::clone(&entry.connection));
        // Closed after unlocking: whoever ends drops its registration, which takes the lock.
        connection.inspect(|connection| connection.close(reason)).is_some()
    }

    /// Marks a node as trusted from now on, connected or not, or takes that back. `false` if there
    /// is no room for more.
    pub(crate) fn set_trusted(&self, id: &NodeId, trusted: bool) -> bool {
        let mut marked = self.trusted.lock();
        if !trusted {
            marked.remove(id);
        } else if marked.len() < MAX_TRUSTED || marked.contains(id) {
            marked.insert(*id);
        } else {
            return false;
        }
        drop(marked);
        if let Some(entry) = self.peers.lock().get_mut(id) {
            entry.row.trusted = trusted;
        }
        true
    }

    /// Whether an operator marked this node as trusted.
    pub(crate) fn is_trusted(&self, id: &NodeId) -> bool {
        self.trusted.lock().contains(id)
    }
}

/// A place in the table, given up when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    table: Arc<PeerTable>,
    id: NodeId,
}

impl Registration {
    /// Sets what the peer said in the handshake of a protocol, or what is known of it since.
    pub(crate) fn set_status(&self, status: ProtocolStatus) {
        let mut peers = self.table.peers.lock();
        let Some(entry) = peers.get_mut(&self.id) else { return };
        let protocols = &mut entry.row.protocols;
        protocols.retain(|known| known.protocol != status.protocol);
        // Nearly always the only one: a light client's row is as small as it can be.
        protocols.reserve_exact(1);
        protocols.push(status);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.table.peers.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlpx::NodeKey;

    fn peer(key: u8) -> Connected {
        let address = SocketAddr::from(([127, 0, 0, 1], 30303));
        Connected {
            id: *NodeKey::from_bytes(&[key; 32]).unwrap().id(),
            client: "test".into(),
            capabilities: Box::default(),
            remote: address,
            local: address,
            inbound: true,
            is_static: false,
        }
    }

    #[test]
    fn a_node_is_connected_once_at_a_time() {
        let table = Arc::<PeerTable>::default();
        let register = |key| table.register(peer(key), Arc::<Inbox>::default());
        let first = register(1).unwrap();
        assert!(register(1).is_none());
        let second = register(2).unwrap();
        assert_eq!(table.len(), 2);
        drop(first);
        assert_eq!(table.peers()[0].peer.id, second.id, "the refused one took nothing with it");
        assert!(register(1).is_some());
    }

    #[test]
    fn a_disconnected_peer_hears_the_reason() {
        let table = Arc::<PeerTable>::default();
        let inbox = Arc::<Inbox>::default();
        let held = table.register(peer(1), Arc::clone(&inbox) as Arc<dyn Close>).unwrap();
        assert!(table.disconnect(&held.id, Reason::Requested));
        assert_eq!(inbox.closing(), Some(Reason::Requested));
        let id = held.id;
        drop(held);
        assert!(!table.disconnect(&id, Reason::Requested) && !table.contains(&id));
    }

    #[test]
    fn a_protocol_has_one_status() {
        let table = Arc::<PeerTable>::default();
        let held = table.register(peer(1), Arc::<Inbox>::default()).unwrap();
        let status = |protocol, difficulty| ProtocolStatus {
            protocol,
            version: 4,
            difficulty: U256::from(difficulty),
            head: B256::ZERO,
        };
        held.set_status(status("les", 1));
        held.set_status(status("eth", 1));
        held.set_status(status("les", 2));
        let other = peer(2);
        assert!(table.set_trusted(&held.id, true) && table.set_trusted(&other.id, true));
        let _later = table.register(other, Arc::<Inbox>::default()).unwrap();
        assert!(table.peers().iter().all(|row| row.trusted), "before and after it connects");
        let rows = table.peers();
        let row = rows.iter().find(|row| row.peer.id == held.id).unwrap();
        assert_eq!(row.protocols, [status("eth", 1), status("les", 2)]);
    }
}
