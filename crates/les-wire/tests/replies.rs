//! Replies, announcements and flow control messages, with parity's `rlp` as the other side.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so")]

use alloy_primitives::{B256, U256, hex, keccak256};
use les_wire::{
    Announce, CostList, Deed, Head, NewUpdates, Reply, ReplyData, ReplyKind, RequestCost, TxLookup,
    TxState, TxStatus, Update, decode_resume, encode_resume, encode_stop, splice_helper_trie_reply,
    splice_reply, write_byte_string, write_reply_head,
};
use proptest::prelude::*;
use rlp::{Rlp, RlpStream};

fn spliced(id: u64, buffer_value: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xaa];
    splice_reply(id, buffer_value, payload, &mut out);
    assert_eq!(out.remove(0), 0xaa, "what stood in the buffer stays");
    out
}

#[test]
fn a_reply_is_its_head_and_the_stored_bytes() {
    assert_eq!(spliced(0, 0, &[]), hex!("c38080c0"));
    assert_eq!(spliced(1, 127, &[0xc0]), hex!("c4017fc1c0"));
    let long = [0xc0; 300];
    let expected = [&hex!("f901360985abcdef0123f9012c")[..], &long].concat();
    assert_eq!(spliced(9, 0xab_cdef_0123, &long), expected);
    let mut head = Vec::new();
    write_reply_head(9, 0xab_cdef_0123, long.len(), &mut head);
    assert_eq!(head, &expected[..expected.len() - long.len()]);
}

#[test]
fn a_helper_trie_reply_has_two_lists() {
    let (mut nodes, mut aux) = (Vec::new(), Vec::new());
    // A node goes in as it is, the header of an old block into a byte string.
    nodes.extend_from_slice(&hex!("c3010203"));
    write_byte_string(&[0xc0], &mut aux);
    let mut out = Vec::new();
    splice_helper_trie_reply(5, 1_000, &nodes, &aux, &mut out);
    let rlp = Rlp::new(&out);
    assert_eq!((rlp.val_at::<u64>(0), rlp.val_at::<u64>(1)), (Ok(5), Ok(1_000)));
    assert_eq!(rlp.at(2).unwrap().at(0).unwrap().list_at::<u8>(0), Ok(vec![1, 2, 3]));
    assert_eq!(rlp.at(2).unwrap().list_at::<Vec<u8>>(1), Ok(vec![vec![0xc0]]));
    let reply = Reply::decode(ReplyKind::HelperTrieProofs, &out).unwrap();
    let ReplyData::HelperTrieProofs { nodes, aux } = reply.data else { panic!("{reply:?}") };
    assert_eq!((reply.id, reply.buffer_value), (5, 1_000));
    assert_eq!(nodes.iter().map(|node| node.0).collect::<Vec<_>>(), [&hex!("c3010203")]);
    assert_eq!(aux.iter().map(|header| header.0).collect::<Vec<_>>(), [&[0xc0]]);
}

#[test]
fn status_of_transactions_has_three_elements() {
    let lookup = TxLookup { block_hash: B256::repeat_byte(0x11), block_number: 300, index: 2 };
    let included = TxStatus { state: TxState::Included, lookup: Some(lookup), error: b"" };
    let refused = TxStatus { state: TxState::Unknown, lookup: None, error: b"nonce too low" };
    let mut payload = Vec::new();
    included.encode(&mut payload);
    refused.encode(&mut payload);
    let expected =
        format!("e803e5a0{}82012c0280d080c08d6e6f6e636520746f6f206c6f77", "11".repeat(32));
    assert_eq!(hex::encode(&payload), expected);
    let bytes = spliced(1, 1, &payload);
    let reply = Reply::decode(ReplyKind::TxStatus, &bytes).unwrap();
    let ReplyData::TxStatus(items) = reply.data else { panic!("{reply:?}") };
    assert_eq!(items.iter().collect::<Vec<_>>(), [included, refused]);
}

#[track_caller]
fn check_refused(kind: ReplyKind, payload: &str, field: &str, deed: Deed) {
    let error = Reply::decode(kind, &hex::decode(payload).unwrap()).unwrap_err();
    assert_eq!((error.message, error.field, error.deed), (kind.name(), field, deed), "{error}");
}

#[test]
fn replies_are_refused_for_the_first_thing_that_is_wrong() {
    check_refused(ReplyKind::Headers, "c20101", "headers", Deed::Missing);
    check_refused(ReplyKind::Headers, "c40101c101", "element", Deed::NotAList);
    check_refused(ReplyKind::Headers, "c40101c0c0", "message", Deed::Trailing);
    check_refused(ReplyKind::Bodies, "c50101c2c1c0", "element", Deed::Missing);
    check_refused(ReplyKind::Bodies, "c80101c5c4c0c0c0c0", "body", Deed::Trailing);
    check_refused(ReplyKind::Code, "c40101c1c0", "bytes", Deed::NotAString);
    check_refused(ReplyKind::Proofs, "c40101c180", "element", Deed::NotAList);
    check_refused(ReplyKind::HelperTrieProofs, "c40101c1c0", "auxiliary data", Deed::Missing);
    check_refused(ReplyKind::TxStatus, "c60101c3c203c0", "error", Deed::Missing);
    check_refused(ReplyKind::TxStatus, "c70101c4c305c080", "state", Deed::OutOfRange);
    check_refused(
        ReplyKind::TxStatus,
        "c80101c5c403c10180",
        "block hash",
        Deed::WrongLength { bytes: 1 },
    );
}

#[test]
fn bodies_have_withdrawals_or_not() {
    let bytes = spliced(1, 1, &hex!("c2c0c0c5c101c0c101"));
    let reply = Reply::decode(ReplyKind::Bodies, &bytes).unwrap();
    let ReplyData::Bodies(bodies) = reply.data else { panic!("{reply:?}") };
    let withdrawals: Vec<_> = bodies.iter().map(|body| body.withdrawals.map(|w| w.0)).collect();
    assert_eq!(withdrawals, [None, Some(&[0xc1, 1][..])]);
}

const HEAD: Head = Head {
    total_difficulty: U256::from_limbs([0x0102_0304, 0, 0, 0]),
    hash: B256::repeat_byte(0x22),
    number: 1_000,
};

#[test]
fn an_announcement_has_five_elements() {
    let mut out = Vec::new();
    Announce::encode(&HEAD, 3, &NewUpdates::default(), &mut out);
    let expected = format!("eba0{}8203e8840102030403c0", "22".repeat(32));
    assert_eq!(hex::encode(&out), expected);
    let announce = Announce::decode(&out).unwrap();
    assert_eq!((announce.head, announce.reorg_depth), (HEAD, 3));
    assert_eq!(announce.updates.iter().count(), 0);
    let four = format!("ea{}", &expected[2..expected.len() - 2]);
    let error = Announce::decode(&hex::decode(four).unwrap()).unwrap_err();
    assert_eq!((error.field, error.deed), ("updates", Deed::Missing));
}

#[test]
fn a_signed_announcement_signs_hash_number_and_total_difficulty() {
    let mut stream = RlpStream::new_list(3);
    stream.append(&HEAD.hash.to_vec()).append(&HEAD.number).append(&0x0102_0304u64);
    assert_eq!(Announce::signing_digest(&HEAD), keccak256(stream.out()));
    let updates = NewUpdates { signature: Some([7; 65]), ..NewUpdates::default() };
    let mut out = Vec::new();
    Announce::encode(&HEAD, 0, &updates, &mut out);
    let announce = Announce::decode(&out).unwrap();
    assert_eq!(announce.updates.signature(), Some(&[7; 65]));
    assert_eq!(announce.updates.bytes(), 4 + 67 + 8);
}

#[test]
fn updates_carry_new_flow_control_parameters() {
    let costs = CostList::new(|_| RequestCost { base: 1, per_item: 2 });
    let updates = NewUpdates {
        signature: None,
        buffer_limit: Some(12_000),
        recharge_per_ms: Some(2),
        costs: Some(costs),
    };
    let mut out = Vec::new();
    Announce::encode(&Head::default(), 0, &updates, &mut out);
    let announce = Announce::decode(&out).unwrap();
    assert!(announce.head.hash.is_zero());
    let read: Vec<_> = announce.updates.iter().collect();
    let expected = [Update::BufferLimit(12_000), Update::RechargePerMs(2), Update::Costs(costs)];
    assert_eq!(read, expected);
}

#[test]
fn an_update_that_cannot_be_read_is_kept_as_it_came() {
    // [["sign", 0x01], ["x", []]]
    let updates = "cac6847369676e01c278c0";
    let body = format!("a0{}018001{updates}", "33".repeat(32));
    let bytes = hex::decode(format!("ef{body}")).unwrap();
    let announce = Announce::decode(&bytes).unwrap();
    let read: Vec<_> = announce.updates.iter().collect();
    let other = |key, value| Update::Other { key, value };
    assert_eq!(read, [other(&b"sign"[..], &[1][..]), other(b"x", &[0xc0])]);
    assert_eq!(announce.updates.signature(), None);
}

#[test]
fn stop_is_an_empty_list_and_resume_a_bare_integer() {
    let (mut stop, mut resume) = (Vec::new(), Vec::new());
    encode_stop(&mut stop);
    encode_resume(96_000_000, &mut resume);
    assert_eq!((stop.as_slice(), resume.as_slice()), (&[0xc0][..], &hex!("8405b8d800")[..]));
    assert_eq!(decode_resume(&resume), Ok(96_000_000));
    assert_eq!(decode_resume(&hex!("c101")).unwrap_err().deed, Deed::NotAString);
    assert_eq!(decode_resume(&hex!("0101")).unwrap_err().deed, Deed::Trailing);
    assert_eq!(decode_resume(&[]).unwrap_err().deed, Deed::Missing);
}

proptest! {
    #[test]
    fn spliced_replies_are_what_another_encoder_writes(
        id: u64,
        buffer_value: u64,
        items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
    ) {
        let mut payload = Vec::new();
        let mut stream = RlpStream::new_list(3);
        stream.append(&id).append(&buffer_value).begin_list(items.len());
        for item in &items {
            write_byte_string(item, &mut payload);
            stream.append(item);
        }
        let bytes = spliced(id, buffer_value, &payload);
        prop_assert_eq!(&bytes, &stream.out().to_vec());
        let reply = Reply::decode(ReplyKind::Code, &bytes).unwrap();
        let ReplyData::Code(codes) = reply.data else { panic!() };
        let codes: Vec<_> = codes.iter().map(|code| code.0.to_vec()).collect();
        prop_assert_eq!(codes, items);
    }

    #[test]
    fn any_bytes_are_a_message_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(&ReplyKind::ALL[..]),
    ) {
        let _ = (Reply::decode(kind, &bytes).is_ok(), decode_resume(&bytes).is_ok());
        if let Ok(announce) = Announce::decode(&bytes) {
            let _ = announce.updates.iter().count();
        }
    }
}
