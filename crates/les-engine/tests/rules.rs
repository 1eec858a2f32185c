//! The engine's rules, one test each.
#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

use std::net::IpAddr;

use flow_control::{Cost, Millis, Time};
use les_engine::{
    Action, Asked, Config, Decision, Engine, FROZEN_MESSAGES, Fault, Greeting, INVALID_ITEMS, Job,
    JobId, OPEN_JOBS, PeerId, QueueLimits, Reason, Refusal, Role, SERVER_PEERS, Spent, Trust,
};
use les_wire::{RequestKind, Version};
use service_model::Tier;

const NOW: Time = Time(0);
const LES4: Version = Version::Les4;

fn local() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

/// One reader slot, no inline slot.
fn engine(queue: QueueLimits) -> Engine {
    Engine::new(Config { queue, ..Config::new(0, 1, 7) })
}

fn roomy() -> Engine {
    engine(QueueLimits::for_slots(64))
}

fn short_queue(items: usize) -> Engine {
    engine(QueueLimits { items, ..QueueLimits::for_slots(64) })
}

fn join(engine: &mut Engine, version: Version, tier: Tier) -> PeerId {
    let peer = engine.connected(local(), Trust::Stranger).expect("a seat");
    engine.greeted(peer, Greeting { version, role: Role::Client, tier }, NOW).expect("a client");
    peer
}

fn free_client(engine: &mut Engine) -> PeerId {
    join(engine, LES4, Tier::Free)
}

/// A request for bodies; 30 of them cost 42 of the 96 million that a full buffer holds.
fn bodies(items: u64) -> Asked {
    Asked { kind: RequestKind::Bodies, items, bytes: 40 * items, warm: false }
}

fn headers(items: u64) -> Asked {
    Asked { kind: RequestKind::Headers, items, bytes: 20, warm: false }
}

#[track_caller]
fn started(decision: Decision) -> Job {
    match decision {
        Decision::ReadHere(job) | Decision::HandToReader(job) => job,
        other @ (Decision::Queued(_) | Decision::Wait | Decision::Ignored) => {
            panic!("not started: {other:?}")
        }
    }
}

#[track_caller]
fn queued(decision: Decision) -> JobId {
    let Decision::Queued(id) = decision else { panic!("not queued: {decision:?}") };
    id
}

fn actions(engine: &mut Engine) -> Vec<Action> {
    std::iter::from_fn(|| engine.poll_action()).collect()
}

/// Serves a request from beginning to end and returns what the reply says.
#[track_caller]
fn serve(engine: &mut Engine, peer: PeerId, asked: Asked, spent: Spent, now: Time) -> Option<Cost> {
    let job = started(engine.requested(peer, asked, now));
    engine.served(job, spent, now).buffer_value
}

/// Uses credit up with requests that cost their worst case.
fn drain_buffer(engine: &mut Engine, peer: PeerId, requests: usize, now: Time) {
    let costly = Spent { serving_nanos: u64::MAX, ..Spent::default() };
    for _ in 0..requests {
        assert!(serve(engine, peer, bodies(32), costly, now).is_some());
    }
}

#[test]
fn a_reply_tells_the_buffer_value_after_the_real_cost() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    let spent = Spent { serving_nanos: 500_000, reply_bytes: 1_000, unknown_items: 0 };
    let value = serve(&mut engine, peer, bodies(1), spent, NOW);
    // 0.5 ms of reading, 10,000 for the message, 2 for each of the 1,040 bytes.
    assert_eq!(value, Some(Cost(96_000_000 - 500_000 - 10_000 - 2_080)));
    let given_up = serve(&mut engine, peer, bodies(1), Spent::default(), Time(u64::MAX));
    assert_eq!(given_up, Some(Cost(96_000_000 - 10_000 - 80)));
}

#[test]
fn a_request_over_the_limit_is_served_up_to_it_and_an_empty_one_with_nothing() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    for (asked, served) in [(1, 1), (192, 192), (193, 192), (u64::MAX, 192), (0, 0)] {
        let job = started(engine.requested(peer, headers(asked), NOW));
        assert_eq!(job.items(), served, "{asked}");
        assert!(engine.served(job, Spent::default(), NOW).buffer_value.is_some());
    }
}

#[test]
fn a_client_that_asks_for_too_much_that_does_not_exist_has_to_go_after_its_reply() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    let unknown = |unknown_items| Spent { unknown_items, ..Spent::default() };
    assert!(serve(&mut engine, peer, bodies(32), unknown(INVALID_ITEMS), NOW).is_some());
    assert_eq!(actions(&mut engine), []);
    assert!(serve(&mut engine, peer, bodies(1), unknown(1), NOW).is_some(), "still answered");
    let gone = Action::Disconnect { peer, reason: Reason::SubprotocolError };
    assert_eq!(actions(&mut engine), [gone]);
    assert!(matches!(engine.requested(peer, bodies(1), NOW), Decision::Ignored));
    assert_eq!(actions(&mut engine), [], "it is told once");
}

#[test]
fn requests_for_nothing_are_answered_and_counted() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    for _ in 0..INVALID_ITEMS {
        assert!(serve(&mut engine, peer, headers(0), Spent::default(), NOW).is_some());
    }
    assert_eq!(actions(&mut engine), []);
    let _job = engine.requested(peer, headers(0), NOW);
    let gone = Action::Disconnect { peer, reason: Reason::SubprotocolError };
    assert_eq!(actions(&mut engine), [gone]);
}

#[test]
fn a_client_beyond_its_credit_is_stopped_ignored_and_resumed() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    // 44.8 million each: the buffer and its overdraft hold four.
    drain_buffer(&mut engine, peer, 4, NOW);
    assert!(matches!(engine.requested(peer, bodies(32), NOW), Decision::Ignored));
    assert_eq!(actions(&mut engine), [Action::Stop(peer)]);
    assert!(matches!(engine.requested(peer, headers(1), NOW), Decision::Ignored));

    let due = engine.next_timeout().expect("a thaw");
    engine.timeout(Time(due.0 - 1));
    assert_eq!(actions(&mut engine), []);
    engine.timeout(due);
    let mut resumed = actions(&mut engine);
    while resumed.is_empty() {
        // The ignored request was charged after the time had been reckoned.
        engine.timeout(engine.next_timeout().expect("a thaw"));
        resumed = actions(&mut engine);
    }
    let [Action::Resume { peer: who, buffer_value }] = resumed[..] else { panic!("{resumed:?}") };
    assert_eq!(who, peer);
    assert!((12_000_001..12_100_000).contains(&buffer_value.0), "{buffer_value:?}");
    assert_eq!(engine.next_timeout(), None);
    let later = due.after(Millis(100));
    assert!(serve(&mut engine, peer, headers(1), Spent::default(), later).is_some());
}

#[test]
fn what_was_under_way_when_a_client_was_stopped_gets_no_reply_even_after_resume() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    drain_buffer(&mut engine, peer, 3, NOW);
    let reading = started(engine.requested(peer, bodies(32), NOW));
    let waiting = queued(engine.requested(peer, headers(1), NOW));
    assert!(matches!(engine.requested(peer, bodies(32), NOW), Decision::Ignored));
    assert_eq!(actions(&mut engine), [Action::Forget(waiting), Action::Stop(peer)]);
    let end = Time(0).after(Millis(20_000));
    engine.timeout(end);
    assert!(matches!(actions(&mut engine)[..], [Action::Resume { .. }]));
    let settled = engine.served(reading, Spent::default(), end);
    assert!(settled.buffer_value.is_none() && settled.next.is_none(), "{settled:?}");
    assert_eq!(engine.running(), 0);
}

#[test]
fn a_les2_client_cannot_be_stopped_and_is_disconnected() {
    let mut engine = roomy();
    let peer = join(&mut engine, Version::Les2, Tier::Free);
    drain_buffer(&mut engine, peer, 4, NOW);
    assert!(matches!(engine.requested(peer, bodies(32), NOW), Decision::Ignored));
    let gone = Action::Disconnect { peer, reason: Reason::UselessPeer };
    assert_eq!(actions(&mut engine), [gone]);
}

#[test]
fn a_client_that_goes_on_while_frozen_has_to_go() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    drain_buffer(&mut engine, peer, 4, NOW);
    for _ in 0..=FROZEN_MESSAGES {
        assert!(matches!(engine.requested(peer, bodies(32), NOW), Decision::Ignored));
    }
    assert_eq!(actions(&mut engine), [Action::Stop(peer)], "the first one was not yet frozen");
    assert!(matches!(engine.requested(peer, bodies(32), NOW), Decision::Ignored));
    let gone = Action::Disconnect { peer, reason: Reason::SubprotocolError };
    assert_eq!(actions(&mut engine), [gone]);
    assert_eq!(engine.next_timeout(), None, "nobody is left to resume");
}

#[test]
fn a_client_with_all_its_jobs_open_waits_and_is_not_charged() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    let first = started(engine.requested(peer, headers(1), NOW));
    for _ in 1..OPEN_JOBS {
        queued(engine.requested(peer, headers(1), NOW));
    }
    for _ in 0..5_000 {
        assert!(matches!(engine.requested(peer, headers(192), NOW), Decision::Wait));
    }
    let settled = engine.served(first, Spent::default(), NOW);
    assert!(settled.next.is_some() && settled.buffer_value.is_some());
    queued(engine.requested(peer, headers(192), NOW));
    assert_eq!(actions(&mut engine), []);
}

#[test]
fn overload_freezes_the_emptiest_buffer_first_free_before_paid_and_les2_last() {
    let mut engine = short_queue(6);
    let paid = join(&mut engine, LES4, Tier::Paid);
    let les2 = join(&mut engine, Version::Les2, Tier::Free);
    let [full, half, empty] = [(); 3].map(|()| free_client(&mut engine));
    drain_buffer(&mut engine, paid, 3, NOW);
    drain_buffer(&mut engine, les2, 3, NOW);
    drain_buffer(&mut engine, half, 1, NOW);
    drain_buffer(&mut engine, empty, 2, NOW);
    let running = started(engine.requested(full, headers(1), NOW));
    let mut waiting = Vec::new();
    for peer in [full, empty, half, empty, paid, les2] {
        waiting.push(queued(engine.requested(peer, headers(1), NOW)));
    }
    assert_eq!(actions(&mut engine), []);

    // The seventh: `empty` is frozen with both its requests, which is enough.
    queued(engine.requested(full, headers(1), NOW));
    let forgotten = [Action::Forget(waiting[1]), Action::Forget(waiting[3])];
    assert_eq!(actions(&mut engine), [&forgotten[..], &[Action::Stop(empty)]].concat());

    // Two more: `half`, and then `full` itself, before les/2 and paid.
    queued(engine.requested(full, headers(1), NOW));
    queued(engine.requested(full, headers(1), NOW));
    assert_eq!(actions(&mut engine), [Action::Forget(waiting[2]), Action::Stop(half)]);
    queued(engine.requested(paid, headers(1), NOW));
    let stopped = actions(&mut engine);
    assert_eq!(stopped.last(), Some(&Action::Stop(full)), "{stopped:?}");
    let next = engine.served(running, Spent::default(), NOW).next.expect("paid first");
    assert_eq!(next.peer(), paid);
}

#[test]
fn a_queue_full_of_bytes_is_emptied_of_those_who_brought_them() {
    let mut engine = engine(QueueLimits { bytes: 1_000_000, ..QueueLimits::for_slots(64) });
    let [busy, quiet, flooder] = [(); 3].map(|()| free_client(&mut engine));
    let running = started(engine.requested(busy, bodies(1), NOW));
    drop(engine.requested(quiet, bodies(30), NOW));
    let huge = Asked { kind: RequestKind::SendTx, items: 1, bytes: 400_000, warm: false };
    for _ in 0..2 {
        queued(engine.requested(flooder, huge, NOW));
    }
    assert!(matches!(engine.requested(flooder, huge, NOW), Decision::Ignored));
    let stopped: Vec<_> =
        actions(&mut engine).into_iter().filter(|it| matches!(it, Action::Stop(_))).collect();
    assert_eq!(stopped, [Action::Stop(flooder)], "its buffer is the fullest, and so what");
    drop(engine.served(running, Spent::default(), NOW));
}

#[test]
fn overload_that_falls_back_on_the_asker_ignores_its_request() {
    let mut engine = short_queue(1);
    let [first, second] = [(); 2].map(|()| free_client(&mut engine));
    drain_buffer(&mut engine, second, 1, NOW);
    let _running = started(engine.requested(first, headers(1), NOW));
    queued(engine.requested(first, headers(1), NOW));
    assert!(matches!(engine.requested(second, headers(1), NOW), Decision::Ignored));
    assert_eq!(actions(&mut engine), [Action::Stop(second)]);
}

#[test]
fn paid_requests_go_first_and_every_eighth_is_a_free_one() {
    let mut engine = roomy();
    let [paid_a, paid_b] = [(); 2].map(|()| join(&mut engine, LES4, Tier::Paid));
    let free = free_client(&mut engine);
    let mut running = started(engine.requested(free, headers(1), NOW));
    for peer in [free, paid_a, paid_b] {
        for _ in 0..10 {
            queued(engine.requested(peer, headers(1), NOW));
        }
    }
    let mut order = String::new();
    loop {
        let settled = engine.served(running, Spent::default(), NOW);
        let Some(next) = settled.next else { break };
        order.push(if next.peer() == free { 'f' } else { 'p' });
        running = next;
    }
    assert_eq!(order, "pppppppfpppppppfppppppffffffff");
}

#[test]
fn slots_kept_for_paid_clients_are_not_given_to_free_ones() {
    let mut engine = Engine::new(Config { paid_slots: 1, ..Config::new(2, 2, 7) });
    let [free, paid] = [Tier::Free, Tier::Paid].map(|tier| join(&mut engine, LES4, tier));
    for warm in [true, false] {
        let asked = Asked { warm, ..headers(1) };
        let first = started(engine.requested(free, asked, NOW));
        queued(engine.requested(free, asked, NOW));
        let second = started(engine.requested(paid, asked, NOW));
        assert!(engine.served(second, Spent::default(), NOW).next.is_none());
        let next = engine.served(first, Spent::default(), NOW).next.expect("the waiting one");
        assert_eq!(next.peer(), free);
    }
}

#[test]
fn only_so_many_other_servers_are_kept_and_they_may_not_ask() {
    let mut engine = roomy();
    let greeting = Greeting { version: LES4, role: Role::Server, tier: Tier::Free };
    let mut servers = Vec::new();
    for _ in 0..SERVER_PEERS {
        servers.push(engine.connected(local(), Trust::Stranger).expect("a seat"));
        assert_eq!(engine.greeted(servers[servers.len() - 1], greeting, NOW), Ok(()));
    }
    let late = engine.connected(local(), Trust::Stranger).expect("a seat");
    assert_eq!(engine.greeted(late, greeting, NOW), Err(Refusal::ServersFull));
    let (first, reason) = (servers[0], Reason::SubprotocolError);
    assert!(matches!(engine.requested(first, headers(1), NOW), Decision::Ignored));
    assert_eq!(actions(&mut engine), [Action::Disconnect { peer: first, reason }]);
    engine.disconnected(first);
    engine.disconnected(late);
    let next = engine.connected(local(), Trust::Stranger).expect("a seat");
    assert_eq!(engine.greeted(next, greeting, NOW), Ok(()));
}

#[test]
fn a_request_before_status_ends_the_connection() {
    let mut engine = roomy();
    let peer = engine.connected(local(), Trust::Stranger).expect("a seat");
    assert!(matches!(engine.requested(peer, headers(1), NOW), Decision::Ignored));
    let reason = Reason::SubprotocolError;
    assert_eq!(actions(&mut engine), [Action::Disconnect { peer, reason }]);
}

#[test]
fn prefixes_and_the_total_are_limited_until_somebody_leaves() {
    let limits = Config { connections: 3, connections_per_prefix: 2, ..Config::new(1, 1, 7) };
    let mut engine = Engine::new(limits);
    let [near, far] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
    let first = engine.connected(near, Trust::Stranger).expect("a seat");
    engine.connected(near, Trust::Stranger).expect("a seat");
    assert_eq!(engine.connected(near, Trust::Stranger), Err(Refusal::PrefixFull));
    engine.connected(far, Trust::Stranger).expect("a seat");
    assert_eq!(engine.connected(far, Trust::Stranger), Err(Refusal::Full));
    engine.disconnected(first);
    engine.disconnected(first);
    assert_eq!(engine.connections(), 2);
    let again = engine.connected(near, Trust::Stranger).expect("the seat that was given back");
    assert_ne!(again, first, "an id is never used twice");
    assert_eq!(engine.connected(far, Trust::Stranger), Err(Refusal::Full));
}

#[test]
fn a_client_that_left_is_forgotten_and_its_running_job_still_frees_the_slot() {
    let mut engine = roomy();
    let [gone, here] = [(); 2].map(|()| free_client(&mut engine));
    let running = started(engine.requested(gone, headers(1), NOW));
    let waiting = queued(engine.requested(gone, headers(1), NOW));
    queued(engine.requested(here, headers(1), NOW));
    engine.disconnected(gone);
    assert_eq!(actions(&mut engine), [Action::Forget(waiting)]);
    let settled = engine.served(running, Spent::default(), NOW);
    assert_eq!(settled.buffer_value, None);
    assert_eq!(settled.next.map(|job| job.peer()), Some(here));
}

#[test]
fn a_draining_server_serves_what_was_admitted_and_nothing_else() {
    let mut engine = roomy();
    let peer = free_client(&mut engine);
    let running = started(engine.requested(peer, headers(1), NOW));
    queued(engine.requested(peer, headers(1), NOW));
    engine.drain();
    assert_eq!(engine.connected(local(), Trust::Stranger), Err(Refusal::Draining));
    assert!(matches!(engine.requested(peer, headers(1), NOW), Decision::Ignored));
    let settled = engine.served(running, Spent::default(), NOW);
    assert!(settled.buffer_value.is_some());
    let last = engine.served(settled.next.expect("the queued one"), Spent::default(), NOW);
    assert!(last.buffer_value.is_some() && last.next.is_none());
    assert_eq!((engine.running(), engine.queued()), (0, 0));
}

#[test]
fn faults_that_the_shell_finds_end_the_connection_with_their_reason() {
    for (fault, reason) in [
        (Fault::Undecodable, Reason::SubprotocolError),
        (Fault::UnreadReplies, Reason::TimedOut),
        (Fault::HandshakeTimedOut, Reason::TimedOut),
        (Fault::WrongNetwork, Reason::UselessPeer),
    ] {
        let mut engine = roomy();
        let peer = free_client(&mut engine);
        engine.faulted(peer, fault, 10, NOW);
        assert_eq!(actions(&mut engine), [Action::Disconnect { peer, reason }], "{fault:?}");
    }
}
