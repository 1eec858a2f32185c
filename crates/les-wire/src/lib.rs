//! Codecs of every message of the Light Ethereum Subprotocol, versions 2 to 4 (devp2p
//! `caps/les.md`), in both directions, byte for byte as go-ethereum speaks it where it differs
//! from that text.
//!
//! A payload becomes a value once, completely, or is refused: arity, canonical integers and the
//! length of every hash are checked when a message is decoded, and nothing behind this crate
//! looks at bytes again. Values borrow from the payload; decoding a request allocates nothing.
//! One deliberate difference: bytes behind the message's own list are refused, go-ethereum
//! ignores them.
//!
//! The reader, the writer and the items that `eth` shares are public for `eth-wire`.
//!
//! This crate holds no state. It does not know sockets, compression, the chain, who may ask what,
//! or what a request costs.
#![forbid(unsafe_code)]

mod announce;
mod control;
mod cost_list;
mod error;
mod items;
mod kind;
mod queries;
mod reader;
mod reply;
mod request;
mod splice;
mod status;
mod status_codec;
mod transaction;
mod writer;

pub use announce::{Announce, NewUpdates, SIGNATURE_BYTES, Update, Updates};
pub use control::{decode_resume, encode_resume, encode_stop};
pub use cost_list::{CostList, RequestCost};
pub use error::{DecodeError, Deed};
pub use items::{Item, ItemIter, Items};
pub use kind::{CAPABILITY_NAME, MAX_MESSAGE_BYTES, MessageKind, ReplyKind, RequestKind, Version};
pub use queries::{
    AccountKey, CodeQuery, HeaderOrigin, HeaderQuery, HelperTrie, HelperTrieQuery, ProofQuery,
};
pub use reader::Reader;
pub use reply::{
    BlockBody, ByteString, Reply, ReplyData, TxLookup, TxState, TxStatus, UndecodedList,
};
pub use request::{Query, Request, encode_header_request, encode_request};
pub use splice::{splice_helper_trie_reply, splice_reply, write_byte_string, write_reply_head};
pub use status::{
    AnnounceType, Checkpoint, FlowControl, ForkId, Head, MAX_KEY_VALUE_BYTES, Status,
};
pub use transaction::Transaction;
pub use writer::{write_list, write_list_head, write_string, write_u64, write_u256};
