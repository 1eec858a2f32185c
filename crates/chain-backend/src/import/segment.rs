//! What importing a segment, blocks that stand on each other, did to the chain.

use super::ImportError;
use crate::Head;

/// How a segment was imported. Its blocks are stored, on the canonical chain or beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedSegment {
    /// The head before.
    pub old_head: Head,
    /// The head after; another one if a block of the segment is heavier.
    pub new_head: Head,
    /// Blocks that were executed.
    pub blocks: u64,
    /// Blocks that were stored before.
    pub known: u64,
    /// Transactions of the executed blocks.
    pub transactions: u64,
    /// Gas used by them.
    pub gas: u64,
    /// Whether the stop flag ended it before the last block.
    pub stopped: bool,
}

/// A segment that was not imported to its end.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct SegmentError {
    /// What the blocks before the refused one did.
    pub before: ImportedSegment,
    /// Why it ended; a refused block is named with number and hash.
    #[source]
    pub error: ImportError,
}
