//! Segments that were given out to be imported.

use std::collections::VecDeque;

use alloy_primitives::B256;

use crate::{Action, FetchedBlock, PeerId, SegmentId, limits::SEGMENTS_IN_FLIGHT};

#[derive(Debug)]
struct Segment {
    id: SegmentId,
    /// Who sent its headers, and answers for it.
    source: PeerId,
    last: B256,
    bytes: usize,
}

/// Segments under import, in the order of their results.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    segments: VecDeque<Segment>,
    next: u64,
}

impl Imports {
    pub(crate) fn has_room(&self) -> bool {
        self.segments.len() < SEGMENTS_IN_FLIGHT
    }

    pub(crate) fn are_none(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether a segment's last block is this one.
    pub(crate) fn end_in(&self, hash: &B256) -> bool {
        self.segments.iter().any(|segment| segment.last == *hash)
    }

    /// Bytes of bodies under import.
    pub(crate) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Gives blocks out, of which there is at least one.
    pub(crate) fn give_out(&mut self, source: PeerId, blocks: Vec<FetchedBlock>) -> Action {
        let id = SegmentId(self.next);
        self.next = self.next.saturating_add(1);
        let last = blocks.last().map(|block| block.header.hash()).unwrap_or_default();
        let bytes = blocks.iter().map(FetchedBlock::bytes).sum();
        self.segments.push_back(Segment { id, source, last, bytes });
        Action::Import { segment: id, blocks }
    }

    /// Takes a segment back; says who answers for it.
    pub(crate) fn take(&mut self, id: SegmentId) -> Option<PeerId> {
        let index = self.segments.iter().position(|segment| segment.id == id)?;
        self.segments.remove(index).map(|segment| segment.source)
    }
}
