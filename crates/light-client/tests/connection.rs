//! A connection against a scripted server made of the recipient's side of `rlpx`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so")]

use alloy_primitives::B256;
use flow_control::Time;
use les_wire::{
    Announce, CostList, FlowControl, Head, HeaderOrigin, HeaderQuery, MessageKind, NewUpdates,
    Query, ReplyData, Request, RequestCost, RequestKind, Status, Version, encode_resume,
    encode_stop, splice_reply,
};
use light_client::{Connection, ConnectionError, Event, NewRequest, SendError, Wait};
use rand::{SeedableRng as _, rngs::StdRng};
use rlpx::{
    Capability, Event as SessionEvent, Greeting, GreetingEvent, Hello, Name, NodeKey, Offer,
    Payload, Progress, Reason, Session, Workspace, accept,
};

const MILLI: u64 = 1_000_000;

/// Both ends, and the bytes between them.
struct Scene {
    client: Connection,
    server: Session,
    workspace: Workspace,
    now: Time,
}

fn offers(versions: &[u64]) -> Vec<Offer> {
    let name = Name::new("les").unwrap();
    versions
        .iter()
        .map(|&version| Offer { capability: Capability { name, version }, length: 24 })
        .collect()
}

/// Hello is exchanged; the server offers these versions.
fn greeted(versions: &[u64]) -> (Connection, Session, Result<Option<Event>, ConnectionError>) {
    let mut rng = StdRng::seed_from_u64(7);
    let (key, server_key) = (NodeKey::random(&mut rng), NodeKey::random(&mut rng));
    let mut client =
        Connection::dial(&key, server_key.id(), "test", &Version::ALL, &mut rng).unwrap();
    let auth = std::mem::take(client.output());
    let Progress::Complete(accepted) = accept(&server_key, &auth, &mut rng).unwrap() else {
        panic!("the auth packet is whole")
    };
    let offers = offers(versions);
    let capabilities = offers.iter().map(|offer| offer.capability).collect();
    let hello = Hello::new("scripted".into(), capabilities, server_key.id());
    let mut bytes = accepted.reply;
    let mut greeting = Greeting::new(accepted.established, &hello, &mut bytes).unwrap();
    // One byte at a time: no message may depend on how the bytes are cut.
    let mut event = Ok(None);
    for byte in bytes {
        client.receive(&[byte]);
        event = client.poll(Time(0));
    }
    let mut input = std::mem::take(client.output());
    let theirs = loop {
        let greeted = greeting.read(&mut input).unwrap();
        input.drain(..greeted.consumed);
        match greeted.event {
            GreetingEvent::Hello(hello) => break hello,
            GreetingEvent::Need(_) => {}
            GreetingEvent::Disconnect(reason) => panic!("{reason}"),
        }
    };
    *client.output() = input;
    (client, greeting.into_session(&theirs, &offers, 1 << 20), event)
}

fn status(buffer_limit: u64) -> Status {
    let costs = CostList::new(|_| RequestCost { base: 100, per_item: 10 });
    Status {
        protocol_version: 4,
        network_id: 1337,
        genesis_hash: B256::repeat_byte(1),
        flow_control: Some(FlowControl { buffer_limit, recharge_per_ms: 1, costs }),
        ..Status::default()
    }
}

impl Scene {
    /// Both sides have sent Status; the client's buffer is of this size.
    fn new(buffer_limit: u64) -> Self {
        let (client, server, event) = greeted(&[2, 3, 4]);
        assert!(matches!(event, Ok(Some(Event::Connected { version: Version::Les4, .. }))));
        let mut scene = Self { client, server, workspace: Workspace::new(), now: Time(0) };
        let mut payload = Vec::new();
        status(buffer_limit).encode(&mut payload);
        let Some(Event::Status(theirs)) = scene.say(MessageKind::Status, &payload).unwrap() else {
            panic!("no status")
        };
        assert_eq!(scene.client.wait(&header(1), scene.now), Wait::NotReady);
        scene.client.send_status(&Status { flow_control: None, ..*theirs }).unwrap();
        let (code, payload) = scene.heard().unwrap();
        assert_eq!(code, 0);
        assert!(!Status::decode(&payload).unwrap().is_server);
        scene
    }

    /// The server sends a message; what the client makes of it.
    fn say(&mut self, kind: MessageKind, payload: &[u8]) -> Result<Option<Event>, ConnectionError> {
        self.say_code(u64::from(kind.code()), payload)
    }

    fn say_code(&mut self, code: u64, payload: &[u8]) -> Result<Option<Event>, ConnectionError> {
        let mut bytes = Vec::new();
        let payload = Payload::Plain(payload);
        self.server.write(0, code, payload, &mut self.workspace, &mut bytes).unwrap();
        self.client.receive(&bytes);
        self.client.poll(self.now)
    }

    /// The next message that the client has sent.
    fn heard(&mut self) -> Option<(u64, Vec<u8>)> {
        let output = self.client.output();
        loop {
            let read = self.server.read(output, &mut self.workspace).unwrap();
            let message = match read.event {
                SessionEvent::Message { code, payload, .. } => Some((code, payload.to_vec())),
                SessionEvent::Need(_) => return None,
                SessionEvent::Disconnect(reason) => panic!("{reason}"),
                SessionEvent::Ping | SessionEvent::Pong | SessionEvent::Ignored(_) => None,
            };
            let consumed = read.consumed;
            output.drain(..consumed);
            if message.is_some() {
                return message;
            }
        }
    }

    fn reply(&mut self, id: u64, buffer_value: u64) -> Result<Option<Event>, ConnectionError> {
        let mut payload = Vec::new();
        splice_reply(id, buffer_value, &[0xc1, 0x80], &mut payload);
        self.say(MessageKind::Reply(RequestKind::Headers.reply()), &payload)
    }
}

fn header(amount: u64) -> NewRequest<'static> {
    let origin = HeaderOrigin::Number(5);
    NewRequest::Headers(HeaderQuery { origin, amount, skip: 0, reverse: false })
}

#[test]
fn a_request_is_answered_under_its_id() {
    let mut scene = Scene::new(1_000);
    let id = scene.client.send(&header(2), scene.now).unwrap();
    let (code, payload) = scene.heard().unwrap();
    let code = u8::try_from(code).unwrap();
    let request = Request::decode(Version::Les4, code, &payload).unwrap();
    assert_eq!((request.id, request.items()), (id, 2));
    assert!(matches!(request.query, Query::Headers(_)));
    let Some(Event::Reply(reply)) = scene.reply(id, 900).unwrap() else { panic!("no reply") };
    assert_eq!((reply.id, reply.kind), (id, RequestKind::Headers));
    let ReplyData::Headers(headers) = reply.decode().unwrap().data else { panic!("{reply:?}") };
    assert_eq!(headers.count(), 1);
}

#[test]
fn the_buffer_value_of_a_reply_lets_the_client_ask_again() {
    let mut scene = Scene::new(250);
    // 110 units each: two fit, and after them the client waits for a reply.
    let first = scene.client.send(&header(1), scene.now).unwrap();
    let second = scene.client.send(&header(1), scene.now).unwrap();
    assert_eq!(scene.client.wait(&header(1), scene.now), Wait::UntilReply);
    let refused = scene.client.send(&header(1), scene.now);
    assert!(matches!(refused, Err(SendError::Wait(Wait::UntilReply))));
    // What the server reports is before the second request: 60 + 110 sent after it.
    scene.reply(first, 170).unwrap();
    // 110 + 1 for the margin, of which 60 are there: 51 ms at 1 unit per ms.
    assert_eq!(scene.client.wait(&header(1), scene.now), Wait::Nanos(51 * MILLI));
    scene.now = Time(51 * MILLI);
    assert_eq!(scene.client.wait(&header(1), scene.now), Wait::Not);
    scene.reply(second, 250).unwrap();
    scene.client.send(&header(1), scene.now).unwrap();
}

#[test]
fn after_stop_nothing_is_sent_and_late_replies_are_let_go() {
    let mut scene = Scene::new(1_000);
    let id = scene.client.send(&header(1), scene.now).unwrap();
    let (mut stop, mut resume) = (Vec::new(), Vec::new());
    encode_stop(&mut stop);
    encode_resume(111, &mut resume);
    let Some(Event::Stopped { lost }) = scene.say(MessageKind::Stop, &stop).unwrap() else {
        panic!("not stopped")
    };
    assert_eq!(lost, [id]);
    assert_eq!(scene.client.wait(&header(1), scene.now), Wait::UntilResumed);
    assert!(scene.reply(id, 1_000).unwrap().is_none());
    let event = scene.say(MessageKind::Resume, &resume).unwrap();
    assert!(matches!(event, Some(Event::Resumed)));
    scene.client.send(&header(1), scene.now).unwrap();
    assert_eq!(scene.client.wait(&header(1), scene.now), Wait::Nanos(110 * MILLI));
}

#[test]
fn announcements_bring_heads_and_parameters() {
    let mut scene = Scene::new(100);
    let head = Head { hash: B256::repeat_byte(9), number: 6, ..Head::default() };
    let mut payload = Vec::new();
    let signed = NewUpdates { signature: Some([3; 65]), ..NewUpdates::default() };
    Announce::encode(&head, 1, &signed, &mut payload);
    let Some(Event::Announced(news)) = scene.say(MessageKind::Announce, &payload).unwrap() else {
        panic!("no announcement")
    };
    assert_eq!((news.head, news.reorg_depth, news.signature), (head, 1, Some([3; 65])));
    let larger = NewUpdates {
        buffer_limit: Some(100_000),
        recharge_per_ms: Some(5),
        ..NewUpdates::default()
    };
    payload.clear();
    Announce::encode(&Head::default(), 0, &larger, &mut payload);
    assert!(scene.say(MessageKind::Announce, &payload).unwrap().is_none());
    // 2,020 units each.
    for _ in 0..49 {
        scene.client.send(&header(192), scene.now).unwrap();
    }
}

#[test]
fn requests_without_items_or_over_the_limit_are_not_sent() {
    let mut scene = Scene::new(1_000_000);
    for amount in [0, 193, u64::MAX] {
        let refused = scene.client.send(&header(amount), scene.now);
        assert!(matches!(refused, Err(SendError::ItemCount { limit: 192, .. })), "{amount}");
    }
    let hashes = [B256::ZERO; 33];
    assert!(scene.client.send(&NewRequest::Bodies(&hashes), scene.now).is_err());
    assert!(scene.client.send(&NewRequest::Bodies(&hashes[1..]), scene.now).is_ok());
}

#[test]
fn what_may_not_come_ends_the_connection() {
    let unexpected: [(u64, &[u8]); 7] = [
        (0x00, &[0xc0]),
        (0x02, &[0xc0]),
        (0x08, &[0xc0]),
        (0x03, &[0xc3, 0x80, 0x80, 0xc0]),
        (0x03, &[0xc0]),
        (0x01, &[0xc0]),
        (0x17, &[0xc0]),
    ];
    for (code, payload) in unexpected {
        let mut scene = Scene::new(1_000);
        scene.say_code(code, payload).unwrap_err();
        assert!(matches!(scene.client.poll(scene.now), Err(ConnectionError::Closed)));
    }
}

#[test]
fn a_reply_must_be_of_the_kind_that_was_asked_for() {
    let mut scene = Scene::new(1_000);
    let id = scene.client.send(&NewRequest::TxStatus(&[B256::ZERO]), scene.now).unwrap();
    scene.reply(id, 1_000).unwrap_err();
}

#[test]
fn a_server_without_les_is_named() {
    let (_, _, event) = greeted(&[1, 5]);
    let error = event.unwrap_err();
    assert_eq!(error.to_string(), "scripted offers no les/2, les/3 or les/4 but les/1, les/5");
}

#[test]
fn the_server_may_hang_up_and_so_may_the_client() {
    let mut scene = Scene::new(1_000);
    let mut bytes = Vec::new();
    scene.server.disconnect(Reason::TooManyPeers, &mut bytes).unwrap();
    scene.client.receive(&bytes);
    let error = scene.client.poll(scene.now).unwrap_err();
    assert!(matches!(error, ConnectionError::Disconnected(Reason::TooManyPeers)));
    let mut scene = Scene::new(1_000);
    scene.client.close(Reason::Requested);
    let read = scene.server.read(scene.client.output(), &mut scene.workspace).unwrap();
    assert_eq!(read.event, SessionEvent::Disconnect(Reason::Requested));
}
