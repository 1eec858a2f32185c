//! Follows a network of full nodes over `eth`: whom to ask for which headers and bodies, what to
//! import, whom to drop, whom to tell of a new block. A value that takes events and gives actions.
//!
//! # How it follows
//!
//! * *Sync.* While somebody claims a heavier chain than ours, one peer at a time, the heaviest, is
//!   the master of a session: the newest common ancestor is searched downwards, headers are
//!   fetched from it upwards, bodies from everybody at once, the next one needed from the fastest.
//!   Nothing is imported before the headers add up to more than our chain, so a lighter fork
//!   leaves no trace. Full nodes tell of a block before they have executed it, so one whose chain
//!   is lighter than it said is given some seconds before that counts as a lie.
//! * *After it.* A block that comes with its parent here is imported at once; one that is only
//!   announced is fetched; one whose parent is unknown begins a session.
//! * *Our own news.* A new head goes whole to the square root of the peers that may not have it,
//!   and as a hash to the others.
//!
//! What was imported is the only memory: a restart goes on from the store's head.
//!
//! # How it is driven
//!
//! [`EthSync::handle`] takes one [`Event`]; then [`EthSync::poll_action`] is called until it has
//! nothing more. [`EthSync::next_timeout`] says when [`Event::Timeout`] is due. `now` and the
//! local chain are arguments, chance comes from a seed: the same events give the same actions.
//!
//! It knows no wire format, socket, store or clock, and it executes nothing: whether a block is
//! valid is what [`Event::Imported`] says. Every bound is in one list, next to its reason; those
//! that matter outside are public.
#![forbid(unsafe_code)]

mod body;
mod chain;
mod event;
mod fault;
mod fresh;
mod import;
mod limits;
mod peer;
mod queue;
mod random;
mod search;
mod session;
mod sync;

pub use body::{Body, BodyError};
pub use chain::{ChainHead, LocalChain};
pub use event::{
    Action, BlockId, Event, FetchedBlock, ImportResult, Now, Origin, PeerId, RequestId, SegmentId,
    Status,
};
pub use fault::Fault;
pub use limits::{
    BODIES_PER_REQUEST, HEADERS_PER_REQUEST, MAX_BODY_BYTES, MAX_FORK_DEPTH, MAX_HASHES, MAX_PEERS,
    MAX_QUEUED_HEADERS, MAX_REPLY_BYTES, REQUEST_TIMEOUT, SEGMENT_BLOCKS, SEGMENTS_IN_FLIGHT,
};
pub use sync::{EthSync, Progress};

/// A header with its hash; made with `Header::seal_slow`.
pub type SealedHeader = alloy_primitives::Sealed<alloy_consensus::Header>;
