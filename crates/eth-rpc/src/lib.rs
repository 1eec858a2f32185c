//! Ethereum's JSON-RPC methods, answered from a chain: bytes of a request in, bytes of a response
//! out.
//!
//! Names, fields, error codes and messages are go-ethereum 1.10.26's. Knows no socket, no thread
//! and no clock, and nothing of peers but what a [`Node`] tells it. Reads block.
#![forbid(unsafe_code)]

mod account;
mod block;
mod block_id;
mod call;
mod chain;
mod error;
mod fees;
mod filters;
mod hex;
mod logs;
mod message;
mod method;
mod node;
mod params;
mod receipt;
mod service;
mod transaction;

pub use error::RpcError;
pub use message::{MAX_BATCH, MAX_BATCH_SECONDS, MAX_RESPONSE_BYTES};
pub use method::{Namespace, Namespaces, methods};
pub use node::{Node, NodeInfo, PeerInfo, ProtocolInfo, SyncProgress, Transactions};
pub use service::{Service, Unix};
