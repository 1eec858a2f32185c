//! What is no message, and how far a message may go.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails so"
)]

use alloy_primitives::hex;
use eth_wire::{DecodeError, Deed, Message, MessageKind, Query, RequestKind, Version};
use proptest::{collection::vec, prelude::*};
use rlp::RlpStream;

const HASH: [u8; 32] = [7; 32];

#[track_caller]
fn check(version: Version, code: u8, payload: &str, field: &'static str, deed: Deed) {
    let payload = hex::decode(payload).unwrap();
    let DecodeError { field: at, deed: found, .. } =
        Message::decode(version, code, &payload).unwrap_err();
    assert_eq!((at, found), (field, deed));
}

#[test]
fn a_message_is_one_list_of_its_fields() {
    let v = Version::Eth68;
    check(v, 0x03, "", "message", Deed::Missing);
    check(v, 0x03, "c0", "request id", Deed::Missing);
    check(v, 0x03, "c50102030405", "query", Deed::NotAList);
    check(v, 0x03, "c601c401018080ff", "message", Deed::Trailing);
    check(v, 0x05, "c20180", "hashes", Deed::NotAList);
    check(v, 0x05, "c301c180", "hash", Deed::WrongLength { bytes: 0 });
    check(v, 0x04, "c301c101", "element", Deed::NotAList);
    check(v, 0x02, "c180", "transaction", Deed::WrongLength { bytes: 0 });
    check(v, 0x02, "c281ff", "transaction", Deed::UnknownTransactionType(0xff));
    check(v, 0x02, "80", "message", Deed::NotAList);
    check(v, 0x07, "c2c080", "element", Deed::Missing);
    check(v, 0x01, "c101", "block", Deed::NotAList);
    check(v, 0x00, "c144", "networkid", Deed::Missing);
}

#[test]
fn pooled_hashes_are_described_one_by_one() {
    let v = Version::Eth68;
    check(v, 0x08, "c0", "types", Deed::Missing);
    check(v, 0x08, "c3c0c0c0", "types", Deed::NotAString);
    check(v, 0x08, "c302c0c0", "sizes", Deed::OutOfRange);
    check(v, 0x08, "c402c101c0", "hashes", Deed::OutOfRange);
    check(v, 0x08, "c480c101c0", "sizes", Deed::OutOfRange);
    check(Version::Eth67, 0x08, "c3c0c0c0", "hash", Deed::NotAString);
}

#[test]
fn a_version_has_its_own_messages() {
    for version in Version::ALL {
        let codes = (0..=u8::MAX).filter(|&code| MessageKind::from_code(version, code).is_some());
        let mut expected: Vec<u8> = (0..=0x0a).chain([0x0d, 0x0e, 0x0f, 0x10]).collect();
        if version > Version::Eth66 {
            expected.retain(|code| ![0x0d, 0x0e].contains(code));
        }
        assert_eq!(codes.collect::<Vec<_>>(), expected, "{version:?}");
    }
    check(Version::Eth67, 0x0d, "c201c0", "code", Deed::UnknownCode(0x0d));
    check(Version::Eth68, 0x0b, "c0", "code", Deed::UnknownCode(0x0b));
}

/// A list of `count` hashes, written by another library.
fn hashes(count: usize) -> Vec<u8> {
    let mut list = RlpStream::new_list(count);
    for _ in 0..count {
        list.append(&HASH.as_slice());
    }
    list.out().to_vec()
}

fn with_id(list: &[u8]) -> Vec<u8> {
    let mut message = RlpStream::new_list(2);
    message.append(&5u64).append_raw(list, 1);
    message.out().to_vec()
}

#[test]
fn an_announcement_has_a_most() {
    let too_many = |version, code, payload: &[u8]| match Message::decode(version, code, payload) {
        Ok(_) => None,
        Err(error) => Some(error.deed),
    };
    let most = Some(Deed::TooManyItems { most: 4096 });
    assert_eq!(too_many(Version::Eth67, 0x08, &hashes(4096)), None);
    assert_eq!(too_many(Version::Eth67, 0x08, &hashes(4097)), most);
    assert_eq!(too_many(Version::Eth67, 0x08, &hashes(100_000)), most);
    assert_eq!(too_many(Version::Eth67, 0x02, &hashes(4097)), most);
    let mut described = RlpStream::new_list(3);
    described.append(&vec![2u8; 100_000]);
    let mut sizes = RlpStream::new_list(100_000);
    for _ in 0..100_000 {
        sizes.append(&9u8);
    }
    described.append_raw(&sizes.out(), 1).append_raw(&hashes(100_000), 1);
    assert_eq!(too_many(Version::Eth68, 0x08, &described.out()), most);
}

#[test]
fn a_reply_has_a_most_and_a_request_is_cut() {
    for kind in RequestKind::ALL {
        let most = kind.item_limit();
        let over = with_id(&hashes(most + 1));
        let deed = Message::decode(Version::Eth66, kind.reply_code(), &over).unwrap_err().deed;
        assert_eq!(deed, Deed::TooManyItems { most });
        if kind == RequestKind::Headers {
            continue;
        }
        let Message::Request { id: 5, query } =
            Message::decode(Version::Eth66, kind.code(), &over).unwrap()
        else {
            panic!("{kind:?}")
        };
        let (Query::Bodies(items)
        | Query::PooledTransactions(items)
        | Query::NodeData(items)
        | Query::Receipts(items)) = query
        else {
            panic!("{query:?}")
        };
        assert_eq!((items.count(), items.iter().count()), (most + 1, most));
        assert_eq!(query.items_within_limit(), most);
    }
}

/// Reads everything that a message has.
fn exhaust(message: Message<'_>) -> usize {
    match message {
        Message::NewPooledTransactionHashes(hashes) => hashes.iter().count(),
        Message::Transactions(items) => items.iter().map(|one| one.canonical().len()).sum(),
        Message::NewBlockHashes(blocks) => blocks.iter().count(),
        Message::Status(_)
        | Message::NewBlock(_)
        | Message::Request { .. }
        | Message::Reply { .. } => 0,
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(code in 0..0x12u8, version in 0..3usize, bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(Version::ALL[version], code, &bytes) {
            exhaust(message);
        }
    }

    /// What is read whole is a well-formed item to another library too.
    #[test]
    fn what_is_taken_is_rlp(code in 0..0x12u8, cut in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = with_id(&hashes(3));
        let at = cut.index(bytes.len());
        bytes[at] = to;
        if Message::decode(Version::Eth66, code, &bytes).is_ok() {
            prop_assert_eq!(rlp::Rlp::new(&bytes).payload_info().unwrap().total(), bytes.len());
        }
    }
}
