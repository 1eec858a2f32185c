//! Which headers to ask for next, in the order in which go-ethereum's light client asks.
//!
//! First a skeleton of every 192nd header, then what lies between, then the rest up to the head,
//! until the server has no more.

use std::collections::VecDeque;

use alloy_primitives::{B256, U256};
use les_wire::{Head, HeaderOrigin, HeaderQuery, UndecodedList};

use crate::error::Mistrust;
use crate::header::SealedHeader;
use crate::header_chain::{HeaderChain, HeaderFault};

/// Headers of one request, and the distance between two of the skeleton.
const STRIDE: u64 = 192;

/// Headers of a skeleton.
const SKELETON: u64 = 128;

/// Requests between two headers of the skeleton that are under way at once: the server works on
/// one while another travels. Their headers wait in memory for their turn.
const WINDOW: usize = 4;

/// Why a sync fails.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// A header does not continue the chain.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// Something that is no header, or of another number than asked for.
    #[error(transparent)]
    Mistrust(#[from] Mistrust),
    /// A reply with fewer or more headers than there must be.
    #[error("the server should have sent {expected} headers from block {from} on, not {got}")]
    Count {
        /// First number asked for.
        from: u64,
        /// How many there are.
        expected: u64,
        /// How many came.
        got: usize,
    },
    /// The announced head is not on the chain that the server serves.
    #[error("the server announced head {number} as {announced}, but serves {served}")]
    OtherHead {
        /// Its number.
        number: u64,
        /// The announced hash.
        announced: B256,
        /// The hash of the header that it served.
        served: B256,
    },
    /// The announced total difficulty is wrong.
    #[error("the server announced total difficulty {announced} for block {number}, it is {real}")]
    TotalDifficulty {
        /// Number of the announced head.
        number: u64,
        /// What was announced.
        announced: U256,
        /// The sum of the difficulties.
        real: U256,
    },
    /// The server serves fewer headers than it announced.
    #[error("the server announced head {announced}, but its headers end at {last}")]
    Short {
        /// Number of the announced head.
        announced: u64,
        /// Number of the last header.
        last: u64,
    },
    /// A reply to a request that was not made.
    #[error("headers from block {from} on were not asked for")]
    NotAsked {
        /// First number of the request.
        from: u64,
    },
}

/// A walk from the newest known header to the head of a server.
#[derive(Debug)]
pub struct HeaderSync {
    chain: HeaderChain,
    target: Head,
    stage: Stage,
    /// Parts between headers of the skeleton, in order.
    parts: VecDeque<Part>,
}

#[derive(Debug, Eq, PartialEq)]
enum Stage {
    Skeleton { asked: bool },
    Fill { last_skeleton: bool },
    Tail { asked: bool },
    Done,
}

/// 192 headers, of which the last one is in the skeleton.
#[derive(Debug)]
struct Part {
    first: u64,
    last_hash: B256,
    state: PartState,
}

#[derive(Debug)]
enum PartState {
    Wanted,
    Asked,
    Here(Vec<Vec<u8>>),
}

impl HeaderSync {
    /// Walks on from the newest header of `chain` to the head `target`, as announced.
    pub const fn new(chain: HeaderChain, target: Head) -> Self {
        let stage = Stage::Skeleton { asked: false };
        Self { chain, target, stage, parts: VecDeque::new() }
    }

    /// The chain as far as it is checked.
    pub const fn chain(&self) -> &HeaderChain {
        &self.chain
    }

    /// Whether the server's last header is reached and its head was as announced.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Gives the chain back.
    pub fn into_chain(self) -> HeaderChain {
        self.chain
    }

    /// The next request to make; `None` while the ones under way must be answered first.
    pub fn next_query(&mut self) -> Option<HeaderQuery> {
        let next = self.chain.tip().header.number + 1;
        match &mut self.stage {
            Stage::Skeleton { asked } if !*asked => {
                *asked = true;
                let origin = HeaderOrigin::Number(next.saturating_add(STRIDE - 1));
                Some(HeaderQuery { origin, amount: SKELETON, skip: STRIDE - 1, reverse: false })
            }
            Stage::Tail { asked } if !*asked => {
                *asked = true;
                Some(consecutive(next))
            }
            Stage::Fill { .. } => {
                let mut window = self.parts.iter_mut().take(WINDOW);
                let part = window.find(|part| matches!(part.state, PartState::Wanted))?;
                part.state = PartState::Asked;
                Some(consecutive(part.first))
            }
            Stage::Skeleton { .. } | Stage::Tail { .. } | Stage::Done => None,
        }
    }

    /// Takes the reply to a request, and calls `checked` with each header that has been checked
    /// by it, in order.
    ///
    /// # Errors
    /// The first thing that is wrong; the sync cannot go on.
    pub fn deliver<'a>(
        &mut self,
        query: &HeaderQuery,
        headers: impl IntoIterator<Item = UndecodedList<'a>>,
        mut checked: impl FnMut(&SealedHeader),
    ) -> Result<(), SyncError> {
        let HeaderOrigin::Number(from) = query.origin else {
            return Err(SyncError::NotAsked { from: 0 });
        };
        let headers: Vec<&[u8]> = headers.into_iter().map(|header| header.0).collect();
        let most = query.amount;
        if u64::try_from(headers.len()).is_ok_and(|got| got > most) {
            return Err(SyncError::Count { from, expected: most, got: headers.len() });
        }
        match self.stage {
            Stage::Skeleton { asked: true } => self.take_skeleton(from, &headers),
            Stage::Fill { .. } => self.take_part(from, &headers, &mut checked),
            Stage::Tail { asked: true } => self.take_tail(&headers, &mut checked),
            Stage::Skeleton { .. } | Stage::Tail { .. } | Stage::Done => {
                Err(SyncError::NotAsked { from })
            }
        }
    }

    fn take_skeleton(&mut self, from: u64, headers: &[&[u8]]) -> Result<(), SyncError> {
        let mut last = from;
        for header in headers {
            let header = SealedHeader::decode(header)?.at(last)?;
            let first = last.saturating_sub(STRIDE - 1);
            self.parts.push_back(Part { first, last_hash: header.hash, state: PartState::Wanted });
            last = last.saturating_add(STRIDE);
        }
        self.stage = if headers.is_empty() {
            Stage::Tail { asked: false }
        } else {
            let full = u64::try_from(headers.len()).is_ok_and(|count| count == SKELETON);
            Stage::Fill { last_skeleton: !full }
        };
        Ok(())
    }

    fn take_part(
        &mut self,
        from: u64,
        headers: &[&[u8]],
        checked: &mut impl FnMut(&SealedHeader),
    ) -> Result<(), SyncError> {
        let asked = |part: &&mut Part| part.first == from && matches!(part.state, PartState::Asked);
        let Some(part) = self.parts.iter_mut().take(WINDOW).find(asked) else {
            return Err(SyncError::NotAsked { from });
        };
        if u64::try_from(headers.len()).is_ok_and(|got| got != STRIDE) {
            return Err(SyncError::Count { from, expected: STRIDE, got: headers.len() });
        }
        if let Some(last) = headers.last() {
            SealedHeader::with_hash(last, part.last_hash)?;
        }
        part.state = PartState::Here(headers.iter().map(|header| header.to_vec()).collect());
        while let Some(headers) = self.next_part_here() {
            for header in &headers {
                self.extend(header, checked)?;
            }
        }
        if self.parts.is_empty() {
            self.stage = match self.stage {
                Stage::Fill { last_skeleton: false } => Stage::Skeleton { asked: false },
                Stage::Fill { last_skeleton: true }
                | Stage::Skeleton { .. }
                | Stage::Tail { .. }
                | Stage::Done => Stage::Tail { asked: false },
            };
        }
        Ok(())
    }

    /// The headers of the first part, once they are here.
    fn next_part_here(&mut self) -> Option<Vec<Vec<u8>>> {
        let here = |part: &Part| matches!(part.state, PartState::Here(_));
        match self.parts.pop_front_if(|part| here(part))?.state {
            PartState::Here(headers) => Some(headers),
            PartState::Wanted | PartState::Asked => None,
        }
    }

    fn take_tail(
        &mut self,
        headers: &[&[u8]],
        checked: &mut impl FnMut(&SealedHeader),
    ) -> Result<(), SyncError> {
        for header in headers {
            self.extend(header, checked)?;
        }
        let last = self.chain.tip().header.number;
        let announced = self.target.number;
        self.stage = if !headers.is_empty() {
            Stage::Tail { asked: false }
        } else if last < announced {
            return Err(SyncError::Short { announced, last });
        } else {
            self.check_target()?;
            Stage::Done
        };
        Ok(())
    }

    fn extend(
        &mut self,
        header: &[u8],
        checked: &mut impl FnMut(&SealedHeader),
    ) -> Result<(), SyncError> {
        self.chain.extend(header)?;
        self.check_target()?;
        checked(self.chain.tip());
        Ok(())
    }

    /// Compares the newest header with the announced head, if they have the same number.
    fn check_target(&self) -> Result<(), SyncError> {
        let tip = self.chain.tip();
        let number = tip.header.number;
        if number != self.target.number {
            return Ok(());
        }
        let (announced, served) = (self.target.hash, tip.hash);
        if served != announced {
            return Err(SyncError::OtherHead { number, announced, served });
        }
        let (announced, real) = (self.target.total_difficulty, self.chain.total_difficulty());
        if real != announced {
            return Err(SyncError::TotalDifficulty { number, announced, real });
        }
        Ok(())
    }
}

/// The next headers without a gap.
const fn consecutive(from: u64) -> HeaderQuery {
    HeaderQuery { origin: HeaderOrigin::Number(from), amount: STRIDE, skip: 0, reverse: false }
}
