//! How a connection ends.

use std::io;

use rlpx::Reason;

/// Why a connection ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("closed by the peer")]
    Closed,
    #[error("disconnected by the peer: {0}")]
    ByPeer(Reason),
    #[error("{0}")]
    Fault(#[from] rlpx::Fault),
    #[error("more pings than a connection needs")]
    Chatter,
    #[error("undecodable: {0}")]
    Undecodable(#[from] les_wire::DecodeError),
    #[error("disconnected: {0}")]
    Decided(Reason),
    #[error("silent for a minute")]
    Silent,
    #[error("replies are not read")]
    Unread,
    #[error("shutting down")]
    Shutdown,
    #[error("the store failed")]
    Store,
}

impl Ended {
    /// What the peer is told; `None` if it hears nothing any more.
    pub(crate) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Io(_) | Self::Closed | Self::ByPeer(_) | Self::Unread => None,
            Self::Fault(fault) => Some(fault.reason()),
            Self::Chatter => Some(Reason::ProtocolBreach),
            Self::Undecodable(_) => Some(Reason::SubprotocolError),
            Self::Decided(reason) => Some(*reason),
            Self::Silent => Some(Reason::PingTimeout),
            Self::Shutdown => Some(Reason::ClientQuitting),
            Self::Store => Some(Reason::Requested),
        }
    }

    /// Whether it is worth a warning: the peer broke a rule, or we failed.
    pub(crate) const fn is_fault(&self) -> bool {
        match self {
            Self::Fault(_) | Self::Chatter | Self::Undecodable(_) | Self::Store | Self::Unread => {
                true
            }
            Self::Decided(reason) => matches!(reason, Reason::SubprotocolError),
            Self::Io(_) | Self::Closed | Self::ByPeer(_) | Self::Silent | Self::Shutdown => false,
        }
    }
}
