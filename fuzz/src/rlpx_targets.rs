//! Handshake, frames, snappy, Hello, URLs.

use std::sync::LazyLock;

use rand::{SeedableRng, rngs::StdRng};
use rlpx::{
    Capability, Enode, Established, Event, Greeting, GreetingEvent, Hello, Name, NodeKey, Offer,
    Payload, Progress, Session, Workspace, accept, dial, fuzzing::seal_packet,
};

use crate::{Target, memory::bounded};

pub const TARGETS: &[Target] = &[
    ("auth", auth),
    ("ack", ack),
    ("frame", frame),
    ("snappy", snappy),
    ("hello", hello),
    ("enode", enode),
];

/// Message limit of the session under test.
const LIMIT: usize = 1 << 20;

/// B's key of EIP-8, so that its packets are seeds.
static KEY: LazyLock<NodeKey> = LazyLock::new(|| {
    let digits = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291";
    NodeKey::from_hex(digits).expect("a key")
});

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

/// The packet that an input stands for: itself, or after a zero byte the body of a sealed one.
fn packet(input: &[u8]) -> Vec<u8> {
    match input {
        [0, body @ ..] => seal_packet(KEY.id(), body, &mut rng()).unwrap_or_default(),
        _ => input.to_vec(),
    }
}

fn auth(input: &[u8]) {
    let packet = packet(input);
    // The answer, and one packet's copies on the way.
    let outcome = bounded(packet.len(), 3, 8192, || accept(&KEY, &packet, &mut rng()));
    match outcome {
        Ok(Progress::Need(missing)) => assert!(missing > 0),
        Ok(Progress::Complete(accepted)) => assert!(accepted.consumed <= packet.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn ack(input: &[u8]) {
    let packet = packet(input);
    let remote = NodeKey::random(&mut rng());
    let (dialing, _) = dial(&KEY, remote.id(), &mut rng()).expect("keys of the curve");
    if let Ok(Progress::Complete(length)) = dialing.ack_length(&packet) {
        let packet = &packet[..length];
        let _ = bounded(packet.len(), 3, 8192, || dialing.open_ack(packet));
    }
}

fn offers() -> Vec<Offer> {
    let offer = |name, version, length| Offer {
        capability: Capability { name: Name::new(name).expect("a name"), version },
        length,
    };
    vec![offer("les", 4, 24), offer("lespay", 1, 8)]
}

fn ends() -> [Established; 2] {
    let other = NodeKey::random(&mut rng());
    let (dialing, auth) = dial(&other, KEY.id(), &mut rng()).expect("keys of the curve");
    let Ok(Progress::Complete(accepted)) = accept(&KEY, &auth, &mut rng()) else {
        panic!("a packet of ours")
    };
    [dialing.open_ack(&accepted.reply).expect("a packet of ours"), accepted.established]
}

/// The first byte chooses the p2p version and the size of the pieces; then bodies of authentic
/// frames, each behind two bytes of length. Hello is the first unless the byte says otherwise.
fn frame(input: &[u8]) {
    let Some((&choice, mut rest)) = input.split_first() else { return };
    let [peer, ours] = ends();
    let (peer_id, mut peer) = (ours.remote, peer.codec);
    let capabilities = offers().iter().map(|offer| offer.capability).collect();
    let mut theirs = Hello::new("peer".to_owned(), capabilities, &peer_id);
    theirs.version = 4 + u64::from(choice & 1);
    let mut wire = Vec::new();
    let mut seal = |body: &[u8], wire: &mut Vec<u8>| {
        peer.seal(wire, |out| out.extend_from_slice(body)).expect("a short body");
    };
    if choice & 2 == 0 {
        let mut body = vec![0x80];
        theirs.encode(&mut body);
        seal(&body, &mut wire);
    }
    while let [high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (body, behind) = behind.split_at(length);
        seal(body, &mut wire);
        rest = behind;
    }
    let greeting = Greeting::new(ours, &theirs, &mut Vec::new()).expect("a short Hello");
    let piece = 1 + usize::from(choice >> 2) * 16;
    if let Some((session, shown)) = receive_hello(greeting, &mut wire, piece) {
        receive_messages(session, wire, shown, piece);
    }
}

/// The session after Hello, and how many bytes of `wire` it has been shown but not consumed.
fn receive_hello(
    mut greeting: Greeting,
    wire: &mut Vec<u8>,
    piece: usize,
) -> Option<(Session, usize)> {
    let mut shown = 0;
    while shown < wire.len() {
        shown = wire.len().min(shown + piece);
        let input = &mut wire[..shown];
        let length = input.len();
        let greeted = bounded(length, 12, 4096, || greeting.read(input)).ok()?;
        wire.drain(..greeted.consumed);
        shown -= greeted.consumed;
        match greeted.event {
            GreetingEvent::Need(missing) => assert!(missing > 0),
            GreetingEvent::Disconnect(_) => return None,
            GreetingEvent::Hello(theirs) => {
                return Some((greeting.into_session(&theirs, &offers(), LIMIT), shown));
            }
        }
    }
    None
}

fn receive_messages(mut session: Session, mut wire: Vec<u8>, mut shown: usize, piece: usize) {
    let (mut workspace, mut out) = (Workspace::new(), Vec::new());
    loop {
        let input = &mut wire[..shown];
        let length = input.len();
        // Three bytes of snappy can stand for 64.
        let outcome = bounded(length, 22, 4096, || session.read(input, &mut workspace));
        let Ok(read) = outcome else { return };
        let consumed = read.consumed;
        match read.event {
            Event::Need(missing) => {
                assert!(missing > 0);
                if shown == wire.len() {
                    return;
                }
                shown = wire.len().min(shown + piece);
            }
            Event::Message { capability, code, payload } => {
                let payload = payload.to_vec();
                let payload = Payload::Plain(&payload);
                session
                    .write(capability, code, payload, &mut Workspace::new(), &mut out)
                    .expect("what came in can go out");
            }
            Event::Ping => session.pong(&mut out).expect("a short message"),
            Event::Pong | Event::Disconnect(_) | Event::Ignored(_) => {}
        }
        wire.drain(..consumed);
        shown -= consumed;
    }
}

fn snappy(input: &[u8]) {
    let mut workspace = Workspace::new();
    let outcome =
        bounded(input.len(), 22, 4096, || workspace.decompress(input, LIMIT).map(<[u8]>::len));
    assert!(outcome.is_err() || outcome.is_ok_and(|length| length <= LIMIT));
}

fn hello(input: &[u8]) {
    let Ok(hello) = bounded(input.len(), 12, 256, || Hello::decode(input)) else { return };
    let mut encoded = Vec::new();
    hello.encode(&mut encoded);
    assert_eq!(Hello::decode(&encoded), Ok(hello));
}

fn enode(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(enode) = text.parse::<Enode>() {
        assert_eq!(enode.to_string().parse(), Ok(enode));
    }
}
