//! From a trusted block back to an older one, along the parents' hashes.

use alloy_primitives::B256;
use les_wire::{HeaderOrigin, HeaderQuery, UndecodedList};

use crate::error::Mistrust;
use crate::header::SealedHeader;

/// Headers of one request.
const STRIDE: u64 = 192;

/// A walk towards the genesis. Each header is the one whose hash its child names; nothing else
/// about it is checked, nothing else need be: it is as trustworthy as the block it began with.
#[derive(Debug)]
pub struct AncestorWalk {
    oldest: SealedHeader,
    target: u64,
}

impl AncestorWalk {
    /// Begins at a trusted header and walks to the block of number `target`.
    pub const fn new(trusted: SealedHeader, target: u64) -> Self {
        Self { oldest: trusted, target }
    }

    /// The oldest header so far: the target when [`AncestorWalk::next_query`] gives `None`.
    pub const fn oldest(&self) -> &SealedHeader {
        &self.oldest
    }

    /// The next request to make; `None` when the target is reached or is no ancestor.
    pub fn next_query(&self) -> Option<HeaderQuery> {
        let distance =
            self.oldest.header.number.checked_sub(self.target).filter(|left| *left > 0)?;
        let origin = HeaderOrigin::Hash(self.oldest.header.parent_hash);
        Some(HeaderQuery { origin, amount: distance.min(STRIDE), skip: 0, reverse: true })
    }

    /// Takes the headers that came, and calls `checked` with each.
    ///
    /// # Errors
    /// No header at all, or one that is not its child's parent.
    pub fn deliver<'a>(
        &mut self,
        headers: impl IntoIterator<Item = UndecodedList<'a>>,
        mut checked: impl FnMut(&SealedHeader),
    ) -> Result<(), Mistrust> {
        let expected: B256 = self.oldest.header.parent_hash;
        let mut found = false;
        for UndecodedList(header) in headers {
            if self.oldest.header.number == self.target {
                break;
            }
            let child = &self.oldest.header;
            let number = child.number.saturating_sub(1);
            self.oldest = SealedHeader::with_hash(header, child.parent_hash)?.at(number)?;
            checked(&self.oldest);
            found = true;
        }
        if found { Ok(()) } else { Err(Mistrust::NotServed { what: "header", hash: expected }) }
    }
}
