//! The search for the newest block that a peer's chain shares with ours.

use alloy_primitives::B256;

use crate::{
    Fault, LocalChain, SealedHeader,
    limits::{ANCESTOR_STEPS, MAX_FORK_DEPTH},
    session::Tip,
};

/// Headers are read downwards, by number, until one is canonical here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    /// The next number to ask for.
    from: u64,
    /// Requests made so far.
    steps: usize,
    /// What the header with the number `from` must be; unknown at first.
    expected: Option<B256>,
}

/// What a reply led to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// The common ancestor.
    Ancestor(Tip),
    /// It is further down.
    Further(Search),
    /// The peer's chain changed between two replies.
    Changed,
}

impl Search {
    /// Begins at the lower of both heads.
    pub(crate) fn new(peer_number: u64, our_number: u64) -> Self {
        Self { from: peer_number.min(our_number), steps: 0, expected: None }
    }

    pub(crate) const fn from(&self) -> u64 {
        self.from
    }

    /// Headers to ask for.
    pub(crate) fn count(&self) -> u64 {
        let step = ANCESTOR_STEPS.get(self.steps).copied().unwrap_or_default();
        step.min(self.from.saturating_add(1))
    }

    /// Judges the reply: at most [`Self::count`] headers, the first with the number that was
    /// asked for, each the parent of the one before it.
    pub(crate) fn judge(
        self,
        headers: &[SealedHeader],
        chain: &dyn LocalChain,
    ) -> Result<Found, Fault> {
        let Some(first) = headers.first() else { return self.none_there() };
        if first.number != self.from {
            return Err(Fault::WrongHeaders("another number than requested"));
        }
        if self.expected.is_some_and(|expected| expected != first.hash()) {
            return Ok(Found::Changed);
        }
        let pairs = headers.iter().zip(headers.iter().skip(1));
        for (upper, lower) in pairs {
            let follows = lower.number.checked_add(1) == Some(upper.number);
            if !follows || upper.parent_hash != lower.hash() {
                return Err(Fault::WrongHeaders("not the parent of the one before"));
            }
        }
        for header in headers {
            let (number, hash) = (header.number, header.hash());
            if chain.canonical_hash(number) == Some(hash)
                && let Some(total_difficulty) = chain.total_difficulty(&hash)
            {
                return Ok(Found::Ancestor(Tip { number, hash, total_difficulty }));
            }
        }
        let lowest = headers.last().unwrap_or(first);
        let from = lowest.number.checked_sub(1).ok_or(Fault::OtherGenesis)?;
        self.down_to(from, Some(lowest.parent_hash))
    }

    /// A chain that became heavier and shorter, or is not executed yet, has nothing at this height.
    fn none_there(self) -> Result<Found, Fault> {
        if self.from == 0 {
            return Err(Fault::WrongHeaders("no first block"));
        }
        self.down_to(self.from.saturating_sub(self.count()), None)
    }

    const fn down_to(self, from: u64, expected: Option<B256>) -> Result<Found, Fault> {
        let steps = self.steps.saturating_add(1);
        if steps >= ANCESTOR_STEPS.len() {
            return Err(Fault::ForkTooDeep(MAX_FORK_DEPTH));
        }
        Ok(Found::Further(Self { from, steps, expected }))
    }
}
