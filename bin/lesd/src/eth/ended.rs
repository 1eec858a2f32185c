//! How a connection to a full node ends.

use std::sync::Arc;

use eth_sync::Fault;
use rlpx::Reason;

use super::{incoming::Bad, line::Closing};
use crate::ended::Ended;

/// Why a connection ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeEnded {
    #[error(transparent)]
    Plain(#[from] Ended),
    #[error("{0}")]
    Bad(#[from] Bad),
    #[error("{0}")]
    Mismatch(String),
    #[error("no Status within 5 s")]
    NoStatus,
    #[error("message {0:#04x} instead of Status")]
    AnotherMessage(u64),
    #[error("refused: {0}")]
    Refused(Reason),
    #[error("{0}")]
    Fault(Arc<Fault>),
}

impl From<std::io::Error> for NodeEnded {
    fn from(error: std::io::Error) -> Self {
        Self::Plain(error.into())
    }
}

impl From<rlpx::Fault> for NodeEnded {
    fn from(fault: rlpx::Fault) -> Self {
        Self::Plain(fault.into())
    }
}

impl From<Closing> for NodeEnded {
    fn from(closing: Closing) -> Self {
        match closing {
            Closing::Decided(reason) => Self::Plain(Ended::Decided(reason)),
            Closing::Fault(fault) => Self::Fault(fault),
            Closing::Unread => Self::Plain(Ended::Unread),
        }
    }
}

impl NodeEnded {
    /// What the peer is told; `None` if it hears nothing any more.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Plain(ended) => ended.reason(),
            Self::Refused(reason) => Some(*reason),
            Self::Bad(_) | Self::Mismatch(_) | Self::AnotherMessage(_) => {
                Some(Reason::SubprotocolError)
            }
            Self::NoStatus => Some(Reason::PingTimeout),
            Self::Fault(fault) if **fault == Fault::TooManyPeers => Some(Reason::TooManyPeers),
            Self::Fault(_) => Some(Reason::SubprotocolError),
        }
    }

    /// Whether it is worth a warning: the peer broke a rule, or we failed.
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::Plain(ended) => ended.is_fault(),
            Self::Bad(_) | Self::Fault(_) | Self::AnotherMessage(_) => true,
            Self::Mismatch(_) | Self::NoStatus | Self::Refused(_) => false,
        }
    }
}
