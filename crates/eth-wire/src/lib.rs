//! Codecs of every message of the Ethereum Wire Protocol, versions 66 to 68 (devp2p
//! `caps/eth.md`, EIP-2481, EIP-4938, EIP-5793), in both directions.
//!
//! A payload becomes a value once, completely, or is refused. Values borrow from the payload:
//! decoding allocates nothing, and headers, bodies, receipts and transactions stay the bytes that
//! their hashes are of. Messages that may carry so many items only are counted before an item is
//! looked at. Requests for too much are no error: they are answered up to the limit.
//!
//! The reader, the writer and the items that are the same in `les` come from `les-wire`.
//!
//! This crate holds no state. It does not know sockets, compression, the chain, or what was asked.
#![forbid(unsafe_code)]

mod announce;
mod encode;
mod kind;
mod message;
mod status;

pub use announce::{BlockAnnouncement, NewBlock, PooledHash, PooledHashes, RawTransaction};
pub use encode::{
    encode_block_hashes, encode_header_request, encode_new_block, encode_pooled_hashes,
    encode_request, encode_transactions, splice_reply,
};
pub use kind::{
    CAPABILITY_NAME, MAX_MESSAGE_BYTES, MessageKind, RequestKind, SOFT_REPLY_BYTES, Version,
};
pub use les_wire::{
    BlockBody, ByteString, DecodeError, Deed, ForkId, HeaderOrigin, HeaderQuery, Items,
    UndecodedList,
};
pub use message::{Answer, Message, Query};
pub use status::Status;
