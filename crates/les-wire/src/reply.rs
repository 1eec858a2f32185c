//! Replies as the client reads them, borrowed from the payload.

use alloy_primitives::B256;

use crate::error::{DecodeError, Deed};
use crate::items::{Item, Items};
use crate::kind::ReplyKind;
use crate::reader::Reader;
use crate::writer::{write_list, write_string, write_u64};

/// A reply: `[reqID, BV, data]`.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The request it answers.
    pub id: u64,
    /// What the client's buffer holds on the server after the request, in cost units.
    pub buffer_value: u64,
    /// What was answered.
    pub data: ReplyData<'a>,
}

/// What a reply carries. Nothing in it is verified yet.
#[derive(Clone, Copy, Debug)]
pub enum ReplyData<'a> {
    /// Headers, each the RLP list that its hash is of.
    Headers(Items<'a, UndecodedList<'a>>),
    /// Bodies.
    Bodies(Items<'a, BlockBody<'a>>),
    /// One list of receipts per block.
    Receipts(Items<'a, UndecodedList<'a>>),
    /// Codes.
    Code(Items<'a, ByteString<'a>>),
    /// Trie nodes, each the RLP list that its hash is of: go-ethereum puts nodes in as they are,
    /// not into byte strings.
    Proofs(Items<'a, UndecodedList<'a>>),
    /// Trie nodes and, per query that asked for it, auxiliary data.
    HelperTrieProofs {
        /// Nodes of all proofs, each the RLP list that its hash is of.
        nodes: Items<'a, UndecodedList<'a>>,
        /// Headers, each a byte string that holds the RLP list that its hash is of.
        aux: Items<'a, ByteString<'a>>,
    },
    /// State of each transaction, in the order they were sent or asked for.
    TxStatus(Items<'a, TxStatus<'a>>),
}

impl<'a> Reply<'a> {
    /// Decodes the payload of a message that a server sent.
    ///
    /// # Errors
    /// Names the message, the field and the deed.
    pub fn decode(kind: ReplyKind, payload: &'a [u8]) -> Result<Self, DecodeError> {
        // The requester knows how many items it asked for and checks that itself.
        const UNLIMITED: usize = usize::MAX;
        let mut fields = Reader::message(kind.name(), payload)?;
        let id = fields.u64("request id")?;
        let buffer_value = fields.u64("buffer value")?;
        let data = match kind {
            ReplyKind::Headers => {
                ReplyData::Headers(Items::read(&mut fields, "headers", UNLIMITED)?)
            }
            ReplyKind::Bodies => ReplyData::Bodies(Items::read(&mut fields, "bodies", UNLIMITED)?),
            ReplyKind::Receipts => {
                ReplyData::Receipts(Items::read(&mut fields, "receipts", UNLIMITED)?)
            }
            ReplyKind::Code => ReplyData::Code(Items::read(&mut fields, "codes", UNLIMITED)?),
            ReplyKind::Proofs => ReplyData::Proofs(Items::read(&mut fields, "nodes", UNLIMITED)?),
            ReplyKind::HelperTrieProofs => {
                let mut parts = fields.list("data")?;
                let nodes = Items::read(&mut parts, "nodes", UNLIMITED)?;
                let aux = Items::read(&mut parts, "auxiliary data", UNLIMITED)?;
                parts.end("data")?;
                ReplyData::HelperTrieProofs { nodes, aux }
            }
            ReplyKind::TxStatus => {
                ReplyData::TxStatus(Items::read(&mut fields, "status", UNLIMITED)?)
            }
        };
        fields.end("message")?;
        Ok(Self { id, buffer_value, data })
    }
}

/// A byte string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteString<'a>(pub &'a [u8]);

impl<'a> Item<'a> for ByteString<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        list.string("bytes").map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_string(self.0, out);
    }
}

/// An RLP list, header included, whose inside nobody has looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UndecodedList<'a>(pub &'a [u8]);

impl<'a> Item<'a> for UndecodedList<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if !list.is_empty() && !list.is_list_next() {
            return Err(list.error("element", Deed::NotAList));
        }
        list.raw("element").map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

/// `[transactions, uncles]`, from Shanghai on with withdrawals (EIP-4895); all RLP lists, header
/// included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockBody<'a> {
    /// Transactions: a list for a legacy one, else a byte string (EIP-2718).
    pub transactions: UndecodedList<'a>,
    /// Headers of uncles.
    pub uncles: UndecodedList<'a>,
    /// Withdrawals, if the block has them.
    pub withdrawals: Option<UndecodedList<'a>>,
}

impl<'a> Item<'a> for BlockBody<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = list.list("body")?;
        let transactions = UndecodedList::read(&mut fields)?;
        let uncles = UndecodedList::read(&mut fields)?;
        let withdrawals =
            if fields.is_empty() { None } else { Some(UndecodedList::read(&mut fields)?) };
        fields.end("body")?;
        Ok(Self { transactions, uncles, withdrawals })
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            self.transactions.write(out);
            self.uncles.write(out);
            if let Some(withdrawals) = self.withdrawals {
                withdrawals.write(out);
            }
        });
    }
}

/// Where the server sees a transaction (devp2p `caps/les.md`, "TxStatus").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TxState {
    /// Not known.
    Unknown,
    /// In the pool, not executable yet.
    Queued,
    /// In the pool, executable.
    Pending,
    /// In a block of the canonical chain.
    Included,
    /// Refused; in the specification, but no server sends it: they send Unknown and the reason.
    Error,
}

impl TxState {
    const fn number(self) -> u64 {
        match self {
            Self::Unknown => 0,
            Self::Queued => 1,
            Self::Pending => 2,
            Self::Included => 3,
            Self::Error => 4,
        }
    }
}

/// The block that holds a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TxLookup {
    /// Hash of the block.
    pub block_hash: B256,
    /// Number of the block.
    pub block_number: u64,
    /// Position in the block, from 0.
    pub index: u64,
}

/// State of a transaction: `[status, lookup, error]`, the three elements that go-ethereum sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TxStatus<'a> {
    /// Where it is.
    pub state: TxState,
    /// The block, when it is in one.
    pub lookup: Option<TxLookup>,
    /// Why it was refused; empty when it was not. Free text, normally UTF-8.
    pub error: &'a [u8],
}

impl TxStatus<'_> {
    /// Appends its RLP: one item of a TxStatus reply.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
}

impl<'a> Item<'a> for TxStatus<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = list.list("status")?;
        let state = match fields.u64("state")? {
            0 => TxState::Unknown,
            1 => TxState::Queued,
            2 => TxState::Pending,
            3 => TxState::Included,
            4 => TxState::Error,
            _ => return Err(fields.error("state", Deed::OutOfRange)),
        };
        let mut place = fields.list("lookup")?;
        let lookup = if place.is_empty() {
            None
        } else {
            Some(TxLookup {
                block_hash: place.hash("block hash")?,
                block_number: place.u64("block number")?,
                index: place.u64("index")?,
            })
        };
        place.end("lookup")?;
        let error = fields.string("error")?;
        fields.end("status")?;
        Ok(Self { state, lookup, error })
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_list(out, |out| {
            write_u64(self.state.number(), out);
            write_list(out, |out| {
                if let Some(lookup) = self.lookup {
                    lookup.block_hash.write(out);
                    write_u64(lookup.block_number, out);
                    write_u64(lookup.index, out);
                }
            });
            write_string(self.error, out);
        });
    }
}
