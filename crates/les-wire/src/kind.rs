//! The one table of message kinds: code, name, first version, item limit.

/// Name of the capability in the p2p Hello.
pub const CAPABILITY_NAME: &str = "les";

/// Longest payload of one message, in bytes; go-ethereum's `ProtocolMaxMsgSize`.
pub const MAX_MESSAGE_BYTES: usize = 10 * 1024 * 1024;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// les/2.
    Les2,
    /// les/3: adds Stop and Resume.
    Les3,
    /// les/4: adds the fork id and the transaction index to Status.
    Les4,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 3] = [Self::Les2, Self::Les3, Self::Les4];

    /// The version with this number, if it is spoken here.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            2 => Some(Self::Les2),
            3 => Some(Self::Les3),
            4 => Some(Self::Les4),
            _ => None,
        }
    }

    /// Its number, as in the capability and in Status.
    pub const fn number(self) -> u8 {
        match self {
            Self::Les2 => 2,
            Self::Les3 => 3,
            Self::Les4 => 4,
        }
    }

    /// How many message codes it occupies behind its offset (go-ethereum `ProtocolLengths`).
    pub const fn message_count(self) -> u8 {
        match self {
            Self::Les2 => 22,
            Self::Les3 | Self::Les4 => 24,
        }
    }
}

/// What a client can ask for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RequestKind {
    /// Block headers, by number or hash.
    Headers,
    /// Block bodies, by block hash.
    Bodies,
    /// Receipts, by block hash.
    Receipts,
    /// Contract codes, by block hash and account.
    Code,
    /// Merkle proofs of accounts and storage slots.
    Proofs,
    /// Merkle proofs of the canonical hash trie and the bloom trie.
    HelperTrieProofs,
    /// Transactions to relay.
    SendTx,
    /// State of transactions, by hash.
    TxStatus,
}

impl RequestKind {
    /// Every kind, by code.
    pub const ALL: [Self; 8] = [
        Self::Headers,
        Self::Bodies,
        Self::Receipts,
        Self::Code,
        Self::Proofs,
        Self::HelperTrieProofs,
        Self::SendTx,
        Self::TxStatus,
    ];

    /// Message code of the request, from the protocol's offset.
    pub const fn code(self) -> u8 {
        match self {
            Self::Headers => 0x02,
            Self::Bodies => 0x04,
            Self::Receipts => 0x06,
            Self::Code => 0x0a,
            Self::Proofs => 0x0f,
            Self::HelperTrieProofs => 0x11,
            Self::SendTx => 0x13,
            Self::TxStatus => 0x14,
        }
    }

    /// The kind with this request code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x02 => Some(Self::Headers),
            0x04 => Some(Self::Bodies),
            0x06 => Some(Self::Receipts),
            0x0a => Some(Self::Code),
            0x0f => Some(Self::Proofs),
            0x11 => Some(Self::HelperTrieProofs),
            0x13 => Some(Self::SendTx),
            0x14 => Some(Self::TxStatus),
            _ => None,
        }
    }

    /// Name of the request in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headers => "GetBlockHeaders",
            Self::Bodies => "GetBlockBodies",
            Self::Receipts => "GetReceipts",
            Self::Code => "GetContractCodes",
            Self::Proofs => "GetProofsV2",
            Self::HelperTrieProofs => "GetHelperTrieProofs",
            Self::SendTx => "SendTxV2",
            Self::TxStatus => "GetTxStatus",
        }
    }

    /// First version that has it.
    pub const fn first_version(self) -> Version {
        match self {
            Self::Headers
            | Self::Bodies
            | Self::Receipts
            | Self::Code
            | Self::Proofs
            | Self::HelperTrieProofs
            | Self::SendTx
            | Self::TxStatus => Version::Les2,
        }
    }

    /// Most items that one request may ask for (go-ethereum `les/server_handler.go`).
    pub const fn item_limit(self) -> usize {
        match self {
            Self::Headers => 192,
            Self::Bodies => 32,
            Self::Receipts => 128,
            Self::Code | Self::Proofs | Self::HelperTrieProofs | Self::SendTx => 64,
            Self::TxStatus => 256,
        }
    }

    /// The reply it gets.
    pub const fn reply(self) -> ReplyKind {
        match self {
            Self::Headers => ReplyKind::Headers,
            Self::Bodies => ReplyKind::Bodies,
            Self::Receipts => ReplyKind::Receipts,
            Self::Code => ReplyKind::Code,
            Self::Proofs => ReplyKind::Proofs,
            Self::HelperTrieProofs => ReplyKind::HelperTrieProofs,
            Self::SendTx | Self::TxStatus => ReplyKind::TxStatus,
        }
    }

    /// Message code of its reply.
    pub const fn reply_code(self) -> u8 {
        self.reply().code()
    }
}

/// What a server answers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ReplyKind {
    /// Block headers.
    Headers,
    /// Block bodies.
    Bodies,
    /// Receipts.
    Receipts,
    /// Contract codes.
    Code,
    /// State trie nodes.
    Proofs,
    /// Helper trie nodes and auxiliary data.
    HelperTrieProofs,
    /// State of transactions; answers two requests.
    TxStatus,
}

impl ReplyKind {
    /// Every kind, by code.
    pub const ALL: [Self; 7] = [
        Self::Headers,
        Self::Bodies,
        Self::Receipts,
        Self::Code,
        Self::Proofs,
        Self::HelperTrieProofs,
        Self::TxStatus,
    ];

    /// Message code, from the protocol's offset.
    pub const fn code(self) -> u8 {
        match self {
            Self::Headers => 0x03,
            Self::Bodies => 0x05,
            Self::Receipts => 0x07,
            Self::Code => 0x0b,
            Self::Proofs => 0x10,
            Self::HelperTrieProofs => 0x12,
            Self::TxStatus => 0x15,
        }
    }

    /// Name of the message in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headers => "BlockHeaders",
            Self::Bodies => "BlockBodies",
            Self::Receipts => "Receipts",
            Self::Code => "ContractCodes",
            Self::Proofs => "ProofsV2",
            Self::HelperTrieProofs => "HelperTrieProofs",
            Self::TxStatus => "TxStatus",
        }
    }
}

/// Every message of the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MessageKind {
    /// The handshake, sent by both sides.
    Status,
    /// A new head or new flow control parameters, from the server.
    Announce,
    /// A request, from the client.
    Request(RequestKind),
    /// A reply, from the server.
    Reply(ReplyKind),
    /// The client's requests are ignored until Resume.
    Stop,
    /// The client may ask again.
    Resume,
}

impl MessageKind {
    /// The message with this code in this version; `None` when the version has no such message.
    pub fn from_code(version: Version, code: u8) -> Option<Self> {
        let kind = match code {
            0x00 => Self::Status,
            0x01 => Self::Announce,
            0x16 => Self::Stop,
            0x17 => Self::Resume,
            _ => match RequestKind::from_code(code) {
                Some(kind) => Self::Request(kind),
                None => Self::Reply(ReplyKind::ALL.into_iter().find(|kind| kind.code() == code)?),
            },
        };
        (kind.first_version() <= version).then_some(kind)
    }

    /// Message code, from the protocol's offset.
    pub const fn code(self) -> u8 {
        match self {
            Self::Status => 0x00,
            Self::Announce => 0x01,
            Self::Request(kind) => kind.code(),
            Self::Reply(kind) => kind.code(),
            Self::Stop => 0x16,
            Self::Resume => 0x17,
        }
    }

    /// Name of the message in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "Status",
            Self::Announce => "Announce",
            Self::Request(kind) => kind.name(),
            Self::Reply(kind) => kind.name(),
            Self::Stop => "StopMsg",
            Self::Resume => "ResumeMsg",
        }
    }

    /// First version that has it.
    pub const fn first_version(self) -> Version {
        match self {
            Self::Status | Self::Announce | Self::Reply(_) => Version::Les2,
            Self::Request(kind) => kind.first_version(),
            Self::Stop | Self::Resume => Version::Les3,
        }
    }
}
