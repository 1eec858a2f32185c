//! Header sync over chains that go-ethereum made (`fixtures/chain`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails so")]
#![allow(clippy::cast_possible_truncation, reason = "block numbers of small chains")]

use std::fs::File;
use std::io::Read as _;

use alloy_primitives::{B256, U256};
use consensus::Genesis;
use flate2::read::GzDecoder;
use les_wire::{BlockBody, Head, HeaderOrigin, HeaderQuery, Item as _, Reader, UndecodedList};
use light_client::{
    AncestorWalk, HeaderChain, HeaderFault, HeaderSync, Mistrust, SealCheck, SealedHeader,
    SyncError, block,
};

/// A chain as a server holds it.
struct Chain {
    genesis: Genesis,
    /// Encoded headers and bodies from block 0 on.
    headers: Vec<Vec<u8>>,
    bodies: Vec<Vec<u8>>,
    head: Head,
}

impl Chain {
    fn read(name: &str) -> Self {
        let folder = format!("{}/../../fixtures/chain/{name}", env!("CARGO_MANIFEST_DIR"));
        let open = |file: &str| File::open(format!("{folder}/{file}")).unwrap();
        let genesis = Genesis::read(open("genesis.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_reader(open("manifest.json")).unwrap();
        let field = |name: &str| manifest[name].as_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        GzDecoder::new(open("chain.rlp.gz")).read_to_end(&mut bytes).unwrap();
        let mut headers = vec![alloy_rlp::encode(genesis.header(genesis.alloc.state_root()))];
        let mut bodies = vec![vec![0xc2, 0xc0, 0xc0]];
        let mut blocks = Reader::new("chain", &bytes);
        while !blocks.is_empty() {
            let mut fields = blocks.list("block").unwrap();
            headers.push(fields.raw("header").unwrap().to_vec());
            let body = fields.rest();
            let mut encoded = Vec::new();
            alloy_rlp::Header { list: true, payload_length: body.len() }.encode(&mut encoded);
            bodies.push([&encoded, body].concat());
        }
        let head = Head {
            total_difficulty: field("totalDifficulty").parse().unwrap(),
            hash: field("headHash").parse().unwrap(),
            number: headers.len() as u64 - 1,
        };
        Self { genesis, headers, bodies, head }
    }

    fn begin(&self, check: SealCheck) -> HeaderChain {
        let header = self.genesis.header(self.genesis.alloc.state_root());
        HeaderChain::new(self.genesis.spec(&header).unwrap(), header, check).unwrap()
    }

    /// What a server answers to a request by number.
    fn answer(&self, query: &HeaderQuery) -> Vec<UndecodedList<'_>> {
        let HeaderOrigin::Number(from) = query.origin else { panic!("{query:?}") };
        let step = query.skip as usize + 1;
        let headers = self.headers.iter().skip(from as usize).step_by(step);
        headers.take(query.amount as usize).map(|header| UndecodedList(header)).collect()
    }

    /// Syncs to `head`; replies are delivered `latest` first when several are under way.
    fn sync(&self, check: SealCheck, head: Head, latest: bool) -> Result<HeaderChain, SyncError> {
        let mut sync = HeaderSync::new(self.begin(check), head);
        let mut seen = Vec::new();
        while !sync.is_done() {
            let mut queries: Vec<_> = std::iter::from_fn(|| sync.next_query()).collect();
            assert!(!queries.is_empty(), "nothing is under way and nothing is asked");
            if latest {
                queries.reverse();
            }
            for query in queries {
                let headers = self.answer(&query);
                sync.deliver(&query, headers, |header| seen.push(header.header.number))?;
            }
        }
        let expected: Vec<_> = (1..self.headers.len() as u64).collect();
        assert_eq!(seen, expected, "each header once, in order");
        Ok(sync.into_chain())
    }
}

#[track_caller]
fn check_sync(name: &str, check: SealCheck) {
    let chain = Chain::read(name);
    for latest in [false, true] {
        let synced = chain.sync(check, chain.head, latest).unwrap();
        assert_eq!(synced.tip().hash, chain.head.hash);
        assert_eq!(synced.total_difficulty(), chain.head.total_difficulty);
        assert_eq!(synced.merged_from(), None);
    }
}

#[test]
fn chains_of_go_ethereum_are_synced_to_their_head() {
    check_sync("small", SealCheck::Full);
    check_sync("forks", SealCheck::Full);
    check_sync("pow", SealCheck::None);
}

#[test]
fn a_chain_longer_than_a_skeleton_is_synced_in_several() {
    let mut chain = Chain::read("small");
    // 30,000 headers that follow each other; no seal and no work is asked of them.
    let mut rules = chain.begin(SealCheck::None);
    let mut parent = rules.tip().clone();
    chain.headers.truncate(1);
    for _ in 0..30_000 {
        let mut header = parent.header.clone();
        header.parent_hash = parent.hash;
        header.number += 1;
        header.timestamp += 15;
        header.difficulty = U256::from(2);
        header.extra_data = vec![0; 97].into();
        header.base_fee_per_gas = Some(consensus::next_base_fee(&parent.header));
        let encoded = alloy_rlp::encode(&header);
        rules.extend(&encoded).unwrap();
        parent = rules.tip().clone();
        chain.headers.push(encoded);
    }
    let head = Head {
        total_difficulty: rules.total_difficulty(),
        hash: parent.hash,
        number: parent.header.number,
    };
    let synced = chain.sync(SealCheck::None, head, true).unwrap();
    assert_eq!(synced.tip(), &parent);
}

#[test]
fn a_changed_header_is_refused_wherever_it_stands() {
    for number in [1, 100, 192, 193, 384, 400, 430] {
        let mut chain = Chain::read("small");
        let last = chain.headers[number].len() - 1;
        chain.headers[number][last] ^= 1;
        chain.sync(SealCheck::Full, chain.head, false).unwrap_err();
    }
}

#[test]
fn a_seal_of_somebody_else_is_refused() {
    let mut chain = Chain::read("small");
    let mut header = SealedHeader::decode(&chain.headers[430]).unwrap().header;
    let mut extra = header.extra_data.to_vec();
    extra[32..].copy_from_slice(&[7; 65]);
    header.extra_data = extra.into();
    chain.headers[430] = alloy_rlp::encode(&header);
    let error = chain.sync(SealCheck::Full, chain.head, false).unwrap_err();
    assert!(matches!(error, SyncError::Header(HeaderFault::Clique { number: 430, .. })), "{error}");
    let without_work = Chain::read("pow");
    let error = without_work.sync(SealCheck::Full, without_work.head, false).unwrap_err();
    assert!(matches!(error, SyncError::Header(HeaderFault::Ethash { number: 1, .. })), "{error}");
}

#[test]
fn an_announcement_that_is_not_kept_is_an_error_of_its_own() {
    let chain = Chain::read("small");
    let head = chain.head;
    let other = Head { hash: B256::repeat_byte(1), ..head };
    let error = chain.sync(SealCheck::Full, other, false).unwrap_err();
    assert!(matches!(error, SyncError::OtherHead { number: 430, .. }), "{error}");
    let heavier = Head { total_difficulty: head.total_difficulty + U256::ONE, ..head };
    let error = chain.sync(SealCheck::Full, heavier, false).unwrap_err();
    assert!(matches!(error, SyncError::TotalDifficulty { number: 430, .. }), "{error}");
    let further = Head { number: 431, ..head };
    let error = chain.sync(SealCheck::Full, further, false).unwrap_err();
    assert!(matches!(error, SyncError::Short { announced: 431, last: 430 }), "{error}");
}

#[test]
fn replies_of_the_wrong_length_or_unasked_are_refused() {
    let chain = Chain::read("small");
    let mut sync = HeaderSync::new(chain.begin(SealCheck::Full), chain.head);
    let skeleton = sync.next_query().unwrap();
    assert_eq!((skeleton.origin, skeleton.skip), (HeaderOrigin::Number(192), 191));
    assert_eq!(sync.next_query(), None);
    sync.deliver(&skeleton, chain.answer(&skeleton), |_| ()).unwrap();
    let part = sync.next_query().unwrap();
    let short = chain.answer(&HeaderQuery { amount: 191, ..part });
    let error = sync.deliver(&part, short, |_| ()).unwrap_err();
    assert!(matches!(error, SyncError::Count { from: 1, expected: 192, got: 191 }), "{error}");
    let elsewhere = HeaderQuery { origin: HeaderOrigin::Number(5), ..part };
    let error = sync.deliver(&elsewhere, chain.answer(&elsewhere), |_| ()).unwrap_err();
    assert!(matches!(error, SyncError::NotAsked { from: 5 }), "{error}");
}

#[test]
fn ancestors_are_found_along_the_parents_and_a_stranger_is_named() {
    let chain = Chain::read("small");
    let hashes: Vec<B256> =
        chain.headers.iter().map(|header| SealedHeader::decode(header).unwrap().hash).collect();
    for target in [0, 1, 237, 238, 429, 430] {
        let trusted = SealedHeader::decode(&chain.headers[430]).unwrap();
        let mut walk = AncestorWalk::new(trusted, target);
        while let Some(query) = walk.next_query() {
            let HeaderOrigin::Hash(hash) = query.origin else { panic!("{query:?}") };
            let from = hashes.iter().position(|other| *other == hash).unwrap();
            let headers = chain.headers[..=from].iter().rev().take(query.amount as usize);
            walk.deliver(headers.map(|header| UndecodedList(header)), |_| ()).unwrap();
        }
        assert_eq!(walk.oldest().hash, hashes[target as usize]);
        if target < 430 {
            let trusted = SealedHeader::decode(&chain.headers[430]).unwrap();
            let mut walk = AncestorWalk::new(trusted, target);
            let stranger = UndecodedList(&chain.headers[7]);
            let (expected, got) = (hashes[429], hashes[7]);
            let error = walk.deliver([stranger], |_| ()).unwrap_err();
            assert_eq!(error, Mistrust::WrongHash { what: "header", expected, got });
            let error = walk.deliver([], |_| ()).unwrap_err();
            assert_eq!(error, Mistrust::NotServed { what: "header", hash: expected });
        }
    }
}

#[test]
fn bodies_of_go_ethereum_fit_their_headers_and_no_others() {
    let chain = Chain::read("small");
    let headers: Vec<_> =
        chain.headers.iter().map(|header| SealedHeader::decode(header).unwrap().header).collect();
    let mut transactions = 0;
    for (header, body) in headers.iter().zip(&chain.bodies) {
        let body = BlockBody::read(&mut Reader::new("body", body)).unwrap();
        transactions += block::body(header, &body).unwrap().len();
        let mut other = header.clone();
        other.transactions_root = B256::ZERO;
        let error = block::body(&other, &body).unwrap_err().to_string();
        assert!(error.contains(&header.transactions_root.to_string()), "{error}");
        other = header.clone();
        other.ommers_hash = B256::ZERO;
        block::body(&other, &body).unwrap_err();
        other = header.clone();
        other.withdrawals_root = Some(B256::ZERO);
        block::body(&other, &body).unwrap_err();
    }
    assert_eq!(transactions, 1_112);
}
