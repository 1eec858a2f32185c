//! What the core is told, and what it wants done.

use alloy_primitives::{B256, U256};
use flow_control::Time;

use crate::{Body, Fault, SealedHeader};

/// A connection to a full node. Numbers are given by the shell and never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(pub u64);

/// A request of this core; travels as the request id of eth/66 (EIP-2481).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// A segment that was given out to be imported.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SegmentId(pub u64);

/// Both clocks, as the shell reads them before it calls in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Monotonic.
    pub time: Time,
    /// Seconds since 1970: what timestamps of blocks are compared with.
    pub unix_seconds: u64,
}

/// What a peer said of its chain in Status, once network, genesis and fork id were found to fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// Hash of its head.
    pub head: B256,
    /// Sum of all difficulties up to its head, as it claims.
    pub total_difficulty: U256,
}

/// A block by hash and number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockId {
    /// Its hash.
    pub hash: B256,
    /// Its number.
    pub number: u64,
}

/// A block. Where the core gives one out, the body is the one that the header commits to.
#[derive(Clone, Debug)]
pub struct FetchedBlock {
    /// The header.
    pub header: SealedHeader,
    /// The body.
    pub body: Body,
}

impl FetchedBlock {
    /// Bytes that it keeps, about.
    pub(crate) fn bytes(&self) -> usize {
        self.body.bytes()
    }
}

/// How the import of a segment ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ImportResult {
    /// Every block is stored.
    Done,
    /// A block broke a rule; those before it are stored.
    Refused {
        /// The block.
        block: BlockId,
        /// The rule, for the log.
        reason: String,
    },
    /// The first block stands on one whose state is not kept any more.
    TooDeep,
    /// The store failed or is closed: nothing is imported any more.
    Failed,
}

/// What happened. Every event is complete in itself: the shell has decoded it wholly.
#[derive(Clone, Debug)]
pub enum Event {
    /// A full node is connected and told its Status.
    Connected {
        /// The connection.
        peer: PeerId,
        /// What it said.
        status: Status,
        /// Our head, as the peer was told: there may be another by now.
        told: B256,
    },
    /// A connection is gone. Said also after [`Action::Drop`]; it is then ignored.
    Disconnected {
        /// The connection.
        peer: PeerId,
    },
    /// BlockHeaders.
    Headers {
        /// From whom.
        peer: PeerId,
        /// The id in the reply.
        request: RequestId,
        /// The headers in the order in which they came.
        headers: Vec<SealedHeader>,
    },
    /// BlockBodies.
    Bodies {
        /// From whom.
        peer: PeerId,
        /// The id in the reply.
        request: RequestId,
        /// The bodies in the order in which they came.
        bodies: Vec<Body>,
    },
    /// NewBlockHashes.
    NewBlockHashes {
        /// From whom.
        peer: PeerId,
        /// The blocks.
        blocks: Vec<BlockId>,
    },
    /// NewBlock.
    NewBlock {
        /// From whom.
        peer: PeerId,
        /// The block; its body was not compared with its header yet.
        block: Box<FetchedBlock>,
        /// The total difficulty with this block, as the sender claims.
        total_difficulty: U256,
    },
    /// A segment of [`Action::Import`] was imported, or not. Results come in the order in which
    /// the segments were given out.
    Imported {
        /// The segment.
        segment: SegmentId,
        /// How it ended.
        result: ImportResult,
    },
    /// The local chain has this head now, whoever made or fetched it. Told for every new head,
    /// before the [`Event::Imported`] of the segment that brought it.
    NewHead {
        /// The head.
        head: BlockId,
    },
    /// The time of [`next_timeout`](crate::EthSync::next_timeout) has come.
    Timeout,
}

/// Where a series of headers begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// At the block with this hash.
    Hash(B256),
    /// At the canonical block with this number.
    Number(u64),
}

/// What the shell is to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send GetBlockHeaders with skip 0.
    RequestHeaders {
        /// To whom.
        peer: PeerId,
        /// The id of the request.
        request: RequestId,
        /// The first header.
        origin: Origin,
        /// Most headers.
        count: u64,
        /// Whether numbers fall.
        reverse: bool,
    },
    /// Send GetBlockBodies.
    RequestBodies {
        /// To whom.
        peer: PeerId,
        /// The id of the request.
        request: RequestId,
        /// Of which blocks.
        hashes: Vec<B256>,
    },
    /// Import blocks that stand on each other, and answer with [`Event::Imported`]. Segments are
    /// imported in the order in which they are given out.
    Import {
        /// The segment.
        segment: SegmentId,
        /// Its blocks, at most [`SEGMENT_BLOCKS`](crate::SEGMENT_BLOCKS).
        blocks: Vec<FetchedBlock>,
    },
    /// Close a connection. The core has forgotten the peer.
    Drop {
        /// Whom.
        peer: PeerId,
        /// What it did.
        fault: Fault,
    },
    /// Send NewBlock with a block of the store and its total difficulty.
    SendBlock {
        /// To whom.
        peers: Vec<PeerId>,
        /// Which block.
        block: BlockId,
    },
    /// Send NewBlockHashes with this one block.
    SendBlockHash {
        /// To whom.
        peers: Vec<PeerId>,
        /// Which block.
        block: BlockId,
    },
}
