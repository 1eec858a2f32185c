//! The one table of message kinds: code, name, versions, item limit.

/// Name of the capability in the p2p Hello.
pub const CAPABILITY_NAME: &str = "eth";

/// Longest payload of one message, in bytes (go-ethereum `maxMessageSize`).
pub const MAX_MESSAGE_BYTES: usize = 10 * 1024 * 1024;

/// A reply is complete once it is this long, in bytes; the item that crosses it is still in
/// (go-ethereum `softResponseLimit`).
pub const SOFT_REPLY_BYTES: usize = 2 * 1024 * 1024;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// eth/66: requests have ids (EIP-2481).
    Eth66,
    /// eth/67: without GetNodeData and NodeData (EIP-4938).
    Eth67,
    /// eth/68: transactions are announced with type and size (EIP-5793).
    Eth68,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 3] = [Self::Eth66, Self::Eth67, Self::Eth68];

    /// The version with this number, if it is spoken here.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            66 => Some(Self::Eth66),
            67 => Some(Self::Eth67),
            68 => Some(Self::Eth68),
            _ => None,
        }
    }

    /// Its number, as in the capability and in Status.
    pub const fn number(self) -> u8 {
        match self {
            Self::Eth66 => 66,
            Self::Eth67 => 67,
            Self::Eth68 => 68,
        }
    }

    /// How many message codes it occupies behind its offset (go-ethereum `protocolLengths`).
    pub const fn message_count(self) -> u8 {
        match self {
            Self::Eth66 | Self::Eth67 | Self::Eth68 => 17,
        }
    }
}

/// What either side can ask for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RequestKind {
    /// Block headers, by number or hash.
    Headers,
    /// Block bodies, by block hash.
    Bodies,
    /// Pooled transactions, by hash.
    PooledTransactions,
    /// State trie nodes and codes, by hash; eth/66 only.
    NodeData,
    /// Receipts, by block hash.
    Receipts,
}

impl RequestKind {
    /// Every kind, by code.
    pub const ALL: [Self; 5] =
        [Self::Headers, Self::Bodies, Self::PooledTransactions, Self::NodeData, Self::Receipts];

    /// Message code of the request, from the protocol's offset.
    pub const fn code(self) -> u8 {
        match self {
            Self::Headers => 0x03,
            Self::Bodies => 0x05,
            Self::PooledTransactions => 0x09,
            Self::NodeData => 0x0d,
            Self::Receipts => 0x0f,
        }
    }

    /// Message code of its reply.
    pub const fn reply_code(self) -> u8 {
        match self {
            Self::Headers => 0x04,
            Self::Bodies => 0x06,
            Self::PooledTransactions => 0x0a,
            Self::NodeData => 0x0e,
            Self::Receipts => 0x10,
        }
    }

    /// Name of the request in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headers => "GetBlockHeaders",
            Self::Bodies => "GetBlockBodies",
            Self::PooledTransactions => "GetPooledTransactions",
            Self::NodeData => "GetNodeData",
            Self::Receipts => "GetReceipts",
        }
    }

    /// Name of its reply in the specification.
    pub const fn reply_name(self) -> &'static str {
        match self {
            Self::Headers => "BlockHeaders",
            Self::Bodies => "BlockBodies",
            Self::PooledTransactions => "PooledTransactions",
            Self::NodeData => "NodeData",
            Self::Receipts => "Receipts",
        }
    }

    /// Most items that one request is answered with, and that one reply may carry (go-ethereum
    /// `maxHeadersServe` and its like; devp2p for pooled transactions).
    pub const fn item_limit(self) -> usize {
        match self {
            Self::Headers | Self::Bodies | Self::NodeData | Self::Receipts => 1024,
            Self::PooledTransactions => 256,
        }
    }

    /// Last version that has it.
    pub const fn last_version(self) -> Version {
        match self {
            Self::NodeData => Version::Eth66,
            Self::Headers | Self::Bodies | Self::PooledTransactions | Self::Receipts => {
                Version::Eth68
            }
        }
    }
}

/// Every message of the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MessageKind {
    /// The handshake, sent by both sides.
    Status,
    /// Hashes and numbers of new blocks.
    NewBlockHashes,
    /// Transactions.
    Transactions,
    /// A new block, whole.
    NewBlock,
    /// Hashes of new transactions.
    NewPooledTransactionHashes,
    /// A request.
    Request(RequestKind),
    /// Its reply.
    Reply(RequestKind),
}

impl MessageKind {
    /// The message with this code in this version; `None` when the version has no such message.
    pub fn from_code(version: Version, code: u8) -> Option<Self> {
        match code {
            0x00 => Some(Self::Status),
            0x01 => Some(Self::NewBlockHashes),
            0x02 => Some(Self::Transactions),
            0x07 => Some(Self::NewBlock),
            0x08 => Some(Self::NewPooledTransactionHashes),
            _ => RequestKind::ALL
                .into_iter()
                .filter(|kind| version <= kind.last_version())
                .find_map(|kind| match code {
                    _ if code == kind.code() => Some(Self::Request(kind)),
                    _ if code == kind.reply_code() => Some(Self::Reply(kind)),
                    _ => None,
                }),
        }
    }

    /// Message code, from the protocol's offset.
    pub const fn code(self) -> u8 {
        match self {
            Self::Status => 0x00,
            Self::NewBlockHashes => 0x01,
            Self::Transactions => 0x02,
            Self::NewBlock => 0x07,
            Self::NewPooledTransactionHashes => 0x08,
            Self::Request(kind) => kind.code(),
            Self::Reply(kind) => kind.reply_code(),
        }
    }

    /// Name of the message in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "Status",
            Self::NewBlockHashes => "NewBlockHashes",
            Self::Transactions => "Transactions",
            Self::NewBlock => "NewBlock",
            Self::NewPooledTransactionHashes => "NewPooledTransactionHashes",
            Self::Request(kind) => kind.name(),
            Self::Reply(kind) => kind.reply_name(),
        }
    }

    /// Most items of one message. An announcement or a reply with more is refused.
    pub const fn item_limit(self) -> usize {
        match self {
            Self::Status | Self::NewBlock => 1,
            // go-ethereum `hashLimit`: so many announced blocks of a peer it keeps in mind.
            Self::NewBlockHashes => 256,
            // go-ethereum `maxQueuedTxs`: so many it queues for one peer; devp2p for the hashes.
            Self::Transactions | Self::NewPooledTransactionHashes => 4096,
            Self::Request(kind) | Self::Reply(kind) => kind.item_limit(),
        }
    }
}
