//! A light client that asks about the newest head at a steady rate and times the replies.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use les_tests::client::{Client, Received, client_status};
use les_wire::{
    Announce, HeaderOrigin, HeaderQuery, ProofQuery, Reply, ReplyData, ReplyKind, Version,
    encode_header_request, encode_request,
};
use rlpx::Enode;

use crate::chain::Chain;

/// Between two requests of one client, if the first was answered meanwhile.
const INTERVAL: Duration = Duration::from_millis(100);

/// Accounts that are asked for: chaingen's holders.
const HOLDERS: u64 = 5000;

const ANNOUNCE: u64 = 1;

/// What clients and the run tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    /// Whether replies are counted.
    pub(crate) counts: AtomicBool,
    pub(crate) stop: AtomicBool,
    /// When the first client heard of a block.
    pub(crate) heads: Mutex<BTreeMap<u64, Instant>>,
}

pub(crate) struct Probe<'a> {
    client: Client,
    chain: &'a Chain,
    shared: &'a Shared,
    head: B256,
    delays: Vec<Duration>,
}

impl<'a> Probe<'a> {
    pub(crate) fn connect(enode: &Enode, chain: &'a Chain, shared: &'a Shared) -> Self {
        let mut client = Client::dial(enode, Version::Les4);
        let theirs = client.read_status();
        let mut ours = Vec::new();
        client_status(&theirs, Version::Les4).encode(&mut ours);
        client.send(0, &ours);
        Self { client, chain, shared, head: theirs.head.unwrap().hash, delays: Vec::new() }
    }

    /// Asks until it is told to stop, and gives the time that each reply took.
    pub(crate) fn run(mut self, first: Duration) -> Vec<Duration> {
        let mut due = Instant::now() + first;
        let mut id = 0;
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.listen_until(due);
            id += 1;
            let delay = self.ask(id);
            if self.shared.counts.load(Ordering::Relaxed) {
                self.delays.push(delay);
            }
            due = (due + INTERVAL).max(Instant::now());
        }
        self.delays
    }

    fn listen_until(&mut self, due: Instant) {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left < Duration::from_millis(1) {
                return;
            }
            if let Some(received) = self.client.receive_within(left) {
                assert!(self.is_announcement(&received), "{received:?}");
            }
        }
    }

    fn is_announcement(&mut self, received: &Received) -> bool {
        let Received::Message(ANNOUNCE, payload) = received else { return false };
        let head = Announce::decode(payload).unwrap().head;
        self.head = head.hash;
        let mut heads = self.shared.heads.lock().unwrap();
        heads.entry(head.number).or_insert_with(Instant::now);
        true
    }

    /// Of ten requests six are for proofs of an account, two for headers, and one each for a body
    /// and receipts.
    fn ask(&mut self, id: u64) -> Duration {
        let head = self.head;
        let mut request = Vec::new();
        let (code, kind) = match id % 10 {
            0..6 => {
                let holder = keccak::keccak256(&(id % HOLDERS).to_be_bytes());
                let key = keccak::keccak256(&holder[..20]);
                let query =
                    ProofQuery { block_hash: head, account_key: &[], key: &key, from_level: 0 };
                encode_request(id, &[query], &mut request);
                (0x0f, ReplyKind::Proofs)
            }
            6..8 => {
                let origin = HeaderOrigin::Hash(head);
                let query = HeaderQuery { origin, amount: 1, skip: 0, reverse: true };
                encode_header_request(id, &query, &mut request);
                (0x02, ReplyKind::Headers)
            }
            8 => {
                encode_request(id, &[head], &mut request);
                (0x04, ReplyKind::Bodies)
            }
            _ => {
                encode_request(id, &[head], &mut request);
                (0x06, ReplyKind::Receipts)
            }
        };
        let begin = Instant::now();
        self.client.send(code, &request);
        let payload = loop {
            match self.client.receive() {
                Received::Message(found, payload) if found == code + 1 => break payload,
                other => assert!(self.is_announcement(&other), "{other:?}"),
            }
        };
        let delay = begin.elapsed();
        self.check(&Reply::decode(kind, &payload).unwrap(), id, head);
        delay
    }

    /// A reply of the right block; what proofs and headers are of is in their hash.
    fn check(&self, reply: &Reply<'_>, id: u64, head: B256) {
        assert_eq!(reply.id, id);
        let block = self.chain.by_hash(&head).expect("an announced block");
        let first = |bytes: Option<&[u8]>| B256::from(keccak::keccak256(bytes.expect("a reply")));
        match &reply.data {
            ReplyData::Proofs(nodes) => {
                assert_eq!(first(nodes.iter().next().map(|node| node.0)), block.state_root);
            }
            ReplyData::Headers(headers) => {
                assert_eq!(first(headers.iter().next().map(|header| header.0)), head);
            }
            ReplyData::Bodies(bodies) => {
                let body = bodies.iter().next().expect("a body");
                assert!(block.body.ends_with(body.uncles.0));
            }
            ReplyData::Receipts(receipts) => assert_eq!(receipts.count(), 1),
            other => panic!("{other:?}"),
        }
    }
}
