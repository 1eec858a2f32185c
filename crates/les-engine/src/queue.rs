//! The one queue: ranked, bounded in requests, bytes and expected work.

use std::collections::{BTreeMap, BTreeSet};

use flow_control::Cost;
use service_model::{Rank, Tier};

use crate::config::QueueLimits;
use crate::job::{Job, JobId, Lane};
use crate::peer::PeerId;

/// Of so many requests that are taken while both tiers wait, one is a free client's: the free
/// floor. Paid clients never shut out the free ones completely.
const FREE_TURN: u32 = 8;

/// Above a limit, clients are frozen until the queue is down to five sixths of it, so that one
/// request more does not freeze the next one at once (go-ethereum: 7.2 s and 6 s of work).
const RELIEF: (u64, u64) = (5, 6);

#[derive(Debug)]
struct Waiting {
    rank: Rank,
    job: Job,
}

/// Requests that wait for the slots of one lane, best rank first.
#[derive(Debug, Default)]
struct Line {
    paid: BTreeSet<(Rank, JobId, PeerId)>,
    free: BTreeSet<(Rank, JobId, PeerId)>,
    turn: u32,
}

impl Line {
    fn tier_mut(&mut self, tier: Tier) -> &mut BTreeSet<(Rank, JobId, PeerId)> {
        match tier {
            Tier::Paid => &mut self.paid,
            Tier::Free => &mut self.free,
        }
    }

    fn pop(&mut self, only_paid: bool) -> Option<(JobId, PeerId)> {
        let free_waits = !only_paid && !self.free.is_empty();
        if free_waits && !self.paid.is_empty() {
            self.turn = self.turn.saturating_add(1) % FREE_TURN;
        }
        let free_first = free_waits && (self.paid.is_empty() || self.turn == 0);
        let tier = if free_first { Tier::Free } else { Tier::Paid };
        self.tier_mut(tier).pop_first().map(|(_, job, peer)| (job, peer))
    }
}

#[derive(Debug)]
pub(crate) struct Queue {
    limits: QueueLimits,
    waiting: BTreeMap<(PeerId, JobId), Waiting>,
    inline: Line,
    reader: Line,
    bytes: u64,
    work: Cost,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let (inline, reader) = (Line::default(), Line::default());
        Self { limits, waiting: BTreeMap::new(), inline, reader, bytes: 0, work: Cost(0) }
    }

    pub(crate) fn push(&mut self, rank: Rank, job: Job) {
        self.bytes = self.bytes.saturating_add(job.request_bytes);
        self.work = self.work.saturating_add(job.forecast);
        let (peer, id) = (job.peer, job.id);
        self.line_mut(job.lane).tier_mut(rank.tier()).insert((rank, id, peer));
        self.waiting.insert((peer, id), Waiting { rank, job });
    }

    /// The best request of a lane; of paid clients only, if so wanted.
    pub(crate) fn pop(&mut self, lane: Lane, only_paid: bool) -> Option<Job> {
        let (id, peer) = self.line_mut(lane).pop(only_paid)?;
        let waiting = self.waiting.remove(&(peer, id))?;
        Some(self.taken(waiting.job))
    }

    /// Any one request of this client, taken out.
    pub(crate) fn take_from(&mut self, peer: PeerId) -> Option<Job> {
        let every = (peer, JobId(0))..=(peer, JobId(u64::MAX));
        let (&key, _) = self.waiting.range(every).next()?;
        let Waiting { rank, job } = self.waiting.remove(&key)?;
        self.line_mut(job.lane).tier_mut(rank.tier()).remove(&(rank, job.id, peer));
        Some(self.taken(job))
    }

    /// Every client with a request here, once.
    pub(crate) fn clients(&self) -> Vec<PeerId> {
        let mut clients: Vec<_> = self.waiting.keys().map(|&(peer, _)| peer).collect();
        clients.dedup();
        clients
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True if one more request like this one would be too much.
    pub(crate) fn is_full_for(&self, job: &Job) -> bool {
        self.waiting.len() >= self.limits.items
            || self.is_out_of_bytes_for(job)
            || self.work.saturating_add(job.forecast) > self.limits.work
    }

    /// True if it would be too many bytes.
    pub(crate) fn is_out_of_bytes_for(&self, job: &Job) -> bool {
        self.bytes.saturating_add(job.request_bytes) > self.limits.bytes
    }

    /// Bytes of all requests of a client.
    pub(crate) fn bytes_of(&self, peer: PeerId) -> u64 {
        let every = (peer, JobId(0))..=(peer, JobId(u64::MAX));
        let bytes = self.waiting.range(every).map(|(_, waiting)| waiting.job.request_bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// True if the queue is down to where it is left in peace.
    pub(crate) fn is_relieved(&self) -> bool {
        let items = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let limit = u64::try_from(self.limits.items).unwrap_or(u64::MAX);
        below(items, limit)
            && below(self.bytes, self.limits.bytes)
            && below(self.work.0, self.limits.work.0)
    }

    fn line_mut(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Inline => &mut self.inline,
            Lane::Reader => &mut self.reader,
        }
    }

    fn taken(&mut self, job: Job) -> Job {
        self.bytes = self.bytes.saturating_sub(job.request_bytes);
        self.work = self.work.saturating_sub(job.forecast);
        job
    }
}

fn below(amount: u64, limit: u64) -> bool {
    let (part, whole) = RELIEF;
    u128::from(amount) * u128::from(whole) <= u128::from(limit) * u128::from(part)
}
