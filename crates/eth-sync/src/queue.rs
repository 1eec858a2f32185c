//! Headers that wait for their bodies, and blocks that wait for import.

use std::collections::VecDeque;

use crate::{
    BlockId, Body, Fault, FetchedBlock, SealedHeader,
    limits::{BODIES_PER_REQUEST, MAX_BODY_BYTES, MAX_REPLY_BYTES, SEGMENT_BLOCKS, SEGMENT_BYTES},
};

#[derive(Debug)]
enum Content {
    Missing,
    /// It was requested from somebody.
    Requested,
    Here(Body),
}

#[derive(Debug)]
struct Slot {
    header: SealedHeader,
    content: Content,
}

/// Blocks with numbers in a row, each standing on the one before. Bodies that are here, those in
/// segments under import, and [`MAX_REPLY_BYTES`] for every open request make at most
/// [`MAX_BODY_BYTES`].
#[derive(Debug, Default)]
pub(crate) struct BlockQueue {
    slots: VecDeque<Slot>,
    bytes: usize,
    open_requests: usize,
}

impl BlockQueue {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of bodies that are here.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a header; a block without content is complete at once.
    pub(crate) fn push(&mut self, header: SealedHeader) {
        let content = match Body::empty(&header) {
            Some(body) => {
                self.bytes = self.bytes.saturating_add(body.bytes());
                Content::Here(body)
            }
            None => Content::Missing,
        };
        self.slots.push_back(Slot { header, content });
    }

    /// The blocks whose bodies are to be requested next, if there is room for them beside the
    /// bytes under import. The last [`MAX_REPLY_BYTES`] of room are for the first block of all,
    /// without which nothing can be imported.
    pub(crate) fn take_request(&mut self, importing: usize) -> Option<Vec<BlockId>> {
        let is_first = self.slots.front().is_some_and(|slot| slot.is_missing());
        if is_first && self.open_requests == 0 && importing == 0 {
            self.make_room();
        }
        let reserve = if is_first { 0 } else { MAX_REPLY_BYTES };
        let open = self.open_requests.saturating_add(1).saturating_mul(MAX_REPLY_BYTES);
        let total =
            [self.bytes, importing, open, reserve].into_iter().fold(0, usize::saturating_add);
        if total > MAX_BODY_BYTES {
            return None;
        }
        let mut blocks = Vec::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.is_missing()).take(BODIES_PER_REQUEST)
        {
            slot.content = Content::Requested;
            blocks.push(BlockId { hash: slot.header.hash(), number: slot.header.number });
        }
        if blocks.is_empty() {
            return None;
        }
        self.open_requests = self.open_requests.saturating_add(1);
        Some(blocks)
    }

    /// Forgets the last bodies when what is here fills all room and the first is still missing.
    fn make_room(&mut self) {
        for slot in self.slots.iter_mut().rev() {
            if self.bytes.saturating_add(MAX_REPLY_BYTES) <= MAX_BODY_BYTES {
                return;
            }
            if let Content::Here(body) = &slot.content {
                self.bytes = self.bytes.saturating_sub(body.bytes());
                slot.content = Content::Missing;
            }
        }
    }

    /// Takes the reply to a request: bodies in the order of the blocks, some may be left out.
    /// Returns whether the first was among them; what was left out is to be requested again.
    pub(crate) fn fill(&mut self, blocks: &[BlockId], bodies: Vec<Body>) -> Result<bool, Fault> {
        self.open_requests = self.open_requests.saturating_sub(1);
        let mut left = blocks.iter();
        let result = bodies.into_iter().try_for_each(|body| {
            let index = left.find_map(|block| self.slot_for(block, &body));
            let slot = index.and_then(|index| self.slots.get_mut(index)).ok_or(Fault::WrongBody)?;
            self.bytes = self.bytes.saturating_add(body.bytes());
            slot.content = Content::Here(body);
            Ok(())
        });
        self.make_missing(blocks);
        let first = blocks.first().and_then(|block| self.slots.get(self.index(block)?));
        result.map(|()| first.is_some_and(|slot| matches!(slot.content, Content::Here(_))))
    }

    /// A request will not be answered.
    pub(crate) fn release(&mut self, blocks: &[BlockId]) {
        self.open_requests = self.open_requests.saturating_sub(1);
        self.make_missing(blocks);
    }

    fn make_missing(&mut self, blocks: &[BlockId]) {
        for block in blocks {
            if let Some(slot) = self.index(block).and_then(|index| self.slots.get_mut(index))
                && matches!(slot.content, Content::Requested)
            {
                slot.content = Content::Missing;
            }
        }
    }

    /// Where a requested block is, if the body is its own.
    fn slot_for(&self, block: &BlockId, body: &Body) -> Option<usize> {
        let index = self.index(block)?;
        let slot = self.slots.get(index)?;
        let fits = matches!(slot.content, Content::Requested) && body.fits(&slot.header);
        fits.then_some(index)
    }

    fn index(&self, block: &BlockId) -> Option<usize> {
        let first = self.slots.front()?.header.number;
        usize::try_from(block.number.checked_sub(first)?).ok()
    }

    /// The blocks at the front that are complete, as many as make a segment.
    pub(crate) fn take_segment(&mut self) -> Vec<FetchedBlock> {
        let mut blocks = Vec::new();
        let mut bytes = 0_usize;
        while blocks.len() < SEGMENT_BLOCKS && bytes < SEGMENT_BYTES {
            let Some(Slot { header, content }) = self.slots.pop_front() else { break };
            let Content::Here(body) = content else {
                self.slots.push_front(Slot { header, content });
                break;
            };
            bytes = bytes.saturating_add(body.bytes());
            blocks.push(FetchedBlock { header, body });
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        blocks
    }
}

impl Slot {
    const fn is_missing(&self) -> bool {
        matches!(self.content, Content::Missing)
    }
}
