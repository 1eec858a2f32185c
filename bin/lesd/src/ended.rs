//! How a connection ends.

use std::{io, time::Duration};

use rlpx::Reason;
use tokio::time::Instant;

/// A message that is begun is whole after this time, or its sender keeps our memory for nothing.
/// go-ethereum waits for 30 s.
pub(crate) const MESSAGE_WITHIN: Duration = Duration::from_secs(60);

/// Since when a connection has waited for the end of a message that was begun.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begun(Option<Instant>);

impl Begun {
    /// All whole messages were read, of so many bytes; something is left, or nothing.
    pub(crate) const fn read(&mut self, used: usize, is_left: bool, now: Instant) {
        if !is_left {
            self.0 = None;
        } else if used > 0 || self.0.is_none() {
            self.0 = Some(now);
        }
    }

    /// More bytes have come.
    pub(crate) fn received(self, now: Instant) -> Result<(), Ended> {
        let is_late = |since: Instant| now.duration_since(since) > MESSAGE_WITHIN;
        if self.0.is_some_and(is_late) { Err(Ended::Dribble) } else { Ok(()) }
    }
}

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
    #[error("one message did not come to its end within {} s", MESSAGE_WITHIN.as_secs())]
    Dribble,
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
            Self::Chatter | Self::Dribble => Some(Reason::ProtocolBreach),
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
            Self::Fault(_)
            | Self::Chatter
            | Self::Dribble
            | Self::Undecodable(_)
            | Self::Store
            | Self::Unread => true,
            Self::Decided(reason) => matches!(reason, Reason::SubprotocolError),
            Self::Io(_) | Self::Closed | Self::ByPeer(_) | Self::Silent | Self::Shutdown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_time_and_the_next_one_has_its_own() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut begun = Begun::default();
        assert!(begun.received(at(1000)).is_ok(), "nothing was begun");
        begun.read(0, true, at(1000));
        begun.read(0, true, at(1050));
        assert!(begun.received(at(1060)).is_ok());
        assert!(matches!(begun.received(at(1061)), Err(Ended::Dribble)));
        begun.read(100, true, at(1060));
        assert!(begun.received(at(1120)).is_ok(), "another one was begun");
        begun.read(100, false, at(1121));
        assert!(begun.received(at(9999)).is_ok());
    }
}
