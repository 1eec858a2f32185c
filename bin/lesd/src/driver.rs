//! The one lock around the engine, and what is done before and after it is held.
//!
//! Under the lock only the pure step happens, and the bookkeeping of queued requests. What the
//! engine decided for other connections goes to their inboxes after unlocking.

mod running;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use chain_backend::Backend;
use flow_control::{Cost, Time};
use les_engine::{
    Action, Asked, Decision, Engine, Fault, Greeting, Job, JobId, PeerId, Refusal, Spent, Trust,
};
use les_wire::{Request, RequestKind, Version};
use parking_lot::Mutex;
use rlpx::Reason;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    clock::Clock,
    inbox::{Delivery, Inbox},
    metrics::Counters,
    readers::Readers,
    relay::{Origin, TransactionRelay},
    warmth::Warmth,
};

pub(crate) use self::running::Running;

/// A request as it waits: decoded again where it is read.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) version: Version,
    pub(crate) code: u8,
    pub(crate) payload: Vec<u8>,
}

/// What the caller does with a request that it presented.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Read it on this thread.
    ReadHere(Running),
    /// The reply will come to the inbox, or there will be none.
    Elsewhere,
    /// Present it again when a reply has come to the inbox.
    Wait,
}

/// A reply, or the reason why there is none.
#[derive(Debug)]
pub(crate) enum Reply {
    /// To be sent with this buffer value.
    Send(Cost),
    /// The client was stopped meanwhile, or is gone.
    Suppressed,
    /// The store failed: close the connection rather than claim that something does not exist.
    Failed,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    connections: BTreeMap<PeerId, Connection>,
    /// Requests in the engine's queue, which bounds them in number and bytes.
    waiting: BTreeMap<JobId, Waiting>,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    inbox: Arc<Inbox>,
}

/// The engine, its lock, and what jobs read.
pub(crate) struct Driver {
    inner: Mutex<Inner>,
    backend: Arc<dyn Backend>,
    relay: TransactionRelay,
    clock: Clock,
    readers: Readers,
    warmth: Warmth,
    runtime: Handle,
    corrupt_proofs: bool,
    timer: Notify,
    /// Replies that are settled or being read, and not in an inbox yet.
    delivering: AtomicUsize,
    draining: AtomicBool,
    /// Nothing is carried out any more.
    stopped: AtomicBool,
    counters: Counters,
    this: Weak<Self>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Driver {
    pub(crate) fn new(
        engine: Engine,
        backend: Arc<dyn Backend>,
        relay: TransactionRelay,
        clock: Clock,
        readers: Readers,
        runtime: Handle,
        corrupt_proofs: bool,
    ) -> Arc<Self> {
        let inner = Inner { engine, connections: BTreeMap::new(), waiting: BTreeMap::new() };
        Arc::new_cyclic(|this| Self {
            inner: Mutex::new(inner),
            backend,
            relay,
            clock,
            readers,
            warmth: Warmth::default(),
            runtime,
            corrupt_proofs,
            timer: Notify::new(),
            delivering: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            counters: Counters::default(),
            this: this.clone(),
        })
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// One event, and then everything that the engine decided for others.
    fn event<R>(&self, step: impl FnOnce(&mut Inner, Time) -> R) -> R {
        let now = self.clock.now();
        let mut inner = self.inner.lock();
        let result = step(&mut inner, now);
        let Some(first) = inner.engine.poll_action() else { return result };
        let mut deliveries = Vec::new();
        let mut action = Some(first);
        while let Some(act) = action {
            self.counters.decided(&act);
            deliveries.extend(delivery(&mut inner, act));
            action = inner.engine.poll_action();
        }
        drop(inner);
        for (inbox, delivery) in deliveries {
            inbox.push(delivery);
        }
        self.timer.notify_one();
        result
    }

    /// A seat for a connection.
    pub(crate) fn connect(
        &self,
        address: IpAddr,
        trust: Trust,
        inbox: Arc<Inbox>,
    ) -> Result<Seat, Refusal> {
        let peer = self.event(|inner, _| {
            let peer = inner.engine.connected(address, trust)?;
            inner.connections.insert(peer, Connection { address, inbox });
            Ok(peer)
        })?;
        Ok(Seat { driver: self.shared(), peer })
    }

    fn shared(&self) -> Arc<Self> {
        // Whoever calls this holds a strong reference already.
        self.this.upgrade().unwrap_or_else(|| unreachable!("a driver in use is alive"))
    }

    pub(crate) fn greeted(&self, peer: PeerId, greeting: Greeting) -> Result<(), Refusal> {
        self.event(|inner, now| inner.engine.greeted(peer, greeting, now))
    }

    pub(crate) fn flow_control(&self) -> les_wire::FlowControl {
        let inner = self.inner.lock();
        let unit = inner.engine.unit();
        les_wire::FlowControl {
            buffer_limit: unit.limit.0,
            recharge_per_ms: unit.recharge.0,
            costs: inner.engine.cost_list(),
        }
    }

    pub(crate) fn faulted(&self, peer: PeerId, fault: Fault, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.counters.faulted();
        self.event(|inner, now| inner.engine.faulted(peer, fault, bytes, now));
    }

    /// Presents a request.
    pub(crate) fn ask(
        &self,
        peer: PeerId,
        version: Version,
        code: u8,
        payload: &[u8],
        request: &Request<'_>,
    ) -> Outcome {
        let kind = request.kind();
        let asked = Asked {
            kind,
            items: request.items(),
            bytes: u64::try_from(payload.len()).unwrap_or(u64::MAX),
            warm: self.is_warm(kind),
        };
        let waiting = || Waiting { version, code, payload: payload.to_vec() };
        let decision = self.event(|inner, now| {
            let decision = inner.engine.requested(peer, asked, now);
            if let Decision::Queued(id) = decision {
                inner.waiting.insert(id, waiting());
            }
            decision
        });
        if !matches!(decision, Decision::Wait) {
            self.counters.asked(kind, asked.bytes);
        }
        match decision {
            Decision::ReadHere(job) => Outcome::ReadHere(self.running(job)),
            Decision::HandToReader(job) => {
                self.readers.hand(self.running(job), waiting());
                Outcome::Elsewhere
            }
            Decision::Queued(_) | Decision::Ignored => Outcome::Elsewhere,
            Decision::Wait => Outcome::Wait,
        }
    }

    /// Requests of a client that are admitted and not served yet.
    pub(crate) fn open_jobs(&self, peer: PeerId) -> usize {
        usize::try_from(self.inner.lock().engine.open_jobs(peer)).unwrap_or(usize::MAX)
    }

    fn is_warm(&self, kind: RequestKind) -> bool {
        let learned = || self.backend.may_be_warm() && self.warmth.is_warm(kind);
        self.readers.threads() == 0 || learned()
    }

    fn running(&self, job: Job) -> Running {
        Running::new(self.shared(), job)
    }

    fn served(&self, job: Job, spent: Spent) -> (Option<Cost>, Option<(Job, Waiting)>) {
        self.event(|inner, now| {
            let settled = inner.engine.served(job, spent, now);
            let next = settled.next.map(|job| {
                let waiting = inner.waiting.remove(&job.id());
                (job, waiting)
            });
            let next = match next {
                Some((job, Some(waiting))) => Some((job, waiting)),
                // Every queued job was stored under the same lock that queued it.
                Some((_, None)) => unreachable!("a queued job without its request"),
                None => None,
            };
            (settled.buffer_value, next)
        })
    }

    /// Carries a job out that came out of the queue, and those that follow it.
    fn start(&self, job: Job, waiting: Waiting) {
        if self.stopped.load(Ordering::SeqCst) {
            return;
        }
        let lane = job.lane();
        let running = self.running(job);
        match lane {
            les_engine::Lane::Reader => self.readers.hand(running, waiting),
            les_engine::Lane::Inline => {
                self.runtime.spawn(async move {
                    let mut out = Vec::new();
                    running.read_for_inbox(&waiting, &mut out);
                });
            }
        }
    }

    /// Who a connected peer is to the relay; one that left meanwhile is nobody in particular.
    fn origin(&self, peer: PeerId) -> Origin {
        let inner = self.inner.lock();
        let connection = inner.connections.get(&peer);
        connection.map_or(Origin::Network, |connection| Origin::Client(connection.address))
    }

    fn inbox(&self, peer: PeerId) -> Option<Arc<Inbox>> {
        let inner = self.inner.lock();
        inner.connections.get(&peer).map(|connection| Arc::clone(&connection.inbox))
    }

    /// Wakes every connection to look for what is new for all.
    pub(crate) fn wake_all(&self) {
        let inner = self.inner.lock();
        let connections = inner.connections.values();
        let inboxes: Vec<_> = connections.map(|connection| Arc::clone(&connection.inbox)).collect();
        drop(inner);
        for inbox in inboxes {
            inbox.wake();
        }
    }

    /// Whether requests are not admitted any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Stops admitting; says how many admitted requests are not answered yet.
    pub(crate) fn drain(&self) -> usize {
        self.draining.store(true, Ordering::Relaxed);
        let open = self.event(|inner, _| {
            inner.engine.drain();
            let running = usize::try_from(inner.engine.running()).unwrap_or(usize::MAX);
            inner.engine.queued().saturating_add(running)
        });
        // Read after the engine: a job is counted here before it is settled there.
        open.saturating_add(self.delivering.load(Ordering::SeqCst))
    }

    /// Has nothing carried out any more; what is still queued is forgotten with the driver.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.readers.stop();
    }

    /// Connections that have a seat.
    pub(crate) fn connections(&self) -> usize {
        self.inner.lock().engine.connections()
    }

    /// Wakes the engine when it wants to be; runs until it is dropped.
    pub(crate) async fn run_timer(&self) {
        loop {
            let next = self.inner.lock().engine.next_timeout();
            let changed = self.timer.notified();
            match next {
                None => changed.await,
                Some(time) => {
                    let wait = time.0.saturating_sub(self.clock.now().0);
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep(std::time::Duration::from_nanos(wait)) => {
                            self.event(|inner, now| inner.engine.timeout(now));
                        }
                    }
                }
            }
        }
    }
}

fn delivery(inner: &mut Inner, action: Action) -> Option<(Arc<Inbox>, Delivery)> {
    let (peer, delivery) = match action {
        Action::Stop(peer) => (peer, Delivery::Stop),
        Action::Resume { peer, buffer_value } => {
            (peer, Delivery::Resume { buffer_value: buffer_value.0 })
        }
        Action::Disconnect { peer, reason } => {
            (peer, Delivery::Close(Reason::from_code(u64::from(reason.code()))))
        }
        Action::Forget(id) => {
            inner.waiting.remove(&id);
            return None;
        }
    };
    inner.connections.get(&peer).map(|connection| (Arc::clone(&connection.inbox), delivery))
}

/// A seat of the engine, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    driver: Arc<Driver>,
    peer: PeerId,
}

impl Seat {
    pub(crate) const fn peer(&self) -> PeerId {
        self.peer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.driver.event(|inner, _| {
            inner.connections.remove(&self.peer);
            inner.engine.disconnected(self.peer);
        });
    }
}
