//! A sync with one peer's chain: where it leaves ours, and its headers from there on.
//!
//! ```text
//! Head ──► Ancestor ──► Headers ──► Complete
//! number    downwards    upwards     the peer has no more
//! ```

use alloy_primitives::{B256, U256};

use crate::{
    Fault, LocalChain, Now, Origin, PeerId, SealedHeader,
    limits::{FUTURE_SECONDS, HEADERS_PER_REQUEST, MAX_QUEUED_HEADERS, MAX_RESTARTS, MAX_WAITS},
    peer::Claim,
    queue::BlockQueue,
    search::{Found, Search},
};

/// The last block of a chain of checked links.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) total_difficulty: U256,
}

/// A request for headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderRequest {
    pub(crate) origin: Origin,
    pub(crate) count: u64,
    pub(crate) reverse: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The number of its head is to be learnt.
    Head(B256),
    Ancestor(Search),
    /// Headers are fetched behind this one.
    Headers(Tip),
    /// There are no more.
    Complete,
}

/// Whether a sync can go on with what the peer sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Course {
    GoOn,
    /// The peer's chain is another one now: begin anew.
    BeginAnew,
    /// The chain is not there, or not yet: begin anew in a while.
    Wait,
}

/// One sync.
#[derive(Debug)]
pub(crate) struct Session {
    /// Whose chain it is.
    pub(crate) master: PeerId,
    pub(crate) queue: BlockQueue,
    /// The total difficulty that the peer claimed, if it did.
    claimed: Option<U256>,
    step: Step,
    /// Its headers add up to more than our chain: only then are its blocks wanted.
    heavier: bool,
    /// Times that the peer was given time to have this chain.
    waits: u32,
    /// Replies that were shorter than they could be.
    short_replies: u32,
    /// Where it began, once known.
    ancestor: Option<u64>,
    /// The highest block that the peer is known to have.
    highest: u64,
}

impl Session {
    /// A sync with what a peer claims.
    pub(crate) fn with_claim(master: PeerId, claim: &Claim, chain: &dyn LocalChain) -> Self {
        let step = match claim.number {
            Some(number) => Step::Ancestor(Search::new(number, chain.head().number)),
            None => Step::Head(claim.head),
        };
        Self::new(master, step, Some(claim.total_difficulty), claim.number.unwrap_or_default())
    }

    /// Notes how often the peer was given time to have its chain.
    pub(crate) const fn after(mut self, waits: u32) -> Self {
        self.waits = waits;
        self
    }

    /// A sync with a peer that announced a block of this number, whose weight is not known.
    pub(crate) fn with_hint(master: PeerId, number: u64, chain: &dyn LocalChain) -> Self {
        let step = Step::Ancestor(Search::new(number, chain.head().number));
        Self::new(master, step, None, number)
    }

    fn new(master: PeerId, step: Step, claimed: Option<U256>, highest: u64) -> Self {
        Self {
            master,
            queue: BlockQueue::default(),
            claimed,
            step,
            heavier: false,
            waits: 0,
            short_replies: 0,
            ancestor: None,
            highest,
        }
    }

    /// The request for headers to be made next; none while enough are here.
    pub(crate) fn next_request(&self) -> Option<HeaderRequest> {
        match self.step {
            Step::Head(hash) => {
                Some(HeaderRequest { origin: Origin::Hash(hash), count: 1, reverse: false })
            }
            Step::Ancestor(search) => Some(HeaderRequest {
                origin: Origin::Number(search.from()),
                count: search.count(),
                reverse: true,
            }),
            Step::Headers(tip) => self.has_room().then_some(HeaderRequest {
                origin: Origin::Number(tip.number.saturating_add(1)),
                count: HEADERS_PER_REQUEST,
                reverse: false,
            }),
            Step::Complete => None,
        }
    }

    /// Room for the headers of one more request.
    fn has_room(&self) -> bool {
        let queued = u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        let limit = u64::try_from(MAX_QUEUED_HEADERS).unwrap_or(u64::MAX);
        queued.saturating_add(HEADERS_PER_REQUEST) <= limit
    }

    /// Takes the reply to [`Self::next_request`].
    pub(crate) fn headers(
        &mut self,
        headers: Vec<SealedHeader>,
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<Course, Fault> {
        let most = self.next_request().map_or(0, |request| request.count);
        if u64::try_from(headers.len()).unwrap_or(u64::MAX) > most {
            return Err(Fault::WrongHeaders("more than requested"));
        }
        match self.step {
            Step::Head(hash) => {
                let header = headers.first().ok_or(Fault::NoHead)?;
                if header.hash() != hash {
                    return Err(Fault::WrongHeaders("another block than requested"));
                }
                self.highest = header.number;
                self.step = Step::Ancestor(Search::new(header.number, chain.head().number));
                Ok(Course::GoOn)
            }
            Step::Ancestor(search) => {
                match search.judge(&headers, chain)? {
                    Found::Ancestor(tip) => {
                        self.ancestor = Some(tip.number);
                        self.step = Step::Headers(tip);
                    }
                    Found::Further(search) => self.step = Step::Ancestor(search),
                    Found::Changed => return Ok(Course::BeginAnew),
                }
                Ok(Course::GoOn)
            }
            Step::Headers(tip) => self.extend(tip, headers, now, chain),
            Step::Complete => Err(Fault::Unrequested),
        }
    }

    fn extend(
        &mut self,
        mut tip: Tip,
        headers: Vec<SealedHeader>,
        now: Now,
        chain: &dyn LocalChain,
    ) -> Result<Course, Fault> {
        if headers.first().is_some_and(|first| first.parent_hash != tip.hash) {
            // Either its chain has changed, or it lies; if it lies, it does so again.
            return Ok(Course::BeginAnew);
        }
        let received = headers.len();
        for header in headers {
            if tip.number.checked_add(1) != Some(header.number) || header.parent_hash != tip.hash {
                return Err(Fault::WrongHeaders("not the child of the one before"));
            }
            check_time(&header, now)?;
            tip = Tip {
                number: header.number,
                hash: header.hash(),
                total_difficulty: tip.total_difficulty.saturating_add(header.difficulty),
            };
            self.queue.push(header);
        }
        self.highest = self.highest.max(tip.number);
        self.heavier |= tip.total_difficulty > chain.head().total_difficulty;
        let less = Fault::LessDifficulty {
            claimed: self.claimed.unwrap_or_default(),
            found: tip.total_difficulty,
        };
        let kept = self.claimed.is_none_or(|claimed| tip.total_difficulty >= claimed);
        let short = u64::try_from(received).unwrap_or(u64::MAX) < HEADERS_PER_REQUEST;
        if received == 0 && !kept {
            // A full node tells of a block before it has executed it, and a chain may become
            // heavier and shorter in between; a lie stays one.
            return if self.waits < MAX_WAITS { Ok(Course::Wait) } else { Err(less) };
        }
        self.step =
            if received == 0 || short && kept { Step::Complete } else { Step::Headers(tip) };
        if short && !kept {
            self.short_replies = self.short_replies.saturating_add(1);
            if self.short_replies > MAX_RESTARTS {
                return Err(Fault::WrongHeaders("a few at a time"));
            }
        }
        if !self.heavier && !self.has_room() {
            // It may be heavier further on, but that is more than we are ready to remember.
            self.step = Step::Complete;
            return if self.claimed.is_some() { Err(less) } else { Ok(Course::GoOn) };
        }
        Ok(Course::GoOn)
    }

    /// Whether its blocks are wanted.
    pub(crate) const fn is_heavier(&self) -> bool {
        self.heavier
    }

    /// Whether there is nothing left to fetch or hand out.
    pub(crate) fn is_exhausted(&self) -> bool {
        matches!(self.step, Step::Complete) && (self.queue.len() == 0 || !self.heavier)
    }

    /// Where it began, once that is known, and the highest block that the peer has.
    pub(crate) fn span(&self) -> Option<(u64, u64)> {
        self.ancestor.map(|ancestor| (ancestor, self.highest))
    }
}

/// Refuses a block from the future.
pub(crate) fn check_time(header: &SealedHeader, now: Now) -> Result<(), Fault> {
    let ahead = header.timestamp.saturating_sub(now.unix_seconds);
    if ahead > FUTURE_SECONDS {
        return Err(Fault::FutureBlock { number: header.number, seconds: ahead });
    }
    Ok(())
}
