//! Measures what following a chain costs a server, and how long its light clients wait meanwhile.
//!
//! `scripts/bench-follow.sh` runs it. This process is the full node that the server follows, and
//! its light clients, and those of an idle server beside it: what both have to wait for is the
//! machine.
//!
//! ```text
//! follow ENODE PID IDLE-ENODE CHAIN-FILE FIRST LAST pace|sync
//! ```
//!
//! Both servers are given the blocks up to `FIRST`, unless they have them. Then, with `pace`, a
//! block comes each second; with `sync` all of them are there to be fetched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_debug_implementations,
    reason = "a benchmark: it reads the clock, prints, and ends at what goes wrong"
)]

mod chain;
mod probe;
mod source;

use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use chain::Chain;
use probe::{Probe, Shared};
use rlpx::Enode;
use source::{LONGEST_SYNC, Source};

/// Light clients of each server.
const CLIENTS: u32 = 20;
/// Between two blocks, with `pace`.
const PERIOD: Duration = Duration::from_secs(1);
/// How long nothing is imported, to compare with.
const REST: Duration = Duration::from_secs(40);
/// Microseconds in a tick of `/proc/PID/stat`: `USER_HZ` is 100 on Linux.
const MICROS_PER_TICK: u64 = 10_000;

/// Goals: a share of a core, and the wait for a reply.
const MOST_CPU: f64 = 0.25;
const MOST_DELAY: Duration = Duration::from_millis(50);

struct Setting<'a> {
    server: Enode,
    process: &'a str,
    idle: Enode,
    chain: Chain,
    first: usize,
    last: usize,
}

/// What was seen while something was done.
struct Window {
    wall: Duration,
    cpu: Duration,
    delays: Vec<Duration>,
    idle_delays: Vec<Duration>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, process, idle, file, first, last, mode] = &arguments[..] else {
        panic!("usage: follow ENODE PID IDLE-ENODE CHAIN-FILE FIRST LAST pace|sync");
    };
    let server: Enode = server.parse().unwrap();
    let chain = Chain::read(Path::new(file), source::genesis(&server));
    let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
    let idle = idle.parse().unwrap();
    let setting = Setting { server, process, idle, chain, first, last };
    for enode in [&setting.server, &setting.idle] {
        source::give(enode, &setting.chain, setting.first);
    }
    let blocks = &setting.chain.blocks[setting.first + 1..=setting.last];
    let transactions: usize = blocks.iter().map(|block| block.transactions).sum();
    let each = transactions / blocks.len();
    println!("{mode}: {} blocks of {each} transactions", blocks.len());
    assert!(each >= 300, "blocks are too small");
    let good = match mode.as_str() {
        "pace" => pace(&setting),
        "sync" => sync(&setting),
        other => panic!("no mode {other}"),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Follows block by block.
fn pace(setting: &Setting<'_>) -> bool {
    let mut source = Source::connect(&setting.server, &setting.chain, setting.first);
    let rest = window(setting, |_| source.answer_until(Instant::now() + REST));
    rest.print("resting");
    let mut behind = Vec::new();
    let following = window(setting, |shared| {
        let mut sent = Vec::new();
        let mut due = Instant::now();
        for number in setting.first + 1..=setting.last {
            sent.push((number as u64, Instant::now()));
            source.announce();
            due += PERIOD;
            source.answer_until(due);
        }
        let heads = shared.heads.lock().unwrap();
        behind.extend(sent.iter().map(|(number, sent)| {
            heads.get(number).map_or(Duration::MAX, |heard| heard.duration_since(*sent))
        }));
    });
    following.print("following");
    let idle_share = rest.cpu.as_secs_f64() / rest.wall.as_secs_f64();
    let share = following.cpu.as_secs_f64() / following.wall.as_secs_f64() - idle_share;
    println!("following costs {share:.3} of a core (goal at most {MOST_CPU})");
    behind.sort_unstable();
    let worst = *behind.last().unwrap();
    println!("a block is announced after {:?}, {worst:?} at most", behind[behind.len() / 2]);
    let is_quick = following.is_quick();
    share <= MOST_CPU && worst <= PERIOD && is_quick
}

/// Fetches all blocks at once.
fn sync(setting: &Setting<'_>) -> bool {
    let rest = window(setting, |_| thread::sleep(REST / 6));
    rest.print("resting");
    let syncing = window(setting, |shared| {
        let mut source = Source::connect(&setting.server, &setting.chain, setting.last);
        let end = Instant::now() + LONGEST_SYNC;
        while !shared.heads.lock().unwrap().contains_key(&(setting.last as u64)) {
            assert!(Instant::now() < end, "the server does not come to the last block");
            source.answer_until(Instant::now() + Duration::from_millis(50));
        }
    });
    syncing.print("syncing");
    syncing.is_quick()
}

/// Does something while light clients of both servers ask.
fn window(setting: &Setting<'_>, work: impl FnOnce(&Shared)) -> Window {
    let (shared, beside) = (Shared::default(), Shared::default());
    thread::scope(|scope| {
        let servers = [(&setting.server, &shared), (&setting.idle, &beside)];
        let crowds = servers.map(|(enode, shared)| {
            let start = |number| {
                let probe = Probe::connect(enode, &setting.chain, shared);
                scope.spawn(move || probe.run(Duration::from_millis(5) * number))
            };
            (0..CLIENTS).map(start).collect::<Vec<_>>()
        });
        let both = [&shared, &beside];
        thread::sleep(PERIOD);
        both.iter().for_each(|shared| shared.counts.store(true, Ordering::Relaxed));
        let (begin, before) = (Instant::now(), cpu(setting.process));
        work(&shared);
        let (wall, cpu) = (begin.elapsed(), cpu(setting.process) - before);
        both.iter().for_each(|shared| shared.stop.store(true, Ordering::Relaxed));
        let [delays, idle_delays] = crowds.map(|crowd| {
            let replies = crowd.into_iter().flat_map(|client| client.join().unwrap());
            let mut delays: Vec<Duration> = replies.collect();
            delays.sort_unstable();
            delays
        });
        Window { wall, cpu, delays, idle_delays }
    })
}

impl Window {
    fn print(&self, name: &str) {
        let share = self.cpu.as_secs_f64() / self.wall.as_secs_f64();
        println!("{name}: {:.1} s, {share:.3} of a core", self.wall.as_secs_f64());
        for (which, delays) in [("server", &self.delays), ("idle server", &self.idle_delays)] {
            let at = |part: usize| milliseconds(delays[(delays.len() - 1) * part / 1000]);
            println!(
                "  {which}: {} replies, p50 {:.2} ms, p99 {:.2}, p99.9 {:.2}, most {:.2}",
                delays.len(),
                at(500),
                at(990),
                at(999),
                at(1000)
            );
        }
    }

    /// Whether importing made no reply late: beyond what the machine made late beside it.
    fn is_quick(&self) -> bool {
        let worst = |delays: &[Duration]| *delays.last().unwrap();
        let added = worst(&self.delays).saturating_sub(worst(&self.idle_delays));
        println!(
            "  the latest reply came {:.2} ms after the idle server's (goal at most {})",
            milliseconds(added),
            MOST_DELAY.as_millis()
        );
        added <= MOST_DELAY
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// CPU time of a process, of all its threads, in user and kernel mode (`proc_pid_stat(5)`).
fn cpu(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11);
    let ticks: u64 = fields.take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_micros(ticks * MICROS_PER_TICK)
}
