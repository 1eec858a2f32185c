//! Requests: bytes written out by hand from the specification, and parity's `rlp` as the other
//! side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails so")]

use alloy_primitives::{B256, hex};
use les_wire::{
    AccountKey, CodeQuery, Deed, HeaderOrigin, HeaderQuery, HelperTrie, HelperTrieQuery, Item,
    ProofQuery, Query, Request, RequestKind, Transaction, Version, encode_header_request,
    encode_request,
};
use proptest::prelude::*;
use rlp::RlpStream;

const VERSION: Version = Version::Les4;
const ONES: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWOS: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn decode(kind: RequestKind, payload: &[u8]) -> Result<Request<'_>, les_wire::DecodeError> {
    Request::decode(VERSION, kind.code(), payload)
}

#[track_caller]
fn check_refused(kind: RequestKind, payload: &str, field: &str, deed: Deed) {
    let payload = hex::decode(payload).unwrap();
    let error = decode(kind, &payload).expect_err("must be refused");
    assert_eq!((error.message, error.field, error.deed), (kind.name(), field, deed), "{error}");
}

#[track_caller]
fn check_headers(payload: &str, id: u64, expected: HeaderQuery) {
    let payload = hex::decode(payload).unwrap();
    let request = decode(RequestKind::Headers, &payload).unwrap();
    assert_eq!(request.id, id);
    assert_eq!(request.items(), expected.amount);
    let Query::Headers(query) = request.query else { panic!("{request:?}") };
    assert_eq!(query, expected);
    let mut encoded = Vec::new();
    encode_header_request(id, &query, &mut encoded);
    assert_eq!(hex::encode(encoded), hex::encode(payload));
}

#[test]
fn header_requests_name_their_origin_by_number_or_by_hash() {
    let number = HeaderOrigin::Number;
    let query = HeaderQuery { origin: number(191), amount: 128, skip: 191, reverse: false };
    check_headers("c907c781bf818081bf80", 7, query);
    let query = HeaderQuery { origin: number(0), amount: 0, skip: u64::MAX, reverse: true };
    check_headers("ce80cc808088ffffffffffffffff01", 0, query);
    let hash = HeaderOrigin::Hash(B256::repeat_byte(0x11));
    let query = HeaderQuery { origin: hash, amount: 1, skip: 63, reverse: true };
    check_headers(&format!("e601e4a0{ONES}013f01"), 1, query);
}

#[test]
fn a_zero_hash_is_the_number_of_the_genesis() {
    let payload = hex::decode(format!("e601e4a0{}018080", "00".repeat(32))).unwrap();
    let request = decode(RequestKind::Headers, &payload).unwrap();
    let Query::Headers(query) = request.query else { panic!("{request:?}") };
    assert_eq!(query.origin, HeaderOrigin::Number(0));
}

#[test]
fn header_requests_are_refused_for_the_first_thing_that_is_wrong() {
    let kind = RequestKind::Headers;
    check_refused(kind, "", "message", Deed::Missing);
    check_refused(kind, "01", "message", Deed::NotAList);
    check_refused(kind, "c0", "request id", Deed::Missing);
    check_refused(kind, "c101", "query", Deed::Missing);
    check_refused(kind, "c601c401018080ff", "message", Deed::Trailing);
    check_refused(kind, "c701c40101808001", "message", Deed::Trailing);
    check_refused(kind, "c701c50101808001", "query", Deed::Trailing);
    check_refused(kind, "c501c3010180", "reverse", Deed::Missing);
    check_refused(kind, "c601c401018002", "reverse", Deed::OutOfRange);
    check_refused(kind, "c601c401010080", "skip", Deed::NotCanonical);
    check_refused(kind, "c701c50181018080", "amount", Deed::NotCanonical);
    check_refused(kind, "c801c6820001018080", "origin", Deed::NotCanonical);
    check_refused(kind, "c601c4c0018080", "origin", Deed::NotAString);
    check_refused(
        kind,
        "cf01cd89010101010101010101018080",
        "origin",
        Deed::WrongLength { bytes: 9 },
    );
    check_refused(kind, "cf01cd01890101010101010101018080", "amount", Deed::OutOfRange);
    check_refused(kind, "c7b800c401018080", "request id", Deed::NotCanonical);
    check_refused(kind, "c701c401018080", "message", Deed::Truncated);
}

#[test]
fn a_code_that_is_no_request_of_the_version_is_named() {
    for code in [0x00, 0x01, 0x03, 0x08, 0x0c, 0x0d, 0x15, 0x16, 0x17, 0xff] {
        let error = Request::decode(VERSION, code, &[0xc0]).unwrap_err();
        assert_eq!(error.deed, Deed::UnknownCode(code));
    }
}

#[test]
fn hash_lists_hold_hashes_of_32_bytes_only() {
    for kind in [RequestKind::Bodies, RequestKind::Receipts, RequestKind::TxStatus] {
        let payload = hex::decode(format!("f84509f842a0{ONES}a0{TWOS}")).unwrap();
        let request = decode(kind, &payload).unwrap();
        assert_eq!((request.id, request.items(), request.kind()), (9, 2, kind));
        let (Query::Bodies(hashes) | Query::Receipts(hashes) | Query::TxStatus(hashes)) =
            request.query
        else {
            panic!("{request:?}")
        };
        let hashes: Vec<_> = hashes.iter().collect();
        assert_eq!(hashes, [B256::repeat_byte(0x11), B256::repeat_byte(0x22)]);
        check_refused(kind, "c301c180", "hash", Deed::WrongLength { bytes: 0 });
        check_refused(kind, "c20180", "hashes", Deed::NotAList);
        check_refused(kind, "c301c1c0", "hash", Deed::NotAString);
        let cut = format!("e201e0a0{}", &ONES[2..]);
        check_refused(kind, &cut, "hash", Deed::Truncated);
    }
}

#[test]
fn items_beyond_the_limit_are_counted_but_not_yielded() {
    for kind in [RequestKind::Bodies, RequestKind::Receipts, RequestKind::TxStatus] {
        for extra in [0, 1, 1_000] {
            let sent = kind.item_limit() + extra;
            let mut payload = Vec::new();
            encode_request(1, &vec![B256::ZERO; sent], &mut payload);
            let request = decode(kind, &payload).unwrap();
            let (Query::Bodies(hashes) | Query::Receipts(hashes) | Query::TxStatus(hashes)) =
                request.query
            else {
                panic!("{request:?}")
            };
            assert_eq!(request.items(), sent as u64);
            assert_eq!(request.is_over_limit(), extra > 0);
            assert_eq!(hashes.is_over_limit(), extra > 0);
            assert_eq!(hashes.iter().len(), kind.item_limit());
            assert_eq!(hashes.iter().count(), kind.item_limit());
        }
    }
}

#[test]
fn account_keys_of_every_length_decode_and_three_lengths_mean_something() {
    for (length, expected) in [
        (0, AccountKey::None),
        (20, AccountKey::Address([0x11; 20].into())),
        (32, AccountKey::Hash(B256::repeat_byte(0x11))),
        (1, AccountKey::Other),
        (31, AccountKey::Other),
        (33, AccountKey::Other),
    ] {
        let account_key = vec![0x11; length];
        let code = CodeQuery { block_hash: B256::ZERO, account_key: &account_key };
        assert_eq!(code.account(), expected);
        let proof = ProofQuery {
            block_hash: B256::ZERO,
            account_key: &account_key,
            key: &[0x22; 32],
            from_level: 99,
        };
        assert_eq!(proof.account(), expected);
        let mut payload = Vec::new();
        encode_request(3, &[proof], &mut payload);
        let request = decode(RequestKind::Proofs, &payload).unwrap();
        let Query::Proofs(proofs) = request.query else { panic!("{request:?}") };
        assert_eq!(proofs.first(), Some(proof));
    }
}

#[test]
fn helper_trie_queries_name_a_trie_or_not() {
    let header = HelperTrieQuery {
        trie_type: 0,
        section: 3,
        key: &1_000u64.to_be_bytes(),
        from_level: 0,
        aux: HelperTrieQuery::AUX_HEADER,
    };
    let mut payload = Vec::new();
    encode_request(5, &[header], &mut payload);
    assert_eq!(hex::encode(&payload), "d005cecd80038800000000000003e88002");
    let request = decode(RequestKind::HelperTrieProofs, &payload).unwrap();
    let Query::HelperTrieProofs(queries) = request.query else { panic!("{request:?}") };
    let query = queries.first().unwrap();
    assert_eq!(query.trie(), Some(HelperTrie::CanonicalHash));
    assert_eq!(query.block_number(), Some(1_000));
    let bloom = HelperTrieQuery { trie_type: 1, key: &[0; 10], ..header };
    assert_eq!((bloom.trie(), bloom.block_number()), (Some(HelperTrie::Bloom), None));
    assert_eq!(HelperTrieQuery { trie_type: 2, ..header }.trie(), None);
}

/// A transaction by another encoder: all integers, but for the recipient and the data.
fn transaction(kind: Option<u8>, before: usize, middle: &[&[u8]], after: usize) -> Vec<u8> {
    let mut stream = RlpStream::new_list(before + 3 + middle.len() + after);
    for _ in 0..before {
        stream.append(&1u64);
    }
    stream.append(&vec![0x11u8; 20]).append(&7u64).append(&vec![1u8, 2, 3]);
    for raw in middle {
        stream.append_raw(raw, 1);
    }
    for _ in 0..after {
        stream.append(&9u64);
    }
    kind.into_iter().chain(stream.out()).collect()
}

const EMPTY: &[u8] = &[0xc0];

fn transactions() -> Vec<Vec<u8>> {
    let access = hex::decode(format!("f838f79411{}e1a0{ONES}", "11".repeat(19))).unwrap();
    let blob_hashes = hex::decode(format!("e1a0{ONES}")).unwrap();
    vec![
        transaction(None, 3, &[], 3),
        transaction(Some(1), 4, &[&access], 3),
        transaction(Some(2), 5, &[EMPTY], 3),
        transaction(Some(3), 5, &[EMPTY, &[0x05], &blob_hashes], 3),
        transaction(Some(4), 5, &[EMPTY, EMPTY], 3),
    ]
}

#[test]
fn transactions_of_every_type_arrive_in_their_canonical_form() {
    let canonical = transactions();
    let sent: Vec<_> = canonical.iter().map(|bytes| Transaction::new(bytes).unwrap()).collect();
    let mut payload = Vec::new();
    encode_request(1, &sent, &mut payload);
    let request = decode(RequestKind::SendTx, &payload).unwrap();
    let Query::SendTx(received) = request.query else { panic!("{request:?}") };
    let received: Vec<_> = received.iter().map(|tx| tx.canonical().to_vec()).collect();
    assert_eq!(received, canonical);
}

#[test]
fn a_blob_transaction_may_bring_its_sidecar() {
    let bare = &transactions()[3][1..];
    for version in [None, Some(1u8)] {
        let mut stream = RlpStream::new_list(4 + usize::from(version.is_some()));
        stream.append_raw(bare, 1);
        if let Some(version) = version {
            stream.append(&version);
        }
        for _ in 0..3 {
            stream.begin_list(1).append(&vec![7u8; 48]);
        }
        let wrapped: Vec<u8> = [3].into_iter().chain(stream.out()).collect();
        Transaction::new(&wrapped).unwrap();
    }
}

#[test]
fn one_malformed_transaction_makes_the_batch_undecodable() {
    let good = &transactions()[0];
    let spoilt: [(&[u8], Deed); 6] = [
        (&[0x80], Deed::Missing),
        (&[0x82, 0x05, 0xc0], Deed::UnknownTransactionType(5)),
        (&[0x01], Deed::Missing),
        (&[0xc0], Deed::Missing),
        (&[0x82, 0x02, 0xc0], Deed::Missing),
        (&[0x83, 0x02, 0xc0, 0xc0], Deed::Trailing),
    ];
    for (bad, deed) in spoilt {
        let mut stream = RlpStream::new_list(2);
        stream.append(&1u64).begin_list(2).append_raw(good, 1).append_raw(bad, 1);
        let payload = stream.out();
        let error = decode(RequestKind::SendTx, &payload).unwrap_err();
        assert_eq!(error.deed, deed, "{}", hex::encode(bad));
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..=most)
}

proptest! {
    #[test]
    fn proof_requests_of_another_encoder_decode_to_what_went_in(
        id: u64,
        items in proptest::collection::vec(
            (any::<[u8; 32]>(), bytes(40), bytes(40), any::<u64>()),
            0..80,
        ),
    ) {
        let mut stream = RlpStream::new_list(2);
        stream.append(&id).begin_list(items.len());
        for (hash, account, key, level) in &items {
            stream.begin_list(4).append(&hash.to_vec()).append(account).append(key).append(level);
        }
        let payload = stream.out();
        let request = decode(RequestKind::Proofs, &payload).unwrap();
        prop_assert_eq!((request.id, request.items()), (id, items.len() as u64));
        let Query::Proofs(proofs) = request.query else { panic!() };
        let expected: Vec<_> = items.iter().map(|(hash, account_key, key, from_level)| {
            ProofQuery { block_hash: B256::new(*hash), account_key, key, from_level: *from_level }
        }).collect();
        prop_assert_eq!(proofs.iter().collect::<Vec<_>>(), &expected[..items.len().min(64)]);
        let mut encoded = Vec::new();
        encode_request(id, &expected, &mut encoded);
        prop_assert_eq!(encoded, payload.to_vec());
    }

    #[test]
    fn any_bytes_decode_or_are_refused_and_what_decodes_encodes_the_same(
        kind in prop::sample::select(&RequestKind::ALL[..]),
        payload in bytes(200),
    ) {
        check_stable(kind, &payload);
    }

    #[test]
    fn one_changed_byte_never_breaks_the_decoder(
        kind in prop::sample::select(&RequestKind::ALL[..]),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut payload = sample(kind);
        let at = at.index(payload.len());
        payload[at] = byte;
        check_stable(kind, &payload);
    }
}

/// A well-formed request with two items.
fn sample(kind: RequestKind) -> Vec<u8> {
    let mut out = Vec::new();
    let block_hash = B256::repeat_byte(0x33);
    let proof = ProofQuery { block_hash, account_key: &[4; 32], key: &[5; 32], from_level: 1 };
    let code = CodeQuery { block_hash, account_key: &[4; 20] };
    let helper =
        HelperTrieQuery { trie_type: 1, section: 300, key: &[6; 10], from_level: 0, aux: 0 };
    let canonical = transactions();
    let sent: Vec<_> = canonical.iter().map(|bytes| Transaction::new(bytes).unwrap()).collect();
    match kind {
        RequestKind::Headers => {
            let origin = HeaderOrigin::Number(1_000_000);
            let query = HeaderQuery { origin, amount: 192, skip: 0, reverse: true };
            encode_header_request(u64::MAX, &query, &mut out);
        }
        RequestKind::Bodies | RequestKind::Receipts | RequestKind::TxStatus => {
            encode_request(1, &[block_hash, block_hash], &mut out);
        }
        RequestKind::Code => encode_request(2, &[code, code], &mut out),
        RequestKind::Proofs => encode_request(3, &[proof, proof], &mut out),
        RequestKind::HelperTrieProofs => encode_request(4, &[helper, helper], &mut out),
        RequestKind::SendTx => encode_request(5, &sent, &mut out),
    }
    out
}

/// Whatever decodes is canonical: encoding it gives the same bytes.
fn check_stable(kind: RequestKind, payload: &[u8]) {
    let Ok(request) = decode(kind, payload) else { return };
    let mut out = Vec::new();
    match request.query {
        Query::Headers(query) if query.origin == HeaderOrigin::Number(0) => return,
        Query::Headers(query) => encode_header_request(request.id, &query, &mut out),
        Query::Bodies(items) | Query::Receipts(items) | Query::TxStatus(items) => {
            encode_request(request.id, &collected(items.iter()), &mut out);
        }
        Query::Code(items) => encode_request(request.id, &collected(items.iter()), &mut out),
        Query::Proofs(items) => encode_request(request.id, &collected(items.iter()), &mut out),
        Query::HelperTrieProofs(items) => {
            encode_request(request.id, &collected(items.iter()), &mut out);
        }
        Query::SendTx(items) => encode_request(request.id, &collected(items.iter()), &mut out),
    }
    assert_eq!(hex::encode(out), hex::encode(payload));
}

fn collected<'a, T: Item<'a>>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect()
}
