//! Status, against bytes of another implementation and against parity's `rlp`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails so")]

use alloy_primitives::{B256, U256, b256, hex};
use les_wire::{
    AnnounceType, Checkpoint, CostList, Deed, FlowControl, ForkId, Head, MAX_KEY_VALUE_BYTES,
    RequestCost, RequestKind, Status, Version,
};
use proptest::prelude::*;
use rlp::{Rlp, RlpStream};

/// Status of Nethermind for les/3, from its test `StatusMessageSerializerTests` (commit 1f6a1a3).
/// It writes an entry that is only present as an empty list, go-ethereum writes 0.
const NETHERMIND: &str = "f90176d18f70726f746f636f6c56657273696f6e03cb896e6574776f726b496401\
cb8668656164546483020080ea886865616448617368a0c89efdaa54c0f20c7adf612882df0950f5a951637e0307cd\
cb4c672f298b8bc6c987686561644e756d04ed8b67656e6573697348617368a0044852b2a670ade5407e78fb2863c5\
1de9fcb96542a07186fe3aeda6bb8a116dce8c616e6e6f756e63655479706501ce8c73657276654865616465727\
3c0d18f7365727665436861696e53696e636580d4907365727665526563656e74436861696e8203e8d18f73657276\
65537461746553696e636501d4907365727665526563656e7453746174658201f4c987747852656c6179c0d28e666c\
6f77436f6e74726f6c2f424c8203e8d18f666c6f77436f6e74726f6c2f4d525264f84c8f666c6f77436f6e74726f6c\
2f4d5243f83ac802830249f0827530c60480830aae60c60680830f4240c60a808306ddd0c60f80830927c0c6118083\
0f4240c613808306ddd0c614808303d090";

#[test]
fn a_status_of_nethermind_is_read_field_by_field() {
    let status = Status::decode(&hex::decode(NETHERMIND).unwrap()).unwrap();
    let costs = CostList::new(|kind| match kind {
        RequestKind::Headers => RequestCost { base: 150_000, per_item: 30_000 },
        RequestKind::Bodies => RequestCost { base: 0, per_item: 700_000 },
        RequestKind::Receipts | RequestKind::HelperTrieProofs => {
            RequestCost { base: 0, per_item: 1_000_000 }
        }
        RequestKind::Code | RequestKind::SendTx => RequestCost { base: 0, per_item: 450_000 },
        RequestKind::Proofs => RequestCost { base: 0, per_item: 600_000 },
        RequestKind::TxStatus => RequestCost { base: 0, per_item: 250_000 },
    });
    let expected = Status {
        protocol_version: 3,
        network_id: 1,
        genesis_hash: b256!("044852b2a670ade5407e78fb2863c51de9fcb96542a07186fe3aeda6bb8a116d"),
        head: Some(Head {
            total_difficulty: U256::from(131_200),
            hash: b256!("c89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc6"),
            number: 4,
        }),
        announce_type: Some(AnnounceType::Simple),
        serve_headers: true,
        serve_chain_since: Some(0),
        serve_recent_chain: Some(1_000),
        serve_state_since: Some(1),
        serve_recent_state: Some(500),
        tx_relay: true,
        flow_control: Some(FlowControl { buffer_limit: 1_000, recharge_per_ms: 100, costs }),
        is_server: true,
        ..Status::default()
    };
    assert_eq!(status, expected);
    assert_eq!(status.useless_to_client(Version::Les3), None);
    assert!(status.useless_to_client(Version::Les4).is_some());
}

fn server() -> Status {
    let costs = CostList::new(|kind| RequestCost { base: u64::from(kind.code()), per_item: 7 });
    Status {
        protocol_version: 4,
        network_id: 1337,
        genesis_hash: B256::repeat_byte(1),
        head: Some(Head {
            total_difficulty: U256::from(1) << 100,
            hash: B256::repeat_byte(2),
            number: 500,
        }),
        fork_id: Some(ForkId { hash: [1, 2, 3, 4], next: 1_700_000_000 }),
        serve_headers: true,
        serve_chain_since: Some(0),
        serve_recent_chain: None,
        serve_state_since: Some(0),
        serve_recent_state: Some(124),
        tx_relay: true,
        recent_tx_lookup: Some(0),
        flow_control: Some(FlowControl {
            buffer_limit: 96_000_000,
            recharge_per_ms: 16_000,
            costs,
        }),
        checkpoint: Some(Checkpoint {
            section: 3,
            section_head: B256::repeat_byte(3),
            canonical_hash_root: B256::repeat_byte(4),
            bloom_root: B256::repeat_byte(5),
        }),
        checkpoint_height: Some(17),
        is_server: true,
        ..Status::default()
    }
}

fn encoded(status: &Status) -> Vec<u8> {
    let mut out = Vec::new();
    status.encode(&mut out);
    out
}

#[test]
fn what_a_server_and_a_client_encode_is_what_the_other_side_reads() {
    let server = server();
    assert_eq!(Status::decode(&encoded(&server)).unwrap(), server);
    assert_eq!(server.useless_to_client(Version::Les4), None);
    assert_eq!(server.announcements_wanted(), AnnounceType::None);
    let client = Status {
        protocol_version: 2,
        network_id: 1,
        head: Some(Head::default()),
        announce_type: Some(AnnounceType::Signed),
        ..Status::default()
    };
    assert_eq!(Status::decode(&encoded(&client)).unwrap(), client);
    assert_eq!(client.announcements_wanted(), AnnounceType::Signed);
}

#[test]
fn the_keys_and_values_are_those_of_the_specification() {
    let bytes = encoded(&server());
    let entries: Vec<(String, Vec<u8>)> = Rlp::new(&bytes)
        .iter()
        .map(|entry| {
            assert_eq!(entry.item_count().unwrap(), 2);
            (entry.val_at(0).unwrap(), entry.at(1).unwrap().as_raw().to_vec())
        })
        .collect();
    let value = |key: &str| entries.iter().find(|(name, _)| name == key).unwrap().1.as_slice();
    assert_eq!(value("serveHeaders"), [0x80]);
    assert_eq!(value("txRelay"), [0x80]);
    assert_eq!(value("protocolVersion"), [4]);
    assert_eq!(value("headNum"), [0x82, 0x01, 0xf4]);
    assert_eq!(value("headTd").len(), 14);
    assert_eq!(value("forkID"), hex!("ca8401020304846553f100"));
    assert_eq!(value("recentTxLookup"), [0x80]);
    let costs = Rlp::new(value("flowControl/MRC"));
    let codes: Vec<u8> = costs.iter().map(|row| row.val_at(0).unwrap()).collect();
    assert_eq!(codes, [0x02, 0x04, 0x06, 0x0a, 0x0f, 0x11, 0x13, 0x14, 0x08, 0x0c, 0x0d]);
    assert_eq!(Rlp::new(value("checkpoint/value")).item_count().unwrap(), 4);
}

/// A Status of `[key, value]` entries, the values already encoded.
fn status_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut stream = RlpStream::new_list(entries.len());
    for (key, value) in entries {
        stream.begin_list(2).append(&key.as_bytes().to_vec()).append_raw(value, 1);
    }
    stream.out().to_vec()
}

fn genesis_value() -> Vec<u8> {
    std::iter::once(0xa0).chain([9; 32]).collect()
}

/// The least that both sides need, and then `more`.
fn with(more: &[(&str, &[u8])]) -> Vec<u8> {
    let genesis = genesis_value();
    let mut entries: Vec<(&str, &[u8])> =
        vec![("protocolVersion", &[2]), ("networkId", &[5]), ("genesisHash", &genesis)];
    entries.extend_from_slice(more);
    status_of(&entries)
}

#[test]
fn the_last_of_two_entries_with_one_key_counts() {
    let status = Status::decode(&with(&[("networkId", &[6]), ("networkId", &[7])])).unwrap();
    assert_eq!(status.network_id, 7);
}

#[test]
fn unknown_entries_are_kept_as_they_came() {
    let bytes = with(&[("colour", &[0x83, 1, 2, 3]), ("shape", &[0xc1, 0x80])]);
    let status = Status::decode(&bytes).unwrap();
    let unknown: Vec<_> = status.unknown_entries().collect();
    assert_eq!(
        unknown,
        [(&b"colour"[..], &[0x83, 1, 2, 3][..]), (&b"shape"[..], &[0xc1, 0x80][..])]
    );
    assert_eq!(encoded(&status), bytes);
}

#[test]
fn an_entry_has_two_elements() {
    for (payload, deed) in [
        ("c1c0", Deed::Missing),
        ("c2c161", Deed::Missing),
        ("c4c3616263", Deed::Trailing),
        ("c161", Deed::NotAList),
        ("c3c2c061", Deed::NotAString),
        ("c0c0", Deed::Trailing),
        ("80", Deed::NotAList),
    ] {
        let error = Status::decode(&hex::decode(payload).unwrap()).unwrap_err();
        assert_eq!(error.deed, deed, "{payload}: {error}");
    }
}

#[test]
fn the_three_keys_that_everybody_sends_must_be_there_and_readable() {
    let genesis = genesis_value();
    let full: [(&str, &[u8]); 3] =
        [("protocolVersion", &[2]), ("networkId", &[5]), ("genesisHash", &genesis)];
    for absent in 0..3 {
        let mut entries = full.to_vec();
        let (key, _) = entries.remove(absent);
        let error = Status::decode(&status_of(&entries)).unwrap_err();
        assert_eq!((error.field, error.deed), (key, Deed::Missing));
        entries.push((key, &[0xc0]));
        let error = Status::decode(&status_of(&entries)).unwrap_err();
        assert_eq!((error.field, error.deed), (key, Deed::NotAString));
    }
    let error = Status::decode(&with(&[("networkId", &[0x82, 0, 5])])).unwrap_err();
    assert_eq!((error.field, error.deed), ("networkId", Deed::NotCanonical));
}

#[test]
fn an_optional_value_that_cannot_be_read_counts_as_absent() {
    let status = Status::decode(&with(&[
        ("headNum", &[0x82, 0, 1]),
        ("announceType", &[0xc0]),
        ("serveChainSince", &[0x81, 5]),
        ("flowControl/MRR", &[0xc0]),
        ("serveHeaders", &[0xc0]),
        ("forkID", &[0xc1, 0x80]),
    ]))
    .unwrap();
    assert_eq!(status.head, None);
    assert_eq!(status.announce_type, None);
    assert_eq!(status.serve_chain_since, None);
    assert_eq!(status.fork_id, None);
    assert_eq!(status.flow_control, None);
    assert!(status.serve_headers && status.is_server);
}

#[test]
fn announcements_default_to_simple_and_numbers_without_meaning_to_none() {
    for (value, wanted) in [
        (None, AnnounceType::Simple),
        (Some(0xc0), AnnounceType::Simple),
        (Some(0x80), AnnounceType::None),
        (Some(1), AnnounceType::Simple),
        (Some(2), AnnounceType::Signed),
        (Some(3), AnnounceType::None),
    ] {
        let value: Vec<u8> = value.into_iter().collect();
        let entry = [("announceType", value.as_slice())];
        let bytes = with(if value.is_empty() { &[] } else { &entry });
        assert_eq!(Status::decode(&bytes).unwrap().announcements_wanted(), wanted, "{value:?}");
    }
}

#[test]
fn keys_and_values_may_take_100_000_bytes_and_no_more() {
    let base = encoded_bytes_of(&with(&[]));
    // A string of this length has 4 bytes of header, and an entry counts 8 more.
    let free = MAX_KEY_VALUE_BYTES - base - "pad".len() - 8 - 4;
    for (length, expected) in [(free, None), (free + 1, Some(MAX_KEY_VALUE_BYTES + 1))] {
        let mut value = RlpStream::new();
        value.append(&vec![0x55u8; length]);
        let error = Status::decode(&with(&[("pad", &value.out())])).err();
        let expected = expected.map(|bytes| Deed::TooLarge { bytes });
        assert_eq!(error.map(|error| error.deed), expected, "{length}");
    }
}

fn encoded_bytes_of(status: &[u8]) -> usize {
    let entries = Rlp::new(status);
    entries
        .iter()
        .map(|e| e.at(0).unwrap().data().unwrap().len() + e.at(1).unwrap().as_raw().len() + 8)
        .sum()
}

#[test]
fn a_client_turns_away_a_server_that_lacks_what_it_needs() {
    let lacking: [fn(&mut Status); 8] = [
        |s| s.head = None,
        |s| s.fork_id = None,
        |s| s.recent_tx_lookup = None,
        |s| s.serve_chain_since = None,
        |s| s.serve_state_since = None,
        |s| s.tx_relay = false,
        |s| s.flow_control = None,
        |s| s.flow_control = Some(FlowControl::default()),
    ];
    for lack in lacking {
        let mut status = server();
        lack(&mut status);
        assert!(status.useless_to_client(Version::Les4).is_some(), "{status:?}");
    }
}

#[test]
fn costs_saturate_and_rows_of_other_codes_are_ignored() {
    // Rows for 0x02, for 0x18, which is no message, for 0x05, which is a reply, and 0x02 again.
    let rows = hex!("d0c3020101c3180101c3050101c3020709");
    let value =
        [("flowControl/BL", &[1][..]), ("flowControl/MRR", &[1]), ("flowControl/MRC", &rows)];
    let costs = Status::decode(&with(&value)).unwrap().flow_control.unwrap().costs;
    assert_eq!(costs.get(RequestKind::Headers), Some(RequestCost { base: 7, per_item: 9 }));
    assert_eq!(costs.missing(), Some(RequestKind::Bodies));
    let costs = CostList::new(|_| RequestCost { base: 5, per_item: u64::MAX });
    assert_eq!(costs.max_cost(RequestKind::Headers, 3), Some(u64::MAX));
    assert_eq!(costs.max_cost(RequestKind::Headers, 0), Some(5));
    assert_eq!(CostList::default().max_cost(RequestKind::Headers, 0), None);
    assert_eq!(CostList::default().missing(), Some(RequestKind::Headers));
}

proptest! {
    #[test]
    fn any_bytes_are_a_status_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(status) = Status::decode(&bytes) {
            prop_assert_eq!(Status::decode(&encoded(&status)).unwrap(), status);
        }
    }

    #[test]
    fn one_changed_byte_never_breaks_the_decoder(at: prop::sample::Index, byte: u8) {
        let mut bytes = encoded(&server());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(status) = Status::decode(&bytes) {
            prop_assert!(status.unknown.len() <= bytes.len());
        }
    }
}
