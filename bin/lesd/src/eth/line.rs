//! Between the follower and the connections: what each tells the other.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use eth_sync::{Event, Fault, PeerId, Status};
use eth_wire::MessageKind;
use rlpx::Reason;
use tokio::sync::{mpsc, watch};

use crate::peer_table::Close;

/// Messages that wait for a connection: far more than the core has under way for one peer, so only
/// a peer that reads nothing gets there.
const COMMANDS: usize = 64;

/// From a connection to the follower.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Status was exchanged.
    Connected {
        /// The connection.
        peer: PeerId,
        /// What the peer said.
        status: Status,
        /// The head in ours.
        told: B256,
        /// To the connection.
        line: Arc<Line>,
    },
    /// Something for the core.
    Event(Box<Event>),
}

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) kind: MessageKind,
    /// Shared by all connections that send it.
    pub(crate) payload: Bytes,
}

/// Why others end a connection.
#[derive(Clone, Debug)]
pub(crate) enum Closing {
    /// Somebody decided so.
    Decided(Reason),
    /// The core found fault with the peer.
    Fault(Arc<Fault>),
    /// It does not read what it is sent.
    Unread,
}

/// From the follower and others to one connection.
#[derive(Debug)]
pub(crate) struct Line {
    commands: mpsc::Sender<Command>,
    closing: watch::Sender<Option<Closing>>,
}

/// The connection's end of a [`Line`].
#[derive(Debug)]
pub(crate) struct LineEnd {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) closing: watch::Receiver<Option<Closing>>,
}

impl Line {
    pub(crate) fn new() -> (Arc<Self>, LineEnd) {
        let (commands, received) = mpsc::channel(COMMANDS);
        let (closing, told) = watch::channel(None);
        (Arc::new(Self { commands, closing }), LineEnd { commands: received, closing: told })
    }

    /// Has a message sent, unless the connection is over. Never waits.
    pub(crate) fn send(&self, kind: MessageKind, payload: Bytes) {
        if let Err(mpsc::error::TrySendError::Full(_)) =
            self.commands.try_send(Command { kind, payload })
        {
            self.end(Closing::Unread);
        }
    }

    /// Ends the connection; who comes first says why.
    pub(crate) fn end(&self, why: Closing) {
        self.closing.send_if_modified(|told| {
            let is_first = told.is_none();
            if is_first {
                *told = Some(why);
            }
            is_first
        });
    }
}

impl Close for Line {
    fn close(&self, reason: Reason) {
        self.end(Closing::Decided(reason));
    }
}
