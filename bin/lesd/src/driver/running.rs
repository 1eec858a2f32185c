//! A job from its slot to its reply.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chain_backend::BackendError;
use les_engine::{Job, Lane, PeerId, Spent};
use les_wire::{Request, RequestKind};
use rlpx::Reason;
use tracing::{debug, error};

use super::{Driver, Reply, Waiting};
use crate::{
    inbox::Delivery,
    serve::{self, Answered},
    warmth::disk_wait,
};

/// A job that has a slot. Dropped without being read, it gives slot and credit back.
#[derive(Debug)]
pub(crate) struct Running {
    driver: Arc<Driver>,
    peer: PeerId,
    kind: RequestKind,
    job: Option<Job>,
}

impl Running {
    pub(super) fn new(driver: Arc<Driver>, job: Job) -> Self {
        Self { driver, kind: job.kind(), peer: job.peer(), job: Some(job) }
    }

    /// Reads the answer, settles, and starts whatever got the slot.
    pub(crate) fn read(mut self, request: &Request<'_>, out: &mut Vec<u8>) -> Reply {
        let driver = Arc::clone(&self.driver);
        let before = driver.clock.now();
        let result = driver.read(self.peer, request, out);
        let serving_nanos = driver.clock.now().0.saturating_sub(before.0);
        let Some(job) = self.job.take() else { return Reply::Suppressed };
        driver.learn(self.kind, job.lane(), disk_wait(serving_nanos));
        let answered = match &result {
            Ok(answered) => *answered,
            Err(error) => {
                error!(%error, kind = self.kind.name(), "Cannot read from the store");
                Answered::default()
            }
        };
        let reply_bytes = u64::try_from(out.len()).unwrap_or(u64::MAX);
        let spent = Spent { serving_nanos, reply_bytes, unknown_items: answered.invalid };
        let (buffer_value, next) = driver.served(job, spent);
        debug!(
            kind = self.kind.name(),
            items = request.items(),
            found = answered.found,
            bytes = out.len(),
            nanos = serving_nanos,
            "served"
        );
        if let Some((job, waiting)) = next {
            driver.start(job, waiting);
        }
        match (result, buffer_value) {
            (Err(_), _) => Reply::Failed,
            (Ok(_), Some(value)) => {
                driver.counters.replied(self.kind, reply_bytes, serving_nanos);
                Reply::Send(value)
            }
            (Ok(_), None) => Reply::Suppressed,
        }
    }

    /// Reads the answer to a request that waited, for the inbox of whoever asked.
    pub(crate) fn read_for_inbox(self, waiting: &Waiting, out: &mut Vec<u8>) {
        let (driver, peer, kind) = (Arc::clone(&self.driver), self.peer, self.kind);
        // It was decoded when it came; the same bytes decode again.
        let Ok(request) = Request::decode(waiting.version, waiting.code, &waiting.payload) else {
            return;
        };
        let _delivering = Delivering::new(&driver.delivering);
        out.clear();
        let reply = self.read(&request, out);
        let Some(inbox) = driver.inbox(peer) else { return };
        match reply {
            Reply::Send(buffer_value) => inbox.push(Delivery::Reply {
                kind,
                request_id: request.id,
                buffer_value: buffer_value.0,
                items: out.clone(),
            }),
            // It still ends a wait for a free place.
            Reply::Suppressed => inbox.wake(),
            Reply::Failed => inbox.push(Delivery::Close(Reason::Requested)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            // There will be no reply: whoever waits for it learns that at least.
            if let Some(inbox) = self.driver.inbox(self.peer) {
                inbox.push(Delivery::Close(Reason::Requested));
            }
            let (_, next) = self.driver.served(job, Spent::default());
            if let Some((job, waiting)) = next {
                self.driver.start(job, waiting);
            }
        }
    }
}

impl Driver {
    fn learn(&self, kind: RequestKind, lane: Lane, wait: u64) {
        self.warmth.learn(kind, wait);
        if wait > 0 {
            self.counters.waited(kind, lane);
        }
    }

    fn read(
        &self,
        peer: PeerId,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Answered, BackendError> {
        let snapshot = self.backend.snapshot();
        let answered =
            serve::answer(snapshot.as_ref(), &self.relay, || self.origin(peer), request, out)?;
        if self.corrupt_proofs && request.kind() == RequestKind::Proofs {
            out.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        }
        Ok(answered)
    }
}

/// Counts a reply on its way to an inbox.
struct Delivering<'a>(&'a AtomicUsize);

impl<'a> Delivering<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
