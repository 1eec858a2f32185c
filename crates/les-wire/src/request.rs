//! Requests, decoded from borrowed bytes on the server and encoded on the client.

use alloy_primitives::B256;

use crate::error::{DecodeError, Deed};
use crate::items::{Item, Items};
use crate::kind::{RequestKind, Version};
use crate::queries::{CodeQuery, HeaderQuery, HelperTrieQuery, ProofQuery};
use crate::reader::Reader;
use crate::transaction::Transaction;
use crate::writer::{write_list, write_u64};

/// A request as it arrived: `[reqID, …]` (devp2p `caps/les.md`, "On-demand data retrieval").
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Chosen by the client, repeated in the reply.
    pub id: u64,
    /// What is asked.
    pub query: Query<'a>,
}

/// What a request asks.
#[derive(Clone, Copy, Debug)]
pub enum Query<'a> {
    /// Headers along the chain.
    Headers(HeaderQuery),
    /// Bodies of blocks.
    Bodies(Items<'a, B256>),
    /// Receipts of blocks.
    Receipts(Items<'a, B256>),
    /// Codes of contracts.
    Code(Items<'a, CodeQuery<'a>>),
    /// Proofs in the state.
    Proofs(Items<'a, ProofQuery<'a>>),
    /// Proofs in the helper tries.
    HelperTrieProofs(Items<'a, HelperTrieQuery<'a>>),
    /// Transactions to relay.
    SendTx(Items<'a, Transaction<'a>>),
    /// State of transactions.
    TxStatus(Items<'a, B256>),
}

impl<'a> Request<'a> {
    /// Decodes the payload of a message that a client sent.
    ///
    /// Strict as go-ethereum: fixed arity, canonical integers, hashes of 32 bytes; one bad item
    /// makes the message undecodable. More items than the limit are no error: see
    /// [`Request::is_over_limit`].
    ///
    /// # Errors
    /// Names the message, the field and the deed; [`Deed::UnknownCode`] for a code that is no
    /// request in this version.
    pub fn decode(version: Version, code: u8, payload: &'a [u8]) -> Result<Self, DecodeError> {
        let kind = RequestKind::from_code(code).filter(|kind| kind.first_version() <= version);
        let Some(kind) = kind else {
            let deed = Deed::UnknownCode(code);
            return Err(DecodeError { message: "request", field: "code", deed });
        };
        let mut fields = Reader::message(kind.name(), payload)?;
        let id = fields.u64("request id")?;
        let limit = kind.item_limit();
        let query = match kind {
            RequestKind::Headers => Query::Headers(HeaderQuery::read(&mut fields)?),
            RequestKind::Bodies => Query::Bodies(Items::read(&mut fields, "hashes", limit)?),
            RequestKind::Receipts => Query::Receipts(Items::read(&mut fields, "hashes", limit)?),
            RequestKind::Code => Query::Code(Items::read(&mut fields, "codes", limit)?),
            RequestKind::Proofs => Query::Proofs(Items::read(&mut fields, "proofs", limit)?),
            RequestKind::HelperTrieProofs => {
                Query::HelperTrieProofs(Items::read(&mut fields, "proofs", limit)?)
            }
            RequestKind::SendTx => Query::SendTx(Items::read(&mut fields, "transactions", limit)?),
            RequestKind::TxStatus => Query::TxStatus(Items::read(&mut fields, "hashes", limit)?),
        };
        fields.end("message")?;
        Ok(Self { id, query })
    }

    /// Its kind.
    pub const fn kind(&self) -> RequestKind {
        match self.query {
            Query::Headers(_) => RequestKind::Headers,
            Query::Bodies(_) => RequestKind::Bodies,
            Query::Receipts(_) => RequestKind::Receipts,
            Query::Code(_) => RequestKind::Code,
            Query::Proofs(_) => RequestKind::Proofs,
            Query::HelperTrieProofs(_) => RequestKind::HelperTrieProofs,
            Query::SendTx(_) => RequestKind::SendTx,
            Query::TxStatus(_) => RequestKind::TxStatus,
        }
    }

    /// How many items it asks for, also beyond the limit: the length of its list, or the amount
    /// of headers.
    pub fn items(&self) -> u64 {
        let count = match self.query {
            Query::Headers(query) => return query.amount,
            Query::Bodies(items) | Query::Receipts(items) | Query::TxStatus(items) => items.count(),
            Query::Code(items) => items.count(),
            Query::Proofs(items) => items.count(),
            Query::HelperTrieProofs(items) => items.count(),
            Query::SendTx(items) => items.count(),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// How many items are answered: [`Request::items`], at most the limit of its kind.
    pub fn items_within_limit(&self) -> u64 {
        self.items().min(u64::try_from(self.kind().item_limit()).unwrap_or(u64::MAX))
    }

    /// Whether it asks for more items than one request may; only the first ones are answered.
    pub fn is_over_limit(&self) -> bool {
        self.items() > self.items_within_limit()
    }
}

/// Appends the payload of a GetBlockHeaders message.
pub fn encode_header_request(id: u64, query: &HeaderQuery, out: &mut Vec<u8>) {
    write_list(out, |out| {
        write_u64(id, out);
        query.write(out);
    });
}

/// Appends the payload of any other request; the kind of the items decides which one it can be.
pub fn encode_request<'a, T: Item<'a>>(id: u64, items: &[T], out: &mut Vec<u8>) {
    write_list(out, |out| {
        write_u64(id, out);
        write_list(out, |out| items.iter().for_each(|item| item.write(out)));
    });
}
