//! Messages of the Light Ethereum Subprotocol.

use les_wire::{
    Announce, Item, Items, Query, Reply, ReplyData, ReplyKind, Request, RequestKind, Status,
    Version, decode_resume, encode_header_request, encode_request, encode_resume,
};

use crate::{Target, memory::bounded};

pub const TARGETS: &[Target] = &[
    ("status", status),
    ("announce", announce),
    ("resume", resume),
    ("get-block-headers", |input| request(RequestKind::Headers, input)),
    ("get-block-bodies", |input| request(RequestKind::Bodies, input)),
    ("get-receipts", |input| request(RequestKind::Receipts, input)),
    ("get-contract-codes", |input| request(RequestKind::Code, input)),
    ("get-proofs-v2", |input| request(RequestKind::Proofs, input)),
    ("get-helper-trie-proofs", |input| request(RequestKind::HelperTrieProofs, input)),
    ("send-tx-v2", |input| request(RequestKind::SendTx, input)),
    ("get-tx-status", |input| request(RequestKind::TxStatus, input)),
    ("block-headers", |input| reply(ReplyKind::Headers, input)),
    ("block-bodies", |input| reply(ReplyKind::Bodies, input)),
    ("receipts", |input| reply(ReplyKind::Receipts, input)),
    ("contract-codes", |input| reply(ReplyKind::Code, input)),
    ("proofs-v2", |input| reply(ReplyKind::Proofs, input)),
    ("helper-trie-proofs", |input| reply(ReplyKind::HelperTrieProofs, input)),
    ("tx-status", |input| reply(ReplyKind::TxStatus, input)),
];

fn status(input: &[u8]) {
    let Ok(status) = bounded(input.len(), 8, 4096, || Status::decode(input)) else { return };
    // What has no place in our form, such as half of the flow control, is gone after one encoding;
    // then nothing more changes.
    let mut once = Vec::new();
    status.encode(&mut once);
    let again = Status::decode(&once).expect("what we encode we decode");
    let mut twice = Vec::new();
    again.encode(&mut twice);
    assert_eq!(once, twice);
}

fn announce(input: &[u8]) {
    let Ok(announce) = bounded(input.len(), 1, 512, || Announce::decode(input)) else { return };
    let _ = format!("{announce:?}");
}

fn resume(input: &[u8]) {
    let Ok(buffer_value) = decode_resume(input) else { return };
    let mut encoded = Vec::new();
    encode_resume(buffer_value, &mut encoded);
    assert_eq!(encoded, input);
}

/// A request that is accepted is spelled in the one canonical way.
fn request(kind: RequestKind, input: &[u8]) {
    for version in Version::ALL {
        let request = bounded(input.len(), 1, 512, || Request::decode(version, kind.code(), input));
        let Ok(request) = request else { continue };
        assert_eq!(request.kind(), kind);
        let (id, mut encoded) = (request.id, Vec::new());
        match request.query {
            Query::Headers(query) => encode_header_request(id, &query, &mut encoded),
            Query::Bodies(items) | Query::Receipts(items) | Query::TxStatus(items) => {
                encode(id, items, &mut encoded);
            }
            Query::Code(items) => encode(id, items, &mut encoded),
            Query::Proofs(items) => encode(id, items, &mut encoded),
            Query::HelperTrieProofs(items) => encode(id, items, &mut encoded),
            Query::SendTx(items) => encode(id, items, &mut encoded),
        }
        assert!(request.is_over_limit() || encoded == input, "{request:?}");
    }
}

fn encode<'a, T: Item<'a>>(id: u64, items: Items<'a, T>, out: &mut Vec<u8>) {
    encode_request(id, &items.iter().collect::<Vec<T>>(), out);
}

fn reply(kind: ReplyKind, input: &[u8]) {
    let Ok(reply) = bounded(input.len(), 1, 512, || Reply::decode(kind, input)) else { return };
    match reply.data {
        ReplyData::Headers(items) | ReplyData::Receipts(items) => count(items),
        ReplyData::Bodies(items) => count(items),
        ReplyData::Code(items) => count(items),
        ReplyData::Proofs(items) => count(items),
        ReplyData::HelperTrieProofs { nodes, aux } => {
            count(nodes);
            count(aux);
        }
        ReplyData::TxStatus(items) => count(items),
    }
}

/// What was counted can be walked.
fn count<'a, T: Item<'a>>(items: Items<'a, T>) {
    assert_eq!(items.iter().count(), items.count());
}
