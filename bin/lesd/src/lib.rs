//! The light-client server: sockets, tasks, the engine's lock, reader threads, the clock.
//!
//! Everything that decides lives in the crates this one joins. `main` parses the command line and
//! calls in here; tests start a [`Node`] in their own process, on port 0.
#![forbid(unsafe_code)]

mod announce;
pub mod args;
pub mod bundled;
mod chain_writer;
mod chatter;
pub mod clock;
pub mod commands;
pub mod config;
pub mod data_directory;
pub mod dev;
pub mod discovery;
mod driver;
mod ended;
pub mod eth;
mod handshake;
mod helper_tries;
mod http_server;
mod inbox;
pub mod json_rpc;
mod listener;
pub mod log;
mod log_limit;
pub mod metrics;
mod node;
mod outbox;
mod peer;
mod peer_table;
mod per_kind;
mod readers;
pub mod relay;
mod replace;
mod scratch;
mod segment_line;
mod serve;
mod session;
pub mod settings;
mod status;
mod warmth;

pub use chain_writer::{
    ChainWriter, HeadListener, NewHead, WriteError, WriterFailure, WriterThread,
};
pub use eth::{FullNodes, SyncProgress};
pub use node::{Handle, Node, Parts, StartError};
pub use relay::TransactionRelay;
