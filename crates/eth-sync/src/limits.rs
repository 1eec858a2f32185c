//! Bounds of everything that can grow, each with its reason.

use flow_control::Millis;

/// Connections to full nodes that are followed; the shell allows fewer (16 by default).
pub const MAX_PEERS: usize = 256;

/// Headers in one request: go-ethereum's `MaxHeaderFetch`, which every server answers in full.
pub const HEADERS_PER_REQUEST: u64 = 192;

/// Headers asked for in each step of the search for the common ancestor. The first step is short
/// because most forks are; all of them reach farther back than any state is kept (256 blocks).
pub(crate) const ANCESTOR_STEPS: [u64; 3] = [16, HEADERS_PER_REQUEST, HEADERS_PER_REQUEST];

/// Blocks below our head, or below the peer's if that is lower, within which its chain must meet
/// ours: the sum of the search's steps.
pub const MAX_FORK_DEPTH: u64 = 16 + 2 * HEADERS_PER_REQUEST;

/// Headers that wait for bodies and import: eight requests ahead, at about 700 bytes each. A side
/// chain that is not heavier than ours after as many is not followed.
pub const MAX_QUEUED_HEADERS: usize = 1536;

/// Bodies in one request. At 300 transfers a block this is about the 2 MiB at which a server ends
/// its reply (go-ethereum's `softResponseLimit`).
pub const BODIES_PER_REQUEST: usize = 64;

/// Most bytes of bodies in one reply: the whole message is limited to 10 MiB (go-ethereum's
/// `maxMessageSize`).
pub const MAX_REPLY_BYTES: usize = 10 << 20;

/// Bytes of bodies that are kept or under way; a request counts as a full reply. Enough for six
/// peers to answer at once.
pub const MAX_BODY_BYTES: usize = 64 << 20;

/// Blocks in one segment of an import: a few hundred milliseconds of full blocks, after which
/// light clients hear of the new head.
pub const SEGMENT_BLOCKS: usize = 64;

/// Bytes of bodies after which a segment ends.
pub(crate) const SEGMENT_BYTES: usize = 4 << 20;

/// Segments that are being imported or wait for it: one of each, so that the importer never waits.
pub const SEGMENTS_IN_FLIGHT: usize = 2;

/// Time to answer a request. Slow lines carry 2 MiB in less.
pub const REQUEST_TIMEOUT: Millis = Millis(20_000);

/// Times that a peer's chain may change under a sync before that is held against it. Honest
/// chains change once in many blocks.
pub(crate) const MAX_RESTARTS: u32 = 8;

/// Times that a peer is given time to have the chain it said it has, before it counts as a lie.
/// Together they last seven seconds, in which the largest block is executed.
pub(crate) const MAX_WAITS: u32 = 5;

/// The first such time, and what each is longer than the one before.
pub(crate) const WAIT: Millis = Millis(500);

/// Seconds by which a block may be ahead of our clock (go-ethereum's
/// `allowedFutureBlockTimeSeconds`).
pub(crate) const FUTURE_SECONDS: u64 = 15;

/// Hashes in one NewBlockHashes: a node announces one or a few (go-ethereum keeps 256 a peer).
pub const MAX_HASHES: usize = 256;

/// Announced blocks of one peer that are not fetched yet; the oldest is forgotten for a new one.
pub(crate) const MAX_ANNOUNCED: usize = 32;

/// Time that an announced block has to come by itself before it is fetched (go-ethereum's
/// `arriveTimeout` less `gatherSlack`).
pub(crate) const ANNOUNCED_PAUSE: Millis = Millis(400);

/// Blocks by which a chain that is announced by hash may be shorter than ours and is looked at: it
/// may be heavier. As many as there are states to leave ours from.
pub(crate) const SHORTER_CHAIN: u64 = 128;

/// Announced blocks that were not there when asked for before that is held against a peer. A
/// node that just left a side chain still has its blocks, so one such is odd already.
pub(crate) const MAX_MISSING: u32 = 4;

/// Blocks that wait for their parent's import after sync: a burst of a reorganisation.
pub(crate) const MAX_FRESH: usize = 32;

/// Bytes of their bodies.
pub(crate) const MAX_FRESH_BYTES: usize = 16 << 20;

/// Blocks that a peer is known to have (go-ethereum's `maxKnownBlocks`).
pub(crate) const MAX_KNOWN: usize = 1024;
