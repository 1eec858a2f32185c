//! Clients, links and the real engine, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::IpAddr;

use flow_control::{Capacity, Cost, Time};
use les_engine::{
    Action, Asked, Config, Decision, Engine, Greeting, Job, JobId, Lane, PeerId, Role, Spent, Trust,
};
use les_wire::{CostList, RequestKind, Version};
use service_model::Tier;

use crate::client::{Ask, Client, Habit};
use crate::random::Random;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// No request may wait longer than this from its arrival to its reply (`no starvation`).
const LONGEST_WAIT: u64 = 10 * SECOND;

#[derive(Debug)]
enum Event {
    Acts(usize),
    Arrives(usize, PeerId, Ask),
    Read { job: Job, asker: usize, ask: Ask, nanos: u64 },
    Reply { to: usize, peer: PeerId, id: u64, buffer_value: Cost },
    Stop(usize, PeerId),
    Resume(usize, PeerId, Cost),
    Timeout,
    Reconnects(usize),
}

/// The server's end of a connection.
#[derive(Debug)]
struct Connection {
    peer: PeerId,
    /// Requests that arrived, with when. Not read while the engine says `Wait`.
    inbox: VecDeque<(u64, Ask)>,
}

/// How the server of one run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) conforming: usize,
    pub(crate) flooders: usize,
    pub(crate) queue_items: usize,
    /// Reads cost their worst case, so that nothing is refunded and only recharge counts.
    pub(crate) refunds: bool,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) replies: u64,
    pub(crate) stops: u64,
    pub(crate) disconnects: u64,
    pub(crate) longest_wait: u64,
}

pub(crate) struct World {
    seed: u64,
    shape: Shape,
    random: Random,
    engine: Engine,
    costs: CostList,
    unit: Capacity,
    clients: Vec<Client>,
    connections: Vec<Option<Connection>>,
    owners: BTreeMap<PeerId, usize>,
    waiting: BTreeMap<JobId, (usize, Ask)>,
    arrivals: BTreeMap<(PeerId, u64), u64>,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    due: BTreeMap<u64, Event>,
    made: u64,
    end: u64,
    timer: Option<Time>,
    outcome: Outcome,
}

impl World {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let mut config = Config::new(2, 4, seed);
        config.queue.items = shape.queue_items;
        let engine = Engine::new(config);
        let (unit, costs) = (engine.unit(), engine.cost_list());
        let mut clients = Vec::new();
        for number in 0..shape.conforming {
            let habit = match number % 10 {
                0 => Habit::Sync,
                1 => Habit::Greedy,
                2 | 3 => Habit::Burst,
                _ => Habit::Wallet,
            };
            clients.push(Client::new(habit, &mut random, unit, costs));
        }
        for _ in 0..shape.flooders {
            clients.push(Client::new(Habit::Flood, &mut random, unit, costs));
        }
        Self {
            seed,
            shape,
            random,
            engine,
            costs,
            unit,
            connections: clients.iter().map(|_| None).collect(),
            clients,
            owners: BTreeMap::new(),
            waiting: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            events: BinaryHeap::new(),
            due: BTreeMap::new(),
            made: 0,
            end: 0,
            timer: None,
            outcome: Outcome::default(),
        }
    }

    /// Lets the clients act for this long, and then waits for what is under way.
    pub(crate) fn run(mut self, seconds: u64) -> Outcome {
        self.end = seconds * SECOND;
        for client in 0..self.clients.len() {
            let time = self.random.between(0, 5 * SECOND);
            self.at(time, Event::Reconnects(client));
        }
        while let Some(Reverse((now, number))) = self.events.pop() {
            if let Some(event) = self.due.remove(&number) {
                self.handle(event, now);
                self.carry_out(now);
                self.set_timer(now);
            }
        }
        self.check_the_end();
        self.outcome
    }

    fn handle(&mut self, event: Event, now: u64) {
        match event {
            Event::Reconnects(client) => self.connect(client, now),
            Event::Acts(client) => self.act(client, now),
            Event::Arrives(client, peer, ask) => self.arrive(client, peer, ask, now),
            Event::Read { job, asker, ask, nanos } => self.read(job, asker, ask, nanos, now),
            Event::Reply { to, peer, id, buffer_value } => {
                if self.is_current(to, peer) {
                    let known = self.clients[to].received(id, buffer_value, now);
                    assert!(known || !self.clients[to].conforms(), "{}: a second reply", self.seed);
                }
            }
            Event::Stop(client, peer) if self.is_current(client, peer) => {
                self.clients[client].stopped();
            }
            Event::Resume(client, peer, value) if self.is_current(client, peer) => {
                self.clients[client].resumed(value, now);
            }
            Event::Stop(..) | Event::Resume(..) => {}
            Event::Timeout => self.engine.timeout(Time(now)),
        }
    }

    fn connect(&mut self, client: usize, now: u64) {
        if now > self.end {
            return;
        }
        let [_, .., a, b] = (client as u64).to_be_bytes();
        let address = IpAddr::from([10, 0, a, b]);
        let peer = self.engine.connected(address, Trust::Stranger).expect("a seat");
        let version = self.random.pick(&Version::ALL);
        let greeting = Greeting { version, role: Role::Client, tier: Tier::Free };
        self.engine.greeted(peer, greeting, Time(now)).expect("a client");
        self.owners.insert(peer, client);
        self.connections[client] = Some(Connection { peer, inbox: VecDeque::new() });
        self.clients[client].reconnect(self.unit, now);
        self.at(now, Event::Acts(client));
    }

    fn act(&mut self, client: usize, now: u64) {
        let Some(peer) = self.connections[client].as_ref().map(|connection| connection.peer) else {
            return;
        };
        if now > self.end {
            return;
        }
        for ask in self.clients[client].ask(now, &mut self.random) {
            self.outcome.requests += u64::from(self.clients[client].conforms());
            let arrival = self.clients[client].up.send(ask.bytes, now, &mut self.random);
            self.at(arrival, Event::Arrives(client, peer, ask));
        }
        let pause = self.clients[client].pause(&mut self.random);
        self.at(now + pause, Event::Acts(client));
    }

    fn arrive(&mut self, client: usize, peer: PeerId, ask: Ask, now: u64) {
        if self.is_current(client, peer) {
            self.arrivals.insert((peer, ask.id), now);
            if let Some(connection) = &mut self.connections[client] {
                connection.inbox.push_back((now, ask));
            }
            self.read_inbox(client, now);
        }
    }

    /// The peer's task: presents its requests one by one until the engine says `Wait`.
    fn read_inbox(&mut self, client: usize, now: u64) {
        while let Some(connection) = &mut self.connections[client] {
            let Some(&(_, ask)) = connection.inbox.front() else { return };
            let warm = !self.random.once_in(4);
            let asked = Asked { kind: ask.kind, items: ask.items, bytes: ask.bytes, warm };
            match self.engine.requested(connection.peer, asked, Time(now)) {
                Decision::Wait => return,
                Decision::ReadHere(job) | Decision::HandToReader(job) => {
                    self.start(job, client, ask, now);
                }
                Decision::Queued(id) => {
                    self.waiting.insert(id, (client, ask));
                }
                Decision::Ignored => {
                    assert!(!self.clients[client].conforms(), "{}: ignored {ask:?}", self.seed);
                }
            }
            self.carry_out(now);
            if let Some(connection) = &mut self.connections[client] {
                connection.inbox.pop_front();
            }
        }
    }

    fn start(&mut self, job: Job, asker: usize, ask: Ask, now: u64) {
        let quick = self.random.between(3_000, 40_000) + job.items() * 1_000;
        let nanos = match job.lane() {
            Lane::Inline => quick,
            // A disk: now and then it stalls.
            Lane::Reader if self.random.once_in(500) => self.random.between(20, 300) * MILLI,
            Lane::Reader => quick + self.random.between(100_000, 3 * MILLI),
        };
        self.at(now + nanos, Event::Read { job, asker, ask, nanos });
    }

    fn read(&mut self, job: Job, asker: usize, ask: Ask, nanos: u64, now: u64) {
        let (peer, reply_bytes) = (job.peer(), 20 + job.items() * reply_bytes(job.kind()));
        let serving_nanos = if self.shape.refunds { nanos } else { u64::MAX };
        let spent = Spent { serving_nanos, reply_bytes, unknown_items: 0 };
        let settled = self.engine.served(job, spent, Time(now));
        if let Some(buffer_value) = settled.buffer_value {
            self.note_reply(asker, peer, ask.id, now);
            let arrival = self.clients[asker].down.send(reply_bytes, now, &mut self.random);
            self.at(arrival, Event::Reply { to: asker, peer, id: ask.id, buffer_value });
        }
        if let Some(next) = settled.next {
            let (client, ask) = self.waiting.remove(&next.id()).expect("a queued request");
            self.start(next, client, ask, now);
        }
        self.carry_out(now);
        self.read_inbox(asker, now);
    }

    fn note_reply(&mut self, client: usize, peer: PeerId, id: u64, now: u64) {
        let arrival = self.arrivals.remove(&(peer, id)).expect("one reply to one request");
        if self.clients[client].conforms() {
            let wait = now - arrival;
            assert!(wait <= LONGEST_WAIT, "{}: {client} waited {wait} ns", self.seed);
            self.outcome.longest_wait = self.outcome.longest_wait.max(wait);
            self.outcome.replies += 1;
        }
    }

    fn carry_out(&mut self, now: u64) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Stop(peer) => {
                    let client = self.guilty(peer, "stopped");
                    self.outcome.stops += 1;
                    let arrival = self.clients[client].down.send(10, now, &mut self.random);
                    self.at(arrival, Event::Stop(client, peer));
                }
                Action::Resume { peer, buffer_value } => {
                    let client = self.guilty(peer, "resumed");
                    let arrival = self.clients[client].down.send(10, now, &mut self.random);
                    self.at(arrival, Event::Resume(client, peer, buffer_value));
                }
                Action::Disconnect { peer, .. } => {
                    let client = self.guilty(peer, "disconnected");
                    self.outcome.disconnects += 1;
                    self.engine.disconnected(peer);
                    self.owners.remove(&peer);
                    self.connections[client] = None;
                    self.at(now + SECOND, Event::Reconnects(client));
                }
                Action::Forget(job) => {
                    let forgotten = self.waiting.remove(&job);
                    assert!(forgotten.is_some(), "{}: {job:?} was not waiting", self.seed);
                }
            }
        }
    }

    /// The owner of a connection to which something bad happens: it must have deserved it.
    fn guilty(&self, peer: PeerId, what: &str) -> usize {
        let client = self.owners[&peer];
        let habit = self.clients[client].habit;
        assert!(!self.clients[client].conforms(), "{}: {habit:?} was {what}", self.seed);
        client
    }

    fn check_the_end(&self) {
        let seed = self.seed;
        for (number, client) in self.clients.iter().enumerate().filter(|(_, c)| c.conforms()) {
            assert_eq!(client.unanswered(), 0, "{seed}: {number} has no reply to something");
            assert!(client.replies > 0, "{seed}: {number} was never served");
        }
        assert_eq!(self.outcome.requests, self.outcome.replies, "{seed}");
        assert_eq!((self.engine.queued(), self.engine.running()), (0, 0), "{seed}");
        assert!(self.waiting.is_empty(), "{seed}: {} requests lost", self.waiting.len());
        assert_eq!(self.costs, self.engine.cost_list());
    }

    fn is_current(&self, client: usize, peer: PeerId) -> bool {
        self.connections[client].as_ref().is_some_and(|connection| connection.peer == peer)
    }

    fn set_timer(&mut self, now: u64) {
        let next = self.engine.next_timeout();
        if next != self.timer
            && let Some(time) = next
        {
            self.at(time.0.max(now), Event::Timeout);
        }
        self.timer = next;
    }

    fn at(&mut self, time: u64, event: Event) {
        self.made += 1;
        self.events.push(Reverse((time, self.made)));
        self.due.insert(self.made, event);
    }
}

/// Bytes of a reply for each item.
fn reply_bytes(kind: RequestKind) -> u64 {
    match kind {
        RequestKind::Headers => 530,
        RequestKind::Bodies => 4_000,
        RequestKind::Receipts => 3_000,
        RequestKind::Code => 2_000,
        RequestKind::Proofs => 600,
        RequestKind::HelperTrieProofs => 700,
        RequestKind::SendTx | RequestKind::TxStatus => 40,
    }
}
