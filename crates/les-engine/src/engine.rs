//! The engine: events in, decisions out.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use flow_control::{Capacity, ClientBuffer, Cost, Time};
use les_wire::{CostList, RequestKind, Version};
use service_model::{Rank, Tier};

use crate::address::{Refusal, Seats, Trust};
use crate::config::{Config, SERVER_PEERS};
use crate::fault::{Fault, InvalidItems, Reason};
use crate::forecast::Forecast;
use crate::job::{Job, JobId, Lane, OPEN_JOBS};
use crate::peer::{Client, Peer, PeerId, Peers, Role, Standing};
use crate::queue::Queue;
use crate::random::Random;
use crate::slots::Slots;
use crate::tariff::{cost_list, service};

/// What a peer's Status said about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Greeting {
    /// The version that both sides speak.
    pub version: Version,
    /// What it is.
    pub role: Role,
    /// Whether it pays.
    pub tier: Tier,
}

/// A decoded request, without its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// What is asked for.
    pub kind: RequestKind,
    /// How many items, as sent.
    pub items: u64,
    /// Bytes of the payload.
    pub bytes: u64,
    /// The backend's word, given before reading: everything is in memory.
    pub warm: bool,
}

/// What to do with a request.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Read it now, on this thread.
    ReadHere(Job),
    /// Give it to a reader thread now; one is free.
    HandToReader(Job),
    /// Keep the request under this id; its job comes out of a later [`Settled::next`], or an
    /// [`Action::Forget`] says that it will not.
    Queued(JobId),
    /// The client has [`OPEN_JOBS`] open. Nothing was decided or charged: present the request
    /// again when one of them is served, and read nothing more from the peer until then.
    Wait,
    /// No reply.
    Ignored,
}

/// What it took to serve a job.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// Time of the read, in nanoseconds. Zero for a job that was given up.
    pub serving_nanos: u64,
    /// Bytes of the reply's payload.
    pub reply_bytes: u64,
    /// Items that do not exist ([`Fault::UnknownItem`] says which count).
    pub unknown_items: u32,
}

/// What follows from a served job.
#[derive(Debug)]
#[must_use]
pub struct Settled {
    /// The `BV` of the reply. `None`: the client was stopped or has left; there is no reply.
    pub buffer_value: Option<Cost>,
    /// The job that now has the slot. It may be another client's.
    pub next: Option<Job>,
}

/// What to do for a peer, or with what it left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Send Stop. Replies that are not written yet need not be.
    Stop(PeerId),
    /// Send Resume.
    Resume {
        /// To this client.
        peer: PeerId,
        /// The value of its buffer.
        buffer_value: Cost,
    },
    /// Send Disconnect and close. [`Engine::disconnected`] is still due afterwards.
    Disconnect {
        /// This peer.
        peer: PeerId,
        /// What it is told.
        reason: Reason,
    },
    /// A queued request will not be served: its content can go.
    Forget(JobId),
}

/// All that the server decides.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) unit: Capacity,
    pub(crate) peers: Peers,
    seats: Seats,
    pub(crate) servers: u32,
    pub(crate) queue: Queue,
    slots: Slots,
    forecast: Forecast,
    pub(crate) random: Random,
    jobs: u64,
    draining: bool,
    /// When which frozen client is looked at.
    pub(crate) thaws: BTreeSet<(Time, PeerId)>,
    /// Of one event: drained before the next one, so no more than the queue and the peers hold.
    pub(crate) actions: VecDeque<Action>,
}

impl Engine {
    /// A server without connections.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            unit: config.tariff.unit(),
            peers: Peers::default(),
            seats: Seats::new(&config),
            servers: 0,
            queue: Queue::new(config.queue),
            slots: Slots::new(&config),
            forecast: Forecast::new(),
            random: Random::new(config.seed),
            jobs: 0,
            draining: false,
            thaws: BTreeSet::new(),
            actions: VecDeque::new(),
            config,
        }
    }

    /// Takes a seat for a connection from this address. A trusted peer gets one beyond the limits.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if there is none. Otherwise [`Engine::disconnected`] gives it back.
    pub fn connected(&mut self, address: IpAddr, trust: Trust) -> Result<PeerId, Refusal> {
        if self.draining {
            return Err(Refusal::Draining);
        }
        let seat = self.seats.take(address, trust)?;
        Ok(self.peers.insert(Peer { seat, standing: Standing::Greeting }))
    }

    /// The peer's Status has come and ours has been sent, with [`Engine::unit`] and
    /// [`Engine::cost_list`] in it. A client can ask from now on.
    ///
    /// # Errors
    ///
    /// [`Refusal::ServersFull`] if it is a server too many. It keeps its seat until
    /// [`Engine::disconnected`].
    pub fn greeted(&mut self, peer: PeerId, greeting: Greeting, now: Time) -> Result<(), Refusal> {
        let Some(place) = self.peers.get_mut(peer) else { return Ok(()) };
        if !matches!(place.standing, Standing::Greeting) {
            return Ok(());
        }
        match greeting.role {
            Role::Client => {
                place.standing = Standing::Client(Client {
                    version: greeting.version,
                    tier: greeting.tier,
                    buffer: ClientBuffer::new(self.unit, now),
                    invalid: InvalidItems::default(),
                    open_jobs: 0,
                    freezes: 0,
                    frozen: None,
                });
            }
            Role::Server if self.servers >= SERVER_PEERS => {
                place.standing = Standing::Leaving;
                return Err(Refusal::ServersFull);
            }
            Role::Server => {
                place.standing = Standing::Server;
                self.servers = self.servers.saturating_add(1);
            }
        }
        Ok(())
    }

    /// The connection is gone: what it had waiting is forgotten.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.forget_waiting(peer);
        let Some(Peer { seat, standing }) = self.peers.remove(peer) else { return };
        self.seats.give_back(seat);
        match standing {
            Standing::Server => self.servers = self.servers.saturating_sub(1),
            Standing::Client(Client { frozen: Some(frozen), .. }) => {
                self.thaws.remove(&(frozen.thaw, peer));
            }
            Standing::Client(_) | Standing::Greeting | Standing::Leaving => {}
        }
    }

    /// A request has arrived and is well-formed.
    pub fn requested(&mut self, peer: PeerId, asked: Asked, now: Time) -> Decision {
        let limit = u64::try_from(asked.kind.item_limit()).unwrap_or(u64::MAX);
        let worst = self.config.tariff.max_cost(service(asked.kind), asked.items);
        let Some(client) = self.peers.client_mut(peer) else {
            self.faulted(peer, Fault::UnexpectedMessage, asked.bytes, now);
            return Decision::Ignored;
        };
        if client.frozen.is_some() {
            self.faulted(peer, Fault::AskedWhileFrozen, asked.bytes, now);
            return Decision::Ignored;
        }
        if client.open_jobs >= OPEN_JOBS {
            return Decision::Wait;
        }
        if self.draining {
            return Decision::Ignored;
        }
        let Ok(hold) = client.buffer.admit(worst, now) else {
            self.faulted(peer, Fault::CreditExceeded, asked.bytes, now);
            return Decision::Ignored;
        };
        client.open_jobs = client.open_jobs.saturating_add(1);
        let rank = Rank::new(client.tier, now, client.buffer.nanos_until_full());
        self.jobs = self.jobs.wrapping_add(1);
        let job = Job {
            id: JobId(self.jobs),
            peer,
            kind: asked.kind,
            items: asked.items.min(limit),
            request_bytes: asked.bytes,
            lane: if asked.warm { Lane::Inline } else { Lane::Reader },
            forecast: self.forecast.cost(service(asked.kind), hold.held()),
            hold,
            freezes: client.freezes,
        };
        let decision = self.place(job, rank, now);
        if asked.items == 0 {
            self.faulted(peer, Fault::NoItems, asked.bytes, now);
        } else if asked.items > limit {
            self.faulted(peer, Fault::TooManyItems, asked.bytes, now);
        }
        decision
    }

    /// A job is done, or was given up (the task was cancelled, the read failed): with nothing
    /// spent, its client gets everything back. The slot goes to the next job.
    pub fn served(&mut self, job: Job, spent: Spent, now: Time) -> Settled {
        let (peer, lane) = (job.peer, job.lane);
        let bytes = job.request_bytes.saturating_add(spent.reply_bytes);
        let real = self.config.tariff.real_cost(spent.serving_nanos, bytes);
        self.forecast.learn(service(job.kind), job.hold.held(), real);
        let buffer_value = self.settle(job, real, now);
        self.count_invalid(peer, spent.unknown_items, now);
        self.slots.release(lane);
        let next = self.queue.pop(lane, self.slots.only_paid(lane));
        if next.is_some() {
            self.slots.occupy(lane);
        }
        Settled { buffer_value, next }
    }

    /// Begins to shut down: no new connections and requests; what was admitted is served.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// The next thing to carry out; to be drained after every event.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Engine::timeout`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.thaws.first().map(|&(time, _)| time)
    }

    /// The capacity that every client is told in Status.
    #[must_use]
    pub const fn unit(&self) -> Capacity {
        self.unit
    }

    /// The cost table that every client is told in Status.
    #[must_use]
    pub fn cost_list(&self) -> CostList {
        cost_list(&self.config.tariff)
    }

    /// Requests of a client that are admitted and not served yet.
    pub fn open_jobs(&mut self, peer: PeerId) -> u32 {
        self.peers.client_mut(peer).map_or(0, |client| client.open_jobs)
    }

    /// Connections that have a seat.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.peers.count()
    }

    /// Requests that wait for a slot.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Requests that are being read.
    #[must_use]
    pub const fn running(&self) -> u32 {
        self.slots.occupied()
    }

    fn place(&mut self, job: Job, rank: Rank, now: Time) -> Decision {
        let lane = job.lane;
        if self.slots.is_open_to(lane, rank.tier()) {
            self.slots.occupy(lane);
            return match lane {
                Lane::Inline => Decision::ReadHere(job),
                Lane::Reader => Decision::HandToReader(job),
            };
        }
        if self.queue.is_full_for(&job) && self.relieve(&job, now).is_asker_frozen() {
            self.settle(job, Cost(0), now);
            return Decision::Ignored;
        }
        let id = job.id;
        self.queue.push(rank, job);
        Decision::Queued(id)
    }

    /// Gives the rest of a hold back; the buffer value is of use only if the client still waits.
    pub(crate) fn settle(&mut self, job: Job, real: Cost, now: Time) -> Option<Cost> {
        let client = self.peers.client_mut(job.peer)?;
        client.open_jobs = client.open_jobs.saturating_sub(1);
        let buffer_value = client.buffer.settle(job.hold, real, now);
        (client.freezes == job.freezes).then_some(buffer_value)
    }
}
