//! A reference light client: it believes nothing that is not proven to it, and keeps to the
//! server's flow control.
//!
//! [`Connection`] turns bytes into messages and back, [`HeaderSync`] decides which headers to ask
//! for and checks what comes, [`Proofs`] and [`block`] check answers against trusted hashes. All
//! of it are values without socket, clock or thread: a command line
//! tool drives one connection with blocking sockets, a load generator many with tasks.
//!
//! It does not know how a server works inside; it is the other side of the protocol, written
//! apart from it.
#![forbid(unsafe_code)]

mod ancestors;
pub mod block;
mod bloom_bits;
mod connection;
mod dialogue;
mod error;
mod header;
mod header_chain;
mod header_sync;
mod new_request;
mod proofs;

use alloy_primitives::B256;

pub use ancestors::AncestorWalk;
pub use bloom_bits::{BloomBits, SECTION_BLOCKS};
pub use connection::{Connection, ConnectionError};
pub use dialogue::{Announcement, Event, PENDING_LIMIT, ReceivedReply, SendError, Wait};
pub use error::Mistrust;
pub use header::SealedHeader;
pub use header_chain::{HeaderChain, HeaderFault, SealCheck};
pub use header_sync::{HeaderSync, SyncError};
pub use new_request::NewRequest;
pub use proofs::{
    Account, CanonicalBlock, Proofs, bloom_bits_query, bloom_key, canonical_header_query,
};

/// Keccak-256.
fn hash(bytes: &[u8]) -> B256 {
    B256::from(keccak::keccak256(bytes))
}
