//! The table of message kinds, against the numbers of go-ethereum.
#![allow(clippy::unwrap_used, reason = "a test fails so")]

use les_wire::{MessageKind, ReplyKind, RequestKind, Version};

/// Code, name and first version of every message (devp2p `caps/les.md`).
const MESSAGES: [(u8, &str, u8); 19] = [
    (0x00, "Status", 2),
    (0x01, "Announce", 2),
    (0x02, "GetBlockHeaders", 2),
    (0x03, "BlockHeaders", 2),
    (0x04, "GetBlockBodies", 2),
    (0x05, "BlockBodies", 2),
    (0x06, "GetReceipts", 2),
    (0x07, "Receipts", 2),
    (0x0a, "GetContractCodes", 2),
    (0x0b, "ContractCodes", 2),
    (0x0f, "GetProofsV2", 2),
    (0x10, "ProofsV2", 2),
    (0x11, "GetHelperTrieProofs", 2),
    (0x12, "HelperTrieProofs", 2),
    (0x13, "SendTxV2", 2),
    (0x14, "GetTxStatus", 2),
    (0x15, "TxStatus", 2),
    (0x16, "StopMsg", 3),
    (0x17, "ResumeMsg", 3),
];

#[test]
fn every_code_of_every_version_is_a_known_message_or_none() {
    for version in Version::ALL {
        for code in 0..=u8::MAX {
            let row = MESSAGES.iter().find(|row| row.0 == code && row.2 <= version.number());
            let kind = MessageKind::from_code(version, code);
            assert_eq!(kind.map(MessageKind::name), row.map(|row| row.1), "{code:#x} {version:?}");
            assert!(kind.is_none_or(|kind| kind.code() == code && code < version.message_count()));
        }
    }
}

#[test]
fn versions_have_their_numbers_and_message_counts() {
    let counts = Version::ALL.map(|version| (version.number(), version.message_count()));
    assert_eq!(counts, [(2, 22), (3, 24), (4, 24)]);
    for number in 0..10 {
        let known = Version::ALL.into_iter().find(|v| u64::from(v.number()) == number);
        assert_eq!(Version::from_number(number), known);
    }
}

#[test]
fn every_request_has_a_limit_and_a_reply() {
    let limits = RequestKind::ALL.map(|kind| (kind.code(), kind.item_limit(), kind.reply_code()));
    let expected = [
        (0x02, 192, 0x03),
        (0x04, 32, 0x05),
        (0x06, 128, 0x07),
        (0x0a, 64, 0x0b),
        (0x0f, 64, 0x10),
        (0x11, 64, 0x12),
        (0x13, 64, 0x15),
        (0x14, 256, 0x15),
    ];
    assert_eq!(limits, expected);
    for kind in RequestKind::ALL {
        assert!(ReplyKind::ALL.contains(&kind.reply()));
    }
}
