//! What peers have sent to bring nodes down, or may send.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod common;

use common::{MESSAGE_LIMIT, capability, establish, frame, hello, offers, session_and_peer, unhex};
use proptest::prelude::*;
use rlpx::{
    BASE_MESSAGE_LIMIT, Event, Fault, Greeting, GreetingEvent, HEADER, Hello, PONG_LIMIT, Reason,
    Workspace, share,
};

/// Shows our session one frame with this body, and returns what it makes of it.
fn receive(peer_version: u64, body: &[u8]) -> Result<String, Fault> {
    let (mut session, mut peer) = session_and_peer(1, peer_version);
    let mut input = frame(&mut peer, body);
    let mut workspace = Workspace::new();
    session.read(&mut input, &mut workspace).map(|read| format!("{:?}", read.event))
}

#[track_caller]
fn check(body: &str, expected: Result<&str, Fault>) {
    assert_eq!(receive(5, &unhex(body)), expected.map(str::to_owned), "{body}");
}

/// abc/1 has the ids 16 to 18, les/4 those from 19 to 42. The body is an empty snappy message.
#[test]
fn a_message_id_is_routed_to_its_capability_alone() {
    let message = |capability, code| {
        Ok(format!("Message {{ capability: {capability}, code: {code}, payload: [] }}"))
    };
    let route = |id: &str| receive(5, &unhex(&format!("{id} 00")));
    assert_eq!(route("10"), message(0, 0));
    assert_eq!(route("12"), message(0, 2));
    assert_eq!(route("13"), message(1, 0));
    assert_eq!(route("2a"), message(1, 23));
    check("2b 00", Err(Fault::UnknownMessage(43)));
    check("7f 00", Err(Fault::UnknownMessage(127)));
    check("8180 00", Err(Fault::UnknownMessage(128)));
    check("820100 00", Err(Fault::UnknownMessage(256)));
    check("820110 00", Err(Fault::UnknownMessage(272)));
    check("88ffffffffffffffff 00", Err(Fault::UnknownMessage(u64::MAX)));
}

#[test]
fn a_message_id_is_a_canonical_integer() {
    for id in ["00", "8100", "8110", "820010", "89010000000000000000", "b801", "c0", "c110", "81"] {
        check(id, Err(Fault::BadMessageId));
    }
}

#[test]
fn a_declared_length_is_checked_before_it_is_believed() {
    let limit = MESSAGE_LIMIT;
    check("10 ffffffff0f", Err(Fault::MessageTooLong { length: 0xffff_ffff, limit }));
    check("10 818040 00", Err(Fault::MessageTooLong { length: limit + 1, limit }));
    // A megabyte of three bytes: allowed by the limit, but more than they can stand for.
    check("10 808040 00", Err(Fault::BadSnappy));
    let mut bomb = unhex("10 808040 0061");
    // Copies of 64 bytes, one behind the last: 3 bytes each.
    bomb.extend(unhex("fe0100").repeat((1 << 20) / 64 - 1));
    assert_eq!(receive(5, &bomb), Err(Fault::BadSnappy));
    // The densest bomb that is legal stays within the limit.
    bomb.extend(unhex("fa0100"));
    let event = receive(5, &bomb).unwrap();
    assert_eq!(event.matches("97").count(), 1 << 20);
}

#[test]
fn a_malformed_snappy_body_is_refused() {
    for body in [
        "",                       // not even a length
        "80",                     // length cut off
        "ffffffffffffffffffff01", // length over 64 bits
        "01",                     // element missing
        "01 0061 0062",           // more bytes than declared
        "02 0061",                // fewer bytes than declared
        "01 0061 00",             // element cut off behind the last
        "04 0c6162",              // literal over the end
        "05 0061 010000",         // copy with offset zero
        "05 0061 0d0200",         // copy from before the start
        "40 f0ff",                // long literal without its bytes
        "00 00",                  // bytes after nothing
    ] {
        check(&format!("10 {body}"), Err(Fault::BadSnappy));
    }
    check("10 02 046162", Ok("Message { capability: 0, code: 0, payload: [97, 98] }"));
}

#[test]
fn a_plain_message_of_an_old_peer_has_the_same_limit() {
    let mut body = vec![0x10];
    body.resize(1 + MESSAGE_LIMIT, 0);
    assert!(receive(4, &body).is_ok());
    body.push(0);
    let (length, limit) = (MESSAGE_LIMIT + 1, MESSAGE_LIMIT);
    assert_eq!(receive(4, &body), Err(Fault::MessageTooLong { length, limit }));
}

#[test]
fn a_disconnect_is_understood_in_every_spelling() {
    let disconnect = |reason| Ok(format!("{:?}", Event::Disconnect(reason)));
    for reason in Reason::NAMED.into_iter().chain([Reason::Unknown(0x0c), Reason::Unknown(200)]) {
        let number = match reason.code() {
            0 => "80".to_owned(),
            code @ 1..0x80 => format!("{code:02x}"),
            code => format!("81{code:02x}"),
        };
        let bytes = number.len() / 2;
        let list = format!("{:02x}{number}", 0xc0 + bytes);
        // Snappy: the length, a literal's tag, the bytes.
        let packed = format!("{bytes:02x}{:02x}{number}", (bytes - 1) << 2);
        let packed_list = format!("{:02x}{:02x}{list}", bytes + 1, bytes << 2);
        for spelling in [number, list, packed, packed_list] {
            for version in [4, 5] {
                let body = unhex(&format!("01 {spelling}"));
                assert_eq!(receive(version, &body), disconnect(reason), "{spelling}");
            }
        }
    }
}

/// CVE-2022-29177: a number that looked negative, or one past the table, crashed the log.
#[test]
fn a_strange_disconnect_is_a_disconnect() {
    let check = |body: &str, reason| {
        let shown = format!("{:?}", Event::Disconnect(reason));
        assert_eq!(receive(5, &unhex(&format!("01 {body}"))), Ok(shown), "{body}");
        assert!(!reason.to_string().is_empty());
    };
    check("c111", Reason::Unknown(17));
    check("c988ffffffffffffffff", Reason::Unknown(u64::MAX));
    check("88 8000000000000000", Reason::Unknown(1 << 63));
    check("04", Reason::TooManyPeers);
    check("00", Reason::Requested);
    check("c20408", Reason::TooManyPeers);
    for body in ["", "c0", "c1c104", "8104", "ff", "c2", &"ab".repeat(2000)] {
        check(body, Reason::Unreadable);
    }
}

#[test]
fn a_base_message_is_short() {
    for id in [1, 2, 3, 9] {
        let mut body = vec![id];
        body.resize(2 + BASE_MESSAGE_LIMIT, 0);
        let (length, limit) = (BASE_MESSAGE_LIMIT + 1, BASE_MESSAGE_LIMIT);
        assert_eq!(receive(5, &body), Err(Fault::MessageTooLong { length, limit }), "{id}");
    }
}

#[test]
fn base_messages_without_a_meaning_are_ignored() {
    for id in 4..16 {
        assert_eq!(receive(5, &[id, 0xc0]), Ok(format!("Ignored({id})")));
    }
}

#[test]
fn hello_comes_once() {
    check("80 c0", Err(Fault::HelloTwice));
}

/// CVE-2023-40591: a goroutine a ping, for a peer that never reads.
#[test]
fn pings_of_a_peer_that_does_not_read_are_bounded() {
    let (mut session, mut peer) = session_and_peer(1, 5);
    let mut workspace = Workspace::new();
    let mut ping = |session: &mut rlpx::Session| {
        let mut input = frame(&mut peer, &unhex("02 01 00c0"));
        session.read(&mut input, &mut workspace).map(|read| assert_eq!(read.event, Event::Ping))
    };
    for _ in 0..3 {
        for _ in 0..PONG_LIMIT {
            ping(&mut session).unwrap();
        }
        let mut out = Vec::new();
        session.pong(&mut out).unwrap();
        assert_eq!(out.len(), usize::from(PONG_LIMIT) * 64);
    }
    for _ in 0..PONG_LIMIT {
        ping(&mut session).unwrap();
    }
    assert_eq!(ping(&mut session), Err(Fault::PingFlood));
}

/// A greeting of ours, shown one frame of a peer.
fn greet(write: impl FnOnce(&Hello) -> Vec<u8>) -> Result<GreetingEvent, Fault> {
    let [(key, ours), (peer_key, peer)] = establish(1);
    let mut codec = peer.codec;
    let mut greeting = Greeting::new(ours, &hello(&key, &offers()), &mut Vec::new()).unwrap();
    let body = write(&hello(&peer_key, &offers()));
    greeting.read(&mut frame(&mut codec, &body)).map(|greeted| greeted.event)
}

fn encoded(hello: &Hello) -> Vec<u8> {
    let mut body = vec![0x80];
    hello.encode(&mut body);
    body
}

#[test]
fn a_first_frame_over_two_kilobytes_is_refused_by_its_header() {
    for length in [2049, 1 << 16, (1 << 24) - 1] {
        let [(key, ours), (_, peer)] = establish(1);
        let mut codec = peer.codec;
        let mut greeting = Greeting::new(ours, &hello(&key, &offers()), &mut Vec::new()).unwrap();
        let mut frame = frame(&mut codec, &vec![0; length]);
        let fault = greeting.read(&mut frame[..HEADER]).unwrap_err();
        assert_eq!(fault, Fault::FrameTooLong { length, limit: BASE_MESSAGE_LIMIT });
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_header() {
    let (mut session, mut peer) = session_and_peer(1, 5);
    session.set_message_limit(1000);
    let mut frame = frame(&mut peer, &vec![0; (1 << 24) - 1]);
    let mut workspace = Workspace::new();
    let fault = session.read(&mut frame[..HEADER], &mut workspace).unwrap_err();
    let Fault::FrameTooLong { length, limit } = fault else { panic!("{fault}") };
    assert_eq!(length, (1 << 24) - 1);
    assert!((1000..1400).contains(&limit), "{limit}");
}

#[test]
fn nothing_but_hello_or_disconnect_may_come_first() {
    for id in [2, 3, 0x10, 0x7f] {
        assert_eq!(greet(|_| vec![id, 0xc0]), Err(Fault::HelloExpected(u64::from(id))));
    }
    let refused = greet(|_| unhex("01 c104"));
    assert_eq!(refused, Ok(GreetingEvent::Disconnect(Reason::TooManyPeers)));
}

#[test]
fn a_cut_off_hello_is_refused_at_every_length() {
    let whole = greet(encoded).map(|_| ());
    assert_eq!(whole, Ok(()));
    let length = hello(&establish(1)[1].0, &offers()).client.len() + 90;
    for length in 1..length {
        let cut = greet(|hello| encoded(hello)[..length].to_vec());
        assert_eq!(cut, Err(Fault::BadHello), "{length}");
    }
}

#[test]
fn further_items_and_bytes_behind_a_hello_are_ignored() {
    let extended = greet(|hello| {
        let mut body = encoded(hello);
        // Two more items in the list, whose header is f8 and a length, and a byte behind it.
        assert_eq!(body[1], 0xf8);
        body[2] += 3;
        body.extend(unhex("c101 05 ff"));
        body
    });
    assert!(matches!(extended, Ok(GreetingEvent::Hello(_))), "{extended:?}");
}

#[test]
fn a_port_of_64_bits_is_no_reason_to_refuse() {
    let with_port = greet(|hello| encoded(&Hello { port: u64::MAX, ..hello.clone() }));
    assert!(matches!(with_port, Ok(GreetingEvent::Hello(Hello { port: u64::MAX, .. }))));
}

/// A Hello whose capabilities are these RLP items.
fn capabilities(items: &str) -> Result<String, Fault> {
    let event = greet(|hello| {
        let items = unhex(items);
        let mut fields = unhex("05 80");
        alloy_rlp::Header { list: true, payload_length: items.len() }.encode(&mut fields);
        fields.extend_from_slice(&items);
        fields.extend(unhex("80 b840"));
        fields.extend_from_slice(&hello.id);
        let mut body = vec![0x80];
        alloy_rlp::Header { list: true, payload_length: fields.len() }.encode(&mut body);
        body.extend_from_slice(&fields);
        body
    })?;
    let GreetingEvent::Hello(hello) = event else { panic!("{event:?}") };
    Ok(hello.capabilities.iter().map(|capability| format!("{capability} ")).collect())
}

#[test]
fn capabilities_that_cannot_be_are_left_out() {
    let check = |items, expected: &str| {
        assert_eq!(capabilities(items), Ok(expected.to_owned()), "{items}");
    };
    check("", "");
    check("c5 836c6573 04", "les/4 ");
    check("c5 836c6573 04 c5 836c6573 04", "les/4 les/4 ");
    check("c2 80 01 c5 836c6573 04", "les/4 ");
    check("cb 896c65736c65736c6573 04", "");
    check("c5 836c65ff 04", "");
    check("c5 836c6500 04", "");
    check("c4 836c6573", "");
    check("ce 836c6573 89010000000000000000", "");
    check("c8 836c6573 04 820102", "les/4 ");
    assert_eq!(capabilities("836c6573"), Err(Fault::BadHello));
    assert_eq!(capabilities("c5 836c65"), Err(Fault::BadHello));
    assert_eq!(capabilities("c1 c0"), Err(Fault::BadHello));
    let many = capabilities(&"c5 836c6573 04".repeat(300)).unwrap();
    assert_eq!(many.split_whitespace().count(), 300);
    assert!(matches!(capabilities(&"c5 836c6573 04".repeat(400)), Err(Fault::FrameTooLong { .. })));
}

#[test]
fn a_capability_offered_twice_is_shared_once() {
    let theirs = [capability("les", 4), capability("les", 4), capability("les", 2)];
    let shared = share(&offers(), &theirs);
    assert_eq!(shared.len(), 1);
    assert_eq!((shared[0].capability, shared[0].offset), (capability("les", 4), 16));
    assert!(share(&offers(), &[capability("eth", 68)]).is_empty());
}

proptest! {
    // Each case is a handshake or two.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_for_a_frame_are_refused(mut input in prop::collection::vec(any::<u8>(), 32..200)) {
        let (mut session, _) = session_and_peer(1, 5);
        let mut workspace = Workspace::new();
        let fault = session.read(&mut input, &mut workspace).unwrap_err();
        prop_assert_eq!(fault, Fault::WrongHeaderTag);
    }

    #[test]
    fn any_authentic_body_is_a_message_or_a_fault(body in prop::collection::vec(any::<u8>(), 1..99)) {
        let _ = receive(5, &body);
        let _ = receive(4, &body);
    }

    #[test]
    fn any_bytes_for_a_hello_are_one_or_a_fault(
        index: prop::sample::Index,
        bytes in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let outcome = greet(|hello| {
            let mut body = encoded(hello);
            let start = index.index(body.len());
            for (to, from) in body[start..].iter_mut().zip(&bytes) {
                *to = *from;
            }
            body
        });
        // What was changed may be the name, a version, or nothing at all.
        if let Ok(GreetingEvent::Hello(hello)) = outcome {
            prop_assert!(hello.capabilities.len() <= 10);
        }
    }
}
