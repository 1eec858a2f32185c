//! Random events against the engine, and a reference of what must hold after each of them.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use flow_control::{THAW_DIVISOR, THAW_PAUSE, Time};
use les_engine::{
    Action, Asked, Config, Decision, Engine, Fault, Greeting, Job, JobId, Lane, OPEN_JOBS, PeerId,
    QueueLimits, Refusal, Role, SERVER_PEERS, Spent, Trust, service,
};
use les_wire::{RequestKind, Version};
use proptest::prelude::*;
use service_model::Tier;

const CONNECTIONS: u32 = 24;
const PER_PREFIX: u32 = 6;
const INLINE: u32 = 2;
const READERS: u32 = 2;
const FOR_PAID: u32 = 1;
const QUEUE: usize = 24;
const QUEUE_BYTES: u64 = 10_000;

/// Two of them share a prefix; the last is not limited by it.
const ADDRESSES: [&str; 5] = ["10.0.0.1", "2001:db8::1", "2001:db8::2", "10.0.0.2", "127.0.0.1"];

/// What the clients speak that are there from the start, one from each address.
const VERSIONS: [Version; 5] =
    [Version::Les4, Version::Les2, Version::Les4, Version::Les3, Version::Les4];

#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Greet(usize, Version, Role, Tier),
    Ask(usize, RequestKind, u64, u64, bool),
    /// A running job, its time and the items that do not exist.
    Serve(usize, u64, u32),
    Fault(usize, Fault),
    Wait(u64),
    Disconnect(usize),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let peer = prop_oneof![8 => Just(0usize), 6 => 0usize..5, 1 => 0..CONNECTIONS as usize];
    let version = proptest::sample::select(Version::ALL.to_vec());
    let role = prop_oneof![6 => Just(Role::Client), 1 => Just(Role::Server)];
    let tier = prop_oneof![3 => Just(Tier::Free), 1 => Just(Tier::Paid)];
    let kind = proptest::sample::select(RequestKind::ALL.to_vec());
    let items = prop_oneof![40 => 1u64..4, 6 => 1u64..200, 1 => Just(0), 1 => Just(u64::MAX)];
    let nanos = prop_oneof![3 => 0u64..2_000_000, 1 => Just(u64::MAX)];
    let missing = prop_oneof![20 => Just(0u32), 1 => 1u32..12];
    let fault = proptest::sample::select(vec![
        Fault::Undecodable,
        Fault::NoItems,
        Fault::UnknownItem,
        Fault::CreditExceeded,
        Fault::UnreadReplies,
    ]);
    let millis = prop_oneof![3 => 0u64..200, 1 => 500u64..8_000];
    prop_oneof![
        20 => (0..ADDRESSES.len()).prop_map(Step::Connect),
        20 => (peer.clone(), version, role, tier).prop_map(|(p, v, r, t)| Step::Greet(p, v, r, t)),
        300 => (peer.clone(), kind, items, 1u64..1_000, any::<bool>())
            .prop_map(|(p, k, i, b, w)| Step::Ask(p, k, i, b, w)),
        60 => (0usize..8, nanos, missing).prop_map(|(j, n, m)| Step::Serve(j, n, m)),
        3 => (peer.clone(), fault).prop_map(|(p, f)| Step::Fault(p, f)),
        20 => millis.prop_map(Step::Wait),
        4 => peer.prop_map(Step::Disconnect),
        1 => Just(Step::Drain),
    ]
}

/// What a connection is in, as far as its owner can tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Greeting,
    Server,
    Client { version: Version, tier: Tier, stopped: Option<Time> },
    Leaving,
}

#[derive(Debug)]
struct Peer {
    id: PeerId,
    address: IpAddr,
    standing: Standing,
    /// How often it was stopped.
    stops: u32,
    /// Worst-case costs of everything that was admitted.
    held: u64,
}

/// An admitted request: who asked, its tier, the stops before, its bytes, and the worst-case
/// costs of the client's requests up to it.
#[derive(Clone, Copy, Debug)]
struct Open {
    peer: PeerId,
    tier: Tier,
    stops: u32,
    bytes: u64,
    held: u64,
}

/// The reference: everything by plain counting.
struct World {
    engine: Engine,
    now: Time,
    peers: Vec<Peer>,
    queued: BTreeMap<JobId, Open>,
    running: Vec<(Job, Open)>,
    draining: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let queue =
            QueueLimits { items: QUEUE, bytes: QUEUE_BYTES, ..QueueLimits::for_slots(INLINE) };
        let engine = Engine::new(Config {
            connections: CONNECTIONS,
            connections_per_prefix: PER_PREFIX,
            paid_slots: FOR_PAID,
            queue,
            ..Config::new(INLINE, READERS, seed)
        });
        let (peers, queued, running) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut world = Self { engine, now: Time(1), peers, queued, running, draining: false };
        for (number, (address, version)) in ADDRESSES.iter().zip(VERSIONS).enumerate() {
            world.run(&Step::Connect(number));
            assert_eq!(world.peers[number].address.to_string(), *address);
            let tier = if number == 2 { Tier::Paid } else { Tier::Free };
            world.run(&Step::Greet(number, version, Role::Client, tier));
        }
        world
    }

    fn peer(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.id == id)
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Connect(address) => self.connect(ADDRESSES[address].parse().expect("an address")),
            Step::Greet(peer, version, role, tier) => {
                self.greet(peer, Greeting { version, role, tier });
            }
            Step::Ask(peer, kind, items, bytes, warm) => {
                self.ask(peer, Asked { kind, items, bytes, warm });
            }
            Step::Serve(job, serving_nanos, unknown_items) if !self.running.is_empty() => {
                let (job, open) = self.running.swap_remove(job % self.running.len());
                self.serve(job, open, Spent { serving_nanos, reply_bytes: 500, unknown_items });
            }
            Step::Fault(peer, fault) if peer < self.peers.len() => {
                self.engine.faulted(self.peers[peer].id, fault, 100, self.now);
            }
            Step::Wait(millis) => {
                self.now = self.now.after_nanos(millis * 1_000_000);
                if self.engine.next_timeout().is_some_and(|time| time <= self.now) {
                    self.engine.timeout(self.now);
                }
                assert!(self.engine.next_timeout().is_none_or(|time| time > self.now));
            }
            Step::Disconnect(peer) if peer < self.peers.len() => {
                let gone = self.peers.swap_remove(peer).id;
                self.engine.disconnected(gone);
                self.act();
                assert!(self.queued.values().all(|open| open.peer != gone), "nothing waits");
            }
            Step::Drain => {
                self.engine.drain();
                self.draining = true;
            }
            Step::Serve(..) | Step::Fault(..) | Step::Disconnect(_) => {}
        }
        self.act();
        self.check();
    }

    fn connect(&mut self, address: IpAddr) {
        let prefix = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        };
        let same = self.peers.iter().filter(|peer| prefix(peer.address) == prefix(address)).count();
        let expected = if self.draining {
            Err(Refusal::Draining)
        } else if self.peers.len() >= CONNECTIONS as usize {
            Err(Refusal::Full)
        } else if !address.is_loopback() && same >= PER_PREFIX as usize {
            Err(Refusal::PrefixFull)
        } else {
            Ok(())
        };
        let connected = self.engine.connected(address, Trust::Stranger);
        assert_eq!(connected.map(|_| ()), expected, "{address}");
        if let Ok(id) = connected {
            assert!(self.peer(id).is_none(), "an id is used once");
            self.peers.push(Peer { id, address, standing: Standing::Greeting, stops: 0, held: 0 });
        }
    }

    fn greet(&mut self, peer: usize, greeting: Greeting) {
        let servers = self.peers.iter().filter(|peer| peer.standing == Standing::Server).count();
        let Some(peer) = self.peers.get_mut(peer) else { return };
        let greeted = self.engine.greeted(peer.id, greeting, self.now);
        if peer.standing != Standing::Greeting {
            assert_eq!(greeted, Ok(()), "a second Status changes nothing");
            return;
        }
        let full = greeting.role == Role::Server && servers >= SERVER_PEERS as usize;
        assert_eq!(greeted.is_err(), full);
        peer.standing = match greeting.role {
            Role::Client => {
                let Greeting { version, tier, .. } = greeting;
                Standing::Client { version, tier, stopped: None }
            }
            Role::Server if full => Standing::Leaving,
            Role::Server => Standing::Server,
        };
    }

    fn open_jobs(&self, peer: PeerId) -> usize {
        let running = self.running.iter().map(|(_, open)| open);
        running.chain(self.queued.values()).filter(|open| open.peer == peer).count()
    }

    fn ask(&mut self, peer: usize, asked: Asked) {
        let Some(&Peer { id, standing, stops, held, .. }) = self.peers.get(peer) else { return };
        let open_before = self.open_jobs(id);
        let decision = self.engine.requested(id, asked, self.now);
        let Standing::Client { tier, stopped: None, .. } = standing else {
            assert!(matches!(decision, Decision::Ignored), "{standing:?}: {decision:?}");
            self.act();
            let left = self.peer(id).is_some_and(|peer| peer.standing == Standing::Leaving);
            assert!(left || matches!(standing, Standing::Client { .. }), "it may not ask");
            return;
        };
        let full = open_before >= OPEN_JOBS as usize;
        assert_eq!(full, matches!(decision, Decision::Wait), "{open_before} open");
        let worst = Config::new(1, 1, 0).tariff.max_cost(service(asked.kind), asked.items);
        let held = held + worst.min(self.engine.unit().limit).0;
        let open = Open { peer: id, tier, stops, bytes: asked.bytes, held };
        if !matches!(decision, Decision::Wait | Decision::Ignored) {
            self.peers[peer].held = held;
        }
        match decision {
            Decision::ReadHere(job) => {
                assert!(asked.warm && job.lane() == Lane::Inline);
                self.running.push((job, open));
            }
            Decision::HandToReader(job) => {
                assert!(!asked.warm && job.lane() == Lane::Reader);
                self.running.push((job, open));
            }
            Decision::Queued(job) => {
                assert!(self.queued.insert(job, open).is_none(), "an id is used once");
            }
            Decision::Wait => {}
            Decision::Ignored => {
                self.act();
                let now = self.peer(id).map(|peer| peer.standing);
                let excused = self.draining
                    || now == Some(Standing::Leaving)
                    || matches!(now, Some(Standing::Client { stopped: Some(_), .. }));
                assert!(excused, "an admissible request of a client in good standing");
            }
        }
    }

    /// A job that is served is answered, unless its client was stopped since, or is gone. What
    /// the reply says, less the costs of what was asked later, is the credit.
    fn serve(&mut self, job: Job, open: Open, spent: Spent) {
        let peer = self.peers.iter().find(|peer| peer.id == open.peer);
        let answered = peer.is_some_and(|peer| {
            matches!(peer.standing, Standing::Client { .. }) && peer.stops == open.stops
        });
        let later = peer.map_or(0, |peer| peer.held - open.held);
        let most = self.engine.unit().limit.0 + later;
        let lane = job.lane();
        let settled = self.engine.served(job, spent, self.now);
        assert_eq!(settled.buffer_value.is_some(), answered, "{open:?} of {peer:?}");
        assert!(settled.buffer_value.is_none_or(|value| value.0 <= most), "above the limit");
        match settled.next {
            Some(next) => {
                assert_eq!(next.lane(), lane, "the slot stays in its lane");
                let open = self.queued.remove(&next.id()).expect("a job that was queued");
                assert_eq!(next.peer(), open.peer);
                self.running.push((next, open));
            }
            None => self.act(),
        }
    }

    /// Takes every action; each must be due.
    fn act(&mut self) {
        let (now, limit) = (self.now, self.engine.unit().limit);
        let mut forgotten = Vec::new();
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Forget(job) => {
                    forgotten.push(self.queued.remove(&job).expect("a job that was queued"));
                }
                Action::Stop(id) => {
                    let peer = self.peer(id).expect("a peer");
                    peer.stops += 1;
                    let Standing::Client { version, stopped, .. } = &mut peer.standing else {
                        unreachable!("no client was stopped")
                    };
                    assert!(*version >= Version::Les3, "les/2 has no Stop");
                    assert_eq!(stopped.replace(now), None, "stopped twice");
                }
                Action::Resume { peer: id, buffer_value } => {
                    let peer = self.peer(id).expect("a peer");
                    let Standing::Client { stopped, .. } = &mut peer.standing else {
                        unreachable!("no client was resumed")
                    };
                    let since = stopped.take().expect("it was stopped");
                    assert!(now >= since.after(THAW_PAUSE), "too early");
                    assert!(buffer_value <= limit && buffer_value.0 > limit.0 / THAW_DIVISOR);
                }
                Action::Disconnect { peer: id, .. } => {
                    let peer = self.peer(id).expect("a peer");
                    assert_ne!(peer.standing, Standing::Leaving, "told twice");
                    peer.standing = Standing::Leaving;
                }
            }
        }
        for open in forgotten {
            let peer = self.peers.iter().find(|peer| peer.id == open.peer);
            let standing = peer.map_or(Standing::Leaving, |peer| peer.standing);
            let good = matches!(standing, Standing::Client { stopped: None, .. });
            assert!(!good, "a request of a client in good standing was forgotten");
        }
    }

    fn check(&self) {
        assert_eq!(self.engine.connections(), self.peers.len());
        assert_eq!(self.engine.queued(), self.queued.len());
        assert_eq!(self.engine.running() as usize, self.running.len());
        assert!(self.queued.len() <= QUEUE);
        assert!(self.queued.values().map(|open| open.bytes).sum::<u64>() <= QUEUE_BYTES);
        for (lane, slots) in [(Lane::Inline, INLINE), (Lane::Reader, READERS)] {
            let of = |tier: Option<Tier>| {
                let in_lane = self.running.iter().filter(|(job, _)| job.lane() == lane);
                in_lane.filter(|(_, open)| tier.is_none_or(|tier| open.tier == tier)).count()
            };
            assert!(of(None) <= slots as usize, "more reads than slots");
            assert!(of(Some(Tier::Free)) <= (slots - FOR_PAID) as usize, "paid slots taken");
        }
        for peer in &self.peers {
            assert!(self.open_jobs(peer.id) <= OPEN_JOBS as usize);
        }
    }

    /// Serves what runs until nothing waits any more.
    fn finish(&mut self) {
        while let Some((job, open)) = self.running.pop() {
            self.serve(job, open, Spent { serving_nanos: 1_000, ..Spent::default() });
            self.act();
            self.check();
        }
        assert!(self.queued.is_empty(), "requests that are never answered: {:?}", self.queued);
    }
}

proptest! {
    #[test]
    fn whatever_happens_counts_are_exact_and_every_admitted_request_ends_once(
        seed: u64,
        steps in proptest::collection::vec(step(), 1..400),
    ) {
        let mut world = World::new(seed);
        for step in &steps {
            world.run(step);
        }
        world.finish();
    }
}
