//! Two ends of a connection, in memory.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

use rand::{SeedableRng as _, rngs::StdRng};
use rlpx::{
    Accepted, Capability, Established, FrameCodec, Greeting, GreetingEvent, Hello, Name, NodeKey,
    Offer, Progress, Session, accept, dial,
};

/// Message limit of the sessions that tests open.
pub(crate) const MESSAGE_LIMIT: usize = 1 << 20;

pub(crate) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub(crate) fn capability(name: &str, version: u64) -> Capability {
    Capability { name: Name::new(name).unwrap(), version }
}

pub(crate) fn offer(name: &str, version: u64, length: u64) -> Offer {
    Offer { capability: capability(name, version), length }
}

/// What [`connect`] offers on both sides.
pub(crate) fn offers() -> Vec<Offer> {
    vec![offer("les", 2, 22), offer("les", 3, 24), offer("les", 4, 24), offer("abc", 1, 3)]
}

pub(crate) fn hello(key: &NodeKey, offers: &[Offer]) -> Hello {
    let capabilities = offers.iter().map(|offer| offer.capability).collect();
    Hello::new("test/1".to_owned(), capabilities, key.id())
}

/// The two ends after the handshake, initiator first.
pub(crate) fn establish(seed: u64) -> [(NodeKey, Established); 2] {
    let rng = &mut rng(seed);
    let (ours, theirs) = (NodeKey::random(rng), NodeKey::random(rng));
    let (dialing, auth) = dial(&ours, theirs.id(), rng).unwrap();
    let Progress::Complete(accepted) = accept(&theirs, &auth, rng).unwrap() else {
        panic!("a whole auth is complete")
    };
    let Accepted { established, reply, consumed } = accepted;
    assert_eq!(consumed, auth.len());
    assert_eq!(established.remote, *ours.id());
    let initiator = dialing.open_ack(&reply).unwrap();
    assert_eq!(initiator.remote, *theirs.id());
    [(ours, initiator), (theirs, established)]
}

/// Both ends after their Hellos, whose p2p versions are given.
pub(crate) fn connect(seed: u64, versions: [u64; 2]) -> [Session; 2] {
    let [mut one, mut two] = [0, 1].map(|_| None);
    let mut wires = [Vec::new(), Vec::new()];
    for (index, (key, established)) in establish(seed).into_iter().enumerate() {
        let mut ours = hello(&key, &offers());
        ours.version = versions[index];
        let greeting = Greeting::new(established, &ours, &mut wires[index]).unwrap();
        if index == 0 { one = Some(greeting) } else { two = Some(greeting) }
    }
    let [wire_one, wire_two] = &mut wires;
    [(one.unwrap(), wire_two), (two.unwrap(), wire_one)].map(|(mut greeting, wire)| {
        let greeted = greeting.read(wire).unwrap();
        assert_eq!(greeted.consumed, wire.len());
        let GreetingEvent::Hello(theirs) = greeted.event else { panic!("Hello comes first") };
        greeting.into_session(&theirs, &offers(), MESSAGE_LIMIT)
    })
}

/// A session of ours, and the frame cipher of a peer that writes what it likes.
pub(crate) fn session_and_peer(seed: u64, peer_version: u64) -> (Session, FrameCodec) {
    let [(key, ours), (peer_key, peer)] = establish(seed);
    let mut codec = peer.codec;
    let mut greeting = Greeting::new(ours, &hello(&key, &offers()), &mut Vec::new()).unwrap();
    let mut theirs = hello(&peer_key, &offers());
    theirs.version = peer_version;
    let mut body = vec![0x80];
    theirs.encode(&mut body);
    let greeted = greeting.read(&mut frame(&mut codec, &body)).unwrap();
    assert_eq!(greeted.event, GreetingEvent::Hello(theirs.clone()));
    (greeting.into_session(&theirs, &offers(), MESSAGE_LIMIT), codec)
}

/// A frame of the peer, with `body` as it is.
pub(crate) fn frame(codec: &mut FrameCodec, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    codec.seal(&mut out, |out| out.extend_from_slice(body)).unwrap();
    out
}

/// Bytes from hexadecimal digits; spaces are for the reader.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
    let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
