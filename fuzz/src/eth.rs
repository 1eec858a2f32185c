//! Messages of the Ethereum Wire Protocol, and bodies as a follower takes them.

use eth_sync::Body;
use eth_wire::{Answer, Message, Query, Status, Version};
use les_wire::{Item, Items};

use crate::{Target, memory::bounded};

pub const TARGETS: &[Target] =
    &[("eth-status", status), ("eth-message", message), ("eth-body", body)];

fn status(input: &[u8]) {
    let Ok(status) = bounded(input.len(), 1, 512, || Status::decode(input)) else { return };
    let mut encoded = Vec::new();
    status.encode(&mut encoded);
    assert_eq!(encoded, input, "a Status has one spelling");
}

/// The first byte of an input is the code, in every version.
fn message(input: &[u8]) {
    let Some((code, payload)) = input.split_first() else { return };
    for version in Version::ALL {
        let message = bounded(input.len(), 1, 512, || Message::decode(version, *code, payload));
        let Ok(message) = message else { continue };
        assert_eq!(message.kind().code(), *code);
        match message {
            Message::Status(_) | Message::NewBlock(_) => {}
            Message::NewBlockHashes(items) => walk(items, usize::MAX),
            Message::Transactions(items) => walk(items, usize::MAX),
            Message::NewPooledTransactionHashes(hashes) => {
                assert!(hashes.iter().count() <= payload.len());
            }
            Message::Request { query, .. } => {
                let limit = query.kind().item_limit();
                match query {
                    Query::Headers(_) => {}
                    Query::Bodies(items)
                    | Query::PooledTransactions(items)
                    | Query::NodeData(items)
                    | Query::Receipts(items) => walk(items, limit),
                }
            }
            Message::Reply { answer, .. } => match answer {
                Answer::Headers(items) | Answer::Receipts(items) => walk(items, usize::MAX),
                Answer::Bodies(items) => walk(items, usize::MAX),
                Answer::PooledTransactions(items) => walk(items, usize::MAX),
                Answer::NodeData(items) => walk(items, usize::MAX),
            },
        }
    }
}

/// What was counted can be walked, up to the limit.
fn walk<'a, T: Item<'a>>(items: Items<'a, T>, limit: usize) {
    assert_eq!(items.iter().count(), items.count().min(limit));
}

fn body(input: &[u8]) {
    // An item of one byte has a place of its own in a trie.
    let Ok(body) = bounded(input.len(), 640, 64 * 1024, || Body::decode(input)) else { return };
    assert_eq!(body.rlp(), input);
}
