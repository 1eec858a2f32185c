//! Full nodes: connections that share `eth`.
//!
//! ```text
//! listener, dialer ─► connection task ─ events ─► follower, with the core of eth-sync
//!                           ▲                        │  ▲
//!                           └───── line: commands ───┘  └── importer ── ChainWriter
//! ```
//!
//! They have slots of their own, never taken by light clients, and need no engine: we
//! answer what they ask within the limits of the protocol, a few reads at a time, and they pay
//! nothing. A connection that shares `les` as well is a full node all the same: its LES server is
//! told our Status, which it waits for, and what it sends over `les` is not looked at.

pub(crate) mod connection;
mod dial;
mod ended;
mod follow;
mod hall;
mod import;
mod incoming;
mod line;
mod offers;
mod open;
mod question;
mod slots;
mod static_nodes;
mod status;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use eth_sync::PeerId;
use parking_lot::Mutex;
use rlpx::{Enode, Session};
use tokio::sync::{Semaphore, mpsc};

pub use self::static_nodes::{StaticNodesError, read as read_static_nodes};
pub(crate) use self::{
    dial::{Dialer, run as dial},
    follow::run as follow,
    line::Notice,
    slots::Slots,
};

/// Answers that are read at once for all full nodes: light clients' reads are to have the disk.
const ANSWERS_AT_ONCE: usize = 2;
/// Notices that wait for the follower. It answers each at once; who sends waits for room.
pub(crate) const NOTICES: usize = 4;

/// What an operator says about full nodes.
#[derive(Clone, Debug, Default)]
pub struct FullNodes {
    /// Most full nodes at a time.
    pub max_peers: usize,
    /// Nodes to which a connection is kept up.
    pub static_peers: Vec<Enode>,
}

/// How far a sync with the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// The block at which it began.
    pub start: u64,
    /// The block that it has reached.
    pub current: u64,
    /// The highest block that is known of.
    pub highest: u64,
}

/// What connections to full nodes share.
#[derive(Debug)]
pub(crate) struct Eth {
    pub(crate) slots: Slots,
    pub(crate) dialer: Dialer,
    pub(crate) progress: Mutex<Option<SyncProgress>>,
    answering: Semaphore,
    /// To the follower, while there is one.
    notices: Mutex<Option<mpsc::Sender<Notice>>>,
    next_peer: AtomicU64,
    /// Connections that are past Status: who gets a transaction whole depends on their number.
    open: Mutex<BTreeSet<PeerId>>,
}

impl Eth {
    pub(crate) fn new(settings: FullNodes) -> Self {
        let FullNodes { max_peers, static_peers } = settings;
        Self {
            slots: Slots::new(max_peers),
            dialer: Dialer::new(static_peers),
            progress: Mutex::new(None),
            answering: Semaphore::new(ANSWERS_AT_ONCE),
            notices: Mutex::new(None),
            next_peer: AtomicU64::new(0),
            open: Mutex::new(BTreeSet::new()),
        }
    }

    /// Where connections tell the follower what they hear from now on.
    pub(crate) fn open_notices(&self) -> mpsc::Receiver<Notice> {
        let (sender, receiver) = mpsc::channel(NOTICES);
        *self.notices.lock() = Some(sender);
        receiver
    }

    fn new_peer(&self) -> PeerId {
        PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed))
    }
}

/// Whether the other side of this session is a full node.
pub(crate) fn is_full_node(session: &Session) -> bool {
    capability(session, eth_wire::CAPABILITY_NAME).is_some()
}

/// Index and version of a shared capability.
fn capability(session: &Session, name: &str) -> Option<(usize, u64)> {
    session.shared().iter().enumerate().find_map(|(index, shared)| {
        let is_it = shared.capability.name.as_str() == name;
        is_it.then_some((index, shared.capability.version))
    })
}
