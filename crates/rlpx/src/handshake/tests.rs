//! The vectors of EIP-8 and the hostile packets that handshakes have been broken with.

use rand::{SeedableRng as _, rngs::StdRng};

use super::*;

/// A value of `fixtures/rlpx/eip8.txt`.
fn vector(name: &str) -> Vec<u8> {
    let lines = include_str!("../../../../fixtures/rlpx/eip8.txt").lines();
    let mut values = lines.filter_map(|line| line.split_once(' '));
    let (_, digits) = values.find(|(found, _)| *found == name).expect("a name of the file");
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn array<const N: usize>(name: &str) -> [u8; N] {
    vector(name).try_into().unwrap()
}

fn key(name: &str) -> NodeKey {
    NodeKey::from_bytes(&array(name)).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(8)
}

/// A's handshake at the point where it awaits B's ack to `auth`.
fn dialing(auth: &str) -> Dialing {
    Dialing {
        key: key("static-key-a"),
        ephemeral: key("ephemeral-key-a"),
        remote: *key("static-key-b").id(),
        nonce: array("nonce-a"),
        auth: vector(auth),
    }
}

#[track_caller]
fn check_auth(name: &str, plain_format: bool) {
    let (packet, key_b) = (vector(name), key("static-key-b"));
    let Progress::Complete(found) = auth_length(&packet).unwrap() else { panic!("{name}") };
    assert_eq!(found, (plain_format, packet.len()), "{name}");
    let open = if plain_format { Auth::open_plain } else { Auth::open };
    let auth = open(&key_b, &packet).unwrap();
    assert_eq!(auth.remote, *key("static-key-a").id(), "{name}");
    assert_eq!(auth.ephemeral, *key("ephemeral-key-a").id(), "{name}");
    assert_eq!(auth.nonce, array("nonce-a"), "{name}");
    assert!(matches!(accept(&key_b, &packet, &mut rng()), Ok(Progress::Complete(_))), "{name}");
    assert_eq!(open(&key("static-key-a"), &packet).err(), Some(HandshakeError::WrongTag));
}

#[test]
fn published_auth_packets_open() {
    check_auth("auth1", true);
    check_auth("auth2", false);
    check_auth("auth3", false);
}

#[test]
fn published_ack_packets_open() {
    for name in ["ack2", "ack3"] {
        assert!(dialing("auth2").open_ack(&vector(name)).is_ok(), "{name}");
    }
    let plain = ecies::open(&key("static-key-a"), &vector("ack1"), &[]).unwrap();
    let expected = [key("ephemeral-key-b").id().as_bytes(), &vector("nonce-b")[..], &[0]].concat();
    assert_eq!(*plain, expected);
}

#[test]
fn both_sides_derive_the_published_secrets() {
    let (packet, reply) = (vector("auth2"), vector("ack2"));
    let auth = Auth::open(&key("static-key-b"), &packet).unwrap();
    let b = auth.secrets(&key("ephemeral-key-b"), &array("nonce-b"), &packet, &reply).unwrap();
    assert_eq!(b.aes, array("aes-secret"));
    assert_eq!(b.mac, array("mac-secret"));
    let mut ingress = b.ingress.clone();
    ingress.update(b"foo");
    assert_eq!(ingress.finalize(), array("ingress-mac-foo"));
    let a = dialing("auth2").secrets(&reply).unwrap();
    assert_eq!((a.aes, a.mac), (b.aes, b.mac));
    assert_eq!(a.egress.current(), b.ingress.current());
    assert_eq!(a.ingress.current(), b.egress.current());
}

#[test]
fn a_plain_auth_is_answered_with_a_plain_ack() {
    let (packet, key_b) = (vector("auth1"), key("static-key-b"));
    let Ok(Progress::Complete(accepted)) = accept(&key_b, &packet, &mut rng()) else {
        panic!("the packet is whole")
    };
    assert_eq!(accepted.reply.len(), 210);
    let plain = ecies::open(&key("static-key-a"), &accepted.reply, &[]).unwrap();
    assert_eq!(plain.len(), 97);
    assert!(NodeId::from_bytes(plain[..64].try_into().unwrap()).is_ok());
}

#[test]
fn a_packet_is_awaited_to_its_last_byte() {
    let key_b = key("static-key-b");
    for name in ["auth1", "auth2", "auth3"] {
        let packet = vector(name);
        for length in 0..packet.len() {
            let progress = accept(&key_b, &packet[..length], &mut rng());
            let Ok(Progress::Need(missing)) = progress else { panic!("{name} at {length}") };
            assert!((1..=packet.len() - length).contains(&missing), "{name} at {length}");
        }
    }
}

#[test]
fn bytes_behind_the_packet_are_left_alone() {
    for name in ["auth1", "auth2"] {
        let packet = vector(name);
        let more = [&packet[..], b"the first frame"].concat();
        let Ok(Progress::Complete(accepted)) = accept(&key("static-key-b"), &more, &mut rng())
        else {
            panic!("{name} is whole")
        };
        assert_eq!(accepted.consumed, packet.len());
    }
}

#[test]
fn our_auth_proves_our_key_and_hides_it() {
    let (ours, theirs) = (key("static-key-a"), key("static-key-b"));
    let (_, packet) = dial(&ours, theirs.id(), &mut rng()).unwrap();
    let auth = Auth::open(&theirs, &packet).unwrap();
    assert_eq!(auth.remote, *ours.id());
    let id = ours.id().as_bytes();
    assert!(!packet.windows(id.len()).any(|window| window == id));
    assert!((PREFIXED_MINIMUM..=600).contains(&packet.len()), "{}", packet.len());
}

/// An EIP-8 auth: 169 bytes of list and at least 100 of padding, sealed.
const PREFIXED_MINIMUM: usize = 2 + 169 + 100 + ecies::OVERHEAD;

/// Seals `body` to B as an attacker can, with a right tag, and shows it to B.
#[track_caller]
fn refuse(body: &[u8], expected: HandshakeError) {
    let key_b = key("static-key-b");
    let packet = crate::packet::seal_body(key_b.id(), body, &mut rng()).unwrap();
    assert_eq!(accept(&key_b, &packet, &mut rng()).err(), Some(expected));
}

/// A whole auth body with one field exchanged.
fn body_with(signature: &[u8], id: &[u8], nonce: &[u8]) -> Vec<u8> {
    list(&[signature, id, nonce])
}

#[test]
fn an_identity_off_the_curve_is_refused() {
    let (zero, one, prime) = ([0; 32], scalar(1), FIELD_PRIME);
    let valid = *key("static-key-a").id().as_bytes();
    let mut moved = valid;
    moved[63] ^= 1;
    for id in [pair(zero, zero), pair(one, one), pair(prime, prime), moved, [0xff; 64]] {
        refuse(&body_with(&[1; 65], &id, &[7; 32]), HandshakeError::NotOnCurve);
    }
    refuse(&body_with(&[1; 65], &valid[..63], &[7; 32]), HandshakeError::Malformed);
}

#[test]
fn a_signature_out_of_range_is_refused() {
    let id = *key("static-key-a").id().as_bytes();
    let order = CURVE_ORDER;
    let (zero, one) = ([0; 32], scalar(1));
    for (r, s, v) in [(zero, one, 0), (one, zero, 0), (order, one, 0), (one, order, 1)] {
        let signature = [&r[..], &s, &[v]].concat();
        refuse(&body_with(&signature, &id, &[7; 32]), HandshakeError::BadSignature);
    }
    for v in 4..=255 {
        let signature = [&one[..], &one, &[v]].concat();
        refuse(&body_with(&signature, &id, &[7; 32]), HandshakeError::BadSignature);
    }
}

#[test]
fn a_sealed_body_that_is_no_auth_is_refused() {
    for body in [&[][..], &[0xc0], &[0xc1, 0x80], &[0x80], &[0xff; 40], &[0xf8], &[0xf9, 0xff]] {
        if !body.is_empty() {
            refuse(body, HandshakeError::Malformed);
        }
    }
    let whole = body_with(&[1; 65], key("static-key-a").id().as_bytes(), &[7; 32]);
    for length in 1..whole.len() {
        refuse(&whole[..length], HandshakeError::Malformed);
    }
}

/// CVE-2026-22862: a packet too short for its initialisation vector, with a right tag, made a
/// length negative.
#[test]
fn a_packet_without_room_for_the_vector_is_refused_before_any_work() {
    let key_b = key("static-key-b");
    for missing in 0..=ecies::OVERHEAD {
        let size = u16::try_from(ecies::OVERHEAD - missing).unwrap();
        let mut packet = size.to_be_bytes().to_vec();
        packet.resize(2 + usize::from(size), 4);
        let refused = accept(&key_b, &packet, &mut rng()).err();
        assert_eq!(refused, Some(HandshakeError::TooShort), "{size}");
        let opened = ecies::open(&key_b, &packet[2..], &packet[..2]).err();
        let expected =
            if missing == 0 { HandshakeError::NotOnCurve } else { HandshakeError::TooShort };
        assert_eq!(opened, Some(expected), "{size}");
    }
}

#[test]
fn a_packet_over_the_limit_is_refused_by_its_length_alone() {
    for size in [2049_u16, 4096, 65_535] {
        let refused = accept(&key("static-key-b"), &size.to_be_bytes(), &mut rng()).err();
        assert_eq!(refused, Some(HandshakeError::TooLong(usize::from(size))));
    }
    let largest = accept(&key("static-key-b"), &2048_u16.to_be_bytes(), &mut rng());
    assert!(matches!(largest, Ok(Progress::Need(2048))));
}

/// CVE-2026-26315 and GHSA-2gjw-fg97-vg3r: points off the curve, or with a coordinate not below
/// the prime, let the recipient's answers leak its key.
#[test]
fn an_ephemeral_point_off_the_curve_is_refused_before_agreement() {
    let key_b = key("static-key-b");
    let packet = vector("auth2");
    let original: [u8; 64] = packet[3..67].try_into().unwrap();
    let (x, y) = original.split_at(32);
    let points = [
        pair([0; 32], [0; 32]),
        pair(FIELD_PRIME, y.try_into().unwrap()),
        pair(x.try_into().unwrap(), FIELD_PRIME),
        pair(scalar(1), scalar(1)),
        [0xff; 64],
    ];
    for point in points {
        let mut packet = packet.clone();
        packet[3..67].copy_from_slice(&point);
        assert_eq!(accept(&key_b, &packet, &mut rng()).err(), Some(HandshakeError::NotOnCurve));
    }
    for tag in [0, 2, 3, 5, 6, 7, 255] {
        let mut packet = packet.clone();
        packet[2] = tag;
        assert_eq!(accept(&key_b, &packet, &mut rng()).err(), Some(HandshakeError::NotOnCurve));
    }
}

/// An x so small that it and itself plus the prime both fit in 32 bytes.
#[test]
fn a_coordinate_is_spelled_in_one_way_only() {
    let one: NodeId = POINT_WITH_X_ONE.parse().unwrap();
    let mut wrapped = *one.as_bytes();
    let mut x = FIELD_PRIME;
    x[31] += 1;
    wrapped[..32].copy_from_slice(&x);
    assert!(NodeId::from_bytes(&wrapped).is_err());
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let key_b = key("static-key-b");
    for name in ["auth1", "auth2"] {
        let packet = vector(name);
        // The length in front is authenticated, but a longer one only makes us wait.
        let first = if name == "auth1" { 0 } else { 2 };
        for index in first..packet.len() {
            let mut packet = packet.clone();
            packet[index] ^= 0x10;
            let outcome = accept(&key_b, &packet, &mut rng());
            assert!(!matches!(outcome, Ok(Progress::Complete(_))), "{name} at {index}");
        }
    }
    let ack = vector("ack2");
    for index in 2..ack.len() {
        let mut ack = ack.clone();
        ack[index] ^= 1;
        assert!(dialing("auth2").open_ack(&ack).is_err(), "ack2 at {index}");
    }
}

fn scalar(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = value;
    bytes
}

fn pair(x: [u8; 32], y: [u8; 32]) -> [u8; 64] {
    [x, y].concat().try_into().unwrap()
}

/// The prime of the field (SEC 2, section 2.4.1).
const FIELD_PRIME: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfc, 0x2f,
];

/// The order of the curve (SEC 2, section 2.4.1).
const CURVE_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// The point with x = 1 and the smaller y, a square root of eight.
const POINT_WITH_X_ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001\
    4218f20ae6c646b363db68605822fb14264ca8d2587fdd6fbc750d587e76a7ee";
