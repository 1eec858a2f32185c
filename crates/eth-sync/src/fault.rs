//! What a peer did wrong. Each of these ends the connection.

use alloy_primitives::U256;

use crate::event::BlockId;

/// The deed for which a peer is dropped.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A request was not answered in time.
    #[error("{0} requested and not sent in time")]
    Stalled(&'static str),
    /// A reply to no request, or one of another kind.
    #[error("a reply that was not requested")]
    Unrequested,
    /// Headers that are not what was asked for, or do not stand on each other.
    #[error("wrong headers: {0}")]
    WrongHeaders(&'static str),
    /// The peer's own head, or a block that it claims to have, does not exist there.
    #[error("its head does not exist")]
    NoHead,
    /// The chain is lighter than the peer said.
    #[error("total difficulty {claimed} claimed, the chain ends with {found}")]
    LessDifficulty {
        /// What it said.
        claimed: U256,
        /// What its headers add up to.
        found: U256,
    },
    /// The total difficulty of an announced block is not its parent's and its own.
    #[error("total difficulty {claimed} announced, it is {found}")]
    WrongDifficulty {
        /// What it said.
        claimed: U256,
        /// What it is.
        found: U256,
    },
    /// Every request finds another chain than the one before.
    #[error("its chain changes all the time")]
    Inconsistent,
    /// Its chain leaves ours where no state is kept.
    #[error("its chain leaves ours more than {0} blocks back")]
    ForkTooDeep(u64),
    /// Not even the first block is ours.
    #[error("its chain has another genesis block")]
    OtherGenesis,
    /// A body that none of the requested, or not the announced, header commits to.
    #[error("a body that does not fit")]
    WrongBody,
    /// The bodies of its own chain are not there.
    #[error("no bodies to the headers it sent")]
    NoBodies,
    /// A reply beyond every limit.
    #[error("a reply of {bytes} bytes, the limit is {limit}")]
    LargeReply {
        /// Bytes of the bodies.
        bytes: usize,
        /// Most bytes.
        limit: usize,
    },
    /// A block of it broke a rule.
    #[error("block {} ({}) is refused: {reason}", block.number, block.hash)]
    BadBlock {
        /// The block.
        block: BlockId,
        /// The rule.
        reason: String,
    },
    /// A block from the future.
    #[error("block {number} is {seconds} s ahead of the clock")]
    FutureBlock {
        /// Its number.
        number: u64,
        /// How far.
        seconds: u64,
    },
    /// A block is announced though the chain is past proof of work (EIP-3675, "Network").
    #[error("it announces blocks after the merge")]
    AnnouncesAfterMerge,
    /// More hashes in one announcement than anybody needs.
    #[error("{0} block hashes in one announcement")]
    TooManyHashes(usize),
    /// Announced blocks do not exist there.
    #[error("it announces blocks that do not exist")]
    NoAnnounced,
    /// An announced block has another number.
    #[error("block announced as {announced} has number {found}")]
    WrongNumber {
        /// As announced.
        announced: u64,
        /// As in its header.
        found: u64,
    },
    /// No room: no deed of the peer.
    #[error("there are too many peers")]
    TooManyPeers,
}
