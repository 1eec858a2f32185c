//! The run: connect, learn, ask for the time given, add up.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use alloy_primitives::B256;
use flow_control::Time;
use light_client::{Event, Wait};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use crate::args::Arguments;
use crate::clock::Clock;
use crate::error::{Error, Wrong};
use crate::kind::Kind;
use crate::manifest::Manifest;
use crate::peer::{PATIENCE, Peer};
use crate::process::Usage;
use crate::random::Random;
use crate::report::{Report, Tally};
use crate::sample::{Question, Sample};

/// Connections that are being made at once: servers admit only so many half-open ones
/// (go-ethereum: 50).
const CONNECTING: usize = 32;

pub(crate) async fn run(arguments: &Arguments) -> Result<Report, Error> {
    LocalSet::new().run_until(measure(arguments)).await
}

async fn measure(arguments: &Arguments) -> Result<Report, Error> {
    let clock = Clock::start();
    let usage = || arguments.server_pid.map(Usage::of).transpose();
    let manifest = arguments.manifest.as_deref().map(Manifest::read).transpose()?;
    let mut scout = Peer::connect(&arguments.enode, clock).await?;
    let manifest = manifest.unwrap_or_default();
    let sample = Rc::new(Sample::learn(&mut scout, &manifest, arguments.kind).await?);
    scout.close().await;

    let before_connecting = usage()?;
    let (peers, refused) = connect_all(arguments, clock).await?;
    let connections = peers.len();
    let before = usage()?;
    let begin = clock.now();
    let end = begin.after_nanos(arguments.seconds.saturating_mul(1_000_000_000));
    let mut tasks = JoinSet::new();
    for (number, peer) in (1..).zip(peers) {
        let random = Random::new(arguments.seed.wrapping_mul(1 << 32).wrapping_add(number));
        let sample = Rc::clone(&sample);
        let (kind, window) = (arguments.kind, arguments.window as usize);
        let verify_one_in = arguments.verify_one_in;
        let tally = Tally::new();
        let pending = BTreeMap::new();
        let heads = Vec::new();
        let load =
            Load { peer, sample, kind, window, verify_one_in, random, pending, tally, heads };
        tasks.spawn_local(load.run(clock, end));
    }
    let left = Duration::from_nanos(end.nanos_since(clock.now()));
    tokio::time::sleep(left).await;
    let after = usage()?;
    let mut tally = Tally::new();
    let mut heads = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        // A task of ours that panicked has its own message on standard error.
        if let Ok((part, heard)) = finished {
            tally.add(&part);
            heads.extend(heard);
        }
    }
    if arguments.kind == Kind::Heads {
        tally.heads(&heads);
    }
    tally.drops.extend(refused);
    Ok(Report {
        seconds: arguments.seconds,
        connections,
        kind: arguments.kind,
        tally,
        before_connecting,
        before,
        after,
    })
}

/// All connections that came about, and why the others did not.
async fn connect_all(
    arguments: &Arguments,
    clock: Clock,
) -> Result<(Vec<Peer>, Vec<String>), Error> {
    let places = Rc::new(Semaphore::new(CONNECTING));
    let mut tasks = JoinSet::new();
    for _ in 0..arguments.connections {
        let (enode, places) = (arguments.enode.clone(), Rc::clone(&places));
        tasks.spawn_local(async move {
            let _place = places.acquire().await;
            Peer::connect(&enode, clock).await
        });
    }
    let (mut peers, mut refused) = (Vec::new(), Vec::new());
    while let Some(connected) = tasks.join_next().await {
        match connected {
            Ok(Ok(peer)) => peers.push(peer),
            Ok(Err(error)) => refused.push(error.to_string()),
            Err(panicked) => refused.push(panicked.to_string()),
        }
    }
    match refused.first() {
        Some(first) if peers.is_empty() => Err(Error::NoConnection(first.clone())),
        Some(_) | None => Ok((peers, refused)),
    }
}

/// The load of one connection.
struct Load {
    peer: Peer,
    sample: Rc<Sample>,
    kind: Kind,
    window: usize,
    verify_one_in: u64,
    random: Random,
    /// Requests without a reply, with when they were sent.
    pending: BTreeMap<u64, (Question, Time)>,
    tally: Tally,
    /// Announced heads, with when they came.
    heads: Vec<Heard>,
}

/// A head's hash, and when it was announced.
pub(crate) type Heard = (B256, Time);

impl Load {
    async fn run(mut self, clock: Clock, end: Time) -> (Tally, Vec<Heard>) {
        let start = (self.peer.sent, self.peer.received);
        if let Err(error) = self.ask_until(clock, end).await {
            self.tally.drops.push(error.to_string());
        }
        self.tally.bytes_sent = self.peer.sent.saturating_sub(start.0);
        self.tally.bytes_received = self.peer.received.saturating_sub(start.1);
        self.peer.close().await;
        (self.tally, self.heads)
    }

    async fn ask_until(&mut self, clock: Clock, end: Time) -> Result<(), Error> {
        loop {
            let left = Duration::from_nanos(end.nanos_since(clock.now()));
            if left.is_zero() {
                break;
            }
            let pause = self.fill_window()?.min(left);
            if let Some(event) = self.peer.event(pause).await? {
                self.take(event, clock.now(), true);
            }
        }
        // What is under way is still checked, but not counted.
        while !self.pending.is_empty() {
            let Some(event) = self.peer.event(PATIENCE).await? else {
                self.tally.unanswered += self.pending.len() as u64;
                break;
            };
            self.take(event, clock.now(), false);
        }
        Ok(())
    }

    /// Sends as many requests as the window and flow control allow, and returns how long nothing
    /// can be sent if no reply comes.
    fn fill_window(&mut self) -> Result<Duration, Error> {
        while self.pending.len() < self.window {
            let Some(question) = self.sample.question(self.kind, &mut self.random) else { break };
            let peer = &mut self.peer;
            match self.sample.request(&question, |request| peer.wait(request)) {
                Wait::Not => {}
                Wait::Nanos(nanos) => return Ok(Duration::from_nanos(nanos)),
                Wait::UntilReply | Wait::UntilResumed | Wait::NotReady => break,
            }
            let (id, sent) = self.sample.request(&question, |request| peer.send(request))?;
            self.pending.insert(id, (question, sent));
        }
        Ok(PATIENCE)
    }

    fn take(&mut self, event: Event, now: Time, counts: bool) {
        match event {
            Event::Reply(reply) => {
                let Some((question, sent)) = self.pending.remove(&reply.id) else { return };
                let full = self.random.below(self.verify_one_in) == 0;
                let checked = self.sample.check(&question, &reply, full);
                self.note(checked, full, &question);
                if counts {
                    self.tally.reply(now.nanos_since(sent) / 1_000);
                }
            }
            Event::Stopped { lost } => {
                self.tally.stops += 1;
                for id in lost {
                    self.pending.remove(&id);
                }
            }
            Event::Announced(announce) if counts => self.heads.push((announce.head.hash, now)),
            Event::Resumed | Event::Announced(_) | Event::Status(_) | Event::Connected { .. } => {}
        }
    }

    fn note(&mut self, checked: Result<(), Wrong>, full: bool, question: &Question) {
        match checked {
            Ok(()) => self.tally.verified += u64::from(full),
            Err(wrong) => self.tally.wrong.push(format!("{question:?}: {wrong}")),
        }
    }
}
