//! What a peer did wrong, and what follows: one table.

use flow_control::Time;

/// Invalid items a client may ask for; each is forgiven after an hour
/// (go-ethereum `les/server_handler.go`: more than 20, one an hour).
pub const INVALID_ITEMS: u32 = 20;

/// One invalid item is forgiven after this time, in nanoseconds: an hour.
const INVALID_ITEM_EXPIRY: u64 = 3_600_000_000_000;

/// A deed of a peer that has a consequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A payload that is no message of its kind.
    Undecodable,
    /// A message that clients do not send, or a request without a Status or from a server.
    UnexpectedMessage,
    /// A request for nothing. It gets an empty reply.
    NoItems,
    /// A request for more items than one may ask for. As many as allowed are answered.
    TooManyItems,
    /// An item that does not exist here. State that is no longer kept is not such an item:
    /// clients race the window of kept states.
    UnknownItem,
    /// More such items than [`INVALID_ITEMS`].
    TooManyInvalidItems,
    /// A request that the buffer cannot pay for.
    CreditExceeded,
    /// A request after Stop. Those that were under way are honest.
    AskedWhileFrozen,
    /// More of them than can have been under way.
    FloodedWhileFrozen,
    /// Replies are not read and pile up here.
    UnreadReplies,
    /// No Status in time.
    HandshakeTimedOut,
    /// Another network or another genesis block.
    WrongNetwork,
}

/// The consequence of a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sanction {
    /// The cost of receiving the message is charged.
    Charge,
    /// It is served as far as possible, and counted as invalid.
    Count,
    /// Stop: nothing is served until the buffer recovers. Before les/3 there is no Stop, and the
    /// client is disconnected.
    Freeze,
    /// The connection ends.
    Disconnect(Reason),
}

impl Fault {
    /// The table.
    #[must_use]
    pub const fn sanction(self) -> Sanction {
        match self {
            Self::AskedWhileFrozen => Sanction::Charge,
            Self::NoItems | Self::TooManyItems | Self::UnknownItem => Sanction::Count,
            Self::CreditExceeded => Sanction::Freeze,
            Self::Undecodable
            | Self::UnexpectedMessage
            | Self::TooManyInvalidItems
            | Self::FloodedWhileFrozen => Sanction::Disconnect(Reason::SubprotocolError),
            Self::UnreadReplies | Self::HandshakeTimedOut => Sanction::Disconnect(Reason::TimedOut),
            Self::WrongNetwork => Sanction::Disconnect(Reason::UselessPeer),
        }
    }
}

/// Why a connection ends (devp2p `rlpx.md`, Disconnect).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Nothing can be done for this peer.
    UselessPeer,
    /// There is no room.
    TooManyPeers,
    /// The peer did not answer or read in time.
    TimedOut,
    /// The peer broke the rules of LES.
    SubprotocolError,
}

impl Reason {
    /// Its code in the Disconnect message.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::UselessPeer => 0x03,
            Self::TooManyPeers => 0x04,
            Self::TimedOut => 0x0b,
            Self::SubprotocolError => 0x10,
        }
    }
}

/// Invalid items of one connection, forgotten one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InvalidItems {
    count: u32,
    /// When the oldest of them began to expire; without meaning while there are none.
    since: Time,
}

impl InvalidItems {
    /// Counts items and returns true if they are now too many.
    pub(crate) fn add(&mut self, items: u32, now: Time) -> bool {
        self.forgive(now);
        if self.count == 0 {
            self.since = now;
        }
        self.count = self.count.saturating_add(items);
        self.count > INVALID_ITEMS
    }

    fn forgive(&mut self, now: Time) {
        let expired = now.nanos_since(self.since) / INVALID_ITEM_EXPIRY;
        self.count = self.count.saturating_sub(u32::try_from(expired).unwrap_or(u32::MAX));
        self.since = self.since.after_nanos(expired.saturating_mul(INVALID_ITEM_EXPIRY));
    }
}

#[cfg(test)]
mod tests {
    use super::{INVALID_ITEM_EXPIRY, InvalidItems};
    use flow_control::Time;

    #[test]
    fn twenty_invalid_items_are_allowed_and_each_is_forgiven_after_an_hour() {
        let mut invalid = InvalidItems::default();
        let hours = |hours: u64| Time(hours * INVALID_ITEM_EXPIRY);
        assert!(!invalid.add(20, hours(0)));
        assert!(!invalid.add(0, hours(1)), "one is forgiven");
        assert!(!invalid.add(1, hours(1)));
        assert!(invalid.add(1, hours(1)), "the twenty-first");
        assert!(!invalid.add(20, hours(90)), "all are forgiven");
        assert!(invalid.add(u32::MAX, hours(90)));
    }
}
