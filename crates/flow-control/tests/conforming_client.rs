//! A client that keeps to its own estimate, over a link whose delay varies, is never refused.

use std::collections::BTreeMap;

use flow_control::{Capacity, ClientBuffer, Cost, Hold, Mirror, Rate, Time};
use proptest::prelude::*;

const UNIT: Capacity = Capacity { limit: Cost(96_000_000), recharge: Rate(16_000) };

/// What a client does next, and what the link and the server make of it. Times in nanoseconds.
#[derive(Clone, Debug)]
struct Step {
    /// Pause before it.
    pause: u64,
    /// Cost of the request; it is sent only if the estimate allows it.
    cost: u64,
    /// The server announces this multiple of the unit, eighths; `None` for no change.
    eighths: Option<u64>,
    up: u64,
    serving: u64,
    real: u64,
    down: u64,
}

fn step(longest_delay: u64, changes: bool) -> impl Strategy<Value = Step> {
    let delay = move || prop_oneof![3 => 0..longest_delay / 20, 1 => 0..longest_delay];
    let cost = prop_oneof![0_u64..100_000_000, 30_000_u64..1_200_000];
    let eighths = prop::option::weighted(0.05, 1_u64..32);
    let pause = prop_oneof![3 => 0_u64..20_000_000, 1 => 0_u64..3_000_000_000];
    let times = (pause, delay(), 0_u64..50_000_000, delay());
    (times, cost, eighths, 0_u64..2_000_000).prop_map(move |(times, cost, eighths, real)| {
        let (pause, up, serving, down) = times;
        let eighths = eighths.filter(|_| changes);
        Step { pause, cost, eighths, up, serving, real, down }
    })
}

enum Event {
    Arrives { id: u64, cost: u64, serving: u64, real: u64, down: u64 },
    Served { id: u64, hold: Hold, real: u64, down: u64 },
    Replied { id: u64, value: Cost },
    Updated(Capacity),
}

/// Client, link and server; messages of one direction keep their order.
struct World {
    client: Mirror,
    server: ClientBuffer,
    events: BTreeMap<(u64, u64), Event>,
    events_made: u64,
    last_up: u64,
    last_down: u64,
    refused: usize,
}

impl World {
    fn new() -> Self {
        Self {
            client: Mirror::new(UNIT, Time(0)),
            server: ClientBuffer::new(UNIT, Time(0)),
            events: BTreeMap::new(),
            events_made: 0,
            last_up: 0,
            last_down: 0,
            refused: 0,
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.events_made += 1;
        self.events.insert((time, self.events_made), event);
    }

    fn send_down(&mut self, now: u64, delay: u64, event: Event) {
        self.last_down = self.last_down.max(now + delay);
        self.at(self.last_down, event);
    }

    fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) {
            let now = entry.key().0;
            match entry.remove() {
                Event::Arrives { id, cost, serving, real, down } => {
                    match self.server.admit(Cost(cost), Time(now)) {
                        Ok(hold) => self.at(now + serving, Event::Served { id, hold, real, down }),
                        Err(_) => self.refused += 1,
                    }
                }
                Event::Served { id, hold, real, down } => {
                    let value = self.server.settle(hold, Cost(real), Time(now));
                    self.send_down(now, down, Event::Replied { id, value });
                }
                Event::Replied { id, value } => self.client.received(id, value, Time(now)),
                Event::Updated(capacity) => self.client.update(capacity, Time(now)),
            }
        }
    }

    /// Runs the steps and returns how many requests were sent and how many refused.
    fn run(mut self, steps: Vec<Step>) -> (usize, usize) {
        let (mut now, mut sent) = (0, 0);
        for (id, step) in (0..).zip(steps) {
            now += step.pause;
            self.run_until(now);
            if let Some(eighths) = step.eighths {
                let capacity = Capacity::of_rate(Rate(UNIT.recharge.0 * eighths / 8));
                self.server.announce(capacity, Time(now));
                self.send_down(now, step.down, Event::Updated(capacity));
            }
            let Step { cost, serving, real, down, .. } = step;
            if self.client.wait(Cost(cost), Time(now)) == Some(0) {
                self.client.sent(id, Cost(cost), Time(now));
                self.last_up = self.last_up.max(now + step.up);
                self.at(self.last_up, Event::Arrives { id, cost, serving, real, down });
                sent += 1;
            }
        }
        self.run_until(u64::MAX);
        (sent, self.refused)
    }
}

proptest! {
    #[test]
    fn six_seconds_of_varying_delay_refuse_nothing(
        steps in prop::collection::vec(step(5_990_000_000, false), 1..200),
    ) {
        let (sent, refused) = World::new().run(steps);
        prop_assert!(sent > 0);
        prop_assert_eq!(refused, 0);
    }

    #[test]
    fn a_smaller_capacity_refuses_nothing_that_was_sent_before_it_was_known(
        steps in prop::collection::vec(step(990_000_000, true), 1..200),
    ) {
        prop_assert_eq!(World::new().run(steps).1, 0);
    }
}

#[test]
fn an_estimate_starts_to_recharge_with_the_first_reply() {
    let mut client = Mirror::new(UNIT, Time(0));
    client.sent(1, Cost(96_000_000), Time(0));
    let second = Time(1_000_000_000);
    assert_eq!(client.estimate(second), Cost(0));
    assert_eq!(client.wait(Cost(1), second), None, "only a reply helps");
    client.received(1, Cost(10), second);
    assert_eq!(client.estimate(Time(2_000_000_000)), Cost(16_000_010));
}

#[test]
fn a_reply_raises_an_estimate_and_never_lowers_it() {
    let mut client = Mirror::new(UNIT, Time(0));
    client.sent(1, Cost(50_000_000), Time(0));
    client.sent(2, Cost(20_000_000), Time(0));
    client.received(1, Cost(10_000_000), Time(0));
    assert_eq!(client.estimate(Time(0)), Cost(26_000_000));
    client.received(2, Cost(90_000_000), Time(0));
    assert_eq!(client.estimate(Time(0)), Cost(90_000_000));
    client.received(2, Cost(95_000_000), Time(0));
    assert_eq!(client.estimate(Time(0)), Cost(90_000_000), "an unknown request says nothing");
}

#[test]
fn a_request_waits_until_the_estimate_covers_it_and_a_millisecond_more() {
    let mut client = Mirror::new(UNIT, Time(0));
    client.sent(1, Cost(96_000_000), Time(0));
    client.received(1, Cost(0), Time(0));
    let wait = client.wait(Cost(16_000), Time(0)).expect("it recharges");
    assert_eq!(wait, 2_000_000, "one for the cost, one for the margin");
    assert_eq!(client.wait(Cost(16_000), Time(wait)), Some(0));
    assert_eq!(client.wait(Cost(u64::MAX), Time(wait)), Some(5_998_000_000), "at most the limit");
}

#[test]
fn resume_sets_the_estimate_and_forgets_what_was_asked() {
    let mut client = Mirror::new(UNIT, Time(0));
    client.sent(1, Cost(1_000_000), Time(0));
    client.resumed(Cost(12_000_001), Time(0));
    assert_eq!((client.estimate(Time(0)), client.pending()), (Cost(12_000_001), 0));
}
