//! Messages of full nodes, taken apart completely.

use alloy_consensus::Header;
use alloy_primitives::Sealable as _;
use alloy_rlp::Decodable as _;
use eth_sync::{BlockId, Body, Event, FetchedBlock, PeerId, RequestId, SealedHeader};
use eth_wire::{Answer, DecodeError, Message, NewBlock, RequestKind, UndecodedList, Version};
use les_wire::{Item as _, Reader};

use super::question::Question;

/// What a message means to us.
#[derive(Debug)]
pub(super) enum Incoming {
    /// It is to be answered.
    Question(Question),
    /// It is for the core.
    Event(Box<Event>),
    /// Others' transactions: we relay those of our clients only.
    Transactions,
}

/// A message that ends the connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Bad {
    #[error("undecodable: {0}")]
    Message(#[from] DecodeError),
    #[error("undecodable header: {0}")]
    Header(alloy_rlp::Error),
    #[error("undecodable {0}")]
    Body(#[from] eth_sync::BodyError),
    #[error("Status twice")]
    Status,
    #[error("{0} that was not requested")]
    Unrequested(&'static str),
}

/// Takes a message apart. Costs hashes: for a long one not where others wait.
pub(super) fn read(
    peer: PeerId,
    version: Version,
    code: u8,
    payload: &[u8],
) -> Result<Incoming, Bad> {
    let event = match Message::decode(version, code, payload)? {
        Message::Status(_) => return Err(Bad::Status),
        Message::Transactions(_) | Message::NewPooledTransactionHashes(_) => {
            return Ok(Incoming::Transactions);
        }
        Message::Request { id, query } => {
            return Ok(Incoming::Question(Question::new(id, &query)));
        }
        Message::NewBlockHashes(blocks) => {
            let blocks =
                blocks.iter().map(|block| BlockId { hash: block.hash, number: block.number });
            Event::NewBlockHashes { peer, blocks: blocks.collect() }
        }
        Message::NewBlock(block) => new_block(peer, &block)?,
        Message::Reply { id, answer } => {
            let request = RequestId(id);
            match answer {
                Answer::Headers(items) => {
                    let headers = items.iter().map(header).collect::<Result<_, _>>()?;
                    Event::Headers { peer, request, headers }
                }
                Answer::Bodies(items) => {
                    let bodies = bodies(items.payload())?;
                    Event::Bodies { peer, request, bodies }
                }
                Answer::PooledTransactions(_) | Answer::NodeData(_) | Answer::Receipts(_) => {
                    return Err(Bad::Unrequested(answer.kind().reply_name()));
                }
            }
        }
    };
    Ok(Incoming::Event(Box::new(event)))
}

fn header(list: UndecodedList<'_>) -> Result<SealedHeader, Bad> {
    let mut bytes = list.0;
    let header = Header::decode(&mut bytes).map_err(Bad::Header)?;
    if !bytes.is_empty() {
        return Err(Bad::Header(alloy_rlp::Error::UnexpectedLength));
    }
    Ok(header.seal_slow())
}

fn bodies(items: &[u8]) -> Result<Vec<Body>, Bad> {
    let mut items = Reader::new(RequestKind::Bodies.reply_name(), items);
    let mut bodies = Vec::new();
    while !items.is_empty() {
        bodies.push(Body::decode(items.raw("body")?)?);
    }
    Ok(bodies)
}

fn new_block(peer: PeerId, block: &NewBlock<'_>) -> Result<Event, Bad> {
    let header = header(block.header)?;
    let mut rlp = Vec::new();
    block.body.write(&mut rlp);
    let body = Body::decode(&rlp)?;
    let total_difficulty = block.total_difficulty;
    let block = Box::new(FetchedBlock { header, body });
    Ok(Event::NewBlock { peer, block, total_difficulty })
}
