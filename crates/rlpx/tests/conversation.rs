//! Two ends of ours talk to each other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod common;

use common::{MESSAGE_LIMIT, connect, establish, hello, offers};
use proptest::prelude::*;
use rlpx::{Event, Fault, Greeting, GreetingEvent, Payload, Reason, Session, Workspace};

/// Sends the messages from one end, hands the bytes to the other in pieces of the given sizes
/// (the last repeats), and returns what comes out.
fn deliver(
    sender: &mut Session,
    receiver: &mut Session,
    messages: &[(usize, u64, Vec<u8>)],
    pieces: &[usize],
) -> Vec<(usize, u64, Vec<u8>)> {
    let (mut wire, mut workspace) = (Vec::new(), Workspace::new());
    for (index, (capability, code, payload)) in messages.iter().enumerate() {
        let payload =
            if index % 2 == 0 { Payload::Plain(payload) } else { Payload::Literal(payload) };
        sender.write(*capability, *code, payload, &mut workspace, &mut wire).unwrap();
    }
    let (mut carry, mut received) = (Vec::new(), Vec::new());
    let mut pieces = pieces.iter().chain(std::iter::repeat(pieces.last().unwrap()));
    while !wire.is_empty() {
        let piece = wire.len().min(*pieces.next().unwrap());
        carry.extend(wire.drain(..piece));
        loop {
            let read = receiver.read(&mut carry, &mut workspace).unwrap();
            let consumed = read.consumed;
            let more = match read.event {
                Event::Need(missing) => {
                    assert!(missing > 0);
                    false
                }
                Event::Message { capability, code, payload } => {
                    received.push((capability, code, payload.to_vec()));
                    true
                }
                other @ (Event::Ping | Event::Pong | Event::Disconnect(_) | Event::Ignored(_)) => {
                    panic!("unexpected {other:?}")
                }
            };
            carry.drain(..consumed);
            if !more {
                break;
            }
        }
    }
    assert!(carry.is_empty());
    received
}

fn message() -> impl Strategy<Value = (usize, u64, Vec<u8>)> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        (any::<u8>(), 0..100_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    (0..2_usize, 0..3_u64, payload)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_arrive_whole_however_the_bytes_are_split(
        seed: u64,
        plain: bool,
        messages in prop::collection::vec(message(), 1..6),
        pieces in prop::collection::vec(1..5000_usize, 1..20),
    ) {
        let version = if plain { 4 } else { 5 };
        let [mut one, mut two] = connect(seed, [version, version]);
        prop_assert_eq!(&deliver(&mut one, &mut two, &messages, &pieces), &messages);
        prop_assert_eq!(&deliver(&mut two, &mut one, &messages, &pieces), &messages);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(seed: u64, bit: prop::sample::Index) {
        let [mut one, mut two] = connect(seed, [5, 5]);
        let (mut wire, mut workspace) = (Vec::new(), Workspace::new());
        let payload = Payload::Plain(b"a balance, a nonce, a slot");
        one.write(1, 2, payload, &mut workspace, &mut wire).unwrap();
        let bit = bit.index(wire.len() * 8);
        wire[bit / 8] ^= 1 << (bit % 8);
        let fault = two.read(&mut wire, &mut workspace).unwrap_err();
        let expected = if bit / 8 < 32 { Fault::WrongHeaderTag } else { Fault::WrongBodyTag };
        prop_assert_eq!(fault, expected);
    }
}

#[test]
fn a_frame_cannot_be_replayed_or_left_out() {
    let [mut one, mut two] = connect(1, [5, 5]);
    let mut workspace = Workspace::new();
    let mut write = |text: &str| {
        let mut wire = Vec::new();
        let payload = Payload::Plain(text.as_bytes());
        one.write(0, 0, payload, &mut Workspace::new(), &mut wire).unwrap();
        wire
    };
    let (mut first, _second, mut third) = (write("first"), write("second"), write("third"));
    let mut again = first.clone();
    two.read(&mut first, &mut workspace).unwrap();
    assert_eq!(two.read(&mut third, &mut workspace).unwrap_err(), Fault::WrongHeaderTag);
    assert_eq!(two.read(&mut again, &mut workspace).unwrap_err(), Fault::WrongHeaderTag);
}

#[test]
fn the_highest_common_versions_are_shared_in_the_order_of_names() {
    let [one, two] = connect(1, [5, 5]);
    assert_eq!(one.shared(), two.shared());
    let shared: Vec<String> = one
        .shared()
        .iter()
        .map(|shared| format!("{} {}+{}", shared.capability, shared.offset, shared.length))
        .collect();
    assert_eq!(shared, ["abc/1 16+3", "les/4 19+24"]);
}

#[test]
fn base_messages_come_out_as_events() {
    let [mut one, mut two] = connect(1, [5, 4]);
    let (mut wire, mut workspace) = (Vec::new(), Workspace::new());
    one.ping(&mut wire).unwrap();
    assert_eq!(two.read(&mut wire, &mut workspace).unwrap().event, Event::Ping);
    let mut wire = Vec::new();
    two.pong(&mut wire).unwrap();
    assert_eq!(one.read(&mut wire, &mut workspace).unwrap().event, Event::Pong);
    let mut wire = Vec::new();
    two.pong(&mut wire).unwrap();
    assert!(wire.is_empty(), "one pong a ping");
    two.disconnect(Reason::TooManyPeers, &mut wire).unwrap();
    let event = one.read(&mut wire, &mut workspace).unwrap().event;
    assert_eq!(event, Event::Disconnect(Reason::TooManyPeers));
}

#[test]
fn a_disconnect_may_come_instead_of_hello() {
    let [(key, initiator), (_, recipient)] = establish(3);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut greeting = Greeting::new(initiator, &hello(&key, &offers()), &mut ours).unwrap();
    recipient.disconnect(Reason::TooManyPeers, &mut theirs).unwrap();
    let greeted = greeting.read(&mut theirs).unwrap();
    assert_eq!(greeted.event, GreetingEvent::Disconnect(Reason::TooManyPeers));
}

#[test]
fn a_disconnect_may_follow_hello_at_once() {
    let [(key, initiator), (other, recipient)] = establish(3);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut one = Greeting::new(initiator, &hello(&key, &offers()), &mut ours).unwrap();
    let mut two = Greeting::new(recipient, &hello(&other, &offers()), &mut theirs).unwrap();
    two.disconnect(Reason::ClientQuitting, &mut theirs).unwrap();
    let greeted = one.read(&mut theirs).unwrap();
    let GreetingEvent::Hello(hello) = greeted.event else { panic!("Hello comes first") };
    let mut session = one.into_session(&hello, &offers(), MESSAGE_LIMIT);
    let mut workspace = Workspace::new();
    let read = session.read(&mut theirs[greeted.consumed..], &mut workspace);
    assert_eq!(read.unwrap().event, Event::Disconnect(Reason::ClientQuitting));
}

#[test]
fn a_hello_of_another_node_is_refused() {
    let [(_, initiator), (other, recipient)] = establish(3);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    Greeting::new(initiator, &hello(&other, &offers()), &mut ours).unwrap();
    let mut two = Greeting::new(recipient, &hello(&other, &offers()), &mut theirs).unwrap();
    let fault = two.read(&mut ours).unwrap_err();
    assert_eq!((fault, fault.reason()), (Fault::UnexpectedIdentity, Reason::UnexpectedIdentity));
}
