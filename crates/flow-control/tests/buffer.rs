//! The client buffer against a model that computes everything anew from its history.

use flow_control::{Capacity, ClientBuffer, Cost, Hold, Millis, Rate, Time};
use proptest::prelude::*;

/// Millionths of a cost unit.
const FINE: i128 = 1_000_000;

#[derive(Clone, Debug)]
enum Step {
    Pause { nanos: u64 },
    Admit { cost: u64 },
    Settle { which: usize, real: u64 },
    Charge { cost: u64 },
    Announce { limit: u64, recharge: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..900_000_000).prop_map(|nanos| Step::Pause { nanos }),
        4 => (0_u64..4_000).prop_map(|cost| Step::Admit { cost }),
        3 => (0_usize..8, 0_u64..5_000).prop_map(|(which, real)| Step::Settle { which, real }),
        1 => (0_u64..3_000).prop_map(|cost| Step::Charge { cost }),
        1 => (0_u64..5_000, 0_u64..5)
            .prop_map(|(limit, recharge)| Step::Announce { limit, recharge }),
    ]
}

/// What happened, with when.
enum Past {
    Change(i128),
    Announced(i128, i128),
}

/// Credit at `now` in millionths, by going through the whole history in uneven little steps.
fn recomputed(start: (i128, i128), history: &[(u64, Past)], now: u64) -> i128 {
    let (mut told, mut former) = (start, None::<((i128, i128), u64)>);
    let (mut value, mut time) = (start.0 * FINE, 0);
    let enforced = |told: (i128, i128), former: Option<((i128, i128), u64)>| match former {
        Some((old, _)) => (told.0.max(old.0), told.1.max(old.1)),
        None => told,
    };
    let past = history.iter().map(|(at, past)| (*at, Some(past)));
    for (at, past) in past.chain([(now, None)]) {
        while time < at || former.is_some_and(|(_, until)| until <= time) {
            if former.is_some_and(|(_, until)| until <= time) {
                former = None;
                value = value.clamp(-told.0 * FINE, told.0 * FINE);
            }
            let end = former.map_or(u64::MAX, |(_, until)| until).min(at).min(time + 777_777);
            let (limit, recharge) = enforced(told, former);
            value = (value + recharge * i128::from(end - time)).clamp(-limit * FINE, limit * FINE);
            time = end;
        }
        match past {
            Some(&Past::Change(change)) => value += change * FINE,
            Some(&Past::Announced(limit, recharge)) => {
                let before = enforced(told, former);
                value += (limit - told.0).max(0) * FINE;
                let falls = limit < before.0 || recharge < before.1;
                former = falls.then_some((before, at + 2_000_000_000));
                told = (limit, recharge);
            }
            None => {}
        }
        let (limit, _) = enforced(told, former);
        value = value.clamp(-limit * FINE, limit * FINE);
    }
    value
}

fn units(fine: i128) -> Cost {
    Cost(u64::try_from(fine.div_euclid(FINE)).unwrap_or(0))
}

proptest! {
    #[test]
    fn the_buffer_is_what_its_history_says(steps in prop::collection::vec(step(), 1..60)) {
        let start = Capacity { limit: Cost(3_000), recharge: Rate(2) };
        let mut buffer = ClientBuffer::new(start, Time(0));
        let mut history: Vec<(u64, Past)> = Vec::new();
        let mut told = start.limit;
        // Each hold with the total of the costs up to and including it.
        let mut holds: Vec<(Hold, u64)> = Vec::new();
        let (mut total, mut now) = (0, 0);
        for step in steps {
            let value = recomputed((3_000, 2), &history, now);
            match step {
                Step::Pause { nanos } => now += nanos,
                Step::Admit { cost } => {
                    let admitted = buffer.admit(Cost(cost), Time(now));
                    // The limit in force is not below the one last told.
                    let least = i128::from(cost.min(told.0)) * FINE;
                    if let Ok(hold) = admitted {
                        prop_assert!(hold.held().0 <= cost);
                        total += hold.held().0;
                        history.push((now, Past::Change(-i128::from(hold.held().0))));
                        holds.push((hold, total));
                    } else {
                        prop_assert!(value < least, "refused although the credit was there");
                    }
                }
                Step::Settle { which, real } if !holds.is_empty() => {
                    let (hold, upto) = holds.swap_remove(which % holds.len());
                    let back = hold.held().0.saturating_sub(real);
                    history.push((now, Past::Change(i128::from(back))));
                    let value = recomputed((3_000, 2), &history, now);
                    let reported = buffer.settle(hold, Cost(real), Time(now));
                    prop_assert_eq!(reported, units(value + i128::from(total - upto) * FINE));
                }
                Step::Settle { .. } => {}
                Step::Charge { cost } => {
                    buffer.charge(Cost(cost), Time(now));
                    history.push((now, Past::Change(-i128::from(cost))));
                }
                Step::Announce { limit, recharge } => {
                    told = Cost(limit);
                    buffer.announce(Capacity { limit: told, recharge: Rate(recharge) }, Time(now));
                    history.push((now, Past::Announced(i128::from(limit), i128::from(recharge))));
                }
            }
            let value = recomputed((3_000, 2), &history, now);
            prop_assert_eq!(buffer.value(Time(now)), units(value));
        }
    }

    #[test]
    fn thaw_is_the_first_moment_above_an_eighth(
        spent in prop::collection::vec(0_u64..8_000, 0..4),
        rate in 1_u64..2_000,
        random in 0_u64..900,
    ) {
        let capacity = Capacity::of_rate(Rate(rate));
        let mut buffer = ClientBuffer::new(capacity, Time(0));
        spent.iter().for_each(|part| buffer.charge(Cost(part * rate), Time(0)));
        let eighth = Cost(capacity.limit.0 / 8);
        let pause = Time(0).after(Millis(700 + random.min(600)));
        let thaw = buffer.thaw_time(Time(0), Millis(random), Time(0)).expect("it recharges");
        prop_assert!(thaw >= pause);
        if thaw > pause {
            prop_assert!(buffer.value(Time(thaw.0 - 1)) <= eighth);
        }
        prop_assert!(buffer.value(thaw) > eighth);
    }
}

#[test]
fn a_cost_above_the_limit_is_charged_as_the_limit() {
    let mut buffer = ClientBuffer::new(Capacity::of_rate(Rate(10)), Time(0));
    let hold = buffer.admit(Cost(u64::MAX), Time(0)).expect("a full buffer");
    assert_eq!(hold.held(), Cost(60_000));
    assert_eq!(buffer.settle(hold, Cost(u64::MAX), Time(0)), Cost(0));
}

#[test]
fn a_request_is_refused_when_the_overdraft_is_used_up_and_nothing_is_taken() {
    let mut buffer = ClientBuffer::new(Capacity::of_rate(Rate(10)), Time(0));
    for _ in 0..2 {
        let _hold = buffer.admit(Cost(60_000), Time(0)).expect("credit or overdraft");
    }
    let shortfall = buffer.admit(Cost(7), Time(0)).expect_err("nothing is left");
    assert_eq!(shortfall.0, Cost(7));
    let recovered = Time(0).after(Millis(1));
    assert!(buffer.admit(Cost(10), recovered).is_ok(), "one millisecond brings ten units");
}

#[test]
fn a_buffer_that_never_recharges_never_thaws() {
    let mut buffer = ClientBuffer::new(Capacity { limit: Cost(8), recharge: Rate(0) }, Time(0));
    buffer.charge(Cost(8), Time(0));
    assert_eq!(buffer.thaw_time(Time(0), Millis(0), Time(5)), None);
}
