//! Every message as a value, borrowed from its payload.

use alloy_primitives::B256;
use les_wire::{
    BlockBody, ByteString, DecodeError, Deed, HeaderQuery, Item, Items, Reader, UndecodedList,
};

use crate::announce::{BlockAnnouncement, NewBlock, PooledHashes, RawTransaction, read_within};
use crate::kind::{MessageKind, RequestKind, Version};
use crate::status::Status;

/// A message. Nothing in it is verified but its structure.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// The handshake.
    Status(Status),
    /// New blocks of the sender's chain.
    NewBlockHashes(Items<'a, BlockAnnouncement>),
    /// Transactions to take on.
    Transactions(Items<'a, RawTransaction<'a>>),
    /// A new block.
    NewBlock(NewBlock<'a>),
    /// Transactions that can be asked for.
    NewPooledTransactionHashes(PooledHashes<'a>),
    /// A request.
    Request {
        /// Chosen by the sender, repeated in the reply.
        id: u64,
        /// What is asked.
        query: Query<'a>,
    },
    /// The reply to a request.
    Reply {
        /// The request it answers.
        id: u64,
        /// What is answered.
        answer: Answer<'a>,
    },
}

/// What a request asks. More items than the limit are no error: [`Items::iter`] yields those
/// within it.
#[derive(Clone, Copy, Debug)]
pub enum Query<'a> {
    /// Headers along the chain.
    Headers(HeaderQuery),
    /// Bodies of blocks.
    Bodies(Items<'a, B256>),
    /// Transactions of the pool.
    PooledTransactions(Items<'a, B256>),
    /// Nodes of the state trie, and codes.
    NodeData(Items<'a, B256>),
    /// Receipts of blocks.
    Receipts(Items<'a, B256>),
}

impl Query<'_> {
    /// Its kind.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Headers(_) => RequestKind::Headers,
            Self::Bodies(_) => RequestKind::Bodies,
            Self::PooledTransactions(_) => RequestKind::PooledTransactions,
            Self::NodeData(_) => RequestKind::NodeData,
            Self::Receipts(_) => RequestKind::Receipts,
        }
    }

    /// How many items are answered at most.
    pub fn items_within_limit(&self) -> usize {
        let asked = match self {
            Self::Headers(query) => usize::try_from(query.amount).unwrap_or(usize::MAX),
            Self::Bodies(items)
            | Self::PooledTransactions(items)
            | Self::NodeData(items)
            | Self::Receipts(items) => items.count(),
        };
        asked.min(self.kind().item_limit())
    }
}

/// What a reply carries.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// Headers, each the RLP list that its hash is of.
    Headers(Items<'a, UndecodedList<'a>>),
    /// Bodies.
    Bodies(Items<'a, BlockBody<'a>>),
    /// Transactions.
    PooledTransactions(Items<'a, RawTransaction<'a>>),
    /// Trie nodes and codes.
    NodeData(Items<'a, ByteString<'a>>),
    /// One list of receipts per block.
    Receipts(Items<'a, UndecodedList<'a>>),
}

impl Answer<'_> {
    /// Kind of the request that it answers.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Headers(_) => RequestKind::Headers,
            Self::Bodies(_) => RequestKind::Bodies,
            Self::PooledTransactions(_) => RequestKind::PooledTransactions,
            Self::NodeData(_) => RequestKind::NodeData,
            Self::Receipts(_) => RequestKind::Receipts,
        }
    }
}

impl<'a> Message<'a> {
    /// Decodes the payload of the message with this code, from the protocol's offset.
    ///
    /// # Errors
    /// Names the message, the field and the deed; [`Deed::UnknownCode`] for a code that the
    /// version does not have, [`Deed::TooManyItems`] for an announcement or a reply that is
    /// longer than one may be.
    pub fn decode(version: Version, code: u8, payload: &'a [u8]) -> Result<Self, DecodeError> {
        let Some(kind) = MessageKind::from_code(version, code) else {
            let deed = Deed::UnknownCode(code);
            return Err(DecodeError { message: "message", field: "code", deed });
        };
        match kind {
            MessageKind::Status => Status::decode(payload).map(Self::Status),
            MessageKind::NewBlockHashes => whole(kind, payload).map(Self::NewBlockHashes),
            MessageKind::Transactions => whole(kind, payload).map(Self::Transactions),
            MessageKind::NewBlock => NewBlock::read(payload).map(Self::NewBlock),
            MessageKind::NewPooledTransactionHashes => {
                PooledHashes::read(version, payload).map(Self::NewPooledTransactionHashes)
            }
            MessageKind::Request(request) => read_request(request, payload),
            MessageKind::Reply(request) => read_reply(request, payload),
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Status(_) => MessageKind::Status,
            Self::NewBlockHashes(_) => MessageKind::NewBlockHashes,
            Self::Transactions(_) => MessageKind::Transactions,
            Self::NewBlock(_) => MessageKind::NewBlock,
            Self::NewPooledTransactionHashes(_) => MessageKind::NewPooledTransactionHashes,
            Self::Request { query, .. } => MessageKind::Request(query.kind()),
            Self::Reply { answer, .. } => MessageKind::Reply(answer.kind()),
        }
    }
}

/// A message that is one list of items.
fn whole<'a, T: Item<'a>>(
    kind: MessageKind,
    payload: &'a [u8],
) -> Result<Items<'a, T>, DecodeError> {
    let mut message = Reader::new(kind.name(), payload);
    let items = read_within(&mut message, "message", kind.item_limit())?;
    message.end("message")?;
    Ok(items)
}

fn read_request(kind: RequestKind, payload: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut fields = Reader::message(kind.name(), payload)?;
    let id = fields.u64("request id")?;
    let limit = kind.item_limit();
    let query = match kind {
        RequestKind::Headers => Query::Headers(HeaderQuery::read(&mut fields)?),
        RequestKind::Bodies => Query::Bodies(Items::read(&mut fields, "hashes", limit)?),
        RequestKind::PooledTransactions => {
            Query::PooledTransactions(Items::read(&mut fields, "hashes", limit)?)
        }
        RequestKind::NodeData => Query::NodeData(Items::read(&mut fields, "hashes", limit)?),
        RequestKind::Receipts => Query::Receipts(Items::read(&mut fields, "hashes", limit)?),
    };
    fields.end("message")?;
    Ok(Message::Request { id, query })
}

fn read_reply(kind: RequestKind, payload: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut fields = Reader::message(kind.reply_name(), payload)?;
    let id = fields.u64("request id")?;
    let limit = kind.item_limit();
    let answer = match kind {
        RequestKind::Headers => Answer::Headers(read_within(&mut fields, "headers", limit)?),
        RequestKind::Bodies => Answer::Bodies(read_within(&mut fields, "bodies", limit)?),
        RequestKind::PooledTransactions => {
            Answer::PooledTransactions(read_within(&mut fields, "transactions", limit)?)
        }
        RequestKind::NodeData => Answer::NodeData(read_within(&mut fields, "values", limit)?),
        RequestKind::Receipts => Answer::Receipts(read_within(&mut fields, "receipts", limit)?),
    };
    fields.end("message")?;
    Ok(Message::Reply { id, answer })
}
